//! The store: the bytes of a warehouse.
//!
//! The commit log is the truth, the index (sled) serves every read, data files hold large segments.
//! One commit goes through three steps; `format.md` beside this file documents the bytes:
//!
//! 1. new data files are written, synced, their folder synced;
//! 2. one frame is appended to the log, and the log is synced once for a group of commits: **this is the
//!    point of acknowledgement**;
//! 3. the group is applied to the index in one transaction.
//!
//! Between 2's append and 3 the changes of the group lie over the index, so that a session reads its own
//! commits before they are durable. Nothing of them may be shown to anyone before [`Store::sync`].
//!
//! Nothing here knows what a table is. Nothing outside names sled, bincode or the log.

mod base;
mod codec;
mod commit;
mod error;
pub mod index;
mod keys;
mod lock;
mod log;
pub mod memory;
mod objects;
mod recovery;
pub mod seam;
mod segment;
mod sled;
mod snapshot;
mod warehouse;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use datafusion::object_store::ObjectStoreExt;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

pub use codec::Record;
pub use commit::{Batch, CommitInfo};
pub use error::StoreError;
pub use index::Order;
pub use keys::{Key, KeyRange, TABLE_OBJECT};
pub use objects::CheckedObjects;
pub use seam::Seam;
pub use segment::{
    Body, Bound, ColumnStatistics, NewSegment, SegmentRecord, SegmentWriter, physical_name,
};
pub use snapshot::{SegmentRef, Snapshot};
pub use warehouse::Warehouse;

use crate::ids::{CommitNumber, NodeId, SegmentId};
use error::io_error;
use index::{Change, Index};
use log::{Frame, Log};

/// A log smaller than this is not worth rewriting.
const REWRITE_MIN_BYTES: u64 = 16 << 20;
/// The log is rewritten when it is this many times as large as the live records.
const REWRITE_FACTOR: u64 = 2;

/// The numbers given out so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counters {
    segments: u64,
    nodes: u64,
    objects: u64,
}

impl Record for Counters {
    const KIND: u8 = 0x01;
    const VERSION: u16 = 1;
}

/// The open store of one warehouse.
pub struct Store {
    dir: PathBuf,
    seam: Arc<Seam>,
    objects: Arc<CheckedObjects>,
    index: Box<dyn Index>,
    writer: Mutex<Writer>,
    /// Committed, not yet applied to the index.
    pending: RwLock<BTreeMap<Vec<u8>, Option<ByteBuf>>>,
    segments: AtomicU64,
    nodes: AtomicU64,
    objects_made: AtomicU64,
    poisoned: AtomicBool,
    notices: Mutex<Vec<String>>,
}

struct Writer {
    log: Log,
    /// The index has changed since it was opened.
    dirty: bool,
    /// Segments whose files go once the group is durable.
    doomed: Vec<SegmentId>,
}

impl Store {
    fn assemble(
        dir: &Path,
        seam: Arc<Seam>,
        log: Log,
        index: Box<dyn Index>,
        counters: Counters,
        notices: Vec<String>,
    ) -> Result<Self, StoreError> {
        let objects = (seam.objects)(&dir.join("data"))?;
        let store = Self {
            dir: dir.to_path_buf(),
            seam,
            objects: Arc::new(CheckedObjects::new(objects)),
            index,
            writer: Mutex::new(Writer {
                log,
                dirty: false,
                doomed: Vec::new(),
            }),
            pending: RwLock::default(),
            segments: AtomicU64::new(counters.segments),
            nodes: AtomicU64::new(counters.nodes),
            objects_made: AtomicU64::new(counters.objects),
            poisoned: AtomicBool::new(false),
            notices: Mutex::new(notices),
        };
        store.finish_deletions()?;
        Ok(store)
    }

    /// What opening had to mend, for the user to know; empty after the first call.
    pub fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The data files, checked.
    pub fn objects(&self) -> &Arc<CheckedObjects> {
        &self.objects
    }

    /// The record at `key`.
    pub fn get<R: Record>(&self, key: &Key) -> Result<Option<R>, StoreError> {
        let encoded = key.encode();
        match self.value(&encoded)? {
            Some(value) => codec::decode(&encoded, &value).map(Some),
            None => Ok(None),
        }
    }

    /// The record at `key`, which another record says is there.
    pub fn require<R: Record>(&self, key: &Key) -> Result<R, StoreError> {
        self.get(key)?.ok_or_else(|| StoreError::MissingRecord {
            key: key.to_string(),
        })
    }

    /// Visits the records of a range. Makes the pending group durable first, as its result will be shown.
    pub fn scan<R: Record>(
        &self,
        range: &KeyRange,
        order: Order,
        mut visit: impl FnMut(Key, R) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        self.sync()?;
        self.index.scan(range, order, &mut |key, value| {
            let record = codec::decode(key, value)?;
            let decoded = Key::decode(key).ok_or_else(|| StoreError::CorruptRecord {
                key: keys::describe(key),
                reason: "its key is not ours".into(),
            })?;
            visit(decoded, record)
        })
    }

    /// Begins the changes of one statement.
    pub fn begin(&self) -> Batch<'_> {
        Batch::new(self)
    }

    /// Commits `batch`: visible to this process at once, durable after the next [`Store::sync`].
    ///
    /// # Errors
    /// `Conflict` where something the batch was planned against has moved; `Poisoned` after a failed
    /// write. Nothing has changed then.
    pub fn commit(
        &self,
        mut batch: Batch<'_>,
        info: CommitInfo,
    ) -> Result<CommitNumber, StoreError> {
        let mut writer = self.lock_writer();
        if self.poisoned.load(Ordering::Relaxed) {
            return Err(StoreError::Poisoned);
        }
        for (key, expected) in batch.expected() {
            if self.checksum_at(key)? != *expected {
                return Err(StoreError::Conflict {
                    key: key.to_string(),
                });
            }
        }
        let objects = self.objects_made.load(Ordering::Relaxed) + batch.objects_in_batch();
        let counters = Counters {
            segments: self.segments.load(Ordering::Relaxed),
            nodes: self.nodes.load(Ordering::Relaxed),
            objects,
        };
        batch.put(&Key::Counters, &counters);
        let changes = batch.take_changes();
        let frame = Frame {
            committed_ms: info.committed_ms,
            user: info.user,
            statement: info.statement,
            changes,
        };
        let place = writer.log.append(&frame)?;
        writer.doomed.extend(batch.committed());
        self.objects_made.store(objects, Ordering::Relaxed);
        let mut pending = self.pending.write().unwrap_or_else(PoisonError::into_inner);
        pending.extend(
            frame
                .changes
                .into_iter()
                .map(|change| (change.key, change.value)),
        );
        Ok(place.commit)
    }

    /// Makes every commit so far durable, with one sync of the log, and applies it to the index.
    ///
    /// # Errors
    /// After a failure nothing more is written until the store is opened again; whether the commits of
    /// the group are there is only known then.
    pub fn sync(&self) -> Result<(), StoreError> {
        let mut writer = self.lock_writer();
        if self
            .pending
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty()
        {
            return Ok(());
        }
        if let Err(error) = writer.log.sync() {
            self.poisoned.store(true, Ordering::Relaxed);
            self.pending
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
            return Err(error);
        }
        writer.dirty = true;
        let changes: Vec<Change> = {
            let pending = self.pending.read().unwrap_or_else(PoisonError::into_inner);
            pending
                .iter()
                .map(|(key, value)| Change {
                    key: key.clone(),
                    value: value.clone(),
                })
                .collect()
        };
        let position = recovery::position(writer.log.base(), writer.log.place());
        if self.index.apply(&changes, position).is_err() {
            // The group is durable and stays readable here; the next open replays it.
            self.poisoned.store(true, Ordering::Relaxed);
            return Ok(());
        }
        self.pending
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        let doomed = std::mem::take(&mut writer.doomed);
        self.rewrite_log_if_grown(&mut writer);
        drop(writer);
        if !doomed.is_empty()
            && let Err(error) = self.delete_files(&doomed)
        {
            self.note(format!("{error}; it is tried again at the next start"));
        }
        Ok(())
    }

    fn note(&self, notice: String) {
        self.notices
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(notice);
    }

    /// Syncs, closes the index in order and returns the last commit; `None` where a write had failed.
    pub(crate) fn close(self) -> Result<Option<CommitNumber>, StoreError> {
        let synced = self.sync();
        let writer = self
            .writer
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if self.poisoned.load(Ordering::Relaxed) {
            return synced.map(|()| None);
        }
        if writer.dirty {
            self.index.close()?;
        }
        Ok(Some(writer.log.place().commit))
    }

    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let pending = self.pending.read().unwrap_or_else(PoisonError::into_inner);
        match pending.get(key) {
            Some(value) => Ok(value.as_ref().map(|value| value.to_vec())),
            None => self.index.get(key),
        }
    }

    fn checksum_at(&self, key: &Key) -> Result<Option<u32>, StoreError> {
        let value = self.value(&key.encode())?;
        Ok(value.and_then(|value| codec::stored_checksum(&value)))
    }

    fn objects_made(&self) -> u64 {
        self.objects_made.load(Ordering::Relaxed)
    }

    fn next_segment(&self) -> SegmentId {
        SegmentId(self.segments.fetch_add(1, Ordering::Relaxed))
    }

    fn next_node(&self) -> NodeId {
        NodeId(self.nodes.fetch_add(1, Ordering::Relaxed))
    }

    fn lock_writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a segment of rows that stay inside the metadata.
    fn inline_segment(&self, rows: segment::InlineRows) -> NewSegment {
        let id = self.next_segment();
        let (row_count, bytes) = segment::encode_inline(&rows);
        let size_bytes = bytes.len() as u64;
        NewSegment {
            reference: SegmentRef {
                id,
                row_count,
                size_bytes,
                inline: true,
            },
            record: SegmentRecord {
                row_count,
                size_bytes,
                body: Body::Inline(bytes.into()),
            },
        }
    }

    /// Makes one segment of merged rows: inline, or a file where they have grown too large.
    fn write_merged(
        &self,
        batch: &mut Batch<'_>,
        rows: segment::InlineRows,
    ) -> Result<NewSegment, StoreError> {
        let mut writer = batch.segment_writer();
        writer.write(rows.into_batch().map_err(|reason| StoreError::Segment {
            action: "merge into",
            id: SegmentId(self.segments.load(Ordering::Relaxed)),
            reason,
        })?)?;
        let mut segments = batch.finish_segments(writer)?;
        Ok(segments.pop().expect("merged rows make one segment"))
    }

    /// Writes a data file, durable on return but for its folder's entry.
    fn put_file(
        &self,
        id: SegmentId,
        bytes: Vec<u8>,
        row_count: u64,
        columns: Vec<ColumnStatistics>,
    ) -> Result<NewSegment, StoreError> {
        let name = segment::file_name(id);
        let path = self.dir.join("data").join(&name);
        let size_bytes = bytes.len() as u64;
        let block_checksums = bytes
            .chunks(segment::BLOCK_BYTES as usize)
            .map(crc32c::crc32c)
            .collect();
        futures::executor::block_on(self.objects.put(&name.into(), bytes.into()))
            .map_err(|error| io_error("write", &path)(std::io::Error::other(error.to_string())))?;
        self.seam
            .disk
            .sync_file(&path)
            .map_err(io_error("sync", &path))?;
        Ok(NewSegment {
            reference: SegmentRef {
                id,
                row_count,
                size_bytes,
                inline: false,
            },
            record: SegmentRecord {
                row_count,
                size_bytes,
                body: Body::Parquet {
                    block_checksums,
                    columns,
                },
            },
        })
    }

    fn sync_data_dir(&self) -> Result<(), StoreError> {
        let data = self.dir.join("data");
        self.seam
            .disk
            .sync_dir(&data)
            .map_err(io_error("sync", &data))
    }

    /// Removes files that no commit will name. What cannot be removed is an orphan, which opening removes.
    fn discard_files(&self, files: &[SegmentId]) {
        for id in files {
            let _ = self
                .seam
                .disk
                .remove(&self.dir.join("data").join(segment::file_name(*id)));
        }
    }

    /// Makes a data file readable for `owner` and returns its path inside [`Store::objects`].
    pub fn expose_file(
        &self,
        id: SegmentId,
        record: &SegmentRecord,
        owner: &str,
    ) -> Option<String> {
        let Body::Parquet {
            block_checksums, ..
        } = &record.body
        else {
            return None;
        };
        let name = segment::file_name(id);
        let expected = objects::Expected {
            id,
            owner: owner.to_owned(),
            size_bytes: record.size_bytes,
            block_checksums: block_checksums.clone(),
        };
        self.objects.expect(name.clone().into(), expected);
        Some(name)
    }

    /// Finishes deletions that a crash cut short.
    fn finish_deletions(&self) -> Result<(), StoreError> {
        let mut doomed = Vec::new();
        self.index
            .scan(&KeyRange::doomed(), Order::Ascending, &mut |key, _| {
                if let Some(Key::Doomed(id)) = Key::decode(key) {
                    doomed.push(id);
                }
                Ok(ControlFlow::Continue(()))
            })?;
        if doomed.is_empty() {
            Ok(())
        } else {
            self.delete_files(&doomed)
        }
    }

    /// Deletes files whose removal is committed, then clears the list of them.
    fn delete_files(&self, doomed: &[SegmentId]) -> Result<(), StoreError> {
        let mut batch = self.begin();
        for id in doomed {
            let path = self.dir.join("data").join(segment::file_name(*id));
            if self.seam.disk.exists(&path) {
                self.seam
                    .disk
                    .remove(&path)
                    .map_err(io_error("remove", &path))?;
            }
            batch.remove(&Key::Doomed(*id));
        }
        let info = CommitInfo {
            committed_ms: 0,
            user: String::new(),
            statement: String::new(),
        };
        self.commit(batch, info).map(drop)
    }

    /// Replaces the log by a base of the live records once it has outgrown them.
    fn rewrite_log_if_grown(&self, writer: &mut Writer) {
        let log_bytes = writer.log.place().end_offset;
        if log_bytes < REWRITE_MIN_BYTES {
            return;
        }
        let live = match self.index.applied() {
            Ok(applied) => applied.map_or(0, |applied| applied.digest.bytes),
            Err(error) => return self.note(format!("the commit log was not rewritten: {error}")),
        };
        if log_bytes >= REWRITE_FACTOR * live {
            self.rewrite_log(writer);
        }
    }

    /// Writes a base and goes on in a new log file.
    ///
    /// Until the base has its name the old log counts, and a failure only leaves files that the next
    /// open removes. From then on the new log counts: a failure stops all writing.
    fn rewrite_log(&self, writer: &mut Writer) {
        let dir = self.dir.join("log");
        let place = writer.log.place();
        let base = dir.join(base::base_name(place.commit));
        if let Err(error) = self.write_base(&dir, place) {
            if self.seam.disk.exists(&base) {
                self.poisoned.store(true, Ordering::Relaxed);
            }
            return self.note(format!("the commit log was not rewritten: {error}"));
        }
        if let Err(error) = self.change_log(writer, &dir, place.commit) {
            self.poisoned.store(true, Ordering::Relaxed);
            self.note(format!("the commit log was rewritten, but {error}"));
        }
    }

    fn write_base(&self, dir: &Path, place: log::Place) -> Result<(), StoreError> {
        let Some(applied) = self.index.applied()? else {
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
        base::write(&*self.seam.disk, dir, &*self.index, end)
    }

    fn change_log(
        &self,
        writer: &mut Writer,
        dir: &Path,
        base: CommitNumber,
    ) -> Result<(), StoreError> {
        let old = writer.log.base();
        writer.log = Log::open(&self.seam.disk, dir, base)?;
        self.index
            .apply(&[], recovery::position(base, writer.log.place()))?;
        for name in [log::frames_name(old), base::base_name(old)] {
            let path = dir.join(name);
            if self.seam.disk.exists(&path) {
                self.seam
                    .disk
                    .remove(&path)
                    .map_err(io_error("remove", &path))?;
            }
        }
        Ok(())
    }
}
