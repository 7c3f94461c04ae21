//! `SET k=v`: settings of the session.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use crate::clock::{Clock, parse_span};
use crate::error::{Error, Result};
use crate::exec::{Layout, Listing, Outcome};
use crate::plan::{MEMORY_KEY, OPTIMIZER_KEY, TRAVEL_ANY_KEY, UPDATE_ANY_KEY, parse_size};

const TIMEZONE: &str = "odps.sql.timezone";
/// Moves the controlled clock on.
const CLOCK_ADVANCE: &str = "odpsh.clock.advance";
/// `false`: each statement waits for its own sync.
const COMMIT_GROUPING: &str = "odpsh.commit.grouping";
const VALUE_MAX: usize = 64 << 10;
const COUNT_MAX: usize = 1000;
/// Settings that would change what a query means, in a way that is not there.
const REFUSED: &[(&str, &str)] = &[("odps.sql.decimal.tostring.trimzero", "false")];

/// See the module.
#[derive(Debug)]
pub struct Settings {
    values: BTreeMap<String, String>,
    zone: Tz,
    groups_commits: bool,
}

impl Settings {
    pub(super) fn new(zone: Tz) -> Self {
        Self {
            values: BTreeMap::new(),
            zone,
            groups_commits: true,
        }
    }

    /// The time zone of the session.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// All settings, by key.
    pub fn values(&self) -> &BTreeMap<String, String> {
        &self.values
    }

    /// Whether statements of a script may share a sync.
    pub fn groups_commits(&self) -> bool {
        self.groups_commits
    }

    /// Sets a key. Keys of MaxCompute that odpsh does not know are kept and have no effect.
    pub(super) fn set(&mut self, key: &str, value: &str, clock: &dyn Clock) -> Result<()> {
        match key {
            CLOCK_ADVANCE => {
                let Some(span) = parse_span(value) else {
                    return Err(Error::invalid_parameter(format!(
                        "{key} needs a span such as 25h, 90m, 10s or 3d"
                    )));
                };
                if !clock.advance(span) {
                    let error =
                        Error::invalid_parameter(format!("{key} needs the controlled clock"));
                    return Err(error.hint("start odpsh with --clock 'yyyy-MM-dd HH:mm:ss'"));
                }
                return Ok(());
            }
            TIMEZONE => {
                self.zone = value.parse().map_err(|_| {
                    Error::invalid_parameter(format!("{key}: there is no time zone '{value}'"))
                })?;
            }
            COMMIT_GROUPING => {
                self.groups_commits = match value {
                    "true" => true,
                    "false" => false,
                    _ => {
                        return Err(Error::invalid_parameter(format!(
                            "{key} must be true or false"
                        )));
                    }
                };
            }
            MEMORY_KEY if parse_size(value).is_none() => {
                return Err(Error::invalid_parameter(format!(
                    "{key} needs a size of at least 16m, such as 512m or 4g"
                )));
            }
            MEMORY_KEY => {}
            OPTIMIZER_KEY | UPDATE_ANY_KEY | TRAVEL_ANY_KEY
                if !["true", "false"].contains(&value) =>
            {
                return Err(Error::invalid_parameter(format!(
                    "{key} must be true or false"
                )));
            }
            OPTIMIZER_KEY | UPDATE_ANY_KEY | TRAVEL_ANY_KEY => {}
            key if key.starts_with("odpsh.") => {
                let known = format!(
                    "known are {CLOCK_ADVANCE}, {COMMIT_GROUPING}, {MEMORY_KEY}, {OPTIMIZER_KEY}, {TRAVEL_ANY_KEY} and {UPDATE_ANY_KEY}"
                );
                return Err(
                    Error::invalid_parameter(format!("there is no setting {key}")).hint(known),
                );
            }
            key if REFUSED.contains(&(key, value.to_ascii_lowercase().as_str())) => {
                return Err(Error::not_supported(format!("SET {key}={value}")));
            }
            _ => {}
        }
        if value.len() > VALUE_MAX
            || (self.values.len() >= COUNT_MAX && !self.values.contains_key(key))
        {
            return Err(Error::invalid_parameter(format!(
                "{key}: too many or too long settings"
            )));
        }
        self.values.insert(key.to_owned(), value.to_owned());
        Ok(())
    }

    pub(super) fn listing(&self) -> Outcome {
        let rows = self
            .values
            .iter()
            .map(|(key, value)| vec![Some(key.clone()), Some(value.clone())]);
        Outcome::Listing(Listing {
            layout: Layout::Settings,
            titles: vec!["key", "value"],
            hidden: 0,
            rows: rows.collect(),
        })
    }
}
