//! INSERT, LOAD and queries. Manual pages: "INSERT INTO and INSERT OVERWRITE", "VALUES", "MULTI INSERT",
//! "LOAD", "SELECT".

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::multi::separated_list1;
use nom::sequence::preceded;

use super::common::{
    flag, fragment, keyword, keywords, name, number, object_name, parenthesized, partition_spec,
    property, rest_of_text, spec_value, string, symbol,
};
use super::ddl::count;
use super::token::{Parsed, TokenKind, Tokens};
use crate::ast::{
    At, FileFormat, Fragment, Insert, InsertSpec, InsertTarget, Literal, Load, MultiInsert, Query,
    Read, Source, Statement,
};
use crate::error::Error;

const QUERY_WORDS: [&str; 4] = ["SELECT", "WITH", "FROM", "VALUES"];

/// `INSERT INTO|OVERWRITE [TABLE] t [PARTITION(…)] [(cols)] VALUES … | SELECT …`.
pub(super) fn insert(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, target) = insert_target(input)?;
    let (rest, source) = alt((literals, query_source)).parse(rest)?;
    Ok((rest, Statement::Insert(Insert { target, source })))
}

/// An INSERT up to what it inserts.
fn insert_target(input: Tokens<'_>) -> Parsed<'_, InsertTarget> {
    let (rest, ()) = keyword("INSERT")(input)?;
    rest.enter("INSERT");
    let mode = alt((
        keyword("INTO").map(|()| false),
        keyword("OVERWRITE").map(|()| true),
    ));
    let (rest, (overwrite, _, table)) = (mode, opt(keyword("TABLE")), object_name).parse(rest)?;
    let (rest, partition) = opt(insert_spec).parse(rest)?;
    let (rest, if_not_exists) = flag(&["IF", "NOT", "EXISTS"])(rest)?;
    let is_query = |token: &super::token::Token<'_>| {
        QUERY_WORDS[..3]
            .iter()
            .any(|word| token.text.eq_ignore_ascii_case(word))
    };
    let opens = |n: usize| rest.rest().get(n).is_some_and(|token| token.text == "(");
    let parenthesized_query = opens(0) && (opens(1) || rest.rest().get(1).is_some_and(is_query));
    let (rest, columns) = if parenthesized_query {
        (rest, None)
    } else {
        opt(parenthesized(name)).parse(rest)?
    };
    Ok((
        rest,
        InsertTarget {
            overwrite,
            table,
            partition,
            if_not_exists,
            columns,
        },
    ))
}

/// `PARTITION(a='x', b)`.
pub(super) fn insert_spec(input: Tokens<'_>) -> Parsed<'_, InsertSpec> {
    let at = At(input.at());
    let (rest, ()) = keyword("PARTITION")(input)?;
    let value = (name, opt(preceded(symbol("="), cut(spec_value))));
    let (rest, values) = parenthesized(value).parse(rest)?;
    for (position, (column, _)) in values.iter().enumerate() {
        let earlier = &values[..position];
        if earlier.iter().any(|(other, _)| other.text == column.text) {
            let detail = format!("partition column {} is given twice", column.text);
            return input.fatal(Error::semantic(detail).at(column.at.0));
        }
    }
    Ok((rest, InsertSpec { values, at }))
}

/// `WITH … INSERT … SELECT …` and `FROM … INSERT … SELECT … INSERT … SELECT …`.
pub(super) fn shared_insert(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let begins = |word: &str| {
        input
            .first()
            .is_some_and(|token| token.text.eq_ignore_ascii_case(word))
    };
    let is_from = begins("FROM");
    if !is_from && !begins("WITH") {
        return input.expected("SELECT");
    }
    let (rest, shared) = fragment(&["INSERT"], false)(input)?;
    if rest.first().is_none() {
        return rest.expected("INSERT");
    }
    if !is_from {
        let (rest, target) = insert_target(rest)?;
        let (rest, own) = cut(query).parse(rest)?;
        let mut fragments = vec![shared];
        fragments.extend(own.fragments);
        let source = Source::Query(Query { fragments });
        return Ok((rest, Statement::Insert(Insert { target, source })));
    }
    let mut rest = rest;
    let mut branches = Vec::new();
    while rest.first().is_some() {
        let (after, target) = insert_target(rest)?;
        let (after, own) = cut(fragment(&["INSERT"], false)).parse(after)?;
        let fragments = vec![shared.clone(), own];
        branches.push((target, Query { fragments }));
        rest = after;
    }
    Ok((rest, Statement::MultiInsert(MultiInsert { branches })))
}

/// `LOAD INTO|OVERWRITE TABLE t [PARTITION(…)] FROM LOCATION '…' STORED AS PARQUET|CSV [PROPERTIES(…)]`.
pub(super) fn load(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keyword("LOAD")(input)?;
    rest.enter("LOAD");
    let mode = alt((
        keyword("INTO").map(|()| false),
        keyword("OVERWRITE").map(|()| true),
    ));
    let (rest, (overwrite, ())) = (mode, keyword("TABLE")).parse(rest)?;
    let (rest, table) = cut(object_name).parse(rest)?;
    let (rest, partition) = opt(partition_spec).parse(rest)?;
    let location = preceded(keywords(&["FROM", "LOCATION"]), string);
    let (rest, location) = cut(location).parse(rest)?;
    if keywords(&["STORED", "BY"])(rest).is_ok() {
        return rest.fatal(Error::not_supported("LOAD … STORED BY").at(rest.at()));
    }
    let format = alt((
        keyword("PARQUET").map(|()| FileFormat::Parquet),
        keyword("CSV").map(|()| FileFormat::Csv),
    ));
    let (rest, format) = cut(preceded(keywords(&["STORED", "AS"]), format)).parse(rest)?;
    let options = preceded(keyword("PROPERTIES"), cut(parenthesized(property)));
    let (rest, properties) = opt(options).parse(rest)?;
    let load = Load {
        overwrite,
        table,
        partition,
        location,
        format,
        properties: properties.unwrap_or_default(),
    };
    Ok((rest, Statement::Load(load)))
}

fn query_source(input: Tokens<'_>) -> Parsed<'_, Source> {
    query(input).map(|(rest, query)| (rest, Source::Query(query)))
}

/// `EXPLAIN query`, `EXPLAIN INSERT … query`.
pub(super) fn explain(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keyword("EXPLAIN")(input)?;
    rest.enter("EXPLAIN");
    let kind = alt((
        keyword("EXTENDED"),
        keyword("FORMATTED"),
        keyword("LOGICAL"),
    ));
    let (rest, _) = opt(kind).parse(rest)?;
    let begins = |word: &&str| {
        rest.first()
            .is_some_and(|token| token.text.eq_ignore_ascii_case(word))
    };
    if ["CREATE", "DROP", "ALTER", "TRUNCATE"].iter().any(begins) {
        return rest.fatal(Error::semantic("DDL does not support explain").at(rest.at()));
    }
    let (rest, _) = opt(insert_target).parse(rest)?;
    let (rest, query) = query(rest)?;
    Ok((rest, Statement::Explain(query)))
}

/// A statement that is a query.
pub(super) fn select(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, query) = query(input)?;
    Ok((rest, Statement::Query(query)))
}

/// `READ t [(cols)] [PARTITION(…)] [n]`.
pub(super) fn read(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keyword("READ")(input)?;
    rest.enter("READ");
    let (rest, table) = object_name(rest)?;
    let (rest, columns) = opt(parenthesized(name)).parse(rest)?;
    let (rest, partition) = opt(partition_spec).parse(rest)?;
    let (rest, rows) = opt(count).parse(rest)?;
    let read = Read {
        table,
        columns: columns.unwrap_or_default(),
        partition,
        rows,
    };
    Ok((rest, Statement::Read(read)))
}

/// The extent of a query: everything to the end of the statement. The engine parses it.
pub(super) fn query(input: Tokens<'_>) -> Parsed<'_, Query> {
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
    let at = At(input.at());
    let (rest, text) = rest_of_text(input);
    let text = text.to_owned();
    Ok((
        rest,
        Query {
            fragments: vec![Fragment { text, at }],
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

pub(super) fn literal(input: Tokens<'_>) -> Parsed<'_, Literal> {
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
        "" | "l" => Some(Literal::Integer(digits)),
        // Of these types a number has to be one.
        "s" if digits.parse::<i16>().is_ok() => Some(Literal::Integer(digits)),
        "y" if digits.parse::<i8>().is_ok() => Some(Literal::Integer(digits)),
        "d" => Some(Literal::Double(digits)),
        "f" => Some(Literal::Float(digits)),
        "bd" => Some(Literal::Decimal(digits)),
        _ => None,
    }
}
