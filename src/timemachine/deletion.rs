//! The time that deletion goes by.
//!
//! What has expired is neither listed nor restorable, whatever the clock says: that can be taken back by setting the clock
//! right. Deletion cannot. So it goes by an instant that is *trusted*: each start confirms the one before it.
//!
//! ```text
//! last commit   Friday 18:00      trusted
//! start         Monday 09:00      more than a day later: observed; Friday is still what deletion goes by
//! start         Monday 10:30      an hour after the observation, which is confirmed; from here on deletion goes by now
//! ```
//! A clock that jumped to another year is observed, and confirmed only if a start an hour later sees that year too. What is
//! deleted for an age of so many days waits only where the jump is longer than that.
//!
//! A warehouse of a controlled clock has no such doubts: its time is what its user says.

use crate::catalog::WarehouseClock;
use crate::error::{Error, Result};

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

/// What a session knows of the warehouse's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockWatch {
    known: WarehouseClock,
    /// As it stands in the warehouse.
    saved: Option<WarehouseClock>,
}

impl ClockWatch {
    /// Begins a session at `now_ms` on a warehouse that remembers `saved`. `newest_ms` is the machine's time where a
    /// warehouse that remembers nothing has backups, which a controlled clock may not be ahead of.
    ///
    /// # Errors
    /// `0110021` where the warehouse was made with another kind of clock, or remembers nothing and the controlled clock is
    /// ahead of the real time.
    pub fn begin(
        saved: Option<WarehouseClock>,
        is_controlled: bool,
        now_ms: i64,
        newest_ms: Option<i64>,
    ) -> Result<Self> {
        let refused = |detail: &str, hint: &str| Err(Error::invalid_parameter(detail).hint(hint));
        match saved {
            Some(saved) if saved.is_controlled && !is_controlled => {
                return refused(
                    "this warehouse was made with a controlled clock",
                    "start odpsh with --clock 'yyyy-MM-dd HH:mm:ss', or name another one with --warehouse",
                );
            }
            Some(saved) if !saved.is_controlled && is_controlled => {
                return refused(
                    "this warehouse was made without a controlled clock: its backups would expire by it",
                    "start odpsh without --clock, or name another warehouse with --warehouse",
                );
            }
            None if is_controlled && newest_ms.is_some_and(|newest| now_ms > newest) => {
                return refused(
                    "the controlled clock is ahead of the real time, by which the backups of this warehouse were made",
                    "name another warehouse with --warehouse, or an earlier time with --clock",
                );
            }
            _ => {}
        }
        let known = match saved {
            _ if is_controlled => WarehouseClock {
                is_controlled,
                trusted_ms: 0,
                observed_ms: None,
            },
            None => WarehouseClock {
                is_controlled,
                trusted_ms: now_ms,
                observed_ms: None,
            },
            Some(saved) => match saved.observed_ms {
                // This start confirms the one before.
                Some(observed_ms) if now_ms >= observed_ms + HOUR_MS => WarehouseClock {
                    trusted_ms: observed_ms,
                    observed_ms: None,
                    ..saved
                },
                Some(observed_ms) if now_ms < observed_ms => WarehouseClock {
                    observed_ms: None,
                    ..saved
                },
                _ => saved,
            },
        };
        Ok(Self { known, saved }.at(now_ms))
    }

    /// Goes on to the next statement.
    pub fn at(mut self, now_ms: i64) -> Self {
        if self.known.is_controlled {
            return self;
        }
        if now_ms - self.known.trusted_ms <= DAY_MS {
            self.known.trusted_ms = now_ms;
            self.known.observed_ms = None;
        } else if self.known.observed_ms.is_none() {
            self.known.observed_ms = Some(now_ms);
        }
        self
    }

    /// Takes `now_ms` for right, because the user says so.
    pub fn confirm(&mut self, now_ms: i64) {
        if !self.known.is_controlled {
            self.known.trusted_ms = now_ms;
            self.known.observed_ms = None;
        }
    }

    /// What the next commit has to write; `None` where the warehouse knows enough.
    pub fn unsaved(&self) -> Option<WarehouseClock> {
        let is_known = self.saved.is_some_and(|saved| {
            let moved_ms = self.known.trusted_ms - saved.trusted_ms;
            saved.observed_ms == self.known.observed_ms && (0..HOUR_MS).contains(&moved_ms)
        });
        (!is_known).then_some(self.known)
    }

    /// Notes that what was unsaved is written.
    pub fn written(&mut self) {
        self.saved = Some(self.known);
    }

    /// The time that deletion goes by at `now_ms`.
    pub fn deletion(&self, now_ms: i64) -> DeletionTime {
        DeletionTime {
            now_ms,
            trusted_ms: match self.known.is_controlled {
                true => now_ms,
                false => self.known.trusted_ms,
            },
        }
    }
}

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletionTime {
    pub now_ms: i64,
    pub trusted_ms: i64,
}

impl DeletionTime {
    /// A time nobody doubts.
    pub fn certain(now_ms: i64) -> Self {
        Self {
            now_ms,
            trusted_ms: now_ms,
        }
    }

    /// The instant by which something expires after so many days.
    pub fn after_days(&self, days: u32) -> i64 {
        match days {
            // What is not kept at all does not depend on a clock.
            0 => self.now_ms,
            days if self.jump_ms() > i64::from(days) * DAY_MS => self.trusted_ms,
            _ => self.now_ms,
        }
    }

    /// Whether anything may wait for another start.
    pub fn is_waiting(&self) -> bool {
        self.jump_ms() > DAY_MS
    }

    /// How far the clock has gone beyond what is confirmed, in milliseconds.
    pub fn jump_ms(&self) -> i64 {
        self.now_ms - self.trusted_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRIDAY: i64 = 1_600_000_000_000;

    /// A start at `now_ms` that commits.
    fn start(saved: &mut Option<WarehouseClock>, now_ms: i64) -> DeletionTime {
        let mut watch = ClockWatch::begin(*saved, false, now_ms, None).expect("a real clock");
        if let Some(unsaved) = watch.unsaved() {
            *saved = Some(unsaved);
            watch.written();
        }
        watch.deletion(now_ms)
    }

    #[test]
    fn a_jump_is_confirmed_by_a_later_start() {
        let mut saved = None;
        assert!(!start(&mut saved, FRIDAY).is_waiting());
        assert!(!start(&mut saved, FRIDAY + DAY_MS).is_waiting());
        let monday = FRIDAY + 4 * DAY_MS;
        let time = start(&mut saved, monday);
        assert_eq!(time.after_days(1), FRIDAY + DAY_MS);
        // The jump of three days is no longer than these.
        assert_eq!(time.after_days(3), monday);
        assert_eq!(time.after_days(0), monday);
        assert!(start(&mut saved, monday + HOUR_MS - 1).is_waiting());
        let later = monday + HOUR_MS;
        assert_eq!(start(&mut saved, later), DeletionTime::certain(later));
    }

    #[test]
    fn a_clock_that_is_set_back_confirms_nothing() {
        let mut saved = None;
        start(&mut saved, FRIDAY);
        let wrong = FRIDAY + 3000 * DAY_MS;
        assert_eq!(start(&mut saved, wrong).after_days(30), FRIDAY);
        let right = FRIDAY + HOUR_MS;
        assert_eq!(start(&mut saved, right), DeletionTime::certain(right));
        assert_eq!(start(&mut saved, wrong + DAY_MS).after_days(30), right);
    }

    #[test]
    fn each_start_confirms_the_one_before_it_alone() {
        let mut saved = None;
        start(&mut saved, FRIDAY);
        let monday = FRIDAY + 3 * DAY_MS;
        start(&mut saved, monday);
        // Right at first, wrong now.
        let wrong = monday + 3000 * DAY_MS;
        assert_eq!(start(&mut saved, wrong).after_days(1), monday);
    }

    #[test]
    fn a_warehouse_keeps_its_kind_of_clock() {
        let begin = |saved, is_controlled, now_ms| {
            ClockWatch::begin(saved, is_controlled, now_ms, Some(FRIDAY))
                .map(|watch| watch.unsaved())
        };
        let controlled = begin(None, true, FRIDAY - 1)
            .expect("not ahead")
            .expect("unsaved");
        let real = begin(None, false, FRIDAY)
            .expect("a clock")
            .expect("unsaved");
        assert!(begin(None, true, FRIDAY + 1).is_err());
        assert!(begin(Some(controlled), false, FRIDAY).is_err());
        assert!(begin(Some(real), true, FRIDAY - 1).is_err());
        let later = begin(Some(controlled), true, FRIDAY + DAY_MS);
        assert_eq!(later.expect("a clock"), None);
    }
}
