//! Tables, columns and partition specs, found or refused.

use super::{Context, InsertPlace, InsertPlan, InsertSource, NewTable};
use crate::ast::{
    ColumnDefinition, CreateTable, InsertSpec, InsertTarget, Load, MultiInsert, ObjectName,
    PartitionSpec, Source,
};
use crate::catalog::{COLUMNS_MAX, Column, Partition, Schema, SpecText, Table};
use crate::engine::values::{Mapping, partition_value};
use crate::error::{Error, Result};
use crate::ids::{PartitionId, TableId};

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
        None if catalog.view(&project, &name.name.text)?.is_some() => {
            let detail = format!("{project}.{} is a view", name.name.text);
            Err(Error::semantic(detail).at(name.name.at.0))
        }
        None => Err(Error::table_not_found(&project, &name.name.text).at(name.name.at.0)),
    }
}

/// Whether a table or a view has that name.
pub(super) fn is_taken(cx: &Context<'_>, project: &str, name: &str) -> Result<bool> {
    let catalog = cx.catalog()?;
    Ok(catalog.live_table(project, name)?.is_some() || catalog.view(project, name)?.is_some())
}

/// The live partitions that specs name, each of them once.
pub(super) fn live_partitions(
    cx: &Context<'_>,
    target: &Target,
    specs: &[PartitionSpec],
) -> Result<Vec<(PartitionId, Partition)>> {
    let catalog = cx.catalog()?;
    let mut found: Vec<(PartitionId, Partition)> = Vec::new();
    for spec in specs {
        let values = full_values(target, spec)?;
        let Some(id) = catalog.live_partition(target.id, &values)? else {
            let spec_text = spec_text(&target.schema, &values);
            return Err(Error::partition_not_found(spec_text).at(spec.at.0));
        };
        if !found.iter().any(|(other, _)| *other == id) {
            found.push((id, catalog.require_partition(target.id, id)?));
        }
    }
    Ok(found)
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
    let data_columns = create.columns.len();
    let column = |(position, definition): (usize, ColumnDefinition)| Column {
        id: position as u32 + 1,
        name: definition.name.text,
        data_type: definition.data_type,
        nullable: definition.nullable,
        comment: definition.comment,
        default: definition.default.map(|default| default.to_string()),
    };
    let mut primary_key = Vec::new();
    for name in &create.primary_key {
        let position = create
            .columns
            .iter()
            .position(|column| column.name.text == name.text);
        match position {
            Some(position) if !create.columns[position].nullable => {
                primary_key.push(position as u32 + 1);
            }
            Some(_) => {
                let detail = format!("primary key column {} must be NOT NULL", name.text);
                return Err(Error::semantic(detail).at(name.at.0));
            }
            None => {
                let detail = format!("column {} cannot be resolved", name.text);
                return Err(Error::semantic(detail).at(name.at.0));
            }
        }
    }
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
        replaced: None,
        schema: Schema {
            columns,
            partition_columns,
        },
        comment: create.comment,
        lifecycle_days: create.lifecycle_days,
        properties: create.properties,
        primary_key,
        clustering: create.clustering,
        query: create.query,
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
        values[level] = Some(partition_value(&schema.partition_columns[level], value)?);
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
pub fn full_values(target: &Target, spec: &PartitionSpec) -> Result<Vec<String>> {
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

/// An INSERT whose columns fit its target; `None` where its condition says there is nothing to do.
pub(super) fn insert_plan(
    cx: &Context<'_>,
    insert: InsertTarget,
    source: Source,
) -> Result<Option<InsertPlan>> {
    let target = require_table(cx, &insert.table)?;
    let place = insert_place(&target, insert.partition.as_ref())?;
    if let (true, InsertPlace::Partition(values)) = (insert.if_not_exists, &place)
        && cx.catalog()?.live_partition(target.id, values)?.is_some()
    {
        return Ok(None);
    }
    if target.table.clustering.is_some() && !insert.overwrite {
        let detail = format!(
            "table {} is clustered, it takes INSERT OVERWRITE only",
            target.qualified()
        );
        return Err(Error::semantic(detail).at(insert.table.name.at.0));
    }
    if insert.overwrite && insert.columns.is_some() {
        let detail = "INSERT OVERWRITE takes no list of columns";
        return Err(Error::semantic(detail).at(insert.table.name.at.0));
    }
    let columns = &target.schema.columns;
    // The partition columns whose values are in the rows.
    let dynamic: Vec<&Column> = match &place {
        InsertPlace::Dynamic(values) => {
            let levels = target.schema.partition_columns.iter().zip(values);
            let open = levels.filter(|(_, value)| value.is_none());
            open.map(|(column, _)| column).collect()
        }
        InsertPlace::Table | InsertPlace::Partition(_) => Vec::new(),
    };
    let names: Vec<&str> = match &insert.columns {
        None => columns.iter().map(|column| column.name.as_str()).collect(),
        Some(names) => {
            for (position, name) in names.iter().enumerate() {
                let earlier = &names[..position];
                if earlier.iter().any(|other| other.text == name.text) {
                    let detail = format!("column {} is given twice", name.text);
                    return Err(Error::semantic(detail).at(name.at.0));
                }
                let mut known = columns.iter().chain(dynamic.iter().copied());
                if !known.any(|column| column.name == name.text) {
                    let is_fixed = target
                        .schema
                        .partition_columns
                        .iter()
                        .any(|column| column.name == name.text);
                    let detail = match is_fixed {
                        true => format!("partition column {} has a value already", name.text),
                        false => format!("column {} cannot be resolved", name.text),
                    };
                    return Err(Error::semantic(detail).at(name.at.0));
                }
            }
            names.iter().map(|name| name.text.as_str()).collect()
        }
    };
    let place_of = |column: &Column| names.iter().position(|name| *name == column.name);
    let mapping: Mapping = columns.iter().map(place_of).collect();
    // Partition columns that the list does not name come last.
    let mut source_columns = names.len();
    let partition_mapping = dynamic
        .into_iter()
        .map(|column| {
            place_of(column).unwrap_or_else(|| {
                source_columns += 1;
                source_columns - 1
            })
        })
        .collect();
    if let Source::Literals { rows, at } = &source
        && let Some(row) = rows.iter().find(|row| row.len() != source_columns)
    {
        return Err(wrong_count(row.len(), source_columns).at(at.0));
    }
    Ok(Some(InsertPlan {
        target,
        overwrite: insert.overwrite,
        place,
        mapping,
        partition_mapping,
        source_columns,
        source: InsertSource::Rows(source),
    }))
}

fn insert_place(target: &Target, spec: Option<&InsertSpec>) -> Result<InsertPlace> {
    let columns = &target.schema.partition_columns;
    let Some(spec) = spec else {
        return Ok(if target.table.partitioned {
            InsertPlace::Dynamic(vec![None; columns.len()])
        } else {
            InsertPlace::Table
        });
    };
    let fixed = PartitionSpec {
        values: spec
            .values
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
            .collect(),
        at: spec.at,
    };
    if spec.values.iter().all(|(_, value)| value.is_some()) {
        return Ok(InsertPlace::Partition(full_values(target, &fixed)?));
    }
    if !target.table.partitioned {
        return full_values(target, &fixed).map(InsertPlace::Partition);
    }
    let values = partial_values(&target.schema, &fixed)?;
    for (column, value) in columns.iter().zip(&values) {
        let is_named = spec.values.iter().any(|(name, _)| name.text == column.name);
        if value.is_none() && !is_named {
            let detail = format!("the partition spec has no value for {}", column.name);
            return Err(Error::semantic(detail).at(spec.at.0));
        }
    }
    for (name, _) in &spec.values {
        if !columns.iter().any(|column| column.name == name.text) {
            let detail = format!("partition column {} cannot be resolved", name.text);
            return Err(Error::semantic(detail).at(name.at.0));
        }
    }
    let first_dynamic = values.iter().position(Option::is_none);
    if values
        .iter()
        .skip(first_dynamic.unwrap_or(0))
        .any(Option::is_some)
    {
        let detail = "a partition column with a value cannot follow one without";
        return Err(Error::semantic(detail).at(spec.at.0));
    }
    Ok(InsertPlace::Dynamic(values))
}

const BRANCHES_MAX: usize = 255;

/// The branches of a multi-insert: no place twice, INTO and OVERWRITE not mixed on one table.
pub(super) fn multi_insert(cx: &Context<'_>, multi: MultiInsert) -> Result<Vec<InsertPlan>> {
    let mut plans: Vec<InsertPlan> = Vec::new();
    if multi.branches.len() > BRANCHES_MAX {
        let detail = format!("a multi-insert has at most {BRANCHES_MAX} branches");
        return Err(Error::semantic(detail));
    }
    for (target, query) in multi.branches {
        let at = target.table.name.at.0;
        let Some(plan) = insert_plan(cx, target, Source::Query(query))? else {
            continue;
        };
        for other in plans
            .iter()
            .filter(|other| other.target.id == plan.target.id)
        {
            if other.overwrite != plan.overwrite {
                let detail = format!(
                    "INSERT INTO and INSERT OVERWRITE of {} in one statement",
                    plan.target.qualified()
                );
                return Err(Error::semantic(detail).at(at));
            }
            if other.place == plan.place && plan.overwrite {
                let detail = format!(
                    "two branches of a multi-insert write to the same place in {}",
                    plan.target.qualified()
                );
                return Err(Error::semantic(detail).at(at));
            }
        }
        plans.push(plan);
    }
    Ok(plans)
}

/// A LOAD as the INSERT it is.
pub(super) fn load_plan(cx: &Context<'_>, load: Load) -> Result<InsertPlan> {
    let target = require_table(cx, &load.table)?;
    let place = match &load.partition {
        Some(spec) => InsertPlace::Partition(full_values(&target, spec)?),
        None if target.table.partitioned => {
            InsertPlace::Dynamic(vec![None; target.schema.partition_columns.len()])
        }
        None => InsertPlace::Table,
    };
    let data = target.schema.columns.len();
    let dynamic = match &place {
        InsertPlace::Dynamic(values) => values.len(),
        InsertPlace::Table | InsertPlace::Partition(_) => 0,
    };
    Ok(InsertPlan {
        target,
        overwrite: load.overwrite,
        place,
        mapping: (0..data).map(Some).collect(),
        partition_mapping: (data..data + dynamic).collect(),
        source_columns: data + dynamic,
        source: InsertSource::Files(load),
    })
}

/// The documented error for a row that is too short or too long.
pub fn wrong_count(found: usize, needed: usize) -> Error {
    Error::semantic(format!(
        "wrong columns count {found} in data source, requires {needed} columns (includes dynamic partitions if any)"
    ))
}
