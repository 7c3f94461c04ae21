//! The rules of history: what is kept, what is listed, which version answers to an LSN.
//!
//! A history row stops being current when the next row of its object is written or its object is
//! dropped; from then on it is kept for the project's retention. What is not kept is neither listed nor
//! restorable nor readable, whether or not its bytes are still there: every answer here is a function
//! of the records and the statement's own `now`.
//!
//! ```text
//! object   row 4 ---------- row 7 ------------------ (current)
//! kept     ....[ from the time of row 7, for the retention ]
//! ```

pub mod check;
mod choose;
pub mod collect;
mod deletion;
mod history;
mod point;
mod refusal;
mod retention;

pub use choose::{Chosen, find_incarnation, partition_at};
pub use deletion::{ClockWatch, DeletionTime};
pub use history::{HistoryRow, TableRow, listed_tables, table_history};
pub use point::{Piece, TableState, lsn_at, table_at};
pub use refusal::{Miss, Refusal};
pub use retention::{Retention, Window, change_retention, changed_table_retention};
