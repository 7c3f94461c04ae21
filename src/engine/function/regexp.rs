//! Regular expressions. Manual page: "String functions", REGEXP_*.

use std::ops::Range;

use datafusion::arrow::array::{ArrayRef, ListBuilder, StringViewBuilder};
use datafusion::arrow::datatypes::Int64Type;

use super::call::{Call, Definition, Gives, Kind, function, known};
use super::pattern::{Pattern, Patterns, Replacement};
use crate::error::{Error, Result};

use Kind::{Boolean, Text, Whole};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    function("regexp_count", "regexp_count(string str, string pattern[, bigint start])", "Returns how often a pattern matches from a position on.", &[Kind::String, Kind::String, Whole], 1, Gives::Int, regexp_count),
    function("regexp_extract", "regexp_extract(string str, string pattern[, bigint group])", "Returns a group of the first match; group 0 is the whole match.", &[Text, Text, Whole], 1, Gives::Text, regexp_extract),
    function("regexp_extract_all", "regexp_extract_all(string str, string pattern[, bigint group])", "Returns a group of every match.", &[Text, Text, Whole], 1, Gives::Texts, regexp_extract_all),
    function("regexp_instr", "regexp_instr(string str, string pattern[, bigint start[, bigint nth[, bigint option]]])", "Returns where the nth match begins, or with option 1 what stands behind it; 0 where there is none.", &[Text, Text, Whole, Whole, Whole], 3, Gives::Int, regexp_instr),
    function("regexp_replace", "regexp_replace(string str, string pattern, string replacement[, bigint occurrence])", "Replaces one match, or all where occurrence is 0; \\n in the replacement is a group.", &[Text, Text, Text, Whole], 1, Gives::Text, regexp_replace),
    function("regexp_substr", "regexp_substr(string str, string pattern[, bigint start[, bigint nth]])", "Returns the nth match from a position on, NULL where there is none.", &[Text, Text, Whole, Whole], 2, Gives::Text, regexp_substr),
    function("rlike", "rlike(string str, string pattern)", "Returns whether a pattern matches somewhere, as str RLIKE pattern does.", &[Text, Text], 0, Gives::Boolean, rlike),
    function("split", "split(string str, string pattern[, boolean trimTailEmpty])", "Splits a text where a pattern matches; empty pieces at the end are left out unless the third argument is false.", &[Text, Text, Boolean], 1, Gives::Texts, split),
];

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
            Some(begin) => {
                let mut count = 0;
                for found in patterns.get(pattern)?.find_iter(&text[begin..]) {
                    found?;
                    count += 1;
                }
                Ok(Some(count))
            }
            None => call.unfit("the start is at least 1"),
        }
    })
}

fn group_of(pattern: &Pattern, group: i64) -> Result<usize> {
    match usize::try_from(group)
        .ok()
        .filter(|group| *group < pattern.group_count())
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
        let first = pattern.groups_iter(text).next().transpose()?;
        let found = first.and_then(|groups| groups.text(group));
        Ok(Some(found.unwrap_or_default()))
    })
}

/// A list of texts for each row.
pub(super) fn lists<S: AsRef<str>>(
    call: &Call,
    mut of: impl FnMut(usize) -> Result<Option<Vec<S>>>,
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
        let wanted = if pattern.group_count() == 1 && call.count() == 2 {
            0
        } else {
            wanted
        };
        let group = group_of(pattern, wanted)?;
        let all = pattern.groups_iter(text);
        let found = all.map(|groups| Ok(groups?.text(group).unwrap_or_default()));
        found.collect::<Result<Vec<&str>>>().map(Some)
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
        let found = nth_match(patterns.get(pattern)?, &text[begin..], nth)?;
        Ok(Some(found.map_or(0, |found| {
            let at = begin + if option == 0 { found.start } else { found.end };
            text[..at].chars().count() as i64 + 1
        })))
    })
}

/// Where the nth match is, counted from 1.
fn nth_match(pattern: &Pattern, text: &str, nth: i64) -> Result<Option<Range<usize>>> {
    for (count, found) in (1..).zip(pattern.find_iter(text)) {
        let found = found?;
        if count == nth {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn regexp_replace(call: &Call) -> Result<ArrayRef> {
    let (text, pattern, by) = (call.text(0)?, call.text(1)?, call.text(2)?);
    let occurrence = call.int_or(3, 0)?;
    let constant = by.constant().map(Replacement::new);
    let mut patterns = Patterns::default();
    call.texts(|row| {
        let (text, pattern) = (known!(text.get(row)), known!(pattern.get(row)));
        let occurrence = known!(occurrence.get(row));
        if occurrence < 0 {
            return call.unfit("the occurrence is at least 0");
        }
        let pattern = patterns.get(pattern)?;
        // Where nothing is replaced, it does not matter by what.
        let Some(by) = by.get(row) else {
            let found = nth_match(pattern, text, occurrence.max(1))?;
            return Ok(found.is_none().then(|| text.to_owned()));
        };
        let own;
        let by = match &constant {
            Some(constant) => constant,
            None => {
                own = Replacement::new(by);
                &own
            }
        };
        let mut out = String::with_capacity(text.len());
        let mut begin = 0;
        for (count, groups) in (1..).zip(pattern.groups_iter(text)) {
            let groups = groups?;
            if occurrence == 0 || occurrence == count {
                let found = groups.range();
                out.push_str(&text[begin..found.start]);
                by.write(&groups, &mut out);
                begin = found.end;
            }
            if occurrence == count {
                break;
            }
        }
        out.push_str(&text[begin..]);
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
        let text = &text[begin..];
        let found = nth_match(patterns.get(pattern)?, text, nth)?;
        Ok(found.map(|found| &text[found]))
    })
}

fn rlike(call: &Call) -> Result<ArrayRef> {
    let (text, pattern) = (call.text(0)?, call.text(1)?);
    let mut patterns = Patterns::default();
    call.booleans(|row| {
        let (text, pattern) = (known!(text.get(row)), known!(pattern.get(row)));
        patterns.get(pattern)?.is_match(text).map(Some)
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
            true => patterns.get(pattern)?.split(text)?,
            false => text.split(pattern).collect(),
        };
        if trims && !text.is_empty() {
            let kept = pieces.iter().rposition(|piece| !piece.is_empty());
            pieces.truncate(kept.map_or(0, |last| last + 1));
        }
        Ok(Some(pieces))
    })
}
