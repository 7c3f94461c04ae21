//! ALTER TABLE. Manual pages: "Table operations", "Partition and column operations".
//!
//! A change of the columns makes a schema with a number of its own and an ALTER row; the other changes of
//! a table itself leave no row.

use std::collections::BTreeSet;

use super::content::{Content, put};
use super::purge::collect_now;
use super::{Outcome, query};
use crate::ast::{
    AlterAction, ColumnChange, ColumnDefinition, ColumnPlace, Name, PartitionFilter, PartitionSpec,
};
use crate::catalog::edit::{Author, NewRow, TableEdit};
use crate::catalog::{
    COLUMNS_MAX, Column, Operation, Partition, RETENTION_KEY, Schema, Table, parse_retention,
};
use crate::datatype::DataType;
use crate::engine::values::check_default;
use crate::error::{Error, Result};
use crate::ids::PartitionId;
use crate::plan::{Context, Target, full_values, spec_text};
use crate::store::{Batch, Key, Piece, SegmentRef, Snapshot};
use crate::timemachine::changed_table_retention;
use crate::timemachine::collect::Collector;

const MERGED_MAX: usize = 4000;

pub(super) fn alter_table(
    cx: &Context<'_>,
    target: Target,
    action: AlterAction,
) -> Result<Outcome> {
    match action {
        AlterAction::Rename(new_name) => rename(cx, target, &new_name),
        AlterAction::SetComment(comment) => {
            if comment.len() > 1024 {
                return Err(Error::semantic(
                    "the comment of the table is longer than 1024 bytes",
                ));
            }
            change_table(cx, target, |table| table.comment = Some(comment))
        }
        AlterAction::SetLifecycle(days) => change_table(cx, target, |table| {
            table.lifecycle_days = Some(days);
            table.ends_at_ms = None;
        }),
        AlterAction::SetProperties(properties) => {
            let size: usize = properties
                .iter()
                .map(|(key, value)| key.len() + value.len())
                .sum();
            if size > 64 << 10 {
                return Err(Error::semantic(
                    "the properties of the table are longer than 65536 bytes",
                ));
            }
            check_properties(&properties)?;
            change_properties(cx, target, |table| table.properties.extend(properties))
        }
        AlterAction::UnsetProperties(keys) => change_properties(cx, target, |table| {
            table.properties.retain(|key, _| !keys.contains(key));
        }),
        AlterAction::ChangeOwner(owner) => change_table(cx, target, |table| table.owner = owner),
        AlterAction::Touch(None) => {
            let now_ms = cx.now_ms;
            change_table(cx, target, |table| table.modified_at_ms = now_ms)
        }
        AlterAction::Touch(Some(spec)) => {
            let now_ms = cx.now_ms;
            change_partition(cx, target, &spec, |partition| {
                partition.modified_at_ms = now_ms
            })
        }
        AlterAction::Lifecycle {
            spec: None,
            enabled,
        } => change_table(cx, target, |table| {
            table.lifecycle_disabled = !enabled;
            table.ends_at_ms = None;
        }),
        AlterAction::Lifecycle {
            spec: Some(spec),
            enabled,
        } => change_partition(cx, target, &spec, |partition| {
            partition.lifecycle_disabled = !enabled
        }),
        AlterAction::AddColumns {
            if_not_exists,
            columns,
        } => add_columns(cx, target, if_not_exists, columns),
        AlterAction::DropColumns(names) => drop_columns(cx, target, &names),
        AlterAction::ReplaceColumns(columns) => replace_columns(cx, target, columns),
        AlterAction::ChangeColumn(change) => change_column(cx, target, change),
        AlterAction::AddPartitions {
            if_not_exists,
            specs,
        } => add_partitions(cx, target, if_not_exists, &specs),
        AlterAction::DropPartitions {
            if_exists,
            filters,
            purge,
        } => drop_partitions(cx, target, if_exists, &filters, purge),
        AlterAction::RenamePartition { from, to } => rename_partition(cx, target, &from, &to),
        AlterAction::MergePartitions {
            if_exists,
            filters,
            target: into,
            purge,
        } => merge_partitions(cx, target, if_exists, &filters, &into, purge),
        AlterAction::MergeSmallFiles(spec) => merge_small_files(cx, target, spec.as_ref()),
        AlterAction::Compact { .. } if !target.table.is_transactional() => {
            let detail = format!("table {} is not transactional", target.qualified());
            Err(Error::semantic(detail))
        }
        AlterAction::Compact { spec, .. } => merge_small_files(cx, target, spec.as_ref()),
        AlterAction::NotClustered => change_table(cx, target, |table| table.clustering = None),
    }
}

/// Begins to change a table, lets `change` do it, and commits.
fn edited<'a>(
    cx: &Context<'a>,
    target: Target,
    change: impl FnOnce(&mut Batch<'a>, &mut TableEdit<'_>) -> Result<()>,
) -> Result<Outcome> {
    let mut batch = cx.store()?.begin();
    let author: Author = cx.author();
    let mut edit = TableEdit::open(&mut batch, &author, target.id, target.table);
    change(&mut batch, &mut edit)?;
    edit.finish(&mut batch);
    cx.commit(batch, &author)?;
    Ok(Outcome::Done)
}

fn change_table(
    cx: &Context<'_>,
    target: Target,
    change: impl FnOnce(&mut Table),
) -> Result<Outcome> {
    let now_ms = cx.now_ms;
    edited(cx, target, |_, edit| {
        change(&mut edit.table);
        edit.table.ddl_at_ms = now_ms;
        Ok(())
    })
}

/// What properties have to be that mean something here.
pub(super) fn check_properties(properties: &[(String, String)]) -> Result<()> {
    for (key, value) in properties {
        if key == RETENTION_KEY && parse_retention(value).is_none() {
            let detail = format!("{RETENTION_KEY} must be an integer between 0 and 30");
            return Err(Error::invalid_parameter(detail));
        }
    }
    Ok(())
}

/// Changes properties; where the retention becomes shorter, what it no longer covers is gone at once.
fn change_properties(
    cx: &Context<'_>,
    target: Target,
    change: impl FnOnce(&mut Table),
) -> Result<Outcome> {
    let retention = cx.retention(&target.table.project)?;
    let id = target.id;
    let outcome = change_table(cx, target, |table| {
        let before = retention.window(table);
        change(table);
        changed_table_retention(table, retention.project(), before, cx.deletion_time());
    })?;
    collect_now(cx, &[id]);
    Ok(outcome)
}

fn rename(cx: &Context<'_>, target: Target, new_name: &Name) -> Result<Outcome> {
    let project = target.table.project.clone();
    let catalog = cx.catalog()?;
    if catalog.live_table(&project, &new_name.text)?.is_some()
        || catalog.view(&project, &new_name.text)?.is_some()
    {
        return Err(Error::table_exists(&project, &new_name.text).at(new_name.at.0));
    }
    edited(cx, target, |batch, edit| {
        edit.rename(batch, &new_name.text);
        Ok(())
    })
}

fn require_partition(
    cx: &Context<'_>,
    target: &Target,
    spec: &PartitionSpec,
) -> Result<(PartitionId, Partition)> {
    let values = full_values(target, spec)?;
    let catalog = cx.catalog()?;
    match catalog.live_partition(target.id, &values)? {
        Some(id) => Ok((id, catalog.require_partition(target.id, id)?)),
        None => Err(Error::partition_not_found(spec_text(&target.schema, &values)).at(spec.at.0)),
    }
}

fn change_partition(
    cx: &Context<'_>,
    target: Target,
    spec: &PartitionSpec,
    change: impl FnOnce(&mut Partition),
) -> Result<Outcome> {
    let (id, mut partition) = require_partition(cx, &target, spec)?;
    edited(cx, target, |batch, edit| {
        change(&mut partition);
        // It may end before the others.
        edit.table.ends_at_ms = None;
        let key = Key::Partition {
            table: edit.id,
            partition: id,
        };
        batch.put(&key, &partition);
        Ok(())
    })
}

/// Gives a table other columns, with an ALTER row that designates the content there is.
fn put_schema(cx: &Context<'_>, target: Target, schema: Schema) -> Result<Outcome> {
    if schema.all_columns().count() > COLUMNS_MAX {
        return Err(Error::semantic(format!(
            "a table has at most {COLUMNS_MAX} columns"
        )));
    }
    let content = cx
        .catalog()?
        .require_version(target.id, target.table.head)?
        .content;
    edited(cx, target, |batch, edit| {
        // The number of the row that makes it: never used before.
        let number = edit.table.last_lsn.next().0 as u32;
        edit.table.schema = number;
        let key = Key::Schema {
            table: edit.id,
            schema: number,
        };
        batch.put(&key, &schema);
        let row = NewRow {
            content,
            ..NewRow::bare(Operation::Alter)
        };
        edit.add_table_row(batch, row);
        Ok(())
    })
}

/// The first column id that no row of the table can have.
fn next_column_id(cx: &Context<'_>, target: &Target) -> Result<u32> {
    Ok(cx.catalog()?.columns_made(target.id, &target.table)? + 1)
}

fn position_of(schema: &Schema, name: &Name) -> Result<usize> {
    if schema
        .partition_columns
        .iter()
        .any(|column| column.name == name.text)
    {
        let detail = format!("{} is a partition column and cannot be changed", name.text);
        return Err(Error::semantic(detail).at(name.at.0));
    }
    let found = schema
        .columns
        .iter()
        .position(|column| column.name == name.text);
    found.ok_or_else(|| {
        Error::semantic(format!("column {} cannot be resolved", name.text)).at(name.at.0)
    })
}

fn check_free(schema: &Schema, name: &Name) -> Result<()> {
    if schema.all_columns().any(|column| column.name == name.text) {
        let detail = format!("column {} already exists", name.text);
        return Err(Error::semantic(detail).at(name.at.0));
    }
    Ok(())
}

fn new_column(cx: &Context<'_>, id: u32, definition: ColumnDefinition) -> Result<Column> {
    let at = definition.name.at.0;
    cx.check_enabled(&definition.data_type)
        .map_err(|error| error.at(at))?;
    let column = Column {
        id,
        name: definition.name.text,
        data_type: definition.data_type,
        nullable: definition.nullable,
        comment: definition.comment,
        default: definition.default.map(|default| default.to_string()),
    };
    if column.default.is_some() {
        check_default(&column, cx.zone)?;
    }
    if !column.nullable && column.default.is_none() {
        let detail = format!(
            "column {} of a table with rows cannot be NOT NULL",
            column.name
        );
        return Err(Error::semantic(detail).at(at));
    }
    Ok(column)
}

fn placed(schema: &mut Schema, column: Column, place: Option<&ColumnPlace>) -> Result<()> {
    let position = match place {
        None => schema.columns.len(),
        Some(ColumnPlace::First) => 0,
        Some(ColumnPlace::After(name)) => position_of(schema, name)? + 1,
    };
    schema.columns.insert(position, column);
    Ok(())
}

fn add_columns(
    cx: &Context<'_>,
    target: Target,
    if_not_exists: bool,
    columns: Vec<(ColumnDefinition, Option<ColumnPlace>)>,
) -> Result<Outcome> {
    let mut schema = target.schema.clone();
    let mut id = next_column_id(cx, &target)?;
    let before = schema.columns.len();
    for (definition, place) in columns {
        let exists = schema
            .all_columns()
            .any(|column| column.name == definition.name.text);
        if exists && if_not_exists {
            continue;
        }
        check_free(&schema, &definition.name)?;
        let column = new_column(cx, id, definition)?;
        placed(&mut schema, column, place.as_ref())?;
        id += 1;
    }
    if schema.columns.len() == before {
        return Ok(Outcome::Done);
    }
    put_schema(cx, target, schema)
}

fn check_not_key(target: &Target, position: usize, name: &Name) -> Result<()> {
    if target
        .table
        .primary_key
        .contains(&target.schema.columns[position].id)
    {
        let detail = format!("column {} belongs to the primary key", name.text);
        return Err(Error::semantic(detail).at(name.at.0));
    }
    Ok(())
}

fn drop_columns(cx: &Context<'_>, target: Target, names: &[Name]) -> Result<Outcome> {
    let mut schema = target.schema.clone();
    for name in names {
        let position = position_of(&schema, name)?;
        check_not_key(&target, position_of(&target.schema, name)?, name)?;
        schema.columns.remove(position);
    }
    if schema.columns.is_empty() {
        return Err(Error::semantic("a table needs at least one column"));
    }
    put_schema(cx, target, schema)
}

/// Columns that keep their name and type keep their data.
fn replace_columns(
    cx: &Context<'_>,
    target: Target,
    columns: Vec<ColumnDefinition>,
) -> Result<Outcome> {
    let mut id = next_column_id(cx, &target)?;
    let mut schema = Schema {
        columns: Vec::new(),
        partition_columns: target.schema.partition_columns.clone(),
    };
    for definition in columns {
        check_free(&schema, &definition.name)?;
        let old = target.schema.columns.iter().find(|column| {
            column.name == definition.name.text && widens(&column.data_type, &definition.data_type)
        });
        let kept = old.map(|column| column.id);
        let mut column = new_column(cx, kept.unwrap_or(id), definition)?;
        if let Some(old) = old {
            column.nullable &= old.nullable;
        } else {
            id += 1;
        }
        schema.columns.push(column);
    }
    put_schema(cx, target, schema)
}

/// Whether every value of one type is a value of the other.
fn widens(from: &DataType, to: &DataType) -> bool {
    let rank = |data_type: &DataType| match data_type {
        DataType::TinyInt => Some(1),
        DataType::SmallInt => Some(2),
        DataType::Int => Some(3),
        DataType::BigInt => Some(4),
        _ => None,
    };
    let is_text = |data_type: &DataType| {
        matches!(
            data_type,
            DataType::String | DataType::Varchar(_) | DataType::Char(_)
        )
    };
    match (from, to) {
        (from, to) if from == to => true,
        (DataType::Float, DataType::Double) => true,
        (DataType::Decimal(p, s), DataType::Decimal(q, t)) => t >= s && q - t >= p - s,
        (DataType::Varchar(a), DataType::Varchar(b)) => b >= a,
        (DataType::Char(a), DataType::Char(b)) => b >= a,
        (DataType::Char(a), DataType::Varchar(b)) => *b >= u16::from(*a),
        (DataType::Datetime, DataType::Timestamp) => true,
        (from, DataType::String) => {
            is_text(from)
                || rank(from).is_some()
                || matches!(
                    from,
                    DataType::Float | DataType::Double | DataType::Decimal(..)
                )
        }
        (from, DataType::Float | DataType::Double) => rank(from).is_some_and(|rank| rank < 4),
        (from, to) => rank(from)
            .zip(rank(to))
            .is_some_and(|(from, to)| from <= to),
    }
}

fn change_column(cx: &Context<'_>, target: Target, change: ColumnChange) -> Result<Outcome> {
    let mut schema = target.schema.clone();
    let position = position_of(&schema, &change.column)?;
    let mut column = schema.columns.remove(position);
    if let Some(new_name) = &change.new_name {
        check_free(&schema, new_name)?;
        column.name.clone_from(&new_name.text);
    }
    if let Some(data_type) = change.data_type {
        if !widens(&column.data_type, &data_type) {
            let detail = format!(
                "column {} of type {} cannot become {data_type}, types can only be widened",
                change.column.text, column.data_type
            );
            return Err(Error::semantic(detail).at(change.column.at.0));
        }
        column.data_type = data_type;
    }
    if change.comment.is_some() {
        column.comment = change.comment;
    }
    if let Some(nullable) = change.nullable {
        if !nullable && column.nullable {
            let detail = format!(
                "column {} may hold NULL and cannot become NOT NULL",
                change.column.text
            );
            return Err(Error::semantic(detail).at(change.column.at.0));
        }
        column.nullable = nullable;
    }
    match &change.place {
        None => schema.columns.insert(position, column),
        Some(place) => placed(&mut schema, column, Some(place))?,
    }
    put_schema(cx, target, schema)
}

fn add_partitions(
    cx: &Context<'_>,
    target: Target,
    if_not_exists: bool,
    specs: &[PartitionSpec],
) -> Result<Outcome> {
    let mut partitions: Vec<Vec<String>> = Vec::new();
    for spec in specs {
        let values = full_values(&target, spec)?;
        let exists = cx.catalog()?.live_partition(target.id, &values)?.is_some();
        if (exists || partitions.contains(&values)) && !if_not_exists {
            let quoted: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
            let detail = format!(
                "AlreadyExistsException(message:Partition already exists, existed values:[{}])",
                quoted.join(",")
            );
            return Err(Error::ddl_task(detail));
        }
        if !exists && !partitions.contains(&values) {
            partitions.push(values);
        }
    }
    if partitions.is_empty() {
        return Ok(Outcome::Done);
    }
    edited(cx, target, |batch, edit| {
        for values in partitions {
            let id = cx.new_partition_id(batch);
            let row = NewRow::content(Operation::Create, Snapshot::default(), 0);
            edit.create_partition(batch, id, values, row)?;
        }
        Ok(())
    })
}

/// The live partitions that filters name, each once, in the order of their values.
fn filtered(
    cx: &Context<'_>,
    target: &Target,
    filters: &[PartitionFilter],
    if_exists: bool,
    partial: bool,
) -> Result<Vec<(PartitionId, Partition)>> {
    if !target.table.partitioned {
        return Err(Error::semantic(format!(
            "table {} is not partitioned",
            target.qualified()
        )));
    }
    let live = cx.catalog()?.live_partitions(target.id)?;
    let mut chosen: Vec<(PartitionId, Partition)> = Vec::new();
    for filter in filters {
        let (found, at, shown): (Vec<_>, usize, String) = match filter {
            // One column alone is a condition on it.
            PartitionFilter::Spec(spec) if partial || spec.values.len() == 1 => {
                let wanted = crate::plan::partial_values(&target.schema, spec)?;
                let matching = live
                    .iter()
                    .filter(|(_, p)| crate::plan::matches_values(&wanted, &p.values));
                (
                    matching.cloned().collect(),
                    spec.at.0,
                    "of this spec".to_owned(),
                )
            }
            PartitionFilter::Spec(spec) => {
                let values = full_values(target, spec)?;
                let matching = live
                    .iter()
                    .filter(|(_, partition)| partition.values == values);
                (
                    matching.cloned().collect(),
                    spec.at.0,
                    spec_text(&target.schema, &values),
                )
            }
            PartitionFilter::Conditions { conditions, at } => {
                let mut kept = live.clone();
                for condition in conditions {
                    kept = query::partitions(cx, &target.schema, &kept, condition)?;
                }
                let texts = conditions.iter().map(|condition| condition.text.as_str());
                let texts: Vec<&str> = texts.collect();
                (kept, at.0, format!("with {}", texts.join(", ")))
            }
        };
        if found.is_empty() && !if_exists {
            return Err(Error::partition_not_found(shown).at(at));
        }
        for partition in found {
            if !chosen.iter().any(|(id, _)| *id == partition.0) {
                chosen.push(partition);
            }
        }
    }
    Ok(chosen)
}

fn drop_partitions(
    cx: &Context<'_>,
    target: Target,
    if_exists: bool,
    filters: &[PartitionFilter],
    purge: bool,
) -> Result<Outcome> {
    let partitions = filtered(cx, &target, filters, if_exists, false)?;
    if partitions.is_empty() {
        return Ok(Outcome::Done);
    }
    edited(cx, target, |batch, edit| {
        drop_all(cx, batch, edit, partitions, purge)
    })
}

/// Drops partitions into backup state, or for good.
fn drop_all<'a>(
    cx: &Context<'a>,
    batch: &mut Batch<'a>,
    edit: &mut TableEdit<'_>,
    partitions: Vec<(PartitionId, Partition)>,
    purge: bool,
) -> Result<()> {
    let catalog = cx.catalog()?;
    if !purge {
        for (id, partition) in partitions {
            edit.drop_partition(batch, catalog, id, partition)?;
        }
        return Ok(());
    }
    let mut collector = Collector::new(catalog, batch, usize::MAX);
    for (id, mut partition) in partitions {
        partition.head = edit.skip_row();
        collector.remove_partition(edit.id, &edit.table, id, &partition)?;
    }
    collector.finish()?;
    Ok(())
}

fn rename_partition(
    cx: &Context<'_>,
    target: Target,
    from: &PartitionSpec,
    to: &PartitionSpec,
) -> Result<Outcome> {
    let (id, partition) = require_partition(cx, &target, from)?;
    let values = full_values(&target, to)?;
    let catalog = cx.catalog()?;
    if catalog.live_partition(target.id, &values)?.is_some() {
        let detail = format!(
            "partition {} already exists",
            spec_text(&target.schema, &values)
        );
        return Err(Error::ddl_task(detail));
    }
    let content = catalog.require_version(target.id, partition.head)?.content;
    edited(cx, target, |batch, edit| {
        let row = NewRow {
            content,
            ..NewRow::bare(Operation::Alter)
        };
        edit.rename_partition(batch, id, partition, values, row)?;
        Ok(())
    })
}

fn merge_partitions(
    cx: &Context<'_>,
    target: Target,
    if_exists: bool,
    filters: &[PartitionFilter],
    into: &PartitionSpec,
    purge: bool,
) -> Result<Outcome> {
    let sources = filtered(cx, &target, filters, if_exists, true)?;
    if sources.is_empty() {
        return Ok(Outcome::Done);
    }
    if target.table.has_key() {
        return Err(Error::not_supported(
            "MERGE PARTITION of a table with a primary key",
        ));
    }
    if sources.len() > MERGED_MAX {
        return Err(Error::semantic(format!(
            "at most {MERGED_MAX} partitions are merged at once"
        )));
    }
    let values = full_values(&target, into)?;
    let (store, catalog) = (cx.store()?, cx.catalog()?);
    let mut segments: Vec<SegmentRef> = Vec::new();
    let mut copied = Vec::new();
    for (_, partition) in &sources {
        let content = catalog.require_version(target.id, partition.head)?.content;
        let more = content.unwrap_or_default().segments(store)?;
        let is_there = |segment: &SegmentRef| segments.iter().any(|other| other.id == segment.id);
        match more.iter().any(is_there) {
            // A segment stands once in a snapshot.
            true => copied.push(partition.head),
            false => segments.extend(more),
        }
    }
    let before = match catalog.live_partition(target.id, &values)? {
        Some(id) => {
            let partition = catalog.require_partition(target.id, id)?;
            catalog.require_version(target.id, partition.head)?.content
        }
        None => None,
    };
    let rows_removed = before.as_ref().map_or(0, |content| content.row_count);
    let source = target.clone();
    edited(cx, target, |batch, edit| {
        // The rows stay where they are: the target points at the segments of the sources.
        let shared: BTreeSet<Piece> = segments.iter().map(Piece::of).collect();
        let held = match &before {
            Some(before) => before.pieces(store)?,
            None => BTreeSet::new(),
        };
        let newly: Vec<Piece> = shared.difference(&held).copied().collect();
        TableEdit::hold(batch, catalog, &newly)?;
        let mut writer = batch.segment_writer();
        for lsn in copied {
            query::stored(cx, &source, lsn, &mut |rows| Ok(writer.write(rows)?))?;
        }
        let copies = batch.finish_segments(writer)?;
        let snapshot = Snapshot::of(store, batch, segments).append(store, batch, copies)?;
        let content = Content::Snapshot {
            rows_added: snapshot.row_count,
            snapshot,
            rows_removed,
            origin: None,
        };
        put(
            cx,
            batch,
            edit,
            Some(values.clone()),
            content,
            Operation::Overwrite,
        )?;
        let mut sources = sources;
        sources.retain(|(_, partition)| partition.values != values);
        drop_all(cx, batch, edit, sources, purge)
    })
}

/// Joins the segments of an object into large ones: the same content, no row of history.
fn merge_small_files(
    cx: &Context<'_>,
    target: Target,
    spec: Option<&PartitionSpec>,
) -> Result<Outcome> {
    let catalog = cx.catalog()?;
    let heads = match spec {
        Some(spec) => vec![require_partition(cx, &target, spec)?.1.head],
        None if target.table.partitioned => {
            let live = catalog.live_partitions(target.id)?;
            live.into_iter()
                .map(|(_, partition)| partition.head)
                .collect()
        }
        None => vec![target.table.head],
    };
    let store = cx.store()?;
    let mut batch = store.begin();
    let author = cx.author();
    batch.expect_record(Key::Table(target.id), &target.table);
    let mut is_changed = false;
    for lsn in heads {
        let key = Key::Version {
            table: target.id,
            lsn,
        };
        let mut version = catalog.require_version(target.id, lsn)?;
        let Some(content) = &version.content else {
            continue;
        };
        if content.segments(store)?.len() < 2 {
            continue;
        }
        batch.expect_record(key.clone(), &version);
        let rows_before = content.row_count;
        let mut writer = batch.segment_writer();
        query::stored(cx, &target, lsn, &mut |rows| Ok(writer.write(rows)?))?;
        let segments = batch.finish_segments(writer)?;
        let merged = Snapshot::default().append(store, &mut batch, segments)?;
        if merged.row_count != rows_before {
            return Err(Error::internal("merging changed the number of rows"));
        }
        let mut collector = Collector::new(catalog, &mut batch, usize::MAX);
        collector.rewritten(target.id, lsn, &version)?;
        collector.finish()?;
        // It is no longer what it was made of.
        version.restored_from = None;
        version.content = Some(merged);
        batch.put(&key, &version);
        is_changed = true;
    }
    if is_changed {
        cx.commit(batch, &author)?;
    }
    Ok(Outcome::Done)
}
