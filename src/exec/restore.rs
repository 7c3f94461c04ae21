//! RESTORE TABLE, in all its forms. Manual page: "Backup and restoration".
//!
//! A restore moves no rows: it appends versions that point at old snapshots. Everything it touches is
//! checked before the first row is added, and committed at once.

use datafusion::arrow::array::RecordBatch;

use super::{Outcome, query};
use crate::ast::{ObjectName, Part, Restore};
use crate::catalog::edit::{Author, NewRow, TableEdit};
use crate::catalog::{Catalog, Operation, Partition, Schema, SpecText, Table, Version};
use crate::engine::types::storage_schema;
use crate::error::{Error, Result};
use crate::ids::{Lsn, PartitionId, TableId};
use crate::plan::{Context, Target, matches_values, partial_values};
use crate::store::{Batch, Key, Snapshot};
use crate::timemachine::{
    Piece, Refusal, Retention, TableState, Window, find_incarnation, partition_at, table_at,
};

pub(super) fn restore(cx: &Context<'_>, restore: Restore) -> Result<Outcome> {
    let project = cx.project_of(&restore.source.table)?;
    let work = Work {
        cx,
        catalog: cx.catalog()?,
        retention: cx.retention(&project)?,
        author: cx.author(),
        project,
    };
    let source = work.find_source(&restore)?;
    let is_live = source.table.dropped_at_ms.is_none();
    if source.table.clustering.is_some() {
        return Err(Refusal::Unsupported("clustered table").into());
    }
    match (restore.lsn, restore.parts.is_empty(), restore.new_name) {
        (None, true, new_name) if !is_live => work.undrop(source, new_name.as_ref()),
        (None, true, _) => Err(Refusal::NotDropped(source.table.name).into()),
        (_, false, _) if !is_live && restore.lsn.is_none() => {
            Err(Refusal::WrongForm("the table is dropped, restore it before its partitions").into())
        }
        (Some(_), _, _) if !is_live => Err(Refusal::StillDropped(source.table.name).into()),
        (None, false, None) => work.undrop_partitions(source, &restore.parts),
        (None, false, Some(_)) => {
            Err(Refusal::WrongForm("partitions need TO LSN to be restored as a new table").into())
        }
        (Some(lsn), true, None) => work.table_to_lsn(source, lsn),
        (Some(lsn), false, None) => work.partitions_to_lsn(source, &restore.parts, lsn),
        (Some(lsn), _, Some(new_name)) => {
            let target_project = cx.project_of(&new_name)?;
            let same = target_project == work.project && new_name.name.text == source.table.name;
            match (same, restore.parts.is_empty()) {
                (true, true) => work.table_to_lsn(source, lsn),
                (true, false) => work.partitions_to_lsn(source, &restore.parts, lsn),
                (false, _) => work.restore_as(
                    source,
                    &restore.parts,
                    lsn,
                    &target_project,
                    &new_name.name.text,
                ),
            }
        }
    }
}

/// A table incarnation with its current schema.
struct Incarnation {
    id: TableId,
    table: Table,
    schema: Schema,
    /// What of its history is kept.
    window: Window,
}

struct Work<'a, 'c> {
    cx: &'a Context<'c>,
    catalog: Catalog<'a>,
    retention: Retention,
    author: Author,
    project: String,
}

impl Work<'_, '_> {
    /// The incarnation the statement means.
    fn find_source(&self, restore: &Restore) -> Result<Incarnation> {
        let name = &restore.source.table.name;
        if let Some(id) = restore.source.id {
            let known = self.catalog.table(id)?;
            let named =
                known.filter(|table| table.project == self.project && table.name == name.text);
            let Some(table) = named else {
                return Err(match self.catalog.gone_table(id)? {
                    Some(gone)
                        if gone.project == self.project && gone.name == [name.text.clone()] =>
                    {
                        Refusal::NoBackup(name.text.clone()).into()
                    }
                    _ => Refusal::UnknownTableId(id).into(),
                });
            };
            if !self.retention.keeps(&table) {
                return Err(Refusal::NoBackup(table.name).into());
            }
            return self.incarnation(id, table);
        }
        let Some((id, table)) = find_incarnation(
            self.catalog,
            &self.project,
            &name.text,
            None,
            &self.retention,
        )?
        else {
            if self.catalog.view(&self.project, &name.text)?.is_some() {
                return Err(Refusal::Unsupported("view").into());
            }
            return Err(Error::table_not_found(&self.project, &name.text).at(name.at.0));
        };
        if table.dropped_at_ms.is_some() && restore.lsn.is_none() {
            let mut ids = Vec::new();
            for (id, table) in self
                .catalog
                .dropped_tables(&self.project, Some(&name.text))?
            {
                if self.retention.keeps(&table) {
                    ids.push(id.to_string());
                }
            }
            if ids.len() > 1 {
                return Err(Refusal::SeveralDropped(name.text.clone(), ids.join(", ")).into());
            }
        }
        self.incarnation(id, table)
    }

    fn incarnation(&self, id: TableId, table: Table) -> Result<Incarnation> {
        let schema = self.catalog.schema(id, table.schema)?;
        let retention = match table.project == self.project {
            true => self.retention.clone(),
            false => self.cx.retention(&table.project)?,
        };
        Ok(Incarnation {
            id,
            window: retention.window(&table),
            table,
            schema,
        })
    }

    fn check_no_view(&self, project: &str, name: &str) -> Result<()> {
        match self.catalog.view(project, name)? {
            Some(_) => Err(Refusal::NameOfView(name.to_owned()).into()),
            None => Ok(()),
        }
    }

    fn begin(&self) -> Result<Batch<'_>> {
        Ok(self.cx.store()?.begin())
    }

    fn done(&self, edit: TableEdit<'_>, mut batch: Batch<'_>) -> Result<Outcome> {
        edit.finish(&mut batch);
        self.cx.commit(batch, &self.author)?;
        Ok(Outcome::Done)
    }

    /// `restore table t('id'='…')`: the table as it was when it was dropped, its partitions too.
    fn undrop(&self, source: Incarnation, new_name: Option<&ObjectName>) -> Result<Outcome> {
        let name = match new_name {
            Some(new_name) if self.cx.project_of(new_name)? != self.project => {
                return Err(
                    Refusal::WrongForm("a dropped table comes back in its own project").into(),
                );
            }
            Some(new_name) => new_name.name.text.clone(),
            None => source.table.name.clone(),
        };
        if self.catalog.live_table(&self.project, &name)?.is_some() {
            return Err(Refusal::NameTaken(name).into());
        }
        self.check_no_view(&self.project, &name)?;
        let mut batch = self.begin()?;
        let before = self.last_content(source.id, source.table.head)?;
        let partitions = if source.table.partitioned {
            self.catalog.live_partitions(source.id)?
        } else {
            Vec::new()
        };
        let mut edit = TableEdit::open(&mut batch, &self.author, source.id, source.table);
        edit.revive_table(
            &mut batch,
            &name,
            restored(Operation::Restore, before, source.id, 0),
        );
        for (id, mut partition) in partitions {
            let lsn = partition.head;
            let version = self.catalog.require_version(source.id, lsn)?;
            let row = restored(Operation::Restore, Some((lsn, version)), source.id, 0);
            edit.add_partition_row(&mut batch, id, &mut partition, row);
        }
        self.done(edit, batch)
    }

    /// The content an object had before the DROP row at `head`.
    fn last_content(&self, table: TableId, head: Lsn) -> Result<Option<(Lsn, Version)>> {
        let Some(lsn) = self.catalog.require_version(table, head)?.previous else {
            return Ok(None);
        };
        let version = self.catalog.require_version(table, lsn)?;
        Ok(version.content.is_some().then_some((lsn, version)))
    }

    /// `restore table t partition('id'='…') …`: dropped partitions as they were when they were dropped.
    fn undrop_partitions(&self, source: Incarnation, parts: &[Part]) -> Result<Outcome> {
        self.check_partitioned(&source)?;
        let mut pieces: Vec<(PartitionId, Partition)> = Vec::new();
        for part in parts {
            let (id, partition) = match part {
                Part::Id { id, .. } => match self.catalog.partition(source.id, *id)? {
                    Some(partition) => (*id, partition),
                    None => return Err(self.unknown_partition(&source, *id)?),
                },
                Part::Spec(_) => {
                    return Err(Refusal::WrongForm(
                        "a dropped partition is restored by its id, a live one needs TO LSN",
                    )
                    .into());
                }
            };
            let spec = self.spec(&source.schema, &partition);
            let Some(dropped) = partition.dropped_at_ms else {
                return Err(Refusal::PartitionTaken(spec).into());
            };
            if !source.window.keeps(dropped) {
                return Err(Refusal::NoBackup(spec).into());
            }
            let twice = pieces
                .iter()
                .any(|(_, other)| other.values == partition.values);
            if twice {
                return Err(Refusal::NamedTwice(spec).into());
            }
            if self
                .catalog
                .live_partition(source.id, &partition.values)?
                .is_some()
            {
                return Err(Refusal::PartitionTaken(spec).into());
            }
            pieces.push((id, partition));
        }
        let mut batch = self.begin()?;
        let mut edit = TableEdit::open(&mut batch, &self.author, source.id, source.table);
        for (id, partition) in pieces {
            let before = self.last_content(source.id, partition.head)?;
            let row = restored(Operation::Restore, before, source.id, 0);
            edit.revive_partition(&mut batch, id, partition, row)?;
        }
        self.done(edit, batch)
    }

    /// `restore table t to LSN 'n'`.
    fn table_to_lsn(&self, source: Incarnation, lsn: Lsn) -> Result<Outcome> {
        if source.table.partitioned {
            return self.partitioned_table_to_lsn(source, lsn);
        }
        let state = self.table_at(&source, lsn)?;
        let rows_removed = self.current_rows(source.id, source.table.head)?;
        let mut batch = self.begin()?;
        let mut edit = TableEdit::open(&mut batch, &self.author, source.id, source.table);
        edit.table.schema = state.schema;
        let content = state.content.map(|chosen| (chosen.lsn, chosen.version));
        edit.add_table_row(
            &mut batch,
            restored(Operation::Overwrite, content, source.id, rows_removed),
        );
        self.done(edit, batch)
    }

    fn table_at(&self, source: &Incarnation, lsn: Lsn) -> Result<TableState> {
        let table = (source.id, &source.table);
        let state = table_at(self.catalog, table, lsn, source.window)?;
        // Two that were different then may have one name since one of them was renamed.
        let mut pairs = state.pieces.windows(2);
        if let Some(pair) = pairs.find(|pair| pair[0].partition.values == pair[1].partition.values)
        {
            let spec = self.spec(&source.schema, &pair[0].partition);
            return Err(Refusal::PartitionTaken(spec).into());
        }
        Ok(state)
    }

    fn current_rows(&self, table: TableId, head: Lsn) -> Result<u64> {
        Ok(self
            .catalog
            .require_version(table, head)?
            .content
            .map_or(0, |content| content.row_count))
    }

    /// The whole partitioned table as it stood at `lsn`: partitions made since go, dropped ones come
    /// back, changed ones change back, the others are left alone.
    fn partitioned_table_to_lsn(&self, source: Incarnation, lsn: Lsn) -> Result<Outcome> {
        let TableState { schema, pieces, .. } = self.table_at(&source, lsn)?;
        let mut batch = self.begin()?;
        let mut edit = TableEdit::open(&mut batch, &self.author, source.id, source.table.clone());
        if schema != source.table.schema {
            edit.table.schema = schema;
            edit.add_table_row(&mut batch, NewRow::bare(Operation::Alter));
        }
        for (id, partition) in self.catalog.live_partitions(source.id)? {
            if !pieces.iter().any(|piece| piece.id == id) {
                edit.drop_partition(&mut batch, self.catalog, id, partition)?;
            }
        }
        for Piece {
            id,
            mut partition,
            chosen,
        } in pieces
        {
            let content = chosen.version.content.clone();
            if partition.dropped_at_ms.is_some() {
                let row = restored(
                    Operation::Restore,
                    Some((chosen.lsn, chosen.version)),
                    source.id,
                    0,
                );
                edit.revive_partition(&mut batch, id, partition, row)?;
                continue;
            }
            let current = self.catalog.require_version(source.id, partition.head)?;
            if current.content == content {
                continue;
            }
            let rows_removed = current.content.map_or(0, |content| content.row_count);
            let row = restored(
                Operation::Overwrite,
                Some((chosen.lsn, chosen.version)),
                source.id,
                rows_removed,
            );
            edit.add_partition_row(&mut batch, id, &mut partition, row);
        }
        self.done(edit, batch)
    }

    /// `restore table t partition(…) … to LSN 'n'`.
    fn partitions_to_lsn(&self, source: Incarnation, parts: &[Part], lsn: Lsn) -> Result<Outcome> {
        let pieces = self.named_pieces(&source, parts, lsn)?;
        let mut batch = self.begin()?;
        let mut edit = TableEdit::open(&mut batch, &self.author, source.id, source.table);
        for Piece {
            id,
            mut partition,
            chosen,
        } in pieces
        {
            let rows_removed = self.current_rows(source.id, partition.head)?;
            let row = restored(
                Operation::Overwrite,
                Some((chosen.lsn, chosen.version)),
                source.id,
                rows_removed,
            );
            edit.add_partition_row(&mut batch, id, &mut partition, row);
        }
        self.done(edit, batch)
    }

    /// The live partitions the statement names, with their versions at `lsn`, in the order written.
    fn named_pieces(&self, source: &Incarnation, parts: &[Part], lsn: Lsn) -> Result<Vec<Piece>> {
        self.check_partitioned(source)?;
        if lsn > source.table.last_lsn {
            return Err(Refusal::UnknownLsn(lsn).into());
        }
        let mut pieces: Vec<Piece> = Vec::new();
        for part in parts {
            for (id, partition) in self.live_partitions_of(source, part)? {
                let spec = self.spec(&source.schema, &partition);
                if pieces.iter().any(|piece| piece.id == id) {
                    return Err(Refusal::NamedTwice(spec).into());
                }
                let table = (source.id, &source.table);
                let chosen = partition_at(
                    self.catalog,
                    table,
                    (id, &partition),
                    lsn,
                    source.window,
                    &spec,
                )?;
                if chosen.is_later {
                    self.cx.note(format!(
                        "WARNING: partition {spec} was created after LSN {lsn}; its first LSN {} is taken",
                        chosen.lsn
                    ));
                } else if chosen.lsn != lsn {
                    self.cx.note(format!(
                        "partition {spec}: LSN {} is taken for LSN {lsn}",
                        chosen.lsn
                    ));
                }
                pieces.push(Piece {
                    id,
                    partition,
                    chosen,
                });
            }
        }
        Ok(pieces)
    }

    /// Why a partition of that id is not there.
    fn unknown_partition(&self, source: &Incarnation, id: PartitionId) -> Result<Error> {
        let refusal = match self.catalog.gone_partition(source.id, id)? {
            Some(gone) => Refusal::NoBackup(self.spec_of(&source.schema, &gone.name)),
            None => Refusal::UnknownPartitionId(id),
        };
        Ok(refusal.into())
    }

    fn live_partitions_of(
        &self,
        source: &Incarnation,
        part: &Part,
    ) -> Result<Vec<(PartitionId, Partition)>> {
        match part {
            Part::Id { id, .. } => match self.catalog.partition(source.id, *id)? {
                None => Err(self.unknown_partition(source, *id)?),
                Some(partition) if partition.dropped_at_ms.is_some() => {
                    Err(Refusal::StillDropped(self.spec(&source.schema, &partition)).into())
                }
                Some(partition) => Ok(vec![(*id, partition)]),
            },
            Part::Spec(spec) => {
                let wanted = partial_values(&source.schema, spec)?;
                let values: Option<Vec<String>> = wanted.iter().cloned().collect();
                let found = match values {
                    Some(values) => match self.catalog.live_partition(source.id, &values)? {
                        Some(id) => vec![(id, self.catalog.require_partition(source.id, id)?)],
                        None => Vec::new(),
                    },
                    None => {
                        let mut live = self.catalog.live_partitions(source.id)?;
                        live.retain(|(_, partition)| matches_values(&wanted, &partition.values));
                        live
                    }
                };
                if found.is_empty() {
                    let shown: Vec<String> = spec
                        .values
                        .iter()
                        .map(|(name, value)| format!("{}={value}", name.text))
                        .collect();
                    return Err(Refusal::PartitionNotFound(shown.join("/")).into());
                }
                Ok(found)
            }
        }
    }

    /// `restore table t [partition(…) …] to LSN 'n' as u`.
    fn restore_as(
        &self,
        source: Incarnation,
        parts: &[Part],
        lsn: Lsn,
        project: &str,
        name: &str,
    ) -> Result<Outcome> {
        let (content, pieces, schema) = if parts.is_empty() {
            let state = self.table_at(&source, lsn)?;
            let schema = self.catalog.schema(source.id, state.schema)?;
            let content = state.content.map(|chosen| (chosen.lsn, chosen.version));
            (content, state.pieces, schema)
        } else {
            self.check_partitioned(&source)?;
            let pieces = self.named_pieces(&source, parts, lsn)?;
            (None, pieces, source.schema.clone())
        };
        match self.catalog.live_table(project, name)? {
            Some((id, table)) => {
                let target = self.incarnation(id, table)?;
                if !schema.is_same_as(&target.schema)
                    || schema.partition_columns.is_empty() == target.table.partitioned
                {
                    return Err(Refusal::SchemaDiffers(json(&schema), json(&target.schema)).into());
                }
                if target.table.has_key()
                    && key_positions(&source.table, &schema)
                        != key_positions(&target.table, &target.schema)
                {
                    return Err(Refusal::Unsupported("table with another primary key").into());
                }
                self.restore_onto(&source, target, content, pieces, &schema, parts.is_empty())
            }
            None => {
                self.check_no_view(project, name)?;
                self.restore_as_new(&source, content, pieces, &schema, project, name)
            }
        }
    }

    /// Onto a table that is there, with the same schema. A whole restore makes it equal to the source;
    /// one of named partitions leaves the others alone.
    fn restore_onto(
        &self,
        source: &Incarnation,
        target: Incarnation,
        content: Option<(Lsn, Version)>,
        pieces: Vec<Piece>,
        schema: &Schema,
        is_whole: bool,
    ) -> Result<Outcome> {
        let mut batch = self.begin()?;
        let mut edit = TableEdit::open(&mut batch, &self.author, target.id, target.table);
        let column_ids = |schema: &Schema| {
            schema
                .columns
                .iter()
                .map(|column| column.id)
                .collect::<Vec<_>>()
        };
        // The segments name their columns by the source's ids.
        let same_ids = column_ids(schema) == column_ids(&target.schema);
        if same_ids || content.is_some() {
            let own = self.catalog.columns_made(target.id, &edit.table)?;
            let theirs = self.catalog.columns_made(source.id, &source.table)?;
            edit.table.columns_made = own.max(theirs);
        }
        if !same_ids && content.is_some() {
            edit.table.schema = edit.table.last_lsn.next().0 as u32;
            if edit.table.has_key() {
                // The same columns by name; the ids are the source's from here on.
                edit.table.primary_key.clone_from(&source.table.primary_key);
            }
            batch.put(
                &Key::Schema {
                    table: target.id,
                    schema: edit.table.schema,
                },
                schema,
            );
        }
        if let Some(content) = content {
            let rows_removed = self.current_rows(target.id, edit.table.head)?;
            edit.add_table_row(
                &mut batch,
                restored(Operation::Overwrite, Some(content), source.id, rows_removed),
            );
        }
        if is_whole {
            for (id, partition) in self.catalog.live_partitions(target.id)? {
                if !pieces
                    .iter()
                    .any(|piece| piece.partition.values == partition.values)
                {
                    edit.drop_partition(&mut batch, self.catalog, id, partition)?;
                }
            }
        }
        for Piece {
            partition: from,
            chosen,
            ..
        } in pieces
        {
            let as_it_is = |operation, rows_removed| {
                let content = Some((chosen.lsn, chosen.version.clone()));
                restored(operation, content, source.id, rows_removed)
            };
            // The partitions of a table are all read by the ids of its own columns.
            let copied = match same_ids {
                true => None,
                false => {
                    Some(self.copied(&mut batch, source, schema, &target.schema, chosen.lsn)?)
                }
            };
            let row = |operation, rows_removed| match copied {
                Some(content) => NewRow::content(operation, content, rows_removed),
                None => as_it_is(operation, rows_removed),
            };
            match self.catalog.live_partition(target.id, &from.values)? {
                Some(id) => {
                    let mut partition = self.catalog.require_partition(target.id, id)?;
                    let rows_removed = self.current_rows(target.id, partition.head)?;
                    let row = row(Operation::Overwrite, rows_removed);
                    edit.add_partition_row(&mut batch, id, &mut partition, row);
                }
                None => {
                    let id = self.cx.new_partition_id(&mut batch);
                    edit.create_partition(&mut batch, id, from.values, row(Operation::Create, 0))?;
                }
            }
        }
        self.done(edit, batch)
    }

    /// The rows of a version of the source, written anew under the target's columns.
    fn copied(
        &self,
        batch: &mut Batch<'_>,
        source: &Incarnation,
        from: &Schema,
        to: &Schema,
        lsn: Lsn,
    ) -> Result<Snapshot> {
        let mut writer = batch.segment_writer();
        let target = Target {
            id: source.id,
            table: source.table.clone(),
            schema: from.clone(),
        };
        let named = storage_schema(&to.columns);
        query::stored(self.cx, &target, lsn, &mut |rows| {
            let rows = RecordBatch::try_new(named.clone(), rows.columns().to_vec());
            Ok(writer.write(rows.map_err(|error| Error::internal(error.to_string()))?)?)
        })?;
        let segments = batch.finish_segments(writer)?;
        Ok(Snapshot::default().append(self.cx.store()?, batch, segments)?)
    }

    fn restore_as_new(
        &self,
        source: &Incarnation,
        content: Option<(Lsn, Version)>,
        pieces: Vec<Piece>,
        schema: &Schema,
        project: &str,
        name: &str,
    ) -> Result<Outcome> {
        let mut batch = self.begin()?;
        let partitioned = source.table.partitioned;
        let new = Table::new(project, name, self.cx.user, partitioned, self.author.now_ms);
        let table = Table {
            comment: source.table.comment.clone(),
            lifecycle_days: source.table.lifecycle_days,
            properties: source.table.properties.clone(),
            primary_key: source.table.primary_key.clone(),
            columns_made: self.catalog.columns_made(source.id, &source.table)?,
            ..new
        };
        let id = self.cx.new_table_id(&mut batch);
        let content =
            content.map(|content| restored(Operation::Create, Some(content), source.id, 0));
        let mut edit = TableEdit::create(&mut batch, &self.author, id, table, schema, content);
        for Piece {
            partition, chosen, ..
        } in pieces
        {
            let id = self.cx.new_partition_id(&mut batch);
            let row = restored(
                Operation::Create,
                Some((chosen.lsn, chosen.version)),
                source.id,
                0,
            );
            edit.create_partition(&mut batch, id, partition.values, row)?;
        }
        self.done(edit, batch)
    }

    fn check_partitioned(&self, source: &Incarnation) -> Result<()> {
        match source.table.partitioned {
            true => Ok(()),
            false => Err(Refusal::NotPartitioned(source.table.name.clone()).into()),
        }
    }

    fn spec(&self, schema: &Schema, partition: &Partition) -> String {
        self.spec_of(schema, &partition.values)
    }

    fn spec_of(&self, schema: &Schema, values: &[String]) -> String {
        SpecText {
            columns: &schema.partition_columns,
            values,
        }
        .to_string()
    }
}

/// A row whose content is that of an old version. Without one the row has none: the rows of a
/// partitioned table itself.
fn restored(
    operation: Operation,
    from: Option<(Lsn, Version)>,
    table: TableId,
    rows_removed: u64,
) -> NewRow {
    match from {
        Some((lsn, version)) => {
            let content: Snapshot = version.content.unwrap_or_default();
            NewRow::content(operation, content, rows_removed).from(table, lsn)
        }
        None => NewRow::bare(operation),
    }
}

/// The columns of a schema as the documented message shows them.
fn json(schema: &Schema) -> String {
    let columns = schema.all_columns().map(|column| {
        serde_json::json!({
            "comment": column.comment.as_deref().unwrap_or_default(),
            "id": "",
            "name": column.name,
            "type": column.data_type.to_string(),
        })
    });
    serde_json::Value::Array(columns.collect()).to_string()
}

/// Where the columns of the primary key stand.
fn key_positions(table: &Table, schema: &Schema) -> Vec<usize> {
    let columns = schema.columns.iter().enumerate();
    let keys = columns.filter(|(_, column)| table.primary_key.contains(&column.id));
    keys.map(|(position, _)| position).collect()
}
