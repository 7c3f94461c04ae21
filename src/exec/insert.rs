//! INSERT INTO and INSERT OVERWRITE, multi-insert and LOAD: all of a statement in one commit.

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::datatypes::SchemaRef;

use super::content::{Content, put};
use super::partitioned::{PartitionedWriter, split};
use super::upsert::KeyedRows;
use super::{Outcome, query};
use crate::ast::Source;
use crate::catalog::edit::TableEdit;
use crate::catalog::{Column, Operation};
use crate::engine::values::{literal_batch, partition_array, partition_literals, stored_rows};
use crate::error::{Error, Result};
use crate::plan::{Context, InsertPlace, InsertPlan, InsertSource, Target, wrong_count};
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
    let mut keyed: Vec<(Target, KeyedRows)> = Vec::new();
    for plan in plans {
        if plan.target.table.has_key() {
            let same = |(other, _): &(Target, _)| other.id == plan.target.id;
            let at = match keyed.iter().position(same) {
                Some(at) => at,
                None => {
                    let rows = KeyedRows::new(&plan.target)?;
                    keyed.push((plan.target.clone(), rows));
                    keyed.len() - 1
                }
            };
            gather(cx, &plan, &mut keyed[at].1)?;
            continue;
        }
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
    for (target, rows) in keyed {
        if rows.is_empty() {
            continue;
        }
        let table = target.table.clone();
        let mut edit = TableEdit::open(&mut batch, &author, target.id, table);
        batch.check()?;
        rows.apply(cx, &mut batch, &mut edit, &target)?;
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

/// Adds the rows of an INSERT into a table with a primary key.
fn gather(cx: &Context<'_>, plan: &InsertPlan, keyed: &mut KeyedRows) -> Result<()> {
    let overwrite = plan.overwrite;
    let (fixed, is_dynamic) = match &plan.place {
        InsertPlace::Table => (None, false),
        InsertPlace::Partition(values) => (Some(values.clone()), false),
        InsertPlace::Dynamic(_) => (None, true),
    };
    if overwrite && !is_dynamic {
        keyed.overwrite(fixed.clone());
    }
    let partition_columns = &plan.target.schema.partition_columns;
    rows(cx, plan, &mut |stored, given| {
        let InsertPlace::Dynamic(values) = &plan.place else {
            return match stored.num_rows() {
                0 => Ok(()),
                _ => keyed.add(fixed.clone(), stored, overwrite),
            };
        };
        let open = partition_columns.iter().zip(values);
        let open = open.filter(|(_, value)| value.is_none());
        let levels = open.zip(&plan.partition_mapping);
        let levels = levels.map(|((column, _), position)| given(column, *position));
        let levels: Vec<ArrayRef> = levels.collect::<Result<_>>()?;
        let mut parts = split(partition_columns, values, &stored, &levels)?.into_iter();
        parts.try_for_each(|(values, part)| keyed.add(Some(values), part, overwrite))
    })
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
            let mut writer = PartitionedWriter::new(schema, values, batch);
            rows(cx, plan, &mut |stored, given| {
                let levels = writer.dynamic().zip(&plan.partition_mapping);
                let levels = levels.map(|(column, position)| given(column, *position));
                let levels: Vec<ArrayRef> = levels.collect::<Result<_>>()?;
                writer.write(stored, &levels)
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
    rows(cx, plan, &mut |stored, _| Ok(writer.write(stored)?))?;
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

/// Gives the values of a partition column that stand at a position of the rows.
type PartitionValues<'a> = dyn Fn(&Column, usize) -> Result<ArrayRef> + 'a;

/// Visits the rows of an INSERT's source as they are stored, batch by batch.
fn rows(
    cx: &Context<'_>,
    plan: &InsertPlan,
    visit: &mut dyn FnMut(RecordBatch, &PartitionValues<'_>) -> Result<()>,
) -> Result<()> {
    let columns = &plan.target.schema.columns;
    let (mapping, width) = (&plan.mapping, plan.source_columns);
    let mut take = |rows: RecordBatch| {
        let stored = stored_rows(columns, mapping, &rows, cx.zone)?;
        visit(stored, &|column, position| {
            partition_array(column, rows.column(position), cx.zone)
        })
    };
    let checked = |at: usize| {
        move |schema: &SchemaRef| match schema.fields().len() {
            found if found == width => Ok(()),
            found => Err(wrong_count(found, width).at(at)),
        }
    };
    match &plan.source {
        InsertSource::Rows(Source::Query(source)) => {
            query::run(cx, source, &mut checked(source.at()), &mut take).map(drop)
        }
        InsertSource::Rows(Source::Literals { rows, .. }) => {
            rows.chunks(ROWS_PER_BATCH).try_for_each(|rows| {
                let stored = literal_batch(columns, mapping, rows, cx.zone)?;
                visit(stored, &|column, position| {
                    partition_literals(column, rows.iter().map(|row| &row[position]), cx.zone)
                })
            })
        }
        InsertSource::Files(load) => {
            let wanted = (&plan.target.schema, width);
            query::files(cx, load, wanted, &mut checked(0), &mut take)
        }
    }
}
