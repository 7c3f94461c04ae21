//! Calls: functions of MaxCompute become the planner's, some become expressions.

use std::collections::HashSet;
use std::sync::LazyLock;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArguments, NullTreatment, ObjectNamePart, OrderByExpr, Spanned,
    Value, WindowType,
};

use super::Rewriting;
use super::build::{
    arguments, binary, boolean, call, case, in_bucket, literal_number, literal_text, name_of, null,
    number, order_by, rename, text,
};
use super::dialect::CAST;
use super::lambda::rewrite_higher;
use super::tokens::offset;
use super::window;
use crate::engine::function::described;
use crate::error::{Error, Result};

/// A call: names of MaxCompute become the planner's, some functions become expressions.
pub(super) fn rewrite_call(
    rewriting: &mut Rewriting<'_>,
    place: &mut Expr,
    mut function: Function,
) -> Result<()> {
    let at = offset(function.name.span().start);
    let Some(ObjectNamePart::Identifier(last)) = function.name.0.last_mut() else {
        return Err(Error::not_supported("this function call").at(at));
    };
    let name = last.value.to_lowercase();
    last.value.clone_from(&name);
    last.quote_style = Some('`');
    if function.name.0.len() > 1 {
        return Err(Error::semantic(format!(
            "function or view '{}' cannot be resolved",
            function.name
        ))
        .at(at));
    }
    if !is_known(&name) {
        let detail = format!("function or view '{name}' cannot be resolved");
        return Err(Error::semantic(detail).at(at));
    }
    if let FunctionArguments::List(list) = &mut function.args
        && list.duplicate_treatment == Some(DuplicateTreatment::All)
    {
        list.duplicate_treatment = None;
    }
    window::check(&name, &function).map_err(|error| error.at(at))?;
    window::default_frame(&mut function, rewriting.options.is_hive);
    let given = arguments(&function);
    let count = given.as_ref().map_or(0, Vec::len);
    let needs = |counts: std::ops::RangeInclusive<usize>| {
        if counts.contains(&count) {
            Ok(())
        } else {
            Err(Error::argument_count(&name, count).at(at))
        }
    };
    let mut taken = given.clone().unwrap_or_default().into_iter();
    let mut next = || taken.next().unwrap_or_else(null);
    let made = match name.as_str() {
        "if" => {
            needs(3..=3)?;
            case(vec![(next(), next())], Some(next()))
        }
        "nvl" => {
            needs(2..=2)?;
            first_known(taken.collect())
        }
        "coalesce"
            if count > 0
                && given
                    .as_deref()
                    .is_some_and(|given| given.iter().all(is_null)) =>
        {
            let detail = "function coalesce: one of the arguments is not the constant NULL";
            return Err(Error::argument_value(detail).at(at));
        }
        "coalesce" if count > 0 => first_known(taken.collect()),
        "nvl2" => {
            needs(3..=3)?;
            case(
                vec![(Expr::IsNotNull(Box::new(next())), next())],
                Some(next()),
            )
        }
        "decode" if count == 2 => call("__decode", taken),
        "decode" => {
            if count < 3 {
                return Err(Error::argument_count(&name, count).at(at));
            }
            let value = next();
            let mut branches = Vec::new();
            let mut rest: Vec<Expr> = taken.collect();
            let otherwise = if rest.len() % 2 == 1 {
                rest.pop()
            } else {
                None
            };
            let mut rest = rest.into_iter();
            while let (Some(search), Some(result)) = (rest.next(), rest.next()) {
                branches.push((
                    binary(value.clone(), BinaryOperator::Spaceship, search),
                    result,
                ));
            }
            case(branches, otherwise)
        }
        "current_timezone" => {
            needs(0..=0)?;
            text(rewriting.options.zone.name())
        }
        "getdate" | "now" | "current_timestamp" | "current_date" => {
            let now = number(rewriting.options.now_ms);
            match name.as_str() {
                "getdate" | "now" => call("__moment", [now]),
                "current_date" => call(CAST, [call("__moment", [now]), text("date")]),
                _ => call(CAST, [call("__moment", [now]), text("timestamp")]),
            }
        }
        "unix_timestamp" if count == 0 => number(rewriting.options.now_ms.div_euclid(1000)),
        "max_pt" => {
            needs(1..=1)?;
            let table = next();
            let Some(table) = literal_text(&table) else {
                return Err(
                    Error::semantic("the argument of max_pt must be a constant string").at(at),
                );
            };
            let table = table.to_lowercase();
            let (project, table) = project_and_name(&table);
            match (rewriting.max_partition)(project, table).map_err(|error| error.at(at))? {
                Some(value) => text(&value),
                None => {
                    return Err(Error::semantic(format!(
                        "table {table} has no partition that holds data"
                    ))
                    .at(at));
                }
            }
        }
        "table_exists" | "partition_exists" => {
            needs(if name == "table_exists" { 1..=1 } else { 2..=2 })?;
            let constant = |expr: Expr| {
                literal_text(&expr).map(str::to_owned).ok_or_else(|| {
                    Error::semantic(format!("the arguments of {name} are constant strings")).at(at)
                })
            };
            let table = constant(next())?.to_lowercase();
            let (project, table) = project_and_name(&table);
            let partition = (count == 2).then(|| constant(next())).transpose()?;
            let exists = (rewriting.exists)(project, table, partition.as_deref());
            boolean(exists.map_err(|error| error.at(at))?)
        }
        "count_if" => {
            needs(1..=1)?;
            if function.filter.is_some() {
                let detail = "function count_if takes no FILTER";
                return Err(Error::semantic(detail).at(at));
            }
            set_arguments(&mut function, vec![case(vec![(next(), number(1))], None)]);
            rename(&mut function, "count");
            Expr::Function(function)
        }
        "count" if count > 1 => {
            // Rows in which any of the values is NULL do not count.
            let values: Vec<Expr> = taken.collect();
            let known = values
                .iter()
                .map(|value| Expr::IsNotNull(Box::new(value.clone())));
            let known = known
                .reduce(|a, b| binary(a, BinaryOperator::And, b))
                .unwrap_or_else(null);
            let row = if is_distinct(&function) {
                call("struct", values)
            } else {
                number(1)
            };
            set_arguments(&mut function, vec![case(vec![(known, row)], None)]);
            Expr::Function(function)
        }
        "wm_concat" => {
            needs(2..=2)?;
            let separator = next();
            if literal_text(&separator).is_none() {
                return Err(Error::argument_type(
                    "The first argument of WM_CONCAT must be constant string.",
                )
                .at(at));
            }
            let given = next();
            let value = call("wm_concat", [given.clone()]);
            if function.within_group.is_empty() {
                set_arguments(&mut function, vec![value, separator]);
                rename(&mut function, "string_agg");
                Expr::Function(function)
            } else {
                let is_distinct = is_distinct(&function);
                only_where(&mut function, Expr::IsNotNull(Box::new(value.clone())));
                let mut order = std::mem::take(&mut function.within_group);
                for key in order.iter_mut().filter(|_| is_distinct) {
                    // What is joined are texts, so the order is one of them.
                    let of = std::mem::replace(&mut key.expr, null());
                    key.expr = match of == given || is_text_of(&of, &given) {
                        true => call("__as_text", [of]),
                        false => {
                            return Err(Error::semantic(
                                "function wm_concat with DISTINCT is ordered by its argument as STRING",
                            )
                            .at(at));
                        }
                    };
                }
                call(
                    "array_join",
                    [ordered(function, value, order, is_distinct), separator],
                )
            }
        }
        "collect_list" | "collect_set" => {
            needs(1..=1)?;
            let value = next();
            only_where(&mut function, Expr::IsNotNull(Box::new(value.clone())));
            let order = std::mem::take(&mut function.within_group);
            let is_distinct = name == "collect_set" || is_distinct(&function);
            if !order.is_empty() {
                ordered(function, value, order, is_distinct)
            } else {
                if let (true, FunctionArguments::List(list)) = (is_distinct, &mut function.args) {
                    list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
                }
                rename(&mut function, "array_agg");
                Expr::Function(function)
            }
        }
        "max_by" | "arg_max" | "min_by" | "arg_min" => {
            needs(2..=2)?;
            let (first, second) = (next(), next());
            let (value, key) = if name.ends_with("_by") {
                (first, second)
            } else {
                (second, first)
            };
            only_where(&mut function, Expr::IsNotNull(Box::new(key.clone())));
            if function.over.is_some() {
                let order = vec![order_by(key, name.contains("min"))];
                *place = call(
                    "__element",
                    [ordered(function, value, order, false), number(0)],
                );
                return Ok(());
            }
            set_arguments(&mut function, vec![value]);
            if let FunctionArguments::List(list) = &mut function.args {
                let order = order_by(key, name.contains("min"));
                list.clauses
                    .push(FunctionArgumentClause::OrderBy(vec![order]));
            }
            rename(&mut function, "first_value");
            Expr::Function(function)
        }
        "sum" | "avg" | "stddev" | "stddev_pop" | "stddev_samp" | "variance" | "var_pop"
        | "var_samp" => {
            needs(1..=1)?;
            let number = match name.as_str() {
                "sum" | "avg" => "__number",
                _ => "__number_or_null",
            };
            let value = call(number, [next()]);
            set_arguments(&mut function, vec![value]);
            if let Some((_, planned)) = NAMES.iter().find(|(ours, _)| *ours == name) {
                rename(&mut function, planned);
            }
            Expr::Function(function)
        }
        "covar_pop" | "covar_samp" | "corr" => {
            needs(2..=2)?;
            let numbers = taken.map(|value| call("__number_or_null", [value]));
            let numbers = numbers.collect();
            set_arguments(&mut function, numbers);
            Expr::Function(function)
        }
        "median" => {
            needs(1..=1)?;
            let value = call(CAST, [next(), text("double")]);
            set_arguments(&mut function, vec![value]);
            Expr::Function(function)
        }
        "percentile_approx" => {
            needs(2..=4)?;
            let value = call(CAST, [next(), text("double")]);
            // A weight may stand before the share.
            let second = next();
            let third = taken.next();
            let (weight, wanted, buckets) = match third {
                Some(share) if count == 4 || is_share(&share, &second) => {
                    (Some(second), share, taken.next())
                }
                third => (None, second, third),
            };
            if is_null(&wanted) || buckets.as_ref().is_some_and(is_null) {
                let detail = "function percentile_approx: the share and the accuracy are not NULL";
                return Err(Error::argument_value(detail).at(at));
            }
            let buckets = buckets.unwrap_or_else(|| number(10_000));
            function = weighted(function, value, weight);
            let list = Expr::Function(function);
            let of = |share| call("__approximate_of", [list.clone(), share, buckets.clone()]);
            of_each_share(&name, wanted, of).map_err(|error| error.at(at))?
        }
        "percentile" | "percentile_cont" => {
            needs(2..=3)?;
            let value = call(CAST, [next(), text("double")]);
            let wanted = next();
            let skips_null = match (name.as_str(), (count == 3).then(&mut next)) {
                ("percentile_cont", Some(third)) => {
                    flag(&name, &third).map_err(|error| error.at(at))?
                }
                _ => true,
            };
            if skips_null {
                only_where(&mut function, Expr::IsNotNull(Box::new(value.clone())));
            }
            set_arguments(&mut function, vec![value]);
            rename(&mut function, "array_agg");
            let list = Expr::Function(function);
            let of = |share| call("__percentile_of", [list.clone(), share]);
            of_each_share(&name, wanted, of).map_err(|error| error.at(at))?
        }
        "map_agg" | "multimap_agg" => {
            needs(2..=2)?;
            let (key, value) = (next(), next());
            let entry = call(
                "named_struct",
                [text("key"), key.clone(), text("value"), value],
            );
            only_where(&mut function, Expr::IsNotNull(Box::new(key)));
            set_arguments(&mut function, vec![entry]);
            rename(&mut function, "array_agg");
            let whole = match name.as_str() {
                "map_agg" => "__map_of",
                _ => "__multimap_of",
            };
            call(whole, [Expr::Function(function)])
        }
        "map_union" | "map_union_sum" => {
            needs(1..=1)?;
            let map = next();
            only_where(&mut function, Expr::IsNotNull(Box::new(map.clone())));
            set_arguments(&mut function, vec![call("map_entries", [map])]);
            rename(&mut function, "array_agg");
            let whole = match name.as_str() {
                "map_union" => "__map_of",
                _ => "__sums_of",
            };
            call(whole, [call("flatten", [Expr::Function(function)])])
        }
        "percentile_disc" => {
            needs(2..=3)?;
            let (value, share) = (next(), next());
            let ignores = match (count == 3).then(next) {
                Some(third) => flag(&name, &third).map_err(|error| error.at(at))?,
                None => true,
            };
            if ignores {
                only_where(&mut function, Expr::IsNotNull(Box::new(value.clone())));
            }
            let order = vec![order_by(value.clone(), true)];
            call(
                "__discrete_of",
                [ordered(function, value, order, false), share],
            )
        }
        "histogram" => {
            needs(1..=1)?;
            let value = next();
            only_where(&mut function, Expr::IsNotNull(Box::new(value.clone())));
            set_arguments(&mut function, vec![value]);
            rename(&mut function, "array_agg");
            call("__counts_of", [Expr::Function(function)])
        }
        "numeric_histogram" => {
            needs(2..=3)?;
            let (buckets, value) = (next(), next());
            let value = call(CAST, [value, text("double")]);
            let weight = (count == 3).then(next);
            function = weighted(function, value, weight);
            call("__histogram_of", [Expr::Function(function), buckets])
        }
        "grouping_id" if count > 0 => {
            // The bits of GROUPING of each, the first the highest.
            let bit = |value: Expr| {
                let mut one = function.clone();
                set_arguments(&mut one, vec![value]);
                rename(&mut one, "grouping");
                call(CAST, [Expr::Function(one), text("bigint")])
            };
            let bits = taken.map(bit).reduce(|high, low| {
                let shifted = binary(high, BinaryOperator::Multiply, number(2));
                binary(shifted, BinaryOperator::Plus, low)
            });
            Expr::Nested(Box::new(bits.unwrap_or_else(null)))
        }
        "cluster_sample" if function.over.is_some() => {
            needs(1..=2)?;
            let (total, part) = (next(), taken.next());
            let is_none = |expr: &Expr| literal_number(expr).is_some_and(|number| number < 1.0);
            if is_none(&total) || part.as_ref().is_some_and(is_none) {
                let detail = "function cluster_sample: the numbers are above 0";
                return Err(Error::argument_value(detail).at(at));
            }
            let whole = |expr| call(CAST, [expr, text("bigint")]);
            set_arguments(&mut function, Vec::new());
            let mut rows = function.clone();
            if let Some(WindowType::WindowSpec(spec)) = &mut function.over {
                if !spec.order_by.is_empty() {
                    return Err(Error::semantic(
                        "function cluster_sample takes no ORDER BY in OVER",
                    )
                    .at(at));
                }
                spec.order_by = vec![order_by(call("rand", []), true)];
            }
            rename(&mut function, "row_number");
            let drawn = whole(Expr::Function(function));
            match part {
                // The first n rows in a random order.
                None => binary(drawn, BinaryOperator::LtEq, whole(total)),
                // m of each n rows of the partition.
                Some(part) => {
                    set_arguments(&mut rows, vec![number(1)]);
                    rename(&mut rows, "count");
                    let rows = Expr::Function(rows);
                    binary(
                        binary(drawn, BinaryOperator::Multiply, whole(total)),
                        BinaryOperator::LtEq,
                        binary(rows, BinaryOperator::Multiply, whole(part)),
                    )
                }
            }
        }
        "sample" if count > 1 => {
            let (parts, part) = (next(), next());
            let values: Vec<Expr> = taken.collect();
            let place = (!values.is_empty()).then(|| call("hash", values));
            in_bucket(place, [parts, part])
        }
        "field" => {
            needs(2..=2)?;
            call("get_field", taken)
        }
        "unique_id" => {
            needs(0..=0)?;
            call("uuid", [])
        }
        "lag" | "lead" if count >= 2 && function.over.is_some() => {
            let mut values = given.clone().unwrap_or_default();
            let offset = match literal_text(&values[1]) {
                Some(text) => text.trim().parse().ok(),
                None => literal_number(&values[1]),
            };
            match offset {
                Some(offset) if offset < 0.0 => {
                    return Err(Error::argument_value(format!(
                        "function {name}: the offset is not negative"
                    ))
                    .at(at));
                }
                Some(offset) => values[1] = number(offset as i64),
                None => {}
            }
            set_arguments(&mut function, values);
            Expr::Function(function)
        }
        "nth_value" if matches!(given.as_deref(), Some([_, nth, ..]) if literal_number(nth).is_some_and(|n| n <= 0.0)) =>
        {
            return Err(Error::argument_value(
                "function nth_value: the place is a constant above 0",
            )
            .at(at));
        }
        "max" | "min" | "count" | "any_value" | "approx_distinct"
            if has_no_arguments(&function) =>
        {
            return Err(Error::argument_count(&name, 0).at(at));
        }
        "first_value" | "last_value" | "nth_value" if function.over.is_some() => {
            // The last argument may say that NULLs are left out.
            let mut values = given.clone().unwrap_or_default();
            if let Some(Expr::Value(flag)) = values.last()
                && let Value::Boolean(ignores) = flag.value
            {
                values.pop();
                set_arguments(&mut function, values);
                if ignores {
                    function.null_treatment = Some(NullTreatment::IgnoreNulls);
                }
            }
            Expr::Function(function)
        }
        "concat" if count == 0 => null(),
        "map" => call("__map", taken),
        "struct" => {
            let fields = taken
                .enumerate()
                .flat_map(|(number, value)| [text(&format!("col{}", number + 1)), value]);
            call("named_struct", fields)
        }
        _ => match rewrite_higher(&name, given.as_deref().unwrap_or_default()) {
            Some(made) => made.map_err(|error| error.at(at))?,
            None => {
                let renamed = NAMES.iter().find(|(ours, _)| *ours == name);
                if let Some((_, planned)) = renamed {
                    rename(&mut function, planned);
                }
                let planned = renamed.map_or(name.as_str(), |(_, planned)| planned);
                match UNSIGNED.contains(&planned) {
                    true => call(CAST, [Expr::Function(function), text("bigint")]),
                    false => Expr::Function(function),
                }
            }
        },
    };
    *place = match made {
        // Kept together where it stands inside an operator.
        made @ Expr::Case { .. } => Expr::Nested(Box::new(made)),
        made => made,
    };
    Ok(())
}

/// COALESCE as a CASE, whose branches take the common type that MaxCompute has for them.
fn first_known(mut values: Vec<Expr>) -> Expr {
    let last = values.pop();
    if values.is_empty() {
        return last.unwrap_or_else(null);
    }
    let known = |value: Expr| (Expr::IsNotNull(Box::new(value.clone())), value);
    case(values.into_iter().map(known).collect(), last)
}

/// Whether MaxCompute has a function of that name, or the rewriting made the call. The planner has functions of its own.
fn is_known(name: &str) -> bool {
    static NAMES_OF_ALL: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        let described = described().into_iter().map(|function| function.name);
        let renamed = NAMES.iter().map(|(ours, _)| *ours);
        described.chain(renamed).collect()
    });
    // `LIKE ALL (…)` and the points of time travel read like calls.
    const READ_AS_CALLS: [&str; 3] = ["all", "get_latest_timestamp", "get_latest_version"];
    name.starts_with("__") || READ_AS_CALLS.contains(&name) || NAMES_OF_ALL.contains(name)
}

/// Functions that the planner knows by another name.
const NAMES: &[(&str, &str)] = &[
    ("array", "make_array"),
    ("stddev", "stddev_pop"),
    ("std", "stddev_pop"),
    ("variance", "var_pop"),
    ("var_samp", "var_samp"),
    ("bitwise_and_agg", "bit_and"),
    ("bitwise_or_agg", "bit_or"),
    ("bitwise_xor_agg", "bit_xor"),
    ("approx_count_distinct", "approx_distinct"),
    ("array_contains", "array_has"),
    ("transform", "array_transform"),
    ("filter", "array_filter"),
    ("any_match", "array_any_match"),
    ("any", "bool_or"),
];

/// Functions of the planner whose numbers are unsigned, which MaxCompute has not: they are BIGINT.
const UNSIGNED: [&str; 5] = [
    "row_number",
    "rank",
    "dense_rank",
    "ntile",
    "approx_distinct",
];

fn is_distinct(function: &Function) -> bool {
    matches!(&function.args, FunctionArguments::List(list) if list.duplicate_treatment == Some(DuplicateTreatment::Distinct))
}

/// Leaves out the rows of which `known` is not true.
fn only_where(function: &mut Function, known: Expr) {
    function.filter = Some(Box::new(match function.filter.take() {
        Some(filter) => binary(*filter, BinaryOperator::And, known),
        None => known,
    }));
}

/// `project.table` or `table`.
fn project_and_name(text: &str) -> (Option<&str>, &str) {
    match text.split_once('.') {
        Some((project, name)) => (Some(project), name),
        None => (None, text),
    }
}

/// An array of numbers, or of pairs of a number and its weight, without NULL.
fn weighted(mut function: Function, value: Expr, weight: Option<Expr>) -> Function {
    only_where(&mut function, Expr::IsNotNull(Box::new(value.clone())));
    let value = match weight {
        Some(weight) => {
            let weight = call(CAST, [weight, text("double")]);
            only_where(&mut function, Expr::IsNotNull(Box::new(weight.clone())));
            call(
                "named_struct",
                [text("value"), value, text("weight"), weight],
            )
        }
        None => value,
    };
    set_arguments(&mut function, vec![value]);
    rename(&mut function, "array_agg");
    function
}

/// Whether an expression is `CAST(value AS STRING)`.
fn is_text_of(expr: &Expr, value: &Expr) -> bool {
    let Expr::Function(function) = expr else {
        return false;
    };
    name_of(function) == CAST
        && matches!(arguments(function).as_deref(), Some([of, to])
            if of == value && literal_text(to).is_some_and(|to| to.eq_ignore_ascii_case("string")))
}

/// The items of `array(…)`.
fn array_items(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Function(array) if name_of(array) == "make_array" => arguments(array),
        _ => None,
    }
}

/// Whether the third argument of PERCENTILE_APPROX is the share and the second one a weight, which is no constant; an accuracy
/// is above 1.
fn is_share(third: &Expr, second: &Expr) -> bool {
    let is_constant = literal_number(second).is_some() || array_items(second).is_some();
    let may_be =
        array_items(third).is_some() || literal_number(third).is_some_and(|number| number <= 1.0);
    may_be && !is_constant
}

/// A percentile of one share, or an array of those of several.
fn of_each_share(name: &str, wanted: Expr, of: impl Fn(Expr) -> Expr) -> Result<Expr> {
    match array_items(&wanted) {
        Some(list) if list.is_empty() => Err(Error::argument_value(format!(
            "function {name}: the array of shares is empty"
        ))),
        Some(list) => Ok(call("make_array", list.into_iter().map(of))),
        None => Ok(of(wanted)),
    }
}

/// The third argument of a function of percentiles.
fn flag(name: &str, expr: &Expr) -> Result<bool> {
    match expr {
        Expr::Value(value) => match value.value {
            Value::Boolean(flag) => Some(flag),
            _ => None,
        },
        _ => None,
    }
    .ok_or_else(|| {
        Error::argument_value(format!(
            "function {name}: the third argument is true or false"
        ))
    })
}

fn is_null(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if value.value == Value::Null)
}

fn has_no_arguments(function: &Function) -> bool {
    matches!(&function.args, FunctionArguments::List(list) if list.args.is_empty())
}

fn set_arguments(function: &mut Function, arguments: Vec<Expr>) {
    if let FunctionArguments::List(list) = &mut function.args {
        let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
        list.args = arguments.into_iter().map(argument).collect();
    }
}

/// An array of `value` in an order, of which equal ones count once where they are to be distinct: all is gathered, then ordered.
fn ordered(
    mut function: Function,
    value: Expr,
    order: Vec<OrderByExpr>,
    is_distinct: bool,
) -> Expr {
    let mut how = if is_distinct { "!" } else { "" }.to_owned();
    let mut fields = vec![text("0"), value];
    for (number, OrderByExpr { expr, options, .. }) in order.into_iter().enumerate() {
        let ascending = options.asc.unwrap_or(true);
        // NULL is lower than any value.
        let nulls_first = options.nulls_first.unwrap_or(ascending);
        how.push(if ascending { '+' } else { '-' });
        how.push(if nulls_first { '<' } else { '>' });
        fields.extend([text(&(number + 1).to_string()), expr]);
    }
    rename(&mut function, "array_agg");
    if let FunctionArguments::List(list) = &mut function.args {
        list.duplicate_treatment = None;
    }
    set_arguments(&mut function, vec![call("named_struct", fields)]);
    call("__ordered_of", [Expr::Function(function), text(&how)])
}
