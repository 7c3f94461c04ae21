//! Segments: immutable batches of rows. The only file that names parquet.
//!
//! Columns are stored under physical names, `c<column id>`, so that a renamed column costs nothing and
//! an old segment is read through today's schema. Small segments live inside their record; larger
//! ones are Parquet files with a checksum per block of [`BLOCK_BYTES`], checked at every read.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, ListArray, MapArray,
    RecordBatch, RecordBatchOptions, StringViewArray, StructArray, TimestampMillisecondArray,
    TimestampNanosecondArray, UInt32Array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Fields, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMillisecondType,
    TimestampNanosecondType,
};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::parquet::file::properties::WriterProperties;
use datafusion::parquet::file::statistics::Statistics;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::Store;
use super::codec::{Record, bincode_config};
use super::error::StoreError;
use crate::datatype::bounded;
use crate::ids::SegmentId;

/// Rows up to this many bytes stay inside the metadata.
const INLINE_MAX: usize = 64 << 10;
/// No inline segment is larger, as it is encoded.
const INLINE_BYTES_MAX: usize = 1 << 20;
/// No segment has more rows.
const ROWS_MAX: u64 = 1 << 50;
/// A Parquet file is closed when it has grown to this size.
const FILE_BYTES: usize = 128 << 20;
const ROW_GROUP_ROWS: usize = 1 << 20;
/// Parquet files carry one checksum per block of this size.
pub(crate) const BLOCK_BYTES: u64 = 64 << 10;

/// A segment as it is recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentRecord {
    pub row_count: u64,
    pub size_bytes: u64,
    pub body: Body,
}

impl Record for SegmentRecord {
    const KIND: u8 = 0x60;
    const VERSION: u16 = 1;

    fn flaw(&self, _: &[u8]) -> Option<&'static str> {
        let is_possible = match &self.body {
            Body::Inline(bytes) => bytes.len() <= INLINE_BYTES_MAX,
            Body::Parquet {
                block_checksums, ..
            } => block_checksums.len() as u64 == self.size_bytes.div_ceil(BLOCK_BYTES),
        };
        match is_possible && self.row_count <= ROWS_MAX {
            true => None,
            false => Some("its size cannot be"),
        }
    }
}

/// Where the rows of a segment are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Body {
    /// In the record: bincode of [`InlineRows`].
    Inline(ByteBuf),
    /// In `data/<segment id>.parquet`.
    Parquet {
        /// CRC-32C of each block of the file.
        block_checksums: Vec<u32>,
        columns: Vec<ColumnStatistics>,
    },
}

/// What is known of one column of a Parquet segment without opening it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnStatistics {
    pub column: u32,
    pub null_count: Option<u64>,
    pub min: Option<Bound>,
    pub max: Option<Bound>,
}

/// An exact smallest or largest value, in the column's physical type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Bound {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

/// A segment as a snapshot names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentRef {
    pub id: SegmentId,
    pub row_count: u64,
    pub size_bytes: u64,
    /// False for a Parquet file.
    pub inline: bool,
}

/// A segment that is about to be committed.
#[derive(Debug)]
pub struct NewSegment {
    pub reference: SegmentRef,
    pub record: SegmentRecord,
}

impl SegmentRecord {
    /// The rows, where they are inline.
    pub(crate) fn inline_rows(&self, id: SegmentId) -> Result<Option<InlineRows>, StoreError> {
        let Body::Inline(bytes) = &self.body else {
            return Ok(None);
        };
        let decoded = bincode::serde::decode_from_slice::<InlineRows, _>(bytes, bincode_config());
        let failed = |reason: String| StoreError::Segment {
            action: "decode",
            id,
            reason,
        };
        let (rows, _) = decoded.map_err(|error| failed(error.to_string()))?;
        if rows.row_count != self.row_count || (rows.columns.is_empty() && rows.row_count > 0) {
            return Err(failed("it does not have the rows it says".into()));
        }
        Ok(Some(rows))
    }

    /// The rows of an inline segment as one batch; `None` for a Parquet segment.
    pub fn inline_batch(&self, id: SegmentId) -> Result<Option<RecordBatch>, StoreError> {
        let Some(rows) = self.inline_rows(id)? else {
            return Ok(None);
        };
        rows.into_batch()
            .map(Some)
            .map_err(|reason| StoreError::Segment {
                action: "decode",
                id,
                reason,
            })
    }
}

/// The name of a column inside a segment.
pub fn physical_name(column: u32) -> String {
    format!("c{column}")
}

fn column_id(physical_name: &str) -> u32 {
    physical_name
        .strip_prefix('c')
        .and_then(|id| id.parse().ok())
        .expect("segments name columns c<id>")
}

pub(crate) fn file_name(id: SegmentId) -> String {
    format!("{id}.parquet")
}

pub(crate) fn id_of_file(name: &str) -> Option<SegmentId> {
    u64::from_str_radix(name.strip_suffix(".parquet")?, 16)
        .ok()
        .map(SegmentId)
}

/// Rows as they are stored inside a record, column by column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct InlineRows {
    row_count: u64,
    columns: Vec<InlineColumn>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct InlineColumn {
    id: u32,
    values: InlineValues,
}

/// Variants are only ever appended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum InlineValues {
    Boolean(Vec<Option<bool>>),
    Int8(Vec<Option<i8>>),
    Int16(Vec<Option<i16>>),
    Int32(Vec<Option<i32>>),
    Int64(Vec<Option<i64>>),
    Float32(Vec<Option<f32>>),
    Float64(Vec<Option<f64>>),
    Decimal(u8, i8, Vec<Option<i128>>),
    Text(Vec<Option<String>>),
    Binary(Vec<Option<ByteBuf>>),
    Date(Vec<Option<i32>>),
    Millis(Vec<Option<i64>>),
    Nanos(Vec<Option<i64>>),
    /// Nanoseconds of a local time.
    LocalNanos(Vec<Option<i64>>),
    /// The length of each list, and all items.
    List(
        Vec<Option<u32>>,
        #[serde(deserialize_with = "bounded")] Box<InlineValues>,
    ),
    /// The length of each map, all keys and all values.
    Map(
        Vec<Option<u32>>,
        #[serde(deserialize_with = "bounded")] Box<InlineValues>,
        #[serde(deserialize_with = "bounded")] Box<InlineValues>,
    ),
    /// Which rows are there, and the fields by name.
    Struct(
        Vec<bool>,
        #[serde(deserialize_with = "bounded")] Vec<(String, InlineValues)>,
    ),
}

impl InlineRows {
    pub(crate) fn from_batch(batch: &RecordBatch) -> Result<Self, String> {
        let fields = batch.schema_ref().fields();
        let columns = fields.iter().zip(batch.columns()).map(|(field, array)| {
            Ok(InlineColumn {
                id: column_id(field.name()),
                values: InlineValues::from_array(array)?,
            })
        });
        Ok(Self {
            row_count: batch.num_rows() as u64,
            columns: columns.collect::<Result<_, String>>()?,
        })
    }

    pub(crate) fn into_batch(self) -> Result<RecordBatch, String> {
        let mut fields = Vec::with_capacity(self.columns.len());
        let mut arrays = Vec::with_capacity(self.columns.len());
        for column in self.columns {
            let array = column.values.into_array()?;
            fields.push(Field::new(
                physical_name(column.id),
                array.data_type().clone(),
                true,
            ));
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.row_count as usize));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .map_err(|error| error.to_string())
    }

    /// Adds the rows of `other`; false, and nothing added, where the columns differ.
    pub(crate) fn append(&mut self, other: InlineRows) -> bool {
        let same = self.columns.len() == other.columns.len()
            && self
                .columns
                .iter()
                .zip(&other.columns)
                .all(|(a, b)| a.id == b.id && a.values.same_type(&b.values));
        if !same {
            return false;
        }
        self.row_count += other.row_count;
        for (column, more) in self.columns.iter_mut().zip(other.columns) {
            column.values.append(more.values);
        }
        true
    }
}

macro_rules! collect {
    ($array:expr, $type:ty) => {
        $array.as_primitive::<$type>().iter().collect()
    };
}

impl InlineValues {
    fn from_array(array: &ArrayRef) -> Result<Self, String> {
        Ok(match array.data_type() {
            DataType::Boolean => Self::Boolean(array.as_boolean().iter().collect()),
            DataType::Int8 => Self::Int8(collect!(array, Int8Type)),
            DataType::Int16 => Self::Int16(collect!(array, Int16Type)),
            DataType::Int32 => Self::Int32(collect!(array, Int32Type)),
            DataType::Int64 => Self::Int64(collect!(array, Int64Type)),
            DataType::Float32 => Self::Float32(collect!(array, Float32Type)),
            DataType::Float64 => Self::Float64(collect!(array, Float64Type)),
            DataType::Decimal128(precision, scale) => {
                Self::Decimal(*precision, *scale, collect!(array, Decimal128Type))
            }
            DataType::Utf8View => Self::Text(
                array
                    .as_string_view()
                    .iter()
                    .map(|v| v.map(str::to_owned))
                    .collect(),
            ),
            DataType::BinaryView => Self::Binary(
                array
                    .as_binary_view()
                    .iter()
                    .map(|v| v.map(|b| ByteBuf::from(b.to_vec())))
                    .collect(),
            ),
            DataType::Date32 => Self::Date(collect!(array, Date32Type)),
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                Self::Millis(collect!(array, TimestampMillisecondType))
            }
            DataType::Timestamp(TimeUnit::Nanosecond, None) => {
                Self::LocalNanos(collect!(array, TimestampNanosecondType))
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let (lengths, items) = items_of(list.offsets(), list.nulls(), list.values())?;
                Self::List(lengths, Box::new(items))
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let (lengths, keys) = items_of(map.offsets(), map.nulls(), map.keys())?;
                let (_, values) = items_of(map.offsets(), map.nulls(), map.values())?;
                Self::Map(lengths, Box::new(keys), Box::new(values))
            }
            DataType::Struct(fields) => {
                let rows = array.as_struct();
                let named = fields
                    .iter()
                    .zip(rows.columns())
                    .map(|(field, column)| Ok((field.name().clone(), Self::from_array(column)?)));
                let valid = (0..rows.len()).map(|row| rows.is_valid(row)).collect();
                Self::Struct(valid, named.collect::<Result<_, String>>()?)
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                Self::Nanos(collect!(array, TimestampNanosecondType))
            }
            other => return Err(format!("no storage for {other}")),
        })
    }

    fn into_array(self) -> Result<ArrayRef, String> {
        Ok(match self {
            Self::Boolean(values) => Arc::new(BooleanArray::from(values)),
            Self::Int8(values) => Arc::new(Int8Array::from(values)),
            Self::Int16(values) => Arc::new(Int16Array::from(values)),
            Self::Int32(values) => Arc::new(Int32Array::from(values)),
            Self::Int64(values) => Arc::new(Int64Array::from(values)),
            Self::Float32(values) => Arc::new(Float32Array::from(values)),
            Self::Float64(values) => Arc::new(Float64Array::from(values)),
            Self::Decimal(precision, scale, values) => Arc::new(
                Decimal128Array::from(values)
                    .with_precision_and_scale(precision, scale)
                    .map_err(|error| error.to_string())?,
            ),
            Self::Text(values) => Arc::new(values.into_iter().collect::<StringViewArray>()),
            Self::Binary(values) => Arc::new(
                values
                    .into_iter()
                    .map(|v| v.map(ByteBuf::into_vec))
                    .collect::<BinaryViewArray>(),
            ),
            Self::Date(values) => Arc::new(Date32Array::from(values)),
            Self::Millis(values) => {
                Arc::new(TimestampMillisecondArray::from(values).with_timezone("UTC"))
            }
            Self::Nanos(values) => {
                Arc::new(TimestampNanosecondArray::from(values).with_timezone("UTC"))
            }
            Self::LocalNanos(values) => Arc::new(TimestampNanosecondArray::from(values)),
            Self::List(lengths, items) => {
                let items = items.into_array()?;
                let (offsets, nulls) = layout(&lengths, items.len())?;
                let field = Arc::new(Field::new("item", items.data_type().clone(), true));
                Arc::new(ListArray::try_new(field, offsets, items, nulls).map_err(text_of)?)
            }
            Self::Map(lengths, keys, values) => {
                let (keys, values) = (keys.into_array()?, values.into_array()?);
                let (offsets, nulls) = layout(&lengths, keys.len())?;
                let fields = Fields::from(vec![
                    Field::new("key", keys.data_type().clone(), false),
                    Field::new("value", values.data_type().clone(), true),
                ]);
                let entries = StructArray::try_new(fields.clone(), vec![keys, values], None)
                    .map_err(text_of)?;
                let field = Arc::new(Field::new("entries", DataType::Struct(fields), false));
                let map = MapArray::try_new(field, offsets, entries, nulls, false);
                Arc::new(map.map_err(text_of)?)
            }
            Self::Struct(valid, fields) => {
                let (mut named, mut columns) = (Vec::new(), Vec::new());
                for (name, values) in fields {
                    let column = values.into_array()?;
                    named.push(Field::new(name, column.data_type().clone(), true));
                    columns.push(column);
                }
                let nulls = Some(NullBuffer::from(valid)).filter(|nulls| nulls.null_count() > 0);
                Arc::new(StructArray::try_new(named.into(), columns, nulls).map_err(text_of)?)
            }
        })
    }

    fn same_type(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Decimal(p, s, _), Self::Decimal(q, t, _)) => p == q && s == t,
            (Self::List(_, a), Self::List(_, b)) => a.same_type(b),
            (Self::Map(_, k, v), Self::Map(_, l, w)) => k.same_type(l) && v.same_type(w),
            (Self::Struct(_, a), Self::Struct(_, b)) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b)
                        .all(|((m, a), (n, b))| m == n && a.same_type(b))
            }
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }

    fn append(&mut self, other: Self) {
        match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => a.extend(b),
            (Self::Int8(a), Self::Int8(b)) => a.extend(b),
            (Self::Int16(a), Self::Int16(b)) => a.extend(b),
            (Self::Int32(a), Self::Int32(b)) | (Self::Date(a), Self::Date(b)) => a.extend(b),
            (Self::Int64(a), Self::Int64(b))
            | (Self::Millis(a), Self::Millis(b))
            | (Self::Nanos(a), Self::Nanos(b))
            | (Self::LocalNanos(a), Self::LocalNanos(b)) => a.extend(b),
            (Self::List(a, items), Self::List(b, more)) => {
                a.extend(b);
                items.append(*more);
            }
            (Self::Map(a, keys, values), Self::Map(b, more_keys, more_values)) => {
                a.extend(b);
                keys.append(*more_keys);
                values.append(*more_values);
            }
            (Self::Struct(a, fields), Self::Struct(b, more)) => {
                a.extend(b);
                for ((_, values), (_, more)) in fields.iter_mut().zip(more) {
                    values.append(more);
                }
            }
            (Self::Float32(a), Self::Float32(b)) => a.extend(b),
            (Self::Float64(a), Self::Float64(b)) => a.extend(b),
            (Self::Decimal(_, _, a), Self::Decimal(_, _, b)) => a.extend(b),
            (Self::Text(a), Self::Text(b)) => a.extend(b),
            (Self::Binary(a), Self::Binary(b)) => a.extend(b),
            _ => unreachable!("the caller compared the types"),
        }
    }
}

fn text_of(error: datafusion::arrow::error::ArrowError) -> String {
    error.to_string()
}

/// The length of each list, and the items of all of them without what lies between.
fn items_of(
    offsets: &OffsetBuffer<i32>,
    nulls: Option<&NullBuffer>,
    values: &ArrayRef,
) -> Result<(Vec<Option<u32>>, InlineValues), String> {
    let is_valid = |row: usize| nulls.is_none_or(|nulls| nulls.is_valid(row));
    let mut lengths = Vec::with_capacity(offsets.len() - 1);
    let mut kept: Vec<u32> = Vec::new();
    for row in 0..offsets.len() - 1 {
        let range = offsets[row] as u32..offsets[row + 1] as u32;
        if is_valid(row) {
            lengths.push(Some(range.len() as u32));
            kept.extend(range);
        } else {
            lengths.push(None);
        }
    }
    let items = take(values, &UInt32Array::from(kept), None).map_err(text_of)?;
    Ok((lengths, InlineValues::from_array(&items)?))
}

/// Where each list begins and ends, and which are there. The lengths have to add up to `items`.
fn layout(
    lengths: &[Option<u32>],
    items: usize,
) -> Result<(OffsetBuffer<i32>, Option<NullBuffer>), String> {
    let total: u64 = lengths
        .iter()
        .flatten()
        .map(|length| u64::from(*length))
        .sum();
    if total != items as u64 || i32::try_from(total).is_err() {
        return Err(format!("lists of {total} items, {items} are there"));
    }
    let offsets =
        OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or(0) as usize));
    let nulls = lengths.iter().any(Option::is_none).then(|| {
        let valid: Vec<bool> = lengths.iter().map(Option::is_some).collect();
        NullBuffer::from(valid)
    });
    Ok((offsets, nulls))
}

/// Writes rows as segments: inline while they are few, Parquet beyond.
pub struct SegmentWriter<'a> {
    store: &'a Store,
    held: Vec<RecordBatch>,
    held_bytes: usize,
    file: Option<(ArrowWriter<Vec<u8>>, u64)>,
    finished: Vec<NewSegment>,
    /// Files that have to go if this writing comes to nothing.
    files: Vec<SegmentId>,
}

impl<'a> SegmentWriter<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self {
            store,
            held: Vec::new(),
            held_bytes: 0,
            file: None,
            finished: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Adds rows. `batch` has physical column names and storage types.
    pub fn write(&mut self, batch: RecordBatch) -> Result<(), StoreError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        if self.file.is_none() {
            self.held_bytes += payload_bytes(&batch);
            self.held.push(batch);
            if self.held_bytes > INLINE_MAX {
                self.held_bytes = 0;
                for held in std::mem::take(&mut self.held) {
                    self.write_file(&held)?;
                }
            }
            return Ok(());
        }
        self.write_file(&batch)
    }

    /// About how many bytes the rows take that are not in a file yet.
    pub fn buffered_bytes(&self) -> usize {
        let in_file = self.file.as_ref().map_or(0, |(writer, _)| {
            writer.memory_size() + writer.bytes_written()
        });
        self.held_bytes + in_file
    }

    /// Ends the file that is being written, so that its memory is free.
    pub fn flush(&mut self) -> Result<(), StoreError> {
        self.close_file()
    }

    /// The segments of all rows, and the files among them.
    pub(crate) fn finish(mut self) -> Result<(Vec<NewSegment>, Vec<SegmentId>), StoreError> {
        self.close_file()?;
        if !self.held.is_empty() {
            let mut rows: Option<InlineRows> = None;
            for batch in std::mem::take(&mut self.held) {
                let id = SegmentId(0);
                let more =
                    InlineRows::from_batch(&batch).map_err(|reason| StoreError::Segment {
                        action: "encode",
                        id,
                        reason,
                    })?;
                match &mut rows {
                    None => rows = Some(more),
                    Some(rows) => assert!(
                        rows.append(more),
                        "all batches of one statement have one schema"
                    ),
                }
            }
            let rows = rows.expect("at least one batch was held");
            self.finished.push(self.store.inline_segment(rows));
        }
        if !self.files.is_empty() {
            self.store.sync_data_dir()?;
        }
        Ok((
            std::mem::take(&mut self.finished),
            std::mem::take(&mut self.files),
        ))
    }

    fn write_file(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        let failed = |id| {
            move |error: datafusion::parquet::errors::ParquetError| StoreError::Segment {
                action: "encode",
                id,
                reason: error.to_string(),
            }
        };
        if self.file.is_none() {
            let writer = parquet_writer(batch.schema()).map_err(failed(SegmentId(0)))?;
            self.file = Some((writer, 0));
        }
        let (writer, rows) = self.file.as_mut().expect("it was opened above");
        writer.write(batch).map_err(failed(SegmentId(0)))?;
        *rows += batch.num_rows() as u64;
        if writer.bytes_written() + writer.in_progress_size() >= FILE_BYTES {
            self.close_file()?;
        }
        Ok(())
    }

    fn close_file(&mut self) -> Result<(), StoreError> {
        let Some((mut writer, row_count)) = self.file.take() else {
            return Ok(());
        };
        let id = self.store.next_segment();
        let failed = |error: datafusion::parquet::errors::ParquetError| StoreError::Segment {
            action: "encode",
            id,
            reason: error.to_string(),
        };
        let metadata = writer.finish().map_err(failed)?;
        let bytes = std::mem::take(writer.inner_mut());
        self.files.push(id);
        let segment = self
            .store
            .put_file(id, bytes, row_count, column_statistics(&metadata))?;
        self.finished.push(segment);
        Ok(())
    }
}

impl Drop for SegmentWriter<'_> {
    fn drop(&mut self) {
        self.store.discard_files(&self.files);
    }
}

fn parquet_writer(
    schema: SchemaRef,
) -> Result<ArrowWriter<Vec<u8>>, datafusion::parquet::errors::ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::LZ4_RAW)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by("odpsh".to_owned())
        .build();
    ArrowWriter::try_new(Vec::new(), schema, Some(properties))
}

/// About how many bytes the rows themselves take.
fn payload_bytes(batch: &RecordBatch) -> usize {
    let rows = batch.num_rows();
    let column = |array: &ArrayRef| match array.data_type() {
        DataType::Utf8View => array
            .as_string_view()
            .iter()
            .flatten()
            .map(|v| v.len() + 2)
            .sum(),
        DataType::BinaryView => array
            .as_binary_view()
            .iter()
            .flatten()
            .map(|v| v.len() + 2)
            .sum(),
        DataType::List(_) | DataType::Map(..) | DataType::Struct(_) => {
            array.get_buffer_memory_size()
        }
        other => rows * (other.primitive_width().unwrap_or(1) + 1),
    };
    rows + batch.columns().iter().map(column).sum::<usize>()
}

/// Smallest and largest values over the row groups of a file, where they are exact.
fn column_statistics(metadata: &ParquetMetaData) -> Vec<ColumnStatistics> {
    let columns = metadata.file_metadata().schema_descr().columns();
    let of_column = |(number, column): (
        usize,
        &Arc<datafusion::parquet::schema::types::ColumnDescriptor>,
    )| {
        let mut known = ColumnStatistics {
            column: column_id(column.name()),
            null_count: Some(0),
            min: None,
            max: None,
        };
        for (position, group) in metadata.row_groups().iter().enumerate() {
            let Some(statistics) = group.column(number).statistics() else {
                return ColumnStatistics {
                    null_count: None,
                    min: None,
                    max: None,
                    ..known
                };
            };
            known.null_count = known
                .null_count
                .zip(statistics.null_count_opt())
                .map(|(a, b)| a + b);
            let (min, max) = bounds(statistics);
            if position == 0 {
                (known.min, known.max) = (min, max);
            } else {
                known.min = known
                    .min
                    .zip(min)
                    .map(|(a, b)| if b.is_below(&a) { b } else { a });
                known.max = known
                    .max
                    .zip(max)
                    .map(|(a, b)| if a.is_below(&b) { b } else { a });
            }
        }
        known
    };
    // Of a nested column only the leaves have statistics, which say nothing of the column.
    let plain = columns.iter().enumerate();
    let plain = plain.filter(|(_, column)| column.path().parts().len() == 1);
    plain.map(of_column).collect()
}

const TEXT_BOUND_MAX: usize = 64;

fn bounds(statistics: &Statistics) -> (Option<Bound>, Option<Bound>) {
    let exact = statistics.min_is_exact() && statistics.max_is_exact();
    let text = |bytes: Option<&[u8]>| {
        let short = bytes.filter(|bytes| exact && bytes.len() <= TEXT_BOUND_MAX)?;
        std::str::from_utf8(short)
            .ok()
            .map(|text| Bound::Text(text.to_owned()))
    };
    let float = |value: f64| (!value.is_nan()).then_some(Bound::Float(value));
    match statistics {
        Statistics::Boolean(s) => (
            s.min_opt().map(|v| Bound::Boolean(*v)),
            s.max_opt().map(|v| Bound::Boolean(*v)),
        ),
        Statistics::Int32(s) => (
            s.min_opt().map(|v| Bound::Integer(i64::from(*v))),
            s.max_opt().map(|v| Bound::Integer(i64::from(*v))),
        ),
        Statistics::Int64(s) => (
            s.min_opt().map(|v| Bound::Integer(*v)),
            s.max_opt().map(|v| Bound::Integer(*v)),
        ),
        Statistics::Float(s) => (
            s.min_opt().and_then(|v| float(f64::from(*v))),
            s.max_opt().and_then(|v| float(f64::from(*v))),
        ),
        Statistics::Double(s) => (
            s.min_opt().and_then(|v| float(*v)),
            s.max_opt().and_then(|v| float(*v)),
        ),
        Statistics::ByteArray(_) => (
            text(statistics.min_bytes_opt()),
            text(statistics.max_bytes_opt()),
        ),
        Statistics::Int96(_) | Statistics::FixedLenByteArray(_) => (None, None),
    }
}

impl Bound {
    fn is_below(&self, other: &Bound) -> bool {
        match (self, other) {
            (Bound::Boolean(a), Bound::Boolean(b)) => a < b,
            (Bound::Integer(a), Bound::Integer(b)) => a < b,
            (Bound::Float(a), Bound::Float(b)) => a < b,
            (Bound::Text(a), Bound::Text(b)) => a < b,
            _ => unreachable!("one column has one type"),
        }
    }
}

/// The number of rows and their bytes inside a record.
pub(crate) fn encode_inline(rows: &InlineRows) -> (u64, Vec<u8>) {
    let bytes = bincode::serde::encode_to_vec(rows, bincode_config());
    (
        rows.row_count,
        bytes.expect("writing a plain struct into memory does not fail"),
    )
}
