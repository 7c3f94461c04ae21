//! Runs statements and writes what comes of them.
//!
//! The `OK`s of statements that only change something are held back until one sync has made the whole
//! group durable: what is printed is on disk.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::exec::Outcome;
use crate::interrupt::is_interrupted;
use crate::parser::{STATEMENT_MAX, SplitError};
use crate::render::{self, Format, Streams, Unwritten};
use crate::session::Session;
use crate::store::Unsynced;

/// A group is made durable at the latest after so many statements, or so long after its first.
const GROUP_STATEMENTS: usize = 1000;
const GROUP_AGE: Duration = Duration::from_millis(50);

/// Whether to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Continue,
    /// A statement failed and nothing behind it is to run.
    Stop,
    Quit,
}

/// What a failed statement does to those behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    Stop,
    Continue,
}

/// See the module.
pub struct Runner<'a> {
    session: Session,
    format: Format,
    on_error: OnError,
    out: &'a mut dyn Write,
    err: &'a mut dyn Write,
    /// Statements that are done but not known to be durable.
    held: Vec<Unsynced>,
    held_since: Instant,
    failed: bool,
}

impl<'a> Runner<'a> {
    pub fn new(
        session: Session,
        format: Format,
        on_error: OnError,
        out: &'a mut dyn Write,
        err: &'a mut dyn Write,
    ) -> Self {
        Self {
            session,
            format,
            on_error,
            out,
            err,
            held: Vec::new(),
            held_since: Instant::now(),
            failed: false,
        }
    }

    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Whether any statement failed.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Runs one piece of input, as the splitter gave it.
    pub fn piece(&mut self, piece: Result<String, SplitError>) -> io::Result<Flow> {
        match piece {
            Ok(statement) => self.statement(&statement),
            Err(SplitError::NotText) => {
                let error = Error::syntax(
                    0,
                    "the input is not UTF-8 text; nothing behind this point is run",
                );
                self.fail(&error)?;
                Ok(Flow::Stop)
            }
            Err(SplitError::TooLong { bytes }) => {
                let detail = format!(
                    "the statement is too long: {bytes} bytes, the limit is {STATEMENT_MAX}"
                );
                self.fail(&Error::syntax(0, detail))
            }
            Err(SplitError::OpenComment { line }) => {
                let detail = format!(
                    "comment not closed: it begins in line {line} of the input, nothing from there on is run"
                );
                self.fail(&Error::syntax(0, detail))
            }
        }
    }

    /// Runs one statement.
    pub fn statement(&mut self, text: &str) -> io::Result<Flow> {
        let started = Instant::now();
        let reply = self.session.run(text);
        let outcome = match reply.outcome {
            Ok(Outcome::Done) if reply.notes.is_empty() => {
                if self.held.is_empty() {
                    self.held_since = started;
                }
                self.held.push(reply.unsynced);
                let full =
                    self.held.len() >= GROUP_STATEMENTS || self.held_since.elapsed() >= GROUP_AGE;
                if full || !self.session.settings().groups_commits() {
                    return self.flush();
                }
                return Ok(Flow::Continue);
            }
            outcome => outcome,
        };
        // What this statement changed, or saw of the changes before it, is durable or lost with them.
        let (flow, synced) = self.sync_held()?;
        if flow == Flow::Stop {
            return Ok(Flow::Stop);
        }
        if let Err(error) = synced
            && !self.session.is_durable(&reply.unsynced)
        {
            return self.fail(&error);
        }
        for note in reply.notes {
            writeln!(self.err, "{note}")?;
        }
        match outcome {
            Err(error) => self.fail(&error),
            Ok(mut outcome) => {
                let streams = &mut Streams {
                    out: self.out,
                    err: self.err,
                };
                let interrupt = self.session.interrupt();
                let rows = match render::outcome(&mut outcome, self.format, streams, interrupt) {
                    Ok(rows) => rows,
                    Err(Unwritten::Query(error)) => return self.fail(&error),
                    Err(Unwritten::Io(error)) if is_interrupted(&error) => {
                        return self.fail(&Error::cancelled());
                    }
                    Err(Unwritten::Io(error)) => return Err(error),
                };
                self.out.flush()?;
                if let Some(rows) = rows {
                    writeln!(
                        self.err,
                        "rows: {rows}, elapsed: {:.3} s",
                        started.elapsed().as_secs_f64()
                    )?;
                }
                Ok(if matches!(outcome, Outcome::Quit) {
                    Flow::Quit
                } else {
                    Flow::Continue
                })
            }
        }
    }

    /// Makes the held statements durable and says so, or says of each that it failed.
    pub fn flush(&mut self) -> io::Result<Flow> {
        Ok(match self.held.is_empty() {
            true => Flow::Continue,
            false => self.sync_held()?.0,
        })
    }

    /// The same, and what came of the sync, for a statement that is not among the held ones.
    fn sync_held(&mut self) -> io::Result<(Flow, Result<(), Error>)> {
        let held = std::mem::take(&mut self.held);
        let mut flow = Flow::Continue;
        let synced = self.session.sync().map_err(Error::from);
        for unsynced in held {
            match &synced {
                // A part of the group may have become durable before the rest was lost.
                Err(error) if !self.session.is_durable(&unsynced) => flow = self.fail(error)?,
                _ => {
                    let (out, err) = (&mut *self.out, &mut *self.err);
                    Streams { out, err }.ok(self.format)?;
                }
            }
        }
        self.out.flush()?;
        for notice in self.session.take_notices() {
            writeln!(self.err, "odpsh: {notice}")?;
        }
        Ok((flow, synced))
    }

    /// Reports a failure.
    pub fn fail(&mut self, error: &Error) -> io::Result<Flow> {
        if !self.held.is_empty() && self.flush()? == Flow::Stop {
            return Ok(Flow::Stop);
        }
        self.failed = true;
        self.out.flush()?;
        render::failure(error, self.err)?;
        Ok(if self.on_error == OnError::Stop {
            Flow::Stop
        } else {
            Flow::Continue
        })
    }

    /// Ends the session. A failure to close in order is told; nothing acknowledged is lost by it.
    pub fn close(mut self) -> io::Result<bool> {
        self.flush()?;
        if let Err(error) = self.session.close() {
            self.failed = true;
            writeln!(self.err, "FAILED: {}", Error::from(error))?;
        }
        Ok(!self.failed)
    }
}
