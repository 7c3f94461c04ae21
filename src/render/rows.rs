//! The rows of a query. The only file that names comfy-table.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, ContentLineStyle, LineStyle, Table, TableStyle};
use serde_json::Value;

use crate::engine::text::{json as json_value, text};
use crate::exec::RowSet;

/// `+---+`, `| a |`: frame, title, frame, rows, frame; columns as wide as their content.
const FRAME: TableStyle = TableStyle::new()
    .top_border(RULE)
    .header_lines(CELLS)
    .header_separator(RULE)
    .content_lines(CELLS)
    .bottom_border(RULE);
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

/// The rows as people read them.
pub(super) fn table(set: &RowSet, out: &mut dyn Write) -> io::Result<()> {
    if set.schema.fields().is_empty() {
        return Ok(());
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    for batch in &set.batches {
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter().map(|array| text(array, row));
            rows.push(
                values
                    .map(|value| value.unwrap_or_else(|| "NULL".to_owned()))
                    .collect(),
            );
        }
    }
    if rows.iter().flatten().any(|cell| cell.len() > CELL_MAX) {
        return unaligned(set, &rows, out);
    }
    let mut table = Table::new();
    table
        .load_style(FRAME)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(names(set));
    table.add_rows(rows);
    writeln!(out, "{table}")
}

/// The same frame as wide as the titles: a very long value is printed whole and shifts its row.
fn unaligned(set: &RowSet, rows: &[Vec<String>], out: &mut dyn Write) -> io::Result<()> {
    let rule: String = names(set)
        .map(|name| format!("+{}", "-".repeat(name.chars().count() + 2)))
        .collect();
    let title: Vec<&str> = names(set).collect();
    writeln!(out, "{rule}+\n| {} |\n{rule}+", title.join(" | "))?;
    for row in rows {
        writeln!(out, "| {} |", row.join(" | "))?;
    }
    writeln!(out, "{rule}+")
}

/// The rows as CSV with a header.
pub(super) fn csv(set: &RowSet, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{}",
        csv_line(names(set).map(|name| Some(name.to_owned())))
    )?;
    for batch in &set.batches {
        for row in 0..batch.num_rows() {
            writeln!(
                out,
                "{}",
                csv_line(batch.columns().iter().map(|array| text(array, row)))
            )?;
        }
    }
    Ok(())
}

/// One line of CSV: NULL is empty, an empty text is `""`, quotes are doubled.
pub(super) fn csv_line(values: impl Iterator<Item = Option<String>>) -> String {
    let field = |value: Option<String>| match value {
        None => String::new(),
        Some(value) => {
            let edge = value.starts_with([' ', '\t']) || value.ends_with([' ', '\t']);
            if value.is_empty() || edge || value.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", value.replace('"', "\"\""))
            } else {
                value
            }
        }
    };
    values.map(field).collect::<Vec<_>>().join(",")
}

/// The rows as an array of objects, one per line.
pub(super) fn json(set: &RowSet, out: &mut dyn Write) -> io::Result<()> {
    let names: Vec<&str> = names(set).collect();
    let rows = set
        .batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
    json_lines(
        out,
        rows.map(|(batch, row)| {
            let values = batch.columns().iter().map(|array| json_value(array, row));
            names
                .iter()
                .map(|name| (*name).to_owned())
                .zip(values)
                .collect()
        }),
    )
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
