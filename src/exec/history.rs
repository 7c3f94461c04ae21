//! SHOW HISTORY.

use std::collections::BTreeMap;

use super::{Layout, Listing, Outcome, local_time};
use crate::ast::{Part, TableRef};
use crate::catalog::{Catalog, Partition, Schema};
use crate::error::{Error, Result};
use crate::ids::{PartitionId, TableId};
use crate::plan::{Context, matches_values, partial_values};
use crate::timemachine::{Window, find_incarnation, listed_tables, table_history};

pub(super) fn for_tables(cx: &Context<'_>) -> Result<Outcome> {
    let rows = listed_tables(cx.catalog()?, cx.project, cx.window(cx.project)?)?;
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
        rows: rows.collect(),
    }))
}

pub(super) fn for_table(cx: &Context<'_>, name: &TableRef, parts: &[Part]) -> Result<Outcome> {
    let catalog = cx.catalog()?;
    let project = cx.project_of(&name.table)?;
    let window = cx.window(&project)?;
    let found = find_incarnation(catalog, &project, &name.table.name.text, name.id, window)?;
    let Some((id, table)) = found else {
        return Err(
            Error::table_not_found(&project, &name.table.name.text).at(name.table.name.at.0),
        );
    };
    let mut rows = table_history(catalog, id, &table, window)?;
    if !parts.is_empty() {
        let schema = catalog.schema(id, table.schema)?;
        if !table.partitioned {
            return Err(Error::semantic(format!(
                "table {project}.{} is not partitioned",
                table.name
            )));
        }
        let chosen = chosen_partitions(catalog, id, &schema, parts, window)?;
        rows.retain(|row| {
            row.partition
                .is_some_and(|partition| chosen.contains(&partition))
        });
    }
    let rows = rows.into_iter().map(|row| {
        let object_type = if row.partition.is_some() {
            "PARTITION"
        } else {
            "TABLE"
        };
        vec![
            Some(object_type.to_owned()),
            Some(row.object_id),
            Some(row.object_name),
            Some(row.lsn.to_string()),
            Some(local_time(row.committed_at_ms, cx.zone)),
            Some(row.operation.to_string()),
        ]
    });
    Ok(Outcome::Listing(Listing {
        layout: Layout::History,
        titles: vec![
            "ObjectType",
            "ObjectId",
            "ObjectName",
            "LSN",
            "Time",
            "Operation",
        ],
        rows: rows.collect(),
    }))
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
