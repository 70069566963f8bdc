//! The command line of `envd-mock`: flags to a builder, and errors to one line. Starts nothing.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand, ValueEnum};

use crate::builder::Builder;
use crate::commands::Incidents;
use crate::generation::Generation;
use crate::guest::RootSpec;
use crate::mock::MockEnvd;
use crate::routes::origin::Origin;
use crate::units;

/// A fake guest agent: envd's wire contract over a real file tree and real commands.
#[derive(Debug, Parser)]
#[command(name = "envd-mock", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Address to serve envd on; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:49983")]
    listen: SocketAddr,
    /// Address of the control port; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// Use this directory as the guest's root, in place, and never delete it; "/" is the machine as it is, for use
    /// inside a container
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The wire generation to play
    #[arg(long, value_name = "N", default_value_t)]
    generation: Generation,
    /// Copy the content of this directory into the fresh tree
    #[arg(long, value_name = "DIR", conflicts_with = "root")]
    files: Option<PathBuf>,
    /// Leave the fresh tree behind at the end
    #[arg(long)]
    keep: bool,
    /// Show a path of the host read-only in the guest, at the same place or at GUEST
    #[arg(long, value_name = "HOST[:GUEST]", value_parser = bind)]
    bind: Vec<(PathBuf, PathBuf)>,
    /// Put the fresh tree on a disk of this size, such as 64MiB
    #[arg(long, value_name = "SIZE", value_parser = units::size, conflicts_with = "root")]
    disk: Option<u64>,
    /// Run nothing real and build no walls: what no program of a script stands in for is not found
    #[arg(long, conflicts_with_all = ["disk", "bind"])]
    programs_only: bool,
    /// How long a connected reader of output may take nothing before it loses its stream
    #[arg(long, value_name = "DURATION", value_parser = units::duration, default_value = "30s")]
    stall_limit: Duration,
    /// Refuse larger uploads; only the disk limits them by default
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    max_upload: Option<u64>,
    /// The version that /health reports
    #[arg(long, value_name = "TEXT")]
    guest_version: Option<String>,
    /// How much memory a preload goes through
    #[arg(long, value_name = "SIZE", value_parser = units::size, default_value = "256MiB")]
    preload_size: u64,
    /// How long a preload runs
    #[arg(long, value_name = "DURATION", value_parser = units::duration, default_value = "300ms")]
    preload_duration: Duration,
    /// Make every preload fail with this text at the end of its time
    #[arg(long, value_name = "TEXT")]
    preload_failure: Option<String>,
    /// Permit addresses that are not loopback: whoever reaches them can run commands in the guest
    #[arg(long)]
    allow_remote: bool,
    /// Admit one more Host or Origin than the loopback ones: `https://app.example`, or a host alone
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<Origin>,
    /// Shape of the log on stderr; RUST_LOG chooses what is in it
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// End when standard input does, and so with the parent that holds its other end
    #[arg(long)]
    pub exit_on_stdin_eof: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the incidents of the field that can be played
    Incidents(Incidents),
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why there is nothing to start.
#[derive(Debug, PartialEq, Eq)]
pub enum Stop {
    /// What was asked for (help, version, a list) is this text.
    Told(String),
    /// The flags are wrong; one line says how.
    Refused(String),
}

impl Cli {
    /// Reads the flags.
    ///
    /// # Errors
    /// [`Stop`], with the text to print.
    pub fn read(args: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Self, Stop> {
        let cli = Self::try_parse_from(args).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Stop::Told(error.to_string()),
            _ => Stop::Refused(one_line(&error.to_string())),
        })?;
        match cli.command {
            Some(Command::Incidents(incidents)) => Err(Stop::Told(incidents.text())),
            None => Ok(cli),
        }
    }

    /// What the flags describe.
    pub fn builder(self) -> Builder {
        let root = self.root.map_or(RootSpec::Fresh, |dir| match dir.to_str() {
            Some("/") => RootSpec::Machine,
            _ => RootSpec::Dir(dir),
        });
        let mut builder = MockEnvd::builder()
            .listen(self.listen)
            .control(self.control)
            .allow_remote(self.allow_remote)
            .generation(self.generation)
            .root(root)
            .keep(self.keep)
            .programs_only(self.programs_only)
            .stall_limit(self.stall_limit)
            .preload_size(self.preload_size)
            .preload_duration(self.preload_duration);
        builder = self.allow_origin.into_iter().fold(builder, Builder::allow_origin);
        builder = self.bind.into_iter().fold(builder, |builder, (host, guest)| builder.bind(host, guest));
        builder = apply(builder, self.files, Builder::files);
        builder = apply(builder, self.disk, Builder::disk);
        builder = apply(builder, self.max_upload, Builder::max_upload);
        builder = apply(builder, self.guest_version, Builder::guest_version);
        apply(builder, self.preload_failure, Builder::preload_failure)
    }
}

fn apply<T>(builder: Builder, value: Option<T>, set: impl FnOnce(Builder, T) -> Builder) -> Builder {
    match value {
        Some(value) => set(builder, value),
        None => builder,
    }
}

/// The first paragraph of clap's message, as one line and without its label.
fn one_line(message: &str) -> String {
    let paragraph = message.split("\n\n").next().unwrap_or(message);
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    words.join(" ").trim_start_matches("error: ").to_owned()
}

fn bind(text: &str) -> Result<(PathBuf, PathBuf), String> {
    let (host, guest) = text.split_once(':').unwrap_or((text, text));
    if host.starts_with('/') && guest.starts_with('/') {
        Ok((host.into(), guest.into()))
    } else {
        Err(format!("expected absolute paths as HOST or HOST:GUEST, got {text:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(flags: &[&str]) -> Result<Cli, Stop> {
        Cli::read(std::iter::once("envd-mock").chain(flags.iter().copied()).map(Into::into))
    }

    fn refusal(flags: &[&str]) -> String {
        match read(flags) {
            Err(Stop::Refused(line)) => line,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    #[test]
    fn the_flags_hold_together() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_bad_flag_is_one_line_that_says_what_was_seen() {
        let lines: Vec<String> = [
            &["--nope"][..],
            &["--generation", "3"],
            &["--disk", "big"],
            &["--stall-limit", "5"],
            &["--bind", "usr"],
            &["--log-format", "xml"],
            &["--listen", "here"],
            &["--root", "/", "--files", "/x"],
            &["--allow-origin", "https://"],
        ]
        .into_iter()
        .map(refusal)
        .collect();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn help_and_version_are_told() {
        assert!(matches!(read(&["--help"]), Err(Stop::Told(text)) if text.contains("--exit-on-stdin-eof")));
        assert!(matches!(read(&["--version"]), Err(Stop::Told(text)) if text.starts_with("envd-mock ")));
    }

    #[test]
    fn incidents_are_listed() {
        assert!(matches!(read(&["incidents"]), Err(Stop::Told(text)) if text.contains("frozen-guest")));
        refusal(&["incidents", "--json", "--page"]);
        refusal(&["--keep", "incidents"]);
    }

    #[test]
    fn a_bind_names_both_ends_or_one() {
        assert_eq!(bind("/opt"), Ok(("/opt".into(), "/opt".into())));
        assert_eq!(bind("/opt:/mnt/x"), Ok(("/opt".into(), "/mnt/x".into())));
        assert!(bind("/opt:mnt").is_err());
    }
}
