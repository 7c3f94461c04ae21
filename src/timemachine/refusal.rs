//! Why a restore is refused, in the documented words.

use crate::catalog::Operation;
use crate::error::Error;
use crate::ids::{Lsn, PartitionId, TableId};
use crate::store::StoreError;

/// The reason behind `Restore table failed because: `.
#[derive(thiserror::Error, Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    #[error("table {0} already exists")]
    NameTaken(String),
    #[error("view {0} already exists")]
    NameOfView(String),
    #[error("table id {0} not found in backup")]
    UnknownTableId(TableId),
    #[error("table {0} is not dropped")]
    NotDropped(String),
    #[error("no backup data for {0}")]
    NoBackup(String),
    #[error("LSN {0} not found")]
    UnknownLsn(Lsn),
    #[error("LSN {0} has no data, operation is {1}")]
    NoContent(Lsn, Operation),
    #[error("{0} is dropped, restore it before restoring to LSN")]
    StillDropped(String),
    #[error("partition id {0} not found in backup")]
    UnknownPartitionId(PartitionId),
    #[error("partition {0} already exists")]
    PartitionTaken(String),
    #[error("partition {0} not found")]
    PartitionNotFound(String),
    #[error("partition {0} is named twice")]
    NamedTwice(String),
    #[error("several dropped tables are named {0}, choose one by its id: {1}")]
    SeveralDropped(String, String),
    #[error("table {0} is not partitioned")]
    NotPartitioned(String),
    #[error("field schema not same, {0} vs {1}")]
    SchemaDiffers(String, String),
    #[error("{0} is not supported")]
    Unsupported(&'static str),
    #[error("{0}")]
    WrongForm(&'static str),
}

/// Why a version was not found: it is refused, or reading failed.
#[derive(Debug)]
pub enum Miss {
    Refused(Refusal),
    Failed(Error),
}

impl From<Refusal> for Miss {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Error> for Miss {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<StoreError> for Miss {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Miss> for Error {
    /// In the words of a restore.
    fn from(miss: Miss) -> Self {
        match miss {
            Miss::Refused(refusal) => refusal.into(),
            Miss::Failed(error) => error,
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Error::restore(refusal)
    }
}
