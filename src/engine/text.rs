//! Values as text.

use std::fmt::Write;

use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{
    DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float32Type,
    Float64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use datafusion::arrow::util::display::array_value_to_string;
use serde_json::{Number, Value};

use crate::clock::local_time;

/// The text of one value; `None` for NULL.
pub fn text(array: &ArrayRef, row: usize) -> Option<String> {
    if array.is_null(row) || array.data_type() == &DataType::Null {
        return None;
    }
    Some(match array.data_type() {
        DataType::Float32 => float(array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => double(array.as_primitive::<Float64Type>().value(row)),
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
        DataType::Decimal32(_, scale) => {
            decimal(array.as_primitive::<Decimal32Type>().value(row), *scale)
        }
        DataType::Decimal64(_, scale) => {
            decimal(array.as_primitive::<Decimal64Type>().value(row), *scale)
        }
        DataType::Decimal128(_, scale) => {
            decimal(array.as_primitive::<Decimal128Type>().value(row), *scale)
        }
        DataType::Decimal256(_, scale) => {
            decimal(array.as_primitive::<Decimal256Type>().value(row), *scale)
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
                    // NaN and the infinities are no numbers of JSON.
                    match text.ends_with(|c: char| c.is_ascii_digit()) {
                        true => Value::Number(Number::from_string_unchecked(text)),
                        false => Value::String(text),
                    }
                }
                _ => Value::String(text),
            }
        }
    }
}

/// The shortest form of a DOUBLE that reads back, as Java prints it: `1.0`, `100.1`, `1.0E10`, `NaN`, `Infinity`.
pub fn double(value: f64) -> String {
    match special(value) {
        Some(word) => word.to_owned(),
        None => java_form(&format!("{value:e}"), ".0"),
    }
}

/// The same of a FLOAT, without a fraction that is zero: `1`, `100.1`, `1E10`.
pub fn float(value: f32) -> String {
    match special(f64::from(value)) {
        Some(word) => word.to_owned(),
        None => java_form(&format!("{value:e}"), ""),
    }
}

fn special(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        return Some("NaN");
    }
    let infinity = match value.is_sign_negative() {
        true => "-Infinity",
        false => "Infinity",
    };
    value.is_infinite().then_some(infinity)
}

/// Moves the point of `[-]d[.ddd]e[-]dd`, which has the fewest digits that read back: numbers from a thousandth to ten
/// millions have no exponent. `no_fraction` is written where no digit is left behind the point.
fn java_form(scientific: &str, no_fraction: &str) -> String {
    let (sign, unsigned) = match scientific.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", scientific),
    };
    let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((unsigned, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    let digits = mantissa.replace('.', "");
    let (whole, fraction, exponent) = match power {
        0..7 => {
            let width = power as usize + 1;
            let padded = format!("{digits:0<width$}");
            let (whole, fraction) = padded.split_at(width);
            (whole.to_owned(), fraction.to_owned(), String::new())
        }
        -3..0 => {
            let zeros = "0".repeat((-power - 1) as usize);
            ("0".to_owned(), zeros + &digits, String::new())
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            (first.to_owned(), rest.to_owned(), format!("E{power}"))
        }
    };
    match fraction.as_str() {
        "" => format!("{sign}{whole}{no_fraction}{exponent}"),
        fraction => format!("{sign}{whole}.{fraction}{exponent}"),
    }
}

/// A DECIMAL of `units` of `10^-scale` without trailing zeros, whatever its precision says.
pub fn decimal(units: impl ToString, scale: i8) -> String {
    let units = units.to_string();
    let (sign, digits) = match units.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", units.as_str()),
    };
    let Ok(scale) = usize::try_from(scale) else {
        let zeros = "0".repeat(usize::from(scale.unsigned_abs()));
        return format!("{units}{zeros}");
    };
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
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
    use proptest::prelude::*;

    use super::{decimal, double, float};

    #[test]
    fn numbers_print_as_java_prints_them() {
        for (value, expected) in [
            (1.0, "1.0"),
            (100.1, "100.1"),
            (1e10, "1.0E10"),
            (1.5e300, "1.5E300"),
            (-2.5e-7, "-2.5E-7"),
            (0.001, "0.001"),
            (0.00123, "0.00123"),
            (9.99e-4, "9.99E-4"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
            (9_999_999.0, "9999999.0"),
            (1_234_567.5, "1234567.5"),
            (1e7, "1.0E7"),
            (1e33, "1.0E33"),
            (1e-24, "1.0E-24"),
            (f64::MAX, "1.7976931348623157E308"),
            (f64::from_bits(1), "5.0E-324"),
        ] {
            assert_eq!(double(value), expected);
        }
        for (value, expected) in [
            (-1.0, "-1"),
            (0.1, "0.1"),
            (1e10, "1E10"),
            (1.5e10, "1.5E10"),
            (f32::MAX, "3.4028235E38"),
            (f32::from_bits(1), "1E-45"),
            (-0.0, "-0"),
        ] {
            assert_eq!(float(value), expected);
        }
    }

    #[test]
    fn every_power_of_ten_reads_back() {
        for power in -324..=308 {
            let value: f64 = format!("1e{power}").parse().expect("a number");
            for value in [value, -value, value.next_up(), value.next_down()] {
                assert_eq!(double(value).parse(), Ok(value), "1e{power}");
            }
        }
        for power in -45..=38 {
            let value: f32 = format!("1e{power}").parse().expect("a number");
            for value in [value, -value, value.next_up(), value.next_down()] {
                assert_eq!(float(value).parse(), Ok(value), "1e{power}");
            }
        }
    }

    #[test]
    fn decimals_print_all_their_digits() {
        for (units, scale, expected) in [
            (0, 0, "0"),
            (0, 5, "0"),
            (-5, 2, "-0.05"),
            (1000, 3, "1"),
            (1230, 2, "12.3"),
            (100_000, 2, "1000"),
            (7, -2, "700"),
            (i128::MIN, 18, "-170141183460469231731.687303715884105728"),
        ] {
            assert_eq!(decimal(units, scale), expected);
        }
    }

    proptest! {
        #[test]
        fn every_double_reads_back(bits: u64) {
            let value = f64::from_bits(bits);
            let text = double(value);
            let back: f64 = text.parse().expect("a number");
            prop_assert!(back.to_bits() == bits || value.is_nan() && back.is_nan(), "{text}");
        }

        #[test]
        fn every_float_reads_back(bits: u32) {
            let value = f32::from_bits(bits);
            let text = float(value);
            let back: f32 = text.parse().expect("a number");
            prop_assert!(back.to_bits() == bits || value.is_nan() && back.is_nan(), "{text}");
        }
    }
}
