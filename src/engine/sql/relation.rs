//! Relations and set operations that the planner does not know: they become UNPIVOT nodes, which our
//! planner of relations takes apart.

use datafusion::sql::sqlparser::ast::{
    Expr, ExprWithAlias, Ident, Join, JoinConstraint, JoinOperator, LateralView, NullInclusion,
    ObjectName, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator,
    SetQuantifier, TableAlias, TableFactor, TableWithJoins, Values, WildcardAdditionalOptions,
};

use super::build::{lower, null};
use crate::engine::function::is_table_function;
use crate::error::{Error, Result};

/// The view that a table function in a select list stands for.
const SELECTED_VIEW: &str = "__selected";

/// What the planner has not: MINUS is EXCEPT; INTERSECT ALL and EXCEPT ALL count equal rows and are left
/// to the planner of relations; rows of VALUES alone have columns `_c0`, `_c1`, ….
pub(super) fn set_operations(body: &mut SetExpr) -> Result<()> {
    match body {
        SetExpr::SetOperation {
            op,
            set_quantifier,
            left,
            right,
        } => {
            if *op == SetOperator::Minus {
                *op = SetOperator::Except;
            }
            set_operations(left)?;
            set_operations(right)?;
            if *set_quantifier == SetQuantifier::All && *op != SetOperator::Union {
                let mark = if *op == SetOperator::Except {
                    EXCEPT_ALL_MARK
                } else {
                    INTERSECT_ALL_MARK
                };
                let none = || {
                    Box::new(SetExpr::Values(Values {
                        explicit_row: false,
                        value_keyword: false,
                        rows: Vec::new(),
                    }))
                };
                let (left, right) = (
                    std::mem::replace(left, none()),
                    std::mem::replace(right, none()),
                );
                let join = Join {
                    relation: derived(*right, "__right"),
                    global: false,
                    join_operator: JoinOperator::CrossJoin(JoinConstraint::None),
                };
                let both = TableWithJoins {
                    relation: derived(*left, "__left"),
                    joins: vec![join],
                };
                let relation = TableFactor::Unpivot {
                    table: Box::new(TableFactor::NestedJoin {
                        table_with_joins: Box::new(both),
                        alias: None,
                    }),
                    value: null(),
                    name: Ident::new(mark),
                    columns: Vec::new(),
                    null_inclusion: None,
                    alias: None,
                };
                let mut outer = super::parse_own("select * from t");
                if let SetExpr::Select(select) = &mut *outer.body {
                    select.from = vec![TableWithJoins {
                        relation,
                        joins: Vec::new(),
                    }];
                }
                *body = *outer.body;
            }
        }
        SetExpr::Values(values) if !values.explicit_row => {
            let width = values.rows.first().map_or(0, |row| row.content.len());
            let names: Vec<String> = (0..width).map(|number| format!("_c{number}")).collect();
            let template = format!("select * from (select 1) __values({})", names.join(","));
            let mut outer = super::parse_own(&template);
            if let SetExpr::Select(select) = &mut *outer.body
                && let Some(TableFactor::Derived { subquery, .. }) =
                    select.from.first_mut().map(|from| &mut from.relation)
            {
                // Marked, so that it is not wrapped again.
                let rows = std::mem::take(&mut values.rows);
                let inner = Values {
                    explicit_row: true,
                    value_keyword: false,
                    rows,
                };
                *subquery.body = SetExpr::Values(inner);
                *body = *outer.body;
            }
        }
        SetExpr::Values(_) => {}
        SetExpr::Query(_) | SetExpr::Select(_) => {}
        _ => return Err(Error::not_supported("this form of a query")),
    }
    Ok(())
}

fn derived(body: SetExpr, alias: &str) -> TableFactor {
    let mut query = super::parse_own("select 1");
    query.body = Box::new(body);
    TableFactor::Derived {
        lateral: false,
        subquery: Box::new(query),
        alias: Some(TableAlias {
            explicit: true,
            name: Ident::new(alias),
            columns: Vec::new(),
            at: None,
        }),
        sample: None,
    }
}

/// Marks the UNPIVOT that stands for EXCEPT ALL, and for INTERSECT ALL, of the two relations inside it.
pub(in crate::engine) const EXCEPT_ALL_MARK: &str = "__except_all";
pub(in crate::engine) const INTERSECT_ALL_MARK: &str = "__intersect_all";

/// Marks the UNPIVOT that stands for a lateral view.
pub(in crate::engine) const LATERAL_MARK: &str = "__lateral ";

/// `select explode(a) as x from t` as `select x from t lateral view explode(a) v as x`.
pub(super) fn selected_table_function(select: &mut Select) -> Result<()> {
    let is_called = |expr: &Expr| matches!(expr, Expr::Function(function) if is_table_function(&function.name.to_string()));
    let found = select.projection.iter().any(|item| match item {
        SelectItem::UnnamedExpr(expr)
        | SelectItem::ExprWithAlias { expr, .. }
        | SelectItem::ExprWithAliases { expr, .. } => is_called(expr),
        SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => false,
    });
    if !found {
        return Ok(());
    }
    if select.projection.len() > 1 {
        return Err(Error::semantic(
            "a table function stands alone in a select list; use LATERAL VIEW to join its rows",
        ));
    }
    let (expr, aliases) = match select.projection.remove(0) {
        SelectItem::UnnamedExpr(expr) => (expr, Vec::new()),
        SelectItem::ExprWithAlias { expr, alias } => (expr, vec![alias]),
        SelectItem::ExprWithAliases { expr, aliases } => (expr, aliases),
        SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => return Ok(()),
    };
    select.lateral_views.push(LateralView {
        lateral_view: expr,
        lateral_view_name: ObjectName::from(vec![Ident::new(SELECTED_VIEW)]),
        lateral_col_alias: aliases,
        outer: false,
    });
    let kind = SelectItemQualifiedWildcardKind::ObjectName(ObjectName::from(vec![Ident::new(
        SELECTED_VIEW,
    )]));
    select.projection.push(SelectItem::QualifiedWildcard(
        kind,
        WildcardAdditionalOptions::default(),
    ));
    Ok(())
}

/// FROM with its lateral views: each is an UNPIVOT node around what stands before it, which the planner
/// of relations takes apart.
pub(super) fn with_views(
    from: Vec<TableWithJoins>,
    views: Vec<LateralView>,
) -> Result<TableWithJoins> {
    let mut from = from.into_iter();
    let mut relation = match from.next() {
        Some(mut first) => {
            for more in from {
                first.joins.push(Join {
                    relation: TableFactor::NestedJoin {
                        table_with_joins: Box::new(more),
                        alias: None,
                    },
                    global: false,
                    join_operator: JoinOperator::CrossJoin(JoinConstraint::None),
                });
            }
            match first.joins.is_empty() {
                true => first.relation,
                false => TableFactor::NestedJoin {
                    table_with_joins: Box::new(first),
                    alias: None,
                },
            }
        }
        None => one_row(),
    };
    for view in views {
        let Expr::Function(function) = view.lateral_view else {
            return Err(Error::semantic("LATERAL VIEW needs a table function"));
        };
        let name = view.lateral_view_name.to_string().to_lowercase();
        relation = TableFactor::Unpivot {
            table: Box::new(relation),
            value: Expr::Function(function),
            name: Ident::new(format!("{LATERAL_MARK}{name}")),
            columns: view
                .lateral_col_alias
                .into_iter()
                .map(|mut alias| {
                    lower(&mut alias);
                    ExprWithAlias {
                        expr: null(),
                        alias: Some(alias),
                    }
                })
                .collect(),
            null_inclusion: view.outer.then_some(NullInclusion::IncludeNulls),
            alias: None,
        };
    }
    Ok(TableWithJoins {
        relation,
        joins: Vec::new(),
    })
}

/// What a select without FROM reads.
fn one_row() -> TableFactor {
    let query = super::parse_own("select 1");
    derived(*query.body, "__one")
}
