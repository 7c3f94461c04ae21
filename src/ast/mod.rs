//! What a statement says, as plain data: no IO, no session, no engine types. `parse(print(x)) == x`.

mod display;

use crate::datatype::DataType;
use crate::ids::{Lsn, PartitionId, TableId};

/// Where something stood in the statement's text, in bytes. All places are equal: where a thing stood
/// is not part of what it says.
#[derive(Clone, Copy, Debug, Default, Eq)]
pub struct At(pub usize);

impl PartialEq for At {
    fn eq(&self, _: &At) -> bool {
        true
    }
}

/// An identifier, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    pub text: String,
    pub at: At,
}

/// `[project.]name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    pub project: Option<Name>,
    pub name: Name,
}

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    CreateTable(CreateTable),
    DropTable {
        table: ObjectName,
        if_exists: bool,
    },
    RenameTable {
        table: ObjectName,
        new_name: Name,
    },
    AddPartitions {
        table: ObjectName,
        if_not_exists: bool,
        specs: Vec<PartitionSpec>,
    },
    DropPartitions {
        table: ObjectName,
        if_exists: bool,
        specs: Vec<PartitionSpec>,
    },
    Insert(Insert),
    Query(Query),
    ShowHistoryForTables,
    ShowHistory {
        table: TableRef,
        parts: Vec<Part>,
    },
    Restore(Restore),
    ShowProject,
    SetProject(Vec<Setting>),
    ShowSettings,
    Set(Setting),
    UseProject(Name),
    ShowTables {
        project: Option<Name>,
        pattern: Option<String>,
    },
    ShowPartitions {
        table: ObjectName,
        spec: Option<PartitionSpec>,
    },
    Describe(ObjectName),
    Help(Vec<Name>),
    Quit,
}

/// `CREATE TABLE`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTable {
    pub table: ObjectName,
    pub if_not_exists: bool,
    pub columns: Vec<ColumnDefinition>,
    pub comment: Option<String>,
    pub partition_columns: Vec<ColumnDefinition>,
    pub properties: Vec<(String, String)>,
    pub lifecycle_days: Option<u32>,
}

/// `name type [NOT NULL] [COMMENT '…']`.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDefinition {
    pub name: Name,
    pub data_type: DataType,
    pub nullable: bool,
    pub comment: Option<String>,
}

/// `(a='x', b=1)`: values by partition column, as written.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionSpec {
    pub values: Vec<(Name, String)>,
    pub at: At,
}

/// A partition as the history family names it.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Spec(PartitionSpec),
    Id { id: PartitionId, at: At },
}

/// `t` or `t('id'='…')`.
#[derive(Clone, Debug, PartialEq)]
pub struct TableRef {
    pub table: ObjectName,
    pub id: Option<TableId>,
}

/// `RESTORE TABLE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Restore {
    pub source: TableRef,
    pub parts: Vec<Part>,
    pub lsn: Option<Lsn>,
    pub new_name: Option<ObjectName>,
}

/// `INSERT INTO|OVERWRITE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Insert {
    pub overwrite: bool,
    pub table: ObjectName,
    pub partition: Option<PartitionSpec>,
    pub columns: Option<Vec<Name>>,
    pub source: Source,
}

/// What is inserted.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Rows of literals: evaluated without the engine.
    Literals { rows: Vec<Vec<Literal>>, at: At },
    /// Anything else.
    Query(Query),
}

/// The text of a query, for the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub text: String,
    pub at: At,
}

/// A constant of a VALUES row.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    Null,
    Boolean(bool),
    /// An integer, as digits with an optional minus.
    Integer(String),
    /// A number with a point or an exponent.
    Double(String),
    /// `1.5BD`.
    Decimal(String),
    String(String),
    Date(String),
    Datetime(String),
    Timestamp(String),
}

/// `key=value`; the value is the text as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub key: String,
    pub value: String,
}
