//! A session: the current project, the user, the settings, and the life of a statement.

mod help;
mod settings;

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use chrono_tz::Tz;

pub use settings::Settings;

use crate::ast::{Access, AlterAction, Insert, Source, Statement};
use crate::auth::{Authority, Identity, Vault};
use crate::catalog::{Catalog, RETENTION_KEY};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::{Listing, Outcome, collected, execute, next_end, reclaim};
use crate::interrupt::Interrupt;
use crate::parser::{masked, parse};
use crate::plan::{Context, Turns, plan};
use crate::store::{Store, StoreError, Unsynced, Warehouse};
use crate::timemachine::ClockWatch;
use crate::timemachine::collect::{collect, count_holds_once, rehearse};

/// What a session starts with.
pub struct Start {
    /// Sessions of one process share it; it is closed with the last.
    pub warehouse: Arc<Warehouse>,
    pub clock: Box<dyn Clock>,
    pub user: String,
    /// The first current project; made when first needed.
    pub project: String,
    /// The time zone where `odps.sql.timezone` is not set.
    pub zone: Tz,
    /// What ends a running statement.
    pub interrupt: Interrupt,
    /// What a query may hold in memory before it goes to disk, in bytes.
    pub memory_bytes: usize,
}

/// See the module.
pub struct Session {
    warehouse: Arc<Warehouse>,
    engine: Engine,
    interrupt: Interrupt,
    clock: Box<dyn Clock>,
    identity: Identity,
    project: String,
    settings: Settings,
    memory_bytes: usize,
    /// The time of the last statement.
    now_ms: i64,
    /// Statements that may have changed something since the collector last looked.
    uncollected: usize,
    /// When the next backup may expire, as far as is known.
    next_due_ms: Option<i64>,
    /// Before this instant nothing ends by its lifecycle, unless lifecycles changed more often than so.
    next_end: Cell<(u64, i64)>,
    /// What is known of the warehouse's clock.
    watch: Cell<Option<ClockWatch>>,
    /// Commits that are not known to be durable.
    unsynced: RefCell<Unsynced>,
}

/// The collector looks after so many statements at the latest, and when the session ends.
const COLLECT_AFTER: usize = 256;
/// So many rows are removed in passing; the rest the next time.
const COLLECT_ROWS: usize = 10_000;

/// The result of a statement and what the user should know beside it.
#[derive(Debug)]
pub struct Reply {
    pub outcome: Result<Outcome>,
    pub notes: Vec<String>,
    /// What has to be durable before the outcome may be shown.
    pub unsynced: Unsynced,
}

impl Session {
    pub fn new(start: Start) -> Self {
        Self {
            warehouse: start.warehouse,
            engine: Engine::new(start.interrupt.clone()),
            interrupt: start.interrupt,
            clock: start.clock,
            identity: Identity {
                name: start.user,
                is_owner: true,
            },
            project: start.project,
            settings: Settings::new(start.zone),
            memory_bytes: start.memory_bytes,
            now_ms: 0,
            uncollected: 0,
            next_due_ms: None,
            next_end: Cell::new((0, i64::MIN)),
            watch: Cell::new(None),
            unsynced: RefCell::default(),
        }
    }

    /// The current project.
    pub fn project(&self) -> &str {
        &self.project
    }

    /// What ends a running statement.
    pub fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Runs one statement, given without its `;`. What it changed is durable after [`Session::sync`].
    pub fn run(&mut self, text: &str) -> Reply {
        let now_ms = self.clock.begin_statement();
        self.now_ms = now_ms;
        let mut notes = Vec::new();
        // What is shown, kept and complained about has no secrets.
        let masked = masked(text);
        if let Some(store) = self.warehouse.opened() {
            // What stands in the way of mending only matters to a statement that writes, and fails it.
            let _ = store.heal();
            // Nothing goes on behind a statement that is going to be reported as failed.
            if store.has_lost(&self.unsynced.borrow()) {
                return Reply {
                    outcome: Err(StoreError::Lost.into()),
                    notes,
                    unsynced: Unsynced::default(),
                };
            }
        }
        let earlier = self.unsynced.take();
        let shown = masked.as_deref().unwrap_or(text);
        let outcome = self.life_of(text, shown, now_ms, &mut notes);
        let outcome = outcome.map_err(|error| match (&masked, error.kind()) {
            (Some(_), ErrorKind::Syntax) => Error::syntax(0, "invalid statement about a user")
                .hint("ADD USER u [WITH SECRET '…'] [COMMENT '…'], ALTER USER u SET SECRET '…'"),
            (Some(_), _) => error,
            (None, _) => error.in_statement(text),
        });
        if let Some(store) = self.warehouse.opened()
            && let Err(error) = store.remove_unread()
        {
            notes.push(error.to_string());
        }
        if outcome.is_ok()
            && let Err(error) = self.collect_in_passing()
        {
            notes.push(format!(
                "backups that have expired are still there: {error}"
            ));
        }
        let unsynced = self.unsynced.replace(earlier);
        self.unsynced.borrow_mut().extend(&unsynced);
        Reply {
            outcome,
            notes,
            unsynced,
        }
    }

    /// The life of a statement: parse, authorise, plan, execute.
    fn life_of(
        &mut self,
        text: &str,
        shown: &str,
        now_ms: i64,
        notes: &mut Vec<String>,
    ) -> Result<Outcome> {
        let statement = match self.run_own(parse(text)?)? {
            Ran::Done(outcome) => return Ok(outcome),
            Ran::NotMine(statement) => statement,
        };
        let mut cx = self.context(shown, now_ms);
        cx.frees_room = frees_room(&statement);
        let manner = Manner::of(&statement);
        if manner != Manner::Bare || !self.identity.is_owner {
            cx.enter(!manner.reads())?;
        }
        cx.authority_of_user()?
            .map_or(Ok(()), |authority| authority.authorise(&statement))?;
        if manner != Manner::Bare {
            self.prepare(&cx, manner)?;
            notes.extend(cx.store()?.take_notices());
        }
        if manner != Manner::Changes {
            cx.share()?;
        }
        cx.turns.runs_often.set(manner == Manner::RunsOften);
        let changes_retention = matches!(statement, Statement::SetProject(_));
        let outcome = plan(statement, &cx).and_then(|plan| execute(plan, &cx));
        notes.extend(cx.notes.take());
        let changed = match (manner, changes_retention) {
            (Manner::Bare | Manner::Looks, _) => 0,
            (_, false) => 1,
            // What a shorter retention no longer covers goes at once.
            (_, true) => COLLECT_AFTER,
        };
        drop(cx);
        self.uncollected += changed;
        outcome
    }

    /// What has to be done before a statement can look at the catalog.
    fn prepare(&self, cx: &Context<'_>, manner: Manner) -> Result<()> {
        cx.check_clock()?;
        let store = cx.store()?;
        let (seen, next_ms) = self.next_end.get();
        let is_early = seen == store.lifecycle_changes() && cx.now_ms < next_ms;
        let ends_nothing = is_early || !self.time_counts() || cx.deletion_time().is_waiting();
        if manner.reads() {
            let mut has_ended = false;
            if !ends_nothing {
                let next_ms = next_end(store)?.unwrap_or(i64::MAX);
                has_ended = next_ms <= cx.now_ms;
                if !has_ended {
                    self.next_end.set((store.lifecycle_changes(), next_ms));
                }
            }
            let is_in_order = cx.has_project()? && !has_ended;
            // What can be put in order is; otherwise it is shown as it stands.
            if is_in_order || !cx.enter_alone()? {
                return Ok(());
            }
            cx.check_clock()?;
        }
        cx.ensure_project()?;
        if !manner.reads() {
            count_holds_once(store, cx.now_ms)?;
        }
        if ends_nothing {
            return Ok(());
        }
        // What has come to the end of its lifecycle is dropped.
        let next_ms = reclaim(cx)?.unwrap_or(i64::MAX);
        self.next_end.set((store.lifecycle_changes(), next_ms));
        Ok(())
    }

    fn context<'a>(&'a self, statement: &'a str, now_ms: i64) -> Context<'a> {
        Context {
            warehouse: &self.warehouse,
            engine: &self.engine,
            clock: &*self.clock,
            project: &self.project,
            user: &self.identity.name,
            identity: &self.identity,
            now_ms,
            watch: &self.watch,
            zone: self.settings.zone(),
            statement,
            settings: self.settings.values(),
            memory_bytes: self.memory_bytes,
            frees_room: false,
            notes: RefCell::default(),
            unsynced: &self.unsynced,
            turns: Turns::default(),
        }
    }

    /// Whether something may come to its end by this session's time: a user who is not the owner could
    /// steer his clock past the days of what he may not drop.
    fn time_counts(&self) -> bool {
        self.identity.is_owner || !self.clock.is_controlled()
    }

    /// Removes what has expired, now and then.
    fn collect_in_passing(&mut self) -> Result<()> {
        if !self.time_counts() {
            return Ok(());
        }
        let is_due = self.next_due_ms.is_some_and(|due| due <= self.now_ms);
        if self.uncollected >= COLLECT_AFTER || (is_due && self.uncollected > 0) {
            self.collect()?;
        }
        Ok(())
    }

    fn collect(&mut self) -> Result<()> {
        let opened = self.warehouse.opened();
        let Some(store) = opened.filter(|_| self.warehouse.is_owned()) else {
            return Ok(());
        };
        self.uncollected = 0;
        let _turn = store.exclude();
        let time = match self.watch.get() {
            Some(watch) => watch.deletion(self.now_ms),
            // Nothing was asked of the warehouse.
            None => return Ok(()),
        };
        self.next_due_ms = collect(store, time, COLLECT_ROWS, &mut |_| {})?;
        Ok(())
    }

    /// Removes everything that has expired, or only says what that would be. `confirms`: the clock is right, however far
    /// it has gone. Returns what went and, in milliseconds, how far the clock has gone where something may wait for that.
    pub fn collect_all(
        &mut self,
        is_rehearsal: bool,
        confirms: bool,
    ) -> Result<(Listing, Option<i64>)> {
        let now_ms = self.clock.begin_statement();
        self.now_ms = now_ms;
        let mut cx = self.context("", now_ms);
        cx.frees_room = true;
        let manner = match is_rehearsal {
            true => Manner::Looks,
            false => Manner::Changes,
        };
        cx.enter(!manner.reads())?;
        cx.check_clock()?;
        if let Some(mut watch) = self.watch.get().filter(|_| confirms) {
            watch.confirm(now_ms);
            self.watch.set(Some(watch));
        }
        self.prepare(&cx, manner)?;
        let store = self.warehouse.store()?;
        let mut rows = Vec::new();
        let mut visit = |row| rows.push(row);
        let time = cx.deletion_time();
        if is_rehearsal {
            rehearse(store, time, &mut visit)?;
        } else {
            cx.save_clock()?;
            collect(store, time, usize::MAX, &mut visit)?;
        }
        drop(cx);
        self.sync()?;
        if !is_rehearsal {
            store.compact()?;
        }
        let jump_ms = time.is_waiting().then(|| time.jump_ms());
        Ok((collected(rows), jump_ms))
    }

    /// Goes on as the user of that name.
    ///
    /// # Errors
    /// The same whether there is no such user or the secret key is not his.
    pub fn log_in(&mut self, name: &str, secret: &str) -> Result<()> {
        let store = self.warehouse.store()?;
        let _turn = store.share();
        let catalog = Catalog::new(store);
        let account = catalog.account(name)?.and_then(|account| account.secret);
        let is_known = match &account {
            Some(sealed) => Vault::beside(self.warehouse.dir()).matches(name, sealed, secret)?,
            None => false,
        };
        if !is_known {
            return Err(Error::credentials());
        }
        self.identity = Identity {
            name: name.to_owned(),
            is_owner: false,
        };
        Ok(())
    }

    /// Statements about the session itself.
    fn run_own(&mut self, statement: Statement) -> Result<Ran> {
        Ok(Ran::Done(match statement {
            Statement::Set(setting) => {
                self.settings
                    .set(&setting.key, &setting.value, &*self.clock)?;
                Outcome::Done
            }
            Statement::ShowSettings => self.settings.listing(),
            Statement::UseProject(name) => {
                let store = self.warehouse.store()?;
                let _turn = store.share();
                let catalog = Catalog::new(store);
                if !self.identity.is_owner {
                    let authority = Authority {
                        catalog,
                        identity: &self.identity,
                        project: &self.project,
                    };
                    authority.enter(&name.text)?;
                }
                if name.text != self.project && catalog.project(&name.text)?.is_none() {
                    return Err(Error::project_not_found(&name.text));
                }
                self.project = name.text;
                Outcome::Done
            }
            Statement::Help(words) => Outcome::Text(help::text(&words)),
            Statement::Quit => Outcome::Quit,
            other => return Ok(Ran::NotMine(other)),
        }))
    }

    /// Makes everything durable that statements changed so far.
    ///
    /// # Errors
    /// Where writing fails, every statement since the last sync has to be reported as failed.
    pub fn sync(&self) -> std::result::Result<(), StoreError> {
        match self.warehouse.opened() {
            Some(store) => store.sync_commits(self.unsynced.take()),
            None => Ok(()),
        }
    }

    /// Whether what a statement changed, and saw of others' changes, is durable by now.
    pub fn is_durable(&self, unsynced: &Unsynced) -> bool {
        let store = self.warehouse.opened();
        store.is_none_or(|store| store.has_made_durable(unsynced))
    }

    /// What the store had to mend or could not do, for the user to know.
    pub fn take_notices(&self) -> Vec<String> {
        self.warehouse
            .opened()
            .map(|store| store.take_notices())
            .unwrap_or_default()
    }

    /// The open store; `None` before a statement needed it.
    pub fn store(&self) -> Option<&Arc<Store>> {
        self.warehouse.opened()
    }

    /// Opens the store now, rather than with the first statement that needs it.
    pub fn open_store(&self) -> std::result::Result<(), StoreError> {
        self.warehouse.store().map(drop)
    }

    /// Ends the session; the last one gives the warehouse back.
    pub fn close(mut self) -> std::result::Result<(), StoreError> {
        let synced = self.sync();
        if self.uncollected > 0 && self.time_counts() {
            // What is left, the next session finds.
            let _ = self.collect();
        }
        self.engine.close();
        // Everybody's commits are durable by now, whoever is the last to leave.
        let durable = self.warehouse.opened().map_or(Ok(()), |store| store.sync());
        let closed = Arc::into_inner(self.warehouse).map_or(Ok(()), Warehouse::close);
        synced.and(durable).and(closed)
    }
}

/// How a statement goes about the catalog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// It does not need it.
    Bare,
    /// It looks at it.
    Looks,
    /// It computes rows with the engine, once, and adds them.
    RunsOnce,
    /// The same, in several runs.
    RunsOften,
    /// It changes it without much work, or in ways that nothing may come between.
    Changes,
}

impl Manner {
    /// Whether nothing is changed.
    fn reads(self) -> bool {
        matches!(self, Self::Bare | Self::Looks)
    }

    fn of(statement: &Statement) -> Self {
        let is_literal = |insert: &Insert| matches!(insert.source, Source::Literals { .. });
        match statement {
            Statement::Query(query) | Statement::Explain(query) => {
                let words = ["from", "max_pt", "get_latest"];
                match words.iter().any(|word| query.mentions(word)) {
                    true => Self::Looks,
                    false => Self::Bare,
                }
            }
            Statement::ShowHistoryForTables
            | Statement::ShowHistory(_)
            | Statement::ShowRecycleBin { .. }
            | Statement::ShowProject
            | Statement::ShowTables { .. }
            | Statement::ShowPartitions { .. }
            | Statement::ShowViews { .. }
            | Statement::ShowColumns(_)
            | Statement::ShowCreateTable(_)
            | Statement::ShowProperties(_)
            | Statement::ShowFunctions { .. }
            | Statement::Describe(_)
            | Statement::DescribeFunction(_)
            | Statement::Access(
                Access::ListUsers
                | Access::ListRoles
                | Access::DescribeRole(_)
                | Access::ShowPrincipals(_)
                | Access::ShowGrants(_)
                | Access::ShowAcl(_)
                | Access::WhoAmI,
            ) => Self::Looks,
            Statement::Insert(insert) if is_literal(insert) => Self::Changes,
            Statement::Insert(_) | Statement::Load(_) => Self::RunsOnce,
            Statement::CreateTable(create) if create.query.is_some() => Self::RunsOnce,
            Statement::MultiInsert(_)
            | Statement::Update(_)
            | Statement::Delete(_)
            | Statement::Merge(_) => Self::RunsOften,
            _ => Self::Changes,
        }
    }
}

/// Whether a statement removes something for good, at once or when the collector looks. A plain DROP does not: what it
/// drops is kept.
fn frees_room(statement: &Statement) -> bool {
    match statement {
        Statement::PurgeTable { .. } | Statement::PurgeAll { .. } => true,
        Statement::DropTable { purge, .. } => *purge,
        Statement::SetProject(settings) => settings.iter().any(|set| set.key == RETENTION_KEY),
        Statement::AlterTable(alter) => match &alter.action {
            AlterAction::DropPartitions { purge, .. } => *purge,
            AlterAction::SetProperties(properties) => {
                properties.iter().any(|(key, _)| key == RETENTION_KEY)
            }
            _ => false,
        },
        _ => false,
    }
}

/// What became of a statement that might be the session's own.
enum Ran {
    Done(Outcome),
    NotMine(Statement),
}
