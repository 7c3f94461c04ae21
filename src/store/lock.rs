//! The file lock of a warehouse: one process changes it, or many read it.
//!
//! The lock itself is the kernel's, so that a dead process's lock is free at once: shared for those who read, exclusive
//! for the owner, who alone changes anything. `LOCK` also says in words who owns the warehouse and, after an orderly
//! close, up to which commit the log had come: an outside witness of the log's end. Only an owner writes it.
//!
//! ```text
//! first to come, to read:   exclusive (opens the index in place) -> shared
//! others, to read:                                  shared (an index of their own, in memory)
//! to change something:      shared or nothing -> exclusive, until the process ends
//! ```
//! Where LOCK can be opened for reading only nothing is changed; where it cannot be locked at all, the folder is read
//! as it is.

use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::{StoreError, io_error};
use super::seam::{Disk, DiskFile};
use crate::clock;
use crate::ids::CommitNumber;

/// So much of LOCK is read, in bytes.
const TEXT_MAX: usize = 1024;
/// What is written is filled up with spaces to this length, in bytes, so that it takes no more room on a full disk.
const TEXT_LENGTH: usize = 256;
const POLL: Duration = Duration::from_millis(20);
/// A process that opens the warehouse to read it has it alone for a moment, without a word in LOCK: it is waited for at
/// least so long, and named only after [`OPENING_SILENCE`].
const OPENING: Duration = Duration::from_secs(2);
const OPENING_SILENCE: Duration = Duration::from_millis(300);
/// ENOSYS, ENOLCK, EOPNOTSUPP: the file system has no locks.
const NO_LOCKS: [i32; 3] = [38, 37, 95];

/// What the last owner left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastOwner {
    /// It closed in order at this commit.
    Closed(CommitNumber),
    /// There was none, or it died.
    Unknown,
}

/// How long to wait for another process, and whom to tell that one is waiting.
#[derive(Clone)]
pub(crate) struct Waiting {
    pub timeout: Duration,
    pub tell: Arc<dyn Fn(&str) + Send + Sync>,
    /// Whether the user does not want to wait any longer.
    pub is_cancelled: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Waiting {
    /// Waits up to `timeout`, silently and whatever comes.
    pub(crate) fn silently(timeout: Duration) -> Self {
        Self {
            timeout,
            tell: Arc::new(|_| {}),
            is_cancelled: Arc::new(|| false),
        }
    }
}

/// What this process holds of a warehouse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    Nothing,
    Shared,
    Exclusive,
}

/// The file LOCK; what is held goes when it is dropped.
pub(crate) struct WarehouseLock {
    path: PathBuf,
    /// `None` where it cannot be opened.
    file: Option<Arc<dyn DiskFile>>,
    /// Why it cannot be written.
    refused: Option<io::Error>,
    held: Held,
    /// What it says while this process owns the warehouse.
    words: String,
}

impl WarehouseLock {
    /// Opens LOCK, for reading only where it cannot be written; made where it is missing and can be.
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> Result<Self, StoreError> {
        let (file, refused) = match disk.open(path, true) {
            Ok(file) => (Some(file), None),
            Err(refused) if is_refusal(refused.kind()) => match disk.open_to_read(path) {
                Ok(file) => (Some(file), Some(refused)),
                Err(error) if is_refusal(error.kind()) || error.kind() == ErrorKind::NotFound => {
                    (None, Some(refused))
                }
                Err(error) => return Err(io_error("open", path)(error)),
            },
            Err(error) => return Err(io_error("open", path)(error)),
        };
        Ok(Self {
            path: path.to_path_buf(),
            file: file.map(Arc::from),
            refused,
            held: Held::Nothing,
            words: format!(
                "held by process {} on {} since {}\n",
                std::process::id(),
                host(),
                clock::utc_text(),
            ),
        })
    }

    /// Opens LOCK for writing where it could not be before and can be now. What was held is lost then.
    pub(crate) fn retry(&mut self, disk: &dyn Disk) {
        if self.refused.is_some()
            && let Ok(file) = disk.open(&self.path, true)
        {
            self.file = Some(Arc::from(file));
            self.refused = None;
            self.held = Held::Nothing;
        }
    }

    pub(crate) fn held(&self) -> Held {
        self.held
    }

    /// Takes a lock to read, waiting for an owner; false where nothing can be locked.
    ///
    /// # Errors
    /// `Locked` after the timeout.
    pub(crate) fn share(&mut self, waiting: &Waiting) -> Result<bool, StoreError> {
        let Some(file) = self.file.clone() else {
            return Ok(false);
        };
        let taken = self.wait(waiting, &|| file.try_lock_shared());
        match taken {
            Err(StoreError::Io { source, .. }) if has_no_locks(&source) => Ok(false),
            taken => {
                taken?;
                self.held = Held::Shared;
                Ok(true)
            }
        }
    }

    /// Becomes the only one, if nobody else is there. What was held before may be lost otherwise.
    pub(crate) fn try_own(&mut self) -> Result<bool, StoreError> {
        let Some(file) = self.file.as_ref().filter(|_| self.refused.is_none()) else {
            return Ok(false);
        };
        let is_taken = file.try_lock().map_err(io_error("lock", &self.path))?;
        self.held = match is_taken {
            true => Held::Exclusive,
            false => Held::Nothing,
        };
        Ok(is_taken)
    }

    /// Becomes the only one, waiting for the others. What was held before is lost where that fails.
    ///
    /// # Errors
    /// `ReadOnly` where LOCK cannot be written, and nothing is lost; `Locked` after the timeout.
    pub(crate) fn own(&mut self, waiting: &Waiting) -> Result<(), StoreError> {
        let file = match (&self.file, &self.refused) {
            (Some(file), None) => Arc::clone(file),
            (_, refused) => {
                let source = refused
                    .as_ref()
                    .map_or(ErrorKind::PermissionDenied.into(), copied);
                return Err(StoreError::ReadOnly {
                    path: parent(&self.path),
                    source,
                });
            }
        };
        self.held = Held::Nothing;
        self.wait(waiting, &|| file.try_lock())?;
        self.held = Held::Exclusive;
        Ok(())
    }

    fn wait(
        &self,
        waiting: &Waiting,
        attempt: &dyn Fn() -> io::Result<bool>,
    ) -> Result<(), StoreError> {
        let started = Instant::now();
        let mut is_told = false;
        while !attempt().map_err(io_error("lock", &self.path))? {
            if (waiting.is_cancelled)() {
                return Err(StoreError::Cancelled);
            }
            let waited = started.elapsed();
            let owner = self.owner();
            let patience = match owner.is_some() {
                true => waiting.timeout,
                false => waiting.timeout.max(OPENING),
            };
            if waited >= patience {
                return Err(StoreError::Locked {
                    path: parent(&self.path),
                    owner: owner.unwrap_or_else(|| "another process".to_owned()),
                });
            }
            if !is_told && (owner.is_some() || waited >= OPENING_SILENCE) {
                is_told = true;
                let owner = owner.as_deref().unwrap_or("another process");
                (waiting.tell)(&format!(
                    "waiting for {owner}, up to {} s (--lock-timeout)",
                    patience.as_secs()
                ));
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Who is in the way, as far as it can be known.
    fn owner(&self) -> Option<String> {
        let text = self.text().unwrap_or_default();
        let named = text.strip_prefix("held by ");
        let readers = || {
            let pids = readers_of(&self.path);
            (!pids.is_empty()).then(|| format!("process {} (reading)", pids.join(", ")))
        };
        named.map(|owner| owner.trim().to_owned()).or_else(readers)
    }

    /// What the last owner left behind; while somebody owns the warehouse, nothing is known.
    pub(crate) fn last_owner(&self) -> Result<LastOwner, StoreError> {
        let text = self.text().map_err(io_error("read", &self.path))?;
        let closed = text.strip_prefix("closed at commit ");
        let commit = closed.and_then(|commit| commit.trim().parse().ok());
        Ok(commit.map_or(LastOwner::Unknown, |commit| {
            LastOwner::Closed(CommitNumber(commit))
        }))
    }

    /// Says that this process owns the warehouse.
    pub(crate) fn mark_held(&self) -> Result<(), StoreError> {
        self.write(&self.words)
    }

    /// A handle that makes durable what LOCK says.
    pub(crate) fn marker(&self) -> Option<LockMarker> {
        Some(LockMarker {
            path: self.path.clone(),
            file: Arc::clone(self.file.as_ref()?),
            words: self.words.clone(),
        })
    }

    /// Says how the warehouse is left.
    pub(crate) fn mark_left(&self, last: LastOwner) -> Result<(), StoreError> {
        match last {
            LastOwner::Closed(commit) => self.write(&format!("closed at commit {commit}\n")),
            LastOwner::Unknown => self.write("left to be looked at closely\n"),
        }
    }

    /// An owner goes on as one of those who read.
    pub(crate) fn downgrade(&mut self) {
        let Some(file) = &self.file else { return };
        self.held = match file.try_lock_shared() {
            Ok(true) => Held::Shared,
            Ok(false) | Err(_) => Held::Nothing,
        };
    }

    /// Gives back what is held.
    pub(crate) fn release(&mut self) {
        if let Some(file) = &self.file {
            // It goes with the file in any case.
            let _ = file.unlock();
        }
        self.held = Held::Nothing;
    }

    fn text(&self) -> io::Result<String> {
        let Some(file) = &self.file else {
            return Ok(String::new());
        };
        let mut bytes = [0; TEXT_MAX];
        let read = file.read_at(&mut bytes, 0)?;
        Ok(String::from_utf8_lossy(&bytes[..read]).into_owned())
    }

    fn write(&self, text: &str) -> Result<(), StoreError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let text = format!("{text:<TEXT_LENGTH$}");
        let written = file.write_at(text.as_bytes(), 0);
        written
            .and_then(|()| file.set_size(text.len() as u64))
            .map_err(io_error("write", &self.path))
    }
}

/// Makes it durable that the warehouse is held, so that after a power cut nobody takes it for closed in
/// order.
pub(crate) struct LockMarker {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    words: String,
}

impl LockMarker {
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        // Written again: after a sync that failed the pages may count as written although they are not.
        let written = self.file.write_at(self.words.as_bytes(), 0);
        written
            .and_then(|()| self.file.sync_data())
            .map_err(io_error("sync", &self.path))
    }
}

/// Whether an error says that something cannot be changed here, rather than that something is wrong with it.
pub(crate) fn is_refusal(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
    )
}

fn has_no_locks(error: &io::Error) -> bool {
    error.kind() == ErrorKind::Unsupported
        || error
            .raw_os_error()
            .is_some_and(|code| NO_LOCKS.contains(&code))
}

fn copied(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => error.kind().into(),
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(path).to_path_buf()
}

/// The other processes that share the lock on a file, as far as the kernel tells.
fn readers_of(path: &Path) -> Vec<String> {
    let (Ok(meta), Ok(locks)) = (path.metadata(), std::fs::read_to_string("/proc/locks")) else {
        return Vec::new();
    };
    let (inode, own) = (meta.ino().to_string(), std::process::id().to_string());
    // `1: FLOCK  ADVISORY  READ 4711 fd:01:1234 0 EOF`
    let readers = locks.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().skip(3);
        let (kind, pid, file) = (fields.next()?, fields.next()?, fields.next()?);
        let is_it = kind == "READ" && file.rsplit(':').next() == Some(&inode) && pid != own;
        is_it.then(|| pid.to_owned())
    });
    readers.collect()
}

fn host() -> String {
    match std::fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(name) => name.trim().to_owned(),
        Err(_) => "this machine".to_owned(),
    }
}
