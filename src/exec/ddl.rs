//! CREATE, DROP, TRUNCATE and CLONE. Manual pages: "Table operations", "CLONE TABLE".

use datafusion::arrow::array::RecordBatch;

use super::alter::check_properties;
use super::content::{Content, put};
use super::purge::collect_now;
use super::{Outcome, query};
use crate::catalog::edit::{Author, NewRow, TableEdit};
use crate::catalog::{COLUMNS_MAX, Column, Operation, Origin, Partition, Schema, Table};
use crate::datatype::TYPE_NESTING_MAX;
use crate::engine::types::{arrow_type_name, column_type};
use crate::engine::values::{check_default, stored_rows};
use crate::error::{Error, Result};
use crate::ids::PartitionId;
use crate::plan::{ClonePlan, CloneTarget, Context, NewTable, Target};
use crate::store::{Batch, Snapshot};

pub(super) fn create_table(cx: &Context<'_>, mut new: NewTable) -> Result<Outcome> {
    for column in new.schema.all_columns() {
        check_default(
            &Column {
                nullable: true,
                ..column.clone()
            },
            cx.zone,
        )?;
    }
    check_properties(&new.properties)?;
    let mut batch = cx.store()?.begin();
    let author = cx.author();
    let mut content = None;
    if let Some(query) = new.query.take() {
        let mut writer = batch.segment_writer();
        let result = query::columns(cx, &query)?;
        let schema = queried_schema(&result).map_err(|error| error.at(query.at()))?;
        let mapping = (0..schema.columns.len()).map(Some).collect();
        query::run(cx, &query, &mut |_| Ok(()), &mut |rows| {
            Ok(writer.write(stored_rows(&schema.columns, &mapping, &rows, cx.zone)?)?)
        })?;
        new.schema = schema;
        let segments = batch.finish_segments(writer)?;
        cx.exclude()?;
        let snapshot = Snapshot::default().append(cx.store()?, &mut batch, segments)?;
        content = Some(NewRow::content(Operation::Create, snapshot, 0));
    }
    let table = new_table(cx, &new);
    match new.replaced.take() {
        Some(replaced) => {
            dropped(cx, &mut batch, &author, *replaced)?.finish(&mut batch);
            let id = cx.new_table_id(&mut batch);
            TableEdit::replace(&mut batch, &author, id, table, &new.schema, content)
        }
        None => {
            let id = cx.new_table_id(&mut batch);
            TableEdit::create(&mut batch, &author, id, table, &new.schema, content)
        }
    }
    .finish(&mut batch);
    cx.commit(batch, &author)?;
    Ok(Outcome::Done)
}

fn new_table(cx: &Context<'_>, new: &NewTable) -> Table {
    let partitioned = !new.schema.partition_columns.is_empty();
    Table {
        comment: new.comment.clone(),
        lifecycle_days: new.lifecycle_days,
        properties: new.properties.iter().cloned().collect(),
        primary_key: new.primary_key.clone(),
        clustering: new.clustering.clone(),
        ..Table::new(&new.project, &new.name, cx.user, partitioned, cx.now_ms)
    }
}

/// No name of a column is longer, in bytes.
const NAME_MAX: usize = 128;

/// The columns of a query's result as those of a table.
pub(super) fn queried_schema(result: &datafusion::arrow::datatypes::SchemaRef) -> Result<Schema> {
    let mut columns: Vec<Column> = Vec::new();
    for (position, field) in result.fields().iter().enumerate() {
        let name = field.name().to_lowercase();
        if columns.iter().any(|column| column.name == name) {
            return Err(Error::semantic(format!(
                "column repeated in creation: {name}"
            )));
        }
        let Some(data_type) = column_type(field.data_type()) else {
            let given = arrow_type_name(field.data_type());
            return Err(Error::semantic(format!(
                "column {name} cannot be of type {given}"
            )));
        };
        if data_type.nesting() > TYPE_NESTING_MAX {
            return Err(Error::semantic(format!(
                "the type of column {name} is nested too deeply"
            )));
        }
        if name.len() > NAME_MAX {
            return Err(Error::semantic(format!(
                "a column name is longer than {NAME_MAX} bytes"
            )));
        }
        columns.push(Column {
            id: position as u32 + 1,
            name,
            data_type,
            nullable: true,
            comment: None,
            default: None,
        });
    }
    if columns.len() > COLUMNS_MAX {
        return Err(Error::semantic(format!(
            "a table has at most {COLUMNS_MAX} columns"
        )));
    }
    Ok(Schema {
        columns,
        partition_columns: Vec::new(),
    })
}

/// Drops a table into backup state, or for good.
pub(super) fn drop_table(cx: &Context<'_>, target: Target, purge: bool) -> Result<Outcome> {
    let mut batch = cx.store()?.begin();
    let author = cx.author();
    let id = target.id;
    let mut edit = dropped(cx, &mut batch, &author, target)?;
    if purge {
        let dropped = edit.table.last_row_at_ms;
        edit.purge_before(dropped + 1);
    }
    edit.finish(&mut batch);
    cx.commit(batch, &author)?;
    if purge {
        collect_now(cx, &[id]);
    }
    Ok(Outcome::Done)
}

/// A table dropped into backup state.
fn dropped<'a>(
    cx: &Context<'_>,
    batch: &mut Batch<'_>,
    author: &'a Author,
    target: Target,
) -> Result<TableEdit<'a>> {
    let content = cx
        .catalog()?
        .require_version(target.id, target.table.head)?
        .content;
    let mut edit = TableEdit::open(batch, author, target.id, target.table);
    edit.drop_table(batch, content.map_or(0, |content| content.row_count));
    Ok(edit)
}

/// Empties a table without partitions, or partitions; what was there stays in the history.
pub(super) fn truncate(
    cx: &Context<'_>,
    target: Target,
    partitions: Vec<(PartitionId, Partition)>,
) -> Result<Outcome> {
    let mut batch = cx.store()?.begin();
    let author = cx.author();
    let places: Vec<Option<Vec<String>>> = if target.table.partitioned {
        let values = partitions
            .into_iter()
            .map(|(_, partition)| Some(partition.values));
        values.collect()
    } else {
        vec![None]
    };
    let mut edit = TableEdit::open(&mut batch, &author, target.id, target.table);
    for place in places {
        let content = Content::Replaced(Vec::new());
        put(
            cx,
            &mut batch,
            &mut edit,
            place,
            content,
            Operation::Truncate,
        )?;
    }
    edit.finish(&mut batch);
    cx.commit(batch, &author)?;
    Ok(Outcome::Done)
}

/// A copy that shares its segments with the source.
pub(super) fn clone_table(cx: &Context<'_>, plan: ClonePlan) -> Result<Outcome> {
    let catalog = cx.catalog()?;
    let source = plan.source;
    let content = |lsn| -> Result<Snapshot> {
        Ok(catalog
            .require_version(source.id, lsn)?
            .content
            .unwrap_or_default())
    };
    let mut batch = cx.store()?.begin();
    let author = cx.author();
    let origin = |row: NewRow, lsn| row.from(source.id, lsn);
    match plan.target {
        CloneTarget::New { project, name } => {
            let partitioned = source.table.partitioned;
            let table = Table {
                comment: source.table.comment.clone(),
                properties: source.table.properties.clone(),
                columns_made: catalog.columns_made(source.id, &source.table)?,
                ..Table::new(&project, &name, cx.user, partitioned, cx.now_ms)
            };
            let head = source.table.head;
            let first = match partitioned {
                true => None,
                false => Some(origin(
                    NewRow::content(Operation::Create, content(head)?, 0),
                    head,
                )),
            };
            let id = cx.new_table_id(&mut batch);
            let mut edit = TableEdit::create(&mut batch, &author, id, table, &source.schema, first);
            for (_, partition) in plan.partitions {
                let row = NewRow::content(Operation::Create, content(partition.head)?, 0);
                let id = cx.new_partition_id(&mut batch);
                edit.create_partition(
                    &mut batch,
                    id,
                    partition.values,
                    origin(row, partition.head),
                )?;
            }
            edit.finish(&mut batch);
        }
        CloneTarget::Existing(target) => {
            let mut places = Vec::new();
            if source.table.partitioned {
                for (_, partition) in plan.partitions {
                    let is_there = catalog
                        .live_partition(target.id, &partition.values)?
                        .is_some();
                    if !(is_there && plan.ignores) {
                        places.push((Some(partition.values), partition.head));
                    }
                }
            } else if !plan.ignores {
                places.push((None, source.table.head));
            }
            if places.is_empty() {
                return Ok(Outcome::Done);
            }
            // The copy is read by the ids of its own columns, so the rows are written anew where they differ.
            let same_ids = target.schema.columns.iter().map(|c| c.id).eq(source
                .schema
                .columns
                .iter()
                .map(|c| c.id));
            let mut edit = TableEdit::open(&mut batch, &author, target.id, target.table.clone());
            if same_ids {
                edit.table.columns_made = catalog
                    .columns_made(target.id, &target.table)?
                    .max(catalog.columns_made(source.id, &source.table)?);
            }
            for (place, lsn) in places {
                let content = if same_ids {
                    let snapshot = content(lsn)?;
                    let rows_removed = current_rows(cx, &target, place.as_deref())?;
                    Content::Snapshot {
                        rows_added: snapshot.row_count,
                        snapshot,
                        rows_removed,
                        origin: Some(Origin {
                            table: source.id,
                            lsn,
                        }),
                    }
                } else {
                    let mut writer = batch.segment_writer();
                    let renamed = crate::engine::types::storage_schema(&target.schema.columns);
                    query::stored(cx, &source, lsn, &mut |rows| {
                        let rows = RecordBatch::try_new(renamed.clone(), rows.columns().to_vec());
                        Ok(writer
                            .write(rows.map_err(|error| Error::internal(error.to_string()))?)?)
                    })?;
                    Content::Replaced(batch.finish_segments(writer)?)
                };
                put(
                    cx,
                    &mut batch,
                    &mut edit,
                    place,
                    content,
                    Operation::Overwrite,
                )?;
            }
            edit.finish(&mut batch);
        }
    }
    cx.commit(batch, &author)?;
    Ok(Outcome::Done)
}

fn current_rows(cx: &Context<'_>, target: &Target, place: Option<&[String]>) -> Result<u64> {
    let catalog = cx.catalog()?;
    let head = match place {
        None => target.table.head,
        Some(values) => match catalog.live_partition(target.id, values)? {
            Some(id) => catalog.require_partition(target.id, id)?.head,
            None => return Ok(0),
        },
    };
    let content = catalog.require_version(target.id, head)?.content;
    Ok(content.map_or(0, |content| content.row_count))
}
