//! One pass over a parsed query: what MaxCompute means, in what the planner understands.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::visit_expressions;
use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, DateTimeField, Distinct, Expr, GroupByExpr, Ident, Interval,
    ObjectName, ObjectNamePart, OneOrManyWithParens, OrderBy, OrderByExpr, OrderByKind,
    PivotValueSource, Query, Select, SelectFlavor, SelectItem, SetExpr, Spanned, Subscript,
    TableFactor, TrimWhereField, Value, ValueWithSpan, VisitMut, VisitorMut,
};

use super::build::{
    PLAIN_MARK, arguments, binary, call, literal_text, lower, name_of, not, null, number, order_by,
    text,
};
use super::chosen;
use super::dialect::{CAST, DESCENDING, SORTED};
use super::function::rewrite_call;
use super::grouping::grouping;
use super::lambda::fields_of_parameters;
use super::lateral::{self, selected_table_function};
use super::relation::{self, EXCEPT_ALL_MARK, INTERSECT_ALL_MARK, LATERAL_MARK, set_operations};
use super::rows;
use super::tokens::offset;
use super::version::rewrite_version;
use super::window;
use crate::engine::Options;
use crate::error::{Error, Result};

/// Asks for the largest partition value of a project's table.
pub(in crate::engine) type MaxPartition<'a> =
    dyn FnMut(Option<&str>, &str) -> Result<Option<String>> + 'a;

/// Asks for the nth last change of the rows of a project's table.
pub(in crate::engine) type Latest<'a> =
    dyn FnMut(Option<&str>, &str, usize) -> Result<(i64, i64)> + 'a;

/// Asks for a project's table, or for a partition of it.
pub(in crate::engine) type Exists<'a> =
    dyn FnMut(Option<&str>, &str, Option<&str>) -> Result<bool> + 'a;

/// What the pass needs to know.
pub(in crate::engine) struct Rewriting<'a> {
    pub options: &'a Options,
    pub text: &'a str,
    /// The largest partition value of a table's first level that holds data.
    pub max_partition: &'a mut MaxPartition<'a>,
    /// The LSN and the time of the nth last change of a table's rows.
    pub latest: &'a mut Latest<'a>,
    /// Whether there is a table, or a partition of it.
    pub exists: &'a mut Exists<'a>,
}

/// Rewrites `query`.
///
/// # Errors
/// What MaxCompute refuses and the planner would not.
pub(in crate::engine) fn rewrite(query: &mut Query, rewriting: &mut Rewriting<'_>) -> Result<()> {
    match query.visit(&mut Rewriter(rewriting)) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

struct Rewriter<'a, 'b>(&'a mut Rewriting<'b>);

type Flow = ControlFlow<Error>;

fn flow(result: Result<()>) -> Flow {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

impl VisitorMut for Rewriter<'_, '_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> Flow {
        flow(self.query(query))
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> Flow {
        flow(self.select(select))
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> Flow {
        for part in &mut relation.0 {
            if let ObjectNamePart::Identifier(ident) = part {
                lower(ident);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> Flow {
        flow(self.table_factor(factor))
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        match expr {
            Expr::Identifier(ident) => lower(ident),
            Expr::CompoundIdentifier(parts) => parts.iter_mut().for_each(lower),
            Expr::Lambda(lambda) => match &mut lambda.params {
                OneOrManyWithParens::One(param) => lower(&mut param.name),
                OneOrManyWithParens::Many(params) => {
                    params.iter_mut().for_each(|param| lower(&mut param.name));
                }
            },
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> Flow {
        flow(self.expr(expr))
    }

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> Flow {
        if let Value::DoubleQuotedString(text) = &value.value {
            value.value = Value::SingleQuotedString(text.clone());
        }
        ControlFlow::Continue(())
    }
}

impl Rewriter<'_, '_> {
    fn query(&mut self, query: &mut Query) -> Result<()> {
        if let Some(with) = &mut query.with {
            for cte in &mut with.cte_tables {
                lower(&mut cte.alias.name);
                cte.alias
                    .columns
                    .iter_mut()
                    .for_each(|c| lower(&mut c.name));
            }
        }
        if !query.pipe_operators.is_empty() || !query.locks.is_empty() || query.for_clause.is_some()
        {
            return Err(Error::not_supported("this clause of a query"));
        }
        set_operations(&mut query.body)?;
        grouping(query)?;
        let options = self.0.options;
        if let Some(OrderBy {
            kind: OrderByKind::Expressions(orders),
            ..
        }) = &mut query.order_by
        {
            if options.order_by_needs_limit && query.limit_clause.is_none() && query.fetch.is_none()
            {
                let error = Error::semantic("ORDER BY must be used with a LIMIT clause");
                let first = orders.first().map_or(0, |order| offset(order.span().start));
                let at = self.0.text[..first.min(self.0.text.len())]
                    .to_ascii_lowercase()
                    .rfind("order");
                return Err(error
                    .at(at.unwrap_or(first))
                    .hint("set odps.sql.validate.orderby.limit=false; allows it"));
            }
            if !options.order_by_position {
                // A number is a constant, not a position.
                orders.retain(|order| !is_number(&order.expr));
            }
        }
        if matches!(&query.order_by, Some(OrderBy { kind: OrderByKind::Expressions(orders), .. }) if orders.is_empty())
        {
            query.order_by = None;
        }
        if let (SetExpr::Select(select), Some(order)) = (&*query.body, &mut query.order_by) {
            window::Named::new(&select.named_window)?.apply(order)?;
        }
        // SORT BY and CLUSTER BY order the result: one machine is one reducer.
        if let SetExpr::Select(select) = &mut *query.body {
            if !select.cluster_by.is_empty()
                || !select.distribute_by.is_empty()
                || !select.sort_by.is_empty()
            {
                if query.order_by.is_some() {
                    return Err(Error::semantic(
                        "ORDER BY cannot be used together with DISTRIBUTE BY, SORT BY or CLUSTER BY",
                    ));
                }
                let distributes = !select.distribute_by.is_empty() || !select.sort_by.is_empty();
                if !select.cluster_by.is_empty() && distributes {
                    return Err(Error::semantic(
                        "CLUSTER BY cannot be used together with DISTRIBUTE BY or SORT BY",
                    ));
                }
            }
            let mut orders: Vec<OrderByExpr> = std::mem::take(&mut select.sort_by);
            orders.extend(
                std::mem::take(&mut select.cluster_by)
                    .into_iter()
                    .map(|expr| order_by(expr, true)),
            );
            select.distribute_by.clear();
            if let Some(Expr::Function(function)) = &select.having
                && function.name.to_string() == SORTED
            {
                let mut parts = arguments(function).unwrap_or_default().into_iter();
                select.having = parts.next();
                orders.extend(parts.map(sort_key));
            }
            if !orders.is_empty() {
                query.order_by = Some(OrderBy {
                    kind: OrderByKind::Expressions(orders),
                    interpolate: None,
                });
            }
        }
        Ok(())
    }

    fn select(&mut self, select: &mut Select) -> Result<()> {
        if select.distinct.is_some()
            && matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if !keys.is_empty())
        {
            return Err(Error::semantic(
                "SELECT DISTINCT and GROUP BY can not be in the same query",
            ));
        }
        if select.flavor == SelectFlavor::FromFirstNoSelect {
            return Err(Error::semantic("a query needs SELECT"));
        }
        if matches!(select.distinct, Some(Distinct::On(_))) {
            return Err(Error::not_supported("SELECT DISTINCT ON"));
        }
        let windows = window::Named::new(&std::mem::take(&mut select.named_window))?;
        windows.apply(&mut select.projection)?;
        windows.apply(&mut select.qualify)?;
        if let Some(condition) = &select.qualify
            && !window::has_calls(condition)
            && !window::has_calls(&select.projection)
        {
            let at = offset(condition.span().start);
            return Err(Error::semantic("use QUALIFY clause without window function").at(at));
        }
        if !self.0.options.group_by_position {
            constant_keys(&mut select.group_by);
        }
        lateral::fold_select(select)?;
        selected_table_function(select)?;
        rows::conditions(select)?;
        let relations = relation::names(&select.from);
        if chosen::has_patterns(select) {
            return chosen::choose(select, |items| name_outputs(items, &relations));
        }
        name_outputs(&mut select.projection, &relations);
        Ok(())
    }

    fn table_factor(&mut self, factor: &mut TableFactor) -> Result<()> {
        rewrite_version(factor, self.0)?;
        if let TableFactor::NestedJoin {
            table_with_joins, ..
        } = factor
        {
            lateral::fold(table_with_joins)?;
        }
        let alias = match factor {
            TableFactor::Table {
                alias,
                version,
                with_hints,
                partitions,
                ..
            } => {
                if version.is_some() {
                    return Err(Error::not_supported("VERSION AS OF in a query"));
                }
                if !with_hints.is_empty() || !partitions.is_empty() {
                    return Err(Error::not_supported("this form of a table in FROM"));
                }
                alias
            }
            TableFactor::Derived { alias, .. }
            | TableFactor::NestedJoin { alias, .. }
            | TableFactor::UNNEST { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::TableFunction { alias, .. } => alias,
            TableFactor::Unpivot { name, .. }
                if name.value.starts_with(LATERAL_MARK)
                    || [EXCEPT_ALL_MARK, INTERSECT_ALL_MARK].contains(&name.value.as_str()) =>
            {
                return Ok(());
            }
            TableFactor::Pivot {
                alias,
                value_source: PivotValueSource::List(_),
                default_on_null: None,
                ..
            }
            | TableFactor::Unpivot { alias, .. } => alias,
            TableFactor::Pivot { .. } => {
                return Err(Error::not_supported("this form of PIVOT"));
            }
            _ => return Err(Error::not_supported("this form of a table in FROM")),
        };
        if let Some(alias) = alias {
            lower(&mut alias.name);
            alias
                .columns
                .iter_mut()
                .for_each(|column| lower(&mut column.name));
        }
        Ok(())
    }

    fn expr(&mut self, expr: &mut Expr) -> Result<()> {
        let taken = std::mem::replace(expr, null());
        *expr = match taken {
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } if is_random(&expr) => {
                // Drawn once. Upstream: apache/datafusion 25457.
                let inside = call("__between", [*expr, *low, *high]);
                if negated { not(inside) } else { inside }
            }
            Expr::Between {
                expr,
                negated,
                low,
                high,
            } => {
                let inside = binary(
                    binary((*expr).clone(), BinaryOperator::GtEq, *low),
                    BinaryOperator::And,
                    binary(*expr, BinaryOperator::LtEq, *high),
                );
                let inside = Expr::Nested(Box::new(inside));
                if negated { not(inside) } else { inside }
            }
            Expr::RLike {
                negated,
                expr,
                pattern,
                ..
            } => {
                let matched = call("rlike", [*expr, *pattern]);
                if negated { not(matched) } else { matched }
            }
            Expr::Like {
                negated,
                any: true,
                expr,
                pattern,
                ..
            } => {
                let patterns = match *pattern {
                    Expr::Tuple(patterns) => patterns,
                    Expr::Nested(pattern) => vec![*pattern],
                    other => vec![other],
                };
                let like = |pattern| Expr::Like {
                    negated: false,
                    any: false,
                    expr: expr.clone(),
                    pattern: Box::new(pattern),
                    escape_char: None,
                };
                let any = patterns
                    .into_iter()
                    .map(like)
                    .reduce(|a, b| binary(a, BinaryOperator::Or, b));
                let any = Expr::Nested(Box::new(any.unwrap_or_else(null)));
                if negated { not(any) } else { any }
            }
            Expr::Like {
                negated,
                any: false,
                expr,
                pattern,
                escape_char,
            } => match *pattern {
                // `LIKE ALL ('a%', '%b')` reads like a call.
                Expr::Function(function) if function.name.to_string() == "`all`" => {
                    let like = |pattern| Expr::Like {
                        negated: false,
                        any: false,
                        expr: expr.clone(),
                        pattern: Box::new(pattern),
                        escape_char: None,
                    };
                    let patterns = arguments(&function).unwrap_or_default().into_iter();
                    let all = patterns
                        .map(like)
                        .reduce(|a, b| binary(a, BinaryOperator::And, b));
                    let all = Expr::Nested(Box::new(all.unwrap_or_else(null)));
                    if negated { not(all) } else { all }
                }
                pattern => Expr::Like {
                    negated,
                    any: false,
                    expr,
                    pattern: Box::new(pattern),
                    escape_char,
                },
            },
            Expr::ILike { .. } => return Err(Error::not_supported("ILIKE")),
            Expr::Ceil { expr, .. } => call("ceil", [*expr]),
            Expr::Floor { expr, .. } => call("floor", [*expr]),
            Expr::Extract { field, expr, .. } => {
                call("datepart", [*expr, text(&field.to_string().to_lowercase())])
            }
            Expr::Substring {
                expr,
                substring_from,
                substring_for,
                ..
            } => {
                let from = substring_from.map_or_else(|| number(1), |from| *from);
                call(
                    "substring",
                    [Some(*expr), Some(from), substring_for.map(|length| *length)]
                        .into_iter()
                        .flatten(),
                )
            }
            Expr::Trim {
                expr,
                trim_where,
                trim_what,
                trim_characters,
            } => {
                let name = match trim_where {
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                    Some(TrimWhereField::Both) | None => "trim",
                };
                let what = trim_what
                    .map(|what| *what)
                    .or(trim_characters.and_then(|mut all| all.pop()));
                call(name, std::iter::once(*expr).chain(what))
            }
            Expr::Position { expr, r#in } => call("locate", [*expr, *r#in]),
            Expr::CompoundFieldAccess { root, access_chain } => {
                let mut access_chain = access_chain.into_iter().peekable();
                let mut value = *root;
                // `t.c[0]`: what stands before the first bracket is a name.
                let mut parts = match &value {
                    Expr::Identifier(ident) => vec![ident.clone()],
                    _ => Vec::new(),
                };
                while !parts.is_empty() {
                    match access_chain.next_if(|access| matches!(access, AccessExpr::Dot(_))) {
                        Some(AccessExpr::Dot(Expr::Identifier(mut part))) => {
                            lower(&mut part);
                            parts.push(part);
                            value = Expr::CompoundIdentifier(parts.clone());
                        }
                        _ => break,
                    }
                }
                for access in access_chain {
                    value = match access {
                        AccessExpr::Subscript(Subscript::Index { index }) => {
                            call("__element", [value, index])
                        }
                        AccessExpr::Dot(Expr::Identifier(field)) => {
                            call("get_field", [value, text(&field.value.to_lowercase())])
                        }
                        _ => return Err(Error::not_supported("this access to a value")),
                    };
                }
                value
            }
            Expr::Interval(interval) => Expr::Interval(whole_interval(interval)?),
            Expr::Array(array) => call("array", array.elem),
            Expr::Cast { .. } => {
                return Err(Error::syntax(
                    0,
                    "invalid cast, it needs CAST(value AS type)",
                ));
            }
            Expr::Function(function) => {
                let excludes = window::excludes(&function);
                rewrite_call(self.0, expr, function)?;
                return match excludes {
                    true => window::leave_out(expr),
                    false => Ok(()),
                };
            }
            Expr::BinaryOp { op, .. } if is_foreign(&op) => {
                return Err(Error::not_supported(format!("operator {op}")));
            }
            Expr::Lambda(mut lambda) => {
                fields_of_parameters(&mut lambda);
                Expr::Lambda(lambda)
            }
            Expr::AtTimeZone { .. } => return Err(Error::not_supported("AT TIME ZONE")),
            Expr::SimilarTo { .. } => return Err(Error::not_supported("SIMILAR TO")),
            Expr::Overlay { .. } => return Err(Error::not_supported("OVERLAY")),
            Expr::Collate { .. } => return Err(Error::not_supported("COLLATE")),
            Expr::Dictionary(_) | Expr::Map(_) => {
                return Err(Error::not_supported("a value in braces"));
            }
            other => rows::expression(other)?,
        };
        Ok(())
    }
}

/// Operators of the planner that MaxCompute has not.
fn is_foreign(op: &BinaryOperator) -> bool {
    use BinaryOperator::{
        And, BitwiseAnd, BitwiseOr, BitwiseXor, Divide, Eq, Gt, GtEq, Lt, LtEq, Minus, Modulo,
        Multiply, MyIntegerDivide, NotEq, Or, Plus, Spaceship, StringConcat,
    };
    !matches!(
        op,
        And | BitwiseAnd
            | BitwiseOr
            | BitwiseXor
            | Divide
            | Eq
            | Gt
            | GtEq
            | Lt
            | LtEq
            | Minus
            | Modulo
            | Multiply
            | MyIntegerDivide
            | NotEq
            | Or
            | Plus
            | Spaceship
            | StringConcat
    )
}

/// `INTERVAL '1-2' YEAR TO MONTH` and `INTERVAL '1 02:03:04' DAY TO SECOND` with each part named.
fn whole_interval(interval: Interval) -> Result<Interval> {
    let Some(last) = &interval.last_field else {
        return Ok(interval);
    };
    let wrong = || Error::not_supported("this form of INTERVAL");
    let given = literal_text(&interval.value).ok_or_else(wrong)?.trim();
    let (sign, digits) = match given.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", given),
    };
    let names: &[&str] = match (&interval.leading_field, last) {
        (Some(DateTimeField::Year), DateTimeField::Month) => &["year", "month"],
        (Some(DateTimeField::Day), DateTimeField::Second) => &["day", "hour", "minute", "second"],
        _ => return Err(wrong()),
    };
    let parts: Vec<&str> = digits.split(['-', ' ', ':']).collect();
    if parts.len() != names.len() {
        return Err(wrong());
    }
    let each = names.iter().zip(parts);
    let each: Vec<String> = each
        .map(|(name, part)| format!("{sign}{part} {name}"))
        .collect();
    Ok(Interval {
        value: Box::new(text(&each.join(" "))),
        leading_field: None,
        last_field: None,
        ..interval
    })
}

fn sort_key(expr: Expr) -> OrderByExpr {
    match &expr {
        Expr::Function(function) if function.name.to_string() == DESCENDING => {
            let inner = arguments(function).and_then(|mut arguments| arguments.pop());
            order_by(inner.unwrap_or_else(null), false)
        }
        _ => order_by(expr, true),
    }
}

/// Whether an expression gives another value each time.
fn is_random(expr: &Expr) -> bool {
    const NAMES: [&str; 4] = ["rand", "uuid", "unique_id", "shuffle"];
    visit_expressions(expr, |expr| match expr {
        Expr::Function(function) if NAMES.contains(&name_of(function).to_lowercase().as_str()) => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

fn is_number(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if matches!(value.value, Value::Number(..)))
}

/// Numbers among the keys are constants unless they are positions.
fn constant_keys(group_by: &mut GroupByExpr) {
    if let GroupByExpr::Expressions(keys, _) = group_by {
        for key in keys.iter_mut().filter(|key| is_number(key)) {
            *key = call(CAST, [key.clone(), text("bigint")]);
        }
    }
}

/// Gives outputs without a name `_c0`, `_c1`, … by position, a field the name it has, and makes equal names unique. `relations` are
/// the names of what the query reads.
fn name_outputs(items: &mut [SelectItem], relations: &[String]) {
    let has_wildcard = items.iter().any(|item| {
        matches!(
            item,
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
        )
    });
    let mut seen: Vec<String> = Vec::new();
    for (position, item) in items.iter_mut().enumerate() {
        let (name, is_plain_column) = match item {
            SelectItem::ExprWithAlias { alias, .. } => {
                lower(alias);
                (alias.value.clone(), false)
            }
            SelectItem::UnnamedExpr(Expr::Identifier(ident)) => (ident.value.to_lowercase(), true),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
                let last = parts.last().map(|part| part.value.to_lowercase());
                let is_of_relation = matches!(parts.as_slice(), [relation, _]
                    if relations.contains(&relation.value.to_lowercase()));
                (last.unwrap_or_default(), is_of_relation)
            }
            SelectItem::UnnamedExpr(Expr::CompoundFieldAccess { access_chain, .. }) => {
                match access_chain.last() {
                    Some(AccessExpr::Dot(Expr::Identifier(field))) => {
                        (field.value.to_lowercase(), false)
                    }
                    _ => (format!("_c{position}"), false),
                }
            }
            SelectItem::UnnamedExpr(_) => (format!("_c{position}"), false),
            SelectItem::ExprWithAliases { .. }
            | SelectItem::QualifiedWildcard(..)
            | SelectItem::Wildcard(_) => continue,
        };
        let is_repeated = seen.contains(&name) || (has_wildcard && is_plain_column);
        let unique = if is_repeated {
            format!("{name}{PLAIN_MARK}{position}")
        } else {
            name.clone()
        };
        seen.push(name);
        if is_plain_column && !is_repeated {
            continue;
        }
        let alias = Ident::with_quote('`', unique);
        match item {
            SelectItem::ExprWithAlias { alias: old, .. } => *old = alias,
            SelectItem::UnnamedExpr(expr) => {
                let expr = std::mem::replace(expr, null());
                *item = SelectItem::ExprWithAlias { expr, alias };
            }
            _ => {}
        }
    }
}
