//! JSON texts. Manual page: "String functions", GET_JSON_OBJECT; "Complex type functions", TO_JSON, FROM_JSON.

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::DataType as ArrowType;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use super::call::{Call, Definition, Gives, Kind, function, known};
use crate::error::{Error, Result};

use Kind::{Any, Text};

#[rustfmt::skip]
pub(super) const FUNCTIONS: &[Definition] = &[
    function("get_json_object", "get_json_object(string json, string path)", "Returns what stands at a path such as $.a.b[0].c[*]; NULL where there is nothing.", &[Text, Text], 0, Gives::Text, get_json_object),
    function("to_json", "to_json(value)", "Writes an array, map or struct as JSON; members that are NULL are left out.", &[Any], 0, Gives::Text, to_json),
];

/// A key of JSON_TUPLE: the name of a member or, where there is none of that name, a path without its `$.`.
#[rustfmt::skip]
pub(super) const MEMBER: Definition = function("__json_member", "__json_member", "a member of a JSON text", &[Text, Text], 0, Gives::Text, json_member);

/// A step of a path.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Member(String),
    Item(usize),
    All,
}

/// `$.a.b[0].c[*]`, `$['a']`; `None` where the text is no path.
fn path_of(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix(".[").or_else(|| rest.strip_prefix('[')) {
            let (index, after) = inside.split_once(']')?;
            let index = index.trim();
            let quoted = index
                .strip_prefix(['\'', '"'])
                .and_then(|index| index.strip_suffix(['\'', '"']));
            steps.push(match (quoted, index) {
                (Some(name), _) => Step::Member(name.to_owned()),
                (None, "*") => Step::All,
                (None, index) => Step::Item(index.parse().ok()?),
            });
            rest = after;
        } else {
            let name = rest.strip_prefix('.')?;
            let end = name.find(['.', '[']).unwrap_or(name.len());
            match &name[..end] {
                "" => return None,
                "*" => steps.push(Step::All),
                member => steps.push(Step::Member(member.to_owned())),
            }
            rest = &name[end..];
        }
    }
    Some(steps)
}

/// Reads a JSON text; of members with one name the first counts. `None` where it is no JSON.
pub(super) fn parse(text: &str) -> Option<Value> {
    serde_json::from_str::<FirstMembers>(text)
        .ok()
        .map(|read| read.0)
}

struct FirstMembers(Value);

impl<'de> Deserialize<'de> for FirstMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

/// The name under which serde_json hands over a number with all its digits.
const NUMBER: &str = "$serde_json::private::Number";

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(FirstMembers(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> std::result::Result<Value, A::Error> {
        let mut all = serde_json::Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let FirstMembers(member) = members.next_value()?;
            match member {
                Value::String(digits) if name == NUMBER && digits.parse::<f64>().is_ok() => {
                    return Ok(Value::Number(Number::from_string_unchecked(digits)));
                }
                member => drop(all.entry(name).or_insert(member)),
            }
        }
        Ok(Value::Object(all))
    }
}

/// What stands at a path: several values where it has `[*]`.
fn find<'a>(value: &'a Value, steps: &[Step], found: &mut Vec<&'a Value>) {
    let Some((step, rest)) = steps.split_first() else {
        found.push(value);
        return;
    };
    match (step, value) {
        (Step::Member(name), Value::Object(members)) => {
            if let Some(member) = members.get(name) {
                find(member, rest, found);
            }
        }
        // A member of an array is that member of each of its items.
        (Step::Member(_), Value::Array(items)) => {
            items.iter().for_each(|item| find(item, steps, found))
        }
        (Step::Item(index), Value::Array(items)) => {
            if let Some(item) = items.get(*index) {
                find(item, rest, found);
            }
        }
        (Step::All, Value::Array(items)) => items.iter().for_each(|item| find(item, rest, found)),
        (Step::All, Value::Object(members)) => members
            .values()
            .for_each(|member| find(member, rest, found)),
        _ => {}
    }
}

fn get_json_object(call: &Call) -> Result<ArrayRef> {
    let (json, path) = (call.text(0)?, call.text(1)?);
    let constant = path.constant().map(path_of);
    call.texts(|row| {
        let (json, path) = (known!(json.get(row)), known!(path.get(row)));
        let steps = known!(constant.clone().unwrap_or_else(|| path_of(path)));
        let value = known!(parse(json));
        Ok(text_at(&value, &steps))
    })
}

/// What stands at a path, as text; an array where that is several values.
fn text_at(value: &Value, steps: &[Step]) -> Option<String> {
    let mut found = Vec::new();
    find(value, steps, &mut found);
    match found.as_slice() {
        [] => None,
        [only] if !matches!(steps.last(), Some(Step::All)) => text_of(only),
        many => Some(Value::Array(many.iter().map(|value| (*value).clone()).collect()).to_string()),
    }
}

fn json_member(call: &Call) -> Result<ArrayRef> {
    let (json, key) = (call.text(0)?, call.text(1)?);
    call.texts(|row| {
        let (json, key) = (known!(json.get(row)), known!(key.get(row)));
        let value = known!(parse(json));
        if let Some(member) = value.get(key) {
            return Ok(text_of(member));
        }
        let steps = known!(path_of(&format!("$.{key}")));
        Ok(text_at(&value, &steps))
    })
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn to_json(call: &Call) -> Result<ArrayRef> {
    let column = call.any(0);
    if !matches!(
        column.array().data_type(),
        ArrowType::Null | ArrowType::Map(..) | ArrowType::Struct(_)
    ) && !super::call::is_list(column.array().data_type())
    {
        return Err(Error::argument_type(
            "function to_json needs an ARRAY, MAP or STRUCT",
        ));
    }
    call.texts(|row| {
        let row = column.row(row);
        if column.array().is_null(row) || column.array().data_type().is_null() {
            return Ok(None);
        }
        let mut value = crate::engine::text::json(column.array(), row);
        without_nulls(&mut value);
        Ok(Some(value.to_string()))
    })
}

fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let taken = std::mem::take(members);
            members.extend(
                taken
                    .into_iter()
                    .filter(|(_, member)| !member.is_null())
                    .map(|(name, mut member)| {
                        without_nulls(&mut member);
                        (name.to_lowercase(), member)
                    }),
            );
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_or_refused() {
        assert_eq!(path_of("$"), Some(vec![]));
        assert_eq!(
            path_of("$.a['b c'][0][*]"),
            Some(vec![
                Step::Member("a".into()),
                Step::Member("b c".into()),
                Step::Item(0),
                Step::All
            ])
        );
        assert_eq!(path_of("$.a[1].[1]").map(|steps| steps.len()), Some(3));
        for wrong in ["", "a", "$a", "$.", "$[", "$[x]", "$..a"] {
            assert_eq!(path_of(wrong), None, "{wrong}");
        }
    }
}
