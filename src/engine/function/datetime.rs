//! Dates and times. Manual page: "Date functions". `mm` is the month, `mi` the minute, `hh` counts to 24.

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, TimeDelta, Timelike};
use chrono_tz::Tz;
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{
    DataType as ArrowType, Date32Type, Float64Type, Int64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, TimeUnit, TimestampMillisecondType, TimestampNanosecondType,
};

use super::array::{SEQUENCE_MAX, list_array};
use super::call::{Call, Definition, Gives, Kind, datetime_type, function, known};
use super::format::{DateFormat, Edition, write, write_java};
use crate::clock::local_time;
use crate::engine::cast::{Casting, days_of, instant_of};
use crate::error::{Error, Result};

use Kind::{Any, Int, Moment, Text};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    function("add_months", "add_months(date d, int n)", "Returns the date n months later, as yyyy-mm-dd.", &[Moment, Int], 0, Gives::Text, add_months),
    function("date", "date(string|datetime d)", "Returns the date of a time.", &[Moment], 0, Gives::Date, date),
    function("date_add", "date_add(date d, bigint n)", "Returns the date n days later.", &[Moment, Int], 0, Gives::Date, |call| add_days(call, 1)),
    function("date_format", "date_format(datetime d, string pattern)", "Writes a time by a pattern such as yyyy-MM-dd HH:mm:ss.", &[Moment, Text], 0, Gives::Text, date_format),
    function("date_sub", "date_sub(date d, bigint n)", "Returns the date n days earlier.", &[Moment, Int], 0, Gives::Date, |call| add_days(call, -1)),
    function("dateadd", "dateadd(datetime d, bigint n, string part)", "Adds n years, months, days, hours, … to a time.", &[Moment, Int, Text], 0, Gives::Of(same_moment), dateadd),
    function("datediff", "datediff(datetime d1, datetime d2[, string part])", "Returns d1 - d2 in whole parts, days by default.", &[Moment, Moment, Text], 1, Gives::Int, datediff),
    function("datepart", "datepart(datetime d, string part)", "Returns a part of a time as a number.", &[Moment, Text], 0, Gives::Int, datepart),
    function("datetime", "datetime(string|timestamp d)", "Returns a time as a DATETIME.", &[Moment], 0, Gives::Datetime, datetime),
    function("datetrunc", "datetrunc(datetime d, string part)", "Cuts a time down to its part.", &[Moment, Text], 0, Gives::Of(same_moment), datetrunc),
    function("day", "day(datetime d)", "Returns the day of the month.", &[Moment], 0, Gives::Int, |call| part(call, |d| i64::from(d.day()))),
    function("dayofmonth", "dayofmonth(datetime d)", "Returns the day of the month.", &[Moment], 0, Gives::Int, |call| part(call, |d| i64::from(d.day()))),
    function("dayofweek", "dayofweek(datetime d)", "Returns the day of the week, Sunday is 1.", &[Moment], 0, Gives::Int, |call| part(call, |d| i64::from(d.weekday().number_from_sunday()))),
    function("dayofyear", "dayofyear(datetime d)", "Returns the day of the year.", &[Moment], 0, Gives::Int, |call| part(call, |d| i64::from(d.ordinal()))),
    function("from_unixtime", "from_unixtime(bigint seconds[, string pattern])", "Returns the time so many seconds after 1970, as DATETIME, or as text by a pattern.", &[Int, Text], 1, Gives::Of(unixtime_type), from_unixtime),
    function("from_utc_timestamp", "from_utc_timestamp(any t, string zone)", "Returns what a clock in the zone shows when one in UTC shows t.", &[Any, Text], 0, Gives::Of(timestamp_type), |call| shift(call, true)),
    function("hour", "hour(datetime d)", "Returns the hour.", &[Moment], 0, Gives::Int, |call| clock_part(call, |d| i64::from(d.hour()))),
    function("isdate", "isdate(string d, string format)", "Returns whether a text is a time in the format.", &[Text, Text], 0, Gives::Boolean, isdate),
    function("last_day", "last_day(datetime d)", "Returns the last day of the month, as yyyy-mm-dd.", &[Moment], 0, Gives::Text, |call| {
        let d = call.local(0)?;
        call.texts(|row| Ok(d.get(row).map(|d| month_end(d.date()).format("%Y-%m-%d").to_string())))
    }),
    function("lastday", "lastday(datetime d)", "Returns the last day of the month at 00:00:00.", &[Moment], 0, Gives::Datetime, |call| {
        let d = call.local(0)?;
        moments(call, |row| Ok(d.get(row).map(|d| midnight(month_end(d.date())))))
    }),
    function("minute", "minute(datetime d)", "Returns the minute.", &[Moment], 0, Gives::Int, |call| clock_part(call, |d| i64::from(d.minute()))),
    function("month", "month(datetime d)", "Returns the month.", &[Moment], 0, Gives::Int, |call| part(call, |d| i64::from(d.month()))),
    function("months_between", "months_between(datetime d1, datetime d2)", "Returns how many months lie between two times.", &[Moment, Moment], 0, Gives::Double, months_between),
    function("next_day", "next_day(datetime d, string weekday)", "Returns the first such weekday after a date, as yyyy-mm-dd.", &[Moment, Text], 0, Gives::Text, next_day),
    function("quarter", "quarter(datetime d)", "Returns the quarter of the year.", &[Moment], 0, Gives::Int, |call| part(call, |d| i64::from(d.month0() / 3 + 1))),
    function("second", "second(datetime d)", "Returns the second.", &[Moment], 0, Gives::Int, |call| clock_part(call, |d| i64::from(d.second()))),
    function("timestamp", "timestamp(string|datetime d)", "Returns a time as a TIMESTAMP.", &[Moment], 0, Gives::Of(timestamp_type), timestamp),
    function("to_date", "to_date(string d[, string format])", "Reads a text as DATETIME by a format; without one as DATE.", &[Moment, Text], 1, Gives::Of(to_date_type), to_date),
    function("to_millis", "to_millis(datetime d)", "Returns the milliseconds since 1970.", &[Moment], 0, Gives::Int, |call| since_epoch(call, 1)),
    function("to_utc_timestamp", "to_utc_timestamp(any t, string zone)", "Returns what a clock in UTC shows when one in the zone shows t.", &[Any, Text], 0, Gives::Of(timestamp_type), |call| shift(call, false)),
    function("trunc_time", "trunc_time(datetime d, string part)", "Cuts a time down to its part and returns it as text.", &[Moment, Text], 0, Gives::Text, trunc_time),
    function("unix_timestamp", "unix_timestamp([datetime d])", "Returns the seconds since 1970.", &[Moment], 0, Gives::Int, |call| since_epoch(call, 1000)),
    function("weekday", "weekday(datetime d)", "Returns the day of the week, Monday is 0.", &[Moment], 0, Gives::Int, |call| part(call, |d| i64::from(d.weekday().num_days_from_monday()))),
    function("weekofyear", "weekofyear(datetime d)", "Returns the ISO week of the year.", &[Moment], 0, Gives::Int, |call| part(call, |d| i64::from(d.iso_week().week()))),
    function("year", "year(datetime d)", "Returns the year.", &[Moment], 0, Gives::Int, |call| part(call, |d| i64::from(d.year()))),
];

/// A part of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

impl Part {
    fn new(name: &str) -> Result<Self> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "yyyy" | "year" | "years" => Self::Year,
            "q" | "quarter" => Self::Quarter,
            "mm" | "month" | "mon" | "months" => Self::Month,
            "w" | "week" | "weeks" => Self::Week,
            "dd" | "day" | "days" => Self::Day,
            "hh" | "hour" | "hours" => Self::Hour,
            "mi" | "minute" | "minutes" => Self::Minute,
            "ss" | "second" | "seconds" => Self::Second,
            "ff3" | "millisecond" => Self::Millisecond,
            "ff6" | "microsecond" => Self::Microsecond,
            "ff9" | "nanosecond" => Self::Nanosecond,
            other => {
                return Err(Error::argument_value(format!(
                    "'{other}' is not a part of a date"
                )));
            }
        })
    }

    fn cut(self, time: NaiveDateTime) -> NaiveDateTime {
        let day = time.date();
        let begin = |day: Option<NaiveDate>| day.map_or(time, midnight);
        match self {
            Self::Year => begin(NaiveDate::from_ymd_opt(day.year(), 1, 1)),
            Self::Quarter => begin(NaiveDate::from_ymd_opt(
                day.year(),
                day.month0() / 3 * 3 + 1,
                1,
            )),
            Self::Month => begin(day.with_day(1)),
            Self::Week => begin(
                day.checked_sub_days(Days::new(u64::from(day.weekday().num_days_from_monday()))),
            ),
            Self::Day => midnight(day),
            Self::Hour => day.and_hms_opt(time.hour(), 0, 0).unwrap_or(time),
            Self::Minute => day
                .and_hms_opt(time.hour(), time.minute(), 0)
                .unwrap_or(time),
            Self::Second => time.with_nanosecond(0).unwrap_or(time),
            Self::Millisecond => time
                .with_nanosecond(time.nanosecond() / 1_000_000 * 1_000_000)
                .unwrap_or(time),
            Self::Microsecond => time
                .with_nanosecond(time.nanosecond() / 1_000 * 1_000)
                .unwrap_or(time),
            Self::Nanosecond => time,
        }
    }

    fn add(self, time: NaiveDateTime, count: i64) -> Option<NaiveDateTime> {
        let months = |factor: i64| {
            let months = count.checked_mul(factor)?;
            let size = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
            if months < 0 {
                time.checked_sub_months(size)
            } else {
                time.checked_add_months(size)
            }
        };
        let moved = match self {
            Self::Year => months(12),
            Self::Quarter => months(3),
            Self::Month => months(1),
            Self::Week => TimeDelta::try_weeks(count).and_then(|by| time.checked_add_signed(by)),
            Self::Day => TimeDelta::try_days(count).and_then(|by| time.checked_add_signed(by)),
            Self::Hour => TimeDelta::try_hours(count).and_then(|by| time.checked_add_signed(by)),
            Self::Minute => {
                TimeDelta::try_minutes(count).and_then(|by| time.checked_add_signed(by))
            }
            Self::Second => {
                TimeDelta::try_seconds(count).and_then(|by| time.checked_add_signed(by))
            }
            Self::Millisecond => {
                TimeDelta::try_milliseconds(count).and_then(|by| time.checked_add_signed(by))
            }
            Self::Microsecond => time.checked_add_signed(TimeDelta::microseconds(count)),
            Self::Nanosecond => time.checked_add_signed(TimeDelta::nanoseconds(count)),
        };
        moved.filter(|time| (1..=9999).contains(&time.year()))
    }

    /// How many of this part lie between two times that were cut to it; `None` where they are more than a BIGINT holds.
    fn between(self, a: NaiveDateTime, b: NaiveDateTime) -> Option<i64> {
        let (a, b) = (self.cut(a), self.cut(b));
        let months =
            i64::from(a.year() - b.year()) * 12 + i64::from(a.month()) - i64::from(b.month());
        let span = a.signed_duration_since(b);
        Some(match self {
            Self::Year => i64::from(a.year() - b.year()),
            Self::Quarter => months / 3,
            Self::Month => months,
            Self::Week => span.num_days() / 7,
            Self::Day => span.num_days(),
            Self::Hour => span.num_hours(),
            Self::Minute => span.num_minutes(),
            Self::Second => span.num_seconds(),
            Self::Millisecond => span.num_milliseconds(),
            Self::Microsecond => span.num_microseconds()?,
            Self::Nanosecond => span.num_nanoseconds()?,
        })
    }
}

fn midnight(day: NaiveDate) -> NaiveDateTime {
    day.and_time(chrono::NaiveTime::MIN)
}

fn month_end(day: NaiveDate) -> NaiveDate {
    let next = day
        .with_day(1)
        .and_then(|first| first.checked_add_months(Months::new(1)));
    next.and_then(|next| next.pred_opt()).unwrap_or(day)
}

/// DATE stays DATE and TIMESTAMP stays TIMESTAMP; everything else is DATETIME.
fn same_moment(types: &[ArrowType], casting: Casting) -> Result<ArrowType> {
    Ok(match &types[0] {
        ArrowType::Date32 => ArrowType::Date32,
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => types[0].clone(),
        _ => datetime_type(casting),
    })
}

fn unixtime_type(types: &[ArrowType], casting: Casting) -> Result<ArrowType> {
    Ok(if types.len() == 1 {
        datetime_type(casting)
    } else {
        ArrowType::Utf8View
    })
}

fn timestamp_type(_: &[ArrowType], casting: Casting) -> Result<ArrowType> {
    Ok(ArrowType::Timestamp(
        TimeUnit::Nanosecond,
        Some(casting.zone.name().into()),
    ))
}

fn to_date_type(types: &[ArrowType], casting: Casting) -> Result<ArrowType> {
    Ok(if types.len() == 1 {
        ArrowType::Date32
    } else {
        datetime_type(casting)
    })
}

/// Local times as values of the call's type.
fn moments(
    call: &Call,
    mut of: impl FnMut(usize) -> Result<Option<NaiveDateTime>>,
) -> Result<ArrayRef> {
    let zone = call.casting.zone;
    let out_of_range =
        || Error::overflow(format!("function {}: the time is out of range", call.name));
    match &call.gives {
        ArrowType::Date32 => {
            call.values::<Date32Type>(|row| Ok(of(row)?.map(|time| days_of(time.date()))))
        }
        ArrowType::Timestamp(TimeUnit::Nanosecond, has_zone) => call
            .values::<TimestampNanosecondType>(|row| {
                let time = known!(of(row)?);
                let nanos = match has_zone {
                    Some(_) => {
                        instant_of(time, zone).and_then(|instant| instant.timestamp_nanos_opt())
                    }
                    None => time.and_utc().timestamp_nanos_opt(),
                };
                nanos.map(Some).ok_or_else(out_of_range)
            }),
        _ => call.values::<TimestampMillisecondType>(|row| {
            let time = known!(of(row)?);
            let instant = instant_of(time, zone).ok_or_else(out_of_range)?;
            Ok(Some(instant.timestamp_millis()))
        }),
    }
}

fn part(call: &Call, of: fn(NaiveDateTime) -> i64) -> Result<ArrayRef> {
    let d = call.local(0)?;
    call.values::<Int64Type>(|row| Ok(d.get(row).map(of)))
}

/// A part of the clock: a text may also be a time alone, of which minutes and seconds carry. Manual page: "HOUR".
fn clock_part(call: &Call, of: fn(NaiveDateTime) -> i64) -> Result<ArrayRef> {
    let d = call.local(0)?;
    if !call.type_of(0).is_string() {
        return call.values::<Int64Type>(|row| Ok(d.get(row).map(of)));
    }
    let text = call.text(0)?;
    call.values::<Int64Type>(|row| {
        let alone = || clock_alone(text.get(row)?);
        Ok(d.get(row).or_else(alone).map(of))
    })
}

/// `12:00:00`; `25:59:60` is 26 hours, which is 2 o'clock.
fn clock_alone(text: &str) -> Option<NaiveDateTime> {
    let two = |digits: &str| match digits.as_bytes() {
        [a, b] if a.is_ascii_digit() && b.is_ascii_digit() => digits.parse::<i64>().ok(),
        _ => None,
    };
    let mut parts = text.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let seconds = two(hours)? * 3600 + two(minutes)? * 60 + two(seconds)?;
    match parts.next() {
        Some(_) => None,
        None => {
            NaiveDateTime::default().checked_add_signed(TimeDelta::try_seconds(seconds % 86_400)?)
        }
    }
}

fn since_epoch(call: &Call, millis_per_unit: i64) -> Result<ArrayRef> {
    let d = call.local(0)?;
    call.values::<Int64Type>(|row| {
        let instant = known!(instant_of(known!(d.get(row)), call.casting.zone));
        Ok(Some(instant.timestamp_millis().div_euclid(millis_per_unit)))
    })
}

fn date(call: &Call) -> Result<ArrayRef> {
    let d = call.local(0)?;
    moments(call, |row| Ok(d.get(row)))
}

fn datetime(call: &Call) -> Result<ArrayRef> {
    date(call)
}

fn timestamp(call: &Call) -> Result<ArrayRef> {
    crate::engine::cast::cast(
        call.any(0).array(),
        &crate::datatype::DataType::Timestamp,
        call.casting,
    )
    .map(|array| spread(call, array))
}

/// A single value for all rows.
fn spread(call: &Call, array: ArrayRef) -> ArrayRef {
    if array.len() == call.rows {
        return array;
    }
    let indices = datafusion::arrow::array::UInt32Array::from(vec![0; call.rows]);
    datafusion::arrow::compute::take(&array, &indices, None).expect("row 0 is there")
}

fn add_months(call: &Call) -> Result<ArrayRef> {
    let (d, count) = (call.local(0)?, call.int(1)?);
    call.texts(|row| {
        let moved = Part::Month.add(known!(d.get(row)), known!(count.get(row)));
        match moved {
            Some(time) => Ok(Some(time.format("%Y-%m-%d").to_string())),
            None => Err(Error::overflow(
                "function add_months: the time is out of range",
            )),
        }
    })
}

fn add_days(call: &Call, sign: i64) -> Result<ArrayRef> {
    let (d, count) = (call.local(0)?, call.int(1)?);
    moments(call, |row| {
        let moved = Part::Day.add(known!(d.get(row)), sign * known!(count.get(row)));
        moved.map(Some).ok_or_else(|| {
            Error::overflow(format!("function {}: the time is out of range", call.name))
        })
    })
}

fn dateadd(call: &Call) -> Result<ArrayRef> {
    let (d, count, unit) = (call.local(0)?, call.int(1)?, call.text(2)?);
    moments(call, |row| {
        let (time, count) = (known!(d.get(row)), known!(count.get(row)));
        let unit = Part::new(known!(unit.get(row)))?;
        let moved = unit.add(time, count);
        moved
            .map(Some)
            .ok_or_else(|| Error::overflow("function dateadd: the time is out of range"))
    })
}

fn datediff(call: &Call) -> Result<ArrayRef> {
    let (a, b, unit) = (call.local(0)?, call.local(1)?, call.text_or(2, "dd")?);
    call.values::<Int64Type>(|row| {
        let (a, b) = (known!(a.get(row)), known!(b.get(row)));
        let count = Part::new(known!(unit.get(row)))?.between(a, b);
        count.map(Some).ok_or_else(|| {
            Error::overflow("function datediff: the difference is out of range of BIGINT")
        })
    })
}

fn datepart(call: &Call) -> Result<ArrayRef> {
    let (d, unit) = (call.local(0)?, call.text(1)?);
    call.values::<Int64Type>(|row| {
        let time = known!(d.get(row));
        Ok(Some(match Part::new(known!(unit.get(row)))? {
            Part::Year => i64::from(time.year()),
            Part::Quarter => i64::from(time.month0() / 3 + 1),
            Part::Month => i64::from(time.month()),
            Part::Week => i64::from(time.iso_week().week()),
            Part::Day => i64::from(time.day()),
            Part::Hour => i64::from(time.hour()),
            Part::Minute => i64::from(time.minute()),
            Part::Second => i64::from(time.second()),
            Part::Millisecond => i64::from(time.nanosecond() / 1_000_000),
            Part::Microsecond => i64::from(time.nanosecond() / 1_000),
            Part::Nanosecond => i64::from(time.nanosecond()),
        }))
    })
}

fn datetrunc(call: &Call) -> Result<ArrayRef> {
    let (d, unit) = (call.local(0)?, call.text(1)?);
    moments(call, |row| {
        let time = known!(d.get(row));
        Ok(Some(Part::new(known!(unit.get(row)))?.cut(time)))
    })
}

fn trunc_time(call: &Call) -> Result<ArrayRef> {
    if call.type_of(0).is_string() {
        return Err(super::call::mismatch(
            call.name,
            &[ArrowType::Utf8, ArrowType::Utf8],
        ));
    }
    let (d, unit) = (call.local(0)?, call.text(1)?);
    call.texts(|row| {
        let time = known!(d.get(row));
        let unit = Part::new(known!(unit.get(row)))?;
        let format = match unit {
            Part::Year => "%Y",
            Part::Month => "%Y-%m",
            Part::Day | Part::Week | Part::Quarter => "%Y-%m-%d",
            _ => "%Y-%m-%d %H:%M:%S",
        };
        Ok(Some(unit.cut(time).format(format).to_string()))
    })
}

fn date_format(call: &Call) -> Result<ArrayRef> {
    let (d, pattern) = (call.local(0)?, call.text(1)?);
    call.texts(|row| {
        let (time, pattern) = (known!(d.get(row)), known!(pattern.get(row)));
        let edition = match call.casting.is_hive {
            true => Edition::Hive,
            false => Edition::Plain,
        };
        match write_java(time, pattern, edition) {
            Some(text) => Ok(Some(text)),
            // The page: `mi` gives NULL in the Hive-compatible edition.
            None if call.casting.is_hive => Ok(None),
            None => call.unfit(format!("'{pattern}' is not a pattern")),
        }
    })
}

fn from_unixtime(call: &Call) -> Result<ArrayRef> {
    let seconds = call.int(0)?;
    let zone = call.casting.zone;
    let local = |row| -> Result<Option<NaiveDateTime>> {
        let seconds = known!(seconds.get(row));
        let utc = chrono::DateTime::from_timestamp(seconds, 0);
        match utc.and_then(|utc| local_time(utc, zone)) {
            Some(local) => Ok(Some(local)),
            None => call.unfit("the time is out of range"),
        }
    };
    if call.count() == 1 {
        return moments(call, local);
    }
    let pattern = call.text(1)?;
    call.texts(|row| {
        let (time, pattern) = (known!(local(row)?), known!(pattern.get(row)));
        match write_java(time, pattern, Edition::Hive) {
            Some(text) => Ok(Some(text)),
            None => call.unfit(format!("'{pattern}' is not a pattern")),
        }
    })
}

/// Zones that Java knows by three letters, such as the PST of the manual page "FROM_UTC_TIMESTAMP".
const ZONES: [(&str, &str); 12] = [
    ("ACT", "Australia/Darwin"),
    ("AET", "Australia/Sydney"),
    ("AST", "America/Anchorage"),
    ("BST", "Asia/Dhaka"),
    ("CST", "America/Chicago"),
    ("CTT", "Asia/Shanghai"),
    ("ECT", "Europe/Paris"),
    ("IST", "Asia/Kolkata"),
    ("JST", "Asia/Tokyo"),
    ("NST", "Pacific/Auckland"),
    ("PST", "America/Los_Angeles"),
    ("VST", "Asia/Ho_Chi_Minh"),
];

fn shift(call: &Call, from_utc: bool) -> Result<ArrayRef> {
    let zones = call.text(1)?;
    let d = if matches!(call.type_of(0), ArrowType::Int64 | ArrowType::Int32) {
        None
    } else {
        Some(call.local(0)?)
    };
    let millis = if d.is_none() {
        Some(call.int(0)?)
    } else {
        None
    };
    moments(call, |row| {
        let time = match (&d, &millis) {
            (Some(d), _) => known!(d.get(row)),
            // A number is an instant, and the session's clock shows a time.
            (None, Some(millis)) => {
                let instant = chrono::DateTime::from_timestamp_millis(known!(millis.get(row)));
                known!(local_time(known!(instant), call.casting.zone))
            }
            (None, None) => return Ok(None),
        };
        let name = known!(zones.get(row));
        let zone = ZONES.iter().find(|(short, _)| *short == name);
        let Ok(zone) = zone.map_or(name, |(_, long)| long).parse::<Tz>() else {
            return call.unfit(format!("there is no time zone '{name}'"));
        };
        Ok(if from_utc {
            local_time(time.and_utc(), zone)
        } else {
            instant_of(time, zone).map(|instant| instant.naive_utc())
        })
    })
}

fn isdate(call: &Call) -> Result<ArrayRef> {
    let (text, format) = (call.text(0)?, call.text(1)?);
    call.booleans(|row| {
        let (text, format) = (known!(text.get(row)), known!(format.get(row)));
        Ok(Some(DateFormat::new(format).read(text).is_some()))
    })
}

fn months_between(call: &Call) -> Result<ArrayRef> {
    let (a, b) = (call.local(0)?, call.local(1)?);
    call.values::<Float64Type>(|row| {
        let (a, b) = (known!(a.get(row)), known!(b.get(row)));
        let months = f64::from((a.year() - b.year()) * 12 + a.month() as i32 - b.month() as i32);
        let ends = month_end(a.date()).day() == a.day() && month_end(b.date()).day() == b.day();
        if a.day() == b.day() || ends {
            return Ok(Some(months));
        }
        let seconds = |time: NaiveDateTime| {
            f64::from(time.day()) * 86400.0 + f64::from(time.num_seconds_from_midnight())
        };
        Ok(Some(months + (seconds(a) - seconds(b)) / (31.0 * 86400.0)))
    })
}

fn next_day(call: &Call) -> Result<ArrayRef> {
    let (d, weekday) = (call.local(0)?, call.text(1)?);
    call.texts(|row| {
        let (time, name) = (known!(d.get(row)), known!(weekday.get(row)));
        let short = name.get(..2).unwrap_or_default().to_ascii_lowercase();
        let wanted = ["mo", "tu", "we", "th", "fr", "sa", "su"]
            .iter()
            .position(|day| *day == short);
        let Some(wanted) = wanted else {
            // Of a date that is none NULL comes, of a weekday that is none an error.
            return match call.casting.is_strict {
                true => Err(Error::argument_value(format!(
                    "function next_day: '{name}' is not a weekday"
                ))),
                false => Ok(None),
            };
        };
        let today = time.weekday().num_days_from_monday() as usize;
        let days = (wanted + 7 - today - 1) % 7 + 1;
        let next = time.date().checked_add_days(Days::new(days as u64));
        Ok(next.map(|next| next.format("%Y-%m-%d").to_string()))
    })
}

fn to_date(call: &Call) -> Result<ArrayRef> {
    if call.count() == 1 {
        let d = call.local(0)?;
        return moments(call, |row| Ok(d.get(row)));
    }
    if !call.type_of(0).is_string() && !call.type_of(0).is_null() {
        return Err(Error::argument_type(
            "function to_date with a format needs a STRING",
        ));
    }
    let (text, format) = (call.text(0)?, call.text(1)?);
    let constant = format.constant().map(DateFormat::new);
    moments(call, |row| {
        let (text, format) = (known!(text.get(row)), known!(format.get(row)));
        let own;
        let parsed = match &constant {
            Some(parsed) => parsed,
            None => {
                own = DateFormat::new(format);
                &own
            }
        };
        match parsed.read(text) {
            Some(time) => Ok(Some(time)),
            None if !call.casting.is_strict => Ok(None),
            None if !parsed.has_year() => Err(Error::time_format(format!(
                "the format '{format}' has no yyyy"
            ))),
            None => Err(Error::time_format(format!(
                "'{text}' is not in the format '{format}'"
            ))),
        }
    })
}

/// TO_CHAR of a time.
pub(super) fn time_to_char(call: &Call) -> Result<ArrayRef> {
    let (d, format) = (call.local(0)?, call.text(1)?);
    call.texts(|row| {
        let (time, format) = (known!(d.get(row)), known!(format.get(row)));
        Ok(Some(write(time, format)))
    })
}

/// SEQUENCE of times: each is the first with so many steps added, up to the last.
pub(super) fn sequence_of_times(call: &Call) -> Result<ArrayRef> {
    let (start, end) = (call.local(0)?, call.local(1)?);
    let step = match call.count() {
        3 => {
            let column = call.any(2);
            let Some(steps) = column
                .array()
                .as_primitive_opt::<IntervalMonthDayNanoType>()
            else {
                return Err(Error::argument_type(
                    "function sequence: the step of times is an INTERVAL",
                ));
            };
            Some((steps.clone(), column))
        }
        _ => None,
    };
    let (mut times, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..call.rows {
        let (Some(start), Some(end)) = (start.get(row), end.get(row)) else {
            lengths.push(0);
            valid.push(false);
            continue;
        };
        let given = match &step {
            Some((steps, column)) if steps.is_valid(column.row(row)) => {
                steps.value(column.row(row))
            }
            Some(_) => {
                lengths.push(0);
                valid.push(false);
                continue;
            }
            None => IntervalMonthDayNano::new(0, if start <= end { 1 } else { -1 }, 0),
        };
        let nth = |count: i64| {
            let months = i64::from(given.months).checked_mul(count)?;
            let size = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
            let time = match months < 0 {
                true => start.checked_sub_months(size)?,
                false => start.checked_add_months(size)?,
            };
            let days = TimeDelta::try_days(i64::from(given.days).checked_mul(count)?)?;
            let rest = TimeDelta::nanoseconds(given.nanoseconds.checked_mul(count)?);
            time.checked_add_signed(days)?.checked_add_signed(rest)
        };
        let leads = match nth(1) {
            Some(next) if start <= end => next > start,
            Some(next) => next < start,
            None => false,
        };
        if !leads {
            return Err(Error::argument_value(
                "function sequence: the step does not lead from start to end",
            ));
        }
        let before = times.len();
        let within = |time: &NaiveDateTime| match start <= end {
            true => *time <= end,
            false => *time >= end,
        };
        let all = (0..).map_while(nth).take_while(within);
        times.extend(all.take(SEQUENCE_MAX + 1));
        if times.len() - before > SEQUENCE_MAX {
            return Err(Error::overflow(format!(
                "function sequence: more than {SEQUENCE_MAX} items"
            )));
        }
        lengths.push(times.len() - before);
        valid.push(true);
    }
    let ArrowType::List(item) = &call.gives else {
        return Err(Error::internal("sequence gives a list"));
    };
    let items = call.resized(times.len(), item.data_type().clone());
    let values = moments(&items, |row| Ok(Some(times[row])))?;
    list_array(values, lengths, Some(valid))
}
