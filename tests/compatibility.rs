//! README's compatibility table: it says what the list below says, and what the list says is tried.
//!
//! `UPDATE_README=1 cargo test --test compatibility` writes the table into README.md.

mod support;

use std::fmt::Write as _;
use std::path::Path;

use support::Home;

/// How far a statement goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Support {
    Yes,
    /// Works, with the limits of the note.
    Partial,
    /// Refused by name.
    No,
}
use Support::{No, Partial, Yes};

/// What is there before each sample runs.
const GROUND: &str = "\
create table t (a bigint, b string);
create table p (a bigint) partitioned by (ds string);
create table tx (a bigint, b string) tblproperties ('transactional'='true');
insert into t values (1, 'x'), (2, 'y');
insert overwrite table p partition (ds='1') values (1);
insert into tx values (1, 'x');
create view v as select a from t;
";

#[rustfmt::skip]
const STATEMENTS: &[(&str, Support, &str, &str)] = &[
    ("SHOW HISTORY FOR TABLES", Yes, "show history for tables;", ""),
    ("SHOW HISTORY FOR TABLE t [('id'='…')] [PARTITION(…) …]", Yes, "show history for table p partition (ds='1'); show history for table t extended limit 1;", "EXTENDED and LIMIT are extensions: who, what, how many rows"),
    ("RESTORE TABLE: undrop, to LSN, AS, partitions", Yes, "restore table t to lsn '1' as u; drop table t; restore table t;", ""),
    ("SETPROJECT, SET, SHOW FLAGS, USE", Yes, "setproject; set a=b; show flags;", "unknown keys are kept and have no effect"),
    ("CREATE TABLE (columns, DEFAULT, PARTITIONED BY, TBLPROPERTIES, LIFECYCLE)", Yes, "create table u (a bigint not null default 1 comment 'x') lifecycle 3;", ""),
    ("CREATE TABLE … CLUSTERED BY", Partial, "create table u (a bigint) clustered by (a) into 4 buckets;", "kept, no effect on execution; INSERT OVERWRITE only"),
    ("CREATE TABLE … AS SELECT, … LIKE", Yes, "create table u as select * from t; create table w like p;", ""),
    ("CREATE OR REPLACE TABLE", Yes, "create or replace table t (c string); create or replace table t as select 1 as a;", "what is replaced can be restored as what is dropped"),
    ("CREATE EXTERNAL TABLE", No, "create external table u (a bigint) location '/tmp';", ""),
    ("CREATE [OR REPLACE] VIEW, ALTER VIEW, DROP VIEW, SHOW VIEWS", Yes, "create or replace view v as select b from t; alter view v rename to w; show views; drop view w;", ""),
    ("CREATE MATERIALIZED VIEW", No, "create materialized view m as select 1;", ""),
    ("DROP TABLE [IF EXISTS]", Yes, "drop table t; drop table if exists t;", ""),
    ("PURGE TABLE, PURGE ALL [hours], DROP … PURGE, SHOW RECYCLEBIN", Yes, "show recyclebin; purge table t; alter table p drop partition (ds='1') purge; drop table p purge; purge all 24;", ""),
    ("TRUNCATE TABLE [PARTITION(…)]", Yes, "truncate table t; truncate table p partition (ds='1');", ""),
    ("CLONE TABLE", Yes, "clone table p partition (ds='1') to u; clone table t to w;", "shares the data, moves no rows"),
    ("ALTER TABLE: RENAME, comment, lifecycle, properties, owner, TOUCH", Yes, "alter table t set comment 'c'; alter table t touch; alter table t changeowner to 'x'; alter table t rename to u;", ""),
    ("ALTER TABLE: ADD, DROP, REPLACE, CHANGE, RENAME COLUMN", Yes, "alter table t add columns (c bigint); alter table t rename column c to d; alter table t drop columns d;", "types can be widened"),
    ("ALTER TABLE: ADD, DROP, RENAME, MERGE PARTITION", Yes, "alter table p add partition (ds='2'); alter table p drop partition (ds > '1', ds < '3');", "DROP also by conditions"),
    ("ALTER TABLE … MERGE SMALLFILES, COMPACT, NOT CLUSTERED", Yes, "alter table t merge smallfiles; alter table tx compact major; alter table t not clustered;", ""),
    ("INSERT INTO / OVERWRITE, VALUES or SELECT, column list", Yes, "insert into t (b) values ('z'); insert overwrite table t select * from t;", ""),
    ("INSERT with dynamic partitions", Yes, "insert overwrite table p partition (ds) select a, b from t;", "at most 10,000 per statement"),
    ("FROM … INSERT … INSERT … (multi-insert)", Yes, "from t insert into table t select a, b insert overwrite table p partition (ds='3') select a;", "one commit"),
    ("LOAD … FROM LOCATION … STORED AS CSV, PARQUET", Partial, "", "local paths; columns by position"),
    ("UNLOAD, TUNNEL", No, "unload from t into location '/tmp/x' stored as parquet;", ""),
    ("PRIMARY KEY of a transactional table", Partial, "create table keyed (k bigint not null primary key, v string) tblproperties ('transactional'='true'); insert into keyed values (1, 'a'), (1, 'b'); insert into keyed select 1, 'c'; drop table keyed purge;", "INSERT, LOAD and MERGE keep the last row of a key, per partition; no MERGE PARTITION"),
    ("UPDATE [FROM], DELETE, MERGE INTO", Yes, "update tx set b = 'y' where a = 1; update tx set b = t.b from t where tx.a = t.a; merge into tx using t on tx.a = t.a when matched then update set * when not matched then insert * when not matched by source then delete; delete from tx;", "transactional tables"),
    ("READ", Yes, "read t (a) 10; read p partition (ds='1');", ""),
    ("ANALYZE TABLE", Yes, "analyze table t compute statistics for columns (a);", "statistics are kept of every version anyway"),
    ("SELECT: WITH, joins, SEMI/ANTI, GROUP BY sets, HAVING, QUALIFY, WINDOW", Yes, "with q as (select * from t) select q.a, count(*) from q left anti join tx on q.a = tx.a group by q.a with rollup having count(*) > 0;", ""),
    ("SELECT: UNION, INTERSECT, EXCEPT, MINUS [ALL]", Yes, "select a from t minus select a from tx; select a from t intersect all select a from t;", ""),
    ("SELECT: LATERAL VIEW [OUTER], table functions", Yes, "select a, x from t lateral view outer explode(array(1, 2)) e as x;", ""),
    ("SELECT: SORT BY, DISTRIBUTE BY, CLUSTER BY, LIMIT m, n", Yes, "select a from t distribute by a sort by a desc; select a from t limit 1, 1;", "one machine is one reducer: SORT BY orders the result"),
    ("SELECT: PIVOT, UNPIVOT", Yes, "select * from t pivot (count(*) for b in ('x')); select * from t unpivot (v for n in (b));", "values of PIVOT are constants"),
    ("SELECT: TABLESAMPLE", Partial, "select * from t tablesample (10 percent) x; select * from t tablesample (bucket 1 out of 2 on a);", "PERCENT, ROWS and BUCKET; not by size"),
    ("SELECT: WITH RECURSIVE", Yes, "with recursive r (n) as (select 1 union all select n + 1 from r where n < 3) select * from r;", "odps.sql.rcte.max.iterate.num, 10 by default"),
    ("SELECT: EXISTS as a value, ILIKE", No, "select b ilike 'X' from t;", ""),
    ("SELECT … VERSION AS OF, TIMESTAMP AS OF, BETWEEN", Yes, "select * from t version as of 1; select * from tx version between 0 and 2; select count(*) from t timestamp as of getdate() + 1;", "on every table; a version is an LSN; BETWEEN on transactional tables, as the rows that are there and were not"),
    ("script mode, @variables", No, "", ""),
    ("EXPLAIN", Yes, "explain select * from t;", "the plan is that of this engine"),
    ("SHOW TABLES, PARTITIONS, COLUMNS, CREATE TABLE, TBLPROPERTIES, FUNCTIONS", Yes, "show tables; show partitions p; show columns from t; show create table t; show tblproperties tx; show functions;", ""),
    ("DESC [EXTENDED] t [PARTITION(…)], DESC FUNCTION", Yes, "desc extended t; desc p partition (ds='1'); desc v; desc function substr;", ""),
    ("CREATE FUNCTION, ADD JAR", No, "create function f as 'x' using 'y.jar';", ""),
    ("ADD USER, REMOVE USER, roles, GRANT, REVOKE, SHOW GRANTS, SHOW ACL, WHOAMI", Yes, "add user u with secret 'x'; create role r; grant select on table t to role r; grant r to u; show grants for u; whoami;", "on tables and projects; WITH SECRET is an extension; log in with -u and -p"),
    ("labels, packages, policies", No, "show packages;", ""),
];

fn table() -> String {
    let mut out = String::from("| Statement | | Note |\n|---|---|---|\n");
    for (statement, support, _, note) in STATEMENTS {
        let word = match support {
            Yes => "yes",
            Partial => "partial",
            No => "no",
        };
        let _ = writeln!(out, "| {statement} | {word} | {note} |");
    }
    out += "\n| Functions | |\n|---|---|\n";
    for (family, functions) in odpsh::engine::function::families() {
        let names: Vec<&str> = functions.iter().map(|function| function.name).collect();
        let _ = writeln!(out, "| {family} | {} |", names.join(" "));
    }
    out
}

#[test]
fn readme_has_this_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(&path).expect("readable");
    let (begin, end) = ("<!-- compatibility -->\n", "<!-- end -->");
    let (before, rest) = readme.split_once(begin).expect("a beginning mark");
    let (shown, after) = rest.split_once(end).expect("an end mark");
    if std::env::var_os("UPDATE_README").is_some() {
        let text = format!("{before}{begin}{}{end}{after}", table());
        std::fs::write(&path, text).expect("writable");
        return;
    }
    assert_eq!(shown, table(), "write it with UPDATE_README=1");
}

#[test]
fn what_it_says_is_so() {
    for (statement, support, sample, _) in STATEMENTS.iter().filter(|row| !row.2.is_empty()) {
        let home = Home::new();
        home.run(&["--on-error", "stop"], GROUND.as_bytes()).ok();
        let run = home.run(&["--on-error", "stop"], sample.as_bytes());
        match support {
            Yes | Partial => assert_eq!(run.status, 0, "{statement}: {}", run.err),
            No => assert!(
                run.err.contains("not supported yet"),
                "{statement}: {}",
                run.err
            ),
        }
    }
}
