//! Queries, and the tables they read.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch, UInt64Array};
use datafusion::arrow::datatypes::{DataType, Field, Schema as ArrowSchema, SchemaRef, UInt64Type};

use super::{Outcome, local_time};
use crate::ast::{At, Fragment, Load, Query};
use crate::catalog::{Action, Operation, Partition, Schema, Table, Version};
use crate::engine::values::{literal_batch, stored_rows};
use crate::engine::{Asked, Files, Found, Part, Point, Setting, SnapshotTable, Tables, View};
use crate::error::{Error, Result};
use crate::ids::{Lsn, PartitionId, TableId};
use crate::parser::tokenize;
use crate::plan::{Context, TRAVEL_ANY_KEY, Target};
use crate::timemachine::{Miss, Refusal, lsn_at, table_at, table_history};

pub(super) fn query(cx: &Context<'_>, query: &Query) -> Result<Outcome> {
    let rows = with_setting(cx, query, |setting, tables| {
        cx.engine.start(query, setting, tables)
    })?;
    Ok(Outcome::Rows(rows.in_statement(cx.statement)))
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
        planned: &|| cx.planned(),
    };
    cx.engine.run(query, &setting, tables, begin, visit)
}

/// The name that the files of LOAD are read under.
const FILES: &str = "__files";

/// Reads the files of LOAD, whose `width` columns are the first of the table: with `PARTITION` the partition columns are
/// not in the files.
pub(super) fn files(
    cx: &Context<'_>,
    load: &Load,
    (schema, width): (&Schema, usize),
    begin: &mut dyn FnMut(&SchemaRef) -> Result<()>,
    visit: &mut dyn FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let files = Files {
        location: load.location.clone(),
        format: load.format,
        properties: load.properties.clone(),
        columns: schema
            .all_columns()
            .take(width)
            .map(|column| column.name.clone())
            .collect(),
    };
    let mut tables = OneTable {
        name: FILES,
        found: Some(Found::Files(files)),
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
    fn find(&mut self, _: Option<&str>, name: &str, _: Asked) -> Result<Option<Found>> {
        Ok(self.found.take().filter(|_| name == self.name))
    }

    fn latest(&mut self, _: Option<&str>, name: &str, _: usize) -> Result<(i64, i64)> {
        Err(Error::semantic(format!(
            "the history of {name} cannot be asked for here"
        )))
    }

    fn max_partition(&mut self, _: Option<&str>, name: &str) -> Result<Option<String>> {
        Err(Error::semantic(format!(
            "max_pt('{name}') cannot be used here"
        )))
    }

    fn exists(&mut self, _: Option<&str>, name: &str, _: Option<&str>) -> Result<bool> {
        Err(Error::semantic(format!(
            "table {name} cannot be looked up here"
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
    let table = SnapshotTable::new(store, target.id, target.qualified(), schema, vec![part])?;
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
        planned: &|| cx.planned(),
    };
    run(&setting, &mut CurrentTables { cx })
}

/// A table as it was at a point of its history.
fn past(cx: &Context<'_>, id: TableId, table: &Table, point: Point) -> Result<SnapshotTable> {
    let catalog = cx.catalog()?;
    let name = format!("{}.{}", table.project, table.name);
    let is_transactional = table.is_transactional();
    if matches!(
        point,
        Point::VersionOfChanges(_) | Point::InstantOfChanges(_)
    ) && !is_transactional
    {
        let detail = format!("table {name} is not transactional, its changes cannot be queried");
        return Err(Error::semantic(detail));
    }
    let allows_any = cx.flag(TRAVEL_ANY_KEY, true);
    if !allows_any && !table.has_key() {
        let detail = format!("table {name} is no delta table and has no time travel");
        return Err(Error::semantic(detail).hint(format!("set {TRAVEL_ANY_KEY}=true; allows it")));
    }
    let store = Arc::clone(cx.store()?);
    let window = cx.retention(&table.project)?.window(table);
    let lsn = match point {
        Point::Version(number) | Point::VersionOfChanges(number) => u64::try_from(number)
            .ok()
            .map(Lsn)
            .filter(|lsn| *lsn > Lsn(0)),
        Point::Instant(at_ms) | Point::InstantOfChanges(at_ms) => {
            lsn_at(catalog, id, table, at_ms)?
        }
    };
    let empty = |schema: u32| -> Result<SnapshotTable> {
        let schema = catalog.schema(id, schema)?;
        let (store, name) = (Arc::clone(&store), name.clone());
        Ok(SnapshotTable::new(store, id, name, schema, Vec::new())?)
    };
    let not_kept = |what: String| Error::semantic(format!("{what} of table {name} is not kept"));
    let Some(mut lsn) = lsn else {
        return match point {
            // Before the first change there was nothing.
            Point::VersionOfChanges(_) | Point::InstantOfChanges(_) => empty(table.schema),
            Point::Version(number) => Err(not_kept(format!("version {number}"))),
            Point::Instant(at_ms) => Err(not_kept(format!(
                "what was at {}",
                local_time(at_ms, cx.zone)
            ))),
        };
    };
    let is_exact = matches!(point, Point::Version(_));
    if !is_exact && !table.partitioned {
        // The row at or before the point.
        lsn = lsn.min(table.last_lsn);
        lsn = catalog.last_row_at(id, lsn)?.unwrap_or(lsn);
    }
    let state = match table_at(catalog, (id, table), lsn.min(table.last_lsn), window) {
        Ok(_) if is_exact && lsn > table.last_lsn => {
            return Err(not_kept(format!("version {lsn}")));
        }
        Ok(state) => state,
        // While it was dropped there was nothing.
        Err(Miss::Refused(Refusal::NoContent(..))) if !is_exact => return empty(table.schema),
        Err(Miss::Refused(Refusal::UnknownLsn(_))) => {
            return Err(not_kept(format!("version {lsn}")));
        }
        Err(Miss::Refused(refusal)) => {
            return Err(Error::semantic(format!(
                "table {name} VERSION AS OF: {refusal}"
            )));
        }
        Err(Miss::Failed(error)) => return Err(error),
    };
    let schema = catalog.schema(id, state.schema)?;
    let whole = state.content.map(|chosen| Part {
        values: Vec::new(),
        lsn: chosen.lsn,
    });
    let parts = state.pieces.into_iter().map(|piece| Part {
        values: piece.partition.values,
        lsn: piece.chosen.lsn,
    });
    let parts = whole.into_iter().chain(parts).collect();
    Ok(SnapshotTable::new(store, id, name, schema, parts)?)
}

/// Tables and views as they are now.
pub(super) struct CurrentTables<'a, 'b> {
    cx: &'a Context<'b>,
}

impl<'a, 'b> CurrentTables<'a, 'b> {
    pub(super) fn new(cx: &'a Context<'b>) -> Self {
        Self { cx }
    }

    fn check_select(&self, project: &str, name: &str) -> Result<()> {
        if self.cx.identity.is_owner {
            return Ok(());
        }
        let authority = self.cx.authority()?;
        authority.check_table(project, name, Action::Select, Action::List)
    }

    fn project(&self, project: Option<&str>) -> Result<String> {
        let project = project.unwrap_or(self.cx.project);
        self.cx.require_project(project)?;
        Ok(project.to_owned())
    }
}

impl Tables for CurrentTables<'_, '_> {
    fn find(&mut self, project: Option<&str>, name: &str, asked: Asked) -> Result<Option<Found>> {
        let cx = self.cx;
        let project = self.project(project)?;
        let point = asked.point;
        // A view reads with the rights of who made it.
        if !asked.in_view {
            self.check_select(&project, name)?;
        }
        let catalog = cx.catalog()?;
        let Some((id, table)) = catalog.live_table(&project, name)? else {
            let view = catalog.view(&project, name)?;
            if view.is_some() && point.is_some() {
                return Err(Error::semantic(format!("view {name} has no history")));
            }
            return Ok(view.map(|view| {
                Found::View(View {
                    project,
                    name: name.to_owned(),
                    query: view.query,
                    columns: view.columns.into_iter().map(|column| column.name).collect(),
                })
            }));
        };
        if let Some(point) = point {
            return past(cx, id, &table, point).map(|past| Some(Found::Table(past)));
        }
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
        let table = SnapshotTable::new(store, id, name, schema, parts)?;
        Ok(Some(Found::Table(table)))
    }

    fn latest(&mut self, project: Option<&str>, name: &str, nth: usize) -> Result<(i64, i64)> {
        let project = self.project(project)?;
        self.check_select(&project, name)?;
        let catalog = self.cx.catalog()?;
        let Some((id, table)) = catalog.live_table(&project, name)? else {
            return Err(Error::table_not_found(&project, name));
        };
        let changes = |row: &Version| {
            use Operation::{Append, Create, Delete, Merge, Overwrite, Truncate, Update};
            match row.operation {
                Append | Overwrite | Update | Delete | Merge | Truncate => true,
                // A partition comes with its first rows.
                Create => row.partition.is_some(),
                _ => false,
            }
        };
        let window = self.cx.retention(&project)?.window(&table);
        let rows = table_history(catalog, id, &table, window, None)?;
        let mut last = rows.iter().rev().filter(|row| changes(&row.version));
        match last.nth(nth - 1) {
            Some(row) => Ok((row.lsn.0 as i64, row.version.committed_at_ms)),
            None => Err(Error::semantic(format!(
                "table {project}.{name} has no {nth} changes that are kept"
            ))),
        }
    }

    fn max_partition(&mut self, project: Option<&str>, name: &str) -> Result<Option<String>> {
        let project = self.project(project)?;
        self.check_select(&project, name)?;
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
    fn exists(
        &mut self,
        project: Option<&str>,
        name: &str,
        partition: Option<&str>,
    ) -> Result<bool> {
        let project = self.project(project)?;
        let catalog = self.cx.catalog()?;
        let Some((id, table)) = catalog.live_table(&project, name)? else {
            return match partition {
                None => Ok(catalog.view(&project, name)?.is_some()),
                Some(_) => Err(Error::table_not_found(&project, name)),
            };
        };
        self.check_select(&project, name)?;
        let Some(partition) = partition else {
            return Ok(true);
        };
        let schema = catalog.schema(id, table.schema)?;
        let columns = &schema.partition_columns;
        let mut wanted = vec![None; columns.len()];
        for pair in partition.split([',', '/']) {
            let named = pair.split_once('=').and_then(|(name, value)| {
                let name = name.trim().to_lowercase();
                let place = columns.iter().position(|column| column.name == name)?;
                Some((place, value.trim().trim_matches(['\'', '"'])))
            });
            let Some((place, value)) = named else {
                return Err(Error::semantic(format!(
                    "'{pair}' names no partition column of table {project}.{name}"
                )));
            };
            wanted[place] = Some(value);
        }
        let fits = |values: &[String]| {
            let mut pairs = values.iter().zip(&wanted);
            pairs.all(|(value, wanted)| wanted.is_none_or(|wanted| wanted == value))
        };
        let live = catalog.live_partitions(id)?;
        Ok(live.iter().any(|(_, partition)| fits(&partition.values)))
    }
}
