//! Maps of what a group has gathered in an array: what is left of MAP_AGG, MULTIMAP_AGG, HISTOGRAM and
//! NUMERIC_HISTOGRAM once the engine has gathered. Manual page: "Aggregate functions".

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, ListArray, UInt32Array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType as ArrowType, Decimal128Type, Float64Type, Int64Type};
use datafusion::arrow::row::{RowConverter, SortField};

use super::array::{failed, list_array};
use super::call::{Call, Definition, Gives, Kind, function, known};
use crate::datatype::DataType;
use crate::engine::cast::{Casting, cast, map_array};
use crate::engine::types::{column_type, list_of, map_of};
use crate::error::{Error, Result};

#[rustfmt::skip]
pub(super) const MAP_OF: Definition = function("__map_of", "__map_of", "a map of pairs; of equal keys the first counts", &[Kind::List], 0, Gives::Of(map_type), map_of_pairs);
#[rustfmt::skip]
pub(super) const MULTIMAP_OF: Definition = function("__multimap_of", "__multimap_of", "a map of pairs to all values of a key", &[Kind::List], 0, Gives::Of(multimap_type), multimap_of_pairs);
#[rustfmt::skip]
pub(super) const COUNTS_OF: Definition = function("__counts_of", "__counts_of", "a map of items to how often they occur", &[Kind::List], 0, Gives::Of(counts_type), counts_of_items);
#[rustfmt::skip]
pub(super) const HISTOGRAM_OF: Definition = function("__histogram_of", "__histogram_of", "a map of centres to how many numbers lie near them", &[Kind::List, Kind::Int], 0, Gives::Of(|_, _| Ok(map_of(ArrowType::Float64, ArrowType::Float64))), histogram_of_numbers);

#[rustfmt::skip]
pub(super) const PERCENTILE_OF: Definition = function("__percentile_of", "__percentile_of", "the number below which a share of a list lies; NULL is the smallest", &[Kind::List, Kind::Double], 0, Gives::Double, percentile_of_numbers);

#[rustfmt::skip]
pub(super) const APPROXIMATE_OF: Definition = function("__approximate_of", "__approximate_of", "about the number below which a share of a list lies", &[Kind::List, Kind::Double, Kind::Int], 0, Gives::Double, approximate_of_numbers);

#[rustfmt::skip]
pub(super) const SUMS_OF: Definition = function("__sums_of", "__sums_of", "a map of pairs; the values of equal keys are added, NULL as 0", &[Kind::List], 0, Gives::Of(sums_type), sums_of_pairs);

#[rustfmt::skip]
pub(super) const DISCRETE_OF: Definition = function("__discrete_of", "__discrete_of", "the first item of a sorted list up to which a share of it lies", &[Kind::List, Kind::Double], 0, Gives::Of(|types, _| item_type(&types[0])), discrete_of_items);

fn item_type(given: &ArrowType) -> Result<ArrowType> {
    match given {
        ArrowType::List(item) | ArrowType::LargeList(item) => Ok(item.data_type().clone()),
        other => Err(Error::internal(format!("{other} is no list"))),
    }
}

fn pair_types(types: &[ArrowType]) -> Result<(ArrowType, ArrowType)> {
    match item_type(&types[0])? {
        ArrowType::Struct(fields) if fields.len() == 2 => {
            Ok((fields[0].data_type().clone(), fields[1].data_type().clone()))
        }
        _ => Err(Error::argument_type("a map needs keys and values")),
    }
}

fn map_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    let (key, value) = pair_types(types)?;
    Ok(map_of(key, value))
}

/// Sums of whole numbers are BIGINT, those of FLOAT are DOUBLE.
fn sums_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    let (key, value) = pair_types(types)?;
    Ok(map_of(key, sum_type(value)))
}

fn sum_type(given: ArrowType) -> ArrowType {
    match given {
        given if given.is_integer() => ArrowType::Int64,
        given if given.is_floating() => ArrowType::Float64,
        given => given,
    }
}

pub(super) fn multimap_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    if types[0].is_null() {
        return Ok(ArrowType::Null);
    }
    let (key, value) = pair_types(types)?;
    Ok(map_of(key, list_of(value)))
}

fn counts_type(types: &[ArrowType], _: Casting) -> Result<ArrowType> {
    Ok(map_of(item_type(&types[0])?, ArrowType::Int64))
}

/// Of each row of a list: its items by equal key, in the order in which the keys first occur.
struct Grouped {
    /// How many groups each row has.
    lengths: Vec<usize>,
    valid: Vec<bool>,
    groups: Vec<Vec<u32>>,
}

impl Grouped {
    fn new(call: &Call, list: &ListArray, keys: &ArrayRef) -> Result<Self> {
        let field = SortField::new(keys.data_type().clone());
        let converter = RowConverter::new(vec![field]).map_err(failed)?;
        let rows = converter.convert_columns(&[Arc::clone(keys)]);
        let rows = rows.map_err(failed)?;
        let column = call.list(0)?;
        let (mut lengths, mut valid, mut groups) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..call.rows {
            let at = column.row(row);
            let begin = groups.len();
            let mut known = HashMap::new();
            let offsets = list.value_offsets();
            let is_valid = list.is_valid(at);
            let range = if is_valid {
                offsets[at]..offsets[at + 1]
            } else {
                0..0
            };
            for item in range.map(|item| item as u32) {
                let group = *known.entry(rows.row(item as usize)).or_insert_with(|| {
                    groups.push(Vec::new());
                    groups.len() - 1
                });
                groups[group].push(item);
            }
            lengths.push(groups.len() - begin);
            valid.push(is_valid);
        }
        Ok(Self {
            lengths,
            valid,
            groups,
        })
    }

    /// Of each group its first item.
    fn first(&self, items: &ArrayRef) -> Result<ArrayRef> {
        let first = self.groups.iter().map(|group| group[0]);
        take(items, &UInt32Array::from_iter_values(first), None).map_err(failed)
    }

    fn map(self, keys: ArrayRef, values: ArrayRef) -> Result<ArrayRef> {
        let offsets = OffsetBuffer::from_lengths(self.lengths);
        map_array(
            keys,
            values,
            offsets,
            Some(NullBuffer::from(self.valid)),
            false,
        )
    }
}

/// The keys and the values of lists of pairs.
fn pairs(list: &ListArray) -> (ArrayRef, ArrayRef) {
    let pairs = list.values().as_struct();
    (Arc::clone(pairs.column(0)), Arc::clone(pairs.column(1)))
}

fn map_of_pairs(call: &Call) -> Result<ArrayRef> {
    let list = call.list(0)?.array().clone();
    let (keys, values) = pairs(&list);
    let grouped = Grouped::new(call, &list, &keys)?;
    let (keys, values) = (grouped.first(&keys)?, grouped.first(&values)?);
    grouped.map(keys, values)
}

pub(super) fn multimap_of_pairs(call: &Call) -> Result<ArrayRef> {
    let list = call.list(0)?.array().clone();
    let (keys, values) = pairs(&list);
    let grouped = Grouped::new(call, &list, &keys)?;
    let keys = grouped.first(&keys)?;
    let indices = UInt32Array::from_iter_values(grouped.groups.iter().flatten().copied());
    let values = take(&values, &indices, None).map_err(failed)?;
    let lengths = grouped.groups.iter().map(Vec::len).collect();
    let lists = list_array(values, lengths, None)?;
    grouped.map(keys, lists)
}

fn counts_of_items(call: &Call) -> Result<ArrayRef> {
    let list = call.list(0)?.array().clone();
    let items = Arc::clone(list.values());
    let grouped = Grouped::new(call, &list, &items)?;
    let keys = grouped.first(&items)?;
    let counts = grouped.groups.iter().map(|group| group.len() as i64);
    let counts = Int64Array::from_iter_values(counts);
    grouped.map(keys, Arc::new(counts))
}

/// Between two numbers of the list the result lies as the share does between their places. Manual page: "PERCENTILE".
fn percentile_of_numbers(call: &Call) -> Result<ArrayRef> {
    let (list, share) = (call.list(0)?, call.double(1)?);
    // A window asks for the same list again and again.
    let mut last: Option<(ArrayRef, Vec<Option<f64>>)> = None;
    call.values::<Float64Type>(|row| {
        let (items, share) = (known!(list.get(row)), known!(share.get(row)));
        if !(0.0..=1.0).contains(&share) {
            return Err(Error::argument_value(
                "function percentile: a share is from 0 to 1",
            ));
        }
        let is_same = |(before, _): &(ArrayRef, _)| before.to_data().ptr_eq(&items.to_data());
        if !last.as_ref().is_some_and(is_same) {
            let numbers = items.as_primitive::<Float64Type>();
            let mut sorted: Vec<Option<f64>> = numbers.iter().collect();
            sorted.sort_by(|a, b| match (a, b) {
                (Some(a), Some(b)) => a.total_cmp(b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            });
            last = Some((items, sorted));
        }
        let sorted = last.as_ref().map_or(&[][..], |(_, sorted)| sorted);
        if sorted.is_empty() {
            return Ok(None);
        }
        let place = (sorted.len() - 1) as f64 * share;
        let (below, above) = (place.floor(), place.ceil());
        let (low, high) = (sorted[below as usize], sorted[above as usize]);
        if below == above {
            return Ok(low);
        }
        // NULL has a place and no value to lie between.
        let (Some(low), Some(high)) = (low, high) else {
            return Ok(high);
        };
        Ok(Some((above - place) * low + (place - below) * high))
    })
}

/// A centre and what its numbers weigh together.
type Bin = (f64, f64);

/// The numbers of a list in their order, of equal ones one, with their weights, which are 1 where the list has none.
fn weighed(items: &ArrayRef) -> Vec<Bin> {
    let mut bins: Vec<Bin> = match items.as_struct_opt() {
        Some(pairs) => {
            let side = |at: usize| pairs.column(at).as_primitive::<Float64Type>().values();
            side(0)
                .iter()
                .copied()
                .zip(side(1).iter().copied())
                .collect()
        }
        None => {
            let values = items.as_primitive::<Float64Type>().iter();
            values.flatten().map(|value| (value, 1.0)).collect()
        }
    };
    bins.sort_by(|a, b| a.0.total_cmp(&b.0));
    bins.dedup_by(|next, bin| {
        let is_same = next.0 == bin.0;
        if is_same {
            bin.1 += next.1;
        }
        is_same
    });
    bins
}

/// As long as there are more bins than wanted, the two nearest to each other become one.
fn merged(bins: Vec<Bin>, most: usize) -> Vec<Bin> {
    let mut count = bins.len();
    if count <= most {
        return bins;
    }
    let mut bins: Vec<Option<Bin>> = bins.into_iter().map(Some).collect();
    // The bins that are left, as a list.
    let mut before: Vec<usize> = (0..bins.len()).map(|at| at.wrapping_sub(1)).collect();
    let mut behind: Vec<usize> = (1..=bins.len()).collect();
    let gap = |bins: &[Option<Bin>], at: usize, next: usize| {
        let (low, high) = (
            bins.get(at).copied().flatten(),
            bins.get(next).copied().flatten(),
        );
        low.zip(high).map(|(low, high)| Gap {
            width: high.0 - low.0,
            at,
            next,
            bins: (low, high),
        })
    };
    let mut gaps: BinaryHeap<Gap> = (0..bins.len())
        .filter_map(|at| gap(&bins, at, at + 1))
        .collect();
    while count > most {
        let Some(Gap {
            at,
            next,
            bins: (low, high),
            ..
        }) = gaps.pop()
        else {
            break;
        };
        if bins[at] != Some(low) || bins[next] != Some(high) || behind[at] != next {
            continue;
        }
        let weight = low.1 + high.1;
        let centre = match weight == 0.0 {
            true => low.0,
            false => (low.0 * low.1 + high.0 * high.1) / weight,
        };
        bins[at] = Some((centre, weight));
        bins[next] = None;
        behind[at] = behind[next];
        if let Some(place) = before.get_mut(behind[at]) {
            *place = at;
        }
        count -= 1;
        gaps.extend(gap(&bins, at, behind[at]));
        gaps.extend(gap(&bins, before[at], at));
    }
    bins.into_iter().flatten().collect()
}

/// Between two bins; the narrowest and first one is the greatest.
struct Gap {
    width: f64,
    at: usize,
    next: usize,
    bins: (Bin, Bin),
}

impl Ord for Gap {
    fn cmp(&self, other: &Self) -> Ordering {
        let narrower = other.width.total_cmp(&self.width);
        narrower.then(other.at.cmp(&self.at))
    }
}

impl PartialOrd for Gap {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Gap {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Gap {}

/// Manual page: "NUMERIC_HISTOGRAM".
fn histogram_of_numbers(call: &Call) -> Result<ArrayRef> {
    let (list, wanted) = (call.list(0)?, call.int(1)?);
    let (mut centres, mut weights) = (Vec::new(), Vec::new());
    let (mut lengths, mut valid) = (Vec::new(), Vec::new());
    for row in 0..call.rows {
        let numbers = list.get(row).zip(wanted.get(row));
        valid.push(numbers.is_some());
        let bins = match numbers {
            Some((_, most)) if most < 2 => {
                return Err(Error::argument_value(
                    "function numeric_histogram: the number of buckets is at least 2",
                ));
            }
            Some((items, most)) => merged(weighed(&items), most as usize),
            None => Vec::new(),
        };
        lengths.push(bins.len());
        centres.extend(bins.iter().map(|(centre, _)| *centre));
        weights.extend(bins.iter().map(|(_, weight)| *weight));
    }
    let (centres, weights) = (Float64Array::from(centres), Float64Array::from(weights));
    map_array(
        Arc::new(centres),
        Arc::new(weights),
        OffsetBuffer::from_lengths(lengths),
        Some(NullBuffer::from(valid)),
        false,
    )
}

/// Between the bin up to which less than the share lies and the next one, as the share does. Manual page: "PERCENTILE_APPROX".
fn approximate_of_numbers(call: &Call) -> Result<ArrayRef> {
    let (list, share, accuracy) = (call.list(0)?, call.double(1)?, call.int(2)?);
    // Several shares are asked of one list.
    let mut last: Option<(ArrayRef, Vec<Bin>)> = None;
    call.values::<Float64Type>(|row| {
        let (items, share) = (known!(list.get(row)), known!(share.get(row)));
        let most = known!(accuracy.get(row));
        if !(0.0..=1.0).contains(&share) {
            return Err(Error::argument_value(
                "function percentile_approx: a share is from 0 to 1",
            ));
        }
        if most < 1 {
            return Err(Error::argument_value(
                "function percentile_approx: the accuracy is at least 1",
            ));
        }
        let is_same = |(before, _): &(ArrayRef, _)| before.to_data().ptr_eq(&items.to_data());
        if !last.as_ref().is_some_and(is_same) {
            let bins = merged(weighed(&items), most as usize);
            last = Some((items, bins));
        }
        let bins = last.as_ref().map_or(&[][..], |(_, bins)| bins);
        let all: f64 = bins.iter().map(|(_, weight)| weight).sum();
        let mut below = 0.0;
        for (at, (centre, weight)) in bins.iter().enumerate() {
            if (below + weight) / all >= share {
                return Ok(Some(match at.checked_sub(1).map(|before| bins[before].0) {
                    None => *centre,
                    Some(before) => before + (share * all - below) * (centre - before) / weight,
                }));
            }
            below += weight;
        }
        Ok(bins.last().map(|(centre, _)| *centre))
    })
}

fn sums_of_pairs(call: &Call) -> Result<ArrayRef> {
    let list = call.list(0)?.array().clone();
    let (keys, values) = pairs(&list);
    let grouped = Grouped::new(call, &list, &keys)?;
    let keys = grouped.first(&keys)?;
    let given = values.data_type().clone();
    let is_exact = given.is_integer() || given.is_decimal();
    let overflow = || Error::overflow("function map_union_sum: a sum is out of range");
    let sums: ArrayRef = if is_exact {
        let units = match given.is_decimal() {
            true => values
                .as_primitive::<Decimal128Type>()
                .iter()
                .collect::<Vec<_>>(),
            false => {
                let wide = cast(&values, &DataType::BigInt, call.casting)?;
                let wide = wide.as_primitive::<Int64Type>().iter();
                wide.map(|value| value.map(i128::from)).collect()
            }
        };
        let sum = |group: &Vec<u32>| {
            let mut parts = group.iter().map(|item| units[*item as usize].unwrap_or(0));
            parts
                .try_fold(0i128, i128::checked_add)
                .ok_or_else(overflow)
        };
        let sums = grouped.groups.iter().map(sum).collect::<Result<Vec<_>>>()?;
        match &given {
            ArrowType::Decimal128(precision, _) => {
                let limit = 10i128.pow(u32::from(*precision));
                if sums.iter().any(|sum| sum.abs() >= limit) {
                    return Err(overflow());
                }
                let sums = Decimal128Array::from_iter_values(sums);
                Arc::new(sums.with_data_type(given.clone()))
            }
            _ => {
                let sums = sums
                    .into_iter()
                    .map(|sum| i64::try_from(sum).map_err(|_| overflow()));
                Arc::new(Int64Array::from(sums.collect::<Result<Vec<_>>>()?))
            }
        }
    } else {
        let numbers = cast(&values, &DataType::Double, call.casting)?;
        let numbers = numbers.as_primitive::<Float64Type>();
        let value = |item: &u32| match numbers.is_valid(*item as usize) {
            true => numbers.value(*item as usize),
            false => 0.0,
        };
        let sums = grouped
            .groups
            .iter()
            .map(|group| group.iter().map(value).sum::<f64>());
        let sums: ArrayRef = Arc::new(Float64Array::from_iter_values(sums));
        let to = column_type(&sum_type(given)).unwrap_or(DataType::Double);
        cast(&sums, &to, call.casting)?
    };
    grouped.map(keys, sums)
}

/// Manual page: "PERCENTILE_DISC".
fn discrete_of_items(call: &Call) -> Result<ArrayRef> {
    let list = call.list(0)?;
    let share = call.double(1)?;
    let offsets = list.array().value_offsets();
    let mut places: Vec<Option<u32>> = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let at = list.row(row);
        let range = offsets[at] as u32..offsets[at + 1] as u32;
        let share = share.get(row).filter(|_| list.array().is_valid(at));
        places.push(match share {
            Some(share) if !(0.0..=1.0).contains(&share) => {
                return Err(Error::argument_value(
                    "function percentile_disc: a share is from 0 to 1",
                ));
            }
            Some(share) if !range.is_empty() => {
                let place = (share * range.len() as f64).ceil().max(1.0) as u32;
                Some(range.start + place - 1)
            }
            _ => None,
        });
    }
    take(list.array().values(), &UInt32Array::from(places), None).map_err(failed)
}
