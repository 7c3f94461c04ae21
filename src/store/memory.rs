//! An index in memory: what `check` reads a log into, and what tests compare sled with.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use super::error::StoreError;
use super::index::{Applied, Change, Digest, Index, Order, Visit};
use super::keys::KeyRange;
use super::seam::Disk;

#[derive(Default)]
struct State {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    applied: Option<Applied>,
}

/// See the module.
#[derive(Default)]
pub struct MemoryIndex(RwLock<State>);

/// Opens an empty index; the folder is not used.
pub fn open(_dir: &Path, _disk: &Arc<dyn Disk>) -> Result<Box<dyn Index>, StoreError> {
    Ok(Box::new(MemoryIndex::default()))
}

impl Index for MemoryIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Ok(state.records.get(key).cloned())
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
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let bounds = (Bound::Included(&range.from), Bound::Excluded(&range.until));
        let mut entries = state.records.range::<Vec<u8>, _>(bounds);
        while let Some((key, value)) = match order {
            Order::Ascending => entries.next(),
            Order::Descending => entries.next_back(),
        } {
            if visit(key, value)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn apply(&self, changes: &[Change], position: Applied) -> Result<(), StoreError> {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut digest = state
            .applied
            .map_or(Digest::default(), |applied| applied.digest);
        for change in changes {
            let old = match &change.value {
                Some(value) => {
                    digest.add(&change.key, value, value.len());
                    state.records.insert(change.key.clone(), value.to_vec())
                }
                None => state.records.remove(&change.key),
            };
            if let Some(old) = old {
                digest.remove(&change.key, &old, old.len());
            }
        }
        state.applied = Some(Applied { digest, ..position });
        Ok(())
    }

    fn applied(&self) -> Result<Option<Applied>, StoreError> {
        Ok(self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .applied)
    }

    fn checkpoint(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}
