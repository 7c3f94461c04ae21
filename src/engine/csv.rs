//! Files of CSV. Manual page: "LOAD".
//!
//! Kept by hand because the common readers cannot tell a field that is empty, which is NULL, from one that is `""`, and
//! count records where people count lines.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch, StringViewBuilder};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::PartitionStream;
use memchr::{memchr, memchr2, memchr3};

use super::failure::external;
use crate::error::{Error, Result};

const ROWS_PER_BATCH: usize = 8192;
const BYTES_PER_READ: usize = 1 << 20;
/// A record that is longer than this is no record.
const RECORD_MAX: usize = 64 << 20;

/// One line of CSV: NULL is empty, an empty text is `""`, quotes are doubled.
pub fn line(values: impl Iterator<Item = Option<String>>) -> String {
    let field = |value: Option<String>| match value {
        None => String::new(),
        Some(value) => {
            let edge = value.starts_with([' ', '\t']) || value.ends_with([' ', '\t']);
            if value.is_empty() || edge || value.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", value.replace('"', "\"\""))
            } else {
                value
            }
        }
    };
    values.map(field).collect::<Vec<_>>().join(",")
}

/// How the fields of a file are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    pub delimiter: u8,
    pub quote: u8,
    pub escape: Option<u8>,
    pub has_header: bool,
}

/// One file whose fields are read as texts.
#[derive(Debug)]
pub(super) struct CsvFile {
    pub path: PathBuf,
    pub dialect: Dialect,
    /// One text column per field.
    pub schema: SchemaRef,
}

impl PartitionStream for CsvFile {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.schema), 2);
        let sender = builder.tx();
        let (path, dialect) = (self.path.clone(), self.dialect);
        let schema = Arc::clone(&self.schema);
        builder.spawn_blocking(move || {
            let failed = |error: Error| -> DataFusionError { external(error) };
            let shown = path.display().to_string();
            let file = File::open(&path)
                .map_err(|error| failed(Error::io(format!("location {shown}: {error}"))))?;
            let mut reader = Reader::new(file, shown, dialect, schema);
            while let Some(batch) = reader.next_batch().map_err(failed)? {
                if sender.blocking_send(Ok(batch)).is_err() {
                    break;
                }
            }
            Ok(())
        });
        builder.build()
    }
}

/// Reads records from bytes.
struct Reader<R> {
    input: R,
    /// The file as messages name it.
    name: String,
    dialect: Dialect,
    schema: SchemaRef,
    buffer: Vec<u8>,
    /// Everything before was read.
    at: usize,
    is_at_end: bool,
    /// The line at `at`, from 1.
    line: usize,
    /// The fields of the last record, one after the other; `None` where a field is NULL.
    text: Vec<u8>,
    fields: Vec<Option<usize>>,
}

/// Where an attempt to read a record ended.
enum Parsed {
    /// The bytes of the record, and the lines it goes over.
    Record { length: usize, lines: usize },
    /// More bytes are needed to tell.
    Incomplete,
}

impl<R: Read> Reader<R> {
    fn new(input: R, name: String, dialect: Dialect, schema: SchemaRef) -> Self {
        Self {
            input,
            name,
            dialect,
            schema,
            buffer: Vec::new(),
            at: 0,
            is_at_end: false,
            line: 1,
            text: Vec::new(),
            fields: Vec::new(),
        }
    }

    /// The next rows; `None` at the end.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let width = self.schema.fields().len();
        let mut columns: Vec<StringViewBuilder> =
            (0..width).map(|_| StringViewBuilder::new()).collect();
        let mut rows = 0;
        while rows < ROWS_PER_BATCH {
            let line = self.line;
            if !self.next_record()? {
                break;
            }
            // A blank line is a record where a record has one field.
            let is_blank = self.fields == [None];
            if is_blank && width > 1 {
                continue;
            }
            if std::mem::take(&mut self.dialect.has_header) {
                continue;
            }
            if self.fields.len() != width {
                return Err(Error::execution(format!(
                    "{} line {line}: incorrect number of fields, expected {width} got {}",
                    self.name,
                    self.fields.len()
                )));
            }
            let text = std::str::from_utf8(&self.text).map_err(|_| {
                Error::execution(format!("{} line {line}: it is not UTF-8 text", self.name))
            })?;
            let mut begin = 0;
            for (column, end) in columns.iter_mut().zip(&self.fields) {
                match end {
                    Some(end) => {
                        let field = text.get(begin..*end).ok_or_else(|| {
                            let detail = "a delimiter or quote cuts a character";
                            Error::execution(format!("{} line {line}: {detail}", self.name))
                        })?;
                        column.append_value(field);
                        begin = *end;
                    }
                    None => column.append_null(),
                }
            }
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        let arrays = columns
            .iter_mut()
            .map(|column| Arc::new(column.finish()) as ArrayRef);
        RecordBatch::try_new(Arc::clone(&self.schema), arrays.collect())
            .map(Some)
            .map_err(|error| Error::internal(error.to_string()))
    }

    /// Reads one record into `fields`; false at the end of the file.
    fn next_record(&mut self) -> Result<bool> {
        loop {
            if self.at < self.buffer.len() {
                if let Parsed::Record { length, lines } = self.parse() {
                    self.at += length;
                    self.line += lines;
                    return Ok(true);
                }
                if self.buffer.len() - self.at > RECORD_MAX {
                    return Err(Error::execution(format!(
                        "{} line {}: the record is over {} MB",
                        self.name,
                        self.line,
                        RECORD_MAX >> 20
                    )));
                }
            } else if self.is_at_end {
                return Ok(false);
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let before = self.buffer.len();
        // A record that is read again and again is given more each time.
        let wanted = BYTES_PER_READ.max(before);
        self.buffer.resize(before + wanted, 0);
        let mut filled = before;
        while filled < self.buffer.len() {
            match self.input.read(&mut self.buffer[filled..]) {
                Ok(0) => {
                    self.is_at_end = true;
                    break;
                }
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buffer.truncate(filled);
                    return Err(Error::io(format!("location {}: {error}", self.name)));
                }
            }
        }
        self.buffer.truncate(filled);
        Ok(())
    }

    /// Reads the record that begins at `at`.
    fn parse(&mut self) -> Parsed {
        let Dialect {
            delimiter,
            quote,
            escape,
            ..
        } = self.dialect;
        let bytes = &self.buffer[self.at..];
        self.text.clear();
        self.fields.clear();
        let (mut at, mut lines) = (0, 0);
        loop {
            let begin = self.text.len();
            let is_quoted = bytes.get(at) == Some(&quote);
            if is_quoted {
                at += 1;
                loop {
                    let rest = &bytes[at..];
                    let found = match escape {
                        Some(escape) => memchr2(quote, escape, rest),
                        None => memchr(quote, rest),
                    };
                    let end = found.unwrap_or(rest.len());
                    self.text.extend_from_slice(&rest[..end]);
                    lines += memchr::memchr_iter(b'\n', &rest[..end]).count();
                    at += end;
                    let Some(mark) = bytes.get(at) else {
                        if !self.is_at_end {
                            return Parsed::Incomplete;
                        }
                        // The file ends within the quotes.
                        break;
                    };
                    let next = bytes.get(at + 1);
                    if next.is_none() && !self.is_at_end {
                        return Parsed::Incomplete;
                    }
                    let is_escape =
                        escape == Some(*mark) && (*mark != quote || next == Some(&quote));
                    match next {
                        Some(next) if is_escape || *next == quote => {
                            self.text.push(*next);
                            lines += usize::from(*next == b'\n');
                            at += 2;
                        }
                        _ => {
                            at += 1;
                            break;
                        }
                    }
                }
            }
            let rest = &bytes[at..];
            let end = memchr3(delimiter, b'\n', b'\r', rest);
            if end.is_none() && !self.is_at_end {
                return Parsed::Incomplete;
            }
            let end = end.unwrap_or(rest.len());
            self.text.extend_from_slice(&rest[..end]);
            at += end;
            let is_null = !is_quoted && self.text.len() == begin;
            self.fields.push((!is_null).then_some(self.text.len()));
            match bytes.get(at) {
                Some(mark) if *mark == delimiter => at += 1,
                Some(b'\r') => {
                    if bytes.get(at + 1).is_none() && !self.is_at_end {
                        return Parsed::Incomplete;
                    }
                    let is_pair = bytes.get(at + 1) == Some(&b'\n');
                    let length = at + 1 + usize::from(is_pair);
                    return Parsed::Record {
                        length,
                        lines: lines + 1,
                    };
                }
                Some(_) => {
                    return Parsed::Record {
                        length: at + 1,
                        lines: lines + 1,
                    };
                }
                None => return Parsed::Record { length: at, lines },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::AsArray;
    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use proptest::prelude::*;

    use super::*;

    /// Gives its bytes a few at a time.
    struct Dribble<'a>(&'a [u8], usize);

    impl Read for Dribble<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    const PLAIN: Dialect = Dialect {
        delimiter: b',',
        quote: b'"',
        escape: None,
        has_header: false,
    };

    type Row = Vec<Option<String>>;

    fn read(text: &str, width: usize, dialect: Dialect) -> std::result::Result<Vec<Row>, String> {
        let fields: Vec<Field> = (0..width)
            .map(|n| Field::new(format!("c{n}"), DataType::Utf8View, true))
            .collect();
        let input = Dribble(text.as_bytes(), 3);
        let schema = Arc::new(Schema::new(fields));
        let mut reader = Reader::new(input, "f".into(), dialect, schema);
        let mut rows = Vec::new();
        while let Some(batch) = reader.next_batch().map_err(|error| error.to_string())? {
            for row in 0..batch.num_rows() {
                let columns = batch.columns().iter().map(|column| {
                    let column = column.as_string_view();
                    column.iter().nth(row).flatten().map(str::to_owned)
                });
                rows.push(columns.collect());
            }
        }
        Ok(rows)
    }

    fn row(fields: &[Option<&str>]) -> Row {
        fields
            .iter()
            .map(|field| field.map(str::to_owned))
            .collect()
    }

    #[test]
    fn fields_are_read_as_they_are_written() {
        let read = |text: &str| read(text, 2, PLAIN).expect("a file of CSV");
        let ab = row(&[Some("a"), Some("b")]);
        for same in [
            "a,b\n",
            "a,b",
            "a,b\r\n",
            "a,b\r",
            "\n\na,b\n\n",
            "\"a\",\"b\"\n",
            "\"a\",\"b\"",
        ] {
            assert_eq!(read(same), std::slice::from_ref(&ab), "{same:?}");
        }
        assert_eq!(read(",\n"), [row(&[None, None])]);
        assert_eq!(read("\"\",\n"), [row(&[Some(""), None])]);
        assert_eq!(read(",\"\""), [row(&[None, Some("")])]);
        assert_eq!(
            read("\"a\"\"b\",\"c\nd\"\n"),
            [row(&[Some("a\"b"), Some("c\nd")])]
        );
        assert_eq!(read("a\"b, c\n"), [row(&[Some("a\"b"), Some(" c")])]);
        assert_eq!(read("\"a\"b,c"), [row(&[Some("ab"), Some("c")])]);
        assert_eq!(
            read("a,\"open\nend"),
            [row(&[Some("a"), Some("open\nend")])]
        );
    }

    #[test]
    fn a_blank_line_is_null_in_a_file_of_one_column() {
        let rows = read("a\n\n\"\"\n", 1, PLAIN).expect("a file of CSV");
        assert_eq!(rows, [row(&[Some("a")]), row(&[None]), row(&[Some("")])]);
    }

    #[test]
    fn dialects_have_their_marks() {
        let dialect = Dialect {
            delimiter: b'|',
            quote: b'\'',
            escape: Some(b'\\'),
            has_header: true,
        };
        let rows = read("x|y\n'a\\'b'|'c\\\\'\n'd''e'|f\n", 2, dialect).expect("a file of CSV");
        let expected = [
            row(&[Some("a'b"), Some("c\\")]),
            row(&[Some("d'e"), Some("f")]),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn errors_name_the_line() {
        for (text, expected) in [
            (
                "a,b\n\"c\nd\",e\nf\n",
                "f line 4: incorrect number of fields, expected 2 got 1",
            ),
            (
                "a,b,c\n",
                "f line 1: incorrect number of fields, expected 2 got 3",
            ),
            (
                "\n\r\n\ra\n",
                "f line 4: incorrect number of fields, expected 2 got 1",
            ),
        ] {
            let error = read(text, 2, PLAIN).expect_err(text);
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            rows in prop::collection::vec(
                prop::collection::vec(prop::option::of("[a,\"\n\r \\\\中]{0,4}"), 3), 0..20)
        ) {
            let text: String = rows.iter().map(|fields: &Row| {
                super::line(fields.iter().cloned()) + "\n"
            }).collect();
            prop_assert_eq!(read(&text, 3, PLAIN), Ok(rows));
        }
    }
}
