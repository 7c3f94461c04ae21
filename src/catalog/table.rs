//! Tables, their schemas, partitions and versions, as they are recorded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::operation::Operation;
use crate::datatype::DataType;
use crate::ids::{Lsn, PartitionId, TableId};
use crate::store::{Record, Snapshot};

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
}

impl Record for Table {
    const KIND: u8 = 0x30;
    const VERSION: u16 = 1;
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
        }
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
}

impl Record for Partition {
    const KIND: u8 = 0x41;
    const VERSION: u16 = 1;
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
