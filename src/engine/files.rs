//! Files outside of the warehouse, as tables. Manual page: "LOAD".

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::physical_plan::streaming::PartitionStream;

use super::Files;
use super::csv::{CsvFile, Dialect};
use crate::ast::FileFormat;
use crate::error::{Error, Result};

/// A table over files: of CSV all columns are texts.
///
/// # Errors
/// Where nothing is there, or it is not in the format.
pub(super) fn provider(files: &Files, state: &SessionState) -> Result<Arc<dyn TableProvider>> {
    let plain = files
        .location
        .strip_prefix("file://")
        .unwrap_or(&files.location);
    if plain.contains("://") {
        return Err(Error::not_supported(
            "LOAD from a location that is not a local path",
        ));
    }
    let path = Path::new(plain)
        .canonicalize()
        .map_err(|error| Error::io(format!("location {plain}: {error}")))?;
    match files.format {
        FileFormat::Parquet => parquet(plain, &path, state),
        FileFormat::Csv => csv(files, plain, &path),
    }
}

fn csv(files: &Files, plain: &str, path: &Path) -> Result<Arc<dyn TableProvider>> {
    let dialect = dialect(&files.properties)?;
    let fields = files.columns.iter();
    let fields = fields.map(|name| Field::new(name, DataType::Utf8View, true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let location = Path::new(plain);
    let paths = if path.is_dir() {
        let failed = |error: std::io::Error| Error::io(format!("location {plain}: {error}"));
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            let name = PathBuf::from(entry.map_err(failed)?.file_name());
            if name.extension().is_some_and(|extension| extension == "csv") {
                names.push(location.join(name));
            }
        }
        names.sort();
        names
    } else {
        vec![location.to_owned()]
    };
    if paths.is_empty() {
        return Err(Error::execution(format!(
            "location {plain} holds no .csv file"
        )));
    }
    let file = |path| {
        let schema = Arc::clone(&schema);
        Arc::new(CsvFile {
            path,
            dialect,
            schema,
        }) as Arc<dyn PartitionStream>
    };
    StreamingTable::try_new(Arc::clone(&schema), paths.into_iter().map(file).collect())
        .map(|table| Arc::new(table) as _)
        .map_err(|error| Error::internal(error.strip_backtrace()))
}

fn parquet(plain: &str, path: &Path, state: &SessionState) -> Result<Arc<dyn TableProvider>> {
    let failed = |error: DataFusionError| {
        let message = error.strip_backtrace();
        if message.contains("No files found") {
            return Error::execution(format!("location {plain} holds no file in this format"));
        }
        let line = message.lines().next().unwrap_or_default().to_owned();
        Error::execution(format!("location {plain}: {line}"))
    };
    let is_folder = path.is_dir();
    let text = path.to_string_lossy();
    let url = if is_folder {
        format!("{text}/")
    } else {
        text.into_owned()
    };
    let url = ListingTableUrl::parse(url).map_err(failed)?;
    let format = ParquetFormat::default().with_force_view_types(true);
    let extension = if is_folder { ".parquet" } else { "" };
    let options = ListingOptions::new(Arc::new(format)).with_file_extension(extension);
    let schema = futures::executor::block_on(options.infer_schema(state, &url)).map_err(failed)?;
    if schema.fields().is_empty() {
        return Err(Error::execution(format!(
            "location {plain} holds no .parquet file"
        )));
    }
    let config = ListingTableConfig::new(url)
        .with_listing_options(options)
        .with_schema(schema);
    Ok(Arc::new(ListingTable::try_new(config).map_err(failed)?))
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
