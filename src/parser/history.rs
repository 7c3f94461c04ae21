//! The history and restore families. Manual page: "Backup and restoration".

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::multi::many0;
use nom::sequence::{delimited, preceded};

use super::common::{
    flag, keyword, keywords, name, number, object_name, spec_values, string, symbol,
};
use super::token::{Parsed, TokenKind, Tokens};
use crate::ast::{At, Part, PartitionSpec, Restore, ShowHistory, Statement, TableRef};
use crate::error::Error;
use crate::ids::Lsn;

/// `SHOW HISTORY FOR TABLES`, `SHOW HISTORY FOR TABLE t …`.
pub(super) fn show_history(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["SHOW", "HISTORY", "FOR"])(input)?;
    rest.enter("SHOW HISTORY");
    let one_table = (
        preceded(keyword("TABLE"), cut(table_ref)),
        many0(part),
        flag(&["EXTENDED"]),
        opt(preceded(keyword("LIMIT"), cut(count("a number of rows")))),
    );
    let one_table = one_table.map(|(table, parts, extended, limit)| {
        Statement::ShowHistory(ShowHistory {
            table,
            parts,
            extended,
            limit,
        })
    });
    alt((
        keyword("TABLES").map(|()| Statement::ShowHistoryForTables),
        one_table,
    ))
    .parse(rest)
}

/// `PURGE TABLE t [hours]`, `PURGE ALL [hours]`.
pub(super) fn purge(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keyword("PURGE")(input)?;
    rest.enter("PURGE");
    let hours = || opt(count("a number of hours"));
    let table = (preceded(keyword("TABLE"), cut(object_name)), hours());
    let all = preceded(keyword("ALL"), hours());
    alt((
        table.map(|(table, hours)| Statement::PurgeTable { table, hours }),
        all.map(|hours| Statement::PurgeAll { hours }),
    ))
    .parse(rest)
}

/// `SHOW RECYCLEBIN [FROM|IN project]`.
pub(super) fn show_recycle_bin(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["SHOW", "RECYCLEBIN"])(input)?;
    rest.enter("SHOW RECYCLEBIN");
    let of = alt((keyword("FROM"), keyword("IN")));
    opt(preceded(of, cut(name)))
        .map(|project| Statement::ShowRecycleBin { project })
        .parse(rest)
}

/// A whole number that is not negative.
fn count<'a, N: std::str::FromStr>(what: &'static str) -> impl Fn(Tokens<'a>) -> Parsed<'a, N> {
    move |input| {
        let (rest, text) = number(input)?;
        match text.parse() {
            Ok(count) => Ok((rest, count)),
            Err(_) => input.fatal(Error::syntax(
                input.at(),
                format!("invalid number '{text}', {what} is needed"),
            )),
        }
    }
}

/// `RESTORE TABLE t …`.
pub(super) fn restore(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["RESTORE", "TABLE"])(input)?;
    rest.enter("RESTORE TABLE");
    let to_lsn = preceded(keywords(&["TO", "LSN"]), cut(lsn));
    let as_new = preceded(keyword("AS"), cut(object_name));
    let (rest, (source, parts, lsn, new_name)) =
        (table_ref, many0(part), opt(to_lsn), opt(as_new)).parse(rest)?;
    Ok((
        rest,
        Statement::Restore(Restore {
            source,
            parts,
            lsn,
            new_name,
        }),
    ))
}

/// `t` or `t('id'='…')`.
fn table_ref(input: Tokens<'_>) -> Parsed<'_, TableRef> {
    let (rest, table) = object_name(input)?;
    let (rest, id) = opt(delimited(
        symbol("("),
        cut(id_property("table id")),
        cut(symbol(")")),
    ))
    .parse(rest)?;
    Ok((rest, TableRef { table, id }))
}

/// `PARTITION (ds='…')` or `PARTITION ('id'='…')`.
fn part(input: Tokens<'_>) -> Parsed<'_, Part> {
    let at = At(input.at());
    let (rest, ()) = keyword("PARTITION")(input)?;
    let by_id = rest
        .rest()
        .get(1)
        .is_some_and(|token| matches!(token.kind, TokenKind::String(_)));
    if by_id {
        let (rest, id) = delimited(
            symbol("("),
            cut(id_property("partition id")),
            cut(symbol(")")),
        )
        .parse(rest)?;
        return Ok((rest, Part::Id { id, at }));
    }
    let (rest, values) = cut(spec_values).parse(rest)?;
    Ok((rest, Part::Spec(PartitionSpec { values, at })))
}

/// `'id'='<32 hex digits>'`.
fn id_property<'a, I: std::str::FromStr>(
    what: &'static str,
) -> impl Fn(Tokens<'a>) -> Parsed<'a, I> {
    move |input| {
        let (rest, key) = string(input)?;
        if !key.eq_ignore_ascii_case("id") {
            let detail = format!(
                "invalid property '{}', only 'id' is known here",
                super::common::shown(&key)
            );
            return input.fatal(Error::syntax(input.at(), detail));
        }
        let (rest, ()) = symbol("=")(rest)?;
        let (after, text) = string(rest)?;
        match text.parse() {
            Ok(id) => Ok((after, id)),
            Err(_) => {
                let detail = format!(
                    "invalid {what} '{}', it has 32 hexadecimal digits",
                    super::common::shown(&text)
                );
                rest.fatal(Error::syntax(rest.at(), detail))
            }
        }
    }
}

/// `'0000000000000010'`, `'10'` or `10`.
fn lsn(input: Tokens<'_>) -> Parsed<'_, Lsn> {
    let (rest, text) = alt((string, number.map(str::to_owned))).parse(input)?;
    match text.parse() {
        Ok(lsn) => Ok((rest, lsn)),
        Err(()) => {
            let detail = format!("invalid LSN '{}'", super::common::shown(&text));
            input.fatal(Error::syntax(input.at(), detail))
        }
    }
}

/// `UNDO TABLE` and `REDO TABLE`, an older form of the same.
pub(super) fn undo(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, undo) = flag(&["UNDO", "TABLE"])(input)?;
    if !undo {
        return keywords(&["REDO", "TABLE"])(input).and_then(|_| refuse_undo(input, "REDO TABLE"));
    }
    let _ = rest;
    refuse_undo(input, "UNDO TABLE")
}

fn refuse_undo<'a>(input: Tokens<'a>, name: &str) -> Parsed<'a, Statement> {
    input.fatal(Error::not_supported(name).hint("use RESTORE TABLE … TO LSN '…'"))
}
