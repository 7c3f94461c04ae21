//! MaxCompute's SQL for the planner: our tokens, a dialect of DataFusion's parser, one pass over the
//! parsed query.

pub(super) mod build;
mod dialect;
mod function;
mod lambda;
mod relation;
mod rewrite;
mod tokens;
mod version;
mod window;

use datafusion::sql::sqlparser::ast::Query;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

pub(super) use build::PLAIN_MARK;
pub(super) use relation::{EXCEPT_ALL_MARK, INTERSECT_ALL_MARK, LATERAL_MARK};
pub(super) use rewrite::{Rewriting, rewrite};
pub(super) use version::split_point;

use crate::ast::{At, Fragment};
use crate::error::{Error, Result};

/// Deepest nesting of a query.
const NESTING_MAX: usize = 120;

/// Reads a query of our own.
fn parse_own(text: &str) -> Query {
    let fragment = Fragment {
        text: text.to_owned(),
        at: At(0),
    };
    parse(&[fragment]).expect("the query is a constant")
}

/// Reads a query. Places in errors are byte offsets in the statement that holds its fragments.
pub(super) fn parse(fragments: &[Fragment]) -> Result<Query> {
    let tokens = tokens::tokens(fragments)?;
    let begin = fragments.first().map_or(0, |first| first.at.0);
    let end = fragments
        .last()
        .map_or(0, |last| last.at.0 + last.text.trim_end().len());
    let mut parser = Parser::new(&dialect::OdpsDialect)
        .with_recursion_limit(NESTING_MAX)
        .with_tokens_with_locations(tokens);
    let query = parser
        .parse_query()
        .map_err(|error| syntax_error(&error, begin, end))?;
    let rest = parser.peek_token_ref();
    if rest.token != Token::EOF {
        let at = tokens::offset(rest.span.start);
        return Err(Error::syntax(
            at,
            format!("invalid token '{}'", shown(&rest.token.to_string())),
        ));
    }
    Ok(*query)
}

fn syntax_error(error: &ParserError, begin: usize, end: usize) -> Error {
    let message = match error {
        ParserError::RecursionLimitExceeded => {
            return Error::syntax(begin, "the query is nested too deeply");
        }
        ParserError::ParserError(message) | ParserError::TokenizerError(message) => message,
    };
    let number_after = |label: &str| {
        let rest = message.rsplit_once(label)?.1;
        rest.trim_start()
            .split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse::<usize>()
            .ok()
    };
    let at = number_after("Column:").map_or(end, |column| column.saturating_sub(1));
    let found = message
        .rsplit_once("found: ")
        .map(|(_, rest)| rest.split(" at Line").next().unwrap_or(rest));
    match found {
        Some("EOF") => Error::syntax(end, "invalid token ';', the query ends too early"),
        Some(token) => Error::syntax(at, format!("invalid token '{}'", shown(token))),
        None if message.starts_with(dialect::REFUSED) => Error::syntax(
            at,
            message[dialect::REFUSED.len()..]
                .split(" at Line")
                .next()
                .unwrap_or_default(),
        ),
        None => Error::syntax(at.min(end), "invalid query"),
    }
}

fn shown(token: &str) -> String {
    token.chars().take(40).collect()
}
