//! What a statement gives back, before anyone draws it.

use crate::catalog::Column;
use crate::engine::RowStream;

/// The result of a statement.
#[derive(Debug)]
pub enum Outcome {
    /// Done; there is nothing to show.
    Done,
    /// The rows of a query.
    Rows(RowStream),
    /// A listing such as SHOW HISTORY.
    Listing(Listing),
    /// A table's description.
    Description(Box<Description>),
    /// Text for people.
    Text(String),
    /// The session ends.
    Quit,
}

/// A table of texts with a layout of its own.
#[derive(Debug)]
pub struct Listing {
    pub layout: Layout,
    pub titles: Vec<&'static str>,
    /// So many of the last columns are for programs that read JSON only.
    pub hidden: usize,
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
    /// Columns as wide as what stands in them.
    Columns,
    /// `owner:table`, one per line.
    Tables,
    /// One value per line.
    Lines,
    /// `key=value`, one per line, then OK.
    Settings,
}

/// What DESC shows: groups of facts in a box, then columns where there are some.
#[derive(Debug)]
pub struct Description {
    pub groups: Vec<Vec<Fact>>,
    pub columns: Vec<Column>,
    pub partition_columns: Vec<Column>,
    /// Columns with all that is known of them, and facts below.
    pub extended: Option<Vec<Fact>>,
}

/// A line of a description.
#[derive(Debug)]
pub enum Fact {
    /// A name and its value.
    Pair(&'static str, String),
    /// A name and its value, right behind it.
    Short(&'static str, String),
    /// A line as it is.
    Line(String),
}
