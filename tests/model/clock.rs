//! A machine whose clock jumps, is set back, and is set right again: what is listed follows the clock, what is deleted
//! follows what was confirmed. See `timemachine/deletion.rs`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono_tz::Tz;
use odpsh::clock::Clock;
use odpsh::exec::Outcome;
use odpsh::interrupt::Interrupt;
use odpsh::session::{Session, Start};
use odpsh::store::{Seam, Warehouse, memory};
use proptest::prelude::*;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// The machine's clock, which the test sets.
struct MachineClock(Arc<AtomicI64>);

impl Clock for MachineClock {
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
        false
    }
}

#[derive(Clone, Debug)]
enum Step {
    Overwrite,
    /// The session ends and another begins after so many hours.
    Restart(i64),
    /// The clock moves under the running session.
    Move(i64),
    Collect {
        confirms: bool,
    },
    /// Everybody's days are changed.
    Retention(u32),
}

fn hours() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => 0..4i64,
        3 => 20..30i64,
        2 => 48..200i64,
        1 => 20_000..30_000i64,
        1 => -30_000..0i64,
        1 => -50..0i64,
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Overwrite),
        4 => hours().prop_map(Step::Restart),
        2 => hours().prop_map(Step::Move),
        2 => any::<bool>().prop_map(|yes| Step::Collect { confirms: yes }),
        1 => (1..4u32).prop_map(Step::Retention),
    ]
}

/// A version as the rules have it.
#[derive(Clone, Debug)]
struct Version {
    lsn: u64,
    committed_ms: i64,
    superseded_ms: Option<i64>,
    is_deleted: bool,
}

/// The rules, naively.
struct Model {
    days: u32,
    /// What ended before this does not come back when the days grow.
    horizon_ms: i64,
    versions: Vec<Version>,
    saved: Option<(i64, Option<i64>)>,
    trusted_ms: i64,
    observed_ms: Option<i64>,
    has_begun: bool,
    /// When the session looks again for what has expired, once it has looked.
    next_due_ms: Option<i64>,
}

impl Model {
    /// What a session does in passing and when it ends.
    fn collect_in_passing(&mut self, now: i64) {
        self.collect(now);
        let first = self.versions.iter().find(|version| !version.is_deleted);
        let ended = first.and_then(|version| version.superseded_ms);
        let until = ended.map(|ended| ended + i64::from(self.days) * DAY + 1);
        let is_waiting = now - self.trusted_ms > DAY;
        self.next_due_ms = until.filter(|until| !is_waiting || *until > now);
    }

    fn tick(&mut self, now: i64) {
        if !self.has_begun {
            self.has_begun = true;
            match self.saved {
                None => (self.trusted_ms, self.observed_ms) = (now, None),
                Some((trusted, observed)) => {
                    (self.trusted_ms, self.observed_ms) = (trusted, observed);
                    if let Some(observed) = observed {
                        if now >= observed + HOUR {
                            (self.trusted_ms, self.observed_ms) = (observed, None);
                        } else if now < observed {
                            self.observed_ms = None;
                        }
                    }
                }
            }
        }
        if now - self.trusted_ms <= DAY {
            (self.trusted_ms, self.observed_ms) = (now, None);
        } else if self.observed_ms.is_none() {
            self.observed_ms = Some(now);
        }
    }

    /// What a commit writes: small steps of the confirmed time are not worth a record.
    fn save(&mut self) {
        let is_known = self.saved.is_some_and(|(trusted, observed)| {
            observed == self.observed_ms && (0..HOUR).contains(&(self.trusted_ms - trusted))
        });
        if !is_known {
            self.saved = Some((self.trusted_ms, self.observed_ms));
        }
    }

    /// The instant by which something goes after so many days.
    fn judged(&self, now: i64, days: u32) -> i64 {
        match now - self.trusted_ms > i64::from(days) * DAY {
            true => self.trusted_ms,
            false => now,
        }
    }

    fn keeps(&self, ended_ms: i64, now: i64) -> bool {
        ended_ms >= self.horizon_ms && now - ended_ms <= i64::from(self.days) * DAY
    }

    fn collect(&mut self, now: i64) {
        let judged = self.judged(now, self.days);
        for at in 0..self.versions.len() {
            let Some(ended_ms) = self.versions[at].superseded_ms else {
                continue;
            };
            if self.versions[at].is_deleted {
                continue;
            }
            if self.keeps(ended_ms, judged) {
                // Rows go in their order.
                break;
            }
            self.versions[at].is_deleted = true;
        }
    }

    fn overwrite(&mut self, now: i64) {
        let last = self.versions.last_mut();
        let (lsn, before) = last
            .as_ref()
            .map_or((0, i64::MIN), |last| (last.lsn, last.committed_ms));
        let at = now.max(before);
        if let Some(last) = last {
            last.superseded_ms = Some(at);
        }
        self.versions.push(Version {
            lsn: lsn + 1,
            committed_ms: at,
            superseded_ms: None,
            is_deleted: false,
        });
    }

    fn listed(&self, now: i64) -> Vec<u64> {
        let is_listed = |version: &&Version| {
            !version.is_deleted
                && version
                    .superseded_ms
                    .is_none_or(|ended| self.keeps(ended, now))
        };
        self.versions
            .iter()
            .filter(is_listed)
            .map(|version| version.lsn)
            .collect()
    }
}

fn open(dir: &Path, time: &Arc<AtomicI64>) -> Session {
    let mut seam = Seam::real();
    seam.index = Arc::new(memory::open);
    let warehouse = Warehouse::open(dir, Duration::ZERO, seam).expect("a warehouse");
    Session::new(Start {
        warehouse: Arc::new(warehouse),
        clock: Box::new(MachineClock(Arc::clone(time))),
        user: "owner".into(),
        project: "default".into(),
        zone: Tz::UTC,
        interrupt: Interrupt::never(),
        memory_bytes: 1 << 30,
    })
}

fn sql(session: &mut Session, text: &str) -> Result<Outcome, String> {
    session
        .run(text)
        .outcome
        .map_err(|error| format!("{text}: {error}"))
}

fn run(steps: &[Step]) -> Result<(), String> {
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let time = Arc::new(AtomicI64::new(1_600_000_000_000));
    let now = || time.load(Ordering::Relaxed);
    let mut model = Model {
        days: 1,
        horizon_ms: 0,
        versions: Vec::new(),
        saved: None,
        trusted_ms: 0,
        observed_ms: None,
        has_begun: false,
        next_due_ms: None,
    };
    let mut session = open(home.path(), &time);
    sql(&mut session, "create table t (a bigint)")?;
    model.tick(now());
    model.save();
    model.overwrite(now());
    let mut is_changed = true;
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Overwrite => {
                sql(
                    &mut session,
                    &format!("insert overwrite table t values ({number})"),
                )?;
                model.tick(now());
                model.save();
                model.overwrite(now());
                is_changed = true;
                if model.next_due_ms.is_some_and(|due| due <= now()) {
                    model.collect_in_passing(now());
                    is_changed = false;
                }
            }
            Step::Move(hours) => {
                time.fetch_add(hours * HOUR, Ordering::Relaxed);
            }
            Step::Restart(hours) => {
                session.close().map_err(|error| error.to_string())?;
                if std::mem::take(&mut is_changed) {
                    model.collect(now());
                }
                time.fetch_add(hours * HOUR, Ordering::Relaxed);
                model.has_begun = false;
                model.next_due_ms = None;
                session = open(home.path(), &time);
            }
            Step::Collect { confirms } => {
                session
                    .collect_all(false, *confirms)
                    .map_err(|error| error.to_string())?;
                model.tick(now());
                if *confirms {
                    (model.trusted_ms, model.observed_ms) = (now(), None);
                }
                model.save();
                model.collect(now());
            }
            Step::Retention(days) => {
                sql(
                    &mut session,
                    &format!("setproject odps.timemachine.retention.days={days}"),
                )?;
                model.tick(now());
                model.save();
                for days in [model.days, *days] {
                    let horizon = model.judged(now(), days) - i64::from(days) * DAY;
                    model.horizon_ms = model.horizon_ms.max(horizon);
                }
                model.days = *days;
                // What a shorter retention no longer covers goes at once.
                model.collect_in_passing(now());
                is_changed = false;
            }
        }
        let Outcome::Listing(listing) = sql(&mut session, "show history for table t")? else {
            return Err("no listing".into());
        };
        model.tick(now());
        let listed: Vec<u64> = listing
            .rows
            .iter()
            .map(|row| {
                row[3]
                    .as_deref()
                    .unwrap_or_default()
                    .parse()
                    .expect("an LSN")
            })
            .collect();
        if listed != model.listed(now()) {
            return Err(format!(
                "step {number}, {step:?}: listed {listed:?}, expected {:?}",
                model.listed(now())
            ));
        }
        for lsn in listed {
            sql(
                &mut session,
                &format!("select count(*) from t version as of {lsn}"),
            )?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("ODPSH_CLOCK_CASES").map_or(60, |n| n.parse().expect("a number")),
        max_shrink_iters: 400,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_deleted_was_confirmed(steps in prop::collection::vec(step(), 1..25)) {
        run(&steps).map_err(TestCaseError::fail)?;
    }
}
