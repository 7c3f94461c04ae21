//! CAST and TO_CHAR. Manual pages: "Type conversions", "TO_CHAR".

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::{DataType as ArrowType, Field, FieldRef};
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, cast as engine_cast, lit,
};

use super::call::{Call, Definition, Gives, Kind, function, known};
use super::datetime::time_to_char;
use crate::datatype::DataType;
use crate::engine::cast::{Casting, cast};
use crate::engine::failure::external;
use crate::engine::types::session_type;
use crate::error::{Error, Result};
use crate::parser::parse_type;

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    function("to_char", "to_char(datetime d, string format) | to_char(boolean|number x)", "Writes a time by a format such as yyyymmdd, or another value as text.", &[Kind::Any, Kind::Text], 1, Gives::Text, to_char),
];

fn to_char(call: &Call) -> Result<ArrayRef> {
    let given = call.type_of(0).clone();
    if call.count() == 2 {
        let is_moment = matches!(
            given,
            ArrowType::Date32 | ArrowType::Timestamp(..) | ArrowType::Null
        );
        if !is_moment && !given.is_string() {
            let name = crate::engine::types::arrow_type_name(&given);
            return Err(Error::semantic(format!(
                "function to_char cannot match any overloaded functions with ({name},STRING)"
            )));
        }
        return time_to_char(call);
    }
    let column = call.any(0);
    call.texts(|row| {
        let row = column.row(row);
        if column.array().is_null(row) {
            return Ok(None);
        }
        let text = known!(crate::engine::text::text(column.array(), row));
        Ok(Some(if matches!(given, ArrowType::Boolean) {
            text.to_uppercase()
        } else {
            text
        }))
    })
}

/// `cast(value, 'type')`: the explicit cast, and the implicit ones that are ours.
#[derive(Debug, PartialEq, Eq, Hash)]
struct CastFunction {
    casting: Casting,
    signature: Signature,
}

pub(super) fn cast_function(casting: Casting) -> Arc<ScalarUDF> {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(ScalarUDF::from(CastFunction { casting, signature }))
}

/// `value` cast to `to`.
pub(in crate::engine) fn cast_expr(value: Expr, to: &str, casting: Casting) -> Expr {
    cast_function(casting).call(vec![value, lit(to)])
}

fn target(value: Option<&ScalarValue>) -> EngineResult<DataType> {
    match value.and_then(ScalarValue::try_as_str).flatten() {
        Some(name) => parse_type(name).map_err(|error| {
            external(Error::semantic(
                error
                    .to_string()
                    .split(" - ")
                    .last()
                    .unwrap_or("invalid type"),
            ))
        }),
        None => internal_err!("a cast needs a constant type"),
    }
}

impl ScalarUDFImpl for CastFunction {
    fn name(&self) -> &str {
        "cast"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[ArrowType]) -> EngineResult<ArrowType> {
        internal_err!("the type of a cast depends on its arguments")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> EngineResult<FieldRef> {
        let to = target(args.scalar_arguments.get(1).copied().flatten())?;
        let arrow = session_type(&to, self.casting.zone.name());
        Ok(Arc::new(Field::new("cast", arrow, true)))
    }

    fn simplify(
        &self,
        mut args: Vec<Expr>,
        info: &SimplifyContext,
    ) -> EngineResult<ExprSimplifyResult> {
        let Expr::Literal(to, _) = &args[1] else {
            return Ok(ExprSimplifyResult::Original(args));
        };
        let arrow = session_type(&target(Some(to))?, self.casting.zone.name());
        let from = info.get_data_type(&args[0])?;
        let wider = |from: &ArrowType, to: &ArrowType| {
            let rank = |t: &ArrowType| match t {
                ArrowType::Int8 => Some(1),
                ArrowType::Int16 => Some(2),
                ArrowType::Int32 => Some(3),
                ArrowType::Int64 => Some(4),
                ArrowType::Float64 => Some(6),
                _ => None,
            };
            rank(from)
                .zip(rank(to))
                .is_some_and(|(from, to)| from <= to)
        };
        let is_bounded = to
            .try_as_str()
            .flatten()
            .is_some_and(|name| name.to_lowercase().contains("char"));
        if (from == arrow && !is_bounded) || wider(&from, &arrow) {
            let value = args.swap_remove(0);
            return Ok(ExprSimplifyResult::Simplified(if from == arrow {
                value
            } else {
                engine_cast(value, arrow)
            }));
        }
        Ok(ExprSimplifyResult::Original(args))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let ColumnarValue::Scalar(to) = &args.args[1] else {
            return internal_err!("a cast needs a constant type");
        };
        let to = target(Some(to))?;
        match &args.args[0] {
            ColumnarValue::Array(array) => cast(array, &to, self.casting)
                .map(ColumnarValue::Array)
                .map_err(external),
            ColumnarValue::Scalar(value) => {
                let array = cast(&value.to_array()?, &to, self.casting).map_err(external)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                    &array, 0,
                )?))
            }
        }
    }
}
