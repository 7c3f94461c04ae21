//! Retention: how long what is no longer current is kept.

use crate::catalog::Project;

/// The project property that holds the number of days.
pub const RETENTION_KEY: &str = "odps.timemachine.retention.days";
const DAYS_DEFAULT: u32 = 1;
const DAYS_MAX: u32 = 30;
const DAY_MS: i64 = 86_400_000;

/// What of the past is kept, as seen at one instant.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    now_ms: i64,
    retention_ms: i64,
    horizon_ms: i64,
}

impl Window {
    /// The window of `project` at `now_ms`.
    pub fn of(project: &Project, now_ms: i64) -> Self {
        let retention_ms = i64::from(retention_days(project)) * DAY_MS;
        Self {
            now_ms,
            retention_ms,
            horizon_ms: project.horizon_ms,
        }
    }

    /// Whether what stopped being current at that time is still kept.
    pub fn keeps(&self, superseded_at_ms: i64) -> bool {
        self.retention_ms > 0
            && superseded_at_ms >= self.horizon_ms
            && self.now_ms - superseded_at_ms <= self.retention_ms
    }
}

fn retention_days(project: &Project) -> u32 {
    let value = project.properties.get(RETENTION_KEY);
    value
        .and_then(|value| parse_retention(value))
        .unwrap_or(DAYS_DEFAULT)
}

/// Reads a number of days, 0 to 30.
pub fn parse_retention(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|days| digits && *days <= DAYS_MAX)
}

/// Sets the retention. What had expired before, or expires by the new period, is gone for good: a
/// longer period later does not bring it back.
pub fn change_retention(project: &mut Project, days: u32, now_ms: i64) {
    for days in [retention_days(project), days] {
        let horizon = if days == 0 {
            now_ms + 1
        } else {
            now_ms - i64::from(days) * DAY_MS
        };
        project.horizon_ms = project.horizon_ms.max(horizon);
    }
    project
        .properties
        .insert(RETENTION_KEY.to_owned(), days.to_string());
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
        change_retention(&mut project, 7, now);
        let window = Window::of(&project, now);
        assert!(!window.keeps(now - 2 * DAY_MS));
        assert!(window.keeps(now - DAY_MS));
        assert!(Window::of(&project, now + 5 * DAY_MS).keeps(now));
    }

    #[test]
    fn zero_keeps_nothing_and_what_it_deleted_stays_gone() {
        let mut project = project();
        change_retention(&mut project, 0, 1000);
        assert!(!Window::of(&project, 1000).keeps(1000));
        change_retention(&mut project, 30, 2000);
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
