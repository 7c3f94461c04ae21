//! A function that works row by row: what it takes, what it gives, and a call of it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use chrono::{Datelike, NaiveDate, NaiveDateTime};
use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, ListArray, PrimitiveArray,
    StringViewArray, StringViewBuilder, new_null_array,
};
use datafusion::arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

use super::unfit::Unfit;
use crate::datatype::DataType;
use crate::engine::cast::{Casting, as_list, cast, local_times};
use crate::engine::failure::external;
use crate::engine::types::arrow_type_name;
use crate::error::{Error, Result};

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything that converts to STRING by itself.
    Text,
    /// A text and nothing that becomes one.
    String,
    /// A text or BINARY, and nothing that becomes one.
    Bytes,
    /// Anything that converts to BIGINT by itself.
    Int,
    /// A number: of a position or a count no text is taken.
    Whole,
    /// Anything that converts to DOUBLE by itself.
    Double,
    /// A number of any type, or a text that is one.
    Number,
    Boolean,
    /// A date or time, or a text that is one.
    Moment,
    List,
    Map,
    /// Anything but BOOLEAN, which does not become a text by itself.
    Plain,
    Any,
}

/// What a function gives.
#[derive(Clone, Copy)]
pub(super) enum Gives {
    Text,
    Int,
    Double,
    Boolean,
    Datetime,
    Date,
    Binary,
    /// A list of texts.
    Texts,
    /// Depends on the types of the arguments.
    Of(fn(&[ArrowType], Casting) -> Result<ArrowType>),
}

/// See the module.
pub(super) struct Definition {
    pub name: &'static str,
    pub usage: &'static str,
    pub summary: &'static str,
    pub takes: &'static [Kind],
    /// Fewest arguments.
    pub min: usize,
    /// The last kind may come again and again.
    pub repeats: bool,
    pub gives: Gives,
    pub run: fn(&Call) -> Result<ArrayRef>,
}

/// The common form of a definition: all of `takes`, the last `optional` of them optional.
pub(super) const fn function(
    name: &'static str,
    usage: &'static str,
    summary: &'static str,
    takes: &'static [Kind],
    optional: usize,
    gives: Gives,
    run: fn(&Call) -> Result<ArrayRef>,
) -> Definition {
    Definition {
        name,
        usage,
        summary,
        takes,
        min: takes.len() - optional,
        repeats: false,
        gives,
        run,
    }
}

/// A definition whose last kind of argument repeats; at least `min` arguments.
pub(super) const fn variadic(
    name: &'static str,
    usage: &'static str,
    summary: &'static str,
    takes: &'static [Kind],
    min: usize,
    gives: Gives,
    run: fn(&Call) -> Result<ArrayRef>,
) -> Definition {
    Definition {
        name,
        usage,
        summary,
        takes,
        min,
        repeats: true,
        gives,
        run,
    }
}

/// A definition as the engine knows it.
pub(super) struct RowFunction {
    definition: &'static Definition,
    casting: Casting,
    signature: Signature,
}

impl RowFunction {
    pub(super) fn new(definition: &'static Definition, casting: Casting) -> Self {
        let volatility = match definition.name {
            "rand" | "uuid" | "unique_id" | "shuffle" => Volatility::Volatile,
            _ => Volatility::Immutable,
        };
        let signature = if definition.takes.is_empty() {
            Signature::nullary(volatility)
        } else if definition.min == 0 {
            let forms = vec![TypeSignature::Nullary, TypeSignature::UserDefined];
            Signature::one_of(forms, volatility)
        } else {
            Signature::user_defined(volatility)
        };
        Self {
            definition,
            casting,
            signature,
        }
    }

    fn check(&self, types: &[ArrowType]) -> Result<()> {
        let definition = self.definition;
        let max = if definition.repeats {
            usize::MAX
        } else {
            definition.takes.len()
        };
        if types.len() < definition.min || types.len() > max {
            return Err(Error::argument_count(definition.name, types.len()));
        }
        for (position, given) in types.iter().enumerate() {
            let kind = definition.takes.get(position).or(definition.takes.last());
            if kind.is_some_and(|kind| !kind.accepts(given)) {
                return Err(mismatch(definition.name, types));
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for RowFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.definition.name)
    }
}

impl PartialEq for RowFunction {
    fn eq(&self, other: &Self) -> bool {
        self.definition.name == other.definition.name && self.casting == other.casting
    }
}

impl Eq for RowFunction {}

impl Hash for RowFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.definition.name.hash(state);
    }
}

impl ScalarUDFImpl for RowFunction {
    fn name(&self) -> &str {
        self.definition.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[ArrowType]) -> EngineResult<Vec<ArrowType>> {
        // What does not fit is refused where the result's type is asked for: an error from here would
        // lose its form.
        Ok(types.to_vec())
    }

    fn return_type(&self, types: &[ArrowType]) -> EngineResult<ArrowType> {
        self.check(types).map_err(external)?;
        Ok(match self.definition.gives {
            Gives::Text => ArrowType::Utf8View,
            Gives::Int => ArrowType::Int64,
            Gives::Double => ArrowType::Float64,
            Gives::Boolean => ArrowType::Boolean,
            Gives::Datetime => datetime_type(self.casting),
            Gives::Date => ArrowType::Date32,
            Gives::Binary => ArrowType::BinaryView,
            Gives::Texts => crate::engine::types::list_of(ArrowType::Utf8View),
            Gives::Of(gives) => gives(types, self.casting).map_err(external)?,
        })
    }

    fn simplify(
        &self,
        mut args: Vec<Expr>,
        info: &SimplifyContext,
    ) -> EngineResult<ExprSimplifyResult> {
        // A number is a number as it is.
        let is_identity =
            self.definition.name == "__number" && !info.get_data_type(&args[0])?.is_string();
        Ok(if is_identity {
            ExprSimplifyResult::Simplified(args.swap_remove(0))
        } else {
            ExprSimplifyResult::Original(args)
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let is_constant = !args.args.is_empty()
            && args
                .args
                .iter()
                .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        // Of NULL for a list or a map there is nothing but NULL, also where the optimizer asks and gives it no type.
        let kinds = self.definition.takes.iter().zip(&args.args);
        if kinds
            .into_iter()
            .any(|(kind, arg)| matches!(kind, Kind::List | Kind::Map) && arg.data_type().is_null())
        {
            let nulls = new_null_array(args.return_field.data_type(), rows);
            return Ok(match is_constant {
                true => ColumnarValue::Scalar(ScalarValue::try_from_array(&nulls, 0)?),
                false => ColumnarValue::Array(nulls),
            });
        }
        let columns = args.args.iter().map(|arg| match arg {
            ColumnarValue::Array(array) => Ok((Arc::clone(array), false)),
            ColumnarValue::Scalar(value) => Ok((value.to_array()?, true)),
        });
        let call = Call {
            name: self.definition.name,
            columns: columns.collect::<EngineResult<_>>()?,
            rows,
            casting: self.casting,
            gives: args.return_field.data_type().clone(),
        };
        let result = (self.definition.run)(&call).map_err(external)?;
        Ok(if is_constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)
        } else {
            ColumnarValue::Array(result)
        })
    }
}

/// What a call is refused with whose arguments have other types.
pub(super) fn mismatch(name: &str, types: &[ArrowType]) -> Error {
    let names: Vec<String> = types.iter().map(arrow_type_name).collect();
    Error::semantic(format!(
        "function {name} cannot match any overloaded functions with ({})",
        names.join(",")
    ))
}

/// The type of DATETIME in a zone.
pub(super) fn datetime_type(casting: Casting) -> ArrowType {
    ArrowType::Timestamp(TimeUnit::Millisecond, Some(casting.zone.name().into()))
}

impl Kind {
    fn accepts(self, given: &ArrowType) -> bool {
        let is_number = given.is_numeric() || given.is_decimal();
        let is_moment = matches!(given, ArrowType::Date32 | ArrowType::Timestamp(..));
        if given.is_null() {
            return true;
        }
        match self {
            Self::Text => given.is_string() || is_number || is_moment || is_binary(given),
            Self::String => given.is_string(),
            Self::Bytes => given.is_string() || is_binary(given),
            Self::Whole => is_number,
            Self::Int | Self::Double | Self::Number => is_number || given.is_string(),
            Self::Boolean => matches!(given, ArrowType::Boolean),
            Self::Moment => is_moment || given.is_string(),
            Self::List => is_list(given),
            Self::Map => matches!(given, ArrowType::Map(..)),
            Self::Plain => !matches!(given, ArrowType::Boolean),
            Self::Any => true,
        }
    }
}

pub(super) fn is_binary(given: &ArrowType) -> bool {
    matches!(
        given,
        ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView
    )
}

pub(super) fn is_list(given: &ArrowType) -> bool {
    matches!(
        given,
        ArrowType::List(_)
            | ArrowType::LargeList(_)
            | ArrowType::FixedSizeList(..)
            | ArrowType::ListView(_)
    )
}

/// A date without zeros before its numbers, `17-2-14`, perhaps with a time: the year is as it is written. Manual pages:
/// "ADD_MONTHS", "YEAR".
fn short_time(text: &str) -> Option<NaiveDateTime> {
    let numbers = |text: &str, by: char, widths: [usize; 3]| -> Option<[u32; 3]> {
        let parts: Vec<&str> = text.split(by).collect();
        let parts = <[&str; 3]>::try_from(parts).ok()?;
        let fits = |(part, width): (&&str, usize)| {
            (1..=width).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let all_fit = parts.iter().zip(widths).all(fits);
        all_fit.then(|| parts.map(|part| part.parse().unwrap_or(0)))
    };
    let (day, clock) = match text.split_once(' ') {
        Some((day, clock)) => (day, Some(clock)),
        None => (text, None),
    };
    let [year, month, day] = numbers(day, '-', [4, 2, 2])?;
    let [hour, minute, second] = match clock {
        Some(clock) => numbers(clock, ':', [2, 2, 2])?,
        None => [0; 3],
    };
    let day = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    day.and_hms_opt(hour, minute, second)
        .filter(|time| time.year() > 0)
}

/// One call over a batch of rows.
pub(in crate::engine) struct Call {
    pub name: &'static str,
    columns: Vec<(ArrayRef, bool)>,
    pub rows: usize,
    pub casting: Casting,
    /// The type of the result.
    pub gives: ArrowType,
}

/// A column of arguments: one value per row, or one for all rows.
pub(super) struct Column<A> {
    array: A,
    is_constant: bool,
}

impl<A> Column<A> {
    pub(super) fn row(&self, row: usize) -> usize {
        if self.is_constant { 0 } else { row }
    }

    pub(super) fn array(&self) -> &A {
        &self.array
    }

    /// # Errors
    /// Where rows have values of their own.
    pub(super) fn expect_constant(&self, function: &str, what: &str) -> Result<()> {
        match self.is_constant {
            true => Ok(()),
            false => Err(Error::argument_type(format!(
                "function {function}: {what} is a constant"
            ))),
        }
    }
}

pub(super) type Texts = Column<StringViewArray>;

impl Texts {
    pub(super) fn get(&self, row: usize) -> Option<&str> {
        let row = self.row(row);
        self.array.is_valid(row).then(|| self.array.value(row))
    }

    /// The one text of all rows.
    pub(super) fn constant(&self) -> Option<&str> {
        self.is_constant.then(|| self.get(0)).flatten()
    }
}

impl<T: ArrowPrimitiveType> Column<PrimitiveArray<T>> {
    pub(super) fn get(&self, row: usize) -> Option<T::Native> {
        let row = self.row(row);
        self.array.is_valid(row).then(|| self.array.value(row))
    }
}

impl Column<BooleanArray> {
    pub(super) fn get(&self, row: usize) -> Option<bool> {
        let row = self.row(row);
        self.array.is_valid(row).then(|| self.array.value(row))
    }
}

impl Column<ListArray> {
    pub(super) fn get(&self, row: usize) -> Option<ArrayRef> {
        let row = self.row(row);
        self.array.is_valid(row).then(|| self.array.value(row))
    }
}

impl Call {
    /// The same call for another number of rows and another type, to make the items of a list.
    pub(super) fn resized(&self, rows: usize, gives: ArrowType) -> Self {
        Self {
            name: self.name,
            columns: Vec::new(),
            rows,
            casting: self.casting,
            gives,
        }
    }

    /// How many arguments were given.
    pub(super) fn count(&self) -> usize {
        self.columns.len()
    }

    /// An argument as it is.
    pub(super) fn any(&self, position: usize) -> Column<ArrayRef> {
        let (array, is_constant) = &self.columns[position];
        Column {
            array: Arc::clone(array),
            is_constant: *is_constant,
        }
    }

    pub(super) fn type_of(&self, position: usize) -> &ArrowType {
        self.columns[position].0.data_type()
    }

    fn converted(&self, position: usize, to: &DataType) -> Result<(ArrayRef, bool)> {
        let (array, is_constant) = &self.columns[position];
        Ok((cast(array, to, self.casting)?, *is_constant))
    }

    pub(super) fn text(&self, position: usize) -> Result<Texts> {
        let (array, is_constant) = self.converted(position, &DataType::String)?;
        Ok(Column {
            array: array.as_string_view().clone(),
            is_constant,
        })
    }

    /// An optional text argument.
    pub(super) fn text_or(&self, position: usize, default: &str) -> Result<Texts> {
        if position < self.count() {
            return self.text(position);
        }
        Ok(Column {
            array: StringViewArray::from(vec![default]),
            is_constant: true,
        })
    }

    pub(super) fn int(&self, position: usize) -> Result<Column<PrimitiveArray<Int64Type>>> {
        let (array, is_constant) = self.converted(position, &DataType::BigInt)?;
        Ok(Column {
            array: array.as_primitive::<Int64Type>().clone(),
            is_constant,
        })
    }

    /// An optional whole number.
    pub(super) fn int_or(
        &self,
        position: usize,
        default: i64,
    ) -> Result<Column<PrimitiveArray<Int64Type>>> {
        if position < self.count() {
            return self.int(position);
        }
        Ok(Column {
            array: PrimitiveArray::from(vec![default]),
            is_constant: true,
        })
    }

    pub(super) fn double(&self, position: usize) -> Result<Column<PrimitiveArray<Float64Type>>> {
        let (array, is_constant) = self.converted(position, &DataType::Double)?;
        Ok(Column {
            array: array.as_primitive::<Float64Type>().clone(),
            is_constant,
        })
    }

    pub(super) fn boolean(&self, position: usize) -> Result<Column<BooleanArray>> {
        let (array, is_constant) = self.converted(position, &DataType::Boolean)?;
        Ok(Column {
            array: array.as_boolean().clone(),
            is_constant,
        })
    }

    pub(super) fn list(&self, position: usize) -> Result<Column<ListArray>> {
        let (array, is_constant) = &self.columns[position];
        let array = if array.data_type().is_null() {
            let empty = crate::engine::types::list_of(ArrowType::Null);
            datafusion::arrow::array::new_null_array(&empty, array.len())
        } else {
            Arc::clone(array)
        };
        Ok(Column {
            array: as_list(&array)?,
            is_constant: *is_constant,
        })
    }

    /// A date or time, as the session's local time. A text has to be a DATETIME or a DATE;
    /// what others come to, `Unfit` says.
    pub(super) fn local(&self, position: usize) -> Result<Column<Vec<Option<NaiveDateTime>>>> {
        let (array, is_constant) = &self.columns[position];
        let array = if array.data_type().is_string() || array.data_type().is_null() {
            let mut casting = self.casting;
            casting.is_strict &= Unfit::of(self.name) == Unfit::Error;
            cast(array, &DataType::Datetime, casting)?
        } else {
            Arc::clone(array)
        };
        let local = local_times(&array, self.casting.zone);
        let mut times: Vec<_> = (0..array.len()).map(&local).collect();
        if self.columns[position].0.data_type().is_string() && Unfit::of(self.name) == Unfit::Null {
            let texts = self.text(position)?;
            for (row, time) in times.iter_mut().enumerate().filter(|(_, t)| t.is_none()) {
                let text = texts.array.is_valid(row).then(|| texts.array.value(row));
                *time = text.and_then(short_time);
            }
        }
        Ok(Column {
            array: times,
            is_constant: *is_constant,
        })
    }

    /// A text for each row.
    pub(super) fn texts<S: AsRef<str>>(
        &self,
        mut of: impl FnMut(usize) -> Result<Option<S>>,
    ) -> Result<ArrayRef> {
        let mut builder = StringViewBuilder::with_capacity(self.rows);
        for row in 0..self.rows {
            match of(row)? {
                Some(text) => builder.append_value(text),
                None => builder.append_null(),
            }
        }
        Ok(Arc::new(builder.finish()))
    }

    /// A number, date or time for each row.
    pub(super) fn values<T: ArrowPrimitiveType>(
        &self,
        of: impl FnMut(usize) -> Result<Option<T::Native>>,
    ) -> Result<ArrayRef> {
        let values: Vec<Option<T::Native>> = (0..self.rows).map(of).collect::<Result<_>>()?;
        let array = values.into_iter().collect::<PrimitiveArray<T>>();
        Ok(Arc::new(array.with_data_type(self.gives.clone())))
    }

    pub(super) fn booleans(
        &self,
        of: impl FnMut(usize) -> Result<Option<bool>>,
    ) -> Result<ArrayRef> {
        let values: Vec<Option<bool>> = (0..self.rows).map(of).collect::<Result<_>>()?;
        Ok(Arc::new(BooleanArray::from(values)))
    }

    /// What a value that the function cannot take comes to.
    pub(super) fn unfit<T>(&self, detail: impl Into<String>) -> Result<Option<T>> {
        if self.casting.is_strict && Unfit::of(self.name) == Unfit::Error {
            Err(Error::argument_value(format!(
                "function {}: {}",
                self.name,
                detail.into()
            )))
        } else {
            Ok(None)
        }
    }
}

impl Column<Vec<Option<NaiveDateTime>>> {
    pub(super) fn get(&self, row: usize) -> Option<NaiveDateTime> {
        self.array[self.row(row)]
    }
}

/// The value, or NULL for the row.
macro_rules! known {
    ($value:expr) => {
        match $value {
            Some(value) => value,
            None => return Ok(None),
        }
    };
}
pub(super) use known;
