//! INSERT INTO and INSERT OVERWRITE.

use super::{Outcome, query};
use crate::ast::Source;
use crate::catalog::Operation;
use crate::catalog::edit::{NewRow, TableEdit};
use crate::engine::values::{literal_batch, stored_rows};
use crate::error::Result;
use crate::plan::{Context, InsertPlan, wrong_count};
use crate::store::{SegmentWriter, Snapshot};

/// Literal rows turned into one batch at a time.
const ROWS_PER_BATCH: usize = 8192;

pub(super) fn insert(cx: &Context<'_>, plan: InsertPlan) -> Result<Outcome> {
    let store = cx.store()?;
    let catalog = cx.catalog()?;
    let mut batch = store.begin();
    let author = cx.author();

    let mut writer = batch.segment_writer();
    write_source(cx, &plan, &mut writer)?;
    let segments = batch.finish_segments(writer)?;
    let rows_added: u64 = segments
        .iter()
        .map(|segment| segment.reference.row_count)
        .sum();
    if rows_added == 0 && !plan.overwrite {
        return Ok(Outcome::Done);
    }

    let live = match &plan.partition {
        Some(values) => catalog.live_partition(plan.target.id, values)?,
        None => None,
    };
    let live = match live {
        Some(id) => Some((id, catalog.require_partition(plan.target.id, id)?)),
        None => None,
    };
    let head = match (&plan.partition, &live) {
        (None, _) => Some(plan.target.table.head),
        (Some(_), Some((_, partition))) => Some(partition.head),
        (Some(_), None) => None,
    };
    let current = match head {
        Some(lsn) => catalog
            .require_version(plan.target.id, lsn)?
            .content
            .unwrap_or_default(),
        None => Snapshot::default(),
    };
    let (operation, base, rows_removed) = if plan.overwrite {
        (Operation::Overwrite, Snapshot::default(), current.row_count)
    } else {
        (Operation::Append, current, 0)
    };
    let content = base.append(store, &mut batch, segments)?;
    let mut row = NewRow {
        rows_added,
        ..NewRow::content(operation, content, rows_removed)
    };

    let mut edit = TableEdit::open(&mut batch, &author, plan.target.id, plan.target.table);
    match (plan.partition, live) {
        (None, _) => {
            edit.add_table_row(&mut batch, row);
        }
        (Some(_), Some((id, mut partition))) => {
            edit.add_partition_row(&mut batch, id, &mut partition, row);
        }
        (Some(values), None) => {
            row.operation = Operation::Create;
            let id = cx.new_partition_id(&mut batch);
            edit.create_partition(&mut batch, id, values, row)?;
        }
    }
    edit.finish(&mut batch);
    cx.commit(batch, &author)?;
    Ok(Outcome::Done)
}

fn write_source(cx: &Context<'_>, plan: &InsertPlan, writer: &mut SegmentWriter<'_>) -> Result<()> {
    let columns = &plan.target.schema.columns;
    match &plan.source {
        Source::Literals { rows, .. } => {
            for rows in rows.chunks(ROWS_PER_BATCH) {
                writer.write(literal_batch(columns, &plan.mapping, rows, cx.zone)?)?;
            }
            Ok(())
        }
        Source::Query(source) => {
            let mut begin = |schema: &datafusion::arrow::datatypes::SchemaRef| {
                let found = schema.fields().len();
                if found == plan.source_columns {
                    Ok(())
                } else {
                    Err(wrong_count(found, plan.source_columns).at(source.at.0))
                }
            };
            query::run(cx, source, &mut begin, &mut |rows| {
                Ok(writer.write(stored_rows(columns, &plan.mapping, &rows, cx.zone)?)?)
            })
            .map(drop)
        }
    }
}
