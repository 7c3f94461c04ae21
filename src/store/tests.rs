//! The store on its own: the same tests on sled and in memory, damage in every kind of file, crashes.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::{Int64Array, RecordBatch, StringViewArray};
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::*;
use crate::ids::TableId;

/// A record to store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    text: String,
}

impl Record for Note {
    const KIND: u8 = 0x7E;
    const VERSION: u16 = 1;
}

fn note(text: &str) -> Note {
    Note {
        text: text.to_owned(),
    }
}

fn key(number: u64) -> Key {
    Key::Table(TableId(u128::from(number).to_be_bytes()))
}

fn info() -> CommitInfo {
    CommitInfo {
        committed_ms: 1,
        user: "owner".into(),
        statement: "a statement".into(),
    }
}

type OpenFn = fn(&Path, &Arc<dyn seam::Disk>) -> Result<Box<dyn Index>, StoreError>;

fn seam(index: OpenFn) -> Seam {
    Seam {
        index: Arc::new(index),
        ..Seam::real()
    }
}

fn open_with(dir: &Path, seam: Seam) -> Result<Warehouse, StoreError> {
    Warehouse::open(dir, Duration::ZERO, seam)
}

fn open(dir: &Path) -> Result<Warehouse, StoreError> {
    open_with(dir, Seam::real())
}

/// Commits one note per number, each in a commit of its own.
fn write_notes(store: &Store, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let mut batch = store.begin();
        batch.put(&key(number), &note(&format!("note {number}")));
        store.commit(batch, info()).expect("commit");
        store.sync().expect("sync");
    }
}

fn count_notes(store: &Store) -> u64 {
    (0..)
        .take_while(|number| {
            store
                .get::<Note>(&key(*number))
                .expect("readable")
                .is_some()
        })
        .count() as u64
}

/// A warehouse with `count` notes, closed in order.
fn warehouse_with_notes(dir: &Path, count: u64) {
    let warehouse = open(dir).expect("open");
    write_notes(warehouse.to_write().expect("store"), 0..count);
    warehouse.close().expect("close");
}

/// Ends a warehouse as a killed process would: no sync, no word in LOCK.
fn abandon(warehouse: Warehouse) {
    drop(warehouse);
}

fn log_file(dir: &Path) -> PathBuf {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir.join("log"))
        .expect("log/")
        .map(|entry| entry.expect("entry").path())
        .collect();
    files.sort();
    files
        .into_iter()
        .find(|path| path.to_string_lossy().contains("frames"))
        .expect("a frames file")
}

fn flip_bit(path: &Path, byte: usize) {
    let mut bytes = std::fs::read(path).expect("readable");
    bytes[byte] ^= 0x10;
    std::fs::write(path, bytes).expect("writable");
}

/// Where the frames end: behind the last byte that is not zero.
fn log_end(path: &Path) -> usize {
    let bytes = std::fs::read(path).expect("readable");
    bytes.iter().rposition(|byte| *byte != 0).expect("a header") + 1
}

fn on_both_indexes(test: fn(OpenFn)) {
    test(sled::open);
    test(memory::open);
}

#[test]
fn commits_are_read_back_and_survive_a_close() {
    on_both_indexes(|index| {
        let dir = TempDir::new().expect("folder");
        let warehouse = open_with(dir.path(), seam(index)).expect("open");
        let store = warehouse.to_write().expect("store");
        write_notes(store, 0..10);
        let mut batch = store.begin();
        batch.remove(&key(9));
        batch.put(&key(3), &note("changed"));
        batch.put(&key(4), &note(&"long ".repeat(5000)));
        store.commit(batch, info()).expect("commit");
        // Read before it is durable, too.
        assert_eq!(store.get(&key(3)).expect("read"), Some(note("changed")));
        assert_eq!(store.get::<Note>(&key(9)).expect("read"), None);
        warehouse.close().expect("close");

        let warehouse = open_with(dir.path(), seam(index)).expect("open again");
        let store = warehouse.to_write().expect("store");
        assert_eq!(count_notes(store), 9);
        assert_eq!(store.get(&key(3)).expect("read"), Some(note("changed")));
        assert_eq!(
            store.get(&key(4)).expect("read"),
            Some(note(&"long ".repeat(5000)))
        );
        let mut batch = store.begin();
        batch.put(&key(4), &note("short"));
        store.commit(batch, info()).expect("commit");
        store.sync().expect("sync");
        assert_eq!(store.get(&key(4)).expect("read"), Some(note("short")));
    });
}

#[test]
fn scans_go_in_key_order_both_ways_and_stop_when_told() {
    on_both_indexes(|index| {
        let dir = TempDir::new().expect("folder");
        let warehouse = open_with(dir.path(), seam(index)).expect("open");
        let store = warehouse.to_write().expect("store");
        let table = TableId([7; 16]);
        let mut batch = store.begin();
        for number in [300, 2, 1, 40] {
            batch.put(
                &Key::Version {
                    table,
                    lsn: crate::ids::Lsn(number),
                },
                &note("row"),
            );
        }
        store.commit(batch, info()).expect("commit");
        let lsns = |order, stop: usize| {
            let mut found = Vec::new();
            store
                .scan(&KeyRange::versions(table), order, |key, _: Note| {
                    if let Key::Version { lsn, .. } = key {
                        found.push(lsn.0);
                    }
                    Ok(if found.len() == stop {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    })
                })
                .expect("scan");
            found
        };
        assert_eq!(lsns(Order::Ascending, 9), [1, 2, 40, 300]);
        assert_eq!(lsns(Order::Descending, 2), [300, 40]);
    });
}

#[test]
fn a_batch_that_was_planned_against_something_else_conflicts() {
    let dir = TempDir::new().expect("folder");
    let warehouse = open(dir.path()).expect("open");
    let store = warehouse.to_write().expect("store");
    write_notes(store, 0..1);
    let mut late = store.begin();
    late.expect_unchanged(key(0)).expect("read");
    late.expect_unchanged(key(1)).expect("read");
    late.put(&key(5), &note("late"));
    write_notes(store, 1..2);
    assert!(matches!(
        store.commit(late, info()),
        Err(StoreError::Conflict { .. })
    ));
    assert_eq!(store.get::<Note>(&key(5)).expect("read"), None);
    let mut wrong = store.begin();
    wrong.expect_record(key(0), &note("something else"));
    assert!(matches!(
        store.commit(wrong, info()),
        Err(StoreError::Conflict { .. })
    ));
}

#[test]
fn an_index_that_is_deleted_is_rebuilt() {
    let dir = TempDir::new().expect("folder");
    warehouse_with_notes(dir.path(), 50);
    std::fs::remove_dir_all(dir.path().join("catalog")).expect("remove");
    let warehouse = open(dir.path()).expect("open");
    assert_eq!(count_notes(warehouse.to_write().expect("store")), 50);
}

#[test]
fn an_older_index_is_brought_up_and_an_older_log_is_refused() {
    let dir = TempDir::new().expect("folder");
    let (catalog, log) = (dir.path().join("catalog"), log_file_copy(dir.path()));
    warehouse_with_notes(dir.path(), 10);
    copy_dir(&catalog, &dir.path().join("older"));
    std::fs::copy(log_file(dir.path()), &log).expect("copy");
    let warehouse = open(dir.path()).expect("open");
    write_notes(warehouse.to_write().expect("store"), 10..30);
    warehouse.close().expect("close");
    copy_dir(&catalog, &dir.path().join("newer"));

    std::fs::remove_dir_all(&catalog).expect("remove");
    std::fs::rename(dir.path().join("older"), &catalog).expect("rename");
    let warehouse = open(dir.path()).expect("open");
    assert_eq!(
        count_notes(warehouse.to_write().expect("an older index")),
        30
    );
    warehouse.close().expect("close");

    // The log of before, in order, with the index of after: acknowledged commits are missing.
    std::fs::remove_dir_all(&catalog).expect("remove");
    std::fs::rename(dir.path().join("newer"), &catalog).expect("rename");
    std::fs::rename(&log, log_file(dir.path())).expect("rename");
    let warehouse = open(dir.path()).expect("open");
    let error = warehouse
        .store()
        .map(drop)
        .expect_err("commits are missing");
    assert!(error.to_string().contains("odpsh check"), "{error}");
}

fn log_file_copy(dir: &Path) -> PathBuf {
    dir.join("log-of-before")
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("create");
    for entry in std::fs::read_dir(from).expect("read") {
        let entry = entry.expect("entry");
        if entry.file_type().expect("type").is_dir() {
            copy_dir(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copy");
        }
    }
}

#[test]
fn what_was_synced_survives_a_kill_and_what_was_not_is_wholly_absent() {
    let dir = TempDir::new().expect("folder");
    let warehouse = open(dir.path()).expect("open");
    let store = warehouse.to_write().expect("store");
    write_notes(store, 0..20);
    let mut batch = store.begin();
    batch.put(&key(20), &note("never synced"));
    store.commit(batch, info()).expect("commit");
    abandon(warehouse);
    let warehouse = open(dir.path()).expect("open");
    assert_eq!(count_notes(warehouse.to_write().expect("store")), 20);
}

#[test]
fn a_torn_tail_is_cut_at_any_byte() {
    let dir = TempDir::new().expect("folder");
    let warehouse = open(dir.path()).expect("open");
    let store = warehouse.to_write().expect("store");
    write_notes(store, 0..5);
    let log = log_file(dir.path());
    let before = log_end(&log);
    let mut batch = store.begin();
    batch.put(&key(5), &note("the torn one"));
    store.commit(batch, info()).expect("commit");
    let frame_and_index = {
        // Its frame as it would stand in the log; the index never hears of it.
        let mut writer = store.lock_writer();
        writer.log.sync().expect("sync");
        std::fs::read(&log).expect("readable")
    };
    abandon(warehouse);
    let after = log_end(&log);
    assert!(after > before);
    for cut in (before + 1..after).step_by(7) {
        let mut torn = frame_and_index.clone();
        torn[cut..].fill(0);
        std::fs::write(&log, &torn).expect("writable");
        let warehouse = open(dir.path()).expect("open");
        let store = warehouse.to_write().expect("a torn tail is cut");
        assert_eq!(count_notes(store), 5, "cut at {cut}");
        assert_eq!(log_end(&log), before, "cut at {cut}");
        abandon(warehouse);
    }
    std::fs::write(&log, &frame_and_index).expect("writable");
    let warehouse = open(dir.path()).expect("open");
    assert_eq!(
        count_notes(warehouse.to_write().expect("store")),
        6,
        "the whole frame counts"
    );
}

#[test]
fn a_torn_frame_that_was_acknowledged_is_damage() {
    let dir = TempDir::new().expect("folder");
    warehouse_with_notes(dir.path(), 5);
    let log = log_file(dir.path());
    flip_bit(&log, log_end(&log) - 4);
    let warehouse = open(dir.path()).expect("open");
    let error = warehouse
        .store()
        .map(drop)
        .expect_err("the last commit is lost");
    assert!(
        matches!(
            error,
            StoreError::CorruptLog {
                commit: CommitNumber(5),
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn any_flipped_bit_of_the_log_is_harmless_or_named() {
    let dir = TempDir::new().expect("folder");
    warehouse_with_notes(dir.path(), 8);
    let log = log_file(dir.path());
    let sound = std::fs::read(&log).expect("readable");
    for byte in (0..log_end(&log)).step_by(5) {
        let mut damaged = sound.clone();
        damaged[byte] ^= 0x04;
        std::fs::write(&log, &damaged).expect("writable");
        // Without the index everything depends on the log.
        std::fs::remove_dir_all(dir.path().join("catalog")).expect("remove");
        let warehouse = open(dir.path()).expect("open");
        match warehouse.to_write() {
            Ok(store) => assert_eq!(count_notes(store), 8, "byte {byte}"),
            Err(error) => {
                assert!(
                    matches!(error, StoreError::CorruptLog { .. }),
                    "byte {byte}: {error}"
                );
            }
        }
        drop(warehouse);
        std::fs::write(dir.path().join("LOCK"), "closed at commit 8\n").expect("writable");
        std::fs::write(&log, &sound).expect("writable");
        let warehouse = open(dir.path()).expect("open");
        assert_eq!(
            count_notes(warehouse.to_write().expect("the sound log opens")),
            8
        );
        warehouse.close().expect("close");
    }
}

#[test]
fn any_flipped_bit_of_the_index_is_harmless_or_mended() {
    let dir = TempDir::new().expect("folder");
    warehouse_with_notes(dir.path(), 200);
    let catalog = dir.path().join("catalog");
    copy_dir(&catalog, &dir.path().join("sound"));
    let mut files: Vec<PathBuf> = std::fs::read_dir(&catalog)
        .expect("read")
        .map(|entry| entry.expect("entry").path())
        .collect();
    files.retain(|path| path.is_file());
    files.sort();
    for file in files {
        let length = std::fs::metadata(&file).expect("metadata").len() as usize;
        for byte in (0..length.min(40_000)).step_by(length.min(40_000) / 12 + 1) {
            flip_bit(&file, byte);
            let warehouse = open(dir.path()).expect("open");
            let store = warehouse
                .store()
                .unwrap_or_else(|error| panic!("{} {byte}: {error}", file.display()));
            for number in 0..200 {
                match store.get::<Note>(&key(number)) {
                    Ok(found) => assert_eq!(found, Some(note(&format!("note {number}")))),
                    Err(error) => assert!(!error.to_string().is_empty()),
                }
            }
            drop(warehouse);
            std::fs::remove_dir_all(&catalog).expect("remove");
            copy_dir(&dir.path().join("sound"), &catalog);
            std::fs::write(dir.path().join("LOCK"), "closed at commit 200\n").expect("writable");
        }
    }
}

#[test]
fn an_unknown_format_is_refused_and_untouched() {
    let dir = TempDir::new().expect("folder");
    warehouse_with_notes(dir.path(), 1);
    for content in ["odpsh warehouse format 2\n", "something else", ""] {
        std::fs::write(dir.path().join("FORMAT"), content).expect("writable");
        let before = std::fs::read(dir.path().join("LOCK")).expect("readable");
        let error = open(dir.path()).map(drop).expect_err("unknown format");
        let is_newer = content.contains("format 2");
        let is_named = match error {
            StoreError::UnknownFormat { .. } => is_newer,
            StoreError::NotAWarehouse { .. } => !is_newer,
            _ => false,
        };
        assert!(is_named, "{error}");
        assert_eq!(
            std::fs::read(dir.path().join("LOCK")).expect("readable"),
            before
        );
    }
    std::fs::remove_file(dir.path().join("FORMAT")).expect("remove");
    let error = open(dir.path())
        .map(drop)
        .expect_err("FORMAT is missing, the log is not empty");
    assert!(matches!(error, StoreError::NotAWarehouse { .. }), "{error}");
}

#[test]
fn a_folder_of_something_else_is_refused() {
    let dir = TempDir::new().expect("folder");
    std::fs::write(dir.path().join("thesis.txt"), "years of work").expect("writable");
    assert!(matches!(
        open(dir.path()),
        Err(StoreError::NotAWarehouse { .. })
    ));
    assert_eq!(std::fs::read_dir(dir.path()).expect("read").count(), 1);
}

#[test]
fn a_creation_that_was_cut_short_is_finished() {
    let dir = TempDir::new().expect("folder");
    warehouse_with_notes(dir.path(), 0);
    std::fs::remove_file(dir.path().join("FORMAT")).expect("remove");
    warehouse_with_notes(dir.path(), 3);
}

#[test]
fn the_log_is_rewritten_and_goes_on() {
    let dir = TempDir::new().expect("folder");
    let warehouse = open(dir.path()).expect("open");
    let store = warehouse.to_write().expect("store");
    write_notes(store, 0..20);
    {
        let mut writer = store.lock_writer();
        store.apply(&mut writer).expect("applied");
        store.rewrite_log(&mut writer, false);
    }
    assert_eq!(store.take_notices(), Vec::<String>::new());
    assert!(log_file(dir.path()).ends_with("frames-0000000000000020"));
    write_notes(store, 20..25);
    abandon(warehouse);
    for rebuilt in [false, true] {
        if rebuilt {
            std::fs::remove_dir_all(dir.path().join("catalog")).expect("remove");
        }
        let warehouse = open(dir.path()).expect("open");
        assert_eq!(
            count_notes(warehouse.to_write().expect("store")),
            25,
            "rebuilt: {rebuilt}"
        );
        warehouse.close().expect("close");
    }
    // A damaged base is named when it is needed.
    let base = dir.path().join("log/base-0000000000000020");
    let length = std::fs::metadata(&base).expect("metadata").len() as usize;
    for byte in (0..length).step_by(length / 20) {
        flip_bit(&base, byte);
        std::fs::remove_dir_all(dir.path().join("catalog")).expect("remove");
        let warehouse = open(dir.path()).expect("open");
        assert!(
            matches!(warehouse.to_write(), Err(StoreError::CorruptLog { .. })),
            "byte {byte}"
        );
        drop(warehouse);
        flip_bit(&base, byte);
        let warehouse = open(dir.path()).expect("open");
        assert_eq!(count_notes(warehouse.to_write().expect("mended")), 25);
    }
}

#[test]
fn a_log_that_outgrows_its_records_is_rewritten_by_itself() {
    let dir = TempDir::new().expect("folder");
    let warehouse = open(dir.path()).expect("open");
    let store = warehouse.to_write().expect("store");
    let large = "x".repeat(1 << 20);
    for _ in 0..40 {
        let mut batch = store.begin();
        batch.put(&key(0), &note(&large));
        store.commit(batch, info()).expect("commit");
        store.sync().expect("sync");
    }
    let size: u64 = std::fs::read_dir(dir.path().join("log"))
        .expect("log/")
        .map(|entry| entry.expect("entry").metadata().expect("metadata").len())
        .sum();
    assert!(size < 25 << 20, "{size} bytes of log for 1 MiB of records");
    warehouse.close().expect("close");
    let warehouse = open(dir.path()).expect("open");
    assert_eq!(
        warehouse
            .store()
            .expect("store")
            .get(&key(0))
            .expect("read"),
        Some(note(&large))
    );
}

fn rows(range: std::ops::Range<i64>, text: &str) -> RecordBatch {
    let schema = Schema::new(vec![
        Field::new("c1", DataType::Int64, true),
        Field::new("c2", DataType::Utf8View, true),
    ]);
    let texts: StringViewArray = range.clone().map(|n| Some(format!("{text} {n}"))).collect();
    let columns: Vec<datafusion::arrow::array::ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(range)),
        Arc::new(texts),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).expect("columns fit")
}

fn append(store: &Store, snapshot: Snapshot, batch: RecordBatch) -> Snapshot {
    let mut changes = store.begin();
    let mut writer = changes.segment_writer();
    writer.write(batch).expect("write");
    let segments = changes.finish_segments(writer).expect("finish");
    let snapshot = snapshot
        .append(store, &mut changes, segments)
        .expect("append");
    store.commit(changes, info()).expect("commit");
    store.sync().expect("sync");
    snapshot
}

fn values(store: &Store, snapshot: &Snapshot) -> Vec<i64> {
    let mut found = Vec::new();
    for segment in snapshot.segments(store).expect("segments") {
        let record: SegmentRecord = store.require(&Key::Segment(segment.id)).expect("record");
        let batch = record
            .inline_batch(segment.id)
            .expect("decoded")
            .expect("inline");
        let column = batch
            .column(0)
            .as_any()
            .downcast_ref::<Int64Array>()
            .expect("int64")
            .clone();
        found.extend(column.values().iter());
    }
    found
}

#[test]
fn snapshots_share_segments_and_merge_small_ones() {
    let dir = TempDir::new().expect("folder");
    let warehouse = open(dir.path()).expect("open");
    let store = warehouse.to_write().expect("store");
    let mut snapshots = vec![Snapshot::default()];
    for number in 0..600 {
        let last = snapshots.last().expect("one").clone();
        snapshots.push(append(store, last, rows(number..number + 1, "row")));
    }
    for (count, snapshot) in snapshots.iter().enumerate().step_by(37) {
        assert_eq!(
            values(store, snapshot),
            (0..count as i64).collect::<Vec<_>>()
        );
        assert_eq!(snapshot.row_count, count as u64);
    }
    let segments = snapshots[600].segments(store).expect("segments").len();
    assert!(
        segments < 48,
        "{segments} segments for 600 rows written one by one"
    );
}

#[test]
fn a_snapshot_of_many_large_segments_stays_small() {
    let dir = TempDir::new().expect("folder");
    let warehouse = open(dir.path()).expect("open");
    let store = warehouse.to_write().expect("store");
    // One size class apart, so that nothing is merged.
    let mut snapshot = Snapshot::default();
    let wide = "x".repeat(5000);
    for number in 0..300 {
        let segment = store.inline_segment(
            segment::InlineRows::from_batch(&rows(number..number + 1, &wide)).expect("rows"),
        );
        let reference = SegmentRef {
            row_count: 1 << 40,
            inline: false,
            ..segment.reference
        };
        let mut batch = store.begin();
        let segment = NewSegment {
            reference,
            ..segment
        };
        snapshot = snapshot
            .append(store, &mut batch, vec![segment])
            .expect("append");
        store.commit(batch, info()).expect("commit");
    }
    assert!(
        snapshot.tail.len() <= 64,
        "{} segments in the tail",
        snapshot.tail.len()
    );
    assert_eq!(snapshot.segments(store).expect("segments").len(), 300);
    let ids: Vec<u64> = snapshot
        .segments(store)
        .expect("segments")
        .iter()
        .map(|segment| segment.id.0)
        .collect();
    assert!(ids.is_sorted());
}

#[test]
fn large_segments_are_files_and_a_batch_that_is_dropped_leaves_none() {
    let dir = TempDir::new().expect("folder");
    let warehouse = open(dir.path()).expect("open");
    let store = warehouse.to_write().expect("store");
    let files = || {
        std::fs::read_dir(dir.path().join("data"))
            .expect("data/")
            .count()
    };
    {
        let mut changes = store.begin();
        let mut writer = changes.segment_writer();
        writer.write(rows(0..50_000, "a row")).expect("write");
        let segments = changes.finish_segments(writer).expect("finish");
        assert!(!segments[0].reference.inline);
        assert_eq!(files(), 1);
    }
    assert_eq!(files(), 0, "the batch was dropped");
    let snapshot = append(store, Snapshot::default(), rows(0..50_000, "a row"));
    assert_eq!((files(), snapshot.row_count), (1, 50_000));
    let record: SegmentRecord = store
        .require(&Key::Segment(snapshot.tail[0].id))
        .expect("record");
    let Body::Parquet { columns, .. } = &record.body else {
        panic!("a file")
    };
    assert_eq!(columns[0].min, Some(Bound::Integer(0)));
    assert_eq!(columns[0].max, Some(Bound::Integer(49_999)));
    assert_eq!(columns[1].null_count, Some(0));
}

#[test]
fn orphans_of_a_killed_process_are_removed() {
    let dir = TempDir::new().expect("folder");
    let warehouse = open(dir.path()).expect("open");
    let store = warehouse.to_write().expect("store");
    append(store, Snapshot::default(), rows(0..50_000, "kept"));
    abandon(warehouse);
    std::fs::write(
        dir.path().join("data/00000000000000ff.parquet"),
        "half a file",
    )
    .expect("writable");
    std::fs::write(dir.path().join("data/00000000000000fe.parquet#1"), "staged").expect("writable");
    let warehouse = open(dir.path()).expect("open");
    warehouse.to_write().expect("store");
    let names: Vec<_> = std::fs::read_dir(dir.path().join("data"))
        .expect("data/")
        .collect();
    assert_eq!(names.len(), 1);
}

#[test]
fn doomed_segments_go_after_their_commit_and_again_after_a_crash() {
    let dir = TempDir::new().expect("folder");
    let warehouse = open(dir.path()).expect("open");
    let store = warehouse.to_write().expect("store");
    let first = append(store, Snapshot::default(), rows(0..50_000, "first")).tail[0].id;
    let second = append(store, Snapshot::default(), rows(0..50_000, "second")).tail[0].id;
    let files = || {
        std::fs::read_dir(dir.path().join("data"))
            .expect("data/")
            .count()
    };
    let mut batch = store.begin();
    batch.doom_segment(first);
    store.commit(batch, info()).expect("commit");
    assert_eq!(files(), 2, "not before the removal is durable");
    store.sync().expect("sync");
    assert_eq!(files(), 1);
    assert_eq!(
        store
            .get::<SegmentRecord>(&Key::Segment(first))
            .expect("read"),
        None
    );
    // The process ends between the commit and the deletion.
    let mut batch = store.begin();
    batch.doom_segment(second);
    store.commit(batch, info()).expect("commit");
    store.lock_writer().log.sync().expect("sync");
    abandon(warehouse);
    assert_eq!(files(), 1);
    let warehouse = open(dir.path()).expect("open");
    let store = warehouse.to_write().expect("store");
    assert_eq!(files(), 0);
    store.sync().expect("sync");
    assert!(
        store
            .get::<commit::Doomed>(&Key::Doomed(second))
            .expect("read")
            .is_none()
    );
}

#[test]
fn a_damaged_data_file_is_named_and_never_read() {
    let dir = TempDir::new().expect("folder");
    let warehouse = open(dir.path()).expect("open");
    let store = warehouse.to_write().expect("store");
    let snapshot = append(store, Snapshot::default(), rows(0..50_000, "a row"));
    let id = snapshot.tail[0].id;
    let record: SegmentRecord = store.require(&Key::Segment(id)).expect("record");
    let path = store
        .expose_file(id, &record, "table p.t, LSN 2")
        .expect("a file");
    let file = dir.path().join("data").join(&path);
    let read = |from: u64, until: u64| {
        let location = datafusion::object_store::path::Path::from(path.as_str());
        futures::executor::block_on(store.objects().get_range(&location, from..until))
    };
    let sound = std::fs::read(&file).expect("readable");
    assert_eq!(&read(5, 70_000).expect("sound")[..], &sound[5..70_000]);
    for byte in [0, 4, 65_535, 65_536, sound.len() - 1] {
        flip_bit(&file, byte);
        let block = byte as u64 / 65_536 * 65_536;
        let end = (block + 65_536).min(sound.len() as u64);
        let error = read(block + 1, end)
            .expect_err("the block is damaged")
            .to_string();
        assert!(
            error.contains(&id.to_string()) && error.contains("table p.t, LSN 2"),
            "{error}"
        );
        flip_bit(&file, byte);
    }
    std::fs::write(&file, &sound[..sound.len() - 1]).expect("writable");
    assert!(
        read(0, 10)
            .expect_err("cut")
            .to_string()
            .contains("bytes instead of")
    );
    std::fs::remove_file(&file).expect("remove");
    assert!(
        read(0, 10)
            .expect_err("gone")
            .to_string()
            .contains("missing")
    );
}

fn open_for(dir: &Path, timeout: Duration) -> (Warehouse, Arc<std::sync::Mutex<Vec<String>>>) {
    let told: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let sink = Arc::clone(&told);
    let warehouse = Warehouse::open(dir, timeout, Seam::real()).expect("open");
    let tell = move |text: &str| sink.lock().expect("no panic").push(text.to_owned());
    (warehouse.telling(tell), told)
}

#[test]
fn an_owner_keeps_others_out_and_is_named() {
    let dir = TempDir::new().expect("folder");
    let first = open(dir.path()).expect("open");
    write_notes(first.to_write().expect("it owns it"), 0..5);
    let named = format!("process {} on ", std::process::id());
    for changes in [false, true] {
        let other = open(dir.path()).expect("nothing is needed yet");
        let refused = match changes {
            true => other.to_write().map(drop),
            false => other.to_read().map(drop),
        };
        let error = refused.expect_err("it is held").to_string();
        assert!(
            error.contains(&named) && error.contains(" since "),
            "{error}"
        );
    }
    let (waiting, told) = open_for(dir.path(), Duration::from_secs(20));
    let waits = std::thread::spawn(move || count_notes(waiting.to_read().expect("its turn came")));
    while told.lock().expect("no panic").is_empty() {
        std::thread::sleep(Duration::from_millis(1));
    }
    first.close().expect("close");
    assert_eq!(waits.join().expect("no panic"), 5);
    let told = told.lock().expect("no panic").concat();
    assert!(told.contains(&named), "{told}");
}

#[test]
fn many_read_at_once_and_the_first_of_them_opens_the_index_in_place() {
    let dir = TempDir::new().expect("folder");
    warehouse_with_notes(dir.path(), 20);
    let readers: Vec<Warehouse> = (0..4).map(|_| open(dir.path()).expect("open")).collect();
    let lock = std::fs::read(dir.path().join("LOCK")).expect("readable");
    for reader in &readers {
        assert_eq!(count_notes(reader.to_read().expect("it is only read")), 20);
        assert!(!reader.is_owned());
    }
    let in_place = |reader: &&Warehouse| {
        let store = reader.opened().expect("open");
        store.in_place.load(std::sync::atomic::Ordering::Relaxed)
    };
    assert_eq!(readers.iter().filter(in_place).count(), 1);
    let owner = open(dir.path()).expect("open");
    assert!(matches!(owner.to_write(), Err(StoreError::Locked { .. })));
    assert_eq!(
        std::fs::read(dir.path().join("LOCK")).expect("readable"),
        lock
    );
    drop(readers);
    write_notes(owner.to_write().expect("they have gone"), 20..30);
    owner.close().expect("close");
    let again = open(dir.path()).expect("open");
    assert_eq!(count_notes(again.to_read().expect("store")), 30);
}

#[test]
fn one_that_has_read_takes_in_what_another_wrote_before_it_writes_itself() {
    // Whether the first one has the index in place, or one of its own.
    for is_first in [true, false] {
        let dir = TempDir::new().expect("folder");
        warehouse_with_notes(dir.path(), 10);
        let other = open(dir.path()).expect("open");
        if !is_first {
            other.to_read().expect("store");
        }
        let reader = open(dir.path()).expect("open");
        assert_eq!(count_notes(reader.to_read().expect("store")), 10);
        // Both want to write: the first that cannot gives way.
        let second = open(dir.path()).expect("open");
        assert_eq!(count_notes(second.to_read().expect("store")), 10);
        drop(other);
        let refused = reader.to_write().map(drop);
        assert!(
            matches!(refused, Err(StoreError::Locked { .. })),
            "{refused:?}"
        );
        write_notes(second.to_write().expect("alone by now"), 10..20);
        assert!(matches!(reader.to_read(), Err(StoreError::Locked { .. })));
        second.close().expect("close");
        assert_eq!(count_notes(reader.to_read().expect("looked at anew")), 20);
        write_notes(reader.to_write().expect("nobody else"), 20..25);
        assert_eq!(count_notes(reader.store().expect("store")), 25);
        reader.close().expect("close");
        let last = open(dir.path()).expect("open");
        assert_eq!(count_notes(last.to_read().expect("store")), 25);
    }
}

#[test]
fn a_reader_goes_on_in_place_as_the_owner_where_nobody_wrote_meanwhile() {
    let dir = TempDir::new().expect("folder");
    warehouse_with_notes(dir.path(), 10);
    let warehouse = open(dir.path()).expect("open");
    let index = |warehouse: &Warehouse| {
        let store = warehouse.store().expect("store");
        Arc::as_ptr(&store.index().expect("an index"))
    };
    warehouse.to_read().expect("store");
    let before = index(&warehouse);
    write_notes(warehouse.to_write().expect("alone"), 10..12);
    assert_eq!(index(&warehouse), before, "nothing was opened anew");
    warehouse.close().expect("close");
}

#[test]
fn what_was_not_closed_is_put_in_order_by_the_first_reader_who_can() {
    let dir = TempDir::new().expect("folder");
    warehouse_with_notes(dir.path(), 10);
    let killed = open(dir.path()).expect("open");
    write_notes(killed.to_write().expect("store"), 10..15);
    drop(killed);
    let reader = open(dir.path()).expect("open");
    assert_eq!(count_notes(reader.to_read().expect("store")), 15);
    let lock = std::fs::read_to_string(dir.path().join("LOCK")).expect("readable");
    assert!(lock.starts_with("closed at commit "), "{lock}");
    let second = open(dir.path()).expect("open");
    assert_eq!(count_notes(second.to_read().expect("both read")), 15);
    assert!(reader.to_write().is_err());
}
