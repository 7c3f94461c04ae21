//! Whether what history lists can be read: every table, version, snapshot and segment looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use super::collect::count_holds;
use crate::catalog::{Catalog, HoldsCounted, Schema, SpecText, Table};
use crate::error::Result;
use crate::ids::{Lsn, SegmentId, TableId};
use crate::store::check::{Finding, Remedy};
use crate::store::{Holds, Key, KeyRange, Order, Piece, SegmentRef, Store};

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extent {
    pub records: u64,
    pub tables: u64,
    pub versions: u64,
    pub segments: u64,
    /// Bytes of data files that were read.
    pub bytes: u64,
}

/// How far the examination has come: done, and of how much.
pub type Progress<'p> = dyn FnMut(u64, u64) + 'p;

/// Looks at everything a store holds. With `deep` every byte of the data files is read.
pub fn examine(
    store: &Store,
    deep: bool,
    progress: &mut Progress<'_>,
) -> Result<(Extent, Vec<Finding>)> {
    let mut findings = Vec::new();
    let (records, flawed) = store.flawed_records()?;
    let mut extent = Extent {
        records,
        ..Extent::default()
    };
    for key in flawed {
        findings.push(lost(key, "the record is damaged".into()));
    }
    let catalog = Catalog::new(store);
    let mut ids = Vec::new();
    store.scan_keys(&KeyRange::tables(), Order::Ascending, |key| {
        if let Key::Table(id) = key {
            ids.push(id);
        }
        ControlFlow::Continue(())
    })?;
    extent.tables = ids.len() as u64;
    let mut segments: BTreeMap<SegmentId, (SegmentRef, Option<String>)> = BTreeMap::new();
    let mut versions = Vec::new();
    for id in ids {
        let table = match catalog.require_table(id) {
            Ok(table) => table,
            Err(error) => {
                findings.push(lost(format!("table {id}"), error.to_string()));
                continue;
            }
        };
        examine_table(catalog, id, &table, &mut findings)?;
        let mut lsns = Vec::new();
        store.scan_keys(&KeyRange::versions(id), Order::Ascending, |key| {
            if let Key::Version { lsn, .. } = key {
                lsns.push(lsn);
            }
            ControlFlow::Continue(())
        })?;
        extent.versions += lsns.len() as u64;
        for lsn in lsns {
            let owner = owner_of(catalog, id, &table, lsn);
            match content_of(catalog, id, lsn) {
                Ok(refs) => {
                    for segment in &refs {
                        segments.entry(segment.id).or_insert((*segment, None));
                    }
                    versions.push((owner, refs));
                }
                Err(error) => findings.push(lost(owner, error.to_string())),
            }
        }
    }
    let total: u64 = segments
        .values()
        .map(|(segment, _)| weight(segment, deep))
        .sum();
    let mut done = 0;
    for (segment, flaw) in segments.values_mut() {
        let before = done;
        let mut read = |bytes| {
            extent.bytes += bytes;
            done += bytes;
            progress(done, total);
        };
        *flaw = store.flaw_of_segment(segment, deep, &mut read);
        done = before + weight(segment, deep);
        progress(done, total);
    }
    extent.segments = segments.len() as u64;
    for (owner, refs) in versions {
        for segment in refs {
            if let Some((_, Some(flaw))) = segments.get(&segment.id) {
                findings.push(lost(
                    owner.clone(),
                    format!("segment {}: {flaw}", segment.id),
                ));
            }
        }
    }
    if findings.is_empty() {
        examine_holds(catalog, &mut findings)?;
    }
    Ok((extent, findings))
}

fn weight(segment: &SegmentRef, deep: bool) -> u64 {
    match deep && !segment.inline {
        true => segment.size_bytes,
        false => 1,
    }
}

fn lost(object: String, problem: String) -> Finding {
    Finding {
        object,
        problem,
        remedy: Remedy::None,
    }
}

/// The table itself: its schemas, its newest row, its live partitions.
fn examine_table(
    catalog: Catalog<'_>,
    id: TableId,
    table: &Table,
    findings: &mut Vec<Finding>,
) -> Result<()> {
    let owner = format!("table {}.{} ({id})", table.project, table.name);
    let schema: Option<Schema> = match catalog.schema(id, table.schema) {
        Ok(schema) => {
            if table.partitioned == schema.partition_columns.is_empty() {
                let problem = "its record and its schema differ on whether it is partitioned";
                findings.push(lost(owner.clone(), problem.into()));
            }
            Some(schema)
        }
        Err(error) => {
            findings.push(lost(owner.clone(), error.to_string()));
            None
        }
    };
    if table.dropped_at_ms.is_none()
        && let Err(error) = catalog.require_version(id, table.head)
    {
        findings.push(lost(owner.clone(), error.to_string()));
    }
    match catalog.live_partitions(id) {
        Ok(live) => {
            let levels = schema.map(|schema| schema.partition_columns.len());
            for (partition, record) in live {
                if levels.is_some_and(|levels| record.values.len() != levels) {
                    let problem = format!("partition {partition} has not as many values as levels");
                    findings.push(lost(owner.clone(), problem));
                }
            }
        }
        Err(error) => findings.push(lost(owner, error.to_string())),
    }
    Ok(())
}

fn owner_of(catalog: Catalog<'_>, id: TableId, table: &Table, lsn: Lsn) -> String {
    let mut owner = format!("table {}.{}", table.project, table.name);
    let partition = catalog
        .require_version(id, lsn)
        .ok()
        .and_then(|v| v.partition);
    if let Some(partition) = partition
        && let Ok(record) = catalog.require_partition(id, partition)
        && let Ok(schema) = catalog.schema(id, table.schema)
        && schema.partition_columns.len() == record.values.len()
    {
        owner.push_str(&format!(
            " partition {}",
            SpecText {
                columns: &schema.partition_columns,
                values: &record.values,
            }
        ));
    }
    let dropped = if table.dropped_at_ms.is_some() {
        ", dropped"
    } else {
        ""
    };
    format!("{owner} ({id}{dropped}), LSN {lsn}")
}

fn content_of(catalog: Catalog<'_>, id: TableId, lsn: Lsn) -> Result<Vec<SegmentRef>> {
    let version = catalog.require_version(id, lsn)?;
    catalog.schema(id, version.schema)?;
    match version.content {
        Some(snapshot) => {
            let segments = snapshot.segments(catalog.store())?;
            let rows: u64 = segments.iter().map(|segment| segment.row_count).sum();
            if rows != snapshot.row_count {
                return Err(crate::error::Error::internal(format!(
                    "it says {} rows and has {rows}",
                    snapshot.row_count
                )));
            }
            Ok(segments)
        }
        None => Ok(Vec::new()),
    }
}

/// Whether the counts of holds are right, and no piece stays that nothing holds.
fn examine_holds(catalog: Catalog<'_>, findings: &mut Vec<Finding>) -> Result<()> {
    let store = catalog.store();
    if store.get::<HoldsCounted>(&Key::HoldsCounted)?.is_none() {
        return Ok(());
    }
    let holds = count_holds(catalog)?;
    let mut wrong = 0;
    for (piece, held) in &holds {
        let counted: Option<Holds> = store.get(&piece.holds_key())?;
        wrong += u64::from(1 + counted.map_or(0, |holds| holds.more) != *held);
    }
    let known: BTreeSet<Key> = holds
        .keys()
        .map(|piece| match piece {
            Piece::Segment { id, .. } => Key::Segment(*id),
            Piece::Node(id) => Key::Node(*id),
        })
        .collect();
    for range in [KeyRange::segments(), KeyRange::nodes()] {
        store.scan_keys(&range, Order::Ascending, |key| {
            wrong += u64::from(!known.contains(&key));
            ControlFlow::Continue(())
        })?;
    }
    if wrong > 0 {
        findings.push(Finding {
            object: "holds".into(),
            problem: format!("of {wrong} pieces it is not known who needs them"),
            remedy: Remedy::Rebuild,
        });
    }
    Ok(())
}
