//! Numbers and times as decimals that have room for all of them, for comparisons between DECIMAL and DOUBLE and between kinds
//! of times.

use std::fmt::LowerExp;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType as ArrowType, Date32Type, Decimal256Type, Float32Type, Float64Type, TimeUnit,
    TimestampMillisecondType, TimestampNanosecondType, i256,
};

use super::call::{Call, Definition, Gives, Kind, function};
use crate::error::{Error, Result};

/// All decimals and the doubles between them: 38 digits before the point and 38 behind it.
const EXACT: ArrowType = ArrowType::Decimal256(76, 38);

#[rustfmt::skip]
pub(super) const AS_EXACT: Definition = function("__exact", "__exact", "a number or a time as a decimal that has room for all", &[Kind::Any], 0, Gives::Of(|_, _| Ok(EXACT)), exact);

/// The digits that a finite number is printed with, as (is negative, mantissa, exponent of ten).
pub(in crate::engine) fn shortest(value: impl LowerExp) -> Option<(bool, i128, i32)> {
    let text = format!("{value:e}");
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.as_str()),
    };
    let (mantissa, exponent) = text.split_once('e')?;
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, behind) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mantissa: i128 = format!("{whole}{behind}").parse().ok()?;
    Some((negative, mantissa, exponent - behind.len() as i32))
}

/// Decimals and whole numbers are what they are, a DOUBLE is what its printed digits say. What lies beyond all decimals stays
/// beyond them, and what is nearer to 0 than any stays different from 0. Times are nanoseconds.
fn exact(call: &Call) -> Result<ArrayRef> {
    fn of<T: LowerExp>(values: impl Iterator<Item = Option<T>>) -> ArrayRef {
        let exact = values.map(|value| value.map(exact_value));
        let exact = exact.collect::<PrimitiveArray<Decimal256Type>>();
        Arc::new(exact.with_data_type(EXACT))
    }
    fn nanoseconds(values: impl Iterator<Item = Option<i128>>) -> ArrayRef {
        let exact = values.map(|value| value.map(i256::from_i128));
        let exact = exact.collect::<PrimitiveArray<Decimal256Type>>();
        Arc::new(exact.with_data_type(EXACT))
    }
    let column = call.any(0);
    let array = column.array();
    Ok(match array.data_type() {
        ArrowType::Float64 => of(array.as_primitive::<Float64Type>().iter()),
        ArrowType::Float32 => of(array.as_primitive::<Float32Type>().iter()),
        ArrowType::Date32 => {
            const DAY: i128 = 86_400_000_000_000;
            let days = array.as_primitive::<Date32Type>().iter();
            nanoseconds(days.map(|days| days.map(|days| i128::from(days) * DAY)))
        }
        ArrowType::Timestamp(TimeUnit::Millisecond, _) => {
            let millis = array.as_primitive::<TimestampMillisecondType>().iter();
            nanoseconds(millis.map(|millis| millis.map(|millis| i128::from(millis) * 1_000_000)))
        }
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => {
            let nanos = array.as_primitive::<TimestampNanosecondType>().iter();
            nanoseconds(nanos.map(|nanos| nanos.map(i128::from)))
        }
        _ => cast(array, &EXACT).map_err(|error| Error::internal(error.to_string()))?,
    })
}

fn exact_value(value: impl LowerExp) -> i256 {
    const PLACES: i32 = 38;
    let ten = |power: i32| i256::from_i128(10).wrapping_pow(power as u32);
    let beyond = || ten(76).wrapping_sub(i256::ONE);
    let text = format!("{value:e}");
    let Some((negative, mantissa, exponent)) = shortest(value) else {
        return match text.starts_with('-') {
            true => beyond().wrapping_neg(),
            // Infinity, and NaN, which is greater than all numbers.
            false => beyond(),
        };
    };
    let places = mantissa.to_string().len() as i32;
    let size = if mantissa == 0 {
        i256::ZERO
    } else if places + exponent > PLACES {
        beyond()
    } else if exponent >= -PLACES {
        i256::from_i128(mantissa).wrapping_mul(ten(exponent + PLACES))
    } else if exponent < -PLACES - places {
        i256::ONE
    } else {
        let cut = i256::from_i128(mantissa).wrapping_div(ten(-PLACES - exponent));
        cut.max(i256::ONE)
    };
    if negative { size.wrapping_neg() } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_values_keep_the_order_of_doubles() {
        let numbers = [
            f64::NEG_INFINITY,
            -f64::MAX,
            -1e39,
            -1e20,
            -2.5,
            -1e-20,
            -5e-324,
            0.0,
            5e-324,
            1e-39,
            1e-20,
            0.1,
            0.3,
            1.0,
            9_007_199_254_740_993.0,
            1e20,
            1e37,
            1e39,
            f64::MAX,
            f64::INFINITY,
        ];
        for pair in numbers.windows(2) {
            assert!(exact_value(pair[0]) <= exact_value(pair[1]), "{pair:?}");
        }
        assert_eq!(exact_value(0.1), i256::from_i128(10_i128.pow(37)));
        assert_eq!(exact_value(0.1_f32), i256::from_i128(10_i128.pow(37)));
        assert_eq!(exact_value(-0.0), i256::ZERO);
        assert!(exact_value(5e-324) > i256::ZERO);
        assert!(exact_value(f64::NAN) > exact_value(1e37));
    }
}
