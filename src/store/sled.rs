//! The index on sled 0.34.7. The only file that names sled.
//!
//! sled is not trusted with the truth: `flush` does not fsync, values beyond about 7.5 KiB go to files
//! that are never synced, and damage in the part of its log written since the last open is dropped
//! silently. So no value is larger than [`VALUE_MAX`] (larger ones are cut into chunks), every value is
//! an envelope of ours, a digest over all records rides in each transaction, and closing reopens once,
//! which writes the snapshot that turns later damage into clean errors.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::time::Duration;

use sled::transaction::{
    ConflictableTransactionError, TransactionError, Transactional, TransactionalTree,
};
use sled::{IVec, Tree};

use super::codec;
use super::error::{StoreError, io_error};
use super::index::{Applied, Change, Digest, Index, Order, Visit};
use super::keys::KeyRange;
use super::lock::is_refusal;
use super::seam::Disk;

const VALUE_MAX: usize = 3500;
const CACHE_BYTES: u64 = 64 << 20;
const REOPEN_TRIES: u32 = 100;
const REOPEN_PAUSE: Duration = Duration::from_millis(2);
/// In the engine's words: another process has the folder, or this one still has.
const IS_OPEN: &str = "acquire lock";
const APPLIED_KEY: &[u8] = b"applied";
/// First byte of the stub that stands for a value cut into chunks.
const STUB_MAGIC: u8 = 0x0F;
const STUB_LENGTH: usize = 16;

struct SledIndex {
    db: sled::Db,
    records: Tree,
    chunks: Tree,
    meta: Tree,
    dir: PathBuf,
    disk: Arc<dyn Disk>,
}

/// Opens or creates the index in `dir`. A panic of the engine is returned as an error.
pub fn open(dir: &Path, disk: &Arc<dyn Disk>) -> Result<Box<dyn Index>, StoreError> {
    // The engine's threads let go of the folder a moment after it was dropped.
    let mut tries = 0..REOPEN_TRIES;
    loop {
        match open_once(dir, disk) {
            Err(StoreError::IndexRefused { reason })
                if reason.contains(IS_OPEN) && tries.next().is_some() =>
            {
                std::thread::sleep(REOPEN_PAUSE);
            }
            opened => return opened,
        }
    }
}

fn open_once(dir: &Path, disk: &Arc<dyn Disk>) -> Result<Box<dyn Index>, StoreError> {
    guarded("open", || {
        let db = sled::Config::new()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(Some(1000))
            .mode(sled::Mode::LowSpace)
            .use_compression(false)
            .open()?;
        let index = SledIndex {
            records: db.open_tree("records")?,
            chunks: db.open_tree("chunks")?,
            meta: db.open_tree("meta")?,
            db,
            dir: dir.to_path_buf(),
            disk: Arc::clone(disk),
        };
        Ok(Box::new(index) as Box<dyn Index>)
    })
}

thread_local! {
    /// A panic in this thread is caught, and nobody need hear of it.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs an engine call, turning its error or its panic into a [`StoreError`].
fn guarded<T>(
    action: &'static str,
    call: impl FnOnce() -> sled::Result<T>,
) -> Result<T, StoreError> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !IS_GUARDED.get() {
                hook(info);
            }
        }));
    });
    let was_guarded = IS_GUARDED.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(call));
    IS_GUARDED.set(was_guarded);
    match outcome {
        Ok(result) => result.map_err(|error| failure(action, &error)),
        Err(_) => Err(StoreError::Index {
            action,
            reason: "it is damaged".into(),
        }),
    }
}

fn failure(action: &'static str, error: &sled::Error) -> StoreError {
    if let sled::Error::Io(error) = error
        && (is_refusal(error.kind()) || error.to_string().contains(IS_OPEN))
    {
        return StoreError::IndexRefused {
            reason: error.to_string(),
        };
    }
    let reason = match error {
        sled::Error::Corruption { .. } => "it is damaged".to_owned(),
        sled::Error::Io(error) => error.to_string(),
        sled::Error::Unsupported(text) | sled::Error::ReportableBug(text) => text.clone(),
        sled::Error::CollectionNotFound(_) => "a tree is missing".to_owned(),
    };
    StoreError::Index { action, reason }
}

type Step<T> = Result<T, ConflictableTransactionError<StoreError>>;

impl SledIndex {
    fn whole_value(&self, key: &[u8], value: IVec) -> Result<Vec<u8>, StoreError> {
        let Some(count) = chunk_count(&value) else {
            return Ok(value.to_vec());
        };
        let mut whole = Vec::new();
        for number in 0..count {
            let chunk = guarded("read", || self.chunks.get(chunk_key(key, number)))?;
            whole.extend_from_slice(&chunk.ok_or_else(|| StoreError::CorruptRecord {
                key: super::keys::describe(key),
                reason: format!("chunk {number} is missing"),
            })?);
        }
        Ok(whole)
    }
}

/// Puts one value, cut into chunks where it is large; returns what stood there before.
fn put(
    records: &TransactionalTree,
    chunks: &TransactionalTree,
    key: &[u8],
    value: &[u8],
) -> Step<Option<IVec>> {
    if value.len() <= VALUE_MAX {
        return Ok(records.insert(key, value)?);
    }
    let mut count = 0u32;
    for chunk in value.chunks(VALUE_MAX) {
        chunks.insert(chunk_key(key, count), chunk)?;
        count += 1;
    }
    let mut stub = [0; STUB_LENGTH];
    stub[0] = STUB_MAGIC;
    stub[4..8].copy_from_slice(&(value.len() as u32).to_le_bytes());
    stub[8..12].copy_from_slice(&value[8..12]);
    stub[12..16].copy_from_slice(&count.to_le_bytes());
    Ok(records.insert(key, &stub)?)
}

/// Removes the chunks a replaced value had beyond those its successor has.
fn drop_chunks(chunks: &TransactionalTree, key: &[u8], old: &[u8], kept: u32) -> Step<()> {
    for number in kept..chunk_count(old).unwrap_or(0) {
        chunks.remove(chunk_key(key, number))?;
    }
    Ok(())
}

fn chunk_count(value: &[u8]) -> Option<u32> {
    if value.len() != STUB_LENGTH || value[0] != STUB_MAGIC {
        return None;
    }
    Some(u32::from_le_bytes([
        value[12], value[13], value[14], value[15],
    ]))
}

fn whole_length(value: &[u8]) -> usize {
    match chunk_count(value) {
        Some(_) => u32::from_le_bytes([value[4], value[5], value[6], value[7]]) as usize,
        None => value.len(),
    }
}

fn chunk_key(key: &[u8], number: u32) -> Vec<u8> {
    let mut out = key.to_vec();
    out.extend(number.to_be_bytes());
    out
}

impl Index for SledIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match guarded("read", || self.records.get(key))? {
            Some(value) => self.whole_value(key, value).map(Some),
            None => Ok(None),
        }
    }

    fn scan(
        &self,
        range: &KeyRange,
        order: Order,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        if range.from >= range.until {
            return Ok(());
        }
        let mut entries = self
            .records
            .range::<&[u8], _>(&range.from[..]..&range.until[..]);
        let mut next = || {
            guarded("read", || {
                match order {
                    Order::Ascending => entries.next(),
                    Order::Descending => entries.next_back(),
                }
                .transpose()
            })
        };
        while let Some((key, value)) = next()? {
            if visit(&key, &self.whole_value(&key, value)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn apply(&self, changes: &[Change], position: Applied) -> Result<(), StoreError> {
        let before = self
            .applied()?
            .map_or(Digest::default(), |applied| applied.digest);
        let trees = (&self.records, &self.chunks, &self.meta);
        let transaction = || {
            trees.transaction(|(records, chunks, meta)| {
                let mut digest = before;
                for Change { key, value } in changes {
                    let (old, kept) = match value {
                        Some(value) => {
                            digest.add(key, value, value.len());
                            let kept = if value.len() > VALUE_MAX {
                                value.len().div_ceil(VALUE_MAX)
                            } else {
                                0
                            };
                            (put(records, chunks, key, value)?, kept as u32)
                        }
                        None => (records.remove(&key[..])?, 0),
                    };
                    if let Some(old) = old {
                        digest.remove(key, &old, whole_length(&old));
                        drop_chunks(chunks, key, &old, kept)?;
                    }
                }
                let applied = Applied { digest, ..position };
                meta.insert(APPLIED_KEY, codec::encode(APPLIED_KEY, &applied))?;
                Ok(())
            })
        };
        let outcome = guarded("apply a commit", || Ok(transaction()))?;
        outcome.map_err(|error| match error {
            TransactionError::Abort(error) => error,
            TransactionError::Storage(error) => failure("apply a commit", &error),
        })
    }

    fn applied(&self) -> Result<Option<Applied>, StoreError> {
        match guarded("read", || self.meta.get(APPLIED_KEY))? {
            Some(value) => codec::decode(APPLIED_KEY, &value).map(Some),
            None => Ok(None),
        }
    }

    fn checkpoint(&self) -> Result<(), StoreError> {
        guarded("write", || self.db.flush())?;
        let file = self.dir.join("db");
        self.disk.sync_file(&file).map_err(io_error("sync", &file))
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.checkpoint()?;
        let (dir, disk) = (self.dir.clone(), Arc::clone(&self.disk));
        guarded("close", || {
            drop(self);
            Ok(())
        })?;
        match open(&dir, &disk) {
            // Where the folder stays held, only the snapshot is missed.
            Err(StoreError::IndexRefused { reason }) if reason.contains(IS_OPEN) => Ok(()),
            opened => opened.map(drop),
        }
    }
}
