//! Result sets: every `tests/slt/*.slt` runs on the sled index and on the one in memory, which have to
//! agree. `UPDATE_SLT=1 cargo test --test slt` writes the results; read them before you commit.

mod support;

use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use libtest_mimic::{Arguments, Failed, Trial};
use odpsh::engine::text::text;
use odpsh::error::Error;
use odpsh::exec::Outcome;
use odpsh::session::Session;
use sqllogictest::{DB, DBOutput, DefaultColumnType, Runner};
use support::Index;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&root)
        .expect("tests/slt")
        .map(|entry| entry.expect("entry").path())
        .collect();
    files.sort();
    let mut trials = Vec::new();
    for file in files {
        let name = file
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        for index in [Index::Sled, Index::Memory] {
            let file = file.clone();
            trials.push(Trial::test(format!("{name} ({index:?})"), move || {
                check(&file, index)
            }));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn check(file: &Path, index: Index) -> Result<(), Failed> {
    let home = tempfile::tempdir()?;
    let dir = home.path().to_path_buf();
    let mut runner = Runner::new(move || {
        let dir = dir.clone();
        async move { Ok(Database::open(&dir, index)) }
    });
    if std::env::var_os("UPDATE_SLT").is_some() {
        if index == Index::Sled {
            let update = runner.update_test_file(
                file,
                "\t",
                sqllogictest::default_validator,
                sqllogictest::default_normalizer,
                sqllogictest::default_column_validator,
            );
            futures::executor::block_on(update)?;
        }
        return Ok(());
    }
    runner
        .run_file(file)
        .map_err(|error| error.to_string().into())
}

struct Database(Session);

impl Database {
    fn open(dir: &Path, index: Index) -> Self {
        Self(support::session(dir, index, "2020-02-18 14:17:58", Tz::UTC))
    }
}

impl DB for Database {
    type Error = Error;
    type ColumnType = DefaultColumnType;

    fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Error> {
        match self.0.run(sql.trim_end_matches(';')).outcome? {
            Outcome::Rows(mut set) => {
                let mut rows = Vec::new();
                for batch in &set.collect()? {
                    for row in 0..batch.num_rows() {
                        let values = batch.columns().iter();
                        let shown = values.map(|array| match text(array, row) {
                            Some(text) if text.is_empty() => "(empty)".to_owned(),
                            Some(text) => text,
                            None => "NULL".to_owned(),
                        });
                        rows.push(shown.collect());
                    }
                }
                let types = vec![DefaultColumnType::Any; set.schema().fields().len()];
                Ok(DBOutput::Rows { types, rows })
            }
            _ => Ok(DBOutput::StatementComplete(0)),
        }
    }

    fn engine_name(&self) -> &str {
        "odpsh"
    }
}
