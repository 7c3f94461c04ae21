//! Random programs, with everything checked after every step.
//!
//! `ODPSH_MODEL_CASES=100000 cargo test --release --test model random` is the long mode; programs that failed are
//! kept, shrunk, beside this file.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use odpsh::clock::ControlledClock;
use odpsh::session::{Session, Start};
use odpsh::store::seam::{Disk, DiskFile, RealDisk};
use odpsh::store::{Seam, Warehouse, memory};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};

use crate::check::{check, check_bytes, shown_time};
use crate::model::{Expected, Model};
use crate::program::{self, Step};

const START_MS: i64 = 1_582_000_000_000;
const STEPS_MAX: usize = 40;
const CASES: u32 = 2000;

#[test]
fn history_is_what_the_model_says() {
    let cases = std::env::var("ODPSH_MODEL_CASES");
    let cases = cases
        .ok()
        .and_then(|cases| cases.parse().ok())
        .unwrap_or(CASES);
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| run_programs(cases.div_ceil(threads)));
        }
    });
}

fn run_programs(cases: u32) {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/model/regressions.txt");
    let config = Config {
        cases,
        max_shrink_iters: 4000,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(kept))),
        ..Config::default()
    };
    let programs = (prop::collection::vec(program::step(), 1..STEPS_MAX), 0u8..8);
    let outcome = TestRunner::new(config).run(&programs, |(steps, index)| {
        run(&steps, index == 0).map_err(TestCaseError::fail)
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// The real files, without waiting for the disk.
#[derive(Debug)]
pub struct Unsynced;

struct UnsyncedFile(Box<dyn DiskFile>);

impl DiskFile for UnsyncedFile {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_at(bytes, offset)
    }
    fn set_size(&self, size_bytes: u64) -> io::Result<()> {
        self.0.set_size(size_bytes)
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn try_lock(&self) -> io::Result<bool> {
        self.0.try_lock()
    }
    fn try_lock_shared(&self) -> io::Result<bool> {
        self.0.try_lock_shared()
    }
    fn unlock(&self) -> io::Result<()> {
        self.0.unlock()
    }
}

impl Disk for Unsynced {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir(path)
    }
    fn absolute(&self, path: &Path) -> io::Result<PathBuf> {
        RealDisk.absolute(path)
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        RealDisk.exists(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(path)
    }
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(UnsyncedFile(RealDisk.open(path, create)?)))
    }
    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(UnsyncedFile(RealDisk.open_to_read(path)?)))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove_dir(path)
    }
    fn sync_file(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

fn open(dir: &Path, model: &Model, on_sled: bool) -> Session {
    let mut seam = Seam::real();
    seam.disk = Arc::new(Unsynced);
    if !on_sled {
        seam.index = Arc::new(memory::open);
    }
    let warehouse = Warehouse::open(dir, Duration::ZERO, seam).expect("a warehouse");
    let start = shown_time(model.now_ms + 1000);
    let clock = ControlledClock::parse(&start, Tz::UTC).expect("a time");
    Session::new(Start {
        warehouse: Arc::new(warehouse),
        clock: Box::new(clock),
        user: "owner".into(),
        project: "default".into(),
        zone: Tz::UTC,
        interrupt: odpsh::interrupt::Interrupt::never(),
        memory_bytes: 1 << 30,
    })
}

fn run(steps: &[Step], on_sled: bool) -> Result<(), String> {
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut model = Model::new(START_MS);
    let mut session = Some(open(home.path(), &model, on_sled));
    let mut story = String::new();
    let begin = [false, true].map(|partitioned| Step::Create {
        name: u8::from(partitioned),
        partitioned,
    });
    for (number, step) in begin.iter().chain(steps).enumerate() {
        let before = story.clone();
        let failed = |what: String| format!("{before}step {number}: {what}");
        let mut current = session.take().expect("a session");
        match model.step(step) {
            Expected::Nothing => {
                session = Some(current);
                continue;
            }
            Expected::Statement(sql, done) => {
                let shown: String = sql.chars().take(120).collect();
                let seen = current.run(&sql).outcome;
                let outcome = match (&seen, &done) {
                    (Ok(_), Ok(())) => "OK".to_owned(),
                    (Err(error), Err(_)) => error.to_string(),
                    (Ok(_), Err(_)) => return Err(failed(format!("{shown}: it should fail"))),
                    (Err(error), Ok(())) => return Err(failed(format!("{shown}: {error}"))),
                };
                let _ = writeln!(story, "{} {shown}; -- {outcome}", shown_time(model.now_ms));
            }
            Expected::Collect => {
                let planned = current
                    .collect_all(true, false)
                    .map_err(|error| error.to_string())?
                    .0
                    .rows;
                model.tick();
                let done = current
                    .collect_all(false, false)
                    .map_err(|error| error.to_string())?
                    .0
                    .rows;
                if planned != done {
                    return Err(failed(format!("gc: planned {planned:?}, done {done:?}")));
                }
                let _ = writeln!(story, "{} -- gc", shown_time(model.now_ms));
                check_bytes(&current, &model, &files(&home.path().join("data"))).map_err(failed)?;
            }
            Expected::Reopen { without_index } => {
                current.close().map_err(|error| error.to_string())?;
                if without_index {
                    let _ = std::fs::remove_dir_all(home.path().join("catalog"));
                }
                current = open(home.path(), &model, on_sled);
                let _ = writeln!(story, "-- reopen");
            }
        }
        let checked = check(&mut current, &mut model, number);
        checked.map_err(|what| format!("{story}after step {number}: {what}"))?;
        session = Some(current);
    }
    if std::env::var_os("ODPSH_MODEL_STORY").is_some() {
        eprintln!("{story}");
    }
    Ok(())
}

/// The files of a folder and their sizes.
fn files(folder: &Path) -> BTreeMap<String, u64> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let sized = entries.map(|entry| {
        let entry = entry.expect("an entry");
        let size_bytes = entry.metadata().expect("readable").len();
        (entry.file_name().to_string_lossy().into_owned(), size_bytes)
    });
    sized.collect()
}
