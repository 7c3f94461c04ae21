//! Turns the text of one statement into tokens. Comments are already gone (see `splitter`).

use std::borrow::Cow;

use super::token::{Token, TokenKind};
use crate::error::{Error, Result};

/// Whether a byte opens a string or a quoted identifier.
pub(super) fn is_quote(byte: u8) -> bool {
    matches!(byte, b'\'' | b'"' | b'`')
}

/// Whether `byte` inside `quote` takes the next byte with it.
pub(super) fn is_escaped(byte: u8, quote: u8) -> bool {
    byte == b'\\' && quote != b'`'
}

/// Marks of Chinese keyboards and what they stand for outside of quotes. All of them are three bytes long, and with blanks so are
/// their twins: places stay where they are.
const WIDE_MARKS: [(char, &str); 3] = [('（', "(  "), ('）', ")  "), ('，', ",  ")];

/// The text with plain marks for wide ones.
pub(super) fn with_plain_marks(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| WIDE_MARKS.iter().any(|(wide, _)| c == *wide)) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, WIDE_MARKS.iter().find(|(wide, _)| c == *wide)) {
            (None, Some((_, mark))) => {
                plain.push_str(mark);
                continue;
            }
            (None, None) if matches!(c, '\'' | '"' | '`') => quote = Some(c),
            (Some(open), _) if c == open => quote = None,
            (Some(open), _) if c == '\\' && open != '`' => {
                plain.push(c);
                plain.extend(chars.next());
                continue;
            }
            _ => {}
        }
        plain.push(c);
    }
    Cow::Owned(plain)
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Two-character marks; `<=>` has three, all others are one character.
const PAIRS: [&str; 8] = ["==", "<>", "!=", "<=", ">=", "||", "->", "::"];

/// Splits `text` into tokens.
///
/// # Errors
/// A string that is not closed, or an escape sequence that does not exist.
pub fn tokenize(text: &str) -> Result<Vec<Token<'_>>> {
    let mut tokens = Vec::with_capacity(text.len() / 5 + 4);
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (kind, end) = match c {
            '\'' | '"' => string(text, at, c)?,
            '`' => backquoted(text, at)?,
            '0'..='9' => number_or_word(text, at),
            '.' if begins_fraction(text, at, tokens.last()) => number_or_word(text, at),
            c if is_word_char(c) => (TokenKind::Word, word_end(text, at)),
            c => {
                let pair = text
                    .get(at..at + 2)
                    .is_some_and(|pair| PAIRS.contains(&pair));
                let length = match c {
                    '<' if text[at..].starts_with("<=>") => 3,
                    _ if pair => 2,
                    c => c.len_utf8(),
                };
                (TokenKind::Symbol, at + length)
            }
        };
        tokens.push(Token {
            kind,
            text: &text[at..end],
            at,
        });
        at = end;
    }
    Ok(tokens)
}

/// Whether a point begins a number such as `.5`: behind a name it stands between two names, `t.2020`.
fn begins_fraction(text: &str, at: usize, before: Option<&Token<'_>>) -> bool {
    let follows_name = before.is_some_and(|token| {
        token.at + token.text.len() == at
            && matches!(token.kind, TokenKind::Word | TokenKind::Quoted(_))
    });
    !follows_name && text[at + 1..].starts_with(|c: char| c.is_ascii_digit())
}

fn word_end(text: &str, start: usize) -> usize {
    text[start..]
        .find(|c| !is_word_char(c))
        .map_or(text.len(), |length| start + length)
}

fn string(text: &str, start: usize, quote: char) -> Result<(TokenKind, usize)> {
    let mut value = String::new();
    let mut chars = text[start + 1..].char_indices();
    while let Some((offset, c)) = chars.next() {
        let at = start + 1 + offset;
        if c == quote {
            return Ok((TokenKind::String(value), at + 1));
        }
        if c != '\\' {
            value.push(c);
            continue;
        }
        match chars.next().map(|(_, escaped)| escaped) {
            Some('b') => value.push('\u{8}'),
            Some('t') => value.push('\t'),
            Some('n') => value.push('\n'),
            Some('r') => value.push('\r'),
            Some('Z') => value.push('\u{1a}'),
            Some(digit @ '0'..='9') => {
                let octal: String = std::iter::once(digit)
                    .chain(
                        text[at + 2..]
                            .chars()
                            .take_while(char::is_ascii_digit)
                            .take(2),
                    )
                    .collect();
                let code = u8::from_str_radix(&octal, 8)
                    .ok()
                    .filter(|code| octal.len() == 3 && *code < 0x80);
                let Some(code) = code else {
                    return Err(Error::syntax(
                        at,
                        format!("unexpected escape sequence: {octal}"),
                    ));
                };
                value.push(char::from(code));
                chars.nth(1);
            }
            // LIKE patterns keep the escape of their wildcards.
            Some(wildcard @ ('%' | '_')) => value.extend(['\\', wildcard]),
            Some(other) => value.push(other),
            None => break,
        }
    }
    Err(Error::syntax(start, "string not closed"))
}

fn backquoted(text: &str, start: usize) -> Result<(TokenKind, usize)> {
    let mut value = String::new();
    let mut chars = text[start + 1..].char_indices().peekable();
    while let Some((offset, c)) = chars.next() {
        if c != '`' {
            value.push(c);
        } else if chars.peek().is_some_and(|(_, next)| *next == '`') {
            chars.next();
            value.push('`');
        } else {
            return Ok((TokenKind::Quoted(value), start + 1 + offset + 1));
        }
    }
    Err(Error::syntax(start, "identifier not closed"))
}

/// A number, or a word that begins with digits.
fn number_or_word(text: &str, start: usize) -> (TokenKind, usize) {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let mut end = digits(start);
    if bytes.get(end) == Some(&b'.')
        && !(bytes
            .get(end + 1)
            .is_some_and(|b| b.is_ascii_alphabetic() && *b != b'e'))
    {
        end = digits(end + 1);
    }
    if bytes
        .get(end)
        .is_some_and(|b| b.eq_ignore_ascii_case(&b'e'))
    {
        let sign = usize::from(bytes.get(end + 1).is_some_and(|b| matches!(b, b'+' | b'-')));
        if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            end = digits(end + 1 + sign);
        }
    }
    let suffix_end = word_end(text, end);
    let suffix = &text[end..suffix_end];
    let known = ["", "l", "s", "y", "bd", "f", "d"]
        .iter()
        .any(|known| suffix.eq_ignore_ascii_case(known));
    if known || text[start..end].contains('.') {
        let end = if known { suffix_end } else { end };
        return (TokenKind::Number, end);
    }
    (TokenKind::Word, suffix_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(TokenKind, &str)> {
        tokenize(text)
            .expect("valid")
            .into_iter()
            .map(|token| (token.kind, token.text))
            .collect()
    }

    #[test]
    fn words_numbers_strings_and_symbols() {
        use TokenKind::{Number, Quoted, String, Symbol, Word};
        assert_eq!(
            kinds("a1 2020_x 10 1.5 .5 1e3 10L 3.5BD 'x' \"y\" `a``b` <> ("),
            [
                (Word, "a1"),
                (Word, "2020_x"),
                (Number, "10"),
                (Number, "1.5"),
                (Number, ".5"),
                (Number, "1e3"),
                (Number, "10L"),
                (Number, "3.5BD"),
                (String("x".into()), "'x'"),
                (String("y".into()), "\"y\""),
                (Quoted("a`b".into()), "`a``b`"),
                (Symbol, "<>"),
                (Symbol, "("),
            ]
        );
    }

    #[test]
    fn wide_marks_outside_of_quotes_are_plain() {
        let text = "f（'（，\\'）', \"，\"，`）`）";
        let plain = with_plain_marks(text);
        assert_eq!(plain, "f(  '（，\\'）', \"，\",  `）`)  ");
        assert_eq!(plain.len(), text.len());
    }

    #[test]
    fn escapes_of_strings() {
        let value = |text: &str| match tokenize(text).expect("valid").remove(0).kind {
            TokenKind::String(value) => value,
            other => panic!("{other:?}"),
        };
        assert_eq!(value(r"'a\tb\\d\'\073\%'"), "a\tb\\d';\\%");
        let error = tokenize(r"select 'a\01b'").expect_err("two octal digits");
        assert_eq!(
            error.to_string(),
            "ODPS-0130161:Parse exception - unexpected escape sequence: 01"
        );
        assert!(tokenize("'abc").is_err());
        assert!(tokenize("`abc").is_err());
        assert!(tokenize("'abc\\").is_err());
    }

    #[test]
    fn any_text_gives_tokens_or_an_error() {
        proptest::proptest!(|(text in ".{0,60}")| {
            if let Ok(tokens) = tokenize(&text) {
                for token in tokens {
                    assert_eq!(&text[token.at..token.at + token.text.len()], token.text);
                }
            }
        });
    }
}
