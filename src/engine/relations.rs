//! How the engine plans relations that are MaxCompute's own: lateral views, set operations that count equal
//! rows, PIVOT and UNPIVOT, samples. Manual pages: "Lateral view", "PIVOT and UNPIVOT", "TABLESAMPLE".

use datafusion::common::{Column, JoinType, NullEquality, NullHandling, UnnestOptions};
use datafusion::error::Result as EngineResult;
use datafusion::functions::core::expr_ext::FieldAccessor;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, ExprWithAlias, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    NullInclusion, ObjectNamePart, PivotValueSource, TableAlias, TableFactor, TableSample,
    TableSampleBucket, TableSampleKind, TableSampleQuantity, TableSampleUnit,
};

use regex::Regex;

use super::failure::external;
use super::function::{Output, plan_table_function};
use super::sql::{CHOSEN_MARK, EXCEPT_ALL_MARK, INTERSECT_ALL_MARK, LATERAL_MARK, build};
use crate::error::Error;

/// See the module.
#[derive(Debug)]
pub(super) struct RelationsPlanner;

impl RelationPlanner for RelationsPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> EngineResult<RelationPlanning> {
        let plan = match relation {
            TableFactor::Unpivot { table, name, .. }
                if [EXCEPT_ALL_MARK, INTERSECT_ALL_MARK].contains(&name.value.as_str()) =>
            {
                counted_set_operation(*table, name.value == EXCEPT_ALL_MARK, context)?
            }
            TableFactor::Unpivot {
                table,
                name,
                columns,
                ..
            } if name.value == CHOSEN_MARK => chosen(*table, columns, context)?,
            TableFactor::Unpivot {
                table,
                value: SqlExpr::Function(function),
                name,
                columns,
                null_inclusion,
                ..
            } if name.value.starts_with(LATERAL_MARK) => {
                let view = View {
                    name: name.value[LATERAL_MARK.len()..]
                        .trim_matches('`')
                        .to_owned(),
                    columns,
                    is_outer: null_inclusion == Some(NullInclusion::IncludeNulls),
                };
                lateral_view(*table, function, view, context)?
            }
            TableFactor::Unpivot {
                table,
                value,
                name,
                columns,
                null_inclusion,
                alias,
            } => {
                let keeps_nulls = null_inclusion == Some(NullInclusion::IncludeNulls);
                let plan = unpivot(*table, value, &name.value, columns, keeps_nulls, context)?;
                aliased(plan, alias)?
            }
            TableFactor::Pivot {
                table,
                aggregate_functions,
                value_column,
                value_source: PivotValueSource::List(values),
                default_on_null: None,
                alias,
            } => {
                let plan = pivot(*table, aggregate_functions, value_column, values, context)?;
                aliased(plan, alias)?
            }
            mut sampled @ (TableFactor::Table { .. } | TableFactor::Derived { .. }) => {
                let (TableFactor::Table { sample, .. } | TableFactor::Derived { sample, .. }) =
                    &mut sampled
                else {
                    return Ok(RelationPlanning::Original(Box::new(sampled)));
                };
                let Some(sample) = sample.take() else {
                    return Ok(RelationPlanning::Original(Box::new(sampled)));
                };
                let (TableSampleKind::BeforeTableAlias(sample)
                | TableSampleKind::AfterTableAlias(sample)) = sample;
                sampled_relation(sampled, *sample, context)?
            }
            other => return Ok(RelationPlanning::Original(Box::new(other))),
        };
        let planned = PlannedRelation::new(plan, None);
        Ok(RelationPlanning::Planned(Box::new(planned)))
    }
}

/// The rows that a table function makes, joined to those it is called for.
struct View {
    name: String,
    columns: Vec<ExprWithAlias>,
    is_outer: bool,
}

fn lateral_view(
    table: TableFactor,
    function: Function,
    view: View,
    context: &mut dyn RelationPlannerContext,
) -> EngineResult<LogicalPlan> {
    let inner = context.plan(table)?;
    let schema = inner.schema().clone();
    let called = match function.name.0.last() {
        Some(ObjectNamePart::Identifier(ident)) => ident.value.clone(),
        _ => String::new(),
    };
    let mut arguments = Vec::new();
    if let FunctionArguments::List(list) = function.args {
        for argument in list.args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)) = argument else {
                return Err(external(Error::semantic(format!(
                    "function {called} takes plain arguments"
                ))));
            };
            arguments.push(context.sql_to_expr(argument, &schema)?);
        }
    }
    let outputs = {
        let provider = context.context_provider();
        let scalar = |name: &str| provider.get_function_meta(name);
        plan_table_function(&called, arguments, &schema, &scalar).map_err(external)?
    };
    if !view.columns.is_empty() && view.columns.len() != outputs.len() {
        return Err(external(Error::semantic(format!(
            "function {called} makes {} columns, {} names are given",
            outputs.len(),
            view.columns.len()
        ))));
    }
    let made = |number: usize| format!("__made{number}");
    let kept: Vec<Expr> = schema.iter().map(Expr::from).collect();
    let mut selected = kept.clone();
    let mut lists = Vec::new();
    for (number, output) in outputs.iter().enumerate() {
        selected.push(output.expr.clone().alias(made(number)));
        if output.is_list {
            lists.push(Column::from_name(made(number)));
        }
    }
    let mut plan = LogicalPlanBuilder::from(inner).project(selected)?;
    if !lists.is_empty() {
        let null_handling = match view.is_outer {
            true => NullHandling::PreserveAndExpandEmpty,
            false => NullHandling::Drop,
        };
        let options = UnnestOptions {
            null_handling,
            recursions: Vec::new(),
        };
        plan = plan.unnest_columns_with_options(lists, options)?;
    }
    let mut shown = kept;
    for (number, Output { name, field, .. }) in outputs.into_iter().enumerate() {
        let alias = view
            .columns
            .get(number)
            .and_then(|column| column.alias.as_ref());
        let name = alias.map_or(name, |alias| alias.value.clone());
        let value = col(made(number));
        let value = match field {
            Some(field) => value.field(field),
            None => value,
        };
        shown.push(value.alias_qualified(Some(view.name.as_str()), name));
    }
    plan.project(shown)?.build()
}

/// The columns that patterns fit, and the other items of a select list, in its order.
fn chosen(
    table: TableFactor,
    columns: Vec<ExprWithAlias>,
    context: &mut dyn RelationPlannerContext,
) -> EngineResult<LogicalPlan> {
    let inner = context.plan(table)?;
    let schema = inner.schema();
    let is_item = |name: &str| name.starts_with("__item");
    let mut shown = Vec::new();
    for column in columns {
        match (&column.expr, &column.alias) {
            (item, Some(alias)) => {
                let name = build::literal_text(item).unwrap_or_default();
                shown.push(col(name).alias(&alias.value));
            }
            (SqlExpr::Tuple(parts), None) => {
                let part = |at: usize| parts.get(at).and_then(build::literal_text);
                let (relation, text) = (part(0).unwrap_or_default(), part(1).unwrap_or_default());
                let candidates = schema.columns().into_iter().filter(|column| {
                    let is_of_relation = relation.is_empty()
                        || column
                            .relation
                            .as_ref()
                            .is_some_and(|found| found.table() == relation);
                    is_of_relation && !is_item(&column.name)
                });
                let candidates: Vec<Column> = candidates.collect();
                // A column may have a name that looks like a pattern.
                let named = text.to_lowercase();
                let is_named = candidates.iter().any(|column| column.name == named);
                let pattern = match is_named {
                    true => None,
                    false => Some(Pattern::new(text).map_err(external)?),
                };
                let fits = |column: &Column| match &pattern {
                    None => column.name == named,
                    Some(pattern) => pattern.fits(&column.name),
                };
                let before = shown.len();
                shown.extend(candidates.into_iter().filter(fits).map(Expr::Column));
                if shown.len() == before {
                    return Err(external(Error::semantic(format!(
                        "column {text} cannot be resolved, and as a pattern it fits no column"
                    ))));
                }
            }
            _ => return Err(external(Error::internal("a choice of columns has a form"))),
        }
    }
    LogicalPlanBuilder::from(inner).project(shown)?.build()
}

/// A regular expression for names. Groups in front that give nothing back, `(a|b)?+`, are matched one by one.
struct Pattern {
    fronts: Vec<Regex>,
    rest: Regex,
}

impl Pattern {
    fn new(text: &str) -> Result<Self, Error> {
        let compiled = |part: &str| {
            Regex::new(part).map_err(|_| {
                Error::semantic(format!(
                    "invalid regular expression in a select list: {text}"
                ))
            })
        };
        let (mut fronts, mut rest) = (Vec::new(), text);
        while let Some((front, behind)) = rest
            .strip_prefix('(')
            .and_then(|inside| inside.split_once(")?+"))
            .filter(|(front, _)| !front.contains(['(', ')']))
        {
            fronts.push(compiled(&format!("^(?i:(?:{front})?)"))?);
            rest = behind;
        }
        if ["?+", "*+", "++", "}+"]
            .iter()
            .any(|mark| rest.contains(mark))
        {
            return Err(Error::not_supported(
                "possessive quantifiers in a select list other than groups in front",
            ));
        }
        let rest = compiled(&format!("^(?i:{rest})$"))?;
        Ok(Self { fronts, rest })
    }

    fn fits(&self, name: &str) -> bool {
        let mut rest = name;
        for front in &self.fronts {
            let end = front.find(rest).map_or(0, |found| found.end());
            rest = &rest[end..];
        }
        self.rest.is_match(rest)
    }
}

/// EXCEPT ALL and INTERSECT ALL: the nth of equal rows on the left meets the nth on the right.
fn counted_set_operation(
    both: TableFactor,
    is_except: bool,
    context: &mut dyn RelationPlannerContext,
) -> EngineResult<LogicalPlan> {
    let TableFactor::NestedJoin {
        table_with_joins, ..
    } = both
    else {
        return Err(external(Error::internal("a set operation has two sides")));
    };
    let Some(join) = table_with_joins.joins.into_iter().next() else {
        return Err(external(Error::internal("a set operation has two sides")));
    };
    let left = context.plan(table_with_joins.relation)?;
    let right = context.plan(join.relation)?;
    if left.schema().fields().len() != right.schema().fields().len() {
        return Err(external(Error::set_operation(
            "the queries have different numbers of columns",
        )));
    }
    let kept: Vec<Expr> = left.schema().iter().map(Expr::from).collect();
    let numbered = |plan: LogicalPlan, name: &str| -> EngineResult<(LogicalPlan, Vec<Column>)> {
        let mut columns = plan.schema().columns();
        let partition: Vec<Expr> = columns.iter().cloned().map(Expr::Column).collect();
        let number = row_number().partition_by(partition).build()?.alias(name);
        let plan = LogicalPlanBuilder::from(plan).window([number])?.build()?;
        columns.push(Column::from_name(name));
        Ok((plan, columns))
    };
    let (left, left_columns) = numbered(left, "__nth_left")?;
    let (right, right_columns) = numbered(right, "__nth_right")?;
    let kind = if is_except {
        JoinType::LeftAnti
    } else {
        JoinType::LeftSemi
    };
    LogicalPlanBuilder::from(left)
        .join_detailed(
            right,
            kind,
            (left_columns, right_columns),
            None,
            NullEquality::NullEqualsNull,
        )?
        .project(kept)?
        .build()
}

/// A relation under its alias.
fn aliased(plan: LogicalPlan, alias: Option<TableAlias>) -> EngineResult<LogicalPlan> {
    let Some(alias) = alias else {
        return Ok(plan);
    };
    let mut plan = LogicalPlanBuilder::from(plan);
    if !alias.columns.is_empty() {
        let columns = plan.schema().columns();
        if columns.len() != alias.columns.len() {
            return Err(external(Error::semantic(format!(
                "{} has {} columns, {} names are given",
                alias.name.value,
                columns.len(),
                alias.columns.len()
            ))));
        }
        let named = columns.into_iter().zip(&alias.columns);
        let named = named.map(|(column, name)| Expr::Column(column).alias(&name.name.value));
        plan = plan.project(named.collect::<Vec<_>>())?;
    }
    plan.alias(alias.name.value)?.build()
}

/// The columns of a plan that none of `used` reads.
fn others(plan: &LogicalPlan, used: &[Expr]) -> Vec<Expr> {
    let is_used = |column: &Column| used.iter().any(|expr| expr.column_refs().contains(column));
    let columns = plan.schema().columns().into_iter();
    columns
        .filter(|column| !is_used(column))
        .map(Expr::Column)
        .collect()
}

/// A value as the name of a column.
fn name_of(value: &ExprWithAlias) -> String {
    match (&value.alias, build::literal_text(&value.expr)) {
        (Some(alias), _) => alias.value.to_lowercase(),
        (None, Some(text)) => text.to_lowercase(),
        (None, None) => value.expr.to_string().to_lowercase(),
    }
}

/// Groups by the columns that are not named, and makes a column of each aggregate over the rows of each value.
fn pivot(
    table: TableFactor,
    aggregates: Vec<ExprWithAlias>,
    keys: Vec<SqlExpr>,
    values: Vec<ExprWithAlias>,
    context: &mut dyn RelationPlannerContext,
) -> EngineResult<LogicalPlan> {
    let inner = context.plan(table)?;
    let schema = inner.schema().clone();
    let mut used = Vec::new();
    for key in &keys {
        used.push(context.sql_to_expr(key.clone(), &schema)?);
    }
    let (mut made, mut names) = (Vec::new(), Vec::new());
    for value in &values {
        let parts = match &value.expr {
            SqlExpr::Tuple(parts) => parts.clone(),
            other => vec![other.clone()],
        };
        if parts.len() != keys.len() {
            return Err(external(Error::semantic(
                "PIVOT: each value has as many parts as there are columns behind FOR",
            )));
        }
        let is_value = keys
            .iter()
            .zip(parts)
            .map(|(key, part)| build::equal(key.clone(), part))
            .reduce(build::and);
        for aggregate in &aggregates {
            let SqlExpr::Function(function) = &aggregate.expr else {
                return Err(external(Error::semantic("PIVOT needs aggregate functions")));
            };
            let mut function = function.clone();
            let filters = function.filter.take().map(|filter| *filter).into_iter();
            function.filter = filters
                .chain(is_value.clone())
                .reduce(build::and)
                .map(Box::new);
            made.push(context.sql_to_expr(SqlExpr::Function(function), &schema)?);
            let name = name_of(value);
            names.push(match &aggregate.alias {
                Some(alias) => format!("{name}_{}", alias.value.to_lowercase()),
                None if aggregates.len() > 1 => {
                    format!("{name}_{}", names.len() % aggregates.len())
                }
                None => name,
            });
        }
    }
    let groups = others(&inner, &[used, made.clone()].concat());
    let width = groups.len();
    let plan = LogicalPlanBuilder::from(inner).aggregate(groups, made)?;
    let columns = plan.schema().columns().into_iter().enumerate();
    let shown = columns.map(|(number, column)| match number.checked_sub(width) {
        Some(made) => Expr::Column(column).alias(&names[made]),
        None => Expr::Column(column),
    });
    let shown: Vec<Expr> = shown.collect();
    plan.project(shown)?.build()
}

/// Makes a row of each of the named columns: their name, or what stands for it, and their value.
fn unpivot(
    table: TableFactor,
    value: SqlExpr,
    name: &str,
    columns: Vec<ExprWithAlias>,
    keeps_nulls: bool,
    context: &mut dyn RelationPlannerContext,
) -> EngineResult<LogicalPlan> {
    let wrong = |detail: &str| external(Error::semantic(format!("UNPIVOT: {detail}")));
    let names: Vec<String> = match value {
        SqlExpr::Tuple(values) => values.iter().map(|value| value.to_string()).collect(),
        other => vec![other.to_string()],
    };
    let names: Vec<String> = names
        .iter()
        .map(|name| name.trim_matches('`').to_lowercase())
        .collect();
    let inner = context.plan(table)?;
    let schema = inner.schema().clone();
    let mut labels = Vec::new();
    let mut values: Vec<Vec<Expr>> = vec![Vec::new(); names.len()];
    for column in columns {
        let parts = match column.expr.clone() {
            SqlExpr::Tuple(parts) => parts,
            other => vec![other],
        };
        if parts.len() != names.len() {
            return Err(wrong("each item has as many columns as there are values"));
        }
        labels.push(lit(match &column.alias {
            Some(alias) => alias.value.clone(),
            None => {
                let parts: Vec<String> = parts.iter().map(SqlExpr::to_string).collect();
                parts.join("_").replace('`', "").to_lowercase()
            }
        }));
        for (position, part) in parts.into_iter().enumerate() {
            values[position].push(context.sql_to_expr(part, &schema)?);
        }
    }
    let Some(array) = context.context_provider().get_function_meta("make_array") else {
        return Err(external(Error::internal(
            "function make_array is not there",
        )));
    };
    let kept = others(&inner, &values.concat());
    let made = |number: usize| format!("__made{number}");
    let lists = std::iter::once(labels).chain(values);
    let lists = lists
        .enumerate()
        .map(|(number, items)| array.call(items).alias(made(number)));
    let selected: Vec<Expr> = kept.iter().cloned().chain(lists).collect();
    let unnested = (0..=names.len()).map(|number| Column::from_name(made(number)));
    let mut plan = LogicalPlanBuilder::from(inner)
        .project(selected)?
        .unnest_columns_with_options(unnested.collect(), UnnestOptions::default())?;
    if !keeps_nulls {
        let known = (1..=names.len()).map(|number| col(made(number)).is_not_null());
        if let Some(known) = known.reduce(Expr::or) {
            plan = plan.filter(known)?;
        }
    }
    let all = std::iter::once(name.to_lowercase()).chain(names);
    let shown = all
        .enumerate()
        .map(|(number, name)| col(made(number)).alias(name));
    let shown: Vec<Expr> = kept.into_iter().chain(shown).collect();
    plan.project(shown)?.build()
}

/// Some rows of a relation: about a share of them, the first of them, or those of one bucket.
fn sampled_relation(
    relation: TableFactor,
    sample: TableSample,
    context: &mut dyn RelationPlannerContext,
) -> EngineResult<LogicalPlan> {
    let wrong = |detail: &str| external(Error::semantic(format!("TABLESAMPLE: {detail}")));
    let plan = context.plan(relation)?;
    let number = |expr: &SqlExpr| -> EngineResult<f64> {
        let found = build::literal_number(expr).filter(|number| *number >= 0.0);
        found.ok_or_else(|| wrong("needs a constant that is not negative"))
    };
    let random = || build::call("rand", []);
    let chosen = match sample {
        TableSample {
            quantity: Some(TableSampleQuantity { value, unit, .. }),
            bucket: None,
            ..
        } => match unit {
            Some(TableSampleUnit::Percent) => {
                let share = number(&value)? / 100.0;
                build::less(random(), build::number(format!("{share:?}")))
            }
            Some(TableSampleUnit::Rows) => {
                let rows = number(&value)? as usize;
                return LogicalPlanBuilder::from(plan).limit(0, Some(rows))?.build();
            }
            None => return Err(external(Error::not_supported("TABLESAMPLE by size"))),
        },
        TableSample {
            bucket: Some(TableSampleBucket { bucket, total, on }),
            ..
        } => {
            let count = |value| number(&SqlExpr::Value(value));
            let (bucket, total) = (count(bucket)?, count(total)?);
            if bucket < 1.0 || bucket > total {
                return Err(wrong("a bucket is numbered from 1 to how many there are"));
            }
            let place = on.map(|on| build::call("hash", [on]));
            let arguments = [build::number(total), build::number(bucket)];
            build::in_bucket(place, arguments)
        }
        _ => return Err(wrong("needs PERCENT, ROWS or BUCKET")),
    };
    let chosen = context.sql_to_expr(chosen, &plan.schema().clone())?;
    LogicalPlanBuilder::from(plan).filter(chosen)?.build()
}
