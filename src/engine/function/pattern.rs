//! A regular expression as MaxCompute has them, which are PCRE: by the engine that never goes back where that can, else
//! by one that does, within a bound. Manual page: "RLIKE", regular expressions.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use crate::error::{Error, Result};

/// How often a match may go back before it is given up.
const STEPS_MAX: usize = 1_000_000;
/// Distinct patterns kept per batch.
const PATTERNS_MAX: usize = 1000;

/// See the module.
pub(super) enum Pattern {
    Fast(regex::Regex),
    /// Has look-around, back references or atomic groups.
    Full(fancy_regex::Regex),
}

/// The groups of a match; group 0 is the whole.
pub(super) enum Groups<'t> {
    Fast(regex::Captures<'t>),
    Full(fancy_regex::Captures<'t, str>),
}

impl<'t> Groups<'t> {
    /// Returns the text of a group that took part in the match.
    pub(super) fn text(&self, group: usize) -> Option<&'t str> {
        match self {
            Self::Fast(groups) => groups.get(group).map(|group| group.as_str()),
            Self::Full(groups) => groups.get(group).map(|group| group.as_str()),
        }
    }

    /// Returns where the whole match is.
    pub(super) fn range(&self) -> Range<usize> {
        let whole = match self {
            Self::Fast(groups) => groups.get(0).map(|whole| whole.range()),
            Self::Full(groups) => groups.get(0).map(|whole| whole.range()),
        };
        whole.unwrap_or_default()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fast(pattern) => f.write_str(pattern.as_str()),
            Self::Full(pattern) => f.write_str(pattern.as_str()),
        }
    }
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// `0121011` where it is none.
    pub(super) fn new(pattern: &str) -> Result<Self> {
        if pattern.is_empty() {
            return Err(Error::regular_expression("the pattern is empty"));
        }
        let error = match regex::Regex::new(pattern) {
            Ok(made) => return Ok(Self::Fast(made)),
            Err(error) => error,
        };
        let full = fancy_regex::RegexBuilder::new(pattern)
            .backtrack_limit(STEPS_MAX)
            .build();
        full.map(Self::Full).map_err(|_| {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            let reason = reason.trim_start_matches("error: ");
            Error::regular_expression(format!("{pattern}: {reason}"))
        })
    }

    /// Returns how many groups the pattern has, the whole match among them.
    pub(super) fn group_count(&self) -> usize {
        match self {
            Self::Fast(pattern) => pattern.captures_len(),
            Self::Full(pattern) => pattern.captures_len(),
        }
    }

    fn given_up(&self) -> Error {
        Error::regular_expression(format!(
            "{self}: the match takes more than {STEPS_MAX} steps"
        ))
    }

    /// Returns whether the pattern matches somewhere.
    ///
    /// # Errors
    /// As [`Pattern::find_iter`].
    pub(super) fn is_match(&self, text: &str) -> Result<bool> {
        match self {
            Self::Fast(pattern) => Ok(pattern.is_match(text)),
            Self::Full(pattern) => pattern.is_match(text).map_err(|_| self.given_up()),
        }
    }

    /// Returns where the pattern matches.
    ///
    /// # Errors
    /// `0121011` where a match goes back too often.
    pub(super) fn find_iter<'t>(
        &'t self,
        text: &'t str,
    ) -> Box<dyn Iterator<Item = Result<Range<usize>>> + 't> {
        match self {
            Self::Fast(pattern) => Box::new(pattern.find_iter(text).map(|found| Ok(found.range()))),
            Self::Full(pattern) => Box::new(pattern.find_iter(text).map(|found| match found {
                Ok(found) => Ok(found.range()),
                Err(_) => Err(self.given_up()),
            })),
        }
    }

    /// Returns the matches with their groups.
    ///
    /// # Errors
    /// As [`Pattern::find_iter`].
    pub(super) fn groups_iter<'a, 't: 'a>(
        &'a self,
        text: &'t str,
    ) -> Box<dyn Iterator<Item = Result<Groups<'t>>> + 'a> {
        match self {
            Self::Fast(pattern) => Box::new(
                pattern
                    .captures_iter(text)
                    .map(|found| Ok(Groups::Fast(found))),
            ),
            Self::Full(pattern) => Box::new(pattern.captures_iter(text).map(|found| match found {
                Ok(found) => Ok(Groups::Full(found)),
                Err(_) => Err(self.given_up()),
            })),
        }
    }

    /// Returns what stands between the matches.
    ///
    /// # Errors
    /// As [`Pattern::find_iter`].
    pub(super) fn split<'t>(&self, text: &'t str) -> Result<Vec<&'t str>> {
        let mut pieces = Vec::new();
        let mut begin = 0;
        for found in self.find_iter(text) {
            let found = found?;
            pieces.push(&text[begin..found.start]);
            begin = found.end;
        }
        pieces.push(&text[begin..]);
        Ok(pieces)
    }
}

/// Patterns compiled once per batch.
#[derive(Default)]
pub(super) struct Patterns(HashMap<String, Pattern>);

impl Patterns {
    pub(super) fn get(&mut self, pattern: &str) -> Result<&Pattern> {
        if !self.0.contains_key(pattern) {
            let made = Pattern::new(pattern)?;
            if self.0.len() >= PATTERNS_MAX {
                self.0.clear();
            }
            self.0.insert(pattern.to_owned(), made);
        }
        Ok(&self.0[pattern])
    }
}

/// What matches are replaced by: `\1` is a group, other characters behind a backslash are themselves.
pub(super) struct Replacement(Vec<Part>);

enum Part {
    Text(String),
    Group(usize),
}

impl Replacement {
    pub(super) fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                plain.push(c);
                continue;
            }
            match chars.next() {
                Some(digit) if digit.is_ascii_digit() => {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                    parts.push(Part::Group(digit as usize - '0' as usize));
                }
                other => plain.push(other.unwrap_or('\\')),
            }
        }
        parts.push(Part::Text(plain));
        Self(parts)
    }

    pub(super) fn write(&self, groups: &Groups<'_>, out: &mut String) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Group(group) => out.push_str(groups.text(*group).unwrap_or_default()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_find_the_same() {
        // An empty look-ahead changes no match, and needs the engine that goes back.
        for pattern in [
            "a", "a*", "(a)(b)?", "^a", "a$", "[ab]+", "b|a", "\\d{2}", ".",
        ] {
            let (fast, full) = (
                Pattern::new(pattern),
                Pattern::new(&format!("(?:{pattern})(?=)")),
            );
            let (fast, full) = (fast.expect(pattern), full.expect(pattern));
            assert!(matches!(fast, Pattern::Fast(_)) && matches!(full, Pattern::Full(_)));
            for text in ["", "a", "abab", "bb12a34", "äaöa", "aaa"] {
                let all = |pattern: &Pattern| {
                    let groups = pattern.groups_iter(text);
                    groups
                        .map(|found| {
                            let found = found.expect(text);
                            (found.range(), found.text(1).map(str::to_owned))
                        })
                        .collect::<Vec<_>>()
                };
                assert_eq!(all(&fast), all(&full), "{pattern} in {text}");
                assert_eq!(fast.split(text).expect(text), full.split(text).expect(text));
                assert_eq!(
                    fast.is_match(text).expect(text),
                    full.is_match(text).expect(text)
                );
            }
        }
    }

    #[test]
    fn a_match_that_takes_too_long_is_given_up() {
        let pattern = Pattern::new("^(a|aa)+\\1\\1b$").expect("a pattern");
        let error = pattern.is_match(&"a".repeat(60)).expect_err("too long");
        assert!(error.to_string().contains("ODPS-0121011"), "{error}");
    }
}
