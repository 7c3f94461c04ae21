//! Column types as Arrow types.

use std::sync::Arc;

use datafusion::arrow::datatypes::{
    DataType as ArrowType, Field, Schema as ArrowSchema, SchemaRef, TimeUnit,
};

use crate::catalog::Column;
use crate::datatype::DataType;
use crate::store::physical_name;

/// The Arrow type a column is stored as. Instants are stored in UTC.
pub fn storage_type(data_type: &DataType) -> ArrowType {
    match data_type {
        DataType::TinyInt => ArrowType::Int8,
        DataType::SmallInt => ArrowType::Int16,
        DataType::Int => ArrowType::Int32,
        DataType::BigInt => ArrowType::Int64,
        DataType::Float => ArrowType::Float32,
        DataType::Double => ArrowType::Float64,
        DataType::Decimal(precision, scale) => ArrowType::Decimal128(*precision, *scale as i8),
        DataType::String | DataType::Varchar(_) | DataType::Char(_) => ArrowType::Utf8View,
        DataType::Boolean => ArrowType::Boolean,
        DataType::Date => ArrowType::Date32,
        DataType::Datetime => ArrowType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        DataType::Timestamp => ArrowType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        DataType::Binary => ArrowType::BinaryView,
    }
}

/// The Arrow type a query sees: instants in the session's zone.
pub fn session_type(data_type: &DataType, zone: &str) -> ArrowType {
    match storage_type(data_type) {
        ArrowType::Timestamp(unit, Some(_)) => ArrowType::Timestamp(unit, Some(zone.into())),
        other => other,
    }
}

/// The schema of stored rows: physical names, storage types.
pub fn storage_schema(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| {
        Field::new(
            physical_name(column.id),
            storage_type(&column.data_type),
            true,
        )
    };
    Arc::new(ArrowSchema::new(
        columns.iter().map(field).collect::<Vec<_>>(),
    ))
}

/// The type's name in messages: `BIGINT`, `DECIMAL(10,2)`.
pub fn arrow_type_name(data_type: &ArrowType) -> String {
    match data_type {
        ArrowType::Null => "VOID".into(),
        ArrowType::Boolean => "BOOLEAN".into(),
        ArrowType::Int8 => "TINYINT".into(),
        ArrowType::Int16 => "SMALLINT".into(),
        ArrowType::Int32 => "INT".into(),
        ArrowType::Int64
        | ArrowType::UInt8
        | ArrowType::UInt16
        | ArrowType::UInt32
        | ArrowType::UInt64 => "BIGINT".into(),
        ArrowType::Float16 | ArrowType::Float32 => "FLOAT".into(),
        ArrowType::Float64 => "DOUBLE".into(),
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => "STRING".into(),
        ArrowType::Binary
        | ArrowType::LargeBinary
        | ArrowType::BinaryView
        | ArrowType::FixedSizeBinary(_) => "BINARY".into(),
        ArrowType::Date32 | ArrowType::Date64 => "DATE".into(),
        ArrowType::Timestamp(TimeUnit::Millisecond, Some(_)) => "DATETIME".into(),
        ArrowType::Timestamp(_, _) => "TIMESTAMP".into(),
        ArrowType::Decimal32(p, s) | ArrowType::Decimal64(p, s) | ArrowType::Decimal128(p, s) => {
            format!("DECIMAL({p},{s})")
        }
        other => other.to_string().to_uppercase(),
    }
}
