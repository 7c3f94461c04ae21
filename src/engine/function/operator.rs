//! The arithmetic operators. Manual page: "Arithmetic operators".
//!
//! Whole numbers never wrap, `/` between them gives DOUBLE, and dividing by zero is an error.

use std::hash::Hash;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Datum, PrimitiveArray, Scalar};
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
    /// Of DECIMAL, where the plain product has too many digits behind the point.
    DecimalMultiply,
    DecimalDivide,
}

const ALL: [Operator; 8] = [
    Operator::Add,
    Operator::Subtract,
    Operator::Multiply,
    Operator::Remainder,
    Operator::IntegerDivide,
    Operator::Divide,
    Operator::DecimalMultiply,
    Operator::DecimalDivide,
];

/// Most digits behind the point of a DECIMAL.
const SCALE_MAX: i8 = 18;

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
            Operator::DecimalMultiply => "__decimal_multiply",
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
            Operator::DecimalMultiply | Operator::DecimalDivide => {
                decimal_type(self.operator, &types[0], &types[1])
            }
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let is_constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
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
            Operator::DecimalMultiply | Operator::DecimalDivide => {
                decimals(self.operator, left, right, args.return_field.data_type())?
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
            Operator::Add => "the sum",
            Operator::Subtract => "the difference",
            Operator::Multiply | Operator::DecimalMultiply => "the product",
            Operator::Remainder => "the remainder",
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

fn decimal_type(operator: Operator, left: &ArrowType, right: &ArrowType) -> ArrowType {
    let ((_, a), (q, b)) = (parts(left), parts(right));
    let scale = match operator {
        Operator::DecimalDivide => (a.max(0) + q as i8 + 1).max(6),
        _ => a + b,
    };
    ArrowType::Decimal128(38, scale.min(SCALE_MAX))
}

/// Exact, then rounded half away from zero to the digits that are kept.
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
    let rounded = |value: i256, unit: i256| {
        let half = unit.wrapping_div(i256::from_i128(2));
        let rest = value.wrapping_rem(unit);
        let whole = value.wrapping_div(unit);
        let is_up = rest.wrapping_abs() >= unit.wrapping_sub(half);
        match (is_up, value.is_negative()) {
            (true, true) => whole.wrapping_sub(i256::ONE),
            (true, false) => whole.wrapping_add(i256::ONE),
            (false, _) => whole,
        }
    };
    let limit = 10u128.pow(38);
    let one = |x: i128, y: i128| -> EngineResult<i128> {
        let (x, y) = (i256::from_i128(x), i256::from_i128(y));
        let exact = match operator {
            Operator::DecimalDivide => {
                if y == i256::ZERO {
                    return Err(external(Error::overflow("division by zero")));
                }
                let shift = i32::from(scale) - i32::from(a_scale) + i32::from(b_scale);
                let scaled = x.checked_mul(ten(shift));
                scaled.map(|scaled| {
                    let negative = y.is_negative();
                    let divisor = y.wrapping_abs().wrapping_mul(ten(-shift));
                    let value = rounded(scaled, divisor);
                    if negative {
                        value.wrapping_neg()
                    } else {
                        value
                    }
                })
            }
            _ => x.checked_mul(y).map(|product| {
                let dropped = i32::from(a_scale) + i32::from(b_scale) - i32::from(scale);
                if dropped > 0 {
                    rounded(product, ten(dropped))
                } else {
                    product
                }
            }),
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
