//! PURGE, SHOW RECYCLEBIN and the collector's report. Manual page: "Backup and restoration".

use std::collections::BTreeSet;

use super::{Layout, Listing, Outcome, local_time};
use crate::ast::ObjectName;
use crate::catalog::edit::TableEdit;
use crate::catalog::{Catalog, Partition, SpecText, Table};
use crate::error::{Error, Result};
use crate::ids::{Lsn, PartitionId, TableId};
use crate::plan::Context;
use crate::store::Piece;
use crate::timemachine::collect::{CollectedRow, collect_all_of};
use crate::timemachine::{Retention, Window, table_history};

const HOUR_MS: i64 = 3_600_000;

/// The instant before which a purge leaves nothing.
fn horizon(now_ms: i64, hours: Option<u32>) -> i64 {
    match hours {
        None => now_ms + 1,
        Some(hours) => now_ms - i64::from(hours) * HOUR_MS,
    }
}

/// `PURGE TABLE t [hours]`: backups of the live table, its dropped partitions, and dropped tables of its name.
pub(super) fn table(cx: &Context<'_>, name: &ObjectName, hours: Option<u32>) -> Result<Outcome> {
    let project = cx.project_of(name)?;
    let (catalog, retention) = (cx.catalog()?, cx.retention(&project)?);
    let mut tables = catalog.dropped_tables(&project, Some(&name.name.text))?;
    tables.retain(|(_, table)| retention.keeps(table));
    tables.extend(catalog.live_table(&project, &name.name.text)?);
    if tables.is_empty() {
        return Err(Error::table_not_found(&project, &name.name.text).at(name.name.at.0));
    }
    purge(cx, tables, hours)
}

/// `PURGE ALL [hours]`: the same of every table of the project.
pub(super) fn all(cx: &Context<'_>, hours: Option<u32>) -> Result<Outcome> {
    let catalog = cx.catalog()?;
    let mut tables = catalog.dropped_tables(cx.project, None)?;
    tables.extend(catalog.live_tables(cx.project)?);
    purge(cx, tables, hours)
}

/// Removes what a statement has just made gone for good. What cannot be removed now is removed later: the statement
/// is done either way.
pub(super) fn collect_now(cx: &Context<'_>, tables: &[TableId]) {
    let collected = cx
        .store()
        .and_then(|store| collect_all_of(store, cx.deletion_time(), tables));
    if let Err(error) = collected {
        cx.note(format!("what was purged still takes its space: {error}"));
    }
}

fn purge(cx: &Context<'_>, tables: Vec<(TableId, Table)>, hours: Option<u32>) -> Result<Outcome> {
    let mut batch = cx.store()?.begin();
    let author = cx.author();
    let mut purged = Vec::new();
    for (id, table) in tables {
        let mut edit = TableEdit::open(&mut batch, &author, id, table);
        edit.purge_before(horizon(cx.now_ms, hours));
        edit.finish(&mut batch);
        purged.push(id);
    }
    if !purged.is_empty() {
        cx.commit(batch, &author)?;
        collect_now(cx, &purged);
    }
    Ok(Outcome::Done)
}

/// What the backups of a table are made of.
#[derive(Default)]
pub(super) struct Backups {
    pub count: usize,
    pub size_bytes: u64,
    /// When the oldest was superseded.
    pub oldest_ms: Option<i64>,
}

impl Backups {
    /// The backups of a table that are kept in `window`.
    pub(super) fn of(
        catalog: Catalog<'_>,
        id: TableId,
        table: &Table,
        window: Window,
    ) -> Result<Self> {
        let store = catalog.store();
        let mut current = BTreeSet::new();
        let mut heads = vec![table.head];
        for (_, partition) in catalog.live_partitions(id)? {
            heads.push(partition.head);
        }
        if table.dropped_at_ms.is_some() {
            heads.clear();
        }
        for head in &heads {
            if let Some(content) = catalog.require_version(id, *head)?.content {
                current.extend(content.pieces(store)?);
            }
        }
        let mut backups = Self::default();
        let mut pieces: BTreeSet<Piece> = BTreeSet::new();
        let mut before = None;
        for row in table_history(catalog, id, table, window, None)? {
            let Some(superseded) = row.superseded_at_ms else {
                continue;
            };
            let Some(content) = row.version.content else {
                continue;
            };
            backups.count += 1;
            let oldest = backups.oldest_ms.unwrap_or(superseded);
            backups.oldest_ms = Some(oldest.min(superseded));
            pieces.extend(content.pieces_not_in(before.as_ref(), store)?);
            before = Some(content);
        }
        let only = pieces.difference(&current);
        backups.size_bytes = only.map(Piece::size_bytes).sum();
        Ok(backups)
    }
}

/// `SHOW RECYCLEBIN`: dropped tables, dropped partitions of live ones, and the backups of live tables.
pub(super) fn recycle_bin(cx: &Context<'_>, project: &str) -> Result<Outcome> {
    let (catalog, retention) = (cx.catalog()?, cx.retention(project)?);
    let mut rows = Vec::new();
    let mut dropped = catalog.dropped_tables(project, None)?;
    dropped.retain(|(_, table)| retention.keeps(table));
    let live = catalog.live_tables(project)?;
    let mut tables: Vec<(TableId, Table)> = dropped.into_iter().chain(live).collect();
    tables.sort_by(|(a_id, a), (b_id, b)| {
        let key = |id: &TableId, table: &Table| (table.name.clone(), table.created_at_ms, *id);
        key(a_id, a).cmp(&key(b_id, b))
    });
    for (id, table) in tables {
        rows.extend(bin_rows(cx, &retention, id, &table)?);
    }
    Ok(Outcome::Listing(Listing {
        layout: Layout::Columns,
        titles: vec!["Name", "Id", "ObjectType", "Time", "Size", "ExpireTime"],
        hidden: 0,
        rows,
    }))
}

fn bin_rows(
    cx: &Context<'_>,
    retention: &Retention,
    id: TableId,
    table: &Table,
) -> Result<Vec<Vec<Option<String>>>> {
    let catalog = cx.catalog()?;
    let window = retention.window(table);
    let row = |name: String, id: String, kind: &str, at_ms: i64, size_bytes: u64| {
        let time = |at_ms| Some(local_time(at_ms, cx.zone));
        vec![
            Some(name),
            Some(id),
            Some(kind.to_owned()),
            time(at_ms),
            Some(size_bytes.to_string()),
            time(window.kept_until_ms(at_ms)),
        ]
    };
    let mut rows = Vec::new();
    let backups = Backups::of(catalog, id, table, window)?;
    match (table.dropped_at_ms, backups.oldest_ms) {
        (Some(dropped), _) => {
            let name = table.name.clone();
            rows.push(row(
                name,
                id.to_string(),
                "TABLE",
                dropped,
                backups.size_bytes,
            ));
            return Ok(rows);
        }
        (None, Some(oldest)) => {
            let name = table.name.clone();
            rows.push(row(
                name,
                id.to_string(),
                "BACKUP",
                oldest,
                backups.size_bytes,
            ));
        }
        (None, None) => {}
    }
    if !table.partitioned {
        return Ok(rows);
    }
    let schema = catalog.schema(id, table.schema)?;
    let mut partitions: Vec<(PartitionId, Partition)> = catalog.partitions(id)?;
    partitions.sort_by(|(_, a), (_, b)| (&a.values, a.head).cmp(&(&b.values, b.head)));
    for (partition, record) in partitions {
        let Some(dropped) = record.dropped_at_ms.filter(|at| window.keeps(*at)) else {
            continue;
        };
        let spec = SpecText {
            columns: &schema.partition_columns,
            values: &record.values,
        };
        let name = format!("{}/{spec}", table.name);
        let size_bytes = last_size(catalog, id, record.head)?;
        rows.push(row(
            name,
            partition.to_string(),
            "PARTITION",
            dropped,
            size_bytes,
        ));
    }
    Ok(rows)
}

/// The size of what an object held before its DROP row.
fn last_size(catalog: Catalog<'_>, table: TableId, drop: Lsn) -> Result<u64> {
    let Some(before) = catalog.require_version(table, drop)?.previous else {
        return Ok(0);
    };
    let content = catalog.version(table, before)?.and_then(|row| row.content);
    Ok(content.map_or(0, |content| content.size_bytes))
}

/// The rows that the collector removed, or would.
pub fn collected(rows: Vec<CollectedRow>) -> Listing {
    let row = |row: CollectedRow| {
        vec![
            Some(row.project),
            Some(row.table.to_string()),
            Some(row.object_name),
            Some(row.lsn.to_string()),
            Some(row.operation.to_string()),
            Some(row.size_bytes.to_string()),
        ]
    };
    Listing {
        layout: Layout::Columns,
        titles: vec![
            "Project",
            "TableId",
            "ObjectName",
            "LSN",
            "Operation",
            "Size",
        ],
        hidden: 0,
        rows: rows.into_iter().map(row).collect(),
    }
}
