//! Relations and set operations that the planner does not know: they become UNPIVOT nodes, which our
//! planner of relations takes apart.

use datafusion::sql::sqlparser::ast::{
    Ident, Join, JoinConstraint, JoinOperator, ObjectNamePart, Query, SetExpr, SetOperator,
    SetQuantifier, TableAlias, TableFactor, TableWithJoins, Values,
};

use super::build::null;
use crate::error::{Error, Result};

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
                    relation: derived(query_of(*right), "__right"),
                    global: false,
                    join_operator: JoinOperator::CrossJoin(JoinConstraint::None),
                };
                let both = TableWithJoins {
                    relation: derived(query_of(*left), "__left"),
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

fn query_of(body: SetExpr) -> Query {
    let mut query = super::parse_own("select 1");
    query.body = Box::new(body);
    query
}

/// A query under a name.
pub(super) fn derived(query: Query, alias: &str) -> TableFactor {
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

/// The names by which a query knows what its FROM reads.
pub(super) fn names(from: &[TableWithJoins]) -> Vec<String> {
    let mut found = Vec::new();
    for table in from {
        names_of(&table.relation, &mut found);
        for join in &table.joins {
            names_of(&join.relation, &mut found);
        }
    }
    found
}

fn names_of(factor: &TableFactor, found: &mut Vec<String>) {
    let mut push = |name: &Ident| found.push(name.value.to_lowercase());
    match factor {
        TableFactor::Table {
            alias: Some(alias), ..
        }
        | TableFactor::Derived {
            alias: Some(alias), ..
        }
        | TableFactor::Pivot {
            alias: Some(alias), ..
        }
        | TableFactor::Unpivot {
            alias: Some(alias), ..
        } => push(&alias.name),
        TableFactor::Table { name, .. } => {
            if let Some(ObjectNamePart::Identifier(name)) = name.0.last() {
                push(name);
            }
        }
        TableFactor::NestedJoin {
            table_with_joins, ..
        } => found.extend(names(std::slice::from_ref(table_with_joins))),
        TableFactor::Pivot { table, .. } => names_of(table, found),
        TableFactor::Unpivot { table, name, .. } => {
            if let Some(view) = name.value.strip_prefix(LATERAL_MARK) {
                found.push(view.to_lowercase());
            }
            names_of(table, found);
        }
        _ => {}
    }
}

/// Marks the UNPIVOT that stands for a lateral view.
pub(in crate::engine) const LATERAL_MARK: &str = "__lateral ";

/// All of a FROM as one relation.
pub(super) fn whole(from: Vec<TableWithJoins>) -> TableFactor {
    let mut from = from.into_iter();
    let Some(mut first) = from.next() else {
        return one_row();
    };
    for more in from {
        let relation = match more.joins.is_empty() {
            true => more.relation,
            false => TableFactor::NestedJoin {
                table_with_joins: Box::new(more),
                alias: None,
            },
        };
        first.joins.push(Join {
            relation,
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

/// What a select without FROM reads.
pub(super) fn one_row() -> TableFactor {
    derived(super::parse_own("select 1"), "__one")
}
