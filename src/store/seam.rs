//! The seam: every file operation of the store goes through [`Disk`], every data object through an
//! [`ObjectStore`], every index operation through [`super::index::Index`]. A test can stand in for each
//! of the three to count, fail or cut operations; nothing else in the store knows about it.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use datafusion::object_store::ObjectStore;

use super::error::{StoreError, io_error};
use super::index::Index;

/// What the store does with files, by absolute path.
pub trait Disk: fmt::Debug + Send + Sync {
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    fn exists(&self, path: &Path) -> bool;
    /// Names of the entries of a folder, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Opens for reading and writing; with `create` an absent file is made.
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>>;
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
    fn sync_data(&self) -> io::Result<()>;
}

/// Opens (or creates) the index in a folder.
pub type OpenIndex = fn(&Path, &Arc<dyn Disk>) -> Result<Box<dyn Index>, StoreError>;

/// The three ways out of the store.
pub struct Seam {
    pub disk: Arc<dyn Disk>,
    /// Makes the object store for a folder of data files.
    pub objects: fn(&Path) -> Result<Arc<dyn ObjectStore>, StoreError>,
    pub index: OpenIndex,
}

/// The operating system's own files.
#[derive(Debug)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .open(path)?;
        Ok(Box::new(RealFile(file)))
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

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// Replaces `path` by `bytes` so that a crash leaves the old or the new content, durable on return.
pub(crate) fn replace_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let staged = path.with_extension("tmp");
    if disk.exists(&staged) {
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
