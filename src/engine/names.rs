//! Gives every column of a plan a name of its own before the optimizer sees it.
//!
//! Physical operators know columns by position and name. Where two columns of one input have the same name, the pushdown of
//! filters takes the first of them: a condition on one side of a join reached the other side's table. Upstream:
//! apache/datafusion pull 25259, issues 25244, 25262, 25263, 25264, 25296. With this pass no two columns of a plan have one
//! name; the outermost projection gives back the names that were asked for.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Join, JoinConstraint, LogicalPlan, Projection, Subquery,
    SubqueryAlias, Union, Unnest,
};

/// Stands between the name of a column and its number.
const MARK: char = '#';

/// The plan under names of their own, where it joins anything.
pub(super) fn with_own_names(plan: LogicalPlan) -> Result<LogicalPlan> {
    if !joins(&plan)? {
        return Ok(plan);
    }
    let renamed = Renaming::default().plan(&plan)?;
    restored(&plan, renamed)
}

/// Whether a plan joins, or has a subquery that will be made a join.
fn joins(plan: &LogicalPlan) -> Result<bool> {
    plan.exists(|node| {
        let mut found = matches!(node, LogicalPlan::Join(_));
        node.apply_expressions(|expr| {
            found |= expr.exists(|expr| Ok(is_subquery(expr)))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(found)
    })
}

/// `renamed` under the names that it had before.
fn restored(before: &LogicalPlan, renamed: LogicalPlan) -> Result<LogicalPlan> {
    if before.schema().fields().is_empty() {
        return Ok(renamed);
    }
    let columns = renamed.schema().columns().into_iter();
    let restored = columns
        .zip(before.schema().iter())
        .map(|(column, (relation, field))| {
            Expr::Column(column).alias_qualified(relation.cloned(), field.name())
        });
    let restored = restored.collect();
    Projection::try_new(restored, Arc::new(renamed)).map(LogicalPlan::Projection)
}

fn is_subquery(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::ScalarSubquery(_) | Expr::SetComparison(_)
    )
}

/// The columns of an operator before and after, by position.
#[derive(Clone)]
struct Scope {
    before: DFSchemaRef,
    after: DFSchemaRef,
}

impl Scope {
    fn of(before: &LogicalPlan, after: &LogicalPlan) -> Self {
        Self {
            before: Arc::clone(before.schema()),
            after: Arc::clone(after.schema()),
        }
    }

    fn find(&self, column: &Column) -> Option<(Column, usize)> {
        let found = self
            .before
            .index_of_column_by_name(column.relation.as_ref(), &column.name)?;
        Some((self.after.columns().swap_remove(found), found))
    }
}

#[derive(Default)]
struct Renaming {
    made: usize,
    /// The scopes that a subquery stands in, the innermost last.
    outer: Vec<Scope>,
}

impl Renaming {
    fn own_name(&mut self, name: &str) -> String {
        let plain = match name.rsplit_once(MARK) {
            Some((plain, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => plain,
            _ => name,
        };
        self.made += 1;
        format!("{plain}{MARK}{}", self.made)
    }

    fn plan(&mut self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        match plan {
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Distinct(Distinct::All(_)) => {
                let before = plan.inputs()[0];
                let input = self.plan(before)?;
                let scope = Scope::of(before, &input);
                let exprs = plan.expressions();
                let exprs = exprs.into_iter().map(|expr| self.expr(expr, &scope));
                plan.with_new_exprs(exprs.collect::<Result<_>>()?, vec![input])
            }
            LogicalPlan::Aggregate(aggregate) => {
                let input = self.plan(&aggregate.input)?;
                let scope = Scope::of(&aggregate.input, &input);
                let mut all = |exprs: &[Expr]| -> Result<Vec<Expr>> {
                    let exprs = exprs.iter().cloned();
                    exprs.map(|expr| self.expr(expr, &scope)).collect()
                };
                let (groups, values) = (all(&aggregate.group_expr)?, all(&aggregate.aggr_expr)?);
                Aggregate::try_new(Arc::new(input), groups, values).map(LogicalPlan::Aggregate)
            }
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::SubqueryAlias(alias) => {
                let input = self.plan(&alias.input)?;
                SubqueryAlias::try_new(Arc::new(input), alias.alias.clone())
                    .map(LogicalPlan::SubqueryAlias)
            }
            LogicalPlan::Union(union) => self.union(union),
            LogicalPlan::Unnest(unnest) if unnest.options.recursions.is_empty() => {
                let input = self.plan(&unnest.input)?;
                let scope = Scope::of(&unnest.input, &input);
                let columns = unnest.exec_columns.iter().map(|column| {
                    let found = scope.find(column).map(|(own, _)| own);
                    found.ok_or_else(|| unknown(column, &scope.before))
                });
                let columns = columns.collect::<Result<_>>()?;
                Unnest::try_new(Arc::new(input), columns, unnest.options.clone())
                    .map(LogicalPlan::Unnest)
            }
            // What defines columns, and what has ways of its own to name them.
            other => {
                let mut inputs = Vec::new();
                for input in other.inputs() {
                    let renamed = self.plan(input)?;
                    inputs.push(restored(input, renamed)?);
                }
                let other = match inputs.is_empty() {
                    true => other.clone(),
                    false => other.with_new_exprs(other.expressions(), inputs)?,
                };
                self.numbered(other)
            }
        }
    }

    /// A union whose inputs have its names: rules of the optimizer take the names of an input for those of the union.
    fn union(&mut self, union: &Union) -> Result<LogicalPlan> {
        let own = union.schema.iter().map(|(relation, field)| {
            let name = self.own_name(field.name());
            let field = field.as_ref().clone().with_name(name);
            (relation.cloned(), Arc::new(field))
        });
        let own: Vec<_> = own.collect();
        let mut inputs = Vec::with_capacity(union.inputs.len());
        for input in &union.inputs {
            let input = self.plan(input)?;
            let columns = input.schema().columns().into_iter();
            let named = columns.zip(&own).map(|(column, (relation, field))| {
                Expr::Column(column).alias_qualified(relation.clone(), field.name())
            });
            let named = named.collect();
            inputs.push(Arc::new(LogicalPlan::Projection(Projection::try_new(
                named,
                Arc::new(input),
            )?)));
        }
        let schema = DFSchema::new_with_metadata(own, union.schema.metadata().clone())?;
        Ok(LogicalPlan::Union(Union {
            inputs,
            schema: Arc::new(schema),
        }))
    }

    /// A plan under a projection that names its columns.
    fn numbered(&mut self, plan: LogicalPlan) -> Result<LogicalPlan> {
        if plan.schema().fields().is_empty() {
            return Ok(plan);
        }
        let schema = Arc::clone(plan.schema());
        let named = schema.iter().map(|(relation, field)| {
            let column = Column::new(relation.cloned(), field.name());
            let name = self.own_name(field.name());
            Expr::Column(column).alias_qualified(relation.cloned(), name)
        });
        let named = named.collect();
        Projection::try_new(named, Arc::new(plan)).map(LogicalPlan::Projection)
    }

    fn projection(&mut self, projection: &Projection) -> Result<LogicalPlan> {
        // A projection over a table names its columns anyway.
        let input = match projection.input.as_ref() {
            LogicalPlan::TableScan(_) => projection.input.as_ref().clone(),
            input => self.plan(input)?,
        };
        let scope = Scope::of(&projection.input, &input);
        let mut named = Vec::with_capacity(projection.expr.len());
        for (expr, (relation, field)) in projection.expr.iter().zip(projection.schema.iter()) {
            let expr = self.expr(expr.clone(), &scope)?.unalias();
            let name = self.own_name(field.name());
            named.push(expr.alias_qualified(relation.cloned(), name));
        }
        Projection::try_new(named, Arc::new(input)).map(LogicalPlan::Projection)
    }

    fn join(&mut self, join: &Join) -> Result<LogicalPlan> {
        let (left, right) = (self.plan(&join.left)?, self.plan(&join.right)?);
        let left_scope = Scope::of(&join.left, &left);
        let right_scope = Scope::of(&join.right, &right);
        let both = Scope {
            before: Arc::new(join.left.schema().join(join.right.schema())?),
            after: Arc::new(left.schema().join(right.schema())?),
        };
        let mut on = Vec::with_capacity(join.on.len());
        for (on_left, on_right) in &join.on {
            on.push((
                self.expr(on_left.clone(), &left_scope)?,
                self.expr(on_right.clone(), &right_scope)?,
            ));
        }
        let filter = join.filter.clone();
        let filter = filter.map(|filter| self.expr(filter, &both)).transpose()?;
        Join::try_new(
            Arc::new(left),
            Arc::new(right),
            on,
            filter,
            join.join_type,
            // The columns of USING were chosen when the query was planned.
            JoinConstraint::On,
            join.null_equality,
            join.null_aware,
        )
        .map(LogicalPlan::Join)
    }

    fn expr(&mut self, expr: Expr, scope: &Scope) -> Result<Expr> {
        let renamed = expr.transform_up(|expr| {
            Ok(match expr {
                Expr::Column(column) => match scope.find(&column) {
                    Some((own, _)) => Transformed::yes(Expr::Column(own)),
                    None => return Err(unknown(&column, &scope.before)),
                },
                Expr::OuterReferenceColumn(field, column) => {
                    let found = self.outer.iter().rev().find_map(|outer| {
                        let (own, at) = outer.find(&column)?;
                        Some((own, Arc::clone(&outer.after.fields()[at])))
                    });
                    match found {
                        Some((own, field)) => {
                            Transformed::yes(Expr::OuterReferenceColumn(field, own))
                        }
                        None => Transformed::no(Expr::OuterReferenceColumn(field, column)),
                    }
                }
                Expr::ScalarSubquery(subquery) => {
                    Transformed::yes(Expr::ScalarSubquery(self.subquery(subquery, scope)?))
                }
                Expr::Exists(mut exists) => {
                    exists.subquery = self.subquery(exists.subquery, scope)?;
                    Transformed::yes(Expr::Exists(exists))
                }
                Expr::InSubquery(mut contained) => {
                    contained.subquery = self.subquery(contained.subquery, scope)?;
                    Transformed::yes(Expr::InSubquery(contained))
                }
                Expr::SetComparison(mut compared) => {
                    compared.subquery = self.subquery(compared.subquery, scope)?;
                    Transformed::yes(Expr::SetComparison(compared))
                }
                other => Transformed::no(other),
            })
        })?;
        Ok(renamed.data)
    }

    fn subquery(&mut self, subquery: Subquery, scope: &Scope) -> Result<Subquery> {
        self.outer.push(scope.clone());
        let renamed = self.plan(&subquery.subquery);
        self.outer.pop();
        let mut outer = Vec::with_capacity(subquery.outer_ref_columns.len());
        for column in subquery.outer_ref_columns {
            outer.push(match column {
                Expr::OuterReferenceColumn(field, column) => match scope.find(&column) {
                    Some((own, at)) => {
                        let field = Arc::clone(&scope.after.fields()[at]);
                        Expr::OuterReferenceColumn(field, own)
                    }
                    // It belongs to a query further out.
                    None => self.expr(Expr::OuterReferenceColumn(field, column), scope)?,
                },
                other => other,
            });
        }
        Ok(Subquery {
            subquery: Arc::new(renamed?),
            outer_ref_columns: outer,
            spans: subquery.spans,
        })
    }
}

fn unknown(column: &Column, schema: &DFSchema) -> DataFusionError {
    DataFusionError::Internal(format!("column {column} is not one of {schema}"))
}
