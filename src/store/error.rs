//! What can go wrong below the catalog.

use std::path::PathBuf;

use crate::error::Error;
use crate::ids::{CommitNumber, SegmentId};

/// An error of the store. The text is lower case, names its object and, where it can, the way on.
#[derive(thiserror::Error, Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// A record whose envelope does not check out.
    #[error("record {key} is damaged: {reason}")]
    CorruptRecord { key: String, reason: String },
    /// A record written by a newer program.
    #[error("record {key} has version {found}, this odpsh knows up to {known}")]
    UnknownRecord { key: String, found: u16, known: u16 },
    /// Bytes of a segment that do not match their checksum.
    #[error("segment {id} of {owner} is damaged: {reason}")]
    CorruptSegment {
        id: SegmentId,
        owner: String,
        reason: String,
    },
    /// A record that another record needs is not there.
    #[error("record {key} is missing")]
    MissingRecord { key: String },
    /// A frame of the commit log that cannot be read although later ones can.
    #[error(
        "the commit log {path} is damaged at byte {offset}: commit {commit} cannot be read, {reason}; \
         nothing was changed; odpsh check says what can be saved"
    )]
    CorruptLog {
        path: PathBuf,
        offset: u64,
        commit: CommitNumber,
        reason: &'static str,
    },
    /// The folder holds something that is not a warehouse of ours.
    #[error("{path} is not an odpsh warehouse: {reason}")]
    NotAWarehouse { path: PathBuf, reason: String },
    /// The warehouse has a format this program does not know.
    #[error(
        "warehouse {path} has format {found:?}, this odpsh reads format {known}; nothing was touched"
    )]
    UnknownFormat {
        path: PathBuf,
        found: String,
        known: u32,
    },
    /// Another process owns the warehouse.
    #[error("warehouse {path} is in use by {owner}; wait for it to end, or raise --lock-timeout")]
    Locked { path: PathBuf, owner: String },
    /// The warehouse can be read, and not changed.
    #[error("warehouse {path} can only be read: {source}")]
    ReadOnly {
        path: PathBuf,
        source: std::io::Error,
    },
    /// The user did not want to wait for another process any longer.
    #[error("the wait for another process was cancelled")]
    Cancelled,
    /// What a statement was reading without a lock is gone.
    #[error("the warehouse was changed while being read, run it again")]
    ChangedWhileRead,
    /// Something this commit was planned against has moved.
    #[error("{key} changed after this statement began")]
    Conflict { key: String },
    /// The operating system refused.
    #[error("cannot {action} {path}: {source}")]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// The index engine refused.
    #[error("the index cannot {action}: {reason}")]
    Index {
        action: &'static str,
        reason: String,
    },
    /// The index engine has nothing to say against the index, but cannot work in its folder: there is no room, or no
    /// right, or another process has it open.
    #[error("the index cannot be used in its folder: {reason}")]
    IndexRefused { reason: String },
    /// Encoding or decoding of a data file failed.
    #[error("cannot {action} segment {id}: {reason}")]
    Segment {
        action: &'static str,
        id: SegmentId,
        reason: String,
    },
    /// A commit larger than the log can hold in one frame.
    #[error(
        "the statement changes too much at once: {bytes} bytes of metadata, the limit is {limit}"
    )]
    CommitTooLarge { bytes: usize, limit: usize },
    /// A commit that somebody else tried to make durable, and could not.
    #[error("a write failed before this change was durable; it was not made")]
    Lost,
}

impl From<&StoreError> for Error {
    fn from(error: &StoreError) -> Self {
        let detail = error.to_string();
        match error {
            StoreError::Cancelled => Error::cancelled(),
            StoreError::Conflict { .. } | StoreError::ChangedWhileRead => Error::conflict(detail),
            StoreError::Io { .. } | StoreError::Locked { .. } | StoreError::ReadOnly { .. } => {
                Error::io(detail)
            }
            _ => Error::internal(detail),
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

/// Turns an IO error into a [`StoreError`] with what was tried and where.
pub(crate) fn io_error(
    action: &'static str,
    path: impl Into<PathBuf>,
) -> impl FnOnce(std::io::Error) -> StoreError {
    let path = path.into();
    move |source| StoreError::Io {
        action,
        path,
        source,
    }
}
