//! Rows on their way into partitions that they name themselves. Manual page: "Dynamic partitions".

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use datafusion::arrow::compute::take_record_batch;

use crate::catalog::partition::check_value;
use crate::catalog::{Column, Schema};
use crate::engine::text::text;
use crate::error::{Error, Result};
use crate::store::{Batch, NewSegment, SegmentWriter};

/// Most partitions of one statement.
const PARTITIONS_MAX: usize = 10_000;
/// What all open files together may hold in memory.
const BUFFERED_MAX: usize = 512 << 20;

/// See the module.
pub(super) struct PartitionedWriter<'a> {
    columns: Vec<Column>,
    /// Values that are the same for all rows.
    fixed: Vec<Option<String>>,
    new_writer: Box<dyn Fn() -> SegmentWriter<'a> + 'a>,
    writers: BTreeMap<Vec<String>, SegmentWriter<'a>>,
}

impl<'a> PartitionedWriter<'a> {
    pub(super) fn new(schema: &Schema, fixed: &[Option<String>], batch: &Batch<'a>) -> Self {
        let store_writers = batch.writers();
        Self {
            columns: schema.partition_columns.clone(),
            fixed: fixed.to_vec(),
            new_writer: Box::new(store_writers),
            writers: BTreeMap::new(),
        }
    }

    /// The partition columns whose values are in the rows.
    pub(super) fn dynamic(&self) -> impl Iterator<Item = &Column> {
        let levels = self.columns.iter().zip(&self.fixed);
        let open = levels.filter(|(_, fixed)| fixed.is_none());
        open.map(|(column, _)| column)
    }

    /// Adds rows with their partition values, as they are stored, in the order of [`PartitionedWriter::dynamic`].
    pub(super) fn write(&mut self, stored: RecordBatch, dynamic: &[ArrayRef]) -> Result<()> {
        for (values, part) in split(&self.columns, &self.fixed, &stored, dynamic)? {
            if !self.writers.contains_key(&values) {
                if self.writers.len() >= PARTITIONS_MAX {
                    let detail =
                        format!("the statement makes more than {PARTITIONS_MAX} partitions");
                    return Err(Error::partition_value(detail));
                }
                self.writers.insert(values.clone(), (self.new_writer)());
            }
            if let Some(writer) = self.writers.get_mut(&values) {
                writer.write(part)?;
            }
        }
        self.bound_memory()
    }

    /// Ends the largest file where all of them hold too much.
    fn bound_memory(&mut self) -> Result<()> {
        let held: usize = self
            .writers
            .values()
            .map(SegmentWriter::buffered_bytes)
            .sum();
        if held > BUFFERED_MAX
            && let Some(largest) = self
                .writers
                .values_mut()
                .max_by_key(|writer| writer.buffered_bytes())
        {
            largest.flush()?;
        }
        Ok(())
    }

    /// The new segments of each partition that got rows.
    pub(super) fn finish(
        self,
        batch: &mut Batch<'_>,
    ) -> Result<Vec<(Vec<String>, Vec<NewSegment>)>> {
        self.writers
            .into_iter()
            .map(|(values, writer)| Ok((values, batch.finish_segments(writer)?)))
            .collect()
    }
}

/// Rows by the values of their partition: `fixed` ones, and for each column without one an array of `dynamic`.
///
/// # Errors
/// `0123031` for a value that cannot name a partition.
pub(super) fn split(
    columns: &[Column],
    fixed: &[Option<String>],
    stored: &RecordBatch,
    dynamic: &[ArrayRef],
) -> Result<Vec<(Vec<String>, RecordBatch)>> {
    let mut given = dynamic.iter();
    let mut levels = Vec::new();
    for (column, fixed) in columns.iter().zip(fixed) {
        levels.push(match fixed {
            Some(value) => Err(value.clone()),
            None => {
                let array = given.next();
                let missing = || Error::internal("a partition column has no values");
                Ok((column, array.ok_or_else(missing)?))
            }
        });
    }
    let mut groups: BTreeMap<Vec<String>, Vec<u32>> = BTreeMap::new();
    let mut last: Option<(Vec<String>, Vec<u32>)> = None;
    for row in 0..stored.num_rows() {
        let mut values = Vec::with_capacity(levels.len());
        for level in &levels {
            values.push(match level {
                Err(value) => value.clone(),
                Ok((column, array)) => match text(array, row) {
                    Some(value) if !array.is_null(row) => value,
                    _ => {
                        let detail = format!("invalid partition value NULL for {}", column.name);
                        return Err(Error::partition_value(detail));
                    }
                },
            });
        }
        match &mut last {
            Some((current, indices)) if *current == values => indices.push(row as u32),
            _ => {
                if let Some((before, indices)) = last.take() {
                    groups.entry(before).or_default().extend(indices);
                }
                last = Some((values, vec![row as u32]));
            }
        }
    }
    if let Some((values, indices)) = last {
        groups.entry(values).or_default().extend(indices);
    }
    let mut parts = Vec::new();
    for (values, indices) in groups {
        let named = columns.iter().zip(&values);
        for (column, value) in named {
            check_value(column, value)?;
        }
        let part = if indices.len() == stored.num_rows() {
            stored.clone()
        } else {
            take_record_batch(stored, &UInt32Array::from(indices))
                .map_err(|error| Error::internal(error.to_string()))?
        };
        parts.push((values, part));
    }
    Ok(parts)
}
