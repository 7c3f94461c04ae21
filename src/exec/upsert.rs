//! Rows into a table with a primary key: a new row takes the place of the old one of its key, also within one statement,
//! where the last one counts. Keys are unique within a partition. Manual page: "Delta tables".
//!
//! Only segments that hold such an old row are written again. What an older program, a restore or a merge of partitions may
//! have brought in twice is found once: up to which row keys are known to be unique, [`UniqueKeys`] says.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::row::{RowConverter, Rows, SortField};

use super::change::{Change, Composed, Object, TOUCHED, Work, quoted};
use super::content::{Content, put};
use crate::catalog::edit::TableEdit;
use crate::catalog::{Column, Operation, UniqueKeys};
use crate::engine::SEGMENT_COLUMN;
use crate::engine::cast::without_negative_zero;
use crate::engine::values::stored_rows;
use crate::error::{Error, Result};
use crate::ids::{Lsn, SegmentId};
use crate::plan::{Context, Target};
use crate::store::{Batch, Key, NewSegment, SegmentWriter};

/// The values of a partition; `None` for a table without partitions.
type Place = Option<Vec<String>>;

/// The key columns of a table.
struct Keys {
    /// Their positions among the data columns.
    positions: Vec<usize>,
    converter: RowConverter,
}

impl Keys {
    fn of(target: &Target) -> Result<Self> {
        let columns = target.schema.columns.iter().enumerate();
        let is_key = |column: &Column| target.table.primary_key.contains(&column.id);
        let positions: Vec<usize> = columns
            .filter(|(_, column)| is_key(column))
            .map(|(position, _)| position)
            .collect();
        let fields = positions.iter().map(|position| {
            let data_type = &target.schema.columns[*position].data_type;
            SortField::new(crate::engine::types::storage_type(data_type))
        });
        let converter = RowConverter::new(fields.collect()).map_err(failed)?;
        Ok(Self {
            positions,
            converter,
        })
    }

    fn columns(&self, target: &Target) -> Vec<Column> {
        let columns = self.positions.iter();
        columns
            .map(|position| target.schema.columns[*position].clone())
            .collect()
    }

    /// The keys of arrays that have the key columns in order, as they are stored.
    fn rows(&self, arrays: &[ArrayRef]) -> Result<Rows> {
        let arrays: Vec<ArrayRef> = arrays.iter().map(without_negative_zero).collect();
        self.converter.convert_columns(&arrays).map_err(failed)
    }

    /// The keys of stored rows.
    fn of_stored(&self, stored: &RecordBatch) -> Result<Rows> {
        let arrays = self.positions.iter();
        let arrays: Vec<ArrayRef> = arrays.map(|at| Arc::clone(stored.column(*at))).collect();
        self.rows(&arrays)
    }
}

fn failed(error: datafusion::arrow::error::ArrowError) -> Error {
    Error::internal(error.to_string())
}

/// The new rows of one place.
#[derive(Default)]
struct NewRows {
    batches: Vec<RecordBatch>,
    /// Of each key the batch and the row that is the last of it.
    last: HashMap<Box<[u8]>, (usize, usize)>,
    overwrite: bool,
}

/// What a statement inserts into a table with a primary key.
pub(super) struct KeyedRows {
    keys: Keys,
    places: BTreeMap<Place, NewRows>,
}

impl KeyedRows {
    pub(super) fn new(target: &Target) -> Result<Self> {
        Ok(Self {
            keys: Keys::of(target)?,
            places: BTreeMap::new(),
        })
    }

    /// Adds rows as they are stored, in the order of the statement.
    pub(super) fn add(&mut self, place: Place, stored: RecordBatch, overwrite: bool) -> Result<()> {
        let rows = self.keys.of_stored(&stored)?;
        let new = self.places.entry(place).or_default();
        new.overwrite |= overwrite;
        for row in 0..stored.num_rows() {
            let key = rows.row(row).data().into();
            new.last.insert(key, (new.batches.len(), row));
        }
        new.batches.push(stored);
        Ok(())
    }

    /// Takes note of a place that is overwritten, whether or not rows come.
    pub(super) fn overwrite(&mut self, place: Place) {
        self.places.entry(place).or_default().overwrite = true;
    }

    pub(super) fn places(&self) -> Vec<Place> {
        self.places.keys().cloned().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Writes the new rows of a place, of each key the last.
    fn write(&self, new: &NewRows, writer: &mut SegmentWriter<'_>) -> Result<()> {
        for (number, stored) in new.batches.iter().enumerate() {
            let rows = self.keys.of_stored(stored)?;
            let is_last = (0..stored.num_rows())
                .map(|row| new.last.get(rows.row(row).data()) == Some(&(number, row)));
            let is_last: BooleanArray = is_last.map(Some).collect();
            writer.write(filter_record_batch(stored, &is_last).map_err(failed)?)?;
        }
        Ok(())
    }

    /// Which of the stored rows of a place stay: those whose keys do not come again.
    pub(super) fn kept(&self, place: &Place, stored: &RecordBatch) -> Result<BooleanArray> {
        let Some(new) = self.places.get(place) else {
            return Ok(BooleanArray::from(vec![true; stored.num_rows()]));
        };
        let rows = self.keys.of_stored(stored)?;
        let stays = (0..stored.num_rows()).map(|row| !new.last.contains_key(rows.row(row).data()));
        Ok(stays.map(Some).collect())
    }

    /// How many rows of each segment have a key that comes again, in the places that are not overwritten.
    ///
    /// # Errors
    /// Where a key is there twice already.
    pub(super) fn touched(&self, work: &Work<'_, '_>) -> Result<BTreeMap<SegmentId, u64>> {
        let mut touched = BTreeMap::new();
        for (place, new) in &self.places {
            if let Some(object) = work.object_at(place)
                && !new.overwrite
                && !new.last.is_empty()
            {
                self.visit_keys(work, object, Some(new), &mut |key, segment| {
                    if new.last.contains_key(key) {
                        *touched.entry(segment).or_insert(0) += 1;
                    }
                    Ok(())
                })?;
            }
        }
        Ok(touched)
    }

    /// Looks at objects that may hold a key twice. Returns whether all keys of the table are unique once the statement is
    /// done.
    ///
    /// # Errors
    /// Where a key is there twice and rows are to be added.
    pub(super) fn check_unique(&self, work: &Work<'_, '_>) -> Result<bool> {
        let known = known_unique(work)?;
        let adds = self.places.values().any(|new| !new.overwrite);
        let mut is_unique = true;
        for object in &work.objects {
            let place = work.place_of(object);
            let is_replaced = self.places.get(&place).is_some_and(|new| new.overwrite);
            if is_replaced || object.row_count == 0 || object.part.lsn <= known {
                continue;
            }
            if !adds {
                is_unique = false;
                continue;
            }
            let mut seen: HashSet<Box<[u8]>> = HashSet::new();
            self.visit_keys(
                work,
                object,
                None,
                &mut |key, _| match seen.insert(key.into()) {
                    true => Ok(()),
                    false => Err(duplicate(work.target)),
                },
            )?;
        }
        Ok(is_unique)
    }

    /// Visits the keys of an object with their segments; with `new` only those between its smallest and its largest key.
    fn visit_keys(
        &self,
        work: &Work<'_, '_>,
        object: &Object,
        new: Option<&NewRows>,
        visit: &mut dyn FnMut(&[u8], SegmentId) -> Result<()>,
    ) -> Result<()> {
        let columns = self.keys.columns(work.target);
        let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
        let condition = new.and_then(|new| self.range(new, &names[0]));
        let composed = Composed::new(0).ours(format!(
            "select {}, {SEGMENT_COLUMN} from {TOUCHED} where {}",
            names.join(", "),
            condition.as_deref().unwrap_or("true")
        ));
        let all: BTreeSet<SegmentId> = object.segments.iter().map(|segment| segment.id).collect();
        let mapping = (0..columns.len()).map(Some).collect();
        work.run(
            composed,
            vec![object.part.clone()],
            Some(all),
            &mut |rows| {
                let stored = stored_rows(&columns, &mapping, &rows, work.cx.zone)?;
                let keys = self.keys.rows(stored.columns())?;
                let segments = rows.column(columns.len()).as_primitive::<Int64Type>();
                for row in 0..rows.num_rows() {
                    visit(keys.row(row).data(), SegmentId(segments.value(row) as u64))?;
                }
                Ok(())
            },
        )
    }

    /// Where the first key column is a BIGINT, the condition that it lies among the new ones.
    fn range(&self, new: &NewRows, name: &str) -> Option<String> {
        let first = *self.keys.positions.first()?;
        let (mut low, mut high) = (i64::MAX, i64::MIN);
        for batch in &new.batches {
            let numbers = batch.column(first).as_primitive_opt::<Int64Type>()?;
            low = low.min(numbers.iter().flatten().min().unwrap_or(i64::MAX));
            high = high.max(numbers.iter().flatten().max().unwrap_or(i64::MIN));
        }
        Some(format!("{name} >= {low} and {name} <= {high}"))
    }

    /// Takes the segments of the new rows of a place; nothing is left of it then.
    pub(super) fn take(
        &mut self,
        place: &Place,
        batch: &mut Batch<'_>,
    ) -> Result<Option<Vec<NewSegment>>> {
        let Some(new) = self.places.remove(place) else {
            return Ok(None);
        };
        let mut writer = batch.segment_writer();
        self.write(&new, &mut writer)?;
        Ok(Some(batch.finish_segments(writer)?))
    }

    /// Puts the rows of all places into their objects, in the place of those of their keys.
    pub(super) fn apply(
        mut self,
        cx: &Context<'_>,
        batch: &mut Batch<'_>,
        edit: &mut TableEdit<'_>,
        target: &Target,
    ) -> Result<()> {
        let work = Work::new(cx, target)?;
        let is_unique = self.check_unique(&work)?;
        let touched = self.touched(&work)?;
        let columns = &target.schema.columns;
        let mapping = (0..columns.len()).map(Some).collect();
        for (object, own) in work.touched_objects(&touched) {
            let place = work.place_of(object);
            let mut writer = batch.segment_writer();
            let (parts, only) = (vec![object.part.clone()], Some(own.clone()));
            work.run(all_rows(target), parts, only, &mut |rows| {
                let stored = stored_rows(columns, &mapping, &rows, cx.zone)?;
                let kept = self.kept(&place, &stored)?;
                Ok(writer.write(filter_record_batch(&stored, &kept).map_err(failed)?)?)
            })?;
            let mut segments = batch.finish_segments(writer)?;
            segments.extend(self.take(&place, batch)?.unwrap_or_default());
            let change = Change {
                operation: Operation::Append,
                rows: own.iter().filter_map(|id| touched.get(id)).sum(),
            };
            work.replace(batch, edit, object, &own, segments, change)?;
        }
        for place in self.places() {
            let overwrite = self.places.get(&place).is_some_and(|new| new.overwrite);
            let segments = self.take(&place, batch)?.unwrap_or_default();
            let (content, operation) = match overwrite {
                true => (Content::Replaced(segments), Operation::Overwrite),
                false => (Content::Appended(segments), Operation::Append),
            };
            put(cx, batch, edit, place, content, operation)?;
        }
        if is_unique {
            note_unique(batch, edit);
        }
        Ok(())
    }
}

/// Whether all keys of a table are known to be unique, as they are then after a change that adds none.
pub(super) fn is_known_unique(work: &Work<'_, '_>) -> Result<bool> {
    if !work.target.table.has_key() {
        return Ok(false);
    }
    let known = known_unique(work)?;
    let mut objects = work.objects.iter();
    Ok(objects.all(|object| object.row_count == 0 || object.part.lsn <= known))
}

fn known_unique(work: &Work<'_, '_>) -> Result<Lsn> {
    let key = Key::UniqueKeys(work.target.id);
    let known = work.cx.store()?.get::<UniqueKeys>(&key)?;
    Ok(known.map_or(Lsn(0), |known| known.lsn))
}

/// Notes that keys are unique up to the last row of the table.
pub(super) fn note_unique(batch: &mut Batch<'_>, edit: &TableEdit<'_>) {
    let lsn = edit.table.last_lsn;
    batch.put(&Key::UniqueKeys(edit.id), &UniqueKeys { lsn });
}

fn all_rows(target: &Target) -> Composed {
    let names = target.schema.columns.iter();
    let names: Vec<String> = names.map(|column| quoted(&column.name)).collect();
    Composed::new(0).ours(format!("select {} from {TOUCHED}", names.join(", ")))
}

fn duplicate(target: &Target) -> Error {
    let name = target.qualified();
    Error::semantic(format!(
        "table {name} holds rows of one primary key more than once, it takes no rows"
    ))
    .hint(format!(
        "insert overwrite table {name} select * from {name}; keeps the last row of each key"
    ))
}
