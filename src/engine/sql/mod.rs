//! MaxCompute's SQL for the planner: our tokens, a dialect of DataFusion's parser, one pass over the
//! parsed query.

mod branches;
pub(super) mod build;
mod chosen;
mod dialect;
mod from_first;
mod function;
mod grouping;
mod heading;
mod keywords;
mod lambda;
mod lateral;
mod relation;
mod rewrite;
mod rows;
mod tokens;
mod version;
mod window;

use datafusion::sql::sqlparser::ast::Query;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

pub(super) use build::PLAIN_MARK;
pub(super) use chosen::CHOSEN_MARK;
pub(super) use heading::Headings;
pub(super) use relation::{EXCEPT_ALL_MARK, INTERSECT_ALL_MARK, LATERAL_MARK};
pub(super) use rewrite::{Rewriting, rewrite};
pub(super) use version::split_point;

use crate::ast::{At, Fragment};
use crate::error::{Error, Result};

/// Deepest nesting of a query.
const NESTING_MAX: usize = 120;
/// Most branches of set operations, as the service has it.
const BRANCHES_MAX: usize = 256;
/// Most operators in a row.
const CHAIN_MAX: usize = 1000;
/// An arithmetic operator counts as so many: planning a chain of them takes the third power of its length.
const ARITHMETIC: usize = 4;

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
    check_chains(&tokens)?;
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

/// Refuses chains of operators that are longer than anybody can compute with: each link is a level of the tree.
fn check_chains(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut sets = 0;
    // The links of the chain at each level of parentheses.
    let mut chains = vec![0usize];
    // Each CASE that has no END yet. The parser would try every reading of the others for each of them.
    let mut cases: Vec<usize> = Vec::new();
    let mut before = &Token::EOF;
    for token in tokens {
        let at = || tokens::offset(token.span.start);
        match &token.token {
            Token::LParen | Token::LBracket => chains.push(0),
            Token::RParen | Token::RBracket => {
                chains.pop();
                if chains.is_empty() {
                    chains.push(0);
                }
            }
            Token::Word(word) if word.quote_style.is_none() => match word.keyword {
                Keyword::UNION | Keyword::INTERSECT | Keyword::EXCEPT | Keyword::MINUS => {
                    sets += 1;
                    if sets >= BRANCHES_MAX {
                        return Err(Error::semantic(format!(
                            "a query has at most {BRANCHES_MAX} branches of UNION, INTERSECT and EXCEPT"
                        ))
                        .at(at()));
                    }
                    chains.fill(0);
                }
                Keyword::CASE if *before != Token::Period => cases.push(at()),
                Keyword::END if *before != Token::Period => drop(cases.pop()),
                Keyword::AND | Keyword::OR => *chains.last_mut().expect("never empty") += 1,
                Keyword::SELECT
                | Keyword::FROM
                | Keyword::WHERE
                | Keyword::HAVING
                | Keyword::WHEN
                | Keyword::THEN
                | Keyword::ELSE => *chains.last_mut().expect("never empty") = 0,
                _ => {}
            },
            Token::Comma => *chains.last_mut().expect("never empty") = 0,
            Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod => {
                *chains.last_mut().expect("never empty") += ARITHMETIC
            }
            Token::StringConcat | Token::Pipe | Token::Ampersand | Token::Caret => {
                *chains.last_mut().expect("never empty") += 1;
            }
            _ => {}
        }
        if chains.last().is_some_and(|links| *links > CHAIN_MAX) {
            return Err(Error::semantic(format!(
                "an expression has more than {} arithmetic operators, or {CHAIN_MAX} others, in a row",
                CHAIN_MAX / ARITHMETIC
            ))
            .at(at()));
        }
        before = &token.token;
    }
    match cases.pop() {
        Some(at) => Err(Error::syntax(at, "CASE is not closed by END")),
        None => Ok(()),
    }
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
