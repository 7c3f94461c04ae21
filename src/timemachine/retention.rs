//! Retention: how long what is no longer current is kept.

use super::deletion::DeletionTime;
use crate::catalog::{Catalog, Project, RETENTION_KEY, Table, parse_retention};
use crate::error::{Error, Result};

const DAYS_DEFAULT: u32 = 1;
const DAY_MS: i64 = 86_400_000;

/// The retention of a project, as seen at one instant.
#[derive(Clone, Debug)]
pub struct Retention {
    project: Project,
    now_ms: i64,
}

impl Retention {
    pub fn new(project: Project, now_ms: i64) -> Self {
        Self { project, now_ms }
    }

    /// What deletion goes by.
    pub fn for_deletion(self, time: DeletionTime, table: &Table) -> Window {
        let days = self.window(table).days();
        let now_ms = time.after_days(days);
        Self { now_ms, ..self }.window(table)
    }

    /// That of the project of a table.
    pub fn of(catalog: Catalog<'_>, project: &str, now_ms: i64) -> Result<Self> {
        let found = catalog.project(project)?;
        let project = found.ok_or_else(|| Error::project_not_found(project))?;
        Ok(Self::new(project, now_ms))
    }

    /// What is kept of a table.
    pub fn window(&self, table: &Table) -> Window {
        Window::of_table(&self.project, table, self.now_ms)
    }

    /// Whether a table is live, or dropped and still kept.
    pub fn keeps(&self, table: &Table) -> bool {
        table
            .dropped_at_ms
            .is_none_or(|dropped| self.window(table).keeps(dropped))
    }

    pub fn project(&self) -> &Project {
        &self.project
    }
}

/// What of the past is kept, as seen at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    now_ms: i64,
    days: u32,
    horizon_ms: i64,
}

impl Window {
    /// The window of the tables of `project` that follow it, at `now_ms`.
    pub fn of(project: &Project, now_ms: i64) -> Self {
        Self {
            now_ms,
            days: retention_days(project),
            horizon_ms: project.horizon_ms,
        }
    }

    /// The window of one table: its own retention where it has one, and what of it was purged.
    pub fn of_table(project: &Project, table: &Table, now_ms: i64) -> Self {
        let followed = Self::of(project, now_ms);
        let own = table
            .own_retention_days()
            .map(|days| Self::of_days(days, now_ms));
        let window = own.unwrap_or(followed);
        Self {
            horizon_ms: window.horizon_ms.max(table.horizon_ms),
            ..window
        }
    }

    /// The window of tables that keep their backups for so many days.
    pub fn of_days(days: u32, now_ms: i64) -> Self {
        Self {
            now_ms,
            days,
            horizon_ms: 0,
        }
    }

    /// Whether what stopped being current at that time is still kept.
    pub fn keeps(&self, superseded_at_ms: i64) -> bool {
        self.days > 0
            && superseded_at_ms >= self.horizon_ms
            && self.now_ms - superseded_at_ms <= self.retention_ms()
    }

    /// The last instant at which what stopped being current at that time is kept.
    pub fn kept_until_ms(&self, superseded_at_ms: i64) -> i64 {
        superseded_at_ms + self.retention_ms()
    }

    fn retention_ms(&self) -> i64 {
        i64::from(self.days) * DAY_MS
    }

    /// How many days what is superseded now is kept.
    pub fn days(&self) -> u32 {
        self.days
    }

    /// What has expired in this window, or does by `days`, has so for good: the instant before which all
    /// has.
    fn horizon_with(&self, days: u32, time: DeletionTime) -> i64 {
        let horizon = |days: u32| match days {
            0 => time.now_ms + 1,
            days => time.after_days(days) - i64::from(days) * DAY_MS,
        };
        self.horizon_ms.max(horizon(self.days)).max(horizon(days))
    }
}

/// Whether what was superseded or dropped at that time, or is current, is still there.
pub(super) fn is_kept(ended_at_ms: Option<i64>, window: Window) -> bool {
    ended_at_ms.is_none_or(|ended| window.keeps(ended))
}

fn retention_days(project: &Project) -> u32 {
    let value = project.properties.get(RETENTION_KEY);
    value
        .and_then(|value| parse_retention(value))
        .unwrap_or(DAYS_DEFAULT)
}

/// Sets the retention. What had expired before, or expires by the new period, is gone for good: a
/// longer period later does not bring it back.
pub fn change_retention(project: &mut Project, days: u32, time: DeletionTime) {
    project.horizon_ms = Window::of(project, time.now_ms).horizon_with(days, time);
    project
        .properties
        .insert(RETENTION_KEY.to_owned(), days.to_string());
}

/// Notes that the retention of a table was changed from what it was in `before`: what had expired, or does
/// now, is gone for good.
pub fn changed_table_retention(
    table: &mut Table,
    project: &Project,
    before: Window,
    time: DeletionTime,
) {
    let after = Window::of_table(project, table, before.now_ms);
    let horizon = match after.days == before.days {
        true => before.horizon_ms,
        false => before.horizon_with(after.days, time),
    };
    table.expire_before(horizon.max(after.horizon_ms));
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn project() -> Project {
        Project {
            owner: String::new(),
            created_at_ms: 0,
            properties: BTreeMap::new(),
            horizon_ms: 0,
        }
    }

    #[test]
    fn kept_for_a_day_by_default_to_the_millisecond() {
        let at = |now_ms| Window::of(&project(), now_ms);
        assert!(at(DAY_MS + 5).keeps(5));
        assert!(!at(DAY_MS + 6).keeps(5));
    }

    #[test]
    fn a_longer_period_does_not_resurrect() {
        let mut project = project();
        let now = 10 * DAY_MS;
        change_retention(&mut project, 7, DeletionTime::certain(now));
        let window = Window::of(&project, now);
        assert!(!window.keeps(now - 2 * DAY_MS));
        assert!(window.keeps(now - DAY_MS));
        assert!(Window::of(&project, now + 5 * DAY_MS).keeps(now));
    }

    #[test]
    fn zero_keeps_nothing_and_what_it_deleted_stays_gone() {
        let mut project = project();
        change_retention(&mut project, 0, DeletionTime::certain(1000));
        assert!(!Window::of(&project, 1000).keeps(1000));
        change_retention(&mut project, 30, DeletionTime::certain(2000));
        assert!(!Window::of(&project, 2000).keeps(2000));
        assert!(Window::of(&project, 3000).keeps(2001));
    }

    #[test]
    fn days_are_0_to_30() {
        assert_eq!(parse_retention("30"), Some(30));
        for wrong in ["31", "-1", "1.5", "", "+1", "a"] {
            assert_eq!(parse_retention(wrong), None, "{wrong:?}");
        }
    }
}
