//! Subqueries that stand for a value and look at the query around them. The engine joins only those that are aggregated, so that
//! they have one row; of the others all rows are gathered, and the value is taken, or refused, where it is asked for.
//! Manual page: "Subqueries".

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::Transformed;
use datafusion::error::Result;
use datafusion::functions::core::expr_fn::named_struct;
use datafusion::functions_aggregate::expr_fn::array_agg;
use datafusion::logical_expr::{
    Expr, FetchType, Limit, LogicalPlan, LogicalPlanBuilder, SkipType, SortExpr, Subquery, lit,
};

use super::cast::Casting;
use super::function::internal_call;

/// A correlated scalar subquery as the engine can plan it.
pub(super) fn of_one_row(subquery: Subquery, casting: Casting) -> Result<Transformed<Expr>> {
    let plan = subquery.subquery.as_ref();
    if subquery.outer_ref_columns.is_empty()
        || is_aggregated(plan)
        || plan.schema().fields().len() != 1
    {
        return Ok(Transformed::no(Expr::ScalarSubquery(subquery)));
    }
    let (input, order, is_first) = match plan {
        LogicalPlan::Limit(limit) => match first_of(limit)? {
            Some((input, order)) => (input, order, true),
            None => return Ok(Transformed::no(Expr::ScalarSubquery(subquery))),
        },
        plan => (plan.clone(), Vec::new(), false),
    };
    let value = Expr::Column(input.schema().columns().swap_remove(0));
    let gathered = match order.is_empty() {
        true => value,
        false => {
            let mut fields = vec![lit("0"), value];
            for (number, sort) in order.iter().enumerate() {
                fields.extend([lit((number + 1).to_string()), sort.expr.clone()]);
            }
            named_struct(fields)
        }
    };
    let rows = LogicalPlanBuilder::from(input)
        .aggregate(Vec::<Expr>::new(), [array_agg(gathered)])?
        .build()?;
    let all = Expr::Column(rows.schema().columns().swap_remove(0));
    let all = match order.is_empty() {
        true => all,
        false => {
            let how = order.iter().map(|sort| {
                let direction = if sort.asc { '+' } else { '-' };
                let nulls = if sort.nulls_first { '<' } else { '>' };
                [direction, nulls]
            });
            let how: String = how.flatten().collect();
            internal_call("__ordered_of", vec![all, lit(how)], casting)
        }
    };
    let rows = LogicalPlanBuilder::from(rows)
        .project([all.alias("__value")])?
        .build()?;
    let list = Expr::ScalarSubquery(Subquery {
        subquery: Arc::new(rows),
        ..subquery
    });
    Ok(Transformed::yes(match is_first {
        true => internal_call("__element", vec![list, lit(0_i64)], casting),
        false => internal_call("__only_of", vec![list], casting),
    }))
}

/// Whether a plan has one row for each row around it by what it is.
fn is_aggregated(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(aggregate) => aggregate.group_expr.is_empty(),
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::SubqueryAlias(_) => plan.inputs().iter().all(|input| is_aggregated(input)),
        _ => false,
    }
}

/// What `LIMIT 1` takes the first row of, and in which order.
fn first_of(limit: &Limit) -> Result<Option<(LogicalPlan, Vec<SortExpr>)>> {
    let (FetchType::Literal(Some(1)), SkipType::Literal(0)) =
        (limit.get_fetch_type()?, limit.get_skip_type()?)
    else {
        return Ok(None);
    };
    Ok(Some(match limit.input.as_ref() {
        LogicalPlan::Sort(sort) => (sort.input.as_ref().clone(), sort.expr.clone()),
        // Columns to sort by that are not selected are there below.
        LogicalPlan::Projection(projection) => {
            match (projection.expr.as_slice(), projection.input.as_ref()) {
                ([Expr::Column(column)], LogicalPlan::Sort(sort)) => {
                    let columns = sort.input.schema().columns().into_iter();
                    let others = columns.filter(|other| other != column);
                    let columns: Vec<Column> =
                        std::iter::once(column.clone()).chain(others).collect();
                    let input = LogicalPlanBuilder::from(sort.input.as_ref().clone())
                        .project(columns.into_iter().map(Expr::Column))?
                        .build()?;
                    (input, sort.expr.clone())
                }
                _ => (limit.input.as_ref().clone(), Vec::new()),
            }
        }
        input => (input.clone(), Vec::new()),
    }))
}
