//! Aggregates over a frame without some of its rows: EXCLUDE CURRENT ROW, GROUP and TIES, which the engine has not. Manual page:
//! "Window functions", frame_exclusion.

use std::ops::Range;
use std::slice;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use datafusion::arrow::compute::{concat, filter, partition};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{
    AccumulatorArgs, PartitionEvaluatorArgs, WindowUDFFieldArgs,
};
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDF,
    WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Literal;

/// Before the name of an aggregate: it takes two arguments more, which rows of the frame count (FILTER), and what is left out.
pub(in crate::engine) const EXCLUDED: &str = "__excluded_";
/// Begins the last argument where equal values count once.
pub(in crate::engine) const DISTINCT: &str = "distinct ";

pub(super) fn windows(aggregates: Vec<Arc<AggregateUDF>>) -> Vec<Arc<WindowUDF>> {
    let window = |aggregate: Arc<AggregateUDF>| {
        Arc::new(WindowUDF::from(Excluded {
            name: format!("{EXCLUDED}{}", aggregate.name()),
            aggregate,
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    };
    aggregates.into_iter().map(window).collect()
}

/// What is left out of a frame.
#[derive(Clone, Copy, Debug)]
enum Left {
    CurrentRow,
    /// The current row and its peers, the rows of equal order.
    Group,
    /// Its peers, but not the row itself.
    Ties,
}

/// An aggregate over a frame without some of its rows.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Excluded {
    name: String,
    aggregate: Arc<AggregateUDF>,
    signature: Signature,
}

impl Excluded {
    fn own<'a, T>(&self, arguments: &'a [T]) -> Result<&'a [T]> {
        match arguments.len().checked_sub(2) {
            Some(own) => Ok(&arguments[..own]),
            None => internal_err!("{} has too few arguments", self.name),
        }
    }
}

impl WindowUDFImpl for Excluded {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, given: &[DataType]) -> Result<Vec<DataType>> {
        let own = self.own(given)?.iter();
        let fields: Vec<FieldRef> = own
            .map(|given| Arc::new(Field::new("value", given.clone(), true)))
            .collect();
        let fields = fields_with_udf(&fields, self.aggregate.as_ref())?;
        let types = fields.iter().map(|field| field.data_type().clone());
        Ok(types.chain([DataType::Boolean, DataType::Utf8]).collect())
    }

    fn field(&self, arguments: WindowUDFFieldArgs) -> Result<FieldRef> {
        let own = self.own(arguments.input_fields())?;
        let made = self.aggregate.return_field(own)?;
        let made = made.as_ref().clone().with_name(arguments.name());
        Ok(Arc::new(made.with_nullable(true)))
    }

    fn partition_evaluator(
        &self,
        arguments: PartitionEvaluatorArgs,
    ) -> Result<Box<dyn PartitionEvaluator>> {
        let exprs = self.own(arguments.input_exprs())?.to_vec();
        let fields = self.own(arguments.input_fields())?.to_vec();
        let how = arguments.input_exprs().last();
        let how = how.and_then(|how| how.downcast_ref::<Literal>());
        let Some(Some(Some(how))) = how.map(|how| how.value().try_as_str()) else {
            return internal_err!("{} does not know what to leave out", self.name);
        };
        let (is_distinct, how) = match how.strip_prefix(DISTINCT) {
            Some(how) => (true, how),
            None => (false, how),
        };
        let left = match how {
            "current row" => Left::CurrentRow,
            "group" => Left::Group,
            "ties" => Left::Ties,
            other => return internal_err!("{} cannot leave out {other}", self.name),
        };
        let is_inexact = |field: &FieldRef| field.data_type().is_floating();
        let slides = !is_distinct
            && ["sum", "avg", "count"].contains(&self.aggregate.name())
            && !fields.iter().any(is_inexact);
        let mut evaluator = Evaluator {
            aggregate: Arc::clone(&self.aggregate),
            schema: Schema::new(fields.clone()),
            returned: self.aggregate.return_field(&fields)?,
            exprs,
            fields,
            ignores_nulls: arguments.ignore_nulls(),
            is_distinct,
            left,
            row: 0,
            groups: Vec::new(),
            group: 0,
            sliding: None,
        };
        if slides {
            let accumulator = evaluator.accumulator(true)?;
            if accumulator.supports_retract_batch() {
                evaluator.sliding = Some((accumulator, 0..0));
            }
        }
        Ok(Box::new(evaluator))
    }

    fn limit_effect(&self, _: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        LimitEffect::Unknown
    }
}

/// The rows of one partition in their order.
#[derive(Debug)]
struct Evaluator {
    aggregate: Arc<AggregateUDF>,
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    fields: Vec<FieldRef>,
    schema: Schema,
    returned: FieldRef,
    ignores_nulls: bool,
    is_distinct: bool,
    left: Left,
    /// The current row: the frames come in the order of the rows.
    row: usize,
    /// Rows of equal order.
    groups: Vec<Range<usize>>,
    /// The group of the current row.
    group: usize,
    /// Of an aggregate that can take rows back without an error in its last digits: what the frame before holds.
    sliding: Option<(Box<dyn Accumulator>, Range<usize>)>,
}

impl PartitionEvaluator for Evaluator {
    fn uses_window_frame(&self) -> bool {
        true
    }

    fn evaluate(&mut self, values: &[ArrayRef], frame: &Range<usize>) -> Result<ScalarValue> {
        let row = self.row;
        self.row += 1;
        let order = self.fields.len() + 2;
        if row == 0 {
            self.groups = match values.len() > order {
                true => partition(&values[order..])?.ranges(),
                // Without an order all rows are peers.
                false => vec![0..values[order - 1].len(); 1],
            };
        }
        while self.groups[self.group].end <= row {
            self.group += 1;
        }
        let group = self.groups[self.group].clone();
        let out: [Range<usize>; 2] = match self.left {
            Left::CurrentRow => [row..row + 1, row + 1..row + 1],
            Left::Group => [group.clone(), group.end..group.end],
            Left::Ties => [group.start..row, row + 1..group.end],
        };
        let out = out.map(|range| within(range, frame));
        match self.sliding.take() {
            Some((mut accumulator, held)) => {
                slide(accumulator.as_mut(), values, &self.fields, &held, frame)?;
                let without = rows(values, &self.fields, &out)?;
                accumulator.retract_batch(&without)?;
                let value = accumulator.evaluate()?;
                accumulator.update_batch(&without)?;
                self.sliding = Some((accumulator, frame.clone()));
                Ok(value)
            }
            None => {
                let [first, second] = out;
                let kept = [
                    frame.start..first.start,
                    first.end..second.start,
                    second.end..frame.end,
                ];
                let mut accumulator = self.accumulator(false)?;
                accumulator.update_batch(&rows(values, &self.fields, &kept)?)?;
                accumulator.evaluate()
            }
        }
    }
}

impl Evaluator {
    fn accumulator(&self, slides: bool) -> Result<Box<dyn Accumulator>> {
        let arguments = AccumulatorArgs {
            return_field: Arc::clone(&self.returned),
            schema: &self.schema,
            ignore_nulls: self.ignores_nulls,
            order_bys: &[],
            is_reversed: false,
            name: self.aggregate.name(),
            is_distinct: self.is_distinct,
            exprs: &self.exprs,
            expr_fields: &self.fields,
        };
        match slides {
            true => self.aggregate.create_sliding_accumulator(arguments),
            false => self.aggregate.accumulator(arguments),
        }
    }
}

/// The part of a range that lies in a frame; where there is none, it is empty and in the frame.
fn within(range: Range<usize>, frame: &Range<usize>) -> Range<usize> {
    let inside = |at: usize| at.clamp(frame.start, frame.end);
    inside(range.start)..inside(range.end)
}

/// The arguments in some rows, of those that FILTER lets count.
fn rows(
    values: &[ArrayRef],
    fields: &[FieldRef],
    ranges: &[Range<usize>],
) -> Result<Vec<ArrayRef>> {
    let part = |array: &ArrayRef| -> Result<ArrayRef> {
        let pieces = ranges.iter().filter(|range| !range.is_empty());
        let pieces: Vec<ArrayRef> = pieces
            .map(|range| array.slice(range.start, range.len()))
            .collect();
        Ok(match pieces.as_slice() {
            [] => array.slice(0, 0),
            [piece] => Arc::clone(piece),
            pieces => concat(&pieces.iter().map(AsRef::as_ref).collect::<Vec<_>>())?,
        })
    };
    let counted = part(&values[fields.len()])?;
    let counted: &BooleanArray = counted.as_boolean();
    let counts_all = counted.null_count() == 0 && counted.true_count() == counted.len();
    let own = values[..fields.len()].iter();
    own.map(|array| {
        let part = part(array)?;
        Ok(match counts_all {
            true => part,
            false => filter(&part, counted)?,
        })
    })
    .collect()
}

/// Moves an accumulator from a frame to the next one, neither end of which lies before.
fn slide(
    accumulator: &mut dyn Accumulator,
    values: &[ArrayRef],
    fields: &[FieldRef],
    held: &Range<usize>,
    frame: &Range<usize>,
) -> Result<()> {
    let (kept, added) = match frame.start >= held.end {
        true => (held.end, frame.start),
        false => (frame.start.max(held.start), held.end),
    };
    accumulator.retract_batch(&rows(values, fields, slice::from_ref(&(held.start..kept)))?)?;
    if added < frame.end {
        accumulator.update_batch(&rows(values, fields, slice::from_ref(&(added..frame.end)))?)?;
    }
    Ok(())
}
