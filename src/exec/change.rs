//! UPDATE, DELETE and MERGE. Manual pages: "UPDATE and DELETE", "MERGE INTO".
//!
//! Only segments that hold a row to be changed are written anew; the others are shared with the version
//! before. The target is read under a name of our own with each row's segment beside it, and the user's
//! expressions stand in queries of ours as they were written.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::Int64Type;

use super::Outcome;
use super::content::{Content, put};
use super::partitioned::{PartitionedWriter, split};
use super::query::{CurrentTables, run_over};
use super::upsert::{KeyedRows, is_known_unique, note_unique};
use crate::ast::{
    At, Delete, Fragment, Matching, Merge, MergeAction, MergeBranch, Name, Query, Update,
};
use crate::catalog::edit::TableEdit;
use crate::catalog::{Column, Operation, Version};
use crate::engine::values::{partition_array, stored_rows, updated_array};
use crate::engine::{Asked, Found, Part, SEGMENT_COLUMN, SnapshotTable, Tables};
use crate::error::{Error, Result};
use crate::ids::SegmentId;
use crate::parser::tokenize;
use crate::plan::{Context, Target, wrong_count};
use crate::store::{Batch, Key, NewSegment, SegmentRef, Snapshot};

/// The target, in our queries.
const TARGET: &str = "__target";
/// The target restricted to the segments that are written anew.
pub(super) const TOUCHED: &str = "__touched";

/// An object of the target with its segments.
pub(super) struct Object {
    pub part: Part,
    pub segments: Vec<SegmentRef>,
    pub row_count: u64,
    version: Version,
}

/// One UPDATE, DELETE or MERGE at work.
pub(super) struct Work<'a, 'b> {
    pub cx: &'a Context<'b>,
    pub target: &'a Target,
    pub objects: Vec<Object>,
}

/// The target under our names, everything else as it is.
struct ChangeTables<'a, 'b> {
    work: &'a Work<'a, 'b>,
    parts: Vec<Part>,
    only: Option<BTreeSet<SegmentId>>,
    others: CurrentTables<'a, 'b>,
}

impl Tables for ChangeTables<'_, '_> {
    fn find(&mut self, project: Option<&str>, name: &str, asked: Asked) -> Result<Option<Found>> {
        let only = match (project, name) {
            (None, TARGET) => None,
            (None, TOUCHED) => self.only.clone(),
            _ => return self.others.find(project, name, asked),
        };
        let target = self.work.target;
        let parts = if only.is_some() {
            self.parts.clone()
        } else {
            let objects = self.work.objects.iter();
            objects.map(|object| object.part.clone()).collect()
        };
        let store = Arc::clone(self.work.cx.store()?);
        let schema = target.schema.clone();
        let table = SnapshotTable::new(store, target.id, target.qualified(), schema, parts)?;
        Ok(Some(Found::Table(table.marked(only))))
    }

    fn latest(&mut self, project: Option<&str>, name: &str, nth: usize) -> Result<(i64, i64)> {
        self.others.latest(project, name, nth)
    }

    fn max_partition(&mut self, project: Option<&str>, name: &str) -> Result<Option<String>> {
        self.others.max_partition(project, name)
    }

    fn exists(
        &mut self,
        project: Option<&str>,
        name: &str,
        partition: Option<&str>,
    ) -> Result<bool> {
        self.others.exists(project, name, partition)
    }
}

/// A query in pieces of ours and of the user's.
pub(super) struct Composed {
    query: Query,
    at: usize,
}

impl Composed {
    pub(super) fn new(at: usize) -> Self {
        Self {
            query: Query {
                fragments: Vec::new(),
            },
            at,
        }
    }

    pub(super) fn ours(mut self, text: impl Into<String>) -> Self {
        let (text, at) = (text.into(), At(self.at));
        self.query.fragments.push(Fragment { text, at });
        self
    }

    fn theirs(mut self, fragment: &Fragment) -> Self {
        self.query.fragments.push(fragment.clone());
        self
    }

    /// The relations of a source, and `__mark.__there` beside each of their rows.
    fn source(mut self, merge: &Merge) -> Self {
        self = self.ours("((select true as __there) as __mark");
        for relation in &merge.source {
            self = self.ours("cross join").theirs(relation);
        }
        if let Some(alias) = &merge.source_alias {
            self = self.ours(format!("as {}", quoted(&alias.text)));
        }
        self.ours(")")
    }

    /// `(condition)`, or `true` where there is none.
    fn condition(self, condition: Option<&Fragment>) -> Self {
        match condition {
            Some(condition) => self.ours("(").theirs(condition).ours(")"),
            None => self.ours("true"),
        }
    }
}

pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn alias_of(target: &Target, alias: Option<&Name>) -> String {
    quoted(alias.map_or(&target.table.name, |alias| &alias.text))
}

impl<'a, 'b> Work<'a, 'b> {
    pub(super) fn new(cx: &'a Context<'b>, target: &'a Target) -> Result<Self> {
        let (store, catalog) = (cx.store()?, cx.catalog()?);
        let parts = if target.table.partitioned {
            let live = catalog.live_partitions(target.id)?;
            let part = |(_, partition): (_, crate::catalog::Partition)| Part {
                values: partition.values,
                lsn: partition.head,
            };
            live.into_iter().map(part).collect()
        } else {
            vec![Part {
                values: Vec::new(),
                lsn: target.table.head,
            }]
        };
        let mut objects = Vec::new();
        for part in parts {
            let version = catalog.require_version(target.id, part.lsn)?;
            let content = version.content.clone().unwrap_or_default();
            objects.push(Object {
                segments: content.segments(store)?,
                row_count: content.row_count,
                version,
                part,
            });
        }
        Ok(Self {
            cx,
            target,
            objects,
        })
    }

    pub(super) fn run(
        &self,
        composed: Composed,
        parts: Vec<Part>,
        only: Option<BTreeSet<SegmentId>>,
        visit: &mut dyn FnMut(RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let mut tables = ChangeTables {
            work: self,
            parts,
            only,
            others: CurrentTables::new(self.cx),
        };
        run_over(
            self.cx,
            &composed.query,
            &mut tables,
            &mut |_| Ok(()),
            visit,
        )
        .map(drop)
    }

    /// How many rows of each segment a query names, which has the segment as its only output.
    fn touched(&self, composed: Composed) -> Result<BTreeMap<SegmentId, u64>> {
        let mut touched = BTreeMap::new();
        self.run(composed, Vec::new(), None, &mut |rows| {
            let ids = rows.column(0).as_primitive::<Int64Type>();
            for id in ids.iter().flatten() {
                *touched.entry(SegmentId(id as u64)).or_insert(0) += 1;
            }
            Ok(())
        })?;
        Ok(touched)
    }

    /// Where an object stands in the table.
    pub(super) fn place_of(&self, object: &Object) -> Option<Vec<String>> {
        let partitioned = self.target.table.partitioned;
        partitioned.then(|| object.part.values.clone())
    }

    /// The object of a place, if it is there.
    pub(super) fn object_at(&self, place: &Option<Vec<String>>) -> Option<&Object> {
        let mut objects = self.objects.iter();
        objects.find(|object| self.place_of(object) == *place)
    }

    /// The objects that hold touched segments, each with those segments.
    pub(super) fn touched_objects(
        &self,
        touched: &BTreeMap<SegmentId, u64>,
    ) -> Vec<(&Object, BTreeSet<SegmentId>)> {
        let objects = self.objects.iter();
        let with_segments = objects.map(|object| {
            let ids = object.segments.iter().map(|segment| segment.id);
            let own: BTreeSet<SegmentId> = ids.filter(|id| touched.contains_key(id)).collect();
            (object, own)
        });
        with_segments.filter(|(_, own)| !own.is_empty()).collect()
    }

    /// Writes an object anew: its untouched segments and `new` ones.
    pub(super) fn replace(
        &self,
        batch: &mut Batch<'_>,
        edit: &mut TableEdit<'_>,
        object: &Object,
        gone: &BTreeSet<SegmentId>,
        new: Vec<NewSegment>,
        change: Change,
    ) -> Result<()> {
        let store = self.cx.store()?;
        // MERGE SMALLFILES changes a version without a new one.
        let key = Key::Version {
            table: self.target.id,
            lsn: object.part.lsn,
        };
        batch.expect_record(key, &object.version);
        batch.check()?;
        let kept = object
            .segments
            .iter()
            .filter(|segment| !gone.contains(&segment.id));
        let kept: Vec<SegmentRef> = kept.copied().collect();
        let snapshot = Snapshot::of(store, batch, kept).append(store, batch, new)?;
        let place = self
            .target
            .table
            .partitioned
            .then(|| object.part.values.clone());
        // Rows that were rewritten count as gone and come again.
        let rows_removed = change.rows;
        let rows_added = (snapshot.row_count + rows_removed).saturating_sub(object.row_count);
        let content = Content::Snapshot {
            snapshot,
            rows_added,
            rows_removed,
            origin: None,
        };
        put(self.cx, batch, edit, place, content, change.operation)
    }

    fn column(&self, name: &Name) -> Result<usize> {
        let schema = &self.target.schema;
        if schema
            .partition_columns
            .iter()
            .any(|column| column.name == name.text)
        {
            let detail = format!("partition column {} cannot be updated", name.text);
            return Err(Error::semantic(detail).at(name.at.0));
        }
        let position = schema
            .columns
            .iter()
            .position(|column| column.name == name.text);
        let Some(position) = position else {
            let detail = format!("column {} cannot be resolved", name.text);
            return Err(Error::semantic(detail).at(name.at.0));
        };
        if self
            .target
            .table
            .primary_key
            .contains(&schema.columns[position].id)
        {
            let detail = format!(
                "column {} belongs to the primary key and cannot be updated",
                name.text
            );
            return Err(Error::semantic(detail).at(name.at.0));
        }
        Ok(position)
    }

    /// The new value of each column, where one is assigned.
    fn assigned<'f>(
        &self,
        assignments: &'f [(Name, Fragment)],
    ) -> Result<Vec<Option<&'f Fragment>>> {
        let mut values = vec![None; self.target.schema.columns.len()];
        for (name, value) in assignments {
            let position = self.column(name)?;
            if values[position].replace(value).is_some() {
                let detail = format!("column {} is given twice", name.text);
                return Err(Error::semantic(detail).at(name.at.0));
            }
        }
        Ok(values)
    }
}

/// What a statement does to an object.
#[derive(Clone, Copy)]
pub(super) struct Change {
    pub operation: Operation,
    /// Rows it changes.
    pub rows: u64,
}

pub(super) fn update(cx: &Context<'_>, target: Target, update: &Update) -> Result<Outcome> {
    if !update.from.is_empty() {
        return merge_rows(cx, target, &joined_update(update), Operation::Update);
    }
    let work = Work::new(cx, &target)?;
    let alias = alias_of(&target, update.alias.as_ref());
    let at = update.table.name.at.0;
    let assigned = work.assigned(&update.assignments)?;
    let condition = update.condition.as_ref();
    let select = |alias: &str| {
        // The assigned values are looked at too, so that a wrong one is refused though no row is there.
        Composed::new(at)
            .ours(format!(
                "select {alias}.{SEGMENT_COLUMN} from {TARGET} as {alias} where"
            ))
            .condition(condition)
    };
    let touched = work.touched(select(&alias))?;
    // The rows that stay, then those that change: a subquery of the condition can only stand behind WHERE.
    let rewrite = || {
        let columns = target.schema.columns.iter().zip(&assigned).enumerate();
        let mut changed = Composed::new(at).ours("select");
        for (position, (column, value)) in columns {
            let comma = if position > 0 { "," } else { "" };
            changed = match value {
                Some(value) => changed.ours(format!("{comma} (")).theirs(value).ours(")"),
                None => changed.ours(format!("{comma} {alias}.{}", quoted(&column.name))),
            };
        }
        let changed = changed
            .ours(format!("from {TOUCHED} as {alias} where"))
            .condition(condition);
        vec![kept_rows(&target, at, &alias, condition), changed]
    };
    if touched.is_empty() {
        // The assigned values are checked all the same.
        for composed in rewrite() {
            let nothing = Some(BTreeSet::new());
            work.run(composed, Vec::new(), nothing, &mut |_| Ok(()))?;
        }
        return Ok(Outcome::Done);
    }
    rewrite_objects(&work, &touched, &rewrite, Operation::Update)
}

/// UPDATE … FROM: the rows that match some of other relations have new values.
fn joined_update(update: &Update) -> Merge {
    let at = update.table.name.at;
    let always = || Fragment {
        text: "true".to_owned(),
        at,
    };
    Merge {
        table: update.table.clone(),
        alias: update.alias.clone(),
        source: update.from.clone(),
        source_alias: None,
        condition: update.condition.clone().unwrap_or_else(always),
        branches: vec![MergeBranch {
            matching: Matching::Both,
            condition: None,
            action: MergeAction::Update(update.assignments.clone()),
            at,
        }],
    }
}

pub(super) fn delete(cx: &Context<'_>, target: Target, delete: &Delete) -> Result<Outcome> {
    let work = Work::new(cx, &target)?;
    let alias = alias_of(&target, delete.alias.as_ref());
    let at = delete.table.name.at.0;
    let condition = delete.condition.as_ref();
    let select = Composed::new(at)
        .ours(format!(
            "select {alias}.{SEGMENT_COLUMN} from {TARGET} as {alias} where"
        ))
        .condition(condition);
    let touched = work.touched(select)?;
    let rewrite = || vec![kept_rows(&target, at, &alias, condition)];
    if touched.is_empty() {
        return Ok(Outcome::Done);
    }
    rewrite_objects(&work, &touched, &rewrite, Operation::Delete)
}

/// The rows of touched segments for which the condition is not true.
fn kept_rows(target: &Target, at: usize, alias: &str, condition: Option<&Fragment>) -> Composed {
    let columns = target.schema.columns.iter();
    let columns: Vec<String> = columns
        .map(|column| format!("{alias}.{}", quoted(&column.name)))
        .collect();
    Composed::new(at)
        .ours(format!(
            "select {} from {TOUCHED} as {alias} where case when",
            columns.join(", ")
        ))
        .condition(condition)
        .ours("then false else true end")
}

/// Writes the touched segments of each object anew, and commits.
fn rewrite_objects(
    work: &Work<'_, '_>,
    touched: &BTreeMap<SegmentId, u64>,
    rewrite: &dyn Fn() -> Vec<Composed>,
    operation: Operation,
) -> Result<Outcome> {
    let cx = work.cx;
    let columns = &work.target.schema.columns;
    let mapping = (0..columns.len()).map(Some).collect();
    let mut batch = cx.store()?.begin();
    let author = cx.author();
    let mut rewritten = Vec::new();
    for (object, own) in work.touched_objects(touched) {
        let mut writer = batch.segment_writer();
        for composed in rewrite() {
            let (parts, only) = (vec![object.part.clone()], Some(own.clone()));
            work.run(composed, parts, only, &mut |rows| {
                Ok(writer.write(stored_rows(columns, &mapping, &rows, cx.zone)?)?)
            })?;
        }
        let segments = batch.finish_segments(writer)?;
        rewritten.push((object, own, segments));
    }
    cx.exclude()?;
    let mut edit = TableEdit::open(
        &mut batch,
        &author,
        work.target.id,
        work.target.table.clone(),
    );
    batch.check()?;
    for (object, own, segments) in rewritten {
        let rows = own.iter().filter_map(|id| touched.get(id)).sum();
        work.replace(
            &mut batch,
            &mut edit,
            object,
            &own,
            segments,
            Change { operation, rows },
        )?;
    }
    if is_known_unique(work)? {
        note_unique(&mut batch, &edit);
    }
    edit.finish(&mut batch);
    cx.commit(batch, &author)?;
    Ok(Outcome::Done)
}

/// The new value of each column, `None` where the old one stays.
type NewValues<'f> = Vec<Option<&'f Fragment>>;

/// What happens to a row of the target.
struct Matched<'f> {
    /// Whether it is a row that matches one of the source, or one that matches none.
    is_there: bool,
    condition: Option<&'f Fragment>,
    /// New values, or `None` for DELETE.
    values: Option<NewValues<'f>>,
}

impl Matched<'_> {
    /// The condition under which the branch is for a row, all but what the user says.
    fn place(&self) -> &'static str {
        match self.is_there {
            true => "__mark.__there",
            false => "__mark.__there is null",
        }
    }
}

/// The branches of a MERGE, in order and checked.
struct Branches<'f> {
    matched: Vec<Matched<'f>>,
    /// The condition and the values of new rows, as the data columns then the partition columns.
    insert: Option<(Option<&'f Fragment>, NewValues<'f>)>,
}

impl<'f> Branches<'f> {
    /// The branches that update, with their numbers and new values.
    fn updates(&self) -> impl Iterator<Item = (usize, &NewValues<'f>)> {
        let numbered = self.matched.iter().enumerate();
        numbered.filter_map(|(number, branch)| Some((number, branch.values.as_ref()?)))
    }
}

/// Rows with the values of `new`, which has an array for each of the assigned columns, where `is_updated` says so.
fn with_new_values<'n>(
    columns: &[Column],
    stored: RecordBatch,
    assigned: &NewValues<'_>,
    mut new: impl Iterator<Item = &'n ArrayRef>,
    is_updated: &BooleanArray,
    zone: chrono_tz::Tz,
) -> Result<RecordBatch> {
    let mut arrays = stored.columns().to_vec();
    for ((column, array), value) in columns.iter().zip(&mut arrays).zip(assigned) {
        if value.is_none() {
            continue;
        }
        let missing = || Error::internal("an assigned column has no new values");
        let new = new.next().ok_or_else(missing)?;
        *array = updated_array(column, array, new, is_updated, zone)?;
    }
    RecordBatch::try_new(stored.schema(), arrays)
        .map_err(|error| Error::internal(error.to_string()))
}

/// A row that matches none of the source has no values of the source.
fn without_source(merge: &Merge, branch: &MergeBranch) -> Result<()> {
    let Some(source) = &merge.source_alias else {
        return Ok(());
    };
    let values = match &branch.action {
        MergeAction::Update(assignments) => assignments.as_slice(),
        _ => &[],
    };
    let values = values.iter().map(|(_, value)| value);
    for fragment in branch.condition.iter().chain(values) {
        let tokens = tokenize(&fragment.text)?;
        for pair in tokens.windows(2) {
            let name = pair[0].text.trim_matches('`').to_lowercase();
            if name == source.text && pair[1].text == "." {
                let detail = format!(
                    "{name} cannot be resolved, WHEN NOT MATCHED BY SOURCE has no row of the source"
                );
                return Err(Error::semantic(detail).at(fragment.at.0 + pair[0].at));
            }
        }
    }
    Ok(())
}

fn branches<'f>(work: &Work<'_, '_>, merge: &'f Merge) -> Result<Branches<'f>> {
    let mut out = Branches {
        matched: Vec::new(),
        insert: None,
    };
    let count = merge.branches.len();
    for (number, branch) in merge.branches.iter().enumerate() {
        let refused = |detail: &str| Err(Error::semantic(detail).at(branch.at.0));
        let is_again = merge.branches[..number].iter().any(|before| {
            before.matching == branch.matching
                && std::mem::discriminant(&before.action) == std::mem::discriminant(&branch.action)
        });
        if branch.matching == Matching::TargetAlone {
            without_source(merge, branch)?;
        }
        match &branch.action {
            _ if branch.matching == Matching::Both && out.insert.is_some() => {
                return refused("WHEN NOT MATCHED comes last");
            }
            MergeAction::Update(_) if is_again => {
                return refused("UPDATE comes at most once in MERGE");
            }
            MergeAction::Delete if is_again => {
                return refused("DELETE comes at most once in MERGE");
            }
            MergeAction::Insert { .. } if is_again => {
                return refused("INSERT comes at most once in MERGE");
            }
            _ => {}
        }
        let is_last_matched = merge.branches[number + 1..count]
            .iter()
            .all(|later| later.matching != branch.matching);
        let condition = branch.condition.as_ref();
        match &branch.action {
            MergeAction::Insert { columns, values } => {
                let schema = &work.target.schema;
                let all: Vec<_> = schema.all_columns().collect();
                let mut row = vec![None; all.len()];
                match columns {
                    None if values.len() != all.len() => {
                        return Err(wrong_count(values.len(), all.len()).at(branch.at.0));
                    }
                    None => row
                        .iter_mut()
                        .zip(values)
                        .for_each(|(place, value)| *place = Some(value)),
                    Some(names) if names.len() != values.len() => {
                        return Err(wrong_count(values.len(), names.len()).at(branch.at.0));
                    }
                    Some(names) => {
                        for (name, value) in names.iter().zip(values) {
                            let Some(position) =
                                all.iter().position(|column| column.name == name.text)
                            else {
                                let detail = format!("column {} cannot be resolved", name.text);
                                return Err(Error::semantic(detail).at(name.at.0));
                            };
                            if row[position].replace(value).is_some() {
                                let detail = format!("column {} is given twice", name.text);
                                return Err(Error::semantic(detail).at(name.at.0));
                            }
                        }
                    }
                }
                out.insert = Some((condition, row));
            }
            _ if condition.is_none() && !is_last_matched => {
                return refused("of two WHEN MATCHED the first needs AND");
            }
            MergeAction::Update(assignments) => out.matched.push(Matched {
                is_there: branch.matching == Matching::Both,
                condition,
                values: Some(work.assigned(assignments)?),
            }),
            MergeAction::Delete => out.matched.push(Matched {
                is_there: branch.matching == Matching::Both,
                condition,
                values: None,
            }),
            MergeAction::UpdateAll | MergeAction::InsertAll => {
                return Err(Error::internal("a branch for all columns names them"));
            }
        }
    }
    Ok(out)
}

/// The branches for all columns with the columns they are for: those of the target, each from the one of its name in the source.
fn named(work: &Work<'_, '_>, merge: &Merge) -> Merge {
    let mut merge = merge.clone();
    let source = merge.source_alias.as_ref();
    let source = quoted(source.map_or("", |alias| &alias.text));
    let (table, schema) = (&work.target.table, &work.target.schema);
    for branch in &mut merge.branches {
        let at = branch.at;
        let value = |column: &Column| Fragment {
            text: format!("{source}.{}", quoted(&column.name)),
            at,
        };
        match branch.action {
            MergeAction::UpdateAll => {
                // The key of a row that is updated stays.
                let columns = schema.columns.iter();
                let columns = columns.filter(|column| !table.primary_key.contains(&column.id));
                let name = |column: &Column| Name {
                    text: column.name.clone(),
                    at,
                };
                let pairs = columns.map(|column| (name(column), value(column)));
                branch.action = MergeAction::Update(pairs.collect());
            }
            MergeAction::InsertAll => {
                branch.action = MergeAction::Insert {
                    columns: None,
                    values: schema.all_columns().map(value).collect(),
                };
            }
            _ => {}
        }
    }
    merge
}

pub(super) fn merge(cx: &Context<'_>, target: Target, merge: &Merge) -> Result<Outcome> {
    merge_rows(cx, target, merge, Operation::Merge)
}

fn merge_rows(
    cx: &Context<'_>,
    target: Target,
    merge: &Merge,
    operation: Operation,
) -> Result<Outcome> {
    let work = Work::new(cx, &target)?;
    let merge = &named(&work, merge);
    let branches = branches(&work, merge)?;
    let alias = alias_of(&target, merge.alias.as_ref());
    let at = merge.table.name.at.0;
    let columns = &target.schema.columns;
    let mapping = (0..columns.len()).map(Some).collect();
    let mut batch = cx.store()?.begin();
    let author = cx.author();

    // Which segments hold a row that a branch is for.
    let mut touched = BTreeMap::new();
    for (is_there, join) in [(true, "join"), (false, "left anti join")] {
        let mut matched = branches
            .matched
            .iter()
            .filter(|branch| branch.is_there == is_there);
        let Some(first) = matched.next() else {
            continue;
        };
        let mut composed = Composed::new(at)
            .ours(format!(
                "select {alias}.{SEGMENT_COLUMN} from {TARGET} as {alias} {join}"
            ))
            .source(merge)
            .ours("on (")
            .theirs(&merge.condition)
            .ours(") where")
            .condition(first.condition);
        for branch in matched {
            composed = composed.ours("or").condition(branch.condition);
        }
        for (segment, rows) in work.touched(composed)? {
            *touched.entry(segment).or_insert(0) += rows;
        }
    }
    let mut inserted = Vec::new();
    let mut keyed = None;
    if let Some((condition, values)) = &branches.insert {
        let composed = new_rows(merge, *condition, values, &alias);
        if target.table.has_key() {
            let rows = keyed_rows(&work, composed, values)?;
            if !rows.is_empty() {
                for segment in rows.touched(&work)?.into_keys() {
                    touched.entry(segment).or_insert(0);
                }
                keyed = Some((rows.check_unique(&work)?, rows));
            }
        } else {
            inserted = write_new_rows(&work, composed, values, &mut batch)?;
        }
    }
    let mut rewritten = Vec::new();
    for (object, own) in work.touched_objects(&touched) {
        let composed = matched_rows(&work, merge, &branches, &alias);
        let mut writer = batch.segment_writer();
        let mut seen = HashSet::new();
        let mut changed = 0;
        work.run(
            composed,
            vec![object.part.clone()],
            Some(own.clone()),
            &mut |rows| {
                let width = columns.len();
                let actions = rows.column(width).as_primitive::<Int64Type>();
                let numbers = rows.column(width + 1).as_primitive::<Int64Type>();
                let mut kept = Vec::with_capacity(rows.num_rows());
                for row in 0..rows.num_rows() {
                    let action = actions.value(row);
                    let is_new = seen.insert(numbers.value(row));
                    if !is_new {
                        return Err(Error::execution(
                            "a row of the target is matched by several rows of the source",
                        ));
                    }
                    changed += u64::from(action >= 0);
                    let is_deleted = usize::try_from(action)
                        .ok()
                        .and_then(|action| branches.matched.get(action))
                        .is_some_and(|branch| branch.values.is_none());
                    kept.push(!is_deleted);
                }
                let kept = filter_record_batch(&rows, &BooleanArray::from(kept))
                    .map_err(|error| Error::internal(error.to_string()))?;
                let mut stored = stored_rows(columns, &mapping, &kept, cx.zone)?;
                let mut new = kept.columns()[width + 2..].iter();
                for (number, values) in branches.updates() {
                    let actions = kept.column(width).as_primitive::<Int64Type>();
                    let is_updated = BooleanArray::from_unary(actions, |at| at == number as i64);
                    let new = new.by_ref();
                    stored = with_new_values(columns, stored, values, new, &is_updated, cx.zone)?;
                }
                if let Some((_, rows)) = &keyed {
                    let stays = rows.kept(&work.place_of(object), &stored)?;
                    // A row that is both changed and replaced counts once.
                    let gone = actions_of(&kept, width).zip(stays.iter());
                    changed += gone
                        .filter(|(action, stays)| *action < 0 && *stays == Some(false))
                        .count() as u64;
                    stored = filter_record_batch(&stored, &stays)
                        .map_err(|error| Error::internal(error.to_string()))?;
                }
                Ok(writer.write(stored)?)
            },
        )?;
        let segments = batch.finish_segments(writer)?;
        rewritten.push((object, own, segments, changed));
    }
    let is_unique = match &keyed {
        Some((is_unique, _)) => *is_unique,
        None => is_known_unique(&work)?,
    };
    if let Some((_, mut rows)) = keyed {
        for place in rows.places() {
            let segments = rows.take(&place, &mut batch)?.unwrap_or_default();
            inserted.push((place, segments));
        }
    }
    if rewritten.is_empty() && inserted.is_empty() {
        return Ok(Outcome::Done);
    }
    cx.exclude()?;
    let mut edit = TableEdit::open(&mut batch, &author, target.id, target.table.clone());
    batch.check()?;
    for (object, own, mut segments, rows) in rewritten {
        // New rows of the same object come with the changed ones, in one version.
        let place = target.table.partitioned.then(|| object.part.values.clone());
        if let Some(position) = inserted.iter().position(|(values, _)| *values == place) {
            segments.extend(inserted.remove(position).1);
        }
        work.replace(
            &mut batch,
            &mut edit,
            object,
            &own,
            segments,
            Change { operation, rows },
        )?;
    }
    for (place, segments) in inserted {
        put(
            cx,
            &mut batch,
            &mut edit,
            place,
            Content::Appended(segments),
            operation,
        )?;
    }
    if is_unique {
        note_unique(&mut batch, &edit);
    }
    edit.finish(&mut batch);
    cx.commit(batch, &author)?;
    Ok(Outcome::Done)
}

/// The number of the branch that is for each row, -1 for none.
fn actions_of(rows: &RecordBatch, width: usize) -> impl Iterator<Item = i64> {
    let actions = rows.column(width).as_primitive::<Int64Type>();
    actions.values().to_vec().into_iter()
}

/// The rows of the touched segments as they become, with the number of the branch that is for each (-1 for
/// none) and a number of the row.
fn matched_rows(
    work: &Work<'_, '_>,
    merge: &Merge,
    branches: &Branches<'_>,
    alias: &str,
) -> Composed {
    let mut composed = Composed::new(merge.table.name.at.0).ours("select");
    for (position, column) in work.target.schema.columns.iter().enumerate() {
        let comma = if position > 0 { "," } else { "" };
        composed = composed.ours(format!("{comma} {alias}.{}", quoted(&column.name)));
    }
    composed = composed.ours(", case");
    for (number, branch) in branches.matched.iter().enumerate() {
        composed = composed
            .ours(format!("when {} and", branch.place()))
            .condition(branch.condition)
            .ours(format!("then {number}"));
    }
    composed = composed.ours(format!("else -1 end, {alias}.__row"));
    // The new values have columns of their own: beside the old ones the engine would find a type for both.
    for (update, values) in branches.updates() {
        for value in values.iter().flatten() {
            composed = composed.ours(", case");
            for branch in &branches.matched[..update] {
                composed = composed
                    .ours(format!("when {} and", branch.place()))
                    .condition(branch.condition)
                    .ours("then null");
            }
            let branch = &branches.matched[update];
            composed = composed
                .ours(format!("when {} and", branch.place()))
                .condition(branch.condition)
                .ours("then (")
                .theirs(value)
                .ours(") end");
        }
    }
    composed
        .ours(format!(
            " from (select *, row_number() over () as __row from {TOUCHED}) as {alias} left join"
        ))
        .source(merge)
        .ours("on (")
        .theirs(&merge.condition)
        .ours(")")
}

/// The rows of the source that match nothing, as rows of the target.
fn new_rows(
    merge: &Merge,
    condition: Option<&Fragment>,
    values: &[Option<&Fragment>],
    alias: &str,
) -> Composed {
    let mut composed = Composed::new(merge.table.name.at.0).ours("select");
    let mut comma = "";
    for value in values.iter().flatten() {
        composed = composed.ours(format!("{comma} (")).theirs(value).ours(")");
        comma = ",";
    }
    composed
        .ours("from")
        .source(merge)
        .ours(format!("left anti join {TARGET} as {alias} on ("))
        .theirs(&merge.condition)
        .ours(") where")
        .condition(condition)
}

/// New segments by the values of their partition, `None` for a table without partitions.
type NewSegments = Vec<(Option<Vec<String>>, Vec<NewSegment>)>;

/// The new rows of a table with a primary key.
fn keyed_rows(
    work: &Work<'_, '_>,
    composed: Composed,
    values: &[Option<&Fragment>],
) -> Result<KeyedRows> {
    let schema = &work.target.schema;
    let (mapping, levels) = new_row_mapping(work, values)?;
    let mut new = KeyedRows::new(work.target)?;
    let open = vec![None; schema.partition_columns.len()];
    work.run(composed, Vec::new(), None, &mut |rows| {
        let stored = stored_rows(&schema.columns, &mapping, &rows, work.cx.zone)?;
        if !work.target.table.partitioned {
            return new.add(None, stored, false);
        }
        let given = schema.partition_columns.iter().zip(&levels);
        let given =
            given.map(|(column, at)| partition_array(column, rows.column(*at), work.cx.zone));
        let given: Vec<ArrayRef> = given.collect::<Result<_>>()?;
        let parts = split(&schema.partition_columns, &open, &stored, &given)?;
        let mut parts = parts.into_iter();
        parts.try_for_each(|(values, part)| new.add(Some(values), part, false))
    })?;
    Ok(new)
}

/// Where the data columns and the partition columns of a new row stand among its values.
fn new_row_mapping(
    work: &Work<'_, '_>,
    values: &[Option<&Fragment>],
) -> Result<(Vec<Option<usize>>, Vec<usize>)> {
    let mut next = 0;
    let mut mapping = Vec::new();
    for value in values {
        mapping.push(value.map(|_| next));
        next += usize::from(value.is_some());
    }
    let levels = mapping.split_off(work.target.schema.columns.len());
    let levels: Option<Vec<usize>> = levels.into_iter().collect();
    let missing = || Error::semantic("MERGE has to give the partition columns of a new row");
    Ok((mapping, levels.ok_or_else(missing)?))
}

fn write_new_rows(
    work: &Work<'_, '_>,
    composed: Composed,
    values: &[Option<&Fragment>],
    batch: &mut Batch<'_>,
) -> Result<NewSegments> {
    let cx = work.cx;
    let schema = &work.target.schema;
    let (mapping, levels) = new_row_mapping(work, values)?;
    if work.target.table.partitioned {
        let open = vec![None; schema.partition_columns.len()];
        let mut writer = PartitionedWriter::new(schema, &open, batch);
        work.run(composed, Vec::new(), None, &mut |rows| {
            let stored = stored_rows(&schema.columns, &mapping, &rows, cx.zone)?;
            let given = writer.dynamic().zip(&levels);
            let given =
                given.map(|(column, at)| partition_array(column, rows.column(*at), cx.zone));
            let given: Vec<ArrayRef> = given.collect::<Result<_>>()?;
            writer.write(stored, &given)
        })?;
        let written = writer.finish(batch)?;
        return Ok(written
            .into_iter()
            .map(|(values, segments)| (Some(values), segments))
            .collect());
    }
    let mut writer = batch.segment_writer();
    work.run(composed, Vec::new(), None, &mut |rows| {
        Ok(writer.write(stored_rows(&schema.columns, &mapping, &rows, cx.zone)?)?)
    })?;
    let segments = batch.finish_segments(writer)?;
    Ok(if segments.is_empty() {
        Vec::new()
    } else {
        vec![(None, segments)]
    })
}
