//! The verbs of history.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What made a history row. Variants are only ever appended: it is part of stored versions.
///
/// CREATE, OVERWRITE and DROP are the documented verbs; the others are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    Create,
    Overwrite,
    Append,
    Drop,
    Restore,
    Alter,
    Truncate,
    Update,
    Delete,
    Merge,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "CREATE",
            Self::Overwrite => "OVERWRITE",
            Self::Append => "APPEND",
            Self::Drop => "DROP",
            Self::Restore => "RESTORE",
            Self::Alter => "ALTER",
            Self::Truncate => "TRUNCATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Merge => "MERGE",
        })
    }
}
