//! Many sessions on one warehouse: what they did together is what one session does alone, in the order of the
//! commits.
//!
//! Writers insert, overwrite, update, drop, restore, clone, purge and collect in a few tables; readers look at all
//! versions, and at two tables whose sums cancel out in every state. Then the commit log is read, the statements in it are run one
//! after the other in a fresh warehouse, and every version of both has to be the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use chrono_tz::Tz;
use odpsh::catalog::Catalog;
use odpsh::clock::Clock;
use odpsh::engine::text::text;
use odpsh::error::ErrorKind;
use odpsh::exec::Outcome;
use odpsh::session::{Session, Start};
use odpsh::store::seam::Disk;
use odpsh::store::{Seam, Warehouse};
use odpsh::timemachine::collect::count_holds;
use serde::Deserialize;

use crate::machine::{Down, Fault, How, Machine};
use crate::random::Unsynced;

const START_MS: i64 = 1_582_000_000_000;
const WRITERS: usize = 4;
const READERS: usize = 2;
/// A run that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// One time for all sessions, or the time of each statement that is run again.
struct SharedClock {
    time: Arc<AtomicI64>,
    /// The time of the last statement of this session.
    last: Arc<AtomicI64>,
}

impl Clock for SharedClock {
    fn begin_statement(&self) -> i64 {
        let now_ms = self.time.fetch_add(1000, Ordering::Relaxed);
        self.last.store(now_ms, Ordering::Relaxed);
        now_ms
    }

    fn object_id(&self, count: u64) -> [u8; 16] {
        u128::from(count + 1).to_be_bytes()
    }

    fn advance(&self, _: i64) -> bool {
        false
    }

    fn is_controlled(&self) -> bool {
        true
    }
}

fn session(warehouse: &Arc<Warehouse>, time: &Arc<AtomicI64>) -> (Session, Arc<AtomicI64>) {
    let last = Arc::new(AtomicI64::new(0));
    let session = Session::new(Start {
        warehouse: Arc::clone(warehouse),
        clock: Box::new(SharedClock {
            time: Arc::clone(time),
            last: Arc::clone(&last),
        }),
        user: "owner".into(),
        project: "default".into(),
        zone: Tz::UTC,
        interrupt: odpsh::interrupt::Interrupt::never(),
        memory_bytes: 1 << 28,
    });
    (session, last)
}

/// Small numbers, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

const BEGIN: [&str; 7] = [
    "setproject odps.timemachine.retention.days=30",
    "create table plus (n bigint)",
    "create table minus (n bigint)",
    "create table t0 (a bigint, b string)",
    "create table t1 (a bigint, b string)",
    "create table p (a bigint, b string) partitioned by (d string)",
    "create table u (k bigint, v string) tblproperties ('transactional'='true')",
];

/// A statement with a number that no other has.
fn statement(dice: &mut Dice, number: u64) -> String {
    let t = dice.below(2);
    let d = dice.below(3);
    let lsn = 1 + dice.below(40);
    let long = if dice.below(6) == 0 { 70_000 } else { 3 };
    let text = "x".repeat(long);
    let k = dice.below(8);
    match dice.below(26) {
        0..=3 => format!("insert into t{t} values ({number}, '{text}')"),
        4 => format!("insert overwrite table t{t} values ({number}, '{text}')"),
        5 => format!("insert into t{t} select a, b from t{t} where a % 3 = {d}"),
        6..=8 => {
            format!("insert into p partition (d='{d}') values ({number}, '{text}')")
        }
        9 => {
            format!("insert overwrite table p partition (d) select a, b, d from p where d = '{d}'")
        }
        10 => format!("alter table p drop partition (d='{d}')"),
        11 => format!("drop table t{t}"),
        12 => format!("restore table t{t}"),
        13 => format!("restore table t{t} to lsn '{lsn}'"),
        14 => format!("restore table t{t} to lsn '{lsn}' as t{}", 1 - t),
        15 => format!("restore table p partition (d='{d}') to lsn '{lsn}'"),
        16 => format!("clone table t{t} to t{} if exists overwrite", 1 - t),
        17 => format!("truncate table t{t}"),
        18 => format!("insert into u values ({k}, '{number}')"),
        19 => format!("update u set v = '{number}' where k = {k}"),
        20 => format!("delete from u where k = {k}"),
        21 => "alter table u merge smallfiles".to_owned(),
        22 => format!("purge table t{t}"),
        23 => format!("create table t{t} as select {number} as a, 'made' as b"),
        _ => format!(
            "from (select {number} as n) s insert into plus select n insert into minus select -n"
        ),
    }
}

type Rows = Vec<Vec<Option<String>>>;

fn rows(outcome: Outcome) -> Rows {
    let Outcome::Rows(mut set) = outcome else {
        panic!("a query gives rows");
    };
    let mut rows = Vec::new();
    for batch in &set.collect().expect("rows") {
        for row in 0..batch.num_rows() {
            let columns = batch.columns().iter();
            rows.push(columns.map(|array| text(array, row)).collect());
        }
    }
    rows.sort();
    rows
}

/// What the writers found out of their statements, which go by their times.
#[derive(Default)]
struct Tally {
    done: Mutex<BTreeSet<i64>>,
    /// Those of `done` that cannot have found nothing to do.
    sure: Mutex<BTreeSet<i64>>,
    failed: Mutex<BTreeSet<i64>>,
    conflicts: AtomicUsize,
    reads: AtomicUsize,
}

fn write(
    (mut session, last): (Session, Arc<AtomicI64>),
    seed: u64,
    count: u64,
    numbers: &AtomicU64,
    tally: &Tally,
) {
    let mut dice = Dice(seed);
    let (mut open, mut sure) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let sql = statement(&mut dice, number);
        let outcome = session.run(&sql).outcome;
        let at_ms = last.load(Ordering::Relaxed);
        match outcome {
            Ok(_) => {
                open.push(at_ms);
                if sql.starts_with("insert into") && sql.contains(" values ") {
                    sure.push(at_ms);
                }
            }
            Err(error) => {
                let shown: String = sql.chars().take(100).collect();
                if std::env::var_os("ODPSH_MODEL_STORY").is_some() {
                    eprintln!("{shown}: {error}");
                }
                assert!(
                    !matches!(error.kind(), ErrorKind::Internal | ErrorKind::Io),
                    "{shown}: {error}"
                );
                if error.kind() == ErrorKind::Conflict {
                    tally.conflicts.fetch_add(1, Ordering::Relaxed);
                }
                tally.failed.lock().expect("no panic").insert(at_ms);
            }
        }
        if dice.below(4) == 0 {
            session.sync().expect("durable");
            tally.done.lock().expect("no panic").extend(open.drain(..));
        }
    }
    session.sync().expect("durable");
    tally.done.lock().expect("no panic").extend(open);
    tally.sure.lock().expect("no panic").extend(sure);
    session.close().expect("closed");
}

/// Reads versions again and again: each is always the same, and the sums of two tables cancel out.
fn read(
    mut session: Session,
    seed: u64,
    seen: &Mutex<BTreeMap<(String, u64), Rows>>,
    is_over: &AtomicUsize,
    tally: &Tally,
) {
    let mut dice = Dice(seed);
    while is_over.load(Ordering::Relaxed) > 0 {
        let sum =
            "select sum(n) from (select n from plus union all select n from minus) both_tables";
        let sums = session
            .run(sum)
            .outcome
            .unwrap_or_else(|error| panic!("{sum}: {error}"));
        let sums = rows(sums);
        assert!(
            matches!(sums[0][0].as_deref(), None | Some("0")),
            "the sums do not cancel out: {sums:?}"
        );
        let lsn = 1 + dice.below(60);
        // Names pass from one table to another; p and u stay.
        let table = ["p", "u", "plus"][dice.below(3) as usize];
        let sql = format!("select * from {table} version as of {lsn}");
        match session.run(&sql).outcome {
            Ok(outcome) => {
                let now = rows(outcome);
                let mut seen = seen.lock().expect("no panic");
                let before = seen
                    .entry((table.to_owned(), lsn))
                    .or_insert_with(|| now.clone());
                assert_eq!(*before, now, "{sql}");
            }
            Err(error) => assert!(
                !matches!(error.kind(), ErrorKind::Internal | ErrorKind::Io),
                "{sql}: {error}"
            ),
        }
        let listing = session.run("show history for table p").outcome;
        assert!(listing.is_ok(), "{listing:?}");
        tally.reads.fetch_add(1, Ordering::Relaxed);
    }
    session.close().expect("closed");
}

/// Who, when and what of a commit, as it stands in the log.
#[derive(Deserialize)]
struct Logged {
    committed_ms: i64,
    _user: String,
    statement: String,
}

/// The statements of a commit log in the order of their commits, read as `format.md` has it.
fn logged(disk: &dyn Disk, home: &Path) -> Vec<Logged> {
    let path = home.join("log/frames-0000000000000000");
    let file = disk.open(&path, false).expect("a log");
    let mut bytes = vec![0; file.size().expect("a size") as usize];
    file.read_at(&mut bytes, 0).expect("readable");
    let mut all = Vec::new();
    let mut at = 32;
    while bytes[at..at + 4] == *b"OFRM" {
        let length = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().expect("four bytes"));
        let payload = &bytes[at + 24 + 12..at + 24 + length as usize];
        let config = bincode::config::standard();
        let (frame, _) = bincode::serde::decode_from_slice::<Logged, _>(payload, config)
            .expect("a frame as documented");
        if !frame.statement.is_empty() {
            all.push(frame);
        }
        at = (at + 24 + length as usize).next_multiple_of(8);
    }
    all
}

/// Every table with its history and the rows of every version.
fn everything(session: &mut Session) -> Vec<String> {
    let mut out = Vec::new();
    let store = Arc::clone(session.store().expect("a store"));
    let catalog = Catalog::new(&store);
    for (id, table) in catalog.all_tables().expect("readable") {
        out.push(format!("{id} {} {:?}", table.name, table.dropped_at_ms));
        for (lsn, version) in catalog.versions(id).expect("readable") {
            let mut content = Vec::new();
            if let Some(snapshot) = &version.content {
                for segment in snapshot.segments(&store).expect("readable") {
                    content.push(segment.row_count);
                }
            }
            let rows: u64 = content.iter().sum();
            out.push(format!(
                "{lsn} {:?} {:?} {} {rows}",
                version.operation, version.partition, version.committed_at_ms
            ));
        }
        if table.dropped_at_ms.is_none() {
            for lsn in 1..=table.last_lsn.0 {
                let sql = format!("select * from {} version as of {lsn}", table.name);
                out.push(match session.run(&sql).outcome {
                    Ok(outcome) => format!("{sql}: {:?}", rows(outcome)),
                    Err(_) => format!("{sql}: refused"),
                });
            }
        }
    }
    for (piece, held) in count_holds(catalog).expect("readable") {
        let counted: Option<odpsh::store::Holds> = store.get(&piece.holds_key()).expect("readable");
        let counted = 1 + counted.map_or(0, |holds| holds.more);
        assert_eq!(held, counted, "{piece:?}");
    }
    out
}

/// Runs the sessions and says how many conflicts they had.
fn run_together(seam: impl Fn() -> Seam, home: &Path, seed: u64, count: u64) -> usize {
    let warehouse = Warehouse::open(home, Duration::ZERO, seam()).expect("a warehouse");
    let warehouse = Arc::new(warehouse);
    let time = Arc::new(AtomicI64::new(START_MS));
    let (mut first, _) = session(&warehouse, &time);
    for sql in BEGIN {
        first
            .run(sql)
            .outcome
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    first.sync().expect("durable");
    let (numbers, tally) = (AtomicU64::new(1), Tally::default());
    let writing = AtomicUsize::new(WRITERS);
    let seen = Mutex::default();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS as u64 {
            let session = session(&warehouse, &time);
            let (numbers, tally, writing) = (&numbers, &tally, &writing);
            scope.spawn(move || {
                struct Leaving<'a>(&'a AtomicUsize);
                impl Drop for Leaving<'_> {
                    fn drop(&mut self) {
                        self.0.fetch_sub(1, Ordering::Relaxed);
                    }
                }
                let _leaving = Leaving(writing);
                write(session, seed * 100 + writer, count, numbers, tally);
            });
        }
        for reader in 0..READERS as u64 {
            let session = session(&warehouse, &time);
            let (seen, writing, tally) = (&seen, &writing, &tally);
            scope.spawn(move || read(session.0, seed * 100 + 50 + reader, seen, writing, tally));
        }
    });
    let together = everything(&mut first);
    first.close().expect("closed");
    drop(warehouse);

    // What was acknowledged is in the log, what failed is not.
    let statements = logged(&*seam().disk, home);
    let logged: BTreeSet<i64> = statements
        .iter()
        .filter(|logged| !BEGIN.contains(&logged.statement.as_str()))
        .map(|logged| logged.committed_ms)
        .collect();
    let failed = tally.failed.into_inner().expect("no panic");
    assert!(
        logged.is_disjoint(&failed),
        "a statement that failed is in the log"
    );
    let done = tally.done.into_inner().expect("no panic");
    assert!(
        done.len() > failed.len(),
        "{} of the statements fail",
        failed.len()
    );
    assert!(
        logged.is_subset(&done),
        "a statement is in the log that nobody ran"
    );
    let sure = tally.sure.into_inner().expect("no panic");
    assert!(
        sure.len() > 10 && sure.is_subset(&logged),
        "a statement was acknowledged and is not in the log"
    );

    // The same, one after the other.
    let alone = Machine::new(None, 0);
    let home = Path::new("/home/alone");
    let warehouse = Warehouse::open(home, Duration::ZERO, alone.seam()).expect("a warehouse");
    let warehouse = Arc::new(warehouse);
    let time = Arc::new(AtomicI64::new(0));
    let (mut session, _) = session(&warehouse, &time);
    let mut reading_ms = 0;
    for logged in &statements {
        time.store(logged.committed_ms, Ordering::Relaxed);
        reading_ms = reading_ms.max(logged.committed_ms);
        let sql = whole_statement(&logged.statement);
        let outcome = session.run(&sql).outcome;
        assert!(outcome.is_ok(), "alone: {}: {outcome:?}", logged.statement);
    }
    time.store(reading_ms + 1000, Ordering::Relaxed);
    let alone = everything(&mut session);
    for (together, alone) in together.iter().zip(&alone) {
        assert_eq!(together, alone);
    }
    assert_eq!(together.len(), alone.len());
    let conflicts = tally.conflicts.into_inner();
    eprintln!(
        "{} statements done, {} failed ({conflicts} conflicts), {} rounds of reading",
        done.len(),
        failed.len(),
        tally.reads.into_inner()
    );
    conflicts
}

/// The log keeps the beginning of a long statement; what is cut off is text of one letter.
fn whole_statement(logged: &str) -> String {
    match logged.rfind("'xxxx") {
        Some(at) => format!("{}'{}')", &logged[..at], "x".repeat(70_000)),
        None => logged.to_owned(),
    }
}

/// Fails instead of waiting for ever.
fn with_patience(run: impl FnOnce() + Send + 'static) {
    let (sender, receiver) = mpsc::channel();
    let running = std::thread::spawn(move || {
        run();
        let _ = sender.send(());
    });
    match receiver.recv_timeout(PATIENCE) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the sessions wait for one another"),
        _ => running
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
    }
}

fn rounds(default: u64) -> u64 {
    let set = std::env::var("ODPSH_STRESS_ROUNDS").ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn sessions_together_do_what_one_does_alone() {
    with_patience(|| {
        let mut conflicts = 0;
        for seed in 0..rounds(3) {
            let machine = Machine::new(None, seed);
            conflicts += run_together(|| machine.seam(), Path::new("/home/together"), seed, 120);
        }
        assert!(conflicts > 0, "nobody came in the way of anybody");
    });
}

#[test]
fn sessions_together_on_sled() {
    with_patience(|| {
        let home = tempfile::tempdir().expect("a folder");
        let seam = || Seam {
            disk: Arc::new(Unsynced),
            ..Seam::real()
        };
        run_together(seam, home.path(), 1000, 120);
    });
}

fn count(session: &mut Session, table: &str) -> String {
    let outcome = session
        .run(&format!("select count(*) from {table}"))
        .outcome;
    rows(outcome.expect("readable"))[0][0]
        .clone()
        .expect("a number")
}

/// Two sessions insert and then make both durable in one sync, with a fault at one operation. Returns how many operations
/// there were before and in all.
fn share_a_sync(fault: Option<Fault>) -> (u64, u64) {
    let machine = Machine::new(fault, 1);
    let home = Path::new("/home/shared");
    let time = Arc::new(AtomicI64::new(START_MS));
    let open = || Warehouse::open(home, Duration::ZERO, machine.seam()).expect("a warehouse");
    let warehouse = Arc::new(open());
    let mut sessions = ["t", "u"].map(|name| (session(&warehouse, &time).0, name));
    for (session, name) in &mut sessions {
        let sql = format!("create table {name} (a bigint)");
        session.run(&sql).outcome.expect("created");
        session.sync().expect("durable");
    }
    let before = machine.operations();
    let insert = |(session, name): &mut (Session, &str)| {
        let sql = format!("insert into {name} values (1)");
        session.run(&sql).outcome.is_ok()
    };
    let done = sessions.each_mut().map(insert);
    let synced = sessions
        .each_ref()
        .map(|(session, _)| session.sync().is_ok());
    let operations = machine.operations();
    machine.relieve();
    let told: Vec<bool> = (0..2).map(|place| done[place] && synced[place]).collect();
    for ((session, name), told) in sessions.iter_mut().zip(&told) {
        let expected = if *told { "1" } else { "0" };
        assert_eq!(count(session, name), expected, "{fault:?} {name}");
    }
    // Both go on.
    for each in &mut sessions {
        assert!(insert(each), "{fault:?} {}", each.1);
        each.0.sync().expect("durable");
    }
    drop(sessions);
    drop(warehouse);
    machine.end();
    machine.restart(Down::PowerCut);
    let (mut last, _) = session(&Arc::new(open()), &time);
    for (name, told) in ["t", "u"].iter().zip(&told) {
        let expected = if *told { "2" } else { "1" };
        assert_eq!(count(&mut last, name), expected, "{fault:?} {name}");
    }
    (before, operations)
}

#[test]
fn what_two_sessions_lose_together_both_are_told() {
    let (before, operations) = share_a_sync(None);
    assert!(operations > before);
    for at in before + 1..=operations {
        for how in [How::Fails, How::Full, How::ReadOnly] {
            share_a_sync(Some(Fault { at, how }));
        }
    }
}
