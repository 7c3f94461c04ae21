//! What is listed.

use std::collections::HashMap;

use super::choose::superseded_at;
use super::retention::{Retention, Window, is_kept};
use crate::catalog::{Catalog, Partition, SpecText, Table, Version};
use crate::error::Result;
use crate::ids::{Lsn, PartitionId, TableId};

/// A row of `show history for tables`.
#[derive(Clone, Debug)]
pub struct TableRow {
    pub id: TableId,
    pub table: Table,
}

/// A row of `show history for table`.
#[derive(Clone, Debug)]
pub struct HistoryRow {
    pub object_name: String,
    pub lsn: Lsn,
    pub version: Version,
    /// When it stopped being current.
    pub superseded_at_ms: Option<i64>,
}

/// The tables of a project, live and in backup state, by name, then creation time.
pub fn listed_tables(
    catalog: Catalog<'_>,
    project: &str,
    retention: &Retention,
) -> Result<Vec<TableRow>> {
    let live = catalog.live_tables(project)?;
    let dropped = catalog.dropped_tables(project, None)?;
    let kept = dropped
        .into_iter()
        .filter(|(_, table)| retention.keeps(table));
    let mut rows: Vec<TableRow> = live
        .into_iter()
        .chain(kept)
        .map(|(id, table)| TableRow { id, table })
        .collect();
    rows.sort_by(|a, b| {
        (
            &a.table.name,
            a.table.created_at_ms,
            a.table.dropped_at_ms.is_none(),
            a.id,
        )
            .cmp(&(
                &b.table.name,
                b.table.created_at_ms,
                b.table.dropped_at_ms.is_none(),
                b.id,
            ))
    });
    Ok(rows)
}

/// The rows of a table that are kept, by LSN.
pub fn table_history(
    catalog: Catalog<'_>,
    id: TableId,
    table: &Table,
    window: Window,
    limit: Option<u64>,
) -> Result<Vec<HistoryRow>> {
    if let Some(limit) = limit {
        return first_rows(catalog, id, table, window, limit);
    }
    let versions = catalog.versions(id)?;
    let mut superseded_at: Vec<Option<i64>> = vec![None; versions.len()];
    let mut last_of: HashMap<Option<PartitionId>, usize> = HashMap::new();
    for (position, (_, version)) in versions.iter().enumerate() {
        if let Some(before) = last_of.insert(version.partition, position) {
            superseded_at[before] = Some(version.committed_at_ms);
        }
    }
    let partitions: HashMap<PartitionId, Partition> = catalog.partitions(id)?.into_iter().collect();
    for (object, position) in last_of {
        let partition_dropped = object.and_then(|id| partitions.get(&id)?.dropped_at_ms);
        superseded_at[position] = partition_dropped.or(table.dropped_at_ms);
    }
    let schema = catalog.schema(id, table.schema)?;
    let name = |object: Option<PartitionId>| match object.and_then(|id| partitions.get(&id)) {
        Some(partition) => SpecText {
            columns: &schema.partition_columns,
            values: &partition.values,
        }
        .to_string(),
        None => table.name.clone(),
    };
    let kept = versions
        .into_iter()
        .zip(superseded_at)
        .filter(|(_, superseded)| is_kept(*superseded, window));
    let rows = kept.map(|((lsn, version), superseded_at_ms)| HistoryRow {
        object_name: name(version.partition),
        lsn,
        version,
        superseded_at_ms,
    });
    Ok(rows.collect())
}

/// The first kept rows, at the cost of those rows.
fn first_rows(
    catalog: Catalog<'_>,
    id: TableId,
    table: &Table,
    window: Window,
    limit: u64,
) -> Result<Vec<HistoryRow>> {
    const CHUNK: usize = 64;
    let schema = catalog.schema(id, table.schema)?;
    let mut rows = Vec::new();
    let mut after = Lsn(0);
    while (rows.len() as u64) < limit {
        let chunk = catalog.versions_after(id, after, CHUNK)?;
        let Some((last, _)) = chunk.last() else { break };
        after = *last;
        for (lsn, version) in chunk {
            let superseded = superseded_at(catalog, id, table, lsn, &version)?;
            if !is_kept(superseded, window) || rows.len() as u64 >= limit {
                continue;
            }
            let name = match version.partition {
                None => table.name.clone(),
                Some(partition) => SpecText {
                    columns: &schema.partition_columns,
                    values: &catalog.require_partition(id, partition)?.values,
                }
                .to_string(),
            };
            rows.push(HistoryRow {
                object_name: name,
                lsn,
                version,
                superseded_at_ms: superseded,
            });
        }
    }
    Ok(rows)
}
