//! Which incarnation a name means, and which version an LSN means.

use std::ops::ControlFlow;

use super::refusal::{Miss, Refusal};
use super::retention::{Retention, Window, is_kept};
use crate::catalog::{Catalog, Operation, Partition, Table, Version};
use crate::error::Error;
use crate::ids::{Lsn, PartitionId, TableId};
use crate::store::Order;

/// A version that was chosen.
#[derive(Clone, Debug)]
pub struct Chosen {
    pub lsn: Lsn,
    pub version: Version,
    /// The LSN asked for came before the partition's first version, which was taken instead.
    pub is_later: bool,
}

/// The table incarnation a history statement means: by id, or the live one of that name, or the one of
/// that name dropped last. `None` where there is none that is kept.
pub fn find_incarnation(
    catalog: Catalog<'_>,
    project: &str,
    name: &str,
    id: Option<TableId>,
    retention: &Retention,
) -> Result<Option<(TableId, Table)>, Error> {
    if let Some(id) = id {
        let found = catalog
            .table(id)?
            .filter(|table| table.project == project && table.name == name);
        return Ok(found
            .filter(|table| retention.keeps(table))
            .map(|table| (id, table)));
    }
    if let Some(live) = catalog.live_table(project, name)? {
        return Ok(Some(live));
    }
    let mut dropped = catalog.dropped_tables(project, Some(name))?;
    dropped.retain(|(_, table)| retention.keeps(table));
    Ok(dropped.pop())
}

/// When a row stopped being current; `None` while it is.
pub(super) fn superseded_at(
    catalog: Catalog<'_>,
    id: TableId,
    table: &Table,
    lsn: Lsn,
    version: &Version,
) -> Result<Option<i64>, Error> {
    if let Some((_, next)) = catalog.next_row((id, table), version.partition, lsn)? {
        return Ok(Some(next.committed_at_ms));
    }
    let partition_dropped = match version.partition {
        Some(partition) => catalog.require_partition(id, partition)?.dropped_at_ms,
        None => None,
    };
    Ok(partition_dropped.or(table.dropped_at_ms))
}

/// The row of exactly that LSN, if it is kept and has content.
///
/// # Errors
/// A refused restore: the LSN is not listed, or its row has no content.
pub fn exact_version(
    catalog: Catalog<'_>,
    id: TableId,
    table: &Table,
    lsn: Lsn,
    window: Window,
) -> Result<Version, Miss> {
    let Some(version) = catalog.version(id, lsn)? else {
        return Err(Refusal::UnknownLsn(lsn).into());
    };
    if !is_kept(superseded_at(catalog, id, table, lsn, &version)?, window) {
        return Err(Refusal::UnknownLsn(lsn).into());
    }
    if version.operation == Operation::Drop {
        return Err(Refusal::NoContent(lsn, version.operation).into());
    }
    Ok(version)
}

/// The version a partition had at `lsn`: its last with content at or before `lsn`, or its first where
/// it was made later.
///
/// # Errors
/// A refused restore where that version is no longer kept; `spec` names the partition.
pub fn partition_at(
    catalog: Catalog<'_>,
    (id, table): (TableId, &Table),
    (partition_id, partition): (PartitionId, &Partition),
    lsn: Lsn,
    window: Window,
    spec: &str,
) -> Result<Chosen, Miss> {
    let is_later = partition.first > lsn;
    let found = if is_later {
        Some((partition.first, catalog.version(id, partition.first)?))
    } else {
        last_content(catalog, id, partition_id, lsn)?.map(|(lsn, version)| (lsn, Some(version)))
    };
    if let Some((lsn, Some(version))) = found
        && is_kept(superseded_at(catalog, id, table, lsn, &version)?, window)
    {
        return Ok(Chosen {
            lsn,
            version,
            is_later,
        });
    }
    Err(Refusal::NoBackup(spec.to_owned()).into())
}

/// The last row of a partition at or before `lsn` that has content.
fn last_content(
    catalog: Catalog<'_>,
    id: TableId,
    partition: PartitionId,
    lsn: Lsn,
) -> Result<Option<(Lsn, Version)>, Error> {
    let mut lsns = Vec::new();
    // A DROP row has no content; the row before it has.
    catalog.object_lsns(id, Some(partition), Order::Descending, lsn, |lsn| {
        lsns.push(lsn);
        if lsns.len() < 2 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    for lsn in lsns {
        let Some(version) = catalog.version(id, lsn)? else {
            break;
        };
        if version.content.is_some() {
            return Ok(Some((lsn, version)));
        }
    }
    Ok(None)
}

/// What a partition was when the table stood at `lsn`; `None` where it did not exist.
///
/// # Errors
/// A refused restore where it existed but its version is no longer kept; `spec` names the partition.
pub fn state_at(
    catalog: Catalog<'_>,
    table: (TableId, &Table),
    partition: (PartitionId, &Partition),
    lsn: Lsn,
    window: Window,
    spec: &str,
) -> Result<Option<Chosen>, Miss> {
    if partition.1.first > lsn {
        return Ok(None);
    }
    let mut last = None;
    catalog.object_lsns(table.0, Some(partition.0), Order::Descending, lsn, |lsn| {
        last = Some(lsn);
        ControlFlow::Break(())
    })?;
    if let Some(lsn) = last {
        let row = catalog.require_version(table.0, lsn)?;
        let superseded = superseded_at(catalog, table.0, table.1, lsn, &row)?;
        if row.operation == Operation::Drop && is_kept(superseded, window) {
            return Ok(None);
        }
    }
    partition_at(catalog, table, partition, lsn, window, spec).map(Some)
}
