//! What a statement is planned and executed in.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono_tz::Tz;

use crate::ast::ObjectName;
use crate::auth::{Authority, Identity};
use crate::catalog::edit::Author;
use crate::catalog::{Catalog, HoldsCounted, Project};
use crate::clock::{Clock, real_time_ms};
use crate::datatype::DataType;
use crate::engine::{Engine, Options};
use crate::error::{Error, Result};
use crate::ids::{PartitionId, TableId};
use crate::store::{Batch, Committed, Key, Reading, Store, Turn, Unsynced, Warehouse};
use crate::timemachine::{ClockWatch, DeletionTime, Retention};

/// Most rounds of a recursive WITH where no setting says otherwise.
const RECURSIONS_MAX: usize = 10;

/// What a query may hold in memory before it goes to disk: `512m`, `4g`.
pub const MEMORY_KEY: &str = "odpsh.query.memory";
/// `false` leaves out the rules that make a query fast: both ways have to give the same rows.
pub const OPTIMIZER_KEY: &str = "odpsh.query.optimizer";
/// `true`: UPDATE, DELETE and MERGE change tables that are not transactional too.
pub const UPDATE_ANY_KEY: &str = "odpsh.update.any.table";
/// `false`: only delta tables have time travel, as in the original.
pub const TRAVEL_ANY_KEY: &str = "odpsh.timetravel.any.table";

/// Reads `512m`, `4g`, `1048576` as bytes, at least 16 MB.
pub fn parse_size(text: &str) -> Option<usize> {
    const SIZE_MIN: usize = 16 << 20;
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &lower[digits.len()..] {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        _ => return None,
    };
    let size = digits.parse::<usize>().ok()?.checked_mul(1 << shift)?;
    (size >= SIZE_MIN).then_some(size)
}

/// One statement's surroundings. The store is opened when first asked for.
pub struct Context<'a> {
    pub warehouse: &'a Warehouse,
    pub engine: &'a Engine,
    pub clock: &'a dyn Clock,
    /// The current project.
    pub project: &'a str,
    pub user: &'a str,
    pub identity: &'a Identity,
    pub now_ms: i64,
    /// What the session knows of the warehouse's clock.
    pub watch: &'a Cell<Option<ClockWatch>>,
    pub zone: Tz,
    /// The statement's text.
    pub statement: &'a str,
    /// The settings of the session.
    pub settings: &'a BTreeMap<String, String>,
    /// What a query may hold in memory where no setting says so, in bytes.
    pub memory_bytes: usize,
    /// The statement frees room on the disk, and may use the reserve where there is no other.
    pub frees_room: bool,
    /// What the user should know beside the result.
    pub notes: RefCell<Vec<String>>,
    /// The session's commits that are not known to be durable.
    pub unsynced: &'a RefCell<Unsynced>,
    pub turns: Turns<'a>,
}

/// What a statement holds of a store that it shares with other sessions.
#[derive(Default)]
pub struct Turns<'a> {
    turn: RefCell<Option<Turn<'a>>>,
    reading: RefCell<Option<Reading<'a>>>,
    mark: Cell<Option<Committed>>,
    /// The engine runs several times, on one state of the catalog.
    pub runs_often: Cell<bool>,
}

impl<'a> Context<'a> {
    pub fn store(&self) -> Result<&'a Arc<Store>> {
        Ok(self.warehouse.store()?)
    }

    /// Begins to look at the catalog, and with `writes` to change it, alone.
    pub fn enter(&self, writes: bool) -> Result<()> {
        *self.turns.turn.borrow_mut() = None;
        let was_owned = self.warehouse.is_owned();
        let store = match writes {
            true => self.warehouse.to_write()?,
            false => self.warehouse.to_read()?,
        };
        if self.warehouse.is_owned() && !was_owned {
            // What another process wrote in between counts.
            self.watch.set(None);
        }
        *self.turns.turn.borrow_mut() = Some(store.exclude());
        *self.turns.reading.borrow_mut() = Some(store.begin_reading());
        let mark = store.mark();
        self.turns.mark.set(Some(mark));
        self.unsynced.borrow_mut().add(mark);
        Ok(())
    }

    /// Goes on as one who changes it, if this process may and nobody else is there; it looks again in any case.
    pub fn enter_alone(&self) -> Result<bool> {
        *self.turns.turn.borrow_mut() = None;
        let was_owned = self.warehouse.is_owned();
        let is_owned = self.warehouse.try_to_write()?;
        if is_owned && !was_owned {
            self.watch.set(None);
        }
        self.enter(is_owned)?;
        Ok(is_owned)
    }

    /// Goes on looking at the catalog, with others who look.
    pub fn share(&self) -> Result<()> {
        let mut turn = self.turns.turn.borrow_mut();
        if turn.take().is_some() {
            *turn = Some(self.store()?.share());
        }
        Ok(())
    }

    /// The rows are computed, and what comes of them is to be written: from here on alone. What moved since the
    /// statement looked, the commit finds.
    pub fn exclude(&self) -> Result<()> {
        let mut turn = self.turns.turn.borrow_mut();
        if !matches!(*turn, Some(Turn::Exclusive(_))) {
            *turn = None;
            *turn = Some(self.store()?.exclude());
        }
        Ok(())
    }

    /// The engine needs the catalog no more.
    pub fn planned(&self) {
        let mut turn = self.turns.turn.borrow_mut();
        if matches!(*turn, Some(Turn::Shared(_))) && !self.turns.runs_often.get() {
            *turn = None;
        }
    }

    pub fn catalog(&self) -> Result<Catalog<'a>> {
        Ok(Catalog::new(self.store()?))
    }

    /// Refuses types that the edition does not have: `odps.sql.type.system.odps2=false` is the 1.0 edition.
    ///
    /// Manual page: "Data type editions".
    pub fn check_enabled(&self, data_type: &DataType) -> Result<()> {
        let project = self.catalog()?.project(self.project)?;
        let of_project = |key: &str| project.as_ref().and_then(|p| p.properties.get(key));
        let is_off = |key: &str| {
            let value = self.settings.get(key).or_else(|| of_project(key));
            value.is_some_and(|value| value.eq_ignore_ascii_case("false"))
        };
        if data_type.is_new() && is_off("odps.sql.type.system.odps2") {
            let name = data_type.upper();
            return Err(Error::semantic(format!(
                "{name} type is not enabled in current mode"
            )));
        }
        let is_plain = matches!(data_type, DataType::Decimal(38, 18));
        if matches!(data_type, DataType::Decimal(..))
            && !is_plain
            && is_off("odps.sql.decimal.odps2")
        {
            let detail = "precision and scale is not currently supported";
            return Err(Error::semantic(detail));
        }
        match data_type {
            DataType::Array(item) => self.check_enabled(item),
            DataType::Map(key, value) => {
                self.check_enabled(key)?;
                self.check_enabled(value)
            }
            DataType::Struct(fields) => fields
                .iter()
                .try_for_each(|(_, field)| self.check_enabled(field)),
            _ => Ok(()),
        }
    }

    /// What the settings of the session, and below them those of the project, mean for a query.
    pub fn options(&self) -> Result<Options> {
        let project = match self.warehouse.opened() {
            Some(_) => self.catalog()?.project(self.project)?,
            None => None,
        };
        let of_project = |key: &str| project.as_ref().and_then(|p| p.properties.get(key));
        let value = |key: &str| self.settings.get(key).or_else(|| of_project(key));
        let flag = |key: &str, default: bool| {
            value(key).map_or(default, |value| value.eq_ignore_ascii_case("true"))
        };
        let both = flag("odps.sql.groupby.orderby.position.alias", false);
        Ok(Options {
            zone: self.zone,
            now_ms: self.now_ms,
            order_by_needs_limit: flag("odps.sql.validate.orderby.limit", true),
            group_by_position: both
                || flag("odps.sql.groupby.position.alias", false)
                || flag("hive.groupby.position.alias", false),
            order_by_position: both || flag("hive.orderby.position.alias", false),
            allows_full_scan: flag("odps.sql.allow.fullscan", true),
            is_strict: flag("odps.sql.udf.strict.mode", true)
                && flag("odps.function.strictmode", true),
            takes_prefix: !flag("odps.function.strictmode", true),
            has_full_dates: flag(
                "odps.sql.executionengine.enable.string.to.date.full.format",
                false,
            ),
            is_hive: flag("odps.sql.hive.compatible", false),
            recursions_max: value("odps.sql.rcte.max.iterate.num")
                .and_then(|text| text.parse().ok())
                .unwrap_or(RECURSIONS_MAX),
            memory_bytes: value(MEMORY_KEY)
                .and_then(|text| parse_size(text))
                .unwrap_or(self.memory_bytes),
            is_optimized: flag(OPTIMIZER_KEY, true),
            refuses_duplicate_keys: value("odps.sql.map.key.dedup.policy")
                .is_some_and(|policy| policy.eq_ignore_ascii_case("exception")),
        })
    }

    /// A setting of the session that is true or false.
    pub fn flag(&self, key: &str, default: bool) -> bool {
        let value = self.settings.get(key);
        value.map_or(default, |value| value.eq_ignore_ascii_case("true"))
    }

    /// What the user may do; `None` of the owner, who may do anything.
    pub fn authority_of_user(&self) -> Result<Option<Authority<'a>>> {
        match self.identity.is_owner {
            true => Ok(None),
            false => self.authority().map(Some),
        }
    }

    /// What the user may do.
    pub fn authority(&self) -> Result<Authority<'a>> {
        Ok(Authority {
            catalog: self.catalog()?,
            identity: self.identity,
            project: self.project,
        })
    }

    /// Who changes what, when.
    pub fn author(&self) -> Author {
        Author::new(self.now_ms, self.user, self.statement)
    }

    /// Tells the user something beside the result.
    pub fn note(&self, note: String) {
        self.notes.borrow_mut().push(note);
    }

    /// The project a table name means, which must be there.
    pub fn project_of(&self, table: &ObjectName) -> Result<String> {
        match &table.project {
            Some(project) => {
                self.require_project(&project.text)?;
                Ok(project.text.clone())
            }
            None => Ok(self.project.to_owned()),
        }
    }

    /// The project of that name.
    pub fn require_project(&self, name: &str) -> Result<Project> {
        self.catalog()?
            .project(name)?
            .ok_or_else(|| Error::project_not_found(name))
    }

    /// The retention of `project`, as this statement sees it.
    pub fn retention(&self, project: &str) -> Result<Retention> {
        Retention::of(self.catalog()?, project, self.now_ms)
    }

    /// Whether the current project is there.
    pub fn has_project(&self) -> Result<bool> {
        Ok(self.catalog()?.project(self.project)?.is_some())
    }

    /// Makes the current project if it is not there yet.
    pub fn ensure_project(&self) -> Result<()> {
        if self.has_project()? {
            return Ok(());
        }
        let key = Key::Project(self.project.to_owned());
        let mut batch = self.store()?.begin();
        batch.expect_unchanged(key.clone())?;
        let project = Project {
            owner: self.user.to_owned(),
            created_at_ms: self.now_ms,
            properties: [(crate::catalog::RETENTION_KEY.to_owned(), "1".to_owned())].into(),
            horizon_ms: 0,
        };
        batch.put(&key, &project);
        if self.catalog()?.is_empty()? {
            batch.put(&Key::HoldsCounted, &HoldsCounted {});
        }
        // It is no change of the statement's, which may fail, or change nothing.
        let author = Author::new(self.now_ms, self.user, "");
        self.with_clock(batch, |batch| {
            self.store()?.commit(batch, author.commit_info())?;
            Ok(())
        })
    }

    /// Compares the session's clock with the one the warehouse is made with.
    ///
    /// # Errors
    /// See [`ClockWatch::begin`].
    pub fn check_clock(&self) -> Result<()> {
        let watch = match self.watch.get() {
            Some(watch) => watch.at(self.now_ms),
            None => {
                let saved = self.store()?.get(&Key::Clock)?;
                let is_controlled = self.clock.is_controlled();
                let newest_ms = match saved.is_none() && !self.catalog()?.is_empty()? {
                    true => Some(real_time_ms()),
                    false => None,
                };
                ClockWatch::begin(saved, is_controlled, self.now_ms, newest_ms)?
            }
        };
        self.watch.set(Some(watch));
        Ok(())
    }

    /// The time that deletion goes by.
    pub fn deletion_time(&self) -> DeletionTime {
        match self.watch.get() {
            Some(watch) => watch.deletion(self.now_ms),
            None => DeletionTime::certain(self.now_ms),
        }
    }

    /// Commits a batch with what the warehouse has to know of its clock.
    fn with_clock<'s>(
        &self,
        mut batch: Batch<'s>,
        commit: impl FnOnce(Batch<'s>) -> Result<()>,
    ) -> Result<()> {
        let mut watch = self.watch.get();
        if let Some(unsaved) = watch.as_ref().and_then(ClockWatch::unsaved) {
            batch.put(&Key::Clock, &unsaved);
        }
        commit(batch)?;
        if let Some(watch) = &mut watch {
            watch.written();
        }
        self.watch.set(watch);
        Ok(())
    }

    /// Writes what the warehouse has to know of its clock, where that is not yet written.
    pub fn save_clock(&self) -> Result<()> {
        match self.watch.get().and_then(|watch| watch.unsaved()) {
            Some(_) => self.commit(self.store()?.begin(), &Author::new(self.now_ms, "", "")),
            None => Ok(()),
        }
    }

    /// Commits the changes of this statement.
    pub fn commit(&self, mut batch: Batch<'_>, author: &Author) -> Result<()> {
        if let Some(mark) = self.turns.mark.get() {
            batch.expect_no_loss(mark);
        }
        if self.frees_room {
            batch.frees_room();
        }
        self.with_clock(batch, |batch| {
            let committed = self.store()?.commit(batch, author.commit_info())?;
            self.unsynced.borrow_mut().add(committed);
            Ok(())
        })
    }

    pub fn new_table_id(&self, batch: &mut Batch<'_>) -> TableId {
        TableId(self.clock.object_id(batch.next_object()))
    }

    pub fn new_partition_id(&self, batch: &mut Batch<'_>) -> PartitionId {
        PartitionId(self.clock.object_id(batch.next_object()))
    }
}
