//! Arrays. Manual page: "Complex type functions".

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Builder, Int64Builder, ListArray, ListBuilder, StructArray,
    UInt32Array, new_null_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{SortOptions, concat as concat_arrays, sort_to_indices, take};
use datafusion::arrow::datatypes::{DataType as ArrowType, Field, Float64Type, Int64Type};
use datafusion::arrow::row::{RowConverter, Rows, SortField};

use super::call::{Call, Definition, Gives, Kind, function, is_list, known, mismatch, variadic};
use crate::engine::cast::{Casting, as_list, cast, without_negative_zero};
use crate::engine::text::text;
use crate::engine::types::{column_type, list_of};
use crate::error::{Error, Result};

use Kind::{Any, Boolean, Double, Int, List, Text};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    function("array_join", "array_join(array a, string separator[, string null])", "Joins the items of an array; NULL items are left out or written as the third argument.", &[List, Text, Text], 1, Gives::Text, array_join),
    function("array_normalize", "array_normalize(array<double> a, double p)", "Returns the items divided by the p norm of the array; NULL where an item is.", &[List, Double], 0, Gives::Of(|_, _| Ok(list_of(ArrowType::Float64))), array_normalize),
    function("array_position", "array_position(array a, value)", "Returns where a value is in an array, counted from 1; 0 where it is not.", &[List, Any], 0, Gives::Int, array_position),
    function("array_remove", "array_remove(array a, value)", "Returns the array without the items that equal a value.", &[List, Any], 0, Gives::Of(same), array_remove),
    function("array_sort", "array_sort(array a[, function f])", "Returns the array in ascending order, or in that of a function that gives a number below, at or above 0.", &[List], 0, Gives::Of(same), sort_array),
    function("arrays_overlap", "arrays_overlap(array a, array b)", "Returns whether two arrays have an item in common; NULL where only a NULL could be one.", &[List, List], 0, Gives::Boolean, arrays_overlap),
    variadic("arrays_zip", "arrays_zip(array a, array b[, ...])", "Makes an array of structs of the items of arrays, the fields named 0, 1, ….", &[List], 1, Gives::Of(zip_type), arrays_zip),
    function("combinations", "combinations(array a, bigint n)", "Returns all combinations of n items, n from 0 to 5.", &[List, Int], 0, Gives::Of(lists_of_same), combinations),
    function("element_at", "element_at(array a, bigint position) | element_at(map m, key)", "Returns an item, counted from 1 or from the end, or the value of a key.", &[Any, Any], 0, Gives::Of(element_type), |call| element(call, 1)),
    function("ngrams", "ngrams(array a, bigint n)", "Returns the runs of n neighbouring items; the whole array where it is shorter.", &[List, Int], 0, Gives::Of(lists_of_same), ngrams),
    function("sequence", "sequence(bigint start, bigint end[, bigint step]) | sequence(datetime start, datetime end[, interval step])", "Returns the numbers or times from start to end.", &[Any, Any, Any], 1, Gives::Of(sequence_type), sequence),
    function("size", "size(array|map a)", "Returns the number of items.", &[Any], 0, Gives::Int, size),
    function("shuffle", "shuffle(array a)", "Returns the items in random order.", &[List], 0, Gives::Of(same), shuffle),
    function("slice", "slice(array a, bigint start, bigint length)", "Returns items from start, counted from 1 or from the end.", &[List, Int, Int], 0, Gives::Of(same), slice),
    function("sort_array", "sort_array(array a[, boolean ascending])", "Returns the array in order.", &[List, Boolean], 1, Gives::Of(same), sort_array),
];

/// Names of the implementations that `internal` registers for the operators `a[i]` and `m[k]`.
#[rustfmt::skip]
pub(super) const ELEMENT: Definition = function("__element", "__element", "a[i]", &[Any, Any], 0, Gives::Of(element_type), |call| element(call, 0));
#[rustfmt::skip]
pub(super) const POSITIONS: Definition = function("__positions", "__positions", "0, 1, … of a list", &[List], 0, Gives::Of(|_, _| Ok(list_of(ArrowType::Int64))), positions);
pub(super) fn plain(given: &ArrowType) -> ArrowType {
    match given {
        ArrowType::LargeList(item)
        | ArrowType::FixedSizeList(item, _)
        | ArrowType::ListView(item) => list_of(item.data_type().clone()),
        other => other.clone(),
    }
}

fn same(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    Ok(plain(&types[0]))
}

pub(super) fn same_or_text(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    Ok(if is_list(&types[0]) {
        plain(&types[0])
    } else {
        ArrowType::Utf8View
    })
}

pub(super) fn concat_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    if !types.iter().any(is_list) {
        return Ok(ArrowType::Utf8View);
    }
    match types.iter().find(|given| is_list(given)) {
        Some(first) if types.iter().all(|given| is_list(given) || given.is_null()) => {
            // Texts are read as one kind of them.
            match plain(first) {
                ArrowType::List(item) if item.data_type().is_string() => {
                    Ok(list_of(ArrowType::Utf8View))
                }
                plain => Ok(plain),
            }
        }
        _ => Err(Error::semantic(
            "function concat takes texts or arrays, not both",
        )),
    }
}

pub(super) fn failed(error: datafusion::arrow::error::ArrowError) -> Error {
    Error::internal(error.to_string())
}

/// Lists of so many values each, in a row; `valid` says which of them are not NULL.
pub(super) fn list_array(
    values: ArrayRef,
    lengths: Vec<usize>,
    valid: Option<Vec<bool>>,
) -> Result<ArrayRef> {
    let field = Arc::new(Field::new("item", values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths);
    let list = ListArray::try_new(field, offsets, values, valid.map(NullBuffer::from));
    Ok(Arc::new(list.map_err(failed)?))
}

/// Builds the lists of a call from items of one array, given by their places in it.
fn lists(
    call: &Call,
    items: &ArrayRef,
    mut of: impl FnMut(usize, &mut Vec<u32>) -> Result<bool>,
) -> Result<ArrayRef> {
    let (mut indices, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        let before = indices.len();
        let is_known = of(row, &mut indices)?;
        if !is_known {
            indices.truncate(before);
        }
        lengths.push(indices.len() - before);
        valid.push(is_known);
    }
    let values = take(items, &UInt32Array::from(indices), None).map_err(failed)?;
    list_array(values, lengths, Some(valid))
}

/// The items of all rows of a list, and where those of a row stand among them.
pub(super) struct Items {
    pub(super) list: ListArray,
    column: super::call::Column<ListArray>,
}

impl Items {
    pub(super) fn new(call: &Call, position: usize) -> Result<Self> {
        let column = call.list(position)?;
        Ok(Self {
            list: column.array().clone(),
            column,
        })
    }

    pub(super) fn range(&self, row: usize) -> Option<std::ops::Range<u32>> {
        let row = self.column.row(row);
        let offsets = self.list.offsets();
        self.list
            .is_valid(row)
            .then(|| offsets[row] as u32..offsets[row + 1] as u32)
    }
}

pub(super) fn concat(call: &Call) -> Result<ArrayRef> {
    let all: Vec<Items> = (0..call.count())
        .map(|n| Items::new(call, n))
        .collect::<Result<_>>()?;
    let to = match &call.gives {
        ArrowType::List(item) => item.data_type().clone(),
        other => other.clone(),
    };
    let to = column_type(&to).unwrap_or(crate::datatype::DataType::String);
    let mut begins = Vec::new();
    let mut values: Vec<ArrayRef> = Vec::new();
    let mut total = 0u32;
    for items in &all {
        begins.push(total);
        total += items.list.values().len() as u32;
        values.push(cast(items.list.values(), &to, call.casting)?);
    }
    let arrays: Vec<&dyn Array> = values.iter().map(|array| array.as_ref()).collect();
    let joined = concat_arrays(&arrays).map_err(failed)?;
    lists(call, &joined, |row, out| {
        for (items, begin) in all.iter().zip(&begins) {
            let Some(range) = items.range(row) else {
                return Ok(false);
            };
            out.extend(range.map(|item| item + begin));
        }
        Ok(true)
    })
}

pub(super) fn reverse(call: &Call) -> Result<ArrayRef> {
    let items = Items::new(call, 0)?;
    lists(call, items.list.values(), |row, out| {
        let Some(range) = items.range(row) else {
            return Ok(false);
        };
        out.extend(range.rev());
        Ok(true)
    })
}

fn array_join(call: &Call) -> Result<ArrayRef> {
    let (list, separator) = (call.list(0)?, call.text(1)?);
    let null = if call.count() > 2 {
        Some(call.text(2)?)
    } else {
        None
    };
    call.texts(|row| {
        let (items, separator) = (known!(list.get(row)), known!(separator.get(row)));
        let null = null.as_ref().and_then(|null| null.get(row));
        let parts = (0..items.len())
            .filter_map(|item| text(&items, item).or_else(|| null.map(str::to_owned)));
        Ok(Some(parts.collect::<Vec<_>>().join(separator)))
    })
}

fn array_remove(call: &Call) -> Result<ArrayRef> {
    let items = Items::new(call, 0)?;
    let item_type = column_type(items.list.values().data_type());
    let column = call.any(1);
    let wanted = match item_type {
        Some(to) => cast(column.array(), &to, call.casting)?,
        None => Arc::clone(column.array()),
    };
    let values = items.list.values();
    let equal = datafusion::arrow::array::make_comparator(values, &wanted, SortOptions::default())
        .map_err(failed)?;
    lists(call, values, |row, out| {
        let Some(range) = items.range(row) else {
            return Ok(false);
        };
        let other = column.row(row);
        if wanted.is_null(other) {
            return Ok(false);
        }
        out.extend(
            range.filter(|item| {
                values.is_null(*item as usize) || equal(*item as usize, other).is_ne()
            }),
        );
        Ok(true)
    })
}

fn sort_array(call: &Call) -> Result<ArrayRef> {
    let items = Items::new(call, 0)?;
    let ascending = if call.count() > 1 {
        Some(call.boolean(1)?)
    } else {
        None
    };
    let values = items.list.values();
    lists(call, values, |row, out| {
        let Some(range) = items.range(row) else {
            return Ok(false);
        };
        let ascending = match &ascending {
            Some(ascending) => ascending.get(row).unwrap_or(true),
            None => true,
        };
        let part = values.slice(range.start as usize, range.len());
        let options = SortOptions {
            descending: !ascending,
            nulls_first: ascending,
        };
        let order = sort_to_indices(&part, Some(options), None).map_err(failed)?;
        out.extend(order.values().iter().map(|item| item + range.start));
        Ok(true)
    })
}

fn shuffle(call: &Call) -> Result<ArrayRef> {
    let items = Items::new(call, 0)?;
    let mut state = crate::clock::random_seed();
    lists(call, items.list.values(), |row, out| {
        let Some(range) = items.range(row) else {
            return Ok(false);
        };
        let begin = out.len();
        out.extend(range);
        for place in (begin + 1..out.len()).rev() {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let other = begin + (state >> 33) as usize % (place - begin + 1);
            out.swap(place, other);
        }
        Ok(true)
    })
}

fn slice(call: &Call) -> Result<ArrayRef> {
    let items = Items::new(call, 0)?;
    let (start, length) = (call.int(1)?, call.int(2)?);
    lists(call, items.list.values(), |row, out| {
        let (Some(range), Some(start), Some(length)) =
            (items.range(row), start.get(row), length.get(row))
        else {
            return Ok(false);
        };
        if start == 0 || length < 0 {
            return Err(Error::argument_value(
                "function slice: start is not 0 and length not negative",
            ));
        }
        let count = range.len() as i64;
        let begin = if start > 0 { start - 1 } else { count + start };
        if (0..count).contains(&begin) {
            let end = begin.saturating_add(length).min(count);
            out.extend(range.start + begin as u32..range.start + end as u32);
        }
        Ok(true)
    })
}

fn size(call: &Call) -> Result<ArrayRef> {
    let column = call.any(0);
    let array = column.array();
    let lengths: Vec<Option<i64>> = match array.data_type() {
        ArrowType::Map(..) => {
            let map = array.as_map();
            (0..map.len())
                .map(|row| map.is_valid(row).then(|| i64::from(map.value_length(row))))
                .collect()
        }
        given if is_list(given) => {
            let list = as_list(array)?;
            (0..list.len())
                .map(|row| {
                    list.is_valid(row)
                        .then(|| i64::from(list.value_length(row)))
                })
                .collect()
        }
        ArrowType::Null => vec![None; array.len()],
        _ => return Err(Error::argument_type("function size needs an ARRAY or MAP")),
    };
    // The size of NULL is -1.
    call.values::<Int64Type>(|row| Ok(lengths[column.row(row)].or(Some(-1))))
}

/// Most items of a sequence.
pub(super) const SEQUENCE_MAX: usize = 10_000_000;

fn sequence_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    let is_time = |given: &ArrowType| matches!(given, ArrowType::Date32 | ArrowType::Timestamp(..));
    match types.iter().find(|given| !given.is_null()) {
        Some(first) if is_time(first) => {
            let others = types[..2].iter();
            let is_one = others
                .clone()
                .all(|other| other == first || other.is_null());
            let step = types.get(2);
            if !is_one
                || step
                    .is_some_and(|step| !matches!(step, ArrowType::Interval(_) | ArrowType::Null))
            {
                return Err(mismatch("sequence", types));
            }
            Ok(list_of(first.clone()))
        }
        _ if types.iter().all(|given| {
            given.is_numeric() || given.is_decimal() || given.is_string() || given.is_null()
        }) =>
        {
            Ok(list_of(ArrowType::Int64))
        }
        _ => Err(mismatch("sequence", types)),
    }
}

fn sequence(call: &Call) -> Result<ArrayRef> {
    const ITEMS_MAX: i128 = SEQUENCE_MAX as i128;
    if !matches!(&call.gives, ArrowType::List(item) if *item.data_type() == ArrowType::Int64) {
        return super::datetime::sequence_of_times(call);
    }
    let (start, end) = (call.int(0)?, call.int(1)?);
    let step = if call.count() > 2 {
        Some(call.int(2)?)
    } else {
        None
    };
    let mut builder = ListBuilder::new(Int64Builder::new());
    for row in 0..call.rows {
        let (Some(start), Some(end)) = (start.get(row), end.get(row)) else {
            builder.append(false);
            continue;
        };
        let step = match &step {
            Some(step) => step.get(row).unwrap_or(0),
            None if start <= end => 1,
            None => -1,
        };
        if step == 0 || (step > 0 && start > end) || (step < 0 && start < end) {
            return Err(Error::argument_value(
                "function sequence: the step does not lead from start to end",
            ));
        }
        let count = (i128::from(end) - i128::from(start)) / i128::from(step);
        if count > ITEMS_MAX {
            return Err(Error::overflow(
                "function sequence: more than 10000000 items",
            ));
        }
        for item in 0..=count as i64 {
            builder.values().append_value(start + item * step);
        }
        builder.append(true);
    }
    Ok(Arc::new(builder.finish()))
}

/// Items as bytes that are equal where the items are: of numbers of two types as DOUBLE.
fn comparable(items: [&ArrayRef; 2], casting: Casting) -> Result<[Rows; 2]> {
    let is_real = |given: &ArrowType| given.is_floating();
    let types = items.map(|items| items.data_type());
    let to = match (column_type(types[0]), column_type(types[1])) {
        _ if types[0] == types[1] => None,
        _ if is_real(types[0]) || is_real(types[1]) => Some(crate::datatype::DataType::Double),
        (Some(_), _) if types[0].is_null() => column_type(types[1]),
        (known, _) => known,
    };
    let converted = items.map(|items| {
        let items = match &to {
            Some(to) => cast(items, to, casting)?,
            None => Arc::clone(items),
        };
        Ok(without_negative_zero(&items))
    });
    let [a, b] = converted.map(|items: Result<ArrayRef>| items);
    let (a, b) = (a?, b?);
    let converter = RowConverter::new(vec![SortField::new(a.data_type().clone())]);
    let converter = converter.map_err(failed)?;
    let rows = |items| converter.convert_columns(&[items]).map_err(failed);
    Ok([rows(a)?, rows(b)?])
}

fn array_position(call: &Call) -> Result<ArrayRef> {
    let items = Items::new(call, 0)?;
    let wanted = call.any(1);
    let [all, each] = comparable([items.list.values(), wanted.array()], call.casting)?;
    call.values::<Int64Type>(|row| {
        let mut range = known!(items.range(row));
        let at = wanted.row(row);
        if wanted.array().is_null(at) || wanted.array().data_type().is_null() {
            return Ok(None);
        }
        let begin = range.start;
        let found = range.find(|item| {
            let item = *item as usize;
            items.list.values().is_valid(item) && all.row(item) == each.row(at)
        });
        Ok(Some(found.map_or(0, |item| i64::from(item - begin) + 1)))
    })
}

fn arrays_overlap(call: &Call) -> Result<ArrayRef> {
    let (a, b) = (Items::new(call, 0)?, Items::new(call, 1)?);
    let (a_items, b_items) = (a.list.values(), b.list.values());
    let [a_rows, b_rows] = comparable([a_items, b_items], call.casting)?;
    call.booleans(|row| {
        let (left, right) = (known!(a.range(row)), known!(b.range(row)));
        if left.is_empty() || right.is_empty() {
            return Ok(Some(false));
        }
        let valid = |items: &ArrayRef, item: u32| {
            items.is_valid(item as usize) && !items.data_type().is_null()
        };
        let known: HashSet<&[u8]> = left
            .clone()
            .filter(|item| valid(a_items, *item))
            .map(|item| a_rows.row(item as usize).data())
            .collect();
        let is_common =
            |item: u32| valid(b_items, item) && known.contains(b_rows.row(item as usize).data());
        if right.clone().any(is_common) {
            return Ok(Some(true));
        }
        let has_null = left.clone().any(|item| !valid(a_items, item))
            || right.clone().any(|item| !valid(b_items, item));
        Ok((!has_null).then_some(false))
    })
}

fn zip_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    let fields = types.iter().enumerate().map(|(position, given)| {
        let item = match plain(given) {
            ArrowType::List(item) => item.data_type().clone(),
            _ => ArrowType::Null,
        };
        Field::new(position.to_string(), item, true)
    });
    Ok(list_of(ArrowType::Struct(fields.collect())))
}

fn arrays_zip(call: &Call) -> Result<ArrayRef> {
    let all: Vec<Items> = (0..call.count())
        .map(|position| Items::new(call, position))
        .collect::<Result<_>>()?;
    let mut places: Vec<Vec<Option<u32>>> = vec![Vec::new(); all.len()];
    let (mut lengths, mut valid) = (Vec::new(), Vec::new());
    for row in 0..call.rows {
        let ranges: Option<Vec<_>> = all.iter().map(|items| items.range(row)).collect();
        valid.push(ranges.is_some());
        let ranges = ranges.unwrap_or_default();
        let length = ranges.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        lengths.push(length);
        for (places, range) in places.iter_mut().zip(ranges) {
            let missing = length - range.len();
            places.extend(range.map(Some));
            places.extend(std::iter::repeat_n(None, missing));
        }
    }
    let columns = all.iter().zip(places).map(|(items, places)| {
        take(items.list.values(), &UInt32Array::from(places), None).map_err(failed)
    });
    let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
    let ArrowType::List(item) = &call.gives else {
        return Err(Error::internal("arrays_zip gives a list"));
    };
    let ArrowType::Struct(fields) = item.data_type() else {
        return Err(Error::internal("arrays_zip gives a list of structs"));
    };
    let structs = StructArray::try_new(fields.clone(), columns, None).map_err(failed)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let nulls = Some(NullBuffer::from(valid));
    let list = ListArray::try_new(Arc::clone(item), offsets, Arc::new(structs), nulls);
    Ok(Arc::new(list.map_err(failed)?))
}

fn positions(call: &Call) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let mut builder = ListBuilder::new(Int64Builder::new());
    for row in 0..call.rows {
        let items = list.get(row);
        for position in 0..items.as_ref().map_or(0, |items| items.len()) {
            builder.values().append_value(position as i64);
        }
        builder.append(items.is_some());
    }
    Ok(Arc::new(builder.finish()))
}

fn element_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    match &types[0] {
        ArrowType::List(item)
        | ArrowType::LargeList(item)
        | ArrowType::FixedSizeList(item, _)
        | ArrowType::ListView(item) => Ok(item.data_type().clone()),
        ArrowType::Map(entries, _) => match entries.data_type() {
            ArrowType::Struct(fields) => Ok(fields[1].data_type().clone()),
            _ => Err(Error::internal("a map has entries")),
        },
        ArrowType::Null => Ok(ArrowType::Null),
        other => Err(Error::semantic(format!(
            "type {} has no elements",
            crate::engine::types::arrow_type_name(other)
        ))),
    }
}

/// `a[i]` counted from `first`, `m[k]`; NULL where there is nothing.
fn element(call: &Call, first: i64) -> Result<ArrayRef> {
    let column = call.any(0);
    if column.array().data_type().is_null() {
        return Ok(new_null_array(&ArrowType::Null, call.rows));
    }
    let mut indices: Vec<Option<u32>> = Vec::with_capacity(call.rows);
    if let Some(map) = column.array().as_map_opt() {
        let key_type = column_type(map.keys().data_type());
        let given = call.any(1);
        let keys = match key_type {
            Some(to) => cast(given.array(), &to, call.casting)?,
            None => Arc::clone(given.array()),
        };
        // Texts come in several kinds.
        let keys =
            datafusion::arrow::compute::cast(&keys, map.keys().data_type()).map_err(failed)?;
        let equal =
            datafusion::arrow::array::make_comparator(map.keys(), &keys, SortOptions::default())
                .map_err(failed)?;
        for row in 0..call.rows {
            let (at, key) = (column.row(row), given.row(row));
            let offsets = map.offsets();
            let mut range = offsets[at] as usize..offsets[at + 1] as usize;
            let found = (map.is_valid(at) && keys.is_valid(key))
                .then(|| range.find(|entry| equal(*entry, key).is_eq()));
            indices.push(found.flatten().map(|entry| entry as u32));
        }
        return take(map.values(), &UInt32Array::from(indices), None).map_err(failed);
    }
    let (items, position) = (Items::new(call, 0)?, call.int(1)?);
    for row in 0..call.rows {
        let found = items
            .range(row)
            .zip(position.get(row))
            .and_then(|(range, position)| {
                let count = range.len() as i64;
                let place = if first == 1 && position < 0 {
                    count + position
                } else {
                    position - first
                };
                (0..count)
                    .contains(&place)
                    .then(|| range.start + place as u32)
            });
        indices.push(found);
    }
    take(items.list.values(), &UInt32Array::from(indices), None).map_err(failed)
}

fn lists_of_same(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    Ok(list_of(plain(&types[0])))
}

/// Most lists that one call makes of a row.
const LISTS_MAX: usize = 100_000;

/// Builds lists of lists of items of an array: `of` gives the places of the items of each inner list.
fn nested_lists(
    call: &Call,
    items: &Items,
    mut of: impl FnMut(usize) -> Result<Option<Vec<Vec<u32>>>>,
) -> Result<ArrayRef> {
    let (mut outer, mut valid, mut inner, mut places) = (vec![], vec![], vec![], vec![]);
    for row in 0..call.rows {
        let made = of(row)?;
        valid.push(made.is_some());
        let made = made.unwrap_or_default();
        outer.push(made.len());
        for list in made {
            inner.push(list.len());
            places.extend(list);
        }
    }
    let values = take(items.list.values(), &UInt32Array::from(places), None).map_err(failed)?;
    list_array(list_array(values, inner, None)?, outer, Some(valid))
}

fn combinations(call: &Call) -> Result<ArrayRef> {
    const SIZE_MAX: i64 = 5;
    let (items, size) = (Items::new(call, 0)?, call.int(1)?);
    nested_lists(call, &items, |row| {
        let (range, size) = (known!(items.range(row)), known!(size.get(row)));
        if !(0..=SIZE_MAX).contains(&size) {
            return call.unfit(format!("n is from 0 to {SIZE_MAX}"));
        }
        let mut made: Vec<Vec<u32>> = vec![Vec::new()];
        for _ in 0..size {
            let longer = made.iter().flat_map(|list| {
                let next = list.last().map_or(range.start, |last| last + 1);
                (next..range.end).map(|item| list.iter().copied().chain([item]).collect())
            });
            made = longer.take(LISTS_MAX + 1).collect();
            if made.len() > LISTS_MAX {
                let detail = format!("function combinations: more than {LISTS_MAX} combinations");
                return Err(Error::overflow(detail));
            }
        }
        Ok(Some(made))
    })
}

fn ngrams(call: &Call) -> Result<ArrayRef> {
    let (items, size) = (Items::new(call, 0)?, call.int(1)?);
    nested_lists(call, &items, |row| {
        let (range, size) = (known!(items.range(row)), known!(size.get(row)));
        if size <= 0 {
            return Err(Error::argument_value("function ngrams: n is above 0"));
        }
        let size = u32::try_from(size)
            .unwrap_or(u32::MAX)
            .min(range.len() as u32);
        let runs = (range.start..=range.end - size).map(|begin| (begin..begin + size).collect());
        Ok(Some(runs.collect()))
    })
}

fn array_normalize(call: &Call) -> Result<ArrayRef> {
    let (items, norm) = (call.list(0)?, call.double(1)?);
    let mut builder = ListBuilder::new(Float64Builder::new());
    for row in 0..call.rows {
        let (Some(items), Some(norm)) = (items.get(row), norm.get(row)) else {
            builder.append(false);
            continue;
        };
        if norm < 0.0 {
            return Err(Error::argument_value(
                "function array_normalize: p is at least 0",
            ));
        }
        let items = cast(&items, &crate::datatype::DataType::Double, call.casting)?;
        let items = items.as_primitive::<Float64Type>();
        if items.null_count() > 0 {
            builder.append(false);
            continue;
        }
        let sum: f64 = items
            .values()
            .iter()
            .map(|item| item.abs().powf(norm))
            .sum();
        let whole = if norm == 0.0 {
            1.0
        } else {
            sum.powf(1.0 / norm)
        };
        for item in items.values() {
            builder.values().append_value(item / whole);
        }
        builder.append(true);
    }
    Ok(Arc::new(builder.finish()))
}
