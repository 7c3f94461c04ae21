//! CREATE, DROP and ALTER TABLE.

use super::Outcome;
use crate::catalog::edit::{NewRow, TableEdit};
use crate::catalog::{Operation, Partition, Table};
use crate::error::Result;
use crate::ids::PartitionId;
use crate::plan::{Context, NewTable, Target};
use crate::store::Snapshot;

pub(super) fn create_table(cx: &Context<'_>, new: NewTable) -> Result<Outcome> {
    let mut batch = cx.store()?.begin();
    let author = cx.author();
    let id = cx.new_table_id(&mut batch);
    let partitioned = !new.schema.partition_columns.is_empty();
    let table = Table {
        comment: new.comment,
        lifecycle_days: new.lifecycle_days,
        properties: new.properties.into_iter().collect(),
        ..Table::new(&new.project, &new.name, cx.user, partitioned, cx.now_ms)
    };
    TableEdit::create(&mut batch, &author, id, table, &new.schema, None)?.finish(&mut batch);
    cx.commit(batch, &author)?;
    Ok(Outcome::Done)
}

pub(super) fn drop_table(cx: &Context<'_>, target: Target) -> Result<Outcome> {
    let mut batch = cx.store()?.begin();
    let author = cx.author();
    let content = cx
        .catalog()?
        .require_version(target.id, target.table.head)?
        .content;
    let mut edit = TableEdit::open(&mut batch, &author, target.id, target.table);
    edit.drop_table(&mut batch, content.map_or(0, |content| content.row_count));
    edit.finish(&mut batch);
    cx.commit(batch, &author)?;
    Ok(Outcome::Done)
}

pub(super) fn rename_table(cx: &Context<'_>, target: Target, new_name: &str) -> Result<Outcome> {
    let mut batch = cx.store()?.begin();
    let author = cx.author();
    let mut edit = TableEdit::open(&mut batch, &author, target.id, target.table);
    edit.rename(&mut batch, new_name)?;
    edit.finish(&mut batch);
    cx.commit(batch, &author)?;
    Ok(Outcome::Done)
}

pub(super) fn add_partitions(
    cx: &Context<'_>,
    target: Target,
    partitions: Vec<Vec<String>>,
) -> Result<Outcome> {
    let mut batch = cx.store()?.begin();
    let author = cx.author();
    let mut edit = TableEdit::open(&mut batch, &author, target.id, target.table);
    for values in partitions {
        let id = cx.new_partition_id(&mut batch);
        let row = NewRow::content(Operation::Create, Snapshot::default(), 0);
        edit.create_partition(&mut batch, id, values, row)?;
    }
    edit.finish(&mut batch);
    cx.commit(batch, &author)?;
    Ok(Outcome::Done)
}

pub(super) fn drop_partitions(
    cx: &Context<'_>,
    target: Target,
    partitions: Vec<(PartitionId, Partition)>,
) -> Result<Outcome> {
    let mut batch = cx.store()?.begin();
    let author = cx.author();
    let mut edit = TableEdit::open(&mut batch, &author, target.id, target.table);
    for (id, partition) in partitions {
        edit.drop_partition(&mut batch, cx.catalog()?, id, partition)?;
    }
    edit.finish(&mut batch);
    cx.commit(batch, &author)?;
    Ok(Outcome::Done)
}
