//! Calls: functions of MaxCompute become the planner's, some become expressions.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentClause, FunctionArguments, Ident, NullTreatment, ObjectName, ObjectNamePart,
    Spanned, Value,
};

use super::Rewriting;
use super::call::{arguments, binary, call, case, literal_text, null, number, order_by, text};
use super::dialect::CAST;
use super::tokens::offset;
use super::window::default_frame_of;
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
    default_frame_of(&mut function);
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
    let rename = |function: &mut Function, name: &str| {
        function.name = ObjectName::from(vec![Ident::new(name)]);
    };
    let made = match name.as_str() {
        "if" => {
            needs(3..=3)?;
            case(vec![(next(), next())], Some(next()))
        }
        "nvl" => {
            needs(2..=2)?;
            first_known(taken.collect())
        }
        "coalesce" if count > 0 => first_known(taken.collect()),
        "nvl2" => {
            needs(3..=3)?;
            case(
                vec![(Expr::IsNotNull(Box::new(next())), next())],
                Some(next()),
            )
        }
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
        "getdate" | "now" | "current_timestamp" | "current_date" | "localtimestamp" => {
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
            let (project, table) = match table.split_once('.') {
                Some((project, table)) => (Some(project), table),
                None => (None, table.as_str()),
            };
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
        "count_if" => {
            needs(1..=1)?;
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
            let value = call(CAST, [next(), text("string")]);
            within_group_as_order(&mut function);
            set_arguments(&mut function, vec![value, separator]);
            rename(&mut function, "string_agg");
            Expr::Function(function)
        }
        "collect_list" | "collect_set" => {
            needs(1..=1)?;
            let value = next();
            let known = Expr::IsNotNull(Box::new(value));
            function.filter = Some(Box::new(match function.filter.take() {
                Some(filter) => binary(*filter, BinaryOperator::And, known),
                None => known,
            }));
            if name == "collect_set"
                && let FunctionArguments::List(list) = &mut function.args
            {
                list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
            }
            within_group_as_order(&mut function);
            rename(&mut function, "array_agg");
            Expr::Function(function)
        }
        "max_by" | "arg_max" | "min_by" | "arg_min" => {
            needs(2..=2)?;
            let (first, second) = (next(), next());
            let (value, key) = if name.ends_with("_by") {
                (first, second)
            } else {
                (second, first)
            };
            let known = Expr::IsNotNull(Box::new(key.clone()));
            function.filter = Some(Box::new(match function.filter.take() {
                Some(filter) => binary(*filter, BinaryOperator::And, known),
                None => known,
            }));
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
            let value = call("__number", [next()]);
            set_arguments(&mut function, vec![value]);
            if let Some((_, planned)) = NAMES.iter().find(|(ours, _)| *ours == name) {
                rename(&mut function, planned);
            }
            Expr::Function(function)
        }
        "median" => {
            needs(1..=1)?;
            let value = call(CAST, [next(), text("double")]);
            set_arguments(&mut function, vec![value]);
            Expr::Function(function)
        }
        "percentile" | "percentile_approx" | "percentile_cont" | "approx_percentile" => {
            needs(2..=3)?;
            let value = call(CAST, [next(), text("double")]);
            let wanted = next();
            rename(&mut function, "percentile_cont");
            let list = match &wanted {
                Expr::Function(array)
                    if array.name.to_string().trim_matches('`') == "make_array" =>
                {
                    arguments(array)
                }
                _ => None,
            };
            match list {
                Some(list) => {
                    let each = list.into_iter().map(|share| {
                        let mut one = function.clone();
                        set_arguments(&mut one, vec![value.clone(), share]);
                        Expr::Function(one)
                    });
                    call("make_array", each)
                }
                None => {
                    set_arguments(&mut function, vec![value, wanted]);
                    Expr::Function(function)
                }
            }
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
        _ => {
            if let Some((_, planned)) = NAMES.iter().find(|(ours, _)| *ours == name) {
                rename(&mut function, planned);
            }
            Expr::Function(function)
        }
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
];

fn is_distinct(function: &Function) -> bool {
    matches!(&function.args, FunctionArguments::List(list) if list.duplicate_treatment == Some(DuplicateTreatment::Distinct))
}

fn set_arguments(function: &mut Function, arguments: Vec<Expr>) {
    if let FunctionArguments::List(list) = &mut function.args {
        let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
        list.args = arguments.into_iter().map(argument).collect();
    }
}

fn within_group_as_order(function: &mut Function) {
    let order = std::mem::take(&mut function.within_group);
    if !order.is_empty()
        && let FunctionArguments::List(list) = &mut function.args
    {
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
}
