//! DataFusion's errors in the words of MaxCompute.

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

use crate::error::Error;
use crate::store::StoreError;

/// An error of ours on its way through the engine.
pub(super) fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// Turns an engine error into ours. `text` is the text the engine parsed: places in it are places in
/// the statement.
pub fn translate(error: &DataFusionError, text: &str) -> Error {
    if let Some(error) = own_error(error) {
        return match (
            error.has_place(),
            named_function(&error).and_then(|name| place_of(text, &name)),
        ) {
            (false, Some(at)) => error.at(at),
            _ => error,
        };
    }
    if let Some(error) = store_error(error) {
        return error;
    }
    let root = error.find_root();
    let message = root.strip_backtrace();
    match root {
        DataFusionError::SQL(error, _) => {
            Error::syntax(0, lower_first(first_line(&error.to_string())))
        }
        DataFusionError::SchemaError(error, _) => schema(error, text),
        DataFusionError::NotImplemented(detail) => unimplemented(first_line(detail)),
        DataFusionError::Plan(detail) => plan(detail, text),
        DataFusionError::ResourcesExhausted(detail) => {
            Error::execution(format!("out of memory: {}", first_line(detail)))
        }
        DataFusionError::ArrowError(error, _) => data(&error.to_string()),
        DataFusionError::Execution(detail) => data(detail),
        _ => data(&message),
    }
}

/// What the engine has no plan for, by the name it has in SQL.
fn unimplemented(detail: &str) -> Error {
    if detail.contains("WindowFunction") {
        return Error::semantic(
            "a window function stands in a select list, in ORDER BY or in QUALIFY",
        );
    }
    let names = [
        ("Exists", "EXISTS as a value"),
        ("Lambda", "a function as an argument of this function"),
        ("Interval", "this form of INTERVAL"),
        ("InSubquery", "IN with a subquery as a value"),
        (
            "OuterReferenceColumn",
            "a subquery that refers to the query around it in this way",
        ),
        (
            "ScalarSubquery",
            "a subquery that refers to the query around it in this way",
        ),
    ];
    if let Some((_, name)) = names.iter().find(|(theirs, _)| detail.contains(theirs)) {
        return Error::not_supported(name);
    }
    let end = detail.find(['(', '{', '\'', '"']).unwrap_or(detail.len());
    Error::semantic(format!(
        "not supported yet: {}",
        ours(detail[..end].trim_end())
    ))
}

/// An error of our own functions and planning, however deep it is wrapped.
fn own_error(error: &DataFusionError) -> Option<Error> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(own) = current.downcast_ref::<Error>() {
            return Some(own.clone());
        }
        next = match current.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::Shared(inner)) => Some(&**inner),
            Some(DataFusionError::External(inner)) => Some(&**inner),
            Some(DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner)) => {
                Some(&**inner)
            }
            Some(DataFusionError::Collection(errors)) => errors.first().map(|first| first as _),
            Some(DataFusionError::ArrowError(inner, _)) => Some(&**inner),
            _ => current.source(),
        };
    }
    None
}

/// The function that a message names.
fn named_function(error: &Error) -> Option<String> {
    let message = error.to_string();
    let rest = message.split("function ").nth(1)?;
    Some(rest.split([' ', ':', ',']).next()?.to_owned())
}

/// A damaged segment or record that a scan came upon, however deep it is wrapped.
fn store_error(error: &DataFusionError) -> Option<Error> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(store) = current.downcast_ref::<StoreError>() {
            return Some(Error::from(store));
        }
        next = match current.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::Shared(inner)) => Some(&**inner),
            Some(DataFusionError::External(inner)) => Some(&**inner),
            Some(DataFusionError::Context(_, inner)) => Some(&**inner),
            _ => match current.downcast_ref::<datafusion::object_store::Error>() {
                Some(datafusion::object_store::Error::Generic { source, .. }) => Some(&**source),
                _ => current.source(),
            },
        };
    }
    // Where the footer of a file is read, the engine keeps no more of an error than its text.
    let changed = StoreError::ChangedWhileRead;
    let is_changed = error.to_string().contains(&changed.to_string());
    is_changed.then(|| Error::from(changed))
}

fn schema(error: &SchemaError, text: &str) -> Error {
    match error {
        // A physical column is nothing the user wrote: the engine lost it on its way.
        SchemaError::FieldNotFound { field, .. }
            if is_physical(field.name()) && place_of(text, field.name()).is_none() =>
        {
            Error::not_supported("a subquery that refers to the query around it in this way")
        }
        SchemaError::FieldNotFound { field, .. } => {
            let error = Error::semantic(format!("column {} cannot be resolved", field.name()));
            match place_of(text, field.name()) {
                Some(at) => error.at(at),
                None => error,
            }
        }
        SchemaError::AmbiguousReference { field } => Error::semantic(format!(
            "{} is ambiguous, it names columns of several tables",
            field.name()
        )),
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => Error::semantic(format!(
            "column {name} is there twice, give one of them an alias"
        )),
    }
}

/// `c12`, the name of a column in storage.
fn is_physical(name: &str) -> bool {
    name.strip_prefix('c')
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// Where a name stands in the query as a word of its own.
pub(super) fn place_of(text: &str, name: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let is_symbol = !name.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let is_word =
        |c: Option<char>| !is_symbol && c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut places = lower.match_indices(name);
    let place = places.find(|(at, _)| {
        !is_word(lower[..*at].chars().next_back())
            && !is_word(lower[at + name.len()..].chars().next())
    });
    place.map(|(at, _)| at)
}

fn plan(detail: &str, text: &str) -> Error {
    let line = first_line(detail);
    let placed = |error: Error, name: &str| match place_of(text, &name.to_lowercase()) {
        Some(at) => error.at(at),
        None => error,
    };
    let between = |begin: &str, end: &str| {
        let rest = line.split_once(begin)?.1;
        Some(rest.split_once(end)?.0.to_owned())
    };
    if let Some(name) = between("Function '", "' failed to match any signature") {
        let detail =
            format!("function {name} cannot match any overloaded functions with these arguments");
        return placed(Error::semantic(detail), &name);
    }
    if let Some(name) = between("Invalid function '", "'") {
        let detail = format!("function or view '{name}' cannot be resolved");
        return placed(Error::semantic(detail), &name);
    }
    if let Some(call) =
        between("argument types '", "'.").or_else(|| between("argument types '", "'"))
    {
        let (name, types) = call
            .trim_end_matches(')')
            .split_once('(')
            .unwrap_or((&call, ""));
        let detail = format!(
            "function {name} cannot match any overloaded functions with ({})",
            types
                .split(", ")
                .map(type_word)
                .collect::<Vec<_>>()
                .join(",")
        );
        return placed(Error::semantic(detail), name);
    }
    if let Some(types) = line
        .split_once("comparison operation ")
        .map(|(_, types)| types)
    {
        let mut sides = types.split([' ', '=']).filter(|side| !side.is_empty());
        let left = sides.next().map(type_word).unwrap_or_default();
        let right = sides.next_back().map(type_word).unwrap_or_default();
        return Error::semantic(format!(
            "a comparison cannot be applied to {left} and {right}"
        ));
    }
    if line.contains("different number of columns") {
        return Error::set_operation("the queries have different numbers of columns");
    }
    if line.contains("must appear in the GROUP BY clause")
        && let Some(column) = between("column \"", "\" must")
    {
        let detail = format!(
            "column reference {} should appear in GROUP BY key",
            plain(&column)
        );
        return placed(
            Error::semantic(detail),
            plain(&column).rsplit('.').next().unwrap_or_default(),
        );
    }
    if line.contains("HAVING clause references") {
        let column = between("references: ", " must").unwrap_or_default();
        let column = column.split(' ').next().unwrap_or_default();
        let column = plain(column);
        let detail = format!("column reference {column} should appear in GROUP BY key");
        let name = column.rsplit('.').next().unwrap_or_default();
        return placed(Error::semantic(detail), name);
    }
    if let Some(predicate) = between("non-boolean predicate '", "'") {
        let error = Error::semantic("expect a BOOLEAN expression");
        let name = plain(&predicate);
        return placed(error, name.rsplit('.').next().unwrap_or_default());
    }
    if line.contains("non-boolean predicate") || line.contains("must return boolean") {
        return Error::semantic("expect a BOOLEAN expression");
    }
    if let Some(name) = between("WITH query name \"", "\"") {
        return placed(
            Error::semantic(format!("{name} is defined twice in WITH")),
            &name,
        );
    }
    if line.contains("Projections require unique expression names") {
        return Error::semantic("two columns of a subquery have the same name");
    }
    if line.contains("orrelated scalar subquery") {
        return Error::not_supported("a subquery that refers to the query around it in this way");
    }
    if line.contains("subquery must return only one column")
        || line.contains("should only return one column")
    {
        return Error::semantic("a subquery that stands for a value gives one column");
    }
    if let Some(name) = between("not found: '", "'") {
        return placed(Error::semantic(format!("{name} cannot be resolved")), &name);
    }
    Error::semantic(ours(line))
}

/// A column as it was written: without its project and quotes.
fn plain(column: &str) -> String {
    let bare = column.replace(['"', '`'], "");
    let mut parts: Vec<&str> = bare.split('.').collect();
    if parts.len() > 2 {
        parts = parts.split_off(parts.len() - 2);
    }
    parts.join(".")
}

/// An Arrow type's name as MaxCompute has it.
fn type_word(name: &str) -> String {
    let name = name.trim();
    let word = match name {
        "Boolean" => "BOOLEAN",
        "Int8" => "TINYINT",
        "Int16" => "SMALLINT",
        "Int32" => "INT",
        "Int64" | "UInt64" => "BIGINT",
        "Float32" => "FLOAT",
        "Float64" => "DOUBLE",
        "Utf8" | "Utf8View" | "LargeUtf8" | "String" => "STRING",
        "Binary" | "BinaryView" => "BINARY",
        "Date32" | "Date" => "DATE",
        "Null" => "VOID",
        _ if name.starts_with("Timestamp(ms") || name.starts_with("Timestamp(Millisecond") => {
            "DATETIME"
        }
        _ if name.starts_with("Timestamp") => "TIMESTAMP",
        _ if name.starts_with("Decimal") => "DECIMAL",
        _ if name.starts_with("List") => "ARRAY",
        _ if name.starts_with("Map") => "MAP",
        _ if name.starts_with("Struct") => "STRUCT",
        other => return other.to_uppercase(),
    };
    word.to_owned()
}

/// A message of the engine without its own names of types and of itself.
fn ours(line: &str) -> String {
    let mut text = lower_first(line);
    for (theirs, word) in [
        ("Utf8View", "STRING"),
        ("Utf8", "STRING"),
        ("Int64", "BIGINT"),
        ("Int32", "INT"),
        ("Int16", "SMALLINT"),
        ("Int8", "TINYINT"),
        ("Float64", "DOUBLE"),
        ("Float32", "FLOAT"),
        ("Boolean", "BOOLEAN"),
        ("Date32", "DATE"),
        ("DataFusion", "odpsh"),
    ] {
        text = text.replace(theirs, word);
    }
    text
}

fn data(detail: &str) -> Error {
    let line = first_line(detail);
    if line.contains("calar subquery returned more than one row") {
        return Error::execution("a subquery that stands for a value gives more than one row");
    }
    if line.contains("Divide by zero") {
        return Error::overflow("division by zero");
    }
    if line.contains("cannot cast Timestamp") || line.contains("Cannot cast Timestamp") {
        return Error::overflow("a time is outside of what TIMESTAMP has room for");
    }
    if line.contains("too large to store in a Decimal")
        || line.contains("too small to store in a Decimal")
    {
        return Error::overflow("a DECIMAL is out of range");
    }
    if line.contains("verflow") {
        return Error::overflow(lower_first(line));
    }
    if let Some((name, rest)) = line.split_once("Accumulator for (") {
        let given = type_word(rest.split(" -->").next().unwrap_or_default());
        return Error::semantic(format!(
            "function {} cannot match any overloaded functions with ({given})",
            name.to_lowercase()
        ));
    }
    if line.contains("named_struct requires") {
        return Error::argument_type("function named_struct needs names and values in turn");
    }
    if line.contains("annot access field") || line.contains("cannot be accessed") {
        return Error::semantic("a field is read from what is no STRUCT");
    }
    if line.contains("offset type") {
        return Error::overflow("an array is too long");
    }
    if let Some((value, rest)) = line
        .split_once("Cannot cast string '")
        .and_then(|(_, rest)| rest.split_once("' to value of "))
    {
        let to = type_word(rest.split(" type").next().unwrap_or(rest));
        let mut title = to.to_lowercase();
        title[..1].make_ascii_uppercase();
        return Error::illegal_cast(format!(
            "In function cast, value '{value}' cannot be casted from String to {title}."
        ));
    }
    if line.contains("ast error") {
        return Error::illegal_cast(lower_first(line));
    }
    Error::execution(ours(line))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| {
        first.to_lowercase().chain(chars).collect()
    })
}
