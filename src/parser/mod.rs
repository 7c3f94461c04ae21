//! Text to statements: a splitter, a lexer, and nom's combinators over the tokens.
//!
//! Knows no catalog and no terminal. Never panics: an error is a value with a place. The grammar is
//! written down in `grammar/*.ebnf`, which the tests read.

mod access;
mod alter;
mod change;
mod command;
mod common;
mod ddl;
mod dml;
mod history;
mod lexer;
mod splitter;
mod token;
mod unsupported;
mod view;

use nom::Parser;
use nom::branch::alt;

pub use access::masked;
pub use lexer::tokenize;
pub use splitter::{STATEMENT_MAX, SplitError, Splitter};
use token::{Parsed, Progress, Tokens};
pub use token::{Token, TokenKind};

use crate::ast::{Literal, Statement};
use crate::datatype::DataType;
use crate::error::{Error, Result};

/// Parses one statement, without its `;`.
///
/// # Errors
/// A syntax error names the farthest place the parser came to and what would have fitted there. A
/// statement odpsh does not know is refused by name.
pub fn parse(text: &str) -> Result<Statement> {
    let text = &*lexer::with_plain_marks(text);
    let tokens = lexer::tokenize(text)?;
    let progress = Progress::default();
    let input = Tokens::new(text, &tokens, &progress);
    match statement(input) {
        Ok((rest, statement)) if rest.first().is_none() => Ok(statement),
        outcome => {
            if let Some(error) = progress.fatal.take() {
                return Err(error);
            }
            if let Some(name) = unsupported::name(&tokens) {
                return Err(Error::not_supported(name));
            }
            if let Ok((rest, _)) = outcome {
                let _: Parsed<'_, ()> = rest.expected("the end of the statement");
            }
            Err(syntax_error(text, &tokens, &progress))
        }
    }
}

/// Parses a column type such as `map<string,array<bigint>>`.
pub fn parse_type(text: &str) -> Result<DataType> {
    let tokens = lexer::tokenize(text)?;
    let progress = Progress::default();
    match ddl::data_type(Tokens::new(text, &tokens, &progress)) {
        Ok((rest, data_type)) if rest.first().is_none() => Ok(data_type),
        _ => match progress.fatal.take() {
            Some(error) => Err(error),
            None => Err(Error::syntax(
                0,
                format!("invalid type '{}'", common::shown(text)),
            )),
        },
    }
}

/// Parses a literal such as `'x'` or `-1.5BD`.
pub fn parse_literal(text: &str) -> Result<Literal> {
    let tokens = lexer::tokenize(text)?;
    let progress = Progress::default();
    match dml::literal(Tokens::new(text, &tokens, &progress)) {
        Ok((rest, literal)) if rest.first().is_none() => Ok(literal),
        _ => Err(Error::syntax(
            0,
            format!("invalid literal '{}'", common::shown(text)),
        )),
    }
}

fn statement(input: Tokens<'_>) -> Parsed<'_, Statement> {
    alt((
        alt((
            dml::insert,
            dml::shared_insert,
            dml::select,
            dml::read,
            dml::explain,
            dml::load,
            change::update,
            change::delete,
            change::merge,
        )),
        alt((
            history::show_history,
            history::restore,
            history::undo,
            history::purge,
            history::show_recycle_bin,
            ddl::create_table,
            ddl::create_view,
            ddl::drop_table,
            ddl::drop_view,
            ddl::truncate,
            ddl::clone_table,
            alter::alter_table,
            view::alter_view,
        )),
        alt((
            access::access,
            command::set_project,
            command::set,
            command::use_project,
            command::show_tables,
            command::show_partitions,
            command::show_views,
            command::show_columns,
            command::show_create_table,
            command::show_properties,
            command::show_functions,
            command::describe,
            command::analyze,
            command::help,
            command::quit,
        )),
    ))
    .parse(input)
}

const EXPECTED_SHOWN: usize = 4;

fn syntax_error(text: &str, tokens: &[Token<'_>], progress: &Progress) -> Error {
    let (found, mut expected) = progress.farthest(tokens);
    let at = found.map_or(text.len(), |token| token.at);
    let shown = found.map_or(";".to_owned(), |token| common::shown(token.text));
    let near = found
        .filter(|token| token.kind == TokenKind::Word)
        .and_then(|token| nearest(token.text, &expected));
    let begin = found.is_some_and(|token| token.at == tokens[0].at);
    let wish = if begin || expected.is_empty() {
        String::new()
    } else {
        let more = expected.len() > EXPECTED_SHOWN;
        expected.truncate(EXPECTED_SHOWN);
        format!(
            ", expected {}{}",
            alternatives(&expected, more),
            if more { ", …" } else { "" }
        )
    };
    let mut error = Error::syntax(at, format!("invalid token '{shown}'{wish}"));
    if let Some(near) = near {
        error = error.hint(format!("did you mean {near}?"));
    }
    match progress.context.get() {
        Some(context) if !begin => error.hint(format!("while parsing {context}")),
        _ => error,
    }
}

fn alternatives(words: &[&str], more: bool) -> String {
    match words.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, before)) if !more => format!("{} or {last}", before.join(", ")),
        _ => words.join(", "),
    }
}

/// The expected keyword that differs from `word` by one slip of the fingers or two.
fn nearest(word: &str, expected: &[&'static str]) -> Option<&'static str> {
    let word = word.to_ascii_uppercase();
    let keyword = |candidate: &&&str| {
        candidate.len() > 2 && candidate.bytes().all(|b| b.is_ascii_uppercase())
    };
    let closest = expected
        .iter()
        .filter(keyword)
        .map(|candidate| (distance(&word, candidate), *candidate))
        .min()?;
    let limit = if closest.1.len() > 4 { 2 } else { 1 };
    (1..=limit).contains(&closest.0).then_some(closest.1)
}

fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<u8>, Vec<u8>) = (a.bytes().take(32).collect(), b.bytes().collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
