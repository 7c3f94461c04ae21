//! The faults that `src/engine/upstream.rs` lists still occur in the engine by itself: where one no longer does, its cure can
//! go.

use std::collections::BTreeSet;

use datafusion::arrow::util::display::array_value_to_string;
use datafusion::error::DataFusionError;
use datafusion::prelude::{SessionConfig, SessionContext};

/// The symptom as the list has it, statements that prepare it, a query, and its right rows in order.
struct Fault {
    symptom: &'static str,
    tables: &'static [&'static str],
    query: &'static str,
    right: &'static [&'static str],
}

const L_R: &[&str] = &[
    "create table l as values (1, 10), (2, 20), (3, 30)",
    "create table r as values (1, 10), (2, 99)",
];
const A_E: &[&str] = &[
    "create table a as values (1), (2)",
    "create table e (x bigint)",
];

const FAULTS: &[Fault] = &[
    Fault {
        symptom: "a filter above a join reaches the other table's column of that name",
        tables: L_R,
        query: "select l.column1 from r right join l on l.column1 = r.column1 where r.column1 is null and l.column2 <> 7",
        right: &["3"],
    },
    Fault {
        symptom: "`<=>` in a chain of inner joins becomes `=`",
        tables: &[
            "create table c as values (null::bigint, 1), (5, 3)",
            "create table b as values (null::bigint, 'ab'), (5, 'x')",
            "create table d as values (1), (3)",
        ],
        query: "select b.column2 from c join b on b.column1 is not distinct from c.column1 join d on d.column1 = c.column2",
        right: &["ab", "x"],
    },
    Fault {
        symptom: "`=` beside `<=>` in one join becomes `<=>`",
        tables: &[
            "create table b as values (null::bigint, null::text)",
            "create table c as values (null::bigint, null::text)",
        ],
        query: "select 1 from b left join c on b.column1 is not distinct from c.column1 where b.column2 = c.column2",
        right: &[],
    },
    Fault {
        symptom: "EXISTS and IN over an aggregate without GROUP BY lose the row it always has",
        tables: A_E,
        query: "select column1 from a where exists (select count(x) from e where e.x = a.column1)",
        right: &["1", "2"],
    },
    Fault {
        symptom: "correlated NOT IN, and NOT IN of a constant, forget NULL",
        tables: &[
            "create table o as values (1), (2), (null), (4)",
            "create table i as values (1, 1), (null, 2), (2, 3)",
        ],
        query: "select column1 from o where column1 not in (select i.column1 from i where i.column1 = o.column1)",
        right: &["", "4"],
    },
    Fault {
        symptom: "a condition without columns goes below an aggregate that has a row for the whole",
        tables: A_E,
        query: "select v.c from a left join (select count(x) as c from e) v on false",
        right: &["", ""],
    },
    Fault {
        symptom: "`x in (1) and x in (2)`, `x in (1) and x not in (2, null)` and `x ^ x` forget NULL",
        tables: &["create table n as values (null::bigint)"],
        query: "select count(*) from n where not (column1 in (1) and column1 in (2))",
        right: &["0"],
    },
    Fault {
        symptom: "`x in (1) and x in (2)`, `x in (1) and x not in (2, null)` and `x ^ x` forget NULL",
        tables: &["create table n as values (3)"],
        query: "select count(*) from n a join n b on a.column1 = b.column1 where a.column1 in (3, -1, 7, 8) and b.column1 not in (null, 0, 5, 6)",
        right: &["0"],
    },
    Fault {
        symptom: "`x = 2 and 2 = x` is false in the condition of a join",
        tables: &["create table n as values (2)"],
        query: "select count(b.column1) from n a left join n b on a.column1 = b.column1 and 2 = a.column1",
        right: &["1"],
    },
    Fault {
        symptom: "COUNT(DISTINCT) of a constant column is 1, of no rows and of NULL too",
        tables: &["create table n as values (2)"],
        query: "select count(distinct d), count(distinct c) from (select 2 as c, null as d from n)",
        right: &["0"],
    },
    Fault {
        symptom: "BETWEEN draws a random number twice",
        tables: &[],
        query: "select abs(count(*) - 25000) < 2000 from generate_series(1, 100000) where random() between 0.25 and 0.5",
        right: &["true"],
    },
    Fault {
        symptom: "SUM of DECIMAL wraps past 38 digits, `+`, `-` and `*` let 39 pass",
        tables: &[
            "create table m as values (90000000000000000000000000000000000000::decimal(38,0)), (90000000000000000000000000000000000000::decimal(38,0))",
        ],
        query: "select sum(column1) > 0 from m",
        right: &["refused"],
    },
    Fault {
        symptom: "-0.0 and 0.0 differ for IN, NULLIF, CASE x WHEN, windows and DISTINCT",
        tables: &["create table z as values (-0.0::double)"],
        query: "select count(*) from z where column1 in (0.0, 7.0, 8.0, 9.0)",
        right: &["1"],
    },
    Fault {
        symptom: "DECIMAL meets DOUBLE in DECIMAL(p,15)",
        tables: &["create table t as values (1::decimal(10,2), 1e20::double)"],
        query: "select count(*) from t where column1 < column2",
        right: &["1"],
    },
    Fault {
        symptom: "a grouping over IS DISTINCT FROM, which CASE may become, is an internal error",
        tables: &["create table t as values (1, 2), (null, null)"],
        query: "(select case when column1 >= column2 then false else true end from t) union (select true)",
        right: &["true"],
    },
    Fault {
        symptom: "USING under RIGHT and FULL JOIN takes the key of the left side",
        tables: L_R,
        query: "select column1 from (values (1)) a full join (values (2)) b using (column1)",
        right: &["1", "2"],
    },
];

async fn rows(fault: &Fault) -> datafusion::error::Result<Vec<String>> {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
    for table in fault.tables {
        context.sql(table).await?.collect().await?;
    }
    let mut rows = Vec::new();
    for batch in context.sql(fault.query).await?.collect().await? {
        for row in 0..batch.num_rows() {
            rows.push(array_value_to_string(batch.column(0), row)?);
        }
    }
    rows.sort();
    Ok(rows)
}

#[test]
fn listed_faults_still_occur_upstream() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    for fault in FAULTS {
        let seen = runtime.block_on(rows(fault));
        let seen = seen.unwrap_or_else(|error| {
            let root = error.find_root();
            let is_ours = matches!(
                root,
                DataFusionError::Plan(_)
                    | DataFusionError::SQL(..)
                    | DataFusionError::SchemaError(..)
            );
            assert!(!is_ours, "{}: {root}", fault.query);
            vec!["refused".to_owned()]
        });
        assert_ne!(
            seen, fault.right,
            "upstream has mended it, the cure can go: {}",
            fault.symptom
        );
    }
}

#[test]
fn every_listed_fault_is_tried() {
    let list = include_str!("../src/engine/upstream.rs");
    let rows = list.lines().filter_map(|line| line.strip_prefix("//! | "));
    let symptoms = rows.filter_map(|row| row.split(" | ").nth(1)).skip(1);
    let symptoms = symptoms.flat_map(|symptom| symptom.split("; "));
    let listed: BTreeSet<&str> = symptoms.collect();
    let tried: BTreeSet<&str> = FAULTS.iter().map(|fault| fault.symptom).collect();
    assert_eq!(listed, tried);
}
