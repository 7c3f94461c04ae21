//! The rows of a running query.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::Transformed;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, cast as cast_expr,
};
use datafusion::physical_plan::execute_stream;
use datafusion::sql::parser::Statement as EngineStatement;
use futures::StreamExt;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::task::JoinHandle;

use super::cast::Casting;
use super::workers::Workers;
use super::{names, recursion, typing};
use crate::error::{Error, Result};

/// Batches on their way that nobody has asked for yet.
const BATCHES_AHEAD: usize = 2;

/// The rows of a query as they are computed. Where it is dropped the query ends.
pub struct RowStream {
    schema: SchemaRef,
    workers: Arc<Workers>,
    receiver: Receiver<Item>,
    task: Option<JoinHandle<()>>,
    fails: Box<dyn Fn(DataFusionError) -> Error + Send>,
    /// The statement, for the place that an error speaks of.
    statement: Option<String>,
}

type Item = std::result::Result<Produced, DataFusionError>;

impl RowStream {
    /// Begins a query: it is planned and its first batch computed when this returns. `planned` is called once nothing more
    /// is read of the catalog; `named` gives the schema its headings.
    pub(super) fn start(
        workers: &Arc<Workers>,
        (statement, state): (EngineStatement, SessionState),
        limits: Limits,
        planned: &dyn Fn(),
        named: impl FnOnce(&SchemaRef) -> SchemaRef,
        fails: Box<dyn Fn(DataFusionError) -> Error + Send>,
    ) -> Result<Self> {
        let (sender, receiver) = tokio::sync::mpsc::channel(BATCHES_AHEAD);
        let task = workers.spawn(async move {
            if let Err(error) = produce(statement, state, limits, &sender).await {
                // Nobody waits for it any more where the receiver is gone.
                let _ = sender.send(Err(error)).await;
            }
        })?;
        let mut stream = Self {
            schema: SchemaRef::new(datafusion::arrow::datatypes::Schema::empty()),
            workers: Arc::clone(workers),
            receiver,
            task: Some(task),
            fails,
            statement: None,
        };
        loop {
            match stream.receive()? {
                Some(Produced::Planned) => planned(),
                Some(Produced::Schema(schema)) => {
                    stream.schema = named(&schema);
                    return Ok(stream);
                }
                _ => return Err(Error::internal("the query engine failed unexpectedly")),
            }
        }
    }

    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The same stream, whose errors name their place in `statement`.
    pub fn in_statement(mut self, statement: &str) -> Self {
        self.statement = Some(statement.to_owned());
        self
    }

    /// Returns the next rows; `None` behind the last.
    ///
    /// # Errors
    /// What the query fails with, and `0120031` after Ctrl-C.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let next = match self.receive() {
            Ok(Some(Produced::Rows(batch))) => return Ok(Some(batch)),
            Ok(Some(_)) => Err(Error::internal("a query gives its schema once")),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        next.map_err(|error| match &self.statement {
            Some(statement) => error.in_statement(statement),
            None => error,
        })
    }

    /// Returns all rows that are left.
    ///
    /// # Errors
    /// As [`RowStream::next_batch`].
    pub fn collect(&mut self) -> Result<Vec<RecordBatch>> {
        std::iter::from_fn(|| self.next_batch().transpose()).collect()
    }

    fn receive(&mut self) -> Result<Option<Produced>> {
        let received = self.workers.interruptibly(self.receiver.recv());
        match received.inspect_err(|_| self.workers.abandon())? {
            Some(produced) => produced.map(Some).map_err(&self.fails),
            // The channel also ends where the task has failed in a way of its own.
            None => match self.task.take() {
                Some(task) => match self.workers.interruptibly(task)? {
                    Ok(()) => Ok(None),
                    Err(_) => Err(Error::internal("the query engine failed unexpectedly")),
                },
                None => Ok(None),
            },
        }
    }
}

impl fmt::Debug for RowStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowStream")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl Drop for RowStream {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What a running query gives.
enum Produced {
    Planned,
    Schema(SchemaRef),
    Rows(RecordBatch),
}

/// What planning and running a query depend on besides its tables.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub casting: Casting,
    /// Most rounds of a recursive WITH.
    pub recursions: usize,
}

/// Plans and runs a query, giving its schema, then its rows, until the receiver is gone. Where memory does not suffice it is run once more in the way that needs least:
/// with joins that can go to disk, which a hash join cannot, and in small batches.
async fn produce(
    statement: EngineStatement,
    mut state: SessionState,
    limits: Limits,
    sender: &Sender<std::result::Result<Produced, DataFusionError>>,
) -> std::result::Result<(), DataFusionError> {
    let mut begun = false;
    match stream(statement.clone(), &state, sender, &mut begun, limits, false).await {
        Err(error)
            if !begun && matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)) =>
        {
            let options = state.config_mut().options_mut();
            options.optimizer.prefer_hash_join = false;
            options.optimizer.prefer_existing_sort = true;
            // Small batches hold little; with one stream the planner would take the hash join all the same.
            options.execution.target_partitions = 2;
            *state.config_mut() = state.config().clone().with_batch_size(1024);
            stream(statement, &state, sender, &mut begun, limits, true).await
        }
        other => other,
    }
}

async fn stream(
    statement: EngineStatement,
    state: &SessionState,
    sender: &Sender<std::result::Result<Produced, DataFusionError>>,
    begun: &mut bool,
    limits: Limits,
    is_small: bool,
) -> std::result::Result<(), DataFusionError> {
    let mut plan = state.statement_to_plan(statement).await?;
    plan = typing::typed(plan, limits.casting)?;
    debug_assert!(
        plan.schema()
            .fields()
            .iter()
            .all(|field| field.name().starts_with("__")
                || !field.data_type().is_unsigned_integer()),
        "a type that MaxCompute has not: {}",
        plan.schema()
    );
    if is_small {
        plan = with_plain_texts(plan)?;
    }
    let plan = names::with_own_names(plan)?;
    let plan = state.create_physical_plan(&plan).await?;
    if sender.send(Ok(Produced::Planned)).await.is_err() {
        return Ok(());
    }
    let plan = recursion::bounded(plan, limits.recursions)?;
    let mut stream = execute_stream(plan, state.task_ctx())?;
    let mut next = stream.next().await.transpose()?;
    *begun = true;
    let schema = Produced::Schema(stream.schema());
    if sender.send(Ok(schema)).await.is_err() {
        return Ok(());
    }
    while let Some(batch) = next {
        if sender.send(Ok(Produced::Rows(batch))).await.is_err() {
            break;
        }
        next = stream.next().await.transpose()?;
    }
    Ok(())
}

/// The plan with texts read as plain arrays. Views hold on to the pages they point into: a few rows of a
/// page count as the whole of it, and a sort that has no room cannot make any.
fn with_plain_texts(plan: LogicalPlan) -> std::result::Result<LogicalPlan, DataFusionError> {
    let changed = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Projection(projection) = &node else {
            return node.recompute_schema().map(Transformed::yes);
        };
        if !matches!(projection.input.as_ref(), LogicalPlan::TableScan(_)) {
            return node.recompute_schema().map(Transformed::yes);
        }
        let plain = |expr: &Expr| -> std::result::Result<Expr, DataFusionError> {
            let Expr::Alias(alias) = expr else {
                return Ok(expr.clone());
            };
            if alias.expr.get_type(projection.input.schema())? != DataType::Utf8View {
                return Ok(expr.clone());
            }
            Ok(cast_expr(*alias.expr.clone(), DataType::Utf8).alias(&alias.name))
        };
        let columns = projection.expr.iter().map(plain);
        let columns = columns.collect::<std::result::Result<Vec<_>, DataFusionError>>()?;
        let input = LogicalPlan::clone(&projection.input);
        let plan = LogicalPlanBuilder::from(input).project(columns)?.build()?;
        Ok(Transformed::yes(plan))
    })?;
    Ok(changed.data)
}
