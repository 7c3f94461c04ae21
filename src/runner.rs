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
use crate::render::{self, Format, Streams};
use crate::session::Session;

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
    held: usize,
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
            held: 0,
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
                if self.held == 0 {
                    self.held_since = started;
                }
                self.held += 1;
                let full = self.held >= GROUP_STATEMENTS || self.held_since.elapsed() >= GROUP_AGE;
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
        if let Err(error) = synced {
            return self.fail(&error);
        }
        for note in reply.notes {
            writeln!(self.err, "{note}")?;
        }
        match outcome {
            Err(error) => self.fail(&error),
            Ok(outcome) => {
                let streams = &mut Streams {
                    out: self.out,
                    err: self.err,
                };
                let interrupt = self.session.interrupt();
                match render::outcome(&outcome, self.format, streams, interrupt) {
                    Err(error) if is_interrupted(&error) => return self.fail(&Error::cancelled()),
                    written => written?,
                }
                self.out.flush()?;
                if let Some(rows) = render::row_count(&outcome) {
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
        Ok(match self.held {
            0 => Flow::Continue,
            _ => self.sync_held()?.0,
        })
    }

    /// The same, and what came of the sync, for a statement that is not among the held ones.
    fn sync_held(&mut self) -> io::Result<(Flow, Result<(), Error>)> {
        let held = std::mem::take(&mut self.held);
        let mut flow = Flow::Continue;
        let synced = self.session.sync().map_err(Error::from);
        match &synced {
            Ok(()) => {
                for _ in 0..held {
                    Streams {
                        out: self.out,
                        err: self.err,
                    }
                    .ok(self.format)?;
                }
            }
            Err(error) => {
                for _ in 0..held {
                    flow = self.fail(error)?;
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
        if self.held > 0 && self.flush()? == Flow::Stop {
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
