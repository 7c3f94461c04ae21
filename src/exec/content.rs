//! New content for a table or its partitions: what INSERT, LOAD, TRUNCATE, CLONE, UPDATE and MERGE share.

use crate::catalog::edit::{NewRow, TableEdit};
use crate::catalog::{Operation, Origin};
use crate::error::Result;
use crate::plan::Context;
use crate::store::{Batch, NewSegment, Snapshot};

/// What an object's content becomes.
pub(super) enum Content {
    /// New rows behind those that are there.
    Appended(Vec<NewSegment>),
    /// New rows in place of those that are there.
    Replaced(Vec<NewSegment>),
    /// A snapshot, with how many rows came and went on the way to it.
    Snapshot {
        snapshot: Snapshot,
        rows_added: u64,
        rows_removed: u64,
        /// The version whose content this is, where it is one.
        origin: Option<Origin>,
    },
}

/// Gives an object new content under `operation`; a partition that is not there is created with it.
///
/// `place` has the partition's values, `None` for a table without partitions.
pub(super) fn put(
    cx: &Context<'_>,
    batch: &mut Batch<'_>,
    edit: &mut TableEdit<'_>,
    place: Option<Vec<String>>,
    content: Content,
    operation: Operation,
) -> Result<()> {
    let (store, catalog) = (cx.store()?, cx.catalog()?);
    let live = match &place {
        Some(values) => catalog.live_partition(edit.id, values)?,
        None => None,
    };
    let live = match live {
        Some(id) => Some((id, catalog.require_partition(edit.id, id)?)),
        None => None,
    };
    let head = match (&place, &live) {
        (None, _) => Some(edit.table.head),
        (Some(_), Some((_, partition))) => Some(partition.head),
        (Some(_), None) => None,
    };
    let current = match head {
        Some(lsn) => catalog
            .require_version(edit.id, lsn)?
            .content
            .unwrap_or_default(),
        None => Snapshot::default(),
    };
    let rows = |segments: &[NewSegment]| -> u64 {
        segments
            .iter()
            .map(|segment| segment.reference.row_count)
            .sum()
    };
    let mut row = match content {
        Content::Appended(segments) => {
            let rows_added = rows(&segments);
            let content = current.append(store, batch, segments)?;
            NewRow {
                rows_added,
                ..NewRow::content(operation, content, 0)
            }
        }
        Content::Replaced(segments) => {
            let content = Snapshot::default().append(store, batch, segments)?;
            NewRow::content(operation, content, current.row_count)
        }
        Content::Snapshot {
            snapshot,
            rows_added,
            rows_removed,
            origin,
        } => NewRow {
            rows_added,
            restored_from: origin,
            ..NewRow::content(operation, snapshot, rows_removed)
        },
    };
    match (place, live) {
        (None, _) => {
            edit.add_table_row(batch, row);
        }
        (Some(_), Some((id, mut partition))) => {
            edit.add_partition_row(batch, id, &mut partition, row);
        }
        (Some(values), None) => {
            row.operation = Operation::Create;
            let id = cx.new_partition_id(batch);
            edit.create_partition(batch, id, values, row)?;
        }
    }
    Ok(())
}
