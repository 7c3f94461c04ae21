//! Values on their way into a column: literals without the engine, query results with Arrow's casts.

use std::str::FromStr;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, RecordBatch,
    StringViewArray, TimestampMillisecondArray, TimestampNanosecondArray, new_null_array,
};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType as ArrowType, Decimal128Type, DecimalType, Int64Type};

use super::cast::{Casting, cast, parse_date, parse_decimal};
use super::types::{arrow_type_name, column_type, storage_schema, storage_type};
use crate::ast::Literal;
use crate::catalog::Column;
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

fn literal_array<'a>(
    column: &Column,
    values: impl Iterator<Item = &'a Literal>,
    zone: Tz,
) -> Result<ArrayRef> {
    macro_rules! integers {
        ($array:ty, $native:ty) => {
            Arc::new(
                collect(values, |v| integer::<$native>(column, v))?
                    .into_iter()
                    .collect::<$array>(),
            ) as ArrayRef
        };
    }
    Ok(match &column.data_type {
        DataType::TinyInt => integers!(Int8Array, i8),
        DataType::SmallInt => integers!(Int16Array, i16),
        DataType::Int => integers!(Int32Array, i32),
        DataType::BigInt => integers!(Int64Array, i64),
        DataType::Float => Arc::new(
            collect(values, |v| float(column, v).map(|f| f as f32))?
                .into_iter()
                .collect::<Float32Array>(),
        ),
        DataType::Double => Arc::new(
            collect(values, |v| float(column, v))?
                .into_iter()
                .collect::<Float64Array>(),
        ),
        DataType::Decimal(p, s) => {
            let numbers = collect(values, |v| decimal(column, v, *p, *s))?;
            let array = numbers.into_iter().collect::<Decimal128Array>();
            Arc::new(
                array
                    .with_precision_and_scale(*p, *s as i8)
                    .map_err(|error| Error::internal(error.to_string()))?,
            )
        }
        DataType::String | DataType::Varchar(_) | DataType::Char(_) => {
            let texts = collect(values, |v| text(column, v))?;
            Arc::new(texts.into_iter().collect::<StringViewArray>())
        }
        DataType::Boolean => Arc::new(
            collect(values, |v| boolean(column, v))?
                .into_iter()
                .collect::<BooleanArray>(),
        ),
        DataType::Date => Arc::new(
            collect(values, |v| date(column, v))?
                .into_iter()
                .collect::<Date32Array>(),
        ),
        DataType::Datetime => {
            let instants = collect(values, |v| {
                instant(column, v, zone).map(|ns| ns.div_euclid(1_000_000) as i64)
            })?;
            Arc::new(
                instants
                    .into_iter()
                    .collect::<TimestampMillisecondArray>()
                    .with_timezone("UTC"),
            )
        }
        DataType::Timestamp => {
            let instants = collect(values, |v| {
                let nanos = instant(column, v, zone)?;
                i64::try_from(nanos)
                    .map_err(|_| Error::overflow(format!("a TIMESTAMP cannot hold {}", shown(v))))
            })?;
            Arc::new(
                instants
                    .into_iter()
                    .collect::<TimestampNanosecondArray>()
                    .with_timezone("UTC"),
            )
        }
        DataType::TimestampNtz => {
            let instants = collect(values, |v| {
                let nanos = instant(column, v, Tz::UTC)?;
                i64::try_from(nanos)
                    .map_err(|_| Error::overflow(format!("a TIMESTAMP cannot hold {}", shown(v))))
            })?;
            Arc::new(instants.into_iter().collect::<TimestampNanosecondArray>())
        }
        nested if nested.is_nested() => {
            let none = collect(values, |v| Err::<(), Error>(no_cast(column, v)))?;
            new_null_array(&storage_type(nested), none.len())
        }
        DataType::Array(_) | DataType::Map(..) | DataType::Struct(_) => {
            return Err(Error::internal("a nested type came as a plain one"));
        }
        DataType::Binary => {
            let bytes = collect(values, |v| text(column, v))?;
            Arc::new(
                bytes
                    .into_iter()
                    .map(|v| v.map(String::into_bytes))
                    .collect::<BinaryViewArray>(),
            )
        }
    })
}

fn collect<'a, T>(
    values: impl Iterator<Item = &'a Literal>,
    convert: impl Fn(&Literal) -> Result<T>,
) -> Result<Vec<Option<T>>> {
    values
        .map(|value| {
            if *value == Literal::Null {
                Ok(None)
            } else {
                convert(value).map(Some)
            }
        })
        .collect()
}

fn integer<T: TryFrom<i64>>(column: &Column, value: &Literal) -> Result<T> {
    let wide = match value {
        Literal::Integer(digits) => digits.parse::<i64>().ok(),
        // Text that holds a fraction goes through DOUBLE and is truncated.
        Literal::String(text) => match text.trim().parse::<i64>() {
            Ok(number) => Some(number),
            Err(_) => {
                let number = f64::from_str(text.trim())
                    .ok()
                    .filter(|number| number.is_finite());
                let number = number.ok_or_else(|| bad_cast(column, value))?.trunc();
                (number.abs() < 9.3e18).then_some(number as i64)
            }
        },
        _ => return Err(no_cast(column, value)),
    };
    let fits = wide
        .filter(|number| *number != i64::MIN)
        .and_then(|number| T::try_from(number).ok());
    fits.ok_or_else(|| does_not_fit(column, value))
}

fn float(column: &Column, value: &Literal) -> Result<f64> {
    match value {
        Literal::Integer(digits) | Literal::Double(digits) | Literal::Decimal(digits) => {
            digits.parse().map_err(|_| bad_cast(column, value))
        }
        Literal::String(text) => text.trim().parse().map_err(|_| bad_cast(column, value)),
        _ => Err(no_cast(column, value)),
    }
}

fn decimal(column: &Column, value: &Literal, precision: u8, scale: u8) -> Result<i128> {
    let digits = match value {
        Literal::Integer(digits) | Literal::Double(digits) | Literal::Decimal(digits) => {
            digits.as_str()
        }
        Literal::String(text) => text.trim(),
        _ => return Err(no_cast(column, value)),
    };
    let Some(parsed) = parse_decimal(digits, scale) else {
        return Err(bad_cast(column, value));
    };
    match parsed.filter(|number| number.unsigned_abs() < 10u128.pow(u32::from(precision))) {
        Some(number) => Ok(number),
        None => Err(does_not_fit(column, value)),
    }
}

fn text(column: &Column, value: &Literal) -> Result<String> {
    let text = match value {
        Literal::String(text)
        | Literal::Date(text)
        | Literal::Datetime(text)
        | Literal::Timestamp(text) => text.clone(),
        Literal::Integer(digits) | Literal::Double(digits) | Literal::Decimal(digits)
            if column.data_type != DataType::Binary =>
        {
            digits.clone()
        }
        _ => return Err(no_cast(column, value)),
    };
    check_text(column, &text)?;
    match column.data_type {
        // CHAR is padded with blanks, which count for nothing.
        DataType::Char(_) => Ok(text.trim_end_matches(' ').to_owned()),
        _ => Ok(text),
    }
}

fn check_text(column: &Column, text: &str) -> Result<()> {
    let length_max = match column.data_type {
        DataType::Varchar(length) => usize::from(length),
        DataType::Char(length) => usize::from(length),
        _ => usize::MAX,
    };
    if text.len() > TEXT_MAX {
        return Err(Error::overflow(format!(
            "column {}: a value of {} bytes is over 8 MB",
            column.name,
            text.len()
        )));
    }
    if text.len() > length_max && text.trim_end_matches(' ').chars().count() > length_max {
        let count = text.chars().count();
        let detail = format!(
            "column {}: a value of {count} characters does not fit {}",
            column.name, column.data_type
        );
        return Err(Error::overflow(detail));
    }
    Ok(())
}

fn boolean(column: &Column, value: &Literal) -> Result<bool> {
    match value {
        Literal::Boolean(value) => Ok(*value),
        _ => Err(no_cast(column, value)),
    }
}

fn date(column: &Column, value: &Literal) -> Result<i32> {
    let text = match value {
        Literal::Date(text) | Literal::String(text) => text.as_str(),
        Literal::Datetime(text) | Literal::Timestamp(text) => text.get(..10).unwrap_or(text),
        _ => return Err(no_cast(column, value)),
    };
    let day = parse_date(text).ok_or_else(|| bad_cast(column, value))?;
    Ok(day.signed_duration_since(NaiveDate::default()).num_days() as i32)
}

/// Nanoseconds since 1970-01-01 UTC of a local time in `zone`.
fn instant(column: &Column, value: &Literal, zone: Tz) -> Result<i128> {
    let text = match value {
        Literal::String(text)
        | Literal::Datetime(text)
        | Literal::Timestamp(text)
        | Literal::Date(text) => text,
        _ => return Err(no_cast(column, value)),
    };
    let local = if text.len() == 10 {
        parse_date(text).and_then(|day| day.and_hms_opt(0, 0, 0))
    } else {
        let exact = text.len() >= 19 && text.as_bytes()[10] == b' ';
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f")
            .ok()
            .filter(|_| exact)
    };
    let moment = local.and_then(|local| zone.from_local_datetime(&local).earliest());
    let moment = moment.ok_or_else(|| bad_cast(column, value))?;
    Ok(
        i128::from(moment.timestamp()) * 1_000_000_000
            + i128::from(moment.timestamp_subsec_nanos()),
    )
}

fn shown(value: &Literal) -> String {
    let text: String = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn literal_type(value: &Literal) -> &'static str {
    match value {
        Literal::Null => "VOID",
        Literal::Boolean(_) => "BOOLEAN",
        Literal::Integer(_) => "BIGINT",
        Literal::Double(_) => "DOUBLE",
        Literal::Decimal(_) => "DECIMAL",
        Literal::String(_) => "STRING",
        Literal::Date(_) => "DATE",
        Literal::Datetime(_) => "DATETIME",
        Literal::Timestamp(_) => "TIMESTAMP",
    }
}

fn no_cast(column: &Column, value: &Literal) -> Error {
    cannot_convert(column, literal_type(value))
}

fn cannot_convert(column: &Column, from: &str) -> Error {
    let to = column.data_type.to_string().to_uppercase();
    Error::illegal_implicit_cast(format!(
        "column {}: cannot convert {from} to {to} implicitly",
        column.name
    ))
}

fn bad_cast(column: &Column, value: &Literal) -> Error {
    let detail = format!(
        "In function cast, value {} cannot be casted from {} to {}.",
        shown(value),
        title_case(literal_type(value)),
        title_case(&column.data_type.to_string())
    );
    Error::illegal_cast(detail)
}

fn does_not_fit(column: &Column, value: &Literal) -> Error {
    let detail = format!(
        "column {}: {} does not fit {}",
        column.name,
        shown(value),
        column.data_type
    );
    Error::overflow(detail)
}

fn title_case(name: &str) -> String {
    let lower = name.to_lowercase();
    let mut chars = lower.chars();
    chars.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(chars).collect()
    })
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
        check_column(column, array)?;
        return Ok(Arc::clone(array));
    }
    if !is_convertible(from, &column.data_type) {
        return Err(cannot_convert(column, &arrow_type_name(from)));
    }
    let casting = Casting {
        zone,
        is_strict: true,
    };
    // Lengths of text are checked below, not cut.
    let to = match &column.data_type {
        DataType::Varchar(_) | DataType::Char(_) => &DataType::String,
        other => other,
    };
    let seen = cast(array, to, casting)
        .map_err(|error| error.in_context(&format!("column {}: ", column.name)))?;
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let stored = cast_with_options(&seen, &target, &options)
        .map_err(|error| Error::internal(error.to_string()))?;
    check_column(column, &stored)?;
    Ok(stored)
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
fn check_column(column: &Column, array: &ArrayRef) -> Result<()> {
    match &column.data_type {
        DataType::BigInt
            if array
                .as_primitive::<Int64Type>()
                .iter()
                .flatten()
                .any(|v| v == i64::MIN) =>
        {
            Err(Error::overflow(format!(
                "column {}: {} does not fit bigint",
                column.name,
                i64::MIN
            )))
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
                true => Ok(()),
                false => Err(Error::overflow(format!(
                    "column {}: a value does not fit {}",
                    column.name, column.data_type
                ))),
            }
        }
        DataType::String | DataType::Varchar(_) | DataType::Char(_) => array
            .as_string_view()
            .iter()
            .flatten()
            .try_for_each(|text| check_text(column, text)),
        _ => Ok(()),
    }
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
