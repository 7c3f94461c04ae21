//! The terminal: prompt, continuation prompt, history, confirmation. The only module that names rustyline.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustyline::config::Behavior;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};

use crate::ast::{AlterAction, Statement};
use crate::error::Error;
use crate::parser::{SplitError, Splitter, masked, parse};
use crate::runner::{Flow, Runner};

/// A stretch of input, as the splitter gives it.
type Piece = Result<String, SplitError>;

/// Entries kept in the history file.
const HISTORY_MAX: usize = 5000;

/// What the terminal is like and how it is used.
pub struct Terminal {
    /// Where entries are kept.
    pub history: Option<PathBuf>,
    /// Questions are answered with yes.
    pub yes: bool,
    /// It has lines only: no editing.
    pub is_plain: bool,
    /// Results go to it too, not to a file or a pipe.
    pub has_output: bool,
}

/// Reads and runs statements until the user leaves.
pub fn run(runner: &mut Runner<'_>, terminal: &Terminal) -> io::Result<Flow> {
    if let Err(error) = runner.session().open_store() {
        runner.fail(&error.into())?;
        return Ok(Flow::Stop);
    }
    eprintln!(
        "odpsh {}: `help;` lists the statements, `quit` leaves",
        env!("CARGO_PKG_VERSION")
    );
    let mut line = Line::open(terminal)?;
    let mut splitter = Splitter::default();
    let mut entry = String::new();
    loop {
        let is_first = entry.is_empty();
        match line.read(&prompt(runner.session().project(), is_first)) {
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
        if is_leaving(&entry) {
            break;
        }
        let complete: Vec<Piece> = std::iter::from_fn(|| splitter.next_complete()).collect();
        if splitter.is_blank() {
            let entry = std::mem::take(&mut entry);
            if !complete.is_empty() {
                // Kept before it runs, whatever becomes of this process then.
                line.keep(&entry)?;
            }
        }
        match run_complete(runner, &mut line, complete, terminal.yes)? {
            Flow::Quit => break,
            Flow::Stop => {
                splitter.clear();
                line.keep(&std::mem::take(&mut entry))?;
            }
            Flow::Continue => {}
        }
    }
    Ok(Flow::Quit)
}

/// The line editor.
struct Line<'a> {
    editor: Editor<(), FileHistory>,
    history: Option<&'a Path>,
    /// The editor would write its prompt among the results.
    prompts_on_stderr: bool,
}

impl<'a> Line<'a> {
    fn open(terminal: &'a Terminal) -> io::Result<Self> {
        let mut config = Config::builder()
            .max_history_size(HISTORY_MAX)
            .map_err(terminal_error)?
            .auto_add_history(false);
        if !terminal.has_output {
            config = config.behavior(Behavior::PreferTerm);
        }
        let mut editor = Editor::with_config(config.build()).map_err(terminal_error)?;
        let history = terminal.history.as_deref();
        if let Some(path) = history {
            // A first start has no history yet.
            let _ = editor.load_history(path);
        }
        Ok(Self {
            editor,
            history,
            prompts_on_stderr: terminal.is_plain && !terminal.has_output,
        })
    }

    fn read(&mut self, prompt: &str) -> rustyline::Result<String> {
        if self.prompts_on_stderr {
            let mut err = io::stderr();
            write!(err, "{prompt}")?;
            err.flush()?;
            return self.editor.readline("");
        }
        self.editor.readline(prompt)
    }

    /// Adds an entry to the history and its file, unless it has a secret key: the window may be closed at
    /// any time.
    fn keep(&mut self, entry: &str) -> io::Result<()> {
        let entry = entry.trim();
        let is_new = !entry.is_empty()
            && masked(entry).is_none()
            && self
                .editor
                .add_history_entry(entry)
                .map_err(terminal_error)?;
        let Some(path) = self.history.filter(|_| is_new) else {
            return Ok(());
        };
        if let Some(folder) = path.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        if let Err(error) = self.editor.append_history(path) {
            eprintln!("odpsh: the history is not kept: {error}");
            self.history = None;
        }
        Ok(())
    }
}

/// Runs the complete statements of an entry until one fails or Ctrl-C comes.
fn run_complete(
    runner: &mut Runner<'_>,
    line: &mut Line<'_>,
    complete: Vec<Piece>,
    yes: bool,
) -> io::Result<Flow> {
    runner.session().interrupt().begin();
    for piece in complete {
        if runner.session().interrupt().is_set() {
            return runner.fail(&Error::cancelled());
        }
        if let Ok(text) = &piece
            && !yes
            && needs_confirmation(text)
            && !is_confirmed(line, text)?
        {
            continue;
        }
        let flow = match runner.piece(piece)? {
            Flow::Continue => runner.flush()?,
            flow => flow,
        };
        if flow != Flow::Continue {
            return Ok(flow);
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
fn is_confirmed(line: &mut Line<'_>, text: &str) -> io::Result<bool> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let question = format!("Confirm to \"{};\" (yes/no)? ", words.join(" "));
    loop {
        match line.read(&question) {
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

fn terminal_error(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
