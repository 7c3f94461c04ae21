//! Table functions, which make rows: LATERAL VIEW and a select list alone may call them. Manual page:
//! "Lateral view", "UDTF".

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{Expr, ExprSchemable, ScalarUDF, lit};

use super::Described;
use super::call::is_list;
use crate::error::{Error, Result};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Described] = &[
    Described { name: "explode", usage: "explode(array|map value)", summary: "Makes a row of each item of an array or each pair of a map." },
    Described { name: "inline", usage: "inline(array<struct> value)", summary: "Makes a row of each struct of an array." },
    Described { name: "json_tuple", usage: "json_tuple(string json, string key1[, string key2, ...])", summary: "Returns several members of a JSON text as columns." },
    Described { name: "keyvalue_tuple", usage: "keyvalue_tuple(string str, string split1, string split2, string key1[, string key2, ...])", summary: "Returns the values of several keys of a text of pairs as columns." },
    Described { name: "parse_url_tuple", usage: "parse_url_tuple(string url, string part1[, string part2, ...])", summary: "Returns several parts of an address as columns; QUERY:k is the value of a key." },
    Described { name: "posexplode", usage: "posexplode(array value)", summary: "Makes a row of each item of an array, with its position from 0." },
    Described { name: "stack", usage: "stack(int n, value1[, value2, ...])", summary: "Arranges values in n rows." },
    Described { name: "trans_array", usage: "trans_array(int keys, string separator, key1, ..., column1, ...)", summary: "Splits the columns by a separator and makes a row of each piece, repeating the keys." },
    Described { name: "trans_cols", usage: "trans_cols(int keys, key1, ..., column1, ...)", summary: "Makes a row of each column, with its number from 1, repeating the keys." },
];

/// Whether a name is that of a table function.
pub(in crate::engine) fn is_table_function(name: &str) -> bool {
    let name = name.trim_matches('`').to_ascii_lowercase();
    FUNCTIONS.iter().any(|function| function.name == name)
}

/// A column that a table function makes: of a list a row per item, of other values one value.
pub(in crate::engine) struct Output {
    pub name: String,
    pub expr: Expr,
    pub is_list: bool,
    /// The field of the value that is the column.
    pub field: Option<String>,
}

/// The columns of a call.
pub(in crate::engine) fn plan_table_function(
    name: &str,
    mut arguments: Vec<Expr>,
    schema: &DFSchema,
    scalar: &dyn Fn(&str) -> Option<std::sync::Arc<ScalarUDF>>,
) -> Result<Vec<Output>> {
    let call = |function: &str, arguments: Vec<Expr>| match scalar(function) {
        Some(udf) => Ok(udf.call(arguments)),
        None => Err(Error::internal(format!("function {function} is not there"))),
    };
    let list = |name: &str, expr| Output {
        name: name.to_owned(),
        expr,
        is_list: true,
        field: None,
    };
    let wrong = |count| Err(Error::argument_count(name, count));
    let type_of = |expr: &Expr| {
        expr.get_type(schema)
            .map_err(|error| Error::semantic(error.strip_backtrace()))
    };
    let constant = |expr: &Expr| match expr {
        Expr::Literal(ScalarValue::Int64(Some(number)), _) if *number > 0 => Ok(*number as usize),
        _ => Err(Error::semantic(format!(
            "the first argument of {name} must be a constant number"
        ))),
    };
    let count = arguments.len();
    match name {
        "explode" | "posexplode" => {
            if count != 1 {
                return wrong(count);
            }
            let value = arguments.remove(0);
            let mut columns = match type_of(&value)? {
                ArrowType::Map(..) => vec![
                    list("key", call("map_keys", vec![value.clone()])?),
                    list("value", call("map_values", vec![value])?),
                ],
                given if is_list(&given) => {
                    vec![list(if name == "explode" { "col" } else { "val" }, value)]
                }
                given => {
                    let given = crate::engine::types::arrow_type_name(&given);
                    return Err(Error::semantic(format!(
                        "function {name} cannot match any overloaded functions with ({given})"
                    )));
                }
            };
            if name == "posexplode" {
                let positions = call("__positions", vec![columns[0].expr.clone()])?;
                columns.insert(0, list("pos", positions));
            }
            Ok(columns)
        }
        "inline" => {
            if count != 1 {
                return wrong(count);
            }
            let ArrowType::List(item) = type_of(&arguments[0])? else {
                return Err(Error::semantic("function inline needs an ARRAY of STRUCTs"));
            };
            let ArrowType::Struct(fields) = item.data_type() else {
                return Err(Error::semantic("function inline needs an ARRAY of STRUCTs"));
            };
            Ok(fields
                .iter()
                .map(|field| Output {
                    name: field.name().clone(),
                    expr: arguments[0].clone(),
                    is_list: true,
                    field: Some(field.name().clone()),
                })
                .collect())
        }
        "json_tuple" => {
            if count < 2 {
                return wrong(count);
            }
            let json = arguments.remove(0);
            let members = arguments.into_iter().enumerate().map(|(number, key)| {
                Ok(Output {
                    name: format!("c{number}"),
                    expr: call("__json_member", vec![json.clone(), key])?,
                    is_list: false,
                    field: None,
                })
            });
            members.collect()
        }
        "keyvalue_tuple" => {
            if count < 4 {
                return wrong(count);
            }
            let keys = arguments.split_off(3);
            let members = keys.into_iter().enumerate().map(|(number, key)| {
                let given = arguments.iter().cloned().chain([key]);
                Ok(Output {
                    name: format!("c{number}"),
                    expr: call("keyvalue", given.collect())?,
                    is_list: false,
                    field: None,
                })
            });
            members.collect()
        }
        "parse_url_tuple" => {
            if count < 2 {
                return wrong(count);
            }
            let url = arguments.remove(0);
            let members = arguments.into_iter().enumerate().map(|(number, part)| {
                Ok(Output {
                    name: format!("c{number}"),
                    expr: call("__url_part", vec![url.clone(), part])?,
                    is_list: false,
                    field: None,
                })
            });
            members.collect()
        }
        "stack" => {
            if count < 2 {
                return wrong(count);
            }
            let rows = constant(&arguments.remove(0))?;
            if !arguments.len().is_multiple_of(rows) {
                return Err(Error::argument_value(format!(
                    "function stack: {} values do not make {rows} rows",
                    arguments.len()
                )));
            }
            let width = arguments.len() / rows;
            let column = |number: usize| {
                let values = (0..rows).map(|row| {
                    arguments
                        .get(row * width + number)
                        .cloned()
                        .unwrap_or(lit(ScalarValue::Null))
                });
                Ok(list(
                    &format!("col{number}"),
                    call("make_array", values.collect())?,
                ))
            };
            (0..width).map(column).collect()
        }
        "trans_cols" => {
            if count < 3 {
                return wrong(count);
            }
            let keys = constant(&arguments.remove(0))?;
            if keys >= arguments.len() {
                return wrong(count);
            }
            let values = arguments.split_off(keys);
            let numbers = (1..=values.len() as i64).map(lit).collect();
            let mut columns = vec![list("idx", call("make_array", numbers)?)];
            columns.extend(
                arguments
                    .into_iter()
                    .enumerate()
                    .map(|(number, expr)| Output {
                        name: format!("col{number}"),
                        expr,
                        is_list: false,
                        field: None,
                    }),
            );
            let types = values.iter().map(type_of).collect::<Result<Vec<_>>>()?;
            let is_mixed = types.iter().any(|given| *given != types[0]);
            let texts = values.into_iter().map(|value| match is_mixed {
                true => call("cast", vec![value, lit("string")]),
                false => Ok(value),
            });
            let values = texts.collect::<Result<Vec<_>>>()?;
            columns.push(list(&format!("col{keys}"), call("make_array", values)?));
            Ok(columns)
        }
        "trans_array" => {
            if count < 4 {
                return wrong(count);
            }
            let keys = constant(&arguments.remove(0))?;
            let separator = arguments.remove(0);
            let mut columns = Vec::new();
            for (number, value) in arguments.into_iter().enumerate() {
                let is_key = number < keys;
                let is_array = is_list(&type_of(&value)?);
                columns.push(Output {
                    name: format!("col{number}"),
                    expr: match (is_key, is_array) {
                        (true, _) | (false, true) => value,
                        (false, false) => call("__split_plain", vec![value, separator.clone()])?,
                    },
                    is_list: !is_key,
                    field: None,
                });
            }
            Ok(columns)
        }
        other => Err(Error::semantic(format!(
            "function or view '{other}' cannot be resolved"
        ))),
    }
}
