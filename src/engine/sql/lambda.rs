//! Functions that take a function: those that the planner has not are written with those it has. Manual
//! page: "Complex type functions".

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, LambdaFunction, LambdaFunctionParameter, LambdaSyntax, OneOrManyWithParens,
    VisitMut, VisitorMut,
};

use super::build::{call, not, text};
use crate::error::{Error, Result};

/// The one parameter of the functions made here.
const ITEM: &str = "__item";

/// `name(arguments)` where the last argument is a function and the planner has no function of that name;
/// `None` for other names.
pub(super) fn rewrite_higher(name: &str, arguments: &[Expr]) -> Option<Result<Expr>> {
    let wanted = match name {
        "all_match" => (2, 1),
        "map_zip_with" => (3, 3),
        // Its other form takes no function.
        "array_sort" if arguments.len() == 2 => {
            return Some(Ok(call("__array_sort_by", arguments.to_vec())));
        }
        "zip_with" => (3, 2),
        "map_filter" | "transform_keys" | "transform_values" => (2, 2),
        _ => return None,
    };
    Some(rewrite(name, arguments, wanted))
}

fn rewrite(name: &str, arguments: &[Expr], (count, parameters): (usize, usize)) -> Result<Expr> {
    // What becomes of equal keys may stand first.
    let (policy, arguments) = match arguments {
        [first, rest @ ..] if name == "transform_keys" && rest.len() == count => {
            (Some(first), rest)
        }
        _ => (None, arguments),
    };
    if arguments.len() != count {
        return Err(Error::argument_count(name, arguments.len()));
    }
    let Some(Expr::Lambda(lambda)) = arguments.last() else {
        return Err(Error::argument_type(format!(
            "the last argument of function {name} is a function such as x -> x > 1"
        )));
    };
    let names: Vec<&str> = match &lambda.params {
        OneOrManyWithParens::One(one) => vec![&one.name.value],
        OneOrManyWithParens::Many(many) => many.iter().map(|p| p.name.value.as_str()).collect(),
    };
    if names.len() != parameters {
        return Err(Error::argument_type(format!(
            "the function given to {name} takes {parameters} parameters, not {}",
            names.len()
        )));
    }
    let item = || Expr::Identifier(Ident::with_quote('`', ITEM));
    let field = |field: &str| call("get_field", [item(), text(field)]);
    // The body with its parameters read from fields of the one item.
    let body = |fields: &[&str]| {
        let mut body = lambda.body.as_ref().clone();
        let fields = fields.iter().map(|name| field(name));
        let mut replacing = Replacing {
            names: names.iter().copied().zip(fields).collect(),
        };
        let _ = body.visit(&mut replacing);
        body
    };
    let pairs = || call("map_entries", [arguments[0].clone()]);
    let pair =
        |key: Expr, value: Expr| call("named_struct", [text("key"), key, text("value"), value]);
    Ok(match name {
        "all_match" => {
            let opposite = one_parameter(names[0], not(lambda.body.as_ref().clone()));
            not(call("array_any_match", [arguments[0].clone(), opposite]))
        }
        "zip_with" => {
            let zipped = call("arrays_zip", [arguments[0].clone(), arguments[1].clone()]);
            call(
                "array_transform",
                [zipped, one_parameter(ITEM, body(&["0", "1"]))],
            )
        }
        "map_zip_with" => {
            let zipped = call("__map_zip", [arguments[0].clone(), arguments[1].clone()]);
            let made = pair(field("key"), body(&["key", "0", "1"]));
            let made = call("array_transform", [zipped, one_parameter(ITEM, made)]);
            call("map_from_entries", [made])
        }
        "map_filter" => {
            let kept = one_parameter(ITEM, body(&["key", "value"]));
            call("map_from_entries", [call("array_filter", [pairs(), kept])])
        }
        other => {
            let made = body(&["key", "value"]);
            let made = match other {
                "transform_keys" => pair(made, field("value")),
                _ => pair(field("key"), made),
            };
            let made = call("array_transform", [pairs(), one_parameter(ITEM, made)]);
            call(
                "map_from_entries",
                policy.cloned().into_iter().chain([made]),
            )
        }
    })
}

/// Reads `x.f` in the body of a function of x as a field, not as a column of a relation x.
pub(super) fn fields_of_parameters(lambda: &mut LambdaFunction) {
    let names: Vec<Ident> = match &lambda.params {
        OneOrManyWithParens::One(one) => vec![one.name.clone()],
        OneOrManyWithParens::Many(many) => many.iter().map(|p| p.name.clone()).collect(),
    };
    let mut replacing = Replacing {
        names: names
            .iter()
            .map(|name| (name.value.as_str(), Expr::Identifier(name.clone())))
            .collect(),
    };
    let _ = lambda.body.visit(&mut replacing);
}

fn one_parameter(name: &str, body: Expr) -> Expr {
    Expr::Lambda(LambdaFunction {
        params: OneOrManyWithParens::One(LambdaFunctionParameter {
            name: Ident::with_quote('`', name),
            data_type: None,
        }),
        body: Box::new(body),
        syntax: LambdaSyntax::Arrow,
    })
}

/// Puts expressions in the place of names.
struct Replacing<'a> {
    names: Vec<(&'a str, Expr)>,
}

impl VisitorMut for Replacing<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let (name, fields) = match expr {
            Expr::Identifier(name) => (&*name, &[][..]),
            Expr::CompoundIdentifier(parts) => match parts.split_first() {
                Some((name, fields)) => (name, fields),
                None => return ControlFlow::Continue(()),
            },
            _ => return ControlFlow::Continue(()),
        };
        let known = self.names.iter().find(|(known, _)| *known == name.value);
        if let Some((_, replacement)) = known {
            *expr = fields.iter().fold(replacement.clone(), |value, field| {
                call("get_field", [value, text(&field.value)])
            });
        }
        ControlFlow::Continue(())
    }
}
