//! How the engine plans operators: by the types of their operands.

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::{DFSchema, DataFusionError, ScalarValue};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, Operator as PlainOperator, cast as engine_cast,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use super::cast::Casting;
use super::comparison::comparable;
use super::failure::external;
use super::function::{Operator, cast_expr, has_room, operator};
use super::types::arrow_type_name;
use crate::error::Error;

/// See the module.
#[derive(Debug)]
pub(super) struct OperatorPlanner {
    pub casting: Casting,
}

impl ExprPlanner for OperatorPlanner {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> EngineResult<PlannerResult<RawBinaryExpr>> {
        let (Ok(left), Ok(right)) = (expr.left.get_type(schema), expr.right.get_type(schema))
        else {
            return Ok(PlannerResult::Original(expr));
        };
        let operands = Operands {
            casting: self.casting,
            left: (expr.left.clone(), left),
            right: (expr.right.clone(), right),
        };
        let planned = match &expr.op {
            BinaryOperator::Plus => operands.arithmetic(Operator::Add, PlainOperator::Plus)?,
            BinaryOperator::Minus => {
                operands.arithmetic(Operator::Subtract, PlainOperator::Minus)?
            }
            BinaryOperator::Multiply => {
                operands.arithmetic(Operator::Multiply, PlainOperator::Multiply)?
            }
            BinaryOperator::Modulo => {
                operands.arithmetic(Operator::Remainder, PlainOperator::Modulo)?
            }
            BinaryOperator::Divide => Some(operands.quotient()?),
            BinaryOperator::MyIntegerDivide => Some(operands.whole_quotient()?),
            BinaryOperator::Eq => operands.comparison(PlainOperator::Eq)?,
            BinaryOperator::NotEq => operands.comparison(PlainOperator::NotEq)?,
            BinaryOperator::Lt => operands.comparison(PlainOperator::Lt)?,
            BinaryOperator::LtEq => operands.comparison(PlainOperator::LtEq)?,
            BinaryOperator::Gt => operands.comparison(PlainOperator::Gt)?,
            BinaryOperator::GtEq => operands.comparison(PlainOperator::GtEq)?,
            BinaryOperator::Spaceship => {
                let plain = PlainOperator::IsNotDistinctFrom;
                Some(match operands.comparison(plain)? {
                    Some(compared) => compared,
                    None => binary(expr.left.clone(), plain, expr.right.clone()),
                })
            }
            BinaryOperator::And | BinaryOperator::Or => {
                for (_, given) in [&operands.left, &operands.right] {
                    expect_boolean(given)?;
                }
                None
            }
            BinaryOperator::BitwiseAnd | BinaryOperator::BitwiseOr | BinaryOperator::BitwiseXor => {
                let is_inexact =
                    |(_, given): &(Expr, ArrowType)| given.is_floating() || given.is_decimal();
                if is_inexact(&operands.left) || is_inexact(&operands.right) {
                    return Err(operands.refused(&format!("operator {}", expr.op)));
                }
                None
            }
            BinaryOperator::StringConcat => Some(operands.joined()),
            _ => None,
        };
        Ok(match planned {
            Some(planned) => PlannerResult::Planned(planned),
            None => PlannerResult::Original(expr),
        })
    }
}

fn expect_boolean(given: &ArrowType) -> EngineResult<()> {
    if matches!(given, ArrowType::Boolean | ArrowType::Null) {
        Ok(())
    } else {
        Err(external(Error::semantic("expect a BOOLEAN expression")))
    }
}

fn binary(left: Expr, op: PlainOperator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr {
        left: Box::new(left),
        op,
        right: Box::new(right),
    })
}

fn is_number(given: &ArrowType) -> bool {
    given.is_numeric() || given.is_decimal()
}

/// A division of constants by zero is refused before anything runs.
fn refuse_zero(left: &Expr, right: &Expr) -> EngineResult<()> {
    let number = |expr: &Expr| match expr {
        Expr::Literal(value, _) => match value.cast_to(&ArrowType::Float64) {
            Ok(ScalarValue::Float64(number)) => number,
            _ => None,
        },
        _ => None,
    };
    let (Some(left), Some(0.0)) = (number(left), number(right)) else {
        return Ok(());
    };
    let result = match left {
        0.0 => "NaN",
        _ => "overflow",
    };
    Err(external(Error::semantic(format!(
        "encounter runtime exception while evaluating function /, detailed message: DIVIDE func result \
         {result}, two params are {left:.6} and 0.000000"
    ))))
}

/// The operands of a binary operator with their types.
struct Operands {
    casting: Casting,
    left: (Expr, ArrowType),
    right: (Expr, ArrowType),
}

impl Operands {
    fn refused(&self, what: &str) -> DataFusionError {
        external(Error::semantic(format!(
            "{what} cannot be applied to {} and {}",
            arrow_type_name(&self.left.1),
            arrow_type_name(&self.right.1)
        )))
    }

    fn cast(&self, (expr, given): &(Expr, ArrowType), to: &str) -> Expr {
        let name = arrow_type_name(given).to_lowercase();
        if name == to {
            return expr.clone();
        }
        // A constant is converted here, which keeps plans readable and pruning possible.
        cast_expr(expr.clone(), to, self.casting)
    }

    /// An operand in a wider number type, by the engine's own cast.
    fn widen((expr, given): &(Expr, ArrowType), to: &ArrowType) -> Expr {
        if given == to {
            expr.clone()
        } else {
            engine_cast(expr.clone(), to.clone())
        }
    }

    /// Texts become DOUBLE, NULL takes the other side's type.
    fn as_numbers(&self, what: &str) -> EngineResult<Self> {
        let number =
            |side: &(Expr, ArrowType), other: &ArrowType| -> EngineResult<(Expr, ArrowType)> {
                let (expr, given) = side;
                if given.is_string() {
                    return Ok((self.cast(side, "double"), ArrowType::Float64));
                }
                if given.is_null() {
                    let to = if is_number(other) {
                        other.clone()
                    } else {
                        ArrowType::Float64
                    };
                    return Ok((engine_cast(expr.clone(), to.clone()), to));
                }
                if is_number(given) {
                    Ok(side.clone())
                } else {
                    Err(self.refused(what))
                }
            };
        Ok(Self {
            casting: self.casting,
            left: number(&self.left, &self.right.1)?,
            right: number(&self.right, &self.left.1)?,
        })
    }

    /// The common type of whole numbers.
    fn whole_type(&self) -> Option<ArrowType> {
        let (left, right) = (&self.left.1, &self.right.1);
        if !left.is_integer() || !right.is_integer() {
            return None;
        }
        let width = |given: &ArrowType| given.primitive_width().unwrap_or(8);
        Some(match width(left).max(width(right)) {
            1 => ArrowType::Int8,
            2 => ArrowType::Int16,
            4 => ArrowType::Int32,
            _ => ArrowType::Int64,
        })
    }

    fn has_decimal(&self) -> bool {
        let is_exact = |given: &ArrowType| given.is_decimal() || given.is_integer();
        (self.left.1.is_decimal() || self.right.1.is_decimal())
            && is_exact(&self.left.1)
            && is_exact(&self.right.1)
    }

    /// Both operands as decimals; a constant is no wider than it has to be.
    fn as_decimals(&self) -> (Expr, ArrowType, Expr, ArrowType) {
        let decimal = |(expr, given): &(Expr, ArrowType)| {
            if given.is_decimal() {
                return (expr.clone(), given.clone());
            }
            let digits = match expr {
                Expr::Literal(ScalarValue::Int64(Some(number)), _) => {
                    number.unsigned_abs().to_string().len() as u8
                }
                _ => match given.primitive_width() {
                    Some(1) => 3,
                    Some(2) => 5,
                    Some(4) => 10,
                    _ => 19,
                },
            };
            let to = ArrowType::Decimal128(digits, 0);
            (engine_cast(expr.clone(), to.clone()), to)
        };
        let ((left, left_type), (right, right_type)) = (decimal(&self.left), decimal(&self.right));
        (left, left_type, right, right_type)
    }

    fn arithmetic(&self, ours: Operator, plain: PlainOperator) -> EngineResult<Option<Expr>> {
        let is_interval =
            |given: &ArrowType| matches!(given, ArrowType::Interval(_) | ArrowType::Duration(_));
        if is_interval(&self.left.1) || is_interval(&self.right.1) {
            return Ok(None);
        }
        let operands = self.as_numbers("an arithmetic operator")?;
        if let Some(common) = operands.whole_type() {
            let left = Self::widen(&operands.left, &common);
            return Ok(Some(operator(
                ours,
                left,
                Self::widen(&operands.right, &common),
            )));
        }
        if operands.has_decimal() {
            let (left, left_type, right, right_type) = operands.as_decimals();
            let exact = match ours {
                Operator::Add => Operator::DecimalAdd,
                Operator::Subtract => Operator::DecimalSubtract,
                Operator::Multiply => Operator::DecimalMultiply,
                _ => Operator::DecimalRemainder,
            };
            if !has_room(exact, &left_type, &right_type) {
                return Ok(Some(operator(exact, left, right)));
            }
            return Ok(Some(binary(left, plain, right)));
        }
        let double = ArrowType::Float64;
        let left = Self::widen(&operands.left, &double);
        let right = Self::widen(&operands.right, &double);
        Ok(Some(binary(left, plain, right)))
    }

    fn quotient(&self) -> EngineResult<Expr> {
        refuse_zero(&self.left.0, &self.right.0)?;
        let operands = self.as_numbers("/")?;
        if operands.has_decimal() {
            let (left, _, right, _) = operands.as_decimals();
            return Ok(operator(Operator::DecimalDivide, left, right));
        }
        let double = ArrowType::Float64;
        let left = Self::widen(&operands.left, &double);
        Ok(operator(
            Operator::Divide,
            left,
            Self::widen(&operands.right, &double),
        ))
    }

    fn whole_quotient(&self) -> EngineResult<Expr> {
        let operands = self.as_numbers("DIV")?;
        if operands.whole_type().is_some() {
            let whole = ArrowType::Int64;
            let left = Self::widen(&operands.left, &whole);
            return Ok(operator(
                Operator::IntegerDivide,
                left,
                Self::widen(&operands.right, &whole),
            ));
        }
        Ok(cast_expr(operands.quotient()?, "bigint", self.casting))
    }

    /// The comparison where its operands have different kinds of types; `None` where the engine's own does.
    fn comparison(&self, op: PlainOperator) -> EngineResult<Option<Expr>> {
        let operands = comparable(&self.left, &self.right, self.casting)?;
        Ok(operands.map(|(left, right)| binary(left, op, right)))
    }

    fn joined(&self) -> Expr {
        let text = |side: &(Expr, ArrowType)| self.cast(side, "string");
        binary(
            text(&self.left),
            PlainOperator::StringConcat,
            text(&self.right),
        )
    }
}
