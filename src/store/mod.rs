//! The store: the bytes of a warehouse.
//!
//! The commit log is the truth, the index (sled) serves every read, data files hold large segments.
//! One commit goes through three steps; `format.md` beside this file documents the bytes:
//!
//! 1. new data files are written, synced, their folder synced;
//! 2. one frame is appended to the log, and the log is synced once for a group of commits: **this is the
//!    point of acknowledgement**;
//! 3. groups are applied to the index, many in one transaction.
//!
//! Until 3 the changes lie over the index, so that a session reads its own commits at once. Nothing of
//! them may be shown to anyone before [`Store::sync`](crate::store::Store::sync).
//!
//! Nothing here knows what a table is. Nothing outside names sled, bincode or the log.

mod access;
mod base;
pub mod check;
mod codec;
mod commit;
mod error;
pub mod index;
mod keys;
mod lock;
mod log;
pub mod memory;
mod mend;
mod objects;
mod recovery;
mod reserve;
mod rewrite;
pub mod seam;
mod segment;
mod sled;
mod snapshot;
mod turn;
mod warehouse;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use datafusion::object_store::ObjectStoreExt;
use datafusion::object_store::local::LocalFileSystem;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

pub use codec::{Record, decode_payload};
pub use commit::{Batch, CommitInfo, Committed, Unsynced};
pub use error::StoreError;
pub use index::Order;
pub use keys::{Key, KeyRange, TABLE_OBJECT};
pub use objects::CheckedObjects;
pub use seam::Seam;
pub use segment::{
    Body, Bound, ColumnStatistics, NewSegment, SegmentRecord, SegmentRef, SegmentWriter,
    physical_name,
};
pub use snapshot::{Holds, Piece, Snapshot};
pub use turn::{Reading, Turn};
pub use warehouse::Warehouse;

use crate::ids::{CommitNumber, NodeId, SegmentId};
use error::io_error;
use index::{Change, Index, Visit};
use lock::LockMarker;
use log::{Frame, Log, Place};
use mend::Wounds;
use recovery::Parts;
use reserve::Room;
use seam::exists;
use turn::Readers;

/// So many durable changes are applied to the index at the latest.
const APPLY_CHANGES: usize = 4000;
/// So many bytes of log may lie behind the index.
const APPLY_BYTES: u64 = 8 << 20;
/// A group of commits that free room is at most so large, in bytes, before it is made durable.
const LARGE_GROUP_BYTES: usize = 256 << 10;
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
    /// `None` while it is broken.
    index: RwLock<Option<SharedIndex>>,
    writer: Mutex<Writer>,
    overlay: RwLock<Overlay>,
    segments: AtomicU64,
    nodes: AtomicU64,
    objects_made: AtomicU64,
    turn: RwLock<()>,
    readers: Mutex<Readers>,
    lifecycle_changes: AtomicU64,
    /// For each time that commits were lost, the last one that was durable then.
    losses: Mutex<Vec<CommitNumber>>,
    /// Data files were removed, and nobody synced their folder.
    is_unlinked: AtomicBool,
    /// Files may lie in the data folder that no commit names, because they could not be removed.
    has_litter: AtomicBool,
    /// The index was found damaged once, and built anew.
    is_rebuilt: AtomicBool,
    /// This process owns the warehouse, and may change it.
    is_owned: AtomicBool,
    /// The index is the one in the folder, rather than one in memory.
    in_place: AtomicBool,
    /// The reserve is to be made.
    lacks_reserve: AtomicBool,
    notices: Mutex<Vec<String>>,
}

/// The index, shared with whoever reads right now.
type SharedIndex = Arc<Box<dyn Index>>;

/// What the index does not have yet.
#[derive(Default)]
struct Overlay {
    /// Committed, not yet durable.
    pending: BTreeMap<Vec<u8>, Option<ByteBuf>>,
    /// Durable, not yet applied to the index.
    durable: BTreeMap<Vec<u8>, Option<ByteBuf>>,
}

struct Writer {
    log: Log,
    /// Says durably that this process is changing the warehouse; taken with the first change.
    marker: Option<LockMarker>,
    /// Where the log was last synced.
    durable: Place,
    /// How far the index has come.
    applied: Place,
    /// The index has changed since it was opened.
    dirty: bool,
    /// Segments whose files go once the group is durable.
    doomed: Vec<SegmentId>,
    /// Files of commits that are not durable.
    files: Vec<SegmentId>,
    /// What the commits that are not durable may use of the disk.
    room: Room,
    /// What a failed write left behind, to be mended before the next.
    wounds: Wounds,
}

fn decoded(key: &[u8]) -> Result<Key, StoreError> {
    Key::decode(key).ok_or_else(|| StoreError::CorruptRecord {
        key: keys::describe(key),
        reason: "its key is not ours".into(),
    })
}

impl Seam {
    /// Real files, local data folder, sled.
    pub fn real() -> Self {
        Self {
            disk: Arc::new(seam::RealDisk),
            objects: Arc::new(local_objects),
            index: Arc::new(sled::open),
        }
    }
}

fn local_objects(dir: &Path) -> Result<Arc<dyn datafusion::object_store::ObjectStore>, StoreError> {
    let local = LocalFileSystem::new_with_prefix(dir).map_err(|error| {
        io_error("open data folder", dir)(std::io::Error::other(error.to_string()))
    })?;
    Ok(Arc::new(local))
}

impl Writer {
    fn unapplied_bytes(&self) -> u64 {
        self.durable
            .end_offset
            .saturating_sub(self.applied.end_offset)
    }

    /// Makes it durable that this process changes the warehouse.
    fn announce(&mut self) -> Result<(), StoreError> {
        if let Some(marker) = &self.marker {
            marker.sync()?;
            self.marker = None;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.announce()?;
        self.dirty = true;
        self.log.sync()?;
        self.durable = self.log.place();
        Ok(())
    }
}

impl Store {
    /// A store to look at only: nothing is finished that a crash cut short.
    fn new(dir: &Path, seam: Arc<Seam>, parts: Parts) -> Result<Self, StoreError> {
        let Parts {
            log,
            index,
            counters,
            in_place,
            has_changed,
            is_unlinked,
            notices,
        } = parts;
        let objects = (seam.objects)(&dir.join("data"))?;
        Ok(Self {
            dir: dir.to_path_buf(),
            seam,
            objects: Arc::new(CheckedObjects::new(objects)),
            index: RwLock::new(Some(Arc::new(index))),
            writer: Mutex::new(Writer {
                durable: log.place(),
                applied: log.place(),
                log,
                marker: None,
                dirty: has_changed,
                doomed: Vec::new(),
                files: Vec::new(),
                room: Room::Any,
                wounds: Wounds::default(),
            }),
            overlay: RwLock::default(),
            segments: AtomicU64::new(counters.segments),
            nodes: AtomicU64::new(counters.nodes),
            objects_made: AtomicU64::new(counters.objects),
            turn: RwLock::default(),
            readers: Mutex::default(),
            lifecycle_changes: AtomicU64::new(0),
            losses: Mutex::default(),
            is_unlinked: AtomicBool::new(is_unlinked),
            has_litter: AtomicBool::new(false),
            is_rebuilt: AtomicBool::new(false),
            is_owned: AtomicBool::new(false),
            in_place: AtomicBool::new(in_place),
            lacks_reserve: AtomicBool::new(false),
            notices: Mutex::new(notices),
        })
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
        let read = || match self.value(&encoded)? {
            Some(value) => codec::decode(&encoded, &value).map(Some),
            None => Ok(None),
        };
        match read() {
            Err(StoreError::CorruptRecord { .. } | StoreError::Index { .. })
                if self.rebuild_index()? =>
            {
                read()
            }
            found => found,
        }
    }

    /// The record at `key`, which another record says is there.
    pub fn require<R: Record>(&self, key: &Key) -> Result<R, StoreError> {
        self.get(key)?.ok_or_else(|| StoreError::MissingRecord {
            key: key.to_string(),
        })
    }

    /// Visits the records of a range, once the index has everything.
    pub fn scan<R: Record>(
        &self,
        range: &KeyRange,
        order: Order,
        mut visit: impl FnMut(Key, R) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        self.scan_raw(range, order, &mut |key, value| {
            let record = codec::decode(key, value)?;
            visit(decoded(key)?, record)
        })
    }

    /// Visits the keys of a range, once the index has everything.
    pub fn scan_keys(
        &self,
        range: &KeyRange,
        order: Order,
        mut visit: impl FnMut(Key) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.scan_raw(range, order, &mut |key, _| Ok(visit(decoded(key)?)))
    }

    /// Visits a range of the index. Where the index is found damaged it is built anew, for the next look at it if
    /// something was visited already.
    fn scan_raw(
        &self,
        range: &KeyRange,
        order: Order,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        self.settle()?;
        let mut visited = 0;
        let mut counted = |key: &[u8], value: &[u8]| {
            let flow = visit(key, value)?;
            visited += 1;
            Ok(flow)
        };
        let scanned = self.index()?.scan(range, order, &mut counted);
        match scanned {
            Err(StoreError::CorruptRecord { .. } | StoreError::Index { .. })
                if self.rebuild_index()? && visited == 0 =>
            {
                self.index()?.scan(range, order, visit)
            }
            scanned => scanned,
        }
    }

    /// Brings the index up to everything that was committed.
    fn settle(&self) -> Result<(), StoreError> {
        let mut writer = self.lock_writer();
        self.sync_as(&mut writer)?;
        self.apply(&mut writer)
    }

    /// Begins the changes of one statement.
    pub fn begin(&self) -> Batch<'_> {
        Batch::new(self)
    }

    /// Commits `batch`: visible to this process at once, durable after the next [`Store::sync`].
    ///
    /// # Errors
    /// `Conflict` where something the batch was planned against has moved; what keeps an earlier failure
    /// from being mended. Nothing has changed then.
    pub fn commit(&self, mut batch: Batch<'_>, info: CommitInfo) -> Result<Committed, StoreError> {
        if !self.is_owned() {
            return Err(StoreError::ReadOnly {
                path: self.dir.clone(),
                source: ErrorKind::PermissionDenied.into(),
            });
        }
        let mut writer = self.lock_writer();
        self.mend(&mut writer)?;
        if batch
            .losses()
            .is_some_and(|seen| seen != self.losses().len())
        {
            return Err(StoreError::Lost);
        }
        let room = match writer.room.with(batch.room()) {
            Some(room) => room,
            None => {
                // What frees room is not to fail with what needs it, and what needs it is not to use the reserve.
                self.sync_as(&mut writer)?;
                batch.room()
            }
        };
        batch.check()?;
        let objects = match batch.objects() {
            None => self.objects_made(),
            Some((before, count)) if before == self.objects_made() => before + count,
            Some(_) => {
                return Err(StoreError::Conflict {
                    key: Key::Counters.to_string(),
                });
            }
        };
        let counters = Counters {
            segments: self.segments.load(Ordering::Relaxed),
            nodes: self.nodes.load(Ordering::Relaxed),
            objects,
        };
        batch.put(&Key::Counters, &counters);
        let changes = batch.take_changes();
        let lifecycles = KeyRange::lifecycles();
        if changes.iter().any(|change| lifecycles.holds(&change.key)) {
            self.lifecycle_changes.fetch_add(1, Ordering::Relaxed);
        }
        let frame = Frame {
            committed_ms: info.committed_ms,
            user: info.user,
            statement: info.statement,
            changes,
            durable: writer.durable.commit,
        };
        let place = writer.log.append(&frame)?;
        writer.room = room;
        let (files, doomed) = batch.committed();
        writer.files.extend(files);
        writer.doomed.extend(doomed);
        self.objects_made.store(objects, Ordering::Relaxed);
        let changes = frame
            .changes
            .into_iter()
            .map(|change| (change.key, change.value));
        self.overlay_mut().pending.extend(changes);
        Ok(Committed {
            number: place.commit,
            losses: self.losses().len(),
        })
    }

    /// Makes every commit so far durable, with one sync of the log.
    ///
    /// # Errors
    /// What the disk said. Commits that were not durable are lost then, wholly; the next commit or sync mends what
    /// the failure left behind.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.sync_as(&mut self.lock_writer())?;
        match self.remove_unread() {
            Ok(true) => self.make_reserve(),
            Ok(false) => {}
            Err(error) => self.note(format!("{error}; it is tried again at the next start")),
        }
        if self.has_litter.load(Ordering::Relaxed) {
            // What cannot be removed now, the next sync or the next start removes.
            let _ = self.sweep();
        }
        Ok(())
    }

    /// The same, once the commits that are not durable have become many bytes.
    ///
    /// # Errors
    /// The same.
    pub fn sync_large_group(&self) -> Result<(), StoreError> {
        let is_large = self.lock_writer().log.unwritten_bytes() >= LARGE_GROUP_BYTES;
        if is_large { self.sync() } else { Ok(()) }
    }

    fn sync_as(&self, writer: &mut Writer) -> Result<(), StoreError> {
        self.mend(writer)?;
        if self.overlay().pending.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.write_group(writer) {
            self.lose_pending(writer);
            // Where it cannot be mended now, it is tried again with the next statement.
            let _ = self.mend(writer);
            return Err(error);
        }
        writer.files.clear();
        let is_due = {
            let mut overlay = self.overlay_mut();
            let pending = std::mem::take(&mut overlay.pending);
            overlay.durable.extend(pending);
            overlay.durable.len() >= APPLY_CHANGES || writer.unapplied_bytes() >= APPLY_BYTES
        };
        if (is_due || !writer.doomed.is_empty())
            && let Err(error) = self.apply(writer)
        {
            self.note(error.to_string());
        }
        if !writer.doomed.is_empty() {
            self.give_up(std::mem::take(&mut writer.doomed));
        }
        Ok(())
    }

    /// The same, for a session that made some of the commits.
    ///
    /// # Errors
    /// The same, and `Lost` where one of its commits was lost with a group that another session tried to make
    /// durable.
    pub fn sync_commits(&self, unsynced: Unsynced) -> Result<(), StoreError> {
        let synced = self.sync();
        match synced {
            _ if self.has_made_durable(&unsynced) => Ok(()),
            Ok(()) => Err(StoreError::Lost),
            Err(error) => Err(error),
        }
    }

    /// Whether commits are durable.
    pub fn has_made_durable(&self, unsynced: &Unsynced) -> bool {
        let durable = self.lock_writer().durable.commit;
        let losses = self.losses();
        unsynced.commits().iter().all(|commit| {
            let durable = losses.get(commit.losses).copied().unwrap_or(durable);
            commit.number <= durable
        })
    }

    /// Whether some of a session's commits were lost already.
    pub fn has_lost(&self, unsynced: &Unsynced) -> bool {
        let losses = self.losses();
        unsynced.commits().iter().any(|commit| {
            let durable = losses.get(commit.losses);
            durable.is_some_and(|durable| commit.number > *durable)
        })
    }

    fn losses(&self) -> MutexGuard<'_, Vec<CommitNumber>> {
        self.losses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the index up to the log. Where that fails the changes stay readable by their keys, and the index
    /// is opened anew before the next change.
    fn apply(&self, writer: &mut Writer) -> Result<(), StoreError> {
        let changes: Vec<Change> = {
            let overlay = self.overlay();
            let durable = overlay.durable.iter();
            durable
                .map(|(key, value)| Change {
                    key: key.clone(),
                    value: value.clone(),
                })
                .collect()
        };
        if changes.is_empty() {
            return Ok(());
        }
        let position = recovery::position(writer.log.base(), writer.durable);
        if let Err(error) = self
            .index()
            .and_then(|index| index.apply(&changes, position))
        {
            writer.wounds.index = true;
            return Err(error);
        }
        self.overlay_mut().durable.clear();
        writer.applied = writer.durable;
        self.rewrite_log_if_grown(writer);
        Ok(())
    }

    /// Syncs, closes the index in order and returns the last commit; `None` where the next owner had better look
    /// closely.
    pub(crate) fn close(self) -> Result<Option<CommitNumber>, StoreError> {
        self.sync()?;
        self.make_reserve();
        let applied = self.apply(&mut self.lock_writer());
        let writer = self
            .writer
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        if applied.is_err()
            || !writer.wounds.are_healed()
            || self.has_litter.load(Ordering::Relaxed)
            || !self.in_place.load(Ordering::Relaxed)
        {
            return Ok(None);
        }
        let index = self.index.into_inner();
        let index = index.unwrap_or_else(PoisonError::into_inner);
        if self.is_unlinked.load(Ordering::Relaxed) {
            let data = self.dir.join("data");
            let synced = self.seam.disk.sync_dir(&data);
            synced.map_err(io_error("sync", &data))?;
        }
        if writer.dirty {
            let Some(Ok(index)) = index.map(Arc::try_unwrap) else {
                return Ok(None);
            };
            match index.close() {
                // The log has everything; what the index lacks, the next start brings.
                Err(error) if recovery::is_of_index(&error) => return Ok(None),
                closed => closed?,
            }
        }
        Ok(Some(writer.log.place().commit))
    }

    /// The index.
    fn index(&self) -> Result<SharedIndex, StoreError> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.clone().ok_or_else(|| StoreError::Index {
            action: "be used",
            reason: "it is being mended".into(),
        })
    }

    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let overlay = self.overlay();
        match overlay
            .pending
            .get(key)
            .or_else(|| overlay.durable.get(key))
        {
            Some(value) => Ok(value.as_ref().map(|value| value.to_vec())),
            None => self.index()?.get(key),
        }
    }

    fn overlay(&self) -> RwLockReadGuard<'_, Overlay> {
        self.overlay.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn overlay_mut(&self) -> RwLockWriteGuard<'_, Overlay> {
        self.overlay.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn checksum_at(&self, key: &Key) -> Result<Option<u32>, StoreError> {
        let value = self.value(&key.encode())?;
        Ok(value.and_then(|value| codec::stored_checksum(&value)))
    }

    fn note(&self, notice: String) {
        self.notices
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(notice);
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
        // Whoever opens the warehouse after a power cut is to look for this file.
        self.lock_writer().announce()?;
        let put = futures::executor::block_on(self.objects.put(&name.into(), bytes.into()));
        put.map_err(|error| {
            // It was staged under another name, which may be there still.
            self.has_litter.store(true, Ordering::Relaxed);
            io_error("write", &path)(std::io::Error::other(error.to_string()))
        })?;
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

    /// Removes files that no commit will name.
    fn discard_files(&self, files: &[SegmentId]) {
        for id in files {
            self.is_unlinked.store(true, Ordering::Relaxed);
            let path = self.dir.join("data").join(segment::file_name(*id));
            match self.seam.disk.remove(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    self.has_litter.store(true, Ordering::Relaxed);
                }
                _ => {}
            }
        }
    }

    /// Removes the files of the data folder that no commit names, unless somebody may be about to name one.
    fn sweep(&self) -> Result<(), StoreError> {
        let Ok(_alone) = self.turn.try_write() else {
            return Ok(());
        };
        if self.is_being_read() || !self.overlay().pending.is_empty() {
            return Ok(());
        }
        let mut writer = self.lock_writer();
        self.apply(&mut writer)?;
        self.is_unlinked.store(true, Ordering::Relaxed);
        recovery::remove_orphans(&self.seam, &self.dir, &**self.index()?)?;
        self.has_litter.store(false, Ordering::Relaxed);
        Ok(())
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
        self.index()?
            .scan(&KeyRange::doomed(), Order::Ascending, &mut |key, _| {
                if let Some(Key::Doomed(id)) = Key::decode(key)
                    && self.index()?.get(&Key::Segment(id).encode())?.is_none()
                {
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
        batch.use_room(Room::Any);
        self.is_unlinked.store(true, Ordering::Relaxed);
        for id in doomed {
            let path = self.dir.join("data").join(segment::file_name(*id));
            if exists(&*self.seam.disk, &path)? {
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
}
