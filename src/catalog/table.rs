//! Tables, their schemas, partitions and versions, as they are recorded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::operation::Operation;
use crate::datatype::DataType;
use crate::ids::{Lsn, PartitionId, TableId};
use crate::store::{Record, Snapshot, decode_payload};

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
}

impl Record for Table {
    const KIND: u8 = 0x30;
    const VERSION: u16 = 2;

    fn from_older(version: u16, payload: &[u8]) -> Option<Self> {
        let old: TableV1 = decode_payload(payload).filter(|_| version == 1)?;
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
            lifecycle_disabled: false,
            clustering: None,
            primary_key: Vec::new(),
        })
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
        }
    }

    /// Whether rows may be changed one by one: UPDATE, DELETE, MERGE.
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
