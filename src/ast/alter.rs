//! `ALTER TABLE`.

use super::{ColumnDefinition, Name, ObjectName, PartitionSpec};
use crate::ast::{At, Fragment};
use crate::datatype::DataType;

/// `ALTER TABLE t …`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlterTable {
    pub table: ObjectName,
    pub action: AlterAction,
}

/// What ALTER TABLE does.
#[derive(Clone, Debug, PartialEq)]
pub enum AlterAction {
    Rename(Name),
    SetComment(String),
    SetLifecycle(u32),
    SetProperties(Vec<(String, String)>),
    UnsetProperties(Vec<String>),
    ChangeOwner(String),
    /// Sets the time of the last modification.
    Touch(Option<PartitionSpec>),
    Lifecycle {
        spec: Option<PartitionSpec>,
        enabled: bool,
    },
    AddColumns {
        if_not_exists: bool,
        columns: Vec<(ColumnDefinition, Option<ColumnPlace>)>,
    },
    DropColumns(Vec<Name>),
    ReplaceColumns(Vec<ColumnDefinition>),
    ChangeColumn(ColumnChange),
    AddPartitions {
        if_not_exists: bool,
        specs: Vec<PartitionSpec>,
    },
    DropPartitions {
        if_exists: bool,
        filters: Vec<PartitionFilter>,
        purge: bool,
    },
    RenamePartition {
        from: PartitionSpec,
        to: PartitionSpec,
    },
    MergePartitions {
        if_exists: bool,
        filters: Vec<PartitionFilter>,
        target: PartitionSpec,
        purge: bool,
    },
    /// Joins small segments; the content stays the same.
    MergeSmallFiles(Option<PartitionSpec>),
    /// `COMPACT MAJOR|MINOR`: the same of a table whose rows may be changed.
    Compact {
        spec: Option<PartitionSpec>,
        major: bool,
    },
    NotClustered,
}

/// Where a column goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnPlace {
    First,
    After(Name),
}

/// `CHANGE [COLUMN] a …`; what is `None` stays.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnChange {
    pub column: Name,
    pub new_name: Option<Name>,
    pub data_type: Option<DataType>,
    pub comment: Option<String>,
    pub nullable: Option<bool>,
    pub place: Option<ColumnPlace>,
}

/// Partitions by their values or by conditions, each on one partition column.
#[derive(Clone, Debug, PartialEq)]
pub enum PartitionFilter {
    Spec(PartitionSpec),
    Conditions { conditions: Vec<Fragment>, at: At },
}
