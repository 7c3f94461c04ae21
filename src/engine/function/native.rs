//! DataFusion's functions that mean what MaxCompute's mean.

use std::sync::Arc;

use datafusion::functions::core::{coalesce, get_field, named_struct, r#struct};
use datafusion::functions_aggregate::{
    any_value::any_value_udaf,
    approx_distinct::approx_distinct_udaf,
    array_agg::array_agg_udaf,
    bit_and_or_xor::{bit_and_udaf, bit_or_udaf, bit_xor_udaf},
    bool_and_or::{bool_and_udaf, bool_or_udaf},
    correlation::corr_udaf,
    count::count_udaf,
    covariance::{covar_pop_udaf, covar_samp_udaf},
    first_last::{first_value_udaf, last_value_udaf},
    grouping::grouping_udaf,
    median::median_udaf,
    min_max::{max_udaf, min_udaf},
    nth_value::nth_value_udaf,
    stddev::{stddev_pop_udaf, stddev_udaf},
    string_agg::string_agg_udaf,
    variance::{var_pop_udaf, var_samp_udaf},
};
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, WindowUDF};

use super::super::sum::{avg_udaf, sum_udaf};
use super::Described;

const fn native(name: &'static str, usage: &'static str, summary: &'static str) -> Described {
    Described {
        name,
        usage,
        summary,
    }
}

/// Functions that the planner or the rewriting knows, and the aggregates and windows.
#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Described] = &[
    native("all_match", "all_match(array a, function f)", "Returns whether f is true of every item."),
    native("any", "any(boolean x)", "Returns whether x is true in a row of the group."),
    native("any_match", "any_match(array a, function f)", "Returns whether f is true of an item."),
    native("any_value", "any_value(value)", "Returns a value of the group."),
    native("approx_distinct", "approx_distinct(value)", "Returns about how many different values there are."),
    native("arg_max", "arg_max(key, value)", "Returns the value in the row with the greatest key."),
    native("arg_min", "arg_min(key, value)", "Returns the value in the row with the smallest key."),
    native("array", "array(value[, value, ...])", "Makes an array."),
    native("array_contains", "array_contains(array a, value)", "Returns whether a value is an item of an array."),
    native("array_distinct", "array_distinct(array a)", "Returns the different items of an array."),
    native("array_except", "array_except(array a, array b)", "Returns the items of a that are not in b."),
    native("array_intersect", "array_intersect(array a, array b)", "Returns the items that are in both arrays."),
    native("array_max", "array_max(array a)", "Returns the greatest item."),
    native("array_min", "array_min(array a)", "Returns the smallest item."),
    native("array_reduce", "array_reduce(array a, initial, function merge, function result)", "Puts the items into a buffer one by one, and makes a result of it."),
    native("array_repeat", "array_repeat(value, int n)", "Makes an array of one value n times."),
    native("array_union", "array_union(array a, array b)", "Returns the different items of two arrays."),
    native("avg", "avg([distinct] number x)", "Returns the mean; of BIGINT as DOUBLE."),
    native("bitwise_and_agg", "bitwise_and_agg(bigint x)", "Returns the bits that all values have."),
    native("bitwise_or_agg", "bitwise_or_agg(bigint x)", "Returns the bits that any value has."),
    native("bitwise_xor_agg", "bitwise_xor_agg(bigint x)", "Returns the exclusive or of all values."),
    native("bool_and", "bool_and(boolean x)", "Returns whether x is true in all rows of the group."),
    native("bool_or", "bool_or(boolean x)", "Returns whether x is true in a row of the group."),
    native("cast", "cast(value as type)", "Converts a value to another type."),
    native("cluster_sample", "cluster_sample(bigint n[, bigint m]) over (...)", "Returns whether a row is in a random sample of its partition: n rows, or m of every n."),
    native("coalesce", "coalesce(value[, value, ...])", "Returns the first value that is not NULL."),
    native("collect_list", "collect_list(value)", "Returns the values of the group as an array."),
    native("collect_set", "collect_set(value)", "Returns the different values of the group as an array."),
    native("corr", "corr(double x, double y)", "Returns the correlation of two columns."),
    native("count", "count([distinct] value[, ...]) | count(*)", "Returns the number of rows, or of those without NULL."),
    native("count_if", "count_if(boolean x)", "Returns the number of rows of which x is true."),
    native("covar_pop", "covar_pop(double x, double y)", "Returns the covariance of the population."),
    native("covar_samp", "covar_samp(double x, double y)", "Returns the covariance of a sample."),
    native("cume_dist", "cume_dist() over (...)", "Returns the share of rows up to this one."),
    native("current_date", "current_date()", "Returns today."),
    native("current_timestamp", "current_timestamp()", "Returns the time of the statement as TIMESTAMP."),
    native("current_timezone", "current_timezone()", "Returns the name of the session's time zone."),
    native("decode", "decode(value, search, result[, ...][, default]) | decode(binary value, string charset)", "Returns the result of the search that equals the value, or the text of bytes."),
    native("dense_rank", "dense_rank() over (...)", "Returns the rank without gaps."),
    native("extract", "extract(part from datetime d)", "Returns a part of a time as a number."),
    native("field", "field(struct s, string name)", "Returns a field of a struct."),
    native("filter", "filter(array a, function f)", "Returns the items of which f is true."),
    native("first_value", "first_value(value[, boolean ignore_nulls]) over (...)", "Returns the first value of the window."),
    native("flatten", "flatten(array<array> a)", "Joins the arrays of an array."),
    native("from_json", "from_json(string json, string schema)", "Reads a JSON text as a struct, array or map; what does not fit is NULL."),
    native("getdate", "getdate()", "Returns the time of the statement as DATETIME."),
    native("grouping", "grouping(column)", "Returns 1 where the column is not part of the group's key."),
    native("grouping_id", "grouping_id(column[, column, ...])", "Returns the bits of grouping of several columns."),
    native("histogram", "histogram(value)", "Returns a map of the values of the group to how often they occur."),
    native("if", "if(boolean test, value, otherwise)", "Returns one of two values."),
    native("lag", "lag(value[, bigint offset[, default]]) over (...)", "Returns the value some rows before."),
    native("last_value", "last_value(value[, boolean ignore_nulls]) over (...)", "Returns the last value of the window."),
    native("lead", "lead(value[, bigint offset[, default]]) over (...)", "Returns the value some rows behind."),
    native("map", "map(key, value[, key, value, ...])", "Makes a map."),
    native("map_agg", "map_agg(key, value)", "Returns a map of the keys and values of the group."),
    native("map_entries", "map_entries(map m)", "Returns the pairs of a map as structs."),
    native("map_filter", "map_filter(map m, function f)", "Returns the pairs of which f is true."),
    native("map_keys", "map_keys(map m)", "Returns the keys of a map."),
    native("map_union", "map_union(map m)", "Joins the maps of the group."),
    native("map_union_sum", "map_union_sum(map m)", "Joins the maps of the group, adding the values of equal keys."),
    native("map_values", "map_values(map m)", "Returns the values of a map."),
    native("map_zip_with", "map_zip_with(map a, map b, function f)", "Makes a map of the keys of two maps to what a function makes of both values."),
    native("max", "max(value)", "Returns the greatest value."),
    native("max_by", "max_by(value, key)", "Returns the value in the row with the greatest key."),
    native("max_pt", "max_pt(string table)", "Returns the greatest value of a table's first partition column that holds data."),
    native("median", "median(number x)", "Returns the value in the middle."),
    native("min", "min(value)", "Returns the smallest value."),
    native("min_by", "min_by(value, key)", "Returns the value in the row with the smallest key."),
    native("multimap_agg", "multimap_agg(key, value)", "Returns a map of each key of the group to an array of its values."),
    native("named_struct", "named_struct(string name, value[, ...])", "Makes a struct with named fields."),
    native("now", "now()", "Returns the time of the statement as DATETIME."),
    native("nth_value", "nth_value(value, bigint n[, boolean ignore_nulls]) over (...)", "Returns the nth value of the window."),
    native("ntile", "ntile(bigint n) over (...)", "Returns in which of n equal parts a row is."),
    native("numeric_histogram", "numeric_histogram(bigint n, double x[, double weight])", "Returns a map of about n centres to how many values lie near them."),
    native("nvl", "nvl(value, default)", "Returns the default where the value is NULL."),
    native("nvl2", "nvl2(value, known, unknown)", "Returns one of two values, whether the first is NULL or not."),
    native("partition_exists", "partition_exists(string table, string partition)", "Returns whether a table has a partition."),
    native("percent_rank", "percent_rank() over (...)", "Returns the rank as a share."),
    native("percentile", "percentile(number x, double p)", "Returns the exact value below which a share of the rows lies."),
    native("percentile_approx", "percentile_approx(number x[, double weight], double p[, n])", "Returns the value below which a share of the rows lies."),
    native("percentile_cont", "percentile_cont(number x, double p[, boolean ignore_nulls])", "Returns the value below which a share of the rows lies, between two values where it has to."),
    native("percentile_disc", "percentile_disc(value, double p[, boolean ignore_nulls])", "Returns the first value up to which a share of the rows lies."),
    native("rank", "rank() over (...)", "Returns the rank with gaps."),
    native("row_number", "row_number() over (...)", "Returns the number of a row."),
    native("sample", "sample(bigint n, bigint k[, column, ...])", "Returns whether a row is in the kth of n parts, drawn by lot or by the hash of columns."),
    native("stddev", "stddev(double x)", "Returns the standard deviation of the population."),
    native("stddev_pop", "stddev_pop(double x)", "Returns the standard deviation of the population."),
    native("stddev_samp", "stddev_samp(double x)", "Returns the standard deviation of a sample."),
    native("struct", "struct(value[, value, ...])", "Makes a struct with fields col1, col2, ...."),
    native("sum", "sum([distinct] number x)", "Returns the sum; of BIGINT as BIGINT."),
    native("table_exists", "table_exists(string table)", "Returns whether there is a table."),
    native("transform", "transform(array a, function f)", "Returns f of every item."),
    native("transform_keys", "transform_keys(map m, function f)", "Returns the map with f of key and value as keys."),
    native("transform_values", "transform_values(map m, function f)", "Returns the map with f of key and value as values."),
    native("unique_id", "unique_id()", "Returns a random id."),
    native("var_pop", "var_pop(double x)", "Returns the variance of the population."),
    native("var_samp", "var_samp(double x)", "Returns the variance of a sample."),
    native("variance", "variance(double x)", "Returns the variance of the population."),
    native("wm_concat", "wm_concat(string separator, string x)", "Joins the texts of the group."),
    native("zip_with", "zip_with(array a, array b, function f)", "Returns f of the items of two arrays."),
];

pub(super) fn scalars() -> Vec<Arc<ScalarUDF>> {
    use datafusion::functions_nested as nested;
    vec![
        coalesce(),
        get_field(),
        named_struct(),
        r#struct(),
        nested::array_has::array_has_udf(),
        nested::except::array_except_udf(),
        nested::flatten::flatten_udf(),
        nested::make_array::make_array_udf(),
        nested::map_entries::map_entries_udf(),
        nested::map_keys::map_keys_udf(),
        nested::map_values::map_values_udf(),
        nested::min_max::array_max_udf(),
        nested::min_max::array_min_udf(),
        nested::repeat::array_repeat_udf(),
        nested::set_ops::array_distinct_udf(),
        nested::set_ops::array_intersect_udf(),
        nested::set_ops::array_union_udf(),
    ]
}

pub(super) fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![
        any_value_udaf(),
        approx_distinct_udaf(),
        array_agg_udaf(),
        avg_udaf(),
        bit_and_udaf(),
        bit_or_udaf(),
        bit_xor_udaf(),
        bool_and_udaf(),
        bool_or_udaf(),
        corr_udaf(),
        count_udaf(),
        covar_pop_udaf(),
        covar_samp_udaf(),
        first_value_udaf(),
        last_value_udaf(),
        grouping_udaf(),
        max_udaf(),
        median_udaf(),
        min_udaf(),
        nth_value_udaf(),
        stddev_pop_udaf(),
        stddev_udaf(),
        string_agg_udaf(),
        sum_udaf(),
        var_pop_udaf(),
        var_samp_udaf(),
    ]
}

pub(super) fn windows() -> Vec<Arc<WindowUDF>> {
    datafusion::execution::session_state::SessionStateBuilder::new()
        .with_default_features()
        .window_functions()
        .take()
        .unwrap_or_default()
}

pub(super) fn higher_order() -> Vec<Arc<HigherOrderUDF>> {
    datafusion::execution::session_state::SessionStateBuilder::new()
        .with_default_features()
        .higher_order_functions()
        .take()
        .unwrap_or_default()
        .into_iter()
        .chain(super::higher::functions())
        .collect()
}
