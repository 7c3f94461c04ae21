//! Maps. Manual page: "Complex type functions". Where a key occurs twice the last value counts, or it is an error: the first
//! argument of the functions that make maps says which, else `odps.sql.map.key.dedup.policy`.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, StringViewBuilder, StructArray, UInt32Array, new_null_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{concat as concat_arrays, take};
use datafusion::arrow::datatypes::{DataType as ArrowType, Field};
use datafusion::arrow::row::{RowConverter, Rows, SortField};

use super::array::{Items, failed, plain};
use super::call::{Call, Definition, Gives, Kind, function, mismatch, variadic};
use super::gathered;
use super::pattern::Patterns;
use crate::engine::cast::{Casting, cast, map_array, without_negative_zero};
use crate::engine::types::{column_type, list_of, map_of};
use crate::error::{Error, Result};

use Kind::{Any, List, Map, Text};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    variadic("map_concat", "map_concat([string policy, ]map a, map b[, ...])", "Joins maps.", &[Any], 1, Gives::Of(concat_type), map_concat),
    variadic("map_from_arrays", "map_from_arrays([string policy, ]array keys, array values)", "Makes a map of an array of keys and one of values.", &[Any], 2, Gives::Of(arrays_type), map_from_arrays),
    variadic("map_from_entries", "map_from_entries([string policy, ]array<struct> entries)", "Makes a map of an array of pairs.", &[Any], 1, Gives::Of(entries_type), map_from_entries),
    function("multimap_from_entries", "multimap_from_entries(array<struct> entries)", "Makes a map of each key of an array of pairs to an array of its values.", &[List], 0, Gives::Of(gathered::multimap_type), multimap_from_entries),
    function("str_to_map", "str_to_map([string policy, ]string str[, string pairs[, string value]])", "Makes a map of a text such as a=1,b=2; the separators are patterns.", &[Text, Text, Text, Text], 3, Gives::Of(|_, _| Ok(map_of(ArrowType::Utf8View, ArrowType::Utf8View))), str_to_map),
];

#[rustfmt::skip]
pub(super) const MAP: Definition = variadic("__map", "__map", "map(k, v, …)", &[Any], 0, Gives::Of(map_type), map);
/// The keys of two maps with the values of both, as structs of `key`, `0` and `1`.
#[rustfmt::skip]
pub(super) const MAP_ZIP: Definition = function("__map_zip", "__map_zip", "the pairs of two maps side by side", &[Map, Map], 0, Gives::Of(zip_type), map_zip);

/// What becomes of a key that occurs twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Duplicates {
    LastWins,
    Refused,
}

impl Duplicates {
    fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "last_win" => Some(Self::LastWins),
            "exception" => Some(Self::Refused),
            _ => None,
        }
    }

    fn default_of(call: &Call) -> Self {
        match call.casting.refuses_duplicate_keys {
            true => Self::Refused,
            false => Self::LastWins,
        }
    }

    /// The policy of a call, and how many arguments say it: a text where the first argument is no text by itself.
    fn of(call: &Call) -> Result<(Self, usize)> {
        let default = Self::default_of(call);
        if call.count() == 0 || !call.type_of(0).is_string() {
            return Ok((default, 0));
        }
        let named = call.text(0)?;
        match named.constant().and_then(Self::named) {
            Some(policy) => Ok((policy, 1)),
            None if call.name == "str_to_map" => Ok((default, 0)),
            None => Err(Error::argument_value(format!(
                "function {}: the policy for equal keys is 'last_win' or 'exception'",
                call.name
            ))),
        }
    }
}

/// Keys as bytes that are equal where the keys are.
fn compared(keys: &ArrayRef) -> Result<Rows> {
    let converter = RowConverter::new(vec![SortField::new(keys.data_type().clone())]);
    let converter = converter.map_err(failed)?;
    converter
        .convert_columns(&[without_negative_zero(keys)])
        .map_err(failed)
}

/// Makes maps of entries, given row by row by their places in `keys` and `values`; `of` says whether there is a map.
fn maps(
    call: &Call,
    (keys, values): (&ArrayRef, &ArrayRef),
    duplicates: Duplicates,
    mut of: impl FnMut(usize, &mut Vec<u32>) -> Result<bool>,
) -> Result<ArrayRef> {
    let compared = compared(keys)?;
    let (mut indices, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    let mut entries = Vec::new();
    for row in 0..call.rows {
        entries.clear();
        let is_known = of(row, &mut entries)?;
        let begin = indices.len();
        let mut known = HashMap::new();
        for entry in entries.drain(..).filter(|_| is_known) {
            let at = entry as usize;
            if keys.is_null(at) || keys.data_type().is_null() {
                let name = call.name.trim_start_matches('_');
                return Err(Error::argument_value(format!(
                    "function {name}: a key is NULL"
                )));
            }
            match known.entry(compared.row(at)) {
                std::collections::hash_map::Entry::Vacant(place) => {
                    place.insert(indices.len());
                    indices.push(entry);
                }
                std::collections::hash_map::Entry::Occupied(_)
                    if duplicates == Duplicates::Refused =>
                {
                    let name = call.name.trim_start_matches('_');
                    let key = crate::engine::text::text(keys, at).unwrap_or_default();
                    return Err(Error::argument_value(format!(
                        "function {name}: the key {key} occurs more than once"
                    )));
                }
                std::collections::hash_map::Entry::Occupied(place) => indices[*place.get()] = entry,
            }
        }
        lengths.push(indices.len() - begin);
        valid.push(is_known);
    }
    let indices = UInt32Array::from(indices);
    let keys = take(keys, &indices, None).map_err(failed)?;
    let values = take(values, &indices, None).map_err(failed)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    map_array(keys, values, offsets, Some(NullBuffer::from(valid)), false)
}

/// The types without that of a policy.
fn without_policy(types: &[ArrowType]) -> &[ArrowType] {
    match types.first() {
        Some(first) if first.is_string() => &types[1..],
        _ => types,
    }
}

fn map_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    if types.is_empty() {
        return Ok(map_of(ArrowType::Utf8View, ArrowType::Utf8View));
    }
    if !types.len().is_multiple_of(2) {
        return Err(Error::argument_count("map", types.len()));
    }
    let common = |types: Vec<&ArrowType>| {
        let known: Vec<&ArrowType> = types.into_iter().filter(|given| !given.is_null()).collect();
        match known.split_first() {
            None => ArrowType::Utf8View,
            Some((first, rest)) if rest.iter().all(|given| given == first) => {
                if first.is_string() {
                    ArrowType::Utf8View
                } else {
                    (*first).clone()
                }
            }
            Some((first, rest))
                if first.is_numeric() && rest.iter().all(|given| given.is_numeric()) =>
            {
                ArrowType::Float64
            }
            Some(_) => ArrowType::Utf8View,
        }
    };
    let keys = common(types.iter().step_by(2).collect());
    Ok(map_of(
        keys,
        common(types.iter().skip(1).step_by(2).collect()),
    ))
}

/// The keys, the values and the offsets of a column of maps in one array with those of others.
struct Joined {
    keys: ArrayRef,
    values: ArrayRef,
    maps: Vec<(super::call::Column<ArrayRef>, u32)>,
}

impl Joined {
    fn new(call: &Call, first: usize) -> Result<Self> {
        let columns: Vec<_> = (first..call.count())
            .map(|position| call.any(position))
            .collect();
        let known: Vec<_> = columns
            .iter()
            .filter_map(|column| column.array().as_map_opt())
            .collect();
        let all = |side: fn(&datafusion::arrow::array::MapArray) -> &ArrayRef| {
            let arrays: Vec<&dyn Array> = known.iter().map(|map| side(map).as_ref()).collect();
            concat_arrays(&arrays).map_err(failed)
        };
        let (keys, values) = (all(|map| map.keys())?, all(|map| map.values())?);
        let mut begin = 0;
        let mut maps = Vec::new();
        for column in columns {
            let length = column
                .array()
                .as_map_opt()
                .map_or(0, |map| map.keys().len());
            maps.push((column, begin));
            begin += length as u32;
        }
        Ok(Self { keys, values, maps })
    }

    /// The places of the entries of a map in a row; `None` of NULL.
    fn range(&self, map: usize, row: usize) -> Option<std::ops::Range<u32>> {
        let (column, begin) = &self.maps[map];
        let map = column.array().as_map_opt()?;
        let at = column.row(row);
        let offsets = map.offsets();
        map.is_valid(at)
            .then(|| offsets[at] as u32 + begin..offsets[at + 1] as u32 + begin)
    }
}

fn map(call: &Call) -> Result<ArrayRef> {
    let ArrowType::Map(entries, _) = &call.gives else {
        return Err(Error::internal("a map has a map type"));
    };
    let ArrowType::Struct(fields) = entries.data_type() else {
        return Err(Error::internal("a map has entries"));
    };
    let side = |first: usize, to: &ArrowType| -> Result<ArrayRef> {
        let to = column_type(to).unwrap_or(crate::datatype::DataType::String);
        let mut columns = Vec::new();
        let mut rows = Vec::new();
        for position in (first..call.count()).step_by(2) {
            let column = call.any(position);
            rows.push(column.row(call.rows.saturating_sub(1)) == 0 && column.array().len() == 1);
            columns.push(cast(column.array(), &to, call.casting)?);
        }
        if columns.is_empty() {
            return Ok(new_null_array(&ArrowType::Utf8View, 0));
        }
        let picks: Vec<(usize, usize)> = (0..call.rows)
            .flat_map(|row| (0..columns.len()).map(move |column| (column, row)))
            .map(|(column, row)| (column, if rows[column] { 0 } else { row }))
            .collect();
        let arrays: Vec<&dyn Array> = columns.iter().map(|array| array.as_ref()).collect();
        datafusion::arrow::compute::interleave(&arrays, &picks).map_err(failed)
    };
    let keys = side(0, fields[0].data_type())?;
    let values = side(1, fields[1].data_type())?;
    let duplicates = Duplicates::default_of(call);
    let width = call.count() / 2;
    maps(call, (&keys, &values), duplicates, |row, entries| {
        entries.extend((row * width..(row + 1) * width).map(|entry| entry as u32));
        Ok(true)
    })
}

fn concat_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    let given = without_policy(types);
    let known: Vec<&ArrowType> = given.iter().filter(|given| !given.is_null()).collect();
    let is_map = |given: &&ArrowType| matches!(given, ArrowType::Map(..));
    match known.first() {
        None if !given.is_empty() => Ok(ArrowType::Null),
        Some(first) if known.iter().all(is_map) && known.iter().all(|other| other == first) => {
            Ok((*first).clone())
        }
        _ => Err(mismatch("map_concat", types)),
    }
}

fn map_concat(call: &Call) -> Result<ArrayRef> {
    if call.gives.is_null() {
        return Ok(new_null_array(&ArrowType::Null, call.rows));
    }
    let (duplicates, first) = Duplicates::of(call)?;
    let joined = Joined::new(call, first)?;
    maps(
        call,
        (&joined.keys, &joined.values),
        duplicates,
        |row, entries| {
            for map in 0..joined.maps.len() {
                match joined.range(map, row) {
                    Some(range) => entries.extend(range),
                    None => return Ok(false),
                }
            }
            Ok(true)
        },
    )
}

fn item_of(given: &ArrowType) -> Option<ArrowType> {
    match plain(given) {
        ArrowType::List(item) => Some(item.data_type().clone()),
        _ => None,
    }
}

fn arrays_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    let given = without_policy(types);
    match given {
        [a, b] if a.is_null() || b.is_null() => Ok(ArrowType::Null),
        [a, b] => match (item_of(a), item_of(b)) {
            (Some(key), Some(value)) => Ok(map_of(key, value)),
            _ => Err(mismatch("map_from_arrays", types)),
        },
        _ => Err(Error::argument_count("map_from_arrays", types.len())),
    }
}

fn map_from_arrays(call: &Call) -> Result<ArrayRef> {
    if call.gives.is_null() {
        return Ok(new_null_array(&ArrowType::Null, call.rows));
    }
    let (duplicates, first) = Duplicates::of(call)?;
    let (keys, values) = (Items::new(call, first)?, Items::new(call, first + 1)?);
    let (mut key_places, mut value_places, mut ranges) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        let (Some(some_keys), Some(some_values)) = (keys.range(row), values.range(row)) else {
            ranges.push(None);
            continue;
        };
        if some_keys.len() != some_values.len() {
            return Err(Error::argument_value(
                "function map_from_arrays: the arrays are not of the same length",
            ));
        }
        let begin = key_places.len() as u32;
        key_places.extend(some_keys);
        value_places.extend(some_values);
        ranges.push(Some(begin..key_places.len() as u32));
    }
    let keys = take(keys.list.values(), &UInt32Array::from(key_places), None).map_err(failed)?;
    let values =
        take(values.list.values(), &UInt32Array::from(value_places), None).map_err(failed)?;
    maps(call, (&keys, &values), duplicates, |row, entries| {
        entries.extend(ranges[row].clone().unwrap_or_default());
        Ok(ranges[row].is_some())
    })
}

fn entries_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    let given = match without_policy(types) {
        [given] => given,
        _ => return Err(Error::argument_count("map_from_entries", types.len())),
    };
    match item_of(given) {
        _ if given.is_null() => Ok(ArrowType::Null),
        Some(ArrowType::Struct(fields)) if fields.len() == 2 => Ok(map_of(
            fields[0].data_type().clone(),
            fields[1].data_type().clone(),
        )),
        _ => Err(Error::argument_type(
            "function map_from_entries needs an ARRAY of STRUCTs of two fields",
        )),
    }
}

fn map_from_entries(call: &Call) -> Result<ArrayRef> {
    if call.gives.is_null() {
        return Ok(new_null_array(&ArrowType::Null, call.rows));
    }
    let (duplicates, first) = Duplicates::of(call)?;
    let items = Items::new(call, first)?;
    let pairs = items.list.values().as_struct().clone();
    maps(
        call,
        (pairs.column(0), pairs.column(1)),
        duplicates,
        |row, entries| {
            let range = items.range(row);
            entries.extend(range.clone().unwrap_or_default());
            Ok(range.is_some())
        },
    )
}

fn multimap_from_entries(call: &Call) -> Result<ArrayRef> {
    let items = Items::new(call, 0)?;
    let keys = items.list.values().as_struct().column(0);
    let has_null = |row| {
        items
            .range(row)
            .is_some_and(|mut range| range.any(|entry| keys.is_null(entry as usize)))
    };
    if keys.null_count() > 0 && (0..call.rows).any(has_null) {
        return Err(Error::argument_value(
            "function multimap_from_entries: a key is NULL",
        ));
    }
    gathered::multimap_of_pairs(call)
}

fn str_to_map(call: &Call) -> Result<ArrayRef> {
    let (duplicates, first) = Duplicates::of(call)?;
    if call.count() - first == 0 || call.count() - first > 3 {
        return Err(Error::argument_count(call.name, call.count()));
    }
    let given = call.text(first)?;
    let (pairs, value) = (call.text_or(first + 1, ",")?, call.text_or(first + 2, "=")?);
    let mut patterns = Patterns::default();
    let (mut keys, mut values) = (StringViewBuilder::new(), StringViewBuilder::new());
    let mut ranges = Vec::with_capacity(call.rows);
    let mut begin = 0;
    for row in 0..call.rows {
        let (Some(given), Some(pairs), Some(value)) =
            (given.get(row), pairs.get(row), value.get(row))
        else {
            ranges.push(None);
            continue;
        };
        let mut end = begin;
        for pair in patterns.get(pairs)?.split(given)? {
            let border = patterns.get(value)?.find_iter(pair).next().transpose()?;
            match border {
                Some(border) => {
                    keys.append_value(&pair[..border.start]);
                    values.append_value(&pair[border.end..]);
                }
                None => {
                    keys.append_value(pair);
                    values.append_null();
                }
            }
            end += 1;
        }
        ranges.push(Some(begin..end));
        begin = end;
    }
    let (keys, values): (ArrayRef, ArrayRef) = (Arc::new(keys.finish()), Arc::new(values.finish()));
    maps(call, (&keys, &values), duplicates, |row, entries| {
        entries.extend(ranges[row].clone().unwrap_or_default());
        Ok(ranges[row].is_some())
    })
}

fn sides(given: &ArrowType) -> Result<(ArrowType, ArrowType)> {
    match given {
        ArrowType::Map(entries, _) => match entries.data_type() {
            ArrowType::Struct(fields) => {
                Ok((fields[0].data_type().clone(), fields[1].data_type().clone()))
            }
            _ => Err(Error::internal("a map has entries")),
        },
        other => Err(mismatch("map_zip_with", std::slice::from_ref(other))),
    }
}

fn zip_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    let ((key, a), (other, b)) = (sides(&types[0])?, sides(&types[1])?);
    if key != other {
        return Err(mismatch("map_zip_with", types));
    }
    let fields = [("key", key), ("0", a), ("1", b)];
    let fields = fields.map(|(name, given)| Field::new(name, given, true));
    Ok(list_of(ArrowType::Struct(fields.to_vec().into())))
}

fn map_zip(call: &Call) -> Result<ArrayRef> {
    let ArrowType::List(item) = &call.gives else {
        return Err(Error::internal("it gives a list"));
    };
    let ArrowType::Struct(fields) = item.data_type() else {
        return Err(Error::internal("it gives a list of structs"));
    };
    let (a, b) = (call.any(0), call.any(1));
    let (a_map, b_map) = (a.array().as_map(), b.array().as_map());
    let both = concat_arrays(&[a_map.keys().as_ref(), b_map.keys().as_ref()]).map_err(failed)?;
    let compared = compared(&both)?;
    let second = a_map.keys().len() as u32;
    let (mut keys, mut lefts, mut rights) = (Vec::new(), Vec::new(), Vec::new());
    let (mut lengths, mut valid) = (Vec::new(), Vec::new());
    for row in 0..call.rows {
        let (left, right) = (a.row(row), b.row(row));
        let is_known = a_map.is_valid(left) && b_map.is_valid(right);
        let begin = keys.len();
        if is_known {
            let (offsets, others) = (a_map.offsets(), b_map.offsets());
            let mut known = HashMap::new();
            for entry in offsets[left] as u32..offsets[left + 1] as u32 {
                known.insert(compared.row(entry as usize), keys.len());
                keys.push(entry);
                lefts.push(Some(entry));
                rights.push(None);
            }
            for entry in others[right] as u32..others[right + 1] as u32 {
                let key = second + entry;
                match known.get(&compared.row(key as usize)) {
                    Some(place) => rights[*place] = Some(entry),
                    None => {
                        keys.push(key);
                        lefts.push(None);
                        rights.push(Some(entry));
                    }
                }
            }
        }
        lengths.push(keys.len() - begin);
        valid.push(is_known);
    }
    let columns = vec![
        take(&both, &UInt32Array::from(keys), None).map_err(failed)?,
        take(a_map.values(), &UInt32Array::from(lefts), None).map_err(failed)?,
        take(b_map.values(), &UInt32Array::from(rights), None).map_err(failed)?,
    ];
    let structs = StructArray::try_new(fields.clone(), columns, None).map_err(failed)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    let nulls = Some(NullBuffer::from(valid));
    let list = datafusion::arrow::array::ListArray::try_new(
        Arc::clone(item),
        offsets,
        Arc::new(structs),
        nulls,
    );
    Ok(Arc::new(list.map_err(failed)?))
}
