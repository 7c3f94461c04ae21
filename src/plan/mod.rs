//! Names resolved against the catalog: a statement becomes a plan, or an error that names what is wrong.
//!
//! Planning reads and never writes. Conditions such as IF EXISTS are settled here.

mod context;
mod resolve;

pub use context::{Context, MEMORY_KEY, parse_size};
pub use resolve::{Target, matches_values, partial_values, spec_text, wrong_count};

use resolve::{check_new_table, full_values, insert_plan, require_table};

use crate::ast::{Query, Source, Statement, TableRef};
use crate::catalog::{Partition, Schema};
use crate::engine::values::Mapping;
use crate::error::{Error, Result};
use crate::ids::PartitionId;

/// What is to be done, with everything named found.
#[derive(Debug)]
pub enum Plan {
    /// The statement's condition says there is nothing to do.
    Nothing,
    CreateTable(NewTable),
    DropTable(Target),
    RenameTable {
        target: Target,
        new_name: String,
    },
    AddPartitions {
        target: Target,
        partitions: Vec<Vec<String>>,
    },
    DropPartitions {
        target: Target,
        partitions: Vec<(PartitionId, Partition)>,
    },
    Insert(InsertPlan),
    Query(Query),
    ShowHistoryForTables,
    ShowHistory {
        table: TableRef,
        parts: Vec<crate::ast::Part>,
    },
    Restore(crate::ast::Restore),
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
    Describe(Target),
}

/// A table to be created.
#[derive(Debug)]
pub struct NewTable {
    pub project: String,
    pub name: String,
    pub schema: Schema,
    pub comment: Option<String>,
    pub lifecycle_days: Option<u32>,
    pub properties: Vec<(String, String)>,
}

/// An INSERT with its target and the place of each column's value.
#[derive(Debug)]
pub struct InsertPlan {
    pub target: Target,
    pub overwrite: bool,
    /// The values of the partition columns, for a partitioned table.
    pub partition: Option<Vec<String>>,
    pub mapping: Mapping,
    /// Columns a row of the source must have.
    pub source_columns: usize,
    pub source: Source,
}

/// Plans a statement that is not the session's own business.
pub fn plan(statement: Statement, cx: &Context<'_>) -> Result<Plan> {
    Ok(match statement {
        Statement::CreateTable(create) => {
            let project = cx.project_of(&create.table)?;
            let new_table = check_new_table(project, create)?;
            match cx
                .catalog()?
                .live_table(&new_table.0.project, &new_table.0.name)?
            {
                Some(_) if new_table.1 => Plan::Nothing,
                Some(_) => {
                    return Err(Error::table_exists(&new_table.0.project, &new_table.0.name)
                        .at(new_table.2));
                }
                None => Plan::CreateTable(new_table.0),
            }
        }
        Statement::DropTable { table, if_exists } => match (require_table(cx, &table), if_exists) {
            (Ok(target), _) => Plan::DropTable(target),
            (Err(error), false) => return Err(error),
            (Err(error), true) => {
                // Only a table that is not there is what IF EXISTS allows.
                let project = cx.project_of(&table)?;
                match cx.catalog()?.live_table(&project, &table.name.text)? {
                    None => Plan::Nothing,
                    Some(_) => return Err(error),
                }
            }
        },
        Statement::RenameTable { table, new_name } => {
            let target = require_table(cx, &table)?;
            let project = &target.table.project;
            if cx.catalog()?.live_table(project, &new_name.text)?.is_some() {
                return Err(Error::table_exists(project, &new_name.text).at(new_name.at.0));
            }
            Plan::RenameTable {
                target,
                new_name: new_name.text,
            }
        }
        Statement::AddPartitions {
            table,
            if_not_exists,
            specs,
        } => {
            let target = require_table(cx, &table)?;
            let mut partitions = Vec::new();
            for spec in specs {
                let values = full_values(&target, &spec)?;
                let exists = cx.catalog()?.live_partition(target.id, &values)?.is_some();
                if (exists || partitions.contains(&values)) && !if_not_exists {
                    let quoted: Vec<String> =
                        values.iter().map(|value| format!("\"{value}\"")).collect();
                    let detail = format!(
                        "AlreadyExistsException(message:Partition already exists, existed values:[{}])",
                        quoted.join(",")
                    );
                    return Err(Error::ddl_task(detail));
                }
                if !exists && !partitions.contains(&values) {
                    partitions.push(values);
                }
            }
            if partitions.is_empty() {
                Plan::Nothing
            } else {
                Plan::AddPartitions { target, partitions }
            }
        }
        Statement::DropPartitions {
            table,
            if_exists,
            specs,
        } => {
            let target = require_table(cx, &table)?;
            let catalog = cx.catalog()?;
            let mut partitions: Vec<(PartitionId, Partition)> = Vec::new();
            for spec in specs {
                let values = full_values(&target, &spec)?;
                match catalog.live_partition(target.id, &values)? {
                    Some(id) if partitions.iter().any(|(other, _)| *other == id) => {}
                    Some(id) => partitions.push((id, catalog.require_partition(target.id, id)?)),
                    None if if_exists => {}
                    None => {
                        return Err(
                            Error::partition_not_found(spec_text(&target.schema, &values))
                                .at(spec.at.0),
                        );
                    }
                }
            }
            if partitions.is_empty() {
                Plan::Nothing
            } else {
                Plan::DropPartitions { target, partitions }
            }
        }
        Statement::Insert(insert) => Plan::Insert(insert_plan(cx, insert)?),
        Statement::Query(query) => Plan::Query(query),
        Statement::ShowHistoryForTables => Plan::ShowHistoryForTables,
        Statement::ShowHistory { table, parts } => Plan::ShowHistory { table, parts },
        Statement::Restore(restore) => Plan::Restore(restore),
        Statement::ShowProject => Plan::ShowProject,
        Statement::SetProject(settings) => Plan::SetProject(settings),
        Statement::ShowTables { project, pattern } => {
            let project = project.map_or_else(|| cx.project.to_owned(), |project| project.text);
            cx.require_project(&project)?;
            Plan::ShowTables { project, pattern }
        }
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
        Statement::Describe(table) => Plan::Describe(require_table(cx, &table)?),
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
