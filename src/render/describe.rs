//! The box of DESC: every line 86 characters wide where the values fit.

use std::fmt::Write;

use crate::catalog::Column;
use crate::exec::{Description, Fact, Layout, Listing};

const RULE: &str =
    "+------------------------------------------------------------------------------------+";

/// The documented box.
pub(super) fn boxed(description: &Description) -> String {
    let mut out = String::new();
    let line = |out: &mut String, text: &str| {
        let _ = writeln!(out, "| {text:<82} |");
    };
    let rule = |out: &mut String| {
        let _ = writeln!(out, "{RULE}");
    };
    let fact = |fact: &Fact| match fact {
        Fact::Pair(label, value) => format!("{:<26}{value}", format!("{label}:")),
        Fact::Short(label, value) => format!("{label}: {value}"),
        Fact::Line(text) => text.clone(),
    };
    rule(&mut out);
    for group in &description.groups {
        group.iter().for_each(|known| line(&mut out, &fact(known)));
        rule(&mut out);
    }
    let columns = &description.columns;
    if !columns.is_empty() {
        line(&mut out, "Native Columns:");
        rule(&mut out);
        let rows: Vec<String> = match &description.extended {
            None => plain_columns(columns),
            Some(_) => extended_columns(columns),
        };
        let (title, rows) = rows.split_first().expect("a table of columns has a title");
        line(&mut out, title);
        rule(&mut out);
        rows.iter().for_each(|row| line(&mut out, row));
        rule(&mut out);
    }
    if !description.partition_columns.is_empty() {
        line(&mut out, "Partition Columns:");
        rule(&mut out);
        for column in &description.partition_columns {
            let comment = column.comment.as_deref().unwrap_or_default();
            let data_type = column.data_type.to_string();
            line(
                &mut out,
                &format!("{:<15} | {data_type:<10} | {comment:<51}", column.name),
            );
        }
        rule(&mut out);
    }
    if let Some(facts) = &description.extended {
        line(&mut out, "Extended Info:");
        rule(&mut out);
        facts.iter().for_each(|known| line(&mut out, &fact(known)));
        rule(&mut out);
    }
    out
}

/// A title and a line per column.
fn plain_columns(columns: &[Column]) -> Vec<String> {
    let row = |cells: [&str; 4]| {
        let [name, data_type, label, comment] = cells;
        format!("{name:<15} | {data_type:<10} | {label:<5} | {comment:<43}")
    };
    let lines = columns.iter().map(|column| {
        let data_type = column.data_type.to_string();
        row([
            &column.name,
            &data_type,
            "",
            column.comment.as_deref().unwrap_or_default(),
        ])
    });
    std::iter::once(row(["Field", "Type", "Label", "Comment"]))
        .chain(lines)
        .collect()
}

fn extended_columns(columns: &[Column]) -> Vec<String> {
    let row = |cells: [&str; 7]| {
        let [name, data_type, label, extended, nullable, default, comment] = cells;
        format!(
            "{name:<8} | {data_type:<6} | {label:<5} | {extended:<13} | {nullable:<8} | {default:<12} | {comment:<12}"
        )
    };
    let lines = columns.iter().map(|column| {
        let data_type = column.data_type.to_string();
        row([
            &column.name,
            &data_type,
            "",
            "",
            if column.nullable { "true" } else { "false" },
            column.default.as_deref().unwrap_or("NULL"),
            column.comment.as_deref().unwrap_or_default(),
        ])
    });
    let title = [
        "Field",
        "Type",
        "Label",
        "ExtendedLabel",
        "Nullable",
        "DefaultValue",
        "Comment",
    ];
    std::iter::once(row(title)).chain(lines).collect()
}

/// The columns as a listing, for programs; of what has none the facts.
pub(super) fn listing(description: &Description) -> Listing {
    if description.columns.is_empty() {
        let facts = description.groups.iter().flatten();
        let pair = |fact: &Fact| match fact {
            Fact::Pair(label, value) | Fact::Short(label, value) => {
                vec![Some((*label).to_owned()), Some(value.clone())]
            }
            Fact::Line(text) => match text.split_once(": ") {
                Some((label, value)) => vec![Some(label.to_owned()), Some(value.to_owned())],
                None => vec![Some(text.clone()), None],
            },
        };
        return Listing {
            layout: Layout::Settings,
            titles: vec!["Name", "Value"],
            hidden: 0,
            rows: facts.map(pair).collect(),
        };
    }
    let row = |column: &Column, partition: &str| {
        let nullable = if column.nullable { "true" } else { "false" };
        vec![
            Some(column.name.clone()),
            Some(column.data_type.to_string()),
            Some(nullable.to_owned()),
            Some(partition.to_owned()),
            column.comment.clone(),
        ]
    };
    let native = description
        .columns
        .iter()
        .map(|column| row(column, "false"));
    let partition = description
        .partition_columns
        .iter()
        .map(|column| row(column, "true"));
    Listing {
        layout: Layout::Lines,
        titles: vec!["Field", "Type", "Nullable", "IsPartition", "Comment"],
        hidden: 0,
        rows: native.chain(partition).collect(),
    }
}
