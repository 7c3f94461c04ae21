//! Tables, their schemas, partitions and versions, as they are recorded.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::operation::Operation;
use crate::datatype::DataType;
use crate::ids::{Lsn, PartitionId, TableId};
use crate::store::{Key, Record, Snapshot, decode_payload};

/// The property of projects, and of tables, that holds how many days backups are kept.
pub const RETENTION_KEY: &str = "odps.timemachine.retention.days";
const RETENTION_DAYS_MAX: u32 = 30;

/// Reads a number of days, 0 to 30.
pub fn parse_retention(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|days| digits && *days <= RETENTION_DAYS_MAX)
}

/// A project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    pub owner: String,
    pub created_at_ms: i64,
    pub properties: BTreeMap<String, String>,
    /// What was superseded before this instant is gone for good, whatever the retention becomes.
    pub horizon_ms: i64,
}

impl Record for Project {
    const KIND: u8 = 0x10;
    const VERSION: u16 = 1;
}

/// Points from a name to the live table of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableName {
    pub table: TableId,
}

impl Record for TableName {
    const KIND: u8 = 0x20;
    const VERSION: u16 = 1;
}

/// Marks a dropped table under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedName {}

impl Record for DroppedName {
    const KIND: u8 = 0x21;
    const VERSION: u16 = 1;
}

/// A table incarnation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    pub project: String,
    pub name: String,
    pub owner: String,
    pub comment: Option<String>,
    pub lifecycle_days: Option<u32>,
    pub properties: BTreeMap<String, String>,
    pub partitioned: bool,
    /// The current schema.
    pub schema: u32,
    pub created_at_ms: i64,
    pub ddl_at_ms: i64,
    pub modified_at_ms: i64,
    /// Time of the last history row: the next is not earlier.
    pub last_row_at_ms: i64,
    pub dropped_at_ms: Option<i64>,
    pub last_lsn: Lsn,
    /// The last row of the table itself; for a table without partitions, of all.
    pub head: Lsn,
    /// Whether the lifecycle has nothing to say for now.
    pub lifecycle_disabled: bool,
    /// The columns of CLUSTERED BY and what stands behind them, as SQL; it has no other effect than that
    /// such a table cannot be restored.
    pub clustering: Option<String>,
    /// The columns of the primary key.
    pub primary_key: Vec<u32>,
    /// What was superseded before this instant is gone for good, whatever the retention becomes.
    pub horizon_ms: i64,
    /// Every row up to this one has been looked at by the collector: what it superseded is gone.
    pub collected: Lsn,
    /// When the oldest backup was superseded; `None` where there is none.
    pub due_at_ms: Option<i64>,
    /// Before this instant nothing of it ends by its lifecycle; `None` where it has none.
    pub ends_at_ms: Option<i64>,
    /// No column id up to this one is given to a new column: rows it shares with other tables may have them.
    pub columns_made: u32,
}

impl Record for Table {
    const KIND: u8 = 0x30;
    const VERSION: u16 = 3;

    fn flaw(&self, _: &[u8]) -> Option<&'static str> {
        let numbers = [self.head, self.collected];
        let times = [
            Some(self.created_at_ms),
            Some(self.ddl_at_ms),
            Some(self.modified_at_ms),
            Some(self.last_row_at_ms),
            Some(self.horizon_ms),
            self.dropped_at_ms,
            self.due_at_ms,
            self.ends_at_ms,
        ];
        if self.last_lsn > Lsn::MAX || numbers.iter().any(|lsn| *lsn > self.last_lsn) {
            Some("an LSN in it cannot be")
        } else if !times.into_iter().flatten().all(is_time) {
            Some("a time in it cannot be")
        } else if self
            .lifecycle_days
            .is_some_and(|days| days == 0 || days > LIFECYCLE_DAYS_MAX)
        {
            Some("its lifecycle cannot be")
        } else {
            None
        }
    }

    fn from_older(version: u16, payload: &[u8]) -> Option<Self> {
        let old: TableV2 = match version {
            1 => decode_payload::<TableV1>(payload)?.into(),
            2 => decode_payload(payload)?,
            _ => return None,
        };
        Some(Self {
            project: old.project,
            name: old.name,
            owner: old.owner,
            comment: old.comment,
            lifecycle_days: old.lifecycle_days,
            properties: old.properties,
            partitioned: old.partitioned,
            schema: old.schema,
            created_at_ms: old.created_at_ms,
            ddl_at_ms: old.ddl_at_ms,
            modified_at_ms: old.modified_at_ms,
            last_row_at_ms: old.last_row_at_ms,
            dropped_at_ms: old.dropped_at_ms,
            last_lsn: old.last_lsn,
            head: old.head,
            lifecycle_disabled: old.lifecycle_disabled,
            clustering: old.clustering,
            primary_key: old.primary_key,
            horizon_ms: 0,
            collected: Lsn(0),
            due_at_ms: None,
            ends_at_ms: None,
            columns_made: 0,
        })
    }
}

/// [`Table`] before it knew what of its history was collected.
#[derive(Deserialize)]
struct TableV2 {
    project: String,
    name: String,
    owner: String,
    comment: Option<String>,
    lifecycle_days: Option<u32>,
    properties: BTreeMap<String, String>,
    partitioned: bool,
    schema: u32,
    created_at_ms: i64,
    ddl_at_ms: i64,
    modified_at_ms: i64,
    last_row_at_ms: i64,
    dropped_at_ms: Option<i64>,
    last_lsn: Lsn,
    head: Lsn,
    lifecycle_disabled: bool,
    clustering: Option<String>,
    primary_key: Vec<u32>,
}

impl From<TableV1> for TableV2 {
    fn from(old: TableV1) -> Self {
        Self {
            project: old.project,
            name: old.name,
            owner: old.owner,
            comment: old.comment,
            lifecycle_days: old.lifecycle_days,
            properties: old.properties,
            partitioned: old.partitioned,
            schema: old.schema,
            created_at_ms: old.created_at_ms,
            ddl_at_ms: old.ddl_at_ms,
            modified_at_ms: old.modified_at_ms,
            last_row_at_ms: old.last_row_at_ms,
            dropped_at_ms: old.dropped_at_ms,
            last_lsn: old.last_lsn,
            head: old.head,
            lifecycle_disabled: false,
            clustering: None,
            primary_key: Vec::new(),
        }
    }
}

/// [`Table`] before it knew of primary keys.
#[derive(Deserialize)]
struct TableV1 {
    project: String,
    name: String,
    owner: String,
    comment: Option<String>,
    lifecycle_days: Option<u32>,
    properties: BTreeMap<String, String>,
    partitioned: bool,
    schema: u32,
    created_at_ms: i64,
    ddl_at_ms: i64,
    modified_at_ms: i64,
    last_row_at_ms: i64,
    dropped_at_ms: Option<i64>,
    last_lsn: Lsn,
    head: Lsn,
}

impl Table {
    /// What was superseded before `horizon_ms` is gone for good; the collector looks at it next.
    pub fn expire_before(&mut self, horizon_ms: i64) {
        if horizon_ms > self.horizon_ms {
            self.horizon_ms = horizon_ms;
            self.due_at_ms = self.due_at_ms.map(|_| 0);
        }
    }

    /// A table that is about to be created: no rows of history, no comment, no properties.
    pub fn new(project: &str, name: &str, owner: &str, partitioned: bool, now_ms: i64) -> Self {
        Self {
            project: project.to_owned(),
            name: name.to_owned(),
            owner: owner.to_owned(),
            comment: None,
            lifecycle_days: None,
            properties: BTreeMap::new(),
            partitioned,
            schema: 1,
            created_at_ms: now_ms,
            ddl_at_ms: now_ms,
            modified_at_ms: now_ms,
            last_row_at_ms: now_ms,
            dropped_at_ms: None,
            last_lsn: Lsn(0),
            head: Lsn(0),
            lifecycle_disabled: false,
            clustering: None,
            primary_key: Vec::new(),
            horizon_ms: 0,
            collected: Lsn(0),
            due_at_ms: None,
            ends_at_ms: None,
            columns_made: 0,
        }
    }

    /// How many days it keeps backups where it does not follow its project.
    pub fn own_retention_days(&self) -> Option<u32> {
        parse_retention(self.properties.get(RETENTION_KEY)?)
    }

    /// Whether rows may be changed one by one: UPDATE, DELETE, MERGE.
    /// Whether rows of one primary key are one row: a Delta table.
    pub fn has_key(&self) -> bool {
        self.is_transactional() && !self.primary_key.is_empty()
    }

    pub fn is_transactional(&self) -> bool {
        self.properties
            .get("transactional")
            .is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }
}

/// One schema of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    pub columns: Vec<Column>,
    pub partition_columns: Vec<Column>,
}

impl Record for Schema {
    const KIND: u8 = 0x31;
    const VERSION: u16 = 2;

    fn flaw(&self, _: &[u8]) -> Option<&'static str> {
        flaw_of(self.all_columns())
    }

    fn from_older(version: u16, payload: &[u8]) -> Option<Self> {
        let old: SchemaV1 = decode_payload(payload).filter(|_| version == 1)?;
        let column = |old: ColumnV1| Column {
            id: old.id,
            name: old.name,
            data_type: old.data_type,
            nullable: old.nullable,
            comment: old.comment,
            default: None,
        };
        Some(Self {
            columns: old.columns.into_iter().map(column).collect(),
            partition_columns: old.partition_columns.into_iter().map(column).collect(),
        })
    }
}

/// [`Schema`] before columns had defaults.
#[derive(Deserialize)]
struct SchemaV1 {
    columns: Vec<ColumnV1>,
    partition_columns: Vec<ColumnV1>,
}

#[derive(Deserialize)]
struct ColumnV1 {
    id: u32,
    name: String,
    data_type: DataType,
    nullable: bool,
    comment: Option<String>,
}

/// A view: a query under a name. It has no history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    pub owner: String,
    pub comment: Option<String>,
    /// The query, whose plain names belong to the view's project.
    pub query: String,
    pub columns: Vec<Column>,
    pub created_at_ms: i64,
}

impl Record for View {
    const KIND: u8 = 0x22;
    const VERSION: u16 = 1;

    fn flaw(&self, _: &[u8]) -> Option<&'static str> {
        flaw_of(self.columns.iter())
    }
}

/// No table has more columns.
pub const COLUMNS_MAX: usize = 1200;
/// No table has more levels of partitions.
pub const LEVELS_MAX: usize = 6;
/// No lifecycle is longer, in days.
pub const LIFECYCLE_DAYS_MAX: u32 = 37_231;

/// Whether an instant, in milliseconds, can be written down in every zone.
fn is_time(at_ms: i64) -> bool {
    const YEAR_100_000_MS: i64 = 3_093_527_980_800_000;
    (-YEAR_100_000_MS..=YEAR_100_000_MS).contains(&at_ms)
}

/// What is wrong with the columns of a table or view.
fn flaw_of<'c>(columns: impl Iterator<Item = &'c Column>) -> Option<&'static str> {
    let mut ids = BTreeSet::new();
    for column in columns {
        if !ids.insert(column.id) || ids.len() > COLUMNS_MAX || column.id > u32::MAX / 2 {
            return Some("its columns cannot be");
        }
        if !column.data_type.is_possible() {
            return Some("a type in it cannot be");
        }
    }
    None
}

/// A column with its permanent id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub id: u32,
    /// In lower case.
    pub name: String,
    pub data_type: DataType,
    pub nullable: bool,
    pub comment: Option<String>,
    /// What an INSERT puts where it names no value: a literal, as SQL.
    pub default: Option<String>,
}

impl Schema {
    /// All columns, partition columns last.
    pub fn all_columns(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().chain(&self.partition_columns)
    }

    /// Whether a restore may put the data of one under the other: names and types, in order.
    pub fn is_same_as(&self, other: &Schema) -> bool {
        let same = |a: &[Column], b: &[Column]| {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| a.name == b.name && a.data_type == b.data_type)
        };
        same(&self.columns, &other.columns)
            && same(&self.partition_columns, &other.partition_columns)
    }
}

/// Points from partition values to the live partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LivePartition {
    pub partition: PartitionId,
}

impl Record for LivePartition {
    const KIND: u8 = 0x40;
    const VERSION: u16 = 1;
}

/// A partition incarnation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// One value per partition column.
    pub values: Vec<String>,
    pub created_at_ms: i64,
    pub modified_at_ms: i64,
    pub dropped_at_ms: Option<i64>,
    /// Its first row.
    pub first: Lsn,
    /// Its last row.
    pub head: Lsn,
    /// Whether the lifecycle has nothing to say for now.
    pub lifecycle_disabled: bool,
}

impl Record for Partition {
    const KIND: u8 = 0x41;
    const VERSION: u16 = 2;

    fn flaw(&self, _: &[u8]) -> Option<&'static str> {
        let times = [
            Some(self.created_at_ms),
            Some(self.modified_at_ms),
            self.dropped_at_ms,
        ];
        if self.values.is_empty() || self.values.len() > LEVELS_MAX {
            Some("it has no values, or too many")
        } else if self.first > self.head || self.head > Lsn::MAX {
            Some("an LSN in it cannot be")
        } else if !times.into_iter().flatten().all(is_time) {
            Some("a time in it cannot be")
        } else {
            None
        }
    }

    fn from_older(version: u16, payload: &[u8]) -> Option<Self> {
        let old: PartitionV1 = decode_payload(payload).filter(|_| version == 1)?;
        Some(Self {
            values: old.values,
            created_at_ms: old.created_at_ms,
            modified_at_ms: old.modified_at_ms,
            dropped_at_ms: old.dropped_at_ms,
            first: old.first,
            head: old.head,
            lifecycle_disabled: false,
        })
    }
}

/// [`Partition`] before its lifecycle could be disabled.
#[derive(Deserialize)]
struct PartitionV1 {
    values: Vec<String>,
    created_at_ms: i64,
    modified_at_ms: i64,
    dropped_at_ms: Option<i64>,
    first: Lsn,
    head: Lsn,
}

/// A history row, and the content it designates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The partition; `None` for the table itself.
    pub partition: Option<PartitionId>,
    pub operation: Operation,
    pub committed_at_ms: i64,
    /// The table's schema after the operation.
    pub schema: u32,
    /// `None` for rows that have no content: DROP, and the rows of a partitioned table itself.
    pub content: Option<Snapshot>,
    /// The row before this one of the same object.
    pub previous: Option<Lsn>,
    pub user: String,
    /// The statement, cut at a bound.
    pub statement: String,
    pub rows_added: u64,
    pub rows_removed: u64,
    /// The version this one was restored from.
    pub restored_from: Option<Origin>,
}

impl Record for Version {
    const KIND: u8 = 0x50;
    const VERSION: u16 = 1;

    fn flaw(&self, key: &[u8]) -> Option<&'static str> {
        let own = match Key::decode(key) {
            Some(Key::Version { lsn, .. }) => lsn,
            _ => return Some("it is no version"),
        };
        if self.previous.is_some_and(|previous| previous >= own) || own > Lsn::MAX {
            Some("an LSN in it cannot be")
        } else if !is_time(self.committed_at_ms) {
            Some("a time in it cannot be")
        } else {
            self.content.as_ref().and_then(Snapshot::flaw)
        }
    }
}

/// A version somewhere in the warehouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub table: TableId,
    pub lsn: Lsn,
}

/// Lists a row of a partitioned table under its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectVersion {}

impl Record for ObjectVersion {
    const KIND: u8 = 0x51;
    const VERSION: u16 = 1;
}

/// Points from a version to one that was made of its content; see the collector in `timemachine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derived {}

impl Record for Derived {
    const KIND: u8 = 0x52;
    const VERSION: u16 = 1;
}

/// Lists a table that keeps backups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {}

impl Record for Due {
    const KIND: u8 = 0x53;
    const VERSION: u16 = 1;
}

/// Lists a table with a lifecycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {}

impl Record for Lifecycle {
    const KIND: u8 = 0x54;
    const VERSION: u16 = 1;
}

/// What is remembered of a table or partition that was collected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    pub project: String,
    /// The table's name, or the values of the partition.
    pub name: Vec<String>,
    /// Its first row.
    pub first: Lsn,
    /// Its DROP row.
    pub last: Lsn,
}

impl Record for Gone {
    const KIND: u8 = 0x32;
    const VERSION: u16 = 1;
}

/// Says that holds are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldsCounted {}

impl Record for HoldsCounted {
    const KIND: u8 = 0x06;
    const VERSION: u16 = 1;
}

/// Which clock the warehouse is made with, and what is known of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarehouseClock {
    /// Time is steered; everything below is 0 then.
    pub is_controlled: bool,
    /// The last instant that was confirmed, in milliseconds.
    pub trusted_ms: i64,
    /// The instant that a start saw after more than a day, and that a later start has to confirm.
    pub observed_ms: Option<i64>,
}

impl Record for WarehouseClock {
    const KIND: u8 = 0x07;
    const VERSION: u16 = 1;
}

/// Rows up to this one hold no primary key twice: what a version with a higher number holds is looked at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UniqueKeys {
    pub lsn: Lsn,
}

impl Record for UniqueKeys {
    const KIND: u8 = 0x33;
    const VERSION: u16 = 1;
}
