//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Plays AWS's side of an event-driven program: sources, router, retries, local Lambda processes.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run scenario files in virtual time.
    Test(Test),
    /// Run the project live: sources, functions, and AWS's APIs on one port.
    Up(Up),
    /// Call one function of the project and print what it answers.
    Invoke(Invoke),
    /// Print a sample event in the documented format: `event s3 put --set key=cat.jpg`.
    Event(Event),
    /// Print the timeline of a run.
    Show(Show),
    /// Catch what changes in a SQLite table as DynamoDB stream records.
    #[command(subcommand)]
    Feed(Feed),
    /// Make a project to start from.
    Init(Init),
    /// Check files without running them.
    Lint(Lint),
    /// Print the JSON Schema of scenario and project files.
    Schema,
}

/// `triggerfish test`.
#[derive(Debug, Args)]
pub struct Test {
    /// Scenario files, or directories with them.
    #[arg(default_value = ".")]
    pub paths: Vec<PathBuf>,
    /// Run only scenarios whose name or file contains this.
    #[arg(long)]
    pub filter: Option<String>,
    /// Run only scenarios with this tag.
    #[arg(long)]
    pub tag: Option<String>,
    /// What every id is derived from; overrides the files.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Scenarios at the same time; by default one for each core.
    #[arg(long, short, value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// Run each scenario this often and fail if its traces differ.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub times: u32,
    /// Say why time may or may not move, after each scenario.
    #[arg(long)]
    pub why: bool,
    /// Write a JUnit report.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// How results are printed.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Where journals go.
    #[arg(long, default_value = ".triggerfish/runs")]
    pub runs: PathBuf,
}

/// `triggerfish up`.
#[derive(Debug, Args)]
pub struct Up {
    /// The project file; by default triggerfish.yaml, or an empty fabric if there is none.
    pub file: Option<PathBuf>,
    /// Loopback address to listen on; port 0 picks one.
    #[arg(long, default_value = "127.0.0.1:4566")]
    pub listen: String,
    /// Answers requests for this host name, too, which leads to this machine; may be given more than once.
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
    /// Answers only requests signed (SigV4) with a key of this AWS credentials file.
    #[arg(long, value_name = "KEYFILE")]
    pub require_signature: Option<PathBuf>,
    /// Keeps what each bucket has announced, and functions made by the API, across restarts.
    #[arg(long, default_value = ".triggerfish/state")]
    pub data_dir: PathBuf,
    /// Take runtimes that AWS has retired, such as nodejs8.10: old tutorials run, on the interpreter that is here.
    #[arg(long)]
    pub allow_retired_runtimes: bool,
    /// Handler processes at the same time; further events wait.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub slots: Option<u32>,
    /// Where the journal goes.
    #[arg(long, default_value = ".triggerfish/runs")]
    pub runs: PathBuf,
}

/// `triggerfish invoke`.
#[derive(Debug, Args)]
pub struct Invoke {
    /// The function.
    pub function: String,
    /// The event: JSON, or @FILE; `-` reads standard input.
    #[arg(long, short, default_value = "{}")]
    pub payload: String,
    /// Print the log to stderr.
    #[arg(long)]
    pub log: bool,
    /// The project file.
    #[arg(long, default_value = "triggerfish.yaml")]
    pub project: PathBuf,
}

/// `triggerfish event`.
#[derive(Debug, Args)]
pub struct Event {
    /// The kind of source.
    pub source: Option<String>,
    /// The event of that source.
    pub kind: Option<String>,
    /// Sets a part of the event: `--set key=cat.jpg`.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// `triggerfish show`.
#[derive(Debug, Args)]
pub struct Show {
    /// A run: its directory, its journal, its scenario's file, or a part of its name below .triggerfish/runs.
    pub run: String,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Where runs are looked for.
    #[arg(long, default_value = ".triggerfish/runs")]
    pub runs: PathBuf,
}

/// `triggerfish feed`.
#[derive(Debug, Subcommand)]
pub enum Feed {
    /// Put triggers into a database that write down each change of its tables; again, to bring them up to date.
    Install(FeedInstall),
    /// Print which tables have a feed, since when, and how it is.
    Status(FeedStatus),
    /// Print each change as a DynamoDB stream record, one JSON object a line, until Ctrl-C.
    Tail(FeedTail),
    /// Take out the triggers of a table and keep its feed; what changes until the next install is not caught.
    Suspend(FeedSuspend),
    /// Take everything of the feeds out of a database, with the changes they hold.
    Uninstall(FeedUninstall),
}

/// `triggerfish feed install`.
#[derive(Debug, Args)]
pub struct FeedInstall {
    /// The SQLite database.
    pub database: PathBuf,
    /// The tables to watch.
    #[arg(required = true)]
    pub tables: Vec<String>,
    /// The key's columns, partition first; by default what the feed has, or the primary key, or the rowid. For one table.
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    pub key: Vec<String>,
}

/// `triggerfish feed status`.
#[derive(Debug, Args)]
pub struct FeedStatus {
    /// The SQLite database.
    pub database: PathBuf,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// `triggerfish feed tail`.
#[derive(Debug, Args)]
pub struct FeedTail {
    /// The SQLite database.
    pub database: PathBuf,
    /// The table.
    pub table: String,
    /// Which images the records have.
    #[arg(long, value_enum, ignore_case = true, default_value_t)]
    pub view: View,
    /// Where to begin: after what is there, or with the oldest change; by default the first, and the second with --once.
    #[arg(long, value_enum)]
    pub from: Option<Start>,
    /// End when all there is was printed.
    #[arg(long)]
    pub once: bool,
}

/// `triggerfish feed suspend`.
#[derive(Debug, Args)]
pub struct FeedSuspend {
    /// The SQLite database.
    pub database: PathBuf,
    /// The table.
    pub table: String,
}

/// `triggerfish feed uninstall`.
#[derive(Debug, Args)]
pub struct FeedUninstall {
    /// The SQLite database.
    pub database: PathBuf,
}

/// Which images stream records have, spelled as AWS does.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
#[value(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum View {
    /// Before and after.
    #[default]
    NewAndOldImages,
    /// After.
    NewImage,
    /// Before.
    OldImage,
    /// None.
    KeysOnly,
}

/// Where reading a feed begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Start {
    /// After what is there.
    Latest,
    /// With the oldest change.
    TrimHorizon,
}

/// `triggerfish init`.
#[derive(Debug, Args)]
pub struct Init {
    /// The directory to make.
    pub directory: PathBuf,
}

/// `triggerfish lint`.
#[derive(Debug, Args)]
pub struct Lint {
    /// Files, or directories with them.
    #[arg(default_value = ".")]
    pub paths: Vec<PathBuf>,
}

/// For people or for machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Logs go to stderr; `TRIGGERFISH_LOG` chooses them, warnings by default.
pub fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("TRIGGERFISH_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .without_time()
        .init();
}
