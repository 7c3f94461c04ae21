//! Columns that a select list names by a regular expression in backquotes: `` `(ds|pt)?+.+` ``. The query becomes one over all
//! columns, of which the planner of relations takes those that fit. Manual page: "SELECT syntax".

use datafusion::sql::sqlparser::ast::{
    Expr, ExprWithAlias, GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, TableFactor,
    TableWithJoins, WildcardAdditionalOptions,
};

use super::build::{lower, null, text};
use super::parse_own;
use crate::error::{Error, Result};

/// Marks the UNPIVOT that stands for the choice.
pub(in crate::engine) const CHOSEN_MARK: &str = "__chosen";

/// The relation and the pattern of an item that may be a pattern: what its name has is in no name of a column.
pub(super) fn pattern(item: &SelectItem) -> Option<(Option<&Ident>, &Ident)> {
    let SelectItem::UnnamedExpr(expr) = item else {
        return None;
    };
    let (relation, name) = match expr {
        Expr::Identifier(name) => (None, name),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [relation, name] => (Some(relation), name),
            _ => return None,
        },
        _ => return None,
    };
    let is_mark = |c: char| "*+?()[]|^$\\{}.".contains(c);
    (name.quote_style == Some('`') && name.value.contains(is_mark)).then_some((relation, name))
}

/// Whether columns are chosen by patterns. A query that groups has columns of its own.
pub(super) fn has_patterns(select: &Select) -> bool {
    matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty())
        && select.having.is_none()
        && select.projection.iter().any(|item| pattern(item).is_some())
}

/// `SELECT pattern, e FROM t` as `SELECT * FROM` the choice from `(SELECT *, e AS item FROM t)`.
pub(super) fn choose(select: &mut Select, name: impl FnOnce(&mut [SelectItem])) -> Result<()> {
    let mut columns = Vec::new();
    let mut others = Vec::new();
    for item in std::mem::take(&mut select.projection) {
        if let Some((relation, name)) = pattern(&item) {
            let relation = relation.map_or(String::new(), |name| name.value.to_lowercase());
            let expr = Expr::Tuple(vec![text(&relation), text(&name.value)]);
            columns.push(ExprWithAlias { expr, alias: None });
        } else {
            columns.push(ExprWithAlias {
                expr: null(),
                alias: Some(Ident::new("")),
            });
            others.push(item);
        }
    }
    name(&mut others);
    let all = SelectItem::Wildcard(WildcardAdditionalOptions::default());
    let mut projection = vec![all.clone()];
    let mut places = columns.iter_mut().filter(|column| column.alias.is_some());
    for (number, item) in others.into_iter().enumerate() {
        let (expr, name) = match item {
            SelectItem::ExprWithAlias { expr, alias } => (expr, alias),
            SelectItem::UnnamedExpr(expr) => {
                let name = match &expr {
                    Expr::Identifier(name) => Some(name.clone()),
                    Expr::CompoundIdentifier(parts) => parts.last().cloned(),
                    _ => None,
                };
                (expr, name.unwrap_or_else(|| Ident::new("_c")))
            }
            _ => return Err(Error::not_supported("* beside columns chosen by a pattern")),
        };
        let mut name = name;
        lower(&mut name);
        let made = format!("__item{number}");
        if let Some(place) = places.next() {
            place.expr = text(&made);
            place.alias = Some(name);
        }
        projection.push(SelectItem::ExprWithAlias {
            expr,
            alias: Ident::with_quote('`', made),
        });
    }
    let mut inner = select.clone();
    inner.projection = projection;
    inner.distinct = None;
    let mut query: Query = parse_own("select 1");
    query.body = Box::new(SetExpr::Select(Box::new(inner)));
    let relation = TableFactor::Unpivot {
        table: Box::new(TableFactor::Derived {
            lateral: false,
            subquery: Box::new(query),
            alias: None,
            sample: None,
        }),
        value: null(),
        name: Ident::new(CHOSEN_MARK),
        columns,
        null_inclusion: None,
        alias: None,
    };
    select.projection = vec![all];
    select.from = vec![TableWithJoins {
        relation,
        joins: Vec::new(),
    }];
    select.selection = None;
    select.qualify = None;
    select.named_window = Vec::new();
    Ok(())
}
