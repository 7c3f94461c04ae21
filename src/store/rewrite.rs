//! The log rewritten: a base of the live records takes the place of the commits before it.

use std::path::Path;

use super::base;
use super::error::StoreError;
use super::log::{Log, Place};
use super::reserve::is_full;
use super::{Store, Writer, recovery};
use crate::ids::CommitNumber;

/// A log smaller than this is not worth rewriting in passing.
const REWRITE_MIN_BYTES: u64 = 16 << 20;
/// A log smaller than this is not worth rewriting at all.
const COMPACT_MIN_BYTES: u64 = 4 << 10;
/// The log is rewritten when it is this many times as large as the live records.
const REWRITE_FACTOR: u64 = 2;

impl Store {
    /// Replaces the log by a base of the live records once it has outgrown them.
    pub(super) fn rewrite_log_if_grown(&self, writer: &mut Writer) {
        self.rewrite_log_if_over(writer, REWRITE_MIN_BYTES, false);
    }

    fn rewrite_log_if_over(&self, writer: &mut Writer, minimum_bytes: u64, frees_room: bool) {
        let log_bytes = writer.log.place().end_offset;
        if log_bytes < minimum_bytes || !self.overlay().pending.is_empty() {
            return;
        }
        let applied = self.index().and_then(|index| index.applied());
        let live = match applied {
            Ok(applied) => applied.map_or(0, |applied| applied.digest.bytes),
            Err(error) => return self.note(format!("the commit log was not rewritten: {error}")),
        };
        if log_bytes >= REWRITE_FACTOR * live {
            self.rewrite_log(writer, frees_room);
        }
    }

    /// Writes a base and goes on in a new log file.
    ///
    /// Until the base has its name the old log counts, and a failure only leaves files that the next
    /// open removes. From then on the new log counts, and is gone on with before anything is written.
    pub(super) fn rewrite_log(&self, writer: &mut Writer, frees_room: bool) {
        let place = writer.log.place();
        if place.commit == writer.log.base() {
            return;
        }
        writer.wounds.new_log = Some(place.commit);
        let written = match self.write_base(&self.dir.join("log"), place) {
            Err(error) if frees_room && is_full(&error) && self.give_up_reserve() => {
                self.write_base(&self.dir.join("log"), place)
            }
            written => written,
        };
        match written.and_then(|()| self.change_log(writer, place.commit)) {
            Ok(()) => writer.wounds.new_log = None,
            Err(error) => {
                let is_damaged = matches!(
                    error,
                    StoreError::Index { .. } | StoreError::CorruptRecord { .. }
                );
                writer.wounds.index |= is_damaged;
                self.note(format!("the commit log was not rewritten: {error}"));
            }
        }
    }

    fn write_base(&self, dir: &Path, place: Place) -> Result<(), StoreError> {
        let Some(applied) = self.index()?.applied()? else {
            return Err(StoreError::MissingRecord {
                key: "applied position".into(),
            });
        };
        Log::create(&*self.seam.disk, dir, place.commit, place.chain)?;
        let end = base::BaseEnd {
            commit: place.commit,
            chain: place.chain,
            digest: applied.digest,
        };
        base::write(&*self.seam.disk, dir, &**self.index()?, end)
    }

    /// Goes on behind a base that has its name.
    pub(super) fn change_log(
        &self,
        writer: &mut Writer,
        base: CommitNumber,
    ) -> Result<(), StoreError> {
        let dir = self.dir.join("log");
        if writer.log.base() != base {
            writer.log = Log::open(&self.seam.disk, &dir, base)?;
            (writer.durable, writer.applied) = (writer.log.place(), writer.log.place());
        }
        let position = recovery::position(base, writer.log.place());
        writer.dirty = true;
        if let Err(error) = self.index().and_then(|index| index.apply(&[], position)) {
            writer.wounds.index = true;
            return Err(error);
        }
        recovery::remove_other_logs(&self.seam, &dir, base)
    }

    /// Makes the log as short as it can be, where that is worth it; on a full disk with the reserve.
    pub fn compact(&self) -> Result<(), StoreError> {
        self.settle()?;
        self.rewrite_log_if_over(&mut self.lock_writer(), COMPACT_MIN_BYTES, true);
        self.make_reserve();
        Ok(())
    }
}
