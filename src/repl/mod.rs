//! The terminal: prompt, continuation prompt, history, confirmation. The only module that names rustyline.

use std::io;
use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};

use crate::ast::{AlterAction, Statement};
use crate::parser::{Splitter, masked, parse};
use crate::runner::{Flow, Runner};

type Line = Editor<(), FileHistory>;

/// Entries kept in the history file.
const HISTORY_MAX: usize = 5000;

/// Reads and runs statements until the user leaves.
pub fn run(runner: &mut Runner<'_>, history: Option<PathBuf>, yes: bool) -> io::Result<Flow> {
    if let Err(error) = runner.session().open_store() {
        runner.fail(&error.into())?;
        return Ok(Flow::Stop);
    }
    eprintln!(
        "odpsh {}: `help;` lists the statements, `quit` leaves",
        env!("CARGO_PKG_VERSION")
    );
    let config = Config::builder()
        .max_history_size(HISTORY_MAX)
        .map_err(terminal_error)?;
    let mut line =
        Line::with_config(config.auto_add_history(false).build()).map_err(terminal_error)?;
    if let Some(path) = &history {
        // A first start has no history yet.
        let _ = line.load_history(path);
    }
    let mut splitter = Splitter::default();
    let mut entry = String::new();
    loop {
        let is_first = entry.is_empty();
        match line.readline(&prompt(runner.session().project(), is_first)) {
            Ok(text) => {
                if !is_first {
                    entry.push('\n');
                }
                entry.push_str(&text);
                splitter.push(text.as_bytes());
                splitter.push(b"\n");
            }
            Err(ReadlineError::Interrupted) => {
                splitter.clear();
                entry.clear();
                continue;
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(terminal_error(error)),
        }
        let leaves = is_leaving(&entry);
        if !leaves && run_complete(runner, &mut line, &mut splitter, yes)? == Flow::Quit {
            break;
        }
        if leaves {
            break;
        }
        if splitter.is_blank() {
            // A secret key is not kept.
            if !entry.trim().is_empty() && masked(&entry).is_none() {
                line.add_history_entry(entry.trim())
                    .map_err(terminal_error)?;
            }
            splitter.clear();
            entry.clear();
        }
    }
    if let Some(path) = &history {
        save_history(&mut line, path);
    }
    Ok(Flow::Quit)
}

/// Runs the statements that are complete; a failure drops the rest of the entry.
fn run_complete(
    runner: &mut Runner<'_>,
    line: &mut Line,
    splitter: &mut Splitter,
    yes: bool,
) -> io::Result<Flow> {
    while let Some(piece) = splitter.next_complete() {
        if let Ok(text) = &piece
            && !yes
            && needs_confirmation(text)
            && !is_confirmed(line, text)?
        {
            continue;
        }
        let failed = match runner.piece(piece)? {
            Flow::Quit => return Ok(Flow::Quit),
            Flow::Stop => true,
            Flow::Continue => runner.flush()? == Flow::Stop,
        };
        if failed {
            splitter.clear();
        }
    }
    Ok(Flow::Continue)
}

/// `quit` and `exit` need no `;` at the prompt.
fn is_leaving(entry: &str) -> bool {
    ["quit", "exit", "q"].iter().any(|word| {
        entry
            .trim()
            .trim_end_matches(';')
            .eq_ignore_ascii_case(word)
    })
}

fn prompt(project: &str, is_first: bool) -> String {
    let prompt = format!("odps@ {project}>");
    if is_first {
        prompt
    } else {
        format!("{:>width$}", "->", width = prompt.chars().count())
    }
}

fn needs_confirmation(text: &str) -> bool {
    match parse(text) {
        Ok(Statement::DropTable { .. }) => true,
        Ok(Statement::AlterTable(alter)) => {
            matches!(alter.action, AlterAction::DropPartitions { .. })
        }
        _ => false,
    }
}

/// Asks as the original client does; Ctrl-C and Ctrl-D mean no.
fn is_confirmed(line: &mut Line, text: &str) -> io::Result<bool> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let question = format!("Confirm to \"{};\" (yes/no)? ", words.join(" "));
    loop {
        match line.readline(&question) {
            Ok(answer) => match answer.trim().to_ascii_lowercase().as_str() {
                "y" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ => {}
            },
            Err(ReadlineError::Interrupted | ReadlineError::Eof) => return Ok(false),
            Err(error) => return Err(terminal_error(error)),
        }
    }
}

fn save_history(line: &mut Line, path: &PathBuf) {
    if let Some(dir) = path.parent() {
        let _ = std::fs::create_dir_all(dir);
    }
    if let Err(error) = line.save_history(path) {
        eprintln!("odpsh: the history was not saved: {error}");
    }
}

fn terminal_error(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
