//! TPC-H at scale 0.01 through the real entry point: data by tpchgen, loaded by LOAD, answers as DuckDB
//! gives them (`answers.json`, written by `scripts/tpch --answers`).

mod data;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a script and returns what it printed.
fn odpsh(warehouse: &Path, script: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_odpsh"))
        .args(["--format", "csv", "--on-error", "stop", "--warehouse"])
        .arg(warehouse)
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(script.as_bytes()).expect("it reads");
    drop(stdin);
    let done = child.wait_with_output().expect("it ends");
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{script}\n{errors}");
    String::from_utf8(done.stdout).expect("text")
}

/// The fields of lines of CSV, without the header.
fn rows(text: &str) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let (mut row, mut field, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => field.push(chars.next().expect("seen")),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut field));
                rows.push(std::mem::take(&mut row));
            }
            c => field.push(c),
        }
    }
    rows.split_off(1)
}

fn is_same(ours: &str, theirs: &str) -> bool {
    if ours == theirs {
        return true;
    }
    match (ours.parse::<f64>(), theirs.parse::<f64>()) {
        (Ok(a), Ok(b)) => (a - b).abs() <= 1e-4_f64.max(b.abs() * 1e-6),
        _ => false,
    }
}

#[test]
fn all_answers_are_those_of_duckdb() {
    let home = tempfile::tempdir().expect("a folder");
    data::write(home.path(), 0.01).expect("data");
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tpch");
    let read = |name: &str| std::fs::read_to_string(dir.join(name)).expect("readable");
    let warehouse = home.path().join("warehouse");
    let mut load = read("schema.sql");
    for table in [
        "region", "nation", "part", "supplier", "partsupp", "customer", "orders", "lineitem",
    ] {
        load += &format!(
            "load overwrite table {table} from location '{}' stored as csv properties('skip.header.line.count'='1');\n",
            home.path().join(table).display()
        );
    }
    odpsh(&warehouse, &load);
    let answers: BTreeMap<String, Vec<Vec<Option<String>>>> =
        serde_json::from_str(&read("answers.json")).expect("JSON");
    let queries = read("queries.sql");
    let mut count = 0;
    for query in queries
        .split("-- q")
        .filter(|query| !query.trim().is_empty())
    {
        let (number, sql) = query.split_once('\n').expect("a number and a query");
        let ours = rows(&odpsh(&warehouse, sql));
        let theirs = &answers[&format!("q{number}")];
        assert_eq!(ours.len(), theirs.len(), "q{number}: number of rows");
        for (a, b) in ours.iter().zip(theirs) {
            let fields = a.iter().zip(b);
            let all = fields.map(|(a, b)| (a.as_str(), b.as_deref().unwrap_or_default()));
            for (a, b) in all {
                assert!(is_same(a, b), "q{number}: {a} is not {b}");
            }
        }
        count += 1;
    }
    assert_eq!(count, 22);
}
