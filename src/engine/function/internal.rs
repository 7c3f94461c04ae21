//! Functions that no user calls by name: what the rewritten query is made of.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType as ArrowType, TimestampMillisecondType};

use super::array::{ELEMENT, MAP, POSITIONS};
use super::call::{Call, Definition, Gives, Kind, function};
use super::gathered::{COUNTS_OF, HISTOGRAM_OF, MAP_OF, MULTIMAP_OF, PERCENTILE_OF};
use crate::datatype::DataType;
use crate::engine::cast::{Casting, cast};
use crate::error::Result;

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    ELEMENT,
    MAP,
    POSITIONS,
    MAP_OF,
    MULTIMAP_OF,
    COUNTS_OF,
    PERCENTILE_OF,
    super::json::MEMBER,
    HISTOGRAM_OF,
    function("__moment", "__moment", "the statement's time", &[Kind::Int], 0, Gives::Datetime, moment),
    function("__split_plain", "__split_plain", "a text split by a separator", &[Kind::Text, Kind::Text], 0, Gives::Texts, split_plain),
    function("__number", "__number", "a number as it is, a text as DOUBLE", &[Kind::Any], 0, Gives::Of(number_type), number),
];

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
