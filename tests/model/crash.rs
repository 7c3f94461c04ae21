//! A fault at every operation of every program.
//!
//! A run without a fault counts the operations; then, for every one of them, the program is run again and that
//! operation fails, is cut short, or is the last of the process, or the power goes at it, or from it on the disk is
//! full, read-only, or out of files. What comes back has to be one of the states the model went through since the
//! last acknowledgement; then the collector must leave what is needed and nothing else, and the warehouse must go on.
//!
//! `ODPSH_CRASH_PROGRAMS=n` runs n random programs besides, `ODPSH_CRASH_STRIDE=1` every operation instead of some.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use odpsh::clock::ControlledClock;
use odpsh::exec::Outcome;
use odpsh::session::{Session, Start};
use odpsh::store::seam::Disk;
use odpsh::store::{StoreError, Warehouse};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::check::{check, check_bytes, shown_time};
use crate::machine::{Down, Fault, How, Machine};
use crate::model::{Expected, Model};
use crate::program::{self, Step};

const START_MS: i64 = 1_582_000_000_000;
const HOME: &str = "/home/warehouse";

/// A machine, what runs on it, and what it may hold.
struct Trial {
    machine: Machine,
    session: Option<Session>,
    /// What was acknowledged, and the states after it that were not.
    states: Vec<State>,
    story: String,
}

/// A state of the model, and the commit without which there is no such state, where there is one: the least number it can
/// have, and the time of its statement.
struct State {
    model: Model,
    commit: Option<(u64, i64)>,
}

impl State {
    /// What was acknowledged.
    fn known(model: Model) -> Self {
        Self {
            model,
            commit: None,
        }
    }
}

fn last_commit(session: &Session) -> u64 {
    session.store().map_or(0, |store| store.mark().number.0)
}

fn losses(session: &Session) -> usize {
    session.store().map_or(0, |store| store.mark().losses)
}

/// The commit at which the log begins and the times of the statements in it, read as `format.md` has it.
fn statements_in_log(machine: &Machine) -> (u64, BTreeSet<i64>) {
    let dir = Path::new(HOME).join("log");
    let numbers = machine.files(&dir).into_keys().filter_map(|name| {
        let number = name.strip_prefix("base-")?.parse::<u64>().ok()?;
        (!name.ends_with(".tmp")).then_some(number)
    });
    let base = numbers.max().unwrap_or(0);
    let mut times = BTreeSet::new();
    let path = dir.join(format!("frames-{base:016}"));
    let Ok(file) = machine.open(&path, false) else {
        return (base, times);
    };
    let mut log = vec![0; file.size().expect("a size") as usize];
    file.read_at(&mut log, 0).expect("readable");
    let (mut last, mut at) = (base, 32);
    while let Some(header) = log.get(at..at + 24) {
        let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four"));
        let end = at + 24 + word(4) as usize;
        let is_next = header[..4] == *b"OFRM" && header[8..16] == (last + 1).to_le_bytes();
        let Some(payload) = log.get(at + 24..end).filter(|_| is_next) else {
            break;
        };
        let sum = crc32c::crc32c_append(crc32c::crc32c(&header[4..20]), payload);
        if sum != word(20) {
            break;
        }
        let config = bincode::config::standard();
        let read = bincode::serde::decode_from_slice::<(i64, String, String), _>;
        let ((at_ms, _, statement), _) = read(&payload[12..], config).expect("a frame");
        if !statement.is_empty() {
            times.insert(at_ms);
        }
        last += 1;
        at = end.next_multiple_of(8);
    }
    (base, times)
}

type Checked<T> = Result<T, String>;

fn open(machine: &Machine, now_ms: i64) -> Result<Session, StoreError> {
    let warehouse = Warehouse::open(Path::new(HOME), Duration::ZERO, machine.seam())?;
    let start = shown_time(now_ms + 1000);
    let clock = ControlledClock::parse(&start, Tz::UTC).expect("a time");
    let session = Session::new(Start {
        warehouse: Arc::new(warehouse),
        clock: Box::new(clock),
        user: "owner".into(),
        project: "default".into(),
        zone: Tz::UTC,
        interrupt: odpsh::interrupt::Interrupt::never(),
        memory_bytes: 1 << 30,
    });
    session.open_store()?;
    Ok(session)
}

impl Trial {
    fn new(fault: Option<Fault>, seed: u64) -> Self {
        Self {
            machine: Machine::new(fault, seed ^ (fault.map_or(0, |fault| fault.at) << 32)),
            session: None,
            states: vec![State::known(Model::new(START_MS))],
            story: String::new(),
        }
    }

    fn latest(&self) -> &Model {
        &self.states.last().expect("at least one state").model
    }

    /// Adds a state: that of a commit of its own, or one that needs what the last one needs.
    fn push(&mut self, model: Model, own: Option<(u64, i64)>) {
        let commit = own.or(self.states.last().and_then(|state| state.commit));
        self.states.push(State { model, commit });
    }

    fn tell(&mut self, what: &str) {
        let shown: String = what.chars().take(120).collect();
        self.story.push_str(&shown);
        self.story.push('\n');
    }

    /// The session; where there is none the warehouse is opened. `None` where a fault prevents it.
    fn session(&mut self) -> Checked<Option<Session>> {
        if let Some(session) = self.session.take() {
            return Ok(Some(session));
        }
        match open(&self.machine, self.latest().now_ms) {
            Ok(session) => Ok(Some(session)),
            Err(error) if self.machine.has_struck() => {
                self.tell(&format!("-- open: {error}"));
                Ok(None)
            }
            Err(error) => Err(format!("open: {error}")),
        }
    }

    fn acknowledge(&mut self) {
        let last = self.states.len() - 1;
        self.states.drain(..last);
        self.states[0].commit = None;
    }

    /// Runs a program as far as the fault lets it.
    fn run(&mut self, steps: &[Step], syncs: &mut dyn FnMut() -> bool) -> Checked<()> {
        for step in steps {
            if self.machine.has_ended() {
                return Ok(());
            }
            let Some(session) = self.session()? else {
                if !self.machine.has_ended() {
                    self.recover()?;
                }
                continue;
            };
            self.step(session, step)?;
            if self.session.is_some() && syncs() {
                self.sync()?;
            }
        }
        Ok(())
    }

    fn sync(&mut self) -> Checked<()> {
        let Some(session) = self.session.take() else {
            return Ok(());
        };
        match session.sync() {
            Ok(()) => {
                self.session = Some(session);
                self.acknowledge();
                Ok(())
            }
            Err(error) => self.lose(session, &error.to_string()),
        }
    }

    /// The session goes, and nobody knows which of the states since the last acknowledgement is there.
    fn lose(&mut self, session: Session, error: &str) -> Checked<()> {
        self.tell(&format!("-- {error}"));
        if !self.machine.has_struck() {
            return Err(format!("without a fault: {error}"));
        }
        drop(session);
        if self.machine.has_ended() {
            return Ok(());
        }
        self.recover()
    }

    fn step(&mut self, mut session: Session, step: &Step) -> Checked<()> {
        let before = self.latest().clone();
        let mut after = before.clone();
        match after.step(step) {
            Expected::Nothing => {}
            Expected::Statement(sql, done) => {
                let (commit, lost) = (last_commit(&session), losses(&session));
                let outcome = session.run(&sql).outcome;
                let shown = match &outcome {
                    Ok(_) => "OK".to_owned(),
                    Err(error) => error.to_string(),
                };
                let synced = if outcome.is_ok() { "" } else { "!" };
                self.tell(&format!("{} {sql}", shown_time(after.now_ms)));
                self.tell(&format!("   {synced}{shown}"));
                match (outcome, done) {
                    (Ok(_), Ok(())) => {
                        // It may be lost already, with what the collector did behind it.
                        let has_committed =
                            last_commit(&session) > commit || losses(&session) > lost;
                        let own = has_committed.then_some((commit + 1, after.now_ms));
                        self.push(after, own);
                    }
                    (Err(_), Err(_)) => self.push(after, None),
                    (Ok(_), Err(_)) => return Err(format!("{sql}: it should fail")),
                    (Err(error), Ok(())) => {
                        if !self.machine.has_struck() {
                            return Err(format!("{sql}: {error}"));
                        }
                        // It left nothing, or its group was lost with it.
                        let mut untouched = before;
                        untouched.tick();
                        let needed = self.states.last().and_then(|state| state.commit);
                        let own = Some((commit + 1, after.now_ms));
                        self.push(after, own);
                        self.states.push(State {
                            model: untouched,
                            commit: needed,
                        });
                        if session.sync().is_err() {
                            return self.lose(session, "the group is lost");
                        }
                        let place = self.states.len() - 2;
                        self.states.remove(place);
                    }
                }
            }
            Expected::Collect => {
                for is_rehearsal in [true, false] {
                    if !is_rehearsal {
                        after.tick();
                    }
                    self.tell(&format!("{} -- gc", shown_time(after.now_ms)));
                    self.push(after.clone(), None);
                    if let Err(error) = session.collect_all(is_rehearsal, false) {
                        // A loss of what was done before is told here, too.
                        return self.lose(session, &error.to_string());
                    }
                }
            }
            Expected::Reopen { without_index } => {
                self.tell("-- close");
                if let Err(error) = session.close() {
                    self.tell(&format!("   !{error}"));
                    if !self.machine.has_struck() {
                        return Err(format!("close: {error}"));
                    }
                    return match self.machine.has_ended() {
                        true => Ok(()),
                        false => self.recover(),
                    };
                }
                if !self.machine.has_ended() {
                    self.acknowledge();
                    self.machine.rest();
                }
                if without_index {
                    let _ = self.machine.remove_dir(&Path::new(HOME).join("catalog"));
                }
                return Ok(());
            }
        }
        self.session = Some(session);
        Ok(())
    }

    fn go_down(&mut self, down: Down) -> Checked<()> {
        self.machine.end();
        self.session = None;
        self.machine.restart(down);
        self.tell(&format!("-- {down:?}"));
        self.recover()
    }

    /// Opens what is there and finds out which of the possible states it is.
    fn recover(&mut self) -> Checked<()> {
        self.machine.relieve();
        let now_ms = self.latest().now_ms;
        let mut why = String::new();
        let (base, times) = statements_in_log(&self.machine);
        for State { mut model, commit } in std::mem::take(&mut self.states).into_iter().rev() {
            model.now_ms = now_ms - 1000;
            model.tick();
            let copy = self.machine.copy();
            let mut session = open(&copy, now_ms).map_err(|error| format!("reopen: {error}"))?;
            if commit.is_some_and(|(least, at_ms)| least > base && !times.contains(&at_ms)) {
                // Two states may look the same for a while.
                continue;
            }
            match check(&mut session, &mut model.clone(), 1) {
                Ok(()) => {
                    self.read_only(&model, now_ms)?;
                    self.states = vec![State::known(model)];
                    break;
                }
                Err(error) => why.push_str(&format!("\nnot: {error}")),
            }
        }
        if self.states.is_empty() {
            return Err(format!("after a restart no state fits{why}"));
        }
        self.tell("-- recovered");
        self.session = self.session()?;
        Ok(())
    }

    /// Whoever may only read what is there sees the same, with a lock and without.
    fn read_only(&self, model: &Model, now_ms: i64) -> Checked<()> {
        if model.tables.is_empty() || model.has_lifecycles() {
            // Nobody drops there what has come to its end.
            return Ok(());
        }
        for is_locked in [true, false] {
            let copy = self.machine.copy();
            if !is_locked {
                let _ = copy.remove(&Path::new(HOME).join("LOCK"));
            }
            copy.forbid_changes();
            let read = open(&copy, now_ms).map_err(|error| error.to_string());
            let mut session = read.map_err(|error| format!("only read: {error}"))?;
            check(&mut session, &mut model.clone(), 1)
                .map_err(|error| format!("only read: {error}"))?;
            let refused = session.run("create table never (a bigint)").outcome;
            if refused.is_ok() {
                return Err("only read: a table was made".into());
            }
            session
                .close()
                .map_err(|error| format!("only read, close: {error}"))?;
        }
        Ok(())
    }

    /// Everything is right, and what no version needs is gone.
    fn examine(&mut self) -> Checked<()> {
        let mut session = self.session()?.ok_or("it does not open")?;
        let mut model = self.latest().clone();
        check(&mut session, &mut model, 2)?;
        model.tick();
        session
            .collect_all(false, false)
            .map_err(|error| error.to_string())?;
        let files = self.machine.files(&Path::new(HOME).join("data"));
        check_bytes(&session, &model, &files)?;
        check(&mut session, &mut model, 3)?;
        self.states = vec![State::known(model)];
        self.session = Some(session);
        Ok(())
    }
}

/// Runs a program with one fault and returns how many operations there were.
fn attempt(steps: &[Step], fault: Option<(Fault, Down)>, seed: u64) -> Checked<u64> {
    let mut trial = Trial::new(fault.map(|(fault, _)| fault), seed);
    let down = fault.map_or(Down::Killed, |(_, down)| down);
    let mut count = seed;
    let mut syncs = move || {
        count = count
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        !(count >> 33).is_multiple_of(3)
    };
    let outcome = carry_out(&mut trial, steps, down, &mut syncs);
    outcome.map_err(|error| {
        let struck = trial.machine.struck();
        format!("{fault:?}, {struck}, seed {seed}\n{}{error}", trial.story)
    })?;
    Ok(trial.machine.operations())
}

fn carry_out(
    trial: &mut Trial,
    steps: &[Step],
    down: Down,
    syncs: &mut dyn FnMut() -> bool,
) -> Checked<()> {
    trial.run(steps, syncs)?;
    if trial.machine.has_ended() || down == Down::PowerCut {
        trial.go_down(down)?;
        if down == Down::Killed {
            // What was seen after the kill is there to stay.
            trial.go_down(Down::PowerCut)?;
        }
    }
    trial.machine.relieve();
    if trial.session.is_none() {
        trial.session = trial.session()?;
    }
    trial.sync()?;
    trial.examine()?;
    let rest = [
        Step::Create {
            name: 2,
            partitioned: false,
        },
        Step::Insert {
            name: 0,
            part: 1,
            overwrite: false,
            is_large: true,
        },
        Step::Reopen,
    ];
    trial.run(&rest, &mut || true)?;
    trial.examine()
}

/// Programs that have every kind of step.
fn written() -> Vec<Vec<Step>> {
    let insert = |name, part, overwrite, is_large| Step::Insert {
        name,
        part,
        overwrite,
        is_large,
    };
    let create = |name, partitioned| Step::Create { name, partitioned };
    let plain = vec![
        create(0, false),
        insert(0, 0, false, false),
        insert(0, 0, false, true),
        Step::AddColumn { name: 0 },
        insert(0, 0, true, false),
        Step::Restore { name: 0, lsn: 9 },
        Step::RestoreAs {
            name: 0,
            lsn: 9,
            to: 1,
        },
        Step::Clone { from: 0, to: 2 },
        Step::CreateAs {
            name: 0,
            lsn: 1,
            to: 2,
        },
        Step::Truncate { name: 0, part: 0 },
        Step::Drop {
            name: 0,
            purge: false,
        },
        Step::Undrop { which: 0 },
        Step::Rename { from: 2, to: 0 },
        Step::Retention { days: 0 },
        Step::Collect,
        insert(0, 0, true, true),
        Step::Reopen,
        Step::DropColumn { name: 0 },
        Step::MergeSmallFiles { name: 0 },
        Step::Drop {
            name: 1,
            purge: true,
        },
        Step::Collect,
        Step::DeleteIndex,
        insert(0, 0, false, false),
    ];
    let parts = vec![
        create(1, true),
        insert(1, 0, false, false),
        insert(1, 1, false, true),
        insert(1, 2, false, false),
        Step::RestorePartition {
            name: 1,
            part: 0,
            lsn: 5,
        },
        insert(1, 0, true, true),
        Step::DropPartition {
            name: 1,
            part: 1,
            purge: false,
        },
        Step::Restore { name: 1, lsn: 13 },
        Step::Clone { from: 1, to: 0 },
        Step::RestoreAs {
            name: 1,
            lsn: 21,
            to: 2,
        },
        Step::MergePartitions {
            name: 1,
            from: 0,
            into: 2,
            purge: true,
        },
        Step::Lifecycle { name: 1, days: 1 },
        Step::Advance { hours: 30 },
        insert(0, 0, false, false),
        Step::UndropPartition { name: 1, which: 0 },
        Step::TableRetention {
            name: 1,
            days: Some(3),
        },
        Step::Purge {
            name: 1,
            hours: Some(1),
        },
        Step::Reopen,
        Step::RenamePartition {
            name: 0,
            from: 0,
            to: 1,
        },
        Step::PurgeAll,
        Step::Advance { hours: 30 },
        Step::Collect,
        insert(0, 2, false, false),
    ];
    // Enough metadata for a base of several pieces, and an index that is built from it.
    let mut large = vec![create(0, false), Step::AddColumn { name: 0 }];
    for number in 0..13 {
        large.push(insert(0, 0, number == 7, true));
    }
    large.extend([
        Step::Purge {
            name: 0,
            hours: None,
        },
        Step::Collect,
        Step::DeleteIndex,
        insert(0, 0, true, false),
        Step::Restore { name: 0, lsn: 21 },
        insert(0, 0, true, true),
        Step::Purge {
            name: 0,
            hours: None,
        },
        Step::Collect,
        Step::DeleteIndex,
        insert(0, 0, false, true),
        insert(0, 0, false, true),
        Step::Collect,
        Step::Reopen,
        insert(0, 0, false, true),
        Step::Reopen,
        insert(0, 0, false, false),
    ]);
    // What goes wrong last has no statement behind it that mends it.
    let short = vec![
        create(0, false),
        Step::AddColumn { name: 0 },
        insert(0, 0, false, false),
        Step::Reopen,
        insert(0, 0, false, true),
        insert(0, 0, false, true),
    ];
    vec![plain, parts, large, short]
}

fn number(name: &str, default: u64) -> u64 {
    let set = std::env::var(name).ok();
    set.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Every how many operations there is a fault.
pub fn stride(default: u64) -> u64 {
    number("ODPSH_CRASH_STRIDE", default).max(1)
}

/// The written programs, and random ones that differ from one number to the next.
fn programs() -> Vec<Vec<Step>> {
    let random = number("ODPSH_CRASH_PROGRAMS", 0);
    let mut all = written();
    for program in 0..random {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&program.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        let steps = prop::collection::vec(program::step(), 15..30).new_tree(&mut runner);
        all.push(steps.expect("a program").current());
    }
    all
}

/// Every fault of `faults` at every operation, or every few of them.
fn matrix(faults: &[(How, Down)], stride: u64) {
    let stride = self::stride(stride);
    let programs = programs();
    let mut points = Vec::new();
    for (program, steps) in programs.iter().enumerate() {
        for (kind, (how, down)) in faults.iter().enumerate() {
            let seed = (program * 1000 + kind) as u64;
            let operations = attempt(steps, None, seed).unwrap_or_else(|error| panic!("{error}"));
            let first = 1 + seed % stride;
            for at in (first..=operations).step_by(stride as usize) {
                points.push((program, Fault { at, how: *how }, *down, seed));
            }
        }
    }
    eprintln!("{} programs", programs.len());
    each(&points, |(program, fault, down, seed)| {
        let outcome = attempt(&programs[*program], Some((*fault, *down)), *seed);
        outcome
            .map(drop)
            .map_err(|error| format!("program {program}: {error}"))
    });
}

/// Tries all points, on as many threads as there are cores.
pub fn each<T: Sync + std::fmt::Debug>(
    points: &[T],
    attempt: impl Fn(&T) -> Result<(), String> + Sync,
) {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failures = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some(point) = points.get(place) else {
                        return;
                    };
                    let run = std::panic::AssertUnwindSafe(|| attempt(point));
                    let outcome = std::panic::catch_unwind(run)
                        .unwrap_or_else(|_| Err(format!("a panic: {point:?}")));
                    if let Err(error) = outcome {
                        let mut failures = failures.lock().expect("no panic inside");
                        failures.push(error);
                        if failures.len() > 3 {
                            next.store(points.len(), std::sync::atomic::Ordering::Relaxed);
                        }
                    }
                }
            });
        }
    });
    eprintln!("{} points", points.len());
    let failures = failures.into_inner().expect("no panic inside");
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn an_operation_fails() {
    matrix(
        &[(How::Fails, Down::Killed), (How::Fails, Down::PowerCut)],
        1,
    );
}

#[test]
fn the_process_ends() {
    matrix(&[(How::Ends, Down::Killed), (How::Cut, Down::Killed)], 1);
}

#[test]
fn the_power_goes() {
    matrix(
        &[(How::Ends, Down::PowerCut), (How::Cut, Down::PowerCut)],
        1,
    );
}

#[test]
fn the_disk_is_full_or_locked_for_a_while() {
    let whiles = [How::Full, How::ReadOnly, How::TooManyFiles];
    matrix(&whiles.map(|how| (how, Down::Killed)), 1);
}

/// Runs a statement and makes it durable.
fn done(session: &mut Session, sql: &str) -> Checked<()> {
    let outcome = session.run(sql).outcome.and_then(|outcome| match outcome {
        Outcome::Rows(mut rows) => rows.collect().map(drop),
        _ => Ok(()),
    });
    let outcome = outcome.map_err(|error| format!("{sql}: {error}"));
    let synced = session.sync().map_err(|error| format!("{sql}: {error}"));
    outcome.and(synced)
}

#[test]
fn a_full_disk_is_read_and_what_frees_room_works_there() {
    let reserve = |machine: &Machine| machine.files(Path::new(HOME)).get("RESERVE").copied();
    let freeing = [
        "drop table t purge",
        "purge table t",
        "purge all",
        "alter table p drop partition (p='1') purge",
        "alter table t set tblproperties ('odps.timemachine.retention.days'='0')",
        "setproject odps.timemachine.retention.days=0",
    ];
    // The process goes on; it was closed and is started on the full disk; it was killed and is started there.
    for (start, sql) in (0..3).flat_map(|start| freeing.map(|sql| (start, sql))) {
        let story = format!("start {start}: {sql}");
        let machine = Machine::new(None, 11);
        let mut session = open(&machine, START_MS).expect("it opens");
        for sql in [
            "create table t (a string)",
            "create table p (a string) partitioned by (p string)",
            "insert into t select repeat('x', 100000)",
            "insert overwrite table t select repeat('y', 100000)",
            "insert into p partition (p='1') values ('z')",
        ] {
            done(&mut session, sql).expect("there is room");
        }
        assert_eq!(reserve(&machine), Some(1 << 20), "{story}");
        if start == 1 {
            session.close().expect("closed");
            machine.fill();
            session = open(&machine, START_MS + 60_000).expect("it opens");
        } else if start == 2 {
            machine.end();
            drop(session);
            machine.restart(Down::Killed);
            machine.fill();
            session = open(&machine, START_MS + 60_000).expect("it opens");
        }
        machine.fill();
        // What needs room fails once there is none left, and has not touched the reserve.
        let insert = format!("insert into t values ('{}')", "w".repeat(2000));
        let failed = (0..200).find_map(|_| done(&mut session, &insert).err());
        let error = failed.expect("the disk is full");
        assert!(error.contains("no storage space"), "{story}: {error}");
        let rows = "insert into t select repeat('v', 100000)";
        assert!(done(&mut session, rows).is_err(), "{story}");
        assert_eq!(reserve(&machine), Some(1 << 20), "{story}");
        for look in [
            "select count(*) from t",
            "select * from t version as of 2",
            "show history for table t",
            "desc p",
        ] {
            done(&mut session, look).unwrap_or_else(|error| panic!("{story}: {error}"));
        }
        done(&mut session, sql).unwrap_or_else(|error| panic!("{story}: {error}"));
        let collected = session.collect_all(false, false);
        collected.unwrap_or_else(|error| panic!("{story}: gc: {error}"));
        machine.relieve();
        done(&mut session, "insert into p partition (p='2') values ('a')")
            .expect("there is room again");
        session.close().expect("closed");
        assert_eq!(reserve(&machine), Some(1 << 20), "{story}");
        let mut session = open(&machine, START_MS + 120_000).expect("it opens");
        done(&mut session, "show history for tables").expect("readable");
    }
}

#[test]
fn a_file_that_vanished_while_nothing_could_be_locked_is_said_to_have_changed() {
    let machine = Machine::new(None, 3);
    let mut session = open(&machine, START_MS).expect("it opens");
    done(&mut session, "create table t (a string)").expect("made");
    done(&mut session, "insert into t select repeat('x', 100000)").expect("filled");
    session.close().expect("closed");
    let data = Path::new(HOME).join("data");
    let name = machine.files(&data).into_keys().next().expect("a file");
    for is_locked in [true, false] {
        let copy = machine.copy();
        copy.remove(&data.join(&name)).expect("collected");
        if !is_locked {
            let removed = copy.remove(&Path::new(HOME).join("LOCK"));
            removed.expect("there is a LOCK");
        }
        copy.forbid_changes();
        let mut session = open(&copy, START_MS).expect("it opens");
        let read = session.run("select length(a) from t").outcome;
        let said = read.expect_err("a file is missing").to_string();
        let expected = match is_locked {
            true => "its file is missing",
            false => {
                "ODPS-0110141:Data version exception - the warehouse was changed while being read, run it again"
            }
        };
        assert!(said.contains(expected), "{said}");
    }
}
