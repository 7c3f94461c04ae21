//! A whole table as it stood at a point of its history: what a restore of all of it brings back, and what a
//! query of its past reads.

use std::ops::ControlFlow;

use super::choose::{Chosen, exact_version, state_at, superseded_at};
use super::history::table_history;
use super::refusal::{Miss, Refusal};
use super::retention::Window;
use crate::catalog::{Catalog, Operation, Partition, SpecText, Table};
use crate::error::Error;
use crate::ids::{Lsn, PartitionId, TableId};
use crate::store::Order;

/// A partition and the version it had.
#[derive(Clone, Debug)]
pub struct Piece {
    pub id: PartitionId,
    pub partition: Partition,
    pub chosen: Chosen,
}

/// A table as it stood.
#[derive(Clone, Debug)]
pub struct TableState {
    /// The number of the schema it had.
    pub schema: u32,
    /// Its content; `None` where it is partitioned.
    pub content: Option<Chosen>,
    /// Its partitions, in spec order.
    pub pieces: Vec<Piece>,
}

/// A table as it stood at `lsn`.
///
/// # Errors
/// Refused where the LSN is not listed or has no content, or something of the table then is not kept.
pub fn table_at(
    catalog: Catalog<'_>,
    (id, table): (TableId, &Table),
    lsn: Lsn,
    window: Window,
) -> Result<TableState, Miss> {
    if !table.partitioned {
        let version = exact_version(catalog, id, table, lsn, window)?;
        return Ok(TableState {
            schema: version.schema,
            content: Some(Chosen {
                lsn,
                version,
                is_later: false,
            }),
            pieces: Vec::new(),
        });
    }
    let listed = table_history(catalog, id, table, window, Some(1))?;
    let first = listed.first().map_or(table.last_lsn, |row| row.lsn);
    if lsn < first || lsn > table.last_lsn {
        return Err(Refusal::UnknownLsn(lsn).into());
    }
    Ok(TableState {
        schema: schema_at(catalog, (id, table), lsn, window)?,
        content: None,
        pieces: pieces_at(catalog, (id, table), lsn, window)?,
    })
}

/// The schema a partitioned table had.
fn schema_at(
    catalog: Catalog<'_>,
    (id, table): (TableId, &Table),
    lsn: Lsn,
    window: Window,
) -> Result<u32, Miss> {
    let mut row = None;
    catalog.object_lsns(id, None, Order::Descending, lsn, |lsn| {
        row = Some(lsn);
        ControlFlow::Break(())
    })?;
    let Some(row) = row else {
        return Err(Refusal::UnknownLsn(lsn).into());
    };
    let version = catalog.require_version(id, row)?;
    let superseded = superseded_at(catalog, id, table, row, &version)?;
    if superseded.is_some_and(|at_ms| !window.keeps(at_ms)) {
        return Err(Refusal::UnknownLsn(lsn).into());
    }
    if version.operation == Operation::Drop {
        return Err(Refusal::NoContent(lsn, version.operation).into());
    }
    Ok(version.schema)
}

/// Every partition that existed at `lsn`, with the version it had, in spec order.
fn pieces_at(
    catalog: Catalog<'_>,
    (id, table): (TableId, &Table),
    lsn: Lsn,
    window: Window,
) -> Result<Vec<Piece>, Miss> {
    let schema = catalog.schema(id, table.schema)?;
    let spec = |values: &[String]| {
        SpecText {
            columns: &schema.partition_columns,
            values,
        }
        .to_string()
    };
    // What was collected since is lost.
    for gone in catalog.gone_partitions(id)? {
        if gone.first <= lsn && lsn < gone.last {
            return Err(Refusal::NoBackup(spec(&gone.name)).into());
        }
    }
    let mut pieces = Vec::new();
    for (partition_id, partition) in catalog.partitions(id)? {
        let is_gone = partition
            .dropped_at_ms
            .is_some_and(|dropped| !window.keeps(dropped));
        if is_gone {
            if partition.first <= lsn && lsn < partition.head {
                return Err(Refusal::NoBackup(spec(&partition.values)).into());
            }
            continue;
        }
        let chosen = state_at(
            catalog,
            (id, table),
            (partition_id, &partition),
            lsn,
            window,
            &spec(&partition.values),
        )?;
        pieces.extend(chosen.map(|chosen| Piece {
            id: partition_id,
            partition,
            chosen,
        }));
    }
    pieces.sort_by(|a, b| a.partition.values.cmp(&b.partition.values));
    Ok(pieces)
}

/// The last row of a table at or before an instant; `None` where there is none.
pub fn lsn_at(
    catalog: Catalog<'_>,
    id: TableId,
    table: &Table,
    at_ms: i64,
) -> Result<Option<Lsn>, Error> {
    // Rows are in order of time as of number.
    let (mut low, mut high) = (Lsn(0), table.last_lsn);
    let mut found = None;
    while low < high {
        let middle = Lsn(low.0 + (high.0 - low.0) / 2);
        match catalog.versions_after(id, middle, 1)?.pop() {
            Some((lsn, row)) if row.committed_at_ms <= at_ms => {
                found = Some(lsn);
                low = lsn;
            }
            _ => high = middle,
        }
    }
    Ok(found)
}
