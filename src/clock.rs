//! Time and object ids: the only place that asks the wall clock or makes a random id.
//!
//! The *controlled clock* (`--clock T`) serves rehearsals and golden scripts: the first statement runs
//! at `T`, each later one a second after the one before, `set odpsh.clock.advance=25h;` moves it on, and
//! object ids are counted instead of drawn.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, TimeZone, Utc};
use chrono_tz::Tz;

/// Source of a statement's time and of new object ids.
pub trait Clock: Send + Sync {
    /// Begins a statement and returns its time, in milliseconds since 1970-01-01 UTC.
    fn begin_statement(&self) -> i64;

    /// Makes a new 16-byte object id. `count` is the number of ids this warehouse made before.
    fn object_id(&self, count: u64) -> [u8; 16];

    /// Moves a controlled clock on by `millis`; false where time cannot be steered.
    fn advance(&self, millis: i64) -> bool;

    /// Whether time is steered rather than the machine's.
    fn is_controlled(&self) -> bool;
}

/// The machine's own clock and random ids.
pub struct SystemClock;

/// The machine's time, in milliseconds since 1970-01-01 UTC.
pub fn real_time_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

impl Clock for SystemClock {
    fn begin_statement(&self) -> i64 {
        real_time_ms()
    }

    fn object_id(&self, _count: u64) -> [u8; 16] {
        *uuid::Uuid::new_v4().as_bytes()
    }

    fn advance(&self, _millis: i64) -> bool {
        false
    }

    fn is_controlled(&self) -> bool {
        false
    }
}

/// The machine's time now, as text in UTC for people of any zone to read.
pub fn utc_text() -> String {
    Utc::now().format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A random id, as the function `uuid()` gives it.
pub fn random_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Bytes nobody can foresee.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    use sha2::{Digest, Sha256};
    let mut out = [0; N];
    for chunk in out.chunks_mut(16) {
        // A random id fixes six of its bits: two of them, hashed, leave none.
        let mut hash = Sha256::new();
        hash.update(uuid::Uuid::new_v4().as_bytes());
        hash.update(uuid::Uuid::new_v4().as_bytes());
        chunk.copy_from_slice(&hash.finalize()[..chunk.len()]);
    }
    out
}

/// A number nobody can foresee, for `rand()`.
pub fn random_seed() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

/// A clock that starts where it is told and steps one second per statement.
pub struct ControlledClock {
    next_ms: AtomicI64,
}

const STEP_MS: i64 = 1000;

impl ControlledClock {
    /// Reads `yyyy-MM-dd HH:mm:ss` in `zone`; `None` where the text or the instant is not valid.
    pub fn parse(text: &str, zone: Tz) -> Option<Self> {
        let naive = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
        let instant = instant(naive, zone)?;
        Some(Self {
            next_ms: AtomicI64::new(instant.timestamp_millis()),
        })
    }
}

impl Clock for ControlledClock {
    fn begin_statement(&self) -> i64 {
        self.next_ms.fetch_add(STEP_MS, Ordering::Relaxed)
    }

    fn object_id(&self, count: u64) -> [u8; 16] {
        u128::from(count + 1).to_be_bytes()
    }

    fn advance(&self, millis: i64) -> bool {
        self.next_ms.fetch_add(millis, Ordering::Relaxed);
        true
    }

    fn is_controlled(&self) -> bool {
        true
    }
}

/// What a clock in `zone` shows at an instant; `None` where that is beyond what can be written down.
pub fn local_time(utc: DateTime<Utc>, zone: Tz) -> Option<NaiveDateTime> {
    let utc = utc.naive_utc();
    let known = within_tables(utc).unwrap_or(utc);
    utc.checked_add_offset(zone.offset_from_utc_datetime(&known).fix())
}

/// The instant at which a clock in `zone` shows `local`: the first of two; `None` where it never does.
pub fn instant(local: NaiveDateTime, zone: Tz) -> Option<DateTime<Utc>> {
    let known = within_tables(local).unwrap_or(local);
    let found = zone.from_local_datetime(&known).earliest()?;
    let utc = local.checked_sub_offset(found.offset().fix())?;
    Some(utc.and_utc())
}

/// Where the tables of time zones end: from here on the rules of their last years hold.
const TABLES_END: i32 = 2100;

/// A time beyond the tables in a year of theirs that has the same calendar. Years are counted from March here: the only day
/// that comes and goes is their last, and no zone changes its clocks about it.
fn within_tables(time: NaiveDateTime) -> Option<NaiveDateTime> {
    let date = time.date();
    let year = date.year() - i32::from(date.month() < 3);
    if year < TABLES_END {
        return None;
    }
    let begin = |year| NaiveDate::from_ymd_opt(year, 3, 1);
    let first = begin(year)?;
    let mut known = (TABLES_END - 12..TABLES_END).filter_map(begin);
    let alike = known.find(|known| known.weekday() == first.weekday())?;
    time.checked_sub_signed(first - alike)
}

/// Reads a span such as `25h`, `90m`, `10s` or `3d`, in milliseconds.
pub fn parse_span(text: &str) -> Option<i64> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at(unit_at);
    let unit_ms: i64 = match unit {
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    count
        .parse::<i64>()
        .ok()?
        .checked_mul(unit_ms)
        .filter(|span| *span < 100 * 366 * 86_400_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controlled_clock_steps_a_second_per_statement() {
        let clock = ControlledClock::parse("2020-02-18 14:17:58", Tz::UTC).expect("valid time");
        let first = clock.begin_statement();
        assert_eq!(clock.begin_statement(), first + 1000);
        assert!(clock.advance(3_600_000));
        assert_eq!(clock.begin_statement(), first + 3_602_000);
        assert_eq!(clock.object_id(0)[15], 1);
        assert!(ControlledClock::parse("yesterday", Tz::UTC).is_none());
    }

    #[test]
    fn summer_time_goes_on_where_the_tables_end() {
        let zone = Tz::America__New_York;
        for year in 2090..2400 {
            // The second Sunday of March and the first of November, at 02:00.
            for (month, week, before, after) in [(3, 2, 5, 4), (11, 1, 4, 5)] {
                let day =
                    NaiveDate::from_weekday_of_month_opt(year, month, chrono::Weekday::Sun, week);
                let change = day.and_then(|day| day.and_hms_opt(2, 0, 0)).expect("a day");
                let utc = (change + chrono::TimeDelta::hours(before)).and_utc();
                let minute = chrono::TimeDelta::minutes(1);
                let offset = |at: DateTime<Utc>| {
                    (at.naive_utc() - local_time(at, zone).expect("a time")).num_hours()
                };
                assert_eq!(
                    (offset(utc - minute), offset(utc)),
                    (before, after),
                    "{change}"
                );
                for at in [
                    utc - chrono::TimeDelta::hours(3),
                    utc + chrono::TimeDelta::hours(3),
                ] {
                    let local = local_time(at, zone).expect("a time");
                    assert_eq!(instant(local, zone), Some(at), "{local}");
                }
            }
        }
        // Where nothing is ever changed, and at both ends of a year.
        let day = NaiveDate::from_ymd_opt(2104, 2, 29).and_then(|day| day.and_hms_opt(12, 0, 0));
        let noon = day.expect("a day").and_utc();
        for zone in [
            Tz::UTC,
            Tz::Asia__Shanghai,
            Tz::Australia__Sydney,
            Tz::Africa__Casablanca,
        ] {
            let local = local_time(noon, zone).expect("a time");
            assert_eq!(instant(local, zone), Some(noon));
        }
        let gap = NaiveDate::from_ymd_opt(2127, 3, 9).and_then(|day| day.and_hms_opt(2, 30, 0));
        assert_eq!(instant(gap.expect("a time"), zone), None);
    }

    #[test]
    fn spans_have_units() {
        assert_eq!(parse_span("25h"), Some(90_000_000));
        assert_eq!(parse_span("3d"), Some(259_200_000));
        for wrong in ["", "25", "h", "-1h", "1.5h", "99999999999999999d"] {
            assert_eq!(parse_span(wrong), None, "{wrong:?}");
        }
    }
}
