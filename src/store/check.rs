//! What a folder holds, looked at without changing it, and what of it can be mended.
//!
//! The log is read to its end into an index in memory; what the store gives is then looked at through that. Where the log is
//! damaged and the index on disk is sound and has come further, the index takes its place.

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::codec;
use super::error::{StoreError, io_error};
use super::index::{Applied, Change, Digest, Index, Order};
use super::keys::{self, KeyRange};
use super::lock::{Held, LastOwner, Waiting, WarehouseLock};
use super::log::{self, Frame, Log, Place, Tail, frames_name};
use super::recovery::{self, Opened, Parts, position};
use super::seam::{Disk, Seam, exists};
use super::segment::{self, Body, SegmentRecord, SegmentRef};
use super::warehouse::{self, Format};
use super::{Counters, Key, Store, base, memory};
use crate::ids::CommitNumber;

/// Something that is not as it should be.
#[derive(Clone, Debug)]
pub struct Finding {
    /// A file, or a table and what of it.
    pub object: String,
    pub problem: String,
    pub remedy: Remedy,
}

/// What can be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Repairing builds it anew from what is sound.
    Rebuild,
    /// Nothing: it is lost.
    None,
}

/// A folder under examination. It is locked meanwhile, where it can be.
pub struct Checkup {
    dir: PathBuf,
    seam: Arc<Seam>,
    lock: WarehouseLock,
    /// Nobody changes anything meanwhile.
    is_locked: bool,
    last_owner: LastOwner,
    /// Why the index was not looked at.
    index_not_read: Option<StoreError>,
    /// Why something was left out, for the user to know.
    pub notices: Vec<String>,
    pub findings: Vec<Finding>,
    /// The records, to look at; `None` where there are none to be had.
    pub store: Option<Store>,
    /// How many commits the log has.
    pub commits: u64,
    end: Option<Place>,
    /// The commit at which the log begins.
    base: CommitNumber,
    format_is_damaged: bool,
    /// Commits cannot be read.
    commits_are_lost: bool,
    log_is_damaged: bool,
    index_is_damaged: bool,
}

/// All records of a log, as far as it can be read.
struct Loaded {
    index: Box<dyn Index>,
    place: Place,
    error: Option<StoreError>,
    /// What stands behind `place` cannot be read, or is no frame.
    is_cut: bool,
}

impl Checkup {
    /// Locks a folder and reads its log and, where nobody else is there and it may be changed, its index.
    ///
    /// # Errors
    /// `Locked`; `UnknownFormat` where a newer program wrote it; what keeps it from being looked at.
    pub fn begin(dir: &Path, timeout: Duration, seam: Seam) -> Result<Self, StoreError> {
        Self::begin_telling(dir, timeout, seam, |_| {})
    }

    /// The same; tells `tell` for whom it is waiting.
    ///
    /// # Errors
    /// The same.
    pub fn begin_telling(
        dir: &Path,
        timeout: Duration,
        seam: Seam,
        tell: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<Self, StoreError> {
        let seam = Arc::new(seam);
        if !exists(&*seam.disk, dir)? {
            return Err(StoreError::NotAWarehouse {
                path: dir.to_path_buf(),
                reason: "there is no such folder".into(),
            });
        }
        let dir = seam.disk.absolute(dir).map_err(io_error("open", dir))?;
        let format = warehouse::format_of(&seam, &dir)?;
        if !exists(&*seam.disk, &dir.join("log"))? {
            return Err(StoreError::NotAWarehouse {
                path: dir,
                reason: "it holds no log".into(),
            });
        }
        let waiting = Waiting {
            tell: Arc::new(tell),
            ..Waiting::silently(timeout)
        };
        let mut lock = WarehouseLock::open(&*seam.disk, &dir.join("LOCK"))?;
        let is_locked = lock.try_own()? || lock.share(&waiting)?;
        let mut checkup = Self {
            dir,
            seam,
            last_owner: lock.last_owner()?,
            lock,
            is_locked,
            index_not_read: None,
            notices: Vec::new(),
            findings: Vec::new(),
            store: None,
            commits: 0,
            end: None,
            base: CommitNumber(0),
            format_is_damaged: format != Format::Known,
            commits_are_lost: false,
            log_is_damaged: false,
            index_is_damaged: false,
        };
        if checkup.format_is_damaged {
            let problem = match format {
                Format::Missing => "it is missing",
                _ => "it is damaged",
            };
            checkup.find("FORMAT".into(), problem.into(), Remedy::Rebuild);
        }
        checkup.read()?;
        if checkup.lock.held() == Held::Exclusive {
            // From here on it is only read.
            checkup.lock.downgrade();
        }
        Ok(checkup)
    }

    /// Makes sure that what was looked at is still there.
    ///
    /// # Errors
    /// `ChangedWhileRead` where nothing could be locked and an owner was at work.
    fn expect_unchanged(&self) -> Result<(), StoreError> {
        if self.is_locked || self.commits_are_lost {
            return Ok(());
        }
        let moved = || -> Result<bool, StoreError> {
            let log_dir = self.dir.join("log");
            if self.find_base(&log_dir)? != self.base {
                return Ok(true);
            }
            let loaded = load(&self.seam, &log_dir, self.base)?;
            Ok(self.end != Some(loaded.place))
        };
        match moved() {
            Ok(false) => Ok(()),
            Ok(true) | Err(_) => Err(StoreError::ChangedWhileRead),
        }
    }

    fn find(&mut self, object: String, problem: String, remedy: Remedy) {
        self.findings.push(Finding {
            object,
            problem,
            remedy,
        });
    }

    fn read(&mut self) -> Result<(), StoreError> {
        let log_dir = self.dir.join("log");
        let base = self.find_base(&log_dir)?;
        self.base = base;
        let mut loaded = load(&self.seam, &log_dir, base)?;
        let opened = match self.lock.held() {
            Held::Exclusive => self.open_index(),
            Held::Shared | Held::Nothing => {
                let why =
                    "it is opened in place, and others read it or the folder cannot be written";
                self.notices
                    .push(format!("the index was not looked at: {why}"));
                self.index_not_read = Some(StoreError::ChangedWhileRead);
                None
            }
        };
        let opened = self.without_stranger(&loaded, opened)?;
        self.judge_tail(&mut loaded, opened.as_ref().map(|(_, applied)| *applied));
        if let Some(error) = loaded.error.take() {
            self.log_is_damaged = true;
            let applied = opened.as_ref().map(|(_, applied)| *applied);
            let saved = match &opened {
                Some((index, applied)) => Some(self.save(&log_dir, &**index, *applied)?),
                None => None,
            };
            if let Some(saved) = saved.filter(|saved| saved.place.commit > loaded.place.commit) {
                loaded = saved;
            }
            let lost = match Log::open_past(&self.seam.disk, &log_dir, base, 0) {
                Ok(log) => log.frames_behind(loaded.place)?,
                Err(_) => Vec::new(),
            };
            let known = recovery::witness(applied, self.last_owner);
            // Where it was closed in order nothing can be behind its last commit.
            let is_last = self.last_owner == LastOwner::Closed(loaded.place.commit);
            self.commits_are_lost =
                (loaded.is_cut && !is_last) || known > loaded.place.commit || !lost.is_empty();
            let remedy = match self.commits_are_lost {
                true => Remedy::None,
                false => Remedy::Rebuild,
            };
            self.find(object_of(&error, base), error.to_string(), remedy);
            self.name_lost(lost);
        } else {
            self.compare(&log_dir, &loaded, opened.as_ref())?;
        }
        drop(opened);
        self.commits = loaded.place.commit.0;
        self.end = Some(loaded.place);
        let counters = match loaded.index.get(&Key::Counters.encode())? {
            Some(bytes) => codec::decode(&Key::Counters.encode(), &bytes)?,
            None => Counters::default(),
        };
        // It is never written.
        let log = Log::detached(&log_dir, base, loaded.place);
        let parts = Parts {
            log,
            index: loaded.index,
            counters,
            in_place: false,
            has_changed: false,
            is_unlinked: false,
            notices: Vec::new(),
        };
        self.store = Some(Store::new(&self.dir, Arc::clone(&self.seam), parts)?);
        Ok(())
    }

    /// The commit at which the log begins: that of the newest base, or where there is none, of the newest file.
    fn find_base(&self, log_dir: &Path) -> Result<CommitNumber, StoreError> {
        let base = recovery::newest_base(&self.seam, log_dir)?;
        if exists(&*self.seam.disk, &log_dir.join(frames_name(base)))? {
            return Ok(base);
        }
        Ok(recovery::newest_frames(&self.seam, log_dir)?.unwrap_or(base))
    }

    /// The index on disk, where there is one that opens and agrees with itself.
    fn open_index(&mut self) -> Option<(Box<dyn Index>, Applied)> {
        let catalog = self.dir.join("catalog");
        if !self.seam.disk.exists(&catalog).unwrap_or(false) {
            return None;
        }
        let mut notices = Vec::new();
        let opened = recovery::open_index(&self.seam, &catalog, true, &mut notices);
        match opened {
            Ok(Some(opened)) => Some(opened),
            Err(error @ StoreError::IndexRefused { .. }) => {
                self.notices
                    .push(format!("the index was not looked at: {error}"));
                self.index_not_read = Some(error);
                None
            }
            Ok(None) | Err(_) => {
                self.index_is_damaged = true;
                let problem = notices.pop().unwrap_or_else(|| "it is empty".into());
                let problem = problem.split("; rebuilding").next().unwrap_or_default();
                self.find("catalog".into(), problem.to_owned(), Remedy::Rebuild);
                None
            }
        }
    }

    /// A torn tail is damage where somebody knows that it had been acknowledged.
    fn judge_tail(&self, loaded: &mut Loaded, applied: Option<Applied>) {
        let known = recovery::witness(applied, self.last_owner);
        if loaded.error.is_none() && known > loaded.place.commit {
            loaded.error = Some(StoreError::CorruptLog {
                path: self.dir.join("log").join(frames_name(self.base)),
                offset: loaded.place.end_offset,
                commit: loaded.place.commit.next(),
                reason: "although it had been acknowledged",
            });
        }
    }

    /// The index, unless it is of another warehouse: it does not lie on a log that can be read to its end, and has no
    /// version that is in the log, or has one otherwise.
    fn without_stranger(
        &mut self,
        loaded: &Loaded,
        opened: Option<Opened>,
    ) -> Result<Option<Opened>, StoreError> {
        let Some((index, applied)) = opened else {
            return Ok(None);
        };
        if loaded.error.is_some()
            || applied.commit <= loaded.place.commit
            || is_kin(&*loaded.index, &*index)?
        {
            return Ok(Some((index, applied)));
        }
        self.index_is_damaged = true;
        let problem = "it is of another warehouse than the commit log";
        self.find("catalog".into(), problem.into(), Remedy::Rebuild);
        Ok(None)
    }

    /// Compares the index on disk, record by record, with what the log says.
    fn compare(
        &mut self,
        log_dir: &Path,
        loaded: &Loaded,
        opened: Option<&Opened>,
    ) -> Result<(), StoreError> {
        let Some((index, applied)) = opened else {
            return Ok(());
        };
        let (truth, place) = (&*loaded.index, loaded.place);
        let mut differs = false;
        if applied.commit < place.commit {
            // Behind, as after a kill: the rest is replayed at the next start, if it lies on the log.
            let mut log = Log::open_to_read(&self.seam.disk, log_dir, self.base)?;
            differs = !recovery::stand_at(&self.seam, log_dir, &mut log, applied)?;
        } else {
            differs |= applied.chain != place.chain;
            index.scan(&everything(), Order::Ascending, &mut |key, value| {
                differs |= truth.get(key)?.as_deref() != Some(value);
                Ok(if differs {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                })
            })?;
            let count = |index: &dyn Index| -> Result<u64, StoreError> {
                Ok(index.applied()?.map_or(0, |applied| applied.digest.count))
            };
            differs |= count(truth)? != count(&**index)?;
        }
        if differs {
            self.index_is_damaged = true;
            let problem = "it does not say what the commit log says";
            self.find("catalog".into(), problem.into(), Remedy::Rebuild);
        }
        Ok(())
    }

    /// What an index saves, with what of the log follows it.
    fn save(
        &self,
        log_dir: &Path,
        index: &dyn Index,
        applied: Applied,
    ) -> Result<Loaded, StoreError> {
        let saved = memory::open(&self.dir.join("catalog"), &self.seam.disk)?;
        copy(index, &*saved)?;
        let base = self.base;
        let begin = Place {
            commit: applied.commit,
            chain: applied.chain,
            frame_offset: 0,
            end_offset: log::FILE_HEADER,
        };
        let mut place = match applied.base == base {
            true => Place {
                frame_offset: applied.frame_offset,
                end_offset: applied.end_offset,
                ..begin
            },
            false => begin,
        };
        let tail = match Log::open_past(&self.seam.disk, log_dir, base, applied.chain) {
            // The base was written, and the process ended before the index heard of it; or the index is older.
            Ok(log) if applied.base != base && log.place() != begin => Tail::Torn,
            Ok(mut log) if log.is_inside(place) => {
                log.stand(place);
                let read = log.read_on(&mut |at, frame| {
                    recovery::check_values(&frame.changes)?;
                    place = at;
                    saved.apply(&frame.changes, position(base, at))
                });
                damage(read)?.unwrap_or(Tail::Torn)
            }
            _ => Tail::Torn,
        };
        saved.apply(&[], position(base, place))?;
        Ok(Loaded {
            index: saved,
            place,
            error: None,
            is_cut: tail != Tail::Clean,
        })
    }

    /// Names commits behind damage that can still be read, so that they can be done again.
    fn name_lost(&mut self, lost: Vec<(CommitNumber, Frame)>) {
        for (commit, frame) in lost {
            if !frame.statement.is_empty() {
                let object = format!("commit {commit} of {}", frame.user);
                let problem = format!("it is lost: {}", frame.statement);
                self.find(object, problem, Remedy::None);
            }
        }
    }

    /// The names of files in the data folder that no record names.
    pub fn orphans(&self) -> Result<Vec<String>, StoreError> {
        let Some(store) = &self.store else {
            return Ok(Vec::new());
        };
        let data = self.dir.join("data");
        let mut orphans = Vec::new();
        for name in self
            .seam
            .disk
            .list(&data)
            .map_err(io_error("read", &data))?
        {
            let id = segment::id_of_file(name.split('#').next().unwrap_or_default());
            // What is not named as a data file is not ours.
            let Some(id) = id else { continue };
            let is_known = !name.contains('#')
                && matches!(
                    store.get::<SegmentRecord>(&Key::Segment(id)),
                    Ok(Some(SegmentRecord {
                        body: Body::Parquet { .. },
                        ..
                    })) | Err(_)
                );
            if !is_known {
                orphans.push(name);
            }
        }
        Ok(orphans)
    }

    /// Whether something of the folder itself has to be built anew.
    pub fn needs_repair(&self) -> bool {
        self.format_is_damaged || self.log_is_damaged || self.index_is_damaged
    }

    /// Ends it.
    ///
    /// # Errors
    /// `ChangedWhileRead` where nothing could be locked and an owner was at work.
    pub fn end(self) -> Result<(), StoreError> {
        self.expect_unchanged()
    }

    /// Builds anew what can be built: FORMAT, a log that follows what could be read, an index from it. A log that is
    /// damaged is kept beside as `damaged-…`. The next owner looks at everything closely.
    ///
    /// # Errors
    /// `Locked` where others are reading; `ReadOnly`; `ChangedWhileRead` and `IndexRefused` where the log is damaged and
    /// the index, which may know more, could not be looked at; what keeps something from being written.
    pub fn repair(mut self) -> Result<(), StoreError> {
        // Nobody may come in between what was looked at and what is made of it.
        if !self.lock.try_own()? {
            self.lock.own(&Waiting::silently(Duration::ZERO))?;
            return Err(StoreError::ChangedWhileRead);
        }
        // The index may know what the log has lost.
        if self.log_is_damaged
            && let Some(error) = self.index_not_read.take()
        {
            return Err(error);
        }
        let disk = &*self.seam.disk;
        if self.commits_are_lost {
            // They may belong to commits that are lost.
            let data = self.dir.join("data");
            for name in self.orphans()? {
                let from = data.join(&name);
                disk.rename(&from, &data.join(format!("damaged-{name}")))
                    .map_err(io_error("rename", &from))?;
            }
        }
        if self.log_is_damaged
            && let (Some(store), Some(place)) = (&self.store, self.end)
        {
            let log_dir = self.dir.join("log");
            for name in [frames_name(self.base), base::base_name(self.base)] {
                keep_aside(disk, &log_dir, &name)?;
            }
            let index = store.index()?;
            let digest = index.applied()?.map_or(Digest::default(), |a| a.digest);
            let end = base::BaseEnd {
                commit: place.commit,
                chain: place.chain,
                digest,
            };
            Log::create(disk, &log_dir, place.commit, place.chain)?;
            if place.commit != CommitNumber(0) {
                base::write(disk, &log_dir, &**index, end)?;
            }
            recovery::remove_other_logs(&self.seam, &log_dir, place.commit)?;
        }
        drop(self.store);
        let catalog = self.dir.join("catalog");
        if (self.log_is_damaged || self.index_is_damaged) && exists(disk, &catalog)? {
            let removed = match disk.remove_dir(&catalog) {
                // A file or a link has its name.
                Err(error) if error.kind() == ErrorKind::NotADirectory => disk.remove(&catalog),
                removed => removed,
            };
            removed.map_err(io_error("remove", &catalog))?;
        }
        if self.format_is_damaged {
            warehouse::write_format(&self.seam, &self.dir)?;
        }
        self.lock.mark_left(LastOwner::Unknown)
    }
}

impl Store {
    /// What is wrong with a segment, if anything. With `deep` every byte of its file is read.
    pub fn flaw_of_segment(
        &self,
        segment: &SegmentRef,
        deep: bool,
        read: &mut dyn FnMut(u64),
    ) -> Option<String> {
        let record: SegmentRecord = match self.require(&Key::Segment(segment.id)) {
            Ok(record) => record,
            Err(error) => return Some(error.to_string()),
        };
        if record.row_count != segment.row_count {
            return Some("it does not have the rows its version says".into());
        }
        match &record.body {
            Body::Inline(_) => record.inline_batch(segment.id).err().map(|e| e.to_string()),
            Body::Parquet {
                block_checksums, ..
            } => self.flaw_of_file(segment, &record, block_checksums, deep, read),
        }
    }

    fn flaw_of_file(
        &self,
        segment: &SegmentRef,
        record: &SegmentRecord,
        block_checksums: &[u32],
        deep: bool,
        read: &mut dyn FnMut(u64),
    ) -> Option<String> {
        let path = self.dir.join("data").join(segment::file_name(segment.id));
        let file = match self.seam.disk.open(&path, false) {
            Ok(file) => file,
            Err(error) => return Some(format!("its file cannot be read: {error}")),
        };
        let size_bytes = match file.size() {
            Ok(size_bytes) => size_bytes,
            Err(error) => return Some(format!("its file cannot be read: {error}")),
        };
        if size_bytes != record.size_bytes {
            return Some(format!(
                "its file has {size_bytes} bytes instead of {}",
                record.size_bytes
            ));
        }
        let mut block = vec![0; segment::BLOCK_BYTES as usize];
        for (number, expected) in block_checksums.iter().enumerate().filter(|_| deep) {
            match file.read_at(&mut block, number as u64 * segment::BLOCK_BYTES) {
                Ok(length) if crc32c::crc32c(&block[..length]) == *expected => read(length as u64),
                Ok(_) => return Some(format!("the checksum of block {number} does not match")),
                Err(error) => return Some(format!("its file cannot be read: {error}")),
            }
        }
        None
    }

    /// The records that are damaged, and how many there are in all.
    pub fn flawed_records(&self) -> Result<(u64, Vec<String>), StoreError> {
        let (mut count, mut flawed) = (0, Vec::new());
        self.index()?
            .scan(&everything(), Order::Ascending, &mut |key, value| {
                count += 1;
                if !codec::is_sound(key, value) || Key::decode(key).is_none() {
                    flawed.push(keys::describe(key));
                }
                Ok(ControlFlow::Continue(()))
            })?;
        Ok((count, flawed))
    }
}

/// So many versions in common are no chance.
const KIN_ENOUGH: usize = 1000;
const COPIED_AT_ONCE: usize = 1 << 20;

fn everything() -> KeyRange {
    KeyRange {
        from: Vec::new(),
        until: vec![0xFF],
    }
}

/// Reads a log into an index in memory, as far as it can be read.
fn load(seam: &Seam, log_dir: &Path, base: CommitNumber) -> Result<Loaded, StoreError> {
    let mut loaded = Loaded {
        index: memory::open(log_dir, &seam.disk)?,
        place: Place {
            commit: CommitNumber(0),
            chain: 0,
            frame_offset: 0,
            end_offset: 0,
        },
        error: None,
        is_cut: true,
    };
    let (log, error) = match damage(Log::open_to_read(&seam.disk, log_dir, base))? {
        Ok(log) => (Ok(log), None),
        // The frames prove themselves by their chain.
        Err(error) => (open_past_header(seam, log_dir, base), Some(error)),
    };
    let read = log.and_then(|log| read_log(seam, log_dir, log, &mut loaded));
    match damage(read)? {
        Ok(tail) => {
            loaded.is_cut = tail != Tail::Clean;
            loaded.error = error;
        }
        Err(found) => loaded.error = Some(error.unwrap_or(found)),
    }
    Ok(loaded)
}

/// The log without its header, in which nothing stands that is not known otherwise.
fn open_past_header(seam: &Seam, log_dir: &Path, base: CommitNumber) -> Result<Log, StoreError> {
    let chain = match base {
        CommitNumber(0) => 0,
        _ => base::read(&*seam.disk, log_dir, base, &mut |_| Ok(()))?.chain,
    };
    Log::open_past(&seam.disk, log_dir, base, chain)
}

fn read_log(
    seam: &Seam,
    log_dir: &Path,
    mut log: Log,
    loaded: &mut Loaded,
) -> Result<Tail, StoreError> {
    let base = log.base();
    if base != CommitNumber(0) {
        recovery::load_base(seam, log_dir, base, log.place(), &*loaded.index)?;
    }
    loaded.place = log.place();
    loaded.index.apply(&[], position(base, loaded.place))?;
    log.read_on(&mut |at, frame| {
        recovery::check_values(&frame.changes)?;
        loaded.index.apply(&frame.changes, position(base, at))?;
        loaded.place = at;
        Ok(())
    })
}

/// Keeps what says that bytes are damaged or missing apart from what keeps them from being read, or from being
/// understood because a newer program wrote them.
fn damage<T>(outcome: Result<T, StoreError>) -> Result<Result<T, StoreError>, StoreError> {
    match outcome {
        Err(
            error @ (StoreError::CorruptLog { .. }
            | StoreError::CorruptRecord { .. }
            | StoreError::MissingRecord { .. }),
        ) => Ok(Err(error)),
        Err(StoreError::Io {
            source,
            path,
            action,
        }) if source.kind() == ErrorKind::NotFound => Ok(Err(StoreError::Io {
            action,
            path,
            source,
        })),
        outcome => outcome.map(Ok),
    }
}

/// The file of the log that an error is about.
fn object_of(error: &StoreError, base: CommitNumber) -> String {
    let name = match error {
        StoreError::CorruptLog { path, .. } | StoreError::Io { path, .. } => path.file_name(),
        _ => None,
    };
    let name = name.map(|name| name.to_string_lossy().into_owned());
    format!("log/{}", name.unwrap_or_else(|| frames_name(base)))
}

/// Whether two indexes are of one warehouse: they agree on the versions both know, and know some in common.
fn is_kin(truth: &dyn Index, index: &dyn Index) -> Result<bool, StoreError> {
    let (mut same, mut known, mut differs) = (0, 0, false);
    truth.scan(&everything(), Order::Ascending, &mut |key, value| {
        if let Some(Key::Version { .. }) = Key::decode(key) {
            known += 1;
            match index.get(key)? {
                Some(other) if other == value => same += 1,
                Some(_) => differs = true,
                None => {}
            }
        }
        Ok(match differs || same == KIN_ENOUGH {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    })?;
    Ok(!differs && (same > 0 || known == 0))
}

fn copy(from: &dyn Index, to: &dyn Index) -> Result<(), StoreError> {
    let Some(applied) = from.applied()? else {
        return Ok(());
    };
    from.scan(&everything(), Order::Ascending, &mut |key, value| {
        let change = Change {
            key: key.to_vec(),
            value: Some(value.to_vec().into()),
        };
        to.apply(&[change], applied)?;
        Ok(ControlFlow::Continue(()))
    })
}

/// Copies a file of the log to `damaged-<name>`, where nothing looks for it.
fn keep_aside(disk: &dyn Disk, log_dir: &Path, name: &str) -> Result<(), StoreError> {
    let path = log_dir.join(name);
    if !exists(disk, &path)? {
        return Ok(());
    }
    let mut number = 0;
    let mut aside = log_dir.join(format!("damaged-{name}"));
    while exists(disk, &aside)? {
        number += 1;
        aside = log_dir.join(format!("damaged-{name}-{number}"));
    }
    let from = disk.open(&path, false).map_err(io_error("open", &path))?;
    let staged = log_dir.join("damaged.tmp");
    if exists(disk, &staged)? {
        disk.remove(&staged).map_err(io_error("remove", &staged))?;
    }
    let to = disk
        .open(&staged, true)
        .map_err(io_error("create", &staged))?;
    let (mut piece, mut at) = (vec![0; COPIED_AT_ONCE], 0);
    loop {
        let read = from
            .read_at(&mut piece, at)
            .map_err(io_error("read", &path))?;
        if read == 0 {
            break;
        }
        to.write_at(&piece[..read], at)
            .map_err(io_error("write", &staged))?;
        at += read as u64;
    }
    to.sync_data().map_err(io_error("sync", &staged))?;
    disk.rename(&staged, &aside)
        .map_err(io_error("rename", &staged))?;
    disk.sync_dir(log_dir).map_err(io_error("sync", log_dir))
}
