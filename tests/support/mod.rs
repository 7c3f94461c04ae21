//! What the integration tests share: a warehouse of their own and the real program.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use odpsh::clock::ControlledClock;
use odpsh::interrupt::Interrupt;
use odpsh::session::{Session, Start};
use odpsh::store::{Seam, Warehouse, memory};
use tempfile::TempDir;

/// Which index a warehouse is opened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    Sled,
    Memory,
}

/// A session of the owner in the warehouse of a folder; its clock stands at `now`, said in UTC.
pub fn session(dir: &Path, index: Index, now: &str, zone: Tz) -> Session {
    let mut seam = Seam::real();
    if index == Index::Memory {
        seam.index = Arc::new(memory::open);
    }
    let warehouse = Warehouse::open(dir, Duration::ZERO, seam).expect("a warehouse");
    Session::new(Start {
        warehouse: Arc::new(warehouse),
        clock: Box::new(ControlledClock::parse(now, Tz::UTC).expect("a time")),
        user: "ALIYUN$owner".into(),
        project: "default".into(),
        zone,
        interrupt: Interrupt::never(),
        memory_bytes: 1 << 28,
    })
}

/// A home folder with a warehouse, gone when dropped.
pub struct Home {
    dir: TempDir,
}

/// What a run of the program gave.
#[derive(Debug)]
pub struct Run {
    pub out: String,
    pub err: String,
    pub status: i32,
}

impl Run {
    /// The same run, which must have succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(
            self.status, 0,
            "stdout:\n{}\nstderr:\n{}",
            self.out, self.err
        );
        self
    }
}

impl Home {
    pub fn new() -> Self {
        Self {
            dir: TempDir::new().expect("a temporary folder"),
        }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn warehouse(&self) -> PathBuf {
        self.dir.path().join("warehouse")
    }

    /// The program, with this home and nothing of the machine's own.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_odpsh"));
        command
            .env_clear()
            .env("HOME", self.path())
            .env("TZ", "UTC")
            .env("USER", "owner")
            .env("TERM", "xterm")
            .env("ODPSH_WAREHOUSE", self.warehouse())
            .args(arguments);
        command
    }

    /// Starts the program with its streams piped.
    pub fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("the program starts")
    }

    /// Runs the program with `input` piped into it.
    pub fn run(&self, arguments: &[&str], input: &[u8]) -> Run {
        let mut child = self.start(arguments);
        let mut stdin = child.stdin.take().expect("it is piped");
        let input = input.to_vec();
        let writer = std::thread::spawn(move || {
            // The program may end before it has read everything.
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().expect("the program ends");
        writer.join().expect("the writer ends");
        Run {
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            status: output.status.code().unwrap_or(-1),
        }
    }

    /// Runs statements, which must succeed, and returns stdout.
    #[track_caller]
    pub fn sql(&self, statements: &str) -> String {
        self.run(&["-e", statements], b"").ok().out
    }
}

/// The first lines in which two texts differ.
pub fn difference(expected: &str, seen: &str) -> String {
    let (mut left, mut right) = (expected.lines(), seen.lines());
    for number in 1.. {
        match (left.next(), right.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => {
                let shown = |line: Option<&str>| line.unwrap_or("<the end>").to_owned();
                return format!(
                    "line {number}\n  expected: {}\n  seen:     {}\n\n{seen}",
                    shown(a),
                    shown(b)
                );
            }
        }
    }
    "they differ in line ends only".to_owned()
}
