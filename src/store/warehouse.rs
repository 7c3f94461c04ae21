//! A warehouse folder: FORMAT, LOCK and, opened when first needed, the store inside.
//!
//! A statement that touches no table costs the lock and one small file, whatever the warehouse holds.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::error::{StoreError, io_error};
use super::lock::{Held, LastOwner, Waiting, WarehouseLock};
use super::log::Log;
use super::reserve::RESERVE;
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
const OWN_ENTRIES: [&str; 6] = ["FORMAT.tmp", "LOCK", RESERVE, "catalog", "data", "log"];

/// A warehouse, which this process reads or owns; see [`super::lock`].
pub struct Warehouse {
    dir: PathBuf,
    seam: Arc<Seam>,
    waiting: Waiting,
    /// LOCK, once something needed it. It is held while the store is being opened or changes hands.
    lock: Mutex<Option<WarehouseLock>>,
    store: OnceLock<Arc<Store>>,
    is_owned: AtomicBool,
    /// Others may have changed it since it was last looked at.
    is_unlocked: AtomicBool,
}

impl Warehouse {
    /// Opens the warehouse in `dir`, creating it on first use. Nothing in it is looked at before a statement needs it;
    /// then whoever owns it is waited for, up to `timeout`.
    ///
    /// # Errors
    /// `UnknownFormat` and `NotAWarehouse` before anything is touched; `Locked` where another process creates it.
    pub fn open(dir: &Path, timeout: Duration, seam: Seam) -> Result<Self, StoreError> {
        let disk = Arc::clone(&seam.disk);
        make_folder(&*disk, dir)?;
        let dir = disk.absolute(dir).map_err(io_error("open", dir))?;
        let waiting = Waiting::silently(timeout);
        if !check_format(&seam, &dir)? {
            check_unused(&seam, &dir)?;
            let mut lock = WarehouseLock::open(&*disk, &dir.join("LOCK"))?;
            lock.own(&waiting)?;
            if !check_format(&seam, &dir)? {
                create(&seam, &dir)?;
            }
        }
        Ok(Self {
            dir,
            seam: Arc::new(seam),
            waiting,
            lock: Mutex::default(),
            store: OnceLock::new(),
            is_owned: AtomicBool::new(false),
            is_unlocked: AtomicBool::new(false),
        })
    }

    /// Tells `tell` for whom it is waiting.
    pub fn telling(mut self, tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.waiting.tell = Arc::new(tell);
        self
    }

    /// Ends a wait for another process as soon as `is_cancelled` says so.
    pub fn cancelled_by(mut self, is_cancelled: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.waiting.is_cancelled = Arc::new(is_cancelled);
        self
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The store inside: opened to be read when this is first called.
    pub fn store(&self) -> Result<&Arc<Store>, StoreError> {
        match self.store.get() {
            Some(store) => Ok(store),
            None => self.to_read(),
        }
    }

    /// The store, for a statement that begins and changes nothing.
    ///
    /// # Errors
    /// `Locked` where another process owns the warehouse; what keeps it from being opened.
    pub fn to_read(&self) -> Result<&Arc<Store>, StoreError> {
        if let Some(store) = self.store.get()
            && !self.is_unlocked.load(Ordering::Relaxed)
        {
            return Ok(store);
        }
        let mut held = self.lock_file();
        let lock = self.opened_lock(&mut held)?;
        match self.store.get() {
            Some(store) => {
                let is_locked = lock.held() != Held::Nothing || lock.share(&self.waiting)?;
                store.refresh(lock.last_owner()?, is_locked)?;
                self.set_locked(store, is_locked);
                Ok(store)
            }
            None => {
                let opened = self.open_to_read(lock);
                if opened.is_err() {
                    lock.release();
                }
                let store = opened?;
                Ok(self.store.get_or_init(|| Arc::new(store)))
            }
        }
    }

    /// The store, for a statement that begins and may change something: from here on this process owns the warehouse.
    ///
    /// # Errors
    /// `ReadOnly`; `Locked` where others read it or another owns it; what keeps it from being opened.
    pub fn to_write(&self) -> Result<&Arc<Store>, StoreError> {
        if let Some(store) = self.store.get()
            && self.is_owned()
        {
            return Ok(store);
        }
        let mut held = self.lock_file();
        let lock = self.opened_lock(&mut held)?;
        lock.retry(&*self.seam.disk);
        let owned = lock.own(&self.waiting);
        self.own(lock, owned.map(|()| true))?;
        self.store()
    }

    /// The same, if nobody else is there and it can be changed at all.
    pub fn try_to_write(&self) -> Result<bool, StoreError> {
        if self.is_owned() {
            return Ok(true);
        }
        let mut held = self.lock_file();
        let lock = self.opened_lock(&mut held)?;
        lock.retry(&*self.seam.disk);
        let owned = lock.try_own();
        self.own(lock, owned)
    }

    /// Whether this process may change it.
    pub fn is_owned(&self) -> bool {
        self.is_owned.load(Ordering::Relaxed)
    }

    /// The store, if it has been opened.
    pub fn opened(&self) -> Option<&Arc<Store>> {
        self.store.get()
    }

    /// Makes everything durable and gives the warehouse back.
    pub fn close(self) -> Result<(), StoreError> {
        let is_owned = self.is_owned();
        let lock = self.lock.into_inner();
        let lock = lock.unwrap_or_else(PoisonError::into_inner);
        let (Some(store), Some(lock), true) = (self.store.into_inner(), lock, is_owned) else {
            return Ok(());
        };
        store.sync()?;
        // A scan that still holds the store keeps it from closing in order; the next owner checks.
        let closed = match Arc::try_unwrap(store) {
            Ok(store) => store.close()?,
            Err(_) => None,
        };
        lock.mark_left(closed.map_or(LastOwner::Unknown, LastOwner::Closed))
    }

    fn lock_file(&self) -> MutexGuard<'_, Option<WarehouseLock>> {
        self.lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened_lock<'a>(
        &self,
        held: &'a mut Option<WarehouseLock>,
    ) -> Result<&'a mut WarehouseLock, StoreError> {
        match held {
            Some(lock) => Ok(lock),
            None => {
                let lock = WarehouseLock::open(&*self.seam.disk, &self.dir.join("LOCK"))?;
                Ok(held.insert(lock))
            }
        }
    }

    fn set_locked(&self, store: &Store, is_locked: bool) {
        self.is_unlocked.store(!is_locked, Ordering::Relaxed);
        store.objects().set_unlocked(!is_locked);
    }

    /// Opens the store to read it: in place where this process is the first and may change the folder, which is brought
    /// in order if need be; otherwise in memory.
    fn open_to_read(&self, lock: &mut WarehouseLock) -> Result<Store, StoreError> {
        let (dir, seam) = (&self.dir, &self.seam);
        if lock.try_own()? {
            let last = lock.last_owner()?;
            let opened = match last {
                LastOwner::Closed(commit) => recovery::open_as_closed(dir, seam, commit),
                LastOwner::Unknown => Err(StoreError::Lost),
            };
            let store = match opened {
                Ok(parts) => Some(Store::new(dir, Arc::clone(seam), parts)?),
                Err(error) if recovery::is_refused(&error) => None,
                Err(_) => self.put_in_order(lock, last)?,
            };
            if let Some(store) = store {
                lock.downgrade();
                self.set_locked(&store, lock.held() == Held::Shared);
                return Ok(store);
            }
        }
        let is_locked = lock.share(&self.waiting)?;
        let parts = recovery::open_to_read(dir, seam, lock.last_owner()?, is_locked)?;
        let store = Store::new(dir, Arc::clone(seam), parts)?;
        self.set_locked(&store, is_locked);
        Ok(store)
    }

    /// Opens as the owner what was not left in order, and leaves it in order; `None` where the folder does not take it.
    fn put_in_order(
        &self,
        lock: &mut WarehouseLock,
        last: LastOwner,
    ) -> Result<Option<Store>, StoreError> {
        let open = || {
            lock.mark_held()?;
            let marker = lock.marker();
            let parts = recovery::open(&self.dir, &self.seam, last, marker.as_ref())?;
            let store = Store::new(&self.dir, Arc::clone(&self.seam), parts)?;
            store.begin_owned(marker);
            Ok(store)
        };
        match open() {
            Ok(store) => {
                let left = store.give_back();
                lock.mark_left(left.map_or(LastOwner::Unknown, LastOwner::Closed))?;
                Ok(Some(store))
            }
            Err(error) => {
                // What LOCK says stays as it was.
                let _ = lock.mark_left(last);
                match recovery::is_refused(&error) {
                    true => Ok(None),
                    false => Err(error),
                }
            }
        }
    }

    /// Makes this process the owner where it has the lock alone; where it has not, it goes on reading.
    fn own(
        &self,
        lock: &mut WarehouseLock,
        owned: Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        let owned = match owned {
            Ok(true) => self.begin_owning(lock).map(|()| true),
            owned => owned,
        };
        if !matches!(owned, Ok(true))
            && let Some(store) = self.store.get()
        {
            // Somebody may have been there in between: what is there by then is looked at with the next statement.
            if lock.held() == Held::Exclusive {
                lock.downgrade();
            }
            self.set_locked(store, false);
        } else if owned.is_err() {
            lock.release();
        }
        owned
    }

    fn begin_owning(&self, lock: &mut WarehouseLock) -> Result<(), StoreError> {
        let last = lock.last_owner()?;
        lock.mark_held()?;
        let begun = self.begin_as_owner(lock, last);
        match begun {
            Ok(()) => self.is_owned.store(true, Ordering::Relaxed),
            // What LOCK says stays as it was.
            Err(_) => drop(lock.mark_left(last)),
        }
        begun
    }

    fn begin_as_owner(&self, lock: &WarehouseLock, last: LastOwner) -> Result<(), StoreError> {
        let store = match self.store.get() {
            Some(store) => store,
            None => {
                let marker = lock.marker();
                let parts = recovery::open(&self.dir, &self.seam, last, marker.as_ref())?;
                let store = Store::new(&self.dir, Arc::clone(&self.seam), parts)?;
                store.begin_owned(marker);
                self.store.get_or_init(|| Arc::new(store));
                return Ok(());
            }
        };
        store.become_owned(last, lock.marker())?;
        self.set_locked(store, true);
        Ok(())
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
