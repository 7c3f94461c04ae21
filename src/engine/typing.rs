//! What MaxCompute says of types where the engine is more generous, on the plan before it is optimised:
//! a list of IN with numbers and texts is compared as DOUBLE, and the branches of a CASE or of a UNION have
//! to be of one kind. Manual page: "Type conversions".

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan};

use super::cast::Casting;
use super::failure::external;
use super::function::cast_expr;
use super::types::arrow_type_name;
use crate::error::Error;

/// Checks and completes a plan.
pub(super) fn typed(plan: LogicalPlan, casting: Casting) -> EngineResult<LogicalPlan> {
    let changed = plan.transform_up_with_subqueries(|node| {
        if let LogicalPlan::Union(union) = &node {
            check_union(&union.inputs)?;
        }
        let schema = merge_schema(&node.inputs());
        node.map_expressions(|expr| expr.transform_up(|expr| typed_expr(expr, &schema, casting)))
    })?;
    Ok(changed.data)
}

fn typed_expr(expr: Expr, schema: &DFSchema, casting: Casting) -> EngineResult<Transformed<Expr>> {
    let is = |expr: &Expr, test: &dyn Fn(&ArrowType) -> bool| {
        expr.get_type(schema).is_ok_and(|given| test(&given))
    };
    let is_text = |given: &ArrowType| given.is_string();
    let is_number = |given: &ArrowType| given.is_numeric() || given.is_decimal();
    match expr {
        Expr::InList(InList {
            expr,
            list,
            negated,
        }) => {
            let mut all = std::iter::once(&*expr).chain(&list);
            let has_text = all.any(|item| is(item, &is_text));
            let mut all = std::iter::once(&*expr).chain(&list);
            let has_number = all.any(|item| is(item, &is_number));
            if !(has_text && has_number) {
                let same = Expr::InList(InList::new(expr, list, negated));
                return Ok(Transformed::no(same));
            }
            let double = |item: Expr| cast_expr(item, "double", casting);
            let list = list.into_iter().map(double).collect();
            let list = InList::new(Box::new(double(*expr)), list, negated);
            Ok(Transformed::yes(Expr::InList(list)))
        }
        Expr::Case(case) => {
            let branches = case.when_then_expr.iter().map(|(_, then)| then);
            let types = branches
                .chain(&case.else_expr)
                .filter_map(|branch| branch.get_type(schema).ok());
            if let Some((a, b)) = mismatch(types) {
                return Err(external(Error::semantic(format!(
                    "the branches of CASE have types {a} and {b}"
                ))));
            }
            Ok(Transformed::no(Expr::Case(case)))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// Two types of different kinds: a time and a number, or a truth value and anything else.
fn mismatch(types: impl Iterator<Item = ArrowType>) -> Option<(String, String)> {
    let kind = |given: &ArrowType| match given {
        ArrowType::Date32 | ArrowType::Timestamp(..) => Some(1),
        ArrowType::Boolean => Some(2),
        given if given.is_numeric() || given.is_decimal() => Some(3),
        _ => None,
    };
    let mut first: Option<ArrowType> = None;
    for given in types.filter(|given| kind(given).is_some()) {
        match &first {
            None => first = Some(given),
            Some(before) if kind(before) != kind(&given) => {
                return Some((arrow_type_name(before), arrow_type_name(&given)));
            }
            Some(_) => {}
        }
    }
    None
}

fn check_union(inputs: &[std::sync::Arc<LogicalPlan>]) -> EngineResult<()> {
    let width = inputs
        .iter()
        .map(|input| input.schema().fields().len())
        .min();
    for column in 0..width.unwrap_or(0) {
        let types = inputs
            .iter()
            .map(|input| input.schema().field(column).data_type().clone());
        if let Some((a, b)) = mismatch(types) {
            return Err(external(Error::set_operation(format!(
                "column {} has types {a} and {b}",
                column + 1
            ))));
        }
    }
    Ok(())
}
