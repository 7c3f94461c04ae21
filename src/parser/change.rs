//! UPDATE, DELETE and MERGE. Manual page: "UPDATE and DELETE", "MERGE INTO".

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::multi::{many1, separated_list1};
use nom::sequence::{delimited, preceded, separated_pair};

use super::common::{flag, fragment, keyword, keywords, name, object_name, parenthesized, symbol};
use super::token::{Parsed, TokenKind, Tokens};
use crate::ast::{At, Delete, Fragment, Merge, MergeAction, MergeBranch, Name, Statement, Update};
use crate::error::Error;

/// A name for the table, which may not be one of `words`.
fn alias<'a>(words: &'static [&'static str]) -> impl Fn(Tokens<'a>) -> Parsed<'a, Option<Name>> {
    move |input| {
        if let Ok((rest, ())) = keyword("AS")(input) {
            return cut(name).map(Some).parse(rest);
        }
        let is_alias = input.first().is_some_and(|token| {
            matches!(token.kind, TokenKind::Word | TokenKind::Quoted(_))
                && !words
                    .iter()
                    .any(|word| token.text.eq_ignore_ascii_case(word))
        });
        if is_alias {
            name.map(Some).parse(input)
        } else {
            Ok((input, None))
        }
    }
}

/// `[t.]c`: the column of the table that is changed.
fn target_column(input: Tokens<'_>) -> Parsed<'_, Name> {
    let (rest, first) = name(input)?;
    match opt(preceded(symbol("."), cut(name))).parse(rest)? {
        (rest, Some(column)) => Ok((rest, column)),
        (rest, None) => Ok((rest, first)),
    }
}

fn assignments<'a>(
    stops: &'static [&'static str],
) -> impl Fn(Tokens<'a>) -> Parsed<'a, Vec<(Name, Fragment)>> {
    move |input| {
        let one = separated_pair(target_column, symbol("="), cut(fragment(stops, true)));
        separated_list1(symbol(","), one).parse(input)
    }
}

fn condition(input: Tokens<'_>) -> Parsed<'_, Option<Fragment>> {
    opt(preceded(keyword("WHERE"), cut(fragment(&[], false)))).parse(input)
}

/// `UPDATE t [alias] SET c = e, … [WHERE …]`.
pub(super) fn update(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keyword("UPDATE")(input)?;
    rest.enter("UPDATE");
    let (rest, table) = object_name(rest)?;
    let (rest, alias) = alias(&["SET", "PARTITION"])(rest)?;
    let (rest, ()) = keyword("SET")(rest)?;
    if rest.first().is_some_and(|token| token.text == "(") {
        let error = Error::not_supported("UPDATE … SET (c1, c2) = (…)");
        return rest.fatal(error.at(rest.at()));
    }
    let (rest, assignments) = assignments(&["WHERE", "FROM"])(rest)?;
    if keyword("FROM")(rest).is_ok() {
        return rest.fatal(Error::not_supported("UPDATE … FROM").at(rest.at()));
    }
    let (rest, condition) = condition(rest)?;
    let update = Update {
        table,
        alias,
        assignments,
        condition,
    };
    Ok((rest, Statement::Update(update)))
}

/// `DELETE FROM t [alias] [WHERE …]`.
pub(super) fn delete(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["DELETE", "FROM"])(input)?;
    rest.enter("DELETE");
    let (rest, table) = object_name(rest)?;
    let (rest, alias) = alias(&["WHERE", "PARTITION"])(rest)?;
    let (rest, condition) = condition(rest)?;
    let delete = Delete {
        table,
        alias,
        condition,
    };
    Ok((rest, Statement::Delete(delete)))
}

/// `MERGE INTO t [AS a] USING s ON … WHEN …`.
pub(super) fn merge(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["MERGE", "INTO"])(input)?;
    rest.enter("MERGE INTO");
    let (rest, table) = object_name(rest)?;
    let (rest, alias) = alias(&["USING"])(rest)?;
    let (rest, ()) = keyword("USING")(rest)?;
    let begin = rest;
    let (rest, own_name) = if rest.first().is_some_and(|token| token.text == "(") {
        let inside = delimited(symbol("("), fragment(&[], false), symbol(")"));
        let (rest, _) = cut(inside).parse(rest)?;
        (rest, None)
    } else {
        let (rest, source) = object_name(rest)?;
        (rest, Some(source.name))
    };
    let last = begin.rest().len() - rest.rest().len() - 1;
    let last = &begin.rest()[last];
    let source = Fragment {
        text: input.statement[begin.at()..last.at + last.text.len()].to_owned(),
        at: At(begin.at()),
    };
    let (rest, source_alias) = self::alias(&["ON"])(rest)?;
    let Some(source_alias) = source_alias.or(own_name) else {
        return rest.expected("a name for the source");
    };
    let (rest, ()) = keyword("ON")(rest)?;
    let (rest, condition) = cut(fragment(&["WHEN"], false)).parse(rest)?;
    let (rest, branches) = many1(branch).parse(rest)?;
    let merge = Merge {
        table,
        alias,
        source,
        source_alias,
        condition,
        branches,
    };
    Ok((rest, Statement::Merge(merge)))
}

fn branch(input: Tokens<'_>) -> Parsed<'_, MergeBranch> {
    let at = At(input.at());
    let (rest, ()) = keyword("WHEN")(input)?;
    let (rest, negated) = flag(&["NOT"])(rest)?;
    let (rest, ()) = keyword("MATCHED")(rest)?;
    let (rest, condition) =
        opt(preceded(keyword("AND"), cut(fragment(&["THEN"], false)))).parse(rest)?;
    let (rest, ()) = keyword("THEN")(rest)?;
    let (rest, action) = if negated {
        insert(rest)?
    } else {
        let update = preceded(keywords(&["UPDATE", "SET"]), assignments(&["WHEN"]));
        alt((
            update.map(MergeAction::Update),
            keyword("DELETE").map(|()| MergeAction::Delete),
        ))
        .parse(rest)?
    };
    Ok((
        rest,
        MergeBranch {
            condition,
            action,
            at,
        },
    ))
}

fn insert(input: Tokens<'_>) -> Parsed<'_, MergeAction> {
    let (rest, ()) = keyword("INSERT")(input)?;
    let (rest, columns) = opt(parenthesized(target_column)).parse(rest)?;
    let (rest, ()) = keyword("VALUES")(rest)?;
    let values = separated_list1(symbol(","), fragment(&[], true));
    let (rest, values) = cut(delimited(symbol("("), values, symbol(")"))).parse(rest)?;
    Ok((rest, MergeAction::Insert { columns, values }))
}
