//! Opening a store: find the log, verify its tail, bring the index to its end.
//!
//! ```text
//! log    base-N | f(N+1) f(N+2) ... f(k) ... f(m) | zeroes        f(m+1) half written: torn, cut
//! index                          applied = k                      replay k+1..m
//! ```
//! The index is rebuilt where it is missing, will not open, is not sound, or does not lie on the log's
//! chain. The log is never corrected by the index.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::base;
use super::codec;
use super::error::{StoreError, io_error};
use super::index::{Applied, Change, Digest, Index, Order};
use super::keys::{self, Key, KeyRange};
use super::lock::{LastOwner, LockMarker, is_refusal};
use super::log::{Log, Place, Tail, frames_name};
use super::seam::{Seam, exists};
use super::segment::{self, Body, SegmentRecord};
use super::{Counters, memory};
use crate::ids::{CommitNumber, SegmentId};

/// Changes that are applied to the index in one transaction while replaying.
const REPLAY_GROUP: usize = 4000;
/// So often what an owner may be changing is looked at again.
const UNLOCKED_TRIES: u32 = 5;
const UNLOCKED_PAUSE: Duration = Duration::from_millis(20);

/// What a store is made of, opened.
pub(crate) struct Parts {
    pub log: Log,
    pub index: Box<dyn Index>,
    pub counters: Counters,
    /// The index is the one in the folder, rather than one in memory.
    pub in_place: bool,
    /// The index is not as its last owner closed it.
    pub has_changed: bool,
    /// Data files may have been removed.
    pub is_unlinked: bool,
    /// For the user to know.
    pub notices: Vec<String>,
}

impl Parts {
    fn new(log: Log, attached: Attached, notices: Vec<String>) -> Result<Self, StoreError> {
        let Attached {
            index,
            in_place,
            has_changed,
        } = attached;
        let counters = match index.get(&Key::Counters.encode())? {
            Some(bytes) => codec::decode(&Key::Counters.encode(), &bytes)?,
            None => Counters::default(),
        };
        Ok(Self {
            log,
            index,
            counters,
            in_place,
            has_changed,
            is_unlinked: false,
            notices,
        })
    }
}

/// Opens what is in `dir` for its owner. `marker` makes durable that it is held.
pub(crate) fn open(
    dir: &Path,
    seam: &Seam,
    last_owner: LastOwner,
    marker: Option<&LockMarker>,
) -> Result<Parts, StoreError> {
    let was_closed = last_owner != LastOwner::Unknown;
    match open_as_left(dir, seam, last_owner, marker, !was_closed) {
        // The index is not as it was closed.
        Err(
            StoreError::CorruptRecord { .. }
            | StoreError::Index { .. }
            | StoreError::IndexRefused { .. },
        ) if was_closed => open_as_left(dir, seam, last_owner, marker, true),
        opened => opened,
    }
}

/// The same; `closely` does not take on trust what its last owner left.
fn open_as_left(
    dir: &Path,
    seam: &Seam,
    last_owner: LastOwner,
    marker: Option<&LockMarker>,
    closely: bool,
) -> Result<Parts, StoreError> {
    let log_dir = dir.join("log");
    if closely {
        // From here on it is changed, and a power cut must not bring back the word that it is closed.
        marker.map_or(Ok(()), LockMarker::sync)?;
        // Its last owner may have ended before the names of its files were durable.
        let above = dir.parent();
        for folder in [Some(dir), Some(&log_dir), above].into_iter().flatten() {
            let synced = seam.disk.sync_dir(folder);
            synced.map_err(io_error("sync", folder))?;
        }
    }
    let base = find_base(seam, &log_dir)?;
    let mut notices = Vec::new();
    let mut log = Log::open(&seam.disk, &log_dir, base)?;
    if closely {
        // What is read from now on is there to stay: its last owner may have ended before the sync.
        log.make_durable()?;
    }
    let attached = attach_index(dir, seam, &mut log, last_owner, closely, &mut notices)?;
    if closely {
        remove_orphans(seam, dir, &*attached.index)?;
    }
    Ok(Parts {
        is_unlinked: closely,
        ..Parts::new(log, attached, notices)?
    })
}

/// Opens what its last owner closed in order, in place and without a change, for one who reads it and is alone
/// meanwhile.
///
/// # Errors
/// `Index` and what is damaged, where it is not exactly as it was closed.
pub(crate) fn open_as_closed(
    dir: &Path,
    seam: &Seam,
    closed: CommitNumber,
) -> Result<Parts, StoreError> {
    let refused = |reason: &str| StoreError::Index {
        action: "be used",
        reason: reason.into(),
    };
    let (log_dir, catalog) = (dir.join("log"), dir.join("catalog"));
    let mut log = Log::open_to_read(&seam.disk, &log_dir, newest_base(seam, &log_dir)?)?;
    if !exists(&*seam.disk, &catalog)? {
        return Err(refused("it is missing"));
    }
    seam.disk
        .list(&catalog)
        .map_err(io_error("read", &catalog))?;
    let index = (seam.index)(&catalog, &seam.disk)?;
    let Some(applied) = index.applied()? else {
        return Err(refused("it is empty"));
    };
    let is_as_closed = applied.commit == closed
        && applied.base == log.base()
        && stand_at(seam, &log_dir, &mut log, &applied)?
        && log.read_on(&mut |_, _| Ok(()))? == Tail::Clean
        && log.place().commit == closed;
    if !is_as_closed {
        return Err(refused("it is not as it was closed"));
    }
    let attached = Attached {
        index,
        in_place: true,
        has_changed: false,
    };
    Parts::new(log, attached, Vec::new())
}

/// Opens what is in `dir` for one who can change nothing: the index is built in memory, from the log as far as it is
/// whole. An end that was being written when its owner died is left out, and left alone.
///
/// `is_locked`: nobody changes anything meanwhile. Otherwise an owner may be at work, and what seems damaged is looked
/// at again.
pub(crate) fn open_to_read(
    dir: &Path,
    seam: &Seam,
    last_owner: LastOwner,
    is_locked: bool,
) -> Result<Parts, StoreError> {
    let mut tries = 0..if is_locked { 0 } else { UNLOCKED_TRIES };
    loop {
        match open_private(dir, seam, last_owner) {
            Err(_) if tries.next().is_some() => std::thread::sleep(UNLOCKED_PAUSE),
            opened => return opened,
        }
    }
}

fn open_private(dir: &Path, seam: &Seam, last_owner: LastOwner) -> Result<Parts, StoreError> {
    let log_dir = dir.join("log");
    let base = existing_base(seam, &log_dir)?;
    if last_owner == LastOwner::Unknown {
        // Its last owner may have ended before the sync. Where nothing can be synced, what is there is all there is.
        let _ = seam.disk.sync_file(&log_dir.join(frames_name(base)));
    }
    let mut log = Log::open_to_read(&seam.disk, &log_dir, base)?;
    let index = memory::open(dir, &seam.disk)?;
    if base != CommitNumber(0) {
        load_base(seam, &log_dir, base, log.place(), &*index)?;
    }
    replay(&mut log, &*index, None)?;
    expect_acknowledged(&log, witness(None, last_owner), &log_dir)?;
    let attached = Attached {
        index,
        in_place: false,
        has_changed: false,
    };
    Parts::new(log, attached, Vec::new())
}

/// An index that stands at the end of the log.
pub(crate) struct Attached {
    pub index: Box<dyn Index>,
    /// It is the one in the folder.
    pub in_place: bool,
    /// It is not as its last owner closed it.
    pub has_changed: bool,
}

/// Opens the index, or builds it anew, and brings it and `log` to the end of the log. Where the folder takes none, because
/// the disk is full or another process has it open, one in memory does until the next start.
pub(crate) fn attach_index(
    dir: &Path,
    seam: &Seam,
    log: &mut Log,
    last_owner: LastOwner,
    closely: bool,
    notices: &mut Vec<String>,
) -> Result<Attached, StoreError> {
    let log_dir = dir.join("log");
    let base = log.base();
    let catalog = dir.join("catalog");
    let existed = exists(&*seam.disk, &catalog)?;
    let mut is_refused = false;
    let opened = if existed {
        // Refuses a link.
        let listed = seam.disk.list(&catalog);
        listed.map_err(io_error("read", &catalog))?;
        match open_index(seam, &catalog, closely, notices) {
            Err(error @ StoreError::IndexRefused { .. }) if closely => {
                notices.push(error.to_string());
                is_refused = true;
                None
            }
            opened => opened?,
        }
    } else {
        None
    };
    let is_as_closed = opened
        .as_ref()
        .is_some_and(|(_, applied)| last_owner == LastOwner::Closed(applied.commit));
    if !closely && !is_as_closed {
        return Err(StoreError::Index {
            action: "be used",
            reason: "it is not as it was closed".into(),
        });
    }
    let in_step = match &opened {
        Some((_, applied)) => stand_at(seam, &log_dir, log, applied)?,
        None => false,
    };
    // A sound index that stands at the right file and at a commit that is not in it: one of both is of another
    // warehouse, or the log is damaged. Nobody is to guess which.
    if let Some((_, applied)) = &opened
        && !in_step
        && applied.base == base
    {
        return Err(StoreError::CorruptLog {
            path: log_dir.join(frames_name(base)),
            offset: applied.frame_offset,
            commit: applied.commit,
            reason: "and the index in catalog knows it",
        });
    }
    let witnessed = witness(opened.as_ref().map(|(_, applied)| *applied), last_owner);
    if let Some((index, applied)) = opened {
        if in_step {
            match replay(log, &*index, Some(applied)) {
                Ok(tail) => {
                    settle_tail(log, tail, witnessed, &log_dir)?;
                    let has_changed = applied.base != base || applied.commit != log.place().commit;
                    return Ok(Attached {
                        index,
                        in_place: true,
                        has_changed,
                    });
                }
                Err(error) if is_of_index(&error) => notices.push(error.to_string()),
                Err(error) => return Err(error),
            }
            is_refused = true;
        } else {
            notices.push("the index does not match the commit log; rebuilding it".to_owned());
        }
    }
    *log = Log::open(&seam.disk, &log_dir, base)?;
    verify(seam, &log_dir, log, witnessed)?;
    let rebuilt = match is_refused {
        true => None,
        false => match rebuild(seam, &log_dir, &catalog, base) {
            Ok(index) => Some(index),
            Err(error) if is_of_index(&error) => {
                notices.push(error.to_string());
                // Half an index is of no use, and takes room.
                let _ = seam.disk.remove_dir(&catalog);
                None
            }
            Err(error) => return Err(error),
        },
    };
    let in_place = rebuilt.is_some();
    let index = match rebuilt {
        Some(index) => index,
        None => {
            notices.push("until the next start the index is kept in memory".to_owned());
            let index = memory::open(&catalog, &seam.disk)?;
            build(seam, &log_dir, base, &*index)?;
            index
        }
    };
    Ok(Attached {
        index,
        in_place,
        has_changed: true,
    })
}

/// Finds the newest base (0 for none) and removes what a rewriting that was cut short left behind.
fn find_base(seam: &Seam, log_dir: &Path) -> Result<CommitNumber, StoreError> {
    let base = existing_base(seam, log_dir)?;
    let others = other_logs(seam, log_dir, base)?;
    if !others.is_empty() && base != CommitNumber(0) {
        // They go once what takes their place has been read.
        base::read(&*seam.disk, log_dir, base, &mut |_| Ok(()))?;
    }
    remove_files(seam, others)?;
    Ok(base)
}

/// The newest base (0 for none), whose file of frames is there.
fn existing_base(seam: &Seam, log_dir: &Path) -> Result<CommitNumber, StoreError> {
    let base = newest_base(seam, log_dir)?;
    let missing = |name: String, commit| {
        Err(StoreError::CorruptLog {
            path: log_dir.join(name),
            offset: 0,
            commit,
            reason: "the file is missing",
        })
    };
    if !exists(&*seam.disk, &log_dir.join(frames_name(base)))? {
        return match newest_frames(seam, log_dir)? {
            Some(newest) if newest > base => missing(base::base_name(newest), newest),
            _ => missing(frames_name(base), base.next()),
        };
    }
    Ok(base)
}

/// The commit that the newest file of frames follows.
pub(crate) fn newest_frames(
    seam: &Seam,
    log_dir: &Path,
) -> Result<Option<CommitNumber>, StoreError> {
    let names = seam.disk.list(log_dir).map_err(io_error("read", log_dir))?;
    let numbers = names.iter().filter_map(|name| {
        let number = CommitNumber(name.strip_prefix("frames-")?.parse().ok()?);
        (frames_name(number) == *name).then_some(number)
    });
    Ok(numbers.max())
}

/// The commit of the newest base; 0 where there is none.
pub(crate) fn newest_base(seam: &Seam, log_dir: &Path) -> Result<CommitNumber, StoreError> {
    let names = seam.disk.list(log_dir).map_err(io_error("read", log_dir))?;
    let number = |name: &str, prefix: &str| {
        let number = name.strip_prefix(prefix)?.parse::<u64>().ok()?;
        (base::base_name(CommitNumber(number)) == name).then_some(number)
    };
    let base = names
        .iter()
        .filter_map(|name| number(name, "base-"))
        .max()
        .unwrap_or(0);
    Ok(CommitNumber(base))
}

/// Removes what is not the log that follows `base`.
pub(crate) fn remove_other_logs(
    seam: &Seam,
    log_dir: &Path,
    base: CommitNumber,
) -> Result<(), StoreError> {
    remove_files(seam, other_logs(seam, log_dir, base)?)
}

fn other_logs(seam: &Seam, log_dir: &Path, base: CommitNumber) -> Result<Vec<PathBuf>, StoreError> {
    let own = [frames_name(base), base::base_name(base)];
    let names = seam.disk.list(log_dir).map_err(io_error("read", log_dir))?;
    let others = names.into_iter().filter(|name| {
        let ours = name.starts_with("base-") || name.starts_with("frames-");
        ours && !own.contains(name)
    });
    Ok(others.map(|name| log_dir.join(name)).collect())
}

fn remove_files(seam: &Seam, paths: Vec<PathBuf>) -> Result<(), StoreError> {
    for path in paths {
        seam.disk.remove(&path).map_err(io_error("remove", &path))?;
    }
    Ok(())
}

pub(crate) type Opened = (Box<dyn Index>, Applied);

/// Opens the index; `None` where it has to be rebuilt. `closely` compares it with its own digest.
///
/// # Errors
/// `IndexRefused` where nothing is wrong with it.
pub(crate) fn open_index(
    seam: &Seam,
    catalog: &Path,
    closely: bool,
    notices: &mut Vec<String>,
) -> Result<Option<Opened>, StoreError> {
    let examined = (seam.index)(catalog, &seam.disk).and_then(|index| {
        let applied = index.applied()?;
        let sound = !closely || is_sound(&*index, applied)?;
        Ok((index, applied, sound))
    });
    match examined {
        Ok((index, Some(applied), true)) => Ok(Some((index, applied))),
        Ok((_, None, _)) => Ok(None),
        Ok((_, Some(_), false)) => {
            notices.push("the index is damaged; rebuilding it from the commit log".to_owned());
            Ok(None)
        }
        Err(error @ StoreError::IndexRefused { .. }) => Err(error),
        Err(error) => {
            notices.push(format!("{error}; rebuilding it from the commit log"));
            Ok(None)
        }
    }
}

/// Compares the digest the index carries with its records.
fn is_sound(index: &dyn Index, applied: Option<Applied>) -> Result<bool, StoreError> {
    let Some(applied) = applied else {
        return Ok(false);
    };
    let mut digest = Digest::default();
    let mut sound = true;
    let everything = KeyRange {
        from: Vec::new(),
        until: vec![0xFF],
    };
    index.scan(&everything, Order::Ascending, &mut |key, value| {
        sound &= codec::is_sound(key, value);
        digest.add(key, value, value.len());
        Ok(std::ops::ControlFlow::Continue(()))
    })?;
    Ok(sound && digest == applied.digest)
}

/// Moves the log behind the last applied frame; false where that frame is not in the log.
pub(crate) fn stand_at(
    seam: &Seam,
    log_dir: &Path,
    log: &mut Log,
    applied: &Applied,
) -> Result<bool, StoreError> {
    if applied.base == log.base() {
        return log.seek(Place {
            commit: applied.commit,
            chain: applied.chain,
            frame_offset: applied.frame_offset,
            end_offset: applied.end_offset,
        });
    }
    // The base was rewritten and the process ended before the index heard of it.
    let begin = log.place();
    let rewritten = exists(&*seam.disk, &log_dir.join(base::base_name(log.base())))?;
    Ok(rewritten && applied.commit == begin.commit && applied.chain == begin.chain)
}

/// The highest commit somebody outside the log knows of.
pub(crate) fn witness(applied: Option<Applied>, last_owner: LastOwner) -> CommitNumber {
    let closed = match last_owner {
        LastOwner::Closed(commit) => commit,
        LastOwner::Unknown => CommitNumber(0),
    };
    closed.max(applied.map_or(CommitNumber(0), |applied| applied.commit))
}

/// Cuts a torn tail; refuses where commits are missing that had been acknowledged.
fn settle_tail(
    log: &mut Log,
    tail: Tail,
    witnessed: CommitNumber,
    log_dir: &Path,
) -> Result<(), StoreError> {
    expect_acknowledged(log, witnessed, log_dir)?;
    if tail == Tail::Clean {
        return Ok(());
    }
    log.cut_tail()
}

/// Refuses a log that ends before a commit that somebody knows of.
fn expect_acknowledged(
    log: &Log,
    witnessed: CommitNumber,
    log_dir: &Path,
) -> Result<(), StoreError> {
    let place = log.place();
    if witnessed <= place.commit {
        return Ok(());
    }
    Err(StoreError::CorruptLog {
        path: log_dir.join(frames_name(log.base())),
        offset: place.end_offset,
        commit: place.commit.next(),
        reason: "although it had been acknowledged",
    })
}

/// Applies every frame from where the log stands to its end.
fn replay(log: &mut Log, index: &dyn Index, start: Option<Applied>) -> Result<Tail, StoreError> {
    let base = log.base();
    let mut group: Vec<Change> = Vec::new();
    let mut last = None;
    let tail = log.read_on(&mut |place, frame| {
        check_values(&frame.changes)?;
        group.extend(frame.changes);
        last = Some(place);
        if group.len() >= REPLAY_GROUP {
            index.apply(&group, position(base, place))?;
            group.clear();
        }
        Ok(())
    })?;
    match last {
        Some(place) => index.apply(&group, position(base, place))?,
        None if start.is_some_and(|applied| applied.base == base) => {}
        None => index.apply(&[], position(base, log.place()))?,
    }
    Ok(tail)
}

/// Lets only records of ours into the index, which has forms of its own.
pub(crate) fn check_values(changes: &[Change]) -> Result<(), StoreError> {
    for Change { key, value } in changes {
        if let Some(value) = value
            && !codec::is_sound(key, value)
        {
            return Err(StoreError::CorruptRecord {
                key: keys::describe(key),
                reason: "it is no record".into(),
            });
        }
    }
    Ok(())
}

/// The index position that belongs to a place in the log.
pub(crate) fn position(base: CommitNumber, place: Place) -> Applied {
    Applied {
        commit: place.commit,
        chain: place.chain,
        base,
        frame_offset: place.frame_offset,
        end_offset: place.end_offset,
        digest: Digest::default(),
    }
}

/// Puts the records of a base into an index. Until all of them are there the index stands nowhere: a process that ends in
/// between leaves no half of a base.
pub(crate) fn load_base(
    seam: &Seam,
    log_dir: &Path,
    base: CommitNumber,
    begin: Place,
    index: &dyn Index,
) -> Result<(), StoreError> {
    let nowhere = Place {
        commit: CommitNumber(0),
        chain: !begin.chain,
        ..begin
    };
    let end = base::read(&*seam.disk, log_dir, base, &mut |changes| {
        check_values(&changes)?;
        index.apply(&changes, position(CommitNumber(u64::MAX), nowhere))
    })?;
    let digest = index
        .applied()?
        .map_or(Digest::default(), |applied| applied.digest);
    if end.chain != begin.chain || end.digest != digest {
        return Err(StoreError::CorruptLog {
            path: log_dir.join(base::base_name(base)),
            offset: 0,
            commit: base,
            reason: "the base is not complete",
        });
    }
    Ok(())
}

/// Reads the whole log before anything is built on it.
fn verify(
    seam: &Seam,
    log_dir: &Path,
    log: &mut Log,
    witnessed: CommitNumber,
) -> Result<(), StoreError> {
    let tail = log.read_on(&mut |_, _| Ok(()))?;
    settle_tail(log, tail, witnessed, log_dir)?;
    if log.base() != CommitNumber(0) {
        base::read(&*seam.disk, log_dir, log.base(), &mut |_| Ok(()))?;
    }
    Ok(())
}

/// Builds a new index in its folder.
fn rebuild(
    seam: &Seam,
    log_dir: &Path,
    catalog: &Path,
    base: CommitNumber,
) -> Result<Box<dyn Index>, StoreError> {
    if exists(&*seam.disk, catalog)? {
        seam.disk
            .remove_dir(catalog)
            .map_err(io_error("remove", catalog))?;
    }
    let index = (seam.index)(catalog, &seam.disk)?;
    build(seam, log_dir, base, &*index)?;
    index.checkpoint()?;
    Ok(index)
}

/// Fills an empty index from base and log.
fn build(
    seam: &Seam,
    log_dir: &Path,
    base: CommitNumber,
    index: &dyn Index,
) -> Result<(), StoreError> {
    let mut log = Log::open_to_read(&seam.disk, log_dir, base)?;
    if base != CommitNumber(0) {
        load_base(seam, log_dir, base, log.place(), index)?;
    }
    replay(&mut log, index, None).map(drop)
}

/// Whether an error says that the folder does not take what has to be written into it.
pub(crate) fn is_refused(error: &StoreError) -> bool {
    match error {
        StoreError::IndexRefused { .. } => true,
        StoreError::Io { source, .. } => is_refusal(source.kind()),
        _ => false,
    }
}

/// Whether an error is about the index alone, which can do without its folder, or about room.
pub(crate) fn is_of_index(error: &StoreError) -> bool {
    matches!(error, StoreError::Index { .. }) || is_refused(error)
}

/// Whether a record says that there is a file for that segment. The number alone does not: it may have been given
/// again after a commit that was lost.
fn has_file(index: &dyn Index, id: SegmentId) -> Result<bool, StoreError> {
    let key = Key::Segment(id).encode();
    Ok(match index.get(&key)? {
        Some(bytes) => {
            let record: SegmentRecord = codec::decode(&key, &bytes)?;
            matches!(record.body, Body::Parquet { .. })
        }
        None => false,
    })
}

/// Removes data files that no segment record names: a crash or a failure before their commit left them.
pub(super) fn remove_orphans(seam: &Seam, dir: &Path, index: &dyn Index) -> Result<(), StoreError> {
    let data = dir.join("data");
    for name in seam.disk.list(&data).map_err(io_error("read", &data))? {
        // The object store stages an upload as `name#number`.
        let segment = segment::id_of_file(name.split('#').next().unwrap_or_default());
        let Some(id) = segment else { continue };
        let staged = name.contains('#');
        let path = data.join(&name);
        // A folder is not ours, whatever its name.
        if (staged || !has_file(index, id)?) && seam.disk.list(&path).is_err() {
            seam.disk.remove(&path).map_err(io_error("remove", &path))?;
        }
    }
    Ok(())
}
