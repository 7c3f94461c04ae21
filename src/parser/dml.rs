//! INSERT and queries. Manual pages: "INSERT INTO and INSERT OVERWRITE", "VALUES", "SELECT".

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::multi::separated_list1;
use nom::sequence::preceded;

use super::common::{
    keyword, name, number, object_name, parenthesized, partition_spec, rest_of_text, string, symbol,
};
use super::token::{Parsed, TokenKind, Tokens};
use crate::ast::{At, Insert, Literal, Query, Source, Statement};
use crate::error::Error;

const QUERY_WORDS: [&str; 4] = ["SELECT", "WITH", "FROM", "VALUES"];

/// `INSERT INTO|OVERWRITE [TABLE] t [PARTITION(…)] [(cols)] VALUES … | SELECT …`.
pub(super) fn insert(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keyword("INSERT")(input)?;
    rest.enter("INSERT");
    let mode = alt((
        keyword("INTO").map(|()| false),
        keyword("OVERWRITE").map(|()| true),
    ));
    let (rest, (overwrite, _, table)) = (mode, opt(keyword("TABLE")), object_name).parse(rest)?;
    let dynamic = dynamic_partition(rest);
    if let Some(at) = dynamic {
        return rest.fatal(Error::not_supported("INSERT with dynamic partitions").at(at));
    }
    let (rest, partition) = opt(partition_spec).parse(rest)?;
    let is_query = |token: &super::token::Token<'_>| {
        QUERY_WORDS[..3]
            .iter()
            .any(|word| token.text.eq_ignore_ascii_case(word))
    };
    let parenthesized_query = rest.first().is_some_and(|token| token.text == "(")
        && rest.rest().get(1).is_some_and(is_query);
    let (rest, columns) = if parenthesized_query {
        (rest, None)
    } else {
        opt(parenthesized(name)).parse(rest)?
    };
    let (rest, source) = alt((literals, query_source)).parse(rest)?;
    Ok((
        rest,
        Statement::Insert(Insert {
            overwrite,
            table,
            partition,
            columns,
            source,
        }),
    ))
}

/// Where a `PARTITION(ds)` without a value stands.
fn dynamic_partition(input: Tokens<'_>) -> Option<usize> {
    keyword("PARTITION")(input).ok()?;
    let tokens = input.rest();
    let end = tokens.iter().position(|token| token.text == ")")?;
    let inside = &tokens[2..end.max(2)];
    let mut parts = inside.split(|token| token.text == ",");
    parts
        .find(|part| matches!(part, [only] if only.kind != TokenKind::Symbol))
        .map(|part| part[0].at)
}

fn query_source(input: Tokens<'_>) -> Parsed<'_, Source> {
    query(input).map(|(rest, query)| (rest, Source::Query(query)))
}

/// A statement that is a query.
pub(super) fn select(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, query) = query(input)?;
    Ok((rest, Statement::Query(query)))
}

/// The extent of a query: everything to the end of the statement. The engine parses it.
fn query(input: Tokens<'_>) -> Parsed<'_, Query> {
    let opened = input.rest().iter().find(|token| token.text != "(");
    let begins = opened.is_some_and(|token| {
        token.kind == TokenKind::Word
            && QUERY_WORDS
                .iter()
                .any(|word| token.text.eq_ignore_ascii_case(word))
    });
    if !begins {
        return input.expected("SELECT");
    }
    input.enter("a query");
    let mut open = Vec::new();
    for token in input
        .rest()
        .iter()
        .filter(|token| token.kind == TokenKind::Symbol)
    {
        match token.text {
            "(" => open.push(token.at),
            ")" if open.pop().is_none() => {
                return input.fatal(Error::syntax(
                    token.at,
                    "invalid token ')', no parenthesis is open",
                ));
            }
            _ => {}
        }
    }
    if let Some(at) = open.pop() {
        return input.fatal(Error::syntax(at, "invalid token '(', it is not closed"));
    }
    let inserted = input
        .rest()
        .iter()
        .find(|token| token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case("INSERT"));
    if let Some(token) = inserted {
        let name = if input
            .first()
            .is_some_and(|t| t.text.eq_ignore_ascii_case("FROM"))
        {
            "FROM … INSERT (multi-insert)"
        } else {
            "WITH … INSERT"
        };
        return input.fatal(Error::not_supported(name).at(token.at));
    }
    let at = At(input.at());
    let (rest, text) = rest_of_text(input);
    Ok((
        rest,
        Query {
            text: text.to_owned(),
            at,
        },
    ))
}

/// `VALUES (…), (…)` where every item is a literal; anything else is left to the engine.
fn literals(input: Tokens<'_>) -> Parsed<'_, Source> {
    let at = At(input.at());
    let (rest, ()) = keyword("VALUES")(input)?;
    let (rest, rows) = separated_list1(symbol(","), parenthesized(literal)).parse(rest)?;
    if let Some(token) = rest.first() {
        // More than literals: `VALUES (1) LIMIT 1`, or a row that goes on as an expression.
        let _ = token;
        return rest.expected(",");
    }
    Ok((rest, Source::Literals { rows, at }))
}

fn literal(input: Tokens<'_>) -> Parsed<'_, Literal> {
    let Some(token) = input.first() else {
        return input.expected("a value");
    };
    match &token.kind {
        TokenKind::String(_) => string.map(Literal::String).parse(input),
        TokenKind::Number => match number_literal(token.text, false) {
            Some(literal) => input.accept(literal),
            None => input.expected("a value"),
        },
        TokenKind::Symbol if token.text == "-" => {
            let (rest, text) = preceded(symbol("-"), number).parse(input)?;
            match number_literal(text, true) {
                Some(literal) => Ok((rest, literal)),
                None => input.expected("a value"),
            }
        }
        TokenKind::Word => {
            let typed =
                |word, make: fn(String) -> Literal| preceded(keyword(word), cut(string)).map(make);
            alt((
                keyword("NULL").map(|()| Literal::Null),
                keyword("TRUE").map(|()| Literal::Boolean(true)),
                keyword("FALSE").map(|()| Literal::Boolean(false)),
                typed_if_string("DATE", typed("DATE", Literal::Date)),
                typed_if_string("DATETIME", typed("DATETIME", Literal::Datetime)),
                typed_if_string("TIMESTAMP", typed("TIMESTAMP", Literal::Timestamp)),
            ))
            .parse(input)
        }
        TokenKind::Quoted(_) | TokenKind::Symbol => input.expected("a value"),
    }
}

/// `DATE'…'` is a literal, `DATE(…)` a function.
fn typed_if_string<'a, P>(
    word: &'static str,
    mut parser: P,
) -> impl FnMut(Tokens<'a>) -> Parsed<'a, Literal>
where
    P: Parser<Tokens<'a>, Output = Literal, Error = super::token::Failed>,
{
    move |input| match input.rest().get(1).map(|token| &token.kind) {
        Some(TokenKind::String(_)) => parser.parse(input),
        _ => input.expected(word),
    }
}

/// A number as written, its suffix turned into the kind of literal.
fn number_literal(text: &str, negative: bool) -> Option<Literal> {
    let lower = text.to_ascii_lowercase();
    let digits_end =
        lower.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | 'e' | '+' | '-'));
    let (digits, suffix) = lower.split_at(digits_end.unwrap_or(lower.len()));
    let digits = if negative {
        format!("-{digits}")
    } else {
        digits.to_owned()
    };
    match suffix {
        "" if digits.contains(['.', 'e']) => Some(Literal::Double(digits)),
        "" | "l" | "s" | "y" => Some(Literal::Integer(digits)),
        "f" | "d" => Some(Literal::Double(digits)),
        "bd" => Some(Literal::Decimal(digits)),
        _ => None,
    }
}
