//! Values as text.

use std::fmt::Write;

use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{
    DataType, Float32Type, Float64Type, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use datafusion::arrow::util::display::array_value_to_string;
use serde_json::Value;

use crate::clock::local_time;

/// The text of one value; `None` for NULL.
pub fn text(array: &ArrayRef, row: usize) -> Option<String> {
    if array.is_null(row) || array.data_type() == &DataType::Null {
        return None;
    }
    Some(match array.data_type() {
        DataType::Float32 => float(
            f64::from(array.as_primitive::<Float32Type>().value(row)),
            |f| (f as f32).to_string(),
        ),
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row), |f| {
            f.to_string()
        }),
        DataType::Binary => binary(array.as_binary::<i32>().value(row)),
        DataType::LargeBinary => binary(array.as_binary::<i64>().value(row)),
        DataType::BinaryView => binary(array.as_binary_view().value(row)),
        DataType::Timestamp(unit, zone) => timestamp(array, row, *unit, zone.as_deref()),
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::FixedSizeList(..)
        | DataType::ListView(_)
        | DataType::Map(..)
        | DataType::Struct(_) => json(array, row).to_string(),
        DataType::Decimal128(..) => {
            let text = array_value_to_string(array, row).unwrap_or_else(|error| error.to_string());
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Utf8View => array.as_string_view().value(row).to_owned(),
        _ => array_value_to_string(array, row).unwrap_or_else(|error| error.to_string()),
    })
}

/// A value as JSON: numbers and booleans as such where JSON has them, everything else as text.
pub fn json(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) || array.data_type().is_null() {
        return Value::Null;
    }
    let items = |items: &ArrayRef| (0..items.len()).map(|item| json(items, item)).collect();
    match array.data_type() {
        DataType::List(_) => Value::Array(items(&array.as_list::<i32>().value(row))),
        DataType::LargeList(_) => Value::Array(items(&array.as_list::<i64>().value(row))),
        DataType::FixedSizeList(..) => Value::Array(items(&array.as_fixed_size_list().value(row))),
        DataType::ListView(_) => Value::Array(items(&array.as_list_view::<i32>().value(row))),
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let key = |entry| text(keys, entry).unwrap_or_default();
            let pairs = (0..entries.len()).map(|entry| (key(entry), json(values, entry)));
            Value::Object(pairs.collect())
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let pairs = fields.iter().zip(columns);
            Value::Object(
                pairs
                    .map(|(field, column)| (field.name().clone(), json(column, row)))
                    .collect(),
            )
        }
        data_type => {
            let text = text(array, row).unwrap_or_default();
            match data_type {
                DataType::Boolean => Value::Bool(text == "true"),
                data_type if data_type.is_integer() || data_type.is_floating() => {
                    serde_json::from_str(&text.replace('E', "e")).unwrap_or(Value::String(text))
                }
                _ => Value::String(text),
            }
        }
    }
}

/// The shortest form that reads back: `1.0`, `100.1`, `1.0E10`, `NaN`, `Infinity`.
fn float(value: f64, shortest: impl Fn(f64) -> String) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let plain = value == 0.0 || (1e-3..1e7).contains(&value.abs());
    if plain {
        let text = shortest(value);
        return if text.contains('.') {
            text
        } else {
            text + ".0"
        };
    }
    // The digits of the shortest form, with the point behind the first.
    let text = shortest(value);
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let significant = digits.trim_start_matches('0').trim_end_matches('0');
    let exponent = value.abs().log10().floor() as i32;
    let exponent = if 10f64.powi(exponent) > value.abs() {
        exponent - 1
    } else {
        exponent
    };
    let (first, rest) = significant.split_at(1.min(significant.len()));
    let sign = if value < 0.0 { "-" } else { "" };
    format!(
        "{sign}{first}.{}E{exponent}",
        if rest.is_empty() { "0" } else { rest }
    )
}

/// UTF-8 text as it is, other bytes as `=XX`.
fn binary(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes)
        && !text.chars().any(char::is_control)
    {
        return text.to_owned();
    }
    bytes.iter().fold(String::new(), |mut out, byte| {
        match byte {
            b'=' => out.push_str("=3D"),
            byte if byte.is_ascii_graphic() || *byte == b' ' => out.push(char::from(*byte)),
            byte => {
                let _ = write!(out, "={byte:02X}");
            }
        }
        out
    })
}

/// `yyyy-MM-dd HH:mm:ss`; a TIMESTAMP adds its fraction where it has one.
fn timestamp(array: &ArrayRef, row: usize, unit: TimeUnit, zone: Option<&str>) -> String {
    let instant: Option<DateTime<Utc>> = match unit {
        TimeUnit::Second => Utc
            .timestamp_opt(array.as_primitive::<TimestampSecondType>().value(row), 0)
            .single(),
        TimeUnit::Millisecond => Utc
            .timestamp_millis_opt(array.as_primitive::<TimestampMillisecondType>().value(row))
            .single(),
        TimeUnit::Microsecond => Utc
            .timestamp_micros(array.as_primitive::<TimestampMicrosecondType>().value(row))
            .single(),
        TimeUnit::Nanosecond => {
            Some(Utc.timestamp_nanos(array.as_primitive::<TimestampNanosecondType>().value(row)))
        }
    };
    let Some(instant) = instant else {
        return "out of range".to_owned();
    };
    let local = match zone.and_then(|zone| zone.parse::<Tz>().ok()) {
        Some(zone) => local_time(instant, zone),
        None => Some(instant.naive_utc()),
    };
    let Some(local) = local else {
        return "out of range".to_owned();
    };
    let seconds = local.format("%Y-%m-%d %H:%M:%S").to_string();
    let nanos = instant.timestamp_subsec_nanos();
    if nanos == 0 || unit == TimeUnit::Millisecond {
        return seconds;
    }
    format!("{seconds}.{}", format!("{nanos:09}").trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::float;

    #[test]
    fn doubles_print_their_shortest_form() {
        let text = |value: f64| float(value, |f| f.to_string());
        for (value, expected) in [
            (1.0, "1.0"),
            (100.1, "100.1"),
            (1e10, "1.0E10"),
            (1.5e300, "1.5E300"),
            (-2.5e-7, "-2.5E-7"),
            (0.001, "0.001"),
            (0.0, "0.0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (f64::MAX, "1.7976931348623157E308"),
        ] {
            assert_eq!(text(value), expected);
        }
    }
}
