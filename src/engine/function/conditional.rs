//! Choosing among values. Manual page: "Other functions".

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array, make_comparator};
use datafusion::arrow::compute::{self, SortOptions, interleave, take};
use datafusion::arrow::datatypes::DataType as ArrowType;

use super::call::{Call, Definition, Gives, Kind, datetime_type, function, variadic};
use crate::datatype::DataType;
use crate::engine::cast::{Casting, cast};
use crate::engine::types::column_type;
use crate::error::{Error, Result};

use Kind::{Any, Int};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    variadic("greatest", "greatest(a, b[, ...])", "Returns the greatest value; NULL is the smallest.", &[Any], 1, Gives::Of(common_type), |call| extreme(call, Ordering::Greater)),
    variadic("least", "least(a, b[, ...])", "Returns the smallest value; NULL is the smallest.", &[Any], 1, Gives::Of(common_type), |call| extreme(call, Ordering::Less)),
    function("nullif", "nullif(a, b)", "Returns NULL where a equals b, else a.", &[Any, Any], 0, Gives::Of(|types, _| Ok(types[0].clone())), nullif),
    variadic("ordinal", "ordinal(bigint nth, a, b[, ...])", "Returns the nth smallest value; NULL is the smallest.", &[Int, Any], 2, Gives::Of(|types, casting| common_type(&types[1..], casting)), ordinal),
];

/// The type that values of different types are compared in.
fn common_type(types: &[ArrowType], casting: Casting) -> Result<ArrowType> {
    let known: Vec<&ArrowType> = types.iter().filter(|given| !given.is_null()).collect();
    let Some(first) = known.first() else {
        return Ok(ArrowType::Utf8View);
    };
    let all = |test: &dyn Fn(&ArrowType) -> bool| known.iter().all(|given| test(given));
    let is_moment =
        |given: &ArrowType| matches!(given, ArrowType::Timestamp(..) | ArrowType::Date32);
    let any_moment = known.iter().any(|given| is_moment(given));
    if all(&|given| given == *first) {
        return Ok(if first.is_string() {
            ArrowType::Utf8View
        } else {
            (*first).clone()
        });
    }
    if all(&|given| given.is_string()) {
        return Ok(ArrowType::Utf8View);
    }
    if all(&|given| given.is_integer()) {
        return Ok(ArrowType::Int64);
    }
    if any_moment && all(&|given| is_moment(given) || given.is_string()) {
        return Ok(datetime_type(casting));
    }
    if all(&|given| given.is_decimal() || given.is_integer()) {
        return Ok(ArrowType::Decimal128(38, 18));
    }
    if all(&|given| given.is_numeric() || given.is_decimal() || given.is_string()) {
        return Ok(ArrowType::Float64);
    }
    Err(Error::semantic("the values have no type in common"))
}

/// The arguments from `first` on, in the type of the result.
fn operands(call: &Call, first: usize) -> Result<Vec<ArrayRef>> {
    let to = column_type(&call.gives).unwrap_or(DataType::String);
    (first..call.count())
        .map(|position| {
            let column = call.any(position);
            let array = cast(column.array(), &to, call.casting)?;
            if array.len() == call.rows {
                return Ok(array);
            }
            let indices = UInt32Array::from(vec![0; call.rows]);
            take(&array, &indices, None).map_err(|error| Error::internal(error.to_string()))
        })
        .collect()
}

/// Of each row the operand that `choose` picks among the operands in ascending order.
fn pick(
    call: &Call,
    operands: &[ArrayRef],
    choose: impl Fn(usize, &[usize]) -> Option<usize>,
) -> Result<ArrayRef> {
    use datafusion::arrow::array::make_comparator;
    use datafusion::arrow::compute::SortOptions;
    let options = SortOptions {
        descending: false,
        nulls_first: true,
    };
    let failed = |error: datafusion::arrow::error::ArrowError| Error::internal(error.to_string());
    let count = operands.len();
    let mut compare = Vec::with_capacity(count * count);
    for a in operands {
        for b in operands {
            compare.push(make_comparator(a, b, options).map_err(failed)?);
        }
    }
    let nulls = datafusion::arrow::array::new_null_array(operands[0].data_type(), 1);
    let mut chosen = Vec::with_capacity(call.rows);
    let mut order: Vec<usize> = Vec::with_capacity(count);
    for row in 0..call.rows {
        order.clear();
        order.extend(0..count);
        order.sort_by(|a, b| compare[a * count + b](row, row));
        chosen.push(choose(row, &order).map_or((count, 0), |operand| (operand, row)));
    }
    let mut sources: Vec<&dyn Array> = operands.iter().map(|array| array.as_ref()).collect();
    sources.push(nulls.as_ref());
    interleave(&sources, &chosen).map_err(failed)
}

fn extreme(call: &Call, wanted: Ordering) -> Result<ArrayRef> {
    let operands = operands(call, 0)?;
    if let [only] = operands.as_slice() {
        return Ok(Arc::clone(only));
    }
    pick(call, &operands, |_, order| match wanted {
        Ordering::Greater => order.last().copied(),
        _ => order.first().copied(),
    })
}

fn ordinal(call: &Call) -> Result<ArrayRef> {
    let (nth, operands) = (call.int(0)?, operands(call, 1)?);
    let count = operands.len() as i64;
    for row in 0..call.rows {
        if nth.get(row).is_some_and(|nth| !(1..=count).contains(&nth)) {
            return Err(Error::argument_value(format!(
                "function ordinal: nth is from 1 to {count}"
            )));
        }
    }
    pick(call, &operands, |row, order| {
        let nth = nth.get(row)?;
        order.get(nth as usize - 1).copied()
    })
}

/// Values that meet in another type are compared by the planner, which makes a CASE of the call.
fn nullif(call: &Call) -> Result<ArrayRef> {
    let failed = |error: datafusion::arrow::error::ArrowError| Error::internal(error.to_string());
    let (value, other) = (call.any(0), call.any(1));
    let others = match column_type(value.array().data_type()) {
        Some(to) if other.array().data_type() != value.array().data_type() => {
            cast(other.array(), &to, call.casting)?
        }
        _ => Arc::clone(other.array()),
    };
    let others = compute::cast(&others, value.array().data_type()).map_err(failed)?;
    let ordering = make_comparator(value.array(), &others, SortOptions::default());
    let ordering = ordering.map_err(failed)?;
    let is_same = (0..call.rows).map(|row| {
        let (a, b) = (value.row(row), other.row(row));
        value.array().is_valid(a) && others.is_valid(b) && ordering(a, b).is_eq()
    });
    let is_same: BooleanArray = is_same.map(Some).collect();
    let rows = UInt32Array::from_iter_values((0..call.rows).map(|row| value.row(row) as u32));
    let values = take(value.array(), &rows, None).map_err(failed)?;
    compute::nullif(&values, &is_same).map_err(failed)
}
