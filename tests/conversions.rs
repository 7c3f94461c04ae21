//! One conversion into a column: whichever way a value takes, the same is stored or all of them refuse it. And column
//! lists in any order: each value goes to its column.
//!
//! `ODPSH_CONVERSIONS=1` tries every value with every type, else every eighth.

mod support;

use std::path::Path;

use chrono_tz::Tz;
use odpsh::engine::text::text;
use odpsh::exec::Outcome;
use odpsh::session::Session;
use support::Index;

fn open(dir: &Path) -> Session {
    let mut session = support::session(
        dir,
        Index::Memory,
        "2020-02-18 14:17:58",
        Tz::America__New_York,
    );
    run(&mut session, "set odps.sql.validate.orderby.limit=false").expect("a setting");
    session
}

/// The rows of a statement, or the code and text of its failure.
fn run(session: &mut Session, sql: &str) -> Result<Vec<Vec<Option<String>>>, String> {
    match session
        .run(sql)
        .outcome
        .map_err(|error| error.to_string())?
    {
        Outcome::Rows(mut set) => Ok(set
            .collect()
            .map_err(|error| error.to_string())?
            .iter()
            .flat_map(|batch| {
                (0..batch.num_rows()).map(|row| {
                    batch
                        .columns()
                        .iter()
                        .map(|array| text(array, row))
                        .collect()
                })
            })
            .collect()),
        _ => Ok(Vec::new()),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

const TYPES: &[&str] = &[
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "float",
    "double",
    "decimal(5,2)",
    "decimal(38,18)",
    "string",
    "varchar(3)",
    "char(3)",
    "boolean",
    "date",
    "datetime",
    "timestamp",
    "timestamp_ntz",
    "binary",
];

/// Texts that somebody's data has.
const TEXTS: &[&str] = &[
    "",
    " ",
    "0",
    "-0",
    "+1",
    "1",
    " 1",
    "1 ",
    "01",
    "1.",
    ".5",
    "1.5",
    "-1.5",
    "1.999",
    "127",
    "128",
    "-128",
    "-129",
    "32768",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "9.25e18",
    "1e3",
    "1E3",
    "1e-5",
    "1e33",
    "1e400",
    "999.99",
    "999.994",
    "999.995",
    "1000",
    "99999999999999999999",
    "inf",
    "-inf",
    "Infinity",
    "-Infinity",
    "nan",
    "NaN",
    "0x10",
    "1_000",
    "1,000",
    "true",
    "false",
    "TRUE",
    "t",
    "yes",
    "null",
    "NULL",
    "abc",
    "abcd",
    "abc ",
    "abc  ",
    "a  ",
    "é中文",
    "é中文字",
    "2020-01-01",
    "2020-1-1",
    "2020-02-30",
    "20200101",
    "0000-01-01",
    "0001-01-01",
    "9999-12-31",
    "10000-01-01",
    "2020-01-01 10:20:30",
    "2020-01-01  10:20:30",
    "2020-01-01T10:20:30",
    "2020-01-01 10:20",
    "2020-01-01 10:20:30.123",
    "2020-01-01 10:20:30.123456789",
    "2020-01-01 10:20:30.1234567890",
    "2020-01-01 23:59:60",
    "2020-01-01 24:00:00",
    "2020-03-08 02:30:00",
    "2020-11-01 01:30:00",
    "1800-01-01 00:00:00",
    "9999-12-31 23:59:59",
    "9999-12-31 23:59:59.999999999",
    "2020-01-01 00:00:00Z",
    "2020-01-01 00:00:00 +00:00",
];

/// Literals of every kind.
const LITERALS: &[&str] = &[
    "null",
    "0",
    "1",
    "-1",
    "127",
    "128",
    "32768",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
    "99999999999999999999",
    "1Y",
    "300S",
    "2147483647",
    "5L",
    "1.5",
    "1.50",
    "-0.0",
    "1e3",
    "1e10",
    "1e20",
    "1e-5",
    "1e300",
    "1e400",
    "0.1F",
    "1.5F",
    "16777217F",
    "0.1D",
    "1.50BD",
    "1e2BD",
    "0.000000000000000001BD",
    "99999999999999999999BD",
    "999.995BD",
    "true",
    "false",
    "date'2020-01-01'",
    "datetime'2020-01-01 10:20:30'",
    "datetime'2020-01-01 10:20:30.123'",
    "timestamp'2020-01-01 10:20:30.123456789'",
    "timestamp'9999-12-31 23:59:59.999999999'",
    "date'2020-02-30'",
];

/// Random texts made of the marks that numbers and times are made of.
fn random_texts(seed: u64, count: usize) -> Vec<String> {
    const MARKS: &[&str] = &[
        "0", "1", "9", "12", "2020", "-", "-", ".", ":", " ", "e", "E", "+", "a", "T", "02", "31",
        "00",
    ];
    let mut state = seed;
    let mut next = |limit: usize| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as usize % limit
    };
    (0..count)
        .map(|_| (0..1 + next(7)).map(|_| MARKS[next(MARKS.len())]).collect())
        .collect()
}

/// What each way of writing `literal` into a column of `data_type` stores.
fn ways(
    session: &mut Session,
    dir: &Path,
    data_type: &str,
    literal: &str,
    plain: Option<&str>,
) -> Vec<(String, Result<Option<String>, String>)> {
    let mut scripts: Vec<(&str, Vec<String>)> = vec![
        (
            "VALUES",
            vec![format!("insert overwrite table c values (1, {literal})")],
        ),
        // Beside values of other kinds.
        (
            "VALUES of kinds",
            vec![format!(
                "insert overwrite table c values (2, null), (1, {literal}), (2, null)"
            )],
        ),
        (
            "SELECT",
            vec![format!("insert overwrite table c select 1, {literal}")],
        ),
        (
            "UPDATE",
            vec![
                "insert overwrite table c values (1, null)".into(),
                format!("update c set v = {literal} where k = 1"),
            ],
        ),
        (
            "MERGE update",
            vec![
                "insert overwrite table c values (1, null)".into(),
                format!(
                    "merge into c using (select 1 as k) s on c.k = s.k when matched then update set v = {literal}"
                ),
            ],
        ),
        (
            "MERGE insert",
            vec![
                "insert overwrite table c select 5 as k, null where false".into(),
                format!(
                    "merge into c using (select 1 as k) s on c.k = s.k when not matched then insert values (1, {literal})"
                ),
            ],
        ),
        (
            "multi-insert",
            vec![format!(
                "from (select 1 as k) s insert overwrite table c select k, {literal}"
            )],
        ),
        (
            "DEFAULT",
            vec![
                "drop table if exists d".into(),
                format!("create table d (k bigint, v {data_type} default {literal})"),
                "insert into d (k) values (1)".into(),
                "insert overwrite table c select k, v from d".into(),
            ],
        ),
    ];
    if let Some(plain) = plain {
        scripts.push((
            "SELECT of a column",
            vec![
                format!("insert overwrite table texts values ({literal})"),
                "insert overwrite table c select 1, s from texts".into(),
            ],
        ));
        let path = dir.join("one.csv");
        std::fs::write(&path, format!("1,\"{}\"\n", plain.replace('"', "\"\""))).expect("a file");
        scripts.push((
            "LOAD",
            vec![format!(
                "load overwrite table c from location '{}' stored as csv",
                path.display()
            )],
        ));
    }
    scripts
        .into_iter()
        .map(|(name, script)| {
            for statement in &script {
                if let Err(error) = run(session, statement) {
                    return (name.to_owned(), Err(error));
                }
            }
            let stored =
                run(session, "select cast(v as string) from c where k = 1").expect("a row");
            (name.to_owned(), Ok(stored[0][0].clone()))
        })
        .collect()
}

#[test]
fn all_ways_into_a_column_store_the_same_or_refuse() {
    let home = tempfile::tempdir().expect("a folder");
    let mut session = open(&home.path().join("w"));
    let mut differences = Vec::new();
    let stride = match std::env::var_os("ODPSH_CONVERSIONS") {
        Some(_) => 1,
        None => 8,
    };
    run(&mut session, "create table texts (s string)").expect("a table");
    for (number, data_type) in TYPES.iter().enumerate() {
        run(&mut session, "drop table if exists c").expect("dropped");
        run(
            &mut session,
            &format!(
                "create table c (k bigint, v {data_type}) tblproperties('transactional'='true')"
            ),
        )
        .expect("a table");
        let texts = TEXTS.iter().map(|text| (*text).to_owned());
        let texts = texts.chain(random_texts(number as u64, 16));
        let values = texts.map(|text| (quoted(&text), Some(text)));
        let literals = LITERALS.iter();
        let values = values.chain(literals.map(|literal| ((*literal).to_owned(), None)));
        let values = values
            .enumerate()
            .filter(|(at, _)| (at + number) % stride == 0);
        for (_, (literal, plain)) in values {
            let seen = ways(
                &mut session,
                home.path(),
                data_type,
                &literal,
                plain.as_deref(),
            );
            let (_, first) = &seen[0];
            let is_same = |result: &Result<Option<String>, String>| match (first, result) {
                (Ok(a), Ok(b)) => a == b,
                (Err(_), Err(_)) => true,
                _ => false,
            };
            if !seen.iter().all(|(_, result)| is_same(result)) {
                differences.push(format!("{literal} into {data_type}: {seen:#?}"));
            }
            for (way, result) in &seen {
                if let Err(error) = result {
                    assert!(
                        !error.contains("internal error"),
                        "{literal} into {data_type} by {way}: {error}"
                    );
                }
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[test]
fn a_partition_has_one_name_whichever_way_it_is_named() {
    let home = tempfile::tempdir().expect("a folder");
    let mut session = open(home.path());
    for data_type in [
        "tinyint",
        "int",
        "bigint",
        "string",
        "varchar(3)",
        "char(3)",
        "date",
    ] {
        for text in TEXTS {
            let literal = quoted(text);
            let mut seen = Vec::new();
            for statement in [
                format!("insert into p partition (pt={literal}) values (1)"),
                format!("insert into p values (1, {literal})"),
                format!("insert into p (pt, a) values ({literal}, 1)"),
                format!("insert into p partition (pt) select 1, {literal}"),
                format!(
                    "merge into p using (select 1 as k) s on p.a = s.k when not matched then insert values (1, {literal})"
                ),
            ] {
                run(&mut session, "drop table if exists p").expect("dropped");
                run(&mut session, &format!("create table p (a bigint) partitioned by (pt {data_type}) tblproperties('transactional'='true')")).expect("a table");
                let result = run(&mut session, &statement);
                seen.push((
                    statement,
                    result.map(|_| {
                        run(&mut session, "select a, cast(pt as string) from p").expect("rows")
                    }),
                ));
            }
            let (_, first) = &seen[0];
            for (statement, result) in &seen {
                let is_same = match (first, result) {
                    (Ok(a), Ok(b)) => a == b,
                    (Err(_), Err(_)) => true,
                    _ => false,
                };
                assert!(is_same, "{text:?} of {data_type}, {statement}: {seen:#?}");
            }
        }
    }
}

fn permutations<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for at in 0..items.len() {
        let mut rest = items.to_vec();
        let first = rest.remove(at);
        for mut tail in permutations(&rest) {
            tail.insert(0, first.clone());
            all.push(tail);
        }
    }
    all
}

#[test]
fn each_value_of_a_column_list_goes_to_its_column() {
    let home = tempfile::tempdir().expect("a folder");
    let mut session = open(home.path());
    let values = [("a", "'text'"), ("b", "7"), ("p", "'20170103'"), ("q", "3")];
    for (spec, fixed) in [
        ("", vec![]),
        ("partition (p, q)", vec![]),
        ("partition (p='20170103', q)", vec!["p"]),
        ("partition (p='20170103', q=3)", vec!["p", "q"]),
    ] {
        // Subsets of the columns in any order; partition columns without a place in the list come last.
        for mask in 1u32..16 {
            let named: Vec<(&str, &str)> = values
                .iter()
                .enumerate()
                .filter(|(at, (name, _))| mask & (1 << at) != 0 && !fixed.contains(name))
                .map(|(_, value)| *value)
                .collect();
            if named.is_empty() {
                continue;
            }
            for order in permutations(&named) {
                let names: Vec<&str> = order.iter().map(|(name, _)| *name).collect();
                let mut row: Vec<&str> = order.iter().map(|(_, value)| *value).collect();
                for (name, value) in &values[2..] {
                    if !names.contains(name) && !fixed.contains(name) {
                        row.push(value);
                    }
                }
                let (list, row) = (names.join(", "), row.join(", "));
                let expected = |name: &str| {
                    let (_, value) = values
                        .iter()
                        .find(|(known, _)| *known == name)
                        .expect("a column");
                    let is_given = names.contains(&name) || name == "p" || name == "q";
                    is_given.then(|| value.trim_matches('\'').to_owned())
                };
                let expected = vec![["a", "b", "p", "q"].map(expected).to_vec()];
                for (verb, source) in [
                    ("insert into", format!("values ({row})")),
                    ("insert into table", format!("select {row}")),
                    (
                        "from (select 1 as x) s insert into table",
                        format!("select {row}"),
                    ),
                    ("insert into", format!("(select {row})")),
                    ("insert into", format!("select * from values ({row}) t")),
                ] {
                    run(&mut session, "drop table if exists t").expect("dropped");
                    run(
                        &mut session,
                        "create table t (a string, b bigint) partitioned by (p string, q bigint)",
                    )
                    .expect("a table");
                    let statement = format!("{verb} t {spec} ({list}) {source}");
                    run(&mut session, &statement)
                        .unwrap_or_else(|error| panic!("{statement}: {error}"));
                    let stored = run(&mut session, "select a, b, p, q from t").expect("rows");
                    assert_eq!(stored, expected, "{statement}");
                }
            }
        }
    }
    for (statement, expected) in [
        (
            "insert into t partition (p='1', q) (p, a) values ('1', 'x', 2)",
            "partition column p has a value already",
        ),
        (
            "insert into t (a, a, p, q) values ('x', 'x', '1', 2)",
            "column a is given twice",
        ),
        (
            "insert into t (p, p, q, a) values ('1', '1', 2, 'x')",
            "column p is given twice",
        ),
        (
            "insert into t (nope, p, q) values ('x', '1', 2)",
            "column nope cannot be resolved",
        ),
        (
            "insert into t (p, q, a) values ('1', 2)",
            "wrong columns count 2",
        ),
    ] {
        let error = run(&mut session, statement).expect_err(statement);
        assert!(error.contains(expected), "{statement}: {error}");
    }
}
