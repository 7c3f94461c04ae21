//! ROLLUP, CUBE and GROUPING SETS, in any combination, as the grouping sets they stand for. Manual page: "GROUPING SETS".

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, GroupByExpr, GroupByWithModifier, Ident, OrderBy, OrderByKind, Query, Select, SelectItem,
    SetExpr, VisitMut, VisitorMut,
};

use super::build::{arguments, call};
use crate::error::{Error, Result};

/// Most grouping sets of a query.
const SETS_MAX: usize = 1024;
/// The name of GROUPING_ID of all keys.
const GROUPING_ID: &str = "grouping__id";

type Set = Vec<Expr>;

/// Puts the sets in the place of what stands for them, and GROUPING_ID of the keys in that of GROUPING__ID.
pub(super) fn grouping(query: &mut Query) -> Result<()> {
    let SetExpr::Select(select) = &mut *query.body else {
        return Ok(());
    };
    let GroupByExpr::Expressions(keys, modifiers) = &mut select.group_by else {
        return Ok(());
    };
    // The keys, in the order in which they are named.
    let mut named = Vec::new();
    for modifier in modifiers.drain(..) {
        let each = std::mem::take(keys);
        let single = |keys: Vec<Expr>| keys.into_iter().map(|key| vec![key]).collect();
        *keys = match modifier {
            GroupByWithModifier::Rollup => vec![Expr::Rollup(single(each))],
            GroupByWithModifier::Cube => vec![Expr::Cube(single(each))],
            GroupByWithModifier::GroupingSets(sets) => {
                named.extend(each);
                vec![sets]
            }
            GroupByWithModifier::Totals => each,
        };
    }
    let is_sets =
        |key: &Expr| matches!(key, Expr::Rollup(_) | Expr::Cube(_) | Expr::GroupingSets(_));
    if !keys.iter().any(is_sets) {
        return Ok(());
    }
    let mut sets: Vec<Set> = vec![Vec::new()];
    for key in keys.drain(..) {
        let more = sets_of(key)?;
        if sets.len() * more.len() > SETS_MAX {
            return Err(Error::semantic(format!(
                "GROUP BY makes more than {SETS_MAX} grouping sets"
            )));
        }
        let both = sets.iter().flat_map(|set| {
            more.iter().map(move |more| {
                let mut both = set.clone();
                add(&mut both, more);
                both
            })
        });
        sets = both.collect();
    }
    for set in &sets {
        add(&mut named, set);
    }
    *keys = vec![Expr::GroupingSets(sets)];
    name_grouping_id(select, query.order_by.as_mut(), named);
    Ok(())
}

fn add(set: &mut Set, more: &[Expr]) {
    for key in more {
        if !set.contains(key) {
            set.push(key.clone());
        }
    }
}

/// The sets that a key stands for: a plain one for itself.
fn sets_of(key: Expr) -> Result<Vec<Set>> {
    Ok(match key {
        Expr::Rollup(parts) => rollup(&parts),
        Expr::Cube(parts) => cube(&parts)?,
        Expr::GroupingSets(sets) => {
            let mut all = Vec::new();
            for set in sets {
                match set.as_slice() {
                    // ROLLUP and CUBE among the sets read like calls.
                    [Expr::Function(function)] if is_called(function, "rollup") => {
                        all.extend(rollup(&parts(function)));
                    }
                    [Expr::Function(function)] if is_called(function, "cube") => {
                        all.extend(cube(&parts(function))?);
                    }
                    _ => all.push(set),
                }
            }
            all
        }
        Expr::Tuple(keys) => vec![keys],
        plain => vec![vec![plain]],
    })
}

fn is_called(function: &datafusion::sql::sqlparser::ast::Function, name: &str) -> bool {
    function.name.to_string().eq_ignore_ascii_case(name)
}

fn parts(function: &datafusion::sql::sqlparser::ast::Function) -> Vec<Set> {
    let given = arguments(function).unwrap_or_default().into_iter();
    given
        .map(|part| match part {
            Expr::Tuple(keys) => keys,
            Expr::Nested(key) => vec![*key],
            key => vec![key],
        })
        .collect()
}

fn rollup(parts: &[Set]) -> Vec<Set> {
    let lengths = (0..=parts.len()).rev();
    lengths.map(|length| parts[..length].concat()).collect()
}

fn cube(parts: &[Set]) -> Result<Vec<Set>> {
    if parts.len() > SETS_MAX.ilog2() as usize {
        return Err(Error::semantic(format!(
            "GROUP BY makes more than {SETS_MAX} grouping sets"
        )));
    }
    let subset = |bits: usize| {
        let is_in = |at: &usize| bits >> (parts.len() - 1 - at) & 1 == 1;
        let chosen = (0..parts.len()).filter(is_in);
        chosen.flat_map(|at| parts[at].clone()).collect()
    };
    Ok((0..1 << parts.len()).rev().map(subset).collect())
}

fn name_grouping_id(select: &mut Select, order: Option<&mut OrderBy>, keys: Vec<Expr>) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr @ Expr::Identifier(_)) = item
            && is_grouping_id(expr)
        {
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias: Ident::new(GROUPING_ID),
            };
        }
    }
    let mut replacing = Replacing(call("grouping_id", keys));
    let _ = select.projection.visit(&mut replacing);
    let _ = select.having.visit(&mut replacing);
    if let Some(OrderBy {
        kind: OrderByKind::Expressions(orders),
        ..
    }) = order
    {
        let _ = orders.visit(&mut replacing);
    }
}

fn is_grouping_id(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(name) if name.value.eq_ignore_ascii_case(GROUPING_ID))
}

struct Replacing(Expr);

impl VisitorMut for Replacing {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if is_grouping_id(expr) {
            *expr = self.0.clone();
        }
        ControlFlow::Continue(())
    }
}
