//! The program: arguments, environment, batch modes, exit status.
//!
//! The only module that reads the environment, the home folder and the arguments.

mod args;
mod batch;
mod check;
mod config;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use args::{Command, OnErrorName};
use chrono_tz::Tz;
use clap::Parser;
use config::Config;

pub use args::Args;

use crate::clock::{Clock, ControlledClock, SystemClock};
use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::render;
use crate::repl::{self, Terminal};
use crate::runner::{Flow, OnError, Runner};
use crate::session::{Session, Start};
use crate::store::{Seam, Warehouse};

/// All statements succeeded.
const SUCCESS: u8 = 0;
/// Some statement failed.
const FAILURE: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;

/// Runs the program and returns its exit status.
pub fn run() -> anyhow::Result<u8> {
    let args = Args::parse();
    match run_with(&args) {
        // Whoever read our output has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(SUCCESS),
        outcome => outcome,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn run_with(args: &Args) -> anyhow::Result<u8> {
    let zone = local_zone();
    let clock: Box<dyn Clock> = match &args.clock {
        None => Box::new(SystemClock),
        Some(text) => match ControlledClock::parse(text, zone) {
            Some(clock) => Box::new(clock),
            None => {
                eprintln!(
                    "error: --clock needs a time such as '2020-02-18 14:17:58', not '{text}'"
                );
                return Ok(USAGE);
            }
        },
    };
    let config = match &args.config {
        Some(path) => match Config::read(path) {
            Ok(config) => config,
            Err(reason) => {
                eprintln!("error: --config {}: {reason}", path.display());
                return Ok(USAGE);
            }
        },
        None => Config::default(),
    };
    let login = match (
        args.user.clone().or(config.access_id),
        args.key.clone().or(config.access_key),
    ) {
        (Some(user), Some(key)) => Some((user, key)),
        (None, None) => None,
        _ => {
            eprintln!("error: -u and -p, or access_id and access_key, belong together");
            return Ok(USAGE);
        }
    };
    let project = args.project.clone().or(config.project_name);
    let project = project
        .unwrap_or_else(|| "default".to_owned())
        .to_lowercase();
    let is_name = !project.is_empty()
        && project.len() <= 128
        && project.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !is_name {
        eprintln!("error: '{project}' is not a project name: letters, digits and '_' only");
        return Ok(USAGE);
    }
    let file = match &args.file {
        None => None,
        Some(path) => match File::open(path).and_then(|file| Ok((file.metadata()?.is_dir(), file)))
        {
            Ok((false, file)) => Some(file),
            Ok((true, _)) => {
                eprintln!(
                    "FAILED: {} is a folder, not a file of statements",
                    path.display()
                );
                return Ok(FAILURE);
            }
            Err(error) => {
                eprintln!("FAILED: cannot open {}: {error}", path.display());
                return Ok(FAILURE);
            }
        },
    };

    if matches!(args.command, Some(Command::Gc { .. })) && login.is_some() {
        eprintln!("FAILED: only the owner of the warehouse can collect its backups");
        return Ok(FAILURE);
    }
    let is_interactive = args.statements.is_none() && args.file.is_none() && has_terminal();
    let dir = warehouse_dir(args)?;
    let patience = Duration::from_secs(args.lock_timeout);
    if let Some(Command::Check { deep, repair }) = args.command {
        if login.is_some() {
            eprintln!("FAILED: only the owner of the warehouse can check it");
            return Ok(FAILURE);
        }
        let mut out = io::stdout().lock();
        let sound = check::check(
            &dir,
            patience,
            (deep, repair),
            args.format(),
            &*clock,
            &mut out,
        )?;
        return Ok(if sound { SUCCESS } else { FAILURE });
    }
    let interrupt = match is_interactive {
        true => Interrupt::on_ctrl_c().context("cannot listen for Ctrl-C")?,
        false => Interrupt::never(),
    };
    let warehouse = match Warehouse::open(&dir, patience, Seam::real()) {
        Ok(warehouse) => {
            let interrupt = interrupt.clone();
            warehouse
                .telling(|text| eprintln!("odpsh: {text}"))
                .cancelled_by(move || interrupt.is_set())
        }
        Err(error) => {
            render::failure(&Error::from(error), &mut io::stderr())?;
            return Ok(FAILURE);
        }
    };
    let user = format!("ALIYUN${}", user_name());
    let mut session = Session::new(Start {
        warehouse: Arc::new(warehouse),
        clock,
        user,
        project,
        zone,
        interrupt,
        memory_bytes: machine_memory() / 2,
    });

    if let Some((user, key)) = login
        && let Err(error) = session.log_in(&user, &key)
    {
        render::failure(&error, &mut io::stderr())?;
        session.close()?;
        return Ok(FAILURE);
    }
    // What Ctrl-C finds in the buffer is still printed: at a terminal that is a screen at most.
    let capacity = if is_interactive { 4 << 10 } else { 64 << 10 };
    let (mut out, mut err) = (
        BufWriter::with_capacity(capacity, io::stdout()),
        io::stderr(),
    );
    if let Some(Command::Gc { dry_run, yes }) = args.command {
        return collect(session, (dry_run, yes), args.format(), &mut out, &mut err);
    }
    let is_pipe = args.statements.is_none() && args.file.is_none() && !is_interactive;
    // At a prompt a failure ends the entry, not the session.
    let default = if is_pipe {
        OnError::Continue
    } else {
        OnError::Stop
    };
    let on_error = args.on_error.map_or(default, OnErrorName::into);
    let mut runner = Runner::new(session, args.format(), on_error, &mut out, &mut err);
    let flow = match (&args.statements, file) {
        (Some(statements), _) => batch::run(&mut runner, statements.as_bytes())?,
        (None, Some(file)) => batch::run(&mut runner, file)?,
        (None, None) if is_interactive => {
            let terminal = Terminal {
                history: history_file(),
                yes: args.yes,
                is_plain: is_plain_terminal(),
                has_output: io::stdout().is_terminal(),
            };
            repl::run(&mut runner, &terminal)?
        }
        (None, None) => batch::run_pipe(&mut runner, io::stdin())?,
    };
    let all_well = runner.close()?;
    // In a terminal the user has seen what failed.
    let is_success = if is_interactive {
        flow != Flow::Stop
    } else {
        all_well
    };
    Ok(if is_success { SUCCESS } else { FAILURE })
}

/// `odpsh gc`: what the collector removes, or would, and how much that is.
fn collect(
    mut session: Session,
    (is_rehearsal, confirms): (bool, bool),
    format: render::Format,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<u8> {
    let (rows, jump_ms) = match session.collect_all(is_rehearsal, confirms) {
        Ok(collected) => collected,
        Err(error) => {
            render::failure(&error, err)?;
            return Ok(FAILURE);
        }
    };
    let sizes = rows.rows.iter().filter_map(|row| row.last()?.as_ref());
    let bytes: u64 = sizes.filter_map(|size| size.parse::<u64>().ok()).sum();
    let count = rows.rows.len();
    render::listing(&rows, format, out)?;
    out.flush()?;
    let word = if is_rehearsal { "to delete" } else { "deleted" };
    writeln!(err, "{count} versions, {bytes} bytes {word}")?;
    if let Some(jump_ms) = jump_ms {
        let days = jump_ms / 86_400_000;
        writeln!(
            err,
            "the clock has gone on by {days} days since it was last confirmed: backups that expired by that wait for a start an hour from now, or for odpsh gc --yes"
        )?;
    }
    match session.close() {
        Ok(()) => Ok(SUCCESS),
        Err(error) => {
            render::failure(&Error::from(error), err)?;
            Ok(FAILURE)
        }
    }
}

fn warehouse_dir(args: &Args) -> anyhow::Result<PathBuf> {
    match &args.warehouse {
        Some(dir) => Ok(dir.clone()),
        None => {
            let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
            let home =
                home.context("there is no home folder; name a warehouse with --warehouse DIR")?;
            Ok(home.join(".odpsh").join("warehouse"))
        }
    }
}

/// Whether there is somebody to prompt: with stdout elsewhere the prompt goes to the terminal itself.
fn has_terminal() -> bool {
    let opens = || File::options().read(true).write(true).open("/dev/tty");
    io::stdin().is_terminal() && (io::stdout().is_terminal() || opens().is_ok())
}

/// Whether the terminal has no more than lines.
fn is_plain_terminal() -> bool {
    std::env::var("TERM").is_ok_and(|name| ["dumb", "cons25", "emacs"].contains(&name.as_str()))
}

fn history_file() -> Option<PathBuf> {
    std::env::home_dir().map(|home| home.join(".odpsh").join("history"))
}

/// The machine's memory in bytes; 8 GB where it cannot be found out.
fn machine_memory() -> usize {
    const UNKNOWN: usize = 8 << 30;
    let Ok(text) = std::fs::read_to_string("/proc/meminfo") else {
        return UNKNOWN;
    };
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kilobytes =
        total.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<usize>().ok());
    kilobytes.map_or(UNKNOWN, |kilobytes| kilobytes << 10)
}

fn user_name() -> String {
    let name = std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_default();
    if name.is_empty() {
        "odpsh".to_owned()
    } else {
        name
    }
}

/// The zone of `TZ`, else the machine's, else UTC.
fn local_zone() -> Tz {
    let named = std::env::var("TZ")
        .ok()
        .and_then(|name| name.trim_start_matches(':').parse().ok());
    named
        .or_else(|| iana_time_zone::get_timezone().ok()?.parse().ok())
        .unwrap_or(Tz::UTC)
}
