//! Ctrl-C as a state that a statement looks at.
//!
//! A signal that comes while nobody looks is neither lost nor kept for something else: it stays set until
//! the next entry begins, which forgets it. Before the first entry Ctrl-C ends the process as it always does.

use std::io::{self, Write};

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use tokio::sync::watch;

/// What a write fails with once Ctrl-C has come.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
struct Interrupted;

/// Whether `error` comes from Ctrl-C, see [`Interrupt::writer`].
pub fn is_interrupted(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|source| source.is::<Interrupted>())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No entry has begun.
    Starting,
    Running,
    /// The running entry is to end.
    Interrupted,
}

/// Whether the user wants the running statement to end.
#[derive(Clone, Debug)]
pub struct Interrupt {
    /// `None` where Ctrl-C ends the process.
    state: Option<watch::Sender<State>>,
}

impl Interrupt {
    /// Leaves Ctrl-C to end the process.
    pub fn never() -> Self {
        Self { state: None }
    }

    /// Takes Ctrl-C over for the rest of the process.
    ///
    /// # Errors
    /// Where no handler can be installed or no thread be started.
    pub fn on_ctrl_c() -> io::Result<Self> {
        let mut signals = Signals::new([SIGINT])?;
        let state = watch::Sender::new(State::Starting);
        let sender = state.clone();
        std::thread::Builder::new()
            .name("odpsh-ctrl-c".to_owned())
            .spawn(move || {
                for signal in signals.forever() {
                    if sender.send_replace(State::Interrupted) == State::Starting {
                        // Fails for unknown signals only.
                        let _ = emulate_default_handler(signal);
                    }
                }
            })?;
        Ok(Self { state: Some(state) })
    }

    /// Begins an entry: what came before is forgotten.
    pub fn begin(&self) {
        if let Some(state) = &self.state {
            state.send_replace(State::Running);
        }
    }

    /// Whether Ctrl-C has come since the last [`Interrupt::begin`].
    pub fn is_set(&self) -> bool {
        self.state
            .as_ref()
            .is_some_and(|state| *state.borrow() == State::Interrupted)
    }

    /// Fails once Ctrl-C has come.
    ///
    /// # Errors
    /// One that [`is_interrupted`] knows.
    pub fn check(&self) -> io::Result<()> {
        match self.is_set() {
            true => Err(io::Error::other(Interrupted)),
            false => Ok(()),
        }
    }

    /// Returns a writer onto `out` that writes nothing more once Ctrl-C has come.
    pub fn writer<'a>(&'a self, out: &'a mut dyn Write) -> InterruptibleWriter<'a> {
        InterruptibleWriter {
            interrupt: self,
            out,
        }
    }

    /// Ends once Ctrl-C has come; never where it ends the process.
    pub async fn wait(&self) {
        match &self.state {
            // The sender is held here, so waiting only ends with the value.
            Some(state) => {
                let mut seen = state.subscribe();
                drop(seen.wait_for(|state| *state == State::Interrupted).await);
            }
            None => std::future::pending().await,
        }
    }
}

/// See [`Interrupt::writer`].
pub struct InterruptibleWriter<'a> {
    interrupt: &'a Interrupt,
    out: &'a mut dyn Write,
}

impl Write for InterruptibleWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.interrupt.check()?;
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::{Interrupt, State};

    #[test]
    fn what_came_before_an_entry_does_not_end_it() {
        let state = tokio::sync::watch::Sender::new(State::Running);
        let interrupt = Interrupt {
            state: Some(state.clone()),
        };
        state.send_replace(State::Interrupted);
        assert!(interrupt.is_set());
        futures::executor::block_on(interrupt.wait());
        interrupt.begin();
        assert!(!interrupt.is_set());
    }
}
