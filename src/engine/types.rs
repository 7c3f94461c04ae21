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
        DataType::TimestampNtz => ArrowType::Timestamp(TimeUnit::Nanosecond, None),
        DataType::Array(item) => list_of(storage_type(item)),
        DataType::Map(key, value) => map_of(storage_type(key), storage_type(value)),
        DataType::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|(name, field)| Field::new(name, storage_type(field), true));
            ArrowType::Struct(fields.collect())
        }
    }
}

/// A list of items that may be NULL.
pub fn list_of(item: ArrowType) -> ArrowType {
    ArrowType::List(Arc::new(Field::new("item", item, true)))
}

/// A map; keys are never NULL.
pub fn map_of(key: ArrowType, value: ArrowType) -> ArrowType {
    let fields = vec![
        Field::new("key", key, false),
        Field::new("value", value, true),
    ];
    let entries = Field::new("entries", ArrowType::Struct(fields.into()), false);
    ArrowType::Map(Arc::new(entries), false)
}

/// The column type that holds values of an Arrow type; `None` where there is none.
pub fn column_type(arrow: &ArrowType) -> Option<DataType> {
    Some(match arrow {
        ArrowType::Null | ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View => {
            DataType::String
        }
        ArrowType::Boolean => DataType::Boolean,
        ArrowType::Int8 => DataType::TinyInt,
        ArrowType::Int16 => DataType::SmallInt,
        ArrowType::Int32 => DataType::Int,
        ArrowType::Int64
        | ArrowType::UInt8
        | ArrowType::UInt16
        | ArrowType::UInt32
        | ArrowType::UInt64 => DataType::BigInt,
        ArrowType::Float16 | ArrowType::Float32 => DataType::Float,
        ArrowType::Float64 => DataType::Double,
        ArrowType::Decimal32(p, s) | ArrowType::Decimal64(p, s) | ArrowType::Decimal128(p, s) => {
            DataType::Decimal(*p, (*s).clamp(0, 18) as u8)
        }
        ArrowType::Decimal256(_, s) => DataType::Decimal(38, (*s).clamp(0, 18) as u8),
        ArrowType::Binary
        | ArrowType::LargeBinary
        | ArrowType::BinaryView
        | ArrowType::FixedSizeBinary(_) => DataType::Binary,
        ArrowType::Date32 | ArrowType::Date64 => DataType::Date,
        ArrowType::Timestamp(TimeUnit::Millisecond | TimeUnit::Second, Some(_)) => {
            DataType::Datetime
        }
        ArrowType::Timestamp(_, Some(_)) => DataType::Timestamp,
        ArrowType::Timestamp(_, None) => DataType::TimestampNtz,
        ArrowType::List(item)
        | ArrowType::LargeList(item)
        | ArrowType::FixedSizeList(item, _)
        | ArrowType::ListView(item) => DataType::Array(Box::new(column_type(item.data_type())?)),
        ArrowType::Map(entries, _) => match entries.data_type() {
            ArrowType::Struct(fields) => DataType::Map(
                Box::new(column_type(fields.first()?.data_type())?),
                Box::new(column_type(fields.get(1)?.data_type())?),
            ),
            _ => return None,
        },
        ArrowType::Struct(fields) => {
            let field =
                |field: &Arc<Field>| Some((field.name().clone(), column_type(field.data_type())?));
            DataType::Struct(fields.iter().map(field).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

/// The Arrow type a query sees: instants in the session's zone.
pub fn session_type(data_type: &DataType, zone: &str) -> ArrowType {
    in_zone(storage_type(data_type), zone)
}

fn in_zone(stored: ArrowType, zone: &str) -> ArrowType {
    let field = |field: &Arc<Field>| {
        let data_type = in_zone(field.data_type().clone(), zone);
        Arc::new(field.as_ref().clone().with_data_type(data_type))
    };
    match &stored {
        ArrowType::Timestamp(unit, Some(_)) => ArrowType::Timestamp(*unit, Some(zone.into())),
        ArrowType::List(item) => ArrowType::List(field(item)),
        ArrowType::Map(entries, sorted) => ArrowType::Map(field(entries), *sorted),
        ArrowType::Struct(fields) => ArrowType::Struct(fields.iter().map(field).collect()),
        _ => stored,
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
    match (data_type, column_type(data_type)) {
        (ArrowType::Null, _) => "VOID".to_owned(),
        (_, Some(data_type)) => data_type.to_string().to_uppercase(),
        (other, None) => other.to_string().to_uppercase(),
    }
}
