//! The threads that queries run on.

use std::future::Future;
use std::sync::{Mutex, OnceLock, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;

/// The tree of a query is walked by recursion. Only what is used of a stack takes memory.
pub const STACK_BYTES: usize = 256 << 20;

/// See the module. Started when first needed.
pub(super) struct Workers {
    /// Where queries run.
    runtime: Mutex<Option<Runtime>>,
    /// Where a session waits for them, and for Ctrl-C: it must not depend on a busy thread.
    waiting: OnceLock<Runtime>,
    /// Ends a running query.
    interrupt: Interrupt,
}

impl Workers {
    pub(super) fn new(interrupt: Interrupt) -> Self {
        Self {
            runtime: Mutex::new(None),
            waiting: OnceLock::new(),
            interrupt,
        }
    }

    pub(super) fn handle(&self) -> Result<Handle> {
        let mut runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = &*runtime {
            return Ok(runtime.handle().clone());
        }
        let mut builder = Builder::new_multi_thread();
        builder.thread_name("odpsh-query");
        let started = start(builder.thread_stack_size(STACK_BYTES))?;
        Ok(runtime.insert(started).handle().clone())
    }

    /// Leaves the running query alone. A thread in the midst of a computation cannot be stopped, so the
    /// next query gets new ones.
    pub(super) fn abandon(&self) {
        let runtime = self
            .runtime
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(runtime) = runtime {
            runtime.shutdown_background();
        }
    }

    /// Waits for `work`, or for Ctrl-C where that is to end it.
    pub(super) fn interruptibly<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        let waiting = match self.waiting.get() {
            Some(waiting) => waiting,
            None => {
                let waiting = start(&mut Builder::new_current_thread())?;
                self.waiting.get_or_init(|| waiting)
            }
        };
        waiting.block_on(async {
            tokio::select! {
                biased;
                () = self.interrupt.wait() => Err(Error::cancelled()),
                outcome = work => Ok(outcome),
            }
        })
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.abandon();
        // In a task of somebody's own runtime one cannot wait for it.
        if let Some(waiting) = self.waiting.take() {
            waiting.shutdown_background();
        }
    }
}

fn start(builder: &mut Builder) -> Result<Runtime> {
    let runtime = builder.enable_time().build();
    runtime.map_err(|error| Error::internal(format!("cannot start the query engine: {error}")))
}
