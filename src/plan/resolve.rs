//! Tables, columns and partition specs, found or refused.

use super::{Context, InsertPlan, NewTable};
use crate::ast::{ColumnDefinition, CreateTable, Insert, ObjectName, PartitionSpec, Source};
use crate::catalog::partition::checked_value;
use crate::catalog::{Column, Schema, SpecText, Table};
use crate::engine::values::Mapping;
use crate::error::{Error, Result};
use crate::ids::TableId;

const COLUMNS_MAX: usize = 1200;
const PARTITION_LEVELS_MAX: usize = 6;
const COMMENT_MAX: usize = 1024;
const PROPERTIES_MAX: usize = 64 << 10;

/// A live table.
#[derive(Clone, Debug)]
pub struct Target {
    pub id: TableId,
    pub table: Table,
    pub schema: Schema,
}

impl Target {
    /// `project.table`.
    pub fn qualified(&self) -> String {
        format!("{}.{}", self.table.project, self.table.name)
    }
}

/// The live table of that name.
pub(super) fn require_table(cx: &Context<'_>, name: &ObjectName) -> Result<Target> {
    let project = cx.project_of(name)?;
    let catalog = cx.catalog()?;
    match catalog.live_table(&project, &name.name.text)? {
        Some((id, table)) => {
            let schema = catalog.schema(id, table.schema)?;
            Ok(Target { id, table, schema })
        }
        None => Err(Error::table_not_found(&project, &name.name.text).at(name.name.at.0)),
    }
}

/// A CREATE TABLE that makes sense: the table, whether it may be there already, where its name stands.
pub(super) fn check_new_table(
    project: String,
    create: CreateTable,
) -> Result<(NewTable, bool, usize)> {
    let definitions = create.columns.iter().chain(&create.partition_columns);
    let mut names: Vec<&str> = Vec::new();
    for definition in definitions {
        if names.contains(&definition.name.text.as_str()) {
            let detail = format!("column repeated in creation: {}", definition.name.text);
            return Err(Error::semantic(detail).at(definition.name.at.0));
        }
        if definition
            .comment
            .as_ref()
            .is_some_and(|comment| comment.len() > COMMENT_MAX)
        {
            let detail = format!(
                "the comment of column {} is longer than {COMMENT_MAX} bytes",
                definition.name.text
            );
            return Err(Error::semantic(detail).at(definition.name.at.0));
        }
        names.push(&definition.name.text);
    }
    if names.len() > COLUMNS_MAX {
        return Err(Error::semantic(format!(
            "a table has at most {COLUMNS_MAX} columns"
        )));
    }
    if create.partition_columns.len() > PARTITION_LEVELS_MAX {
        return Err(Error::semantic(format!(
            "a table has at most {PARTITION_LEVELS_MAX} partition levels"
        )));
    }
    if let Some(wrong) = create
        .partition_columns
        .iter()
        .find(|column| !column.data_type.can_partition())
    {
        let detail = format!(
            "partition column {} cannot be of type {}",
            wrong.name.text, wrong.data_type
        );
        return Err(Error::semantic(detail).at(wrong.name.at.0));
    }
    if create
        .comment
        .as_ref()
        .is_some_and(|comment| comment.len() > COMMENT_MAX)
    {
        return Err(Error::semantic(format!(
            "the comment of the table is longer than {COMMENT_MAX} bytes"
        )));
    }
    if create
        .properties
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum::<usize>()
        > PROPERTIES_MAX
    {
        return Err(Error::semantic(format!(
            "the properties of the table are longer than {PROPERTIES_MAX} bytes"
        )));
    }
    let is_true = |key: &str| {
        let property = create
            .properties
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(key));
        property.is_some_and(|(_, value)| value.eq_ignore_ascii_case("true"))
    };
    if is_true("transactional") {
        return Err(Error::not_supported("transactional tables"));
    }
    let data_columns = create.columns.len();
    let column = |(position, definition): (usize, ColumnDefinition)| Column {
        id: position as u32 + 1,
        name: definition.name.text,
        data_type: definition.data_type,
        nullable: definition.nullable,
        comment: definition.comment,
        default: None,
    };
    let mut columns: Vec<Column> = create
        .columns
        .into_iter()
        .chain(create.partition_columns)
        .enumerate()
        .map(column)
        .collect();
    let partition_columns = columns.split_off(data_columns);
    let at = create.table.name.at.0;
    let new_table = NewTable {
        project,
        name: create.table.name.text,
        schema: Schema {
            columns,
            partition_columns,
        },
        comment: create.comment,
        lifecycle_days: create.lifecycle_days,
        properties: create.properties,
    };
    Ok((new_table, create.if_not_exists, at))
}

/// `ds=20191201/region=cn`.
pub fn spec_text(schema: &Schema, values: &[String]) -> String {
    SpecText {
        columns: &schema.partition_columns,
        values,
    }
    .to_string()
}

/// The values a spec gives to some partition columns, one entry per column of `schema`.
pub fn partial_values(schema: &Schema, spec: &PartitionSpec) -> Result<Vec<Option<String>>> {
    let mut values = vec![None; schema.partition_columns.len()];
    for (name, value) in &spec.values {
        let level = schema
            .partition_columns
            .iter()
            .position(|column| column.name == name.text);
        let Some(level) = level else {
            return Err(Error::semantic(format!(
                "partition column {} cannot be resolved",
                name.text
            ))
            .at(name.at.0));
        };
        values[level] = Some(checked_value(&schema.partition_columns[level], value)?);
    }
    Ok(values)
}

/// Whether a partition with `values` is among those a partial spec names.
pub fn matches_values(partial: &[Option<String>], values: &[String]) -> bool {
    partial
        .iter()
        .zip(values)
        .all(|(wanted, value)| wanted.as_ref().is_none_or(|wanted| wanted == value))
}

/// The values of a spec that names one partition.
pub(super) fn full_values(target: &Target, spec: &PartitionSpec) -> Result<Vec<String>> {
    if !target.table.partitioned {
        return Err(
            Error::semantic(format!("table {} is not partitioned", target.qualified()))
                .at(spec.at.0),
        );
    }
    let values = partial_values(&target.schema, spec)?;
    let missing = target
        .schema
        .partition_columns
        .iter()
        .zip(&values)
        .find(|(_, value)| value.is_none());
    if let Some((column, _)) = missing {
        return Err(Error::semantic(format!(
            "the partition spec has no value for {}",
            column.name
        ))
        .at(spec.at.0));
    }
    Ok(values.into_iter().flatten().collect())
}

/// An INSERT whose columns fit its target.
pub(super) fn insert_plan(cx: &Context<'_>, insert: Insert) -> Result<InsertPlan> {
    let target = require_table(cx, &insert.table)?;
    let partition = match &insert.partition {
        Some(spec) => Some(full_values(&target, spec)?),
        None if target.table.partitioned => {
            let error = Error::not_supported("INSERT with dynamic partitions");
            return Err(error.hint("name the partition: PARTITION(column='value')"));
        }
        None => None,
    };
    let columns = &target.schema.columns;
    let (mapping, source_columns): (Mapping, usize) = match &insert.columns {
        None => ((0..columns.len()).map(Some).collect(), columns.len()),
        Some(names) => {
            for (position, name) in names.iter().enumerate() {
                if names[..position]
                    .iter()
                    .any(|earlier| earlier.text == name.text)
                {
                    return Err(
                        Error::semantic(format!("column {} is given twice", name.text))
                            .at(name.at.0),
                    );
                }
                if !columns.iter().any(|column| column.name == name.text) {
                    return Err(Error::semantic(format!(
                        "column {} cannot be resolved",
                        name.text
                    ))
                    .at(name.at.0));
                }
            }
            let place = |column: &Column| names.iter().position(|name| name.text == column.name);
            (columns.iter().map(place).collect(), names.len())
        }
    };
    if let Source::Literals { rows, at } = &insert.source
        && let Some(row) = rows.iter().find(|row| row.len() != source_columns)
    {
        return Err(wrong_count(row.len(), source_columns).at(at.0));
    }
    Ok(InsertPlan {
        target,
        overwrite: insert.overwrite,
        partition,
        mapping,
        source_columns,
        source: insert.source,
    })
}

/// The documented error for a row that is too short or too long.
pub fn wrong_count(found: usize, needed: usize) -> Error {
    Error::semantic(format!(
        "wrong columns count {found} in data source, requires {needed} columns (includes dynamic partitions if any)"
    ))
}
