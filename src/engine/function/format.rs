//! Formats of dates and numbers.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};

/// A piece of a format such as `yyyy-mm-dd hh:mi:ss`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Millis,
    /// A character that stands for itself.
    Other(char),
    /// A letter of a piece that came before: any character.
    Any,
}

/// A format of TO_CHAR and TO_DATE. Letters count in either case; `mm` is the month, `mi` the minute.
///
/// Manual page: "Date functions", format strings.
#[derive(Clone, Debug)]
pub(super) struct DateFormat(Vec<Piece>);

const PIECES: [(&str, Piece); 7] = [
    ("yyyy", Piece::Year),
    ("ff3", Piece::Millis),
    ("mm", Piece::Month),
    ("dd", Piece::Day),
    ("hh", Piece::Hour),
    ("mi", Piece::Minute),
    ("ss", Piece::Second),
];

impl DateFormat {
    pub(super) fn new(format: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = format;
        while let Some(first) = rest.chars().next() {
            let known = PIECES.iter().find(|(letters, _)| {
                rest.get(..letters.len())
                    .is_some_and(|begin| begin.eq_ignore_ascii_case(letters))
            });
            match known {
                Some((letters, piece)) => {
                    if pieces.contains(piece) {
                        pieces.extend(std::iter::repeat_n(Piece::Any, letters.len()));
                    } else {
                        pieces.push(*piece);
                    }
                    rest = &rest[letters.len()..];
                }
                None => {
                    pieces.push(Piece::Other(first));
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        Self(pieces)
    }

    /// Whether the format has a year, without which it names no date.
    pub(super) fn has_year(&self) -> bool {
        self.0.contains(&Piece::Year)
    }

    /// The time that `text` is in this format, to the last character.
    pub(super) fn read(&self, text: &str) -> Option<NaiveDateTime> {
        let (mut year, mut month, mut day) = (None, 1, 1);
        let (mut hour, mut minute, mut second, mut millis) = (0, 0, 0, 0);
        let mut rest = text;
        for piece in &self.0 {
            let mut take = |count: usize| -> Option<u32> {
                let digits = rest.get(..count)?;
                rest = &rest[count..];
                digits
                    .bytes()
                    .all(|b| b.is_ascii_digit())
                    .then(|| digits.parse().ok())?
            };
            match piece {
                Piece::Year => year = Some(take(4)?),
                Piece::Month => month = take(2)?,
                Piece::Day => day = take(2)?,
                Piece::Hour => hour = take(2)?,
                Piece::Minute => minute = take(2)?,
                Piece::Second => second = take(2)?,
                Piece::Millis => millis = take(3)?,
                Piece::Other(c) => rest = rest.strip_prefix(*c)?,
                Piece::Any => {
                    let skipped = rest.chars().next()?;
                    rest = &rest[skipped.len_utf8()..];
                }
            }
        }
        if !rest.is_empty() {
            return None;
        }
        NaiveDate::from_ymd_opt(year? as i32, month, day)?
            .and_hms_milli_opt(hour, minute, second, millis)
    }
}

/// A time in a format of TO_CHAR.
pub(super) fn write(time: NaiveDateTime, format: &str) -> String {
    use std::fmt::Write;
    let mut out = String::with_capacity(format.len() + 4);
    let mut rest = format;
    while let Some(first) = rest.chars().next() {
        let known = PIECES.iter().find(|(letters, _)| {
            rest.get(..letters.len())
                .is_some_and(|begin| begin.eq_ignore_ascii_case(letters))
        });
        let Some((letters, piece)) = known else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        let _ = match piece {
            Piece::Year => write!(out, "{:04}", time.year()),
            Piece::Month => write!(out, "{:02}", time.month()),
            Piece::Day => write!(out, "{:02}", time.day()),
            Piece::Hour => write!(out, "{:02}", time.hour()),
            Piece::Minute => write!(out, "{:02}", time.minute()),
            Piece::Second => write!(out, "{:02}", time.second()),
            Piece::Millis => write!(out, "{:03}", time.nanosecond() / 1_000_000),
            Piece::Other(_) | Piece::Any => Ok(()),
        };
        rest = &rest[letters.len()..];
    }
    out
}

/// Which letters a pattern has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edition {
    Plain,
    /// Those of Java.
    Hive,
}

/// A time by a pattern of Java, `yyyy-MM-dd HH:mm:ss.SSS`. Manual page: "DATE_FORMAT".
///
/// Outside of the Hive-compatible edition `hh` is an hour of 24, `mm` the month and `mi` the minute.
pub(super) fn write_java(time: NaiveDateTime, pattern: &str, edition: Edition) -> Option<String> {
    use std::fmt::Write;
    let is_plain = edition == Edition::Plain;
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\'' {
            if chars.next_if_eq(&'\'').is_some() {
                out.push('\'');
                continue;
            }
            for quoted in chars.by_ref().take_while(|c| *c != '\'') {
                out.push(quoted);
            }
            continue;
        }
        if !c.is_ascii_alphabetic() {
            out.push(c);
            continue;
        }
        let mut width = 1;
        while chars.next_if_eq(&c).is_some() {
            width += 1;
        }
        let number = match c {
            'm' if is_plain && width == 1 && chars.next_if_eq(&'i').is_some() => {
                width = 2;
                time.minute()
            }
            'm' if is_plain && width == 2 => time.month(),
            'h' if is_plain => time.hour(),
            'y' | 'Y' if width == 2 => time.year().rem_euclid(100) as u32,
            'y' | 'Y' => time.year() as u32,
            'M' | 'L' if width == 3 => {
                let _ = write!(out, "{}", time.format("%b"));
                continue;
            }
            'M' | 'L' if width > 3 => {
                let _ = write!(out, "{}", time.format("%B"));
                continue;
            }
            'M' | 'L' => time.month(),
            'd' => time.day(),
            'D' => time.ordinal(),
            'H' => time.hour(),
            'k' => {
                if time.hour() == 0 {
                    24
                } else {
                    time.hour()
                }
            }
            'h' => (time.hour() + 11) % 12 + 1,
            'K' => time.hour() % 12,
            'm' => time.minute(),
            's' => time.second(),
            'S' => {
                let digits = format!("{:09}", time.nanosecond());
                out.push_str(&digits[..width.min(9)]);
                continue;
            }
            'a' => {
                out.push_str(if time.hour() < 12 { "AM" } else { "PM" });
                continue;
            }
            'E' => {
                let _ = write!(out, "{}", time.format(if width > 3 { "%A" } else { "%a" }));
                continue;
            }
            'u' => time.weekday().number_from_monday(),
            'w' => time.iso_week().week(),
            _ => return None,
        };
        let _ = write!(out, "{number:0width$}");
    }
    Some(out)
}

/// A pattern for numbers such as `#,##0.00`, as Java's DecimalFormat reads it. Manual page: "FORMAT_NUMBER".
pub(super) struct NumberFormat {
    prefix: String,
    suffix: String,
    /// Fewest digits before the point.
    whole: usize,
    /// Fewest and most digits behind it.
    fraction: (usize, usize),
    /// Digits between two commas; 0 for none.
    group: usize,
}

impl NumberFormat {
    pub(super) fn with_digits(digits: usize) -> Self {
        Self {
            prefix: String::new(),
            suffix: String::new(),
            whole: 1,
            fraction: (digits, digits),
            group: 3,
        }
    }

    /// Reads a pattern; `None` where it has no place for a digit or more than one point.
    pub(super) fn new(pattern: &str) -> Option<Self> {
        let is_part = |c: char| "#0,.".contains(c);
        let begin = pattern.find(is_part)?;
        let rest = &pattern[begin..];
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (body, suffix) = rest.split_at(end);
        let (whole, fraction) = body.split_once('.').unwrap_or((body, ""));
        if suffix.contains(is_part) || fraction.contains(['.', ',']) || !body.contains(['#', '0']) {
            return None;
        }
        let digits = |text: &str| text.matches(['#', '0']).count();
        Some(Self {
            prefix: pattern[..begin].to_owned(),
            suffix: suffix.to_owned(),
            whole: whole.matches('0').count(),
            fraction: (fraction.matches('0').count(), digits(fraction)),
            group: whole.rsplit_once(',').map_or(0, |(_, last)| digits(last)),
        })
    }

    /// Writes a number, given with as many digits behind the point as are asked for.
    pub(super) fn write(&self, with_digits: impl Fn(usize) -> String) -> String {
        let (least, most) = self.fraction;
        let number = with_digits(most);
        let (sign, unsigned) = match number.strip_prefix('-') {
            Some(unsigned) => ("-", unsigned),
            None => ("", number.as_str()),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let kept = fraction.trim_end_matches('0').len().max(least);
        let fraction = &fraction[..kept.min(fraction.len())];
        let whole = format!(
            "{:0>width$}",
            whole.trim_start_matches('0'),
            width = self.whole
        );
        let count = whole.len();
        let mut grouped = String::with_capacity(count * 2);
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && self.group > 0 && (count - place).is_multiple_of(self.group) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        let point = if fraction.is_empty() { "" } else { "." };
        format!(
            "{sign}{}{grouped}{point}{fraction}{}",
            self.prefix, self.suffix
        )
    }
}
