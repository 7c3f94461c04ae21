//! A session: the current project, the user, the settings, and the life of a statement.

mod help;
mod settings;

use std::cell::RefCell;

use chrono_tz::Tz;

pub use settings::Settings;

use crate::ast::Statement;
use crate::auth::Authority;
use crate::clock::Clock;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::exec::{Outcome, execute};
use crate::parser::parse;
use crate::plan::{Context, plan};
use crate::store::{StoreError, Warehouse};

/// What a session starts with.
pub struct Start {
    pub warehouse: Warehouse,
    pub clock: Box<dyn Clock>,
    pub user: String,
    /// The first current project; made when first needed.
    pub project: String,
    /// The time zone where `odps.sql.timezone` is not set.
    pub zone: Tz,
    /// Ctrl-C ends a running query instead of the process.
    pub interruptible: bool,
    /// What a query may hold in memory before it goes to disk, in bytes.
    pub memory_bytes: usize,
}

/// See the module.
pub struct Session {
    warehouse: Warehouse,
    engine: Engine,
    clock: Box<dyn Clock>,
    authority: Authority,
    user: String,
    project: String,
    settings: Settings,
    memory_bytes: usize,
}

/// The result of a statement and what the user should know beside it.
#[derive(Debug)]
pub struct Reply {
    pub outcome: Result<Outcome>,
    pub notes: Vec<String>,
}

impl Session {
    pub fn new(start: Start) -> Self {
        Self {
            warehouse: start.warehouse,
            engine: Engine::new(start.interruptible),
            clock: start.clock,
            authority: Authority::default(),
            user: start.user,
            project: start.project,
            settings: Settings::new(start.zone),
            memory_bytes: start.memory_bytes,
        }
    }

    /// The current project.
    pub fn project(&self) -> &str {
        &self.project
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Runs one statement, given without its `;`. What it changed is durable after [`Session::sync`].
    pub fn run(&mut self, text: &str) -> Reply {
        let now_ms = self.clock.begin_statement();
        let mut notes = Vec::new();
        let outcome = self
            .life_of(text, now_ms, &mut notes)
            .map_err(|error| error.in_statement(text));
        Reply { outcome, notes }
    }

    /// The life of a statement: parse, authorise, plan, execute.
    fn life_of(&mut self, text: &str, now_ms: i64, notes: &mut Vec<String>) -> Result<Outcome> {
        let statement = parse(text)?;
        self.authority
            .authorise(&self.user, &self.project, &statement)?;
        let statement = match self.run_own(statement)? {
            Ran::Done(outcome) => return Ok(outcome),
            Ran::NotMine(statement) => statement,
        };
        let cx = Context {
            warehouse: &self.warehouse,
            engine: &self.engine,
            clock: &*self.clock,
            project: &self.project,
            user: &self.user,
            now_ms,
            zone: self.settings.zone(),
            statement: text,
            settings: self.settings.values(),
            memory_bytes: self.memory_bytes,
            notes: RefCell::default(),
        };
        if !matches!(statement, Statement::Query(_)) {
            cx.ensure_project()?;
            notes.extend(cx.store()?.take_notices());
        }
        let outcome = plan(statement, &cx).and_then(|plan| execute(plan, &cx));
        notes.extend(cx.notes.take());
        outcome
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
                let catalog = crate::catalog::Catalog::new(self.warehouse.store()?);
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
            Some(store) => store.sync(),
            None => Ok(()),
        }
    }

    /// What the store had to mend or could not do, for the user to know.
    pub fn take_notices(&self) -> Vec<String> {
        self.warehouse
            .opened()
            .map(|store| store.take_notices())
            .unwrap_or_default()
    }

    /// Opens the store now, rather than with the first statement that needs it.
    pub fn open_store(&self) -> std::result::Result<(), StoreError> {
        self.warehouse.store().map(drop)
    }

    /// Ends the session and gives the warehouse back.
    pub fn close(self) -> std::result::Result<(), StoreError> {
        drop(self.engine);
        self.warehouse.close()
    }
}

/// What became of a statement that might be the session's own.
enum Ran {
    Done(Outcome),
    NotMine(Statement),
}
