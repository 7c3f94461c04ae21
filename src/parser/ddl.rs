//! CREATE, DROP, TRUNCATE and CLONE. Manual pages: "Table operations", "Partition operations".

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::multi::{separated_list0, separated_list1};
use nom::sequence::{delimited, preceded, separated_pair, terminated};

use super::common::{
    comment_text, flag, keyword, keywords, name, name_problem, number, object_name, parenthesized,
    partition_spec, property, shown, symbol,
};
use super::dml::{literal, query};
use super::token::{Parsed, Tokens};
use crate::ast::{
    CloneMode, CloneTable, ColumnDefinition, CreateTable, CreateTableLike, CreateView, Name,
    ObjectName, Statement,
};
use crate::datatype::{DataType, TYPE_NESTING_MAX};
use crate::error::Error;

/// `CREATE [OR REPLACE] TABLE [IF NOT EXISTS] t (…) …`, `… LIKE u`, `… AS SELECT …`.
pub(super) fn create_table(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keyword("CREATE")(input)?;
    let (rest, or_replace) = flag(&["OR", "REPLACE"])(rest)?;
    let (rest, ()) = keyword("TABLE")(rest)?;
    rest.enter("CREATE TABLE");
    let (after, if_not_exists) = flag(&["IF", "NOT", "EXISTS"])(rest)?;
    if or_replace && if_not_exists {
        let detail = "a table is either replaced or left as it is: OR REPLACE and IF NOT EXISTS exclude each other";
        return rest.fatal(Error::semantic(detail).at(rest.at()));
    }
    let (rest, table) = object_name(after)?;
    if let (false, Ok((rest, ()))) = (or_replace, keyword("LIKE")(rest)) {
        return create_like(rest, table, if_not_exists);
    }
    let (rest, elements) = opt(parenthesized(element)).parse(rest)?;
    let has_columns = elements.is_some();
    let mut columns = Vec::new();
    let mut primary_key = Vec::new();
    for element in elements.unwrap_or_default() {
        match element {
            Element::Column(column, is_key) => {
                if is_key {
                    primary_key.push(column.name.clone());
                }
                columns.push(column);
            }
            Element::PrimaryKey(names) => primary_key.extend(names),
        }
    }
    let (rest, comment) = opt(comment_text).parse(rest)?;
    let partitioned = preceded(keywords(&["PARTITIONED", "BY"]), cut(parenthesized(column)));
    let (rest, partition_columns) = opt(partitioned).parse(rest)?;
    let (rest, clustering) = clustering(rest)?;
    refuse(rest, &["ROW", "LOCATION", "AUTO", "USING"])?;
    let (rest, _) = stored_as(rest)?;
    refuse(rest, &["LOCATION", "USING"])?;
    let (rest, properties) = properties(rest)?;
    let (rest, lifecycle_days) = lifecycle_clause(rest)?;
    let (rest, query) = opt(preceded(keyword("AS"), cut(query))).parse(rest)?;
    if has_columns && let Some(query) = &query {
        let detail = "CREATE TABLE … AS SELECT takes its columns from the query";
        return rest.fatal(Error::semantic(detail).at(query.at()));
    }
    if !has_columns && query.is_none() {
        let _: Parsed<'_, ()> = rest.expected("(");
        return rest.expected("AS");
    }
    let create = CreateTable {
        table,
        or_replace,
        if_not_exists,
        columns,
        comment,
        partition_columns: partition_columns.unwrap_or_default(),
        properties,
        lifecycle_days,
        primary_key,
        clustering,
        query,
    };
    Ok((rest, Statement::CreateTable(create)))
}

/// What stands behind `LIKE`.
fn create_like(input: Tokens<'_>, table: ObjectName, if_not_exists: bool) -> Parsed<'_, Statement> {
    let (rest, source) = cut(object_name).parse(input)?;
    let (rest, _) = stored_as(rest)?;
    let (rest, properties) = properties(rest)?;
    let (rest, lifecycle_days) = lifecycle_clause(rest)?;
    let like = CreateTableLike {
        table,
        if_not_exists,
        source,
        properties,
        lifecycle_days,
    };
    Ok((rest, Statement::CreateTableLike(like)))
}

/// `[RANGE] CLUSTERED BY (…) [SORTED BY (…)] [INTO n BUCKETS]`, as written.
fn clustering(input: Tokens<'_>) -> Parsed<'_, Option<String>> {
    let sorted = preceded(keywords(&["SORTED", "BY"]), cut(parenthesized(sort_column)));
    let buckets = delimited(keyword("INTO"), cut(number), keyword("BUCKETS"));
    let clause = (
        opt(keyword("RANGE")),
        keywords(&["CLUSTERED", "BY"]),
        cut(parenthesized(sort_column)),
        opt(sorted),
        opt(buckets),
    );
    let (rest, found) = opt(clause).parse(input)?;
    let text = &input.statement[input.at()..rest.at()];
    Ok((rest, found.map(|_| text.trim().to_owned())))
}

fn sort_column(input: Tokens<'_>) -> Parsed<'_, ()> {
    let order = alt((keyword("ASC"), keyword("DESC")));
    (name, opt(order)).map(drop).parse(input)
}

/// `STORED AS format`: tables are stored in one way here, whatever the format is called.
fn stored_as(input: Tokens<'_>) -> Parsed<'_, Option<Name>> {
    opt(preceded(keywords(&["STORED", "AS"]), cut(name))).parse(input)
}

fn properties(input: Tokens<'_>) -> Parsed<'_, Vec<(String, String)>> {
    opt(preceded(
        keyword("TBLPROPERTIES"),
        cut(parenthesized(property)),
    ))
    .map(Option::unwrap_or_default)
    .parse(input)
}

fn lifecycle_clause(input: Tokens<'_>) -> Parsed<'_, Option<u32>> {
    opt(preceded(keyword("LIFECYCLE"), cut(lifecycle))).parse(input)
}

/// `CREATE [OR REPLACE] VIEW [IF NOT EXISTS] v [(c [COMMENT '…'], …)] [COMMENT '…'] AS SELECT …`.
pub(super) fn create_view(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keyword("CREATE")(input)?;
    let (rest, or_replace) = flag(&["OR", "REPLACE"])(rest)?;
    let (rest, ()) = keyword("VIEW")(rest)?;
    rest.enter("CREATE VIEW");
    let (rest, if_not_exists) = flag(&["IF", "NOT", "EXISTS"])(rest)?;
    let (rest, view) = object_name(rest)?;
    let comment = |input| opt(comment_text).parse(input);
    let (rest, columns) = opt(parenthesized((column_name, comment))).parse(rest)?;
    let (rest, comment) = comment(rest)?;
    let (rest, _) = properties(rest)?;
    let (rest, ()) = keyword("AS")(rest)?;
    let (rest, query) = cut(query).parse(rest)?;
    let create = CreateView {
        view,
        or_replace,
        if_not_exists,
        columns: columns.unwrap_or_default(),
        comment,
        query,
    };
    Ok((rest, Statement::CreateView(create)))
}

/// `DROP VIEW [IF EXISTS] v`.
pub(super) fn drop_view(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["DROP", "VIEW"])(input)?;
    rest.enter("DROP VIEW");
    let (rest, if_exists) = flag(&["IF", "EXISTS"])(rest)?;
    let (rest, view) = object_name(rest)?;
    Ok((rest, Statement::DropView { view, if_exists }))
}

/// `TRUNCATE TABLE t [PARTITION(…), …]`.
pub(super) fn truncate(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["TRUNCATE", "TABLE"])(input)?;
    rest.enter("TRUNCATE TABLE");
    let (rest, table) = object_name(rest)?;
    let (rest, specs) = separated_list0(opt(symbol(",")), partition_spec).parse(rest)?;
    Ok((rest, Statement::Truncate { table, specs }))
}

/// `CLONE TABLE t [PARTITION(…), …] TO u [IF EXISTS OVERWRITE|IGNORE]`.
pub(super) fn clone_table(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["CLONE", "TABLE"])(input)?;
    rest.enter("CLONE TABLE");
    let (rest, source) = object_name(rest)?;
    let (rest, specs) = separated_list0(opt(symbol(",")), partition_spec).parse(rest)?;
    let (rest, target) = preceded(keyword("TO"), cut(object_name)).parse(rest)?;
    let mode = alt((
        keyword("OVERWRITE").map(|()| CloneMode::Overwrite),
        keyword("IGNORE").map(|()| CloneMode::Ignore),
    ));
    let (rest, if_exists) = opt(preceded(keywords(&["IF", "EXISTS"]), cut(mode))).parse(rest)?;
    let clone = CloneTable {
        source,
        specs,
        target,
        if_exists,
    };
    Ok((rest, Statement::CloneTable(clone)))
}

/// Refuses a clause of CREATE TABLE by its first word.
fn refuse<'a>(
    input: Tokens<'a>,
    words: &[&'static str],
) -> Result<(), nom::Err<super::token::Failed>> {
    let found = input.first().and_then(|token| {
        words
            .iter()
            .find(|word| token.text.eq_ignore_ascii_case(word))
    });
    match found {
        Some(word) => {
            let name = format!("CREATE TABLE … {word}");
            input
                .fatal::<()>(Error::not_supported(name).at(input.at()))
                .map(drop)
        }
        None => Ok(()),
    }
}

/// What stands in the parentheses of CREATE TABLE.
enum Element {
    /// A column, and whether it is the primary key.
    Column(ColumnDefinition, bool),
    PrimaryKey(Vec<Name>),
}

fn element(input: Tokens<'_>) -> Parsed<'_, Element> {
    let constraint = opt(preceded(keyword("CONSTRAINT"), name));
    let key = preceded(
        (constraint, keywords(&["PRIMARY", "KEY"])),
        cut(parenthesized(name)),
    );
    if let Ok((rest, names)) = { key }.parse(input) {
        return Ok((rest, Element::PrimaryKey(names)));
    }
    let (rest, definition) = column(input)?;
    let (rest, is_key) = flag(&["PRIMARY", "KEY"])(rest)?;
    let (rest, comment) = opt(comment_text).parse(rest)?;
    let definition = ColumnDefinition {
        comment: definition.comment.or(comment),
        ..definition
    };
    Ok((rest, Element::Column(definition, is_key)))
}

/// `name type [NOT NULL | NULL] [DEFAULT literal] [COMMENT '…']`.
pub(super) fn column(input: Tokens<'_>) -> Parsed<'_, ColumnDefinition> {
    let (rest, column_name) = column_name(input)?;
    let (rest, data_type) = cut(data_type).parse(rest)?;
    let (rest, nullable) = opt(nullability).parse(rest)?;
    let (rest, default) = opt(preceded(keyword("DEFAULT"), cut(literal))).parse(rest)?;
    let (rest, later) = opt(nullability).parse(rest)?;
    let (rest, comment) = opt(comment_text).parse(rest)?;
    let definition = ColumnDefinition {
        name: column_name,
        data_type,
        nullable: nullable.or(later).unwrap_or(true),
        default,
        comment,
    };
    Ok((rest, definition))
}

/// `NOT NULL` or `NULL`.
pub(super) fn nullability(input: Tokens<'_>) -> Parsed<'_, bool> {
    alt((
        keywords(&["NOT", "NULL"]).map(|()| false),
        keyword("NULL").map(|()| true),
    ))
    .parse(input)
}

pub(super) fn column_name(input: Tokens<'_>) -> Parsed<'_, Name> {
    let (rest, found) = name(input)?;
    match name_problem(&found.text) {
        Some(problem) => {
            let detail = format!("invalid column name '{}': {problem}", shown(&found.text));
            input.fatal(Error::syntax(found.at.0, detail))
        }
        None => Ok((rest, found)),
    }
}

/// `bigint`, `decimal(10,2)`, `array<string>`, `map<string,bigint>`, `struct<a:bigint [COMMENT '…'],b:string>`.
pub(super) fn data_type(input: Tokens<'_>) -> Parsed<'_, DataType> {
    nested_type(input, TYPE_NESTING_MAX)
}

fn nested_type(input: Tokens<'_>, depth: usize) -> Parsed<'_, DataType> {
    let Some(token) = input
        .first()
        .filter(|token| token.kind == super::token::TokenKind::Word)
    else {
        return input.expected("a type");
    };
    if depth == 0 {
        return input.fatal(Error::syntax(token.at, "the type is nested too deeply"));
    }
    let (rest, ()) = input.accept(())?;
    let inner = |input| nested_type(input, depth - 1).map(|(rest, found)| (rest, Box::new(found)));
    match token.text.to_ascii_lowercase().as_str() {
        "array" => {
            let item = delimited(symbol("<"), inner, symbol(">"));
            return cut(item).map(DataType::Array).parse(rest);
        }
        "map" => {
            let pair = separated_pair(inner, symbol(","), inner);
            return cut(delimited(symbol("<"), pair, symbol(">")))
                .map(|(key, value)| DataType::Map(key, value))
                .parse(rest);
        }
        "struct" => {
            let field = separated_pair(name.map(|name| name.text), symbol(":"), move |input| {
                nested_type(input, depth - 1)
            });
            // What is said of a field is nothing of its type.
            let field = terminated(field, opt(comment_text));
            let fields = separated_list1(symbol(","), field);
            return cut(delimited(symbol("<"), fields, symbol(">")))
                .map(DataType::Struct)
                .parse(rest);
        }
        _ => {}
    }
    let (rest, arguments) = opt(parenthesized(count)).parse(rest)?;
    match DataType::from_parts(token.text, &arguments.unwrap_or_default()) {
        Ok(data_type) => Ok((rest, data_type)),
        Err(problem) => input.fatal(problem.at(token.at)),
    }
}

pub(super) fn count(input: Tokens<'_>) -> Parsed<'_, u64> {
    let (rest, text) = number(input)?;
    match text.parse() {
        Ok(count) => Ok((rest, count)),
        Err(_) => input.expected("a whole number"),
    }
}

const LIFECYCLE_DAYS_MAX: u64 = 37_231;

pub(super) fn lifecycle(input: Tokens<'_>) -> Parsed<'_, u32> {
    let (rest, days) = count(input)?;
    if days == 0 || days > LIFECYCLE_DAYS_MAX {
        let detail = format!("lifecycle must be a number of days from 1 to {LIFECYCLE_DAYS_MAX}");
        return input.fatal(Error::semantic(detail).at(input.at()));
    }
    Ok((rest, days as u32))
}

/// `DROP TABLE [IF EXISTS] t [PURGE]`.
pub(super) fn drop_table(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["DROP", "TABLE"])(input)?;
    rest.enter("DROP TABLE");
    let (rest, if_exists) = flag(&["IF", "EXISTS"])(rest)?;
    let (rest, table) = object_name(rest)?;
    let (rest, purge) = flag(&["PURGE"])(rest)?;
    let drop = Statement::DropTable {
        table,
        if_exists,
        purge,
    };
    Ok((rest, drop))
}
