//! The threads that queries run on.

use std::future::Future;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::JoinHandle;

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
    running: Arc<Running>,
}

/// How many queries run, those included that are left alone and have not noticed yet.
#[derive(Default)]
struct Running {
    count: Mutex<usize>,
    ended: Condvar,
}

/// A query that runs.
struct Run(Arc<Running>);

impl Drop for Run {
    fn drop(&mut self) {
        *self.0.count.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.ended.notify_all();
    }
}

impl Workers {
    pub(super) fn new(interrupt: Interrupt) -> Self {
        Self {
            runtime: Mutex::new(None),
            waiting: OnceLock::new(),
            interrupt,
            running: Arc::default(),
        }
    }

    /// Runs a query on the threads of the engine, so that it can be left alone when it is cancelled.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<JoinHandle<T>> {
        let handle = self.handle()?;
        *self
            .running
            .count
            .lock()
            .unwrap_or_else(PoisonError::into_inner) += 1;
        let run = Run(Arc::clone(&self.running));
        Ok(handle.spawn(async move {
            let done = work.await;
            drop(run);
            done
        }))
    }

    /// Waits until no query holds on to anything, for so long at most.
    pub(super) fn wait_idle(&self, timeout: Duration) {
        let count = self
            .running
            .count
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .running
            .ended
            .wait_timeout_while(count, timeout, |count| *count > 0);
        drop(waited);
    }

    fn handle(&self) -> Result<Handle> {
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
