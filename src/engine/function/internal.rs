//! Functions that no user calls by name: what the rewritten query is made of.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType as ArrowType, TimestampMillisecondType};

use super::array::{ELEMENT, POSITIONS};
use super::call::{Call, Definition, Gives, Kind, function};
use super::exact::AS_EXACT;
use super::gathered::{
    APPROXIMATE_OF, COUNTS_OF, DISCRETE_OF, HISTOGRAM_OF, MAP_OF, MULTIMAP_OF, PERCENTILE_OF,
    SUMS_OF,
};
use super::map::{MAP, MAP_ZIP};
use super::ordered::{ONLY_OF, ORDERED_OF};
use crate::datatype::DataType;
use crate::engine::cast::{Casting, cast, without_negative_zero};
use crate::error::{Error, Result};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    ELEMENT,
    MAP,
    MAP_ZIP,
    SUMS_OF,
    DISCRETE_OF,
    super::encoding::DECODE,
    super::encoding::URL_PART,
    POSITIONS,
    MAP_OF,
    MULTIMAP_OF,
    COUNTS_OF,
    PERCENTILE_OF,
    APPROXIMATE_OF,
    ORDERED_OF,
    ONLY_OF,
    super::json::MEMBER,
    HISTOGRAM_OF,
    function("__itself", "__itself", "a value as it is", &[Kind::Any], 0, Gives::Of(|types, _| Ok(types[0].clone())), |call| Ok(call.any(0).array().clone())),
    function("__unsigned_zero", "__unsigned_zero", "a number, 0.0 for -0.0", &[Kind::Any], 0, Gives::Of(|types, _| Ok(types[0].clone())), |call| Ok(without_negative_zero(call.any(0).array()))),
    AS_EXACT,
    function("__between", "__between", "whether the first number lies between the others", &[Kind::Double, Kind::Double, Kind::Double], 0, Gives::Boolean, between),
    function("__moment", "__moment", "the statement's time", &[Kind::Int], 0, Gives::Datetime, moment),
    function("__split_plain", "__split_plain", "a text split by a separator", &[Kind::Text, Kind::Text], 0, Gives::Texts, split_plain),
    function("__number", "__number", "a number as it is, a text as DOUBLE", &[Kind::Any], 0, Gives::Of(number_type), number),
    function("__number_or_null", "__number_or_null", "a number as it is, a text as DOUBLE, NULL where it is none", &[Kind::Any], 0, Gives::Of(number_type), number_or_null),
    // Called so where a value is refused.
    function("wm_concat", "wm_concat", "a value that can be joined, as text", &[Kind::Text], 0, Gives::Text, joinable),
    function("__as_text", "__as_text", "a text as it is", &[Kind::Any], 0, Gives::Of(text_type), |call| Ok(call.any(0).array().clone())),
];

fn joinable(call: &Call) -> Result<ArrayRef> {
    let text = call.text(0)?;
    call.texts(|row| Ok(text.get(row)))
}

fn text_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    match types[0].is_string() {
        true => Ok(types[0].clone()),
        false => Err(Error::semantic(
            "function wm_concat with DISTINCT is ordered by its argument as STRING",
        )),
    }
}

fn number_or_null(call: &Call) -> Result<ArrayRef> {
    let column = call.any(0);
    if column.array().data_type().is_string() {
        let casting = Casting {
            is_strict: false,
            ..call.casting
        };
        return cast(column.array(), &DataType::Double, casting);
    }
    Ok(column.array().clone())
}

fn between(call: &Call) -> Result<ArrayRef> {
    let (value, low, high) = (call.double(0)?, call.double(1)?, call.double(2)?);
    call.booleans(|row| {
        let value = value.get(row);
        let holds = |bound: Option<f64>, is_in: fn(&f64, &f64) -> bool| {
            value.zip(bound).map(|(value, bound)| is_in(&value, &bound))
        };
        Ok(
            match (holds(low.get(row), f64::ge), holds(high.get(row), f64::le)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
        )
    })
}

fn moment(call: &Call) -> Result<ArrayRef> {
    let millis = call.int(0)?;
    call.values::<TimestampMillisecondType>(|row| Ok(millis.get(row)))
}

fn number_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    let given = &types[0];
    if given.is_numeric() || given.is_decimal() || given.is_null() {
        Ok(given.clone())
    } else if given.is_string() {
        Ok(ArrowType::Float64)
    } else {
        // The aggregate refuses it by its own name.
        Ok(given.clone())
    }
}

fn number(call: &Call) -> Result<ArrayRef> {
    let column = call.any(0);
    if column.array().data_type().is_string() {
        return cast(column.array(), &DataType::Double, call.casting);
    }
    Ok(column.array().clone())
}

fn split_plain(call: &Call) -> Result<ArrayRef> {
    let (text, separator) = (call.text(0)?, call.text(1)?);
    super::regexp::lists(call, |row| {
        Ok(text
            .get(row)
            .zip(separator.get(row))
            .map(|(text, separator)| match separator {
                "" => vec![text],
                separator => text.split(separator).collect(),
            }))
    })
}
