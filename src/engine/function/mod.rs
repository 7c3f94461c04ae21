//! The builtin functions: one file per family, each function with its signature and one line on what it
//! does, which SHOW FUNCTIONS and DESC FUNCTION print. Manual page: "Built-in functions".

mod array;
mod call;
mod conditional;
mod convert;
mod datetime;
mod encoding;
mod exact;
mod excluded;
mod format;
mod from_json;
mod gathered;
mod higher;
mod internal;
mod json;
mod map;
mod math;
mod native;
mod operator;
mod ordered;
mod pattern;
mod regexp;
mod similarity;
mod string;
mod table;
mod unfit;

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::{AggregateUDF, Expr, ScalarUDF};

pub(super) use convert::cast_expr;
pub(super) use exact::shortest;
pub(super) use excluded::{DISTINCT, EXCLUDED};
pub(super) use operator::{Operator, SCALE_MAX, has_room, operator};
pub(super) use table::{Output, is_table_function, plan_table_function};

use super::cast::Casting;
use call::{Definition, RowFunction};

/// A function as it is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    pub name: &'static str,
    /// `substr(string str, bigint start[, bigint length])`.
    pub usage: &'static str,
    pub summary: &'static str,
}

/// Families of functions that work row by row.
const FAMILIES: [(&str, &[Definition]); 11] = [
    ("arrays", array::FUNCTIONS),
    ("choosing", conditional::FUNCTIONS),
    ("conversion", convert::FUNCTIONS),
    ("date and time", datetime::FUNCTIONS),
    ("encoding and hashing", encoding::FUNCTIONS),
    ("JSON", json::FUNCTIONS),
    ("maps", map::FUNCTIONS),
    ("mathematics", math::FUNCTIONS),
    ("regular expressions", regexp::FUNCTIONS),
    ("similarity", similarity::FUNCTIONS),
    ("strings", string::FUNCTIONS),
];

/// All functions by family, as the manual has them.
pub fn families() -> Vec<(&'static str, Vec<Described>)> {
    let plain = |function: &Definition| Described {
        name: function.name,
        usage: function.usage,
        summary: function.summary,
    };
    let rows = FAMILIES
        .iter()
        .map(|(family, functions)| (*family, functions.iter().map(plain).collect()));
    rows.chain([
        (
            "aggregates, windows and other builtins",
            native::FUNCTIONS.to_vec(),
        ),
        ("table functions", table::FUNCTIONS.to_vec()),
    ])
    .collect()
}

/// All functions by name, as SHOW FUNCTIONS lists them.
pub fn described() -> Vec<Described> {
    let mut all: Vec<Described> = families()
        .into_iter()
        .flat_map(|(_, functions)| functions)
        .collect();
    all.sort_by_key(|function| function.name);
    all
}

/// Whether the planner has an aggregate of that name.
pub(super) fn is_aggregate(name: &str) -> bool {
    static NAMES: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let all = native::aggregates().into_iter();
        all.map(|aggregate| aggregate.name().to_owned()).collect()
    });
    NAMES.contains(name)
}

/// A call of a function that no user calls by name.
///
/// # Panics
/// Where there is none of that name.
pub(super) fn internal_call(name: &str, arguments: Vec<Expr>, casting: Casting) -> Expr {
    let mut all = internal::FUNCTIONS.iter();
    let definition = all.find(|function| function.name == name);
    let definition = definition.expect("the caller names a function of ours");
    ScalarUDF::from(RowFunction::new(definition, casting)).call(arguments)
}

/// Gives a state our functions, and of DataFusion's only those that mean the same.
pub(super) fn register(builder: SessionStateBuilder, casting: Casting) -> SessionStateBuilder {
    let ours = FAMILIES
        .iter()
        .flat_map(|(_, functions)| functions.iter())
        .chain(internal::FUNCTIONS);
    let mut scalars: Vec<Arc<ScalarUDF>> = native::scalars();
    scalars.extend(
        ours.map(|function| Arc::new(ScalarUDF::from(RowFunction::new(function, casting)))),
    );
    scalars.push(convert::cast_function(casting));
    scalars.push(from_json::from_json_function(casting));
    scalars.extend(operator::functions());
    let aggregates: Vec<Arc<AggregateUDF>> = native::aggregates();
    builder
        .with_scalar_functions(scalars)
        .with_aggregate_functions(aggregates.clone())
        .with_window_functions(
            native::windows()
                .into_iter()
                .chain(excluded::windows(aggregates))
                .collect(),
        )
        .with_higher_order_functions(native::higher_order())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_one_name_and_a_usage_that_begins_with_it() {
        let all = described();
        for pair in all.windows(2) {
            assert_ne!(pair[0].name, pair[1].name);
        }
        for function in all {
            assert!(
                function.usage.starts_with(function.name),
                "{}",
                function.name
            );
            assert!(!function.summary.is_empty());
        }
    }
}
