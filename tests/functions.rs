//! All functions at once: what the engine has beside ours cannot be called, and no function breaks over NULL.

mod support;

use std::collections::BTreeSet;

use chrono_tz::Tz;
use datafusion::execution::SessionStateBuilder;
use odpsh::engine::function::{Described, described};
use odpsh::exec::Outcome;
use odpsh::session::Session;
use support::Index;

fn session(dir: &std::path::Path) -> Session {
    let mut session = support::session(dir, Index::Memory, "2020-02-18 14:17:58", Tz::UTC);
    run(&mut session, "create table t (n bigint, s string)").expect("a table");
    run(&mut session, "insert into t values (null, null), (1, 'a')").expect("rows");
    session
}

fn run(session: &mut Session, sql: &str) -> Result<(), String> {
    match session.run(sql).outcome {
        Ok(Outcome::Rows(mut rows)) => rows.collect().map(drop).map_err(|error| error.to_string()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// The names of all functions that the engine has with the features it is built with.
fn of_the_engine() -> BTreeSet<String> {
    let state = SessionStateBuilder::new().with_default_features().build();
    let mut names = BTreeSet::new();
    names.extend(state.scalar_functions().keys().cloned());
    names.extend(state.aggregate_functions().keys().cloned());
    names.extend(state.window_functions().keys().cloned());
    names.extend(state.higher_order_functions().keys().cloned());
    names.extend(state.table_functions().keys().cloned());
    names
}

#[test]
fn functions_of_the_engine_alone_cannot_be_called() {
    let home = tempfile::tempdir().expect("a folder");
    let mut session = session(home.path());
    let ours: BTreeSet<&str> = described().iter().map(|function| function.name).collect();
    let theirs = of_the_engine();
    assert!(theirs.len() > 200, "{}", theirs.len());
    let mut leaks = Vec::new();
    for name in theirs.iter().filter(|name| !ours.contains(name.as_str())) {
        for call in [
            format!("select {name}() from t"),
            format!("select {name}(n) from t"),
            format!("select {name}(s, n) from t"),
            format!("select {name}(n) over () from t"),
            format!("select * from {name}(1, 2)"),
            format!("select {name}(array(1), x -> x) from t"),
        ] {
            match run(&mut session, &call) {
                Err(error) if error.contains("cannot be resolved") => {}
                Err(error)
                    if error.contains("ODPS-0130161") || error.contains("not supported yet") => {}
                other => leaks.push(format!("{call}: {other:?}")),
            }
        }
    }
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

/// How many arguments a usage has at least and at most, optional and repeated ones among them.
fn counts(function: &Described) -> std::ops::RangeInclusive<usize> {
    let commas = function
        .usage
        .split(" | ")
        .map(|form| form.matches(',').count() + 1);
    0..=commas.max().unwrap_or(1) + 1
}

#[test]
fn no_function_breaks_over_null() {
    let home = tempfile::tempdir().expect("a folder");
    let mut session = session(home.path());
    let values = [
        "null",
        "n",
        "s",
        "cast(null as array<bigint>)",
        "cast(null as double)",
    ];
    let mut broken = Vec::new();
    for function in described() {
        for count in counts(&function) {
            for value in values {
                let arguments = vec![value; count].join(", ");
                let over = if function.usage.contains(" over ") {
                    " over (order by n)"
                } else {
                    ""
                };
                let call = format!("select {}({arguments}){over} from t", function.name);
                if let Err(error) = run(&mut session, &call)
                    && (error.contains("nternal error") || error.contains("ODPS-0010000"))
                {
                    broken.push(format!("{call}: {error}"));
                }
            }
        }
    }
    assert!(
        broken.is_empty(),
        "{} break:\n{}",
        broken.len(),
        broken.join("\n")
    );
}
