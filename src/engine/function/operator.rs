//! The arithmetic operators. Manual page: "Arithmetic operators".
//!
//! Whole numbers never wrap, `/` between them gives DOUBLE, and dividing by zero is an error. A DECIMAL has at most 38 digits,
//! of which 18 stand behind the point: the digits further behind are cut, as the page "DECIMAL data type" says of all results.

use std::hash::Hash;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Datum, PrimitiveArray, Scalar, new_null_array,
};
use datafusion::arrow::compute::kernels::numeric;
use datafusion::arrow::datatypes::{
    DataType as ArrowType, Decimal128Type, Float64Type, Int64Type, i256,
};
use datafusion::arrow::error::ArrowError;
use datafusion::common::ScalarValue;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::engine::failure::external;
use crate::error::Error;

/// An operator of ours. Both operands have the type it is named for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::engine) enum Operator {
    /// Of whole numbers of one type.
    Add,
    Subtract,
    Multiply,
    Remainder,
    /// Of BIGINT.
    IntegerDivide,
    /// Of DOUBLE.
    Divide,
    /// Of DECIMAL, where the engine's own could have more digits than a DECIMAL: it lets 39 pass.
    DecimalAdd,
    DecimalSubtract,
    DecimalMultiply,
    DecimalRemainder,
    /// Of DECIMAL.
    DecimalDivide,
}

const ALL: [Operator; 11] = [
    Operator::Add,
    Operator::Subtract,
    Operator::Multiply,
    Operator::Remainder,
    Operator::IntegerDivide,
    Operator::Divide,
    Operator::DecimalAdd,
    Operator::DecimalSubtract,
    Operator::DecimalMultiply,
    Operator::DecimalRemainder,
    Operator::DecimalDivide,
];

/// Most digits behind the point of a DECIMAL.
pub(in crate::engine) const SCALE_MAX: i8 = 18;
const DIGITS_MAX: u8 = 38;

#[derive(Debug, PartialEq, Eq, Hash)]
struct OperatorFunction {
    operator: Operator,
    signature: Signature,
}

pub(super) fn functions() -> impl Iterator<Item = Arc<ScalarUDF>> {
    ALL.into_iter().map(udf)
}

fn udf(operator: Operator) -> Arc<ScalarUDF> {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(ScalarUDF::from(OperatorFunction {
        operator,
        signature,
    }))
}

/// `left operator right`.
pub(in crate::engine) fn operator(operator: Operator, left: Expr, right: Expr) -> Expr {
    udf(operator).call(vec![left, right])
}

impl ScalarUDFImpl for OperatorFunction {
    fn name(&self) -> &str {
        match self.operator {
            Operator::Add => "__add",
            Operator::Subtract => "__subtract",
            Operator::Multiply => "__multiply",
            Operator::Remainder => "__remainder",
            Operator::IntegerDivide => "__div",
            Operator::Divide => "__divide",
            Operator::DecimalAdd => "__decimal_add",
            Operator::DecimalSubtract => "__decimal_subtract",
            Operator::DecimalMultiply => "__decimal_multiply",
            Operator::DecimalRemainder => "__decimal_remainder",
            Operator::DecimalDivide => "__decimal_divide",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[ArrowType]) -> EngineResult<ArrowType> {
        Ok(match self.operator {
            Operator::Add | Operator::Subtract | Operator::Multiply | Operator::Remainder => {
                types[0].clone()
            }
            Operator::IntegerDivide => ArrowType::Int64,
            Operator::Divide => ArrowType::Float64,
            Operator::DecimalAdd
            | Operator::DecimalSubtract
            | Operator::DecimalMultiply
            | Operator::DecimalRemainder
            | Operator::DecimalDivide => decimal_type(self.operator, &types[0], &types[1]),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let is_constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        // The optimizer asks what comes of NULL without a type.
        if args.args.iter().any(|arg| arg.data_type().is_null()) {
            let nulls = new_null_array(args.return_field.data_type(), args.number_rows);
            return Ok(ColumnarValue::Array(nulls));
        }
        let (left, right) = (datum(&args.args[0])?, datum(&args.args[1])?);
        let failed = |error: ArrowError| match error {
            ArrowError::DivideByZero => external(Error::overflow("division by zero")),
            ArrowError::ArithmeticOverflow(_) => external(Error::overflow(format!(
                "{} of {} is out of range",
                self.word(),
                crate::engine::types::arrow_type_name(args.return_field.data_type())
            ))),
            other => other.into(),
        };
        let (left, right) = (&*left, &*right);
        let result = match self.operator {
            Operator::Add => numeric::add(left, right).map_err(failed)?,
            Operator::Subtract => numeric::sub(left, right).map_err(failed)?,
            Operator::Multiply => numeric::mul(left, right).map_err(failed)?,
            Operator::Remainder => numeric::rem(left, right).map_err(failed)?,
            Operator::IntegerDivide => numeric::div(left, right).map_err(failed)?,
            Operator::Divide => divide(left, right)?,
            Operator::DecimalAdd
            | Operator::DecimalSubtract
            | Operator::DecimalMultiply
            | Operator::DecimalRemainder
            | Operator::DecimalDivide => {
                let to = args.return_field.data_type();
                match plain_decimals(self.operator, left, right, to) {
                    Some(result) => result,
                    None => decimals(self.operator, left, right, to)?,
                }
            }
        };
        // The lowest number of 64 bits is no BIGINT.
        if let Some(numbers) = result.as_primitive_opt::<Int64Type>()
            && numbers.iter().flatten().any(|number| number == i64::MIN)
        {
            return Err(failed(ArrowError::ArithmeticOverflow(String::new())));
        }
        Ok(if is_constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)
        } else {
            ColumnarValue::Array(result)
        })
    }
}

impl OperatorFunction {
    fn word(&self) -> &'static str {
        match self.operator {
            Operator::Add | Operator::DecimalAdd => "the sum",
            Operator::Subtract | Operator::DecimalSubtract => "the difference",
            Operator::Multiply | Operator::DecimalMultiply => "the product",
            Operator::Remainder | Operator::DecimalRemainder => "the remainder",
            Operator::IntegerDivide | Operator::Divide | Operator::DecimalDivide => "the quotient",
        }
    }
}

fn datum(value: &ColumnarValue) -> EngineResult<Box<dyn Datum>> {
    Ok(match value {
        ColumnarValue::Array(array) => Box::new(Arc::clone(array)),
        ColumnarValue::Scalar(value) => Box::new(Scalar::new(value.to_array()?)),
    })
}

fn divide(left: &dyn Datum, right: &dyn Datum) -> EngineResult<ArrayRef> {
    let ((a, a_constant), (b, b_constant)) = (left.get(), right.get());
    let divisors = b.as_primitive::<Float64Type>();
    let is_known = |row: usize| a.is_valid(if a_constant { 0 } else { row });
    let zero =
        (0..divisors.len()).find(|row| divisors.is_valid(*row) && divisors.value(*row) == 0.0);
    if let Some(first) = zero {
        // Beside a NULL the quotient is NULL.
        let rows = if b_constant {
            0..a.len()
        } else {
            first..divisors.len()
        };
        let divided = rows.into_iter().find(|row| {
            let at = if b_constant { 0 } else { *row };
            divisors.is_valid(at) && divisors.value(at) == 0.0 && is_known(*row)
        });
        if let Some(row) = divided {
            let value = a
                .as_primitive::<Float64Type>()
                .value(if a_constant { 0 } else { row });
            let detail = if value == 0.0 {
                "DIVIDE func result NaN, two params are 0.000000 and 0.000000".to_owned()
            } else {
                format!("DIVIDE func result overflow, two params are {value:.6} and 0.000000")
            };
            return Err(external(Error::overflow(detail)));
        }
    }
    Ok(numeric::div(left, right)?)
}

fn parts(data_type: &ArrowType) -> (u8, i8) {
    match data_type {
        ArrowType::Decimal128(precision, scale) => (*precision, *scale),
        _ => (38, 0),
    }
}

/// Whether a result of the engine's own operator always has as many digits as a DECIMAL may have.
pub(in crate::engine) fn has_room(operator: Operator, left: &ArrowType, right: &ArrowType) -> bool {
    let ((p, a), (q, b)) = (parts(left), parts(right));
    let whole = |digits: u8, scale: i8| i32::from(digits) - i32::from(scale);
    let scale = i32::from(a.max(b));
    match operator {
        Operator::DecimalAdd | Operator::DecimalSubtract => {
            whole(p, a).max(whole(q, b)) + scale < i32::from(DIGITS_MAX)
        }
        Operator::DecimalRemainder => {
            // Both are brought to one scale first.
            whole(p, a).max(whole(q, b)) + scale <= i32::from(DIGITS_MAX)
        }
        Operator::DecimalMultiply => p + q < DIGITS_MAX && a + b <= SCALE_MAX,
        _ => false,
    }
}

fn decimal_type(operator: Operator, left: &ArrowType, right: &ArrowType) -> ArrowType {
    let ((_, a), (q, b)) = (parts(left), parts(right));
    let scale = match operator {
        Operator::DecimalDivide => (a.max(0) + q as i8 + 1).max(6),
        Operator::DecimalMultiply => a + b,
        _ => a.max(b),
    };
    ArrowType::Decimal128(DIGITS_MAX, scale.min(SCALE_MAX))
}

/// By the engine's operator, where it gives all digits that are kept and none too many.
fn plain_decimals(
    operator: Operator,
    left: &dyn Datum,
    right: &dyn Datum,
    to: &ArrowType,
) -> Option<ArrayRef> {
    let result = match operator {
        Operator::DecimalAdd => numeric::add(left, right),
        Operator::DecimalSubtract => numeric::sub(left, right),
        Operator::DecimalMultiply => numeric::mul(left, right),
        _ => return None,
    };
    let result = result.ok()?;
    let values = result.as_primitive_opt::<Decimal128Type>()?;
    let limit = 10_i128.pow(u32::from(DIGITS_MAX));
    // What stands under a NULL says nothing, and a bad one only takes the longer way.
    let are_fit = values.values().iter().fold(true, |fit, value| {
        fit & (-limit < *value) & (*value < limit)
    });
    let is_same = parts(result.data_type()).1 == parts(to).1;
    (are_fit && is_same).then(|| Arc::new(values.clone().with_data_type(to.clone())) as ArrayRef)
}

/// Exact, then cut to the digits that are kept.
fn decimals(
    operator: Operator,
    left: &dyn Datum,
    right: &dyn Datum,
    to: &ArrowType,
) -> EngineResult<ArrayRef> {
    let ((a, a_constant), (b, b_constant)) = (left.get(), right.get());
    let ((_, a_scale), (_, b_scale), (_, scale)) =
        (parts(a.data_type()), parts(b.data_type()), parts(to));
    let (a, b) = (
        a.as_primitive::<Decimal128Type>(),
        b.as_primitive::<Decimal128Type>(),
    );
    let rows = if a_constant { b.len() } else { a.len() };
    let ten = |power: i32| i256::from_i128(10).wrapping_pow(power.max(0) as u32);
    // At most 76 digits, which 256 bits hold.
    let at_scale = |value: i256, from: i8| {
        let (up, down) = (i32::from(scale - from), i32::from(from - scale));
        value.wrapping_mul(ten(up)).wrapping_div(ten(down))
    };
    let limit = 10_u128.pow(u32::from(DIGITS_MAX));
    let one = |x: i128, y: i128| -> EngineResult<i128> {
        let (x, y) = (i256::from_i128(x), i256::from_i128(y));
        let divisor = || match y {
            i256::ZERO => Err(external(Error::overflow("division by zero"))),
            y => Ok(y),
        };
        let exact = match operator {
            Operator::DecimalDivide => {
                let shift = i32::from(scale) - i32::from(a_scale) + i32::from(b_scale);
                let divisor = divisor()?.wrapping_mul(ten(-shift));
                let scaled = x.checked_mul(ten(shift));
                scaled.map(|scaled| scaled.wrapping_div(divisor))
            }
            Operator::DecimalAdd => Some(at_scale(x, a_scale).wrapping_add(at_scale(y, b_scale))),
            Operator::DecimalSubtract => {
                Some(at_scale(x, a_scale).wrapping_sub(at_scale(y, b_scale)))
            }
            Operator::DecimalRemainder => {
                divisor()?;
                Some(at_scale(x, a_scale).wrapping_rem(at_scale(y, b_scale)))
            }
            _ => x
                .checked_mul(y)
                .map(|product| at_scale(product, a_scale + b_scale)),
        };
        let fits = exact
            .and_then(i256::to_i128)
            .filter(|value| value.unsigned_abs() < limit);
        fits.ok_or_else(|| external(Error::overflow("a DECIMAL is out of range")))
    };
    let mut values: Vec<Option<i128>> = Vec::with_capacity(rows);
    for row in 0..rows {
        let (i, j) = (
            if a_constant { 0 } else { row },
            if b_constant { 0 } else { row },
        );
        values.push(if a.is_valid(i) && b.is_valid(j) {
            Some(one(a.value(i), b.value(j))?)
        } else {
            None
        });
    }
    let array = values
        .into_iter()
        .collect::<PrimitiveArray<Decimal128Type>>();
    Ok(Arc::new(array.with_data_type(to.clone())))
}
