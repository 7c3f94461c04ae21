//! Partition specs: which values name a partition.

use std::fmt;

use super::table::Column;
use crate::datatype::DataType;
use crate::error::{Error, Result};

/// Longest partition value, in bytes.
const VALUE_MAX: usize = 255;
/// What a partition value may hold besides letters and digits.
const VALUE_MARKS: &str = " _$#.!@:-";

/// A full partition spec for display: `ds=20191201/region=cn`.
pub struct SpecText<'a> {
    pub columns: &'a [Column],
    pub values: &'a [String],
}

impl fmt::Display for SpecText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (level, (column, value)) in self.columns.iter().zip(self.values).enumerate() {
            let slash = if level == 0 { "" } else { "/" };
            write!(f, "{slash}{}={value}", column.name)?;
        }
        Ok(())
    }
}

/// Returns `value` as it is kept for a partition column of type `data_type`.
///
/// Integers lose leading zeros, dates must be dates, text is kept as written.
///
/// # Errors
/// A value that is empty, too long, of the wrong type, or holds a character partition values may not.
pub fn checked_value(column: &Column, value: &str) -> Result<String> {
    let wrong = |reason: &str| {
        Err(Error::partition_value(format!(
            "invalid partition value '{value}' for {}: {reason}",
            column.name
        )))
    };
    let range = match column.data_type {
        DataType::TinyInt => Some(i64::from(i8::MIN)..=i64::from(i8::MAX)),
        DataType::SmallInt => Some(i64::from(i16::MIN)..=i64::from(i16::MAX)),
        DataType::Int => Some(i64::from(i32::MIN)..=i64::from(i32::MAX)),
        DataType::BigInt => Some(i64::MIN + 1..=i64::MAX),
        _ => None,
    };
    if let Some(range) = range {
        return match value.trim().parse::<i64>() {
            Ok(number) if range.contains(&number) => Ok(number.to_string()),
            _ => wrong(&format!("it is not of type {}", column.data_type)),
        };
    }
    if column.data_type == DataType::Date {
        return match chrono::NaiveDate::parse_from_str(value, "%Y-%m-%d") {
            Ok(date) => Ok(date.to_string()),
            Err(_) => wrong("it is not a date"),
        };
    }
    let length_max = match column.data_type {
        DataType::Varchar(length) => usize::from(length),
        DataType::Char(length) => usize::from(length),
        _ => VALUE_MAX,
    };
    if value.is_empty() {
        return wrong("it is empty");
    }
    if value.len() > VALUE_MAX || value.chars().count() > length_max {
        return wrong("it is too long");
    }
    match value
        .chars()
        .find(|c| !c.is_alphanumeric() && !VALUE_MARKS.contains(*c))
    {
        Some(c) => wrong(&format!("it may not hold {c:?}")),
        None => Ok(value.to_owned()),
    }
}
