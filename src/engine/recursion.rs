//! The bound on a recursive WITH. Manual page: "Recursive CTE".

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::error::Result as EngineResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use super::failure::external;
use crate::error::Error;

/// The plan, in which no recursive WITH goes round more than `most` times.
pub(super) fn bounded(
    plan: Arc<dyn ExecutionPlan>,
    most: usize,
) -> EngineResult<Arc<dyn ExecutionPlan>> {
    let bounded = plan.transform_up(|node| {
        let Some(query) = node.downcast_ref::<RecursiveQueryExec>() else {
            return Ok(Transformed::no(node));
        };
        let rounds = Rounds {
            name: query.name().to_owned(),
            most,
            begun: Arc::default(),
            input: Arc::clone(query.recursive_term()),
        };
        let children = vec![Arc::clone(query.static_term()), Arc::new(rounds) as _];
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        node.replace_children(children, options)
            .map(Transformed::yes)
    })?;
    Ok(bounded.data)
}

/// The recursive part of a query, which is run once a round.
#[derive(Debug)]
struct Rounds {
    name: String,
    most: usize,
    begun: Arc<AtomicUsize>,
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for Rounds {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rounds: at most {}", self.most)
    }
}

impl ExecutionPlan for Rounds {
    fn name(&self) -> &'static str {
        "Rounds"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> EngineResult<TreeNodeRecursion>,
    ) -> EngineResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            name: self.name.clone(),
            most: self.most,
            begun: Arc::clone(&self.begun),
            input: children.swap_remove(0),
        }))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> EngineResult<SendableRecordBatchStream> {
        if partition == 0 && self.begun.fetch_add(1, Ordering::Relaxed) > self.most {
            return Err(external(Error::semantic(format!(
                "recursive-cte {} exceed max iterate number {}",
                self.name, self.most
            ))));
        }
        self.input.execute(partition, context)
    }
}
