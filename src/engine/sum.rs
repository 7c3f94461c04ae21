//! SUM of whole numbers, which never wraps. Manual page: "Aggregate functions", SUM.
//!
//! Sums are kept in 128 bits and have to fit BIGINT at the end. Of other numbers DataFusion's own SUM
//! is taken.

use std::hash::Hash;
use std::mem::size_of;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Int64Array,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::failure::external;
use crate::error::Error;

pub(super) fn sum_udaf() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(OdpsSum {
        plain: Sum::new(),
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OdpsSum {
    plain: Sum,
    signature: Signature,
}

/// The sums on their way between stages.
const STATE: DataType = DataType::Decimal128(38, 0);

fn is_whole(args: &AccumulatorArgs<'_>) -> bool {
    args.expr_fields
        .first()
        .is_some_and(|field| field.data_type().is_integer())
}

impl AggregateUDFImpl for OdpsSum {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        match types {
            [given] if given.is_integer() => Ok(vec![DataType::Int64]),
            [given] if given.is_decimal() => Ok(vec![given.clone()]),
            [given] if given.is_floating() || given.is_null() => Ok(vec![DataType::Float64]),
            types => {
                let names: Vec<String> = types.iter().map(ToString::to_string).collect();
                datafusion::common::plan_err!("argument types 'sum({})'.", names.join(", "))
            }
        }
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [given] if given.is_integer() => Ok(DataType::Int64),
            types => self.plain.return_type(types),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if is_whole(&args) && !args.is_distinct {
            return Ok(Box::new(WholeSum::default()));
        }
        self.plain.accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let is_whole = args
            .input_fields
            .first()
            .is_some_and(|field| field.data_type().is_integer());
        if is_whole && !args.is_distinct {
            return Ok(vec![Arc::new(Field::new("sum", STATE, true))]);
        }
        self.plain.state_fields(args)
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        if is_whole(&args) {
            !args.is_distinct
        } else {
            self.plain.groups_accumulator_supported(args)
        }
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        if is_whole(&args) {
            return Ok(Box::new(WholeSums::default()));
        }
        self.plain.create_groups_accumulator(args)
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        if is_whole(&args) && !args.is_distinct {
            return Ok(Box::new(WholeSum::default()));
        }
        self.plain.create_sliding_accumulator(args)
    }
}

fn fit(sum: i128) -> Result<i64> {
    let fitting = i64::try_from(sum).ok().filter(|sum| *sum != i64::MIN);
    fitting.ok_or_else(|| external(Error::overflow("the sum of BIGINT is out of range")))
}

/// One sum.
#[derive(Debug, Default)]
struct WholeSum {
    sum: i128,
    count: u64,
}

fn total(array: &ArrayRef) -> (i128, u64) {
    let values = array.as_primitive::<Int64Type>();
    let sum = values.iter().flatten().map(i128::from).sum();
    (sum, (values.len() - values.null_count()) as u64)
}

impl Accumulator for WholeSum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = total(&values[0]);
        self.sum += sum;
        self.count += count;
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = total(&values[0]);
        self.sum -= sum;
        self.count -= count;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(match self.count {
            0 => None,
            _ => Some(fit(self.sum)?),
        }))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = (self.count > 0).then_some(self.sum);
        Ok(vec![ScalarValue::Decimal128(sum, 38, 0)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let sums = states[0].as_primitive::<Decimal128Type>();
        self.sum += sums.iter().flatten().sum::<i128>();
        self.count += (sums.len() - sums.null_count()) as u64;
        Ok(())
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// One sum per group; `None` where it has no value yet.
#[derive(Debug, Default)]
struct WholeSums {
    sums: Vec<Option<i128>>,
}

impl WholeSums {
    fn add(
        &mut self,
        values: impl Iterator<Item = Option<i128>>,
        groups: &[usize],
        filter: Option<&BooleanArray>,
        count: usize,
    ) {
        self.sums.resize(count, None);
        for (row, (value, group)) in values.zip(groups).enumerate() {
            let is_kept = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if let Some(value) = value.filter(|_| is_kept) {
                let sum = &mut self.sums[*group];
                *sum = Some(sum.unwrap_or(0) + value);
            }
        }
    }
}

impl GroupsAccumulator for WholeSums {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        let values = values[0].as_primitive::<Int64Type>();
        let wide = values.iter().map(|value| value.map(i128::from));
        self.add(wide, group_indices, opt_filter, total_num_groups);
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = emit_to.take_needed(&mut self.sums);
        let fitting = sums.into_iter().map(|sum| sum.map(fit).transpose());
        Ok(Arc::new(fitting.collect::<Result<Int64Array>>()?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let sums = emit_to.take_needed(&mut self.sums);
        let array = sums.into_iter().collect::<Decimal128Array>();
        Ok(vec![Arc::new(array.with_data_type(STATE))])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        let sums = values[0].as_primitive::<Decimal128Type>();
        self.add(sums.iter(), group_indices, None, total_num_groups);
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let wide = cast(&values[0], &STATE)?;
        Ok(vec![match opt_filter {
            Some(filter) => {
                let dropped = datafusion::arrow::compute::not(filter)?;
                datafusion::arrow::compute::nullif(&wide, &dropped)?
            }
            None => wide,
        }])
    }

    fn size(&self) -> usize {
        self.sums.capacity() * size_of::<Option<i128>>()
    }
}
