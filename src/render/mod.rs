//! Draws outcomes: tables, CSV and JSON, for people and for programs. Never runs anything.

mod describe;
mod listing;
mod rows;

use std::io::{self, Write};

use crate::error::Error;
use crate::exec::{Layout, Listing, Outcome};
use crate::interrupt::Interrupt;

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// The documented layouts.
    #[default]
    Table,
    /// Comma-separated values with a header: NULL is empty, an empty text is `""`.
    Csv,
    /// An array of objects, one per line.
    Json,
}

/// Where what goes.
pub struct Streams<'a> {
    pub out: &'a mut dyn Write,
    pub err: &'a mut dyn Write,
}

impl Streams<'_> {
    /// The word that says a statement is done: part of the result for people, beside it for programs.
    pub fn ok(&mut self, format: Format) -> io::Result<()> {
        match format {
            Format::Table => writeln!(self.out, "OK"),
            Format::Csv | Format::Json => self.ok_beside(),
        }
    }

    /// The word on stderr, behind what has gone to stdout.
    fn ok_beside(&mut self) -> io::Result<()> {
        self.out.flush()?;
        writeln!(self.err, "OK")
    }
}

/// Writes the result of a statement, the rows of a query until `interrupt` is set.
///
/// # Errors
/// What the streams say, and what [`crate::interrupt::is_interrupted`] knows.
pub fn outcome(
    outcome: &Outcome,
    format: Format,
    streams: &mut Streams<'_>,
    interrupt: &Interrupt,
) -> io::Result<()> {
    match (outcome, format) {
        (Outcome::Quit, _) => Ok(()),
        (Outcome::Done, format) => streams.ok(format),
        (Outcome::Text(text), _) => writeln!(streams.out, "{text}"),
        (Outcome::Rows(set), Format::Table) => {
            writeln!(streams.err, "Summary:")?;
            rows::table(set, &mut interrupt.writer(streams.out), interrupt)
        }
        (Outcome::Rows(set), Format::Csv) => {
            rows::csv_rows(set, &mut interrupt.writer(streams.out))
        }
        (Outcome::Rows(set), Format::Json) => rows::json(set, &mut interrupt.writer(streams.out)),
        (Outcome::Description(description), Format::Table) => {
            write!(streams.out, "{}", describe::boxed(description))?;
            streams.ok_beside()
        }
        (Outcome::Description(description), format) => {
            listing::machine(&describe::listing(description), format, streams.out)?;
            streams.ok(format)
        }
        (Outcome::Listing(listing), Format::Table) => {
            write!(streams.out, "{}", listing::text(listing))?;
            match listing.layout {
                Layout::Settings => streams.ok(format),
                Layout::HistoryOfTables
                | Layout::History
                | Layout::Columns
                | Layout::Tables
                | Layout::Lines => streams.ok_beside(),
            }
        }
        (Outcome::Listing(listing), format) => {
            listing::machine(listing, format, streams.out)?;
            streams.ok(format)
        }
    }
}

/// Draws a listing alone.
pub fn listing(listing: &Listing, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Table => write!(out, "{}", listing::text(listing)),
        format => listing::machine(listing, format, out),
    }
}

/// The number of rows of a result, where it has rows.
pub fn row_count(outcome: &Outcome) -> Option<usize> {
    match outcome {
        Outcome::Rows(set) => Some(set.batches.iter().map(|batch| batch.num_rows()).sum()),
        _ => None,
    }
}

/// Writes a failure, with the place it speaks of and its hints.
pub fn failure(error: &Error, err: &mut dyn Write) -> io::Result<()> {
    writeln!(err, "FAILED: {error}")?;
    if let Some(caret) = error.caret() {
        writeln!(err, "{caret}")?;
    }
    error
        .hints()
        .iter()
        .try_for_each(|hint| writeln!(err, "{hint}"))
}
