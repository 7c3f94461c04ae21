//! DataFusion's errors in the words of MaxCompute.

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

use crate::error::Error;
use crate::store::StoreError;

/// Turns an engine error into ours. `text` is the text the engine parsed: places in it are places in
/// the statement.
pub fn translate(error: &DataFusionError, text: &str) -> Error {
    if let Some(error) = store_error(error) {
        return error;
    }
    let root = error.find_root();
    let message = root.strip_backtrace();
    match root {
        DataFusionError::SQL(error, _) => syntax(&error.to_string(), text),
        DataFusionError::SchemaError(error, _) => schema(error, text),
        DataFusionError::NotImplemented(detail) => {
            Error::semantic(format!("not supported yet: {}", first_line(detail)))
        }
        DataFusionError::Plan(detail) => plan(detail, text),
        DataFusionError::ResourcesExhausted(detail) => {
            Error::execution(format!("out of memory: {}", first_line(detail)))
        }
        DataFusionError::ArrowError(error, _) => data(&error.to_string()),
        DataFusionError::Execution(detail) => data(detail),
        _ => data(&message),
    }
}

/// A damaged segment or record that a scan came upon, however deep it is wrapped.
fn store_error(error: &DataFusionError) -> Option<Error> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(store) = current.downcast_ref::<StoreError>() {
            return Some(Error::internal(store.to_string()));
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
    None
}

/// `sql parser error: Expected: …, found: x at Line: 1, Column: 8`.
fn syntax(message: &str, text: &str) -> Error {
    let number_after = |label: &str| {
        let rest = message.rsplit_once(label)?.1;
        rest.trim_start()
            .split(|c: char| !c.is_ascii_digit())
            .next()?
            .parse::<usize>()
            .ok()
    };
    let place = number_after("Line:").zip(number_after("Column:"));
    let offset = place.map_or(0, |(line, column)| offset_of(text, line, column));
    if message.contains("recursion limit") || message.contains("RecursionLimit") {
        return Error::syntax(first_word(text), "the query is nested too deeply");
    }
    let found = message
        .rsplit_once("found: ")
        .map(|(_, rest)| rest.split(" at Line").next().unwrap_or(rest));
    let detail = match found {
        Some("EOF") | None if place.is_none() => {
            "invalid token ';', the query ends too early".to_owned()
        }
        Some("EOF") => "invalid token ';', the query ends too early".to_owned(),
        Some(token) => format!(
            "invalid token '{}'",
            token.chars().take(40).collect::<String>()
        ),
        None => "invalid query".to_owned(),
    };
    let at = if place.is_none() { text.len() } else { offset };
    Error::syntax(at, detail)
}

fn first_word(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let rest = text.get(start..).unwrap_or_default();
    start
        + rest
            .char_indices()
            .nth(column.saturating_sub(1))
            .map_or(rest.len(), |(offset, _)| offset)
}

fn schema(error: &SchemaError, text: &str) -> Error {
    match error {
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

/// Where a name stands in the query as a word of its own.
pub(super) fn place_of(text: &str, name: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut places = lower.match_indices(name);
    let place = places.find(|(at, _)| {
        !is_word(lower[..*at].chars().next_back())
            && !is_word(lower[at + name.len()..].chars().next())
    });
    place.map(|(at, _)| at)
}

fn plan(detail: &str, text: &str) -> Error {
    let line = first_line(detail);
    if let Some(rest) = line.strip_prefix("Invalid function '") {
        let name = rest.split('\'').next().unwrap_or_default();
        let error = Error::semantic(format!("function or view '{name}' cannot be resolved"));
        return match place_of(text, name) {
            Some(at) => error.at(at),
            None => error,
        };
    }
    Error::semantic(lower_first(line))
}

fn data(detail: &str) -> Error {
    let line = first_line(detail);
    if line.contains("Divide by zero") {
        return Error::overflow("division by zero");
    }
    if line.contains("verflow") {
        return Error::overflow(lower_first(line));
    }
    if line.contains("ast error") {
        return Error::illegal_cast(lower_first(line));
    }
    Error::execution(lower_first(line))
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
