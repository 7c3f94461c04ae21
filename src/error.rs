//! The error a user sees: an ODPS code, a class, a detail, and the place in the statement.

use std::fmt;

/// What kind of failure this is; decides nothing but how it is spoken of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    Syntax,
    Semantic,
    Denied,
    Data,
    Conflict,
    Cancelled,
    Io,
    Internal,
}

/// A failed statement. `Display` gives what follows `FAILED: `.
#[derive(Clone, Debug)]
pub struct Error(Box<Body>);

#[derive(Clone, Debug)]
struct Body {
    kind: ErrorKind,
    /// Text before the detail, with `{place}` where the position goes.
    prefix: &'static str,
    detail: String,
    /// Byte offset in the statement's text.
    offset: Option<usize>,
    place: Option<Place>,
    hints: Vec<String>,
}

/// A place in a statement, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    line: usize,
    column: usize,
    /// The line of the statement and the column where the caret goes.
    excerpt: String,
    caret: usize,
}

/// Result of a layer that speaks to the user.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    fn new(kind: ErrorKind, prefix: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Body {
            kind,
            prefix,
            detail: detail.into(),
            offset: None,
            place: None,
            hints: Vec::new(),
        }))
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Lines for the reader, below the error.
    pub fn hints(&self) -> &[String] {
        &self.0.hints
    }

    /// `ODPS-0130161 Parse exception`.
    pub fn syntax(offset: usize, detail: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Syntax,
            "ODPS-0130161:{place}Parse exception - ",
            detail,
        )
        .at(offset)
    }

    /// `ODPS-0130071 Semantic analysis exception`, the catch-all of analysis.
    pub fn semantic(detail: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Semantic,
            "ODPS-0130071:{place}Semantic analysis exception - ",
            detail,
        )
    }

    /// A statement that odpsh does not know yet, by name.
    pub fn not_supported(name: impl fmt::Display) -> Self {
        Self::semantic(format!("not supported yet: {name}")).at(0)
    }

    /// `ODPS-0130131 Table not found`.
    pub fn table_not_found(project: &str, table: &str) -> Self {
        let detail = format!("table {project}.{table} cannot be resolved");
        Self::new(
            ErrorKind::Semantic,
            "ODPS-0130131:{place}Table not found - ",
            detail,
        )
    }

    /// `ODPS-0130211 Table or view already exists`.
    pub fn table_exists(project: &str, table: &str) -> Self {
        let detail = format!("table or view {project}.{table} is already defined");
        Self::new(
            ErrorKind::Semantic,
            "ODPS-0130211:{place}Table or view already exists - ",
            detail,
        )
    }

    /// `ODPS-0130271 Partition does not exist`.
    pub fn partition_not_found(spec: impl fmt::Display) -> Self {
        let detail = format!("partition {spec} cannot be found");
        Self::new(
            ErrorKind::Semantic,
            "ODPS-0130271:{place}Partition does not exist - ",
            detail,
        )
    }

    /// `ODPS-0420111 Project not found`.
    pub fn project_not_found(project: &str) -> Self {
        Self::new(
            ErrorKind::Semantic,
            "ODPS-0420111: Project not found - ",
            format!("'{project}'."),
        )
    }

    /// `ODPS-0110061`, a DDL task that failed while it ran.
    pub fn ddl_task(detail: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Semantic,
            "ODPS-0110061: Failed to run ddltask - ",
            detail,
        )
    }

    /// A refused restore, in the documented frame.
    pub fn restore(reason: impl fmt::Display) -> Self {
        const FRAME: &str = "Catalog Service Failed, ErrorCode: 105, Error Message: ODPS-0110061: \
                             Failed to run ddltask - Restore table failed because: ";
        Self::new(ErrorKind::Semantic, FRAME, reason.to_string())
    }

    /// `ODPS-0110021 Invalid parameters`.
    pub fn invalid_parameter(detail: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Semantic,
            "ODPS-0110021:Invalid parameters - ",
            detail,
        )
    }

    /// `ODPS-0123091 Illegal type cast`.
    pub fn illegal_cast(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, "ODPS-0123091:Illegal type cast - ", detail)
    }

    /// `ODPS-0130141 Illegal implicit type cast`.
    pub fn illegal_implicit_cast(detail: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Semantic,
            "ODPS-0130141:{place}Illegal implicit type cast - ",
            detail,
        )
    }

    /// `ODPS-0121145 Data overflow`.
    pub fn overflow(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, "ODPS-0121145:Data overflow - ", detail)
    }

    /// `ODPS-0130221 Invalid number of arguments`.
    pub fn argument_count(function: &str, count: usize) -> Self {
        Self::new(
            ErrorKind::Semantic,
            "ODPS-0130221:{place}Invalid number of arguments - ",
            format!("function {function} cannot take {count} arguments"),
        )
    }

    /// `ODPS-0130121 Invalid argument type`.
    pub fn argument_type(detail: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Semantic,
            "ODPS-0130121:{place}Invalid argument type - ",
            detail,
        )
    }

    /// `ODPS-0121095 Invalid arguments`, a value that a function cannot take.
    pub fn argument_value(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, "ODPS-0121095:Invalid arguments - ", detail)
    }

    /// `ODPS-0121011 Invalid regular expression pattern`.
    pub fn regular_expression(detail: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Data,
            "ODPS-0121011:Invalid regular expression pattern - ",
            detail,
        )
    }

    /// `ODPS-0123111`, a time that is not written as its format says.
    pub fn time_format(detail: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Data,
            "ODPS-0123111:Format string does not match datetime string - ",
            detail,
        )
    }

    /// `ODPS-0130241 Illegal union operation`.
    pub fn set_operation(detail: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Semantic,
            "ODPS-0130241:{place}Illegal union operation - ",
            detail,
        )
    }

    /// `ODPS-0130181 Window function exception`.
    pub fn window(detail: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Semantic,
            "ODPS-0130181:{place}Window function exception - ",
            detail,
        )
    }

    /// `ODPS-0130201 View not found`.
    pub fn view_not_found(project: &str, view: &str) -> Self {
        Self::new(
            ErrorKind::Semantic,
            "ODPS-0130201:{place}View not found - ",
            format!("view {project}.{view} cannot be resolved"),
        )
    }

    /// `ODPS-0130252 Cartesian product is not allowed`.
    pub fn cartesian() -> Self {
        Self::new(
            ErrorKind::Semantic,
            "ODPS-0130252:{place}Cartesian product is not allowed - ",
            "cartesian product is not allowed without mapjoin",
        )
    }

    /// `ODPS-0123031 Partition exception`.
    pub fn partition_value(detail: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Data,
            "ODPS-0123031:Partition exception - ",
            detail,
        )
    }

    /// `ODPS-0130013 Authorization exception`.
    pub fn denied(action: &str, object: &str) -> Self {
        let detail = format!(
            "Authorization Failed [4019], You have NO privilege 'odps:{action}' on {{acs:odps:*:{object}}}."
        );
        Self::new(
            ErrorKind::Denied,
            "ODPS-0130013:{place}Authorization exception - ",
            detail,
        )
    }

    /// `ODPS-0410051 Invalid credentials`.
    pub fn credentials() -> Self {
        Self::new(
            ErrorKind::Denied,
            "ODPS-0410051:Invalid credentials - ",
            "access id or access key is wrong",
        )
    }

    /// `ODPS-0120031`, the user pressed Ctrl-C.
    pub fn cancelled() -> Self {
        Self::new(
            ErrorKind::Cancelled,
            "ODPS-0120031:Instance has been cancelled",
            "",
        )
    }

    /// A query that failed while it ran.
    pub fn execution(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Data, "ODPS-0123144:Query failed - ", detail)
    }

    /// `ODPS-0110141 Data version exception`, something moved while the statement ran.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Conflict,
            "ODPS-0110141:Data version exception - ",
            detail,
        )
    }

    /// `ODPS-0010000`, the operating system or another process is in the way.
    pub fn io(detail: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Io,
            "ODPS-0010000:System internal error - ",
            detail,
        )
    }

    /// `ODPS-0010000`, a failure below the statement.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(
            ErrorKind::Internal,
            "ODPS-0010000:System internal error - ",
            detail,
        )
    }

    /// Names the place, as a byte offset in the statement's text.
    pub fn at(mut self, offset: usize) -> Self {
        self.0.offset = Some(offset);
        self
    }

    /// The same error, with `context` before its detail.
    pub fn in_context(mut self, context: &str) -> Self {
        self.0.detail.insert_str(0, context);
        self
    }

    /// Whether the error names its place.
    pub fn has_place(&self) -> bool {
        self.0.offset.is_some()
    }

    /// The same error, its place moved on by `bytes`.
    pub fn moved_by(mut self, bytes: usize) -> Self {
        self.0.offset = self.0.offset.map(|offset| offset + bytes);
        self
    }

    /// The same error with the statement's text, so that it can name line and column.
    pub fn in_statement(mut self, text: &str) -> Self {
        if let (Some(offset), None) = (self.0.offset, &self.0.place) {
            self.0.place = Some(Place::of(text, offset));
        }
        self
    }

    /// Adds a line for the reader.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// For a parse error: the line of the statement and a caret below the place.
    pub fn caret(&self) -> Option<String> {
        let place = self
            .0
            .place
            .as_ref()
            .filter(|_| self.0.kind == ErrorKind::Syntax)?;
        Some(format!("{}\n{}^", place.excerpt, " ".repeat(place.caret)))
    }
}

const EXCERPT_CHARS: usize = 100;

impl Place {
    fn of(text: &str, offset: usize) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = text[line_start..].lines().next().unwrap_or_default();
        let column = before[line_start..].chars().count();
        let skipped = column.saturating_sub(EXCERPT_CHARS / 2);
        let excerpt: String = line
            .chars()
            .skip(skipped)
            .take(EXCERPT_CHARS)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        Self {
            line: before.matches('\n').count() + 1,
            column: column + 1,
            excerpt,
            caret: column - skipped,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &self.0.place {
            Some(place) => format!("[{},{}] ", place.line, place.column),
            None => String::new(),
        };
        let prefix = self.0.prefix.replace("{place}", &place);
        write!(f, "{prefix}{}", self.0.detail)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_is_line_and_column_of_the_statement() {
        let text = "show history\n for tabel t";
        let error = Error::syntax(18, "invalid token 'tabel'").in_statement(text);
        assert_eq!(
            error.to_string(),
            "ODPS-0130161:[2,6] Parse exception - invalid token 'tabel'"
        );
        assert_eq!(error.caret().as_deref(), Some(" for tabel t\n     ^"));
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("select {} !", "x".repeat(5000));
        let error = Error::syntax(text.len() - 1, "invalid token '!'").in_statement(&text);
        let caret = error.caret().expect("a syntax error has one");
        assert!(
            caret
                .lines()
                .all(|line| line.chars().count() <= EXCERPT_CHARS + 1)
        );
    }
}
