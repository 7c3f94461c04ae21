//! Golden scripts: every `tests/golden/<area>/<name>.sql` is a test of its own. It is piped into the real
//! program, on a warehouse of its own under the controlled clock, and what comes back on stdout and
//! stderr must equal `<name>.out`. `UPDATE_GOLDEN=1 cargo test --test golden` writes the `.out` files.
//!
//! A line `-- warehouse: NAME` begins with a copy of `tests/fixtures/NAME`. A line `-- flags: …` adds command-line flags. A line `-- restart` ends the process
//! there and goes on in a new one, on the same warehouse, an hour later.

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Arguments, Failed, Trial};
use support::Home;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut trials = Vec::new();
    for script in scripts(&root) {
        let name = script
            .strip_prefix(&root)
            .expect("below the root")
            .with_extension("");
        let name = name.to_string_lossy().into_owned();
        trials.push(Trial::test(name, move || check(&script)));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

fn scripts(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("the golden folder is there") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            found.extend(scripts(&path));
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

fn check(script: &Path) -> Result<(), Failed> {
    let text = fs::read_to_string(script)?;
    let home = Home::new();
    if let Some(name) = text
        .lines()
        .find_map(|line| line.strip_prefix("-- warehouse: "))
    {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        copy_folder(&fixtures.join(name), &home.warehouse())?;
        // The folder of a warehouse that has no data files is not kept with the sources.
        fs::create_dir_all(home.warehouse().join("data"))?;
    }
    let mut seen = String::new();
    for (number, part) in text.split("-- restart\n").enumerate() {
        let clock = format!("2020-02-18 {:02}:17:58", 14 + number);
        let mut arguments = vec!["--clock", &clock];
        let flags = part
            .lines()
            .find_map(|line| line.strip_prefix("-- flags: "));
        arguments.extend(flags.unwrap_or_default().split_whitespace());
        let run = home.run(&arguments, part.as_bytes());
        if number > 0 {
            writeln!(seen, "-- restart")?;
        }
        write!(seen, "{}", transcript(&run.out, &run.err, run.status))?;
    }
    let expected_path = script.with_extension("out");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&expected_path, &seen)?;
        return Ok(());
    }
    let expected = fs::read_to_string(&expected_path).map_err(|_| {
        format!(
            "{} is missing; write it with UPDATE_GOLDEN=1",
            expected_path.display()
        )
    })?;
    if seen == expected {
        Ok(())
    } else {
        Err(support::difference(&expected, &seen).into())
    }
}

/// Both streams, with what changes from run to run taken out.
fn transcript(out: &str, err: &str, status: i32) -> String {
    let err: String = err
        .lines()
        .map(|line| match line.split_once(", elapsed: ") {
            Some((rows, _)) if line.starts_with("rows: ") => format!("{rows}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    format!("{out}-- stderr\n{err}-- exit {status}\n")
}
