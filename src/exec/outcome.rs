//! What a statement gives back, before anyone draws it.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;

use crate::catalog::{Schema, Table};

/// The result of a statement.
#[derive(Debug)]
pub enum Outcome {
    /// Done; there is nothing to show.
    Done,
    /// The rows of a query.
    Rows(RowSet),
    /// A listing such as SHOW HISTORY.
    Listing(Listing),
    /// A table's description.
    Description(Box<Description>),
    /// Text for people.
    Text(String),
    /// The session ends.
    Quit,
}

/// The rows of a query.
#[derive(Debug)]
pub struct RowSet {
    pub schema: SchemaRef,
    pub batches: Vec<RecordBatch>,
}

/// A table of texts with a layout of its own.
#[derive(Debug)]
pub struct Listing {
    pub layout: Layout,
    pub titles: Vec<&'static str>,
    /// `None` where there is nothing to say.
    pub rows: Vec<Vec<Option<String>>>,
}

/// How a listing is drawn for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `show history for tables`.
    HistoryOfTables,
    /// `show history for table t`.
    History,
    /// `owner:table`, one per line.
    Tables,
    /// One value per line.
    Lines,
    /// `key=value`, one per line, then OK.
    Settings,
}

/// What DESC shows.
#[derive(Debug)]
pub struct Description {
    pub table: Table,
    pub schema: Schema,
    pub size_bytes: u64,
    /// `yyyy-MM-dd HH:mm:ss` of creation, last DDL, last modification.
    pub times: [String; 3],
}
