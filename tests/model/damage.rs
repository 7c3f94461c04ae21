//! Damage to every kind of file: one flipped bit, a page of zeroes, a cut tail, a deleted file, the file of another
//! warehouse; in a warehouse that was closed in order, and in one whose process was killed.
//!
//! Every version then reads as it did, or is refused by an error that says what is damaged; what is not damaged reads
//! on; `check` finds what reading found and names it; and what repairing leaves reads as it did or not at all. Of one that was
//! closed in order log and index know the same: where one of them is damaged everything comes back.
//!
//! `ODPSH_DAMAGE_ROUNDS=n` tries n places in every file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use odpsh::clock::ControlledClock;
use odpsh::engine::text::text;
use odpsh::error::Error;
use odpsh::exec::Outcome;
use odpsh::session::{Session, Start};
use odpsh::store::check::Checkup;
use odpsh::store::{Seam, StoreError, Warehouse};
use odpsh::timemachine::check::examine;

const NOW: &str = "2026-01-01 10:00:00";

/// What is read: every version of every table, as rows or as an error.
type Answers = BTreeMap<String, Result<Vec<String>, String>>;

fn open(dir: &Path) -> Result<Session, StoreError> {
    let warehouse = Warehouse::open(dir, Duration::ZERO, Seam::real())?;
    let session = Session::new(Start {
        warehouse: Arc::new(warehouse),
        clock: Box::new(ControlledClock::parse(NOW, Tz::UTC).expect("a time")),
        user: "owner".into(),
        project: "default".into(),
        zone: Tz::UTC,
        interrupt: odpsh::interrupt::Interrupt::never(),
        memory_bytes: 1 << 28,
    });
    session.open_store()?;
    Ok(session)
}

/// A warehouse with a base, a log behind it, an index and data files, closed in order; `seed` makes another. Before it is
/// closed it is copied to `killed`.
fn make(dir: &Path, killed: &Path, seed: u32) {
    let mut session = open(dir).expect("a warehouse");
    let mut run = |sql: &str| {
        let outcome = session.run(sql).outcome;
        outcome.unwrap_or_else(|error| panic!("{sql}: {error}"));
    };
    run("create table t (a bigint, b string)");
    run("create table p (a bigint) partitioned by (d string)");
    run(&format!(
        "create table big as select value + {seed} as a, cast(value as string) as b from odpsh_generate_series(1, 30000)"
    ));
    for number in 0..12 {
        run(&format!(
            "insert into t values ({number}, 'row {number} of {seed}')"
        ));
        run(&format!(
            "insert into p partition (d='{}') values ({number})",
            number % 3
        ));
    }
    run(&format!(
        "insert into t values ({seed}, repeat('long', 30000))"
    ));
    run("insert overwrite table big select a + 1, b from big");
    session.collect_all(false, false).expect("collected");
    let mut run = |sql: &str| {
        let outcome = session.run(sql).outcome;
        outcome.unwrap_or_else(|error| panic!("{sql}: {error}"));
        session.sync().expect("durable");
    };
    for number in 0..6 {
        run(&format!(
            "insert overwrite table p partition (d='0') values ({number} + {seed})"
        ));
        run(&format!(
            "insert into t values ({number}, 'later {number} of {seed}')"
        ));
    }
    copy(dir, killed);
    session.close().expect("closed");
}

fn rows(outcome: Outcome) -> Result<Vec<String>, Error> {
    let Outcome::Rows(mut set) = outcome else {
        panic!("a query gives rows");
    };
    let mut rows = Vec::new();
    for batch in &set.collect()? {
        for row in 0..batch.num_rows() {
            let columns = batch.columns().iter();
            rows.push(
                columns
                    .map(|array| format!("{:?} ", text(array, row)))
                    .collect(),
            );
        }
    }
    rows.sort();
    Ok(rows)
}

fn answers(session: &mut Session) -> Answers {
    let mut answers = Answers::new();
    for (table, last) in [("t", 20), ("p", 19), ("big", 3)] {
        for lsn in 1..=last {
            // The sum of the large one stands for its rows.
            let what = if table == "big" {
                "sum(a), count(b), min(b)"
            } else {
                "*"
            };
            let sql = format!("select {what} from {table} version as of {lsn}");
            let outcome = session.run(&sql).outcome;
            let answer = outcome.and_then(rows).map_err(|error| error.to_string());
            answers.insert(format!("{table} {lsn}"), answer);
        }
    }
    answers
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("readable") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("copied")),
        }
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    found.sort();
    found
}

/// Small numbers, the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit.max(1) as u64) as usize
    }
}

const KINDS: [&str; 5] = [
    "flipped bit",
    "zeroed page",
    "cut tail",
    "deleted",
    "swapped",
];

/// Damages a file or a folder; false where that changes nothing.
fn harm(path: &Path, kind: &str, other: &Path, dice: &mut Dice) -> bool {
    if path.is_dir() {
        std::fs::remove_dir_all(path).expect("removed");
        match kind {
            "swapped" => copy(other, path),
            "a file" => std::fs::write(path, "no folder").expect("written"),
            _ => {}
        }
        return true;
    }
    let before = std::fs::read(path).expect("readable");
    let mut after = before.clone();
    match kind {
        "flipped bit" if !before.is_empty() => {
            // Where something is written, mostly.
            let end = before.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1;
            after[dice.below(end)] ^= 1 << dice.below(8);
        }
        "zeroed page" if !before.is_empty() => {
            let page = dice.below(before.len().div_ceil(4096)) * 4096;
            let until = (page + 4096).min(before.len());
            after[page..until].fill(0);
        }
        "cut tail" => after.truncate(dice.below(before.len() + 1)),
        "deleted" => {
            std::fs::remove_file(path).expect("removed");
            return true;
        }
        "swapped" => match std::fs::read(other) {
            Ok(bytes) => after = bytes,
            Err(_) => return false,
        },
        _ => return false,
    }
    std::fs::write(path, &after).expect("written");
    after != before
}

/// The kind of a file, and its like in another warehouse or beside it.
fn kind_of(path: &Path, dir: &Path, other: &Path) -> (&'static str, PathBuf) {
    let inside = path.strip_prefix(dir).expect("inside");
    let name = inside.to_string_lossy().into_owned();
    let kind = match name.as_str() {
        "FORMAT" => "FORMAT",
        "LOCK" => "LOCK",
        _ if name.starts_with("log/base") => "base",
        _ if name.starts_with("log/") => "log",
        _ if name.starts_with("data/") => "data",
        _ => "index",
    };
    if kind != "data" {
        return (kind, other.join(inside));
    }
    let mut data = files(&dir.join("data"));
    data.retain(|file| file != path);
    (kind, data.pop().unwrap_or_default())
}

/// Whether what cannot be read is what the last commits of the log made, at most `most` of them: nobody can tell damage
/// to the end of a log from writing that was cut short, where a killed process left no word of how far it had come.
fn is_end_of_log(read: &Answers, good: &Answers, most: usize) -> bool {
    let is_gone = |key: &str| read[key].is_err() && good[key].is_ok();
    let last = (14..20).flat_map(|lsn| [format!("p {lsn}"), format!("t {}", lsn + 1)]);
    let last: Vec<String> = last.collect();
    let gone = last.iter().rev().take_while(|key| is_gone(key)).count();
    gone <= most && gone == good.keys().filter(|key| is_gone(key)).count()
}

/// What has to hold for a warehouse with one damaged file; `in_order` where it was closed.
fn examine_damage(
    dir: &Path,
    (kind, how): (&str, &str),
    in_order: bool,
    good: &Answers,
) -> Result<(), String> {
    let read = match open(dir) {
        Ok(mut session) => {
            let read = answers(&mut session);
            drop(session);
            read
        }
        Err(error) => {
            let said = error.to_string();
            let names = [
                "damaged",
                "missing",
                "is not an odpsh warehouse",
                "format",
                "incomplete",
                "Not a directory",
            ];
            if !names.iter().any(|name| said.contains(name)) {
                return Err(format!("the error does not say what is wrong: {said}"));
            }
            // Whether log or index is of another warehouse, nobody is to guess.
            let is_stranger = how == "swapped" && said.contains("the index in catalog knows it");
            if matches!(kind, "data" | "index") && !is_stranger && how != "a file" {
                return Err(format!("nothing can be read any more: {said}"));
            }
            good.keys()
                .map(|key| (key.clone(), Err(said.clone())))
                .collect()
        }
    };
    let mut failed = 0;
    for (key, answer) in &read {
        match (answer, &good[key]) {
            (Ok(seen), Ok(known)) if seen != known => {
                return Err(format!("{key} reads other rows than before"));
            }
            (Ok(_), Err(_)) => return Err(format!("{key} was not there before")),
            (Err(error), Ok(_)) => {
                failed += 1;
                let table = key.split(' ').next().unwrap_or_default();
                let is_named = error.contains("damaged") || error.contains("missing");
                if kind == "data" && !(is_named && error.contains(&format!("default.{table}"))) {
                    return Err(format!("{key}: the error does not name it: {error}"));
                }
            }
            _ => {}
        }
    }
    if kind == "index" && failed > 0 && read.values().any(Result::is_ok) {
        return Err(format!(
            "{failed} versions cannot be read although the log is sound"
        ));
    }
    let problems = |repair: bool| -> Result<Vec<String>, String> {
        let checkup = Checkup::begin(dir, Duration::ZERO, Seam::real());
        let checkup = checkup.map_err(|error| format!("check: {error}"))?;
        let mut found = checkup.findings.clone();
        if let Some(store) = &checkup.store {
            let (_, findings) = examine(store, true, &mut |_, _| {}).map_err(|e| e.to_string())?;
            found.extend(findings);
        }
        match repair {
            true => checkup.repair(),
            false => checkup.end(),
        }
        .map_err(|error| error.to_string())?;
        Ok(found.into_iter().map(|finding| finding.object).collect())
    };
    if matches!(kind, "FORMAT") && read.values().all(Result::is_err) {
        // A FORMAT that looks like that of a newer program is left alone.
        if let Err(error) = Checkup::begin(dir, Duration::ZERO, Seam::real()).map(drop) {
            let said = error.to_string();
            return match said.contains("this odpsh reads format") {
                true => Ok(()),
                false => Err(said),
            };
        }
    }
    let found = problems(true)?;
    let name = match kind {
        "base" => "log/base",
        "log" => "log/",
        "data" => "default.",
        "index" => "catalog",
        _ => "",
    };
    let most = if how == "flipped bit" { 1 } else { 12 };
    let is_end = kind == "log" && !in_order && is_end_of_log(&read, good, most);
    if failed > 0 && !is_end && !found.iter().any(|object| object.contains(name)) {
        return Err(format!("reading fails and check names {found:?}"));
    }
    let mut session = open(dir).map_err(|error| format!("after a repair: {error}"))?;
    for (key, answer) in answers(&mut session) {
        if let (Ok(seen), Ok(known)) = (&answer, &good[&key])
            && seen != known
        {
            return Err(format!("after a repair {key} reads other rows"));
        }
        let comes_back = kind != "data" && (in_order || !matches!(kind, "log" | "base"));
        if comes_back && answer.is_err() != good[&key].is_err() {
            return Err(format!("after a repair {key}: {answer:?}"));
        }
    }
    drop(session);
    let left = problems(false)?;
    if kind != "data" && !left.is_empty() {
        return Err(format!("after a repair check still finds {left:?}"));
    }
    let mut session = open(dir).map_err(|error| format!("after a repair: {error}"))?;
    // It goes on.
    let outcome = session.run("create table after_all (a bigint)").outcome;
    outcome.map_err(|error| format!("after a repair: {error}"))?;
    session
        .close()
        .map_err(|error| format!("after a repair: {error}"))
}

#[test]
fn damage_is_named_and_never_served() {
    let rounds = std::env::var("ODPSH_DAMAGE_ROUNDS").ok();
    let rounds: u64 = rounds.and_then(|text| text.parse().ok()).unwrap_or(3);
    let home = tempfile::tempdir().expect("a folder");
    let (sound, other) = (home.path().join("sound"), home.path().join("other"));
    let killed = home.path().join("killed");
    make(&other, &killed, 1_000_000);
    std::fs::remove_dir_all(&killed).expect("removed");
    make(&sound, &killed, 1);
    let good = {
        let copied = home.path().join("read");
        copy(&sound, &copied);
        let mut session = open(&copied).expect("sound");
        answers(&mut session)
    };
    assert!(good.values().filter(|answer| answer.is_ok()).count() > 30);
    let mut cases = Vec::new();
    for source in [&sound, &killed] {
        for kind in ["deleted", "swapped", "a file"] {
            cases.push((source, source.join("catalog"), kind, 0));
        }
        for path in files(source) {
            for kind in KINDS {
                let rounds = match kind {
                    "deleted" | "swapped" => 1,
                    _ if source == &killed => rounds.div_ceil(3),
                    _ => rounds,
                };
                cases.extend((0..rounds).map(|round| (source, path.clone(), kind, round)));
            }
        }
    }
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failures = std::sync::Mutex::new(Vec::new());
    let tried = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (cases, next, failures, tried) = (&cases, &next, &failures, &tried);
            let (home, sound, other, good) = (home.path(), &sound, &other, &good);
            scope.spawn(move || {
                loop {
                    let place = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let Some((source, path, kind, round)) = cases.get(place) else {
                        return;
                    };
                    let dir = home.join(format!("damaged-{thread}"));
                    let _ = std::fs::remove_dir_all(&dir);
                    copy(source, &dir);
                    let inside = path.strip_prefix(source).expect("inside");
                    let (what, twin) = kind_of(&dir.join(inside), &dir, other);
                    let mut dice = Dice(place as u64 * 1000 + round);
                    if !harm(&dir.join(inside), kind, &twin, &mut dice) {
                        continue;
                    }
                    tried.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let in_order = *source == sound;
                    let run = || examine_damage(&dir, (what, *kind), in_order, good);
                    let run = std::panic::AssertUnwindSafe(run);
                    let outcome =
                        std::panic::catch_unwind(run).unwrap_or_else(|_| Err("a panic".to_owned()));
                    if let Err(error) = outcome {
                        let mut failures = failures.lock().expect("no panic inside");
                        let source = source.file_name().expect("a name").to_string_lossy();
                        let inside = inside.display();
                        failures.push(format!("{source}: {kind} {inside} ({round}): {error}"));
                    }
                }
            });
        }
    });
    eprintln!("{} damaged warehouses", tried.into_inner());
    let failures = failures.into_inner().expect("no panic inside");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
