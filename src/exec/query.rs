//! Queries, and the tables they read.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;

use super::{Outcome, RowSet};
use crate::ast::Query;
use crate::engine::{Found, Part, Setting, SnapshotTable, Tables, View};
use crate::error::{Error, Result};
use crate::plan::Context;

pub(super) fn query(cx: &Context<'_>, query: &Query) -> Result<Outcome> {
    let mut batches = Vec::new();
    let schema = run(cx, query, &mut |_| Ok(()), &mut |batch| {
        batches.push(batch);
        Ok(())
    })?;
    Ok(Outcome::Rows(RowSet { schema, batches }))
}

/// Runs a query over the current content of the tables it names.
pub(super) fn run(
    cx: &Context<'_>,
    query: &Query,
    begin: &mut dyn FnMut(&SchemaRef) -> Result<()>,
    visit: &mut dyn FnMut(RecordBatch) -> Result<()>,
) -> Result<SchemaRef> {
    with_setting(cx, query, |setting, tables| {
        cx.engine.run(query, setting, tables, begin, visit)
    })
}

/// The columns a query would give.
pub(super) fn columns(cx: &Context<'_>, query: &Query) -> Result<SchemaRef> {
    with_setting(cx, query, |setting, tables| {
        cx.engine.columns(query, setting, tables)
    })
}

/// EXPLAIN: the plan of a query.
pub(super) fn explain(cx: &Context<'_>, query: &Query) -> Result<Outcome> {
    with_setting(cx, query, |setting, tables| {
        cx.engine.explain(query, setting, tables)
    })
    .map(|plan| Outcome::Text(plan.trim_end().to_owned()))
}

fn with_setting<T>(
    cx: &Context<'_>,
    query: &Query,
    run: impl FnOnce(&Setting<'_>, &mut dyn Tables) -> Result<T>,
) -> Result<T> {
    // A query that names no table needs no store.
    let names_table = query.text.to_ascii_lowercase().contains("from");
    let store = if names_table { Some(cx.store()?) } else { None };
    let options = cx.options()?;
    let setting = Setting {
        project: cx.project,
        options: &options,
        store,
    };
    run(&setting, &mut CurrentTables { cx })
}

/// Tables and views as they are now.
struct CurrentTables<'a, 'b> {
    cx: &'a Context<'b>,
}

impl CurrentTables<'_, '_> {
    fn project(&self, project: Option<&str>) -> Result<String> {
        self.cx.ensure_project()?;
        let project = project.unwrap_or(self.cx.project);
        self.cx.require_project(project)?;
        Ok(project.to_owned())
    }
}

impl Tables for CurrentTables<'_, '_> {
    fn find(&mut self, project: Option<&str>, name: &str) -> Result<Option<Found>> {
        let cx = self.cx;
        let project = self.project(project)?;
        let catalog = cx.catalog()?;
        let Some((id, table)) = catalog.live_table(&project, name)? else {
            let view = catalog.view(&project, name)?;
            return Ok(view.map(|view| {
                Found::View(View {
                    project,
                    name: name.to_owned(),
                    query: view.query,
                    columns: view.columns.into_iter().map(|column| column.name).collect(),
                })
            }));
        };
        let schema = catalog.schema(id, table.schema)?;
        let parts = if table.partitioned {
            let live = catalog.live_partitions(id)?;
            live.into_iter()
                .map(|(_, partition)| Part {
                    values: partition.values,
                    lsn: partition.head,
                })
                .collect()
        } else {
            vec![Part {
                values: Vec::new(),
                lsn: table.head,
            }]
        };
        let name = format!("{}.{}", table.project, table.name);
        let store = Arc::clone(cx.store()?);
        let table = SnapshotTable::new(store, id, name, schema, parts);
        Ok(Some(Found::Table(table)))
    }

    fn max_partition(&mut self, project: Option<&str>, name: &str) -> Result<Option<String>> {
        let project = self.project(project)?;
        let catalog = self.cx.catalog()?;
        let Some((id, table)) = catalog.live_table(&project, name)? else {
            return Err(Error::table_not_found(&project, name));
        };
        if !table.partitioned {
            return Err(Error::semantic(format!(
                "table {project}.{name} is not partitioned"
            )));
        }
        let mut largest: Option<String> = None;
        for (_, partition) in catalog.live_partitions(id)? {
            let content = catalog.require_version(id, partition.head)?.content;
            let holds_data = content.is_some_and(|content| content.row_count > 0);
            let value = &partition.values[0];
            if holds_data && largest.as_ref().is_none_or(|largest| value > largest) {
                largest = Some(value.clone());
            }
        }
        Ok(largest)
    }
}
