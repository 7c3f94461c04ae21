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

/// Why a result is not written to its end.
#[derive(Debug, thiserror::Error)]
pub enum Unwritten {
    /// The streams do not take it, or Ctrl-C has come: see [`crate::interrupt::is_interrupted`].
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The query fails while its rows are written.
    #[error(transparent)]
    Query(#[from] Error),
}

/// Writes the result of a statement, the rows of a query as they come and until `interrupt` is set. Returns the number of rows
/// where it has rows.
///
/// # Errors
/// See [`Unwritten`].
pub fn outcome(
    outcome: &mut Outcome,
    format: Format,
    streams: &mut Streams<'_>,
    interrupt: &Interrupt,
) -> Result<Option<usize>, Unwritten> {
    match (outcome, format) {
        (Outcome::Rows(rows), Format::Table) => {
            return rows::table(rows, streams, interrupt).map(Some);
        }
        (Outcome::Rows(rows), Format::Csv) => {
            return rows::csv_rows(rows, &mut interrupt.writer(streams.out)).map(Some);
        }
        (Outcome::Rows(rows), Format::Json) => {
            return rows::json(rows, &mut interrupt.writer(streams.out)).map(Some);
        }
        (Outcome::Quit, _) => {}
        (Outcome::Done, format) => streams.ok(format)?,
        (Outcome::Text(text), _) => writeln!(streams.out, "{text}")?,
        (Outcome::Description(description), Format::Table) => {
            write!(streams.out, "{}", describe::boxed(description))?;
            streams.ok_beside()?;
        }
        (Outcome::Description(description), format) => {
            listing::machine(&describe::listing(description), format, streams.out)?;
            streams.ok(format)?;
        }
        (Outcome::Listing(listing), Format::Table) => {
            write!(streams.out, "{}", listing::text(listing))?;
            match listing.layout {
                Layout::Settings => streams.ok(format)?,
                Layout::HistoryOfTables
                | Layout::History
                | Layout::Columns
                | Layout::Tables
                | Layout::Lines => streams.ok_beside()?,
            }
        }
        (Outcome::Listing(listing), format) => {
            listing::machine(listing, format, streams.out)?;
            streams.ok(format)?;
        }
    }
    Ok(None)
}

/// Draws a listing alone.
pub fn listing(listing: &Listing, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Table => write!(out, "{}", listing::text(listing)),
        format => listing::machine(listing, format, out),
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
