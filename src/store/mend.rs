//! What a failed write left behind, mended before the next one, so that a disk that was full for a while does not
//! end the process.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::error::{StoreError, io_error};
use super::keys::Key;
use super::lock::LastOwner;
use super::log::Log;
use super::reserve::Room;
use super::seam::exists;
use super::{Counters, Store, Writer, base, codec, recovery};
use crate::ids::CommitNumber;

/// What is to be mended.
#[derive(Debug, Default)]
pub(super) struct Wounds {
    /// Behind the last durable frame there may be parts of others.
    pub log_tail: bool,
    /// The index did not take a change, or does not open.
    pub index: bool,
    /// A base may have its name although its log is not in use yet.
    pub new_log: Option<CommitNumber>,
}

impl Wounds {
    pub(super) fn are_healed(&self) -> bool {
        !self.log_tail && !self.index && self.new_log.is_none()
    }
}

impl Store {
    /// Mends what an earlier failure left, as far as it can be mended now.
    pub fn heal(&self) -> Result<(), StoreError> {
        self.mend(&mut self.lock_writer())
    }

    /// The same.
    ///
    /// # Errors
    /// What still stands in the way: nothing can be written before.
    pub(super) fn mend(&self, writer: &mut Writer) -> Result<(), StoreError> {
        if writer.wounds.log_tail {
            writer.log.roll_back(writer.durable)?;
            writer.wounds.log_tail = false;
        }
        if writer.wounds.index {
            self.reopen_index(writer)?;
            writer.wounds.index = false;
        }
        if let Some(base) = writer.wounds.new_log {
            let dir = self.dir.join("log");
            if exists(&*self.seam.disk, &dir.join(base::base_name(base)))? {
                let synced = self.seam.disk.sync_dir(&dir);
                synced.map_err(io_error("sync", &dir))?;
                self.change_log(writer, base)?;
            }
            writer.wounds.new_log = None;
        }
        Ok(())
    }

    /// Forgets the commits that are not durable.
    pub(super) fn lose_pending(&self, writer: &mut Writer) {
        writer.wounds.log_tail = true;
        writer.room = Room::Any;
        self.losses().push(writer.durable.commit);
        self.overlay_mut().pending.clear();
        writer.doomed.clear();
        // Another session may have seen them already.
        self.give_up(std::mem::take(&mut writer.files));
        self.lifecycle_changes.fetch_add(1, Ordering::Relaxed);
        let key = Key::Counters.encode();
        let counters = self.value(&key).ok().flatten();
        let counters = counters.and_then(|bytes| codec::decode::<Counters>(&key, &bytes).ok());
        self.objects_made
            .store(counters.unwrap_or_default().objects, Ordering::Relaxed);
    }

    /// Builds the index anew because a record in it is damaged; false where that was done before and did not help.
    pub(super) fn rebuild_index(&self) -> Result<bool, StoreError> {
        if self.is_rebuilt.swap(true, Ordering::Relaxed) {
            return Ok(false);
        }
        let mut writer = self.lock_writer();
        writer.wounds.index = true;
        self.mend(&mut writer)?;
        Ok(true)
    }

    /// Opens the index anew, or builds it anew, up to the last durable commit.
    pub(super) fn reopen_index(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let mut held = self.take_index()?;
        if !self.is_owned() {
            // As it was opened: in memory, and nothing in the folder is touched.
            let is_locked = !self.objects.is_unlocked();
            let parts =
                recovery::open_to_read(&self.dir, &self.seam, LastOwner::Unknown, is_locked)?;
            *held = Some(Arc::new(parts.index));
            drop(held);
            self.in_place.store(false, Ordering::Relaxed);
            writer.log = parts.log;
            (writer.durable, writer.applied) = (writer.log.place(), writer.log.place());
            return Ok(());
        }
        let mut log = Log::open(&self.seam.disk, &self.dir.join("log"), writer.log.base())?;
        let mut notices = Vec::new();
        let attached = recovery::attach_index(
            &self.dir,
            &self.seam,
            &mut log,
            LastOwner::Unknown,
            true,
            &mut notices,
        )?;
        notices.into_iter().for_each(|notice| self.note(notice));
        self.in_place.store(attached.in_place, Ordering::Relaxed);
        *held = Some(Arc::new(attached.index));
        drop(held);
        self.overlay_mut().durable.clear();
        writer.applied = writer.durable;
        writer.dirty = true;
        Ok(())
    }
}
