//! The index: an ordered map that serves every read and can be rebuilt from the commit log at any time.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::codec::{Record, stored_checksum};
use super::error::StoreError;
use super::keys::KeyRange;
use crate::ids::CommitNumber;

/// One change of the index: a key and its new value, `None` to remove it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    #[serde(with = "serde_bytes")]
    pub key: Vec<u8>,
    pub value: Option<serde_bytes::ByteBuf>,
}

/// How far the index has come in the commit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The last commit in the index.
    pub commit: CommitNumber,
    /// The chain checksum of the log after that commit.
    pub chain: u32,
    /// The commit at which the current log file begins.
    pub base: CommitNumber,
    /// Where that commit's frame begins; 0 where nothing followed the base.
    pub frame_offset: u64,
    /// Where the next frame begins.
    pub end_offset: u64,
    /// Sum over the records.
    pub digest: Digest,
}

impl Record for Applied {
    const KIND: u8 = 0x02;
    const VERSION: u16 = 1;
}

/// Count and checksum sum of all records, kept with every change: a record that vanished shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    pub count: u64,
    pub bytes: u64,
    pub sum: u64,
}

impl Digest {
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8], value_length: usize) {
        self.count += 1;
        self.bytes += (key.len() + value_length) as u64;
        self.sum = self
            .sum
            .wrapping_add(u64::from(stored_checksum(value).unwrap_or_default()));
    }

    pub(crate) fn remove(&mut self, key: &[u8], value: &[u8], value_length: usize) {
        self.count -= 1;
        self.bytes -= (key.len() + value_length) as u64;
        self.sum = self
            .sum
            .wrapping_sub(u64::from(stored_checksum(value).unwrap_or_default()));
    }
}

/// What a scan calls for each key and value.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError> + 'a;

/// Which way a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

/// An ordered map of keys to values with an atomic `apply`.
pub trait Index: Send + Sync {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Visits the keys of `range` in order until `visit` breaks off.
    fn scan(&self, range: &KeyRange, order: Order, visit: &mut Visit<'_>)
    -> Result<(), StoreError>;

    /// Applies all of `changes` and the position they lead to, or nothing. The digest of `position` is
    /// ignored: the index continues its own.
    fn apply(&self, changes: &[Change], position: Applied) -> Result<(), StoreError>;

    /// The position of the last `apply`; `None` in an empty index.
    fn applied(&self) -> Result<Option<Applied>, StoreError>;

    /// Makes what was applied durable, as far as the engine can.
    fn checkpoint(&self) -> Result<(), StoreError>;

    /// Closes the index so that a later open is quick and damage to it is noticed.
    fn close(self: Box<Self>) -> Result<(), StoreError>;
}
