//! DESC of tables, partitions and views. Manual page: "View table information".

use super::purge::Backups;
use super::{Description, Fact, Outcome, local_time};
use crate::catalog::{Partition, RETENTION_KEY, View};
use crate::error::Result;
use crate::ids::Lsn;
use crate::plan::{Context, Target};

pub(super) fn table(cx: &Context<'_>, target: Target, extended: bool) -> Result<Outcome> {
    let catalog = cx.catalog()?;
    let heads = if target.table.partitioned {
        let live = catalog.live_partitions(target.id)?;
        live.into_iter()
            .map(|(_, partition)| partition.head)
            .collect()
    } else {
        vec![target.table.head]
    };
    let size = Size::of(cx, &target, &heads)?;
    let table = &target.table;
    let comment = table.comment.clone().unwrap_or_default();
    let time = |at| local_time(at, cx.zone);
    let mut times = vec![
        Fact::Pair("CreateTime", time(table.created_at_ms)),
        Fact::Pair("LastDDLTime", time(table.ddl_at_ms)),
        Fact::Pair("LastModifiedTime", time(table.modified_at_ms)),
    ];
    if let Some(days) = table.lifecycle_days {
        times.push(Fact::Pair("Lifecycle", days.to_string()));
    }
    let groups = vec![
        vec![
            Fact::Pair("Owner", table.owner.clone()),
            Fact::Pair("Project", table.project.clone()),
            Fact::Short("TableComment", comment),
        ],
        times,
        vec![Fact::Line(format!(
            "InternalTable: YES      | Size: {}",
            size.bytes
        ))],
    ];
    let is_enabled = if table.lifecycle_disabled {
        "false"
    } else {
        "true"
    };
    let describe = || -> Result<Vec<Fact>> {
        let mut facts = vec![
            Fact::Pair("TableID", target.id.to_string()),
            Fact::Pair("IsArchived", "false".to_owned()),
            Fact::Pair("PhysicalSize", size.bytes.to_string()),
            Fact::Pair("FileNum", size.files.to_string()),
            Fact::Pair("RecordNum", size.rows.to_string()),
            Fact::Pair("StoredAs", "AliOrc".to_owned()),
            Fact::Pair("CompressionStrategy", "normal".to_owned()),
            Fact::Pair("Transactional", table.is_transactional().to_string()),
        ];
        if table.lifecycle_days.is_some() {
            facts.push(Fact::Pair("LifecycleEnabled", is_enabled.to_owned()));
        }
        if let Some(clustering) = &table.clustering {
            facts.push(Fact::Pair("Clustering", clustering.clone()));
        }
        let retention = cx.retention(&table.project)?;
        let window = retention.window(table);
        let backups = Backups::of(catalog, target.id, table, window)?;
        facts.push(Fact::Pair("BackupSize", backups.size_bytes.to_string()));
        facts.push(Fact::Pair("BackupVersionCount", backups.count.to_string()));
        facts.push(Fact::Line(format!("{RETENTION_KEY}: {}", window.days())));
        let others = table
            .properties
            .iter()
            .filter(|(key, _)| *key != RETENTION_KEY);
        for (key, value) in others {
            facts.push(Fact::Line(format!("{key}={value}")));
        }
        Ok(facts)
    };
    let extended = extended.then(describe).transpose()?;
    Ok(Outcome::Description(Box::new(Description {
        groups,
        columns: target.schema.columns,
        partition_columns: target.schema.partition_columns,
        extended,
    })))
}

/// What content takes.
#[derive(Default)]
struct Size {
    bytes: u64,
    files: usize,
    rows: u64,
}

impl Size {
    fn of(cx: &Context<'_>, target: &Target, heads: &[Lsn]) -> Result<Self> {
        let (catalog, store) = (cx.catalog()?, cx.store()?);
        let mut size = Self::default();
        for lsn in heads {
            let Some(content) = catalog.require_version(target.id, *lsn)?.content else {
                continue;
            };
            size.bytes += content.size_bytes;
            size.rows += content.row_count;
            size.files += content.segments(store)?.len();
        }
        Ok(size)
    }
}

pub(super) fn partition(
    cx: &Context<'_>,
    target: &Target,
    partition: &Partition,
    extended: bool,
) -> Result<Outcome> {
    let size = Size::of(cx, target, &[partition.head])?;
    let time = |at| local_time(at, cx.zone);
    let mut facts = vec![
        Fact::Line(format!("PartitionSize: {}", size.bytes)),
        Fact::Pair("CreateTime", time(partition.created_at_ms)),
        Fact::Pair("LastDDLTime", time(partition.created_at_ms)),
        Fact::Pair("LastModifiedTime", time(partition.modified_at_ms)),
    ];
    if extended {
        facts.push(Fact::Pair("IsExstore", "false".to_owned()));
        facts.push(Fact::Pair("IsArchived", "false".to_owned()));
        facts.push(Fact::Pair("PhysicalSize", size.bytes.to_string()));
        facts.push(Fact::Pair("FileNum", size.files.to_string()));
        let is_enabled = !partition.lifecycle_disabled;
        facts.push(Fact::Pair("LifecycleEnabled", is_enabled.to_string()));
    }
    Ok(Outcome::Description(Box::new(Description {
        groups: vec![facts],
        columns: Vec::new(),
        partition_columns: Vec::new(),
        extended: None,
    })))
}

pub(super) fn view(cx: &Context<'_>, project: String, name: String, view: View) -> Outcome {
    let created = local_time(view.created_at_ms, cx.zone);
    let _ = name;
    Outcome::Description(Box::new(Description {
        groups: vec![
            vec![
                Fact::Pair("Owner", view.owner),
                Fact::Pair("Project", project),
                Fact::Short("TableComment", view.comment.unwrap_or_default()),
            ],
            vec![
                Fact::Pair("CreateTime", created.clone()),
                Fact::Pair("LastDDLTime", created.clone()),
                Fact::Pair("LastModifiedTime", created),
            ],
            vec![Fact::Line(format!(
                "VirtualView  : YES  | ViewText: {}",
                view.query
            ))],
        ],
        columns: view.columns,
        partition_columns: Vec::new(),
        extended: None,
    }))
}
