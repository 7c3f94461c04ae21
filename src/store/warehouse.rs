//! A warehouse folder: FORMAT, LOCK and, opened when first needed, the store inside.
//!
//! A statement that touches no table costs the lock and one small file, whatever the warehouse holds.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::error::{StoreError, io_error};
use super::lock::{LastOwner, WarehouseLock};
use super::log::Log;
use super::seam::{Disk, Seam, exists, read_start, replace_file};
use super::{Store, recovery};
use crate::ids::CommitNumber;

/// The format this program reads and writes.
const FORMAT: u32 = 1;
/// No FORMAT is longer, in bytes.
const FORMAT_BYTES: u64 = 80;
const FORMAT_WORDS: &str = "odpsh warehouse format ";
/// A log that has frames has some in its first bytes.
const NEW_LOG_BYTES: u64 = 4096;
/// What a creation that was cut short may have left.
const OWN_ENTRIES: [&str; 5] = ["FORMAT.tmp", "LOCK", "catalog", "data", "log"];

/// An owned warehouse.
pub struct Warehouse {
    dir: PathBuf,
    seam: Arc<Seam>,
    lock: WarehouseLock,
    store: OnceLock<Arc<Store>>,
    /// Held while it is being opened.
    opening: Mutex<()>,
}

impl Warehouse {
    /// Opens the warehouse in `dir`, creating it on first use, and waits up to `timeout` for its owner.
    ///
    /// # Errors
    /// `UnknownFormat` and `NotAWarehouse` before anything is touched; `Locked` after `timeout`.
    pub fn open(dir: &Path, timeout: Duration, seam: Seam) -> Result<Self, StoreError> {
        let disk = Arc::clone(&seam.disk);
        make_folder(&*disk, dir)?;
        let dir = disk.absolute(dir).map_err(io_error("open", dir))?;
        if !check_format(&seam, &dir)? {
            check_unused(&seam, &dir)?;
        }
        let lock = WarehouseLock::acquire(&*disk, &dir.join("LOCK"), timeout)?;
        if !check_format(&seam, &dir)? {
            create(&seam, &dir)?;
        }
        Ok(Self {
            dir,
            seam: Arc::new(seam),
            lock,
            store: OnceLock::new(),
            opening: Mutex::default(),
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
        let _opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
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

/// Makes a folder and those above it, durable on return.
fn make_folder(disk: &dyn Disk, dir: &Path) -> Result<(), StoreError> {
    let mut missing = Vec::new();
    for folder in dir
        .ancestors()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        if exists(disk, folder)? {
            break;
        }
        missing.push(folder);
    }
    for folder in missing.into_iter().rev() {
        disk.create_dir(folder)
            .map_err(io_error("create", folder))?;
        let parent = folder
            .parent()
            .filter(|above| !above.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        if let Err(error) = disk.sync_dir(parent) {
            // So that the next try does not take it for durable.
            let _ = disk.remove_dir(folder);
            return Err(io_error("sync", parent)(error));
        }
    }
    Ok(())
}

/// What FORMAT says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Known,
    Missing,
    /// Nothing that this or a newer program wrote.
    Damaged,
}

/// Whether FORMAT is there; an error where it does not name a format we know.
fn check_format(seam: &Seam, dir: &Path) -> Result<bool, StoreError> {
    match format_of(seam, dir)? {
        Format::Known => Ok(true),
        Format::Missing => Ok(false),
        Format::Damaged => Err(StoreError::NotAWarehouse {
            path: dir.to_path_buf(),
            reason: "its FORMAT is damaged; odpsh check --repair writes it anew".into(),
        }),
    }
}

pub(crate) fn write_format(seam: &Seam, dir: &Path) -> Result<(), StoreError> {
    let text = format!("{FORMAT_WORDS}{FORMAT}\n");
    replace_file(&*seam.disk, &dir.join("FORMAT"), text.as_bytes())
}

/// What FORMAT says; an error where it names a format of a newer program.
pub(crate) fn format_of(seam: &Seam, dir: &Path) -> Result<Format, StoreError> {
    let path = dir.join("FORMAT");
    if !exists(&*seam.disk, &path)? {
        return Ok(Format::Missing);
    }
    let bytes = read_start(&*seam.disk, &path, FORMAT_BYTES)?;
    let text = String::from_utf8_lossy(&bytes);
    let Some(rest) = text.strip_prefix(FORMAT_WORDS) else {
        return Ok(Format::Damaged);
    };
    let digits = rest.find(|c: char| !c.is_ascii_digit());
    let (number, rest) = rest.split_at(digits.unwrap_or(rest.len()));
    match number.parse::<u32>() {
        Ok(FORMAT) if rest.trim_end().is_empty() => Ok(Format::Known),
        // Not a number of ours with something else behind it.
        Ok(FORMAT | 0) | Err(_) => Ok(Format::Damaged),
        Ok(number) => Err(StoreError::UnknownFormat {
            path: dir.to_path_buf(),
            found: number.to_string(),
            known: FORMAT,
        }),
    }
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
        let names = if exists(&*seam.disk, &path)? {
            seam.disk.list(&path)
        } else {
            Ok(Vec::new())
        };
        for name in names.map_err(io_error("read", &path))? {
            let bytes = read_start(&*seam.disk, &path.join(&name), NEW_LOG_BYTES)?;
            let content = bytes
                .get(super::log::FILE_HEADER as usize..)
                .unwrap_or_default();
            if folder == "data" || content.iter().any(|byte| *byte != 0) {
                return refuse(format!(
                    "it holds {folder}/{name} but FORMAT is missing; odpsh check --repair writes it anew"
                ));
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
    if exists(disk, &catalog)? {
        disk.remove_dir(&catalog)
            .map_err(io_error("remove", &catalog))?;
    }
    Log::create(disk, &dir.join("log"), CommitNumber(0), 0)?;
    disk.sync_dir(dir).map_err(io_error("sync", dir))?;
    write_format(seam, dir)
}
