//! A table at a version, for the engine: standard scans over its segments.
//!
//! Inside, columns have their physical names (`c<id>`), so that old segments are read through today's
//! schema; outside stands a projection that gives them their names. Partitions are pruned by their
//! values before anything of them is read.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, new_null_array,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType as ArrowType, Field, FieldRef, Schema as ArrowSchema, SchemaRef,
};
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{DFSchema, DataFusionError, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::datasource::{ViewTable, provider_as_source};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    Expr, LogicalPlanBuilder, TableProviderFilterPushDown, TableType, cast as cast_expr, col,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::union::UnionExec;

use super::Options;
use super::types::{session_type, storage_schema, storage_type};
use crate::catalog::{Column, Schema};
use crate::datatype::DataType;
use crate::error::Error;
use crate::ids::{Lsn, SegmentId, TableId};
use crate::store::{Body, Bound, Key, SegmentRecord, Snapshot, Store, StoreError, physical_name};

/// The object store of a warehouse's data files inside the engine.
pub(super) const DATA_URL: &str = "warehouse://data";

/// The column that names the segment of a row, where it is asked for.
pub const SEGMENT_COLUMN: &str = "__segment";

/// What is read of one object of the table.
#[derive(Clone, Debug)]
pub struct Part {
    /// The values of the partition columns; empty for a table without partitions.
    pub values: Vec<String>,
    /// The history row whose content is read.
    pub lsn: Lsn,
}

/// A table whose rows can be read.
pub struct SnapshotTable {
    store: Arc<Store>,
    id: TableId,
    /// `project.table`, for messages.
    name: String,
    schema: Schema,
    parts: Vec<Part>,
    /// Adds a column with each row's segment, see [`SnapshotTable::marked`].
    is_marked: bool,
    /// Only these segments are read.
    only: Option<BTreeSet<SegmentId>>,
    /// Whether all partitions may be read without a word on them.
    allows_full_scan: bool,
    file_schema: SchemaRef,
    partition_fields: Vec<FieldRef>,
    table_schema: SchemaRef,
    /// What was read of the catalog: a second plan of the same statement sees the same, whatever moved since.
    resolved: Mutex<HashMap<Lsn, Arc<Segments>>>,
}

/// The segments of an object, with their records.
type Segments = Vec<(SegmentId, SegmentRecord)>;

impl std::fmt::Debug for SnapshotTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SnapshotTable({})", self.name)
    }
}

impl SnapshotTable {
    /// The rows of `parts` under `schema`.
    ///
    /// # Errors
    /// [`StoreError::CorruptRecord`] where a part has not one value per partition column.
    pub fn new(
        store: Arc<Store>,
        id: TableId,
        name: String,
        schema: Schema,
        parts: Vec<Part>,
    ) -> Result<Self, StoreError> {
        let levels = schema.partition_columns.len();
        if parts.iter().any(|part| part.values.len() != levels) {
            return Err(StoreError::CorruptRecord {
                key: format!("of table {name}"),
                reason: "its partitions have other levels than its schema".into(),
            });
        }
        let file_schema = storage_schema(&schema.columns);
        let partition_fields: Vec<FieldRef> =
            storage_schema(&schema.partition_columns).fields().to_vec();
        let all: Vec<FieldRef> = file_schema
            .fields()
            .iter()
            .chain(&partition_fields)
            .cloned()
            .collect();
        let table_schema = Arc::new(ArrowSchema::new(all));
        Ok(Self {
            store,
            id,
            name,
            schema,
            parts,
            is_marked: false,
            only: None,
            allows_full_scan: true,
            file_schema,
            partition_fields,
            table_schema,
            resolved: Mutex::default(),
        })
    }

    /// The table with a further column [`SEGMENT_COLUMN`], and with `only` some of its segments.
    pub fn marked(mut self, only: Option<BTreeSet<SegmentId>>) -> Self {
        let field = Arc::new(Field::new(SEGMENT_COLUMN, ArrowType::Int64, false));
        let mut fields = self.table_schema.fields().to_vec();
        fields.push(field);
        self.table_schema = Arc::new(ArrowSchema::new(fields));
        self.is_marked = true;
        self.only = only;
        self
    }

    /// The partition columns and the mark: what is the same for all rows of a file.
    fn constant_fields(&self) -> Vec<FieldRef> {
        let from = self.file_schema.fields().len();
        self.table_schema.fields()[from..].to_vec()
    }

    /// The table under its column names, instants in the session's zone.
    pub fn into_named(mut self, options: &Options) -> EngineResult<Arc<dyn TableProvider>> {
        self.allows_full_scan = options.allows_full_scan;
        let zone = options.zone.name();
        let columns: Vec<Expr> = self
            .schema
            .all_columns()
            .map(|column| {
                let stored = storage_type(&column.data_type);
                let seen = session_type(&column.data_type, zone);
                let physical = col(physical_name(column.id));
                let value = if stored == seen {
                    physical
                } else {
                    cast_expr(physical, seen)
                };
                value.alias(&column.name)
            })
            .collect();
        let mut columns = columns;
        if self.is_marked {
            columns.push(col(SEGMENT_COLUMN));
        }
        let source = provider_as_source(Arc::new(self));
        let plan = LogicalPlanBuilder::scan("segments", source, None)?
            .project(columns)?
            .build()?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }

    /// The partitions that may hold rows for `filters`.
    fn pruned(&self, state: &dyn Session, filters: &[Expr]) -> EngineResult<Vec<&Part>> {
        // A condition on partition columns may have become a constant on its way here.
        let is_constant = |filter: &Expr| !filter.is_volatile() && filter.column_refs().is_empty();
        let names_partition = filters
            .iter()
            .any(|filter| self.is_partition_filter(filter));
        let on_partition = filters
            .iter()
            .filter(|filter| is_constant(filter) || self.is_partition_filter(filter))
            .cloned();
        let predicate = conjunction(on_partition);
        let is_never = |predicate: &Expr| match predicate {
            Expr::Literal(value, _) => !matches!(value, ScalarValue::Boolean(Some(true))),
            _ => false,
        };
        if !names_partition
            && !self.allows_full_scan
            && !self.partition_fields.is_empty()
            && !predicate.as_ref().is_some_and(is_never)
        {
            let (project, table) = self.name.split_once('.').unwrap_or(("", &self.name));
            let detail = format!(
                "physical plan generation failed: java.lang.RuntimeException: Table({project},{table}) is full scan with all partitions, please specify partition predicates."
            );
            return Err(super::failure::external(Error::semantic(detail)));
        }
        let Some(predicate) = predicate else {
            return Ok(self.parts.iter().collect());
        };
        let columns = self
            .schema
            .partition_columns
            .iter()
            .enumerate()
            .map(|(level, column)| {
                let values = self
                    .parts
                    .iter()
                    .map(|part| partition_value(column, &part.values[level]));
                ScalarValue::iter_to_array(values.collect::<EngineResult<Vec<_>>>()?)
            });
        if self.parts.is_empty() {
            return Ok(Vec::new());
        }
        let schema = Arc::new(ArrowSchema::new(self.partition_fields.clone()));
        let options = RecordBatchOptions::new().with_row_count(Some(self.parts.len()));
        let batch = RecordBatch::try_new_with_options(
            Arc::clone(&schema),
            columns.collect::<EngineResult<_>>()?,
            &options,
        )?;
        let predicate = state.create_physical_expr(predicate, &DFSchema::try_from(schema)?)?;
        let kept = predicate.evaluate(&batch)?.into_array(self.parts.len())?;
        let kept = cast(&kept, &ArrowType::Boolean)?;
        let kept = kept.as_boolean();
        let is_kept = |position: usize| kept.is_valid(position) && kept.value(position);
        Ok(self
            .parts
            .iter()
            .enumerate()
            .filter(|(position, _)| is_kept(*position))
            .map(|(_, part)| part)
            .collect())
    }

    fn is_partition_filter(&self, filter: &Expr) -> bool {
        let is_partition = |name: &str| {
            self.partition_fields
                .iter()
                .any(|field| field.name() == name)
        };
        let columns = filter.column_refs();
        !filter.is_volatile()
            && !columns.is_empty()
            && columns.iter().all(|column| is_partition(&column.name))
    }

    fn snapshot(&self, part: &Part) -> Result<Snapshot, StoreError> {
        let key = Key::Version {
            table: self.id,
            lsn: part.lsn,
        };
        let version: crate::catalog::Version = self.store.require(&key)?;
        version.content.ok_or(StoreError::MissingRecord {
            key: format!("content of {key}"),
        })
    }

    /// The segments of an object that are read.
    fn segments(&self, part: &Part) -> Result<Arc<Segments>, StoreError> {
        let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = resolved.get(&part.lsn) {
            return Ok(Arc::clone(known));
        }
        let is_read = |id: &SegmentId| self.only.as_ref().is_none_or(|only| only.contains(id));
        let mut segments = Segments::new();
        for segment in self.snapshot(part)?.segments(&self.store)? {
            if is_read(&segment.id) {
                let record: SegmentRecord = self.store.require(&Key::Segment(segment.id))?;
                if record.row_count != segment.row_count {
                    return Err(StoreError::CorruptSegment {
                        id: segment.id,
                        owner: format!("table {}, LSN {}", self.name, part.lsn),
                        reason: "it does not have the rows its version says".into(),
                    });
                }
                segments.push((segment.id, record));
            }
        }
        let segments = Arc::new(segments);
        resolved.insert(part.lsn, Arc::clone(&segments));
        Ok(segments)
    }

    /// An inline segment as rows of this table.
    fn inline_rows(
        &self,
        id: SegmentId,
        record: &SegmentRecord,
        part: &Part,
    ) -> EngineResult<Option<RecordBatch>> {
        let Some(stored) = record.inline_batch(id).map_err(external)? else {
            return Ok(None);
        };
        let rows = stored.num_rows();
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.table_schema.fields().len());
        for field in self.file_schema.fields() {
            arrays.push(match stored.column_by_name(field.name()) {
                Some(array) if array.data_type() == field.data_type() => Arc::clone(array),
                Some(array) => cast(array, field.data_type())?,
                None => new_null_array(field.data_type(), rows),
            });
        }
        for (column, value) in self.schema.partition_columns.iter().zip(&part.values) {
            arrays.push(partition_value(column, value)?.to_array_of_size(rows)?);
        }
        if self.is_marked {
            arrays.push(ScalarValue::from(id.0 as i64).to_array_of_size(rows)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(Some(RecordBatch::try_new_with_options(
            Arc::clone(&self.table_schema),
            arrays,
            &options,
        )?))
    }

    /// A Parquet segment as a file to scan.
    fn file(
        &self,
        id: SegmentId,
        record: &SegmentRecord,
        part: &Part,
    ) -> EngineResult<Option<PartitionedFile>> {
        let owner = format!("table {}, LSN {}", self.name, part.lsn);
        let Some(path) = self.store.expose_file(id, record, &owner) else {
            return Ok(None);
        };
        let columns = self.schema.partition_columns.iter().zip(&part.values);
        let values = columns
            .map(|(column, value)| partition_value(column, value))
            .collect::<EngineResult<Vec<_>>>()?;
        let mark = self.is_marked.then(|| ScalarValue::from(id.0 as i64));
        let values = values.into_iter().chain(mark).collect();
        let file = PartitionedFile::new(path, record.size_bytes).with_partition_values(values);
        Ok(Some(
            file.with_statistics(Arc::new(self.statistics(record))),
        ))
    }

    fn statistics(&self, record: &SegmentRecord) -> Statistics {
        let mut statistics = Statistics::new_unknown(&self.file_schema);
        statistics.num_rows = Precision::Exact(record.row_count as usize);
        let Body::Parquet { columns, .. } = &record.body else {
            return statistics;
        };
        for (column, known) in self
            .schema
            .columns
            .iter()
            .zip(&mut statistics.column_statistics)
        {
            let Some(found) = columns.iter().find(|found| found.column == column.id) else {
                continue;
            };
            if let Some(count) = found.null_count {
                known.null_count = Precision::Exact(count as usize);
            }
            let scalar = |bound: &Option<Bound>| {
                let value = bound
                    .as_ref()
                    .and_then(|bound| bound_value(&column.data_type, bound));
                value.map_or(Precision::Absent, Precision::Exact)
            };
            (known.min_value, known.max_value) = (scalar(&found.min), scalar(&found.max));
        }
        statistics
    }

    fn scan_files(
        &self,
        files: Vec<PartitionedFile>,
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let schema = TableSchema::builder(Arc::clone(&self.file_schema))
            .with_table_partition_cols(self.constant_fields())
            .build();
        let mut statistics = Statistics::new_unknown(&self.table_schema);
        let rows = files
            .iter()
            .filter_map(|file| file.statistics.as_ref()?.num_rows.get_value().copied());
        statistics.num_rows = Precision::Exact(rows.sum());
        if let [only] = files.as_slice()
            && let Some(known) = &only.statistics
        {
            statistics = known.as_ref().clone();
        }
        let url = ObjectStoreUrl::parse(DATA_URL)?;
        let config = FileScanConfigBuilder::new(url, Arc::new(ParquetSource::new(schema)))
            .with_file_group(files.into())
            .with_statistics(statistics)
            .with_limit(limit)
            .with_projection_indices(projection.cloned())?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.table_schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> EngineResult<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| {
            if self.is_partition_filter(filter) {
                TableProviderFilterPushDown::Exact
            } else {
                TableProviderFilterPushDown::Inexact
            }
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let (mut batches, mut files) = (Vec::new(), Vec::new());
        for part in self.pruned(state, filters)? {
            for (id, record) in self.segments(part).map_err(external)?.iter() {
                if let Some(file) = self.file(*id, record, part)? {
                    files.push(file);
                } else if let Some(rows) = self.inline_rows(*id, record, part)? {
                    batches.push(rows);
                }
            }
        }
        let memory = |batches: Vec<RecordBatch>| -> EngineResult<Arc<dyn ExecutionPlan>> {
            let schema = Arc::clone(&self.table_schema);
            Ok(MemorySourceConfig::try_new_exec(
                &[batches],
                schema,
                projection.cloned(),
            )?)
        };
        match (files.is_empty(), batches.is_empty()) {
            (true, true) => {
                let schema = match projection {
                    Some(columns) => Arc::new(self.table_schema.project(columns)?),
                    None => Arc::clone(&self.table_schema),
                };
                Ok(Arc::new(EmptyExec::new(schema)))
            }
            (true, false) => memory(batches),
            (false, true) => self.scan_files(files, projection, limit),
            (false, false) => UnionExec::try_new(vec![
                self.scan_files(files, projection, limit)?,
                memory(batches)?,
            ]),
        }
    }
}

fn external(error: StoreError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// The value of a partition column.
fn partition_value(column: &Column, text: &str) -> EngineResult<ScalarValue> {
    ScalarValue::Utf8(Some(text.to_owned())).cast_to(&storage_type(&column.data_type))
}

/// A bound of a segment as a value of the column's type; `None` where they do not belong together.
fn bound_value(data_type: &DataType, bound: &Bound) -> Option<ScalarValue> {
    Some(match (data_type, bound) {
        (DataType::Boolean, Bound::Boolean(value)) => ScalarValue::Boolean(Some(*value)),
        (DataType::TinyInt, Bound::Integer(value)) => {
            ScalarValue::Int8(Some(i8::try_from(*value).ok()?))
        }
        (DataType::SmallInt, Bound::Integer(value)) => {
            ScalarValue::Int16(Some(i16::try_from(*value).ok()?))
        }
        (DataType::Int, Bound::Integer(value)) => {
            ScalarValue::Int32(Some(i32::try_from(*value).ok()?))
        }
        (DataType::BigInt, Bound::Integer(value)) => ScalarValue::Int64(Some(*value)),
        (DataType::Date, Bound::Integer(value)) => {
            ScalarValue::Date32(Some(i32::try_from(*value).ok()?))
        }
        (DataType::Datetime, Bound::Integer(value)) => {
            ScalarValue::TimestampMillisecond(Some(*value), Some("UTC".into()))
        }
        (DataType::Timestamp, Bound::Integer(value)) => {
            ScalarValue::TimestampNanosecond(Some(*value), Some("UTC".into()))
        }
        (DataType::Decimal(precision, scale), Bound::Integer(value)) => {
            ScalarValue::Decimal128(Some(i128::from(*value)), *precision, *scale as i8)
        }
        (DataType::String | DataType::Varchar(_) | DataType::Char(_), Bound::Text(value)) => {
            ScalarValue::Utf8View(Some(value.clone()))
        }
        _ => return None,
    })
}
