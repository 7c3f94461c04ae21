//! ALTER TABLE. Manual pages: "Table operations", "Partition and column operations".

use nom::Parser;
use nom::branch::alt;
use nom::combinator::{cut, opt};
use nom::multi::{many1, separated_list1};
use nom::sequence::preceded;

use super::common::{
    comment_text, flag, fragment, keyword, keywords, name, object_name, parenthesized,
    partition_spec, property, string, symbol,
};
use super::ddl::{column, column_name, data_type, lifecycle, nullability};
use super::token::{Parsed, TokenKind, Tokens};
use crate::ast::{
    AlterAction, AlterTable, At, ColumnChange, ColumnDefinition, ColumnPlace, Name,
    PartitionFilter, Statement,
};
use crate::error::Error;

/// `ALTER TABLE t …`.
pub(super) fn alter_table(input: Tokens<'_>) -> Parsed<'_, Statement> {
    let (rest, ()) = keywords(&["ALTER", "TABLE"])(input)?;
    rest.enter("ALTER TABLE");
    let (rest, table) = object_name(rest)?;
    let (rest, action) = alt((
        rename,
        rename_column,
        set,
        unset,
        owner,
        touch,
        lifecycle_switch,
        columns,
        change_column,
        partitions,
        merge,
        compact,
        keywords(&["NOT", "CLUSTERED"]).map(|()| AlterAction::NotClustered),
    ))
    .parse(rest)?;
    Ok((rest, Statement::AlterTable(AlterTable { table, action })))
}

fn rename(input: Tokens<'_>) -> Parsed<'_, AlterAction> {
    let (rest, new_name) = preceded(keywords(&["RENAME", "TO"]), cut(object_name)).parse(input)?;
    if let Some(project) = new_name.project {
        let detail = "a table is renamed within its project; give the new name alone";
        return rest.fatal(Error::semantic(detail).at(project.at.0));
    }
    Ok((rest, AlterAction::Rename(new_name.name)))
}

/// A change of a column that says nothing yet.
fn change(column: Name) -> ColumnChange {
    ColumnChange {
        column,
        new_name: None,
        data_type: None,
        comment: None,
        nullable: None,
        place: None,
    }
}

fn rename_column(input: Tokens<'_>) -> Parsed<'_, AlterAction> {
    let (rest, ()) = keywords(&["RENAME", "COLUMN"])(input)?;
    let (rest, (column, _, new_name)) = cut((name, keyword("TO"), column_name)).parse(rest)?;
    let change = ColumnChange {
        new_name: Some(new_name),
        ..change(column)
    };
    Ok((rest, AlterAction::ChangeColumn(change)))
}

fn set(input: Tokens<'_>) -> Parsed<'_, AlterAction> {
    let action = alt((
        comment_text.map(AlterAction::SetComment),
        preceded(keyword("LIFECYCLE"), cut(lifecycle)).map(AlterAction::SetLifecycle),
        preceded(keyword("TBLPROPERTIES"), cut(parenthesized(property)))
            .map(AlterAction::SetProperties),
    ));
    preceded(keyword("SET"), cut(action)).parse(input)
}

fn unset(input: Tokens<'_>) -> Parsed<'_, AlterAction> {
    let (rest, ()) = keywords(&["UNSET", "TBLPROPERTIES"])(input)?;
    let (rest, _) = flag(&["IF", "EXISTS"])(rest)?;
    let (rest, keys) = cut(parenthesized(string)).parse(rest)?;
    Ok((rest, AlterAction::UnsetProperties(keys)))
}

fn owner(input: Tokens<'_>) -> Parsed<'_, AlterAction> {
    preceded(keyword("CHANGEOWNER"), cut(keyword("TO")))
        .parse(input)
        .and_then(|(rest, ())| string(rest))
        .map(|(rest, owner)| (rest, AlterAction::ChangeOwner(owner)))
}

fn touch(input: Tokens<'_>) -> Parsed<'_, AlterAction> {
    preceded(keyword("TOUCH"), opt(partition_spec))
        .map(AlterAction::Touch)
        .parse(input)
}

fn lifecycle_switch(input: Tokens<'_>) -> Parsed<'_, AlterAction> {
    let enabled = alt((
        keyword("ENABLE").map(|()| true),
        keyword("DISABLE").map(|()| false),
    ));
    let (rest, (spec, enabled, ())) =
        (opt(partition_spec), enabled, keyword("LIFECYCLE")).parse(input)?;
    Ok((rest, AlterAction::Lifecycle { spec, enabled }))
}

/// `FIRST` or `AFTER x`.
fn place(input: Tokens<'_>) -> Parsed<'_, ColumnPlace> {
    alt((
        keyword("FIRST").map(|()| ColumnPlace::First),
        preceded(keyword("AFTER"), cut(name)).map(ColumnPlace::After),
    ))
    .parse(input)
}

fn placed_column(input: Tokens<'_>) -> Parsed<'_, (ColumnDefinition, Option<ColumnPlace>)> {
    (column, opt(place)).parse(input)
}

fn columns(input: Tokens<'_>) -> Parsed<'_, AlterAction> {
    let word = |input| alt((keyword("COLUMNS"), keyword("COLUMN"))).parse(input);
    let add = preceded(
        (keyword("ADD"), word),
        (
            flag(&["IF", "NOT", "EXISTS"]),
            cut(alt((
                parenthesized(placed_column),
                separated_list1(symbol(","), placed_column),
            ))),
        ),
    );
    let drop = preceded(
        (keyword("DROP"), word),
        cut(alt((
            parenthesized(name),
            separated_list1(symbol(","), name),
        ))),
    );
    let replace = preceded(
        keywords(&["REPLACE", "COLUMNS"]),
        cut(parenthesized(column)),
    );
    alt((
        add.map(|(if_not_exists, columns)| AlterAction::AddColumns {
            if_not_exists,
            columns,
        }),
        drop.map(AlterAction::DropColumns),
        replace.map(AlterAction::ReplaceColumns),
    ))
    .parse(input)
}

/// `CHANGE [COLUMN] a RENAME TO b | a COMMENT '…' | a [NOT] NULL | a b type [COMMENT '…'] [FIRST|AFTER x]`.
fn change_column(input: Tokens<'_>) -> Parsed<'_, AlterAction> {
    let (rest, _) = (keyword("CHANGE"), opt(keyword("COLUMN"))).parse(input)?;
    let (rest, column) = name(rest)?;
    let renamed = preceded(keywords(&["RENAME", "TO"]), cut(column_name));
    let full = (column_name, data_type, opt(comment_text), opt(place));
    let base = change(column);
    let (rest, change) = alt((
        renamed.map(|new_name| ColumnChange {
            new_name: Some(new_name),
            ..base.clone()
        }),
        comment_text.map(|comment| ColumnChange {
            comment: Some(comment),
            ..base.clone()
        }),
        nullability.map(|nullable| ColumnChange {
            nullable: Some(nullable),
            ..base.clone()
        }),
        full.map(|(new_name, data_type, comment, place)| ColumnChange {
            new_name: Some(new_name),
            data_type: Some(data_type),
            comment,
            place,
            ..base.clone()
        }),
    ))
    .parse(rest)?;
    Ok((rest, AlterAction::ChangeColumn(change)))
}

/// `PARTITION(…)` with values, or with conditions that each are on one column.
fn partition_filter(input: Tokens<'_>) -> Parsed<'_, PartitionFilter> {
    let at = At(input.at());
    if let Ok((rest, spec)) = partition_spec(input)
        && rest
            .first()
            .is_none_or(|token| token.text == "," || token.kind == TokenKind::Word)
    {
        return Ok((rest, PartitionFilter::Spec(spec)));
    }
    let (rest, ()) = keyword("PARTITION")(input)?;
    let (rest, ()) = symbol("(")(rest)?;
    let all = separated_list1(symbol(","), fragment(&[], true));
    let (rest, conditions) = cut(all).parse(rest)?;
    let (rest, ()) = symbol(")")(rest)?;
    Ok((rest, PartitionFilter::Conditions { conditions, at }))
}

fn partitions(input: Tokens<'_>) -> Parsed<'_, AlterAction> {
    let more_specs = preceded(opt(symbol(",")), partition_spec);
    let add = (
        preceded(keyword("ADD"), flag(&["IF", "NOT", "EXISTS"])),
        many1(more_specs),
    );
    let drop = (
        preceded(keyword("DROP"), flag(&["IF", "EXISTS"])),
        separated_list1(symbol(","), partition_filter),
        flag(&["PURGE"]),
    );
    let rename = (
        partition_spec,
        preceded(keywords(&["RENAME", "TO"]), cut(partition_spec)),
    );
    alt((
        add.map(|(if_not_exists, specs)| AlterAction::AddPartitions {
            if_not_exists,
            specs,
        }),
        drop.map(|(if_exists, filters, purge)| AlterAction::DropPartitions {
            if_exists,
            filters,
            purge,
        }),
        rename.map(|(from, to)| AlterAction::RenamePartition { from, to }),
    ))
    .parse(input)
}

/// `MERGE [IF EXISTS] PARTITION(…), … OVERWRITE PARTITION(…) [PURGE]`, `[PARTITION(…)] MERGE SMALLFILES`.
fn merge(input: Tokens<'_>) -> Parsed<'_, AlterAction> {
    let small = (opt(partition_spec), keywords(&["MERGE", "SMALLFILES"]));
    if let Ok((rest, (spec, ()))) = { small }.parse(input) {
        return Ok((rest, AlterAction::MergeSmallFiles(spec)));
    }
    let (rest, if_exists) = preceded(keyword("MERGE"), flag(&["IF", "EXISTS"])).parse(input)?;
    let (rest, filters) = cut(separated_list1(symbol(","), partition_filter)).parse(rest)?;
    let (rest, target) = preceded(keyword("OVERWRITE"), cut(partition_spec)).parse(rest)?;
    let (rest, purge) = flag(&["PURGE"])(rest)?;
    Ok((
        rest,
        AlterAction::MergePartitions {
            if_exists,
            filters,
            target,
            purge,
        },
    ))
}

/// `[PARTITION(…)] COMPACT MAJOR|MINOR`, the kind with or without quotes.
fn compact(input: Tokens<'_>) -> Parsed<'_, AlterAction> {
    let (rest, (spec, ())) = (opt(partition_spec), keyword("COMPACT")).parse(input)?;
    let kind = rest.first().map_or("", |token| token.text);
    let major = match kind.trim_matches(['\'', '"']).to_ascii_uppercase().as_str() {
        "MAJOR" => true,
        "MINOR" => false,
        _ => return rest.expected("MAJOR"),
    };
    let (rest, ()) = rest.accept(())?;
    Ok((rest, AlterAction::Compact { spec, major }))
}
