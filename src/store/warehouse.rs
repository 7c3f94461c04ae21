//! A warehouse folder: FORMAT, LOCK and, opened when first needed, the store inside.
//!
//! A statement that touches no table costs the lock and one small file, whatever the warehouse holds.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::error::{StoreError, io_error};
use super::lock::{LastOwner, WarehouseLock};
use super::log::Log;
use super::seam::{Seam, replace_file};
use super::{Store, recovery};
use crate::ids::CommitNumber;

/// The format this program reads and writes.
const FORMAT: u32 = 1;
const FORMAT_WORDS: &str = "odpsh warehouse format ";
/// What a creation that was cut short may have left.
const OWN_ENTRIES: [&str; 5] = ["FORMAT.tmp", "LOCK", "catalog", "data", "log"];

/// An owned warehouse.
pub struct Warehouse {
    dir: PathBuf,
    seam: Arc<Seam>,
    lock: WarehouseLock,
    store: OnceLock<Arc<Store>>,
}

impl Warehouse {
    /// Opens the warehouse in `dir`, creating it on first use, and waits up to `timeout` for its owner.
    ///
    /// # Errors
    /// `UnknownFormat` and `NotAWarehouse` before anything is touched; `Locked` after `timeout`.
    pub fn open(dir: &Path, timeout: Duration, seam: Seam) -> Result<Self, StoreError> {
        let disk = Arc::clone(&seam.disk);
        disk.create_dir(dir).map_err(io_error("create", dir))?;
        let dir = dir.canonicalize().map_err(io_error("open", dir))?;
        if !check_format(&seam, &dir)? {
            check_unused(&seam, &dir)?;
        }
        let lock = WarehouseLock::acquire(&dir.join("LOCK"), timeout)?;
        if !check_format(&seam, &dir)? {
            create(&seam, &dir)?;
        }
        Ok(Self {
            dir,
            seam: Arc::new(seam),
            lock,
            store: OnceLock::new(),
        })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The store inside: verified and recovered when this is first called.
    pub fn store(&self) -> Result<&Arc<Store>, StoreError> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let store = recovery::open(&self.dir, Arc::clone(&self.seam), &self.lock)?;
        Ok(self.store.get_or_init(|| Arc::new(store)))
    }

    /// The store, if it has been opened.
    pub fn opened(&self) -> Option<&Arc<Store>> {
        self.store.get()
    }

    /// Makes everything durable and gives the warehouse back.
    pub fn close(self) -> Result<(), StoreError> {
        match self.store.into_inner() {
            Some(store) => {
                store.sync()?;
                // A scan that still holds the store keeps it from closing in order; the next open checks.
                let closed = match Arc::try_unwrap(store) {
                    Ok(store) => store.close()?,
                    Err(_) => None,
                };
                self.lock
                    .release(closed.map_or(LastOwner::Unknown, LastOwner::Closed))
            }
            None => {
                let last = self.lock.last_owner();
                self.lock.release(last)
            }
        }
    }
}

/// Whether FORMAT is there; an error where it names a format we do not know.
fn check_format(seam: &Seam, dir: &Path) -> Result<bool, StoreError> {
    let path = dir.join("FORMAT");
    if !seam.disk.exists(&path) {
        return Ok(false);
    }
    let bytes = seam.disk.read(&path).map_err(io_error("read", &path))?;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(80)])
        .trim_end()
        .to_owned();
    let number = text.strip_prefix(FORMAT_WORDS);
    if number.and_then(|n| n.parse().ok()) == Some(FORMAT) {
        return Ok(true);
    }
    let found = number.map_or(text.clone(), str::to_owned);
    Err(StoreError::UnknownFormat {
        path: dir.to_path_buf(),
        found,
        known: FORMAT,
    })
}

/// Refuses a folder without FORMAT that holds anything of worth.
fn check_unused(seam: &Seam, dir: &Path) -> Result<(), StoreError> {
    let refuse = |reason: String| {
        Err(StoreError::NotAWarehouse {
            path: dir.to_path_buf(),
            reason,
        })
    };
    for name in seam.disk.list(dir).map_err(io_error("read", dir))? {
        if !OWN_ENTRIES.contains(&name.as_str()) && name != "FORMAT" {
            return refuse(format!("it holds {name} and no FORMAT"));
        }
    }
    for folder in ["log", "data"] {
        let path = dir.join(folder);
        let names = if seam.disk.exists(&path) {
            seam.disk.list(&path)
        } else {
            Ok(Vec::new())
        };
        for name in names.map_err(io_error("read", &path))? {
            let bytes = seam
                .disk
                .read(&path.join(&name))
                .map_err(io_error("read", &path))?;
            let content = bytes
                .get(super::log::FILE_HEADER as usize..)
                .unwrap_or_default();
            if folder == "data" || content.iter().any(|byte| *byte != 0) {
                return refuse(format!("it holds {folder}/{name} but FORMAT is missing"));
            }
        }
    }
    Ok(())
}

/// Creates an empty warehouse. FORMAT comes last: without it nothing here counts.
fn create(seam: &Seam, dir: &Path) -> Result<(), StoreError> {
    let disk = &*seam.disk;
    for folder in ["log", "data"] {
        let path = dir.join(folder);
        disk.create_dir(&path).map_err(io_error("create", &path))?;
    }
    let catalog = dir.join("catalog");
    if disk.exists(&catalog) {
        disk.remove_dir(&catalog)
            .map_err(io_error("remove", &catalog))?;
    }
    Log::create(disk, &dir.join("log"), CommitNumber(0), 0)?;
    disk.sync_dir(dir).map_err(io_error("sync", dir))?;
    replace_file(
        disk,
        &dir.join("FORMAT"),
        format!("{FORMAT_WORDS}{FORMAT}\n").as_bytes(),
    )
}
