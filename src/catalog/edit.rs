//! Changes of one table, collected in the batch of the statement that makes them.

use super::table::{
    Derived, DroppedName, Due, Gone, Lifecycle, LivePartition, ObjectVersion, Origin, Partition,
    Schema, Table, TableName, Version,
};
use super::{Catalog, Operation};
use crate::ids::{Lsn, PartitionId, TableId};
use crate::store::{Batch, CommitInfo, Holds, Key, Piece, Snapshot, StoreError, TABLE_OBJECT};

/// The retention under which tables are listed that have none of their own.
pub const FOLLOWS_PROJECT: u8 = 255;
/// Longest statement text kept with a history row, in bytes.
const STATEMENT_MAX: usize = 1024;

/// Who changes what, when: goes into every history row of the statement.
#[derive(Clone, Debug)]
pub struct Author {
    pub now_ms: i64,
    pub user: String,
    pub statement: String,
}

impl Author {
    pub fn new(now_ms: i64, user: &str, statement: &str) -> Self {
        let mut end = statement.len().min(STATEMENT_MAX);
        while !statement.is_char_boundary(end) {
            end -= 1;
        }
        Self {
            now_ms,
            user: user.to_owned(),
            statement: statement[..end].to_owned(),
        }
    }

    /// What the log keeps of the commit.
    pub fn commit_info(&self) -> CommitInfo {
        CommitInfo {
            committed_ms: self.now_ms,
            user: self.user.clone(),
            statement: self.statement.clone(),
        }
    }
}

/// A row that is about to be appended to a history.
#[derive(Debug)]
pub struct NewRow {
    pub operation: Operation,
    pub content: Option<Snapshot>,
    pub rows_added: u64,
    pub rows_removed: u64,
    pub restored_from: Option<Origin>,
}

impl NewRow {
    /// A row without content.
    pub fn bare(operation: Operation) -> Self {
        Self {
            operation,
            content: None,
            rows_added: 0,
            rows_removed: 0,
            restored_from: None,
        }
    }

    /// A row that replaces `rows_removed` rows by `content`.
    pub fn content(operation: Operation, content: Snapshot, rows_removed: u64) -> Self {
        Self {
            operation,
            rows_added: content.row_count,
            content: Some(content),
            rows_removed,
            restored_from: None,
        }
    }

    /// The same row, with where its content comes from.
    pub fn from(mut self, table: TableId, lsn: Lsn) -> Self {
        self.restored_from = Some(Origin { table, lsn });
        self
    }
}

/// A table being changed. [`TableEdit::finish`] puts the table itself into the batch.
pub struct TableEdit<'a> {
    author: &'a Author,
    pub id: TableId,
    pub table: Table,
    /// The keys under which it was listed when the change began.
    listed: Vec<Key>,
    now_ms: i64,
}

impl<'a> TableEdit<'a> {
    /// Begins to change a table; the commit fails if somebody else changes it first.
    pub fn open(batch: &mut Batch<'_>, author: &'a Author, id: TableId, table: Table) -> Self {
        batch.expect_record(Key::Table(id), &table);
        let listed = listings(id, &table);
        Self {
            author,
            id,
            table,
            listed,
            now_ms: author.now_ms,
        }
    }

    /// Begins a new table with its CREATE row. `content` is what it is created with, which costs one
    /// further, unlisted LSN.
    pub fn create(
        batch: &mut Batch<'_>,
        author: &'a Author,
        id: TableId,
        table: Table,
        schema: &Schema,
        content: Option<NewRow>,
    ) -> Self {
        let mut edit = Self::new(author, id, table);
        edit.claim_name(batch);
        edit.begin(batch, schema, content);
        edit
    }

    /// The same under the name of a table that this statement drops.
    pub fn replace(
        batch: &mut Batch<'_>,
        author: &'a Author,
        id: TableId,
        table: Table,
        schema: &Schema,
        content: Option<NewRow>,
    ) -> Self {
        let mut edit = Self::new(author, id, table);
        batch.put(&edit.name_key(), &TableName { table: id });
        edit.begin(batch, schema, content);
        edit
    }

    fn new(author: &'a Author, id: TableId, table: Table) -> Self {
        Self {
            author,
            id,
            table,
            listed: Vec::new(),
            now_ms: author.now_ms,
        }
    }

    fn begin(&mut self, batch: &mut Batch<'_>, schema: &Schema, content: Option<NewRow>) {
        batch.put(
            &Key::Schema {
                table: self.id,
                schema: self.table.schema,
            },
            schema,
        );
        let loaded = content.is_some();
        let empty = (!self.table.partitioned).then(Snapshot::default);
        let row = content.unwrap_or(NewRow {
            content: empty,
            ..NewRow::bare(Operation::Create)
        });
        self.add_table_row(batch, row);
        if loaded {
            self.table.last_lsn = self.table.last_lsn.next();
        }
    }

    /// Appends a row of the table itself.
    pub fn add_table_row(&mut self, batch: &mut Batch<'_>, row: NewRow) -> Lsn {
        let previous = (self.table.head != Lsn(0)).then_some(self.table.head);
        let lsn = self.add_row(batch, None, row, previous);
        self.table.head = lsn;
        lsn
    }

    /// Appends a row of a partition, and keeps `partition` in step.
    pub fn add_partition_row(
        &mut self,
        batch: &mut Batch<'_>,
        id: PartitionId,
        partition: &mut Partition,
        row: NewRow,
    ) -> Lsn {
        let previous = (partition.head != Lsn(0)).then_some(partition.head);
        let lsn = self.add_row(batch, Some(id), row, previous);
        partition.modified_at_ms = self.table.last_row_at_ms;
        if previous.is_none() {
            partition.first = lsn;
            partition.created_at_ms = self.table.last_row_at_ms;
        }
        partition.head = lsn;
        batch.put(
            &Key::Partition {
                table: self.id,
                partition: id,
            },
            partition,
        );
        lsn
    }

    /// Takes the number of a row that history does not keep.
    pub fn skip_row(&mut self) -> Lsn {
        self.touch();
        self.table.last_lsn = self.table.last_lsn.next();
        self.table.ddl_at_ms = self.table.last_row_at_ms;
        self.table.modified_at_ms = self.table.last_row_at_ms;
        self.table.last_lsn
    }

    /// Makes a new live partition with its CREATE row.
    pub fn create_partition(
        &mut self,
        batch: &mut Batch<'_>,
        id: PartitionId,
        values: Vec<String>,
        row: NewRow,
    ) -> Result<Lsn, StoreError> {
        self.set_live(batch, id, &values)?;
        let mut partition = Partition {
            values,
            created_at_ms: 0,
            modified_at_ms: 0,
            dropped_at_ms: None,
            first: Lsn(0),
            head: Lsn(0),
            lifecycle_disabled: false,
        };
        Ok(self.add_partition_row(batch, id, &mut partition, row))
    }

    /// Drops a live partition into backup state.
    pub fn drop_partition(
        &mut self,
        batch: &mut Batch<'_>,
        catalog: Catalog<'_>,
        id: PartitionId,
        mut partition: Partition,
    ) -> Result<Lsn, StoreError> {
        let rows = catalog
            .require_version(self.id, partition.head)?
            .content
            .map_or(0, |c| c.row_count);
        batch.remove(&Key::LivePartition {
            table: self.id,
            values: partition.values.clone(),
        });
        self.touch();
        partition.dropped_at_ms = Some(self.table.last_row_at_ms);
        let row = NewRow {
            rows_removed: rows,
            ..NewRow::bare(Operation::Drop)
        };
        Ok(self.add_partition_row(batch, id, &mut partition, row))
    }

    /// Gives a live partition other values; its id and its history stay.
    pub fn rename_partition(
        &mut self,
        batch: &mut Batch<'_>,
        id: PartitionId,
        mut partition: Partition,
        values: Vec<String>,
        row: NewRow,
    ) -> Result<Lsn, StoreError> {
        batch.remove(&Key::LivePartition {
            table: self.id,
            values: partition.values.clone(),
        });
        self.set_live(batch, id, &values)?;
        partition.values = values;
        Ok(self.add_partition_row(batch, id, &mut partition, row))
    }

    /// Brings a dropped partition back to life with `row`.
    pub fn revive_partition(
        &mut self,
        batch: &mut Batch<'_>,
        id: PartitionId,
        mut partition: Partition,
        row: NewRow,
    ) -> Result<Lsn, StoreError> {
        self.set_live(batch, id, &partition.values)?;
        partition.dropped_at_ms = None;
        Ok(self.add_partition_row(batch, id, &mut partition, row))
    }

    fn set_live(
        &self,
        batch: &mut Batch<'_>,
        id: PartitionId,
        values: &[String],
    ) -> Result<(), StoreError> {
        let key = Key::LivePartition {
            table: self.id,
            values: values.to_vec(),
        };
        batch.expect_unchanged(key.clone())?;
        batch.put(&key, &LivePartition { partition: id });
        Ok(())
    }

    /// Drops the table into backup state, with its DROP row.
    pub fn drop_table(&mut self, batch: &mut Batch<'_>, rows_removed: u64) {
        self.touch();
        let row = NewRow {
            rows_removed,
            ..NewRow::bare(Operation::Drop)
        };
        self.add_table_row(batch, row);
        self.table.dropped_at_ms = Some(self.table.last_row_at_ms);
        batch.remove(&self.name_key());
        batch.put(&self.dropped_key(), &DroppedName {});
    }

    /// Brings the dropped table back under `name`, with its RESTORE row.
    pub fn revive_table(&mut self, batch: &mut Batch<'_>, name: &str, row: NewRow) -> Lsn {
        batch.remove(&self.dropped_key());
        self.table.dropped_at_ms = None;
        self.table.name = name.to_owned();
        self.claim_name(batch);
        self.add_table_row(batch, row)
    }

    /// Gives the live table another name. History keeps no row of it.
    pub fn rename(&mut self, batch: &mut Batch<'_>, name: &str) {
        batch.remove(&self.name_key());
        self.table.name = name.to_owned();
        self.table.ddl_at_ms = self.author.now_ms;
        self.claim_name(batch);
    }

    /// Tables and views share their names.
    fn claim_name(&self, batch: &mut Batch<'_>) {
        batch.expect_absent(Key::View {
            project: self.table.project.clone(),
            name: self.table.name.clone(),
        });
        batch.expect_absent(self.name_key());
        batch.put(&self.name_key(), &TableName { table: self.id });
    }

    /// Puts the table into the batch.
    pub fn finish(mut self, batch: &mut Batch<'_>) {
        self.set_end();
        let listed = listings(self.id, &self.table);
        for old in self.listed.iter().filter(|old| !listed.contains(old)) {
            batch.remove(old);
        }
        for new in listed.iter().filter(|new| !self.listed.contains(new)) {
            match new {
                Key::Due { .. } => batch.put(new, &Due {}),
                _ => batch.put(new, &Lifecycle {}),
            }
        }
        batch.put(&Key::Table(self.id), &self.table);
    }

    /// Removes a dropped table of which no row is left; only that it was there is remembered.
    pub fn remove(self, batch: &mut Batch<'_>) {
        self.listed.iter().for_each(|key| batch.remove(key));
        batch.remove(&self.dropped_key());
        batch.remove(&Key::Table(self.id));
        let gone = Gone {
            project: self.table.project,
            name: vec![self.table.name],
            first: Lsn::FIRST,
            last: self.table.last_lsn,
        };
        batch.put(&Key::GoneTable(self.id), &gone);
    }

    /// Lets the lifecycle be looked at again at once where it has changed or begun.
    fn set_end(&mut self) {
        let has_lifecycle = self.table.lifecycle_days.is_some()
            && self.table.dropped_at_ms.is_none()
            && !self.table.lifecycle_disabled;
        if !has_lifecycle {
            self.table.ends_at_ms = None;
        } else if self.table.ends_at_ms.is_none() {
            self.table.ends_at_ms = Some(self.author.now_ms);
        }
    }

    /// Lets the rows that follow be of another time than that of the statement.
    pub fn set_time(&mut self, now_ms: i64) {
        self.now_ms = now_ms;
    }

    /// Makes the history of the table up to now gone for good, but for what is current.
    pub fn purge_before(&mut self, horizon_ms: i64) {
        self.table.expire_before(horizon_ms);
    }

    /// Says that `pieces` which another history holds are now held by this one too.
    pub fn hold(
        batch: &mut Batch<'_>,
        catalog: Catalog<'_>,
        pieces: &[Piece],
    ) -> Result<(), StoreError> {
        for piece in pieces {
            let key = piece.holds_key();
            batch.expect_unchanged(key.clone())?;
            let held: Option<Holds> = catalog.store().get(&key)?;
            let more = held.map_or(0, |held| held.more) + 1;
            batch.put(&key, &Holds { more });
        }
        Ok(())
    }

    fn name_key(&self) -> Key {
        Key::TableName {
            project: self.table.project.clone(),
            name: self.table.name.clone(),
        }
    }

    fn dropped_key(&self) -> Key {
        Key::DroppedTable {
            project: self.table.project.clone(),
            name: self.table.name.clone(),
            dropped_at_ms: self.table.dropped_at_ms.unwrap_or_default().max(0) as u64,
            table: self.id,
        }
    }

    /// Times of rows never go back, whatever the clock does.
    fn touch(&mut self) {
        let last = self.table.last_row_at_ms.max(self.table.horizon_ms);
        self.table.last_row_at_ms = last.max(self.now_ms);
    }

    fn add_row(
        &mut self,
        batch: &mut Batch<'_>,
        partition: Option<PartitionId>,
        row: NewRow,
        previous: Option<Lsn>,
    ) -> Lsn {
        self.touch();
        let (table, lsn) = (self.id, self.table.last_lsn.next());
        self.table.last_lsn = lsn;
        self.table.modified_at_ms = self.table.last_row_at_ms;
        if matches!(
            row.operation,
            Operation::Create | Operation::Drop | Operation::Restore | Operation::Alter
        ) {
            self.table.ddl_at_ms = self.table.last_row_at_ms;
        }
        let version = Version {
            partition,
            operation: row.operation,
            committed_at_ms: self.table.last_row_at_ms,
            schema: self.table.schema,
            content: row.content,
            previous,
            user: self.author.user.clone(),
            statement: self.author.statement.clone(),
            rows_added: row.rows_added,
            rows_removed: row.rows_removed,
            restored_from: row.restored_from,
        };
        batch.put(&Key::Version { table, lsn }, &version);
        if previous.is_some() && self.table.due_at_ms.is_none() {
            self.table.due_at_ms = Some(version.committed_at_ms);
            // The rows before supersede nothing.
            self.table.collected = Lsn(lsn.0 - 1);
        }
        if let Some(origin) = version.restored_from {
            let key = Key::Derived {
                origin: origin.table,
                origin_lsn: origin.lsn,
                table,
                lsn,
            };
            batch.put(&key, &Derived {});
        }
        if self.table.partitioned {
            let object = partition.unwrap_or(TABLE_OBJECT);
            batch.put(
                &Key::ObjectVersion { table, object, lsn },
                &ObjectVersion {},
            );
        }
        lsn
    }
}

/// Whether a table is to be found under `key`.
pub fn is_listed(id: TableId, table: &Table, key: &Key) -> bool {
    listings(id, table).contains(key)
}

/// The keys under which the collector finds a table.
fn listings(id: TableId, table: &Table) -> Vec<Key> {
    let due = table.due_at_ms.map(|at_ms| Key::Due {
        retention: table
            .own_retention_days()
            .map_or(FOLLOWS_PROJECT, |days| days as u8),
        project: table.project.clone(),
        superseded_at_ms: at_ms.max(0) as u64,
        table: id,
    });
    let ends = table.ends_at_ms.map(|at_ms| Key::Lifecycle {
        at_ms: at_ms.max(0) as u64,
        table: id,
    });
    due.into_iter().chain(ends).collect()
}
