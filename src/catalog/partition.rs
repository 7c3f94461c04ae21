//! Partition specs: which values name a partition.

use std::fmt;

use super::table::Column;
use crate::error::{Error, Result};

/// Longest partition value, in bytes.
const VALUE_MAX: usize = 255;
/// What a partition value may hold besides letters and digits of ASCII. Manual page: "Partition": double-byte characters are
/// refused.
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

/// Checks the text of a value of the column's type as the name of a partition.
///
/// # Errors
/// A value that is empty, too long, or holds a character partition values may not.
pub fn check_value(column: &Column, value: &str) -> Result<()> {
    let wrong = |reason: &str| {
        Err(Error::partition_value(format!(
            "invalid partition value '{value}' for {}: {reason}",
            column.name
        )))
    };
    if value.is_empty() {
        return wrong("it is empty");
    }
    if value.len() > VALUE_MAX {
        return wrong("it is too long");
    }
    match value
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && !VALUE_MARKS.contains(*c))
    {
        Some(c) => wrong(&format!("it may not hold {c:?}")),
        None => Ok(()),
    }
}
