//! Queries, and the tables they read.

use std::sync::Arc;

use super::{Outcome, RowSet};
use crate::ast::Query;
use crate::engine::{Part, Setting, SnapshotTable};
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
    begin: &mut dyn FnMut(&datafusion::arrow::datatypes::SchemaRef) -> Result<()>,
    visit: &mut dyn FnMut(datafusion::arrow::array::RecordBatch) -> Result<()>,
) -> Result<datafusion::arrow::datatypes::SchemaRef> {
    let mut resolve = |project: Option<&str>, name: &str| current(cx, project, name);
    // A query that names no table needs no store.
    let names_table = query.text.to_ascii_lowercase().contains("from");
    let store = if names_table { Some(cx.store()?) } else { None };
    let setting = Setting {
        project: cx.project,
        zone: cx.zone,
        store,
    };
    cx.engine
        .run(query, cx.statement, &setting, &mut resolve, begin, visit)
}

/// A table as it is now.
fn current(cx: &Context<'_>, project: Option<&str>, name: &str) -> Result<Option<SnapshotTable>> {
    cx.ensure_project()?;
    let catalog = cx.catalog()?;
    let project = project.unwrap_or(cx.project);
    if catalog.project(project)?.is_none() {
        return Err(Error::project_not_found(project));
    }
    let Some((id, table)) = catalog.live_table(project, name)? else {
        return Ok(None);
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
    Ok(Some(SnapshotTable::new(
        Arc::clone(cx.store()?),
        id,
        name,
        schema,
        parts,
    )))
}
