//! Tables as they were: `t VERSION AS OF n`, `t TIMESTAMP AS OF x`, and the rows that came in between.
//! Manual page: "Time travel and incremental queries".

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, ObjectName, ObjectNamePart, SetExpr,
    TableAlias, TableFactor, UnaryOperator, Value,
};

use super::Rewriting;
use super::build::{PLAIN_MARK, arguments, literal_number, literal_text};
use super::tokens::AS_OF;
use crate::engine::Point;
use crate::engine::cast::{instant_of, parse_date, parse_time};
use crate::error::{Error, Result};

/// A table under a point in time has a name of its own: `t`, the mark, the point.
pub(in crate::engine) fn split_point(name: &str) -> Result<(&str, Option<Point>)> {
    let Some((table, point)) = name.split_once(PLAIN_MARK) else {
        return Ok((name, None));
    };
    let wrong = || Error::internal("a point in time has a form");
    let (kind, number) = point.split_at_checked(1).ok_or_else(wrong)?;
    let number: i64 = number.parse().map_err(|_| wrong())?;
    Ok((
        table,
        Some(match kind {
            "v" => Point::Version(number),
            "t" => Point::Instant(number),
            "c" => Point::VersionOfChanges(number),
            "d" => Point::InstantOfChanges(number),
            _ => return Err(wrong()),
        }),
    ))
}

fn marked(point: Point) -> String {
    match point {
        Point::Version(number) => format!("v{number}"),
        Point::Instant(number) => format!("t{number}"),
        Point::VersionOfChanges(number) => format!("c{number}"),
        Point::InstantOfChanges(number) => format!("d{number}"),
    }
}

/// Puts the table at its point in time in the place of a table with such a clause.
pub(super) fn rewrite_version(
    factor: &mut TableFactor,
    rewriting: &mut Rewriting<'_>,
) -> Result<()> {
    let TableFactor::Table {
        name, alias, args, ..
    } = factor
    else {
        return Ok(());
    };
    let Some((kind, points)) = args.as_ref().and_then(|args| clause(&args.args)) else {
        return Ok(());
    };
    let is_version = kind == "version";
    let mut values = Vec::new();
    for point in &points {
        values.push(match is_version {
            true => version(point, rewriting)?,
            false => instant(point, rewriting)?,
        });
    }
    *args = None;
    let Some(ObjectNamePart::Identifier(last)) = name.0.last() else {
        return Ok(());
    };
    let alias = alias.take().unwrap_or_else(|| TableAlias {
        explicit: true,
        name: last.clone(),
        columns: Vec::new(),
        at: None,
    });
    let at = |point: Point| {
        let mut name = name.clone();
        if let Some(ObjectNamePart::Identifier(last)) = name.0.last_mut() {
            let table = last.value.to_lowercase();
            last.value = format!("{table}{PLAIN_MARK}{}", marked(point));
            last.quote_style = Some('`');
        }
        name
    };
    let mut made = match (values.as_slice(), is_version) {
        ([number], true) => relation(at(Point::Version(*number))),
        ([number], false) => relation(at(Point::Instant(*number))),
        ([start, end], true) => changes(
            at(Point::VersionOfChanges(*start)),
            at(Point::VersionOfChanges(*end)),
        ),
        ([start, end], false) => changes(
            at(Point::InstantOfChanges(*start)),
            at(Point::InstantOfChanges(*end)),
        ),
        _ => return Err(Error::internal("a point in time has a form")),
    };
    if let TableFactor::Table { alias: place, .. } | TableFactor::Derived { alias: place, .. } =
        &mut made
    {
        *place = Some(alias);
    }
    *factor = made;
    Ok(())
}

/// The kind and the points of a clause, as the tokens have them.
fn clause(args: &[FunctionArg]) -> Option<(String, Vec<Expr>)> {
    let mut plain = args.iter().filter_map(|argument| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    if literal_text(plain.next()?)? != AS_OF {
        return None;
    }
    let kind = literal_text(plain.next()?)?.to_owned();
    Some((kind, plain.cloned().collect()))
}

fn relation(name: ObjectName) -> TableFactor {
    let mut query = super::parse_own("select * from t");
    if let SetExpr::Select(select) = &mut *query.body
        && let Some(from) = select.from.first_mut()
    {
        if let TableFactor::Table { name: place, .. } = &mut from.relation {
            *place = name;
        }
        return from.relation.clone();
    }
    TableFactor::Derived {
        lateral: false,
        subquery: Box::new(query),
        alias: None,
        sample: None,
    }
}

/// The rows at `end` that were not there at `start`.
fn changes(start: ObjectName, end: ObjectName) -> TableFactor {
    let mut query = super::parse_own("select * from a except all select * from b");
    if let SetExpr::SetOperation { left, right, .. } = &mut *query.body {
        for (side, name) in [(left, end), (right, start)] {
            if let SetExpr::Select(select) = &mut **side
                && let Some(from) = select.from.first_mut()
                && let TableFactor::Table { name: place, .. } = &mut from.relation
            {
                *place = name;
            }
        }
    }
    TableFactor::Derived {
        lateral: false,
        subquery: Box::new(query),
        alias: None,
        sample: None,
    }
}

/// `get_latest_version('t' [, n])` and `get_latest_timestamp('t' [, n])`.
fn latest(expr: &Expr, wanted: &str, rewriting: &mut Rewriting<'_>) -> Result<Option<(i64, i64)>> {
    let Expr::Function(function) = expr else {
        return Ok(None);
    };
    if !function.name.to_string().eq_ignore_ascii_case(wanted) {
        return Ok(None);
    }
    let wrong = || Error::argument_type(format!("function {wanted} needs the name of a table"));
    let given = arguments(function).ok_or_else(wrong)?;
    let table = given.first().and_then(literal_text).ok_or_else(wrong)?;
    let nth = match given.get(1) {
        None => 1,
        Some(nth) => match literal_number(nth) {
            Some(nth) if nth >= 1.0 => nth as usize,
            _ => {
                return Err(Error::argument_value(format!(
                    "function {wanted}: n is at least 1"
                )));
            }
        },
    };
    let table = table.to_lowercase();
    let (project, table) = match table.split_once('.') {
        Some((project, table)) => (Some(project), table),
        None => (None, table.as_str()),
    };
    (rewriting.latest)(project, table, nth).map(Some)
}

fn version(expr: &Expr, rewriting: &mut Rewriting<'_>) -> Result<i64> {
    if let Some((version, _)) = latest(expr, "get_latest_version", rewriting)? {
        return Ok(version);
    }
    let text = literal_text(expr).and_then(|text| text.parse::<i64>().ok());
    let number = literal_number(expr).filter(|number| number.fract() == 0.0);
    text.or(number.map(|number| number as i64))
        .ok_or_else(|| Error::semantic("VERSION AS OF needs a constant whole number"))
}

/// An instant in milliseconds. Plain numbers added to one are seconds.
fn instant(expr: &Expr, rewriting: &mut Rewriting<'_>) -> Result<i64> {
    if let Some((_, at_ms)) = latest(expr, "get_latest_timestamp", rewriting)? {
        return Ok(at_ms);
    }
    let wrong = || {
        Error::semantic(
            "TIMESTAMP AS OF needs a constant time such as '2023-01-01 00:00:00' or getdate() - 10",
        )
    };
    match expr {
        Expr::Nested(inner) => instant(inner, rewriting),
        Expr::TypedString(typed) => match &typed.value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => {
                instant_of_text(text, rewriting).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        },
        Expr::Function(function) => match function.name.to_string().to_lowercase().as_str() {
            "getdate" | "now" | "current_timestamp" => Ok(rewriting.options.now_ms),
            // A typed literal or a cast of a text.
            "cast" => {
                let given = arguments(function).unwrap_or_default();
                let text = given.first().and_then(literal_text).ok_or_else(wrong)?;
                instant_of_text(text, rewriting).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        },
        Expr::BinaryOp {
            left,
            op: op @ (BinaryOperator::Plus | BinaryOperator::Minus),
            right,
        } => {
            let seconds = literal_number(right).ok_or_else(wrong)?;
            let millis = (seconds * 1000.0) as i64;
            let from = instant(left, rewriting)?;
            Ok(match op {
                BinaryOperator::Plus => from.saturating_add(millis),
                _ => from.saturating_sub(millis),
            })
        }
        Expr::UnaryOp {
            op: UnaryOperator::Plus,
            expr,
        } => instant(expr, rewriting),
        other => {
            let text = literal_text(other).ok_or_else(wrong)?;
            instant_of_text(text, rewriting).ok_or_else(wrong)
        }
    }
}

fn instant_of_text(text: &str, rewriting: &Rewriting<'_>) -> Option<i64> {
    let text = text.trim();
    let midnight = || parse_date(text)?.and_hms_opt(0, 0, 0);
    let time = parse_time(text).or_else(midnight)?;
    Some(instant_of(time, rewriting.options.zone)?.timestamp_millis())
}
