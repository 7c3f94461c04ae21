//! The commit log: checksummed, chained frames, append-only. The truth, and the operation log.
//!
//! Two files: `frames-N` holds the commits after commit N, `base-N` (absent for N = 0) all live records
//! as of commit N. See format.md, "Commit log".

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::codec::{self, Record, decode_payload};
use super::error::{StoreError, io_error};
use super::index::Change;
use super::reserve::is_full;
use super::seam::{Disk, DiskFile};
use crate::ids::CommitNumber;

/// One commit as it stands in the log: who, when, what was typed, what it changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    pub committed_ms: i64,
    pub user: String,
    /// The statement, cut at a bound.
    pub statement: String,
    pub changes: Vec<Change>,
    /// The last commit that was durable when this one was made. Where a power cut leaves a later commit of a
    /// group and not an earlier one, it tells that from damage.
    pub durable: CommitNumber,
}

impl Record for Frame {
    const KIND: u8 = 0x03;
    const VERSION: u16 = 2;

    fn from_older(version: u16, payload: &[u8]) -> Option<Self> {
        let old: FrameV1 = match version {
            1 => decode_payload(payload)?,
            _ => return None,
        };
        Some(Self {
            committed_ms: old.committed_ms,
            user: old.user,
            statement: old.statement,
            changes: old.changes,
            // Nobody knows: what was before it counts as acknowledged.
            durable: CommitNumber(u64::MAX),
        })
    }
}

#[derive(Deserialize)]
struct FrameV1 {
    committed_ms: i64,
    user: String,
    statement: String,
    changes: Vec<Change>,
}

const FILE_MAGIC: &[u8; 8] = b"ODPSHLOG";
const FILE_VERSION: u32 = 1;
/// Bytes before the first frame.
pub(crate) const FILE_HEADER: u64 = 32;
const FRAME_MAGIC: u32 = 0x4D52_464F; // "OFRM"
const FRAME_HEADER: usize = 24;
/// The largest payload of one frame, in bytes.
pub(crate) const FRAME_MAX: usize = 256 << 20;
/// The file grows by zeroed stretches of this size, so that a commit does not change its length.
const GROWTH: u64 = 1 << 20;
const FIRST_GROWTH: u64 = 64 << 10;
/// It grows by less on a disk that is all but full.
const SMALLEST_GROWTH: u64 = 4 << 10;
const WINDOW: usize = 1 << 20;

/// What stands where the next frame would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Zeroes: the log was left in order.
    Clean,
    /// A frame that was being written; it was never acknowledged unless a witness says so.
    Torn,
}

/// A place between two frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub commit: CommitNumber,
    pub chain: u32,
    /// Where the frame of `commit` begins; 0 at the begin of the file.
    pub frame_offset: u64,
    /// Where the next frame begins.
    pub end_offset: u64,
}

/// The open log.
pub(crate) struct Log {
    dir: PathBuf,
    file: Box<dyn DiskFile>,
    base: CommitNumber,
    place: Place,
    /// Length of the zeroed file.
    allocated: u64,
    /// Frames that are appended but not written.
    buffer: Vec<u8>,
    /// Where `buffer` goes.
    buffer_offset: u64,
}

pub(crate) fn frames_name(base: CommitNumber) -> String {
    format!("frames-{:016}", base.0)
}

impl Log {
    /// Writes an empty log file that follows `base`, durable on return.
    pub(crate) fn create(
        disk: &dyn Disk,
        dir: &Path,
        base: CommitNumber,
        chain: u32,
    ) -> Result<(), StoreError> {
        let path = dir.join(frames_name(base));
        let mut bytes = vec![0; (FILE_HEADER + FIRST_GROWTH) as usize];
        bytes[..8].copy_from_slice(FILE_MAGIC);
        bytes[8..12].copy_from_slice(&FILE_VERSION.to_le_bytes());
        bytes[12..20].copy_from_slice(&base.0.to_le_bytes());
        bytes[20..24].copy_from_slice(&chain.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..24]);
        bytes[24..28].copy_from_slice(&checksum.to_le_bytes());
        super::seam::replace_file(disk, &path, &bytes)
    }

    /// Opens the log file that follows `base`, standing before its first frame.
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        base: CommitNumber,
    ) -> Result<Self, StoreError> {
        let path = dir.join(frames_name(base));
        let file = disk.open(&path, false).map_err(io_error("open", &path))?;
        Self::of_sound_file(file, dir, base)
    }

    /// The same, for reading only.
    pub(crate) fn open_to_read(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        base: CommitNumber,
    ) -> Result<Self, StoreError> {
        let path = dir.join(frames_name(base));
        let file = disk.open_to_read(&path).map_err(io_error("open", &path))?;
        Self::of_sound_file(file, dir, base)
    }

    fn of_sound_file(
        file: Box<dyn DiskFile>,
        dir: &Path,
        base: CommitNumber,
    ) -> Result<Self, StoreError> {
        let path = dir.join(frames_name(base));
        let mut header = [0; FILE_HEADER as usize];
        let read = file
            .read_at(&mut header, 0)
            .map_err(io_error("read", &path))?;
        let stored = u32::from_le_bytes(header[24..28].try_into().expect("four bytes"));
        let sound = read == header.len()
            && &header[..8] == FILE_MAGIC
            && crc32c::crc32c(&header[..24]) == stored
            && header[8..12] == FILE_VERSION.to_le_bytes()
            && header[12..20] == base.0.to_le_bytes();
        if !sound {
            return Err(StoreError::CorruptLog {
                path,
                offset: 0,
                commit: base.next(),
                reason: "the file header does not check out",
            });
        }
        let chain = u32::from_le_bytes(header[20..24].try_into().expect("four bytes"));
        Self::of_file(file, dir, base, chain)
    }

    /// The same for a file whose header is damaged, for reading only; `chain` is what it should say.
    pub(crate) fn open_past(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        base: CommitNumber,
        chain: u32,
    ) -> Result<Self, StoreError> {
        let path = dir.join(frames_name(base));
        let file = disk.open_to_read(&path).map_err(io_error("open", &path))?;
        Self::of_file(file, dir, base, chain)
    }

    fn of_file(
        file: Box<dyn DiskFile>,
        dir: &Path,
        base: CommitNumber,
        chain: u32,
    ) -> Result<Self, StoreError> {
        let path = dir.join(frames_name(base));
        let allocated = file.size().map_err(io_error("read", &path))?;
        let place = Place {
            commit: base,
            chain,
            frame_offset: 0,
            end_offset: FILE_HEADER,
        };
        Ok(Self {
            dir: dir.to_path_buf(),
            file,
            base,
            place,
            allocated,
            buffer: Vec::new(),
            buffer_offset: FILE_HEADER,
        })
    }

    /// A log that stands at `place` and has no file: it can be neither read nor written.
    pub(crate) fn detached(dir: &Path, base: CommitNumber, place: Place) -> Self {
        Self {
            dir: dir.to_path_buf(),
            file: Box::new(NoFile),
            base,
            place,
            allocated: 0,
            buffer: Vec::new(),
            buffer_offset: place.end_offset,
        }
    }

    pub(crate) fn base(&self) -> CommitNumber {
        self.base
    }

    /// Where the log stands: behind the last frame read or appended.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    fn path(&self) -> PathBuf {
        self.dir.join(frames_name(self.base))
    }

    /// Stands behind `place`, if the frame that ends there is the one `place` names.
    pub(crate) fn seek(&mut self, place: Place) -> Result<bool, StoreError> {
        if place.frame_offset == 0 {
            return Ok(place == self.place);
        }
        if place.frame_offset >= self.allocated {
            return Ok(false);
        }
        let mut reader = self.reader(place.frame_offset);
        let found = match reader.header()? {
            Some(header) => {
                header.commit == place.commit
                    && header.checksum == place.chain
                    && place.frame_offset + header.whole_length() as u64 == place.end_offset
                    && reader.payload(&header)?.is_some()
            }
            None => false,
        };
        if found {
            self.place = place;
            self.buffer_offset = place.end_offset;
        }
        Ok(found)
    }

    /// Reads every frame from here to the end, then says what the end looks like.
    ///
    /// # Errors
    /// `CorruptLog` where a frame cannot be read although a later one can.
    pub(crate) fn read_on(
        &mut self,
        visit: &mut dyn FnMut(Place, Frame) -> Result<(), StoreError>,
    ) -> Result<Tail, StoreError> {
        let mut place = self.place;
        let mut reader = self.reader(place.end_offset);
        while let Some(header) = reader.header()? {
            if header.commit != place.commit.next() || header.previous != place.chain {
                break;
            }
            let Some(payload) = reader.payload(&header)? else {
                break;
            };
            let frame: Frame = codec::decode(&header.commit.0.to_be_bytes(), &payload)?;
            place = Place {
                commit: header.commit,
                chain: header.checksum,
                frame_offset: reader.offset,
                end_offset: reader.offset + header.whole_length() as u64,
            };
            reader.offset = place.end_offset;
            visit(place, frame)?;
        }
        let tail = self.inspect_tail(place, &mut reader)?;
        self.place = place;
        self.buffer_offset = place.end_offset;
        Ok(tail)
    }

    fn inspect_tail(&self, place: Place, reader: &mut FrameReader<'_>) -> Result<Tail, StoreError> {
        let start = place.end_offset;
        let damaged = |reason| StoreError::CorruptLog {
            path: self.path(),
            offset: start,
            commit: place.commit.next(),
            reason,
        };
        let mut budget = 4 * self.allocated + FRAME_MAX as u64;
        let mut clean = self.allocated >= start + FRAME_HEADER as u64;
        let mut offset = start;
        while offset < self.allocated {
            let window = reader
                .window(offset, WINDOW.min((self.allocated - offset) as usize))?
                .to_vec();
            if window.iter().all(|byte| *byte == 0) {
                offset += window.len().max(1) as u64;
                continue;
            }
            clean = false;
            let places = window
                .chunks_exact(8)
                .enumerate()
                .filter(|(_, word)| word[..4] == FRAME_MAGIC.to_le_bytes());
            for (number, _) in places {
                let candidate = offset + 8 * number as u64;
                reader.offset = candidate;
                let Some(header) = reader.header()? else {
                    continue;
                };
                let later = header.commit > place.commit && candidate > start;
                if !later {
                    continue;
                }
                // Bytes that look like many long frames would be read again for each of them.
                match budget.checked_sub(u64::from(header.length)) {
                    Some(left) => budget = left,
                    None => return Err(damaged("and what follows it cannot be told apart")),
                }
                let Some(payload) = reader.payload(&header)? else {
                    continue;
                };
                let frame = codec::decode::<Frame>(&header.commit.0.to_be_bytes(), &payload);
                if frame.is_ok_and(|frame| frame.durable > place.commit) {
                    return Err(damaged("although later commits can"));
                }
            }
            offset += window.len() as u64;
        }
        Ok(if clean { Tail::Clean } else { Tail::Torn })
    }

    /// Overwrites a torn tail with zeroes, durable on return.
    pub(crate) fn cut_tail(&mut self) -> Result<(), StoreError> {
        let start = self.place.end_offset;
        self.zero(start, self.allocated)?;
        let end = start + FIRST_GROWTH;
        if end > self.allocated {
            match self.zero(self.allocated, end) {
                Ok(()) => self.allocated = end,
                // There is no room to grow, and no need to before the next commit.
                Err(error) if is_full(&error) => {}
                Err(error) => return Err(error),
            }
        }
        self.make_durable()
    }

    /// Makes the file longer by zeroes, so that `needed` lies in it: by a long stretch, or where there is no room for that, by
    /// a short one. It is done before any frame is written: one that fails for want of room has left nothing then, and
    /// what has to be overwritten later is there.
    fn grow(&mut self, needed: u64) -> Result<(), StoreError> {
        let steps = [GROWTH, FIRST_GROWTH, SMALLEST_GROWTH];
        let mut grown = Ok(());
        for until in steps.map(|step| needed.next_multiple_of(step)) {
            grown = self.zero(self.allocated, until);
            match &grown {
                Ok(()) => {
                    self.allocated = until;
                    break;
                }
                Err(error) if is_full(error) => {}
                Err(_) => break,
            }
        }
        grown
    }

    fn zero(&self, from: u64, until: u64) -> Result<(), StoreError> {
        let zeroes = vec![0; (until - from).min(GROWTH) as usize];
        let mut offset = from;
        while offset < until {
            let length = (until - offset).min(zeroes.len() as u64) as usize;
            self.file
                .write_at(&zeroes[..length], offset)
                .map_err(io_error("write", self.path()))?;
            offset += length as u64;
        }
        Ok(())
    }

    /// Appends a commit to the buffer and returns the place behind it. Not durable before [`Log::sync`].
    ///
    /// # Errors
    /// `CommitTooLarge` beyond [`FRAME_MAX`]; nothing is appended then.
    pub(crate) fn append(&mut self, frame: &Frame) -> Result<Place, StoreError> {
        let commit = self.place.commit.next();
        let payload = codec::encode(&commit.0.to_be_bytes(), frame);
        if payload.len() > FRAME_MAX {
            return Err(StoreError::CommitTooLarge {
                bytes: payload.len(),
                limit: FRAME_MAX,
            });
        }
        let header = FrameHeader::of(commit, self.place.chain, &payload);
        let frame_offset = self.buffer_offset + self.buffer.len() as u64;
        header.write(&mut self.buffer);
        self.buffer.extend_from_slice(&payload);
        let padding = header.whole_length() - FRAME_HEADER - payload.len();
        self.buffer.resize(self.buffer.len() + padding, 0);
        self.place = Place {
            commit,
            chain: header.checksum,
            frame_offset,
            end_offset: frame_offset + header.whole_length() as u64,
        };
        Ok(self.place)
    }

    /// How much was appended and is not written.
    pub(crate) fn unwritten_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Writes what was appended and makes it durable with one sync.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let end = self.buffer_offset + self.buffer.len() as u64;
        if end + FRAME_HEADER as u64 > self.allocated {
            self.grow(end + FRAME_HEADER as u64)?;
        }
        self.file
            .write_at(&self.buffer, self.buffer_offset)
            .map_err(io_error("write", self.path()))?;
        self.make_durable()?;
        self.buffer_offset = end;
        self.buffer.clear();
        Ok(())
    }

    /// Makes durable what the file holds, whoever wrote it.
    pub(crate) fn make_durable(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(io_error("sync", self.path()))
    }

    /// Whether `place` is one in the file.
    pub(crate) fn is_inside(&self, place: Place) -> bool {
        place.end_offset >= FILE_HEADER && place.end_offset <= self.allocated
    }

    /// Stands behind `place`, whatever is there.
    pub(crate) fn stand(&mut self, place: Place) {
        self.place = place;
        self.buffer_offset = place.end_offset;
    }

    /// The commits that can be read somewhere behind `place`.
    pub(crate) fn frames_behind(
        &self,
        place: Place,
    ) -> Result<Vec<(CommitNumber, Frame)>, StoreError> {
        let mut found = Vec::new();
        let mut offset = place.end_offset.max(FILE_HEADER).next_multiple_of(8);
        let mut reader = self.reader(offset);
        while offset + FRAME_HEADER as u64 <= self.allocated {
            reader.offset = offset;
            let header = reader
                .header()?
                .filter(|header| header.commit > place.commit);
            let payload = match &header {
                Some(header) => reader.payload(header)?,
                None => None,
            };
            let (Some(header), Some(payload)) = (header, payload) else {
                offset += 8;
                continue;
            };
            if let Ok(frame) = codec::decode::<Frame>(&header.commit.0.to_be_bytes(), &payload) {
                found.push((header.commit, frame));
            }
            offset += header.whole_length() as u64;
        }
        Ok(found)
    }

    /// Goes back to `place`, the last that was synced, and overwrites what lies behind it, durable on return.
    pub(crate) fn roll_back(&mut self, place: Place) -> Result<(), StoreError> {
        let end = self.buffer_offset + self.buffer.len() as u64;
        self.zero(place.end_offset, end.min(self.allocated))?;
        self.make_durable()?;
        self.buffer.clear();
        self.buffer_offset = place.end_offset;
        self.place = place;
        Ok(())
    }

    fn reader(&self, offset: u64) -> FrameReader<'_> {
        FrameReader {
            log: self,
            offset,
            window_offset: 0,
            window: Vec::new(),
        }
    }
}

/// Stands where there is no file.
struct NoFile;

fn no_file<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

impl DiskFile for NoFile {
    fn size(&self) -> io::Result<u64> {
        no_file()
    }
    fn read_at(&self, _: &mut [u8], _: u64) -> io::Result<usize> {
        no_file()
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        no_file()
    }
    fn set_size(&self, _: u64) -> io::Result<()> {
        no_file()
    }
    fn sync_data(&self) -> io::Result<()> {
        no_file()
    }
    fn try_lock(&self) -> io::Result<bool> {
        no_file()
    }
    fn try_lock_shared(&self) -> io::Result<bool> {
        no_file()
    }
    fn unlock(&self) -> io::Result<()> {
        no_file()
    }
}

struct FrameHeader {
    length: u32,
    commit: CommitNumber,
    /// Chain checksum before this frame.
    previous: u32,
    /// Checksum over the rest of the header and the payload: the chain checksum behind this frame.
    checksum: u32,
}

impl FrameHeader {
    fn of(commit: CommitNumber, previous: u32, payload: &[u8]) -> Self {
        let length = payload.len() as u32;
        let mut header = Self {
            length,
            commit,
            previous,
            checksum: 0,
        };
        header.checksum = header.compute(payload);
        header
    }

    fn compute(&self, payload: &[u8]) -> u32 {
        let sum = crc32c::crc32c(&self.length.to_le_bytes());
        let sum = crc32c::crc32c_append(sum, &self.commit.0.to_le_bytes());
        let sum = crc32c::crc32c_append(sum, &self.previous.to_le_bytes());
        crc32c::crc32c_append(sum, payload)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend(FRAME_MAGIC.to_le_bytes());
        out.extend(self.length.to_le_bytes());
        out.extend(self.commit.0.to_le_bytes());
        out.extend(self.previous.to_le_bytes());
        out.extend(self.checksum.to_le_bytes());
    }

    fn whole_length(&self) -> usize {
        (FRAME_HEADER + self.length as usize).next_multiple_of(8)
    }
}

/// Reads frames through a window, so that small frames do not cost a system call each.
struct FrameReader<'a> {
    log: &'a Log,
    offset: u64,
    window_offset: u64,
    window: Vec<u8>,
}

impl FrameReader<'_> {
    /// Up to `length` bytes at `offset`; fewer at the end of the file.
    fn window(&mut self, offset: u64, length: usize) -> Result<&[u8], StoreError> {
        let held = offset >= self.window_offset
            && offset + length as u64 <= self.window_offset + self.window.len() as u64;
        if !held {
            self.window.resize(length.max(WINDOW), 0);
            let path = self.log.path();
            let read = self
                .log
                .file
                .read_at(&mut self.window, offset)
                .map_err(io_error("read", path))?;
            self.window.truncate(read);
            self.window_offset = offset;
        }
        let start = (offset - self.window_offset) as usize;
        let end = (start + length).min(self.window.len());
        Ok(&self.window[start..end])
    }

    /// The header at the current offset; `None` where there is none that could be ours.
    fn header(&mut self) -> Result<Option<FrameHeader>, StoreError> {
        let remaining = self
            .log
            .allocated
            .saturating_sub(self.offset + FRAME_HEADER as u64);
        let bytes = self.window(self.offset, FRAME_HEADER)?;
        if bytes.len() < FRAME_HEADER || bytes[..4] != FRAME_MAGIC.to_le_bytes() {
            return Ok(None);
        }
        let word =
            |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let commit = u64::from_le_bytes(bytes[8..16].try_into().expect("eight bytes"));
        let header = FrameHeader {
            length: word(4),
            commit: CommitNumber(commit),
            previous: word(16),
            checksum: word(20),
        };
        let possible = header.length as usize <= FRAME_MAX && u64::from(header.length) <= remaining;
        Ok(possible.then_some(header))
    }

    /// The payload behind `header`; `None` where it does not match the checksum.
    fn payload(&mut self, header: &FrameHeader) -> Result<Option<Vec<u8>>, StoreError> {
        let offset = self.offset + FRAME_HEADER as u64;
        let bytes = self.window(offset, header.length as usize)?;
        let sound =
            bytes.len() == header.length as usize && header.compute(bytes) == header.checksum;
        Ok(sound.then(|| bytes.to_vec()))
    }
}
