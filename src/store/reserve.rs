//! The reserve: room on the disk that is kept for what frees room.
//!
//! `RESERVE` is a file of 1 MiB. On a full disk it is given up when a commit that frees room (a purge, a drop with purge,
//! a retention that is set, what the collector removes) cannot be written otherwise; nothing else may have it. It is made
//! again when there is room.

use std::io::ErrorKind;
use std::sync::atomic::Ordering;

use super::error::{StoreError, io_error};
use super::seam::exists;
use super::{Store, Writer};

/// Its length, in bytes.
const RESERVE_BYTES: usize = 1 << 20;
/// What it is filled with: zeroes might take no room.
const FILLING: u8 = 0x5A;
pub(super) const RESERVE: &str = "RESERVE";

/// What the commits of a group may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Room {
    /// What the commits have that they are made durable with.
    #[default]
    Any,
    /// What there is.
    Free,
    /// The reserve, too.
    Reserve,
}

impl Room {
    /// What a group may use when a commit joins it; `None` where that one has to wait for the next group.
    pub(super) fn with(self, other: Room) -> Option<Room> {
        match (self, other) {
            (Self::Any, room) | (room, Self::Any) => Some(room),
            (room, other) => (room == other).then_some(room),
        }
    }
}

/// Whether there was no room.
pub(super) fn is_full(error: &StoreError) -> bool {
    let StoreError::Io { source, .. } = error else {
        return false;
    };
    matches!(
        source.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded
    )
}

impl Store {
    /// Makes the group of commits durable, with the reserve where it may be used and is needed.
    pub(super) fn write_group(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let written = writer.sync();
        let written = match written {
            Err(error)
                if is_full(&error) && writer.room != Room::Free && self.give_up_reserve() =>
            {
                writer.sync()
            }
            written => written,
        };
        writer.room = Room::Any;
        written
    }

    /// Gives the reserve up; false where there is none.
    pub(super) fn give_up_reserve(&self) -> bool {
        let is_given_up = self.seam.disk.remove(&self.dir.join(RESERVE)).is_ok();
        if is_given_up {
            self.lacks_reserve.store(true, Ordering::Relaxed);
            self.note("the disk is full: the reserve was used to free room".to_owned());
        }
        is_given_up
    }

    /// Finds out whether there is a reserve, and makes it where there is none.
    pub(super) fn begin_reserve(&self) {
        let path = self.dir.join(RESERVE);
        let size_bytes = match exists(&*self.seam.disk, &path) {
            Ok(true) => self
                .seam
                .disk
                .open_to_read(&path)
                .and_then(|file| file.size()),
            _ => Ok(0),
        };
        let is_there = size_bytes.is_ok_and(|size| size == RESERVE_BYTES as u64);
        self.lacks_reserve.store(!is_there, Ordering::Relaxed);
        self.make_reserve();
    }

    /// Makes the reserve again, if it is missing and there is room.
    pub(super) fn make_reserve(&self) {
        if !self.lacks_reserve.load(Ordering::Relaxed) || !self.is_owned() {
            return;
        }
        let path = self.dir.join(RESERVE);
        let make = || -> Result<(), StoreError> {
            let file = self.seam.disk.open(&path, true);
            let file = file.map_err(io_error("create", &path))?;
            let written = file.write_at(&vec![FILLING; RESERVE_BYTES], 0);
            written
                .and_then(|()| file.sync_data())
                .map_err(io_error("write", &path))
        };
        match make() {
            Ok(()) => self.lacks_reserve.store(false, Ordering::Relaxed),
            // What is there of it is in the way of others.
            Err(_) => drop(self.seam.disk.remove(&path)),
        }
    }
}
