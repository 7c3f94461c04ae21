//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::render::Format;
use crate::runner::OnError;

/// A local MaxCompute: statements in, versions kept, any version back at once.
#[derive(Parser)]
#[command(name = "odpsh", version, about)]
pub struct Args {
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The warehouse folder, made on first use [default: ~/.odpsh/warehouse]
    #[arg(long, env = "ODPSH_WAREHOUSE", value_name = "DIR", global = true)]
    pub warehouse: Option<PathBuf>,

    /// The current project, made on first use [default: default]
    #[arg(long, value_name = "NAME")]
    pub project: Option<String>,

    /// The user to log in as [default: the owner of the warehouse]
    #[arg(
        short = 'u',
        long = "username",
        env = "ODPSH_ACCESS_ID",
        value_name = "ID",
        global = true
    )]
    pub user: Option<String>,

    /// The user's secret key; a file given with --config keeps it off the command line
    #[arg(
        short = 'p',
        long = "password",
        allow_hyphen_values = true,
        env = "ODPSH_ACCESS_KEY",
        value_name = "KEY",
        hide_env_values = true,
        global = true
    )]
    pub key: Option<String>,

    /// Read project_name, access_id and access_key from this file, lines of key=value
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// Run these statements and end
    // Statements may begin with a comment.
    #[arg(
        short = 'e',
        value_name = "SQL",
        allow_hyphen_values = true,
        conflicts_with = "file"
    )]
    pub statements: Option<String>,

    /// Run the statements of this file and end
    #[arg(short = 'f', value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// How results are written
    #[arg(long, value_enum, default_value_t, global = true)]
    pub format: FormatName,

    /// The same as --format csv
    #[arg(short = 'M')]
    pub machine: bool,

    /// What a failed statement does to those behind it [default: stop for -e and -f, continue for a pipe]
    #[arg(long, value_enum)]
    pub on_error: Option<OnErrorName>,

    /// How long to wait for other processes that own or read the warehouse, in seconds
    #[arg(long, default_value_t = 10, value_name = "S", global = true)]
    pub lock_timeout: u64,

    /// Answer yes to questions of the terminal
    #[arg(long)]
    pub yes: bool,

    /// Controlled clock: time starts here, steps a second per statement, and ids are counted
    #[arg(long, value_name = "yyyy-MM-dd HH:mm:ss", global = true)]
    pub clock: Option<String>,
}

/// What is done instead of running statements.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Verify the log, the index, every version and segment; name what is damaged
    Check {
        /// Read every byte of the data files too
        #[arg(long)]
        deep: bool,

        /// Build anew what can be built
        #[arg(long)]
        repair: bool,
    },
    /// Delete backups that have expired, for good; each version with the bytes that go with it
    Gc {
        /// Say what would be deleted, and delete nothing
        #[arg(long)]
        dry_run: bool,

        /// The clock is right, however far it has gone since the last start
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum FormatName {
    #[default]
    Table,
    Csv,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnErrorName {
    Stop,
    Continue,
}

impl From<OnErrorName> for OnError {
    fn from(name: OnErrorName) -> Self {
        match name {
            OnErrorName::Stop => Self::Stop,
            OnErrorName::Continue => Self::Continue,
        }
    }
}

impl Args {
    pub fn format(&self) -> Format {
        match self.format {
            _ if self.machine => Format::Csv,
            FormatName::Table => Format::Table,
            FormatName::Csv => Format::Csv,
            FormatName::Json => Format::Json,
        }
    }
}
