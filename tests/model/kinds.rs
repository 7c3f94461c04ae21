//! A fault at every operation of one script that has every kind of statement that changes something.
//!
//! The script is first run without a fault, and what can be seen is written down after each statement. With a fault, what comes
//! back has to be one of the states since the last acknowledgement; from there the rest of the script is run, and the
//! end has to be the same: rows, versions, ids, times, numbers, users and grants. Statement by statement the
//! clock shows the same time in every run.
//!
//! `ODPSH_CRASH_STRIDE=1` tries every fault at every operation instead of one after the other.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono_tz::Tz;
use odpsh::ast::{Access, AlterAction, Statement};
use odpsh::clock::Clock;
use odpsh::engine::text::text;
use odpsh::exec::Outcome;
use odpsh::parser::parse;
use odpsh::session::{Session, Start};
use odpsh::store::check::Checkup;
use odpsh::store::seam::Disk;
use odpsh::store::{StoreError, Warehouse};
use odpsh::timemachine::check::examine;

use crate::crash::{each, stride};
use crate::machine::{Down, Fault, How, Machine};

const START_MS: i64 = 1_582_000_000_000;
const MINUTE_MS: i64 = 60_000;
const HOME: &str = "/home/warehouse";

/// What is done to the warehouse beside statements begins with a star.
const SCRIPT: &[&str] = &[
    "setproject odps.timemachine.retention.days=5",
    "create table t (a bigint not null comment 'k', b string default 'none') comment 'c' lifecycle 30",
    "insert into t values (1, 'one'), (2, 'two')",
    "insert into t select a + 2, b from t",
    "insert into t select value, repeat('long', 20000) from odpsh_generate_series(10, 13)",
    "create table p (a bigint, b string) partitioned by (d string, h bigint)",
    "insert into p partition (d, h) select a, b, concat('d', a % 3), a % 2 from t where a < 9",
    "insert overwrite table p partition (d = 'd0', h) select a, b, h from p where d = 'd0'",
    "from t insert overwrite table p partition (d = 'm', h = 1) select a, b where a = 1 insert overwrite table p partition (d = 'm', h = 2) select a, b where a = 2",
    "load into table t from location '{csv}' stored as csv",
    "load overwrite table p partition (d = 'l', h = 9) from location '{csv}' stored as csv",
    "create table x (k bigint, v string, n int) tblproperties ('transactional' = 'true')",
    "insert into x values (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)",
    "update x set v = concat(v, '!'), n = n + 1 where k > 1",
    "delete from x where k = 2",
    "merge into x using (select a, b from t where a < 5) s on x.k = s.a when matched then update set v = s.b when not matched then insert values (s.a, s.b, 0)",
    "*reopen",
    "create table y (k bigint, v string) partitioned by (d string) tblproperties ('transactional' = 'true')",
    "insert into y values (1, 'a', '1'), (2, 'b', '1'), (3, 'c', '2')",
    "update y set v = upper(v) where d = '1'",
    "delete from y where k = 3",
    "alter table x merge smallfiles",
    "alter table x compact major",
    "alter table x not clustered",
    "update x set v = s.b from (select a, b from t where a = 3) s where x.k = s.a",
    "create table l like p lifecycle 3",
    "create table c as select a, count(*) as n from t group by a",
    "create view v (one, two comment 'w') comment 'view' as select a, b from t where a < 3",
    "create or replace view v as select b from t where a < 4",
    "create view w as select * from v",
    "alter view w rename to w2",
    "alter view w2 set tblproperties ('comment' = 'c')",
    "drop view w2",
    "alter table t add columns (e int comment 'e', f string)",
    "alter table t change column e e2 bigint comment 'wide'",
    "alter table t change column f f string first",
    "insert into t (a, e2) values (1000, 25)",
    "alter table t drop columns (f)",
    "alter table c replace columns (a bigint, z string)",
    "create or replace table c (a bigint, y string)",
    "create or replace table c as select a, b from t where a < 3",
    "alter table t set comment 'new'",
    "alter table t set lifecycle 40",
    "alter table t set tblproperties ('k' = 'v', 'timemachine.retention.days' = '3')",
    "alter table t unset tblproperties ('k')",
    "alter table t changeowner to 'ALIYUN$other'",
    "alter table t touch",
    "alter table p partition (d = 'm', h = 1) disable lifecycle",
    "alter table p touch partition (d = 'm', h = 1)",
    "alter table p add partition (d = 'new', h = 1) partition (d = 'new', h = 2)",
    "alter table p partition (d = 'new', h = 1) rename to partition (d = 'renamed', h = 1)",
    "alter table p merge partition (d = 'm') overwrite partition (d = 'mm', h = 0) purge",
    "alter table p drop partition (d = 'd1')",
    "truncate table p partition (d = 'd2', h = 0)",
    "restore table p to lsn '6'",
    "restore table p partition (d = 'd1', h = 1) to lsn '5'",
    "restore table p to lsn '4' as p2",
    "restore table p partition (d = 'd0', h = 1) to lsn '3' as p3",
    "clone table t to t2",
    "clone table p partition (d = 'd0', h = 1) to p2 if exists overwrite",
    "insert overwrite table t select a, b, e2 from t where a < 12",
    "restore table t to lsn '4'",
    "restore table t to lsn '5' as t3",
    "alter table t2 rename to t4",
    "drop table t4",
    "restore table t4",
    "truncate table t3",
    "drop table t3 purge",
    "*reindex",
    "add user bob comment 'b'",
    "create role worker",
    "create role idle",
    "grant select, describe on table t to role worker",
    "grant createtable, list on project default to user bob",
    "grant worker to bob",
    "insert into t (a, b) values (2000, 'x')",
    "revoke list on project default from user bob",
    "revoke worker from bob",
    "drop role idle",
    "remove user bob",
    "*later 80",
    "insert overwrite table t values (7, 'seven')",
    "*gc",
    "purge table p 1",
    "*repair",
    "insert into x select a, b, 1 from t",
    "*later 50",
    "purge all",
    "setproject odps.timemachine.retention.days=0",
    "drop table x",
    "*gc",
    "*reindex",
    "insert into y values (9, 'last', '9')",
    "*reopen",
];

/// The kinds of statements that change something.
fn kind(statement: &Statement) -> Option<&'static str> {
    Some(match statement {
        Statement::CreateTable(create) if create.or_replace => "CREATE OR REPLACE TABLE",
        Statement::CreateTable(create) if create.query.is_some() => "CREATE TABLE AS",
        Statement::CreateTable(_) => "CREATE TABLE",
        Statement::CreateTableLike(_) => "CREATE TABLE LIKE",
        Statement::CreateView(_) => "CREATE VIEW",
        Statement::DropTable { purge: true, .. } => "DROP TABLE PURGE",
        Statement::DropTable { .. } => "DROP TABLE",
        Statement::DropView { .. } => "DROP VIEW",
        Statement::AlterView(_) => "ALTER VIEW",
        Statement::Truncate { specs, .. } if specs.is_empty() => "TRUNCATE",
        Statement::Truncate { .. } => "TRUNCATE PARTITION",
        Statement::CloneTable(_) => "CLONE",
        Statement::Insert(_) => "INSERT",
        Statement::MultiInsert(_) => "MULTI INSERT",
        Statement::Load(_) => "LOAD",
        Statement::Update(_) => "UPDATE",
        Statement::Delete(_) => "DELETE",
        Statement::Merge(_) => "MERGE",
        Statement::Restore(restore) if restore.new_name.is_some() => "RESTORE AS",
        Statement::Restore(restore) if restore.lsn.is_none() => "UNDROP",
        Statement::Restore(restore) if !restore.parts.is_empty() => "RESTORE PARTITION",
        Statement::Restore(_) => "RESTORE",
        Statement::PurgeTable { .. } => "PURGE TABLE",
        Statement::PurgeAll { .. } => "PURGE ALL",
        Statement::SetProject(_) => "SETPROJECT",
        Statement::AlterTable(alter) => match &alter.action {
            AlterAction::Rename(_) => "RENAME",
            AlterAction::SetComment(_) => "SET COMMENT",
            AlterAction::SetLifecycle(_) => "SET LIFECYCLE",
            AlterAction::SetProperties(_) => "SET TBLPROPERTIES",
            AlterAction::UnsetProperties(_) => "UNSET TBLPROPERTIES",
            AlterAction::ChangeOwner(_) => "CHANGEOWNER",
            AlterAction::Touch(_) => "TOUCH",
            AlterAction::Lifecycle { .. } => "DISABLE LIFECYCLE",
            AlterAction::AddColumns { .. } => "ADD COLUMNS",
            AlterAction::DropColumns(_) => "DROP COLUMNS",
            AlterAction::ReplaceColumns(_) => "REPLACE COLUMNS",
            AlterAction::ChangeColumn(_) => "CHANGE COLUMN",
            AlterAction::AddPartitions { .. } => "ADD PARTITION",
            AlterAction::DropPartitions { .. } => "DROP PARTITION",
            AlterAction::RenamePartition { .. } => "RENAME PARTITION",
            AlterAction::MergePartitions { .. } => "MERGE PARTITION",
            AlterAction::MergeSmallFiles(_) => "MERGE SMALLFILES",
            AlterAction::Compact { .. } => "COMPACT",
            AlterAction::NotClustered => "NOT CLUSTERED",
        },
        Statement::Access(access) => match access {
            Access::AddUser { .. } => "ADD USER",
            Access::RemoveUser(_) => "REMOVE USER",
            Access::CreateRole(_) => "CREATE ROLE",
            Access::DropRole(_) => "DROP ROLE",
            Access::GrantRoles { .. } => "GRANT ROLE",
            Access::RevokeRoles { .. } => "REVOKE ROLE",
            Access::Grant(_) => "GRANT",
            Access::Revoke(_) => "REVOKE",
            // Its key lies in a file beside the warehouse, which is the machine's own.
            Access::AlterUser { .. } => return None,
            Access::ListUsers
            | Access::ListRoles
            | Access::DescribeRole(_)
            | Access::ShowPrincipals(_)
            | Access::ShowGrants(_)
            | Access::ShowAcl(_)
            | Access::WhoAmI => return None,
        },
        Statement::Query(_)
        | Statement::Read(_)
        | Statement::Analyze(_)
        | Statement::Explain(_)
        | Statement::ShowHistoryForTables
        | Statement::ShowHistory(_)
        | Statement::ShowRecycleBin { .. }
        | Statement::ShowProject
        | Statement::ShowSettings
        | Statement::Set(_)
        | Statement::UseProject(_)
        | Statement::ShowTables { .. }
        | Statement::ShowPartitions { .. }
        | Statement::ShowViews { .. }
        | Statement::ShowColumns(_)
        | Statement::ShowCreateTable(_)
        | Statement::ShowProperties(_)
        | Statement::ShowFunctions { .. }
        | Statement::Describe(_)
        | Statement::DescribeFunction(_)
        | Statement::Help(_)
        | Statement::Quit => return None,
    })
}

const KINDS: usize = 52;

/// Shows what it is told.
struct Told(Arc<AtomicI64>);

impl Clock for Told {
    fn begin_statement(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    fn object_id(&self, count: u64) -> [u8; 16] {
        u128::from(count + 1).to_be_bytes()
    }

    fn advance(&self, _: i64) -> bool {
        false
    }

    fn is_controlled(&self) -> bool {
        true
    }
}

/// The script and what it is about, the same for every run.
struct Play {
    lines: Vec<String>,
    /// What can be seen before the first line, and after each.
    states: Vec<Vec<String>>,
    /// What the clock shows at each line, and at the end.
    times: Vec<i64>,
}

type Checked<T> = Result<T, String>;

impl Play {
    fn new(csv: &Path) -> Checked<Self> {
        let csv = csv.display().to_string();
        let lines: Vec<String> = SCRIPT
            .iter()
            .map(|line| line.replace("{csv}", &csv))
            .collect();
        let mut now_ms = START_MS;
        let mut times = vec![now_ms];
        for line in &lines {
            let hours = line.strip_prefix("*later ").map(str::parse::<i64>);
            now_ms += match hours {
                Some(hours) => hours.expect("hours") * 60 * MINUTE_MS,
                None => MINUTE_MS,
            };
            times.push(now_ms);
        }
        let mut play = Self {
            lines,
            states: Vec::new(),
            times,
        };
        let mut run = Run::new(None, 0);
        for at in 0..=play.lines.len() {
            let mut session = run.open(play.times[at])?;
            play.states.push(seen(&mut session)?);
            run.session = Some(session);
            if at < play.lines.len() {
                run.line(&play, at)?;
            }
        }
        Ok(play)
    }
}

/// A fact for each row.
fn shown_rows(rows: &[Vec<Option<String>>]) -> Vec<String> {
    rows.iter().map(|row| format!("{row:?}")).collect()
}

/// Everything that can be seen.
fn seen(session: &mut Session) -> Checked<Vec<String>> {
    let mut out = Vec::new();
    let mut see = |session: &mut Session, sql: String| -> Checked<Vec<Vec<Option<String>>>> {
        let mut rows = Vec::new();
        let shown = match session.run(&sql).outcome {
            Ok(Outcome::Rows(mut set)) => {
                for batch in &set.collect().map_err(|error| error.to_string())? {
                    for row in 0..batch.num_rows() {
                        let columns = batch.columns().iter();
                        rows.push(columns.map(|array| text(array, row)).collect::<Vec<_>>());
                    }
                }
                rows.sort();
                shown_rows(&rows)
            }
            Ok(Outcome::Listing(mut listing)) => {
                // What rows take when compressed goes by their order, and that by the threads of the engine.
                if let Some(size) = listing.titles.iter().position(|title| *title == "Size") {
                    listing.rows.iter_mut().for_each(|row| row[size] = None);
                }
                rows = listing.rows;
                shown_rows(&rows)
            }
            Ok(Outcome::Description(mut description)) => {
                let extended = description.extended.iter_mut();
                for facts in description.groups.iter_mut().chain(extended) {
                    facts.retain(|fact| !format!("{fact:?}").contains("Size"));
                }
                vec![format!("{description:?}")]
            }
            Ok(other) => vec![format!("{other:?}")],
            Err(error) => vec![error.to_string()],
        };
        for damage in ["damaged", "missing", "ODPS-00"] {
            if let Some(shown) = shown.iter().find(|shown| shown.contains(damage)) {
                return Err(format!("{sql}: {shown}"));
            }
        }
        out.extend(shown.iter().map(|shown| format!("{sql}: {shown}")));
        Ok(rows)
    };
    let first = |row: &Vec<Option<String>>| row[0].clone().unwrap_or_default();
    for sql in ["setproject", "show tables", "show recyclebin", "list users"] {
        see(session, sql.to_owned())?;
    }
    for user in ["bob", "owner"] {
        see(session, format!("show grants for {user}"))?;
    }
    for role in see(session, "list roles".to_owned())? {
        see(session, format!("describe role {}", first(&role)))?;
    }
    for view in see(session, "show views".to_owned())? {
        let name = first(&view);
        let name = name.rsplit(':').next().unwrap_or_default();
        see(session, format!("desc extended {name}"))?;
        see(session, format!("select * from {name}"))?;
    }
    for row in see(session, "show history for tables".to_owned())? {
        let (name, id) = (first(&row), row[1].clone().unwrap_or_default());
        let sql = format!("show history for table {name}('id'='{id}')");
        let versions = see(session, sql)?;
        if row.last().is_some_and(Option::is_some) {
            continue;
        }
        see(session, format!("desc extended {name}"))?;
        see(session, format!("show create table {name}"))?;
        if row[3].as_deref() == Some("TRUE") {
            for spec in see(session, format!("show partitions {name}"))? {
                let spec = first(&spec).replace('/', "',").replace('=', "='");
                see(session, format!("desc extended {name} partition ({spec}')"))?;
            }
        }
        let lsns: BTreeSet<u64> = versions
            .iter()
            .filter_map(|version| version[3].as_ref()?.parse().ok())
            .collect();
        for lsn in lsns {
            see(session, format!("select * from {name} version as of {lsn}"))?;
        }
    }
    Ok(out)
}

/// A machine on which the script runs.
struct Run {
    machine: Machine,
    time: Arc<AtomicI64>,
    session: Option<Session>,
    /// Until it is repaired nothing can be opened.
    is_damaged: bool,
    story: String,
}

impl Run {
    fn new(fault: Option<Fault>, seed: u64) -> Self {
        Self {
            machine: Machine::new(fault, seed),
            time: Arc::new(AtomicI64::new(START_MS)),
            session: None,
            is_damaged: false,
            story: String::new(),
        }
    }

    fn tell(&mut self, what: &str) {
        let shown: String = what.chars().take(120).collect();
        self.story.push_str(&shown);
        self.story.push('\n');
    }

    /// The session, at that time.
    fn open(&mut self, now_ms: i64) -> Checked<Session> {
        self.time.store(now_ms, Ordering::Relaxed);
        if let Some(session) = self.session.take() {
            return Ok(session);
        }
        let open = || -> Result<Session, StoreError> {
            let warehouse = Warehouse::open(Path::new(HOME), Duration::ZERO, self.machine.seam())?;
            let session = Session::new(Start {
                warehouse: Arc::new(warehouse),
                clock: Box::new(Told(Arc::clone(&self.time))),
                user: "owner".into(),
                project: "default".into(),
                zone: Tz::UTC,
                interrupt: odpsh::interrupt::Interrupt::never(),
                memory_bytes: 1 << 28,
            });
            session.open_store()?;
            Ok(session)
        };
        open().map_err(|error| format!("open: {error}"))
    }

    /// Does what a line says; what it does is acknowledged where it is no statement.
    fn line(&mut self, play: &Play, at: usize) -> Checked<()> {
        let line = &play.lines[at];
        self.tell(line);
        let mut session = self.open(play.times[at + 1])?;
        let failed = |error: &dyn std::fmt::Display| format!("{line}: {error}");
        match line.split(' ').next() {
            Some("*later") => {}
            Some("*gc") => {
                let done = session.collect_all(false, false).map(drop);
                self.session = Some(session);
                return done.map_err(|error| failed(&error));
            }
            Some("*reopen") => return session.close().map_err(|error| failed(&error)),
            Some("*reindex") => {
                session.close().map_err(|error| failed(&error))?;
                let _ = self.machine.remove_dir(&Path::new(HOME).join("catalog"));
                return Ok(());
            }
            Some("*repair") => {
                session.close().map_err(|error| failed(&error))?;
                if self.machine.has_struck() {
                    // After a disk that was full the index on it may be behind; the next start brings it to the end of
                    // the log. Before that it cannot make up for what the log loses.
                    self.machine.relieve();
                    let session = self.open(play.times[at + 1])?;
                    session.close().map_err(|error| failed(&error))?;
                }
                self.is_damaged = true;
                self.damage().map_err(|error| failed(&error))?;
                return self.repair();
            }
            _ => {
                let outcome = session.run(line).outcome.map(drop);
                self.session = Some(session);
                return outcome.map_err(|error| failed(&error));
            }
        }
        self.session = Some(session);
        Ok(())
    }

    /// Flips a bit of the log where the index knows what stood there, and removes FORMAT.
    fn damage(&self) -> std::io::Result<()> {
        let log = Path::new(HOME).join("log");
        let files = self.machine.files(&log).into_keys();
        let frames = files.filter(|name| name.starts_with("frames-")).max();
        let path = log.join(frames.expect("a log"));
        let file = self.machine.open(&path, false)?;
        let mut byte = [0];
        file.read_at(&mut byte, 70)?;
        file.write_at(&[byte[0] ^ 4], 70)?;
        self.machine.remove(&Path::new(HOME).join("FORMAT"))
    }

    fn repair(&mut self) -> Checked<()> {
        let checkup = Checkup::begin(Path::new(HOME), Duration::ZERO, self.machine.seam());
        let repaired = checkup.and_then(Checkup::repair);
        repaired.map_err(|error| format!("repair: {error}"))?;
        self.is_damaged = false;
        Ok(())
    }

    fn sync(&mut self) -> Checked<()> {
        match &self.session {
            Some(session) => session.sync().map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }

    /// Which of the states from `first` to `last` is there.
    fn find(&mut self, play: &Play, first: usize, last: usize) -> Checked<usize> {
        if self.is_damaged {
            self.repair()?;
        }
        let mut why = String::new();
        for at in (first..=last).rev() {
            let mut session = self.open(play.times[at])?;
            let now = seen(&mut session)?;
            self.session = Some(session);
            let known = &play.states[at];
            if now == *known {
                self.tell(&format!("-- as after line {at}"));
                return Ok(at);
            }
            let differs = now.iter().zip(known).find(|(now, known)| now != known);
            why.push_str(&format!(
                "\nnot after line {at}: {} facts of {}; {differs:?}",
                now.len(),
                known.len()
            ));
        }
        Err(format!("no state fits{why}"))
    }

    fn all(&mut self, play: &Play, down: Down, dice: &mut u64) -> Checked<()> {
        let (mut at, mut acknowledged) = (0, 0);
        let mut has_power = down == Down::Killed;
        while at < play.lines.len() || !has_power {
            let done = match play.lines.get(at) {
                Some(_) => self.line(play, at),
                None => Ok(()),
            };
            let is_reached = at == play.lines.len();
            let last = (at + 1).min(play.lines.len());
            let mut is_known = done.is_ok() && self.session.is_none();
            let mut trouble = done.err();
            if trouble.is_none() && !self.machine.has_ended() {
                *dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                if !(*dice >> 33).is_multiple_of(3) {
                    match self.sync() {
                        Ok(()) => is_known = true,
                        Err(error) => trouble = Some(error),
                    }
                }
            }
            if trouble.is_none() && !self.machine.has_ended() && !is_reached {
                at = last;
                if is_known {
                    acknowledged = at;
                }
                continue;
            }
            if let Some(error) = &trouble {
                self.tell(&format!("-- {error}"));
                if !self.machine.has_struck() {
                    return Err(error.clone());
                }
            }
            if is_known && !self.machine.has_ended() {
                acknowledged = last;
            }
            if self.machine.has_ended() || is_reached {
                self.machine.end();
                self.session = None;
                self.machine.restart(down);
                has_power = true;
                at = self.find(play, acknowledged, last)?;
                if down == Down::Killed {
                    // What was seen is there to stay.
                    self.machine.end();
                    self.session = None;
                    self.machine.restart(Down::PowerCut);
                    at = self.find(play, at, at)?;
                }
            } else {
                self.machine.relieve();
                // What is lost is told here, if it was not told yet.
                let _ = self.sync();
                at = self.find(play, acknowledged, last)?;
                self.sync()?;
            }
            acknowledged = at;
        }
        self.machine.relieve();
        self.find(play, at, at)?;
        if let Some(session) = self.session.take() {
            session.close().map_err(|error| error.to_string())?;
        }
        self.examine()
    }

    /// Nothing is left that should not be there.
    fn examine(&self) -> Checked<()> {
        let checkup = Checkup::begin(Path::new(HOME), Duration::ZERO, self.machine.seam());
        let checkup = checkup.map_err(|error| format!("check: {error}"))?;
        let mut findings = checkup.findings.clone();
        if let Some(store) = &checkup.store {
            let (_, more) =
                examine(store, true, &mut |_, _| {}).map_err(|error| error.to_string())?;
            findings.extend(more);
        }
        checkup.end().map_err(|error| error.to_string())?;
        match findings.is_empty() {
            true => Ok(()),
            false => Err(format!("check finds {findings:?}")),
        }
    }
}

fn attempt(play: &Play, fault: Option<(Fault, Down)>, seed: u64) -> Checked<u64> {
    let mut run = Run::new(fault.map(|(fault, _)| fault), seed);
    let down = fault.map_or(Down::Killed, |(_, down)| down);
    let mut dice = seed;
    let outcome = run.all(play, down, &mut dice);
    outcome.map_err(|error| {
        let struck = run.machine.struck();
        format!("{fault:?}, {struck}, seed {seed}\n{}{error}", run.story)
    })?;
    Ok(run.machine.operations())
}

const FAULTS: [(How, Down); 9] = [
    (How::Fails, Down::Killed),
    (How::Ends, Down::PowerCut),
    (How::Cut, Down::Killed),
    (How::Fails, Down::PowerCut),
    (How::Full, Down::Killed),
    (How::Ends, Down::Killed),
    (How::Cut, Down::PowerCut),
    (How::ReadOnly, Down::Killed),
    (How::TooManyFiles, Down::Killed),
];

#[test]
fn the_script_has_every_kind() {
    let sql = SCRIPT.iter().filter(|line| !line.starts_with('*'));
    let statements = sql.map(|line| parse(line).unwrap_or_else(|error| panic!("{line}: {error}")));
    let kinds: BTreeSet<_> = statements
        .filter_map(|statement| kind(&statement))
        .collect();
    assert_eq!(kinds.len(), KINDS, "{kinds:?}");
}

#[test]
fn every_kind_of_statement_at_every_operation() {
    let csv = tempfile::NamedTempFile::with_suffix(".csv").expect("a file");
    std::fs::write(csv.path(), "71,seventy-one\n72,seventy-two\n").expect("written");
    let play = Play::new(csv.path()).unwrap_or_else(|error| panic!("{error}"));
    let mut points = Vec::new();
    for (kind, (how, down)) in FAULTS.into_iter().enumerate() {
        let seed = kind as u64;
        let operations = attempt(&play, None, seed).unwrap_or_else(|error| panic!("{error}"));
        let stride = stride(FAULTS.len() as u64);
        for at in (1 + seed % stride..=operations).step_by(stride as usize) {
            points.push((Fault { at, how }, down, seed));
        }
    }
    each(&points, |(fault, down, seed)| {
        attempt(&play, Some((*fault, *down)), *seed).map(drop)
    });
}
