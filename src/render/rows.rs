//! The rows of a query. The only file that names comfy-table.

use std::io::{self, Write};

use comfy_table::{
    ColumnConstraint, ContentArrangement, ContentLineStyle, LineStyle, Table, TableStyle, Width,
};
use datafusion::arrow::array::RecordBatch;
use serde_json::Value;

use crate::engine::csv;
use crate::engine::text::{json as json_value, text};
use crate::exec::RowSet;
use crate::interrupt::Interrupt;

/// `+---+`, `| a |`: frame and title, then rows, then the frame; columns as wide as their content.
const TOP: TableStyle = TableStyle::new()
    .top_border(RULE)
    .header_lines(CELLS)
    .bottom_border(RULE);
const MIDDLE: TableStyle = TableStyle::new().content_lines(CELLS);
const RULE: LineStyle = LineStyle::new('+', '-', '+', '+');
const CELLS: ContentLineStyle = ContentLineStyle::new('|', '|', '|');

fn names(set: &RowSet) -> impl Iterator<Item = &str> {
    set.schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
}

/// Wider cells than this are beyond the table library.
const CELL_MAX: usize = 30_000;

/// Rows drawn at a time.
const ROWS_DRAWN: usize = 1000;

/// The rows as people read them: once to find the widths of the columns, once to draw them.
pub(super) fn table(set: &RowSet, out: &mut dyn Write, interrupt: &Interrupt) -> io::Result<()> {
    if set.schema.fields().is_empty() {
        return Ok(());
    }
    let mut widths = titles(set).column_max_content_widths();
    for rows in pages(set) {
        interrupt.check()?;
        let rows = cells(&rows);
        if rows.iter().flatten().any(|cell| cell.len() > CELL_MAX) {
            return unaligned(set, out);
        }
        let found = page(&rows).column_max_content_widths();
        for (width, found) in widths.iter_mut().zip(found) {
            *width = found.max(*width);
        }
    }
    write_fitted(titles(set), TOP, &widths, out)?;
    for rows in pages(set) {
        write_fitted(page(&cells(&rows)), MIDDLE, &widths, out)?;
    }
    writeln!(
        out,
        "{}",
        rule(widths.iter().map(|width| usize::from(*width)))
    )
}

/// The rows in portions that are drawn at a time.
fn pages(set: &RowSet) -> impl Iterator<Item = RecordBatch> {
    set.batches.iter().flat_map(|batch| {
        let starts = (0..batch.num_rows()).step_by(ROWS_DRAWN);
        starts.map(|start| batch.slice(start, ROWS_DRAWN.min(batch.num_rows() - start)))
    })
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

fn titles(set: &RowSet) -> Table {
    let mut table = Table::new();
    table.set_header(names(set));
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

/// The same frame as wide as the titles: a very long value is printed whole and shifts its row.
fn unaligned(set: &RowSet, out: &mut dyn Write) -> io::Result<()> {
    let rule = rule(names(set).map(|name| name.chars().count()));
    let title: Vec<&str> = names(set).collect();
    writeln!(out, "{rule}\n| {} |\n{rule}", title.join(" | "))?;
    for row in pages(set).flat_map(|rows| cells(&rows)) {
        writeln!(out, "| {} |", row.join(" | "))?;
    }
    writeln!(out, "{rule}")
}

/// The rows as CSV with a header.
pub(super) fn csv_rows(set: &RowSet, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{}",
        csv::line(names(set).map(|name| Some(name.to_owned())))
    )?;
    for batch in &set.batches {
        for row in 0..batch.num_rows() {
            writeln!(
                out,
                "{}",
                csv::line(batch.columns().iter().map(|array| text(array, row)))
            )?;
        }
    }
    Ok(())
}

/// The rows as an array of objects, one per line.
pub(super) fn json(set: &RowSet, out: &mut dyn Write) -> io::Result<()> {
    let names = keys(set);
    let rows = set
        .batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
    json_lines(
        out,
        rows.map(|(batch, row)| {
            let values = batch.columns().iter().map(|array| json_value(array, row));
            names.iter().cloned().zip(values).collect()
        }),
    )
}

/// The headings as keys: one that repeats gets `_1`, `_2`, ….
fn keys(set: &RowSet) -> Vec<String> {
    let headings: Vec<&str> = names(set).collect();
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
pub(super) fn json_lines(
    out: &mut dyn Write,
    objects: impl Iterator<Item = serde_json::Map<String, Value>>,
) -> io::Result<()> {
    write!(out, "[")?;
    for (number, object) in objects.enumerate() {
        let comma = if number == 0 { "" } else { "," };
        write!(out, "{comma}\n{}", Value::Object(object))?;
    }
    writeln!(out, "\n]")
}
