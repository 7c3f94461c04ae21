//! Plans carried out: one file per statement family; a plan becomes an outcome.
//!
//! A statement that changes something collects all of it in one batch and commits once.

mod access;
mod alter;
mod change;
mod content;
mod ddl;
mod describe;
mod history;
mod insert;
mod lifecycle;
mod outcome;
mod partitioned;
mod project;
mod purge;
mod query;
mod restore;
mod show;
mod upsert;
mod view;

pub use lifecycle::{next_end, reclaim};
pub use outcome::{Description, Fact, Layout, Listing, Outcome};
pub use purge::collected;

use chrono_tz::Tz;

use crate::error::Result;
use crate::plan::{Context, Plan};

/// Carries out `plan`.
pub fn execute(plan: Plan, cx: &Context<'_>) -> Result<Outcome> {
    match plan {
        Plan::Nothing => Ok(Outcome::Done),
        Plan::CreateTable(table) => ddl::create_table(cx, table),
        Plan::CreateView(new) => view::create(cx, new),
        Plan::DropTable { target, purge } => ddl::drop_table(cx, target, purge),
        Plan::DropView { project, name } => view::drop(cx, project, name),
        Plan::AlterTable { target, action } => alter::alter_table(cx, target, action),
        Plan::AlterView {
            project,
            name,
            view,
            action,
        } => view::alter(cx, project, name, view, action),
        Plan::Truncate { target, partitions } => ddl::truncate(cx, target, partitions),
        Plan::CloneTable(clone) => ddl::clone_table(cx, clone),
        Plan::Insert(plans) => insert::insert(cx, plans),
        Plan::Update { target, update } => change::update(cx, target, &update),
        Plan::Delete { target, delete } => change::delete(cx, target, &delete),
        Plan::Merge { target, merge } => change::merge(cx, target, &merge),
        Plan::Explain(query) => query::explain(cx, &query),
        Plan::CheckQuery(query) => query::columns(cx, &query).map(|_| Outcome::Done),
        Plan::Query(query) => query::query(cx, &query),
        Plan::ShowHistoryForTables => history::for_tables(cx),
        Plan::ShowHistory(show) => history::for_table(cx, &show),
        Plan::PurgeTable { table, hours } => purge::table(cx, &table, hours),
        Plan::PurgeAll { hours } => purge::all(cx, hours),
        Plan::ShowRecycleBin { project } => purge::recycle_bin(cx, &project),
        Plan::Restore(restore) => restore::restore(cx, restore),
        Plan::Access(statement) => access::access(cx, statement),
        Plan::ShowProject => project::show(cx),
        Plan::SetProject(settings) => project::set(cx, settings),
        Plan::ShowTables { project, pattern } => show::tables(cx, &project, pattern.as_deref()),
        Plan::ShowPartitions { target, values } => show::partitions(cx, &target, &values),
        Plan::ShowViews { project, pattern } => show::views(cx, &project, pattern.as_deref()),
        Plan::ShowColumns(target) => Ok(show::columns(&target)),
        Plan::ShowCreateTable(target) => Ok(show::create_table(&target)),
        Plan::ShowProperties(target) => Ok(show::properties(target)),
        Plan::ShowFunctions { pattern } => Ok(show::functions(pattern.as_deref())),
        Plan::DescribeFunction(name) => show::function(&name),
        Plan::Describe { target, extended } => describe::table(cx, target, extended),
        Plan::DescribePartition {
            target,
            partition,
            extended,
        } => describe::partition(cx, &target, &partition, extended),
        Plan::DescribeView {
            project,
            name,
            view,
        } => Ok(describe::view(cx, project, name, view)),
    }
}

/// `yyyy-MM-dd HH:mm:ss` in `zone`.
fn local_time(at_ms: i64, zone: Tz) -> String {
    let utc = chrono::DateTime::from_timestamp_millis(at_ms);
    match utc.and_then(|utc| crate::clock::local_time(utc, zone)) {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S").to_string(),
        None => at_ms.to_string(),
    }
}
