//! FROM_JSON: a JSON text as a value of a type. Manual page: "Complex type functions", FROM_JSON.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, ListArray, StringViewArray, StructArray, new_null_array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::filter;
use datafusion::arrow::datatypes::{DataType as ArrowType, Field, FieldRef};
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use serde_json::Value;

use crate::datatype::DataType;
use crate::engine::cast::{Casting, cast, map_array};
use crate::engine::failure::external;
use crate::engine::types::{session_type, storage_type};
use crate::error::{Error, Result};
use crate::parser::parse_type;

/// `from_json(string json, string schema)`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct FromJson {
    casting: Casting,
    signature: Signature,
}

pub(super) fn from_json_function(casting: Casting) -> Arc<ScalarUDF> {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(ScalarUDF::from(FromJson { casting, signature }))
}

/// The type that a schema names: a nested type, or columns such as `a bigint, b string` for a STRUCT.
fn schema_of(value: Option<&ScalarValue>) -> Result<DataType> {
    let Some(text) = value.and_then(ScalarValue::try_as_str).flatten() else {
        return Err(Error::argument_type(
            "the second argument of from_json must be a constant string",
        ));
    };
    let wrong = || Error::argument_value(format!("function from_json: invalid schema '{text}'"));
    if let Ok(found) = parse_type(text) {
        return if found.is_nested() {
            Ok(found)
        } else {
            Err(wrong())
        };
    }
    let (mut fields, mut depth) = (vec![String::new()], 0);
    for c in text.chars() {
        depth += i32::from(matches!(c, '<' | '(')) - i32::from(matches!(c, '>' | ')'));
        match (c, fields.last_mut()) {
            (',', _) if depth == 0 => fields.push(String::new()),
            (c, Some(field)) => field.push(c),
            (_, None) => {}
        }
    }
    let fields = fields.iter().map(|field| {
        let (name, data_type) = field.trim().split_once([' ', ':']).ok_or_else(wrong)?;
        let data_type = parse_type(data_type.trim()).map_err(|_| wrong())?;
        Ok((name.trim().to_lowercase(), data_type))
    });
    Ok(DataType::Struct(fields.collect::<Result<_>>()?))
}

impl ScalarUDFImpl for FromJson {
    fn name(&self) -> &str {
        "from_json"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[ArrowType]) -> EngineResult<ArrowType> {
        internal_err!("the type of from_json depends on its arguments")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> EngineResult<FieldRef> {
        let to = schema_of(args.scalar_arguments.get(1).copied().flatten()).map_err(external)?;
        let to = session_type(&to, self.casting.zone.name());
        Ok(Arc::new(Field::new("from_json", to, true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let schema = match &args.args[1] {
            ColumnarValue::Scalar(schema) => schema_of(Some(schema)),
            ColumnarValue::Array(_) => schema_of(None),
        };
        let schema = schema.map_err(external)?;
        let is_constant = matches!(args.args[0], ColumnarValue::Scalar(_));
        let rows = if is_constant { 1 } else { args.number_rows };
        let texts = args.args[0].to_array(rows)?;
        let texts = cast(&texts, &DataType::String, self.casting).map_err(external)?;
        let values = texts.as_string_view().iter();
        let values: Vec<Option<Value>> = values
            .map(|text| text.and_then(super::json::parse))
            .collect();
        let values: Vec<Option<&Value>> = values.iter().map(Option::as_ref).collect();
        let casting = Casting {
            is_strict: false,
            ..self.casting
        };
        let made = array_of(&values, &schema, casting).map_err(external)?;
        let made = datafusion::arrow::compute::cast(&made, args.return_field.data_type())?;
        Ok(if is_constant {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&made, 0)?)
        } else {
            ColumnarValue::Array(made)
        })
    }
}

/// JSON values as an array of a type; what does not fit is NULL.
fn array_of(values: &[Option<&Value>], to: &DataType, casting: Casting) -> Result<ArrayRef> {
    let failed = |error: datafusion::arrow::error::ArrowError| Error::internal(error.to_string());
    if values.is_empty() {
        return Ok(new_null_array(&storage_type(to), 0));
    }
    match to {
        DataType::Array(item) => {
            let lists: Vec<Option<&Vec<Value>>> = values
                .iter()
                .map(|value| value.and_then(Value::as_array))
                .collect();
            let items: Vec<Option<&Value>> = lists
                .iter()
                .flatten()
                .flat_map(|list| list.iter())
                .map(Some)
                .collect();
            let made = array_of(&items, item, casting)?;
            // An item of another type is left out.
            let fits: Vec<bool> = items
                .iter()
                .enumerate()
                .map(|(at, value)| made.is_valid(at) || value.is_none_or(Value::is_null))
                .collect();
            let items = filter(&made, &BooleanArray::from(fits.clone())).map_err(failed)?;
            let field = Arc::new(Field::new("item", items.data_type().clone(), true));
            let mut fits = fits.into_iter();
            let mut kept = |count: usize| fits.by_ref().take(count).filter(|fits| *fits).count();
            let lengths: Vec<usize> = lists
                .iter()
                .map(|list| kept(list.map_or(0, Vec::len)))
                .collect();
            let nulls: NullBuffer = lists.iter().map(Option::is_some).collect();
            let offsets = OffsetBuffer::from_lengths(lengths);
            let list = ListArray::try_new(field, offsets, items, Some(nulls));
            Ok(Arc::new(list.map_err(failed)?))
        }
        DataType::Map(key, value) => {
            let maps: Vec<_> = values
                .iter()
                .map(|value| value.and_then(Value::as_object))
                .collect();
            let members = || maps.iter().flatten().flat_map(|map| map.iter());
            let names: Vec<&str> = members().map(|(name, _)| name.as_str()).collect();
            let keys: ArrayRef = Arc::new(StringViewArray::from(names));
            let keys = cast(&keys, key, casting)?;
            let found: Vec<Option<&Value>> = members().map(|(_, value)| Some(value)).collect();
            let found = array_of(&found, value, casting)?;
            let lengths = maps.iter().map(|map| map.map_or(0, |map| map.len()));
            let nulls: NullBuffer = maps.iter().map(Option::is_some).collect();
            map_array(
                keys,
                found,
                OffsetBuffer::from_lengths(lengths),
                Some(nulls),
                false,
            )
        }
        DataType::Struct(fields) => {
            let member = |value: &Value, name: &str| -> Option<Value> {
                let members = value.as_object()?;
                let exact = members.get(name);
                exact
                    .or_else(|| {
                        let mut all = members.iter();
                        all.find(|(other, _)| other.eq_ignore_ascii_case(name))
                            .map(|(_, value)| value)
                    })
                    .cloned()
            };
            let (mut arrays, mut kept) = (Vec::new(), Vec::new());
            for (name, data_type) in fields {
                let found: Vec<Option<Value>> = values
                    .iter()
                    .map(|value| value.and_then(|value| member(value, name)))
                    .collect();
                let found: Vec<Option<&Value>> = found.iter().map(Option::as_ref).collect();
                let array = array_of(&found, data_type, casting)?;
                kept.push(Field::new(name, array.data_type().clone(), true));
                arrays.push(array);
            }
            let is_object = |value: &Option<&Value>| value.is_some_and(Value::is_object);
            let nulls: NullBuffer = values.iter().map(is_object).collect();
            let made = StructArray::try_new(kept.into(), arrays, Some(nulls));
            Ok(Arc::new(made.map_err(failed)?))
        }
        DataType::Boolean => {
            let booleans = values.iter().map(|value| match value {
                None | Some(Value::Null) => None,
                Some(Value::Bool(value)) => Some(*value),
                Some(Value::String(text)) => Some(!text.is_empty()),
                Some(_) => Some(true),
            });
            Ok(Arc::new(booleans.collect::<BooleanArray>()))
        }
        plain => {
            let texts = values.iter().map(|value| match value {
                None | Some(Value::Null) => None,
                Some(Value::String(text)) => Some(text.clone()),
                Some(other) => Some(other.to_string()),
            });
            let texts: ArrayRef = Arc::new(texts.collect::<StringViewArray>());
            cast(&texts, plain, casting)
        }
    }
}
