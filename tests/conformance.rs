//! MaxCompute's manual, statement by statement: every `tests/fixtures/conformance/<page>.txt` holds what one page of
//! the manual says its statements give.
//!
//! A line is `statement => result`: columns are joined by `, `, rows by ` | `, NULL is `NULL`, no row is `(no rows)`.
//! Without an ORDER BY rows may come in any order. `error X` is a failure whose message has X in it. A line without `=>` is a setup. A line under
//! `# fails: what the program gives` is known to differ, and has to; `#` begins any other comment.
//! Each file starts with a session and a warehouse of its own. `ODPSH_CONFORMANCE=date` runs the pages whose names
//! contain that.

mod support;

use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use odpsh::engine::text::text;
use odpsh::exec::Outcome;
use odpsh::parser::Splitter;
use odpsh::session::Session;
use support::Index;

/// Set first in every file: the manual's examples show results of several rows in their order without a LIMIT.
const SETUP: &str = "set odps.sql.validate.orderby.limit=false";

#[test]
fn the_manual() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/conformance");
    let mut pages: Vec<PathBuf> = std::fs::read_dir(&root)
        .expect("tests/fixtures/conformance")
        .map(|entry| entry.expect("entry").path())
        .collect();
    if let Ok(wanted) = std::env::var("ODPSH_CONFORMANCE") {
        pages.retain(|page| page.to_string_lossy().contains(&wanted));
    }
    pages.sort();
    let (mut lines, mut marked) = (0, 0);
    let mut differences = Vec::new();
    for page in &pages {
        let checked = check(page, &mut differences);
        let name = page.file_stem().expect("a name").to_string_lossy();
        println!(
            "{name}: {} lines, {} known to fail",
            checked.lines, checked.marked
        );
        lines += checked.lines;
        marked += checked.marked;
    }
    println!("{lines} lines, {marked} known to fail");
    assert!(
        differences.is_empty(),
        "{} of {lines} lines differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[derive(Default)]
struct Checked {
    lines: usize,
    marked: usize,
}

fn check(page: &Path, differences: &mut Vec<String>) -> Checked {
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut session = support::session(
        home.path(),
        Index::Memory,
        "2020-11-17 08:31:44",
        Tz::Asia__Shanghai,
    );
    run(&mut session, SETUP).expect("a setting");
    let source = std::fs::read_to_string(page).expect("a page");
    let name = page.file_name().expect("a name").to_string_lossy();
    let mut checked = Checked::default();
    let mut fails = false;
    for (number, line) in source.lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            fails = comment.trim_start().starts_with("fails:");
            continue;
        }
        if line.is_empty() {
            continue;
        }
        let Some((statement, expected)) = line.rsplit_once(" => ") else {
            if let Err(error) = run(&mut session, line) {
                differences.push(format!("{place}: {line}\n  setup failed: {error}"));
            }
            continue;
        };
        let (statement, expected) = (statement.trim(), expected.trim());
        let got = run(&mut session, statement).unwrap_or_else(|error| format!("error {error}"));
        checked.lines += 1;
        checked.marked += usize::from(fails);
        let agrees = match expected.strip_prefix("error ") {
            Some(message) => got.starts_with("error ") && got.contains(message),
            None => got.trim() == expected || is_same_in_another_order(statement, &got, expected),
        };
        match (agrees, std::mem::take(&mut fails)) {
            (false, false) => differences.push(format!(
                "{place}: {statement}\n  expected {expected}\n  got      {got}"
            )),
            (true, true) => {
                differences.push(format!("{place}: {statement}\n  passes: remove the mark"));
            }
            _ => {}
        }
    }
    checked
}

/// Whether the rows are the same, where the statement asks for no order.
fn is_same_in_another_order(statement: &str, got: &str, expected: &str) -> bool {
    let sorted = |rows: &str| {
        let mut rows: Vec<String> = rows.split(" | ").map(|row| row.trim().to_owned()).collect();
        rows.sort();
        rows
    };
    !statement.to_ascii_lowercase().contains("order by") && sorted(got) == sorted(expected)
}

/// The rows of a statement in one line, or its failure.
fn run(session: &mut Session, sql: &str) -> Result<String, String> {
    let mut splitter = Splitter::default();
    splitter.push(sql.as_bytes());
    let statement = splitter.finish().expect("a statement").expect("text");
    let outcome = session
        .run(statement.trim_end_matches(';'))
        .outcome
        .map_err(|error| error.to_string())?;
    let Outcome::Rows(mut set) = outcome else {
        return Ok("OK".to_owned());
    };
    let mut rows = Vec::new();
    for batch in &set.collect().map_err(|error| error.to_string())? {
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter();
            let shown = values.map(|array| text(array, row).unwrap_or_else(|| "NULL".to_owned()));
            rows.push(shown.collect::<Vec<_>>().join(", "));
        }
    }
    if rows.is_empty() {
        return Ok("(no rows)".to_owned());
    }
    Ok(rows.join(" | "))
}
