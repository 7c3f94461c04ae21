//! Numbers. Manual page: "Mathematical functions".

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use datafusion::arrow::datatypes::{
    DataType as ArrowType, Decimal128Type, Float64Type, Int32Type, Int64Type,
};

use super::call::{Call, Definition, Gives, Kind, function, known};
use crate::datatype::DataType;
use crate::engine::cast::{Casting, cast};
use crate::error::{Error, Result};

use Kind::{Double, Int, Number, Text};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    function("abs", "abs(number x)", "Returns the absolute value.", &[Number], 0, Gives::Of(same_number), abs),
    function("acos", "acos(double x)", "Returns the arc cosine.", &[Double], 0, Gives::Double, |call| real(call, |x| (x.abs() <= 1.0).then(|| x.acos()))),
    function("asin", "asin(double x)", "Returns the arc sine.", &[Double], 0, Gives::Double, |call| real(call, |x| (x.abs() <= 1.0).then(|| x.asin()))),
    function("atan", "atan(double x)", "Returns the arc tangent.", &[Double], 0, Gives::Double, |call| real(call, |x| Some(x.atan()))),
    function("atan2", "atan2(double y, double x)", "Returns the angle of a point.", &[Double, Double], 0, Gives::Double, |call| real2(call, |y, x| Some(y.atan2(x)))),
    function("bin", "bin(bigint x)", "Returns a number in base 2.", &[Int], 0, Gives::Text, |call| {
        let given = call.type_of(0);
        if given.is_floating() || given.is_decimal() {
            return Err(super::call::mismatch(call.name, std::slice::from_ref(given)));
        }
        let x = call.int(0)?;
        call.texts(|row| Ok(x.get(row).map(|x| format!("{x:b}"))))
    }),
    function("cbrt", "cbrt(double x)", "Returns the cube root.", &[Double], 0, Gives::Double, |call| real(call, |x| Some(x.cbrt()))),
    function("ceil", "ceil(number x)", "Returns the smallest BIGINT that is not less.", &[Number], 0, Gives::Int, |call| whole(call, f64::ceil, true)),
    function("ceiling", "ceiling(number x)", "Returns the smallest BIGINT that is not less.", &[Number], 0, Gives::Int, |call| whole(call, f64::ceil, true)),
    function("conv", "conv(string x, bigint from, bigint to)", "Converts a number between the bases 2, 8, 10 and 16.", &[Text, Int, Int], 0, Gives::Text, conv),
    function("cos", "cos(double x)", "Returns the cosine.", &[Double], 0, Gives::Double, |call| real(call, |x| Some(x.cos()))),
    function("cosh", "cosh(double x)", "Returns the hyperbolic cosine.", &[Double], 0, Gives::Double, |call| real(call, |x| Some(x.cosh()))),
    function("cot", "cot(double x)", "Returns the cotangent.", &[Double], 0, Gives::Double, |call| real(call, |x| (x != 0.0).then(|| 1.0 / x.tan()))),
    function("degrees", "degrees(double x)", "Turns radians into degrees.", &[Double], 0, Gives::Double, |call| real(call, |x| Some(x.to_degrees()))),
    function("e", "e()", "Returns the base of the natural logarithm.", &[], 0, Gives::Double, |call| call.values::<Float64Type>(|_| Ok(Some(std::f64::consts::E)))),
    function("exp", "exp(double x)", "Returns e to the power of x.", &[Double], 0, Gives::Double, |call| real(call, |x| Some(x.exp()))),
    function("factorial", "factorial(bigint n)", "Returns n!, for n from 0 to 20.", &[Int], 0, Gives::Int, |call| {
        let n = call.int(0)?;
        call.values::<Int64Type>(|row| {
            let n = known!(n.get(row));
            Ok((0..=20).contains(&n).then(|| (1..=n).product()))
        })
    }),
    function("floor", "floor(number x)", "Returns the largest BIGINT that is not greater.", &[Number], 0, Gives::Int, |call| whole(call, f64::floor, false)),
    function("isnan", "isnan(double x)", "Returns whether a number is NaN.", &[Double], 0, Gives::Boolean, |call| {
        let x = call.double(0)?;
        call.booleans(|row| Ok(x.get(row).map(f64::is_nan)))
    }),
    function("ln", "ln(double x)", "Returns the natural logarithm.", &[Double], 0, Gives::Double, |call| real(call, |x| (x > 0.0).then(|| x.ln()))),
    function("log", "log(double base, double x)", "Returns the logarithm of x; with one argument the natural one.", &[Double, Double], 1, Gives::Double, |call| {
        if call.count() == 1 {
            return real(call, |x| (x > 0.0).then(|| x.ln()));
        }
        real2(call, |base, x| (base > 0.0 && base != 1.0 && x > 0.0).then(|| x.ln() / base.ln()))
    }),
    function("log10", "log10(double x)", "Returns the logarithm to base 10.", &[Double], 0, Gives::Double, |call| real(call, |x| (x > 0.0).then(|| x.log10()))),
    function("log2", "log2(double x)", "Returns the logarithm to base 2.", &[Double], 0, Gives::Double, |call| real(call, |x| (x > 0.0).then(|| x.log2()))),
    function("negative", "negative(number x)", "Returns -x.", &[Number], 0, Gives::Of(same_number), negative),
    function("pi", "pi()", "Returns the ratio of a circle's circumference to its diameter.", &[], 0, Gives::Double, |call| call.values::<Float64Type>(|_| Ok(Some(std::f64::consts::PI)))),
    function("positive", "positive(number x)", "Returns x.", &[Number], 0, Gives::Of(same_number), |call| number(call, 0)),
    function("pow", "pow(double x, double y)", "Returns x to the power of y.", &[Double, Double], 0, Gives::Double, |call| real2(call, |x, y| Some(x.powf(y)))),
    function("power", "power(double x, double y)", "Returns x to the power of y.", &[Double, Double], 0, Gives::Double, |call| real2(call, |x, y| Some(x.powf(y)))),
    function("radians", "radians(double x)", "Turns degrees into radians.", &[Double], 0, Gives::Double, |call| real(call, |x| Some(x.to_radians()))),
    function("rand", "rand([bigint seed])", "Returns a random number from 0 to 1; the same seed gives the same numbers.", &[Int], 1, Gives::Double, rand),
    function("round", "round(number x[, bigint digits])", "Rounds half away from zero; digits may be negative.", &[Number, Int], 1, Gives::Of(same_real), |call| rounded(call, true)),
    function("shiftleft", "shiftleft(bigint x, int n)", "Shifts the bits of x to the left.", &[Int, Int], 0, Gives::Of(bits_type), |call| bits(call, i32::wrapping_shl, i64::wrapping_shl)),
    function("shiftright", "shiftright(bigint x, int n)", "Shifts the bits of x to the right, keeping its sign.", &[Int, Int], 0, Gives::Of(bits_type), |call| bits(call, i32::wrapping_shr, i64::wrapping_shr)),
    function("shiftrightunsigned", "shiftrightunsigned(bigint x, int n)", "Shifts the bits of x to the right, filling with zeros.", &[Int, Int], 0, Gives::Of(bits_type), |call| bits(call, |x, n| (x as u32).wrapping_shr(n) as i32, |x, n| (x as u64).wrapping_shr(n) as i64)),
    function("sign", "sign(double x)", "Returns -1.0, 0.0 or 1.0.", &[Double], 0, Gives::Double, |call| real(call, |x| Some(if x == 0.0 { 0.0 } else { x.signum() }))),
    function("sin", "sin(double x)", "Returns the sine.", &[Double], 0, Gives::Double, |call| real(call, |x| Some(x.sin()))),
    function("sinh", "sinh(double x)", "Returns the hyperbolic sine.", &[Double], 0, Gives::Double, |call| real(call, |x| Some(x.sinh()))),
    function("sqrt", "sqrt(double x)", "Returns the square root.", &[Double], 0, Gives::Double, |call| real(call, |x| (x >= 0.0).then(|| x.sqrt()))),
    function("tan", "tan(double x)", "Returns the tangent.", &[Double], 0, Gives::Double, |call| real(call, |x| Some(x.tan()))),
    function("tanh", "tanh(double x)", "Returns the hyperbolic tangent.", &[Double], 0, Gives::Double, |call| real(call, |x| Some(x.tanh()))),
    function("trunc", "trunc(number x[, bigint digits])", "Cuts a number to so many digits, without rounding.", &[Number, Int], 1, Gives::Of(same_real), |call| rounded(call, false)),
    function("uuid", "uuid()", "Returns a random id.", &[], 0, Gives::Text, |call| call.texts(|_| Ok(Some(crate::clock::random_id())))),
    function("width_bucket", "width_bucket(double x, double min, double max, bigint count)", "Returns in which of count equal buckets between min and max a number falls.", &[Double, Double, Double, Int], 0, Gives::Int, width_bucket),
];

/// Whole numbers are BIGINT, decimals keep their type, everything else is DOUBLE.
fn same_number(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    Ok(match &types[0] {
        given if given.is_integer() => ArrowType::Int64,
        given if given.is_decimal() => given.clone(),
        _ => ArrowType::Float64,
    })
}

/// Decimals keep their digits, everything else is DOUBLE.
fn same_real(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    Ok(match &types[0] {
        // Rounding may carry into a new digit. Upstream: apache/datafusion 19921.
        ArrowType::Decimal128(precision, scale) => {
            ArrowType::Decimal128((precision + 1).min(38), *scale)
        }
        given if given.is_decimal() => given.clone(),
        _ => ArrowType::Float64,
    })
}

/// An argument in the type of the result, one value per row.
fn number(call: &Call, position: usize) -> Result<ArrayRef> {
    let column = call.any(position);
    let array = match &call.gives {
        ArrowType::Int64 => cast(column.array(), &DataType::BigInt, call.casting)?,
        ArrowType::Float64 => cast(column.array(), &DataType::Double, call.casting)?,
        _ => Arc::clone(column.array()),
    };
    if array.len() == call.rows {
        return Ok(array);
    }
    let indices = datafusion::arrow::array::UInt32Array::from(vec![0; call.rows]);
    datafusion::arrow::compute::take(&array, &indices, None)
        .map_err(|error| Error::internal(error.to_string()))
}

fn mapped(
    call: &Call,
    of_int: impl Fn(i64) -> Option<i64>,
    of_units: impl Fn(i128) -> i128,
    of_real: impl Fn(f64) -> f64,
) -> Result<ArrayRef> {
    let array = number(call, 0)?;
    Ok(match array.data_type() {
        ArrowType::Int64 => {
            let ints = array.as_primitive::<Int64Type>();
            return call.values::<Int64Type>(|row| {
                if ints.is_null(row) {
                    return Ok(None);
                }
                let value = of_int(ints.value(row));
                value
                    .map(Some)
                    .ok_or_else(|| Error::overflow(format!("function {}", call.name)))
            });
        }
        ArrowType::Decimal128(..) => {
            let units = array.as_primitive::<Decimal128Type>();
            let made: PrimitiveArray<Decimal128Type> = units.unary(of_units);
            Arc::new(made.with_data_type(units.data_type().clone()))
        }
        _ => Arc::new(
            array
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(of_real),
        ),
    })
}

fn abs(call: &Call) -> Result<ArrayRef> {
    mapped(call, i64::checked_abs, i128::abs, f64::abs)
}

fn negative(call: &Call) -> Result<ArrayRef> {
    mapped(call, i64::checked_neg, |x| -x, |x| -x)
}

fn real(call: &Call, of: impl Fn(f64) -> Option<f64>) -> Result<ArrayRef> {
    let x = call.double(0)?;
    call.values::<Float64Type>(|row| {
        let x = known!(x.get(row));
        match of(x) {
            Some(value) => Ok(Some(value)),
            None => call.unfit(format!("it has no value at {x}")),
        }
    })
}

fn real2(call: &Call, of: impl Fn(f64, f64) -> Option<f64>) -> Result<ArrayRef> {
    let (x, y) = (call.double(0)?, call.double(1)?);
    call.values::<Float64Type>(|row| {
        let (x, y) = (known!(x.get(row)), known!(y.get(row)));
        match of(x, y) {
            Some(value) => Ok(Some(value)),
            None => call.unfit(format!("it has no value at {x}, {y}")),
        }
    })
}

fn whole(call: &Call, of: impl Fn(f64) -> f64, up: bool) -> Result<ArrayRef> {
    let given = call.any(0);
    match call.type_of(0) {
        data_type if data_type.is_integer() => number(call, 0),
        ArrowType::Decimal128(_, scale) => {
            let one = 10i128.pow(u32::from(scale.unsigned_abs()));
            let units = given.array().as_primitive::<Decimal128Type>();
            call.values::<Int64Type>(|row| {
                let row = given.row(row);
                if units.is_null(row) {
                    return Ok(None);
                }
                let value = units.value(row);
                let floor = value.div_euclid(one);
                let exact = value.rem_euclid(one) == 0;
                let whole = if up && !exact { floor + 1 } else { floor };
                let whole = i64::try_from(whole);
                whole
                    .map(Some)
                    .map_err(|_| Error::overflow(format!("function {}", call.name)))
            })
        }
        _ => {
            let x = call.double(0)?;
            call.values::<Int64Type>(|row| {
                let value = of(known!(x.get(row)));
                if value.abs() < 9.223_372_036_854_776e18 {
                    Ok(Some(value as i64))
                } else {
                    Err(Error::overflow(format!("function {}", call.name)))
                }
            })
        }
    }
}

/// Rounds, or cuts, to `digits` behind the point; the decimal text decides, so that 125.315 at two digits
/// is 125.32.
fn round_real(x: f64, digits: i64, half_up: bool) -> f64 {
    if !x.is_finite() || digits > 300 {
        return x;
    }
    if digits < -300 {
        return 0.0;
    }
    let text = format!("{:e}", x.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let figures: Vec<u8> = mantissa
        .bytes()
        .filter(u8::is_ascii_digit)
        .map(|b| b - b'0')
        .collect();
    // So many figures stay.
    let kept = exponent + 1 + digits;
    if kept >= figures.len() as i64 {
        return x;
    }
    let stay = usize::try_from(kept).unwrap_or(0);
    let up = half_up && kept >= 0 && figures.get(stay).is_some_and(|figure| *figure >= 5);
    let head: String = figures[..stay]
        .iter()
        .map(|figure| char::from(b'0' + figure))
        .collect();
    let mut units: u128 = head.parse().unwrap_or(0);
    units += u128::from(up);
    let value: f64 = format!("{units}e{}", -digits).parse().unwrap_or(0.0);
    if x < 0.0 { -value } else { value }
}

fn rounded(call: &Call, half_up: bool) -> Result<ArrayRef> {
    let digits = call.int_or(1, 0)?;
    if let ArrowType::Decimal128(_, scale) = call.gives {
        let given = call.any(0);
        let units = given.array().as_primitive::<Decimal128Type>();
        return call.values::<Decimal128Type>(|row| {
            let digits = known!(digits.get(row));
            let row = given.row(row);
            if units.is_null(row) {
                return Ok(None);
            }
            let value = units.value(row);
            let dropped = i64::from(scale) - digits;
            if dropped <= 0 {
                return Ok(Some(value));
            }
            if dropped > 38 {
                return Ok(Some(0));
            }
            let unit = 10i128.pow(dropped as u32);
            let rest = value % unit;
            let down = value - rest;
            // Twice the rest may be more than an i128 holds.
            let up = half_up && rest.abs() >= unit - rest.abs();
            let rounded = match up {
                true => down.checked_add(unit * value.signum()),
                false => Some(down),
            };
            let fits = rounded.filter(|rounded| rounded.unsigned_abs() < 10u128.pow(38));
            fits.map(Some)
                .ok_or_else(|| Error::overflow(format!("function {}", call.name)))
        });
    }
    let x = call.double(0)?;
    call.values::<Float64Type>(|row| {
        let (x, digits) = (known!(x.get(row)), known!(digits.get(row)));
        Ok(Some(round_real(x, digits, half_up)))
    })
}

fn conv(call: &Call) -> Result<ArrayRef> {
    let (text, from, to) = (call.text(0)?, call.int(1)?, call.int(2)?);
    call.texts(|row| {
        let (text, from, to) = (
            known!(text.get(row)),
            known!(from.get(row)),
            known!(to.get(row)),
        );
        if ![from, to]
            .iter()
            .all(|base| matches!(base, 2 | 8 | 10 | 16))
        {
            return call.unfit("the bases are 2, 8, 10 and 16");
        }
        let Ok(number) = i64::from_str_radix(text.trim(), from as u32) else {
            return call.unfit(format!("'{text}' is not a number in base {from}"));
        };
        if number < 0 {
            return Ok(None);
        }
        Ok(Some(match to {
            2 => format!("{number:b}"),
            8 => format!("{number:o}"),
            16 => format!("{number:x}"),
            _ => number.to_string(),
        }))
    })
}

/// TINYINT, SMALLINT and INT have the 32 bits of an INT, BIGINT has 64.
fn bits_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    Ok(match types[0] {
        ArrowType::Int8 | ArrowType::Int16 | ArrowType::Int32 => ArrowType::Int32,
        _ => ArrowType::Int64,
    })
}

fn bits(call: &Call, short: fn(i32, u32) -> i32, long: fn(i64, u32) -> i64) -> Result<ArrayRef> {
    let (x, n) = (call.int(0)?, call.int(1)?);
    if call.gives == ArrowType::Int32 {
        return call.values::<Int32Type>(|row| {
            let (x, n) = (known!(x.get(row)), known!(n.get(row)));
            Ok(Some(short(x as i32, n.rem_euclid(32) as u32)))
        });
    }
    call.values::<Int64Type>(|row| {
        let (x, n) = (known!(x.get(row)), known!(n.get(row)));
        Ok(Some(long(x, n.rem_euclid(64) as u32)))
    })
}

/// Numbers that look random, from a seed: splitmix64.
fn rand(call: &Call) -> Result<ArrayRef> {
    let seed = if call.count() > 0 {
        call.int(0)?.get(0)
    } else {
        None
    };
    let mut state = seed.map_or_else(crate::clock::random_seed, |seed| seed as u64);
    call.values::<Float64Type>(|_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        Ok(Some((z >> 11) as f64 / (1u64 << 53) as f64))
    })
}

fn width_bucket(call: &Call) -> Result<ArrayRef> {
    let (x, min, max) = (call.double(0)?, call.double(1)?, call.double(2)?);
    let count = call.int(3)?;
    call.values::<Int64Type>(|row| {
        let (x, min, max) = (
            known!(x.get(row)),
            known!(min.get(row)),
            known!(max.get(row)),
        );
        let count = known!(count.get(row));
        if count < 1 || min >= max {
            return call.unfit("min is less than max and count at least 1");
        }
        Ok(Some(if x < min {
            0
        } else if x >= max {
            count + 1
        } else {
            ((x - min) / (max - min) * count as f64) as i64 + 1
        }))
    })
}

#[cfg(test)]
mod tests {
    use super::round_real;

    #[test]
    fn rounding_follows_the_decimal_text() {
        for (x, digits, expected) in [
            (125.315, 0, 125.0),
            (125.315, 1, 125.3),
            (125.315, 2, 125.32),
            (-125.315, 2, -125.32),
            (123.345, -2, 100.0),
            (123.345, -4, 0.0),
            (0.5, 0, 1.0),
            (1e300, 2, 1e300),
            (9.995, 2, 10.0),
        ] {
            assert_eq!(round_real(x, digits, true), expected, "{x} {digits}");
        }
        assert_eq!(round_real(125.815, 2, false), 125.81);
        assert_eq!(round_real(125.815, -1, false), 120.0);
    }
}
