//! Conversions between types, explicit and implicit. Manual page: "Type conversions".
//!
//! A value that has no counterpart is an error in strict mode, which is the default, and NULL otherwise.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveDateTime, Timelike};
use chrono_tz::Tz;
use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryViewArray, BooleanArray, ListArray,
    MapArray, PrimitiveArray, StringViewArray, StructArray, make_array, new_null_array,
};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{
    DataType as ArrowType, Date32Type, Decimal128Type, Field, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMillisecondType, TimestampNanosecondType,
};

use super::text::text;
use super::types::{arrow_type_name, column_type, session_type};
use crate::clock::{instant, local_time};
use crate::datatype::DataType;
use crate::error::{Error, Result};

/// How conversions are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Casting {
    pub zone: Tz,
    /// A value that does not convert is an error, not NULL.
    pub is_strict: bool,
    /// `odps.function.strictmode=false`: of a text that begins with a number that number is taken.
    pub takes_prefix: bool,
    /// `odps.sql.hive.compatible`: the Hive-compatible edition, for the functions whose pages tell it apart.
    pub is_hive: bool,
    /// `odps.sql.executionengine.enable.string.to.date.full.format`: a text with a time is a DATE too.
    pub has_full_dates: bool,
    /// The value goes into a column: where CAST finds a way, as for a time in the gap of a change to summer time, it
    /// is refused.
    pub is_stored: bool,
    /// `odps.sql.map.key.dedup.policy=exception`: a key that occurs twice in a map is an error.
    pub refuses_duplicate_keys: bool,
}

impl Casting {
    /// The conversion into a column.
    pub fn stored(zone: Tz) -> Self {
        Self {
            zone,
            is_strict: true,
            takes_prefix: false,
            is_hive: false,
            refuses_duplicate_keys: false,
            has_full_dates: false,
            is_stored: true,
        }
    }
}

/// Converts `array` to values of `to`.
///
/// # Errors
/// `0130141` where the types have nothing to do with each other, `0123091` for a value that does not
/// convert, in strict mode.
pub fn cast(array: &ArrayRef, to: &DataType, casting: Casting) -> Result<ArrayRef> {
    let target = session_type(to, casting.zone.name());
    let from = array.data_type();
    if from.is_null() {
        return Ok(new_null_array(&target, array.len()));
    }
    let is_bounded = matches!(to, DataType::Varchar(_) | DataType::Char(_));
    if *from == target && !is_bounded {
        return Ok(Arc::clone(array));
    }
    if !is_castable(from, to) {
        return Err(Error::semantic(format!(
            "cannot cast {} to {}",
            arrow_type_name(from),
            to.to_string().to_uppercase()
        )));
    }
    let work = Work { array, to, casting };
    match to {
        DataType::String => Ok(work.texts(usize::MAX)),
        DataType::Varchar(length) => Ok(work.texts(usize::from(*length))),
        DataType::Char(length) => Ok(without_padding(&work.texts(usize::from(*length)))),
        DataType::Boolean => work.booleans(),
        DataType::TinyInt => work.integers::<Int8Type>(),
        DataType::SmallInt => work.integers::<Int16Type>(),
        DataType::Int => work.integers::<Int32Type>(),
        DataType::BigInt => work.integers::<Int64Type>(),
        DataType::Float => {
            let doubles = work.doubles()?;
            work.by_arrow(&doubles, &target)
        }
        DataType::Double => work.doubles(),
        DataType::Decimal(precision, scale) => work.decimals(*precision, *scale, &target),
        DataType::Date => work.dates(),
        DataType::Datetime | DataType::Timestamp | DataType::TimestampNtz => work.moments(&target),
        DataType::Binary => {
            let texts = work.texts(usize::MAX);
            let bytes = texts
                .as_string_view()
                .iter()
                .map(|text| text.map(str::as_bytes));
            Ok(Arc::new(bytes.collect::<BinaryViewArray>()))
        }
        DataType::Array(item) => work.list(item),
        DataType::Map(key, value) => work.map(key, value),
        DataType::Struct(fields) => work.fields(fields),
    }
}

/// Whether values of one type have counterparts of the other.
fn is_castable(from: &ArrowType, to: &DataType) -> bool {
    let Some(from) = column_type(from) else {
        return false;
    };
    let is_text = |t: &DataType| {
        matches!(
            t,
            DataType::String | DataType::Varchar(_) | DataType::Char(_)
        )
    };
    let is_moment = |t: &DataType| {
        matches!(
            t,
            DataType::Date | DataType::Datetime | DataType::Timestamp | DataType::TimestampNtz
        )
    };
    let is_number = |t: &DataType| {
        !is_text(t)
            && !is_moment(t)
            && !t.is_nested()
            && !matches!(t, DataType::Binary | DataType::Boolean)
    };
    match (&from, to) {
        (DataType::Array(_), DataType::Array(_))
        | (DataType::Map(..), DataType::Map(..))
        | (_, DataType::String)
        | (DataType::Boolean, DataType::Boolean) => true,
        (DataType::Struct(a), DataType::Struct(b)) => a.len() == b.len(),
        (from, _) if from.is_nested() => false,
        (_, to) if to.is_nested() => false,
        (from, to) if is_text(from) => {
            is_number(to)
                || is_moment(to)
                || is_text(to)
                || matches!(to, DataType::Binary | DataType::Boolean)
        }
        (from, to) if is_text(to) => !matches!(from, DataType::Binary) || is_text(to),
        (from, to) if is_moment(from) => is_moment(to),
        (DataType::Boolean, to) => is_number(to),
        (DataType::Binary, to) => matches!(to, DataType::Binary),
        (from, to) => is_number(from) && (is_number(to) || matches!(to, DataType::Boolean)),
    }
}

struct Work<'a> {
    array: &'a ArrayRef,
    to: &'a DataType,
    casting: Casting,
}

impl Work<'_> {
    fn failed(&self, row: usize) -> Error {
        let value = text(self.array, row).unwrap_or_default();
        let shown: String = value.chars().take(60).collect();
        let from =
            column_type(self.array.data_type()).map_or_else(String::new, |from| from.title());
        Error::illegal_cast(format!(
            "In function cast, value '{shown}' cannot be casted from {from} to {}.",
            self.to.title()
        ))
    }

    /// One value per row that is not NULL.
    fn each<T>(&self, convert: impl Fn(usize) -> Option<T>) -> Result<Vec<Option<T>>> {
        (0..self.array.len())
            .map(|row| {
                if self.array.is_null(row) {
                    return Ok(None);
                }
                match convert(row) {
                    Some(value) => Ok(Some(value)),
                    None if self.casting.is_strict => Err(self.failed(row)),
                    None => Ok(None),
                }
            })
            .collect()
    }

    fn by_arrow(&self, array: &ArrayRef, target: &ArrowType) -> Result<ArrayRef> {
        let options = CastOptions {
            safe: true,
            ..CastOptions::default()
        };
        let cast = cast_with_options(array, target, &options)
            .map_err(|error| Error::internal(format!("cast to {}: {error}", self.to)))?;
        if self.casting.is_strict
            && cast.null_count() > self.array.null_count()
            && let Some(row) =
                (0..cast.len()).find(|row| cast.is_null(*row) && !self.array.is_null(*row))
        {
            return Err(self.failed(row));
        }
        Ok(cast)
    }

    fn is_text(&self) -> bool {
        self.array.data_type().is_string()
    }

    fn texts(&self, length_max: usize) -> ArrayRef {
        let all = (0..self.array.len()).map(|row| {
            let value = text(self.array, row)?;
            if length_max < value.len() && value.chars().count() > length_max {
                return Some(value.chars().take(length_max).collect());
            }
            Some(value)
        });
        Arc::new(all.collect::<StringViewArray>())
    }

    /// The text of a row of a text array.
    fn text_of(&self, row: usize) -> String {
        text(self.array, row).unwrap_or_default()
    }

    fn booleans(&self) -> Result<ArrayRef> {
        if !self.is_text() {
            return self.by_arrow(self.array, &ArrowType::Boolean);
        }
        // The manual's own example: 'false' is true, an empty text is false.
        let values = self.each(|row| Some(!self.text_of(row).is_empty()))?;
        Ok(Arc::new(BooleanArray::from(values)))
    }

    /// The number that a text begins with, where that is enough; else the text.
    fn number_of<'t>(&self, text: &'t str) -> &'t str {
        if !self.casting.takes_prefix {
            return text;
        }
        let end = (1..=text.len())
            .rev()
            .filter(|end| text.is_char_boundary(*end))
            .find(|end| parse_double(&text[..*end]).is_some());
        end.map_or(text, |end| &text[..end])
    }

    fn integers<T: ArrowPrimitiveType>(&self) -> Result<ArrayRef>
    where
        T::Native: TryFrom<i64>,
    {
        let narrow = |wide: i64| {
            // The smallest BIGINT is not a value.
            (wide != i64::MIN)
                .then_some(wide)
                .and_then(|wide| T::Native::try_from(wide).ok())
        };
        let of_double = |number: f64| {
            let whole = number.trunc();
            (whole.abs() < 9.223_372_036_854_776e18).then_some(whole as i64)
        };
        let values = match self.array.data_type() {
            data_type if data_type.is_string() => self.each(|row| {
                let text = self.text_of(row);
                let text = self.number_of(text.trim());
                let wide = match text.parse::<i64>() {
                    Ok(number) => Some(number),
                    Err(_) => parse_double(text).and_then(of_double),
                };
                wide.and_then(narrow)
            })?,
            ArrowType::Float32 | ArrowType::Float64 => {
                let doubles = self.doubles()?;
                let doubles = doubles.as_primitive::<Float64Type>();
                self.each(|row| of_double(doubles.value(row)).and_then(narrow))?
            }
            ArrowType::Decimal128(_, scale) => {
                let units = self.array.as_primitive::<Decimal128Type>();
                let one = 10i128.pow(u32::from(scale.unsigned_abs()));
                self.each(|row| i64::try_from(units.value(row) / one).ok().and_then(narrow))?
            }
            _ => {
                let wide = self.by_arrow(self.array, &ArrowType::Int64)?;
                let wide = wide.as_primitive::<Int64Type>();
                self.each(|row| narrow(wide.value(row)))?
            }
        };
        Ok(Arc::new(values.into_iter().collect::<PrimitiveArray<T>>()))
    }

    fn doubles(&self) -> Result<ArrayRef> {
        if !self.is_text() {
            return self.by_arrow(self.array, &ArrowType::Float64);
        }
        let values = self.each(|row| parse_double(self.number_of(self.text_of(row).trim())))?;
        Ok(Arc::new(
            values.into_iter().collect::<PrimitiveArray<Float64Type>>(),
        ))
    }

    fn decimals(&self, precision: u8, scale: u8, target: &ArrowType) -> Result<ArrayRef> {
        let from = self.array.data_type();
        if !self.is_text() && !from.is_floating() {
            return self.by_arrow(self.array, target);
        }
        let limit = 10u128.pow(u32::from(precision));
        let values = self.each(|row| {
            parse_decimal(self.text_of(row).trim(), scale)
                .flatten()
                .filter(|units| units.unsigned_abs() < limit)
        })?;
        let array = values
            .into_iter()
            .collect::<PrimitiveArray<Decimal128Type>>();
        Ok(Arc::new(array.with_data_type(target.clone())))
    }

    fn dates(&self) -> Result<ArrayRef> {
        let values = match self.array.data_type() {
            data_type if data_type.is_string() => {
                let days = self.each(|row| {
                    let text = self.text_of(row);
                    let day = || parse_date(&text).map(days_of);
                    match parse_time(&text) {
                        Some(time) if self.casting.has_full_dates => {
                            Some(Some(days_of(time.date())))
                        }
                        // The manual: NULL, even where other texts are refused.
                        Some(_) if !self.casting.is_stored => Some(None),
                        Some(_) => None,
                        None => day().map(Some),
                    }
                })?;
                days.into_iter().map(Option::flatten).collect()
            }
            _ => {
                let local = local_times(self.array, self.casting.zone);
                self.each(|row| local(row).map(|time| days_of(time.date())))?
            }
        };
        Ok(Arc::new(
            values.into_iter().collect::<PrimitiveArray<Date32Type>>(),
        ))
    }

    fn moments(&self, target: &ArrowType) -> Result<ArrayRef> {
        let ArrowType::Timestamp(unit, zone) = target else {
            return Err(Error::internal("a time has a timestamp type"));
        };
        let zone = zone.as_ref().map(|_| self.casting.zone);
        let value = |time: NaiveDateTime| {
            let instant = match zone {
                Some(zone) if self.casting.is_stored && self.is_text() => instant(time, zone)?,
                Some(zone) => instant_of(time, zone)?,
                None => time.and_utc(),
            };
            match unit {
                TimeUnit::Millisecond => Some(instant.timestamp_millis()),
                _ => instant.timestamp_nanos_opt(),
            }
        };
        // Between instants the zone plays no part.
        let values = if let ArrowType::Timestamp(_, Some(_)) = self.array.data_type()
            && zone.is_some()
        {
            return self.by_arrow(self.array, target);
        } else if self.is_text() {
            self.each(|row| {
                let text = self.text_of(row);
                let day = || parse_date(&text).and_then(|day| day.and_hms_opt(0, 0, 0));
                parse_time(&text).or_else(day).and_then(value)
            })?
        } else {
            let local = local_times(self.array, self.casting.zone);
            self.each(|row| local(row).and_then(value))?
        };
        let values = values.into_iter();
        Ok(match unit {
            TimeUnit::Millisecond => {
                let array = values.collect::<PrimitiveArray<TimestampMillisecondType>>();
                Arc::new(array.with_data_type(target.clone()))
            }
            _ => {
                let array = values.collect::<PrimitiveArray<TimestampNanosecondType>>();
                Arc::new(array.with_data_type(target.clone()))
            }
        })
    }

    fn list(&self, item: &DataType) -> Result<ArrayRef> {
        let plain = as_list(self.array)?;
        let (_, offsets, values, nulls) = plain.into_parts();
        let values = cast(&values, item, self.casting)?;
        let field = Arc::new(Field::new("item", values.data_type().clone(), true));
        Ok(Arc::new(ListArray::new(field, offsets, values, nulls)))
    }

    fn map(&self, key: &DataType, value: &DataType) -> Result<ArrayRef> {
        let (_, offsets, entries, nulls, ordered) = self.array.as_map().clone().into_parts();
        let keys = cast(entries.column(0), key, self.casting)?;
        let values = cast(entries.column(1), value, self.casting)?;
        map_array(keys, values, offsets, nulls, ordered)
    }

    fn fields(&self, fields: &[(String, DataType)]) -> Result<ArrayRef> {
        let from = self.array.as_struct();
        let (mut named, mut columns) = (Vec::new(), Vec::new());
        for ((name, to), column) in fields.iter().zip(from.columns()) {
            let column = cast(column, to, self.casting)?;
            named.push(Field::new(name, column.data_type().clone(), true));
            columns.push(column);
        }
        StructArray::try_new(named.into(), columns, from.nulls().cloned())
            .map(|array| Arc::new(array) as ArrayRef)
            .map_err(|error| Error::internal(error.to_string()))
    }
}

/// -0.0 and 0.0 are one number.
pub fn without_negative_zero(items: &ArrayRef) -> ArrayRef {
    match items.data_type() {
        ArrowType::Float64 => {
            let numbers = items.as_primitive::<Float64Type>();
            Arc::new(numbers.unary::<_, Float64Type>(|number| number + 0.0))
        }
        ArrowType::Float32 => {
            let numbers = items.as_primitive::<Float32Type>();
            Arc::new(numbers.unary::<_, Float32Type>(|number| number + 0.0))
        }
        nested if has_real(nested) => {
            let data = items.to_data();
            let inner = data.child_data().iter();
            let inner = inner.map(|inner| without_negative_zero(&make_array(inner.clone())));
            let inner = inner.map(|inner| inner.to_data()).collect();
            match data.clone().into_builder().child_data(inner).build() {
                Ok(changed) => make_array(changed),
                Err(_) => Arc::clone(items),
            }
        }
        _ => Arc::clone(items),
    }
}

/// Whether values of a type are, or hold, FLOAT or DOUBLE.
pub(super) fn has_real(given: &ArrowType) -> bool {
    match given {
        ArrowType::List(item) => has_real(item.data_type()),
        ArrowType::Map(entries, _) => has_real(entries.data_type()),
        ArrowType::Struct(fields) => fields.iter().any(|field| has_real(field.data_type())),
        given => given.is_floating(),
    }
}

/// CHAR without the blanks it is padded with, which count for nothing. Manual page: "Data type editions", CHAR.
pub(super) fn without_padding(texts: &ArrayRef) -> ArrayRef {
    let texts = texts.as_string_view();
    let trimmed = texts
        .iter()
        .map(|text| text.map(|text| text.trim_end_matches(' ')));
    Arc::new(trimmed.collect::<StringViewArray>())
}

/// Builds a map of keys and values.
pub(super) fn map_array(
    keys: ArrayRef,
    values: ArrayRef,
    offsets: datafusion::arrow::buffer::OffsetBuffer<i32>,
    nulls: Option<datafusion::arrow::buffer::NullBuffer>,
    ordered: bool,
) -> Result<ArrayRef> {
    let ArrowType::Map(field, _) =
        super::types::map_of(keys.data_type().clone(), values.data_type().clone())
    else {
        return Err(Error::internal("a map has a map type"));
    };
    let ArrowType::Struct(fields) = field.data_type().clone() else {
        return Err(Error::internal("a map has entries"));
    };
    let failed =
        |error: datafusion::arrow::error::ArrowError| Error::argument_value(error.to_string());
    let entries = StructArray::try_new(fields, vec![keys, values], None).map_err(failed)?;
    let map = MapArray::try_new(field, offsets, entries, nulls, ordered).map_err(failed)?;
    Ok(Arc::new(map))
}

/// Any kind of list as the plain one.
pub(super) fn as_list(array: &ArrayRef) -> Result<ListArray> {
    if let Some(list) = array.as_list_opt::<i32>() {
        return Ok(list.clone());
    }
    let item = match array.data_type() {
        ArrowType::LargeList(item)
        | ArrowType::FixedSizeList(item, _)
        | ArrowType::ListView(item) => item.clone(),
        other => return Err(Error::internal(format!("{other} is not a list"))),
    };
    let cast = cast_with_options(array, &ArrowType::List(item), &CastOptions::default());
    let cast = cast.map_err(|error| Error::internal(error.to_string()))?;
    Ok(cast.as_list::<i32>().clone())
}

/// The local times of dates and instants.
pub(super) fn local_times(
    array: &ArrayRef,
    zone: Tz,
) -> impl Fn(usize) -> Option<NaiveDateTime> + '_ {
    let has_zone = matches!(array.data_type(), ArrowType::Timestamp(_, Some(_)));
    move |row| {
        if array.is_null(row) {
            return None;
        }
        let utc = match array.data_type() {
            ArrowType::Date32 => {
                let days = array.as_primitive::<Date32Type>().value(row);
                return date_of(days)?.and_hms_opt(0, 0, 0);
            }
            ArrowType::Timestamp(TimeUnit::Millisecond, _) => {
                let millis = array.as_primitive::<TimestampMillisecondType>().value(row);
                chrono::DateTime::from_timestamp_millis(millis)?
            }
            ArrowType::Timestamp(TimeUnit::Nanosecond, _) => {
                let nanos = array.as_primitive::<TimestampNanosecondType>().value(row);
                chrono::DateTime::from_timestamp_nanos(nanos)
            }
            _ => return None,
        };
        match has_zone {
            true => local_time(utc, zone),
            false => Some(utc.naive_utc()),
        }
    }
}

/// The instant of a local time: the first of two, the next where there is none.
pub(super) fn instant_of(time: NaiveDateTime, zone: Tz) -> Option<chrono::DateTime<chrono::Utc>> {
    instant(time, zone).or_else(|| {
        // In the gap of a change to summer time.
        instant(time.checked_add_signed(chrono::TimeDelta::hours(1))?, zone)
    })
}

pub(super) fn days_of(day: NaiveDate) -> i32 {
    day.signed_duration_since(NaiveDate::default()).num_days() as i32
}

pub(super) fn date_of(days: i32) -> Option<NaiveDate> {
    NaiveDate::default().checked_add_signed(chrono::TimeDelta::days(i64::from(days)))
}

/// `yyyy-mm-dd`, with all its zeros.
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    let bytes = text.as_bytes();
    let is_exact = bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-';
    is_exact
        .then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
        .flatten()
}

/// `yyyy-mm-dd hh:mi:ss`, with all its zeros and perhaps a fraction.
pub fn parse_time(text: &str) -> Option<NaiveDateTime> {
    let bytes = text.as_bytes();
    let is_exact = bytes.len() >= 19
        && bytes[10] == b' '
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && bytes[13] == b':'
        && bytes[16] == b':';
    let parsed = is_exact
        .then(|| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok())
        .flatten();
    // A leap second is no time of day here.
    parsed.filter(|time| time.nanosecond() < 1_000_000_000)
}

fn parse_double(text: &str) -> Option<f64> {
    let is_word = text
        .bytes()
        .any(|b| b.is_ascii_alphabetic() && !matches!(b, b'e' | b'E'));
    let is_known = matches!(text, "NaN" | "Infinity" | "-Infinity");
    if is_word && !is_known {
        return None;
    }
    text.parse().ok()
}

/// A decimal number as an integer of units of `10^-scale`, rounded half away from zero. `None` where the
/// text is no number, `Some(None)` where it is too large.
pub(super) fn parse_decimal(text: &str, scale: u8) -> Option<Option<i128>> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, unsigned) = match mantissa.strip_prefix('-') {
        Some(unsigned) => (true, unsigned),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // The number is `digits` with the point behind the first `kept` of them, after scaling.
    let kept = whole.len() as i64 + i64::from(exponent) + i64::from(scale);
    let significant = digits.trim_start_matches('0');
    let kept = kept - (digits.len() - significant.len()) as i64;
    if significant.is_empty() || kept < 0 {
        return Some(Some(0));
    }
    if kept > 38 {
        return Some(None);
    }
    let kept = kept as usize;
    let taken = &significant[..kept.min(significant.len())];
    let mut units = taken.parse::<i128>().unwrap_or(0) * 10i128.pow((kept - taken.len()) as u32);
    if significant
        .as_bytes()
        .get(kept)
        .is_some_and(|next| *next >= b'5')
    {
        units += 1;
    }
    Some(Some(if negative { -units } else { units }))
}
