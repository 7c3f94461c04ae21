//! Sessions that share a store: who may look while who may change, and files that somebody still reads.
//!
//! A statement looks at the catalog while nobody changes it, computes its rows while anybody may, and changes the
//! catalog alone; what moved in between its commit finds out. Files that nothing needs any more are removed when
//! every statement that began before has ended.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError, RwLockReadGuard, RwLockWriteGuard};

use super::error::StoreError;
use super::{Committed, Store};
use crate::ids::SegmentId;

/// The right to look at the catalog, or to change it.
pub enum Turn<'a> {
    /// With others who look.
    Shared(#[allow(dead_code)] RwLockReadGuard<'a, ()>),
    /// Alone.
    Exclusive(#[allow(dead_code)] RwLockWriteGuard<'a, ()>),
}

/// A statement that may be reading files.
pub struct Reading<'a> {
    store: &'a Store,
    began: u64,
}

/// Who is reading, and what waits for them.
#[derive(Default)]
pub(super) struct Readers {
    /// Counts the times that files were given up.
    epoch: u64,
    /// How many statements began in which epoch.
    active: BTreeMap<u64, usize>,
    /// Files, and the epoch in which they were given up.
    waiting: Vec<(u64, SegmentId)>,
}

impl Store {
    /// Waits until nobody changes the catalog.
    pub fn share(&self) -> Turn<'_> {
        Turn::Shared(self.turn.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until nobody looks at the catalog or changes it.
    pub fn exclude(&self) -> Turn<'_> {
        Turn::Exclusive(self.turn.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// Begins a statement that may read files. Its turn has to be held.
    pub fn begin_reading(&self) -> Reading<'_> {
        let mut readers = self.readers();
        let began = readers.epoch;
        *readers.active.entry(began).or_default() += 1;
        Reading { store: self, began }
    }

    /// What a statement that begins now may see: all of it has to become durable before the statement's result
    /// is shown, or its changes are made.
    pub fn mark(&self) -> Committed {
        Committed {
            number: self.lock_writer().log.place().commit,
            losses: self.losses().len(),
        }
    }

    /// How often a lifecycle may have got another end.
    pub fn lifecycle_changes(&self) -> u64 {
        self.lifecycle_changes
            .load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Gives up files that no commit names any more.
    pub(super) fn give_up(&self, files: Vec<SegmentId>) {
        let mut readers = self.readers();
        let epoch = readers.epoch;
        readers
            .waiting
            .extend(files.into_iter().map(|id| (epoch, id)));
        readers.epoch += 1;
    }

    /// Removes the files that were given up and that nobody reads; whether there were any.
    pub fn remove_unread(&self) -> Result<bool, StoreError> {
        let unread: Vec<SegmentId> = {
            let mut readers = self.readers();
            if readers.waiting.is_empty() {
                return Ok(false);
            }
            let oldest = readers.active.keys().next().copied().unwrap_or(u64::MAX);
            let waiting = std::mem::take(&mut readers.waiting);
            let (unread, read) = waiting.into_iter().partition(|(epoch, _)| *epoch < oldest);
            readers.waiting = read;
            let unread: Vec<(u64, SegmentId)> = unread;
            unread.into_iter().map(|(_, id)| id).collect()
        };
        match unread.is_empty() {
            true => Ok(false),
            false => self.delete_files(&unread).map(|()| true),
        }
    }

    /// Whether a statement may be reading or making files, or files wait for one.
    pub(super) fn is_being_read(&self) -> bool {
        let readers = self.readers();
        !readers.active.is_empty() || !readers.waiting.is_empty()
    }

    fn readers(&self) -> MutexGuard<'_, Readers> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut readers = self.store.readers();
        if let Some(count) = readers.active.get_mut(&self.began) {
            *count -= 1;
            if *count == 0 {
                readers.active.remove(&self.began);
            }
        }
    }
}
