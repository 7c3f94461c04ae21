//! What a function makes of an argument that it cannot take: a text that is no date, a number out of its
//! domain. The manual says it page by page, whatever `odps.sql.udf.strict.mode` is.

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unfit {
    /// NULL, as the function's page says.
    Null,
    /// An error in strict mode, else NULL.
    Error,
}

/// Functions that give NULL for such an argument; manual pages: "Date functions", "Mathematical functions".
const NULL: &[&str] = &[
    "acos",
    "add_months",
    "asin",
    "day",
    "dayofmonth",
    "dayofweek",
    "dayofyear",
    "hour",
    "last_day",
    "ln",
    "log",
    "log2",
    "minute",
    "month",
    "next_day",
    "quarter",
    "second",
    "sha2",
    "sqrt",
    "to_date",
    "weekofyear",
    "year",
];

impl Unfit {
    pub(super) fn of(function: &str) -> Self {
        match NULL.binary_search(&function) {
            Ok(_) => Self::Null,
            Err(_) => Self::Error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NULL;

    #[test]
    fn the_table_is_sorted_and_names_functions() {
        assert!(NULL.is_sorted());
        let all = super::super::described();
        for name in NULL {
            assert!(all.iter().any(|function| function.name == *name), "{name}");
        }
    }
}
