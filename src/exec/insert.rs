//! INSERT INTO and INSERT OVERWRITE, multi-insert and LOAD: all of a statement in one commit.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;

use super::content::{Content, put};
use super::partitioned::PartitionedWriter;
use super::{Outcome, query};
use crate::ast::Source;
use crate::catalog::Operation;
use crate::catalog::edit::TableEdit;
use crate::engine::values::{literal_batch, stored_rows};
use crate::error::{Error, Result};
use crate::plan::{Context, InsertPlace, InsertPlan, InsertSource, wrong_count};
use crate::store::{Batch, NewSegment};

/// Literal rows turned into one batch at a time.
const ROWS_PER_BATCH: usize = 8192;

/// New rows for one place of a table.
struct Written {
    values: Option<Vec<String>>,
    segments: Vec<NewSegment>,
    overwrite: bool,
}

pub(super) fn insert(cx: &Context<'_>, plans: Vec<InsertPlan>) -> Result<Outcome> {
    let mut batch = cx.store()?.begin();
    let author = cx.author();
    // The rows of each table, in the order of the statement.
    let mut tables: Vec<(InsertPlan, Vec<Written>)> = Vec::new();
    for plan in plans {
        let written = write(cx, &plan, &mut batch)?;
        match tables
            .iter_mut()
            .find(|(other, _)| other.target.id == plan.target.id)
        {
            Some((_, before)) => before.extend(written),
            None => tables.push((plan, written)),
        }
    }
    cx.exclude()?;
    let mut edits = Vec::new();
    for (plan, written) in tables {
        if written.is_empty() {
            continue;
        }
        let mut edit = TableEdit::open(&mut batch, &author, plan.target.id, plan.target.table);
        batch.check()?;
        let mut seen: Vec<Option<Vec<String>>> = Vec::new();
        for Written {
            values,
            segments,
            overwrite,
        } in merged(written)
        {
            if seen.contains(&values) {
                return Err(Error::semantic(
                    "two branches of a multi-insert write to the same partition",
                ));
            }
            seen.push(values.clone());
            let (content, operation) = if overwrite {
                (Content::Replaced(segments), Operation::Overwrite)
            } else {
                (Content::Appended(segments), Operation::Append)
            };
            put(cx, &mut batch, &mut edit, values, content, operation)?;
        }
        edits.push(edit);
    }
    if edits.is_empty() {
        return Ok(Outcome::Done);
    }
    for edit in edits {
        edit.finish(&mut batch);
    }
    cx.commit(batch, &author)?;
    Ok(Outcome::Done)
}

/// Appends to one place are one append.
fn merged(written: Vec<Written>) -> Vec<Written> {
    let mut out: Vec<Written> = Vec::new();
    for next in written {
        let same = out
            .iter_mut()
            .find(|other| !next.overwrite && !other.overwrite && other.values == next.values);
        match same {
            Some(same) => same.segments.extend(next.segments),
            None => out.push(next),
        }
    }
    out
}

fn write(cx: &Context<'_>, plan: &InsertPlan, batch: &mut Batch<'_>) -> Result<Vec<Written>> {
    let overwrite = plan.overwrite;
    let fixed = match &plan.place {
        InsertPlace::Table => None,
        InsertPlace::Partition(values) => Some(values.clone()),
        InsertPlace::Dynamic(values) => {
            let schema = &plan.target.schema;
            let mut writer = PartitionedWriter::new(schema, values, plan.source_columns, batch);
            source(cx, plan, &mut |columns, rows| {
                let rows = stored_rows(columns, &plan.mapping, &rows, cx.zone)
                    .map(|stored| (stored, rows))?;
                writer.write(rows.0, &rows.1, cx.zone)
            })?;
            let written = writer.finish(batch)?;
            let place = |(values, segments)| Written {
                values: Some(values),
                segments,
                overwrite,
            };
            return Ok(written.into_iter().map(place).collect());
        }
    };
    let mut writer = batch.segment_writer();
    if let InsertSource::Rows(Source::Literals { rows, .. }) = &plan.source {
        for rows in rows.chunks(ROWS_PER_BATCH) {
            let columns = &plan.target.schema.columns;
            writer.write(literal_batch(columns, &plan.mapping, rows, cx.zone)?)?;
        }
    } else {
        source(cx, plan, &mut |columns, rows| {
            Ok(writer.write(stored_rows(columns, &plan.mapping, &rows, cx.zone)?)?)
        })?;
    }
    let segments = batch.finish_segments(writer)?;
    if segments.is_empty() && !overwrite {
        return Ok(Vec::new());
    }
    Ok(vec![Written {
        values: fixed,
        segments,
        overwrite,
    }])
}

/// The rows of an INSERT's source, batch by batch, with the columns they are for.
fn source(
    cx: &Context<'_>,
    plan: &InsertPlan,
    visit: &mut dyn FnMut(&[crate::catalog::Column], RecordBatch) -> Result<()>,
) -> Result<()> {
    let columns = &plan.target.schema.columns;
    let mut take = |rows: RecordBatch| visit(columns, rows);
    let checked = |at: usize| {
        move |schema: &SchemaRef| {
            let found = schema.fields().len();
            if found == plan.source_columns {
                Ok(())
            } else {
                Err(wrong_count(found, plan.source_columns).at(at))
            }
        }
    };
    match &plan.source {
        InsertSource::Rows(Source::Query(source)) => {
            query::run(cx, source, &mut checked(source.at()), &mut take).map(drop)
        }
        // Literals with partition values among them go through the engine.
        InsertSource::Rows(Source::Literals { rows, at }) => {
            let rows: Vec<String> = rows
                .iter()
                .map(|row| {
                    let values: Vec<String> = row.iter().map(ToString::to_string).collect();
                    format!("({})", values.join(","))
                })
                .collect();
            let source = query::own(&format!("values {}", rows.join(",")), at.0);
            query::run(cx, &source, &mut checked(at.0), &mut take).map(drop)
        }
        InsertSource::Files(load) => {
            let wanted = (&plan.target.schema, plan.source_columns);
            query::files(cx, load, wanted, &mut checked(0), &mut take)
        }
    }
}
