//! The base of the log: all live records as of one commit, in one checksummed file.
//!
//! A base is complete once it has its name: it is written to a `.tmp` file, synced and renamed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::codec::{self, Record};
use super::error::{StoreError, io_error};
use super::index::{Change, Digest, Index, Order};
use super::keys::KeyRange;
use super::log::FRAME_MAX;
use super::seam::{Disk, exists};
use crate::ids::CommitNumber;

/// A stretch of records of a base.
#[derive(Serialize, Deserialize)]
struct BaseChunk {
    changes: Vec<Change>,
}

impl Record for BaseChunk {
    const KIND: u8 = 0x04;
    const VERSION: u16 = 1;
}

/// The last entry of a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BaseEnd {
    pub commit: CommitNumber,
    /// Chain checksum of the log at that commit.
    pub chain: u32,
    pub digest: Digest,
}

impl Record for BaseEnd {
    const KIND: u8 = 0x05;
    const VERSION: u16 = 1;
}

const CHUNK_BYTES: usize = 64 << 10;
/// A chunk holds at most one record beyond [`CHUNK_BYTES`], and that was in a frame once.
const ENTRY_MAX: u64 = (FRAME_MAX + (1 << 20)) as u64;

pub(crate) fn base_name(commit: CommitNumber) -> String {
    format!("base-{:016}", commit.0)
}

/// Writes every record of `index` as the base of `end.commit`, durable on return.
pub(crate) fn write(
    disk: &dyn Disk,
    dir: &Path,
    index: &dyn Index,
    end: BaseEnd,
) -> Result<(), StoreError> {
    let path = dir.join(base_name(end.commit));
    let staged = path.with_extension("tmp");
    if exists(disk, &staged)? {
        disk.remove(&staged).map_err(io_error("remove", &staged))?;
    }
    let file = disk
        .open(&staged, true)
        .map_err(io_error("create", &staged))?;
    let mut offset = 0;
    let mut put = |number: u64, bytes: Vec<u8>| -> Result<(), StoreError> {
        let mut entry = Vec::with_capacity(bytes.len() + 12);
        entry.extend((bytes.len() as u32).to_le_bytes());
        entry.extend(number.to_le_bytes());
        entry.extend(bytes);
        file.write_at(&entry, offset)
            .map_err(io_error("write", &staged))?;
        offset += entry.len() as u64;
        Ok(())
    };
    let mut chunk = BaseChunk {
        changes: Vec::new(),
    };
    let (mut chunk_bytes, mut number) = (0, 0u64);
    let mut digest = Digest::default();
    let everything = KeyRange {
        from: Vec::new(),
        until: vec![0xFF],
    };
    index.scan(&everything, Order::Ascending, &mut |key, value| {
        if !codec::is_sound(key, value) {
            return Err(StoreError::CorruptRecord {
                key: super::keys::describe(key),
                reason: "its checksum does not match".into(),
            });
        }
        digest.add(key, value, value.len());
        chunk_bytes += key.len() + value.len();
        chunk.changes.push(Change {
            key: key.to_vec(),
            value: Some(value.to_vec().into()),
        });
        if chunk_bytes >= CHUNK_BYTES {
            put(number, codec::encode(&number.to_be_bytes(), &chunk))?;
            chunk.changes.clear();
            (chunk_bytes, number) = (0, number + 1);
        }
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    if digest != end.digest {
        // What is not in a base is lost for good.
        return Err(StoreError::Index {
            action: "become the base of the log",
            reason: "it has not all records it should have".into(),
        });
    }
    put(number, codec::encode(&number.to_be_bytes(), &chunk))?;
    put(number + 1, codec::encode(&(number + 1).to_be_bytes(), &end))?;
    file.sync_data().map_err(io_error("sync", &staged))?;
    disk.rename(&staged, &path)
        .map_err(io_error("rename", &staged))?;
    disk.sync_dir(dir).map_err(io_error("sync", dir))
}

/// Reads the base of `commit`, giving its records chunk by chunk, and returns its last entry.
pub(crate) fn read(
    disk: &dyn Disk,
    dir: &Path,
    commit: CommitNumber,
    visit: &mut dyn FnMut(Vec<Change>) -> Result<(), StoreError>,
) -> Result<BaseEnd, StoreError> {
    let path = dir.join(base_name(commit));
    let file = disk.open_to_read(&path).map_err(io_error("open", &path))?;
    let length = file.size().map_err(io_error("read", &path))?;
    let (mut offset, mut number) = (0, 0u64);
    loop {
        let corrupt = |reason| corrupt(&path, offset, commit, reason);
        let mut head = [0; 12];
        let read = file
            .read_at(&mut head, offset)
            .map_err(io_error("read", &path))?;
        let entry_bytes = u64::from(u32::from_le_bytes(
            head[..4].try_into().expect("four bytes"),
        ));
        if read < head.len() || offset + 12 + entry_bytes > length {
            return Err(corrupt("the base is cut short"));
        }
        if entry_bytes > ENTRY_MAX {
            return Err(corrupt("an entry is longer than any"));
        }
        if head[4..] != number.to_le_bytes() {
            return Err(corrupt("the base is out of order"));
        }
        let mut bytes = vec![0; entry_bytes as usize];
        file.read_at(&mut bytes, offset + 12)
            .map_err(io_error("read", &path))?;
        let key = number.to_be_bytes();
        if bytes.get(1) == Some(&BaseEnd::KIND) {
            let end: BaseEnd =
                codec::decode(&key, &bytes).map_err(|_| corrupt("its end is damaged"))?;
            return if end.commit == commit {
                Ok(end)
            } else {
                Err(corrupt("it is the base of another commit"))
            };
        }
        let chunk: BaseChunk =
            codec::decode(&key, &bytes).map_err(|_| corrupt("a chunk is damaged"))?;
        visit(chunk.changes)?;
        offset += 12 + entry_bytes;
        number += 1;
    }
}

fn corrupt(path: &Path, offset: u64, commit: CommitNumber, reason: &'static str) -> StoreError {
    StoreError::CorruptLog {
        path: PathBuf::from(path),
        offset,
        commit,
        reason,
    }
}
