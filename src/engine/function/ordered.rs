//! What a group has gathered, in an order: WITHIN GROUP (ORDER BY …) beside DISTINCT, and several orders in one SELECT, which the
//! engine's own ordered aggregates have not. Manual page: "WM_CONCAT", "COLLECT_LIST".

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{SortOptions, take};
use datafusion::arrow::datatypes::{DataType as ArrowType, Field};
use datafusion::arrow::row::{RowConverter, Rows, SortField};

use super::call::{Call, Definition, Gives, Kind, function};
use crate::engine::cast::Casting;
use crate::engine::types::list_of;
use crate::error::{Error, Result};

#[rustfmt::skip]
pub(super) const ORDERED_OF: Definition = function("__ordered_of", "__ordered_of", "the first fields of a list of structs, in the order of the others", &[Kind::List, Kind::Text], 0, Gives::Of(values_type), ordered);

#[rustfmt::skip]
pub(super) const ONLY_OF: Definition = function("__only_of", "__only_of", "the one item of a list", &[Kind::List], 0, Gives::Of(|types, _| item_type(&types[0])), only);

fn failed(error: datafusion::arrow::error::ArrowError) -> Error {
    Error::internal(error.to_string())
}

fn item_type(given: &ArrowType) -> Result<ArrowType> {
    match given {
        ArrowType::List(item) => Ok(item.data_type().clone()),
        other => Err(Error::internal(format!("{other} is no list"))),
    }
}

/// The value of a subquery: none where it has no row.
fn only(call: &Call) -> Result<ArrayRef> {
    let column = call.list(0)?;
    let list = column.array();
    let offsets = list.value_offsets();
    let mut taken = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let at = column.row(row);
        let (begin, end) = (offsets[at], offsets[at + 1]);
        taken.push(match (list.is_valid(at), end - begin) {
            (false, _) | (_, 0) => None,
            (true, 1) => Some(begin as u32),
            (true, _) => {
                return Err(Error::execution(
                    "a subquery that stands for a value gives more than one row",
                ));
            }
        });
    }
    take(list.values(), &UInt32Array::from(taken), None).map_err(failed)
}

fn values_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    match item_type(&types[0])? {
        ArrowType::Struct(fields) if !fields.is_empty() => {
            Ok(list_of(fields[0].data_type().clone()))
        }
        other => Err(Error::internal(format!("{other} is no struct"))),
    }
}

/// How to order: `+` or `-` for each key with `<` or `>` behind it, which says whether NULL comes first or last; `!` before all
/// of them leaves out values that were there before.
fn options(text: &str) -> (bool, Vec<SortOptions>) {
    let (is_distinct, keys) = match text.strip_prefix('!') {
        Some(keys) => (true, keys),
        None => (false, text),
    };
    let keys: Vec<char> = keys.chars().collect();
    let option = |key: &[char]| SortOptions {
        descending: key[0] == '-',
        nulls_first: key[1] == '<',
    };
    (is_distinct, keys.chunks_exact(2).map(option).collect())
}

fn rows(columns: &[ArrayRef], options: impl Iterator<Item = SortOptions>) -> Result<Rows> {
    let fields = columns.iter().zip(options);
    let fields = fields
        .map(|(column, options)| SortField::new_with_options(column.data_type().clone(), options));
    let converter = RowConverter::new(fields.collect()).map_err(|_| {
        Error::argument_type("values of this type have no order and cannot be told apart")
    })?;
    converter.convert_columns(columns).map_err(failed)
}

fn ordered(call: &Call) -> Result<ArrayRef> {
    let column = call.list(0)?;
    let list = column.array().clone();
    let text = call.text(1)?;
    let how = if call.rows > 0 { text.get(0) } else { None };
    let (is_distinct, options) = options(how.unwrap_or_default());
    let options = options
        .into_iter()
        .chain(std::iter::repeat(SortOptions::default()));
    let fields = list.values().as_struct().columns();
    let keys = rows(&fields[1..], options)?;
    let values = match is_distinct {
        true => Some(rows(&fields[..1], std::iter::once(SortOptions::default()))?),
        false => None,
    };
    let offsets = list.value_offsets();
    let (mut taken, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        let at = column.row(row);
        let begin = taken.len();
        valid.push(list.is_valid(at));
        if list.is_valid(at) {
            let mut items: Vec<usize> = (offsets[at] as usize..offsets[at + 1] as usize).collect();
            items.sort_by(|a, b| keys.row(*a).cmp(&keys.row(*b)));
            if let Some(values) = &values {
                let mut seen = HashSet::new();
                items.retain(|item| seen.insert(values.row(*item)));
            }
            taken.extend(items.into_iter().map(|item| item as u32));
        }
        lengths.push(taken.len() - begin);
    }
    let values = take(&fields[0], &UInt32Array::from(taken), None).map_err(failed)?;
    let field = Arc::new(Field::new("item", values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths);
    let nulls = Some(NullBuffer::from(valid));
    let lists = ListArray::try_new(field, offsets, values, nulls).map_err(failed)?;
    Ok(Arc::new(lists))
}
