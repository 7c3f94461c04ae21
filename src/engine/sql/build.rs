//! Small pieces of parsed SQL, made by hand.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, OrderByExpr, OrderByOptions, UnaryOperator, Value,
};

/// Separates a name from what makes it unique: `a` twice is `a` and `a\u{1}1`.
pub(in crate::engine) const PLAIN_MARK: char = '\u{1}';

/// `name(arguments)`.
pub(in crate::engine) fn call(name: &str, arguments: impl IntoIterator<Item = Expr>) -> Expr {
    let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: arguments.into_iter().map(argument).collect(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// `'value'`.
pub(in crate::engine) fn text(value: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.to_owned()).into())
}

pub(in crate::engine) fn number(value: impl ToString) -> Expr {
    Expr::Value(Value::Number(value.to_string(), false).into())
}

pub(in crate::engine) fn boolean(value: bool) -> Expr {
    Expr::Value(Value::Boolean(value).into())
}

pub(in crate::engine) fn null() -> Expr {
    Expr::Value(Value::Null.into())
}

pub(in crate::engine) fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    let nested = |expr| Box::new(Expr::Nested(Box::new(expr)));
    Expr::BinaryOp {
        left: nested(left),
        op,
        right: nested(right),
    }
}

pub(in crate::engine) fn not(expr: Expr) -> Expr {
    Expr::UnaryOp {
        op: UnaryOperator::Not,
        expr: Box::new(Expr::Nested(Box::new(expr))),
    }
}

pub(in crate::engine) fn equal(left: Expr, right: Expr) -> Expr {
    binary(left, BinaryOperator::Eq, right)
}

pub(in crate::engine) fn and(left: Expr, right: Expr) -> Expr {
    binary(left, BinaryOperator::And, right)
}

pub(in crate::engine) fn less(left: Expr, right: Expr) -> Expr {
    binary(left, BinaryOperator::Lt, right)
}

/// Whether a row is in a bucket, numbered from 1, of how many there are: by the hash in `place`, or by lot.
pub(in crate::engine) fn in_bucket(place: Option<Expr>, [total, bucket]: [Expr; 2]) -> Expr {
    let place = match place {
        None => call(
            "floor",
            [binary(call("rand", []), BinaryOperator::Multiply, total)],
        ),
        Some(hash) => {
            let rest = binary(hash, BinaryOperator::Modulo, total.clone());
            let positive = binary(rest, BinaryOperator::Plus, total.clone());
            binary(positive, BinaryOperator::Modulo, total)
        }
    };
    let wanted = binary(bucket, BinaryOperator::Minus, number(1));
    Expr::Nested(Box::new(equal(place, wanted)))
}

/// The value of a number literal.
pub(in crate::engine) fn literal_number(expr: &Expr) -> Option<f64> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.parse().ok(),
            _ => None,
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => literal_number(expr).map(|n| -n),
        Expr::Nested(inner) => literal_number(inner),
        _ => None,
    }
}

/// `CASE WHEN … THEN … ELSE … END`.
pub(in crate::engine) fn case(branches: Vec<(Expr, Expr)>, otherwise: Option<Expr>) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: branches
            .into_iter()
            .map(|(condition, result)| CaseWhen { condition, result })
            .collect(),
        else_result: otherwise.map(Box::new),
    }
}

pub(in crate::engine) fn order_by(expr: Expr, ascending: bool) -> OrderByExpr {
    OrderByExpr {
        expr,
        options: OrderByOptions {
            asc: Some(ascending),
            nulls_first: None,
        },
        with_fill: None,
    }
}

/// The name of a function as it is called, without quotes.
pub(in crate::engine) fn name_of(function: &Function) -> String {
    let name = function.name.to_string();
    name.trim_matches('`').to_owned()
}

/// Has a call call another function.
pub(in crate::engine) fn rename(function: &mut Function, name: &str) {
    function.name = ObjectName::from(vec![Ident::new(name)]);
}

/// The plain arguments of a call; `None` where it has others, such as `*` or named ones.
pub(in crate::engine) fn arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    list.args
        .iter()
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        })
        .collect()
}

/// The text of a string literal.
pub(in crate::engine) fn literal_text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => Some(text),
            _ => None,
        },
        Expr::Nested(inner) => literal_text(inner),
        _ => None,
    }
}

/// Names are kept and shown in lower case.
pub(in crate::engine) fn lower(ident: &mut Ident) {
    ident.value = ident.value.to_lowercase();
}
