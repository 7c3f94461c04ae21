//! What MaxCompute says of types where the engine is more generous, on the plan before it is optimised:
//! numbers and texts are compared as DOUBLE by IN too, the branches of a CASE or of a UNION have to be of one
//! kind, conditions are BOOLEAN, and aggregates take what they are documented to take. Manual page: "Type
//! conversions".

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use std::sync::Arc;

use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::expr::{Case, Exists, InList, InSubquery};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, merge_schema, split_conjunction_owned};
use datafusion::logical_expr::{
    Expr, ExprSchemable, Filter, LogicalPlan, LogicalPlanBuilder, Subquery, lit, when,
};

use super::cast::Casting;
use super::failure::external;
use super::function::cast_expr;
use super::types::arrow_type_name;
use super::{scalar, upstream};
use crate::error::Error;

/// Checks and completes a plan.
pub(super) fn typed(plan: LogicalPlan, casting: Casting) -> EngineResult<LogicalPlan> {
    let changed = plan.transform_up_with_subqueries(|node| {
        if let LogicalPlan::Union(union) = &node {
            check_union(&union.inputs)?;
        }
        let node = match upstream::fenced(node)? {
            LogicalPlan::Filter(filter) => null_aware(filter)?,
            node => node,
        };
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let typed = expr.transform_up(|expr| {
                let cured = upstream::expression(expr, &schema, casting)?;
                cured.transform_data(|expr| typed_expr(expr, &schema, casting))
            })?;
            typed.map_data(|expr| Ok(name.restore(upstream::separate_operands(expr, casting)?)))
        })
    })?;
    Ok(changed.data)
}

/// A filter in which IN with a subquery keeps its three values wherever it stands. The engine sees to that for
/// a condition by itself; inside of OR, NOT or CASE it only tells found from not found.
fn null_aware(filter: Filter) -> EngineResult<LogicalPlan> {
    let schema = Arc::clone(filter.input.schema());
    let predicate = upstream::one_row_subqueries(filter.predicate, &schema)?;
    let conditions = split_conjunction_owned(predicate).into_iter();
    let conditions = conditions.map(|condition| match condition {
        // The engine's anti join knows NULL of a column beside one that is not correlated.
        Expr::InSubquery(inside) if inside.negated && !is_plain(&inside) => not_in(inside, &schema),
        alone @ Expr::InSubquery(_) => Ok(alone),
        other => {
            let changed = other.transform_up(|expr| match expr {
                Expr::InSubquery(inside) => found_in(inside, &schema).map(Transformed::yes),
                other => Ok(Transformed::no(other)),
            });
            changed.map(|changed| changed.data)
        }
    });
    let conditions = conditions.collect::<EngineResult<Vec<_>>>()?;
    let predicate = conjunction(conditions).unwrap_or_else(|| lit(true));
    Filter::try_new(predicate, filter.input).map(LogicalPlan::Filter)
}

fn is_plain(inside: &InSubquery) -> bool {
    inside.subquery.outer_ref_columns.is_empty() && !inside.expr.column_refs().is_empty()
}

/// `x NOT IN (q)` as a condition by itself: there is no row of q that is x or may be.
fn not_in(inside: InSubquery, schema: &DFSchema) -> EngineResult<Expr> {
    let columns = inside.subquery.subquery.schema().columns();
    let [column] = columns.as_slice() else {
        return Ok(Expr::InSubquery(inside));
    };
    let outer = as_outer(*inside.expr, schema)?;
    let value = Expr::Column(column.clone());
    let may_be = value
        .clone()
        .eq(outer.clone())
        .or(value.is_null())
        .or(outer.is_null());
    exists(&inside.subquery, Some(may_be)).map(|found| !found)
}

/// Whether a subquery has a row of which a condition is true.
fn exists(subquery: &Subquery, condition: Option<Expr>) -> EngineResult<Expr> {
    let mut plan = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone());
    let mut outer = subquery.outer_ref_columns.clone();
    if let Some(condition) = condition {
        plan = plan.filter(condition)?;
    }
    let plan = plan.build()?;
    outer.extend(plan.all_out_ref_exprs());
    outer.dedup();
    Ok(Expr::Exists(Exists::new(
        Subquery {
            subquery: Arc::new(plan),
            outer_ref_columns: outer,
            spans: subquery.spans.clone(),
        },
        false,
    )))
}

/// An expression as a subquery sees it.
fn as_outer(expr: Expr, schema: &DFSchema) -> EngineResult<Expr> {
    let outer = expr.transform_up(|expr| match expr {
        Expr::Column(column) => {
            let field = Arc::clone(schema.qualified_field_from_column(&column)?.1);
            let outer = Expr::OuterReferenceColumn(field, column);
            Ok(Transformed::yes(outer))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(outer.data)
}

/// `x IN (q)` by its definition: TRUE where q has it, else NULL where x is NULL and q is not empty or where q has
/// a NULL, else FALSE.
fn found_in(inside: InSubquery, schema: &DFSchema) -> EngineResult<Expr> {
    let InSubquery {
        expr,
        subquery,
        negated,
    } = inside;
    let columns = subquery.subquery.schema().columns();
    let [column] = columns.as_slice() else {
        let same = InSubquery::new(expr, subquery, negated);
        return Ok(Expr::InSubquery(same));
    };
    let exists = |condition| exists(&subquery, condition);
    let outer = as_outer(expr.as_ref().clone(), schema)?;
    let value = Expr::Column(column.clone());
    let is_found = exists(Some(value.clone().eq(outer)))?;
    let is_unknown = expr
        .is_null()
        .and(exists(None)?)
        .or(exists(Some(value.is_null()))?);
    let found = when(is_found, lit(true))
        .when(is_unknown, lit(ScalarValue::Boolean(None)))
        .otherwise(lit(false))?;
    Ok(if negated { !found } else { found })
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
        Expr::InSubquery(InSubquery {
            expr,
            mut subquery,
            negated,
        }) => {
            let inner = subquery.subquery.schema();
            let given = inner.fields().first().map(|field| field.data_type());
            let is_mixed = inner.fields().len() == 1
                && given.is_some_and(|given| {
                    (is_text(given) && is(&expr, &is_number))
                        || (is_number(given) && is(&expr, &is_text))
                });
            if !is_mixed {
                let same = InSubquery::new(expr, subquery, negated);
                return Ok(Transformed::no(Expr::InSubquery(same)));
            }
            let column = Expr::Column(inner.columns().swap_remove(0));
            let plan = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone())
                .project([cast_expr(column, "double", casting).alias("__double")])?
                .build()?;
            subquery.subquery = Arc::new(plan);
            let expr = Box::new(cast_expr(*expr, "double", casting));
            let mixed = InSubquery::new(expr, subquery, negated);
            Ok(Transformed::yes(Expr::InSubquery(mixed)))
        }
        Expr::ScalarSubquery(subquery) => scalar::of_one_row(subquery, casting),
        Expr::Like(like) => {
            for side in [&like.expr, &like.pattern] {
                if !is(side, &|given| is_text(given) || given.is_null()) {
                    return Err(unmatched("like", [&*like.expr, &*like.pattern], schema));
                }
            }
            Ok(Transformed::no(Expr::Like(like)))
        }
        Expr::ScalarFunction(call) if call.name() == "rlike" => {
            let is_fit = |side| is(side, &|given| is_text(given) || given.is_null());
            if !call.args.iter().all(is_fit) {
                return Err(unmatched("rlike", &call.args, schema));
            }
            Ok(Transformed::no(Expr::ScalarFunction(call)))
        }
        Expr::ScalarFunction(mut call) if call.name() == "make_array" => {
            let mixed = call.args.iter().any(|item| is(item, &is_text))
                && call.args.iter().any(|item| is(item, &is_number));
            if !mixed {
                return Ok(Transformed::no(Expr::ScalarFunction(call)));
            }
            let items = call.args.into_iter();
            call.args = items
                .map(|item| cast_expr(item, "string", casting))
                .collect();
            Ok(Transformed::yes(Expr::ScalarFunction(call)))
        }
        Expr::AggregateFunction(call) if ["max", "min"].contains(&call.func.name()) => {
            let is_unfit = |given: &ArrowType| *given == ArrowType::Boolean || given.is_nested();
            if call.params.args.iter().any(|value| is(value, &is_unfit)) {
                return Err(unmatched(call.func.name(), &call.params.args, schema));
            }
            Ok(Transformed::no(Expr::AggregateFunction(call)))
        }
        Expr::Case(case) => {
            let is_condition = |given: &ArrowType| *given == ArrowType::Boolean || given.is_null();
            let mut conditions = case.when_then_expr.iter().map(|(when, _)| when);
            if case.expr.is_none() && !conditions.all(|when| is(when, &is_condition)) {
                return Err(external(Error::semantic("expect a BOOLEAN expression")));
            }
            let branches = case.when_then_expr.iter().map(|(_, then)| then);
            let types = branches
                .chain(&case.else_expr)
                .filter_map(|branch| branch.get_type(schema).ok());
            if let Some((a, b)) = mismatch(types) {
                return Err(external(Error::semantic(format!(
                    "the branches of CASE have types {a} and {b}"
                ))));
            }
            Ok(as_texts(case, &is, casting))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// A CASE of which a branch is a text gives texts.
fn as_texts(
    mut case: Case,
    is: &impl Fn(&Expr, &dyn Fn(&ArrowType) -> bool) -> bool,
    casting: Casting,
) -> Transformed<Expr> {
    let is_text = |given: &ArrowType| given.is_string();
    let is_plain = |given: &ArrowType| {
        given.is_numeric()
            || given.is_decimal()
            || matches!(given, ArrowType::Date32 | ArrowType::Timestamp(..))
    };
    let thens = case.when_then_expr.iter_mut().map(|(_, then)| then);
    let branches: Vec<&mut Box<Expr>> = thens.chain(&mut case.else_expr).collect();
    let has_text = branches.iter().any(|branch| is(branch, &is_text));
    let mut is_changed = false;
    for branch in branches {
        if has_text && is(branch, &is_plain) {
            let given = std::mem::take(&mut **branch);
            **branch = cast_expr(given, "string", casting);
            is_changed = true;
        }
    }
    Transformed::new_transformed(Expr::Case(case), is_changed)
}

fn unmatched<'a>(
    name: &str,
    arguments: impl IntoIterator<Item = &'a Expr>,
    schema: &DFSchema,
) -> DataFusionError {
    let types = arguments.into_iter().map(|argument| {
        let given = argument.get_type(schema).unwrap_or(ArrowType::Null);
        arrow_type_name(&given)
    });
    let types: Vec<String> = types.collect();
    external(Error::semantic(format!(
        "function {name} cannot match any overloaded functions with ({})",
        types.join(",")
    )))
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

fn check_union(inputs: &[Arc<LogicalPlan>]) -> EngineResult<()> {
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
