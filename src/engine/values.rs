//! Values on their way into a column: literals without the engine, query results with Arrow's casts.

use std::sync::Arc;

use chrono_tz::Tz;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float32Array,
    Float64Array, Int64Array, RecordBatch, StringViewArray, TimestampMillisecondArray,
    TimestampNanosecondArray, new_null_array,
};
use datafusion::arrow::compute::kernels::zip::zip;
use datafusion::arrow::compute::{CastOptions, cast_with_options, interleave};
use datafusion::arrow::datatypes::{DataType as ArrowType, Decimal128Type, DecimalType, Int64Type};

use super::cast::{Casting, cast, days_of, parse_date, parse_decimal, parse_time, without_padding};
use super::text::text;
use super::types::{arrow_type_name, column_type, storage_schema, storage_type};
use crate::ast::Literal;
use crate::catalog::Column;
use crate::catalog::partition::check_value;
use crate::clock::instant;
use crate::datatype::DataType;
use crate::error::{Error, Result};
use crate::parser::parse_literal;

/// Longest STRING or BINARY value, in bytes.
const TEXT_MAX: usize = 8 << 20;

/// Where each column of a table gets its value from: the position in the rows, or NULL.
pub type Mapping = Vec<Option<usize>>;

/// Builds the stored batch of literal rows. `mapping` has an entry for each of `columns`.
pub fn literal_batch(
    columns: &[Column],
    mapping: &Mapping,
    rows: &[Vec<Literal>],
    zone: Tz,
) -> Result<RecordBatch> {
    let arrays = columns
        .iter()
        .zip(mapping)
        .map(|(column, position)| match position {
            Some(position) => {
                let values = rows.iter().map(|row| &row[*position]);
                check_not_null(
                    column,
                    rows.iter().any(|row| row[*position] == Literal::Null),
                )?;
                literal_array(column, values, zone)
            }
            None => default_array(column, rows.len(), zone),
        });
    stored_batch(columns, arrays.collect::<Result<_>>()?)
}

/// What a column gets where an INSERT names no value for it.
fn default_array(column: &Column, rows: usize, zone: Tz) -> Result<ArrayRef> {
    match &column.default {
        Some(default) => {
            let literal = parse_literal(default)?;
            literal_array(column, std::iter::repeat_n(&literal, rows), zone)
        }
        None => {
            check_not_null(column, rows > 0)?;
            Ok(new_null_array(&storage_type(&column.data_type), rows))
        }
    }
}

/// Whether a literal fits a column.
pub fn check_default(column: &Column, zone: Tz) -> Result<()> {
    default_array(column, 1, zone).map(drop)
}

fn stored_batch(columns: &[Column], arrays: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(storage_schema(columns), arrays)
        .map_err(|error| Error::internal(error.to_string()))
}

fn check_not_null(column: &Column, has_null: bool) -> Result<()> {
    if has_null && !column.nullable {
        return Err(Error::semantic(format!(
            "column {} is NOT NULL and has no value",
            column.name
        )));
    }
    Ok(())
}

/// Literals as an array of what the column stores. Literals of one kind take the way that the values of a query take.
fn literal_array<'a>(
    column: &Column,
    values: impl Iterator<Item = &'a Literal>,
    zone: Tz,
) -> Result<ArrayRef> {
    let values: Vec<&Literal> = values.collect();
    let is_null = |value: &&&Literal| **value == &Literal::Null;
    let mut kinds: Vec<std::mem::Discriminant<Literal>> = Vec::new();
    for value in values.iter().filter(|value| !is_null(value)) {
        let kind = std::mem::discriminant(*value);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.len() <= 1 {
        return stored_array(column, &typed_array(column, &values, zone)?, zone);
    }
    // Each value becomes what it is, then the rows are put in order again.
    let mut arrays = Vec::new();
    let mut places = vec![(0, 0); values.len()];
    for kind in kinds {
        let positions: Vec<usize> = (0..values.len())
            .filter(|position| {
                let value = values[*position];
                std::mem::discriminant(value) == kind
                    || (arrays.is_empty() && *value == Literal::Null)
            })
            .collect();
        for (row, position) in positions.iter().enumerate() {
            places[*position] = (arrays.len(), row);
        }
        let own: Vec<&Literal> = positions.iter().map(|position| values[*position]).collect();
        arrays.push(stored_array(
            column,
            &typed_array(column, &own, zone)?,
            zone,
        )?);
    }
    let arrays: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
    interleave(&arrays, &places).map_err(|error| Error::internal(error.to_string()))
}

/// Literals of one kind, and NULLs, as the array that a query would make of them.
fn typed_array(column: &Column, values: &[&Literal], zone: Tz) -> Result<ArrayRef> {
    macro_rules! collected {
        ($array:ty, $convert:expr) => {
            values
                .iter()
                .map(|value| match value {
                    Literal::Null => Ok(None),
                    value => $convert(*value).map(Some),
                })
                .collect::<Result<$array>>()?
        };
    }
    let failed = |value: &Literal| bad_literal(column, value);
    let digits = |value: &Literal| match value {
        Literal::Integer(digits)
        | Literal::Double(digits)
        | Literal::Float(digits)
        | Literal::Decimal(digits) => Some(digits.clone()),
        _ => None,
    };
    let number = |value: &Literal| {
        let number = digits(value).and_then(|digits| digits.parse::<f64>().ok());
        number.ok_or_else(|| failed(value))
    };
    let moment = |value: &Literal, zone: Tz| {
        let (Literal::Datetime(text) | Literal::Timestamp(text)) = value else {
            return Err(failed(value));
        };
        let midnight = || parse_date(text).and_then(|day| day.and_hms_opt(0, 0, 0));
        let local = parse_time(text).or_else(midnight);
        let moment = local.and_then(|local| instant(local, zone));
        moment.ok_or_else(|| failed(value))
    };
    let Some(first) = values.iter().find(|value| ***value != Literal::Null) else {
        return Ok(new_null_array(&ArrowType::Null, values.len()));
    };
    Ok(match first {
        Literal::Null => new_null_array(&ArrowType::Null, values.len()),
        Literal::Boolean(_) => Arc::new(collected!(BooleanArray, |value: &Literal| match value {
            Literal::Boolean(value) => Ok(*value),
            other => Err(failed(other)),
        })),
        // A whole number that is no BIGINT is a DOUBLE.
        Literal::Integer(_) => {
            let whole = |value: &&Literal| match value {
                Literal::Integer(digits) => digits.parse::<i64>().is_ok(),
                _ => true,
            };
            if values.iter().all(whole) {
                Arc::new(collected!(Int64Array, |value: &Literal| {
                    let whole = digits(value).and_then(|digits| digits.parse().ok());
                    whole.ok_or_else(|| failed(value))
                }))
            } else if values
                .iter()
                .any(|value| **value != Literal::Null && whole(value))
            {
                // Of two kinds, so each by itself.
                let split: Vec<Literal> = values
                    .iter()
                    .map(|value| match value {
                        Literal::Integer(digits) if !whole(value) => {
                            Literal::Double(digits.clone())
                        }
                        other => (*other).clone(),
                    })
                    .collect();
                return literal_array(column, split.iter(), zone);
            } else {
                Arc::new(collected!(Float64Array, number))
            }
        }
        Literal::Double(_) => Arc::new(collected!(Float64Array, number)),
        Literal::Float(_) => Arc::new(collected!(Float32Array, |value: &Literal| {
            let number = digits(value).and_then(|digits| digits.parse().ok());
            number.ok_or_else(|| failed(value))
        })),
        Literal::Decimal(_) => {
            // As many digits behind the point as any of them has.
            let scale = values.iter().filter_map(|value| digits(value));
            let scale = scale
                .map(|digits| decimal_scale(&digits))
                .max()
                .unwrap_or(0);
            let units = collected!(Decimal128Array, |value: &Literal| {
                let units = digits(value).and_then(|digits| parse_decimal(&digits, scale));
                units
                    .flatten()
                    .filter(|units| units.unsigned_abs() < 10u128.pow(38))
                    .ok_or_else(|| failed(value))
            });
            let typed = units.with_precision_and_scale(38, scale as i8);
            Arc::new(typed.map_err(|error| Error::internal(error.to_string()))?)
        }
        Literal::String(_) => Arc::new(
            values
                .iter()
                .map(|value| match value {
                    Literal::String(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect::<StringViewArray>(),
        ),
        Literal::Date(_) => Arc::new(collected!(Date32Array, |value: &Literal| match value {
            Literal::Date(text) => parse_date(text).map(days_of).ok_or_else(|| failed(value)),
            other => Err(failed(other)),
        })),
        Literal::Datetime(_) => {
            let millis = |value: &Literal| moment(value, zone).map(|at| at.timestamp_millis());
            Arc::new(collected!(TimestampMillisecondArray, millis).with_timezone(zone.name()))
        }
        Literal::Timestamp(_) => {
            let nanos = |value: &Literal| {
                let nanos = moment(value, zone)?.timestamp_nanos_opt();
                nanos.ok_or_else(|| failed(value))
            };
            Arc::new(collected!(TimestampNanosecondArray, nanos).with_timezone(zone.name()))
        }
    })
}

/// The digits behind the point of a number as it is written, 18 at most.
fn decimal_scale(digits: &str) -> u8 {
    let lower = digits.to_ascii_lowercase();
    let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let fraction = mantissa.split_once('.').map_or(0, |(_, f)| f.len() as i64);
    let exponent: i64 = exponent.parse().unwrap_or(0);
    fraction.saturating_sub(exponent).clamp(0, 18) as u8
}

fn bad_literal(column: &Column, value: &Literal) -> Error {
    let text: String = value.to_string();
    let shown = match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    };
    let name = literal_type(value);
    Error::illegal_cast(format!("column {}: {shown} is not a {name}", column.name))
}

/// The longest text of a column, in characters.
fn length_max(data_type: &DataType) -> usize {
    match data_type {
        DataType::Varchar(length) => usize::from(*length),
        DataType::Char(length) => usize::from(*length),
        _ => usize::MAX,
    }
}

/// Texts without the blanks at their ends that a column has no room for, which count for nothing. Manual page: "Data
/// type editions", VARCHAR and CHAR.
fn without_excess(column: &Column, texts: &ArrayRef) -> ArrayRef {
    let length_max = length_max(&column.data_type);
    let fits = |text: &str| text.len() <= length_max || text.chars().count() <= length_max;
    let view = texts.as_string_view();
    if view.iter().flatten().all(fits) {
        return Arc::clone(texts);
    }
    let fitted = view.iter().map(|text| {
        let text = text?;
        let end = text.char_indices().nth(length_max).map(|(end, _)| end);
        match end {
            Some(end) if text[end..].trim_end_matches(' ').is_empty() => Some(&text[..end]),
            _ => Some(text),
        }
    });
    Arc::new(fitted.collect::<StringViewArray>())
}

fn check_text(column: &Column, text: &str) -> Result<()> {
    let length_max = length_max(&column.data_type);
    if text.len() > TEXT_MAX {
        return Err(Error::overflow(format!(
            "column {}: a value of {} bytes is over 8 MB",
            column.name,
            text.len()
        )));
    }
    let count = match text.len() > length_max {
        true => text.chars().count(),
        false => 0,
    };
    if count > length_max {
        let detail = format!(
            "column {}: a value of {count} characters does not fit {}",
            column.name, column.data_type
        );
        return Err(Error::overflow(detail));
    }
    Ok(())
}

fn literal_type(value: &Literal) -> &'static str {
    match value {
        Literal::Null => "VOID",
        Literal::Boolean(_) => "BOOLEAN",
        Literal::Integer(_) => "BIGINT",
        Literal::Double(_) => "DOUBLE",
        Literal::Float(_) => "FLOAT",
        Literal::Decimal(_) => "DECIMAL",
        Literal::String(_) => "STRING",
        Literal::Date(_) => "DATE",
        Literal::Datetime(_) => "DATETIME",
        Literal::Timestamp(_) => "TIMESTAMP",
    }
}

fn cannot_convert(column: &Column, from: &str) -> Error {
    let to = column.data_type.to_string().to_uppercase();
    Error::illegal_implicit_cast(format!(
        "column {}: cannot convert {from} to {to} implicitly",
        column.name
    ))
}

/// Converts a batch of a query's result to stored rows. `mapping` has an entry for each of `columns`.
pub fn stored_rows(
    columns: &[Column],
    mapping: &Mapping,
    batch: &RecordBatch,
    zone: Tz,
) -> Result<RecordBatch> {
    let arrays = columns
        .iter()
        .zip(mapping)
        .map(|(column, position)| match position {
            Some(position) => {
                let array = batch.column(*position);
                // An array of type NULL has no null buffer.
                check_not_null(column, array.logical_null_count() > 0)?;
                stored_array(column, array, zone)
            }
            None => default_array(column, batch.num_rows(), zone),
        });
    stored_batch(columns, arrays.collect::<Result<_>>()?)
}

fn stored_array(column: &Column, array: &ArrayRef, zone: Tz) -> Result<ArrayRef> {
    let from = array.data_type();
    let target = storage_type(&column.data_type);
    if *from == target {
        return fitted(column, array);
    }
    if !is_convertible(from, &column.data_type) {
        return Err(cannot_convert(column, &arrow_type_name(from)));
    }
    // Lengths of text are checked below, not cut.
    let to = match &column.data_type {
        DataType::Varchar(_) | DataType::Char(_) => &DataType::String,
        other => other,
    };
    let seen = cast(array, to, Casting::stored(zone))
        .map_err(|error| error.in_context(&format!("column {}: ", column.name)))?;
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let stored = cast_with_options(&seen, &target, &options)
        .map_err(|error| Error::internal(error.to_string()))?;
    fitted(column, &stored)
}

/// The implicit conversions of INSERT.
fn is_convertible(from: &ArrowType, to: &DataType) -> bool {
    let is_integer = from.is_integer();
    let is_decimal = matches!(
        from,
        ArrowType::Decimal128(..) | ArrowType::Decimal64(..) | ArrowType::Decimal32(..)
    );
    let is_text = matches!(
        from,
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View
    );
    let is_moment = matches!(from, ArrowType::Date32 | ArrowType::Timestamp(..));
    if from.is_null() {
        return true;
    }
    match to {
        DataType::Array(_) | DataType::Map(..) | DataType::Struct(_) => {
            match (column_type(from), to) {
                (Some(DataType::Array(_)), DataType::Array(_))
                | (Some(DataType::Map(..)), DataType::Map(..)) => true,
                (Some(DataType::Struct(a)), DataType::Struct(b)) => a.len() == b.len(),
                _ => false,
            }
        }
        DataType::TinyInt | DataType::SmallInt | DataType::Int | DataType::BigInt => {
            is_integer || is_text
        }
        DataType::Float | DataType::Double => from.is_numeric() || is_text,
        DataType::Decimal(..) => is_integer || is_decimal || from.is_floating() || is_text,
        DataType::String | DataType::Varchar(_) | DataType::Char(_) => {
            from.is_numeric() || is_decimal || is_text || is_moment
        }
        DataType::Boolean => matches!(from, ArrowType::Boolean),
        DataType::Date | DataType::Datetime | DataType::Timestamp | DataType::TimestampNtz => {
            is_text || is_moment
        }
        DataType::Binary => {
            is_text
                || matches!(
                    from,
                    ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView
                )
        }
    }
}

/// What a stored type cannot express: lengths of text, the missing smallest BIGINT, digits of DECIMAL.
fn fitted(column: &Column, array: &ArrayRef) -> Result<ArrayRef> {
    let array = match &column.data_type {
        DataType::Char(_) => without_padding(array),
        DataType::Varchar(_) => without_excess(column, array),
        _ => Arc::clone(array),
    };
    match &column.data_type {
        DataType::BigInt
            if array
                .as_primitive::<Int64Type>()
                .iter()
                .flatten()
                .any(|v| v == i64::MIN) =>
        {
            return Err(Error::overflow(format!(
                "column {}: {} does not fit bigint",
                column.name,
                i64::MIN
            )));
        }
        DataType::Decimal(precision, scale) => {
            let fits = |value| {
                Decimal128Type::validate_decimal_precision(value, *precision, *scale as i8).is_ok()
            };
            match array
                .as_primitive::<Decimal128Type>()
                .iter()
                .flatten()
                .all(fits)
            {
                true => {}
                false => {
                    return Err(Error::overflow(format!(
                        "column {}: a value does not fit {}",
                        column.name, column.data_type
                    )));
                }
            }
        }
        DataType::String | DataType::Varchar(_) | DataType::Char(_) => array
            .as_string_view()
            .iter()
            .flatten()
            .try_for_each(|text| check_text(column, text))?,
        _ => {}
    }
    Ok(array)
}

/// Stored values with those of `new`, a column of a query's result, where `is_updated` says so.
///
/// # Errors
/// Those of a conversion into a column.
pub fn updated_array(
    column: &Column,
    stored: &ArrayRef,
    new: &ArrayRef,
    is_updated: &BooleanArray,
    zone: Tz,
) -> Result<ArrayRef> {
    let new = stored_array(column, new, zone)?;
    let updated = zip(is_updated, &new, stored);
    let updated = updated.map_err(|error| Error::internal(error.to_string()))?;
    check_not_null(column, updated.logical_null_count() > 0)?;
    Ok(updated)
}

/// The values of a partition column that a batch of a query's result names.
///
/// # Errors
/// Those of a conversion into a column.
pub fn partition_array(column: &Column, array: &ArrayRef, zone: Tz) -> Result<ArrayRef> {
    stored_array(column, array, zone)
}

/// The values of a partition column that literals name; see [`partition_array`].
pub fn partition_literals<'a>(
    column: &Column,
    values: impl Iterator<Item = &'a Literal>,
    zone: Tz,
) -> Result<ArrayRef> {
    literal_array(column, values, zone)
}

/// Returns the value of a partition column that `value`, written in a partition spec, means: the same as a text that is
/// inserted.
///
/// # Errors
/// `0123031` where it is no value of the column's type or cannot name a partition.
pub fn partition_value(column: &Column, value: &str) -> Result<String> {
    let literal = Literal::String(value.to_owned());
    // The types that can partition do not depend on a zone.
    let converted = literal_array(column, std::iter::once(&literal), Tz::UTC);
    let Some(value) = converted.ok().and_then(|array| text(&array, 0)) else {
        return Err(Error::partition_value(format!(
            "invalid partition value '{value}' for {}: it is not of type {}",
            column.name, column.data_type
        )));
    };
    check_value(column, &value)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(data_type: DataType) -> Column {
        Column {
            id: 1,
            name: "a".into(),
            data_type,
            nullable: true,
            comment: None,
            default: None,
        }
    }

    fn convert(data_type: DataType, value: Literal) -> std::result::Result<String, String> {
        let rows = vec![vec![value]];
        let batch = literal_batch(&[column(data_type)], &vec![Some(0)], &rows, Tz::UTC)
            .map_err(|e| e.to_string())?;
        let text = datafusion::arrow::util::display::array_value_to_string(batch.column(0), 0);
        text.map_err(|e| e.to_string())
    }

    #[test]
    fn numbers_fit_or_are_refused() {
        let integer = |text: &str| Literal::Integer(text.into());
        assert_eq!(convert(DataType::TinyInt, integer("127")), Ok("127".into()));
        assert!(convert(DataType::TinyInt, integer("128")).is_err());
        assert!(convert(DataType::BigInt, integer("-9223372036854775808")).is_err());
        assert_eq!(
            convert(DataType::BigInt, integer("-9223372036854775807")),
            Ok("-9223372036854775807".into())
        );
        assert_eq!(
            convert(DataType::BigInt, Literal::String("1.6".into())),
            Ok("1".into())
        );
        assert!(convert(DataType::BigInt, Literal::Double("1.6".into())).is_err());
        assert_eq!(
            convert(DataType::Decimal(4, 2), Literal::Double("12.345".into())),
            Ok("12.35".into())
        );
        assert!(convert(DataType::Decimal(4, 2), integer("123")).is_err());
        for (text, expected) in [
            ("1e1", "10.00"),
            ("-0.005", "-0.01"),
            ("0.0049", "0.00"),
            ("1.5e-1", "0.15"),
        ] {
            assert_eq!(
                convert(DataType::Decimal(4, 2), Literal::Double(text.into())),
                Ok(expected.into()),
                "{text}"
            );
        }
        for wrong in ["", ".", "1.2.3", "x", "1e", "99.995", "1e30", "1e99"] {
            assert!(
                convert(DataType::Decimal(4, 2), Literal::String(wrong.into())).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn times_are_exact() {
        let text = |text: &str| Literal::String(text.into());
        assert_eq!(
            convert(DataType::Datetime, text("2020-02-18 14:17:58")),
            Ok("2020-02-18T14:17:58Z".into())
        );
        for wrong in [
            "2014-1-9 00:00:00",
            "2020-02-30 00:00:00",
            "yesterday",
            "2020-02-18T14:17:58",
        ] {
            assert!(convert(DataType::Datetime, text(wrong)).is_err(), "{wrong}");
        }
        assert!(convert(DataType::Date, text("2020-2-1")).is_err());
        assert!(convert(DataType::Timestamp, text("9999-01-01 00:00:00")).is_err());
    }

    #[test]
    fn text_has_a_length() {
        let text = |text: &str| Literal::String(text.into());
        assert!(convert(DataType::Varchar(3), text("中文字")).is_ok());
        assert!(convert(DataType::Varchar(3), text("abcd")).is_err());
        assert_eq!(convert(DataType::Char(5), text("ab  ")), Ok("ab".into()));
        assert!(convert(DataType::Boolean, text("true")).is_err());
    }
}
