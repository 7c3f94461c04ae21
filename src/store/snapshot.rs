//! Snapshots: the immutable list of segments that is one object's content at one version.
//!
//! A version record holds its snapshot: up to [`TAIL_MAX`] segments, and for longer lists a pointer to
//! a chain of nodes that all later snapshots share:
//!
//! ```text
//! version 900   [node 7] <- [s871 .. s900]
//! version 901   [node 7] <- [s871 .. s901]        node 7 -> node 6 -> ... -> node 1
//! ```
//! So an append adds a little, a restore adds nothing, and neither follows the length of the list.
//! Small inline segments at the end are merged as they accumulate, sixteen of one size at a time: same
//! rows, same version, each row copied once per size.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::codec::Record;
use super::error::StoreError;
use super::keys::Key;
use super::segment::{InlineRows, NewSegment, SegmentRecord, SegmentRef};
use super::{Batch, Store};
use crate::ids::{NodeId, SegmentId};

/// The content of one object at one version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The segments before `tail`, newest node first.
    pub nodes: Option<NodeId>,
    pub tail: Vec<SegmentRef>,
    pub row_count: u64,
    pub size_bytes: u64,
}

/// A stretch of a long snapshot, shared by all later ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    previous: Option<NodeId>,
    segments: Vec<SegmentRef>,
}

impl Record for Node {
    const KIND: u8 = 0x61;
    const VERSION: u16 = 1;

    fn flaw(&self, key: &[u8]) -> Option<&'static str> {
        let own = match Key::decode(key) {
            Some(Key::Node(id)) => id,
            _ => return Some("it is no node"),
        };
        match self.previous {
            Some(previous) if previous >= own => Some("it leads to a later node"),
            _ => flaw_of(&self.segments, NODE_LENGTH),
        }
    }
}

/// What is wrong with a list of segments that is at most `length_max` long.
fn flaw_of(segments: &[SegmentRef], length_max: usize) -> Option<&'static str> {
    let is_possible =
        |segment: &SegmentRef| segment.row_count <= ROWS_MAX && segment.size_bytes <= ROWS_MAX;
    // They are numbered as they are made, so that mostly each is above the one before it.
    let are_distinct = || {
        segments.windows(2).all(|pair| pair[0].id < pair[1].id)
            || segments
                .iter()
                .map(|segment| segment.id)
                .collect::<BTreeSet<_>>()
                .len()
                == segments.len()
    };
    if segments.len() > length_max {
        Some("it names too many segments")
    } else if !are_distinct() {
        Some("it names a segment twice")
    } else if !segments.iter().all(is_possible) {
        Some("a number in it cannot be")
    } else {
        None
    }
}

/// No count of rows or bytes is larger.
const ROWS_MAX: u64 = 1 << 50;
const TAIL_MAX: usize = 64;
const NODE_LENGTH: usize = 32;
/// So many inline segments of one size are merged into one.
const MERGE_COUNT: usize = 16;

/// What a snapshot is made of, and what is removed when nothing holds it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Piece {
    Segment {
        id: SegmentId,
        size_bytes: u64,
        inline: bool,
    },
    Node(NodeId),
}

impl Piece {
    /// A segment as a piece.
    pub fn of(segment: &SegmentRef) -> Self {
        Self::Segment {
            id: segment.id,
            size_bytes: segment.size_bytes,
            inline: segment.inline,
        }
    }

    /// Where its holds are counted.
    pub fn holds_key(&self) -> Key {
        match self {
            Self::Segment { id, .. } => Key::SegmentHolds(*id),
            Self::Node(id) => Key::NodeHolds(*id),
        }
    }

    /// Bytes that go with it.
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Segment { size_bytes, .. } => *size_bytes,
            Self::Node(_) => 0,
        }
    }
}

/// How many histories hold a piece besides the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holds {
    pub more: u64,
}

impl Record for Holds {
    const KIND: u8 = 0x63;
    const VERSION: u16 = 1;
}

impl Snapshot {
    /// What is wrong with it, as far as it can be seen.
    pub fn flaw(&self) -> Option<&'static str> {
        match self.row_count > ROWS_MAX || self.size_bytes > ROWS_MAX {
            true => Some("a number in it cannot be"),
            false => flaw_of(&self.tail, TAIL_MAX),
        }
    }

    /// What it is made of, each piece once.
    pub fn pieces(&self, store: &Store) -> Result<BTreeSet<Piece>, StoreError> {
        self.pieces_not_in(None, store)
    }

    /// The pieces that are not in `other`. What both share by a common chain of nodes costs nothing.
    pub fn pieces_not_in(
        &self,
        other: Option<&Snapshot>,
        store: &Store,
    ) -> Result<BTreeSet<Piece>, StoreError> {
        let mut mine: BTreeSet<Piece> = self.tail.iter().map(Piece::of).collect();
        let mut theirs: BTreeSet<Piece> = other
            .iter()
            .flat_map(|other| other.tail.iter().map(Piece::of))
            .collect();
        // Nodes are numbered as they are made: of two that differ the newer one is not in the older chain.
        let (mut a, mut b) = (self.nodes, other.and_then(|other| other.nodes));
        while a != b {
            let (next, pieces) = if a > b {
                (&mut a, &mut mine)
            } else {
                (&mut b, &mut theirs)
            };
            let Some(id) = *next else { break };
            let node: Node = store.require(&Key::Node(id))?;
            pieces.insert(Piece::Node(id));
            pieces.extend(node.segments.iter().map(Piece::of));
            *next = node.previous;
        }
        Ok(mine.difference(&theirs).copied().collect())
    }

    /// All segments, in the order they were added.
    pub fn segments(&self, store: &Store) -> Result<Vec<SegmentRef>, StoreError> {
        let mut stretches = vec![self.tail.clone()];
        let mut next = self.nodes;
        while let Some(id) = next {
            let node: Node = store.require(&Key::Node(id))?;
            next = node.previous;
            stretches.push(node.segments);
        }
        stretches.reverse();
        Ok(stretches.concat())
    }

    /// The snapshot of segments that are there already, in this order.
    pub fn of(store: &Store, batch: &mut Batch, segments: Vec<SegmentRef>) -> Self {
        let mut snapshot = Self::default();
        for segment in segments {
            snapshot.row_count += segment.row_count;
            snapshot.size_bytes += segment.size_bytes;
            snapshot.tail.push(segment);
            snapshot.settle(store, batch);
        }
        snapshot
    }

    /// The snapshot with `added` behind its segments, which are written to `batch`.
    pub fn append(
        mut self,
        store: &Store,
        batch: &mut Batch,
        added: Vec<NewSegment>,
    ) -> Result<Self, StoreError> {
        for segment in added {
            self.row_count += segment.reference.row_count;
            self.size_bytes += segment.reference.size_bytes;
            self.tail.push(segment.reference);
            batch.put(&Key::Segment(segment.reference.id), &segment.record);
            self.merge_small(store, batch)?;
            self.settle(store, batch);
        }
        Ok(self)
    }

    /// Moves the beginning of a tail that has grown long into a node.
    fn settle(&mut self, store: &Store, batch: &mut Batch) {
        if self.tail.len() > TAIL_MAX {
            let id = store.next_node();
            let segments = self.tail.drain(..NODE_LENGTH).collect();
            batch.put(
                &Key::Node(id),
                &Node {
                    previous: self.nodes.take(),
                    segments,
                },
            );
            self.nodes = Some(id);
        }
    }

    /// Merges the inline segments at the end while there are enough of one size.
    fn merge_small(&mut self, store: &Store, batch: &mut Batch) -> Result<(), StoreError> {
        let size_class = |segment: &SegmentRef| segment.row_count.max(1).ilog(MERGE_COUNT as u64);
        for class in 0.. {
            let run = self
                .tail
                .iter()
                .rev()
                .take_while(|s| s.inline && size_class(s) <= class)
                .count();
            let grown = self
                .tail
                .iter()
                .rev()
                .take(run)
                .any(|s| size_class(s) == class);
            if run < MERGE_COUNT || !grown {
                return Ok(());
            }
            let parts = self.tail.split_off(self.tail.len() - run);
            match merge(store, batch, &parts)? {
                Some(merged) => {
                    let before: u64 = parts.iter().map(|part| part.size_bytes).sum();
                    self.size_bytes =
                        self.size_bytes.saturating_sub(before) + merged.reference.size_bytes;
                    self.tail.push(merged.reference);
                    batch.put(&Key::Segment(merged.reference.id), &merged.record);
                }
                None => {
                    self.tail.extend(parts);
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// One segment with the rows of `parts`; `None` where their columns differ.
fn merge(
    store: &Store,
    batch: &mut Batch,
    parts: &[SegmentRef],
) -> Result<Option<NewSegment>, StoreError> {
    let mut rows: Option<InlineRows> = None;
    for part in parts {
        let record: SegmentRecord = match batch.get(&Key::Segment(part.id))? {
            Some(record) => record,
            None => store.require(&Key::Segment(part.id))?,
        };
        let Some(more) = record.inline_rows(part.id)? else {
            return Ok(None);
        };
        match &mut rows {
            None => rows = Some(more),
            Some(rows) => {
                if !rows.append(more) {
                    return Ok(None);
                }
            }
        }
    }
    let Some(rows) = rows else { return Ok(None) };
    // A part that was made in this very statement never stood in a version.
    for part in parts {
        batch.forget(&Key::Segment(part.id));
    }
    store.write_merged(batch, rows).map(Some)
}
