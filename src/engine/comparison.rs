//! How values of different types are compared: by `=`, `<` and the others, IN, CASE x WHEN, NULLIF and USING alike. Manual
//! pages: "Type conversions", "Relational operators".
//!
//! A text meets a number as DOUBLE, a DECIMAL as DECIMAL and a time as that kind of time; a DATE is its midnight. A DECIMAL and a DOUBLE are compared as
//! decimals, by the digits that the DOUBLE is printed with; no value is too large or too small for that.

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::Expr;

use super::cast::Casting;
use super::failure::external;
use super::function::{cast_expr, internal_call, shortest};
use super::types::arrow_type_name;
use crate::error::Error;

/// An operand and its type.
pub(super) type Operand = (Expr, ArrowType);

/// Digits that a DECIMAL of the engine has room for.
const DIGITS_MAX: i32 = 38;

/// The operands as the engine may compare them; `None` where it may as they are.
///
/// # Errors
/// `0130071` where the types cannot be compared.
pub(super) fn comparable(
    left: &Operand,
    right: &Operand,
    casting: Casting,
) -> EngineResult<Option<(Expr, Expr)>> {
    let (a, b) = (&left.1, &right.1);
    if a.is_null() || b.is_null() {
        return Ok(None);
    }
    let either = |test: &dyn Fn(&ArrowType) -> bool| test(a) || test(b);
    let as_type = |to: &str| {
        let one = |(expr, given): &Operand| match arrow_type_name(given).to_lowercase() == to {
            true => expr.clone(),
            false => cast_expr(expr.clone(), to, casting),
        };
        Some((one(left), one(right)))
    };
    if a.is_string() != b.is_string() {
        let other = if a.is_string() { b } else { a };
        return Ok(match other {
            ArrowType::Date32 => as_type("date"),
            other if is_moment(other) => as_type(&arrow_type_name(other).to_lowercase()),
            other if other.is_decimal() => {
                let decimal = |(expr, given): &Operand| match given.is_string() {
                    true => (
                        cast_expr(expr.clone(), "decimal", casting),
                        ArrowType::Decimal128(38, 18),
                    ),
                    false => (expr.clone(), given.clone()),
                };
                let (left, right) = (decimal(left), decimal(right));
                decimals(&left, &right, casting).or(Some((left.0, right.0)))
            }
            other if is_number(other) => as_type("double"),
            ArrowType::Boolean => return Err(refused(left, right)),
            _ => None,
        });
    }
    if (*a == ArrowType::Boolean) != (*b == ArrowType::Boolean)
        || (either(&is_number) && either(&is_moment))
    {
        return Err(refused(left, right));
    }
    if is_moment(a) && is_moment(b) {
        return Ok(moments(left, right, casting));
    }
    if either(&|given| given.is_decimal()) && is_number(a) && is_number(b) {
        return Ok(decimals(left, right, casting));
    }
    Ok(None)
}

/// `left = right`.
///
/// # Errors
/// As [`comparable`].
pub(super) fn equal(left: Operand, right: Operand, casting: Casting) -> EngineResult<Expr> {
    let (left, right) = comparable(&left, &right, casting)?.unwrap_or((left.0, right.0));
    Ok(left.eq(right))
}

fn is_moment(given: &ArrowType) -> bool {
    matches!(given, ArrowType::Date32 | ArrowType::Timestamp(..))
}

fn is_number(given: &ArrowType) -> bool {
    given.is_numeric() || given.is_decimal()
}

fn refused((_, a): &Operand, (_, b): &Operand) -> DataFusionError {
    external(Error::semantic(format!(
        "a comparison cannot be applied to {} and {}",
        arrow_type_name(a),
        arrow_type_name(b)
    )))
}

/// Two times. A DATE is its midnight; DATETIME knows years that nanoseconds have no room for.
fn moments(left: &Operand, right: &Operand, casting: Casting) -> Option<(Expr, Expr)> {
    let name = |(_, given): &Operand| arrow_type_name(given);
    if name(left) == name(right) {
        return None;
    }
    let names = [name(left), name(right)];
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    // One of two kinds that do not know each other's zone.
    let to = match (has("DATE"), has("TIMESTAMP_NTZ")) {
        (true, true) => None,
        (true, false) => Some("datetime"),
        (false, true) => Some("timestamp"),
        (false, false) => None,
    };
    let one = |operand: &Operand| match (to, name(operand).as_str()) {
        (Some(to), "DATE" | "TIMESTAMP_NTZ") => cast_expr(operand.0.clone(), to, casting),
        _ => operand.0.clone(),
    };
    let (left, right) = (one(left), one(right));
    if has("DATE") && has("DATETIME") {
        return Some((left, right));
    }
    let exact = |expr| internal_call("__exact", vec![expr], casting);
    Some((exact(left), exact(right)))
}

/// Two numbers, of which one is a DECIMAL.
fn decimals(left: &Operand, right: &Operand, casting: Casting) -> Option<(Expr, Expr)> {
    let narrow = |(expr, given): &Operand| match given.is_floating() {
        true => constant(expr),
        false => Some((expr.clone(), given.clone())),
    };
    if let (Some(a), Some(b)) = (narrow(left), narrow(right)) {
        let mut digits = DecimalDigits::default();
        digits.add(&a.1);
        digits.add(&b.1);
        if digits.fit() {
            let is_given = !left.1.is_floating() && !right.1.is_floating();
            return (!is_given).then_some((a.0, b.0));
        }
    }
    let exact = |(expr, _): &Operand| internal_call("__exact", vec![expr.clone()], casting);
    Some((exact(left), exact(right)))
}

/// The most digits before and behind the point that several exact numbers have.
#[derive(Default)]
pub(super) struct DecimalDigits {
    whole: i32,
    scale: i32,
}

impl DecimalDigits {
    pub(super) fn add(&mut self, given: &ArrowType) {
        let (whole, scale) = match given {
            ArrowType::Decimal128(precision, scale) => {
                let scale = i32::from(*scale);
                (i32::from(*precision) - scale, scale)
            }
            ArrowType::Int8 => (3, 0),
            ArrowType::Int16 => (5, 0),
            ArrowType::Int32 => (10, 0),
            ArrowType::Int64 => (20, 0),
            _ => (0, 0),
        };
        self.whole = self.whole.max(whole);
        self.scale = self.scale.max(scale);
    }

    /// Whether one type of the engine has room for all.
    pub(super) fn fit(&self) -> bool {
        self.whole + self.scale <= DIGITS_MAX
    }
}

/// A constant DOUBLE as a DECIMAL of its digits, where it has as many as a DECIMAL may have.
fn constant(expr: &Expr) -> Option<Operand> {
    let (negative, mantissa, exponent) = match expr {
        Expr::Literal(ScalarValue::Float64(Some(value)), _) => shortest(*value),
        Expr::Literal(ScalarValue::Float32(Some(value)), _) => shortest(*value),
        _ => None,
    }?;
    let places = mantissa.to_string().len() as i32;
    let scale = (-exponent).max(0);
    let precision = (places + exponent.max(0)).max(scale).max(1);
    if precision > DIGITS_MAX {
        return None;
    }
    let value = mantissa * 10_i128.pow(exponent.max(0) as u32);
    let value = if negative { -value } else { value };
    let literal = ScalarValue::Decimal128(Some(value), precision as u8, scale as i8);
    let given = literal.data_type();
    Some((Expr::Literal(literal, None), given))
}
