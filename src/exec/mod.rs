//! Plans carried out: one file per statement family; a plan becomes an outcome.
//!
//! A statement that changes something collects all of it in one batch and commits once.

mod ddl;
mod history;
mod insert;
mod outcome;
mod project;
mod query;
mod restore;
mod show;

pub use outcome::{Description, Layout, Listing, Outcome, RowSet};

use chrono::TimeZone;
use chrono_tz::Tz;

use crate::error::Result;
use crate::plan::{Context, Plan};

/// Carries out `plan`.
pub fn execute(plan: Plan, cx: &Context<'_>) -> Result<Outcome> {
    match plan {
        Plan::Nothing => Ok(Outcome::Done),
        Plan::CreateTable(table) => ddl::create_table(cx, table),
        Plan::DropTable(target) => ddl::drop_table(cx, target),
        Plan::RenameTable { target, new_name } => ddl::rename_table(cx, target, &new_name),
        Plan::AddPartitions { target, partitions } => ddl::add_partitions(cx, target, partitions),
        Plan::DropPartitions { target, partitions } => ddl::drop_partitions(cx, target, partitions),
        Plan::Insert(insert) => insert::insert(cx, insert),
        Plan::Query(query) => query::query(cx, &query),
        Plan::ShowHistoryForTables => history::for_tables(cx),
        Plan::ShowHistory { table, parts } => history::for_table(cx, &table, &parts),
        Plan::Restore(restore) => restore::restore(cx, restore),
        Plan::ShowProject => project::show(cx),
        Plan::SetProject(settings) => project::set(cx, settings),
        Plan::ShowTables { project, pattern } => show::tables(cx, &project, pattern.as_deref()),
        Plan::ShowPartitions { target, values } => show::partitions(cx, &target, &values),
        Plan::Describe(target) => show::describe(cx, target),
    }
}

/// `yyyy-MM-dd HH:mm:ss` in `zone`.
fn local_time(at_ms: i64, zone: Tz) -> String {
    match zone.timestamp_millis_opt(at_ms).earliest() {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S").to_string(),
        None => at_ms.to_string(),
    }
}
