//! LIFECYCLE: tables and partitions that nobody changed for so many days are dropped. Manual page: "Lifecycle
//! management operations".
//!
//! Like retention it is decided by the statement's own time: before a statement runs, everything that has come
//! to its end is dropped as of the moment it did.

use std::ops::ControlFlow;

use crate::catalog::Lifecycle;
use crate::catalog::edit::{Author, TableEdit, is_listed};
use crate::catalog::{Partition, Table};
use crate::error::Result;
use crate::ids::{PartitionId, TableId};
use crate::plan::Context;
use crate::store::{Key, KeyRange, Order, Store};

const DAY_MS: i64 = 86_400_000;

/// The next instant at which something may come to its end.
pub fn next_end(store: &Store) -> Result<Option<i64>> {
    let mut next = None;
    store.scan_keys(&KeyRange::lifecycles(), Order::Ascending, |key| {
        if let Key::Lifecycle { at_ms, .. } = key {
            next = Some(i64::try_from(at_ms).unwrap_or(i64::MAX));
        }
        ControlFlow::Break(())
    })?;
    Ok(next)
}

/// Drops what has come to its end, and returns the next instant at which anything may.
pub fn reclaim(cx: &Context<'_>) -> Result<Option<i64>> {
    loop {
        let mut next = None;
        let mut due: Option<(Key, TableId)> = None;
        cx.store()?.scan(
            &KeyRange::lifecycles(),
            Order::Ascending,
            |key, _: Lifecycle| {
                if let Key::Lifecycle { at_ms, table } = key {
                    match at_ms <= cx.now_ms.max(0) as u64 {
                        true => due = Some((key, table)),
                        false => next = Some(i64::try_from(at_ms).unwrap_or(i64::MAX)),
                    }
                }
                Ok(ControlFlow::Break(()))
            },
        )?;
        match due {
            Some((key, table)) => reclaim_table(cx, key, table)?,
            None => return Ok(next),
        }
    }
}

fn reclaim_table(cx: &Context<'_>, listed: Key, id: TableId) -> Result<()> {
    let catalog = cx.catalog()?;
    let known = catalog.table(id)?;
    let Some(table) = known.filter(|table| is_listed(id, table, &listed)) else {
        // Nothing of ours puts such a listing; left where it is it would come again and again.
        let mut batch = cx.store()?.begin();
        batch.remove(&listed);
        return cx.commit(batch, &cx.author());
    };
    let days = i64::from(table.lifecycle_days.unwrap_or_default());
    // A lifecycle that was set or enabled later than that ends things from then on.
    let since_ms = table.ends_at_ms.unwrap_or_default();
    let end = |modified_ms: i64| (modified_ms + days * DAY_MS).max(since_ms);
    let mut batch = cx.store()?.begin();
    let author = Author::new(cx.now_ms, &table.owner, "");
    if !table.partitioned {
        let end_ms = end(table.modified_at_ms);
        let rows = current_rows(cx, id, &table)?;
        let mut edit = TableEdit::open(&mut batch, &author, id, table);
        if end_ms <= cx.now_ms {
            edit.set_time(end_ms);
            edit.drop_table(&mut batch, rows);
        } else {
            edit.table.ends_at_ms = Some(end_ms);
        }
        edit.finish(&mut batch);
        return cx.commit(batch, &author);
    }
    let mut partitions: Vec<(i64, PartitionId, Partition)> = catalog
        .live_partitions(id)?
        .into_iter()
        .filter(|(_, partition)| !partition.lifecycle_disabled)
        .map(|(id, partition)| (end(partition.modified_at_ms), id, partition))
        .collect();
    partitions.sort_by(|a, b| (a.0, &a.2.values).cmp(&(b.0, &b.2.values)));
    let mut edit = TableEdit::open(&mut batch, &author, id, table);
    // A partition that is made later ends later.
    edit.table.ends_at_ms = Some(end(cx.now_ms));
    for (end_ms, id, partition) in partitions {
        if end_ms > cx.now_ms {
            edit.table.ends_at_ms = Some(end_ms);
            break;
        }
        edit.set_time(end_ms);
        edit.drop_partition(&mut batch, catalog, id, partition)?;
    }
    edit.finish(&mut batch);
    cx.commit(batch, &author)
}

fn current_rows(cx: &Context<'_>, id: TableId, table: &Table) -> Result<u64> {
    let head = cx.catalog()?.require_version(id, table.head)?;
    Ok(head.content.map_or(0, |content| content.row_count))
}
