//! Functions that take a function, which the engine has not. Manual page: "Complex type functions", ARRAY_REDUCE and
//! ARRAY_SORT.

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array};
use datafusion::arrow::compute::{interleave, nullif, take, take_arrays};
use datafusion::arrow::datatypes::{DataType as ArrowType, Field, FieldRef, Int64Type};
use datafusion::common::plan_err;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{
    ColumnarValue, HigherOrderFunctionArgs, HigherOrderReturnFieldArgs, HigherOrderSignature,
    HigherOrderUDF, HigherOrderUDFImpl, LambdaArgument, LambdaParametersProgress, ValueOrLambda,
    Volatility,
};

use super::array::plain;
use crate::engine::cast::as_list;
use crate::engine::failure::external;
use crate::error::Error;

pub(super) fn functions() -> Vec<Arc<HigherOrderUDF>> {
    let value = || ValueOrLambda::Value(());
    let lambda = || ValueOrLambda::Lambda(());
    let signature = |args| HigherOrderSignature::exact(args, Volatility::Immutable);
    vec![
        Arc::new(HigherOrderUDF::new_from_impl(ArrayReduce {
            signature: signature(vec![value(), value(), lambda(), lambda()]),
        })),
        Arc::new(HigherOrderUDF::new_from_impl(ArraySort {
            signature: signature(vec![value(), lambda()]),
        })),
    ]
}

fn field(given: &ArrowType) -> FieldRef {
    Arc::new(Field::new("", given.clone(), true))
}

/// The type of the items of the first argument.
fn item_type<L>(name: &str, fields: &[ValueOrLambda<FieldRef, L>]) -> EngineResult<FieldRef> {
    match fields.first() {
        Some(ValueOrLambda::Value(list)) => match list.data_type() {
            ArrowType::List(item) => Ok(field(item.data_type())),
            _ => Err(external(Error::argument_type(format!(
                "the first argument of function {name} is an ARRAY"
            )))),
        },
        _ => plan_err!("{name} begins with a value"),
    }
}

/// `array_reduce(array, initial, (buffer, item) -> buffer, buffer -> result)`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayReduce {
    signature: HigherOrderSignature,
}

impl HigherOrderUDFImpl for ArrayReduce {
    fn name(&self) -> &str {
        "array_reduce"
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, types: &[ArrowType]) -> EngineResult<Vec<ArrowType>> {
        Ok(types.iter().map(plain).collect())
    }

    fn lambda_parameters(
        &self,
        _step: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> EngineResult<LambdaParametersProgress> {
        let item = item_type(self.name(), fields)?;
        let [
            _,
            ValueOrLambda::Value(initial),
            ValueOrLambda::Lambda(merged),
            ..,
        ] = fields
        else {
            return plan_err!("array_reduce takes an array, a value and two functions");
        };
        Ok(match merged {
            Some(merged) => {
                // The buffer is what the first function makes of it.
                let buffer = field(merged.data_type());
                LambdaParametersProgress::Complete(vec![
                    vec![Arc::clone(&buffer), item],
                    vec![buffer],
                ])
            }
            None => LambdaParametersProgress::Partial(vec![
                Some(vec![field(initial.data_type()), item]),
                None,
            ]),
        })
    }

    fn coerce_values_for_lambdas(
        &self,
        fields: &[ValueOrLambda<ArrowType, ArrowType>],
    ) -> EngineResult<Option<Vec<ArrowType>>> {
        let [
            ValueOrLambda::Value(list),
            _,
            ValueOrLambda::Lambda(merged),
            _,
        ] = fields
        else {
            return plan_err!("array_reduce takes an array, a value and two functions");
        };
        Ok(Some(vec![list.clone(), merged.clone()]))
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs) -> EngineResult<FieldRef> {
        match args.arg_fields {
            [_, _, _, ValueOrLambda::Lambda(result)] => Ok(field(result.data_type())),
            _ => plan_err!("array_reduce ends with a function"),
        }
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> EngineResult<ColumnarValue> {
        let [
            ValueOrLambda::Value(list),
            ValueOrLambda::Value(initial),
            ValueOrLambda::Lambda(merge),
            ValueOrLambda::Lambda(finish),
        ] = args.args.as_slice()
        else {
            return plan_err!("array_reduce takes an array, a value and two functions");
        };
        let list = as_list(&list.to_array(args.number_rows)?).map_err(external)?;
        let mut buffer = initial.to_array(args.number_rows)?;
        let length = |row: usize| match list.is_valid(row) {
            true => list.value_length(row) as usize,
            false => 0,
        };
        let longest = (0..list.len()).map(length).max().unwrap_or(0);
        // Step by step over the rows that still have an item.
        for step in 0..longest {
            let rows = (0..list.len()).filter(|row| length(*row) > step);
            let rows: Vec<u32> = rows.map(|row| row as u32).collect();
            let offsets = list.value_offsets();
            let places = rows
                .iter()
                .map(|row| (offsets[*row as usize] as usize + step) as u32);
            let places = UInt32Array::from_iter_values(places);
            let rows = UInt32Array::from(rows);
            let before = take(&buffer, &rows, None)?;
            let items = take(list.values(), &places, None)?;
            let merged = merge.evaluate(
                &[&|| Ok(Arc::clone(&before)), &|| Ok(Arc::clone(&items))],
                |captures| Ok(take_arrays(captures, &rows, None)?),
            )?;
            let merged = merged.into_array(rows.len())?;
            if rows.len() == buffer.len() {
                buffer = merged;
                continue;
            }
            let mut picks: Vec<(usize, usize)> = (0..buffer.len()).map(|row| (0, row)).collect();
            for (place, row) in rows.values().iter().enumerate() {
                picks[*row as usize] = (1, place);
            }
            buffer = interleave(&[buffer.as_ref(), merged.as_ref()], &picks)?;
        }
        let finished = finish.evaluate(&[&|| Ok(Arc::clone(&buffer))], |captures| {
            Ok(captures.to_vec())
        })?;
        let finished = finished.into_array(args.number_rows)?;
        Ok(ColumnarValue::Array(match list.null_count() {
            0 => finished,
            _ => nullif(&finished, &datafusion::arrow::compute::is_null(&list)?)?,
        }))
    }
}

/// `array_sort(array, (a, b) -> number)`, by the name that the rewriting gives it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ArraySort {
    signature: HigherOrderSignature,
}

/// All pairs of the items of shorter lists are compared at once.
const PAIRED_MAX: usize = 64;
/// Pairs compared at once.
const PAIRS_MAX: usize = 1 << 20;

impl HigherOrderUDFImpl for ArraySort {
    fn name(&self) -> &str {
        "__array_sort_by"
    }

    fn signature(&self) -> &HigherOrderSignature {
        &self.signature
    }

    fn coerce_value_types(&self, types: &[ArrowType]) -> EngineResult<Vec<ArrowType>> {
        Ok(types.iter().map(plain).collect())
    }

    fn lambda_parameters(
        &self,
        _step: usize,
        fields: &[ValueOrLambda<FieldRef, Option<FieldRef>>],
    ) -> EngineResult<LambdaParametersProgress> {
        let item = item_type("array_sort", fields)?;
        let parameters = vec![Arc::clone(&item), item];
        Ok(LambdaParametersProgress::Complete(vec![parameters]))
    }

    fn return_field_from_args(&self, args: HigherOrderReturnFieldArgs) -> EngineResult<FieldRef> {
        match args.arg_fields {
            [ValueOrLambda::Value(list), _] => Ok(field(list.data_type())),
            _ => plan_err!("array_sort takes an array and a function"),
        }
    }

    fn invoke_with_args(&self, args: HigherOrderFunctionArgs) -> EngineResult<ColumnarValue> {
        let [ValueOrLambda::Value(list), ValueOrLambda::Lambda(compare)] = args.args.as_slice()
        else {
            return plan_err!("array_sort takes an array and a function");
        };
        let list = as_list(&list.to_array(args.number_rows)?).map_err(external)?;
        let mut sorting = Sorting {
            list: &list,
            compare,
            order: Vec::with_capacity(list.values().len()),
        };
        let mut row = 0;
        while row < list.len() {
            row = sorting.sort_from(row)?;
        }
        let order = UInt32Array::from(sorting.order);
        let values = take(list.values(), &order, None)?;
        let lengths = (0..list.len()).map(|row| match list.is_valid(row) {
            true => list.value_length(row) as usize,
            false => 0,
        });
        let offsets = datafusion::arrow::buffer::OffsetBuffer::from_lengths(lengths);
        let ArrowType::List(item) = list.data_type() else {
            return plan_err!("a list has a list type");
        };
        let sorted = ListArray::try_new(Arc::clone(item), offsets, values, list.nulls().cloned())?;
        Ok(ColumnarValue::Array(Arc::new(sorted)))
    }
}

struct Sorting<'a> {
    list: &'a ListArray,
    compare: &'a LambdaArgument,
    /// Where the items of the result are, in its order.
    order: Vec<u32>,
}

impl Sorting<'_> {
    fn range(&self, row: usize) -> std::ops::Range<u32> {
        let offsets = self.list.value_offsets();
        match self.list.is_valid(row) {
            true => offsets[row] as u32..offsets[row + 1] as u32,
            false => 0..0,
        }
    }

    /// Sorts one long list, or as many short ones as fit; returns the row that follows.
    fn sort_from(&mut self, first: usize) -> EngineResult<usize> {
        let range = self.range(first);
        if range.len() > PAIRED_MAX {
            let mut order: Vec<u32> = range.collect();
            let mut failed = None;
            order.sort_by(|a, b| {
                if failed.is_some() {
                    return Ordering::Equal;
                }
                match self.ordering(&[(first as u32, *a, *b)]) {
                    Ok(ordering) => ordering[0],
                    Err(error) => {
                        failed = Some(error);
                        Ordering::Equal
                    }
                }
            });
            self.order.extend(order);
            return failed.map_or(Ok(first + 1), Err);
        }
        let mut pairs = Vec::new();
        let mut begins = Vec::new();
        let mut row = first;
        while row < self.list.len() {
            let range = self.range(row);
            if range.len() > PAIRED_MAX || pairs.len() > PAIRS_MAX {
                break;
            }
            begins.push(pairs.len());
            for a in range.clone() {
                pairs.extend(range.clone().map(|b| (row as u32, a, b)));
            }
            row += 1;
        }
        let orderings = self.ordering(&pairs)?;
        for (row, begin) in (first..row).zip(begins) {
            let range = self.range(row);
            let width = range.len();
            let mut order: Vec<u32> = range.clone().collect();
            order.sort_by(|a, b| {
                let (a, b) = ((a - range.start) as usize, (b - range.start) as usize);
                orderings[begin + a * width + b]
            });
            self.order.extend(order);
        }
        Ok(row)
    }

    /// How the function orders pairs of items, each with its row.
    fn ordering(&self, pairs: &[(u32, u32, u32)]) -> EngineResult<Vec<Ordering>> {
        let side =
            |of: fn(&(u32, u32, u32)) -> u32| UInt32Array::from_iter_values(pairs.iter().map(of));
        let (rows, a, b) = (side(|p| p.0), side(|p| p.1), side(|p| p.2));
        let items = |places: &UInt32Array| -> EngineResult<ArrayRef> {
            Ok(take(self.list.values(), places, None)?)
        };
        let compared = self
            .compare
            .evaluate(&[&|| items(&a), &|| items(&b)], |captures| {
                Ok(take_arrays(captures, &rows, None)?)
            })?;
        let compared = compared.into_array(pairs.len())?;
        let compared = datafusion::arrow::compute::cast(&compared, &ArrowType::Int64)?;
        let compared = compared.as_primitive::<Int64Type>();
        if compared.null_count() > 0 {
            return Err(external(Error::argument_value(
                "function array_sort: the function gives NULL",
            )));
        }
        Ok(compared
            .values()
            .iter()
            .map(|number| number.cmp(&0))
            .collect())
    }
}
