//! Files outside of the warehouse, as tables. Manual page: "LOAD".

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::datasource::file_format::FileFormat as EngineFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;

use super::Files;
use crate::ast::FileFormat;
use crate::error::{Error, Result};

/// A table over files: of CSV all columns are texts.
///
/// # Errors
/// Where nothing is there, or it is not in the format.
pub(super) fn provider(files: &Files, state: &SessionState) -> Result<Arc<dyn TableProvider>> {
    let plain = local_path(&files.location);
    if plain.contains("://") {
        return Err(Error::not_supported(
            "LOAD from a location that is not a local path",
        ));
    }
    let path = Path::new(plain)
        .canonicalize()
        .map_err(|error| Error::io(format!("location {plain}: {error}")))?;
    let is_folder = path.is_dir();
    let failed = |error: DataFusionError| {
        let message = error.strip_backtrace();
        if message.contains("No files found") {
            return Error::execution(format!("location {plain} holds no file in this format"));
        }
        let line = message.lines().next().unwrap_or_default().to_owned();
        Error::execution(format!("location {plain}: {line}"))
    };
    let text = path.to_string_lossy();
    let url = if is_folder {
        format!("{text}/")
    } else {
        text.into_owned()
    };
    let url = ListingTableUrl::parse(url).map_err(failed)?;
    let (format, extension): (Arc<dyn EngineFormat>, &str) = match files.format {
        FileFormat::Parquet => (
            Arc::new(ParquetFormat::default().with_force_view_types(true)),
            ".parquet",
        ),
        FileFormat::Csv => (Arc::new(dialect(&files.properties)?.format()), ".csv"),
    };
    let extension = if is_folder { extension } else { "" };
    let options = ListingOptions::new(format).with_file_extension(extension);
    let schema = match files.format {
        FileFormat::Parquet => {
            futures::executor::block_on(options.infer_schema(state, &url)).map_err(failed)?
        }
        FileFormat::Csv => {
            let fields = files.columns.iter();
            let fields: Vec<Field> = fields
                .map(|name| Field::new(name, DataType::Utf8View, true))
                .collect();
            Arc::new(Schema::new(fields))
        }
    };
    if schema.fields().is_empty() {
        return Err(Error::execution(format!(
            "location {plain} holds no {extension} file"
        )));
    }
    let config = ListingTableConfig::new(url)
        .with_listing_options(options)
        .with_schema(schema);
    Ok(Arc::new(ListingTable::try_new(config).map_err(failed)?))
}

/// How a file of CSV is written.
struct Dialect {
    delimiter: u8,
    quote: u8,
    escape: Option<u8>,
    has_header: bool,
}

impl Dialect {
    fn format(&self) -> CsvFormat {
        CsvFormat::default()
            .with_delimiter(self.delimiter)
            .with_quote(self.quote)
            .with_escape(self.escape)
            .with_has_header(self.has_header)
            // Otherwise a large file is cut at any line end, also one inside a value.
            .with_newlines_in_values(true)
    }

    fn reader(&self, path: &Path) -> csv::Result<csv::Reader<File>> {
        csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .quote(self.quote)
            .escape(self.escape)
            .has_headers(self.has_header)
            .flexible(true)
            .from_path(path)
    }
}

/// Names the line of CSV that `error` speaks of, where it speaks of one: the engine counts records instead of lines
/// and names no file.
pub(super) fn with_line(error: Error, files: &Files) -> Error {
    let is_misshapen = error.to_string().contains("incorrect number of fields");
    let named = is_misshapen.then(|| misshapen(files)).flatten();
    named.unwrap_or(error)
}

/// The first line of CSV that has not as many fields as there are columns, as an error.
fn misshapen(files: &Files) -> Option<Error> {
    let dialect = dialect(&files.properties).ok()?;
    let path = PathBuf::from(local_path(&files.location));
    let paths = if path.is_dir() {
        let entries = std::fs::read_dir(&path).ok()?.flatten();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|name| name == "csv"));
        paths.sort();
        paths
    } else {
        vec![path]
    };
    let expected = files.columns.len();
    paths.iter().find_map(|path| {
        let mut reader = dialect.reader(path).ok()?;
        let mut record = csv::ByteRecord::new();
        while reader.read_byte_record(&mut record).ok()? {
            if record.len() != expected {
                let line = record.position().map_or(0, csv::Position::line);
                return Some(Error::execution(format!(
                    "{} line {line}: incorrect number of fields, expected {expected} got {}",
                    path.display(),
                    record.len()
                )));
            }
        }
        None
    })
}

fn local_path(location: &str) -> &str {
    location.strip_prefix("file://").unwrap_or(location)
}

fn dialect(properties: &[(String, String)]) -> Result<Dialect> {
    let mut dialect = Dialect {
        delimiter: b',',
        quote: b'"',
        escape: None,
        has_header: false,
    };
    for (key, value) in properties {
        let first = value.bytes().next();
        match (key.to_ascii_lowercase().as_str(), first) {
            ("field.delim" | "separatorchar" | "odps.text.option.delimiter", Some(byte))
                if value.len() == 1 =>
            {
                dialect.delimiter = byte;
            }
            ("quotechar", Some(byte)) if value.len() == 1 => dialect.quote = byte,
            ("escapechar", Some(byte)) if value.len() == 1 => dialect.escape = Some(byte),
            ("skip.header.line.count" | "odps.text.option.header.lines.count", _)
                if matches!(value.as_str(), "0" | "1") =>
            {
                dialect.has_header = value == "1";
            }
            _ => {
                return Err(Error::invalid_parameter(format!(
                    "'{key}'='{value}' is no option of CSV"
                ))
                .hint("known are field.delim, quoteChar, escapeChar and skip.header.line.count"));
            }
        }
    }
    Ok(dialect)
}
