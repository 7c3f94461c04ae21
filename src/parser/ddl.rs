//! CREATE TABLE, DROP TABLE, ALTER TABLE. Manual pages: "Table operations", "Partition operations".

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::multi::{many1, separated_list1};
use nom::sequence::{delimited, preceded, separated_pair};

use super::common::{
    flag, keyword, keywords, name, name_problem, number, object_name, parenthesized,
    partition_spec, shown, string, symbol,
};
use super::token::{Parsed, Tokens};
use crate::ast::{ColumnDefinition, CreateTable, Name, Statement};
use crate::datatype::DataType;
use crate::error::Error;

/// `CREATE TABLE [IF NOT EXISTS] t (…) …`.
pub(super) fn create_table(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["CREATE", "TABLE"])(input)?;
    rest.enter("CREATE TABLE");
    let (rest, if_not_exists) = flag(&["IF", "NOT", "EXISTS"])(rest)?;
    let (rest, table) = object_name(rest)?;
    refuse(rest, &["AS", "LIKE"])?;
    let (rest, columns) = cut(parenthesized(column)).parse(rest)?;
    let mut create = CreateTable {
        table,
        if_not_exists,
        columns,
        comment: None,
        partition_columns: Vec::new(),
        properties: Vec::new(),
        lifecycle_days: None,
    };
    let (rest, comment) = opt(preceded(keyword("COMMENT"), cut(string))).parse(rest)?;
    create.comment = comment;
    let partitioned = preceded(keywords(&["PARTITIONED", "BY"]), cut(parenthesized(column)));
    let (rest, partition_columns) = opt(partitioned).parse(rest)?;
    create.partition_columns = partition_columns.unwrap_or_default();
    refuse(
        rest,
        &["CLUSTERED", "RANGE", "ROW", "STORED", "LOCATION", "AUTO"],
    )?;
    let property = separated_pair(string, symbol("="), string);
    let properties = preceded(keyword("TBLPROPERTIES"), cut(parenthesized(property)));
    let (rest, properties) = opt(properties).parse(rest)?;
    create.properties = properties.unwrap_or_default();
    let (rest, lifecycle_days) = opt(preceded(keyword("LIFECYCLE"), cut(lifecycle))).parse(rest)?;
    create.lifecycle_days = lifecycle_days;
    refuse(rest, &["AS"])?;
    Ok((rest, Statement::CreateTable(create)))
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
            let name = match *word {
                "AS" => "CREATE TABLE … AS SELECT".to_owned(),
                "LIKE" => "CREATE TABLE … LIKE".to_owned(),
                word => format!("CREATE TABLE … {word}"),
            };
            input
                .fatal::<()>(Error::not_supported(name).at(input.at()))
                .map(drop)
        }
        None => Ok(()),
    }
}

/// `name type [NOT NULL | NULL] [COMMENT '…']`.
fn column(input: Tokens<'_>) -> Parsed<'_, ColumnDefinition> {
    let is_word = |n: usize, word: &str| {
        input
            .rest()
            .get(n)
            .is_some_and(|token| token.text.eq_ignore_ascii_case(word))
    };
    if is_word(0, "PRIMARY") && is_word(1, "KEY") {
        return input.fatal(Error::not_supported("PRIMARY KEY").at(input.at()));
    }
    let (rest, column_name) = column_name(input)?;
    let (rest, data_type) = cut(data_type).parse(rest)?;
    let nullable = alt((
        keywords(&["NOT", "NULL"]).map(|()| false),
        keyword("NULL").map(|()| true),
    ));
    let (rest, nullable) = opt(nullable).parse(rest)?;
    for (word, clause) in [
        ("DEFAULT", "DEFAULT values of columns"),
        ("PRIMARY", "PRIMARY KEY"),
    ] {
        if rest
            .first()
            .is_some_and(|token| token.text.eq_ignore_ascii_case(word))
        {
            return rest.fatal(Error::not_supported(clause).at(rest.at()));
        }
    }
    let (rest, comment) = opt(preceded(keyword("COMMENT"), cut(string))).parse(rest)?;
    let nullable = nullable.unwrap_or(true);
    Ok((
        rest,
        ColumnDefinition {
            name: column_name,
            data_type,
            nullable,
            comment,
        },
    ))
}

fn column_name(input: Tokens<'_>) -> Parsed<'_, Name> {
    let (rest, found) = name(input)?;
    match name_problem(&found.text) {
        Some(problem) => {
            let detail = format!("invalid column name '{}': {problem}", shown(&found.text));
            input.fatal(Error::syntax(found.at.0, detail))
        }
        None => Ok((rest, found)),
    }
}

/// `bigint`, `decimal(10,2)`, `array<string>`, `map<string,bigint>`, `struct<a:bigint,b:string>`.
pub(super) fn data_type(input: Tokens<'_>) -> Parsed<'_, DataType> {
    nested_type(input, TYPE_NESTING_MAX)
}

/// Deepest nesting of a type.
const TYPE_NESTING_MAX: usize = 20;

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

fn count(input: Tokens<'_>) -> Parsed<'_, u64> {
    let (rest, text) = number(input)?;
    match text.parse() {
        Ok(count) => Ok((rest, count)),
        Err(_) => input.expected("a whole number"),
    }
}

const LIFECYCLE_DAYS_MAX: u64 = 37_231;

fn lifecycle(input: Tokens<'_>) -> Parsed<'_, u32> {
    let (rest, days) = count(input)?;
    if days == 0 || days > LIFECYCLE_DAYS_MAX {
        let detail = format!("lifecycle must be a number of days from 1 to {LIFECYCLE_DAYS_MAX}");
        return input.fatal(Error::semantic(detail).at(input.at()));
    }
    Ok((rest, days as u32))
}

/// `DROP TABLE [IF EXISTS] t`.
pub(super) fn drop_table(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["DROP", "TABLE"])(input)?;
    rest.enter("DROP TABLE");
    let (rest, if_exists) = flag(&["IF", "EXISTS"])(rest)?;
    let (rest, table) = object_name(rest)?;
    refuse_purge(rest, "DROP TABLE … PURGE")?;
    Ok((rest, Statement::DropTable { table, if_exists }))
}

fn refuse_purge(input: Tokens<'_>, name: &str) -> Result<(), nom::Err<super::token::Failed>> {
    match input
        .first()
        .filter(|token| token.text.eq_ignore_ascii_case("PURGE"))
    {
        Some(token) => input
            .fatal::<()>(Error::not_supported(name).at(token.at))
            .map(drop),
        None => Ok(()),
    }
}

/// `ALTER TABLE t RENAME TO u | ADD … PARTITION … | DROP … PARTITION …`.
pub(super) fn alter_table(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["ALTER", "TABLE"])(input)?;
    rest.enter("ALTER TABLE");
    let (rest, table) = object_name(rest)?;
    let rename = preceded(keywords(&["RENAME", "TO"]), cut(object_name));
    if let Ok((rest, new_name)) = opt(rename).parse(rest)
        && let Some(new_name) = new_name
    {
        if let Some(project) = new_name.project {
            let detail = "a table is renamed within its project; give the new name alone";
            return rest.fatal(Error::semantic(detail).at(project.at.0));
        }
        return Ok((
            rest,
            Statement::RenameTable {
                table,
                new_name: new_name.name,
            },
        ));
    }
    let comma = opt(symbol(","));
    let more_specs = preceded(comma, partition_spec);
    let add = (
        preceded(keyword("ADD"), flag(&["IF", "NOT", "EXISTS"])),
        many1(more_specs),
    );
    let drop = (
        preceded(keyword("DROP"), flag(&["IF", "EXISTS"])),
        separated_list1(symbol(","), partition_spec),
    );
    let (rest, statement) = alt((
        add.map(|(if_not_exists, specs)| Statement::AddPartitions {
            table: table.clone(),
            if_not_exists,
            specs,
        }),
        drop.map(|(if_exists, specs)| Statement::DropPartitions {
            table: table.clone(),
            if_exists,
            specs,
        }),
    ))
    .parse(rest)?;
    refuse_purge(rest, "ALTER TABLE … DROP PARTITION … PURGE")?;
    Ok((rest, statement))
}
