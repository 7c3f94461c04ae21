//! Regular expressions. Manual page: "String functions", REGEXP_*.

use std::collections::HashMap;

use datafusion::arrow::array::{ArrayRef, ListBuilder, StringViewBuilder};
use datafusion::arrow::datatypes::Int64Type;
use regex::Regex;

use super::call::{Call, Definition, Gives, Kind, function, known};
use crate::error::{Error, Result};

use Kind::{Boolean, Int, Text};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    function("regexp_count", "regexp_count(string str, string pattern[, bigint start])", "Returns how often a pattern matches from a position on.", &[Text, Text, Int], 1, Gives::Int, regexp_count),
    function("regexp_extract", "regexp_extract(string str, string pattern[, bigint group])", "Returns a group of the first match; group 0 is the whole match.", &[Text, Text, Int], 1, Gives::Text, regexp_extract),
    function("regexp_extract_all", "regexp_extract_all(string str, string pattern[, bigint group])", "Returns a group of every match.", &[Text, Text, Int], 1, Gives::Texts, regexp_extract_all),
    function("regexp_instr", "regexp_instr(string str, string pattern[, bigint start[, bigint nth[, bigint option]]])", "Returns where the nth match begins, or with option 1 what stands behind it; 0 where there is none.", &[Text, Text, Int, Int, Int], 3, Gives::Int, regexp_instr),
    function("regexp_replace", "regexp_replace(string str, string pattern, string replacement[, bigint occurrence])", "Replaces one match, or all where occurrence is 0; \\n in the replacement is a group.", &[Text, Text, Text, Int], 1, Gives::Text, regexp_replace),
    function("regexp_substr", "regexp_substr(string str, string pattern[, bigint start[, bigint nth]])", "Returns the nth match from a position on, NULL where there is none.", &[Text, Text, Int, Int], 2, Gives::Text, regexp_substr),
    function("rlike", "rlike(string str, string pattern)", "Returns whether a pattern matches somewhere, as str RLIKE pattern does.", &[Text, Text], 0, Gives::Boolean, rlike),
    function("split", "split(string str, string pattern[, boolean trimTailEmpty])", "Splits a text where a pattern matches; empty pieces at the end are left out unless the third argument is false.", &[Text, Text, Boolean], 1, Gives::Texts, split),
];

/// Patterns compiled once per batch.
#[derive(Default)]
struct Patterns(HashMap<String, Regex>);

/// Distinct patterns kept per batch.
const PATTERNS_MAX: usize = 1000;

impl Patterns {
    fn get(&mut self, pattern: &str) -> Result<&Regex> {
        if !self.0.contains_key(pattern) {
            if pattern.is_empty() {
                return Err(Error::regular_expression("the pattern is empty"));
            }
            let made = Regex::new(pattern).map_err(|error| {
                let text = error.to_string();
                let reason = text
                    .lines()
                    .last()
                    .unwrap_or_default()
                    .trim_start_matches("error: ");
                Error::regular_expression(format!("{pattern}: {reason}"))
            })?;
            if self.0.len() >= PATTERNS_MAX {
                self.0.clear();
            }
            self.0.insert(pattern.to_owned(), made);
        }
        Ok(&self.0[pattern])
    }
}

/// The text from character `start`, counted from 1, and the byte it begins at.
fn from_start(text: &str, start: i64) -> Option<usize> {
    let skipped = usize::try_from(start - 1).ok()?;
    Some(
        text.char_indices()
            .nth(skipped)
            .map_or(text.len(), |(byte, _)| byte),
    )
}

fn regexp_count(call: &Call) -> Result<ArrayRef> {
    let (text, pattern, start) = (call.text(0)?, call.text(1)?, call.int_or(2, 1)?);
    let mut patterns = Patterns::default();
    call.values::<Int64Type>(|row| {
        let (text, pattern) = (known!(text.get(row)), known!(pattern.get(row)));
        match from_start(text, known!(start.get(row))) {
            Some(begin) => Ok(Some(
                patterns.get(pattern)?.find_iter(&text[begin..]).count() as i64,
            )),
            None => call.unfit("the start is at least 1"),
        }
    })
}

fn group_of(pattern: &Regex, group: i64) -> Result<usize> {
    match usize::try_from(group)
        .ok()
        .filter(|group| *group < pattern.captures_len())
    {
        Some(group) => Ok(group),
        None => Err(Error::argument_value(format!(
            "function regexp_extract: the pattern {pattern} has no group {group}"
        ))),
    }
}

fn regexp_extract(call: &Call) -> Result<ArrayRef> {
    let (text, pattern, group) = (call.text(0)?, call.text(1)?, call.int_or(2, 1)?);
    let mut patterns = Patterns::default();
    call.texts(|row| {
        let (text, pattern) = (known!(text.get(row)), known!(pattern.get(row)));
        let pattern = patterns.get(pattern)?;
        let group = group_of(pattern, known!(group.get(row)))?;
        let found = pattern
            .captures(text)
            .and_then(|captures| captures.get(group));
        Ok(Some(found.map_or("", |found| found.as_str())))
    })
}

/// A list of texts for each row.
pub(super) fn lists<'a>(
    call: &Call,
    mut of: impl FnMut(usize) -> Result<Option<Vec<&'a str>>>,
) -> Result<ArrayRef> {
    let mut builder = ListBuilder::new(StringViewBuilder::new());
    for row in 0..call.rows {
        match of(row)? {
            Some(items) => {
                items
                    .into_iter()
                    .for_each(|item| builder.values().append_value(item));
                builder.append(true);
            }
            None => builder.append(false),
        }
    }
    Ok(std::sync::Arc::new(builder.finish()))
}

fn regexp_extract_all(call: &Call) -> Result<ArrayRef> {
    let (text, pattern, group) = (call.text(0)?, call.text(1)?, call.int_or(2, 1)?);
    let mut patterns = Patterns::default();
    lists(call, |row| {
        let (text, pattern) = (known!(text.get(row)), known!(pattern.get(row)));
        let pattern = patterns.get(pattern)?;
        let wanted = known!(group.get(row));
        let wanted = if pattern.captures_len() == 1 && call.count() == 2 {
            0
        } else {
            wanted
        };
        let group = group_of(pattern, wanted)?;
        let all = pattern.captures_iter(text);
        Ok(Some(
            all.map(|captures| captures.get(group).map_or("", |found| found.as_str()))
                .collect(),
        ))
    })
}

fn regexp_instr(call: &Call) -> Result<ArrayRef> {
    let (text, pattern, start) = (call.text(0)?, call.text(1)?, call.int_or(2, 1)?);
    let (nth, option) = (call.int_or(3, 1)?, call.int_or(4, 0)?);
    let mut patterns = Patterns::default();
    call.values::<Int64Type>(|row| {
        let (text, pattern) = (known!(text.get(row)), known!(pattern.get(row)));
        let (nth, option) = (known!(nth.get(row)), known!(option.get(row)));
        let begin = from_start(text, known!(start.get(row)))
            .filter(|_| nth >= 1 && matches!(option, 0 | 1));
        let Some(begin) = begin else {
            return call.unfit("start and nth are at least 1, option is 0 or 1");
        };
        let found = patterns
            .get(pattern)?
            .find_iter(&text[begin..])
            .nth(nth as usize - 1);
        Ok(Some(found.map_or(0, |found| {
            let at = begin
                + if option == 0 {
                    found.start()
                } else {
                    found.end()
                };
            text[..at].chars().count() as i64 + 1
        })))
    })
}

/// `\1` as the replacement language of the library has it.
fn replacement(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 4);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some(digit) if digit.is_ascii_digit() => {
                    out.push_str("${");
                    out.push(digit);
                    out.push('}');
                }
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

fn regexp_replace(call: &Call) -> Result<ArrayRef> {
    let (text, pattern, by) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let occurrence = call.int_or(3, 0)?;
    let constant = by.constant().map(replacement);
    let mut patterns = Patterns::default();
    call.texts(|row| {
        let (text, pattern) = (known!(text.get(row)), known!(pattern.get(row)));
        let Ok(occurrence) = usize::try_from(known!(occurrence.get(row))) else {
            return call.unfit("the occurrence is at least 0");
        };
        let pattern = patterns.get(pattern)?;
        // Where nothing is replaced, it does not matter by what.
        let Some(by) = by.get(row) else {
            let is_found = pattern.find_iter(text).nth(occurrence.saturating_sub(1));
            return Ok(is_found.is_none().then(|| text.to_owned()));
        };
        let by = constant.clone().unwrap_or_else(|| replacement(by));
        if occurrence == 0 {
            return Ok(Some(pattern.replace_all(text, by.as_str()).into_owned()));
        }
        let Some(captures) = pattern.captures_iter(text).nth(occurrence - 1) else {
            return Ok(Some(text.to_owned()));
        };
        let found = captures.get(0).expect("group 0 is the match");
        let mut out = text[..found.start()].to_owned();
        captures.expand(&by, &mut out);
        out.push_str(&text[found.end()..]);
        Ok(Some(out))
    })
}

fn regexp_substr(call: &Call) -> Result<ArrayRef> {
    let (text, pattern) = (call.text(0)?, call.text(1)?);
    let (start, nth) = (call.int_or(2, 1)?, call.int_or(3, 1)?);
    let mut patterns = Patterns::default();
    call.texts(|row| {
        let (text, pattern) = (known!(text.get(row)), known!(pattern.get(row)));
        let nth = known!(nth.get(row));
        let Some(begin) = from_start(text, known!(start.get(row))).filter(|_| nth >= 1) else {
            return call.unfit("start and nth are at least 1");
        };
        let found = patterns
            .get(pattern)?
            .find_iter(&text[begin..])
            .nth(nth as usize - 1);
        Ok(found.map(|found| found.as_str()))
    })
}

fn rlike(call: &Call) -> Result<ArrayRef> {
    let (text, pattern) = (call.text(0)?, call.text(1)?);
    let mut patterns = Patterns::default();
    call.booleans(|row| {
        let (text, pattern) = (known!(text.get(row)), known!(pattern.get(row)));
        Ok(Some(patterns.get(pattern)?.is_match(text)))
    })
}

fn split(call: &Call) -> Result<ArrayRef> {
    let (text, pattern) = (call.text(0)?, call.text(1)?);
    let trims = match call.count() {
        3 => Some(call.boolean(2)?),
        _ => None,
    };
    let mut patterns = Patterns::default();
    lists(call, |row| {
        let (text, pattern) = (known!(text.get(row)), known!(pattern.get(row)));
        let trims = match &trims {
            Some(trims) => known!(trims.get(row)),
            None => true,
        };
        if pattern.is_empty() {
            let borders = text.char_indices();
            return Ok(Some(
                borders
                    .map(|(at, c)| &text[at..at + c.len_utf8()])
                    .collect(),
            ));
        }
        // A plain separator needs no expression.
        let mut pieces: Vec<&str> = match pattern.contains(|c: char| "\\.[]{}()*+?|^$".contains(c))
        {
            true => patterns.get(pattern)?.split(text).collect(),
            false => text.split(pattern).collect(),
        };
        if trims && !text.is_empty() {
            let kept = pieces.iter().rposition(|piece| !piece.is_empty());
            pieces.truncate(kept.map_or(0, |last| last + 1));
        }
        Ok(Some(pieces))
    })
}
