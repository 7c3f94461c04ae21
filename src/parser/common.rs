//! The combinators every statement family uses.

use nom::combinator::{cut, opt};
use nom::multi::separated_list1;
use nom::sequence::{delimited, preceded, separated_pair};
use nom::{Input, Parser};

use super::token::{Parsed, TokenKind, Tokens};
use crate::ast::{At, Fragment, Name, ObjectName, PartitionSpec};
use crate::error::Error;

/// One keyword, in any letter case.
pub(super) fn keyword<'a>(word: &'static str) -> impl Fn(Tokens<'a>) -> Parsed<'a, ()> + Clone {
    move |input| match input.first() {
        Some(token) if token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case(word) => {
            input.accept(())
        }
        _ => input.expected(word),
    }
}

/// Keywords in a row.
pub(super) fn keywords<'a>(
    words: &'static [&'static str],
) -> impl Fn(Tokens<'a>) -> Parsed<'a, ()> + Clone {
    move |mut input| {
        for word in words {
            input = keyword(word)(input)?.0;
        }
        Ok((input, ()))
    }
}

/// Whether optional keywords are there.
pub(super) fn flag<'a>(
    words: &'static [&'static str],
) -> impl Fn(Tokens<'a>) -> Parsed<'a, bool> + Clone {
    move |input| {
        opt(keywords(words))
            .map(|found| found.is_some())
            .parse(input)
    }
}

/// One mark such as `(`.
pub(super) fn symbol<'a>(mark: &'static str) -> impl Fn(Tokens<'a>) -> Parsed<'a, ()> + Clone {
    move |input| match input.first() {
        Some(token) if token.kind == TokenKind::Symbol && token.text == mark => input.accept(()),
        _ => input.expected(mark),
    }
}

/// `( item, item, … )`.
pub(super) fn parenthesized<'a, T, P>(
    item: P,
) -> impl Parser<Tokens<'a>, Output = Vec<T>, Error = super::token::Failed>
where
    P: Parser<Tokens<'a>, Output = T, Error = super::token::Failed>,
{
    delimited(symbol("("), separated_list1(symbol(","), item), symbol(")"))
}

/// A string literal; adjacent ones are one.
pub(super) fn string(input: Tokens<'_>) -> Parsed<'_, String> {
    let (mut rest, mut value) = one_string(input)?;
    while let Some(TokenKind::String(more)) = rest.first().map(|token| &token.kind) {
        value.push_str(more);
        rest = rest.accept(())?.0;
    }
    Ok((rest, value))
}

fn one_string(input: Tokens<'_>) -> Parsed<'_, String> {
    match input.first().map(|token| &token.kind) {
        Some(TokenKind::String(value)) => input.accept(value.clone()),
        _ => input.expected("a string"),
    }
}

/// The text of a number.
pub(super) fn number(input: Tokens<'_>) -> Parsed<'_, &str> {
    match input.first() {
        Some(token) if token.kind == TokenKind::Number => input.accept(token.text),
        _ => input.expected("a number"),
    }
}

/// An identifier, lower-cased.
pub(super) fn name(input: Tokens<'_>) -> Parsed<'_, Name> {
    let Some(token) = input.first() else {
        return input.expected("a name");
    };
    let at = At(token.at);
    match &token.kind {
        TokenKind::Word => input.accept(Name {
            text: token.text.to_lowercase(),
            at,
        }),
        TokenKind::Quoted(text) if !text.is_empty() => input.accept(Name {
            text: text.to_lowercase(),
            at,
        }),
        // `create table 2020(a string)`: a name may be all digits.
        TokenKind::Number if token.text.bytes().all(|b| b.is_ascii_alphanumeric()) => {
            input.accept(Name {
                text: token.text.to_lowercase(),
                at,
            })
        }
        _ => input.expected("a name"),
    }
}

const OBJECT_NAME_MAX: usize = 128;
const COMMENT_MAX: usize = 1024;

/// `[project.]name`, each part of letters, digits and `_`, at most 128 bytes.
pub(super) fn object_name(input: Tokens<'_>) -> Parsed<'_, ObjectName> {
    let (rest, first) = name(input)?;
    let (rest, second) = opt(preceded(symbol("."), cut(name))).parse(rest)?;
    if rest.first().is_some_and(|token| token.text == ".") {
        return rest.fatal(
            Error::not_supported("names with a schema, project.schema.table").at(input.at()),
        );
    }
    let object = match second {
        None => ObjectName {
            project: None,
            name: first,
        },
        Some(second) => ObjectName {
            project: Some(first),
            name: second,
        },
    };
    for part in object.project.iter().chain([&object.name]) {
        if let Some(problem) = name_problem(&part.text) {
            return input.fatal(Error::syntax(
                part.at.0,
                format!("invalid name '{}': {problem}", shown(&part.text)),
            ));
        }
    }
    Ok((rest, object))
}

/// `COMMENT '…'`, at most [`COMMENT_MAX`] bytes.
pub(super) fn comment_text(input: Tokens<'_>) -> Parsed<'_, String> {
    let (rest, text) = preceded(keyword("COMMENT"), cut(string)).parse(input)?;
    match text.len() > COMMENT_MAX {
        true => input.fatal(Error::semantic(format!(
            "the comment is longer than {COMMENT_MAX} bytes"
        ))),
        false => Ok((rest, text)),
    }
}

/// Why a text cannot name a table, a column or a project.
pub(super) fn name_problem(text: &str) -> Option<&'static str> {
    if text.len() > OBJECT_NAME_MAX {
        Some("it is longer than 128 bytes")
    } else if !text.chars().all(|c| c.is_alphanumeric() || c == '_') {
        Some("a name has letters, digits and '_' only")
    } else {
        None
    }
}

/// A token's text for a message: short, without control characters.
pub(super) fn shown(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut out: String = text
        .chars()
        .take(SHOWN)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        out.push('…');
    }
    // Quotes need no escape here.
    out.replace("\\'", "'").replace("\\\"", "\"")
}

/// `PARTITION (a='x', b=1)`.
pub(super) fn partition_spec(input: Tokens<'_>) -> Parsed<'_, PartitionSpec> {
    let at = At(input.at());
    let (rest, ()) = keyword("PARTITION")(input)?;
    let (rest, values) = spec_values(rest)?;
    Ok((rest, PartitionSpec { values, at }))
}

/// `(a='x', b=1)`; no column twice.
pub(super) fn spec_values(input: Tokens<'_>) -> Parsed<'_, Vec<(Name, String)>> {
    let (rest, values) =
        parenthesized(separated_pair(name, symbol("="), spec_value)).parse(input)?;
    for (position, (column, _)) in values.iter().enumerate() {
        if values[..position]
            .iter()
            .any(|(earlier, _)| earlier.text == column.text)
        {
            let detail = format!("partition column {} is given twice", column.text);
            return input.fatal(Error::semantic(detail).at(column.at.0));
        }
    }
    Ok((rest, values))
}

pub(super) fn spec_value(input: Tokens<'_>) -> Parsed<'_, String> {
    match input.first().map(|token| &token.kind) {
        Some(TokenKind::String(_)) => string(input),
        Some(TokenKind::Number) => number.map(str::to_owned).parse(input),
        Some(TokenKind::Symbol) if input.first().is_some_and(|token| token.text == "-") => {
            preceded(symbol("-"), number)
                .map(|digits| format!("-{digits}"))
                .parse(input)
        }
        _ => input.expected("a partition value"),
    }
}

/// A piece of SQL for the engine: up to one of the keywords `stops`, or with `at_comma` a comma, outside of
/// parentheses and CASE; at least one token.
pub(super) fn fragment<'a>(
    stops: &'static [&'static str],
    at_comma: bool,
) -> impl Fn(Tokens<'a>) -> Parsed<'a, Fragment> + Clone {
    move |input| {
        // What is open here; a column may be named `end`, and an alias `case`.
        let mut open = Vec::new();
        let mut count = 0usize;
        for token in input.rest() {
            let is =
                |word: &str| token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case(word);
            let is_mark = |mark: &str| token.kind == TokenKind::Symbol && token.text == mark;
            if open.is_empty()
                && (stops.iter().any(|stop| is(stop)) || is_mark(")") || (at_comma && is_mark(",")))
            {
                break;
            }
            if is_mark("(") {
                open.push(")");
            } else if is_mark("[") {
                open.push("]");
            } else if is("CASE") {
                open.push("END");
            } else if is("END") {
                open.pop_if(|closing| *closing == "END");
            } else if is_mark(")") || is_mark("]") {
                match open.iter().rposition(|closing| *closing == token.text) {
                    Some(opened) => open.truncate(opened),
                    None => {
                        let detail =
                            format!("invalid token '{0}', nothing it closes is open", token.text);
                        return input.fatal(Error::syntax(token.at, detail));
                    }
                }
            }
            count += 1;
        }
        let Some(last) = count.checked_sub(1).and_then(|last| input.rest().get(last)) else {
            return input.expected("an expression");
        };
        let end = last.at + last.text.len();
        let text = input.statement[input.at()..end].to_owned();
        let at = At(input.at());
        Ok((input.take_from(count), Fragment { text, at }))
    }
}

/// `'key'='value'`.
pub(super) fn property(input: Tokens<'_>) -> Parsed<'_, (String, String)> {
    separated_pair(string, symbol("="), string).parse(input)
}

/// The text from here to the end of the statement.
pub(super) fn rest_of_text(input: Tokens<'_>) -> (Tokens<'_>, &str) {
    (input.end(), &input.statement[input.at()..])
}
