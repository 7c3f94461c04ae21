//! The seam: every file operation of the store goes through [`Disk`], every data object through an
//! [`ObjectStore`], every index operation through [`super::index::Index`]. A test can stand in for each
//! of the three to count, fail or cut operations; nothing else in the store knows about it.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::object_store::ObjectStore;

use super::error::{StoreError, io_error};
use super::index::Index;

/// What the store does with files, by absolute path.
pub trait Disk: fmt::Debug + Send + Sync {
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// The path of a folder that is there, from the root and without links.
    fn absolute(&self, path: &Path) -> io::Result<PathBuf>;
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Names of the entries of a folder, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Opens for reading and writing; with `create` an absent file is made.
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>>;
    /// Opens for reading only.
    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes a file's content durable.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Makes the entries of a folder durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// One open file of a [`Disk`].
pub trait DiskFile: Send + Sync {
    fn size(&self) -> io::Result<u64>;
    /// Reads up to `buffer.len()` bytes; fewer only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    fn set_size(&self, size_bytes: u64) -> io::Result<()>;
    fn sync_data(&self) -> io::Result<()>;
    /// Takes the lock on this file, which goes with the file or its process; false where another has it. A lock that is
    /// shared so far becomes exclusive; where it cannot, it is lost.
    fn try_lock(&self) -> io::Result<bool>;
    /// Takes a lock that others may share; false where another has an exclusive one. An exclusive lock becomes shared.
    fn try_lock_shared(&self) -> io::Result<bool>;
    /// Gives the lock back.
    fn unlock(&self) -> io::Result<()>;
}

/// Makes the object store for a folder of data files.
pub type OpenObjects = dyn Fn(&Path) -> Result<Arc<dyn ObjectStore>, StoreError> + Send + Sync;

/// Opens (or creates) the index in a folder.
pub type OpenIndex =
    dyn Fn(&Path, &Arc<dyn Disk>) -> Result<Box<dyn Index>, StoreError> + Send + Sync;

/// The three ways out of the store.
pub struct Seam {
    pub disk: Arc<dyn Disk>,
    pub objects: Arc<OpenObjects>,
    pub index: Arc<OpenIndex>,
}

/// The operating system's own files.
#[derive(Debug)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        path.canonicalize()
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        refuse_link(path)?;
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>> {
        refuse_link(path)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        refuse_link(path)?;
        Ok(Box::new(RealFile(File::open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

/// A link inside a warehouse could lead a write out of it.
fn refuse_link(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(found) if found.is_symlink() => Err(io::Error::other("it is a link")),
        _ => Ok(()),
    }
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self
                .0
                .read_at(&mut buffer[filled..], offset + filled as u64)
            {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_size(&self, size_bytes: u64) -> io::Result<()> {
        self.0.set_len(size_bytes)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn try_lock(&self) -> io::Result<bool> {
        locked(self.0.try_lock())
    }

    fn try_lock_shared(&self) -> io::Result<bool> {
        locked(self.0.try_lock_shared())
    }

    fn unlock(&self) -> io::Result<()> {
        self.0.unlock()
    }
}

fn locked(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// The first bytes of a file, up to `limit`.
pub(crate) fn read_start(disk: &dyn Disk, path: &Path, limit: u64) -> Result<Vec<u8>, StoreError> {
    let file = disk.open_to_read(path).map_err(io_error("open", path))?;
    let size_bytes = file.size().map_err(io_error("read", path))?;
    let mut bytes = vec![0; size_bytes.min(limit) as usize];
    let read = file
        .read_at(&mut bytes, 0)
        .map_err(io_error("read", path))?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Whether there is something under that name.
pub(crate) fn exists(disk: &dyn Disk, path: &Path) -> Result<bool, StoreError> {
    disk.exists(path).map_err(io_error("look at", path))
}

/// Replaces `path` by `bytes` so that a crash leaves the old or the new content, durable on return.
pub(crate) fn replace_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let staged = path.with_extension("tmp");
    if exists(disk, &staged)? {
        disk.remove(&staged).map_err(io_error("remove", &staged))?;
    }
    let file = disk
        .open(&staged, true)
        .map_err(io_error("create", &staged))?;
    file.write_at(bytes, 0)
        .map_err(io_error("write", &staged))?;
    file.sync_data().map_err(io_error("sync", &staged))?;
    disk.rename(&staged, path)
        .map_err(io_error("rename", &staged))?;
    let parent = path.parent().expect("a file of the warehouse has a folder");
    disk.sync_dir(parent).map_err(io_error("sync", parent))
}
