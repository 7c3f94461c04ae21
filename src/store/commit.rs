//! A batch: everything one statement changes, to be committed whole or not at all.

use std::collections::BTreeMap;

use serde_bytes::ByteBuf;

use super::codec::{self, Record};
use super::error::StoreError;
use super::index::Change;
use super::keys::Key;
use super::reserve::Room;
use super::segment::SegmentWriter;
use super::snapshot::Piece;
use super::{NewSegment, Store};
use crate::ids::{CommitNumber, SegmentId};

/// Who commits what, when; kept in the log.
#[derive(Clone, Debug)]
pub struct CommitInfo {
    pub committed_ms: i64,
    pub user: String,
    pub statement: String,
}

/// What one statement changes. Dropped without a commit it leaves nothing, no file either.
pub struct Batch<'a> {
    store: &'a Store,
    changes: BTreeMap<Vec<u8>, Option<ByteBuf>>,
    /// Keys the plan has read, with the checksum of what it read there.
    expected: Vec<(Key, Option<u32>)>,
    files: Vec<SegmentId>,
    doomed: Vec<SegmentId>,
    /// How often commits had been lost when its statement began.
    losses: Option<usize>,
    /// What of the disk it may use.
    room: Room,
    /// How many object ids had been made when it made its first, and how many it made.
    objects: Option<(u64, u64)>,
}

/// A commit, and what it needs to be found durable.
#[derive(Clone, Copy, Debug)]
pub struct Committed {
    pub number: CommitNumber,
    /// How often commits had been lost before it.
    pub losses: usize,
}

/// Commits of one session that are not known to be durable.
#[derive(Clone, Debug, Default)]
pub struct Unsynced(Vec<Committed>);

impl Unsynced {
    pub fn add(&mut self, commit: Committed) {
        // What makes it durable makes those before it durable, unless something was lost in between.
        self.0.retain(|earlier| earlier.losses != commit.losses);
        self.0.push(commit);
    }

    /// Adds all of `later`.
    pub fn extend(&mut self, later: &Unsynced) {
        later.0.iter().for_each(|commit| self.add(*commit));
    }

    pub(crate) fn commits(&self) -> &[Committed] {
        &self.0
    }
}

impl<'a> Batch<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self {
            store,
            changes: BTreeMap::new(),
            expected: Vec::new(),
            files: Vec::new(),
            doomed: Vec::new(),
            losses: None,
            room: Room::Free,
            objects: None,
        }
    }

    /// On a full disk this commit may use the reserve: it, or what follows from it, frees room.
    pub fn frees_room(&mut self) {
        self.room = Room::Reserve;
    }

    pub(super) fn use_room(&mut self, room: Room) {
        self.room = room;
    }

    pub(super) fn room(&self) -> Room {
        self.room
    }

    /// Sets the record at `key`.
    pub fn put<R: Record>(&mut self, key: &Key, record: &R) {
        let key = key.encode();
        let value = codec::encode(&key, record);
        self.changes.insert(key, Some(value.into()));
    }

    /// Removes the record at `key`.
    pub fn remove(&mut self, key: &Key) {
        self.changes.insert(key.encode(), None);
    }

    /// Takes back what this batch says of `key`.
    pub(crate) fn forget(&mut self, key: &Key) {
        self.changes.remove(&key.encode());
    }

    /// The record this batch sets at `key`, if it sets one.
    pub(crate) fn get<R: Record>(&self, key: &Key) -> Result<Option<R>, StoreError> {
        let key = key.encode();
        match self.changes.get(&key) {
            Some(Some(value)) => codec::decode(&key, value).map(Some),
            Some(None) | None => Ok(None),
        }
    }

    /// Makes the commit fail with a conflict unless `key` still holds what the store holds now.
    pub fn expect_unchanged(&mut self, key: Key) -> Result<(), StoreError> {
        let found = self.store.checksum_at(&key)?;
        self.expected.push((key, found));
        Ok(())
    }

    /// Makes the commit fail with a conflict unless `key` still holds `record`.
    pub fn expect_record<R: Record>(&mut self, key: Key, record: &R) {
        let encoded = key.encode();
        let value = codec::encode(&encoded, record);
        let mut expected = codec::stored_checksum(&value);
        // The same record may be stored in an older version.
        if let Ok(Some(stored)) = self.store.value(&encoded)
            && let Ok(known) = codec::decode::<R>(&encoded, &stored)
            && codec::encode(&encoded, &known) == value
        {
            expected = codec::stored_checksum(&stored);
        }
        self.expected.push((key, expected));
    }

    /// Makes the commit fail with a conflict if there is anything at `key` by then.
    pub fn expect_absent(&mut self, key: Key) {
        self.expected.push((key, None));
    }

    /// Makes the commit fail if anything was lost since `mark`, which its statement may have seen.
    pub fn expect_no_loss(&mut self, mark: Committed) {
        self.losses = Some(mark.losses);
    }

    pub(crate) fn losses(&self) -> Option<usize> {
        self.losses
    }

    /// Finds out now whether the commit would fail with a conflict.
    pub fn check(&self) -> Result<(), StoreError> {
        for (key, expected) in &self.expected {
            if self.store.checksum_at(key)? != *expected {
                return Err(StoreError::Conflict {
                    key: key.to_string(),
                });
            }
        }
        Ok(())
    }

    /// A writer of segments for this batch; give its result to [`Batch::finish_segments`].
    pub fn segment_writer(&self) -> SegmentWriter<'a> {
        SegmentWriter::new(self.store)
    }

    /// A source of such writers.
    pub fn writers(&self) -> impl Fn() -> SegmentWriter<'a> + 'a {
        let store = self.store;
        move || SegmentWriter::new(store)
    }

    /// Takes over the files of `writer` and returns its segments.
    pub fn finish_segments(
        &mut self,
        writer: SegmentWriter<'_>,
    ) -> Result<Vec<NewSegment>, StoreError> {
        let (segments, files) = writer.finish()?;
        self.files.extend(files);
        Ok(segments)
    }

    /// How many records it sets or removes.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The number of object ids made before the next one.
    pub fn next_object(&mut self) -> u64 {
        let (before, made) = self.objects.get_or_insert((self.store.objects_made(), 0));
        *made += 1;
        *before + *made - 1
    }

    /// Removes a piece of snapshots for good: its record now, the file of a segment that has one once this is
    /// committed.
    pub fn remove_piece(&mut self, piece: Piece) {
        match piece {
            Piece::Segment {
                id, inline: false, ..
            } => self.doom_segment(id),
            Piece::Segment { id, .. } => self.remove(&Key::Segment(id)),
            Piece::Node(id) => self.remove(&Key::Node(id)),
        }
    }

    /// Removes a segment for good: its record now, its file once this is committed.
    pub fn doom_segment(&mut self, id: SegmentId) {
        self.remove(&Key::Segment(id));
        self.put(&Key::Doomed(id), &Doomed {});
        self.doomed.push(id);
    }

    pub(crate) fn objects(&self) -> Option<(u64, u64)> {
        self.objects
    }

    /// The changes, with the files now belonging to the commit.
    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        let changes = std::mem::take(&mut self.changes);
        changes
            .into_iter()
            .map(|(key, value)| Change { key, value })
            .collect()
    }

    /// Hands the new files over to the commit, with the segments whose files it removes.
    pub(crate) fn committed(mut self) -> (Vec<SegmentId>, Vec<SegmentId>) {
        (
            std::mem::take(&mut self.files),
            std::mem::take(&mut self.doomed),
        )
    }
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        self.store.discard_files(&self.files);
    }
}

/// Marks a segment whose file is being deleted.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Doomed {}

impl Record for Doomed {
    const KIND: u8 = 0x62;
    const VERSION: u16 = 1;
}
