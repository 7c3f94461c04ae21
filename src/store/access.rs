//! Who may change a store. It is opened to be read, and becomes the owner's with the first statement that changes
//! something; what another process did in between is taken in then.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLockWriteGuard};
use std::time::Duration;

use super::error::{StoreError, io_error};
use super::lock::{LastOwner, LockMarker};
use super::log::Log;
use super::mend::Wounds;
use super::recovery::{self, Parts};
use super::{SharedIndex, Store, Writer};
use crate::ids::CommitNumber;

const READERS_TRIES: u32 = 500;
const READERS_PAUSE: Duration = Duration::from_millis(1);

impl Store {
    /// Whether this process may change it.
    pub(super) fn is_owned(&self) -> bool {
        self.is_owned.load(Ordering::Relaxed)
    }

    /// Goes on as the store of the owner, which this process has just become: an opening that a crash cut short is
    /// finished, and what others did since it was opened is taken in.
    ///
    /// # Errors
    /// What keeps the warehouse from being opened; the store has to be opened anew then.
    pub(super) fn become_owned(
        &self,
        last_owner: LastOwner,
        marker: Option<LockMarker>,
    ) -> Result<(), StoreError> {
        let _alone = self.exclude();
        let mut writer = self.lock_writer();
        if !self.is_as_opened(&mut writer, last_owner) {
            self.replace(&mut writer, &mut || {
                recovery::open(&self.dir, &self.seam, last_owner, marker.as_ref())
            })?;
        }
        drop(writer);
        self.begin_owned(marker);
        Ok(())
    }

    /// Begins as the owner's store, as it was just opened for it. What a crash cut short is finished.
    pub(super) fn begin_owned(&self, marker: Option<LockMarker>) {
        self.lock_writer().marker = marker;
        self.is_owned.store(true, Ordering::Relaxed);
        self.begin_reserve();
        if let Err(error) = self.finish_deletions() {
            self.note(format!("{error}; it is tried again at the next start"));
        }
    }

    /// Opens the log for writing where nobody committed anything since the index was opened in place.
    fn is_as_opened(&self, writer: &mut Writer, last_owner: LastOwner) -> bool {
        let place = writer.log.place();
        if !self.in_place.load(Ordering::Relaxed)
            || !writer.wounds.are_healed()
            || last_owner != LastOwner::Closed(place.commit)
        {
            return false;
        }
        let opened = Log::open(&self.seam.disk, &self.dir.join("log"), writer.log.base());
        match opened.and_then(|mut log| Ok(log.seek(place)?.then_some(log))) {
            Ok(Some(log)) => {
                writer.log = log;
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    /// Takes in what was committed since, for a process that reads without having kept others out.
    pub(super) fn refresh(&self, last_owner: LastOwner, is_locked: bool) -> Result<(), StoreError> {
        let _alone = self.exclude();
        let mut writer = self.lock_writer();
        if !writer.wounds.index && self.has_not_moved(&writer) {
            return Ok(());
        }
        self.replace(&mut writer, &mut || {
            recovery::open_to_read(&self.dir, &self.seam, last_owner, is_locked)
        })
    }

    /// Whether the log still ends where it ended.
    fn has_not_moved(&self, writer: &Writer) -> bool {
        let dir = self.dir.join("log");
        let (base, place) = (writer.log.base(), writer.log.place());
        let end = || -> Result<bool, StoreError> {
            if recovery::newest_base(&self.seam, &dir)? != base {
                return Ok(false);
            }
            let mut log = Log::open_to_read(&self.seam.disk, &dir, base)?;
            let is_there = log.seek(place)?;
            log.read_on(&mut |_, _| Ok(()))?;
            Ok(is_there && log.place() == place)
        };
        end().unwrap_or(false)
    }

    /// Puts what `open` opens in the place of what is open.
    fn replace(
        &self,
        writer: &mut Writer,
        open: &mut dyn FnMut() -> Result<Parts, StoreError>,
    ) -> Result<(), StoreError> {
        let mut held = self.take_index()?;
        writer.wounds.index = true;
        let parts = open()?;
        *held = Some(Arc::new(parts.index));
        drop(held);
        writer.wounds = Wounds::default();
        writer.log = parts.log;
        (writer.durable, writer.applied) = (writer.log.place(), writer.log.place());
        writer.dirty = parts.has_changed;
        {
            let mut overlay = self.overlay_mut();
            overlay.pending.clear();
            overlay.durable.clear();
        }
        self.segments
            .store(parts.counters.segments, Ordering::Relaxed);
        self.nodes.store(parts.counters.nodes, Ordering::Relaxed);
        self.objects_made
            .store(parts.counters.objects, Ordering::Relaxed);
        self.in_place.store(parts.in_place, Ordering::Relaxed);
        self.is_unlinked
            .fetch_or(parts.is_unlinked, Ordering::Relaxed);
        self.is_rebuilt.store(false, Ordering::Relaxed);
        self.lifecycle_changes.fetch_add(1, Ordering::Relaxed);
        parts
            .notices
            .into_iter()
            .for_each(|notice| self.note(notice));
        Ok(())
    }

    /// Drops the index; until there is another, readers wait.
    pub(super) fn take_index(
        &self,
    ) -> Result<RwLockWriteGuard<'_, Option<SharedIndex>>, StoreError> {
        // The engine lets go of its folder when the last of them is done with it.
        let mut held = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let is_read = |held: &Option<SharedIndex>| {
            let index = held.as_ref();
            index.is_some_and(|index| Arc::strong_count(index) > 1)
        };
        for _ in 0..READERS_TRIES {
            if !is_read(&held) {
                break;
            }
            std::thread::sleep(READERS_PAUSE);
        }
        if is_read(&held) {
            return Err(StoreError::Index {
                action: "be mended",
                reason: "somebody is reading it".into(),
            });
        }
        drop(held.take());
        Ok(held)
    }

    /// Gives the ownership back after an opening that had something to mend, to go on reading. Returns the last commit;
    /// `None` where the next owner had better look closely.
    pub(super) fn give_back(&self) -> Option<CommitNumber> {
        let left = self.leave_in_order();
        self.lock_writer().marker = None;
        self.is_owned.store(false, Ordering::Relaxed);
        left.unwrap_or_else(|error| {
            self.note(error.to_string());
            None
        })
    }

    fn leave_in_order(&self) -> Result<Option<CommitNumber>, StoreError> {
        self.sync()?;
        let mut writer = self.lock_writer();
        // What removing files left to be said.
        self.sync_as(&mut writer)?;
        self.apply(&mut writer)?;
        let is_in_order = writer.wounds.are_healed()
            && !self.has_litter.load(Ordering::Relaxed)
            && self.in_place.load(Ordering::Relaxed);
        if !is_in_order {
            return Ok(None);
        }
        if self.is_unlinked.swap(false, Ordering::Relaxed) {
            let data = self.dir.join("data");
            let synced = self.seam.disk.sync_dir(&data);
            synced.map_err(io_error("sync", &data))?;
        }
        self.index()?.checkpoint()?;
        writer.dirty = false;
        Ok(Some(writer.log.place().commit))
    }
}
