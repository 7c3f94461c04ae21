//! Tables with a primary key beside a map: random programs of everything that brings rows into them.
//!
//! `ODPSH_DELTA_CASES=n` runs n programs.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use chrono_tz::Tz;
use odpsh::engine::text::text;
use odpsh::exec::Outcome;
use odpsh::session::Session;
use proptest::prelude::*;
use support::Index;

/// Key types with literals, of which some are written in two ways.
const KEYS: &[(&str, &[(&str, &str)])] = &[
    (
        "bigint",
        &[
            ("1", "1"),
            ("2", "2"),
            ("-5", "-5"),
            ("9223372036854775807", "9223372036854775807"),
            ("4", "4"),
        ],
    ),
    (
        "string",
        &[
            ("'a'", "a"),
            ("'A'", "A"),
            ("''", ""),
            ("'a '", "a "),
            ("'中'", "中"),
        ],
    ),
    (
        "char(3)",
        &[
            ("'a'", "a"),
            ("'abc'", "abc"),
            ("'ab'", "ab"),
            ("'b'", "b"),
            ("'c'", "c"),
        ],
    ),
    (
        "decimal(10,2)",
        &[
            ("1.5BD", "1.5"),
            ("1.50BD", "1.5"),
            ("0BD", "0"),
            ("-1BD", "-1"),
            ("99.99BD", "99.99"),
        ],
    ),
    (
        "date",
        &[
            ("date'2020-01-01'", "2020-01-01"),
            ("date'0001-01-01'", "0001-01-01"),
            ("date'9999-12-31'", "9999-12-31"),
            ("date'1970-01-01'", "1970-01-01"),
            ("date'2020-01-02'", "2020-01-02"),
        ],
    ),
    (
        "double",
        &[
            ("0.0", "0"),
            ("-0.0", "0"),
            ("1.5", "1.5"),
            ("1e300", "1e300"),
            ("-2.0", "-2"),
        ],
    ),
];

type Rows = BTreeMap<String, BTreeMap<String, i64>>;

#[derive(Clone, Debug)]
enum Step {
    /// Rows of place, key, value.
    Insert {
        rows: Vec<(u8, u8, i64)>,
        by: u8,
    },
    Overwrite {
        rows: Vec<(u8, u8, i64)>,
    },
    Merge {
        rows: Vec<(u8, u8, i64)>,
        matches: bool,
    },
    Update(u8, i64),
    Delete(u8),
    Restore(u8),
    MergeSmallFiles,
    Reopen,
}

fn rows() -> impl Strategy<Value = Vec<(u8, u8, i64)>> {
    prop::collection::vec((0..2u8, 0..5u8, 0..100i64), 1..6)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (rows(), 0..4u8).prop_map(|(rows, by)| Step::Insert { rows, by }),
        1 => rows().prop_map(|rows| Step::Overwrite { rows }),
        3 => (rows(), any::<bool>()).prop_map(|(rows, matches)| Step::Merge { rows, matches }),
        1 => (0..5u8, 0..100i64).prop_map(|(key, value)| Step::Update(key, value)),
        1 => (0..5u8).prop_map(Step::Delete),
        2 => any::<u8>().prop_map(Step::Restore),
        1 => Just(Step::MergeSmallFiles),
        1 => Just(Step::Reopen),
    ]
}

fn open(dir: &Path, on_sled: bool) -> Session {
    let index = if on_sled { Index::Sled } else { Index::Memory };
    support::session(dir, index, "2020-02-18 14:17:58", Tz::UTC)
}

fn sql(session: &mut Session, text: &str) -> Result<Outcome, String> {
    session
        .run(text)
        .outcome
        .map_err(|error| format!("{text}: {error}"))
}

fn read(session: &mut Session, key: &str, partitioned: bool) -> Result<Rows, String> {
    let place = if partitioned { "pt" } else { "'0'" };
    // -0.0 and 0.0 are one key, whose text is the one that was written last.
    let key_text = match key {
        "double" => {
            "case when k = 0.0 then '0' when k = -2.0 then '-2' when k = 1e300 then '1e300' else cast(k as string) end"
        }
        _ => "cast(k as string)",
    };
    let Outcome::Rows(mut set) = sql(session, &format!("select {place}, {key_text}, v from t"))?
    else {
        return Err("no rows".into());
    };
    let mut out = Rows::new();
    for batch in &set.collect().map_err(|error| error.to_string())? {
        for row in 0..batch.num_rows() {
            let value = |at: usize| text(batch.column(at), row).unwrap_or_default();
            let value_v = value(2).parse().map_err(|_| "a number")?;
            if out
                .entry(value(0))
                .or_default()
                .insert(value(1), value_v)
                .is_some()
            {
                return Err(format!("key {} is there twice", value(1)));
            }
        }
    }
    Ok(out)
}

fn run(
    steps: &[Step],
    (key, literals): (&str, &[(&str, &str)]),
    partitioned: bool,
    on_sled: bool,
) -> Result<(), String> {
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let dir = home.path().join("w");
    let mut session = open(&dir, on_sled);
    let by_partition = if partitioned {
        " partitioned by (pt string)"
    } else {
        ""
    };
    sql(
        &mut session,
        &format!(
            "create table t (k {key} not null, v bigint, primary key (k)){by_partition} tblproperties('transactional'='true')"
        ),
    )?;
    let place = |place: u8| {
        if partitioned {
            place.to_string()
        } else {
            "0".to_owned()
        }
    };
    let literal = |key: u8| literals[key as usize].0;
    let name = |key: u8| literals[key as usize].1.to_owned();
    let tuple = |(at, key, value): &(u8, u8, i64)| match partitioned {
        true => format!("({}, {value}, '{at}')", literal(*key)),
        false => format!("({}, {value})", literal(*key)),
    };
    let list = |rows: &[(u8, u8, i64)]| rows.iter().map(tuple).collect::<Vec<_>>().join(", ");
    let upsert = |state: &mut Rows, rows: &[(u8, u8, i64)]| {
        for (at, key, value) in rows {
            state
                .entry(place(*at))
                .or_default()
                .insert(name(*key), *value);
        }
    };
    let mut states: Vec<Rows> = vec![Rows::new()];
    for (number, step) in steps.iter().enumerate() {
        let mut state = states.last().cloned().unwrap_or_default();
        let columns = if partitioned { "k, v, pt" } else { "k, v" };
        match step {
            Step::Insert { rows, by } => {
                let list = list(rows);
                match by {
                    0 => sql(&mut session, &format!("insert into t values {list}"))?,
                    1 => sql(
                        &mut session,
                        &format!("insert into t select * from values {list} x"),
                    )?,
                    2 => sql(
                        &mut session,
                        &format!(
                            "from (select * from values {list} x({columns})) s insert into t select {columns}"
                        ),
                    )?,
                    _ => {
                        let path = home.path().join("rows.csv");
                        let lines = rows.iter().map(|(at, key, value)| {
                            let text = literals[*key as usize].0;
                            let text = text
                                .trim_start_matches("date")
                                .trim_end_matches("BD")
                                .trim_matches('\'');
                            match partitioned {
                                true => format!("\"{text}\",{value},{at}\n"),
                                false => format!("\"{text}\",{value}\n"),
                            }
                        });
                        std::fs::write(&path, lines.collect::<String>())
                            .map_err(|e| e.to_string())?;
                        sql(
                            &mut session,
                            &format!(
                                "load into table t from location '{}' stored as csv",
                                path.display()
                            ),
                        )?
                    }
                };
                upsert(&mut state, rows);
            }
            Step::Overwrite { rows } => {
                sql(
                    &mut session,
                    &format!("insert overwrite table t values {}", list(rows)),
                )?;
                for (at, ..) in rows {
                    state.remove(&place(*at));
                }
                upsert(&mut state, rows);
            }
            Step::Merge { rows, matches } => {
                // Of each key and place one row, so that no target row is matched twice.
                let mut seen = Vec::new();
                let rows: Vec<(u8, u8, i64)> = rows
                    .iter()
                    .filter(|(at, key, _)| {
                        let id = (place(*at), name(*key));
                        let is_new = !seen.contains(&id);
                        seen.push(id);
                        is_new
                    })
                    .copied()
                    .collect();
                let on = match (matches, partitioned) {
                    (true, true) => "t.k = s.k and t.pt = s.pt",
                    (true, false) => "t.k = s.k",
                    // Nothing matches: all rows are inserted by their keys.
                    (false, _) => "t.k = s.k and s.v < 0",
                };
                let values = if partitioned {
                    "s.k, s.v, s.pt"
                } else {
                    "s.k, s.v"
                };
                sql(
                    &mut session,
                    &format!(
                        "merge into t using (select * from values {} x({columns})) s on {on} when matched then update set v = s.v + 1000 when not matched then insert values ({values})",
                        list(&rows)
                    ),
                )?;
                for (at, key, value) in &rows {
                    let slot = state.entry(place(*at)).or_default();
                    let is_there = slot.contains_key(&name(*key));
                    let value = if *matches && is_there {
                        value + 1000
                    } else {
                        *value
                    };
                    slot.insert(name(*key), value);
                }
            }
            Step::Update(key, value) => {
                sql(
                    &mut session,
                    &format!("update t set v = {value} where k = {}", literal(*key)),
                )?;
                for slot in state.values_mut() {
                    slot.entry(name(*key)).and_modify(|old| *old = *value);
                }
            }
            Step::Delete(key) => {
                sql(
                    &mut session,
                    &format!("delete from t where k = {}", literal(*key)),
                )?;
                for slot in state.values_mut() {
                    slot.remove(&name(*key));
                }
            }
            Step::Restore(which) => {
                if partitioned {
                    continue;
                }
                let Outcome::Listing(history) = sql(&mut session, "show history for table t")?
                else {
                    return Err("no history".into());
                };
                let lsn = usize::from(*which) % history.rows.len();
                let lsn = history.rows[lsn][3].clone().unwrap_or_default();
                let Outcome::Rows(_) = sql(
                    &mut session,
                    &format!(
                        "select * from t version as of {}",
                        lsn.trim_start_matches('0')
                    ),
                )?
                else {
                    return Err("no rows".into());
                };
                sql(&mut session, &format!("restore table t to lsn '{lsn}'"))?;
                state = read(&mut session, key, partitioned)?;
            }
            Step::MergeSmallFiles => {
                sql(&mut session, "alter table t merge smallfiles")?;
            }
            Step::Reopen => {
                session.close().map_err(|error| error.to_string())?;
                session = open(&dir, on_sled);
            }
        }
        state.retain(|_, slot| !slot.is_empty());
        let seen = read(&mut session, key, partitioned)?;
        if seen != state {
            return Err(format!(
                "{key}, step {number}, {step:?}: {seen:?}, expected {state:?}"
            ));
        }
        states.push(state);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("ODPSH_DELTA_CASES").map_or(40, |n| n.parse().expect("a number")),
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_table_with_a_primary_key_is_a_map(
        steps in prop::collection::vec(step(), 1..14),
        key in 0..KEYS.len(),
        partitioned: bool,
        on_sled: bool,
    ) {
        run(&steps, KEYS[key], partitioned, on_sled).map_err(TestCaseError::fail)?;
    }
}
