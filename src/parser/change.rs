//! UPDATE, DELETE and MERGE. Manual page: "UPDATE and DELETE", "MERGE INTO".

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::multi::{many1, separated_list1};
use nom::sequence::{delimited, preceded, separated_pair};

use super::common::{flag, fragment, keyword, keywords, name, object_name, parenthesized, symbol};
use super::token::{Parsed, TokenKind, Tokens};
use crate::ast::{
    At, Delete, Fragment, Matching, Merge, MergeAction, MergeBranch, Name, Statement, Update,
};
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
        let one = one.map(|one| vec![one]);
        let all = separated_list1(symbol(","), alt((several, one)));
        all.map(|all| all.concat()).parse(input)
    }
}

/// `(c1, c2) = (e1, e2)` and `(c1, c2) = (SELECT e1, e2 …)`, as an assignment to each.
fn several(input: Tokens<'_>) -> Parsed<'_, Vec<(Name, Fragment)>> {
    let at = input.at();
    let (rest, columns) = parenthesized(target_column).parse(input)?;
    let (rest, ()) = symbol("=")(rest)?;
    let (rest, ()) = cut(symbol("(")).parse(rest)?;
    let (rest, values) = match rest.first() {
        Some(token) if token.text.eq_ignore_ascii_case("SELECT") => cut(selected).parse(rest)?,
        _ => {
            let value = fragment(&[], true).map(|value| Fragment {
                text: format!("({})", value.text),
                ..value
            });
            cut(separated_list1(symbol(","), value)).parse(rest)?
        }
    };
    let (rest, ()) = cut(symbol(")")).parse(rest)?;
    if values.len() != columns.len() {
        let detail = format!("{} values for {} columns", values.len(), columns.len());
        return input.fatal(Error::semantic(detail).at(at));
    }
    Ok((rest, columns.into_iter().zip(values).collect()))
}

/// `SELECT a, b FROM …` as a subquery for each of its columns.
fn selected(input: Tokens<'_>) -> Parsed<'_, Vec<Fragment>> {
    const BEHIND: &[&str] = &[
        "FROM",
        "UNION",
        "INTERSECT",
        "EXCEPT",
        "MINUS",
        "LIMIT",
        "WHERE",
    ];
    let begin = At(input.at());
    let (rest, ()) = keyword("SELECT")(input)?;
    let is_all = |text: &str| text == "*" || text.ends_with(".*");
    let (rest, columns) = separated_list1(symbol(","), fragment(BEHIND, true)).parse(rest)?;
    let (rest, tail) = opt(fragment(&[], false)).parse(rest)?;
    let tail = tail.map_or(String::new(), |tail| tail.text);
    let is_set = crate::parser::tokenize(&tail).unwrap_or_default();
    let is_set = is_set.iter().any(|token| {
        token.kind == TokenKind::Word
            && BEHIND[1..5]
                .iter()
                .any(|word| token.text.eq_ignore_ascii_case(word))
    });
    let is_distinct = columns[0]
        .text
        .to_ascii_uppercase()
        .starts_with("DISTINCT ");
    if is_set || is_distinct || columns.iter().any(|column| is_all(&column.text)) {
        let error = Error::not_supported("SET (c1, c2) = (…) with *, DISTINCT or a set operation");
        return input.fatal(error.at(input.at()));
    }
    let fragments = columns.into_iter().map(|column| Fragment {
        text: format!("(select {} {tail})", column.text),
        at: begin,
    });
    Ok((rest, fragments.collect()))
}

fn condition(input: Tokens<'_>) -> Parsed<'_, Option<Fragment>> {
    opt(preceded(keyword("WHERE"), cut(fragment(&[], false)))).parse(input)
}

/// `UPDATE t [alias] SET c = e, … [FROM u, …] [WHERE …]`.
pub(super) fn update(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keyword("UPDATE")(input)?;
    rest.enter("UPDATE");
    let (rest, table) = object_name(rest)?;
    let (rest, alias) = alias(&["SET", "PARTITION"])(rest)?;
    let (rest, ()) = keyword("SET")(rest)?;
    let (rest, assignments) = assignments(&["WHERE", "FROM"])(rest)?;
    let relations = separated_list1(symbol(","), fragment(&["WHERE"], true));
    let (rest, from) = opt(preceded(keyword("FROM"), cut(relations))).parse(rest)?;
    let from = from.unwrap_or_default();
    let (rest, condition) = condition(rest)?;
    let update = Update {
        table,
        alias,
        assignments,
        from,
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
        source: vec![source],
        source_alias: Some(source_alias),
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
    let side = alt((
        keyword("TARGET").map(|()| Matching::SourceAlone),
        keyword("SOURCE").map(|()| Matching::TargetAlone),
    ));
    let (rest, matching) = match negated {
        false => (rest, Matching::Both),
        true => opt(preceded(keyword("BY"), cut(side)))
            .map(|side| side.unwrap_or(Matching::SourceAlone))
            .parse(rest)?,
    };
    let (rest, condition) =
        opt(preceded(keyword("AND"), cut(fragment(&["THEN"], false)))).parse(rest)?;
    let (rest, ()) = keyword("THEN")(rest)?;
    let (rest, action) = if matching == Matching::SourceAlone {
        insert(rest)?
    } else {
        let all = symbol("*").map(|()| MergeAction::UpdateAll);
        let some = assignments(&["WHEN"]).map(MergeAction::Update);
        let update = preceded(keywords(&["UPDATE", "SET"]), alt((all, some)));
        alt((update, keyword("DELETE").map(|()| MergeAction::Delete))).parse(rest)?
    };
    Ok((
        rest,
        MergeBranch {
            matching,
            condition,
            action,
            at,
        },
    ))
}

fn insert(input: Tokens<'_>) -> Parsed<'_, MergeAction> {
    let (rest, ()) = keyword("INSERT")(input)?;
    if let Ok((rest, ())) = symbol("*")(rest) {
        return Ok((rest, MergeAction::InsertAll));
    }
    let (rest, columns) = opt(parenthesized(target_column)).parse(rest)?;
    let (rest, ()) = keyword("VALUES")(rest)?;
    let values = separated_list1(symbol(","), fragment(&[], true));
    let (rest, values) = cut(delimited(symbol("("), values, symbol(")"))).parse(rest)?;
    Ok((rest, MergeAction::Insert { columns, values }))
}
