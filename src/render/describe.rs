//! The box of DESC: every line 86 characters wide where the values fit.

use std::fmt::Write;

use crate::exec::{Description, Layout, Listing};

const RULE: &str =
    "+------------------------------------------------------------------------------------+";

/// The documented box.
pub(super) fn boxed(description: &Description) -> String {
    let Description {
        table,
        schema,
        size_bytes,
        times,
    } = description;
    let mut out = String::new();
    let line = |out: &mut String, text: String| {
        let _ = writeln!(out, "| {text} |");
    };
    let field = |label: &str, value: &str| format!("{:<26}{value:<56}", format!("{label}:"));
    let rule = |out: &mut String| {
        let _ = writeln!(out, "{RULE}");
    };
    rule(&mut out);
    line(&mut out, field("Owner", &table.owner));
    line(&mut out, field("Project", &table.project));
    line(
        &mut out,
        format!(
            "TableComment: {:<68}",
            table.comment.as_deref().unwrap_or_default()
        ),
    );
    rule(&mut out);
    for (label, time) in ["CreateTime", "LastDDLTime", "LastModifiedTime"]
        .iter()
        .zip(times)
    {
        line(&mut out, field(label, time));
    }
    if let Some(days) = table.lifecycle_days {
        line(&mut out, field("Lifecycle", &days.to_string()));
    }
    rule(&mut out);
    line(
        &mut out,
        format!("InternalTable: YES      | Size: {size_bytes:<50}"),
    );
    rule(&mut out);
    line(&mut out, format!("{:<82}", "Native Columns:"));
    rule(&mut out);
    line(
        &mut out,
        format!(
            "{:<15} | {:<10} | {:<5} | {:<43}",
            "Field", "Type", "Label", "Comment"
        ),
    );
    rule(&mut out);
    for column in &schema.columns {
        let comment = column.comment.as_deref().unwrap_or_default();
        let data_type = column.data_type.to_string();
        line(
            &mut out,
            format!(
                "{:<15} | {data_type:<10} | {:<5} | {comment:<43}",
                column.name, ""
            ),
        );
    }
    rule(&mut out);
    if !schema.partition_columns.is_empty() {
        line(&mut out, format!("{:<82}", "Partition Columns:"));
        rule(&mut out);
        for column in &schema.partition_columns {
            let comment = column.comment.as_deref().unwrap_or_default();
            let data_type = column.data_type.to_string();
            line(
                &mut out,
                format!("{:<15} | {data_type:<10} | {comment:<51}", column.name),
            );
        }
        rule(&mut out);
    }
    out
}

/// The columns as a listing, for programs.
pub(super) fn listing(description: &Description) -> Listing {
    let row = |column: &crate::catalog::Column, partition: &str| {
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
        .schema
        .columns
        .iter()
        .map(|column| row(column, "false"));
    let partition = description
        .schema
        .partition_columns
        .iter()
        .map(|column| row(column, "true"));
    Listing {
        layout: Layout::Lines,
        titles: vec!["Field", "Type", "Nullable", "IsPartition", "Comment"],
        rows: native.chain(partition).collect(),
    }
}
