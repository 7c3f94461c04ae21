//! Queries, and the tables they read.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef, UInt64Type};

use super::{Outcome, RowSet};
use crate::ast::{At, Fragment, Load, Query};
use crate::catalog::{Partition, Schema};
use crate::engine::values::{literal_batch, stored_rows};
use crate::engine::{Files, Found, Part, Setting, SnapshotTable, Tables, View};
use crate::error::{Error, Result};
use crate::ids::{Lsn, PartitionId};
use crate::parser::tokenize;
use crate::plan::{Context, Target};

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

/// A query of our own about what stands at `at`.
pub(super) fn own(text: &str, at: usize) -> Query {
    let text = text.to_owned();
    Query {
        fragments: vec![Fragment { text, at: At(at) }],
    }
}

/// Runs a query over tables that `tables` finds.
pub(super) fn run_over(
    cx: &Context<'_>,
    query: &Query,
    tables: &mut dyn Tables,
    begin: &mut dyn FnMut(&SchemaRef) -> Result<()>,
    visit: &mut dyn FnMut(RecordBatch) -> Result<()>,
) -> Result<SchemaRef> {
    let options = cx.options()?;
    let setting = Setting {
        statement: cx.statement,
        project: cx.project,
        options: &options,
        store: Some(cx.store()?),
    };
    cx.engine.run(query, &setting, tables, begin, visit)
}

/// The name that the files of LOAD are read under.
const FILES: &str = "__files";

/// Reads the files of LOAD.
pub(super) fn files(
    cx: &Context<'_>,
    load: &Load,
    schema: &Schema,
    begin: &mut dyn FnMut(&SchemaRef) -> Result<()>,
    visit: &mut dyn FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let mut tables = OneTable {
        name: FILES,
        found: Some(Found::Files(Files {
            location: load.location.clone(),
            format: load.format,
            properties: load.properties.clone(),
            columns: schema
                .all_columns()
                .map(|column| column.name.clone())
                .collect(),
        })),
    };
    let query = own(&format!("select * from {FILES}"), 0);
    run_over(cx, &query, &mut tables, begin, visit).map(drop)
}

/// A table given by hand, under a name of our own.
struct OneTable<'a> {
    name: &'a str,
    found: Option<Found>,
}

impl Tables for OneTable<'_> {
    fn find(&mut self, _: Option<&str>, name: &str) -> Result<Option<Found>> {
        Ok(self.found.take().filter(|_| name == self.name))
    }

    fn max_partition(&mut self, _: Option<&str>, name: &str) -> Result<Option<String>> {
        Err(Error::semantic(format!(
            "max_pt('{name}') cannot be used here"
        )))
    }
}

/// The partitions for which a condition on one partition column holds.
pub(super) fn partitions(
    cx: &Context<'_>,
    schema: &Schema,
    live: &[(PartitionId, Partition)],
    condition: &Fragment,
) -> Result<Vec<(PartitionId, Partition)>> {
    let columns = &schema.partition_columns;
    let mut named: Vec<String> = Vec::new();
    for token in tokenize(&condition.text)? {
        let name = token.text.trim_matches('`').to_lowercase();
        let is_column = columns.iter().any(|column| column.name == name);
        if is_column && !named.contains(&name) {
            named.push(name);
        }
    }
    if named.len() != 1 {
        let shown = named
            .last()
            .cloned()
            .unwrap_or_else(|| condition.text.clone());
        let detail = format!(
            "invalid column reference {shown}, partition expression must have one and only one column reference"
        );
        return Err(Error::semantic(detail).at(condition.at.0));
    }
    let literals = live.iter().map(|(_, partition)| {
        let values = partition.values.iter().cloned();
        values.map(crate::ast::Literal::String).collect()
    });
    let rows: Vec<Vec<crate::ast::Literal>> = literals.collect();
    let mapping = (0..columns.len()).map(Some).collect();
    let values = literal_batch(columns, &mapping, &rows, cx.zone)?;
    let mut fields: Vec<Field> = columns
        .iter()
        .zip(values.schema().fields())
        .map(|(column, field)| Field::new(&column.name, field.data_type().clone(), true))
        .collect();
    fields.push(Field::new("__position", DataType::UInt64, false));
    let mut arrays = values.columns().to_vec();
    arrays.push(Arc::new(UInt64Array::from_iter_values(
        0..live.len() as u64,
    )));
    let table = RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), arrays)
        .map_err(|error| Error::internal(error.to_string()))?;
    let mut tables = OneTable {
        name: "__partitions",
        found: Some(Found::Rows(table)),
    };
    let mut query = own("select __position from __partitions where", condition.at.0);
    query.fragments.push(condition.clone());
    let mut kept = Vec::new();
    run_over(cx, &query, &mut tables, &mut |_| Ok(()), &mut |rows| {
        let positions = rows.column(0).as_primitive::<UInt64Type>();
        kept.extend(positions.values().iter().map(|position| *position as usize));
        Ok(())
    })?;
    kept.sort_unstable();
    Ok(kept
        .into_iter()
        .map(|position| live[position].clone())
        .collect())
}

/// The rows of one version of a table, as they are stored.
pub(super) fn stored(
    cx: &Context<'_>,
    target: &Target,
    lsn: Lsn,
    visit: &mut dyn FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let schema = Schema {
        columns: target.schema.columns.clone(),
        partition_columns: Vec::new(),
    };
    let part = Part {
        values: Vec::new(),
        lsn,
    };
    let store = Arc::clone(cx.store()?);
    let table = SnapshotTable::new(store, target.id, target.qualified(), schema, vec![part]);
    let mut tables = OneTable {
        name: "__target",
        found: Some(Found::Table(table)),
    };
    let columns = &target.schema.columns;
    let mapping = (0..columns.len()).map(Some).collect();
    let query = own("select * from __target", 0);
    run_over(cx, &query, &mut tables, &mut |_| Ok(()), &mut |rows| {
        visit(stored_rows(columns, &mapping, &rows, cx.zone)?)
    })
    .map(drop)
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
    let names_table = query.mentions("from");
    let store = if names_table { Some(cx.store()?) } else { None };
    let options = cx.options()?;
    let setting = Setting {
        statement: cx.statement,
        project: cx.project,
        options: &options,
        store,
    };
    run(&setting, &mut CurrentTables { cx })
}

/// Tables and views as they are now.
pub(super) struct CurrentTables<'a, 'b> {
    cx: &'a Context<'b>,
}

impl<'a, 'b> CurrentTables<'a, 'b> {
    pub(super) fn new(cx: &'a Context<'b>) -> Self {
        Self { cx }
    }

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
