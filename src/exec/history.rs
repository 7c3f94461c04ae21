//! SHOW HISTORY.

use std::collections::BTreeMap;

use super::{Layout, Listing, Outcome, local_time};
use crate::ast::{Part, ShowHistory};
use crate::catalog::{Catalog, Partition, Schema};
use crate::error::{Error, Result};
use crate::ids::{PartitionId, TableId};
use crate::plan::{Context, matches_values, partial_values};
use crate::timemachine::{HistoryRow, Window, find_incarnation, listed_tables, table_history};

pub(super) fn for_tables(cx: &Context<'_>) -> Result<Outcome> {
    let rows = listed_tables(cx.catalog()?, cx.project, &cx.retention(cx.project)?)?;
    let rows = rows.into_iter().map(|row| {
        let partitioned = if row.table.partitioned {
            "TRUE"
        } else {
            "FALSE"
        };
        vec![
            Some(row.table.name),
            Some(row.id.to_string()),
            Some("MANAGED_TABLE".to_owned()),
            Some(partitioned.to_owned()),
            Some(local_time(row.table.created_at_ms, cx.zone)),
            row.table.dropped_at_ms.map(|at| local_time(at, cx.zone)),
        ]
    });
    Ok(Outcome::Listing(Listing {
        layout: Layout::HistoryOfTables,
        titles: vec![
            "Name",
            "Id",
            "Type",
            "IsPartitioned",
            "CreateTime",
            "DropTime",
        ],
        hidden: 0,
        rows: rows.collect(),
    }))
}

pub(super) fn for_table(cx: &Context<'_>, show: &ShowHistory) -> Result<Outcome> {
    let catalog = cx.catalog()?;
    let name = &show.table.table;
    let project = cx.project_of(name)?;
    let retention = cx.retention(&project)?;
    let found = find_incarnation(
        catalog,
        &project,
        &name.name.text,
        show.table.id,
        &retention,
    )?;
    let Some((id, table)) = found else {
        return Err(Error::table_not_found(&project, &name.name.text).at(name.name.at.0));
    };
    let window = retention.window(&table);
    // Rows of some partitions may be anywhere.
    let limit = show.limit.filter(|_| show.parts.is_empty());
    let mut rows = table_history(catalog, id, &table, window, limit)?;
    if !show.parts.is_empty() {
        let schema = catalog.schema(id, table.schema)?;
        if !table.partitioned {
            return Err(Error::semantic(format!(
                "table {project}.{} is not partitioned",
                table.name
            )));
        }
        let chosen = chosen_partitions(catalog, id, &schema, &show.parts, window)?;
        rows.retain(|row| {
            row.version
                .partition
                .is_some_and(|partition| chosen.contains(&partition))
        });
    }
    if let Some(limit) = show.limit {
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    let rows = rows.into_iter().map(|row| shown_row(cx, id, row));
    let (layout, hidden) = match show.extended {
        true => (Layout::Columns, 0),
        false => (Layout::History, AUDIT.len()),
    };
    Ok(Outcome::Listing(Listing {
        layout,
        titles: [DOCUMENTED.as_slice(), &AUDIT].concat(),
        hidden,
        rows: rows.collect(),
    }))
}

const DOCUMENTED: [&str; 6] = [
    "ObjectType",
    "ObjectId",
    "ObjectName",
    "LSN",
    "Time",
    "Operation",
];
/// What the documented listing leaves out.
const AUDIT: [&str; 7] = [
    "User",
    "RowsAdded",
    "RowsRemoved",
    "Size",
    "ParentLSN",
    "Cause",
    "Statement",
];

fn shown_row(cx: &Context<'_>, table: TableId, row: HistoryRow) -> Vec<Option<String>> {
    let version = row.version;
    let object_type = match version.partition {
        Some(_) => "PARTITION",
        None => "TABLE",
    };
    let cause = match version.restored_from {
        Some(origin) if origin.table == table => format!("RESTORE {}", origin.lsn),
        Some(origin) => format!("RESTORE {} {}", origin.table, origin.lsn),
        None if version.statement.is_empty() => "LIFECYCLE".to_owned(),
        None => "STATEMENT".to_owned(),
    };
    let object_id = version
        .partition
        .map_or_else(|| table.to_string(), |partition| partition.to_string());
    let size_bytes = version
        .content
        .map(|content| content.size_bytes.to_string());
    vec![
        Some(object_type.to_owned()),
        Some(object_id),
        Some(row.object_name),
        Some(row.lsn.to_string()),
        Some(local_time(version.committed_at_ms, cx.zone)),
        Some(version.operation.to_string()),
        Some(version.user),
        Some(version.rows_added.to_string()),
        Some(version.rows_removed.to_string()),
        size_bytes,
        version.previous.map(|lsn| lsn.to_string()),
        Some(cause),
        Some(
            version
                .statement
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
        ),
    ]
}

/// The partitions that specs and ids name: of each spec the live one, or the one dropped last.
fn chosen_partitions(
    catalog: Catalog<'_>,
    table: TableId,
    schema: &Schema,
    parts: &[Part],
    window: Window,
) -> Result<Vec<PartitionId>> {
    let mut kept: Vec<(PartitionId, Partition)> = catalog.partitions(table)?;
    kept.retain(|(_, partition)| {
        partition
            .dropped_at_ms
            .is_none_or(|dropped| window.keeps(dropped))
    });
    let mut chosen = Vec::new();
    for part in parts {
        match part {
            Part::Id { id, at } => {
                if !kept.iter().any(|(other, _)| other == id) {
                    return Err(Error::partition_not_found(format!("with id {id}")).at(at.0));
                }
                chosen.push(*id);
            }
            Part::Spec(spec) => {
                let wanted = partial_values(schema, spec)?;
                let mut newest: BTreeMap<&[String], &(PartitionId, Partition)> = BTreeMap::new();
                for entry in kept
                    .iter()
                    .filter(|(_, partition)| matches_values(&wanted, &partition.values))
                {
                    let is_newer = |other: &(PartitionId, Partition)| {
                        let rank = |p: &Partition| (p.dropped_at_ms.is_none(), p.head);
                        rank(&entry.1) > rank(&other.1)
                    };
                    if newest
                        .get(&entry.1.values[..])
                        .is_none_or(|other| is_newer(other))
                    {
                        newest.insert(&entry.1.values, entry);
                    }
                }
                if newest.is_empty() {
                    return Err(Error::partition_not_found(shown(spec)).at(spec.at.0));
                }
                chosen.extend(newest.values().map(|(id, _)| *id));
            }
        }
    }
    Ok(chosen)
}

fn shown(spec: &crate::ast::PartitionSpec) -> String {
    let values: Vec<String> = spec
        .values
        .iter()
        .map(|(name, value)| format!("{}={value}", name.text))
        .collect();
    values.join("/")
}
