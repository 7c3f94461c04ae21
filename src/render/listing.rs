//! Listings: history, tables, partitions, settings.

use std::io::{self, Write};

use serde_json::Value;

use super::Format;
use super::rows::JsonLines;
use crate::engine::csv;
use crate::exec::{Layout, Listing};

/// Narrowest column of names, and the blanks behind the longest name.
const NAME_MIN: usize = 19;
const NAME_GAP: usize = 4;

/// The listing as people read it.
pub(super) fn text(listing: &Listing) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_default();
    let lines: Vec<String> = match listing.layout {
        Layout::HistoryOfTables => columns(
            listing,
            &[name_width(listing, 0) + NAME_GAP, 36, 20, 16, 20, 0],
        ),
        Layout::History => columns(
            listing,
            &[
                12,
                36,
                (name_width(listing, 2) + NAME_GAP).max(NAME_MIN),
                20,
                20,
                0,
            ],
        ),
        Layout::Columns => columns(listing, &widths(listing)),
        Layout::Tables => listing
            .rows
            .iter()
            .map(|row| format!("{}:{}", value(&row[0]), value(&row[1])))
            .collect(),
        Layout::Settings => listing
            .rows
            .iter()
            .map(|row| format!("{}={}", value(&row[0]), value(&row[1])))
            .collect(),
        Layout::Lines => listing.rows.iter().map(|row| value(&row[0])).collect(),
    };
    lines.into_iter().map(|line| line + "\n").collect()
}

/// Of each column what is longest in it, and two blanks.
fn widths(listing: &Listing) -> Vec<usize> {
    let width = |(column, title): (usize, &&str)| {
        let values = listing.rows.iter().filter_map(|row| row[column].as_ref());
        let longest = values.map(|value| value.chars().count()).max();
        longest.unwrap_or(0).max(title.len()) + 2
    };
    listing.titles.iter().enumerate().map(width).collect()
}

fn name_width(listing: &Listing, column: usize) -> usize {
    let longest = listing
        .rows
        .iter()
        .filter_map(|row| row[column].as_ref())
        .map(|name| name.chars().count())
        .max();
    let longest = longest.unwrap_or(0);
    if listing.layout == Layout::HistoryOfTables {
        longest.max(NAME_MIN)
    } else {
        longest
    }
}

/// Left-justified columns; a line does not end in blanks.
fn columns(listing: &Listing, widths: &[usize]) -> Vec<String> {
    let shown = listing.titles.len() - listing.hidden;
    let line = |values: Vec<&str>| {
        let padded = values
            .iter()
            .take(shown)
            .zip(widths)
            .map(|(value, width)| format!("{value:<width$}"));
        padded.collect::<String>().trim_end().to_owned()
    };
    let rows = listing.rows.iter().map(|row| {
        line(
            row.iter()
                .map(|v| v.as_deref().unwrap_or_default())
                .collect(),
        )
    });
    std::iter::once(line(listing.titles.clone()))
        .chain(rows)
        .collect()
}

/// The listing as programs read it.
pub(super) fn machine(listing: &Listing, format: Format, out: &mut dyn Write) -> io::Result<()> {
    if format == Format::Csv {
        let shown = listing.titles.len() - listing.hidden;
        let shown_titles = listing.titles.iter().take(shown);
        writeln!(
            out,
            "{}",
            csv::line(shown_titles.map(|title| Some((*title).to_owned())))
        )?;
        return listing
            .rows
            .iter()
            .try_for_each(|row| writeln!(out, "{}", csv::line(row.iter().take(shown).cloned())));
    }
    let mut lines = JsonLines::begin(out)?;
    for row in &listing.rows {
        let titles = listing.titles.iter().map(|title| (*title).to_owned());
        let values = row
            .iter()
            .map(|value| value.clone().map_or(Value::Null, Value::String));
        lines.object(titles.zip(values).collect())?;
    }
    lines.end().map(drop)
}
