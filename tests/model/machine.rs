//! A machine in memory: files, folders, data objects and an index, behind the seam of the store.
//!
//! Every operation that changes something is counted, and the one of a given number can fail, be cut short, or
//! be the last of the process. After the end the machine is started again: as after a kill, where everything
//! written is there although not yet durable, or as after a power cut, where each page, size and name that was not
//! synced is old, new or torn; old may be what the kernel wrote back of itself. The index may in both cases be any
//! state since its last checkpoint.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use datafusion::object_store::path::Path as ObjectPath;
use datafusion::object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result as ObjectResult,
};
use futures::StreamExt;
use futures::stream::BoxStream;
use odpsh::store::index::{Applied, Change, Index, Visit};
use odpsh::store::seam::{Disk, DiskFile};
use odpsh::store::{KeyRange, Order, Seam, StoreError, memory};

const PAGE: usize = 4096;
const SECTOR: usize = 512;

/// What goes wrong, from the operation of this number on; they are counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub at: u64,
    pub how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It fails, and what it writes is written by half.
    Fails,
    /// The process ends before it.
    Ends,
    /// The process ends in the middle of what it writes, or right behind it.
    Cut,
    /// From here on nothing can grow, beyond what is freed, until [`Machine::relieve`].
    Full,
    /// From here on nothing may be changed until [`Machine::relieve`].
    ReadOnly,
    /// From here on nothing can be opened until [`Machine::relieve`].
    TooManyFiles,
}

/// How the machine went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    Killed,
    PowerCut,
}

/// See the module. Clones are the same machine.
#[derive(Clone, Debug, Default)]
pub struct Machine(Arc<Mutex<World>>);

#[derive(Clone, Debug, Default)]
struct World {
    files: Vec<File>,
    /// What is where now.
    names: Names,
    /// What would be where after a power cut.
    kept: Names,
    /// Changes of names that are not synced: the folder, and what it is.
    moves: Vec<Move>,
    index: IndexFiles,
    operations: u64,
    fault: Option<Fault>,
    has_struck: bool,
    /// How many bytes a full disk has.
    capacity: Option<usize>,
    /// The operation that met the fault.
    struck: String,
    has_ended: bool,
    dice: Dice,
}

type Names = BTreeMap<PathBuf, Entry>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Folder,
    File(usize),
}

#[derive(Clone, Debug)]
struct Move {
    folder: PathBuf,
    unlink: Option<PathBuf>,
    link: Option<(PathBuf, Entry)>,
}

#[derive(Clone, Debug, Default)]
struct File {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    dirty: BTreeSet<usize>,
    lock: Lock,
}

/// Who has a lock on a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lock {
    #[default]
    Free,
    Shared(usize),
    Exclusive,
}

impl File {
    /// A page becomes durable, with the length it needs.
    fn keep_page(&mut self, page: usize) {
        let until = ((page + 1) * PAGE).min(self.bytes.len());
        if self.synced.len() < until {
            self.synced.resize(until, 0);
        }
        let page = (page * PAGE).min(until)..until;
        self.synced[page.clone()].copy_from_slice(&self.bytes[page]);
    }
}

#[derive(Clone, Debug, Default)]
struct IndexFiles {
    applies: Vec<(Vec<Change>, Applied)>,
    /// So many of them are on disk.
    flushed: usize,
    is_broken: bool,
    /// Records that damage took.
    holes: BTreeSet<Vec<u8>>,
}

/// A small generator of random numbers, the same for the same seed.
#[derive(Clone, Debug, Default)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % limit.max(1) as u64) as usize
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// What becomes of an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Whole,
    /// It is done by half, or wholly where there is no half, and then the process ends.
    Cut,
    /// It is done by half and fails.
    Half,
}

/// What an operation needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// So many bytes more.
    Bytes(usize),
    /// Room for something of its own.
    Space,
    Nothing,
}

fn ended() -> io::Error {
    io::Error::other("the process has ended")
}

impl World {
    /// Counts an operation and says what becomes of it.
    fn begin(&mut self, what: &str, need: Need) -> io::Result<Fate> {
        if self.has_ended {
            return Err(ended());
        }
        self.operations += 1;
        self.write_back();
        let Some(fault) = self.fault else {
            return Ok(Fate::Whole);
        };
        if self.operations < fault.at {
            return Ok(Fate::Whole);
        }
        let is_first = self.operations == fault.at;
        if !self.has_struck {
            self.struck = what.to_owned();
        }
        self.has_struck = true;
        match fault.how {
            How::Fails if is_first => Ok(Fate::Half),
            How::Ends => {
                self.has_ended = true;
                Err(ended())
            }
            How::Cut => {
                self.has_ended = true;
                Ok(Fate::Cut)
            }
            How::Full if !self.has_room(need) => Err(ErrorKind::StorageFull.into()),
            How::ReadOnly => Err(ErrorKind::ReadOnlyFilesystem.into()),
            How::Fails | How::Full | How::TooManyFiles => Ok(Fate::Whole),
        }
    }

    /// Whether a full disk has what an operation needs. It was filled to the last byte, and what was freed since can be
    /// used again; the index gets none of it.
    fn has_room(&mut self, need: Need) -> bool {
        let files = self.names.values().filter_map(|entry| match entry {
            Entry::File(file) => Some(self.files[*file].bytes.len()),
            Entry::Folder => None,
        });
        let used: usize = files.sum();
        let capacity = *self.capacity.get_or_insert(used);
        match need {
            Need::Nothing => true,
            Need::Bytes(more) => used + more <= capacity,
            Need::Space => false,
        }
    }

    /// Now and then the kernel makes a page, or the oldest change of names, durable of itself.
    fn write_back(&mut self) {
        if self.dice.below(8) == 0 && !self.files.is_empty() {
            let file = self.dice.below(self.files.len());
            let file = &mut self.files[file];
            let place = self.dice.below(file.dirty.len());
            if let Some(page) = file.dirty.iter().nth(place).copied() {
                file.dirty.remove(&page);
                file.keep_page(page);
            }
        }
        if self.dice.below(16) == 0 && !self.moves.is_empty() {
            let oldest = self.moves.remove(0);
            apply_move(&mut self.kept, oldest);
        }
    }

    /// Whether nothing may be changed by now.
    fn is_read_only(&self) -> bool {
        let fault = self.fault.filter(|fault| self.operations >= fault.at);
        fault.is_some_and(|fault| fault.how == How::ReadOnly)
    }

    /// Refuses to open a file where there are too many open.
    fn expect_files(&mut self) -> io::Result<()> {
        let fault = self.fault.filter(|fault| self.operations >= fault.at);
        if fault.is_some_and(|fault| fault.how == How::TooManyFiles) {
            self.has_struck = true;
            return Err(io::Error::other("Too many open files (os error 24)"));
        }
        Ok(())
    }

    /// Counts an operation that is done wholly or not at all.
    fn whole(&mut self, what: &str, need: Need) -> io::Result<Fate> {
        match self.begin(what, need)? {
            Fate::Half => Err(io::Error::other("an injected failure")),
            fate => Ok(fate),
        }
    }

    fn done<T>(&self, fate: Fate, value: T) -> io::Result<T> {
        match fate {
            Fate::Whole => Ok(value),
            Fate::Cut => Err(ended()),
            Fate::Half => Err(io::Error::other("an injected failure")),
        }
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.names.get(path) {
            Some(Entry::File(file)) => Ok(*file),
            Some(Entry::Folder) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn change_names(&mut self, unlink: Option<PathBuf>, link: Option<(PathBuf, Entry)>) {
        let path = link.as_ref().map(|(path, _)| path).or(unlink.as_ref());
        let folder = path.and_then(|path| path.parent()).map(Path::to_path_buf);
        if let Some(path) = &unlink {
            self.names.remove(path);
        }
        if let Some((path, entry)) = &link {
            self.names.insert(path.clone(), *entry);
        }
        self.moves.push(Move {
            folder: folder.unwrap_or_default(),
            unlink,
            link,
        });
    }

    fn write(&mut self, file: usize, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = offset as usize;
        let end = offset + bytes.len();
        let need = match end.saturating_sub(self.files[file].bytes.len()) {
            0 => Need::Nothing,
            more => Need::Bytes(more),
        };
        let fate = self.begin(
            &format!("write {} bytes at {offset} of file {file}", bytes.len()),
            need,
        )?;
        let length = match fate {
            Fate::Whole => bytes.len(),
            _ => self.dice.below(bytes.len() + 1),
        };
        let file = &mut self.files[file];
        if length > 0 {
            let end = offset + length;
            if file.bytes.len() < end {
                file.bytes.resize(end, 0);
            }
            file.bytes[offset..end].copy_from_slice(&bytes[..length]);
            file.dirty.extend(offset / PAGE..end.div_ceil(PAGE));
        }
        self.done(fate, ())
    }

    fn sync(&mut self, file: usize) -> io::Result<()> {
        let fate = self.begin(&format!("sync file {file}"), Need::Nothing)?;
        if fate == Fate::Half {
            // As some kernels do it: the pages count as written although they are not.
            self.files[file].dirty.clear();
            return self.done(fate, ());
        }
        let file = &mut self.files[file];
        file.synced.resize(file.bytes.len(), 0);
        for page in std::mem::take(&mut file.dirty) {
            file.keep_page(page);
        }
        self.done(fate, ())
    }

    /// What a power cut leaves of a file.
    fn torn(file: &File, dice: &mut Dice) -> Vec<u8> {
        let mut bytes = file.synced.clone();
        if file.bytes.len() != bytes.len() && dice.coin() {
            bytes.resize(file.bytes.len(), 0);
        }
        let style = dice.below(4);
        for page in &file.dirty {
            let sectors = page * PAGE..((page + 1) * PAGE).min(bytes.len());
            let is_new = match style {
                0 => false,
                1 => true,
                _ => dice.coin(),
            };
            for start in sectors.step_by(SECTOR) {
                let end = (start + SECTOR).min(bytes.len()).min(file.bytes.len());
                let taken = if style == 3 { dice.coin() } else { is_new };
                if taken && start < end {
                    bytes[start..end].copy_from_slice(&file.bytes[start..end]);
                }
            }
        }
        bytes
    }

    /// Everything written is durable.
    fn settle(&mut self) {
        self.kept = self.names.clone();
        self.moves.clear();
        for file in &mut self.files {
            file.synced.clone_from(&file.bytes);
            file.dirty.clear();
        }
    }

    /// An index that was being written may be broken then.
    fn cut_power(&mut self, is_index_written: bool) {
        let mut dice = self.dice.clone();
        for file in &mut self.files {
            file.bytes = Self::torn(file, &mut dice);
        }
        // Names in the order of their changes, or any of them.
        let is_ordered = dice.coin();
        let until = dice.below(self.moves.len() + 1);
        for (number, change) in std::mem::take(&mut self.moves).into_iter().enumerate() {
            let is_kept = if is_ordered {
                number < until
            } else {
                dice.coin()
            };
            if is_kept {
                apply_move(&mut self.kept, change);
            }
        }
        let kept = &self.kept;
        let is_reachable = |path: &Path| {
            let mut above = path.ancestors().skip(1);
            above.all(|folder| folder.parent().is_none() || kept.contains_key(folder))
        };
        let reachable = kept.iter().filter(|(path, _)| is_reachable(path));
        self.names = reachable
            .map(|(path, entry)| (path.clone(), *entry))
            .collect();
        if !self.names.keys().any(|path| path.ends_with("catalog")) {
            self.index = IndexFiles::default();
        } else if is_index_written && dice.below(4) == 0 {
            self.index.is_broken = true;
        }
        self.dice = dice;
    }
}

fn apply_move(names: &mut Names, change: Move) {
    if let Some(path) = change.unlink {
        names.remove(&path);
    }
    if let Some((path, entry)) = change.link {
        names.insert(path, entry);
    }
}

impl Machine {
    pub fn new(fault: Option<Fault>, seed: u64) -> Self {
        let world = World {
            fault,
            dice: Dice(seed),
            ..World::default()
        };
        Self(Arc::new(Mutex::new(world)))
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another machine in the same state.
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.world().clone())))
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.world().operations
    }

    /// Whether the fault was met.
    pub fn has_struck(&self) -> bool {
        self.world().has_struck
    }

    /// The operation that met the fault.
    pub fn struck(&self) -> String {
        self.world().struck.clone()
    }

    /// Whether the process has ended.
    pub fn has_ended(&self) -> bool {
        self.world().has_ended
    }

    /// Nobody runs for a while: the kernel may write everything back meanwhile.
    pub fn rest(&self) {
        let mut world = self.world();
        if world.dice.coin() {
            world.settle();
        }
    }

    /// From here on nothing may be changed.
    pub fn forbid_changes(&self) {
        self.go_wrong(How::ReadOnly);
    }

    /// From here on the disk is full.
    pub fn fill(&self) {
        self.go_wrong(How::Full);
        self.world().has_room(Need::Nothing);
    }

    fn go_wrong(&self, how: How) {
        let mut world = self.world();
        let at = world.operations;
        world.fault = Some(Fault { at, how });
    }

    /// Ends what went wrong.
    pub fn relieve(&self) {
        let mut world = self.world();
        (world.fault, world.capacity) = (None, None);
    }

    /// The process ends here.
    pub fn end(&self) {
        self.world().has_ended = true;
    }

    /// Starts it again; nothing goes wrong any more.
    pub fn restart(&self, down: Down) {
        let mut world = self.world();
        let world = &mut *world;
        (world.fault, world.capacity) = (None, None);
        world.has_ended = false;
        let lost = world.index.applies.len() - world.index.flushed;
        let kept = world.index.flushed + world.dice.below(lost + 1);
        world.index.applies.truncate(kept);
        if down == Down::PowerCut {
            world.cut_power(lost > 0);
            let written: Vec<Vec<u8>> = world
                .index
                .applies
                .last()
                .map(|(changes, _)| changes.iter().map(|change| change.key.clone()).collect())
                .unwrap_or_default();
            let kept = world.index.applies.len();
            if kept > world.index.flushed && world.dice.below(4) == 0 && !written.is_empty() {
                let hole = world.dice.below(written.len());
                world.index.holes.insert(written[hole].clone());
            }
        }
        for file in &mut world.files {
            file.lock = Lock::Free;
        }
        if down == Down::Killed {
            return;
        }
        world.index.flushed = world.index.applies.len();
        world.settle();
    }

    /// The files of a folder and their sizes.
    pub fn files(&self, folder: &Path) -> BTreeMap<String, u64> {
        let world = self.world();
        let inside = world
            .names
            .iter()
            .filter(|(path, _)| path.parent() == Some(folder));
        inside
            .filter_map(|(path, entry)| match entry {
                Entry::File(file) => Some((
                    path.file_name()?.to_string_lossy().into_owned(),
                    world.files[*file].bytes.len() as u64,
                )),
                Entry::Folder => None,
            })
            .collect()
    }

    /// The store's ways out, into this machine.
    pub fn seam(&self) -> Seam {
        let (objects, index) = (self.clone(), self.clone());
        Seam {
            disk: Arc::new(self.clone()),
            objects: Arc::new(move |folder| {
                Ok(Arc::new(Objects {
                    machine: objects.clone(),
                    folder: folder.to_path_buf(),
                }))
            }),
            index: Arc::new(move |folder, disk| index.open_index(folder, disk)),
        }
    }

    fn open_index(
        &self,
        folder: &Path,
        disk: &Arc<dyn Disk>,
    ) -> Result<Box<dyn Index>, StoreError> {
        let refused = |reason: String| StoreError::Index {
            action: "open",
            reason,
        };
        if !Disk::exists(self, folder).map_err(|error| refused(error.to_string()))? {
            Disk::create_dir(self, folder).map_err(|error| refused(error.to_string()))?;
        }
        let (applies, is_broken) = {
            let world = self.world();
            (world.index.applies.clone(), world.index.is_broken)
        };
        if is_broken {
            return Err(refused("it is damaged".into()));
        }
        let records = memory::open(folder, disk)?;
        for (changes, position) in applies {
            records.apply(&changes, position)?;
        }
        Ok(Box::new(MachineIndex {
            machine: self.clone(),
            records,
        }))
    }
}

impl Disk for Machine {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let fate = world.whole(&format!("create folder {}", path.display()), Need::Space)?;
        let mut missing: Vec<PathBuf> = path
            .ancestors()
            .filter(|folder| folder.parent().is_some() && !world.names.contains_key(*folder))
            .map(Path::to_path_buf)
            .collect();
        missing.reverse();
        for folder in missing {
            world.change_names(None, Some((folder, Entry::Folder)));
        }
        world.done(fate, ())
    }

    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_path_buf())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let world = self.world();
        if world.has_ended {
            return Err(ended());
        }
        Ok(path.parent().is_none() || world.names.contains_key(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let world = self.world();
        if world.has_ended {
            return Err(ended());
        }
        if world.file(path).is_ok() {
            return Err(ErrorKind::NotADirectory.into());
        }
        let inside = world
            .names
            .keys()
            .filter(|entry| entry.parent() == Some(path));
        Ok(inside
            .filter_map(|entry| Some(entry.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world();
        let is_new = create && !world.names.contains_key(path);
        if !is_new && world.is_read_only() {
            world.has_struck = true;
            return Err(ErrorKind::ReadOnlyFilesystem.into());
        }
        let fate = match is_new {
            true => world.whole(&format!("create {}", path.display()), Need::Bytes(1))?,
            false if world.has_ended => return Err(ended()),
            false => Fate::Whole,
        };
        world.expect_files()?;
        if is_new {
            world.files.push(File::default());
            let file = world.files.len() - 1;
            world.change_names(None, Some((path.to_path_buf(), Entry::File(file))));
        }
        let file = world.file(path)?;
        world.done(fate, ())?;
        Ok(Box::new(Handle::new(self, file)))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world();
        if world.has_ended {
            return Err(ended());
        }
        world.expect_files()?;
        let file = world.file(path)?;
        Ok(Box::new(Handle::new(self, file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        let fate = world.whole(&format!("rename to {}", to.display()), Need::Nothing)?;
        let file = world.file(from)?;
        world.change_names(
            Some(from.to_path_buf()),
            Some((to.to_path_buf(), Entry::File(file))),
        );
        world.done(fate, ())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let fate = world.whole(&format!("remove {}", path.display()), Need::Nothing)?;
        world.file(path)?;
        world.change_names(Some(path.to_path_buf()), None);
        world.done(fate, ())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let fate = world.whole(&format!("remove folder {}", path.display()), Need::Nothing)?;
        let inside: Vec<PathBuf> = world
            .names
            .keys()
            .filter(|entry| entry.starts_with(path))
            .cloned()
            .collect();
        for entry in inside {
            world.change_names(Some(entry), None);
        }
        // The only folder that is removed is that of the index.
        world.index = IndexFiles::default();
        world.done(fate, ())
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let file = world.file(path)?;
        world.sync(file)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let fate = world.whole(&format!("sync folder {}", path.display()), Need::Nothing)?;
        let (mine, others) = std::mem::take(&mut world.moves)
            .into_iter()
            .partition(|change| change.folder == path);
        world.moves = others;
        let mine: Vec<Move> = mine;
        for change in mine {
            apply_move(&mut world.kept, change);
        }
        world.done(fate, ())
    }
}

/// An open file.
struct Handle {
    machine: Machine,
    file: usize,
    held: Mutex<Lock>,
}

impl Handle {
    fn new(machine: &Machine, file: usize) -> Self {
        Self {
            machine: machine.clone(),
            file,
            held: Mutex::default(),
        }
    }

    /// Changes the lock from what this handle holds to what it wants; what it held is lost where that fails.
    fn change_lock(&self, wanted: Lock) -> bool {
        let mut world = self.machine.world();
        let lock = &mut world.files[self.file].lock;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        *lock = match (*held, *lock) {
            (Lock::Free, lock) => lock,
            (Lock::Shared(_), Lock::Shared(count)) if count > 1 => Lock::Shared(count - 1),
            (Lock::Shared(_) | Lock::Exclusive, _) => Lock::Free,
        };
        *held = Lock::Free;
        *lock = match (*lock, wanted) {
            (lock, Lock::Free) => lock,
            (Lock::Free, wanted) => wanted,
            (Lock::Shared(count), Lock::Shared(_)) => Lock::Shared(count + 1),
            (Lock::Shared(_) | Lock::Exclusive, _) => return false,
        };
        *held = wanted;
        true
    }
}

impl DiskFile for Handle {
    fn size(&self) -> io::Result<u64> {
        Ok(self.machine.world().files[self.file].bytes.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let world = self.machine.world();
        if world.has_ended {
            return Err(ended());
        }
        let bytes = &world.files[self.file].bytes;
        let from = bytes.len().min(offset as usize);
        let length = buffer.len().min(bytes.len() - from);
        buffer[..length].copy_from_slice(&bytes[from..from + length]);
        Ok(length)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.machine.world().write(self.file, bytes, offset)
    }

    fn set_size(&self, size_bytes: u64) -> io::Result<()> {
        let mut world = self.machine.world();
        let fate = world.whole("set size", Need::Nothing)?;
        let file = &mut world.files[self.file];
        let last = file.bytes.len().min(size_bytes as usize) / PAGE;
        file.bytes.resize(size_bytes as usize, 0);
        file.dirty.insert(last);
        world.done(fate, ())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.machine.world().sync(self.file)
    }

    fn try_lock(&self) -> io::Result<bool> {
        Ok(self.change_lock(Lock::Exclusive))
    }

    fn try_lock_shared(&self) -> io::Result<bool> {
        Ok(self.change_lock(Lock::Shared(1)))
    }

    fn unlock(&self) -> io::Result<()> {
        self.change_lock(Lock::Free);
        Ok(())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.change_lock(Lock::Free);
    }
}

/// The data files of a machine as objects, staged and renamed as the local file system does it.
#[derive(Debug)]
struct Objects {
    machine: Machine,
    folder: PathBuf,
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.folder.display())
    }
}

fn object_error(error: io::Error, path: &ObjectPath) -> Error {
    match error.kind() {
        ErrorKind::NotFound => Error::NotFound {
            path: path.to_string(),
            source: Box::new(error),
        },
        _ => Error::Generic {
            store: "machine",
            source: Box::new(error),
        },
    }
}

fn unused<T>(operation: &str) -> ObjectResult<T> {
    Err(Error::NotSupported {
        source: operation.to_owned().into(),
    })
}

#[async_trait]
impl ObjectStore for Objects {
    async fn put_opts(
        &self,
        location: &ObjectPath,
        payload: PutPayload,
        _: PutOptions,
    ) -> ObjectResult<PutResult> {
        let path = self.folder.join(location.as_ref());
        let staged = self.folder.join(format!("{location}#1"));
        let bytes: Vec<u8> = payload
            .iter()
            .flat_map(|part| part.iter().copied())
            .collect();
        let write = || -> io::Result<()> {
            Disk::open(&self.machine, &staged, true)?.write_at(&bytes, 0)?;
            Disk::rename(&self.machine, &staged, &path)
        };
        write().map_err(|error| {
            let _ = Disk::remove(&self.machine, &staged);
            object_error(error, location)
        })?;
        Ok(PutResult {
            e_tag: None,
            version: None,
        })
    }

    async fn put_multipart_opts(
        &self,
        _: &ObjectPath,
        _: PutMultipartOptions,
    ) -> ObjectResult<Box<dyn MultipartUpload>> {
        unused("multipart")
    }

    async fn get_opts(
        &self,
        location: &ObjectPath,
        options: GetOptions,
    ) -> ObjectResult<GetResult> {
        let path = self.folder.join(location.as_ref());
        let read = || -> io::Result<Vec<u8>> {
            let file = Disk::open_to_read(&self.machine, &path)?;
            let mut bytes = vec![0; file.size()? as usize];
            file.read_at(&mut bytes, 0)?;
            Ok(bytes)
        };
        let bytes = read().map_err(|error| object_error(error, location))?;
        let size = bytes.len() as u64;
        let range = match options.range {
            None => 0..size,
            Some(GetRange::Bounded(range)) => range.start.min(size)..range.end.min(size),
            Some(GetRange::Offset(start)) => start.min(size)..size,
            Some(GetRange::Suffix(length)) => size.saturating_sub(length)..size,
        };
        let part = bytes[range.start as usize..range.end as usize].to_vec();
        Ok(GetResult {
            payload: GetResultPayload::Stream(
                futures::stream::once(async { Ok(part.into()) }).boxed(),
            ),
            meta: ObjectMeta {
                location: location.clone(),
                last_modified: chrono::DateTime::UNIX_EPOCH,
                size,
                e_tag: None,
                version: None,
            },
            range,
            attributes: Attributes::new(),
        })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, ObjectResult<ObjectPath>>,
    ) -> BoxStream<'static, ObjectResult<ObjectPath>> {
        locations.map(|_| unused("delete")).boxed()
    }

    fn list(&self, _: Option<&ObjectPath>) -> BoxStream<'static, ObjectResult<ObjectMeta>> {
        futures::stream::once(async { unused("list") }).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&ObjectPath>) -> ObjectResult<ListResult> {
        unused("list")
    }

    async fn copy_opts(&self, _: &ObjectPath, _: &ObjectPath, _: CopyOptions) -> ObjectResult<()> {
        unused("copy")
    }
}

/// An index that is an index in memory and a list of what was applied to it on the machine.
struct MachineIndex {
    machine: Machine,
    records: Box<dyn Index>,
}

impl MachineIndex {
    fn operation(&self, action: &'static str, need: Need) -> Result<Fate, StoreError> {
        let begun = self.machine.world().whole(action, need);
        begun.map_err(|error| StoreError::Index {
            action,
            reason: error.to_string(),
        })
    }

    fn done(&self, action: &'static str, fate: Fate) -> Result<(), StoreError> {
        let done = self.machine.world().done(fate, ());
        done.map_err(|error| StoreError::Index {
            action,
            reason: error.to_string(),
        })
    }

    fn is_lost(&self, key: &[u8]) -> bool {
        self.machine.world().index.holes.contains(key)
    }
}

impl Index for MachineIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.is_lost(key) {
            true => Ok(None),
            false => self.records.get(key),
        }
    }

    fn scan(
        &self,
        range: &KeyRange,
        order: Order,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        self.records
            .scan(range, order, &mut |key, value| match self.is_lost(key) {
                true => Ok(ControlFlow::Continue(())),
                false => visit(key, value),
            })
    }

    fn apply(&self, changes: &[Change], position: Applied) -> Result<(), StoreError> {
        let fate = self.operation("apply a commit", Need::Space)?;
        self.records.apply(changes, position)?;
        {
            let mut world = self.machine.world();
            for change in changes {
                world.index.holes.remove(&change.key);
            }
            world.index.applies.push((changes.to_vec(), position));
        }
        self.done("apply a commit", fate)
    }

    fn applied(&self) -> Result<Option<Applied>, StoreError> {
        self.records.applied()
    }

    fn checkpoint(&self) -> Result<(), StoreError> {
        let fate = self.operation("write", Need::Space)?;
        {
            let mut world = self.machine.world();
            world.index.flushed = world.index.applies.len();
        }
        self.done("write", fate)
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        self.checkpoint()
    }
}
