//! The file of `--config`: lines of `key=value`, as the original client has them.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// No such file is longer.
const BYTES_MAX: u64 = 64 << 10;

/// What of such a file means something here.
#[derive(Default)]
pub(super) struct Config {
    pub project_name: Option<String>,
    pub access_id: Option<String>,
    pub access_key: Option<String>,
}

impl Config {
    /// Reads a file; other keys than ours are those of the original and have no effect.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let mut text = String::new();
        let read = file.take(BYTES_MAX + 1).read_to_string(&mut text);
        let read = read.map_err(|error| error.to_string())?;
        if read as u64 > BYTES_MAX {
            return Err(format!("it is longer than {BYTES_MAX} bytes"));
        }
        let mut config = Self::default();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                return Err("a line is not key=value".to_owned());
            };
            let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
            match key.trim() {
                "project_name" => config.project_name = value,
                "access_id" => config.access_id = value,
                "access_key" => config.access_key = value,
                _ => {}
            }
        }
        Ok(config)
    }
}
