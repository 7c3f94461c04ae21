//! The column types of MaxCompute (type system 2.0).

use std::cell::Cell;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::Error;

/// A column type. Variants are only ever appended: it is part of stored schemas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DataType {
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Double,
    /// Precision 1 to 38, scale 0 to 18 and not above the precision.
    Decimal(u8, u8),
    String,
    /// 1 to 65535 characters.
    Varchar(u16),
    /// 1 to 255 characters.
    Char(u8),
    Boolean,
    Date,
    /// An instant in milliseconds.
    Datetime,
    /// An instant in nanoseconds.
    Timestamp,
    Binary,
    /// A local time in nanoseconds, without a zone.
    TimestampNtz,
    Array(#[serde(deserialize_with = "bounded")] Box<DataType>),
    Map(
        #[serde(deserialize_with = "bounded")] Box<DataType>,
        #[serde(deserialize_with = "bounded")] Box<DataType>,
    ),
    /// Fields by name, in order.
    Struct(#[serde(deserialize_with = "bounded")] Vec<(String, DataType)>),
}

/// Types in stored bytes nest no deeper.
const NESTING_MAX: usize = 32;
/// A type that is typed, or comes of a query, nests no deeper.
pub const TYPE_NESTING_MAX: usize = 20;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Reads what may hold others of its kind, down to a bound: bytes that nest deeper would end the process.
pub fn bounded<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    let depth = DEPTH.get();
    if depth >= NESTING_MAX {
        return Err(serde::de::Error::custom("it is nested too deeply"));
    }
    DEPTH.set(depth + 1);
    let read = T::deserialize(from);
    DEPTH.set(depth);
    read
}

impl DataType {
    /// How many types it has inside one another.
    pub fn nesting(&self) -> usize {
        match self {
            Self::Array(item) => 1 + item.nesting(),
            Self::Map(key, value) => 1 + key.nesting().max(value.nesting()),
            Self::Struct(fields) => {
                1 + fields
                    .iter()
                    .map(|(_, field)| field.nesting())
                    .max()
                    .unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Whether there can be such a type.
    pub fn is_possible(&self) -> bool {
        match self {
            Self::Decimal(precision, scale) => (1..=38).contains(precision) && scale <= precision,
            Self::Array(item) => item.is_possible(),
            Self::Map(key, value) => key.is_possible() && value.is_possible(),
            Self::Struct(fields) => fields.iter().all(|(_, field)| field.is_possible()),
            _ => true,
        }
    }

    /// Builds a type from its name and arguments, or says why there is no such type.
    pub fn from_parts(name: &str, arguments: &[u64]) -> Result<Self, Error> {
        let wrong = |detail: &str| Err(Error::semantic(detail));
        let plain = |data_type: Self| match arguments {
            [] => Ok(data_type),
            _ => Err(Error::semantic(format!("type {name} takes no length"))),
        };
        match name.to_ascii_lowercase().as_str() {
            "tinyint" => plain(Self::TinyInt),
            "smallint" => plain(Self::SmallInt),
            "int" | "integer" => plain(Self::Int),
            "bigint" => plain(Self::BigInt),
            "float" => plain(Self::Float),
            "double" => plain(Self::Double),
            "string" => plain(Self::String),
            "boolean" => plain(Self::Boolean),
            "date" => plain(Self::Date),
            "datetime" => plain(Self::Datetime),
            "timestamp" => plain(Self::Timestamp),
            "binary" => plain(Self::Binary),
            "decimal" => match *arguments {
                [] => Ok(Self::Decimal(38, 18)),
                [p] if (1..=38).contains(&p) => Ok(Self::Decimal(p as u8, 0)),
                [p, s] if (1..=38).contains(&p) && s <= 18 && s <= p => {
                    Ok(Self::Decimal(p as u8, s as u8))
                }
                _ => wrong("decimal needs a precision from 1 to 38 and a scale from 0 to 18"),
            },
            "varchar" => match *arguments {
                [n] if (1..=65535).contains(&n) => Ok(Self::Varchar(n as u16)),
                _ => wrong("varchar needs a length from 1 to 65535"),
            },
            "char" => match *arguments {
                [n] if (1..=255).contains(&n) => Ok(Self::Char(n as u8)),
                _ => wrong("char needs a length from 1 to 255"),
            },
            "timestamp_ntz" => plain(Self::TimestampNtz),
            "json" | "interval_year_month" | "interval_day_time" => Err(Error::not_supported(
                format!("type {}", name.to_ascii_uppercase()),
            )),
            _ => Err(Error::syntax(0, format!("invalid type '{name}'"))),
        }
    }

    /// The type as SQL in upper case; names of fields stay as they are.
    pub fn upper(&self) -> String {
        match self {
            Self::Array(item) => format!("ARRAY<{}>", item.upper()),
            Self::Map(key, value) => format!("MAP<{},{}>", key.upper(), value.upper()),
            Self::Struct(fields) => {
                let fields = fields.iter();
                let fields: Vec<String> = fields
                    .map(|(name, data_type)| format!("{name}:{}", data_type.upper()))
                    .collect();
                format!("STRUCT<{}>", fields.join(","))
            }
            plain => plain.to_string().to_uppercase(),
        }
    }

    /// Whether the 2.0 edition brought this type.
    pub fn is_new(&self) -> bool {
        matches!(
            self,
            Self::TinyInt
                | Self::SmallInt
                | Self::Int
                | Self::Float
                | Self::Varchar(_)
                | Self::Char(_)
                | Self::Binary
                | Self::Date
                | Self::Timestamp
                | Self::TimestampNtz
        )
    }

    /// Whether values of this type are made of others.
    pub fn is_nested(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Map(..) | Self::Struct(_))
    }

    /// The type in words of messages: `Bigint`, `Array`.
    pub fn title(&self) -> String {
        let name = self.to_string();
        let name = name.split(['(', '<']).next().unwrap_or_default();
        let mut chars = name.chars();
        chars.next().map_or(String::new(), |first| {
            first.to_uppercase().chain(chars).collect()
        })
    }

    /// Whether a partition column may have this type.
    pub fn can_partition(&self) -> bool {
        matches!(
            self,
            Self::TinyInt
                | Self::SmallInt
                | Self::Int
                | Self::BigInt
                | Self::String
                | Self::Varchar(_)
                | Self::Char(_)
                | Self::Date
        )
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TinyInt => f.write_str("tinyint"),
            Self::SmallInt => f.write_str("smallint"),
            Self::Int => f.write_str("int"),
            Self::BigInt => f.write_str("bigint"),
            Self::Float => f.write_str("float"),
            Self::Double => f.write_str("double"),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision},{scale})"),
            Self::String => f.write_str("string"),
            Self::Varchar(length) => write!(f, "varchar({length})"),
            Self::Char(length) => write!(f, "char({length})"),
            Self::Boolean => f.write_str("boolean"),
            Self::Date => f.write_str("date"),
            Self::Datetime => f.write_str("datetime"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Binary => f.write_str("binary"),
            Self::TimestampNtz => f.write_str("timestamp_ntz"),
            Self::Array(item) => write!(f, "array<{item}>"),
            Self::Map(key, value) => write!(f, "map<{key},{value}>"),
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (number, (name, data_type)) in fields.iter().enumerate() {
                    let comma = if number > 0 { "," } else { "" };
                    write!(f, "{comma}{name}:{data_type}")?;
                }
                f.write_str(">")
            }
        }
    }
}
