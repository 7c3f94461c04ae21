//! The rows of a query. The only file that names comfy-table.

use std::io::{self, Write};
use std::sync::Arc;

use comfy_table::{
    ColumnConstraint, ContentArrangement, ContentLineStyle, LineStyle, Table, TableStyle, Width,
};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use serde_json::Value;
use unicode_width::UnicodeWidthStr;

use super::{Streams, Unwritten};
use crate::engine::text::{json as json_value, text};
use crate::engine::{RowStream, csv};
use crate::interrupt::Interrupt;

/// `+---+`, `| a |`: frame and title, then rows, then the frame; columns as wide as their content.
const TOP: TableStyle = TableStyle::new()
    .top_border(RULE)
    .header_lines(CELLS)
    .bottom_border(RULE);
const MIDDLE: TableStyle = TableStyle::new().content_lines(CELLS);
const RULE: LineStyle = LineStyle::new('+', '-', '+', '+');
const CELLS: ContentLineStyle = ContentLineStyle::new('|', '|', '|');

fn names(schema: &SchemaRef) -> impl Iterator<Item = &str> {
    schema.fields().iter().map(|field| field.name().as_str())
}

/// Wider cells than this are beyond the table library.
const CELL_MAX: usize = 30_000;

/// Rows drawn at a time.
const ROWS_DRAWN: usize = 1000;

/// A table is held until its columns' widths are known, up to so many bytes of rows. The rest is drawn as it comes, in columns
/// as wide as what was seen by then: a longer value shifts its row.
const HELD_BYTES: usize = 64 << 20;

/// The rows as people read them: once to find the widths of the columns, once to draw them.
pub(super) fn table(
    rows: &mut RowStream,
    streams: &mut Streams<'_>,
    interrupt: &Interrupt,
) -> Result<usize, Unwritten> {
    let schema = Arc::clone(rows.schema());
    let (mut held, mut held_bytes) = (Vec::new(), 0);
    let mut is_whole = true;
    while let Some(batch) = rows.next_batch()? {
        held_bytes += batch.get_array_memory_size();
        held.push(batch);
        if held_bytes > HELD_BYTES {
            is_whole = false;
            break;
        }
    }
    writeln!(streams.err, "Summary:")?;
    let out = &mut interrupt.writer(streams.out);
    let mut count = held.iter().map(RecordBatch::num_rows).sum();
    if schema.fields().is_empty() {
        return Ok(count);
    }
    let mut widths = titles(&schema).column_max_content_widths();
    let mut is_aligned = true;
    for rows in held.iter().flat_map(pages) {
        interrupt.check()?;
        let rows = cells(&rows);
        if rows.iter().flatten().any(|cell| cell.len() > CELL_MAX) {
            is_aligned = false;
            break;
        }
        let found = page(&rows).column_max_content_widths();
        for (width, found) in widths.iter_mut().zip(found) {
            *width = found.max(*width);
        }
    }
    if !is_aligned {
        // The frame is as wide as the titles: a very long value is printed whole and shifts its row.
        widths = names(&schema)
            .map(|name| u16::try_from(name.chars().count()).unwrap_or(u16::MAX))
            .collect();
    }
    write_fitted(titles(&schema), TOP, &widths, out)?;
    for batch in held {
        for rows in pages(&batch) {
            match is_aligned {
                true => write_fitted(page(&cells(&rows)), MIDDLE, &widths, out)?,
                false => write_shifted(&cells(&rows), &[], out)?,
            }
        }
    }
    if !is_whole {
        while let Some(batch) = rows.next_batch()? {
            count += batch.num_rows();
            for rows in pages(&batch) {
                write_shifted(&cells(&rows), if is_aligned { &widths } else { &[] }, out)?;
            }
        }
    }
    writeln!(
        out,
        "{}",
        rule(widths.iter().map(|width| usize::from(*width)))
    )?;
    Ok(count)
}

/// The rows in portions that are drawn at a time.
fn pages(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let starts = (0..batch.num_rows()).step_by(ROWS_DRAWN);
    starts.map(|start| batch.slice(start, ROWS_DRAWN.min(batch.num_rows() - start)))
}

/// Writes rows whose cells may be wider than their columns.
fn write_shifted(rows: &[Vec<String>], widths: &[u16], out: &mut dyn Write) -> io::Result<()> {
    for row in rows {
        write!(out, "|")?;
        for (at, cell) in row.iter().enumerate() {
            let width = widths.get(at).map_or(0, |width| usize::from(*width));
            let blanks = width.saturating_sub(UnicodeWidthStr::width(cell.as_str()));
            write!(out, " {cell}{:blanks$} |", "")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn cells(rows: &RecordBatch) -> Vec<Vec<String>> {
    let cell = |value: Option<String>| value.unwrap_or_else(|| "NULL".to_owned());
    (0..rows.num_rows())
        .map(|row| {
            let values = rows.columns().iter().map(|array| text(array, row));
            values.map(cell).collect()
        })
        .collect()
}

fn titles(schema: &SchemaRef) -> Table {
    let mut table = Table::new();
    table.set_header(names(schema));
    table
}

fn page(rows: &[Vec<String>]) -> Table {
    let mut table = Table::new();
    table.add_rows(rows);
    table
}

/// Writes a part of a table whose columns are as wide as the whole table needs them.
fn write_fitted(
    mut part: Table,
    style: TableStyle,
    widths: &[u16],
    out: &mut dyn Write,
) -> io::Result<()> {
    part.load_style(style)
        .set_content_arrangement(ContentArrangement::Disabled);
    for (column, width) in part.column_iter_mut().zip(widths) {
        let with_padding = Width::Fixed(*width + column.padding_width());
        column.set_constraint(ColumnConstraint::Absolute(with_padding));
    }
    writeln!(out, "{part}")
}

/// The line between rows, for columns of these widths.
fn rule(widths: impl Iterator<Item = usize>) -> String {
    let columns: String = widths
        .map(|width| format!("+{}", "-".repeat(width + 2)))
        .collect();
    columns + "+"
}

/// The rows as CSV with a header.
pub(super) fn csv_rows(rows: &mut RowStream, out: &mut dyn Write) -> Result<usize, Unwritten> {
    let heads = names(rows.schema()).map(|name| Some(name.to_owned()));
    writeln!(out, "{}", csv::line(heads))?;
    let mut count = 0;
    while let Some(batch) = rows.next_batch()? {
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter().map(|array| text(array, row));
            writeln!(out, "{}", csv::line(values))?;
        }
        count += batch.num_rows();
    }
    Ok(count)
}

/// The rows as an array of objects, one per line.
pub(super) fn json(rows: &mut RowStream, out: &mut dyn Write) -> Result<usize, Unwritten> {
    let keys = keys(rows.schema());
    let mut lines = JsonLines::begin(out)?;
    while let Some(batch) = rows.next_batch()? {
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter().map(|array| json_value(array, row));
            lines.object(keys.iter().cloned().zip(values).collect())?;
        }
    }
    Ok(lines.end()?)
}

/// The headings as keys: one that repeats gets `_1`, `_2`, ….
fn keys(schema: &SchemaRef) -> Vec<String> {
    let headings: Vec<&str> = names(schema).collect();
    let mut keys: Vec<String> = Vec::new();
    for heading in &headings {
        let mut key = (*heading).to_owned();
        let mut number = 0;
        while keys.contains(&key) || (number > 0 && headings.contains(&key.as_str())) {
            number += 1;
            key = format!("{heading}_{number}");
        }
        keys.push(key);
    }
    keys
}

/// An array of objects, one per line.
pub(super) struct JsonLines<'a> {
    out: &'a mut dyn Write,
    count: usize,
}

impl<'a> JsonLines<'a> {
    pub(super) fn begin(out: &'a mut dyn Write) -> io::Result<Self> {
        write!(out, "[")?;
        Ok(Self { out, count: 0 })
    }

    pub(super) fn object(&mut self, object: serde_json::Map<String, Value>) -> io::Result<()> {
        let comma = if self.count == 0 { "" } else { "," };
        self.count += 1;
        write!(self.out, "{comma}\n{}", Value::Object(object))
    }

    /// Returns the number of objects.
    pub(super) fn end(self) -> io::Result<usize> {
        writeln!(self.out, "\n]")?;
        Ok(self.count)
    }
}
