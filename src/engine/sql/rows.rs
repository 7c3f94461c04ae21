//! Row values: `(a, b) IN (SELECT …)`, `(a, b) = (c, d)`, part by part, with the three values of logic. Manual page: "Subqueries".

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr,
    TableAliasColumnDef, TableFactor, Value,
};

use super::build::{and, case, equal, not, null};
use super::parse_own;
use super::relation::derived;
use crate::error::{Error, Result};

/// The rows of a subquery that a row value is looked up in.
const ROWS: &str = "__rows";

/// Conditions that stand by themselves: one that is NULL is as good as one that is FALSE, so each is one EXISTS, which is a join.
pub(super) fn conditions(select: &mut Select) -> Result<()> {
    match &mut select.selection {
        Some(condition) => conjuncts(condition),
        None => Ok(()),
    }
}

fn conjuncts(condition: &mut Expr) -> Result<()> {
    match condition {
        Expr::Nested(inner) if !matches!(**inner, Expr::Tuple(_)) => conjuncts(inner),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => {
            conjuncts(left)?;
            conjuncts(right)
        }
        Expr::InSubquery {
            expr,
            subquery,
            negated,
        } => {
            let Some(parts) = parts(expr) else {
                return Ok(());
            };
            *condition = match negated {
                false => exists(&parts, subquery, is_found)?,
                true => not(exists(&parts, subquery, may_be_found)?),
            };
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Any other expression of row values; other expressions stay as they are.
pub(super) fn expression(expr: Expr) -> Result<Expr> {
    Ok(match expr {
        Expr::InSubquery {
            expr,
            subquery,
            negated,
        } => {
            let Some(parts) = parts(&expr) else {
                return Ok(Expr::InSubquery {
                    expr,
                    subquery,
                    negated,
                });
            };
            let (found, missing) = (boolean(!negated), boolean(negated));
            let branches = vec![
                (exists(&parts, &subquery, is_found)?, found),
                (exists(&parts, &subquery, may_be_found)?, null()),
            ];
            Expr::Nested(Box::new(case(branches, Some(missing))))
        }
        Expr::InList {
            expr,
            list,
            negated,
        } => {
            let Some(parts) = parts(&expr) else {
                return Ok(Expr::InList {
                    expr,
                    list,
                    negated,
                });
            };
            let rows = list.iter().map(|row| equal_rows(&parts, row));
            let rows = rows.collect::<Result<Vec<_>>>()?;
            let any = joined(rows, BinaryOperator::Or);
            if negated { not(any) } else { any }
        }
        Expr::BinaryOp {
            left,
            op: op @ (BinaryOperator::Eq | BinaryOperator::NotEq),
            right,
        } => match parts(&left) {
            Some(parts) if matches!(*right, Expr::Tuple(_)) => {
                let equal = equal_rows(&parts, &right)?;
                match op {
                    BinaryOperator::Eq => equal,
                    _ => not(equal),
                }
            }
            _ => Expr::BinaryOp { left, op, right },
        },
        other => other,
    })
}

/// The parts of a row value.
fn parts(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Tuple(parts) => Some(parts.clone()),
        Expr::Nested(inner) => parts(inner),
        _ => None,
    }
}

fn wrong_width(found: usize, needed: usize) -> Error {
    Error::semantic(format!(
        "a row of {needed} values cannot be compared with one of {found}"
    ))
}

fn equal_rows(left: &[Expr], right: &Expr) -> Result<Expr> {
    let right = parts(right).unwrap_or_else(|| vec![right.clone()]);
    if right.len() != left.len() {
        return Err(wrong_width(right.len(), left.len()));
    }
    let pairs = left.iter().cloned().zip(right);
    let all = pairs.map(|(left, right)| equal(left, right));
    Ok(joined(all.collect(), BinaryOperator::And))
}

/// All of `conditions` under one operator, as a tree that is no deeper than it has to be.
fn joined(mut conditions: Vec<Expr>, op: BinaryOperator) -> Expr {
    let nested = |expr| Expr::Nested(Box::new(expr));
    while conditions.len() > 1 {
        let mut pairs = conditions.into_iter();
        conditions = Vec::with_capacity(pairs.len().div_ceil(2));
        while let Some(left) = pairs.next() {
            conditions.push(match pairs.next() {
                Some(right) => nested(Expr::BinaryOp {
                    left: Box::new(left),
                    op: op.clone(),
                    right: Box::new(right),
                }),
                None => left,
            });
        }
    }
    conditions.pop().map_or_else(null, nested)
}

fn boolean(value: bool) -> Expr {
    Expr::Value(Value::Boolean(value).into())
}

/// A part of the row is the part of a row of the subquery.
fn is_found(part: Expr, value: Expr) -> Expr {
    equal(part, value)
}

/// It is, or one of them is NULL.
fn may_be_found(part: Expr, value: Expr) -> Expr {
    let is_null = |expr: &Expr| Expr::IsNull(Box::new(Expr::Nested(Box::new(expr.clone()))));
    let unknown = vec![is_null(&part), is_null(&value), equal(part, value)];
    joined(unknown, BinaryOperator::Or)
}

/// `EXISTS (SELECT 1 FROM (subquery) WHERE …)`: whether it has a row of which all parts are as `matches` has them.
fn exists(parts: &[Expr], subquery: &Query, matches: fn(Expr, Expr) -> Expr) -> Result<Expr> {
    let names: Vec<String> = (0..parts.len())
        .map(|number| format!("__part{number}"))
        .collect();
    let mut subquery = subquery.clone();
    let names_parts = name_parts(&mut subquery, &names)?;
    let mut relation = derived(subquery, ROWS);
    if let TableFactor::Derived { alias: place, .. } = &mut relation {
        // A condition on the query around cannot be moved out of a relation that renames its columns.
        match (names_parts, &mut *place) {
            (true, place) => *place = None,
            (false, Some(alias)) => {
                alias.columns = names.iter().map(TableAliasColumnDef::from_name).collect();
            }
            (false, None) => {}
        }
    }
    let all = parts
        .iter()
        .zip(&names)
        .map(|(part, name)| matches(part.clone(), Expr::Identifier(Ident::new(name))));
    let all = all.reduce(and).map(|all| Expr::Nested(Box::new(all)));
    let mut query = parse_own("select 1 from t");
    if let SetExpr::Select(select) = &mut *query.body {
        select.selection = all;
        if let Some(from) = select.from.first_mut() {
            from.relation = relation;
        }
    }
    Ok(Expr::Exists {
        subquery: Box::new(query),
        negated: false,
    })
}

/// Names the columns of a subquery, where nothing else in it can know them by the names they have.
fn name_parts(subquery: &mut Query, names: &[String]) -> Result<bool> {
    let is_plain = subquery.order_by.is_none();
    let SetExpr::Select(select) = &mut *subquery.body else {
        return Ok(false);
    };
    let is_value = |item: &SelectItem| {
        matches!(
            item,
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. }
        )
    };
    if !select.projection.iter().all(is_value) {
        return Ok(false);
    }
    if select.projection.len() != names.len() {
        return Err(wrong_width(select.projection.len(), names.len()));
    }
    let is_plain = is_plain
        && select.having.is_none()
        && select.qualify.is_none()
        && matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty());
    if is_plain {
        for (item, name) in select.projection.iter_mut().zip(names) {
            let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item
            else {
                continue;
            };
            *item = SelectItem::ExprWithAlias {
                expr: std::mem::replace(expr, null()),
                alias: Ident::new(name),
            };
        }
    }
    Ok(is_plain)
}
