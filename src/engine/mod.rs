//! Queries, on DataFusion. The only module that names its planning.
//!
//! The text of a query comes from our parser; DataFusion's own SQL parser reads it under the dialect of
//! [`dialect`], one pass rewrites it, and the tables it names are asked for one by one. Everything
//! asynchronous ends here.

mod dialect;
mod failure;
mod table;
pub mod types;
pub mod values;

use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use chrono_tz::Tz;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider, TableProvider,
};
use datafusion::common::TableReference;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::{DFParserBuilder, Statement as EngineStatement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use futures::StreamExt;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc::Sender;

pub use table::{Part, SnapshotTable};

use crate::ast::Query;
use crate::error::{Error, Result};
use crate::store::Store;

/// Deepest nesting of a query.
const NESTING_MAX: usize = 120;
const CATALOG: &str = "odpsh";

/// The query engine of a session.
pub struct Engine {
    /// Where queries run.
    runtime: Mutex<Option<Runtime>>,
    /// Where a session waits for them, and for Ctrl-C: it must not depend on a busy thread.
    waiting: OnceLock<Runtime>,
    state: OnceLock<SessionState>,
    /// Ctrl-C ends a running query.
    interruptible: bool,
}

/// Finds a table for a query: project (`None` for the current one) and name.
pub type Resolve<'a> = dyn FnMut(Option<&str>, &str) -> Result<Option<SnapshotTable>> + 'a;

/// What a query is run under.
pub struct Setting<'a> {
    pub project: &'a str,
    pub zone: Tz,
    /// The store whose data files may be read; `None` where no table can be.
    pub store: Option<&'a Arc<Store>>,
}

impl Engine {
    pub fn new(interruptible: bool) -> Self {
        Self {
            runtime: Mutex::new(None),
            waiting: OnceLock::new(),
            state: OnceLock::new(),
            interruptible,
        }
    }

    /// Runs `query`, giving its batches to `visit` as they come, and returns its schema.
    ///
    /// `begin` sees the schema before the first batch.
    pub fn run(
        &self,
        query: &Query,
        statement: &str,
        setting: &Setting<'_>,
        resolve: &mut Resolve<'_>,
        begin: &mut dyn FnMut(&SchemaRef) -> Result<()>,
        visit: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<SchemaRef> {
        let text = padded(statement, query);
        let workers = self.workers()?;
        let failed = |error: DataFusionError| failure::translate(&error, &text);
        let parsed = self.parse(&text).map_err(failed)??;
        let state = self.state_for(&parsed, &text, setting, resolve)?;
        // The query runs on a thread of the engine, so that it can be left alone when it is cancelled.
        let (sender, mut receiver) = tokio::sync::mpsc::channel(2);
        let task = workers.spawn(async move {
            if let Err(error) = produce(parsed, state, &sender).await {
                // Nobody waits for it any more where the receiver is gone.
                let _ = sender.send(Err(error)).await;
            }
        });
        let mut schema = None;
        while let Some(produced) = self
            .interruptibly(receiver.recv())
            .inspect_err(|_| self.abandon())?
        {
            match produced.map_err(failed)? {
                Produced::Schema(found) => {
                    begin(&found)?;
                    schema = Some(found);
                }
                Produced::Rows(batch) => visit(batch)?,
            }
        }
        // The channel also ends where the task has failed in a way of its own.
        match (self.interruptibly(task)?, schema) {
            (Ok(()), Some(schema)) => Ok(schema),
            _ => Err(Error::internal("the query engine failed unexpectedly")),
        }
    }

    fn parse(&self, text: &str) -> std::result::Result<Result<EngineStatement>, DataFusionError> {
        let mut parser = DFParserBuilder::new(text)
            .with_dialect(&dialect::OdpsDialect)
            .with_recursion_limit(NESTING_MAX)
            .build()?;
        let mut statements = parser.parse_statements()?;
        Ok(match (statements.pop_front(), statements.is_empty()) {
            (Some(EngineStatement::Statement(statement)), true) => match *statement {
                SqlStatement::Query(mut query) => {
                    dialect::rewrite(&mut query);
                    Ok(EngineStatement::Statement(Box::new(SqlStatement::Query(
                        query,
                    ))))
                }
                _ => Err(Error::not_supported("this statement as a query")),
            },
            _ => Err(Error::not_supported("this statement as a query")),
        })
    }

    /// The engine's state with the tables of this query, and no others.
    fn state_for(
        &self,
        statement: &EngineStatement,
        text: &str,
        setting: &Setting<'_>,
        resolve: &mut Resolve<'_>,
    ) -> Result<SessionState> {
        let base = self.state.get_or_init(new_state);
        let failed = |error: DataFusionError| failure::translate(&error, text);
        let catalog = Arc::new(MemoryCatalogProvider::new());
        let current: Arc<MemorySchemaProvider> = Arc::default();
        catalog
            .register_schema(setting.project, Arc::clone(&current) as _)
            .map_err(failed)?;
        for reference in base.resolve_table_references(statement).map_err(failed)? {
            if base.table_functions().contains_key(reference.table()) {
                continue;
            }
            let (project, name) = match &reference {
                TableReference::Bare { table } => (None, table.as_ref()),
                TableReference::Partial { schema, table } => {
                    (Some(schema.as_ref()), table.as_ref())
                }
                TableReference::Full { .. } => {
                    return Err(Error::not_supported(
                        "names with a schema, project.schema.table",
                    ));
                }
            };
            let Some(found) = resolve(project, name)? else {
                let error = Error::table_not_found(project.unwrap_or(setting.project), name);
                return Err(match failure::place_of(text, name) {
                    Some(at) => error.at(at),
                    None => error,
                });
            };
            let named = found.into_named(setting.zone.name()).map_err(failed)?;
            let schema = match project.filter(|project| *project != setting.project) {
                None => Arc::clone(&current) as Arc<dyn SchemaProvider>,
                Some(project) => match catalog.schema(project) {
                    Some(schema) => schema,
                    None => {
                        let schema: Arc<MemorySchemaProvider> = Arc::default();
                        catalog
                            .register_schema(project, Arc::clone(&schema) as _)
                            .map_err(failed)?;
                        schema
                    }
                },
            };
            schema
                .register_table(name.to_owned(), named as Arc<dyn TableProvider>)
                .map_err(failed)?;
        }
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG.to_owned(), catalog);
        let mut config = base
            .config()
            .clone()
            .with_default_catalog_and_schema(CATALOG, setting.project);
        config.options_mut().execution.time_zone = Some(setting.zone.name().to_owned());
        if let Some(store) = setting.store {
            let url = url::parse(table::DATA_URL);
            base.runtime_env()
                .register_object_store(&url, Arc::clone(store.objects()) as _);
        }
        Ok(SessionStateBuilder::new_from_existing(base.clone())
            .with_config(config)
            .with_catalog_list(Arc::new(catalogs))
            .build())
    }

    /// The threads that queries run on, started when first needed.
    fn workers(&self) -> Result<Handle> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.handle().clone());
        }
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let started = start(builder.thread_name("odpsh-query"))?;
        Ok(runtime.insert(started).handle().clone())
    }

    /// Leaves the running query alone. A thread in the midst of a computation cannot be stopped, so the
    /// next query gets new ones.
    fn abandon(&self) {
        let runtime = self
            .runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }

    /// Waits for `work`, or for Ctrl-C where that is to end it.
    fn interruptibly<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        let waiting = match self.waiting.get() {
            Some(waiting) => waiting,
            None => {
                let waiting = start(&mut tokio::runtime::Builder::new_current_thread())?;
                self.waiting.get_or_init(|| waiting)
            }
        };
        waiting.block_on(async {
            if !self.interruptible {
                return Ok(work.await);
            }
            tokio::select! {
                outcome = work => Ok(outcome),
                _ = tokio::signal::ctrl_c() => Err(Error::cancelled()),
            }
        })
    }
}

fn start(builder: &mut tokio::runtime::Builder) -> Result<Runtime> {
    let runtime = builder.enable_all().build();
    runtime.map_err(|error| Error::internal(format!("cannot start the query engine: {error}")))
}

/// What a running query gives.
enum Produced {
    Schema(SchemaRef),
    Rows(RecordBatch),
}

/// Plans and runs a query, giving its schema, then its rows, until the receiver is gone.
async fn produce(
    statement: EngineStatement,
    state: SessionState,
    sender: &Sender<std::result::Result<Produced, DataFusionError>>,
) -> std::result::Result<(), DataFusionError> {
    let plan = state.statement_to_plan(statement).await?;
    let plan = state.create_physical_plan(&plan).await?;
    let mut stream = execute_stream(plan, state.task_ctx())?;
    if sender
        .send(Ok(Produced::Schema(stream.schema())))
        .await
        .is_err()
    {
        return Ok(());
    }
    while let Some(batch) = stream.next().await {
        if sender.send(Ok(Produced::Rows(batch?))).await.is_err() {
            break;
        }
    }
    Ok(())
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.abandon();
    }
}

fn new_state() -> SessionState {
    let mut config = SessionConfig::new()
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false);
    let options = config.options_mut();
    options.execution.parquet.pushdown_filters = true;
    // NULL is lower than any value.
    options.sql_parser.default_null_ordering = "nulls_min".to_owned();
    SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .build()
}

/// The query alone, at the same line and column as in its statement.
fn padded(statement: &str, query: &Query) -> String {
    let before = statement.get(..query.at.0).unwrap_or_default();
    let blank = before.chars().map(|c| if c == '\n' { '\n' } else { ' ' });
    blank.chain(query.text.chars()).collect()
}

mod url {
    /// An address of this program's own.
    pub(super) fn parse(text: &str) -> ::url::Url {
        ::url::Url::parse(text).expect("the address is a constant")
    }
}
