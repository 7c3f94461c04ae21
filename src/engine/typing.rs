//! What MaxCompute says of types where the engine is more generous, on the plan before it is optimised:
//! numbers and texts are compared as DOUBLE by IN too, the branches of a CASE or of a UNION have to be of one
//! kind, conditions are BOOLEAN, and aggregates take what they are documented to take. Manual page: "Type
//! conversions".

use datafusion::arrow::datatypes::DataType as ArrowType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, ScalarValue};
use std::sync::Arc;

use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::functions_aggregate::bool_and_or::{bool_and_udaf, bool_or_udaf};
use datafusion::logical_expr::expr::{Case, Exists, InList, InSubquery};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{
    conjunction, disjunction, merge_schema, split_conjunction_owned,
};
use datafusion::logical_expr::{
    Expr, ExprSchemable, Filter, Join, LogicalPlan, LogicalPlanBuilder, Subquery, Union,
    cast as engine_cast, lit, when,
};

use super::cast::Casting;
use super::comparison::{DecimalDigits, comparable, equal};
use super::failure::external;
use super::function::cast_expr;
use super::types::arrow_type_name;
use super::{scalar, upstream};
use crate::error::Error;

/// Checks and completes a plan.
pub(super) fn typed(plan: LogicalPlan, casting: Casting) -> EngineResult<LogicalPlan> {
    let changed = plan.transform_up_with_subqueries(|node| {
        let node = match node {
            LogicalPlan::Union(union) => {
                check_union(&union.inputs)?;
                LogicalPlan::Union(as_doubles(union)?)
            }
            node => node,
        };
        let node = match upstream::fenced(node, casting)? {
            LogicalPlan::Filter(filter) => null_aware(filter, casting)?,
            LogicalPlan::Join(join) => with_comparable_keys(join, casting)?,
            node => node,
        };
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let typed = expr.transform_up(|expr| {
                let typed = typed_expr(expr, &schema, casting)?;
                typed.transform_data(|expr| upstream::expression(expr, &schema, casting))
            })?;
            typed.map_data(|expr| Ok(name.restore(upstream::separate_operands(expr, casting)?)))
        })?;
        // What stands above sees other types where some have changed.
        node.map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(changed.data)
}

/// A filter in which IN with a subquery keeps its three values wherever it stands. The engine sees to that for
/// a condition by itself; inside of OR, NOT or CASE it only tells found from not found.
fn null_aware(filter: Filter, casting: Casting) -> EngineResult<LogicalPlan> {
    let schema = Arc::clone(filter.input.schema());
    let predicate = upstream::one_row_subqueries(filter.predicate, &schema, casting)?;
    let conditions = split_conjunction_owned(predicate).into_iter();
    let conditions = conditions.map(|condition| match condition {
        // The engine's anti join knows NULL of a column beside one that is not correlated.
        Expr::InSubquery(inside) if inside.negated && !is_plain(&inside) => {
            not_in(inside, &schema, casting)
        }
        alone @ Expr::InSubquery(_) => Ok(alone),
        other => {
            let changed = other.transform_up(|expr| match expr {
                Expr::InSubquery(inside) => {
                    found_in(inside, &schema, casting).map(Transformed::yes)
                }
                other => Ok(Transformed::no(other)),
            });
            changed.map(|changed| changed.data)
        }
    });
    let conditions = conditions.collect::<EngineResult<Vec<_>>>()?;
    let predicate = conjunction(conditions).unwrap_or_else(|| lit(true));
    Filter::try_new(predicate, filter.input).map(LogicalPlan::Filter)
}

fn is_plain(inside: &InSubquery) -> bool {
    inside.subquery.outer_ref_columns.is_empty() && !inside.expr.column_refs().is_empty()
}

/// `x NOT IN (q)` as a condition by itself: there is no row of q that is x or may be.
fn not_in(inside: InSubquery, schema: &DFSchema, casting: Casting) -> EngineResult<Expr> {
    let columns = inside.subquery.subquery.schema().columns();
    let [column] = columns.as_slice() else {
        return Ok(Expr::InSubquery(inside));
    };
    let given = inside.expr.get_type(schema)?;
    let outer = as_outer(*inside.expr, schema)?;
    let value = Expr::Column(column.clone());
    let value_type = inner_type(&inside.subquery);
    let is_same = equal((value.clone(), value_type), (outer.clone(), given), casting)?;
    let may_be = is_same.or(value.is_null()).or(outer.is_null());
    exists(&inside.subquery, Some(may_be)).map(|found| !found)
}

fn projected(subquery: &Subquery, value: Expr) -> EngineResult<LogicalPlan> {
    LogicalPlanBuilder::from(subquery.subquery.as_ref().clone())
        .project([value.alias("__comparable")])?
        .build()
}

fn inner_type(subquery: &Subquery) -> ArrowType {
    subquery.subquery.schema().field(0).data_type().clone()
}

/// Whether a subquery has a row of which a condition is true.
fn exists(subquery: &Subquery, condition: Option<Expr>) -> EngineResult<Expr> {
    let mut plan = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone());
    let mut outer = subquery.outer_ref_columns.clone();
    if let Some(condition) = condition {
        plan = plan.filter(condition)?;
    }
    let plan = plan.build()?;
    outer.extend(plan.all_out_ref_exprs());
    outer.dedup();
    Ok(Expr::Exists(Exists::new(
        Subquery {
            subquery: Arc::new(plan),
            outer_ref_columns: outer,
            spans: subquery.spans.clone(),
        },
        false,
    )))
}

/// An expression as a subquery sees it.
fn as_outer(expr: Expr, schema: &DFSchema) -> EngineResult<Expr> {
    let outer = expr.transform_up(|expr| match expr {
        Expr::Column(column) => {
            let field = Arc::clone(schema.qualified_field_from_column(&column)?.1);
            let outer = Expr::OuterReferenceColumn(field, column);
            Ok(Transformed::yes(outer))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(outer.data)
}

/// `x IN (q)` by its definition: TRUE where q has it, else NULL where x is NULL and q is not empty or where q has
/// a NULL, else FALSE.
fn found_in(inside: InSubquery, schema: &DFSchema, casting: Casting) -> EngineResult<Expr> {
    let InSubquery {
        expr,
        subquery,
        negated,
    } = inside;
    let columns = subquery.subquery.schema().columns();
    let [column] = columns.as_slice() else {
        let same = InSubquery::new(expr, subquery, negated);
        return Ok(Expr::InSubquery(same));
    };
    let exists = |condition| exists(&subquery, condition);
    let outer = as_outer(expr.as_ref().clone(), schema)?;
    let value = Expr::Column(column.clone());
    let is_same = equal(
        (value.clone(), inner_type(&subquery)),
        (outer, expr.get_type(schema)?),
        casting,
    )?;
    let is_found = exists(Some(is_same))?;
    let is_unknown = expr
        .is_null()
        .and(exists(None)?)
        .or(exists(Some(value.is_null()))?);
    let found = when(is_found, lit(true))
        .when(is_unknown, lit(ScalarValue::Boolean(None)))
        .otherwise(lit(false))?;
    Ok(if negated { !found } else { found })
}

fn typed_expr(expr: Expr, schema: &DFSchema, casting: Casting) -> EngineResult<Transformed<Expr>> {
    let is = |expr: &Expr, test: &dyn Fn(&ArrowType) -> bool| {
        expr.get_type(schema).is_ok_and(|given| test(&given))
    };
    let is_text = |given: &ArrowType| given.is_string();
    let is_number = |given: &ArrowType| given.is_numeric() || given.is_decimal();
    match expr {
        Expr::InList(list) => in_list(list, schema, casting),
        Expr::InSubquery(InSubquery {
            expr,
            mut subquery,
            negated,
        }) => {
            let inner = subquery.subquery.schema();
            let column = inner.columns().into_iter().next();
            let (Some(column), 1) = (column, inner.fields().len()) else {
                let same = InSubquery::new(expr, subquery, negated);
                return Ok(Transformed::no(Expr::InSubquery(same)));
            };
            let given = expr.get_type(schema)?;
            let value = (Expr::Column(column), inner_type(&subquery));
            let outer = (*expr, given);
            let Some((outer, value)) = comparable(&outer, &value, casting)? else {
                let same = InSubquery::new(Box::new(outer.0), subquery, negated);
                return Ok(Transformed::no(Expr::InSubquery(same)));
            };
            subquery.subquery = Arc::new(projected(&subquery, value)?);
            let mixed = InSubquery::new(Box::new(outer), subquery, negated);
            Ok(Transformed::yes(Expr::InSubquery(mixed)))
        }
        Expr::ScalarFunction(call) if call.name() == "nullif" && call.args.len() == 2 => {
            let [a, b] = [&call.args[0], &call.args[1]];
            let left = (a.clone(), a.get_type(schema)?);
            let right = (b.clone(), b.get_type(schema)?);
            // The result has the type of the first.
            if left.1 == right.1 || right.1.is_null() || a.is_volatile() {
                return Ok(Transformed::no(Expr::ScalarFunction(call)));
            }
            let first = left.0.clone();
            let is_same = equal(left, right, casting)?;
            let value = when(is_same, lit(ScalarValue::Null)).otherwise(first)?;
            Ok(Transformed::yes(value))
        }
        Expr::SetComparison(mut compared) => {
            let inner = compared.subquery.subquery.schema();
            let column = inner.columns().into_iter().next();
            let (Some(column), 1) = (column, inner.fields().len()) else {
                return Ok(Transformed::no(Expr::SetComparison(compared)));
            };
            let given = compared.expr.get_type(schema)?;
            let value = (Expr::Column(column), inner_type(&compared.subquery));
            let outer = ((*compared.expr).clone(), given);
            let Some((outer, value)) = comparable(&outer, &value, casting)? else {
                return Ok(Transformed::no(Expr::SetComparison(compared)));
            };
            compared.subquery.subquery = Arc::new(projected(&compared.subquery, value)?);
            compared.expr = Box::new(outer);
            Ok(Transformed::yes(Expr::SetComparison(compared)))
        }
        Expr::ScalarSubquery(subquery) => scalar::of_one_row(subquery, casting),
        Expr::Like(like) => {
            for side in [&like.expr, &like.pattern] {
                if !is(side, &|given| is_text(given) || given.is_null()) {
                    return Err(unmatched("like", [&*like.expr, &*like.pattern], schema));
                }
            }
            Ok(Transformed::no(Expr::Like(like)))
        }
        Expr::ScalarFunction(call) if call.name() == "rlike" => {
            let is_fit = |side| is(side, &|given| is_text(given) || given.is_null());
            if !call.args.iter().all(is_fit) {
                return Err(unmatched("rlike", &call.args, schema));
            }
            Ok(Transformed::no(Expr::ScalarFunction(call)))
        }
        Expr::ScalarFunction(mut call) if call.name() == "make_array" => {
            let mixed = call.args.iter().any(|item| is(item, &is_text))
                && call.args.iter().any(|item| is(item, &is_number));
            let given = call
                .args
                .iter()
                .filter_map(|item| item.get_type(schema).ok());
            if is_mixed_number(&given.collect::<Vec<_>>()) {
                let items = call.args.into_iter();
                call.args = items
                    .map(|item| engine_cast(item, ArrowType::Float64))
                    .collect();
                return Ok(Transformed::yes(Expr::ScalarFunction(call)));
            }
            if !mixed {
                return Ok(Transformed::no(Expr::ScalarFunction(call)));
            }
            let items = call.args.into_iter();
            call.args = items
                .map(|item| cast_expr(item, "string", casting))
                .collect();
            Ok(Transformed::yes(Expr::ScalarFunction(call)))
        }
        Expr::ScalarFunction(mut call) if call.name() == "coalesce" => {
            let given = call
                .args
                .iter()
                .filter_map(|item| item.get_type(schema).ok());
            if !is_mixed_number(&given.collect::<Vec<_>>()) {
                return Ok(Transformed::no(Expr::ScalarFunction(call)));
            }
            let items = call.args.into_iter();
            call.args = items
                .map(|item| engine_cast(item, ArrowType::Float64))
                .collect();
            Ok(Transformed::yes(Expr::ScalarFunction(call)))
        }
        Expr::AggregateFunction(mut call) if ["max", "min"].contains(&call.func.name()) => {
            let is_truth = |given: &ArrowType| *given == ArrowType::Boolean;
            if call.params.args.iter().all(|value| is(value, &is_truth)) {
                // The engine has no groups of them: true is greater than false.
                call.func = match call.func.name() {
                    "max" => bool_or_udaf(),
                    _ => bool_and_udaf(),
                };
                return Ok(Transformed::yes(Expr::AggregateFunction(call)));
            }
            let is_unfit = |given: &ArrowType| given.is_nested();
            if call.params.args.iter().any(|value| is(value, &is_unfit)) {
                return Err(unmatched(call.func.name(), &call.params.args, schema));
            }
            Ok(Transformed::no(Expr::AggregateFunction(call)))
        }
        Expr::AggregateFunction(mut call) if call.func.name() == "approx_distinct" => {
            // The engine counts texts and whole numbers only.
            let is_counted = |given: &ArrowType| given.is_integer() || is_text(given);
            let values = call.params.args.into_iter();
            call.params.args = values
                .map(|value| match is(&value, &is_counted) {
                    true => value,
                    false => cast_expr(upstream::unsigned(value, casting), "string", casting),
                })
                .collect();
            Ok(Transformed::yes(Expr::AggregateFunction(call)))
        }
        Expr::Case(case) => {
            let case = with_comparable_values(case, schema, casting)?;
            let is_condition = |given: &ArrowType| *given == ArrowType::Boolean || given.is_null();
            let mut conditions = case.when_then_expr.iter().map(|(when, _)| when);
            if case.expr.is_none() && !conditions.all(|when| is(when, &is_condition)) {
                return Err(external(Error::semantic("expect a BOOLEAN expression")));
            }
            let branches = case.when_then_expr.iter().map(|(_, then)| then);
            let types = branches
                .chain(&case.else_expr)
                .filter_map(|branch| branch.get_type(schema).ok());
            if let Some((a, b)) = mismatch(types) {
                return Err(external(Error::semantic(format!(
                    "the branches of CASE have types {a} and {b}"
                ))));
            }
            let thens = case.when_then_expr.iter().map(|(_, then)| then);
            let given = thens
                .chain(&case.else_expr)
                .filter_map(|branch| branch.get_type(schema).ok());
            if is_mixed_number(&given.collect::<Vec<_>>()) {
                return Ok(Transformed::yes(Expr::Case(case_of_doubles(case))));
            }
            Ok(as_texts(case, &is, casting))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// `x IN (a, b, ...)`: where the items meet x in different types, `x = a OR x = b OR ...`.
fn in_list(list: InList, schema: &DFSchema, casting: Casting) -> EngineResult<Transformed<Expr>> {
    let InList {
        expr,
        list,
        negated,
    } = list;
    let given = expr.get_type(schema)?;
    let value = (*expr, given);
    let mut pairs: Vec<(Expr, Expr, bool)> = Vec::with_capacity(list.len());
    let (mut is_changed, mut is_one) = (false, true);
    let mut digits = DecimalDigits::default();
    for item in &list {
        let item = (item.clone(), item.get_type(schema)?);
        let changed = comparable(&value, &item, casting)?;
        is_changed |= changed.is_some();
        let (left, right) = changed.unwrap_or_else(|| (value.0.clone(), item.0.clone()));
        digits.add(&left.get_type(schema)?);
        digits.add(&right.get_type(schema)?);
        // NULL has no type of its own.
        let before = pairs.iter().rfind(|(.., is_null)| !is_null);
        is_one &= item.1.is_null() || before.is_none_or(|(before, ..)| *before == left);
        pairs.push((left, right, item.1.is_null()));
    }
    if !is_changed || value.0.is_volatile() {
        let same = InList::new(Box::new(value.0), list, negated);
        return Ok(Transformed::no(Expr::InList(same)));
    }
    if is_one && digits.fit() {
        let left = pairs.iter().rfind(|(.., is_null)| !is_null);
        let left = left.map_or(value.0, |(left, ..)| left.clone());
        let items = pairs.into_iter().map(|(_, right, _)| right).collect();
        let list = InList::new(Box::new(left), items, negated);
        return Ok(Transformed::yes(Expr::InList(list)));
    }
    let equal = |(left, right, _): (Expr, Expr, bool)| {
        upstream::expression(left.eq(right), schema, casting).map(|equal| equal.data)
    };
    let equals = pairs
        .into_iter()
        .map(equal)
        .collect::<EngineResult<Vec<_>>>()?;
    let any = disjunction(equals).unwrap_or_else(|| lit(false));
    Ok(Transformed::yes(if negated { !any } else { any }))
}

/// `CASE x WHEN a ...` as `CASE WHEN x = a ...` where x and a value are compared in another type.
fn with_comparable_values(case: Case, schema: &DFSchema, casting: Casting) -> EngineResult<Case> {
    let Some(of) = &case.expr else {
        return Ok(case);
    };
    let value = (of.as_ref().clone(), of.get_type(schema)?);
    let mut branches = Vec::with_capacity(case.when_then_expr.len());
    let mut is_changed = false;
    for (when, then) in &case.when_then_expr {
        let when = (when.as_ref().clone(), when.get_type(schema)?);
        let changed = comparable(&value, &when, casting)?;
        is_changed |= changed.is_some();
        let (left, right) = changed.unwrap_or((value.0.clone(), when.0));
        branches.push((Box::new(left.eq(right)), then.clone()));
    }
    if !is_changed || value.0.is_volatile() {
        return Ok(case);
    }
    Ok(Case {
        expr: None,
        when_then_expr: branches,
        else_expr: case.else_expr,
    })
}

/// The columns of USING compared as `=` compares them.
fn with_comparable_keys(mut join: Join, casting: Casting) -> EngineResult<LogicalPlan> {
    for (left, right) in &mut join.on {
        let a = (left.clone(), left.get_type(join.left.schema())?);
        let b = (right.clone(), right.get_type(join.right.schema())?);
        if let Some(compared) = comparable(&a, &b, casting)? {
            (*left, *right) = compared;
        }
    }
    Ok(LogicalPlan::Join(join))
}

/// DECIMAL and DOUBLE have DOUBLE in common, as in arithmetic.
fn is_mixed_number(types: &[ArrowType]) -> bool {
    types.iter().any(ArrowType::is_decimal)
        && types.iter().any(ArrowType::is_floating)
        && !types.iter().any(ArrowType::is_string)
}

fn case_of_doubles(mut case: Case) -> Case {
    let thens = case.when_then_expr.iter_mut().map(|(_, then)| then);
    for branch in thens.chain(&mut case.else_expr) {
        let given = std::mem::take(&mut **branch);
        **branch = engine_cast(given, ArrowType::Float64);
    }
    case
}

/// A CASE of which a branch is a text gives texts.
fn as_texts(
    mut case: Case,
    is: &impl Fn(&Expr, &dyn Fn(&ArrowType) -> bool) -> bool,
    casting: Casting,
) -> Transformed<Expr> {
    let is_text = |given: &ArrowType| given.is_string();
    let is_plain = |given: &ArrowType| {
        given.is_numeric()
            || given.is_decimal()
            || matches!(given, ArrowType::Date32 | ArrowType::Timestamp(..))
    };
    let thens = case.when_then_expr.iter_mut().map(|(_, then)| then);
    let branches: Vec<&mut Box<Expr>> = thens.chain(&mut case.else_expr).collect();
    let has_text = branches.iter().any(|branch| is(branch, &is_text));
    let mut is_changed = false;
    for branch in branches {
        if has_text && is(branch, &is_plain) {
            let given = std::mem::take(&mut **branch);
            **branch = cast_expr(given, "string", casting);
            is_changed = true;
        }
    }
    Transformed::new_transformed(Expr::Case(case), is_changed)
}

fn unmatched<'a>(
    name: &str,
    arguments: impl IntoIterator<Item = &'a Expr>,
    schema: &DFSchema,
) -> DataFusionError {
    let types = arguments.into_iter().map(|argument| {
        let given = argument.get_type(schema).unwrap_or(ArrowType::Null);
        arrow_type_name(&given)
    });
    let types: Vec<String> = types.collect();
    external(Error::semantic(format!(
        "function {name} cannot match any overloaded functions with ({})",
        types.join(",")
    )))
}

/// Two types of different kinds: a time and a number, or a truth value and anything else.
fn mismatch(types: impl Iterator<Item = ArrowType>) -> Option<(String, String)> {
    let kind = |given: &ArrowType| match given {
        ArrowType::Date32 | ArrowType::Timestamp(..) => Some(1),
        ArrowType::Boolean => Some(2),
        given if given.is_numeric() || given.is_decimal() => Some(3),
        _ => None,
    };
    let mut first: Option<ArrowType> = None;
    for given in types.filter(|given| kind(given).is_some()) {
        match &first {
            None => first = Some(given),
            Some(before) if kind(before) != kind(&given) => {
                return Some((arrow_type_name(before), arrow_type_name(&given)));
            }
            Some(_) => {}
        }
    }
    None
}

/// A column of a UNION that is DECIMAL here and DOUBLE there is DOUBLE.
fn as_doubles(union: Union) -> EngineResult<Union> {
    let types = |column: usize| {
        let inputs = union.inputs.iter();
        inputs.filter_map(move |input| Some(input.schema().fields().get(column)?.data_type()))
    };
    let mixed: Vec<bool> = (0..union.schema.fields().len())
        .map(|column| {
            types(column).any(|given| given.is_decimal())
                && types(column).any(|given| given.is_floating())
        })
        .collect();
    if !mixed.contains(&true) {
        // The types of its inputs may have changed.
        return Union::try_new_with_loose_types(union.inputs);
    }
    let inputs = union.inputs.into_iter().map(|input| {
        let columns = input.schema().iter().zip(&mixed);
        let columns = columns.map(|((relation, field), is_mixed)| {
            let column = Expr::Column(Column::new(relation.cloned(), field.name()));
            match is_mixed {
                true => engine_cast(column, ArrowType::Float64)
                    .alias_qualified(relation.cloned(), field.name()),
                false => column,
            }
        });
        let columns = columns.collect::<Vec<_>>();
        let plan = LogicalPlanBuilder::from(input.as_ref().clone());
        plan.project(columns)?.build().map(Arc::new)
    });
    Union::try_new_with_loose_types(inputs.collect::<EngineResult<_>>()?)
}

fn check_union(inputs: &[Arc<LogicalPlan>]) -> EngineResult<()> {
    let width = inputs
        .iter()
        .map(|input| input.schema().fields().len())
        .min();
    for column in 0..width.unwrap_or(0) {
        let types = inputs
            .iter()
            .map(|input| input.schema().field(column).data_type().clone());
        if let Some((a, b)) = mismatch(types) {
            return Err(external(Error::set_operation(format!(
                "column {} has types {a} and {b}",
                column + 1
            ))));
        }
    }
    Ok(())
}
