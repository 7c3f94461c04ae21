//! SUM and AVG, which never wrap. Manual pages: "Aggregate functions", SUM and AVG; "DECIMAL data type".
//!
//! Whole numbers, and decimals of which DataFusion's own SUM and AVG would let a sum pass its bounds, are added up exactly; the
//! result has to fit its type at the end. The mean of decimals has four digits more behind the point, at most 18, and is cut
//! there, as the page says of all results. Everything else is DataFusion's own. Upstream: apache/datafusion issue 16406.

use std::fmt::Debug;
use std::hash::Hash;
use std::mem::size_of;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Decimal256Array, Int64Array,
    UInt64Array,
};
use datafusion::arrow::compute::{cast, nullif};
use datafusion::arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, Decimal256Type, Field, FieldRef, Int64Type,
    UInt64Type, i256,
};
use datafusion::common::{ScalarValue, exec_err, plan_err};
use datafusion::error::Result;
use datafusion::functions_aggregate::average::Avg;
use datafusion::functions_aggregate::sum::Sum;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::failure::external;
use super::function::SCALE_MAX;
use crate::error::Error;

pub(super) fn sum_udaf() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Gathered {
        plain: Sum::new(),
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

pub(super) fn avg_udaf() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Gathered {
        plain: Avg::new(),
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

/// Digits of values whose sum stays below 38 digits for ten thousand million rows.
const SHORT_DIGITS: u8 = 28;
const DIGITS_MAX: u8 = 38;

/// What an exact sum is given out as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// A BIGINT.
    Whole,
    /// A DECIMAL of the values' scale.
    Sum { precision: u8, scale: i8 },
    /// The mean as a DECIMAL, of values that have `of` digits behind the point.
    Mean { of: i8, precision: u8, scale: i8 },
}

/// DataFusion's function, and what it is instead for some types.
trait Exactly: AggregateUDFImpl + Debug + Hash + Eq + 'static {
    fn accepted(&self, given: &DataType) -> Option<DataType>;

    /// How values of a type are added up exactly; `None` where DataFusion's own way is right.
    fn outcome(given: &DataType) -> Option<Outcome>;
}

impl Exactly for Sum {
    fn accepted(&self, given: &DataType) -> Option<DataType> {
        match given {
            given if given.is_integer() => Some(DataType::Int64),
            given => number(given),
        }
    }

    fn outcome(given: &DataType) -> Option<Outcome> {
        match given {
            given if given.is_integer() => Some(Outcome::Whole),
            DataType::Decimal128(precision, scale) if *precision > SHORT_DIGITS => {
                Some(Outcome::Sum {
                    precision: DIGITS_MAX,
                    scale: *scale,
                })
            }
            _ => None,
        }
    }
}

impl Exactly for Avg {
    fn accepted(&self, given: &DataType) -> Option<DataType> {
        match given {
            given if given.is_integer() => Some(DataType::Float64),
            given => number(given),
        }
    }

    fn outcome(given: &DataType) -> Option<Outcome> {
        match given {
            DataType::Decimal128(precision, scale)
                if *precision > SHORT_DIGITS || scale + 4 > SCALE_MAX =>
            {
                let wider = (scale + 4).min(SCALE_MAX).max(*scale);
                Some(Outcome::Mean {
                    of: *scale,
                    precision: (precision + (wider - scale) as u8).min(DIGITS_MAX),
                    scale: wider,
                })
            }
            _ => None,
        }
    }
}

fn number(given: &DataType) -> Option<DataType> {
    match given {
        given if given.is_decimal() => Some(given.clone()),
        given if given.is_floating() || given.is_null() => Some(DataType::Float64),
        _ => None,
    }
}

impl Outcome {
    fn data_type(self) -> DataType {
        match self {
            Self::Whole => DataType::Int64,
            Self::Sum { precision, scale }
            | Self::Mean {
                precision, scale, ..
            } => DataType::Decimal128(precision, scale),
        }
    }

    /// The type of a sum on its way between stages.
    fn state_type(self) -> DataType {
        match self {
            // 2^63 values of 63 bits each.
            Self::Whole => DataType::Decimal128(DIGITS_MAX, 0),
            Self::Sum { scale, .. } | Self::Mean { of: scale, .. } => {
                DataType::Decimal256(76, scale)
            }
        }
    }

    fn finish(self, sum: i256, count: u64) -> Result<i128> {
        let (exact, digits) = match self {
            Self::Whole => {
                let fitting = sum
                    .to_i128()
                    .filter(|sum| i64::try_from(*sum).is_ok_and(|sum| sum != i64::MIN));
                return fitting
                    .ok_or_else(|| external(Error::overflow("the sum of BIGINT is out of range")));
            }
            Self::Sum { precision, .. } => (Some(sum), precision),
            Self::Mean {
                of,
                precision,
                scale,
            } => {
                let unit = i256::from_i128(10_i128.pow((scale - of) as u32));
                let mean = sum
                    .checked_mul(unit)
                    .map(|sum| sum.wrapping_div(i256::from_i128(i128::from(count))));
                (mean, precision)
            }
        };
        let limit = 10_u128.pow(u32::from(digits));
        let fitting = exact.and_then(i256::to_i128);
        let fitting = fitting.filter(|value| value.unsigned_abs() < limit);
        fitting.ok_or_else(|| {
            let word = match self {
                Self::Mean { .. } => "mean",
                _ => "sum",
            };
            external(Error::overflow(format!(
                "the {word} of DECIMAL is out of range"
            )))
        })
    }

    /// One value given out, `None` for NULL.
    fn scalar(self, value: Option<i128>) -> ScalarValue {
        match self {
            // It fits: see `finish`.
            Self::Whole => ScalarValue::Int64(value.map(|value| value as i64)),
            Self::Sum { precision, scale }
            | Self::Mean {
                precision, scale, ..
            } => ScalarValue::Decimal128(value, precision, scale),
        }
    }

    /// Sums on their way between stages, `None` where there was no value.
    fn state(self, sums: impl Iterator<Item = Option<i256>>) -> ArrayRef {
        match self {
            Self::Whole => {
                let sums = sums.map(|sum| sum.and_then(i256::to_i128));
                let array = sums.collect::<Decimal128Array>();
                Arc::new(array.with_data_type(self.state_type()))
            }
            _ => {
                let array = sums.collect::<Decimal256Array>();
                Arc::new(array.with_data_type(self.state_type()))
            }
        }
    }
}

/// See the module.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Gathered<F> {
    plain: F,
    signature: Signature,
}

impl<F: Exactly> Gathered<F> {
    fn outcome(&self, fields: &[FieldRef]) -> Option<Outcome> {
        F::outcome(fields.first()?.data_type())
    }

    fn one(&self, args: AccumulatorArgs<'_>, is_sliding: bool) -> Result<Box<dyn Accumulator>> {
        let Some(outcome) = self.outcome(args.expr_fields) else {
            return match is_sliding {
                true => self.plain.create_sliding_accumulator(args),
                false => self.plain.accumulator(args),
            };
        };
        if args.is_distinct {
            let values = self.plain.accumulator(args)?;
            return Ok(Box::new(DistinctTotal { outcome, values }));
        }
        Ok(Box::new(Total {
            outcome,
            sum: i256::ZERO,
            count: 0,
        }))
    }
}

impl<F: Exactly> AggregateUDFImpl for Gathered<F> {
    fn name(&self) -> &str {
        self.plain.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        if let [given] = types
            && let Some(accepted) = self.plain.accepted(given)
        {
            return Ok(vec![accepted]);
        }
        let names: Vec<String> = types.iter().map(ToString::to_string).collect();
        plan_err!("argument types '{}({})'.", self.name(), names.join(", "))
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [given] => match F::outcome(given) {
                Some(outcome) => Ok(outcome.data_type()),
                None => self.plain.return_type(types),
            },
            _ => exec_err!("{} takes one argument", self.name()),
        }
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.one(args, false)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        match self.outcome(args.input_fields) {
            Some(outcome) if !args.is_distinct => Ok(vec![
                Arc::new(Field::new("sum", outcome.state_type(), true)),
                Arc::new(Field::new("count", DataType::UInt64, false)),
            ]),
            _ => self.plain.state_fields(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs<'_>) -> bool {
        match self.outcome(args.expr_fields) {
            Some(_) => !args.is_distinct,
            None => self.plain.groups_accumulator_supported(args),
        }
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        match self.outcome(args.expr_fields) {
            Some(outcome) => Ok(Box::new(Totals {
                outcome,
                lows: Vec::new(),
                highs: Vec::new(),
                counts: Vec::new(),
            })),
            None => self.plain.create_groups_accumulator(args),
        }
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        self.one(args, true)
    }
}

/// The sum of the values of an array and their number.
fn total(array: &ArrayRef) -> (i256, u64) {
    let mut sum = i256::ZERO;
    match array.data_type() {
        DataType::Int64 => {
            let values = array.as_primitive::<Int64Type>();
            let whole: i128 = values.iter().flatten().map(i128::from).sum();
            sum = i256::from_i128(whole);
        }
        DataType::Decimal128(..) => {
            for value in array.as_primitive::<Decimal128Type>().iter().flatten() {
                sum = sum.wrapping_add(i256::from_i128(value));
            }
        }
        _ => {
            for value in array.as_primitive::<Decimal256Type>().iter().flatten() {
                sum = sum.wrapping_add(value);
            }
        }
    }
    (sum, (array.len() - array.null_count()) as u64)
}

/// One sum. 2^64 values of 38 digits stay far below 256 bits.
#[derive(Debug)]
struct Total {
    outcome: Outcome,
    sum: i256,
    count: u64,
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = total(&values[0]);
        self.sum = self.sum.wrapping_add(sum);
        self.count += count;
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (sum, count) = total(&values[0]);
        self.sum = self.sum.wrapping_sub(sum);
        self.count -= count;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = match self.count {
            0 => None,
            count => Some(self.outcome.finish(self.sum, count)?),
        };
        Ok(self.outcome.scalar(value))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = (self.count > 0).then_some(self.sum);
        let sums = self.outcome.state(std::iter::once(sum));
        Ok(vec![
            ScalarValue::try_from_array(&sums, 0)?,
            ScalarValue::UInt64(Some(self.count)),
        ])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.sum = self.sum.wrapping_add(total(&states[0]).0);
        self.count += states[1]
            .as_primitive::<UInt64Type>()
            .iter()
            .flatten()
            .sum::<u64>();
        Ok(())
    }

    fn size(&self) -> usize {
        size_of::<Self>()
    }
}

/// The sum of different values, which DataFusion's accumulator keeps.
#[derive(Debug)]
struct DistinctTotal {
    outcome: Outcome,
    values: Box<dyn Accumulator>,
}

impl Accumulator for DistinctTotal {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.values.update_batch(values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.values.merge_batch(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.values.state()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let state = self.values.state()?;
        let Some(ScalarValue::List(lists)) = state.first() else {
            return exec_err!("the values of a distinct sum are no list");
        };
        let value = match total(lists.values()) {
            (_, 0) => None,
            (sum, count) => Some(self.outcome.finish(sum, count)?),
        };
        Ok(self.outcome.scalar(value))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.values.size()
    }
}

/// One sum per group, of 128 bits and what does not fit them.
#[derive(Debug)]
struct Totals {
    outcome: Outcome,
    lows: Vec<i128>,
    /// In units of 2^128; empty as long as all are 0.
    highs: Vec<i128>,
    counts: Vec<u64>,
}

impl Totals {
    fn resize(&mut self, groups: usize) {
        self.lows.resize(groups, 0);
        self.counts.resize(groups, 0);
        if !self.highs.is_empty() {
            self.highs.resize(groups, 0);
        }
    }

    fn carry(&mut self, group: usize, units: i128) {
        if self.highs.is_empty() {
            self.highs.resize(self.lows.len(), 0);
        }
        self.highs[group] += units;
    }

    fn add(&mut self, group: usize, value: i128) {
        let (sum, is_over) = self.lows[group].overflowing_add(value);
        self.lows[group] = sum;
        if is_over {
            self.carry(group, value.signum());
        }
    }

    fn add_all<T: ArrowPrimitiveType>(
        &mut self,
        values: &ArrayRef,
        groups: &[usize],
        filter: Option<&BooleanArray>,
    ) where
        T::Native: Into<i128>,
    {
        let values = values.as_primitive::<T>();
        let all = values.values().iter().zip(groups);
        if filter.is_none() && values.null_count() == 0 {
            for (value, group) in all {
                self.add(*group, (*value).into());
                self.counts[*group] += 1;
            }
            return;
        }
        for (row, (value, group)) in all.enumerate() {
            let is_kept = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if is_kept && values.is_valid(row) {
                self.add(*group, (*value).into());
                self.counts[*group] += 1;
            }
        }
    }

    /// The sums of the groups that are given out, with the number of their values.
    fn take(&mut self, emit_to: EmitTo) -> impl Iterator<Item = (i256, u64)> + use<> {
        let lows = emit_to.take_needed(&mut self.lows);
        let counts = emit_to.take_needed(&mut self.counts);
        let highs = match self.highs.is_empty() {
            true => Vec::new(),
            false => emit_to.take_needed(&mut self.highs),
        };
        lows.into_iter()
            .zip(counts)
            .enumerate()
            .map(move |(group, (low, count))| {
                let sign = low >> 127;
                let high = sign + highs.get(group).copied().unwrap_or(0);
                (i256::from_parts(low as u128, high), count)
            })
    }
}

impl GroupsAccumulator for Totals {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.resize(total_num_groups);
        match self.outcome {
            Outcome::Whole => self.add_all::<Int64Type>(&values[0], group_indices, opt_filter),
            _ => self.add_all::<Decimal128Type>(&values[0], group_indices, opt_filter),
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let outcome = self.outcome;
        let values = self.take(emit_to).map(|(sum, count)| match count {
            0 => Ok(None),
            count => outcome.finish(sum, count).map(Some),
        });
        Ok(match outcome {
            // They fit: see `finish`.
            Outcome::Whole => Arc::new(
                values
                    .map(|value| Ok(value?.map(|value| value as i64)))
                    .collect::<Result<Int64Array>>()?,
            ),
            _ => {
                let array = values.collect::<Result<Decimal128Array>>()?;
                Arc::new(array.with_data_type(outcome.data_type()))
            }
        })
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let (sums, counts): (Vec<_>, Vec<u64>) = self
            .take(emit_to)
            .map(|(sum, count)| ((count > 0).then_some(sum), count))
            .unzip();
        Ok(vec![
            self.outcome.state(sums.into_iter()),
            Arc::new(UInt64Array::from(counts)),
        ])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        total_num_groups: usize,
    ) -> Result<()> {
        self.resize(total_num_groups);
        if self.outcome == Outcome::Whole {
            let sums = values[0].as_primitive::<Decimal128Type>();
            for (value, group) in sums.iter().zip(group_indices) {
                self.add(*group, value.unwrap_or(0));
            }
        } else {
            let sums = values[0].as_primitive::<Decimal256Type>();
            for (value, group) in sums.iter().zip(group_indices) {
                let (low, high) = value.unwrap_or(i256::ZERO).to_parts();
                let low = low as i128;
                self.add(*group, low);
                let units = high - (low >> 127);
                if units != 0 {
                    self.carry(*group, units);
                }
            }
        }
        let counts = values[1].as_primitive::<UInt64Type>();
        for (count, group) in counts.iter().zip(group_indices) {
            self.counts[*group] += count.unwrap_or(0);
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        opt_filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let wide = cast(&values[0], &self.outcome.state_type())?;
        let wide = match opt_filter {
            Some(filter) => {
                // What the filter does not say of a value counts as no.
                let dropped: BooleanArray =
                    filter.iter().map(|kept| Some(kept != Some(true))).collect();
                nullif(&wide, &dropped)?
            }
            None => wide,
        };
        let counts = (0..wide.len()).map(|row| u64::from(wide.is_valid(row)));
        let counts = counts.collect::<Vec<_>>();
        Ok(vec![wide, Arc::new(UInt64Array::from(counts))])
    }

    fn size(&self) -> usize {
        (self.lows.capacity() + self.highs.capacity()) * size_of::<i128>()
            + self.counts.capacity() * size_of::<u64>()
    }
}
