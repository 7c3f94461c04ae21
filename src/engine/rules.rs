//! Optimizer rules of the engine that need a guard.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{NullEquality, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::optimizer::optimizer::{ApplyOrder, Optimizer};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;

/// The engine's rules, the guarded ones in their places.
pub(super) fn optimizer_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let guarded = |rule: Arc<dyn OptimizerRule + Send + Sync>| {
        let spares: fn(&LogicalPlan) -> Result<bool> = match rule.name() {
            // It puts inner joins in an order of their own and forgets that one of them takes NULL for a value, or gives
            // that to all.
            "eliminate_cross_join" => has_null_safe_join,
            // It adds `a = b` to the keys of a join that takes NULL for a value.
            "extract_equijoin_predicate" => |plan| Ok(is_null_safe_join(plan)),
            _ => return rule,
        };
        Arc::new(Guarded { rule, spares }) as _
    };
    let mut rules: Vec<_> = Optimizer::new().rules.into_iter().map(guarded).collect();
    let pushes = |rule: &Arc<dyn OptimizerRule + Send + Sync>| rule.name() == "push_down_filter";
    if let Some(place) = rules.iter().position(pushes) {
        rules.insert(
            place,
            Arc::new(OwnRule {
                name: "constants_last",
                rewrite: constants_last,
            }),
        );
    }
    rules.push(Arc::new(OwnRule {
        name: "column_for_windows",
        rewrite: column_for_windows,
    }));
    rules
}

/// A rule of ours, for each node of a plan from below.
#[derive(Debug)]
struct OwnRule {
    name: &'static str,
    rewrite: fn(LogicalPlan) -> Result<Transformed<LogicalPlan>>,
}

impl OptimizerRule for OwnRule {
    fn name(&self) -> &str {
        self.name
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        (self.rewrite)(plan)
    }
}

/// Windows over rows of which no column is needed: the engine cannot put such rows in order.
fn column_for_windows(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Window(window) if window.input.schema().fields().is_empty() => {
            let names = window.schema.columns().into_iter().map(Expr::Column);
            let input = Arc::unwrap_or_clone(window.input);
            let plan = LogicalPlanBuilder::from(input)
                .project([lit(true).alias("a row")])?
                .window(window.window_expr)?
                .project(names)?
                .build()?;
            Ok(Transformed::yes(plan))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// Comparisons as the rule behind understands them: to it `x = 2` and `2 = x`, `x = 0.0` and `x = -0.0` are different values.
fn constants_last(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Filter(_) | LogicalPlan::Join(_) => {
            plan.map_expressions(|expr| expr.transform_up(turned))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn turned(expr: Expr) -> Result<Transformed<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = expr else {
        return Ok(Transformed::no(expr));
    };
    let is_literal = |expr: &Expr| matches!(expr, Expr::Literal(..));
    let (left, op, mut right, mut is_changed) = match op.swap() {
        Some(swapped) if is_literal(&left) && !is_literal(&right) => (right, swapped, left, true),
        _ => (left, op, right, false),
    };
    // What compares.
    if op.supports_propagation() {
        let zero = match right.as_literal() {
            Some(ScalarValue::Float64(Some(0.0))) => Some(lit(0.0_f64)),
            Some(ScalarValue::Float32(Some(0.0))) => Some(lit(0.0_f32)),
            _ => None,
        };
        if let Some(zero) = zero.filter(|zero| *zero != *right) {
            *right = zero;
            is_changed = true;
        }
    }
    let expr = Expr::BinaryExpr(BinaryExpr { left, op, right });
    Ok(Transformed::new_transformed(expr, is_changed))
}

/// The rules without which a plan cannot be run: those that turn subqueries into joins, and what these need.
pub(super) fn indispensable_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    const INDISPENSABLE: &[&str] = &[
        "rewrite_set_comparison",
        "replace_distinct_aggregate",
        "decorrelate_predicate_subquery",
        "scalar_subquery_to_join",
        "decorrelate_lateral_join",
        "extract_equijoin_predicate",
    ];
    let mut rules = optimizer_rules();
    rules.retain(|rule| INDISPENSABLE.contains(&rule.name()));
    rules
}

/// The engine's rules for plans that can be run, the guarded one in its place.
pub(super) fn physical_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let guarded = |rule: Arc<dyn PhysicalOptimizerRule + Send + Sync>| match rule.name() {
        // It takes the one value of a constant column for one that occurs and is not NULL.
        "aggregate_statistics" => Arc::new(WithoutDistinct(rule)) as _,
        _ => rule,
    };
    PhysicalOptimizer::new()
        .rules
        .into_iter()
        .map(guarded)
        .collect()
}

/// A rule that leaves plans with DISTINCT in an aggregate as they are.
#[derive(Debug)]
struct WithoutDistinct(Arc<dyn PhysicalOptimizerRule + Send + Sync>);

impl PhysicalOptimizerRule for WithoutDistinct {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let has_distinct = plan.exists(|node| {
            let aggregate = node.downcast_ref::<AggregateExec>();
            Ok(aggregate.is_some_and(|aggregate| {
                let mut aggregates = aggregate.aggr_expr().iter();
                aggregates.any(|aggregate| aggregate.is_distinct())
            }))
        })?;
        match has_distinct {
            true => Ok(plan),
            false => self.0.optimize(plan, config),
        }
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

fn is_null_safe_join(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(join) if join.null_equality == NullEquality::NullEqualsNull)
}

fn has_null_safe_join(plan: &LogicalPlan) -> Result<bool> {
    plan.exists(|node| Ok(is_null_safe_join(node)))
}

/// A rule that leaves some plans as they are.
#[derive(Debug)]
struct Guarded {
    rule: Arc<dyn OptimizerRule + Send + Sync>,
    spares: fn(&LogicalPlan) -> Result<bool>,
}

impl OptimizerRule for Guarded {
    fn name(&self) -> &str {
        self.rule.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.rule.apply_order()
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match (self.spares)(&plan)? {
            true => Ok(Transformed::no(plan)),
            false => self.rule.rewrite(plan, config),
        }
    }
}
