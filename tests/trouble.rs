//! The real program in trouble: killed at any moment, without room, without rights, without files.
//!
//! `ODPSH_KILL_ROUNDS=500 cargo test --release --test trouble kill` is the long mode.

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
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
        "insert into t select value, cast(value as string) from odpsh_generate_series(1, 200000);";
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

/// Every file of a folder and what is in it.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("readable") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(all.insert(path.clone(), fs::read(&path).expect("readable"))),
            }
        }
    }
    all
}

/// What works where nothing may be changed, and a part of what it says.
const LOOKS: [(&str, &str); 6] = [
    ("select count(*) as n from t;", "| 2 "),
    ("select count(*) as n from t version as of 2;", "| 1 "),
    ("show history for table t;", "APPEND"),
    ("desc t;", "bigint"),
    ("show tables;", "t"),
    ("show create table t;", "CREATE TABLE"),
];

/// Runs everything that only reads with `run`, and something that does not; `refusal` is why it is refused.
fn reads_and_is_refused(run: impl Fn(&[&str]) -> support::Run, refusal: &str) {
    for (sql, expected) in LOOKS {
        let seen = run(&["-e", sql]).ok();
        assert!(seen.out.contains(expected), "{sql}: {}", seen.out);
    }
    let check = run(&["check", "--deep"]).ok();
    assert!(check.err.contains("0 problems"), "{}", check.err);
    for sql in [
        "insert into t values (3);",
        "create table u (a bigint);",
        "drop table t;",
        "purge all;",
        "restore table t to lsn '1';",
        "setproject odps.timemachine.retention.days=3;",
    ] {
        let refused = run(&["-e", sql]);
        assert_eq!(refused.status, 1, "{sql}");
        let is_clear = refused.err.starts_with("FAILED: ODPS-")
            && refused.err.contains("can only be read")
            && refused.err.contains(refusal);
        assert!(is_clear, "{sql}: {}", refused.err);
    }
}

/// Two versions, closed in order or not.
fn filled(is_closed: bool) -> Home {
    let home = Home::new();
    home.sql("create table t (a bigint); insert into t values (1);");
    let mut child = home.start(&[]);
    let mut input = child.stdin.take().expect("piped");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    writeln!(input, "insert into t values (2);").expect("written");
    let mut line = String::new();
    output.read_line(&mut line).expect("read");
    assert_eq!(line, "OK\n");
    match is_closed {
        true => drop(input),
        false => child.kill().expect("killed"),
    }
    child.wait().expect("it ends");
    home
}

/// A file system that is mounted while it lives.
struct Mount(PathBuf);

impl Mount {
    /// `None`, with a word about what is left out, where this machine lets nobody mount.
    fn new(test: &str, at: &Path, steps: &[&[&str]]) -> Option<Self> {
        fs::create_dir_all(at).expect("a folder");
        for (number, step) in steps.iter().enumerate() {
            let mounted = Command::new("mount")
                .args(*step)
                .arg(at)
                .stderr(Stdio::null())
                .status();
            if !mounted.is_ok_and(|status| status.success()) {
                eprintln!("skipped: {test}: mount {step:?} is not possible here");
                if number > 0 {
                    drop(Self(at.to_path_buf()));
                }
                return None;
            }
        }
        Some(Self(at.to_path_buf()))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_read_only_file_system_is_read_by_many_at_once() {
    for is_closed in [true, false] {
        let home = filled(is_closed);
        let at = home.path().join("mounted");
        let source = home.warehouse();
        let source = source.to_str().expect("a name");
        let steps: [&[&str]; 2] = [&["--bind", source], &["-o", "remount,ro,bind"]];
        let Some(_mount) = Mount::new("a read-only file system", &at, &steps) else {
            return;
        };
        let before = content(&home.warehouse());
        let run = |arguments: &[&str]| {
            let warehouse = ["--warehouse", at.to_str().expect("a name")];
            home.run(&[&warehouse[..], arguments].concat(), b"")
        };
        // One that stays all the while.
        let mut child = home.start(&["--warehouse", at.to_str().expect("a name")]);
        let mut input = child.stdin.take().expect("piped");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        writeln!(input, "select count(*) from t;").expect("written");
        output.read_line(&mut String::new()).expect("read");
        reads_and_is_refused(run, "Read-only file system");
        drop(input);
        child.wait().expect("it ends");
        assert!(
            content(&home.warehouse()) == before,
            "something was changed"
        );
    }
}

#[test]
fn a_full_file_system_is_read_and_emptied() {
    let image = Home::new();
    let image = image.path().join("image");
    let made = fs::write(&image, vec![0; 16 << 20]).and_then(|()| {
        let mut make = Command::new("mkfs.ext4");
        make.args(["-q", "-F"]).arg(&image).status()
    });
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("skipped: a full ext4: mkfs.ext4 is not there");
    }
    let loops = image.to_str().expect("a name");
    let kinds: [(&str, &[&str]); 2] = [
        ("a full tmpfs", &["-t", "tmpfs", "-o", "size=8m", "tmpfs"]),
        ("a full ext4", &["-o", "loop", loops]),
    ];
    for (kind, step) in kinds {
        let home = Home::new();
        let at = home.path().join("mounted");
        let Some(_mount) = Mount::new(kind, &at, &[step]) else {
            continue;
        };
        let warehouse = at.join("warehouse");
        let run = |statements: &str, arguments: &[&str]| {
            let named = ["--warehouse", warehouse.to_str().expect("a name")];
            home.run(&[&named[..], arguments].concat(), statements.as_bytes())
        };
        run(
            "create table t (a bigint, b string);
             create table u (a bigint);
             insert into t select value, cast(value as string) from odpsh_generate_series(1, 50000);
             insert overwrite table t select value, 'x' from odpsh_generate_series(1, 50000);
             insert into u values (1);",
            &[],
        )
        .ok();
        let reserve = || fs::metadata(warehouse.join("RESERVE")).map_or(0, |file| file.len());
        assert_eq!(reserve(), 1 << 20, "{kind}");
        let mut fill = fs::File::create(at.join("fill")).expect("a file");
        for size in [1 << 16, 1] {
            while fill.write_all(&vec![1; size]).is_ok() {}
        }
        // What needs room soon fails, and only that.
        let many: String = (0..600)
            .map(|number| {
                format!(
                    "insert into u values ({number}), {};",
                    "(7),".repeat(200) + "(8)"
                )
            })
            .collect();
        let inserts = run(&many, &["--on-error", "continue"]);
        let failed = inserts.err.lines().filter(|line| line.contains("FAILED"));
        assert!(failed.count() > 10, "{kind}: {}", inserts.err);
        assert!(!inserts.err.contains("panicked"), "{kind}: {}", inserts.err);
        let acknowledged = inserts.out.lines().filter(|line| *line == "OK").count();
        assert_eq!(reserve(), 1 << 20, "{kind}: it is not for inserts");
        for look in [
            "select count(*) from t;",
            "select count(*) from t version as of 2;",
            "show history for table t;",
        ] {
            run("", &["-e", look]).ok();
        }
        let rows = run("", &["--format", "csv", "-e", "select count(*) from u;"]).ok();
        assert!(
            rows.out
                .trim()
                .ends_with(&format!("{}", 1 + acknowledged * 202)),
            "{kind}: {acknowledged} acknowledged, {}",
            rows.out
        );
        // The index engine may leave its folder damaged where it finds no room; what it holds is in the log too.
        let check = run("", &["check", "--deep", "--format", "csv"]);
        let mut findings = check.out.lines().skip(1);
        assert!(
            findings
                .all(|finding| finding.starts_with("catalog,") && finding.ends_with(",repairable")),
            "{kind}: {}{}",
            check.out,
            check.err
        );
        assert!(check.err.contains("checked "), "{kind}: {}", check.err);
        run("", &["-e", "purge table t;"]).ok();
        run("", &["gc"]).ok();
        run("", &["-e", "drop table t purge;"]).ok();
        drop(fill);
        fs::remove_file(at.join("fill")).expect("removed");
        run("", &["-e", "insert into u values (9);"]).ok();
        assert_eq!(reserve(), 1 << 20, "{kind}: there is room again");
        run("", &["check", "--deep"]).ok();
    }
}

#[test]
fn a_folder_that_may_not_be_written_is_read_and_left_alone() {
    const NOBODY: u32 = 65_534;
    for is_closed in [true, false] {
        let home = filled(is_closed);
        let before = content(&home.warehouse());
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changed");
        };
        let is_root = fs::metadata("/proc/self").is_ok_and(|me| {
            use std::os::unix::fs::MetadataExt;
            me.uid() == 0
        });
        let program = home.path().join("odpsh");
        if is_root {
            // Root may write anything: somebody else tries.
            let original = home.command(&[]).get_program().to_owned();
            fs::hard_link(&original, &program)
                .or_else(|_| fs::copy(&original, &program).map(drop))
                .expect("a copy");
            mode(home.path(), 0o755);
        } else {
            for path in before.keys() {
                mode(path, 0o444);
                mode(path.parent().expect("a folder"), 0o555);
            }
            mode(&home.warehouse(), 0o555);
        }
        let run = |arguments: &[&str]| {
            let mut command = home.command(arguments);
            if is_root {
                command = Command::new(&program);
                command
                    .args(arguments)
                    .env_clear()
                    .env("ODPSH_WAREHOUSE", home.warehouse())
                    .uid(NOBODY)
                    .gid(NOBODY);
            }
            let output = command.output().expect("it starts");
            support::Run {
                out: String::from_utf8_lossy(&output.stdout).into_owned(),
                err: String::from_utf8_lossy(&output.stderr).into_owned(),
                status: output.status.code().unwrap_or(-1),
            }
        };
        reads_and_is_refused(run, "Permission denied");
        assert!(
            content(&home.warehouse()) == before,
            "something was changed"
        );
        if !is_root {
            for path in before.keys() {
                mode(path.parent().expect("a folder"), 0o755);
                mode(path, 0o644);
            }
            mode(&home.warehouse(), 0o755);
        }
        assert!(home.sql("select count(*) from t;").contains("| 2 "));
    }
}
