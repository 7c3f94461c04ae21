//! Settings, listings and the client's own commands.

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::multi::many0;
use nom::sequence::preceded;

use super::common::{
    keyword, keywords, name, object_name, parenthesized, partition_spec, rest_of_text, string,
};
use super::dml::insert_spec;
use super::token::{Parsed, Tokens};
use crate::ast::{Analyze, Describe, Setting, Statement};
use crate::error::Error;

/// `SETPROJECT`, `SETPROJECT k=v [k=v …]`.
pub(super) fn set_project(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keyword("SETPROJECT")(input)?;
    rest.enter("SETPROJECT");
    if rest.first().is_none() {
        return Ok((rest, Statement::ShowProject));
    }
    let (end, text) = rest_of_text(rest);
    match project_settings(text) {
        Some(settings) => Ok((end, Statement::SetProject(settings))),
        None => rest.fatal(Error::syntax(
            rest.at(),
            "invalid SETPROJECT, it needs key=value",
        )),
    }
}

/// Pairs separated by blanks; blanks around `=` are allowed, a value with blanks stands in double quotes.
fn project_settings(text: &str) -> Option<Vec<Setting>> {
    let mut settings = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
        };
        let key = key.trim();
        if !is_key(key) {
            return None;
        }
        settings.push(Setting {
            key: key.to_ascii_lowercase(),
            value: value.to_owned(),
        });
        rest = next.trim_start();
    }
    Some(settings)
}

fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

/// `SET`, `SHOW FLAGS`, `SET k=v`: the value is the text up to the end of the statement.
pub(super) fn set(input: Tokens<'_>) -> Parsed<'_, Statement> {
    if let Ok((rest, ())) = keywords(&["SHOW", "FLAGS"])(input) {
        return Ok((rest, Statement::ShowSettings));
    }
    let (rest, ()) = keyword("SET")(input)?;
    rest.enter("SET");
    if rest.first().is_none() {
        return Ok((rest, Statement::ShowSettings));
    }
    let (end, text) = rest_of_text(rest);
    let setting = text
        .split_once('=')
        .map(|(key, value)| (key.trim(), value.trim()));
    match setting.filter(|(key, value)| is_key(key) && !value.is_empty()) {
        Some((key, value)) => {
            let setting = Setting {
                key: key.to_ascii_lowercase(),
                value: value.to_owned(),
            };
            Ok((end, Statement::Set(setting)))
        }
        None => rest.fatal(Error::syntax(rest.at(), "invalid SET, it needs key=value")),
    }
}

/// `USE project`.
pub(super) fn use_project(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keyword("USE")(input)?;
    rest.enter("USE");
    let (rest, project) = object_name(rest)?;
    match project.project {
        None => Ok((rest, Statement::UseProject(project.name))),
        Some(_) => rest.fatal(Error::not_supported("USE project.schema")),
    }
}

/// `SHOW TABLES [IN p] [LIKE 'prefix*']`, `LIST|LS TABLES`.
pub(super) fn show_tables(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = (listing_word, keyword("TABLES")).map(drop).parse(input)?;
    rest.enter("SHOW TABLES");
    let project = preceded(alt((keyword("IN"), keyword("FROM"))), cut(name));
    let pattern = preceded(keyword("LIKE"), cut(string));
    let (rest, (project, pattern)) = (opt(project), opt(pattern)).parse(rest)?;
    Ok((rest, Statement::ShowTables { project, pattern }))
}

/// `SHOW|LIST|LS PARTITIONS t [PARTITION(…)]`.
pub(super) fn show_partitions(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = (listing_word, keyword("PARTITIONS"))
        .map(drop)
        .parse(input)?;
    rest.enter("SHOW PARTITIONS");
    let (rest, (table, spec)) = (object_name, opt(partition_spec)).parse(rest)?;
    Ok((rest, Statement::ShowPartitions { table, spec }))
}

fn listing_word(input: Tokens<'_>) -> Parsed<'_, ()> {
    alt((keyword("SHOW"), keyword("LIST"), keyword("LS"))).parse(input)
}

/// `SHOW VIEWS [IN p] [LIKE 'prefix*']`.
pub(super) fn show_views(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = (listing_word, keyword("VIEWS")).map(drop).parse(input)?;
    rest.enter("SHOW VIEWS");
    let project = preceded(alt((keyword("IN"), keyword("FROM"))), cut(name));
    let pattern = preceded(keyword("LIKE"), cut(string));
    let (rest, (project, pattern)) = (opt(project), opt(pattern)).parse(rest)?;
    Ok((rest, Statement::ShowViews { project, pattern }))
}

/// `SHOW COLUMNS FROM|IN t`.
pub(super) fn show_columns(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["SHOW", "COLUMNS"])(input)?;
    rest.enter("SHOW COLUMNS");
    let of = alt((keyword("FROM"), keyword("IN")));
    preceded(of, cut(object_name))
        .map(Statement::ShowColumns)
        .parse(rest)
}

/// `SHOW CREATE TABLE t`.
pub(super) fn show_create_table(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["SHOW", "CREATE", "TABLE"])(input)?;
    rest.enter("SHOW CREATE TABLE");
    object_name.map(Statement::ShowCreateTable).parse(rest)
}

/// `SHOW TBLPROPERTIES t`.
pub(super) fn show_properties(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["SHOW", "TBLPROPERTIES"])(input)?;
    rest.enter("SHOW TBLPROPERTIES");
    object_name.map(Statement::ShowProperties).parse(rest)
}

/// `SHOW|LIST FUNCTIONS [LIKE 'pattern']`.
pub(super) fn show_functions(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = (listing_word, keyword("FUNCTIONS"))
        .map(drop)
        .parse(input)?;
    rest.enter("SHOW FUNCTIONS");
    let (rest, pattern) = opt(preceded(keyword("LIKE"), cut(string))).parse(rest)?;
    Ok((rest, Statement::ShowFunctions { pattern }))
}

/// `DESC|DESCRIBE [EXTENDED] t [PARTITION(…)]`, `DESC FUNCTION f`.
pub(super) fn describe(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = alt((keyword("DESC"), keyword("DESCRIBE"))).parse(input)?;
    rest.enter("DESC");
    let is_prefix = |word| rest.rest().len() > 1 && keyword(word)(rest).is_ok();
    if is_prefix("FUNCTION") {
        let function = preceded(opt(keyword("EXTENDED")), name);
        return preceded(keyword("FUNCTION"), function)
            .map(Statement::DescribeFunction)
            .parse(rest);
    }
    let (rest, extended) = if is_prefix("EXTENDED") {
        keyword("EXTENDED").map(|()| true).parse(rest)?
    } else {
        (rest, false)
    };
    let (rest, table) = object_name(rest)?;
    let (rest, spec) = opt(partition_spec).parse(rest)?;
    let describe = Describe {
        table,
        extended,
        spec,
    };
    Ok((rest, Statement::Describe(describe)))
}

/// `HELP [words]`, `H`.
pub(super) fn help(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = alt((keyword("HELP"), keyword("H"))).parse(input)?;
    let (rest, words) = many0(name).parse(rest)?;
    Ok((rest, Statement::Help(words)))
}

/// `QUIT`, `EXIT`, `Q`.
pub(super) fn quit(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = alt((keyword("QUIT"), keyword("EXIT"), keyword("Q"))).parse(input)?;
    Ok((rest, Statement::Quit))
}

/// `ANALYZE TABLE t [PARTITION(…)] COMPUTE STATISTICS [NOSCAN | PARTIALSCAN | FOR COLUMNS [(c, …)]]`.
pub(super) fn analyze(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["ANALYZE", "TABLE"])(input)?;
    rest.enter("ANALYZE");
    let (rest, table) = object_name(rest)?;
    let (rest, partition) = opt(insert_spec).parse(rest)?;
    let (rest, ()) = cut(keywords(&["COMPUTE", "STATISTICS"])).parse(rest)?;
    let scan = alt((keyword("NOSCAN"), keyword("PARTIALSCAN"))).map(|()| None);
    let columns = preceded(
        keywords(&["FOR", "COLUMNS"]),
        opt(parenthesized(name)).map(|columns| Some(columns.unwrap_or_default())),
    );
    let (rest, columns) = opt(alt((scan, columns))).parse(rest)?;
    let analyze = Analyze {
        table,
        partition,
        columns: columns.flatten(),
    };
    Ok((rest, Statement::Analyze(analyze)))
}
