//! The real program in trouble: killed at any moment, without room, without rights, without files.
//!
//! `ODPSH_KILL_ROUNDS=500 cargo test --release --test trouble kill` is the long mode.

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use support::Home;

const CLOCK: [&str; 2] = ["--clock", "2026-01-01 09:00:00"];
const BEGIN: &str = "create table t (a bigint, b string);
create table p (a bigint) partitioned by (d string);
insert into p partition (d='0') values (0);
insert into p partition (d='1') values (1);
";
/// Rows of history that [`BEGIN`] makes, and how many of its statements say OK.
const BEGIN_ROWS: usize = 4;

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

/// Statements each of which makes one row of history.
fn statements(seed: u64, count: usize) -> Vec<String> {
    let mut dice = Dice(seed);
    let mut last_lsn = 1;
    let mut all = Vec::new();
    for number in 0..count {
        let on_t = |lsn: &mut u64| *lsn += 1;
        all.push(match dice.below(10) {
            0 => {
                on_t(&mut last_lsn);
                format!("insert into t values ({number}, repeat('x', 70000));")
            }
            1 => {
                on_t(&mut last_lsn);
                format!("insert overwrite table t values ({number}, 'alone');")
            }
            2 => {
                let lsn = 1 + dice.below(last_lsn);
                on_t(&mut last_lsn);
                format!("restore table t to lsn '{lsn}';")
            }
            3 => {
                on_t(&mut last_lsn);
                "truncate table t;".to_owned()
            }
            4..=6 => format!(
                "insert into p partition (d='{}') values ({number});",
                dice.below(2)
            ),
            _ => {
                on_t(&mut last_lsn);
                format!("insert into t values ({number}, 'row');")
            }
        });
    }
    all
}

/// All that can be seen: both histories, and the rows of every version.
fn everything(home: &Home) -> (usize, String) {
    let history = "show history for table t; show history for table p;";
    let listed = home
        .run(&["--clock", "2026-01-01 12:00:00", "-e", history], b"")
        .ok()
        .out;
    let rows: Vec<&str> = listed
        .lines()
        .filter(|line| line.starts_with("TABLE ") || line.starts_with("PARTITION "))
        .collect();
    // The table p has a row of its own.
    let count = rows.len();
    let mut reads = String::new();
    for line in &rows {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let table = if fields[0] == "TABLE" { fields[2] } else { "p" };
        let lsn = fields[3].trim_start_matches('0');
        reads.push_str(&format!(
            "select count(*), sum(a) from {table} version as of {lsn};\n"
        ));
    }
    let read = home
        .run(&["--clock", "2026-01-01 12:00:00"], reads.as_bytes())
        .ok()
        .out;
    (count, format!("{listed}{read}"))
}

#[test]
fn what_was_acknowledged_survives_kill_9_and_the_rest_is_whole_or_absent() {
    let rounds = std::env::var("ODPSH_KILL_ROUNDS").ok();
    let rounds: u64 = rounds.and_then(|text| text.parse().ok()).unwrap_or(24);
    for round in 0..rounds {
        let mut dice = Dice(round * 7 + 1);
        let script = statements(round, 100);
        let home = Home::new();
        let grouping = if dice.below(3) == 0 {
            "set odpsh.commit.grouping=false;\n"
        } else {
            ""
        };
        let mut child = home.start(&CLOCK);
        let mut input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let text = format!("{grouping}{BEGIN}{}", script.join("\n"));
        let writer = std::thread::spawn(move || {
            let _ = input.write_all(text.as_bytes());
        });
        let wanted = dice.below(110) as usize;
        let mut lines = output.lines();
        let is_ok = |line: &std::io::Result<String>| matches!(line, Ok(line) if line == "OK");
        let mut acknowledged = lines.by_ref().take(wanted).filter(is_ok).count();
        std::thread::sleep(Duration::from_micros(dice.below(8000)));
        child.kill().expect("killed");
        // What it had said by then counts too.
        acknowledged += lines.filter(is_ok).count();
        child.wait().expect("ended");
        writer.join().expect("the writer ends");
        let settings = usize::from(!grouping.is_empty());
        let acknowledged = acknowledged.saturating_sub(settings);

        if acknowledged < BEGIN_ROWS {
            continue;
        }
        let (rows, seen) = everything(&home);
        assert!(
            rows >= acknowledged,
            "round {round}: {acknowledged} acknowledged, {rows} there"
        );
        let check = home.run(&["check", "--deep"], b"");
        assert_eq!(check.status, 0, "round {round}: {}{}", check.out, check.err);
        // The same statements, as many as are there, without a kill.
        let alone = Home::new();
        let statements = format!(
            "{grouping}{BEGIN}{}",
            script[..rows - BEGIN_ROWS].join("\n")
        );
        alone.run(&CLOCK, statements.as_bytes()).ok();
        let (_, expected) = everything(&alone);
        assert_eq!(seen, expected, "round {round}: {rows} statements are there");
    }
}

/// The program under limits of the shell, `ulimit …`.
fn limited(home: &Home, limits: &str, statements: &str) -> support::Run {
    let program = home.command(&[]);
    let script = format!("{limits}; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .arg(program.get_program())
        .args(["--lock-timeout", "0", "--on-error", "stop"])
        .env_clear()
        .envs(
            program
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("a shell");
    let mut input = child.stdin.take().expect("piped");
    let text = statements.to_owned();
    let writer = std::thread::spawn(move || {
        let _ = input.write_all(text.as_bytes());
    });
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("the writer ends");
    support::Run {
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        status: output.status.code().unwrap_or(-1),
    }
}

#[test]
fn a_full_disk_fails_the_statement_and_nothing_else() {
    let home = Home::new();
    home.sql("create table t (a bigint, b string); insert into t values (1, 'kept');");
    let before = home.sql("show history for table t; select * from t;");
    let files = |home: &Home| {
        fs::read_dir(home.warehouse().join("data"))
            .expect("data/")
            .count()
    };
    // No file may be longer than 100 to 200 kB.
    let large =
        "insert into t select value, cast(value as string) from generate_series(1, 200000);";
    let run = limited(&home, "ulimit -f 200", large);
    assert_eq!(run.status, 1, "{}", run.err);
    assert!(run.err.contains("File too large"), "{}", run.err);
    assert_eq!((run.out.as_str(), files(&home)), ("", 0), "{}", run.err);
    // The log has room for some small ones, then no more; what it says OK to is there.
    let many: String = (0..3000)
        .map(|number| format!("insert into t values ({number}, '{}');", "y".repeat(200)))
        .collect();
    let run = limited(&home, "ulimit -f 200", &many);
    assert_eq!(run.status, 1);
    assert!(
        run.err.contains("FAILED") && !run.err.contains("panicked"),
        "{}",
        run.err
    );
    let acknowledged = run.out.lines().filter(|line| *line == "OK").count();
    // With room again everything works, and nothing of what failed is there.
    let after = home.sql("show history for table t;");
    let appends = after
        .lines()
        .filter(|line| line.ends_with("APPEND"))
        .count();
    assert_eq!(appends, 1 + acknowledged);
    assert_eq!(
        home.sql("select b from t version as of 2;"),
        "+------+\n| b    |\n+------+\n| kept |\n+------+\n"
    );
    assert!(before.contains("kept"));
    home.sql(large);
    assert_eq!(home.run(&["check", "--deep"], b"").ok().status, 0);
}

#[test]
fn too_few_files_to_open_is_an_error_and_harms_nothing() {
    let home = Home::new();
    home.sql("create table t (a bigint); insert into t values (1);");
    for files in 4..24 {
        let run = limited(
            &home,
            &format!("ulimit -n {files}"),
            "insert into t values (2); select count(*) from t;",
        );
        assert!(!run.err.contains("panicked"), "{files} files: {}", run.err);
        assert!(
            run.status == 0 || !run.err.is_empty(),
            "{files} files: no word"
        );
    }
    let run = home.run(&["check", "--deep"], b"");
    assert_eq!(run.status, 0, "{}{}", run.out, run.err);
}

#[test]
fn a_folder_that_may_not_be_written_is_left_alone() {
    const NOBODY: u32 = 65_534;
    let home = Home::new();
    home.sql("create table t (a bigint); insert into t values (1);");
    let before = fs::read(home.warehouse().join("LOCK")).expect("readable");
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changed");
    };
    let is_root = fs::metadata("/proc/self").is_ok_and(|me| {
        use std::os::unix::fs::MetadataExt;
        me.uid() == 0
    });
    let mut command = home.command(&["-e", "insert into t values (2);"]);
    if is_root {
        // Root may write anything: somebody else tries.
        let program = home.path().join("odpsh");
        let original = command.get_program().to_owned();
        fs::hard_link(&original, &program)
            .or_else(|_| fs::copy(&original, &program).map(drop))
            .expect("a copy");
        mode(home.path(), 0o755);
        let mut other = Command::new(&program);
        other
            .args(["-e", "insert into t values (2);"])
            .env_clear()
            .env("ODPSH_WAREHOUSE", home.warehouse())
            .uid(NOBODY)
            .gid(NOBODY);
        command = other;
    } else {
        mode(&home.warehouse().join("LOCK"), 0o444);
        mode(&home.warehouse(), 0o555);
    }
    let output = command.output().expect("it starts");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("Permission denied"), "{err}");
    if !is_root {
        mode(&home.warehouse(), 0o755);
        mode(&home.warehouse().join("LOCK"), 0o644);
    }
    assert_eq!(
        fs::read(home.warehouse().join("LOCK")).expect("readable"),
        before
    );
    assert!(home.sql("select count(*) from t;").contains("| 1 "));
}
