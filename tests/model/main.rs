//! Random programs run against odpsh and against a naive model that keeps a full copy of every version.
//!
//! After every step: the same tables and histories are listed, every listed version reads the same rows,
//! every unlisted one is refused, every count of holds is right; after a collection nothing is left but what
//! listed versions need, to the byte. `ODPSH_MODEL_CASES=100000 cargo test --release --test model` is the long
//! mode; programs that failed are kept, shrunk, beside this file.

mod model;
mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use model::{Expected, Model, Record, Table};
use odpsh::catalog::Catalog;
use odpsh::clock::ControlledClock;
use odpsh::engine::text::text;
use odpsh::exec::Outcome;
use odpsh::ids::{Lsn, TableId};
use odpsh::session::{Session, Start};
use odpsh::store::seam::{Disk, DiskFile, RealDisk};
use odpsh::store::{
    Holds, Key, KeyRange, Order, Piece, Seam, SegmentRecord, Snapshot, Store, Warehouse, memory,
};
use odpsh::timemachine::collect::count_holds;
use odpsh::timemachine::{Retention, table_at};
use program::{NAMES, PARTS, Step};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestCaseError, TestRunner};

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
struct Unsynced;

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
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for Unsynced {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir(path)
    }
    fn exists(&self, path: &Path) -> bool {
        RealDisk.exists(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(path)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        RealDisk.read(path)
    }
    fn open(&self, path: &Path, create: bool) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(UnsyncedFile(RealDisk.open(path, create)?)))
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
        seam.index = memory::open;
    }
    let warehouse = Warehouse::open(dir, Duration::ZERO, seam).expect("a warehouse");
    let start = shown_time(model.now_ms + 1000);
    let clock = ControlledClock::parse(&start, Tz::UTC).expect("a time");
    Session::new(Start {
        warehouse,
        clock: Box::new(clock),
        user: "owner".into(),
        project: "default".into(),
        zone: Tz::UTC,
        interruptible: false,
        memory_bytes: 1 << 30,
    })
}

fn shown_time(at_ms: i64) -> String {
    let time = chrono::DateTime::from_timestamp_millis(at_ms).expect("a time");
    time.format("%Y-%m-%d %H:%M:%S").to_string()
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
                    .collect_all(true)
                    .map_err(|error| error.to_string())?
                    .rows;
                model.tick();
                let done = current
                    .collect_all(false)
                    .map_err(|error| error.to_string())?
                    .rows;
                if planned != done {
                    return Err(failed(format!("gc: planned {planned:?}, done {done:?}")));
                }
                let _ = writeln!(story, "{} -- gc", shown_time(model.now_ms));
                check_bytes(&current, &model, home.path()).map_err(failed)?;
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

fn listing(
    session: &mut Session,
    model: &mut Model,
    sql: &str,
) -> Result<Vec<Vec<String>>, String> {
    model.tick();
    match session.run(sql).outcome {
        Ok(Outcome::Listing(listing)) => {
            let plain = |value: Option<String>| value.unwrap_or_default();
            let rows = listing.rows.into_iter();
            Ok(rows
                .map(|row| row.into_iter().map(plain).collect())
                .collect())
        }
        Ok(_) => Err(format!("{sql}: no listing")),
        Err(error) => Err(format!("{sql}: {error}")),
    }
}

/// Everything that has to hold after a step.
fn check(session: &mut Session, model: &mut Model, number: usize) -> Result<(), String> {
    let seen = listing(session, model, "show history for tables")?;
    let expected: Vec<Vec<String>> = model
        .listed()
        .into_iter()
        .map(|place| {
            let table = &model.tables[place];
            vec![
                NAMES[table.name].to_owned(),
                format!("{:032x}", table.id),
                "MANAGED_TABLE".to_owned(),
                if table.partitioned { "TRUE" } else { "FALSE" }.to_owned(),
                shown_time(table.created_ms),
                table.dropped_ms.map_or_else(String::new, shown_time),
            ]
        })
        .collect();
    if seen != expected {
        return Err(format!(
            "show history for tables: seen {seen:#?}, expected {expected:#?}"
        ));
    }
    for place in model.listed() {
        let table = &model.tables[place];
        let sql = format!(
            "show history for table {}('id'='{:032x}')",
            NAMES[table.name], table.id
        );
        let id = table.id;
        let seen = match listing(session, model, &sql) {
            Ok(rows) => rows,
            // The clock has moved on: it may just have expired.
            Err(_)
                if !model
                    .listed()
                    .iter()
                    .any(|place| model.tables[*place].id == id) =>
            {
                continue;
            }
            Err(error) => return Err(error),
        };
        let table = &model.tables[place];
        let listed = (0..table.rows.len()).filter(|place| table.is_listed(*place));
        let expected: Vec<Vec<String>> = listed.map(|place| shown_row(table, place)).collect();
        let documented = seen.iter().map(|row| row[..6].to_vec());
        let seen: Vec<Vec<String>> = documented.collect();
        if seen != expected {
            return Err(format!("{sql}: seen {seen:#?}, expected {expected:#?}"));
        }
    }
    check_versions(session, model)?;
    check_past(session, model, number)
}

fn shown_row(table: &Table, place: usize) -> Vec<String> {
    let row = &table.rows[place];
    let (kind, id, name) = match row.part {
        None => ("TABLE", table.id, NAMES[table.name].to_owned()),
        Some(part) => {
            let part = &table.parts[part];
            ("PARTITION", part.id, format!("p={}", PARTS[part.value]))
        }
    };
    vec![
        kind.to_owned(),
        format!("{id:032x}"),
        name,
        format!("{:016}", row.lsn),
        shown_time(row.at_ms),
        row.operation.to_owned(),
    ]
}

fn store_of(session: &Session) -> &Arc<Store> {
    session.store().expect("an open store")
}

/// Every listed version has the model's rows, every other one is refused, and holds are counted right.
fn check_versions(session: &Session, model: &Model) -> Result<(), String> {
    let store = store_of(session);
    let catalog = Catalog::new(store);
    let fail = |error: odpsh::error::Error| error.to_string();
    for place in model.listed() {
        let table = &model.tables[place];
        let id: TableId = format!("{:032x}", table.id).parse().expect("an id");
        let record = catalog
            .table(id)
            .expect("readable")
            .ok_or("a listed table is not there")?;
        let retention = Retention::of(catalog, "default", model.now_ms).map_err(fail)?;
        let window = retention.window(&record);
        for (place, row) in table.rows.iter().enumerate() {
            if !table.is_listed(place) {
                continue;
            }
            let version = catalog
                .require_version(id, Lsn(row.lsn))
                .map_err(|e| e.to_string())?;
            match (&version.content, &row.content) {
                (None, None) => {}
                (Some(seen), Some(expected)) => {
                    let columns = match row.part {
                        None => &table.schemas[&row.schema],
                        Some(_) => &table.schemas[&table.schema],
                    };
                    let ids: Vec<u32> = columns.iter().map(|(id, _)| *id).collect();
                    let Some(seen) = inline_records(store, seen, &ids)? else {
                        continue;
                    };
                    let known = |record: &Record| -> Record {
                        let all = record.iter().filter(|(id, _)| ids.contains(id));
                        all.map(|(id, value)| (*id, value.clone())).collect()
                    };
                    let expected: Vec<Record> = expected.records.iter().map(known).collect();
                    if seen != expected {
                        return Err(format!(
                            "table {} LSN {}: seen {seen:?}, expected {expected:?}",
                            table.id, row.lsn
                        ));
                    }
                }
                _ => return Err(format!("table {} LSN {}: content", table.id, row.lsn)),
            }
        }
        if table.partitioned {
            continue;
        }
        for lsn in 1..=table.last_lsn + 1 {
            let is_listed = table.rows.iter().enumerate().any(|(place, row)| {
                row.lsn == lsn && row.content.is_some() && table.is_listed(place)
            });
            let found = table_at(catalog, (id, &record), Lsn(lsn), window);
            if found.is_ok() != is_listed {
                return Err(format!(
                    "table {} LSN {lsn}: listed {is_listed}, restorable {}",
                    table.id,
                    found.is_ok()
                ));
            }
        }
    }
    for (piece, held) in count_holds(catalog).map_err(fail)? {
        let counted: Option<Holds> = store.get(&piece.holds_key()).map_err(|e| e.to_string())?;
        let counted = 1 + counted.map_or(0, |holds| holds.more);
        if held != counted {
            return Err(format!("{piece:?} is held {held} times, counted {counted}"));
        }
    }
    Ok(())
}

/// The rows of a snapshot by column id; `None` where some of them are in files.
fn inline_records(
    store: &Store,
    snapshot: &Snapshot,
    ids: &[u32],
) -> Result<Option<Vec<Record>>, String> {
    let mut records = Vec::new();
    for segment in snapshot
        .segments(store)
        .map_err(|error| error.to_string())?
    {
        let record: SegmentRecord = store
            .require(&Key::Segment(segment.id))
            .map_err(|error| error.to_string())?;
        let Some(batch) = record
            .inline_batch(segment.id)
            .map_err(|error| error.to_string())?
        else {
            return Ok(None);
        };
        for row in 0..batch.num_rows() {
            let value =
                |id: &u32| Some((*id, text(batch.column_by_name(&format!("c{id}"))?, row)?));
            records.push(ids.iter().filter_map(value).collect());
        }
    }
    Ok(Some(records))
}

/// A query of the past, through the engine: of one table a step.
fn check_past(session: &mut Session, model: &mut Model, number: usize) -> Result<(), String> {
    let name = number % NAMES.len();
    let Some(place) = model.live(name) else {
        return Ok(());
    };
    let lsn = 1 + (number as u64 * 7) % (model.tables[place].last_lsn + 1);
    let sql = format!("select * from {} version as of {lsn}", NAMES[name]);
    model.tick();
    let expected = model.read_at(place, lsn);
    let seen = session.run(&sql).outcome;
    let (seen, mut expected) = match (seen, expected) {
        (Ok(Outcome::Rows(set)), Ok((_, rows))) => (set, rows),
        (Err(_), Err(_)) => return Ok(()),
        (Err(error), Ok(_)) => return Err(format!("{sql}: {error}")),
        _ => return Err(format!("{sql}: it should be refused")),
    };
    let mut rows: Vec<Vec<Option<String>>> = Vec::new();
    for batch in &seen.batches {
        for row in 0..batch.num_rows() {
            rows.push(
                batch
                    .columns()
                    .iter()
                    .map(|array| text(array, row))
                    .collect(),
            );
        }
    }
    rows.sort();
    expected.sort();
    if rows != expected {
        return Err(format!("{sql}: seen {rows:?}, expected {expected:?}"));
    }
    Ok(())
}

/// After a collection: what is there is what listed versions need, and nothing else.
fn check_bytes(session: &Session, model: &Model, home: &Path) -> Result<(), String> {
    let store = store_of(session);
    let catalog = Catalog::new(store);
    let mut needed: BTreeSet<Piece> = BTreeSet::new();
    let mut versions = 0;
    for (id, _) in catalog.all_tables().map_err(|error| error.to_string())? {
        for (_, version) in catalog.versions(id).map_err(|error| error.to_string())? {
            versions += 1;
            if let Some(content) = version.content {
                needed.extend(content.pieces(store).map_err(|error| error.to_string())?);
            }
        }
    }
    let listed: usize = model
        .listed()
        .into_iter()
        .map(|place| {
            let table = &model.tables[place];
            (0..table.rows.len())
                .filter(|place| table.is_listed(*place))
                .count()
        })
        .sum();
    if versions != listed {
        return Err(format!(
            "{versions} versions are there, {listed} are listed"
        ));
    }
    let mut there: BTreeMap<String, Option<u64>> = BTreeMap::new();
    let mut expected: BTreeMap<String, Option<u64>> = BTreeMap::new();
    for piece in &needed {
        match piece {
            Piece::Segment {
                id,
                size_bytes,
                inline,
            } => {
                expected.insert(format!("segment {id}"), None);
                if !inline {
                    expected.insert(format!("{id}.parquet"), Some(*size_bytes));
                }
            }
            Piece::Node(id) => {
                expected.insert(format!("node {id}"), None);
            }
        }
    }
    let scan = |range: KeyRange, there: &mut BTreeMap<String, Option<u64>>| {
        store.scan_keys(&range, Order::Ascending, |key| {
            match key {
                Key::Segment(id) => there.insert(format!("segment {id}"), None),
                Key::Node(id) => there.insert(format!("node {id}"), None),
                _ => None,
            };
            ControlFlow::Continue(())
        })
    };
    scan(KeyRange::segments(), &mut there).map_err(|error| error.to_string())?;
    scan(KeyRange::nodes(), &mut there).map_err(|error| error.to_string())?;
    for entry in std::fs::read_dir(home.join("data")).map_err(|error| error.to_string())? {
        let entry = entry.map_err(|error| error.to_string())?;
        let size_bytes = entry.metadata().map_err(|error| error.to_string())?.len();
        there.insert(
            entry.file_name().to_string_lossy().into_owned(),
            Some(size_bytes),
        );
    }
    if there != expected {
        return Err(format!("there {there:?}, needed {expected:?}"));
    }
    Ok(())
}
