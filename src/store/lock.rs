//! The file lock that makes one process the owner of a warehouse.
//!
//! `LOCK` also says in words who holds it and, after an orderly close, up to which commit the log had
//! come: an outside witness of the log's end. The lock itself is the kernel's, so that a dead owner's
//! lock is free at once.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::{StoreError, io_error};
use super::seam::{Disk, DiskFile};
use crate::ids::CommitNumber;

/// So much of LOCK is read, in bytes.
const TEXT_MAX: usize = 1024;
const POLL: Duration = Duration::from_millis(20);

/// What the last owner left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastOwner {
    /// It closed in order at this commit.
    Closed(CommitNumber),
    /// There was none, or it died.
    Unknown,
}

/// A held lock; released when dropped.
pub(crate) struct WarehouseLock {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    last_owner: LastOwner,
}

impl WarehouseLock {
    /// Takes the lock, waiting up to `timeout` for its owner.
    pub(crate) fn acquire(
        disk: &dyn Disk,
        path: &Path,
        timeout: Duration,
    ) -> Result<Self, StoreError> {
        let file = disk.open(path, true).map_err(io_error("open", path))?;
        let file: Arc<dyn DiskFile> = Arc::from(file);
        let started = Instant::now();
        while !file.try_lock().map_err(io_error("lock", path))? {
            if started.elapsed() >= timeout {
                let owner = read_text(&*file).unwrap_or_default();
                let owner = owner
                    .strip_prefix("held by ")
                    .unwrap_or("another process")
                    .trim()
                    .to_owned();
                return Err(StoreError::Locked {
                    path: parent(path),
                    owner,
                });
            }
            std::thread::sleep(POLL);
        }
        let last_owner = match read_text(&*file)
            .map_err(io_error("read", path))?
            .strip_prefix("closed at commit ")
        {
            Some(commit) => commit
                .trim()
                .parse()
                .map_or(LastOwner::Unknown, |n| LastOwner::Closed(CommitNumber(n))),
            None => LastOwner::Unknown,
        };
        let lock = Self {
            path: path.to_path_buf(),
            file,
            last_owner,
        };
        lock.write(&held())?;
        Ok(lock)
    }

    pub(crate) fn last_owner(&self) -> LastOwner {
        self.last_owner
    }

    /// A handle that makes durable what LOCK says.
    pub(crate) fn marker(&self) -> LockMarker {
        LockMarker {
            path: self.path.clone(),
            file: Arc::clone(&self.file),
        }
    }

    /// Leaves word of an orderly close and releases the lock.
    pub(crate) fn release(self, last: LastOwner) -> Result<(), StoreError> {
        match last {
            LastOwner::Closed(commit) => self.write(&format!("closed at commit {commit}\n")),
            LastOwner::Unknown => Ok(()),
        }
    }

    /// Leaves word that nobody knows how the warehouse was left, and releases the lock.
    pub(crate) fn forget(self) -> Result<(), StoreError> {
        self.write("left to be looked at closely\n")
    }

    fn write(&self, text: &str) -> Result<(), StoreError> {
        let written = self.file.write_at(text.as_bytes(), 0);
        written
            .and_then(|()| self.file.set_size(text.len() as u64))
            .map_err(io_error("write", &self.path))
    }
}

/// Makes it durable that the warehouse is held, so that after a power cut nobody takes it for closed in
/// order.
pub(crate) struct LockMarker {
    path: PathBuf,
    file: Arc<dyn DiskFile>,
}

impl LockMarker {
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        // Written again: after a sync that failed the pages may count as written although they are not.
        let written = self.file.write_at(held().as_bytes(), 0);
        written
            .and_then(|()| self.file.sync_data())
            .map_err(io_error("sync", &self.path))
    }
}

fn held() -> String {
    format!("held by process {} on {}\n", std::process::id(), host())
}

fn read_text(file: &dyn DiskFile) -> io::Result<String> {
    let mut bytes = [0; TEXT_MAX];
    let read = file.read_at(&mut bytes, 0)?;
    Ok(String::from_utf8_lossy(&bytes[..read]).into_owned())
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(path).to_path_buf()
}

fn host() -> String {
    match std::fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(name) => name.trim().to_owned(),
        Err(_) => "this machine".to_owned(),
    }
}
