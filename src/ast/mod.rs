//! What a statement says, as plain data: no IO, no session, no engine types. `parse(print(x)) == x`.

mod access;
mod alter;
mod display;
mod view;

pub use access::{Access, Grant, Principal, Secret, Securable};
pub use alter::{AlterAction, AlterTable, ColumnChange, ColumnPlace, PartitionFilter};
pub use view::{AlterView, ViewAction};

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
    CreateTableLike(CreateTableLike),
    CreateView(CreateView),
    DropTable {
        table: ObjectName,
        if_exists: bool,
        /// Its backups go with it.
        purge: bool,
    },
    DropView {
        view: ObjectName,
        if_exists: bool,
    },
    AlterTable(AlterTable),
    AlterView(AlterView),
    /// Empties a table, or partitions of one.
    Truncate {
        table: ObjectName,
        specs: Vec<PartitionSpec>,
    },
    CloneTable(CloneTable),
    Insert(Insert),
    MultiInsert(MultiInsert),
    Load(Load),
    Update(Update),
    Delete(Delete),
    Merge(Merge),
    Query(Query),
    Read(Read),
    Analyze(Analyze),
    Explain(Query),
    ShowHistoryForTables,
    ShowHistory(ShowHistory),
    Restore(Restore),
    /// Deletes the backups of a table that are older than so many hours.
    PurgeTable {
        table: ObjectName,
        hours: Option<u32>,
    },
    /// The same of all tables of the project.
    PurgeAll {
        hours: Option<u32>,
    },
    ShowRecycleBin {
        project: Option<Name>,
    },
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
    ShowViews {
        project: Option<Name>,
        pattern: Option<String>,
    },
    ShowColumns(ObjectName),
    ShowCreateTable(ObjectName),
    ShowProperties(ObjectName),
    ShowFunctions {
        pattern: Option<String>,
    },
    /// Users, roles and grants.
    Access(Access),
    Describe(Describe),
    DescribeFunction(Name),
    Help(Vec<Name>),
    Quit,
}

/// `CREATE TABLE`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTable {
    pub table: ObjectName,
    /// A table of that name is dropped first.
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub columns: Vec<ColumnDefinition>,
    pub comment: Option<String>,
    pub partition_columns: Vec<ColumnDefinition>,
    pub properties: Vec<(String, String)>,
    pub lifecycle_days: Option<u32>,
    /// The columns of `PRIMARY KEY`.
    pub primary_key: Vec<Name>,
    /// `CLUSTERED BY …`, as written.
    pub clustering: Option<String>,
    /// `AS SELECT …`: then there are no column definitions.
    pub query: Option<Query>,
}

/// `CREATE TABLE t LIKE u`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateTableLike {
    pub table: ObjectName,
    pub if_not_exists: bool,
    pub source: ObjectName,
    pub properties: Vec<(String, String)>,
    pub lifecycle_days: Option<u32>,
}

/// `CREATE VIEW`.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateView {
    pub view: ObjectName,
    pub or_replace: bool,
    pub if_not_exists: bool,
    /// Names for the columns, with comments; empty where those of the query are kept.
    pub columns: Vec<(Name, Option<String>)>,
    pub comment: Option<String>,
    pub query: Query,
}

/// `CLONE TABLE t TO u`.
#[derive(Clone, Debug, PartialEq)]
pub struct CloneTable {
    pub source: ObjectName,
    pub specs: Vec<PartitionSpec>,
    pub target: ObjectName,
    pub if_exists: Option<CloneMode>,
}

/// What CLONE TABLE does where the target has what it brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloneMode {
    Overwrite,
    Ignore,
}

/// `DESC [EXTENDED] t [PARTITION(…)]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Describe {
    pub table: ObjectName,
    pub extended: bool,
    pub spec: Option<PartitionSpec>,
}

/// `name type [NOT NULL] [COMMENT '…']`.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnDefinition {
    pub name: Name,
    pub data_type: DataType,
    pub nullable: bool,
    pub default: Option<Literal>,
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

/// `SHOW HISTORY FOR TABLE`.
#[derive(Clone, Debug, PartialEq)]
pub struct ShowHistory {
    pub table: TableRef,
    pub parts: Vec<Part>,
    /// With what the documented listing leaves out.
    pub extended: bool,
    /// The first rows only.
    pub limit: Option<u64>,
}

/// `RESTORE TABLE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Restore {
    pub source: TableRef,
    pub parts: Vec<Part>,
    pub lsn: Option<Lsn>,
    pub new_name: Option<ObjectName>,
}

/// `PARTITION(a='x', b)` of an INSERT: a column without a value takes it from the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct InsertSpec {
    pub values: Vec<(Name, Option<String>)>,
    pub at: At,
}

/// Where an INSERT puts its rows.
#[derive(Clone, Debug, PartialEq)]
pub struct InsertTarget {
    pub overwrite: bool,
    pub table: ObjectName,
    pub partition: Option<InsertSpec>,
    /// `IF NOT EXISTS`: nothing happens where the partition is there.
    pub if_not_exists: bool,
    pub columns: Option<Vec<Name>>,
}

/// `INSERT INTO|OVERWRITE`.
#[derive(Clone, Debug, PartialEq)]
pub struct Insert {
    pub target: InsertTarget,
    pub source: Source,
}

/// `FROM … INSERT … SELECT … INSERT … SELECT …`.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiInsert {
    /// Each branch with its whole query.
    pub branches: Vec<(InsertTarget, Query)>,
}

/// `LOAD INTO|OVERWRITE TABLE t FROM LOCATION '…' STORED AS …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    pub overwrite: bool,
    pub table: ObjectName,
    pub partition: Option<PartitionSpec>,
    /// A file or a folder.
    pub location: String,
    pub format: FileFormat,
    /// Options of CSV, as `PROPERTIES('k'='v')`.
    pub properties: Vec<(String, String)>,
}

/// A format of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    Parquet,
    Csv,
}

/// `READ t [(cols)] [PARTITION(…)] [n]`: the first rows of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    pub table: ObjectName,
    pub columns: Vec<Name>,
    pub partition: Option<PartitionSpec>,
    pub rows: Option<u64>,
}

/// `ANALYZE TABLE t [PARTITION(…)] COMPUTE STATISTICS [FOR COLUMNS (…)]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Analyze {
    pub table: ObjectName,
    pub partition: Option<InsertSpec>,
    /// The columns of FOR COLUMNS, none for all of them.
    pub columns: Option<Vec<Name>>,
}

/// `UPDATE t SET … FROM … WHERE …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    pub table: ObjectName,
    pub alias: Option<Name>,
    pub assignments: Vec<(Name, Fragment)>,
    /// The relations of FROM, joined by commas.
    pub from: Vec<Fragment>,
    pub condition: Option<Fragment>,
}

/// `DELETE FROM t WHERE …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    pub table: ObjectName,
    pub alias: Option<Name>,
    pub condition: Option<Fragment>,
}

/// `MERGE INTO t USING s ON …`.
#[derive(Clone, Debug, PartialEq)]
pub struct Merge {
    pub table: ObjectName,
    pub alias: Option<Name>,
    /// Tables or queries in parentheses: MERGE has one, UPDATE … FROM any number.
    pub source: Vec<Fragment>,
    /// What MERGE calls its source.
    pub source_alias: Option<Name>,
    pub condition: Fragment,
    pub branches: Vec<MergeBranch>,
}

/// Which rows a branch of MERGE is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matching {
    /// `MATCHED`: rows of the target that match one of the source.
    Both,
    /// `NOT MATCHED [BY TARGET]`: rows of the source that match none of the target.
    SourceAlone,
    /// `NOT MATCHED BY SOURCE`: rows of the target that match none of the source.
    TargetAlone,
}

/// `WHEN … [AND …] THEN …`.
#[derive(Clone, Debug, PartialEq)]
pub struct MergeBranch {
    pub matching: Matching,
    pub condition: Option<Fragment>,
    pub action: MergeAction,
    pub at: At,
}

/// What a branch of MERGE does.
#[derive(Clone, Debug, PartialEq)]
pub enum MergeAction {
    Update(Vec<(Name, Fragment)>),
    /// `UPDATE SET *`: every column from that of its name in the source.
    UpdateAll,
    Delete,
    /// `INSERT *`: the same of a new row.
    InsertAll,
    Insert {
        columns: Option<Vec<Name>>,
        values: Vec<Fragment>,
    },
}

/// What is inserted.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Rows of literals: evaluated without the engine.
    Literals { rows: Vec<Vec<Literal>>, at: At },
    /// Anything else.
    Query(Query),
}

/// A piece of SQL as it was written, for the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    pub text: String,
    pub at: At,
}

/// The text of a query, for the engine: mostly one piece; of a multi-insert the shared FROM and the
/// branch's own SELECT.
#[derive(Clone, Debug, Eq)]
pub struct Query {
    pub fragments: Vec<Fragment>,
}

/// Where one piece ends and the next begins is not part of what a query says.
impl PartialEq for Query {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Query {
    /// Where the query begins.
    pub fn at(&self) -> usize {
        self.fragments.first().map_or(0, |first| first.at.0)
    }

    /// Whether some text stands in the query, in lower case.
    pub fn mentions(&self, word: &str) -> bool {
        self.fragments
            .iter()
            .any(|fragment| fragment.text.to_ascii_lowercase().contains(word))
    }
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
    /// `1.5F`.
    Float(String),
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
