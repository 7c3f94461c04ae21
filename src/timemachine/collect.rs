//! The collector: removes for good what is no longer kept, and nothing that anything kept needs.
//!
//! A history is the chain of rows of one table or partition. It *holds* the pieces of its snapshots, each
//! from the first row in which it stands to the last of that run. A piece goes when its last hold ends:
//!
//! ```text
//! row 4 [a b]   row 5 [a b c]   row 6 [d]   row 7 [d e]
//! hold of a: 4-5, of c: 5, of d: 6-7        row 5 goes: a, b, c go
//! ```
//! Rows expire from the oldest, and a run ends where a row expires whose successor does not have the piece.
//! That costs what has expired: what both rows share is not looked at. Only where content passes to another
//! history, or comes back in the same one, has a piece several holds. A restore or clone writes one
//! [`Derived`](crate::catalog::Derived) mark instead of counting; the holds it stands for are counted when
//! the first of the rows concerned expires.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

use super::deletion::DeletionTime;
use super::retention::{Retention, Window};
use crate::catalog::edit::{Author, FOLLOWS_PROJECT, TableEdit};
use crate::catalog::{
    Catalog, Gone, HoldsCounted, Object, Operation, Origin, SpecText, Table, Version, grant_key,
};
use crate::error::Result;
use crate::ids::{Lsn, PartitionId, TableId};
use crate::store::{
    Batch, Body, CommitInfo, Holds, Key, KeyRange, Order, Piece, SegmentRecord, Snapshot, Store,
    TABLE_OBJECT,
};

/// So many rows are removed by one commit.
const ROWS_AT_ONCE: usize = 1000;

/// A row that was removed, and what went with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectedRow {
    pub project: String,
    pub table: TableId,
    /// The table's name or the partition's spec.
    pub object_name: String,
    pub lsn: Lsn,
    pub operation: Operation,
    pub size_bytes: u64,
}

/// The tables of which something has expired at `time`, and the next instant at which anything may.
pub fn due_tables(catalog: Catalog<'_>, time: DeletionTime) -> Result<(Vec<TableId>, Option<i64>)> {
    let (mut due, mut next) = (Vec::new(), None::<i64>);
    let mut rest = KeyRange::due();
    while let Some((retention, project)) = first_class(catalog, &rest)? {
        let class = KeyRange::due_of(retention, &project);
        let at = |days| time.after_days(days);
        let window = match (retention, catalog.project(&project)?) {
            (FOLLOWS_PROJECT, Some(project)) => {
                let days = Window::of(&project, time.now_ms).days();
                Window::of(&project, at(days))
            }
            (FOLLOWS_PROJECT, None) => Window::of_days(1, at(1)),
            (days, _) => Window::of_days(u32::from(days), at(u32::from(days))),
        };
        catalog
            .store()
            .scan(&class, Order::Ascending, |key, _: crate::catalog::Due| {
                let Key::Due {
                    superseded_at_ms,
                    table,
                    ..
                } = key
                else {
                    return Ok(ControlFlow::Continue(()));
                };
                let at_ms = superseded_at_ms as i64;
                if at_ms > 0 && window.keeps(at_ms) {
                    let until = window.kept_until_ms(at_ms) + 1;
                    next = Some(next.map_or(until, |next| next.min(until)));
                    return Ok(ControlFlow::Break(()));
                }
                due.push(table);
                Ok(ControlFlow::Continue(()))
            })?;
        rest = rest.behind(&class);
    }
    Ok((due, next))
}

fn first_class(catalog: Catalog<'_>, range: &KeyRange) -> Result<Option<(u8, String)>> {
    let mut first = None;
    catalog
        .store()
        .scan(range, Order::Ascending, |key, _: crate::catalog::Due| {
            if let Key::Due {
                retention, project, ..
            } = key
            {
                first = Some((retention, project));
            }
            Ok(ControlFlow::Break(()))
        })?;
    Ok(first)
}

/// Removes what has expired at `now_ms`, in commits of bounded size, and gives every row to `visit`.
/// Returns the next instant at which anything may expire, or `None` in `Option`.
///
/// Stops after about `rows_max` rows; what is left is found by the next call.
pub fn collect(
    store: &Store,
    time: DeletionTime,
    rows_max: usize,
    visit: &mut dyn FnMut(CollectedRow),
) -> Result<Option<i64>> {
    let catalog = Catalog::new(store);
    let now_ms = time.now_ms;
    count_holds_once(store, now_ms)?;
    let (due, next) = due_tables(catalog, time)?;
    let mut left = rows_max;
    for id in due {
        collect_one(store, time, id, &mut left, visit)?;
        if left == 0 {
            return Ok(Some(now_ms));
        }
    }
    if time.is_waiting() {
        // What waits for another start is not looked for with every statement.
        return Ok(next.filter(|next| *next > now_ms));
    }
    if next.is_none_or(|next| next <= now_ms) {
        return Ok(due_tables(catalog, time)?.1);
    }
    Ok(next)
}

/// Removes all that has expired of some tables.
pub fn collect_all_of(store: &Store, time: DeletionTime, tables: &[TableId]) -> Result<()> {
    count_holds_once(store, time.now_ms)?;
    for id in tables {
        collect_one(store, time, *id, &mut usize::MAX.clone(), &mut |_| {})?;
    }
    Ok(())
}

/// Removes what has expired of one table, but no more than about `left` rows; `false` where some is left.
fn collect_one(
    store: &Store,
    time: DeletionTime,
    id: TableId,
    left: &mut usize,
    visit: &mut dyn FnMut(CollectedRow),
) -> Result<bool> {
    loop {
        let mut batch = store.begin();
        let rows_max = (*left).min(ROWS_AT_ONCE);
        let mut collector = Collector::new(Catalog::new(store), &mut batch, rows_max);
        let is_done = collector.collect_table(id, time)?;
        let rows = collector.finish()?;
        batch.frees_room();
        commit(store, batch, time.now_ms)?;
        // A large group might not fit into the reserve.
        store.sync_large_group()?;
        *left = left.saturating_sub(rows.len());
        rows.into_iter().for_each(&mut *visit);
        if is_done || *left == 0 {
            return Ok(is_done);
        }
    }
}

/// What [`collect`] would remove, without removing it.
pub fn rehearse(
    store: &Store,
    time: DeletionTime,
    visit: &mut dyn FnMut(CollectedRow),
) -> Result<()> {
    let catalog = Catalog::new(store);
    count_holds_once(store, time.now_ms)?;
    let mut batch = store.begin();
    let mut collector = Collector::new(catalog, &mut batch, usize::MAX);
    for id in due_tables(catalog, time)?.0 {
        collector.collect_table(id, time)?;
    }
    collector.finish()?.into_iter().for_each(visit);
    Ok(())
}

fn commit(store: &Store, batch: Batch<'_>, now_ms: i64) -> Result<()> {
    let info = CommitInfo {
        committed_ms: now_ms,
        user: String::new(),
        statement: String::new(),
    };
    store.commit(batch, info)?;
    Ok(())
}

/// Counts the holds of a warehouse that was written before they were counted, once. Nothing may be removed
/// before that.
pub fn count_holds_once(store: &Store, now_ms: i64) -> Result<()> {
    if store.get::<HoldsCounted>(&Key::HoldsCounted)?.is_some() {
        return Ok(());
    }
    let catalog = Catalog::new(store);
    let mut batch = store.begin();
    for (piece, holds) in count_holds(catalog)? {
        if holds > 1 {
            batch.put(&piece.holds_key(), &Holds { more: holds - 1 });
        }
    }
    let author = Author::new(now_ms, "", "");
    for (id, mut table) in catalog.all_tables()? {
        if table.last_lsn > Lsn::FIRST {
            let mut edit = TableEdit::open(&mut batch, &author, id, table.clone());
            table.collected = Lsn(0);
            table.due_at_ms = Some(0);
            edit.table = table;
            edit.finish(&mut batch);
        }
    }
    batch.put(&Key::HoldsCounted, &HoldsCounted {});
    commit(store, batch, now_ms)?;
    Ok(())
}

/// Counts all holds anew, and removes the pieces that nothing holds.
pub fn recount_holds(store: &Store, now_ms: i64) -> Result<()> {
    count_holds_once(store, now_ms)?;
    let holds = count_holds(Catalog::new(store))?;
    let mut batch = store.begin();
    for (piece, count) in &holds {
        match count {
            0 | 1 => batch.remove(&piece.holds_key()),
            count => batch.put(&piece.holds_key(), &Holds { more: count - 1 }),
        }
    }
    let held: HashSet<Key> = holds.keys().map(Piece::holds_key).collect();
    store.scan(
        &KeyRange::segments(),
        Order::Ascending,
        |key, record: SegmentRecord| {
            if let Key::Segment(id) = key
                && !held.contains(&Key::SegmentHolds(id))
            {
                batch.remove_piece(Piece::Segment {
                    id,
                    size_bytes: record.size_bytes,
                    inline: matches!(record.body, Body::Inline(_)),
                });
            }
            Ok(ControlFlow::Continue(()))
        },
    )?;
    store.scan_keys(&KeyRange::nodes(), Order::Ascending, |key| {
        if let Key::Node(id) = key
            && !held.contains(&Key::NodeHolds(id))
        {
            batch.remove_piece(Piece::Node(id));
        }
        ControlFlow::Continue(())
    })?;
    commit(store, batch, now_ms)
}

/// How many histories hold each piece, from the rows themselves; what a mark still stands for is left out.
pub fn count_holds(catalog: Catalog<'_>) -> Result<BTreeMap<Piece, u64>> {
    let store = catalog.store();
    let mut holds: BTreeMap<Piece, u64> = BTreeMap::new();
    for (id, _) in catalog.all_tables()? {
        let mut last: HashMap<Option<PartitionId>, Snapshot> = HashMap::new();
        for (lsn, version) in catalog.versions(id)? {
            let Some(content) = version.content else {
                continue;
            };
            let at = Origin { table: id, lsn };
            let is_marked = match version.restored_from {
                Some(origin) => catalog.is_derived(origin, at)?,
                None => false,
            };
            if !is_marked {
                for piece in content.pieces_not_in(last.get(&version.partition), store)? {
                    *holds.entry(piece).or_default() += 1;
                }
            }
            last.insert(version.partition, content);
        }
    }
    Ok(holds)
}

/// Removes rows, within a batch; see the module.
pub struct Collector<'a, 'b> {
    catalog: Catalog<'a>,
    batch: &'b mut Batch<'a>,
    rows_max: usize,
    /// Holds that were looked at, as they are by now.
    holds: BTreeMap<Piece, u64>,
    removed: HashSet<(TableId, Lsn)>,
    settled: HashSet<(TableId, Lsn, TableId, Lsn)>,
    freed: BTreeSet<Piece>,
    rows: Vec<CollectedRow>,
}

/// A row and where it stands.
type Row<'r> = (Lsn, &'r Version);

impl<'a, 'b> Collector<'a, 'b> {
    /// A collector that stops after about `rows_max` rows.
    pub fn new(catalog: Catalog<'a>, batch: &'b mut Batch<'a>, rows_max: usize) -> Self {
        Self {
            catalog,
            batch,
            rows_max,
            holds: BTreeMap::new(),
            removed: HashSet::new(),
            settled: HashSet::new(),
            freed: BTreeSet::new(),
            rows: Vec::new(),
        }
    }

    /// Puts what was found into the batch and returns the rows.
    pub fn finish(self) -> Result<Vec<CollectedRow>> {
        for (piece, more) in self.holds {
            let key = piece.holds_key();
            match more {
                0 => self.batch.remove(&key),
                more => self.batch.put(&key, &Holds { more }),
            }
        }
        for piece in self.freed {
            self.batch.remove_piece(piece);
        }
        Ok(self.rows)
    }

    /// Removes what has expired of one table; `false` where some of it is left.
    pub fn collect_table(&mut self, id: TableId, time: DeletionTime) -> Result<bool> {
        let now_ms = time.now_ms;
        let Some(table) = self.catalog.table(id)? else {
            return Ok(true);
        };
        let retention = Retention::of(self.catalog, &table.project, now_ms)?;
        let window = retention.for_deletion(time, &table);
        let is_gone = table
            .dropped_at_ms
            .is_some_and(|dropped| !window.keeps(dropped));
        let author = Author::new(now_ms, "", "");
        let mut edit = TableEdit::open(self.batch, &author, id, table);
        let mut next_due = None;
        let mut is_done = true;
        let rows_max = self.rows_max.saturating_sub(self.rows.len());
        let chunk =
            self.catalog
                .versions_after(id, edit.table.collected, rows_max.saturating_add(1))?;
        for (seen, (lsn, row)) in chunk.iter().enumerate() {
            if !is_gone && window.keeps(row.committed_at_ms) {
                next_due = Some(row.committed_at_ms);
                break;
            }
            if seen >= rows_max {
                is_done = false;
                break;
            }
            self.superseded_by(id, &edit.table, (*lsn, row))?;
            edit.table.collected = *lsn;
        }
        if !is_done {
            edit.finish(self.batch);
            return Ok(false);
        }
        if is_gone {
            return self.remove_table(edit);
        }
        edit.table.due_at_ms = next_due;
        edit.finish(self.batch);
        Ok(true)
    }

    /// Removes what a row superseded, and the row itself where it is all that is left of a partition.
    fn superseded_by(&mut self, id: TableId, table: &Table, (lsn, row): Row<'_>) -> Result<()> {
        if let Some(previous) = row.previous {
            self.expire(id, table, previous, Some((lsn, row)))?;
        }
        if let Some(partition) = row.partition.filter(|_| row.operation == Operation::Drop)
            && let Some(record) = self.catalog.partition(id, partition)?
            && record.dropped_at_ms.is_some()
            && record.head == lsn
        {
            self.expire(id, table, lsn, None)?;
            self.remember_partition(id, table, partition, &record);
        }
        Ok(())
    }

    fn remember_partition(
        &mut self,
        table_id: TableId,
        table: &Table,
        partition: PartitionId,
        record: &crate::catalog::Partition,
    ) {
        let gone = Gone {
            project: table.project.clone(),
            name: record.values.clone(),
            first: record.first,
            last: record.head,
        };
        let (table, key) = (
            table_id,
            Key::Partition {
                table: table_id,
                partition,
            },
        );
        self.batch.remove(&key);
        self.batch
            .put(&Key::GonePartition { table, partition }, &gone);
    }

    /// Removes all rows of a partition that is dropped in this very batch, and everything about it.
    pub fn remove_partition(
        &mut self,
        id: TableId,
        table: &Table,
        partition: PartitionId,
        record: &crate::catalog::Partition,
    ) -> Result<()> {
        let mut lsns = Vec::new();
        self.catalog
            .object_lsns(id, Some(partition), Order::Ascending, Lsn(0), |lsn| {
                lsns.push(lsn);
                ControlFlow::Continue(())
            })?;
        self.batch.remove(&Key::LivePartition {
            table: id,
            values: record.values.clone(),
        });
        for (position, lsn) in lsns.iter().enumerate() {
            let next = match lsns.get(position + 1) {
                Some(next) => Some((*next, self.catalog.require_version(id, *next)?)),
                None => None,
            };
            self.expire(id, table, *lsn, next.as_ref().map(|(lsn, row)| (*lsn, row)))?;
        }
        self.remember_partition(id, table, partition, record);
        Ok(())
    }

    /// Removes what is left of a table whose superseded rows are gone.
    fn remove_table(&mut self, edit: TableEdit<'_>) -> Result<bool> {
        let id = edit.id;
        for (lsn, _) in self.catalog.versions(id)? {
            if self.rows.len() > self.rows_max {
                edit.finish(self.batch);
                return Ok(false);
            }
            if !self.removed.contains(&(id, lsn)) {
                self.expire(id, &edit.table, lsn, None)?;
            }
        }
        for (partition, record) in self.catalog.partitions(id)? {
            self.batch.remove(&Key::Partition {
                table: id,
                partition,
            });
            if record.dropped_at_ms.is_none() {
                self.batch.remove(&Key::LivePartition {
                    table: id,
                    values: record.values,
                });
            }
        }
        for partition in self.catalog.gone_partition_ids(id)? {
            self.batch.remove(&Key::GonePartition {
                table: id,
                partition,
            });
        }
        let project = edit.table.project.clone();
        let object = Object::Table(id);
        for (_, grantee, _) in self.catalog.grants(&project, Some(&object))? {
            self.batch.remove(&grant_key(&project, &object, &grantee));
        }
        self.batch.remove(&Key::UniqueKeys(id));
        for schema in self.catalog.schema_numbers(id)? {
            self.batch.remove(&Key::Schema { table: id, schema });
        }
        edit.remove(self.batch);
        Ok(true)
    }

    /// Removes a row. `next` is the row behind it in its history; without one its holds all end.
    fn expire(
        &mut self,
        id: TableId,
        table: &Table,
        lsn: Lsn,
        next: Option<Row<'_>>,
    ) -> Result<()> {
        let Some(version) = self.catalog.version(id, lsn)? else {
            return Ok(());
        };
        let before = self.freed.len();
        let mut size_bytes = 0;
        if let Some(content) = &version.content {
            let next = self.next_content((id, table), version.partition, next)?;
            self.settle_derived(Origin { table: id, lsn })?;
            self.settle_own((id, lsn), &version)?;
            if let Some((next_lsn, next)) = &next {
                self.settle_own((id, *next_lsn), next)?;
            }
            let next = next.as_ref().and_then(|(_, next)| next.content.as_ref());
            for piece in content.pieces_not_in(next, self.catalog.store())? {
                size_bytes += self.release(piece)?;
            }
        }
        debug_assert!(size_bytes == 0 || self.freed.len() > before);
        self.removed.insert((id, lsn));
        self.batch.remove(&Key::Version { table: id, lsn });
        if table.partitioned {
            let object = version.partition.unwrap_or(TABLE_OBJECT);
            self.batch.remove(&Key::ObjectVersion {
                table: id,
                object,
                lsn,
            });
        }
        let object_name = self.object_name(id, table, version.partition)?;
        self.rows.push(CollectedRow {
            project: table.project.clone(),
            table: id,
            object_name,
            lsn,
            operation: version.operation,
            size_bytes,
        });
        Ok(())
    }

    fn object_name(
        &self,
        id: TableId,
        table: &Table,
        partition: Option<PartitionId>,
    ) -> Result<String> {
        let Some(partition) = partition else {
            return Ok(table.name.clone());
        };
        let schema = self.catalog.schema(id, table.schema)?;
        let record = self.catalog.partition(id, partition)?;
        Ok(record.map_or_else(String::new, |record| {
            SpecText {
                columns: &schema.partition_columns,
                values: &record.values,
            }
            .to_string()
        }))
    }

    /// The next row of a history that has content: what was dropped and brought back goes on behind it.
    fn next_content(
        &self,
        table: (TableId, &Table),
        partition: Option<PartitionId>,
        next: Option<Row<'_>>,
    ) -> Result<Option<(Lsn, Version)>> {
        let mut next = next.map(|(lsn, row)| (lsn, row.clone()));
        while let Some((lsn, row)) = &next {
            if row.content.is_some() {
                break;
            }
            next = self.catalog.next_row(table, partition, *lsn)?;
        }
        Ok(next)
    }

    /// The content a history had before a row.
    fn content_before(&self, id: TableId, mut previous: Option<Lsn>) -> Result<Option<Snapshot>> {
        while let Some(lsn) = previous {
            if self.removed.contains(&(id, lsn)) {
                return Ok(None);
            }
            let Some(row) = self.catalog.version(id, lsn)? else {
                return Ok(None);
            };
            if row.content.is_some() {
                return Ok(row.content);
            }
            previous = row.previous;
        }
        Ok(None)
    }

    /// Counts the holds of the rows that were made of a row's content.
    fn settle_derived(&mut self, origin: Origin) -> Result<()> {
        for at in self.catalog.derived(origin)? {
            let version = self.catalog.require_version(at.table, at.lsn)?;
            self.settle(origin, at, &version)?;
        }
        Ok(())
    }

    /// Counts the holds of a row that was made of another's content.
    fn settle_own(&mut self, (table, lsn): (TableId, Lsn), version: &Version) -> Result<()> {
        if let Some(origin) = version.restored_from {
            self.settle(origin, Origin { table, lsn }, version)?;
        }
        Ok(())
    }

    fn settle(&mut self, origin: Origin, at: Origin, version: &Version) -> Result<()> {
        let mark = (origin.table, origin.lsn, at.table, at.lsn);
        if self.settled.contains(&mark) || !self.catalog.is_derived(origin, at)? {
            return Ok(());
        }
        let before = self.content_before(at.table, version.previous)?;
        let content = version.content.clone().unwrap_or_default();
        for piece in content.pieces_not_in(before.as_ref(), self.catalog.store())? {
            *self.more_holds(piece)? += 1;
        }
        self.settled.insert(mark);
        self.batch.remove(&Key::Derived {
            origin: origin.table,
            origin_lsn: origin.lsn,
            table: at.table,
            lsn: at.lsn,
        });
        Ok(())
    }

    fn more_holds(&mut self, piece: Piece) -> Result<&mut u64> {
        if !self.holds.contains_key(&piece) {
            let key = piece.holds_key();
            // The statement may have added holds itself.
            let held: Option<Holds> = match self.batch.get(&key)? {
                Some(held) => Some(held),
                None => self.catalog.store().get(&key)?,
            };
            self.batch.expect_unchanged(key)?;
            self.holds.insert(piece, held.map_or(0, |held| held.more));
        }
        Ok(self.holds.entry(piece).or_default())
    }

    /// Ends a hold; returns the bytes that go with the last one.
    fn release(&mut self, piece: Piece) -> Result<u64> {
        let more = self.more_holds(piece)?;
        if *more > 0 {
            *more -= 1;
            return Ok(0);
        }
        self.freed.insert(piece);
        Ok(piece.size_bytes())
    }

    /// Lets go of the content of a head that is written anew, with the same rows.
    pub fn rewritten(&mut self, id: TableId, lsn: Lsn, version: &Version) -> Result<()> {
        let Some(content) = &version.content else {
            return Ok(());
        };
        self.settle_derived(Origin { table: id, lsn })?;
        self.settle_own((id, lsn), version)?;
        let before = self.content_before(id, version.previous)?;
        for piece in content.pieces_not_in(before.as_ref(), self.catalog.store())? {
            self.release(piece)?;
        }
        Ok(())
    }
}
