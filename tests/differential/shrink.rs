//! The smallest query and tables that still fail.

use crate::generate::{Layout, Table};
use crate::query::{Expr, From, Query, Select};

pub fn smallest(
    mut tables: Vec<Table>,
    mut query: Query,
    fails: &dyn Fn(&[Table], &Query) -> bool,
) -> (Vec<Table>, Query) {
    while let Some(less) = smaller(&query)
        .into_iter()
        .find(|less| fails(&tables, less))
    {
        query = less;
    }
    for at in (0..tables.len()).rev() {
        let mut fewer = tables.clone();
        fewer.remove(at);
        if fails(&fewer, &query) {
            tables = fewer;
            continue;
        }
        let mut plain = tables.clone();
        plain[at].layout = Layout::Once;
        if fails(&plain, &query) {
            tables = plain;
        }
        for row in (0..tables[at].rows.len()).rev() {
            let mut fewer = tables.clone();
            fewer[at].rows.remove(row);
            if fails(&fewer, &query) {
                tables = fewer;
            }
        }
    }
    (tables, query)
}

fn smaller(query: &Query) -> Vec<Query> {
    match query {
        Query::Set(op, all, a, b) => {
            let mut out = vec![*a.clone(), *b.clone()];
            let set = |a: Query, b: Query| Query::Set(op, *all, Box::new(a), Box::new(b));
            out.extend(smaller(a).into_iter().map(|less| set(less, *b.clone())));
            out.extend(smaller(b).into_iter().map(|less| set(*a.clone(), less)));
            out
        }
        Query::Select(select) => {
            let mut out = Vec::new();
            let mut with = |change: &dyn Fn(&mut Select)| {
                let mut less = select.clone();
                change(&mut less);
                out.push(Query::Select(less));
            };
            if select.filter.is_some() {
                with(&|s| s.filter = None);
            }
            if select.having.is_some() {
                with(&|s| s.having = None);
            }
            if select.distinct {
                with(&|s| s.distinct = false);
            }
            for from in smaller_from(&select.from) {
                with(&|s| s.from = from.clone());
            }
            for e in select.filter.iter().flat_map(smaller_expr) {
                with(&|s| s.filter = Some(e.clone()));
            }
            out
        }
    }
}

fn smaller_from(from: &From) -> Vec<From> {
    match from {
        From::Table(..) => Vec::new(),
        From::Derived(query, alias) => smaller(query)
            .into_iter()
            .map(|less| From::Derived(Box::new(less), alias.clone()))
            .collect(),
        From::Join(join, a, b, on) => {
            let mut out = vec![*a.clone(), *b.clone()];
            let side = |a: From, b: From| From::Join(*join, Box::new(a), Box::new(b), on.clone());
            out.extend(
                smaller_from(a)
                    .into_iter()
                    .map(|less| side(less, *b.clone())),
            );
            out.extend(
                smaller_from(b)
                    .into_iter()
                    .map(|less| side(*a.clone(), less)),
            );
            out
        }
    }
}

fn smaller_expr(e: &Expr) -> Vec<Expr> {
    match e {
        Expr::And(a, b) | Expr::Or(a, b) => {
            let rebuilt = |a: Expr, b: Expr| match e {
                Expr::And(..) => Expr::And(Box::new(a), Box::new(b)),
                _ => Expr::Or(Box::new(a), Box::new(b)),
            };
            let mut out = vec![*a.clone(), *b.clone()];
            out.extend(
                smaller_expr(a)
                    .into_iter()
                    .map(|less| rebuilt(less, *b.clone())),
            );
            out.extend(
                smaller_expr(b)
                    .into_iter()
                    .map(|less| rebuilt(*a.clone(), less)),
            );
            out
        }
        Expr::Not(a) => {
            let mut out = vec![*a.clone()];
            out.extend(
                smaller_expr(a)
                    .into_iter()
                    .map(|less| Expr::Not(Box::new(less))),
            );
            out
        }
        _ => Vec::new(),
    }
}
