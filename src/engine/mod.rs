//! Queries, on DataFusion. The only module that names its planning.
//!
//! The text of a query comes from our parser; DataFusion's own SQL parser reads our tokens under the
//! dialect of `sql`, one pass rewrites it, the tables it names are asked for one by one, and
//! `planner` says what operators mean. Everything asynchronous ends here.

pub mod cast;
mod comparison;
pub mod csv;
mod failure;
mod files;
pub mod function;
mod names;
mod options;
mod planner;
mod recursion;
mod relations;
mod rules;
mod scalar;
mod sql;
mod stream;
mod sum;
mod table;
pub mod text;
pub mod types;
mod typing;
mod upstream;
pub mod values;
mod workers;

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};
use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList,
    MemorySchemaProvider, SchemaProvider, TableFunction, TableProvider,
};
use datafusion::common::TableReference;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder, SessionStateDefaults};
use datafusion::functions_table::generate_series::GenerateSeriesFunc;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::displayable;
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;

pub use options::Options;
pub use stream::RowStream;
pub use table::{Part, SEGMENT_COLUMN, SnapshotTable};
pub use workers::STACK_BYTES;

use crate::ast::{At, FileFormat, Fragment, Query};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::store::Store;
use cast::Casting;
use stream::Limits;
use workers::Workers;

const CATALOG: &str = "odpsh";
/// Rows of numbers, for tests: MaxCompute has no such table function.
const SERIES: &str = "odpsh_generate_series";
/// A thread in the midst of a computation is not waited for any longer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// A view reads at most so many tables: one that reads another twice doubles them.
const VIEW_TABLES_MAX: usize = 1000;
/// Deepest nesting of views.
const VIEWS_MAX: usize = 32;

/// The query engine of a session.
pub struct Engine {
    workers: Arc<Workers>,
    /// The state that queries under the same settings share.
    state: Mutex<Option<(StateKey, SessionState)>>,
}

/// What a shared state depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct StateKey {
    casting: Casting,
    memory_bytes: usize,
    is_optimized: bool,
}

/// What a name in FROM stands for.
pub enum Found {
    Table(SnapshotTable),
    View(View),
    Files(Files),
    Rows(RecordBatch),
}

/// How a query asks for a table.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    pub point: Option<Point>,
    /// A view names it, not the user.
    pub in_view: bool,
}

/// A point in the history of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// An LSN.
    Version(i64),
    /// An instant, in milliseconds.
    Instant(i64),
    /// The same as an end of an interval of changes: before the first change there was nothing.
    VersionOfChanges(i64),
    InstantOfChanges(i64),
}

/// Files outside of the warehouse.
#[derive(Clone, Debug)]
pub struct Files {
    /// A file or a folder.
    pub location: String,
    pub format: FileFormat,
    pub properties: Vec<(String, String)>,
    /// The names of the columns of CSV.
    pub columns: Vec<String>,
}

/// A view as the engine reads it.
#[derive(Clone, Debug)]
pub struct View {
    /// The project its names are looked up in.
    pub project: String,
    pub name: String,
    pub query: String,
    /// Names for its columns; empty where those of the query are kept.
    pub columns: Vec<String>,
}

/// Where a query finds its tables. A project is `None` for the current one.
pub trait Tables {
    /// The table of that name, as it is or as it was at a point in time.
    fn find(&mut self, project: Option<&str>, name: &str, asked: Asked) -> Result<Option<Found>>;

    /// The LSN and the time, in milliseconds, of the nth last change of a table's rows.
    fn latest(&mut self, project: Option<&str>, name: &str, nth: usize) -> Result<(i64, i64)>;

    /// The largest value of a table's first partition column that holds data.
    fn max_partition(&mut self, project: Option<&str>, name: &str) -> Result<Option<String>>;

    /// Whether there is such a table, and in it such a partition, as text: `ds=1,hh=2`.
    fn exists(
        &mut self,
        project: Option<&str>,
        name: &str,
        partition: Option<&str>,
    ) -> Result<bool>;
}

/// What a query is run under.
pub struct Setting<'a> {
    /// The text of the whole statement, which places are in.
    pub statement: &'a str,
    pub project: &'a str,
    pub options: &'a Options,
    /// The store whose data files may be read; `None` where no table can be.
    pub store: Option<&'a Arc<Store>>,
    /// Called once nothing more is read of the catalog.
    pub planned: &'a dyn Fn(),
}

impl Engine {
    pub fn new(interrupt: Interrupt) -> Self {
        Self {
            workers: Arc::new(Workers::new(interrupt)),
            state: Mutex::new(None),
        }
    }

    /// Waits until queries that were left alone have noticed, and hold on to the store no longer.
    pub fn close(self) {
        self.workers.wait_idle(CLOSE_TIMEOUT);
    }

    /// Begins `query`; its rows come as they are asked for.
    ///
    /// # Errors
    /// What the query is refused for, and what computing its first rows fails with.
    pub fn start(
        &self,
        query: &Query,
        setting: &Setting<'_>,
        tables: &mut dyn Tables,
    ) -> Result<RowStream> {
        let at = query.at();
        let Prepared {
            statement,
            state,
            headings,
        } = self
            .prepare(query, setting, tables)
            .map_err(|error| placed(error, at))?;
        let limits = Limits {
            casting: setting.options.casting(),
            recursions: setting.options.recursions_max,
        };
        let text = setting.statement.to_owned();
        RowStream::start(
            &self.workers,
            (statement, state),
            limits,
            setting.planned,
            |schema| headed(&output_schema(schema), &headings),
            Box::new(move |error| placed(failure::translate(&error, &text), at)),
        )
    }

    /// Runs `query`, giving its batches to `visit` as they come, and returns its schema.
    ///
    /// `begin` sees the schema before the first batch.
    ///
    /// # Errors
    /// As [`Engine::start`] and [`RowStream::next_batch`].
    pub fn run(
        &self,
        query: &Query,
        setting: &Setting<'_>,
        tables: &mut dyn Tables,
        begin: &mut dyn FnMut(&SchemaRef) -> Result<()>,
        visit: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<SchemaRef> {
        let mut rows = self.start(query, setting, tables)?;
        begin(rows.schema())?;
        while let Some(batch) = rows.next_batch()? {
            visit(batch)?;
        }
        Ok(Arc::clone(rows.schema()))
    }

    /// The columns a query would give, without running it.
    pub fn columns(
        &self,
        query: &Query,
        setting: &Setting<'_>,
        tables: &mut dyn Tables,
    ) -> Result<SchemaRef> {
        let placed = |error: Error| placed(error, query.at());
        let Prepared {
            statement, state, ..
        } = self.prepare(query, setting, tables).map_err(placed)?;
        let plan = futures::executor::block_on(state.statement_to_plan(statement))
            .and_then(|plan| state.optimize(&plan))
            .map_err(|error| placed(failure::translate(&error, setting.statement)))?;
        Ok(output_schema(&Arc::new(plan.schema().as_arrow().clone())))
    }

    /// The plan of a query, as text.
    pub fn explain(
        &self,
        query: &Query,
        setting: &Setting<'_>,
        tables: &mut dyn Tables,
    ) -> Result<String> {
        let placed = |error: Error| placed(error, query.at());
        let Prepared {
            statement, state, ..
        } = self.prepare(query, setting, tables).map_err(placed)?;
        let casting = setting.options.casting();
        let planned = self.workers.spawn(async move {
            let plan = state.statement_to_plan(statement).await?;
            let plan = names::with_own_names(typing::typed(plan, casting)?)?;
            let plan = state.create_physical_plan(&plan).await?;
            Ok(displayable(plan.as_ref()).indent(false).to_string())
        })?;
        match self.workers.interruptibly(planned)? {
            Ok(planned) => planned.map_err(|error: DataFusionError| {
                placed(failure::translate(&error, setting.statement))
            }),
            Err(_) => Err(Error::internal("the query engine failed unexpectedly")),
        }
    }

    /// Reads a query and finds its tables.
    fn prepare(
        &self,
        query: &Query,
        setting: &Setting<'_>,
        tables: &mut dyn Tables,
    ) -> Result<Prepared> {
        let base = self.base_state(setting.options)?;
        let catalog = Arc::new(MemoryCatalogProvider::new());
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG.to_owned(), Arc::clone(&catalog) as _);
        if let Some(store) = setting.store {
            let url = url::parse(table::DATA_URL);
            base.runtime_env()
                .register_object_store(&url, Arc::clone(store.objects()) as _);
        }
        let mut preparing = Preparing {
            base,
            catalog,
            catalogs: Arc::new(catalogs),
            options: setting.options,
            current: setting.project,
            tables,
            headings: sql::Headings::default(),
        };
        let statement = preparing.register(
            &query.fragments,
            setting.statement,
            setting.project,
            VIEWS_MAX,
        )?;
        Ok(Prepared {
            statement,
            state: preparing.state_in(setting.project),
            headings: preparing.headings,
        })
    }

    fn base_state(&self, options: &Options) -> Result<SessionState> {
        let key = StateKey {
            casting: options.casting(),
            memory_bytes: options.memory_bytes,
            is_optimized: options.is_optimized,
        };
        let mut held = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, state)) = &*held
            && *known == key
        {
            return Ok(state.clone());
        }
        let state = new_state(key)?;
        *held = Some((key, state.clone()));
        Ok(state)
    }
}

/// A query ready to be planned.
struct Prepared {
    statement: EngineStatement,
    /// Has the tables of the query and no others.
    state: SessionState,
    headings: sql::Headings,
}

fn new_state(key: StateKey) -> Result<SessionState> {
    let mut config = SessionConfig::new()
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false);
    let options = config.options_mut();
    options.execution.parquet.pushdown_filters = true;
    // It refuses `a is distinct from b` under a grouping: declared to be never NULL by one half of the planner only.
    options.execution.skip_physical_aggregate_schema_check = true;
    // What a sort keeps back to merge what it has put on disk: a small pool has less to keep.
    let reserved = key.memory_bytes / (4 * options.execution.target_partitions.max(1));
    options.execution.sort_spill_reservation_bytes =
        reserved.min(options.execution.sort_spill_reservation_bytes);
    options.execution.time_zone = Some(key.casting.zone.name().to_owned());
    // NULL is lower than any value.
    options.sql_parser.default_null_ordering = "nulls_min".to_owned();
    options.sql_parser.collect_spans = true;
    // ORDER BY of a subquery has its LIMIT and means something.
    options.sql_parser.enable_subquery_sort_elimination = false;
    let pool = FairSpillPool::new(key.memory_bytes);
    let consumers = std::num::NonZeroUsize::new(3).expect("three is not zero");
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(TrackConsumersPool::new(pool, consumers)))
        .build_arc()
        .map_err(|error| Error::internal(error.strip_backtrace()))?;
    let operators = planner::OperatorPlanner {
        casting: key.casting,
    };
    let mut planners: Vec<Arc<dyn datafusion::logical_expr::planner::ExprPlanner>> =
        vec![Arc::new(operators)];
    planners.extend(SessionStateDefaults::default_expr_planners());
    let rules = match key.is_optimized {
        true => rules::optimizer_rules(),
        false => rules::indispensable_rules(),
    };
    let builder = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_file_formats(SessionStateDefaults::default_file_formats())
        .with_table_function_list(vec![Arc::new(TableFunction::new(
            SERIES.to_owned(),
            Arc::new(GenerateSeriesFunc {}),
        ))])
        .with_expr_planners(planners)
        .with_optimizer_rules(rules)
        .with_physical_optimizer_rules(rules::physical_rules())
        .with_relation_planners(vec![Arc::new(relations::RelationsPlanner)]);
    Ok(function::register(builder, key.casting).build())
}

/// Registers the tables of a query, and of the views among them.
struct Preparing<'a> {
    base: SessionState,
    catalog: Arc<MemoryCatalogProvider>,
    catalogs: Arc<MemoryCatalogProviderList>,
    options: &'a Options,
    /// The session's project.
    current: &'a str,
    tables: &'a mut dyn Tables,
    /// The headings of the query itself, not of the views it reads.
    headings: sql::Headings,
}

impl Preparing<'_> {
    /// Reads a query whose plain names belong to `project`, and registers its tables.
    fn register(
        &mut self,
        fragments: &[Fragment],
        text: &str,
        project: &str,
        depth: usize,
    ) -> Result<EngineStatement> {
        if depth == 0 {
            return Err(Error::semantic("views are nested too deeply"));
        }
        let failed = |error: DataFusionError| failure::translate(&error, text);
        let mut query = sql::parse(fragments)?;
        if depth == VIEWS_MAX {
            self.headings = sql::Headings::of(&query);
        }
        let current = self.current;
        let tables = &mut *self.tables;
        let in_project = |named: Option<&str>| {
            let named = named.unwrap_or(project);
            (named != current).then(|| named.to_owned())
        };
        let tables = RefCell::new(tables);
        let mut max_partition = |named: Option<&str>, name: &str| {
            let mut tables = tables.borrow_mut();
            tables.max_partition(in_project(named).as_deref(), name)
        };
        let mut latest = |named: Option<&str>, name: &str, nth: usize| {
            let mut tables = tables.borrow_mut();
            tables.latest(in_project(named).as_deref(), name, nth)
        };
        let mut exists = |named: Option<&str>, name: &str, partition: Option<&str>| {
            let mut tables = tables.borrow_mut();
            tables.exists(in_project(named).as_deref(), name, partition)
        };
        sql::rewrite(
            &mut query,
            &mut sql::Rewriting {
                options: self.options,
                text,
                max_partition: &mut max_partition,
                latest: &mut latest,
                exists: &mut exists,
            },
        )?;
        let statement = EngineStatement::Statement(Box::new(SqlStatement::Query(Box::new(query))));
        let references = self
            .base
            .resolve_table_references(&statement)
            .map_err(failed)?;
        for reference in references {
            if self.base.table_functions().contains_key(reference.table()) {
                continue;
            }
            let (named, name) = match &reference {
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
            let owner = named.unwrap_or(project);
            let schema = self.schema_of(owner)?;
            if schema.table_exist(name) {
                continue;
            }
            let (table, point) = sql::split_point(name)?;
            let asked = Asked {
                point,
                in_view: depth < VIEWS_MAX,
            };
            let placed = |error: Error| match failure::place_of(text, table) {
                Some(at) if !error.has_place() => error.at(at),
                _ => error,
            };
            let found = self
                .tables
                .find(in_project(named).as_deref(), table, asked)
                .map_err(placed)?;
            let Some(found) = found else {
                return Err(placed(Error::table_not_found(owner, table)));
            };
            let provider = match found {
                Found::Table(table) => table.into_named(self.options).map_err(failed)?,
                Found::Rows(rows) => {
                    let table = MemTable::try_new(rows.schema(), vec![vec![rows]]);
                    Arc::new(table.map_err(failed)?)
                }
                Found::Files(files) => files::provider(&files, &self.base)?,
                Found::View(view) => self.view(&view, depth - 1).map_err(|error| {
                    let inner = error.to_string();
                    let detail = format!(
                        "while resolving view {}.{} - {inner}",
                        view.project, view.name
                    );
                    Error::semantic(detail)
                })?,
            };
            schema
                .register_table(name.to_owned(), provider)
                .map_err(failed)?;
        }
        Ok(statement)
    }

    fn view(&mut self, view: &View, depth: usize) -> Result<Arc<dyn TableProvider>> {
        let fragment = Fragment {
            text: view.query.clone(),
            at: At(0),
        };
        let statement = self.register(&[fragment], &view.query, &view.project, depth)?;
        let state = self.state_in(&view.project);
        let failed = |error: DataFusionError| failure::translate(&error, &view.query);
        let casting = self.options.casting();
        let plan = futures::executor::block_on(state.statement_to_plan(statement))
            .and_then(|plan| typing::typed(plan, casting))
            .map_err(failed)?;
        let mut tables = 0;
        plan.apply_with_subqueries(|node| {
            tables += usize::from(matches!(node, LogicalPlan::TableScan(_)));
            Ok(match tables > VIEW_TABLES_MAX {
                true => TreeNodeRecursion::Stop,
                false => TreeNodeRecursion::Continue,
            })
        })
        .map_err(failed)?;
        if tables > VIEW_TABLES_MAX {
            return Err(Error::semantic(format!(
                "it reads more than {VIEW_TABLES_MAX} tables"
            )));
        }
        let fields = plan.schema().fields().iter().enumerate();
        let names: Vec<String> = fields
            .map(|(position, field)| match view.columns.get(position) {
                Some(name) => name.clone(),
                None => plain_name(field.name()),
            })
            .collect();
        let columns = plan.schema().columns().into_iter().zip(names);
        let renamed = columns.map(|(column, name)| Expr::Column(column).alias(name));
        let plan = LogicalPlanBuilder::from(plan)
            .project(renamed.collect::<Vec<_>>())
            .and_then(|plan| plan.build())
            .map_err(failed)?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }

    fn schema_of(&self, project: &str) -> Result<Arc<dyn SchemaProvider>> {
        if let Some(schema) = self.catalog.schema(project) {
            return Ok(schema);
        }
        let schema: Arc<MemorySchemaProvider> = Arc::default();
        self.catalog
            .register_schema(project, Arc::clone(&schema) as _)
            .map_err(|error| Error::internal(error.strip_backtrace()))?;
        Ok(schema)
    }

    /// The state in which plain names belong to `project`.
    fn state_in(&self, project: &str) -> SessionState {
        let _ = self.schema_of(project);
        let config = self
            .base
            .config()
            .clone()
            .with_default_catalog_and_schema(CATALOG, project);
        SessionStateBuilder::new_from_existing(self.base.clone())
            .with_config(config)
            .with_catalog_list(Arc::clone(&self.catalogs) as _)
            .build()
    }
}

/// An error of a query with its place in the statement; one that names none points at the query.
fn placed(error: Error, at: usize) -> Error {
    if error.has_place() {
        error
    } else {
        error.at(at)
    }
}

/// The name of an output as its writer knows it.
fn plain_name(name: &str) -> String {
    let name = name.split(sql::PLAIN_MARK).next().unwrap_or(name);
    match name
        .strip_suffix(']')
        .and_then(|name| name.rsplit_once('['))
    {
        // `t.s[f]`, a field of a struct.
        Some((_, field)) => field.to_owned(),
        None => name.to_owned(),
    }
}

fn output_schema(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter();
    let named =
        fields.map(|field| Field::new(plain_name(field.name()), field.data_type().clone(), true));
    Arc::new(ArrowSchema::new(named.collect::<Vec<_>>()))
}

/// The schema of a result under the headings its query asks for.
fn headed(schema: &SchemaRef, headings: &sql::Headings) -> SchemaRef {
    let fields = schema.fields().iter();
    let mut names: Vec<String> = fields.clone().map(|field| field.name().clone()).collect();
    headings.apply(&mut names);
    let named = fields.zip(names);
    let named = named.map(|(field, name)| field.as_ref().clone().with_name(name));
    Arc::new(ArrowSchema::new(named.collect::<Vec<_>>()))
}

mod url {
    /// An address of this program's own.
    pub(super) fn parse(text: &str) -> ::url::Url {
        ::url::Url::parse(text).expect("the address is a constant")
    }
}
