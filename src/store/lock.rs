//! The file lock that makes one process the owner of a warehouse.
//!
//! `LOCK` also says in words who holds it and, after an orderly close, up to which commit the log had
//! come: an outside witness of the log's end. The lock itself is the kernel's, so that a dead owner's
//! lock is free at once.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::error::{StoreError, io_error};
use crate::ids::CommitNumber;

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
    file: File,
    last_owner: LastOwner,
}

impl WarehouseLock {
    /// Takes the lock, waiting up to `timeout` for its owner.
    pub(crate) fn acquire(path: &Path, timeout: Duration) -> Result<Self, StoreError> {
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let mut file = open.map_err(io_error("open", path))?;
        let started = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if started.elapsed() < timeout => {
                    std::thread::sleep(POLL)
                }
                Err(TryLockError::WouldBlock) => {
                    let owner = read_text(&mut file).unwrap_or_default();
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
                Err(TryLockError::Error(error)) => return Err(io_error("lock", path)(error)),
            }
        }
        let last_owner = match read_text(&mut file)
            .map_err(io_error("read", path))?
            .strip_prefix("closed at commit ")
        {
            Some(commit) => commit
                .trim()
                .parse()
                .map_or(LastOwner::Unknown, |n| LastOwner::Closed(CommitNumber(n))),
            None => LastOwner::Unknown,
        };
        let mut lock = Self {
            path: path.to_path_buf(),
            file,
            last_owner,
        };
        lock.write(&format!(
            "held by process {} on {}\n",
            std::process::id(),
            host()
        ))?;
        Ok(lock)
    }

    pub(crate) fn last_owner(&self) -> LastOwner {
        self.last_owner
    }

    /// A handle that makes durable what LOCK says.
    pub(crate) fn marker(&self) -> Result<LockMarker, StoreError> {
        let file = self
            .file
            .try_clone()
            .map_err(io_error("open", &self.path))?;
        Ok(LockMarker {
            path: self.path.clone(),
            file,
        })
    }

    /// Leaves word of an orderly close and releases the lock.
    pub(crate) fn release(mut self, last: LastOwner) -> Result<(), StoreError> {
        match last {
            LastOwner::Closed(commit) => self.write(&format!("closed at commit {commit}\n")),
            LastOwner::Unknown => Ok(()),
        }
    }

    fn write(&mut self, text: &str) -> Result<(), StoreError> {
        self.rewrite(text).map_err(io_error("write", &self.path))
    }

    fn rewrite(&mut self, text: &str) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(text.as_bytes())?;
        self.file.set_len(text.len() as u64)
    }
}

/// Makes it durable that the warehouse is held, so that after a power cut nobody takes it for closed in
/// order.
pub(crate) struct LockMarker {
    path: PathBuf,
    file: File,
}

impl LockMarker {
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(io_error("sync", &self.path))
    }
}

fn read_text(file: &mut File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(1024).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
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
