//! Files outside of the warehouse, as tables. Manual page: "LOAD".

use std::path::Path;
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
        FileFormat::Csv => (Arc::new(csv_format(&files.properties)?), ".csv"),
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

fn csv_format(properties: &[(String, String)]) -> Result<CsvFormat> {
    let mut format = CsvFormat::default().with_has_header(false);
    for (key, value) in properties {
        let first = value.bytes().next();
        match (key.to_ascii_lowercase().as_str(), first) {
            ("field.delim" | "separatorchar" | "odps.text.option.delimiter", Some(byte))
                if value.len() == 1 =>
            {
                format = format.with_delimiter(byte);
            }
            ("quotechar", Some(byte)) if value.len() == 1 => format = format.with_quote(byte),
            ("escapechar", Some(byte)) if value.len() == 1 => {
                format = format.with_escape(Some(byte))
            }
            ("skip.header.line.count" | "odps.text.option.header.lines.count", _)
                if matches!(value.as_str(), "0" | "1") =>
            {
                format = format.with_has_header(value == "1");
            }
            _ => {
                return Err(Error::invalid_parameter(format!(
                    "'{key}'='{value}' is no option of CSV"
                ))
                .hint("known are field.delim, quoteChar, escapeChar and skip.header.line.count"));
            }
        }
    }
    Ok(format)
}
