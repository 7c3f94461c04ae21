//! Faults of the engine that are cured on our side, before the optimizer sees a plan. `tests/upstream.rs` fails when one of
//! them no longer occurs.
//!
//! | upstream (apache/datafusion) | symptom | cure |
//! |---|---|---|
//! | pull 25259, issues 25244, 25262, 25263, 25264, 25296 | a filter above a join reaches the other table's column of that name | [`super::names`] |
//! | none known | `<=>` in a chain of inner joins becomes `=`; `=` beside `<=>` in one join becomes `<=>` | [`super::rules`] |
//! | issue 24960, 25519 | EXISTS and IN over an aggregate without GROUP BY lose the row it always has | [`one_row_subqueries`] |
//! | none known | correlated NOT IN, and NOT IN of a constant, forget NULL | `typing::null_aware` |
//! | none known | a condition without columns goes below an aggregate that has a row for the whole | [`fenced`] |
//! | issue 24246 | `x in (1) and x in (2)`, `x in (1) and x not in (2, null)` and `x ^ x` forget NULL | [`separate_operands`] |
//! | none known | `x = 2 and 2 = x` is false in the condition of a join | [`super::rules`] |
//! | none known | COUNT(DISTINCT) of a constant column is 1, of no rows and of NULL too | [`super::rules`] |
//! | issue 25457 | BETWEEN draws a random number twice | `sql::rewrite` |
//! | pull 22835 | -0.0 and 0.0 differ for IN, NULLIF, CASE x WHEN, windows and DISTINCT | [`expression`] |
//! | none known | a grouping over IS DISTINCT FROM, which CASE may become, is an internal error | `skip_physical_aggregate_schema_check` |
//! | issue 16406 | SUM of DECIMAL wraps past 38 digits, `+`, `-` and `*` let 39 pass | [`super::sum`], `function::operator` |
//! | none known | DECIMAL meets DOUBLE in DECIMAL(p,15) | [`super::comparison`] |
//! | issue 22881, pull 22998 | USING under RIGHT and FULL JOIN takes the key of the left side | refused by [`fenced`] |

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{BinaryExpr, Case, InList, WindowFunction};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprSchemable, GroupingSet, JoinConstraint, JoinType, LogicalPlan,
    LogicalPlanBuilder, Operator, SubqueryAlias, lit, when,
};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use super::cast::{Casting, has_real};
use super::comparison::equal;
use super::failure::external;
use super::function::internal_call;
use crate::error::Error;

/// A node as the optimizer may see it.
pub(super) fn fenced(node: LogicalPlan, casting: Casting) -> Result<LogicalPlan> {
    let is_told = |given: &DataType| given.is_nested() && has_real(given);
    match node {
        // Of numbers by themselves the engine knows it.
        LogicalPlan::Aggregate(aggregate)
            if !matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)]) =>
        {
            let schema = aggregate.input.schema();
            let keys = unsigned_keys(aggregate.group_expr, schema, casting, is_told)?;
            Aggregate::try_new(aggregate.input, keys, aggregate.aggr_expr)
                .map(LogicalPlan::Aggregate)
        }
        LogicalPlan::Distinct(Distinct::All(input))
            if input
                .schema()
                .fields()
                .iter()
                .any(|field| is_told(field.data_type())) =>
        {
            let columns = input.schema().columns().into_iter().map(Expr::Column);
            let keys = unsigned_keys(columns.collect(), input.schema(), casting, is_told)?;
            let plan = LogicalPlanBuilder::from(input.as_ref().clone());
            plan.project(keys)?.distinct()?.build()
        }
        // The last key may leave equal rows in any order.
        LogicalPlan::Sort(mut sort) if sort.expr.len() > 1 => {
            let last = sort.expr.len() - 1;
            for key in &mut sort.expr[..last] {
                let given = key.expr.get_type(sort.input.schema())?;
                if has_real(&given) {
                    key.expr = unsigned(std::mem::take(&mut key.expr), casting);
                }
            }
            Ok(LogicalPlan::Sort(sort))
        }
        // An aggregate over everything has its row whatever comes in: nothing goes below it.
        LogicalPlan::SubqueryAlias(alias) if has_own_row(&alias.input)? => {
            let rows_max = match rows_of(&alias.input) {
                Rows::One => 1,
                // A LIMIT that lets all rows pass.
                Rows::Some | Rows::Any => i64::MAX as usize,
            };
            let input = alias.input.as_ref().clone();
            let input = LogicalPlanBuilder::from(input)
                .limit(0, Some(rows_max))?
                .build()?;
            SubqueryAlias::try_new(Arc::new(input), alias.alias).map(LogicalPlan::SubqueryAlias)
        }
        LogicalPlan::Join(join)
            if join.join_constraint == JoinConstraint::Using
                && matches!(join.join_type, JoinType::Right | JoinType::Full) =>
        {
            let refused = Error::not_supported("USING and NATURAL under RIGHT and FULL JOIN");
            Err(external(
                refused.hint("join ON the columns, and choose with COALESCE"),
            ))
        }
        other => Ok(other),
    }
}

/// Whether a plan looks at no query around it and has a row even where there is nothing to read.
fn has_own_row(plan: &LogicalPlan) -> Result<bool> {
    let is_free = !plan.exists(|node| {
        let mut is_correlated = false;
        node.apply_expressions(|expr| {
            is_correlated |= expr.contains_outer();
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(is_correlated)
    })?;
    Ok(is_free && rows_of(plan) != Rows::Any)
}

#[derive(PartialEq, Eq)]
enum Rows {
    One,
    /// One at least.
    Some,
    Any,
}

/// How many rows a subquery has, as far as its outermost operators tell.
fn rows_of(plan: &LogicalPlan) -> Rows {
    match plan {
        LogicalPlan::Projection(projection) => rows_of(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => rows_of(&alias.input),
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => rows_of(&sort.input),
        LogicalPlan::Distinct(Distinct::All(input)) => rows_of(input),
        LogicalPlan::Aggregate(aggregate) => match aggregate.group_expr.as_slice() {
            [] => Rows::One,
            [Expr::GroupingSet(sets)] => match sets {
                GroupingSet::Rollup(_) | GroupingSet::Cube(_) => Rows::Some,
                GroupingSet::GroupingSets(sets) if sets.iter().any(Vec::is_empty) => Rows::Some,
                GroupingSet::GroupingSets(_) => Rows::Any,
            },
            _ => Rows::Any,
        },
        _ => Rows::Any,
    }
}

/// Whether a condition stands over the row that an aggregate always has.
fn filters_own_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => filters_own_row(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => filters_own_row(&alias.input),
        LogicalPlan::Distinct(Distinct::All(input)) => filters_own_row(input),
        LogicalPlan::Filter(filter) => {
            rows_of(&filter.input) != Rows::Any || filters_own_row(&filter.input)
        }
        _ => false,
    }
}

/// EXISTS and IN over a subquery that always has a row.
///
/// # Errors
/// `NotSupported` for HAVING over such a row in a subquery that looks at the query around it: made a join, it has the row only
/// where something matches.
pub(super) fn one_row_subqueries(expr: Expr, schema: &DFSchema, casting: Casting) -> Result<Expr> {
    let changed = expr.transform_up(|expr| {
        let subquery = match &expr {
            Expr::Exists(exists) => Some(&exists.subquery),
            Expr::InSubquery(inside) => Some(&inside.subquery),
            Expr::ScalarSubquery(subquery) => Some(subquery),
            _ => None,
        };
        if subquery.is_some_and(|subquery| {
            !subquery.outer_ref_columns.is_empty() && filters_own_row(&subquery.subquery)
        }) {
            return Err(external(Error::not_supported(
                "HAVING without GROUP BY in a subquery that looks at the query around it",
            )));
        }
        Ok(match expr {
            Expr::Exists(exists) if rows_of(&exists.subquery.subquery) != Rows::Any => {
                Transformed::yes(lit(!exists.negated))
            }
            Expr::InSubquery(inside) if rows_of(&inside.subquery.subquery) == Rows::One => {
                let inner = inside.subquery.subquery.schema();
                let given = inside.expr.get_type(schema)?;
                if inner.fields().len() != 1 {
                    return Ok(Transformed::no(Expr::InSubquery(inside)));
                }
                let value_type = inner.field(0).data_type().clone();
                let value = Expr::ScalarSubquery(inside.subquery);
                let same = equal((*inside.expr, given), (value, value_type), casting)?;
                Transformed::yes(if inside.negated { !same } else { same })
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(changed.data)
}

/// The value of a constant.
fn value_of(expr: &Expr) -> Option<ScalarValue> {
    match expr {
        Expr::Literal(value, _) => Some(value.clone()),
        constant if !constant.any_column_refs() && !constant.is_volatile() => {
            let context = SimplifyContext::builder().build();
            let folded = ExprSimplifier::new(context).simplify(constant.clone());
            match folded {
                Ok(Expr::Literal(value, _)) => Some(value),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Whether an expression is a constant and not NULL.
fn is_known(expr: &Expr) -> bool {
    value_of(expr).is_some_and(|value| !value.is_null())
}

fn is_zero(expr: &Expr) -> bool {
    match value_of(expr) {
        Some(ScalarValue::Float64(Some(value))) => value == 0.0,
        Some(ScalarValue::Float32(Some(value))) => value == 0.0,
        _ => false,
    }
}

/// Operands that the simplifier would take for one, kept apart.
pub(super) fn separate_operands(expr: Expr, casting: Casting) -> Result<Expr> {
    let mut lists: HashMap<String, InList> = HashMap::new();
    let apart = |expr: Expr| internal_call("__itself", vec![expr], casting);
    let changed = expr.transform_up(|expr| {
        Ok(match expr {
            Expr::InList(mut list) => {
                // Two that are equal may become one, and of values that are known the simplifier is right in a filter: there
                // it meets lists that a join's condition brings together.
                let first = lists.entry(list.expr.to_string());
                let is_first = *first.or_insert_with(|| list.clone()) == list;
                if is_first && list.list.iter().all(is_known) {
                    return Ok(Transformed::no(Expr::InList(list)));
                }
                list.expr = Box::new(apart(*list.expr));
                Transformed::yes(Expr::InList(list))
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right })
                if op == Operator::BitwiseXor && left == right =>
            {
                let right = Box::new(apart(*right));
                Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(changed.data)
}

/// One expression, its operands first.
pub(super) fn expression(
    expr: Expr,
    schema: &DFSchema,
    casting: Casting,
) -> Result<Transformed<Expr>> {
    let is_real = |expr: &Expr| expr.get_type(schema).is_ok_and(|given| has_real(&given));
    let is_nested = |expr: &Expr| expr.get_type(schema).is_ok_and(|given| given.is_nested());
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if op.supports_propagation() // what compares
                && is_nested(&left) && is_real(&left) =>
        {
            let [left, right] = [*left, *right].map(|side| Box::new(unsigned(side, casting)));
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        // Many equations become a list, to which -0.0 is another number.
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if op == Operator::Eq && is_real(&left) && is_zero(&right) != is_zero(&left) =>
        {
            let [left, right] = [*left, *right].map(|side| match is_zero(&side) {
                true => Box::new(side),
                false => Box::new(unsigned(side, casting)),
            });
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Expr::ScalarFunction(mut call)
            if COMPARE_ITEMS.contains(&call.name()) && call.args.iter().any(is_real) =>
        {
            let arguments = call.args.into_iter();
            call.args = arguments
                .map(|value| match is_real(&value) {
                    true => unsigned(value, casting),
                    false => value,
                })
                .collect();
            Transformed::yes(Expr::ScalarFunction(call))
        }
        Expr::InList(mut list) if is_real(&list.expr) || list.list.iter().any(is_real) => {
            // A sum with 0.0 has no negative zero.
            list.expr = Box::new(unsigned(*list.expr, casting));
            let items = list.list.into_iter();
            list.list = items
                .map(|item| without_sign_of_zero(item, casting, schema))
                .collect();
            Transformed::yes(Expr::InList(list))
        }
        Expr::ScalarFunction(call)
            if call.name() == "nullif"
                && call.args.iter().any(is_real)
                && !expr_is_volatile(&call.args) =>
        {
            let [a, b] = call.args.as_slice() else {
                return Ok(Transformed::no(Expr::ScalarFunction(call)));
            };
            let same =
                when(a.clone().eq(b.clone()), lit(ScalarValue::Null)).otherwise(a.clone())?;
            Transformed::yes(same)
        }
        Expr::Case(Case {
            expr: Some(of),
            when_then_expr,
            else_expr,
        }) if (is_real(&of) || when_then_expr.iter().any(|(when, _)| is_real(when)))
            && !of.is_volatile() =>
        {
            let branches = when_then_expr
                .into_iter()
                .map(|(value, then)| (Box::new(of.as_ref().clone().eq(*value)), then));
            Transformed::yes(Expr::Case(Case {
                expr: None,
                when_then_expr: branches.collect(),
                else_expr,
            }))
        }
        Expr::AggregateFunction(mut call) if call.params.distinct => {
            let is_any = call.params.args.iter().any(is_real);
            let arguments = call.params.args.into_iter();
            call.params.args = arguments
                .map(|value| {
                    if is_real(&value) {
                        unsigned(value, casting)
                    } else {
                        value
                    }
                })
                .collect();
            Transformed::new_transformed(Expr::AggregateFunction(call), is_any)
        }
        Expr::WindowFunction(window) => {
            let WindowFunction { fun, mut params } = *window;
            let mut is_any = false;
            for key in &mut params.partition_by {
                if is_real(key) {
                    *key = unsigned(std::mem::take(key), casting);
                    is_any = true;
                }
            }
            for sort in &mut params.order_by {
                if is_real(&sort.expr) {
                    sort.expr = unsigned(std::mem::take(&mut sort.expr), casting);
                    is_any = true;
                }
            }
            let window = Expr::WindowFunction(Box::new(WindowFunction { fun, params }));
            Transformed::new_transformed(window, is_any)
        }
        other => Transformed::no(other),
    })
}

/// Functions that look for equal items, and give none of them or each once.
const COMPARE_ITEMS: [&str; 8] = [
    "array_has",
    "array_has_any",
    "array_position",
    "array_distinct",
    "array_union",
    "array_intersect",
    "array_except",
    "arrays_overlap",
];

/// Expressions by which rows are told apart or put in order, without the sign of zero, under the names they had.
fn unsigned_keys(
    keys: Vec<Expr>,
    schema: &DFSchema,
    casting: Casting,
    is_told: impl Fn(&DataType) -> bool,
) -> Result<Vec<Expr>> {
    let unsigned = keys.into_iter().map(|key| {
        if !key.get_type(schema).is_ok_and(|given| is_told(&given)) {
            return Ok(key);
        }
        let (relation, name) = key.qualified_name();
        Ok(unsigned(key, casting).alias_qualified(relation, name))
    });
    unsigned.collect()
}

fn expr_is_volatile(exprs: &[Expr]) -> bool {
    exprs.iter().any(Expr::is_volatile)
}

/// A number, or what holds numbers, with 0.0 for -0.0.
pub(super) fn unsigned(expr: Expr, casting: Casting) -> Expr {
    internal_call("__unsigned_zero", vec![expr], casting)
}

fn without_sign_of_zero(item: Expr, casting: Casting, schema: &DFSchema) -> Expr {
    match item {
        Expr::Literal(ScalarValue::Float64(Some(number)), metadata) => {
            Expr::Literal(ScalarValue::Float64(Some(number + 0.0)), metadata)
        }
        Expr::Literal(..) => item,
        item if item.get_type(schema).is_ok_and(|given| given.is_floating()) => {
            unsigned(item, casting)
        }
        item => item,
    }
}
