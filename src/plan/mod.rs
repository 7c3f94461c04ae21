//! Names resolved against the catalog: a statement becomes a plan, or an error that names what is wrong.
//!
//! Planning reads and never writes. Conditions such as IF EXISTS are settled here.

mod context;
mod resolve;

pub use context::{
    Context, MEMORY_KEY, OPTIMIZER_KEY, TRAVEL_ANY_KEY, Turns, UPDATE_ANY_KEY, parse_size,
};
pub use resolve::{Target, full_values, matches_values, partial_values, spec_text, wrong_count};

use resolve::{
    check_new_table, insert_plan, is_taken, live_partitions, load_plan, multi_insert, require_table,
};

use crate::ast::{
    AlterAction, AlterView, Analyze, CloneMode, CloneTable, CreateTable, CreateTableLike,
    CreateView, Delete, Describe, Load, Merge, ObjectName, Query, Read, Source, Statement, Update,
    ViewAction,
};
use crate::catalog::{Partition, Schema, View};
use crate::engine::values::Mapping;
use crate::error::{Error, Result};
use crate::ids::PartitionId;

/// What is to be done, with everything named found.
#[derive(Debug)]
pub enum Plan {
    /// The statement's condition says there is nothing to do.
    Nothing,
    CreateTable(NewTable),
    DropTable {
        target: Target,
        purge: bool,
    },
    CreateView(NewView),
    DropView {
        project: String,
        name: String,
    },
    AlterTable {
        target: Target,
        action: AlterAction,
    },
    AlterView {
        project: String,
        name: String,
        view: View,
        action: ViewAction,
    },
    Truncate {
        target: Target,
        /// Of a partitioned table.
        partitions: Vec<(PartitionId, Partition)>,
    },
    CloneTable(ClonePlan),
    /// One INSERT, or the branches of a multi-insert.
    Insert(Vec<InsertPlan>),
    Update {
        target: Target,
        update: Update,
    },
    Delete {
        target: Target,
        delete: Delete,
    },
    Merge {
        target: Target,
        merge: Merge,
    },
    Query(Query),
    Explain(Query),
    /// The query has to make sense, and nothing more.
    CheckQuery(Query),
    ShowHistoryForTables,
    ShowHistory(crate::ast::ShowHistory),
    PurgeTable {
        table: ObjectName,
        hours: Option<u32>,
    },
    PurgeAll {
        hours: Option<u32>,
    },
    ShowRecycleBin {
        project: String,
    },
    Restore(crate::ast::Restore),
    Access(crate::ast::Access),
    ShowProject,
    SetProject(Vec<crate::ast::Setting>),
    ShowTables {
        project: String,
        pattern: Option<String>,
    },
    ShowPartitions {
        target: Target,
        values: Vec<Option<String>>,
    },
    ShowViews {
        project: String,
        pattern: Option<String>,
    },
    ShowColumns(Target),
    ShowCreateTable(Target),
    ShowProperties(Target),
    ShowFunctions {
        pattern: Option<String>,
    },
    DescribeFunction(crate::ast::Name),
    Describe {
        target: Target,
        extended: bool,
    },
    DescribePartition {
        target: Target,
        partition: Partition,
        extended: bool,
    },
    DescribeView {
        project: String,
        name: String,
        view: View,
    },
}

/// A table to be created.
#[derive(Debug)]
pub struct NewTable {
    pub project: String,
    pub name: String,
    /// The table that it takes the place of.
    pub replaced: Option<Box<Target>>,
    /// Without columns where `query` gives them.
    pub schema: Schema,
    pub comment: Option<String>,
    pub lifecycle_days: Option<u32>,
    pub properties: Vec<(String, String)>,
    pub primary_key: Vec<u32>,
    pub clustering: Option<String>,
    pub query: Option<Query>,
}

/// A view to be created.
#[derive(Debug)]
pub struct NewView {
    pub project: String,
    pub name: String,
    /// Names and comments; empty where those of the query are kept.
    pub columns: Vec<(crate::ast::Name, Option<String>)>,
    pub comment: Option<String>,
    pub query: Query,
}

/// A CLONE TABLE with what it copies.
#[derive(Debug)]
pub struct ClonePlan {
    pub source: Target,
    /// The partitions to copy, of a partitioned table.
    pub partitions: Vec<(PartitionId, Partition)>,
    pub target: CloneTarget,
    /// What is there already stays.
    pub ignores: bool,
}

/// Where CLONE TABLE copies to.
#[derive(Debug)]
pub enum CloneTarget {
    New { project: String, name: String },
    Existing(Box<Target>),
}

/// An INSERT with its target and the place of each column's value.
#[derive(Debug)]
pub struct InsertPlan {
    pub target: Target,
    pub overwrite: bool,
    pub place: InsertPlace,
    pub mapping: Mapping,
    /// Where the rows have the values of the partition columns that no spec gives.
    pub partition_mapping: Vec<usize>,
    /// Columns a row of the source must have.
    pub source_columns: usize,
    pub source: InsertSource,
}

/// Where an INSERT puts its rows.
#[derive(Clone, Debug, PartialEq)]
pub enum InsertPlace {
    /// A table without partitions.
    Table,
    /// The partition of these values.
    Partition(Vec<String>),
    /// Partitions whose values are partly in the rows.
    Dynamic(Vec<Option<String>>),
}

/// What an INSERT puts there.
#[derive(Debug)]
pub enum InsertSource {
    Rows(Source),
    Files(Load),
}

/// Plans a statement that is not the session's own business.
pub fn plan(statement: Statement, cx: &Context<'_>) -> Result<Plan> {
    Ok(match statement {
        Statement::CreateTable(create) => create_table(cx, create)?,
        Statement::CreateTableLike(like) => create_table_like(cx, like)?,
        Statement::CreateView(create) => create_view(cx, create)?,
        Statement::DropTable {
            table,
            if_exists,
            purge,
        } => match (require_table(cx, &table), if_exists) {
            (Ok(target), _) => Plan::DropTable { target, purge },
            (Err(error), false) => return Err(error),
            (Err(error), true) => {
                // Only a table that is not there is what IF EXISTS allows.
                let project = cx.project_of(&table)?;
                let catalog = cx.catalog()?;
                let name = &table.name.text;
                match (
                    catalog.live_table(&project, name)?,
                    catalog.view(&project, name)?,
                ) {
                    (None, None) => Plan::Nothing,
                    _ => return Err(error),
                }
            }
        },
        Statement::DropView { view, if_exists } => {
            let project = cx.project_of(&view)?;
            let name = view.name.text;
            match cx.catalog()?.view(&project, &name)? {
                Some(_) => Plan::DropView { project, name },
                None if if_exists => Plan::Nothing,
                None => return Err(Error::view_not_found(&project, &name).at(view.name.at.0)),
            }
        }
        Statement::AlterTable(alter) => Plan::AlterTable {
            target: require_table(cx, &alter.table)?,
            action: alter.action,
        },
        Statement::AlterView(AlterView {
            view: named,
            action,
        }) => {
            let project = cx.project_of(&named)?;
            let name = named.name.text;
            let at = named.name.at.0;
            let Some(view) = cx.catalog()?.view(&project, &name)? else {
                return Err(Error::view_not_found(&project, &name).at(at));
            };
            if let ViewAction::Rename(new_name) = &action
                && is_taken(cx, &project, &new_name.text)?
            {
                return Err(Error::table_exists(&project, &new_name.text).at(new_name.at.0));
            }
            Plan::AlterView {
                project,
                name,
                view,
                action,
            }
        }
        Statement::Analyze(analyze) => {
            check_analyze(cx, &analyze)?;
            Plan::Nothing
        }
        Statement::Read(read) => Plan::Query(rows_of(cx, &read)?),
        Statement::Truncate { table, specs } => {
            let target = require_table(cx, &table)?;
            if target.table.partitioned && specs.is_empty() {
                let detail = format!(
                    "table {} is partitioned, name the partitions to truncate",
                    target.qualified()
                );
                return Err(Error::semantic(detail).at(table.name.at.0));
            }
            let partitions = live_partitions(cx, &target, &specs)?;
            Plan::Truncate { target, partitions }
        }
        Statement::CloneTable(clone) => clone_table(cx, clone)?,
        Statement::Insert(insert) => insert_plan(cx, insert.target, insert.source)?
            .map_or(Plan::Nothing, |plan| Plan::Insert(vec![plan])),
        Statement::MultiInsert(multi) => Plan::Insert(multi_insert(cx, multi)?),
        Statement::Load(load) => Plan::Insert(vec![load_plan(cx, load)?]),
        Statement::Update(update) => Plan::Update {
            target: transactional(cx, &update.table)?,
            update,
        },
        Statement::Delete(delete) => Plan::Delete {
            target: transactional(cx, &delete.table)?,
            delete,
        },
        Statement::Merge(merge) => Plan::Merge {
            target: transactional(cx, &merge.table)?,
            merge,
        },
        Statement::Query(query) => Plan::Query(query),
        Statement::Explain(query) => Plan::Explain(query),
        Statement::ShowHistoryForTables => Plan::ShowHistoryForTables,
        Statement::ShowHistory(show) => Plan::ShowHistory(show),
        Statement::PurgeTable { table, hours } => Plan::PurgeTable { table, hours },
        Statement::PurgeAll { hours } => Plan::PurgeAll { hours },
        Statement::ShowRecycleBin { project } => Plan::ShowRecycleBin {
            project: known_project(cx, project)?,
        },
        Statement::Restore(restore) => Plan::Restore(restore),
        Statement::Access(access) => Plan::Access(access),
        Statement::ShowProject => Plan::ShowProject,
        Statement::SetProject(settings) => Plan::SetProject(settings),
        Statement::ShowTables { project, pattern } => Plan::ShowTables {
            project: known_project(cx, project)?,
            pattern,
        },
        Statement::ShowViews { project, pattern } => Plan::ShowViews {
            project: known_project(cx, project)?,
            pattern,
        },
        Statement::ShowPartitions { table, spec } => {
            let target = require_table(cx, &table)?;
            if !target.table.partitioned {
                return Err(Error::semantic(format!(
                    "table {} is not partitioned",
                    target.qualified()
                ))
                .at(table.name.at.0));
            }
            let values = match spec {
                Some(spec) => partial_values(&target.schema, &spec)?,
                None => vec![None; target.schema.partition_columns.len()],
            };
            Plan::ShowPartitions { target, values }
        }
        Statement::ShowColumns(table) => Plan::ShowColumns(require_table(cx, &table)?),
        Statement::ShowCreateTable(table) => Plan::ShowCreateTable(require_table(cx, &table)?),
        Statement::ShowProperties(table) => Plan::ShowProperties(require_table(cx, &table)?),
        Statement::ShowFunctions { pattern } => Plan::ShowFunctions { pattern },
        Statement::DescribeFunction(name) => Plan::DescribeFunction(name),
        Statement::Describe(describe) => describe_plan(cx, describe)?,
        Statement::ShowSettings
        | Statement::Set(_)
        | Statement::UseProject(_)
        | Statement::Help(_)
        | Statement::Quit => {
            return Err(Error::internal(
                "a statement of the session came to the planner",
            ));
        }
    })
}

fn known_project(cx: &Context<'_>, project: Option<crate::ast::Name>) -> Result<String> {
    let project = project.map_or_else(|| cx.project.to_owned(), |project| project.text);
    cx.require_project(&project)?;
    Ok(project)
}

fn create_table(cx: &Context<'_>, create: CreateTable) -> Result<Plan> {
    let project = cx.project_of(&create.table)?;
    for column in create.columns.iter().chain(&create.partition_columns) {
        cx.check_enabled(&column.data_type)
            .map_err(|error| error.at(column.name.at.0))?;
    }
    let or_replace = create.or_replace;
    let named = create.table.clone();
    let (mut new_table, if_not_exists, at) = check_new_table(project, create)?;
    if or_replace && is_taken(cx, &new_table.project, &new_table.name)? {
        new_table.replaced = Some(Box::new(require_table(cx, &named)?));
        return Ok(Plan::CreateTable(new_table));
    }
    match is_taken(cx, &new_table.project, &new_table.name)? {
        true if if_not_exists => {
            // The query is checked all the same, as the service does.
            Ok(match new_table.query {
                Some(query) => Plan::CheckQuery(query),
                None => Plan::Nothing,
            })
        }
        true => Err(Error::table_exists(&new_table.project, &new_table.name).at(at)),
        false => Ok(Plan::CreateTable(new_table)),
    }
}

/// Statistics are kept of every version anyway: what is named has to be there, and nothing is done.
fn check_analyze(cx: &Context<'_>, analyze: &Analyze) -> Result<()> {
    let target = require_table(cx, &analyze.table)?;
    let schema = &target.schema;
    let missing = |name: &crate::ast::Name| {
        Error::semantic(format!("column {} cannot be resolved", name.text)).at(name.at.0)
    };
    let levels = analyze.partition.iter().flat_map(|spec| &spec.values);
    for (name, _) in levels {
        let mut known = schema.partition_columns.iter();
        if !known.any(|column| column.name == name.text) {
            return Err(missing(name));
        }
    }
    for name in analyze.columns.iter().flatten() {
        if !schema.all_columns().any(|column| column.name == name.text) {
            return Err(missing(name));
        }
    }
    Ok(())
}

/// Most rows that READ shows where it is not told how many.
const READ_ROWS: u64 = 10_000;

/// READ as the query it is.
fn rows_of(cx: &Context<'_>, read: &Read) -> Result<Query> {
    let at = read.table.name.at;
    let mut text = match read.columns.is_empty() {
        true => "select *".to_owned(),
        false => {
            let columns = read.columns.iter().map(|column| column.to_string());
            format!("select {}", columns.collect::<Vec<_>>().join(", "))
        }
    };
    text += &format!(" from {}", read.table);
    if let Some(spec) = &read.partition {
        let target = require_table(cx, &read.table)?;
        if !target.table.partitioned {
            let detail = format!("table {} is not partitioned", target.qualified());
            return Err(Error::semantic(detail).at(spec.at.0));
        }
        let values = partial_values(&target.schema, spec)?;
        let columns = target.schema.partition_columns.iter().zip(values);
        let conditions = columns.filter_map(|(column, value)| {
            let value = crate::ast::Literal::String(value?);
            Some(format!("`{}` = {value}", column.name))
        });
        text += &format!(" where {}", conditions.collect::<Vec<_>>().join(" and "));
    }
    text += &format!(" limit {}", read.rows.unwrap_or(READ_ROWS));
    Ok(Query {
        fragments: vec![crate::ast::Fragment { text, at }],
    })
}

fn create_table_like(cx: &Context<'_>, like: CreateTableLike) -> Result<Plan> {
    let source = require_table(cx, &like.source)?;
    let project = cx.project_of(&like.table)?;
    let name = like.table.name.text;
    match is_taken(cx, &project, &name)? {
        true if like.if_not_exists => Ok(Plan::Nothing),
        true => Err(Error::table_exists(&project, &name).at(like.table.name.at.0)),
        false => Ok(Plan::CreateTable(NewTable {
            project,
            name,
            replaced: None,
            schema: source.schema,
            comment: source.table.comment,
            lifecycle_days: like.lifecycle_days,
            properties: source
                .table
                .properties
                .into_iter()
                .chain(like.properties)
                .collect(),
            primary_key: source.table.primary_key,
            clustering: source.table.clustering,
            query: None,
        })),
    }
}

fn create_view(cx: &Context<'_>, create: CreateView) -> Result<Plan> {
    let project = cx.project_of(&create.view)?;
    let name = create.view.name.text;
    let at = create.view.name.at.0;
    let catalog = cx.catalog()?;
    let is_table = catalog.live_table(&project, &name)?.is_some();
    let is_view = catalog.view(&project, &name)?.is_some();
    if is_table || (is_view && !create.or_replace) {
        return match create.if_not_exists && !is_table {
            true => Ok(Plan::Nothing),
            false => Err(Error::table_exists(&project, &name).at(at)),
        };
    }
    Ok(Plan::CreateView(NewView {
        project,
        name,
        columns: create.columns,
        comment: create.comment,
        query: create.query,
    }))
}

fn clone_table(cx: &Context<'_>, clone: CloneTable) -> Result<Plan> {
    let source = require_table(cx, &clone.source)?;
    if source.table.is_transactional() || source.table.clustering.is_some() {
        return Err(Error::not_supported(
            "CLONE TABLE of transactional and clustered tables",
        ));
    }
    let partitions = if clone.specs.is_empty() && source.table.partitioned {
        cx.catalog()?.live_partitions(source.id)?
    } else {
        live_partitions(cx, &source, &clone.specs)?
    };
    let project = cx.project_of(&clone.target)?;
    let name = clone.target.name.text.clone();
    let target = match is_taken(cx, &project, &name)? {
        false => CloneTarget::New { project, name },
        true => {
            let target = require_table(cx, &clone.target)?;
            if clone.if_exists.is_none() {
                return Err(Error::table_exists(&project, &name).at(clone.target.name.at.0));
            }
            if target.id == source.id {
                return Err(
                    Error::semantic("a table cannot be cloned to itself").at(clone
                        .target
                        .name
                        .at
                        .0),
                );
            }
            if !source.schema.is_same_as(&target.schema) {
                let detail = format!(
                    "the schemas of {} and {} differ",
                    source.qualified(),
                    target.qualified()
                );
                return Err(Error::semantic(detail).at(clone.target.name.at.0));
            }
            CloneTarget::Existing(Box::new(target))
        }
    };
    Ok(Plan::CloneTable(ClonePlan {
        source,
        partitions,
        target,
        ignores: clone.if_exists == Some(CloneMode::Ignore),
    }))
}

/// A table whose rows may be changed one by one.
fn transactional(cx: &Context<'_>, name: &ObjectName) -> Result<Target> {
    let target = require_table(cx, name)?;
    let allows_all = cx.flag(UPDATE_ANY_KEY, false);
    if target.table.is_transactional() || allows_all {
        return Ok(target);
    }
    let detail = format!("table {} is not transactional", target.qualified());
    let error = Error::semantic(detail).at(name.name.at.0);
    Err(error.hint("create it with tblproperties('transactional'='true')"))
}

fn describe_plan(cx: &Context<'_>, describe: Describe) -> Result<Plan> {
    let project = cx.project_of(&describe.table)?;
    let name = &describe.table.name.text;
    let catalog = cx.catalog()?;
    if let Some(view) = catalog.view(&project, name)? {
        let name = name.clone();
        return Ok(Plan::DescribeView {
            project,
            name,
            view,
        });
    }
    let target = require_table(cx, &describe.table)?;
    let extended = describe.extended;
    Ok(match describe.spec {
        None => Plan::Describe { target, extended },
        Some(spec) => {
            let (_, partition) = live_partitions(cx, &target, &[spec])?.remove(0);
            Plan::DescribePartition {
                target,
                partition,
                extended,
            }
        }
    })
}
