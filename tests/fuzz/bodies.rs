//! What is fuzzed. Each body takes any bytes and must neither panic nor hang nor fill the memory; the bounded runs of
//! `tests/hostile.rs` and the targets of cargo-fuzz share them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono_tz::Tz;
use odpsh::clock::ControlledClock;
use odpsh::parser::{Splitter, parse};
use odpsh::session::{Session, Start};
use odpsh::store::Warehouse;
use odpsh::store::check::Checkup;
use odpsh::store::seam::Disk;
use odpsh::timemachine::check::examine;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::machine::Machine;

const HOME: &str = "/home/warehouse";
const FRAMES: &str = "/home/warehouse/log/frames-0000000000000000";

/// Any text: it is split, and what parses is printed as something that parses to the same.
pub fn statements(bytes: &[u8]) {
    let mut splitter = Splitter::default();
    splitter.push(bytes);
    let mut pieces: Vec<_> = std::iter::from_fn(|| splitter.next_complete()).collect();
    pieces.extend(splitter.finish());
    for text in pieces.into_iter().flatten() {
        let Ok(statement) = parse(&text) else {
            continue;
        };
        let printed = statement.to_string();
        let again = parse(&printed).unwrap_or_else(|error| panic!("{printed}: {error}"));
        assert_eq!(again.to_string(), printed, "{text}");
    }
}

/// Any bytes as the commit log.
pub fn log_file(bytes: &[u8]) {
    let machine = empty();
    write(&machine, bytes);
    exercise(&machine);
}

/// Any bytes behind the header and the frames of a good log.
pub fn log_tail(bytes: &[u8]) {
    let machine = empty();
    let mut log = sound_log().0.clone();
    let end = log.iter().rposition(|byte| *byte != 0).unwrap_or(0) + 1;
    log.truncate(end.next_multiple_of(8));
    log.extend(bytes);
    write(&machine, &log);
    exercise(&machine);
}

/// A warehouse whose checksums are all right and one of whose records lies: three bytes choose the record, where its payload is
/// changed, and how; the rest is put there.
pub fn record(bytes: &[u8]) {
    let [which, at, how, put @ ..] = bytes else {
        return;
    };
    let mut records = sound_log().1.clone();
    let which = usize::from(*which) % records.len();
    let (key, value) = records.iter_mut().nth(which).expect("one of them");
    let mut payload = value[12..].to_vec();
    let at = usize::from(*at) * payload.len() / 256;
    match how % 3 {
        // Over what is there.
        0 => {
            for (place, byte) in put.iter().enumerate() {
                match payload.get_mut(at + place) {
                    Some(there) => *there = *byte,
                    None => payload.push(*byte),
                }
            }
        }
        // Between what is there.
        1 => drop(payload.splice(at..at, put.iter().copied())),
        // In place of the rest.
        _ => drop(payload.splice(at.., put.iter().copied())),
    }
    *value = envelope(key, value[1], [value[2], value[3]], &payload);
    let machine = empty();
    write(&machine, &log_of(&records));
    exercise(&machine);
}

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

/// An empty warehouse with FORMAT.
fn empty() -> Machine {
    let machine = Machine::new(None, 0);
    let warehouse = Warehouse::open(Path::new(HOME), Duration::ZERO, machine.seam());
    warehouse.expect("a warehouse").close().expect("closed");
    let lock = machine.open(Path::new("/home/warehouse/LOCK"), true);
    let lock = lock.expect("LOCK");
    lock.set_size(0).expect("emptied");
    machine
}

fn write(machine: &Machine, bytes: &[u8]) {
    let file = machine.open(Path::new(FRAMES), true).expect("a file");
    file.set_size(0).expect("emptied");
    file.write_at(bytes, 0).expect("written");
}

fn session(machine: &Machine) -> Option<Session> {
    let warehouse = Warehouse::open(Path::new(HOME), Duration::ZERO, machine.seam()).ok()?;
    let clock = ControlledClock::parse("2026-01-02 09:00:00", Tz::UTC).expect("a time");
    Some(Session::new(Start {
        warehouse: Arc::new(warehouse),
        clock: Box::new(clock),
        user: "owner".into(),
        project: "default".into(),
        zone: Tz::Asia__Shanghai,
        interrupt: odpsh::interrupt::Interrupt::never(),
        memory_bytes: 1 << 27,
    }))
}

/// Statements that read and change everything there is.
const EXERCISE: [&str; 22] = [
    "show tables",
    "show history for tables",
    "show history for table t extended",
    "show history for table p",
    "show history for table p partition (d='1')",
    "desc extended t",
    "show create table p",
    "show partitions p",
    "show recyclebin",
    "select * from t order by a limit 10",
    "select * from p where d = '1'",
    "select max_pt('p')",
    "select count(*) from t version as of 2",
    "select * from v",
    "insert into t values (7, 'seven', 1.5)",
    "insert into p partition (d='9') values (1)",
    "alter table p drop partition (d='1')",
    "restore table t to lsn '2'",
    "restore table t to lsn '2' as w",
    "drop table p",
    "restore table p",
    "purge all",
];

/// Opens what is there, looks at all of it and changes it.
fn exercise(machine: &Machine) {
    if let Ok(checkup) = Checkup::begin(Path::new(HOME), Duration::ZERO, machine.seam()) {
        if let Some(store) = &checkup.store {
            let _ = examine(store, true, &mut |_, _| {});
        }
        let _ = checkup.end();
    }
    let Some(mut session) = session(machine) else {
        return;
    };
    for sql in EXERCISE {
        if let Err(error) = session.run(sql).outcome {
            let said = error.to_string();
            assert!(!said.contains("failed unexpectedly"), "{sql}: {said}");
        }
    }
    let _ = session.collect_all(false, false);
    let _ = session.close();
}

/// A frame as `format.md` has it.
#[derive(Serialize, Deserialize)]
struct Frame {
    committed_ms: i64,
    user: String,
    statement: String,
    changes: Vec<(ByteBuf, Option<ByteBuf>)>,
    durable: u64,
}

/// The log of a small warehouse, and its live records.
fn sound_log() -> &'static (Vec<u8>, Records) {
    static SOUND: OnceLock<(Vec<u8>, Records)> = OnceLock::new();
    SOUND.get_or_init(|| {
        let machine = empty();
        let mut session = session(&machine).expect("a session");
        for sql in [
            "create table t (a bigint, b string, c decimal(10,2)) lifecycle 10",
            "insert into t values (1, 'one', 1.25), (2, 'two', 2.5)",
            "insert into t select value, repeat('x', 70), 1 from odpsh_generate_series(1, 2000)",
            "create table n (a array<struct<x:bigint,y:map<string,double>>>)",
            "insert into n select array(named_struct('x', 1, 'y', map('k', 1.5)))",
            "create table p (a bigint) partitioned by (d string)",
            "insert into p partition (d='1') values (1)",
            "insert into p partition (d='2') values (2)",
            "alter table p drop partition (d='2')",
            "create table s (a bigint)",
            "clone table t to u",
            "create view v as select a, b from t",
            "restore table t to lsn '2'",
        ] {
            let outcome = session.run(sql).outcome;
            outcome.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        for number in 0..70 {
            let sql = format!("insert into s select {number} from odpsh_generate_series(1, 9000)");
            let outcome = session.run(&sql).outcome;
            outcome.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        session.close().expect("closed");
        let file = machine.open(Path::new(FRAMES), false).expect("a log");
        let mut bytes = vec![0; file.size().expect("a size") as usize];
        file.read_at(&mut bytes, 0).expect("readable");
        let records = live_records(&bytes);
        (bytes, records)
    })
}

fn live_records(log: &[u8]) -> Records {
    let mut records = Records::new();
    let mut at = 32;
    while log[at..at + 4] == *b"OFRM" {
        let length = u32::from_le_bytes(log[at + 4..at + 8].try_into().expect("four bytes"));
        let payload = &log[at + 24 + 12..at + 24 + length as usize];
        let config = bincode::config::standard();
        let (frame, _) = bincode::serde::decode_from_slice::<Frame, _>(payload, config)
            .expect("a frame as documented");
        for (key, value) in frame.changes {
            match value {
                Some(value) => drop(records.insert(key.into_vec(), value.into_vec())),
                None => drop(records.remove(key.as_ref())),
            }
        }
        at = (at + 24 + length as usize).next_multiple_of(8);
    }
    records
}

/// An envelope with a checksum that is right.
fn envelope(key: &[u8], kind: u8, version: [u8; 2], payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xD5, kind, version[0], version[1]];
    bytes.extend((payload.len() as u32).to_le_bytes());
    let sum = crc32c::crc32c_append(crc32c::crc32c(key), &bytes);
    let sum = crc32c::crc32c_append(sum, payload);
    bytes.extend(sum.to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// A log of one commit with these records.
fn log_of(records: &Records) -> Vec<u8> {
    let mut log = b"ODPSHLOG\x01\0\0\0".to_vec();
    log.extend([0; 12]);
    let sum = crc32c::crc32c(&log);
    log.extend(sum.to_le_bytes());
    log.extend([0; 4]);
    let frame = Frame {
        committed_ms: 1,
        user: String::new(),
        statement: String::new(),
        changes: records
            .iter()
            .map(|(key, value)| (key.clone().into(), Some(value.clone().into())))
            .collect(),
        durable: 0,
    };
    let payload = bincode::serde::encode_to_vec(&frame, bincode::config::standard());
    let payload = envelope(
        &1u64.to_be_bytes(),
        0x03,
        [2, 0],
        &payload.expect("encoded"),
    );
    let (length, commit) = ((payload.len() as u32).to_le_bytes(), 1u64.to_le_bytes());
    let sum = [&length[..], &commit, &[0; 4], &payload]
        .iter()
        .fold(0, |sum, part| crc32c::crc32c_append(sum, part));
    for part in [
        &b"OFRM"[..],
        &length,
        &commit,
        &[0; 4],
        &sum.to_le_bytes(),
        &payload,
    ] {
        log.extend(part);
    }
    log.resize(log.len().next_multiple_of(8) + 4096, 0);
    log
}
