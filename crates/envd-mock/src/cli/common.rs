//! The flags that every server has: ports, what goes wrong, journal, log.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::command::{Stop, first_line};
use crate::builder::Builder;
use crate::connection::DEFAULT_CONNECTIONS;
use crate::control::ControlToken;
use crate::fault::{Form, Script, ScriptError};
use crate::incident;
use crate::routes::origin::Origin;
use crate::strict::Strictness;
use crate::time::Pace;
use crate::units;

/// More expressions, read behind those of `--fault`.
pub(super) const FAULTS: &str = "ENVD_MOCK_FAULTS";

/// The control port's token, unless `--control-token` says it.
const CONTROL_TOKEN: &str = "ENVD_MOCK_CONTROL_TOKEN";

/// What every server can be told.
#[derive(Debug, Args)]
pub struct Common {
    /// Address to serve envd on; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:49983")]
    listen: SocketAddr,
    /// Address of the control port; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    control: SocketAddr,
    /// Demand this bearer token of every request on the control port; ENVD_MOCK_CONTROL_TOKEN says the same unseen by
    /// other users
    #[arg(long, value_name = "TOKEN")]
    control_token: Option<ControlToken>,
    /// Permit addresses that are not loopback: whoever reaches them can run commands in the guest
    #[arg(long)]
    allow_remote: bool,
    /// Admit one more Host or Origin than the loopback ones: `https://app.example`, or a host alone
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<Origin>,
    /// What goes wrong, as a TOML file (.json: JSON, .txt: expressions), or incident:NAME (see `envd-mock incidents`); more
    /// files follow in order
    #[arg(long, value_name = "FILE")]
    script: Vec<PathBuf>,
    /// What goes wrong, as an expression such as 'GET /files #1: cut'; these come before ENVD_MOCK_FAULTS, and that
    /// before the scripts
    #[arg(long, value_name = "EXPR")]
    fault: Vec<String>,
    /// Permit rules that can never act, such as one for an operation that does not exist; they are logged as warnings
    #[arg(long)]
    allow_dead_rules: bool,
    /// What draws are made from, instead of what the scripts say
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Hear the request header X-Envd-Fault, by which a client asks for a fault of that call
    #[arg(long)]
    faults_from_header: bool,
    /// How the mock's clock goes: real, scale=N or manual
    #[arg(long, value_name = "PACE", default_value = "real")]
    clock: Pace,
    /// Exit with 1 and a list when a rule never fired, a program never ran or a request was unknown; with "abandoned"
    /// also when a client left a stream
    #[arg(long, value_enum, value_name = "WHAT", num_args = 0..=1, default_missing_value = "rules")]
    pub strict: Option<Strict>,
    /// Write the journal to this file at the end, to be replayed with `replay`
    #[arg(long, value_name = "FILE")]
    pub(super) journal: Option<PathBuf>,
    /// The most bytes that the journal takes
    #[arg(long, value_name = "SIZE", value_parser = units::size, default_value = "64MiB")]
    journal_limit: u64,
    /// How much of each body the journal keeps
    #[arg(long, value_name = "SIZE", value_parser = units::size, default_value = "0")]
    journal_bodies: u64,
    /// Write all traffic to this file, to be played back with `serve --replay-traffic`
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Shape of the log on stderr; RUST_LOG chooses what is in it
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Write the ready line to this file once the mock is ready, and remove the file when it stops; `envd-mock wait
    /// --ready-file` waits for it
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
    /// How many connections there may be at once on each port; for one more, the one that has been idle for longest is
    /// closed
    #[arg(long, value_name = "N", default_value_t = DEFAULT_CONNECTIONS)]
    max_connections: usize,
    /// End when standard input does, and so with the parent that holds its other end
    #[arg(long)]
    pub exit_on_stdin_eof: bool,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What makes a run fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Strict {
    /// Rules that never fired, programs that never ran, and requests that no route knows.
    Rules,
    /// Streams that the client left, too.
    Abandoned,
}

impl From<Strict> for Strictness {
    fn from(strict: Strict) -> Self {
        match strict {
            Strict::Rules => Self::On,
            Strict::Abandoned => Self::Abandoned,
        }
    }
}

impl Common {
    /// Tells a builder all of it.
    ///
    /// # Errors
    /// [`Stop`], when something that goes wrong cannot be read.
    pub(super) fn tell<Of>(&self, builder: Builder<Of>) -> Result<Builder<Of>, Stop> {
        self.check_journal()?;
        let builder = builder.allow_dead_rules(self.allow_dead_rules);
        let script = self.setup(std::env::var(FAULTS).ok().as_deref(), builder.alive_in())?;
        let bodies = usize::try_from(self.journal_bodies).unwrap_or(usize::MAX);
        let builder = builder
            .listen(self.listen)
            .control(self.control)
            .allow_remote(self.allow_remote)
            .max_connections(self.max_connections)
            .script(script)
            .faults_from_header(self.faults_from_header)
            .clock(self.clock)
            .strict(self.strict.map_or(Strictness::Off, Strictness::from))
            .journal_limit(self.journal_limit)
            .journal_bodies(bodies);
        let token =
            self.control_token.clone().or_else(|| std::env::var(CONTROL_TOKEN).ok().map(ControlToken::new));
        let builder = match token {
            Some(token) => builder.guarded_by(token),
            None => builder,
        };
        let builder = self.allow_origin.iter().cloned().fold(builder, Builder::allow_origin);
        Ok(match &self.record {
            Some(file) => builder.record(file),
            None => builder,
        })
    }

    /// Whether the seed is told.
    pub(super) fn is_seeded(&self) -> bool {
        self.seed.is_some()
    }

    /// So that a journal that cannot be written is told before anything has happened.
    fn check_journal(&self) -> Result<(), Stop> {
        let Some(file) = &self.journal else { return Ok(()) };
        let opened = std::fs::OpenOptions::new().create(true).append(true).open(file);
        let refused = |error| Stop::Refused(format!("cannot write the journal {}: {error}", file.display()));
        opened.map(drop).map_err(refused)
    }

    /// All rules, those of the command line first: what is nearest at hand decides.
    fn setup(&self, environment: Option<&str>, alive_in: Option<u8>) -> Result<Script, Stop> {
        let read_expressions = |source, text| Script::read(Form::Expressions, source, text, alive_in);
        let expressions = self.fault.iter().map(|text| read_expressions("--fault", text));
        let from_environment = environment.map(|text| read_expressions(FAULTS, text));
        let files = self.script.iter().map(|file| read(file, alive_in));
        let near = expressions.chain(from_environment).map(|script| script.map_err(refused));
        let script = near.chain(files).try_fold(Script::default(), |all, script| {
            let (seed, script) = (all.seed, script?);
            // The first one to name a seed decides, as with rules.
            let merged = all.merge(script).map_err(refused)?;
            Ok(if seed == 0 { merged } else { merged.with_seed(seed) })
        })?;
        Ok(match self.seed {
            Some(seed) => script.with_seed(seed),
            None => script,
        })
    }
}

fn read(file: &Path, alive_in: Option<u8>) -> Result<Script, Stop> {
    if let Some(name) = file.to_str().and_then(|file| file.strip_prefix("incident:")) {
        return incident::script(name).map_err(|unknown| Stop::Refused(unknown.to_string()));
    }
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|error| Stop::Refused(format!("cannot read the script {name}: {error}")))?;
    Script::read(Form::of_file(file), &name, &text, alive_in).map_err(refused)
}

fn refused(error: ScriptError) -> Stop {
    Stop::Refused(first_line(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use clap::Parser;

    use super::*;
    use crate::fault::CallRule;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        common: Common,
    }

    fn setup(flags: &[&str], environment: Option<&str>) -> Result<Script, Stop> {
        let args = std::iter::once(&"envd-mock").chain(flags);
        Alone::try_parse_from(args).unwrap().common.setup(environment, Some(2))
    }

    #[test]
    fn what_is_nearest_at_hand_comes_first() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.toml");
        let rule = CallRule::from_str("GET /envs: cut").unwrap();
        std::fs::write(&file, Script::from(rule).with_seed(3).to_toml()).unwrap();
        let flags = ["--script", file.to_str().unwrap(), "--fault", "GET /health: cut"];
        let script = setup(&flags, Some("GET /metrics: cut")).unwrap();
        let rules: Vec<String> = script.calls.iter().map(ToString::to_string).collect();
        assert_eq!(rules, ["GET /health: cut", "GET /metrics: cut", "GET /envs: cut"]);
        assert_eq!(script.seed, 3);
        assert_eq!(setup(&[&flags[..], &["--seed", "9"]].concat(), None).unwrap().seed, 9);
    }

    #[test]
    fn what_cannot_be_read_is_one_line_with_its_place() {
        let refusals = [
            setup(&["--fault", "GET /health: bang"], None),
            setup(&[], Some("GET /health:")),
            setup(&["--script", "/does/not/exist.toml"], None),
        ];
        let places =
            ["--fault:1:14: expected ", "ENVD_MOCK_FAULTS:1:13: expected ", "cannot read the script /does"];
        for (refusal, place) in refusals.into_iter().zip(places) {
            let Err(Stop::Refused(line)) = refusal else { panic!("expected a refusal") };
            assert!(line.starts_with(place) && line.lines().count() == 1, "{line:?}");
        }
    }
}
