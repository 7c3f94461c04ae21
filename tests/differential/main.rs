//! Random queries over random tables, against an evaluator of nested loops, on both indexes.
//!
//! `ODPSH_DIFFERENTIAL=n` runs n queries, `ODPSH_DIFFERENTIAL_SEED=s` begins at another warehouse. A failure is
//! printed as a complete script for an empty warehouse. What is refused with an ODPS error is counted.

mod evaluator;
mod generate;
mod query;
mod shrink;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use chrono_tz::Tz;
use odpsh::engine::text::text;
use odpsh::error::{Error, ErrorKind};
use odpsh::exec::Outcome;
use odpsh::session::Session;
use support::Index;

use generate::{Dice, Generator, Table, model, statements, tables};
use query::{Kind, Query, Value};

const QUERIES_PER_WAREHOUSE: usize = 50;

type Shown = Vec<Vec<Option<String>>>;

pub enum Seen {
    Rows(Shown),
    Refused(String),
    Failed(String),
}

fn session(dir: &std::path::Path, in_memory: bool) -> Session {
    let index = if in_memory {
        Index::Memory
    } else {
        Index::Sled
    };
    support::session(dir, index, "2020-02-18 14:17:58", Tz::UTC)
}

fn canonical(text: Option<String>, kind: Kind) -> Option<String> {
    match (text, kind) {
        (Some(text), Kind::Real) => {
            let number: f64 = text.parse().expect("a number");
            Some(format!("{:?}", number + 0.0))
        }
        (text, _) => text,
    }
}

fn run(session: &mut Session, sql: &str, kinds: &[Kind]) -> Seen {
    match session.run(sql).outcome {
        Ok(Outcome::Rows(mut set)) => {
            let mut rows = Shown::new();
            let batches = match set.collect() {
                Ok(batches) => batches,
                Err(error) => return refusal(&error),
            };
            for batch in &batches {
                for row in 0..batch.num_rows() {
                    let values = batch.columns().iter().zip(kinds);
                    let shown = values.map(|(array, kind)| canonical(text(array, row), *kind));
                    rows.push(shown.collect());
                }
            }
            rows.sort();
            Seen::Rows(rows)
        }
        Ok(_) => Seen::Rows(Shown::new()),
        Err(error) => refusal(&error),
    }
}

fn refusal(error: &Error) -> Seen {
    let text = error.to_string();
    let is_internal = error.kind() == ErrorKind::Internal
        || !text.starts_with("ODPS-")
        || ["null_aware", "internal error"]
            .iter()
            .any(|word| text.contains(word));
    match is_internal {
        true => Seen::Failed(text),
        false => Seen::Refused(text),
    }
}

fn shown(rows: Vec<Vec<Value>>, kinds: &[Kind]) -> Shown {
    let one = |(value, kind): (Value, &Kind)| {
        let text = match value {
            Value::Null(_) => None,
            Value::Int(n) => Some(n.to_string()),
            Value::Text(text) => Some(text),
            Value::Real(x) => Some(format!("{x:?}")),
            Value::Exact(n) => Some(query::exact(n)),
            Value::Bool(b) => Some(b.to_string()),
        };
        canonical(text, *kind)
    };
    let rows = rows.into_iter();
    let mut rows: Shown = rows
        .map(|row| row.into_iter().zip(kinds).map(one).collect())
        .collect();
    rows.sort();
    rows
}

fn prepare(tables: &[Table], in_memory: bool) -> (tempfile::TempDir, Session) {
    let home = tempfile::tempdir().expect("a folder");
    let mut session = session(home.path(), in_memory);
    for sql in tables.iter().flat_map(statements) {
        if let Seen::Refused(error) | Seen::Failed(error) = run(&mut session, &sql, &[]) {
            panic!("{sql}: {error}");
        }
    }
    (home, session)
}

fn script(tables: &[Table], query: &Query) -> String {
    let mut lines: Vec<String> = tables.iter().flat_map(statements).collect();
    lines.push(query::query(query));
    lines.iter().map(|line| format!("{line};\n")).collect()
}

/// Whether this query over these tables, in a warehouse of its own, differs from the evaluator.
fn differs(tables: &[Table], query: &Query, kinds: &[Kind], in_memory: bool) -> Option<String> {
    let expected = shown(evaluator::rows(query, &model(tables)).ok()?, kinds);
    let (_home, mut session) = prepare(tables, in_memory);
    match run(&mut session, &query::query(query), kinds) {
        Seen::Rows(seen) if seen == expected => None,
        Seen::Refused(_) => None,
        Seen::Rows(seen) => Some(format!("expected {expected:?}\n     got {seen:?}")),
        Seen::Failed(error) => Some(error),
    }
}

/// The same query without the optimizer's rules. `None` where it agrees, or is refused.
fn without_rules(
    session: &mut Session,
    query: &Query,
    kinds: &[Kind],
    expected: &Shown,
) -> Option<String> {
    run(session, "set odpsh.query.optimizer=false", &[]);
    let seen = run(session, &query::query(query), kinds);
    run(session, "set odpsh.query.optimizer=true", &[]);
    match seen {
        Seen::Rows(seen) if seen == *expected => None,
        Seen::Refused(_) => None,
        // A window over what a filter holds constant, which the rules would have seen.
        Seen::Failed(error) if error.contains("partition by columns should have an ordering") => {
            None
        }
        Seen::Rows(seen) => Some(format!(
            "without rules expected {expected:?}\n     got {seen:?}"
        )),
        Seen::Failed(error) => Some(format!("without rules: {error}")),
    }
}

/// The same rows by other ways: the filter split in three, and the predicate as a column. `None` where they agree, or where a
/// query has no such ways.
fn other_ways(session: &mut Session, query: &Query, kinds: &[Kind]) -> Option<String> {
    let Query::Select(select) = query else {
        return None;
    };
    let predicate = select.filter.clone()?;
    let text = query::query(query);
    if select.grouping.is_some() || select.distinct || text.contains(" over (") {
        return None;
    }
    let with = |change: &dyn Fn(&mut query::Select)| {
        let mut other = select.clone();
        change(&mut other);
        Query::Select(other)
    };
    let mut rows = |query: &Query, kinds: &[Kind]| match run(session, &query::query(query), kinds) {
        Seen::Rows(rows) => Ok(rows),
        Seen::Refused(_) => Err(None),
        Seen::Failed(error) => Err(Some(error)),
    };
    let boxed = || Box::new(predicate.clone());
    let mut compare = || -> Result<Option<String>, Option<String>> {
        let mut parts = Shown::new();
        for part in [
            predicate.clone(),
            query::Expr::Not(boxed()),
            query::Expr::IsNull(boxed()),
        ] {
            let part = with(&|select| select.filter = Some(part.clone()));
            parts.extend(rows(&part, kinds)?);
        }
        parts.sort();
        let whole = rows(&with(&|select| select.filter = None), kinds)?;
        if parts != whole {
            let parts = parts.len();
            return Ok(Some(format!(
                "the three parts have {parts} rows, the whole {whole:?}"
            )));
        }
        let as_column = with(&|select| {
            select.filter = None;
            select.items = vec![(predicate.clone(), "c0".to_owned())];
        });
        let seen = rows(&as_column, &[Kind::Bool])?;
        let holds = seen.iter().filter(|row| row[0].as_deref() == Some("true"));
        let (holds, filtered) = (holds.count(), rows(query, kinds)?.len());
        Ok((holds != filtered).then(|| {
            format!("the predicate is true of {holds} rows, the filter lets {filtered} pass")
        }))
    };
    compare().unwrap_or_else(|failed| failed)
}

/// The message without what changes from query to query.
fn class(message: &str) -> String {
    message
        .chars()
        .filter(|c| !c.is_ascii_digit())
        .take(90)
        .collect()
}

fn number(name: &str, otherwise: usize) -> usize {
    std::env::var(name).map_or(otherwise, |n| n.parse().expect("a number"))
}

#[test]
fn queries_agree_with_the_evaluator() {
    let wanted = number("ODPSH_DIFFERENTIAL", 1000);
    let failures_max = number("ODPSH_DIFFERENTIAL_FAILURES", 1);
    let mut seed = number("ODPSH_DIFFERENTIAL_SEED", 1);
    let (mut compared, mut undefined) = (0, 0);
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    while compared + undefined < wanted && failures.len() < failures_max {
        let mut dice = Dice(seed as u64);
        let in_memory = dice.below(2) == 0;
        let tables = tables(&mut dice);
        let contents = model(&tables);
        let (_home, mut session) = prepare(&tables, in_memory);
        for _ in 0..QUERIES_PER_WAREHOUSE {
            let mut generator = Generator {
                dice: &mut dice,
                tables: &tables,
                aliases: 0,
            };
            let (query, kinds) = generator.any();
            let Ok(expected) = evaluator::rows(&query, &contents) else {
                undefined += 1;
                continue;
            };
            compared += 1;
            let expected = shown(expected, &kinds);
            match run(&mut session, &query::query(&query), &kinds) {
                Seen::Rows(seen) if seen == expected => {
                    let differs = match compared % 4 {
                        // Six more queries.
                        0 => other_ways(&mut session, &query, &kinds),
                        2 => without_rules(&mut session, &query, &kinds, &expected),
                        _ => None,
                    };
                    if let Some(what) = differs {
                        let script = script(&tables, &query);
                        eprintln!("-- seed {seed}, after {compared} queries\n{script}{what}\n");
                        failures.push(what);
                    }
                }
                Seen::Refused(message) => *refused.entry(class(&message)).or_default() += 1,
                Seen::Rows(_) | Seen::Failed(_) => {
                    let fails = |tables: &[Table], query: &Query| {
                        differs(tables, query, &kinds, in_memory).is_some()
                    };
                    let (tables, query) = shrink::smallest(tables.clone(), query, &fails);
                    let what = differs(&tables, &query, &kinds, in_memory);
                    let what = what.unwrap_or_else(|| "only in the warehouse of its seed".into());
                    let script = script(&tables, &query);
                    eprintln!("-- seed {seed}, after {compared} queries\n{script}{what}\n");
                    failures.push(what);
                    if failures.len() >= failures_max {
                        break;
                    }
                }
            }
        }
        seed += 1;
    }
    eprintln!("{compared} queries compared, {undefined} without a value, refused: {refused:#?}");
    assert!(failures.is_empty(), "{} queries differ", failures.len());
    let refusals: usize = refused.values().sum();
    assert!(refusals * 5 < compared, "more than a fifth is refused");
}
