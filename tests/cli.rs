//! The command line: feeders, exit status, streams, hostile input, two processes, kill -9.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::time::{Duration, Instant};

use support::Home;

const SCRIPT: &str = "create table t (a string);\ninsert into t values ('x');\nselect * from t;\n";
const TABLE: &str = "+---+\n| a |\n+---+\n| x |\n+---+\n";

#[test]
fn all_feeders_give_the_same() {
    let expected = format!("OK\nOK\n{TABLE}");
    let home = Home::new();
    assert_eq!(home.run(&["-e", SCRIPT], b"").ok().out, expected);
    let home = Home::new();
    assert_eq!(home.run(&[], SCRIPT.as_bytes()).ok().out, expected);
    let home = Home::new();
    let file = home.path().join("script.sql");
    std::fs::write(&file, SCRIPT.trim_end().trim_end_matches(';')).expect("writable");
    assert_eq!(
        home.run(&["-f", file.to_str().expect("utf-8")], b"")
            .ok()
            .out,
        expected
    );
}

#[test]
fn batch_stops_at_the_first_failure_and_a_pipe_goes_on() {
    let script = "select 1 as a;\nnonsense;\nselect 2 as a;\n";
    let home = Home::new();
    let batch = home.run(&["-e", script], b"");
    assert_eq!((batch.status, batch.out.contains("| 2 |")), (1, false));
    assert!(
        batch
            .err
            .contains("FAILED: ODPS-0130161:[1,1] Parse exception - invalid token 'nonsense'")
    );
    let pipe = home.run(&[], script.as_bytes());
    assert_eq!((pipe.status, pipe.out.contains("| 2 |")), (1, true));
    let go_on = home.run(&["--on-error", "continue", "-e", script], b"");
    assert_eq!((go_on.status, go_on.out.contains("| 2 |")), (1, true));
    let stop = home.run(&["--on-error", "stop"], script.as_bytes());
    assert_eq!((stop.status, stop.out.contains("| 2 |")), (1, false));
}

#[test]
fn a_bad_command_line_is_2_and_help_needs_nothing() {
    let home = Home::new();
    assert_eq!(home.run(&["--no-such-flag"], b"").status, 2);
    assert_eq!(home.run(&["-e", "select 1", "-f", "x"], b"").status, 2);
    assert_eq!(
        home.run(&["--clock", "yesterday", "-e", "select 1"], b"")
            .status,
        2
    );
    assert_eq!(
        home.run(&["--project", "a b", "-e", "select 1"], b"")
            .status,
        2
    );
    assert_eq!(home.run(&["-f", "no-such-file"], b"").status, 1);
    for flag in ["-h", "-V", "--help", "--version"] {
        let run = home.run(&[flag], b"").ok();
        assert!(run.out.contains("odpsh"), "{}", run.out);
    }
    assert!(
        !home.warehouse().exists(),
        "help and version make no warehouse"
    );
}

#[test]
fn data_goes_to_stdout_and_all_else_to_stderr() {
    let home = Home::new();
    let run = home.run(&["--format", "csv", "-e", SCRIPT], b"").ok();
    assert_eq!(run.out, "a\nx\n");
    assert_eq!(run.err.matches("OK").count(), 2);
    let run = home.run(&["-M", "-e", "select 1 as a"], b"").ok();
    assert_eq!(run.out, "a\n1\n");
    let run = home
        .run(&["--format=json", "-e", "select 1 as a"], b"")
        .ok();
    assert_eq!(run.out, "[\n{\"a\":1}\n]\n");
}

#[test]
fn a_very_long_value_is_printed_whole_on_its_line() {
    let home = Home::new();
    let long = "x".repeat(100_000);
    let out = home.sql(&format!("select '{long}' as a, 1 as b;"));
    let rule = "+---+---+";
    assert_eq!(
        out,
        format!("{rule}\n| a | b |\n{rule}\n| {long} | 1 |\n{rule}\n")
    );
}

#[test]
fn nothing_ends_by_the_clock_of_a_user_who_is_not_the_owner() {
    let home = Home::new();
    home.sql(
        "add user bob with secret 'b'; create table t (a bigint); insert into t values (1);
         insert overwrite table t values (2); create table ends (a bigint) lifecycle 1;",
    );
    let before = home.sql("show history for tables;");
    let later = ["-u", "bob", "-p", "b", "--clock", "2090-01-01 00:00:00"];
    home.run(&[&later[..], &["-e", "whoami; show tables;"]].concat(), b"");
    let refused = home.run(&[&["gc"], &later[..]].concat(), b"");
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains("only the owner"), "{}", refused.err);
    assert_eq!(home.sql("show history for tables;"), before);
    assert_eq!(
        home.sql("select * from t version as of 2;"),
        "+---+\n| a |\n+---+\n| 1 |\n+---+\n"
    );
    assert!(home.sql("show tables;").contains("ends"));
}

#[test]
fn a_byte_order_mark_is_no_statement() {
    let home = Home::new();
    let run = home.run(&[], "\u{feff}select 1 as a;".as_bytes()).ok();
    assert!(run.out.contains("| 1 |"), "{}", run.out);
}

#[test]
fn quit_ends_a_script() {
    let home = Home::new();
    let run = home.run(&[], b"select 1 as a; quit; select 2 as a;").ok();
    assert!(run.out.contains("| 1 |") && !run.out.contains("| 2 |"));
}

#[test]
fn hostile_input_gets_one_clear_error_and_changes_nothing() {
    let home = Home::new();
    home.sql("create table t (a string); insert into t values ('kept');");
    let history = home.sql("show history for table t;");
    let one_error = |input: &[u8], part: &str| {
        let run = home.run(&[], input);
        assert_eq!(run.status, 1, "{part}");
        assert_eq!(
            run.err.matches("FAILED:").count(),
            1,
            "{part}: {}",
            &run.err[..run.err.len().min(2000)]
        );
        assert!(
            run.err.contains(part),
            "{part}: {}",
            &run.err[..run.err.len().min(2000)]
        );
        assert!(
            run.err.len() < 2000 && !run.err.contains("panicked"),
            "{part}"
        );
        assert_eq!(run.out, "");
    };
    one_error(
        format!("select {}1{};", "(".repeat(5000), ")".repeat(5000)).as_bytes(),
        "nested too deeply",
    );
    one_error(
        format!("select {}1;", "(".repeat(5000)).as_bytes(),
        "is not closed",
    );
    one_error(
        format!(
            "insert into t select {}1{};",
            "(".repeat(5000),
            ")".repeat(5000)
        )
        .as_bytes(),
        "nested",
    );
    one_error(
        format!("select {} 1;", "- ".repeat(20_000)).as_bytes(),
        "arithmetic operators",
    );
    one_error(
        format!("select 1=1{};", " or 1=1".repeat(20_000)).as_bytes(),
        "1000 others, in a row",
    );
    one_error(
        format!("select 1{};", " union all select 1".repeat(20_000)).as_bytes(),
        "at most 256 branches",
    );
    one_error(
        format!(
            "create table d as select {}1{};",
            "array(".repeat(40),
            ")".repeat(40)
        )
        .as_bytes(),
        "nested too deeply",
    );
    one_error(
        format!("select {}1;", "case when 1=1 then ".repeat(3000)).as_bytes(),
        "CASE is not closed",
    );
    let run = home.run(
        &[],
        b"set odps.sql.timezone=Asia/Shanghai; select from_unixtime(8210266876799);",
    );
    assert!(run.err.contains("out of range"), "{}", run.err);
    one_error(
        format!("insert into t values ('{}');", "x".repeat(50 << 20)).as_bytes(),
        "too long",
    );
    one_error(
        format!("select '{}", "x".repeat(50 << 20)).as_bytes(),
        "too long",
    );
    one_error(
        format!("select '{}';", "y".repeat(9 << 20))
            .replace("select", "insert into t values (")
            .replace(';', ");")
            .as_bytes(),
        "over 8 MB",
    );
    one_error(
        b"\x7fELF\x02\x01\x01\0\0;\0;\xff\xfe;junk;",
        "not UTF-8 text",
    );
    one_error(b"select '\xff';", "not UTF-8 text");
    one_error(b"select 'never closed;\nselect 1;", "string not closed");
    one_error(
        "create table \u{1}\u{2} (a string);".as_bytes(),
        "invalid token",
    );
    one_error(
        format!("create table {} (a string);", "n".repeat(200)).as_bytes(),
        "longer than 128 bytes",
    );
    one_error(
        b"create table `../../etc/passwd` (a string);",
        "letters, digits and '_' only",
    );
    let many: Vec<String> = (0..1300).map(|n| format!("c{n} string")).collect();
    one_error(
        format!("create table w ({});", many.join(",")).as_bytes(),
        "at most 1200 columns",
    );
    assert_eq!(home.sql("show history for table t;"), history);
    assert_eq!(home.sql("show tables;"), "ALIYUN$owner:t\n");
}

#[test]
fn a_statement_that_fails_while_it_writes_leaves_no_row_and_no_file() {
    let home = Home::new();
    home.sql("create table t (a bigint);");
    let before = home.sql("show history for table t;");
    // 300,000 good rows, then one that cannot be converted.
    let run = home.run(
        &["-e", "insert into t select case when value < 300000 then cast(value as string) else 'x' end from odpsh_generate_series(1, 300000);"],
        b"",
    );
    assert_eq!(run.status, 1);
    assert_eq!(home.sql("show history for table t;"), before);
    assert_eq!(
        std::fs::read_dir(home.warehouse().join("data"))
            .expect("data/")
            .count(),
        0
    );
}

#[test]
fn an_unknown_format_is_refused_even_for_a_query_without_a_table() {
    let home = Home::new();
    home.sql("create table t (a string);");
    std::fs::write(
        home.warehouse().join("FORMAT"),
        "odpsh warehouse format 99\n",
    )
    .expect("writable");
    let run = home.run(&["-e", "select 1"], b"");
    assert_eq!(run.status, 1);
    assert!(run.err.contains("has format \"99\""), "{}", run.err);
}

#[test]
fn a_damaged_data_file_is_an_error_that_names_table_and_version() {
    let home = Home::new();
    home.sql(
        "create table t (a bigint); insert into t select value from odpsh_generate_series(1, 100000);",
    );
    let file = std::fs::read_dir(home.warehouse().join("data"))
        .expect("data/")
        .next()
        .expect("a file");
    let path = file.expect("entry").path();
    let mut bytes = std::fs::read(&path).expect("readable");
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).expect("writable");
    let run = home.run(&["-e", "select sum(a) from t;"], b"");
    assert_eq!((run.status, run.out.as_str()), (1, ""));
    assert!(
        run.err
            .contains("table default.t, LSN 0000000000000002 is damaged"),
        "{}",
        run.err
    );
    assert!(home.sql("show history for table t;").contains("APPEND"));
    assert!(
        home.sql("restore table t to LSN '1'; select count(*) as n from t;")
            .contains("| 0 |")
    );
}

#[test]
fn a_second_process_waits_for_the_first_or_says_who_holds_the_warehouse() {
    let home = Home::new();
    let mut first = home.start(&[]);
    let mut input = first.stdin.take().expect("piped");
    let mut output = BufReader::new(first.stdout.take().expect("piped"));
    writeln!(input, "create table t (a string);").expect("written");
    let mut line = String::new();
    output.read_line(&mut line).expect("read");
    assert_eq!(
        line, "OK\n",
        "a pipe that is waited for is acknowledged at once"
    );

    let refused = home.run(&["--lock-timeout", "0", "-e", "show tables;"], b"");
    assert_eq!(refused.status, 1);
    assert!(
        refused
            .err
            .contains(&format!("in use by process {}", first.id())),
        "{}",
        refused.err
    );

    // What needs no warehouse does not wait for one.
    home.run(&["--lock-timeout", "0", "-e", "select 1;"], b"")
        .ok();

    let mut second = home.start(&["--lock-timeout", "60", "-e", "show tables;"]);
    let mut said = BufReader::new(second.stderr.take().expect("piped"));
    let mut line = String::new();
    said.read_line(&mut line).expect("it says so at once");
    let expected = format!("odpsh: waiting for process {} on ", first.id());
    assert!(
        line.starts_with(&expected) && line.contains(" since "),
        "{line}"
    );
    drop(input);
    first.wait().expect("it ends");
    let second = second.wait_with_output().expect("its turn comes");
    assert_eq!(String::from_utf8_lossy(&second.stdout), "ALIYUN$owner:t\n");
}

#[test]
fn many_read_at_once_and_one_that_has_read_writes_when_the_others_have_gone() {
    let home = Home::new();
    home.sql("create table t (a bigint); insert into t values (1);");
    // A process that has read and waits for more.
    let reading = || {
        let mut child = home.start(&["--lock-timeout", "60", "--format", "csv"]);
        let mut input = child.stdin.take().expect("piped");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        writeln!(input, "select count(*) as n from t;").expect("written");
        let mut lines = String::new();
        for _ in 0..2 {
            output.read_line(&mut lines).expect("read");
        }
        assert_eq!(lines, "n\n1\n");
        (child, input, output)
    };
    let (mut first, mut input, mut output) = reading();
    let (mut second, end, _) = reading();
    let history = home.sql("show history for table t; select * from t version as of 2;");
    assert!(history.contains("APPEND"), "{history}");
    home.run(&["check"], b"").ok();
    let refused = home.run(
        &["--lock-timeout", "0", "-e", "insert into t values (2);"],
        b"",
    );
    assert_eq!(refused.status, 1);
    let is_named = [&first, &second].map(|child| refused.err.contains(&child.id().to_string()));
    assert!(
        is_named == [true; 2] && refused.err.contains("(reading)"),
        "{}",
        refused.err
    );
    writeln!(
        input,
        "insert into t values (3); select count(*) as n from t;"
    )
    .expect("written");
    drop(input);
    drop(end);
    second.wait().expect("it ends");
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("read");
    assert_eq!(rest, "n\n2\n");
    first.wait().expect("it ends");
    assert!(home.sql("select max(a) as m from t;").contains("| 3 "));
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let home = Home::new();
    home.sql("create table t (a bigint);");
    let mut acknowledged = 0;
    for round in 0..6 {
        let mut child = home.start(&[]);
        let mut input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let writer = std::thread::spawn(move || {
            for number in 0..200_000 {
                if writeln!(input, "insert into t values ({number});").is_err() {
                    return;
                }
            }
        });
        let wanted = 150 + 170 * round;
        let seen = output
            .lines()
            .take(wanted)
            .filter(|line| matches!(line, Ok(line) if line == "OK"))
            .count();
        child.kill().expect("killed");
        child.wait().expect("ended");
        writer.join().expect("the writer ends");
        acknowledged += seen;

        let out = home.sql("select count(*) as n from t;");
        let rows: usize = out
            .split('|')
            .nth(3)
            .and_then(|n| n.trim().parse().ok())
            .expect("a number");
        assert!(
            rows >= acknowledged,
            "{acknowledged} acknowledged, {rows} there"
        );
        let history = home.sql("show history for table t;");
        let inserts = history
            .lines()
            .filter(|line| line.ends_with("APPEND"))
            .count();
        assert_eq!(inserts, rows, "every row has its history row");
        acknowledged = rows;
    }
}

#[test]
fn a_closed_pipe_ends_the_program_quietly() {
    let home = Home::new();
    let mut child = home.start(&["-e", "select value from odpsh_generate_series(1, 2000000);"]);
    drop(child.stdout.take());
    let started = Instant::now();
    let output = child.wait_with_output().expect("it ends");
    assert!(started.elapsed() < Duration::from_secs(60));
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Ten thousand million rows: nobody waits for the last of them, and nothing holds them.
#[test]
fn rows_are_printed_as_they_are_computed() {
    let home = Home::new();
    let many = "(select value from odpsh_generate_series(1, 100000))";
    let sql = format!("select a.value, b.value as other from {many} a cross join {many} b;");
    for format in ["csv", "json", "table"] {
        let mut child = home.start(&["--format", format, "-e", &sql]);
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let seen: Vec<String> = lines
            .by_ref()
            .take(1000)
            .map(|l| l.expect("text"))
            .collect();
        assert_eq!(seen.len(), 1000);
        drop(lines);
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{format}");
    }
}

#[test]
fn a_query_that_fails_in_the_midst_of_its_rows_has_printed_those_before() {
    let home = Home::new();
    let sql = "set odps.sql.validate.orderby.limit=false; \
        select cast(if(value = 900000, 'x', '1') as bigint) as one from odpsh_generate_series(1, 1000000);";
    for format in ["csv", "json"] {
        let run = home.run(&["--format", format, "-e", sql], b"");
        assert_eq!(run.status, 1);
        assert!(run.err.contains("FAILED: ODPS-0123091"), "{}", run.err);
        assert!(!run.err.contains("rows:"), "{}", run.err);
        assert!(run.out.lines().count() > 100, "{format}");
    }
    // A table that is not whole is not begun.
    let run = home.run(&["-e", sql], b"");
    assert_eq!((run.status, run.out.as_str()), (1, "OK\n"));
}

/// Far less memory than the rows take: they go to disk and come back.
#[test]
fn sorts_and_joins_larger_than_memory_finish() {
    let home = Home::new();
    home.sql(
        "create table t (a bigint, b string); \
         insert into t select value, concat('a rather long text beside the number ', value) from odpsh_generate_series(1, 400000);",
    );
    let few = "set odpsh.query.memory=32m;";
    let sorted =
        "select count(*), max(n) from (select row_number() over (order by b, a) as n from t) s;";
    let out = home.sql(&format!("{few} {sorted}"));
    assert!(out.contains("| 400000 | 400000 |"), "{out}");
    let joined = "select count(*), max(x.a) from t x join t y on x.b = y.b;";
    let out = home.sql(&format!("{few} {joined}"));
    assert!(out.contains("| 400000 | 400000 |"), "{out}");
    let refused = home.run(&["-e", "set odpsh.query.memory=1;"], b"");
    assert!(refused.err.contains("ODPS-0110021"), "{}", refused.err);
}

/// Every file below a folder.
fn files_below(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("readable") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files_below(&path)),
            false => found.push(path),
        }
    }
    found
}

#[test]
fn a_secret_key_is_in_no_file_and_no_output() {
    let home = Home::new();
    let secret = "Mellon-7734-opens";
    let script = format!(
        "add user bob with secret '{secret}';
         alter user bob set secret '{secret}' ;
         /* a note */ add user eve with secret \"{secret}\" comment 'c';
         add user x with secret {secret};
         add user x with secret '{secret};
         explain add user x with secret '{secret}';
         list users; show grants for bob;
         select * from bob with secret '{secret}';"
    );
    let run = home.run(&[], script.as_bytes());
    let piped = home
        .run(&["--format", "json"], b"show history for tables; whoami;")
        .ok();
    for text in [&run.out, &run.err, &piped.out, &piped.err] {
        assert!(!text.contains(secret), "{text}");
    }
    home.run(&["-u", "bob", "-p", secret, "-e", "whoami;"], b"")
        .ok();
    home.run(&["-u", "eve", "-p", secret, "-e", "whoami;"], b"")
        .ok();
    for path in files_below(home.path()) {
        let bytes = std::fs::read(&path).expect("readable");
        let has_it = bytes
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!has_it, "{} holds the secret", path.display());
    }
    // Without its key the warehouse opens, and nobody logs in.
    std::fs::remove_file(home.path().join("warehouse.key")).expect("the key file");
    home.run(&["-e", "list users;"], b"").ok();
    let refused = home.run(&["-u", "bob", "-p", secret, "-e", "whoami;"], b"");
    assert_eq!(refused.status, 1);
    assert!(refused.err.contains("warehouse.key"), "{}", refused.err);
    // A config file keeps the secret off the command line.
    let config = home.path().join("odps_config.ini");
    std::fs::write(
        &config,
        "project_name=default\naccess_id = bob\naccess_key=other\n",
    )
    .expect("written");
    home.run(
        &["-e", &format!("alter user bob set secret '{}'", "other")],
        b"",
    )
    .ok();
    let config = config.to_str().expect("text").to_owned();
    let run = home.run(&["--config", &config, "-e", "whoami;"], b"").ok();
    assert!(run.out.contains("Name: bob"), "{}", run.out);
}

#[test]
fn gc_frees_exactly_what_its_rehearsal_says() {
    let home = Home::new();
    let rows =
        "select value, concat('row ', cast(value as string)) from odpsh_generate_series(1, 20000)";
    let script = format!(
        "create table t (a bigint, b string);
         insert overwrite table t {rows};
         insert overwrite table t {rows};
         restore table t to lsn '2' as u;
         insert into t {rows};
         drop table t;"
    );
    home.run(&["--clock", "2026-01-01 09:00:00"], script.as_bytes())
        .ok();
    let size = || -> u64 {
        let files = files_below(&home.warehouse().join("data"));
        files
            .iter()
            .map(|path| path.metadata().expect("there").len())
            .sum()
    };
    let gc = |more: &[&str]| {
        let fixed = ["gc", "--clock", "2026-01-03 09:00:00", "--format", "csv"];
        home.run(&[fixed.as_slice(), more].concat(), b"").ok()
    };
    let before = size();
    let rehearsed = gc(&["--dry-run"]);
    assert_eq!(size(), before, "a rehearsal deletes nothing");
    let done = gc(&[]);
    assert_eq!(rehearsed.out, done.out);
    let listed: u64 = done
        .out
        .lines()
        .skip(1)
        .map(|line| {
            line.rsplit(',')
                .next()
                .expect("a size")
                .trim_matches('"')
                .parse::<u64>()
                .expect("a number")
        })
        .sum();
    assert!(listed > 0, "{}", done.out);
    assert_eq!(before - size(), listed);
    // What u shares with t is still there.
    let run = home
        .run(
            &[
                "-e",
                "select count(*) from u;",
                "--format",
                "csv",
                "--clock",
                "2026-01-03 10:00:00",
            ],
            b"",
        )
        .ok();
    assert!(run.out.contains("20000"), "{}", run.out);
    assert!(gc(&[]).err.starts_with("0 versions, 0 bytes"));
}

#[test]
fn statements_of_the_command_line_may_begin_with_a_comment() {
    for (statements, expected) in [
        ("-- daily\nselect 1 as a;", "a\n1\n"),
        ("--select 1", ""),
        ("- 1;", ""),
        ("/* daily */ select 2 as a;", "a\n2\n"),
        ("# daily\nselect 3 as a;", "a\n3\n"),
    ] {
        let home = Home::new();
        for arguments in [
            ["-M", "-e", statements].as_slice(),
            [format!("-Me{statements}").as_str()].as_slice(),
        ] {
            let run = home.run(arguments, b"");
            assert_eq!(run.out, expected, "{arguments:?}: {}", run.err);
            assert_ne!(run.status, 2, "{arguments:?}: {}", run.err);
        }
    }
}

#[test]
fn a_secret_key_may_begin_with_a_hyphen() {
    let home = Home::new();
    home.sql("add user bob with secret '-bob';");
    let run = home.run(&["-u", "bob", "-p", "-bob", "-e", "whoami;"], b"");
    assert!(run.ok().out.contains("bob"));
}

#[test]
fn load_names_file_and_line_of_a_record_with_too_few_fields() {
    let home = Home::new();
    home.sql("create table t (id bigint, name string, note string);");
    // A value of two lines now and then, so that records are no lines.
    let line = |n: usize| match n % 1000 {
        7 => format!("{n},\"two\nlines\",{}\n", "x".repeat(20)),
        _ => format!("{n},name,{}\n", "x".repeat(20)),
    };
    let records = 400_000;
    for bad in [0, 1, 99_999, 200_003, records - 1] {
        let folder = home.path().join(format!("files{bad}"));
        std::fs::create_dir(&folder).expect("a folder");
        std::fs::write(folder.join("a.csv"), "1,a,b\n2,a,b\n").expect("a file");
        let mut text: String = (0..bad).map(line).collect();
        let expected = text.matches('\n').count() + 1;
        text.push_str("short,line\n");
        text.extend((bad + 1..records).map(line));
        std::fs::write(folder.join("b.csv"), text).expect("a file");
        let load = format!(
            "load into table t from location '{}' stored as csv;",
            folder.display()
        );
        let run = home.run(&["-e", &load], b"");
        let place = format!("b.csv line {expected}: incorrect number of fields, expected 3 got 2");
        assert!(
            run.err.contains(&place),
            "expected {place}, got {}",
            run.err
        );
        assert_eq!(
            home.sql("show history for table t;")
                .matches("APPEND")
                .count(),
            0
        );
    }
}

#[test]
fn load_keeps_values_of_several_lines_whole() {
    let home = Home::new();
    home.sql("create table t (id bigint, name string);");
    let records = 300_000;
    // Each value looks like records of its own wherever a file may be cut.
    let text: String = (0..records)
        .map(|n| format!("{n},\"a\n{n},b\n{n},c\n{n},d\n{n},e\"\n"))
        .collect();
    let path = home.path().join("long.csv");
    std::fs::write(&path, text).expect("a file");
    home.sql(&format!(
        "load into table t from location '{}' stored as csv;",
        path.display()
    ));
    let out = home
        .sql("select count(*) as n, count(distinct id) as d, min(length(name)) = 17 as l from t;");
    assert!(out.contains("| 300000 | 300000 | true |"), "{out}");
}

#[test]
fn a_warehouse_keeps_the_kind_of_clock_it_was_made_with() {
    const CONTROLLED: [&str; 2] = ["--clock", "2030-01-01 00:00:00"];
    const INSERT: &str = "insert into t values (1);";
    let with = |home: &Home, clock: &[&str], rest: &[&str], input: &str| {
        let arguments: Vec<&str> = clock.iter().chain(rest).copied().collect();
        home.run(&arguments, input.as_bytes())
    };
    let refused = |run: support::Run, detail: &str| {
        assert_eq!(run.status, 1, "{run:?}");
        assert!(run.err.contains(detail), "{run:?}");
        assert_eq!(run.out, "", "{run:?}");
    };

    // Made without: no controlled clock may touch it, whatever it does and whoever brings it.
    let home = Home::new();
    home.sql("create table t (a int); create table gone (a int); insert into gone values (5); drop table gone; add user bob with secret 'b'; grant update, select on table t to user bob;");
    let file = home.path().join("s.sql");
    std::fs::write(&file, INSERT).expect("a file");
    let before = home.sql("show history for tables;");
    let real = "was made without a controlled clock";
    refused(with(&home, &CONTROLLED, &["-e", INSERT], ""), real);
    refused(
        with(&home, &CONTROLLED, &["-e", "select * from t;"], ""),
        real,
    );
    refused(
        with(
            &home,
            &CONTROLLED,
            &["-f", file.to_str().expect("utf-8")],
            "",
        ),
        real,
    );
    refused(with(&home, &CONTROLLED, &[], INSERT), real);
    refused(with(&home, &CONTROLLED, &["gc"], ""), real);
    refused(with(&home, &CONTROLLED, &["gc", "--dry-run"], ""), real);
    refused(
        with(
            &home,
            &CONTROLLED,
            &["-u", "bob", "-p", "b", "-e", INSERT],
            "",
        ),
        real,
    );
    refused(
        with(
            &home,
            &["--clock", "2001-01-01 00:00:00"],
            &["-e", INSERT],
            "",
        ),
        real,
    );
    assert_eq!(with(&home, &CONTROLLED, &["-e", "select 1;"], "").status, 0);
    assert_eq!(home.sql("show history for tables;"), before);
    assert_eq!(
        home.sql("restore table gone; select * from gone;"),
        "OK\n+---+\n| a |\n+---+\n| 5 |\n+---+\n"
    );

    // Made with one: the real time may not.
    let home = Home::new();
    with(&home, &CONTROLLED, &["-e", "create table t (a int);"], "").ok();
    let controlled = "was made with a controlled clock";
    refused(with(&home, &[], &["-e", INSERT], ""), controlled);
    refused(
        with(&home, &[], &["-e", "show history for table t;"], ""),
        controlled,
    );
    refused(with(&home, &[], &["gc"], ""), controlled);
    let run = with(
        &home,
        &CONTROLLED,
        &[
            "-e",
            "insert into t values (1); set odpsh.clock.advance=25h; show history for table t;",
        ],
        "",
    );
    assert!(run.ok().out.contains("APPEND"));
}

#[test]
fn a_warehouse_of_an_older_program_takes_a_clock_that_is_not_ahead() {
    let fixture = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1");
    let copy = || {
        let home = Home::new();
        copy_folder(&fixture, &home.warehouse());
        home
    };
    const CHANGE: &str = "create table new_one (a int);";
    let home = copy();
    let run = home.run(&["--clock", "2999-01-01 00:00:00", "-e", CHANGE], b"");
    assert!(
        run.status == 1 && run.err.contains("ahead of the real time"),
        "{run:?}"
    );
    // Looking decides nothing, the first change does.
    home.run(
        &["--clock", "2020-02-19 00:00:00", "-e", "show tables;"],
        b"",
    )
    .ok();
    home.run(&["-e", "show tables;"], b"").ok();
    home.run(&["--clock", "2020-02-19 00:00:00", "-e", CHANGE], b"")
        .ok();
    assert_eq!(home.run(&["-e", "show tables;"], b"").status, 1);
    let home = copy();
    home.run(&["-e", CHANGE], b"").ok();
    assert_eq!(
        home.run(
            &["--clock", "2020-02-19 00:00:00", "-e", "show tables;"],
            b""
        )
        .status,
        1
    );
}

fn copy_folder(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}
