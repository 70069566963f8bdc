//! What `/init` and `/snapshot/prepare` have set: defaults, token, life cycle, the newest timestamp. Pure state:
//! it decides what an init changes and which effects follow; the caller carries them out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::habits::{Habits, InitHabits};

/// What the guest falls back to where a call says nothing.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Defaults {
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) user: String,
    pub(crate) workdir: Option<String>,
    pub(crate) token: Option<String>,
}

impl fmt::Debug for Defaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Defaults")
            .field("env", &self.env.keys())
            .field("user", &self.user)
            .field("workdir", &self.workdir)
            .field("token", &self.token.as_ref().map(|_| "<set>"))
            .finish()
    }
}

/// One `/init`, every field optional; no `Debug`, because it carries the token.
#[derive(Default, Clone)]
pub(crate) struct Init {
    pub(crate) token: Option<String>,
    pub(crate) lifecycle: Option<String>,
    pub(crate) timestamp: Option<String>,
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) user: Option<String>,
    pub(crate) workdir: Option<String>,
    pub(crate) events_host: Option<String>,
    pub(crate) sandbox: Option<String>,
    pub(crate) template: Option<String>,
    pub(crate) domain: Option<String>,
    /// Targets and paths of network volumes, which are checked and not mounted.
    pub(crate) volumes: Vec<String>,
}

/// Why nothing of an init was applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("access token validation failed")]
    WrongToken,
    #[error("access token reset not authorized")]
    TokenReset,
    /// The daemon does not survive it: nobody is answered.
    #[error("the daemon broke down")]
    Breakdown,
    #[error("{0}")]
    Malformed(String),
}

/// What is to be done outside this state after an init was applied.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Effects {
    /// A new life cycle has begun: the preload goes back to idle.
    pub(crate) reborn: bool,
    /// The time that the guest's clock is stepped to.
    pub(crate) clock: Option<SystemTime>,
    /// Files below `/run/wrenn`: name and content.
    pub(crate) files: Vec<(&'static str, String)>,
    /// The address that `events.wrenn.local` gets in `/etc/hosts`.
    pub(crate) events_host: Option<String>,
}

/// The state itself, shared by all calls.
#[derive(Debug)]
pub(crate) struct Life {
    habits: Habits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    defaults: Defaults,
    lifecycle: Option<String>,
    newest: Option<Timestamp>,
    prepared: bool,
}

impl Life {
    /// The state of a guest that has just booted; `user` is the default one until an init says otherwise.
    pub(crate) fn new(user: String, habits: Habits) -> Self {
        Self { habits, state: Mutex::new(State::new(user)) }
    }

    /// Forgets everything, as a daemon that is started again.
    pub(crate) fn reset(&self, user: String) {
        *self.state() = State::new(user);
    }

    pub(crate) fn defaults(&self) -> Defaults {
        self.state().defaults.clone()
    }

    /// Whether a caller who shows `presented` may pass: always, while no token is set.
    pub(crate) fn admits(&self, presented: Option<&[u8]>) -> bool {
        match &self.state().defaults.token {
            None => true,
            Some(token) => presented.is_some_and(|shown| same_secret(token.as_bytes(), shown)),
        }
    }

    /// Marks the guest as prepared for a snapshot: the next life cycle id counts as a change.
    pub(crate) fn prepare(&self) {
        self.state().prepared = true;
    }

    /// Applies an init as one step: all of it, none of it (a [`Refusal`]), or, when its timestamp is not newer
    /// than the newest seen, its life cycle alone.
    pub(crate) fn init(&self, init: Init) -> Result<Effects, Refusal> {
        let (mut state, habits) = (self.state(), self.habits.init);
        state.check_token(init.token.as_deref())?;
        if self.habits.checks_env {
            check_env(&init.env)?;
        }
        check_values(&init, habits)?;
        let read = if habits.reads_rfc3339 { Timestamp::parse } else { Timestamp::parse_decimal };
        let timestamp = init.timestamp.as_deref().and_then(read);
        let reborn = state.bump(init.lifecycle.as_deref(), habits.counts_first);
        let clock = timestamp.filter(|_| reborn).map(Timestamp::time);
        let mut effects = Effects { reborn, clock, ..Effects::default() };
        if state.is_stale(timestamp) {
            return Ok(effects);
        }
        state.newest = timestamp.or(state.newest);
        let init = if habits.sets_defaults { init } else { Init { user: None, workdir: None, ..init } };
        state.apply(init, &mut effects);
        Ok(effects)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(user: String) -> Self {
        let env = BTreeMap::from([("WRENN_SANDBOX".to_owned(), "true".to_owned())]);
        let defaults = Defaults { env, user, workdir: None, token: None };
        Self { defaults, lifecycle: None, newest: None, prepared: false }
    }

    fn check_token(&self, shown: Option<&str>) -> Result<(), Refusal> {
        match (&self.defaults.token, shown) {
            (None, _) | (_, None) => Ok(()),
            (Some(_), Some("")) => Err(Refusal::TokenReset),
            (Some(token), Some(shown)) if same_secret(token.as_bytes(), shown.as_bytes()) => Ok(()),
            (Some(_), Some(_)) => Err(Refusal::WrongToken),
        }
    }

    /// Whether `id` begins a new life cycle. The first id ever is only remembered, unless a snapshot was prepared and
    /// that counts.
    fn bump(&mut self, id: Option<&str>, counts_first: bool) -> bool {
        let Some(id) = id else { return false };
        let changed = match &self.lifecycle {
            None => self.prepared && counts_first,
            Some(known) => known != id,
        };
        self.lifecycle = Some(id.to_owned());
        self.prepared &= !changed;
        changed
    }

    fn is_stale(&self, timestamp: Option<Timestamp>) -> bool {
        matches!((timestamp, self.newest), (Some(this), Some(newest)) if this <= newest)
    }

    fn apply(&mut self, init: Init, effects: &mut Effects) {
        let env = &mut self.defaults.env;
        env.extend(init.env);
        if let Some(token) = init.token.filter(|token| !token.is_empty()) {
            self.defaults.token = Some(token);
        }
        if let Some(user) = init.user.filter(|user| !user.is_empty()) {
            self.defaults.user = user;
        }
        if let Some(workdir) = init.workdir.filter(|workdir| !workdir.is_empty()) {
            self.defaults.workdir = Some(workdir);
        }
        if let Some(host) = init.events_host.filter(|host| !host.is_empty()) {
            env.insert("WRENN_EVENTS_ADDRESS".to_owned(), format!("http://{host}"));
            effects.events_host = Some(host);
        }
        let domain = init.domain.filter(|domain| !domain.is_empty());
        let named = [
            ("WRENN_SANDBOX_ID", ".WRENN_SANDBOX_ID", init.sandbox),
            ("WRENN_TEMPLATE_ID", ".WRENN_TEMPLATE_ID", init.template),
            ("WRENN_PROXY_DOMAIN", ".WRENN_PROXY_DOMAIN", domain),
        ];
        for (variable, file, value) in named {
            if let Some(value) = value {
                env.insert(variable.to_owned(), value.clone());
                effects.files.push((file, value));
            }
        }
    }
}

/// Compares without telling by its duration where the difference is.
pub(crate) fn same_secret(known: &[u8], shown: &[u8]) -> bool {
    known.len() == shown.len() && known.iter().zip(shown).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
}

fn check_env(env: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let malformed = |text: String| Err(Refusal::Malformed(text));
    for (key, value) in env {
        if key.is_empty() || key.contains(['=', '\0']) {
            return malformed(format!("envVars: the key {key:?} is empty or holds '=' or a NUL byte"));
        }
        if value.contains('\0') {
            return malformed(format!("envVars: the value of {key:?} holds a NUL byte"));
        }
    }
    Ok(())
}

fn check_values(init: &Init, habits: InitHabits) -> Result<(), Refusal> {
    let malformed = |text: String| Err(Refusal::Malformed(text));
    let names = [&init.sandbox, &init.template, &init.domain];
    let holds_nul = |value: &Option<String>| value.as_ref().is_some_and(|text| text.contains('\0'));
    if !habits.survives_nul && names.into_iter().any(holds_nul) {
        return Err(Refusal::Breakdown);
    }
    if init.volumes.iter().any(|text| text.contains('\0')) {
        return malformed("volume_mounts holds a NUL byte".to_owned());
    }
    let values = [
        ("access_token", &init.token),
        ("lifecycle_id", &init.lifecycle),
        ("timestamp", &init.timestamp),
        ("defaultUser", &init.user),
        ("defaultWorkdir", &init.workdir),
        ("hyperloop_ip", &init.events_host),
        ("sandbox_id", &init.sandbox),
        ("template_id", &init.template),
        ("proxy_domain", &init.domain),
    ];
    match values.into_iter().find(|(_, value)| holds_nul(value)) {
        Some((field, _)) => malformed(format!("{field} holds a NUL byte")),
        None => Ok(()),
    }
}

/// A point in time of the caller, to the nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// RFC 3339 with any offset, or decimal seconds since 1970; anything else is as good as absent.
    fn parse(text: &str) -> Option<Self> {
        decimal_seconds(text).or_else(|| text.parse().ok()).map(Self)
    }

    fn parse_decimal(text: &str) -> Option<Self> {
        decimal_seconds(text).map(Self)
    }

    fn time(self) -> SystemTime {
        let since = Duration::try_from(self.0.as_duration());
        since.map_or(SystemTime::UNIX_EPOCH, |since| SystemTime::UNIX_EPOCH + since)
    }
}

fn decimal_seconds(text: &str) -> Option<jiff::Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let nanos: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    jiff::Timestamp::new(whole.parse().ok()?, nanos.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn life() -> Life {
        Life::new("root".to_owned(), Habits::MEANT)
    }

    fn with(change: impl FnOnce(&mut Init)) -> Init {
        let mut init = Init::default();
        change(&mut init);
        init
    }

    fn lifecycle(id: &str) -> Init {
        with(|init| init.lifecycle = Some(id.into()))
    }

    fn at(timestamp: &str, user: &str) -> Init {
        with(|init| {
            init.timestamp = Some(timestamp.into());
            init.user = Some(user.into());
        })
    }

    #[test]
    fn env_is_merged_and_never_emptied() {
        let life = life();
        let env =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        life.init(with(|init| init.env = env(&[("A", "1"), ("B", "2")]))).unwrap();
        life.init(with(|init| init.env = env(&[("A", "3")]))).unwrap();
        assert_eq!(life.defaults().env, env(&[("A", "3"), ("B", "2"), ("WRENN_SANDBOX", "true")]));
    }

    #[test]
    fn a_token_is_set_once_and_then_checked() {
        let life = life();
        let token = |text: &str| with(|init| init.token = Some(text.into()));
        life.init(token("")).unwrap();
        assert!(life.admits(None));
        life.init(token("s3cret")).unwrap();
        assert!(!life.admits(None) && !life.admits(Some(b"other!")) && life.admits(Some(b"s3cret")));
        assert_eq!(life.init(token("")), Err(Refusal::TokenReset));
        assert_eq!(life.init(token("other")), Err(Refusal::WrongToken));
        life.init(token("s3cret")).unwrap();
        life.init(Init::default()).unwrap();
        assert!(!format!("{:?}", life.defaults()).contains("s3cret"));
    }

    #[test]
    fn the_first_lifecycle_id_is_only_remembered() {
        let life = life();
        assert!(!life.init(lifecycle("a")).unwrap().reborn);
        assert!(!life.init(lifecycle("a")).unwrap().reborn);
        assert!(life.init(lifecycle("b")).unwrap().reborn);
    }

    #[test]
    fn after_a_prepare_the_first_id_counts_as_a_change() {
        let life = life();
        life.prepare();
        assert!(life.init(lifecycle("a")).unwrap().reborn);
        assert!(!life.init(lifecycle("a")).unwrap().reborn);
    }

    #[test]
    fn a_timestamp_that_is_not_newer_leaves_the_defaults_alone() {
        let life = life();
        life.init(at("2026-01-01T00:00:00Z", "first")).unwrap();
        for stale in ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "1767225599.9", "12"] {
            life.init(at(stale, "stale")).unwrap();
            assert_eq!(life.defaults().user, "first", "{stale}");
        }
        life.init(at("1767225600.000000001", "newer")).unwrap();
        assert_eq!(life.defaults().user, "newer");
        life.init(at("yesterday", "unreadable")).unwrap();
        assert_eq!(life.defaults().user, "unreadable");
    }

    #[test]
    fn the_clock_is_stepped_by_a_new_lifecycle_alone_even_when_stale() {
        let life = life();
        let both = |id: &str, time: &str| {
            with(|init| (init.lifecycle, init.timestamp) = (Some(id.into()), Some(time.into())))
        };
        assert_eq!(life.init(both("a", "200")).unwrap().clock, None);
        let stale = life.init(both("b", "100")).unwrap();
        assert_eq!(stale.clock, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(100)));
    }

    #[test]
    fn names_become_variables_and_files() {
        let life = life();
        let init = with(|init| {
            (init.sandbox, init.domain) = (Some(String::new()), Some(String::new()));
            init.template = Some("tpl".into());
            init.events_host = Some("10.0.0.1".into());
        });
        let effects = life.init(init).unwrap();
        let files = vec![(".WRENN_SANDBOX_ID", String::new()), (".WRENN_TEMPLATE_ID", "tpl".to_owned())];
        assert_eq!(effects.files, files);
        assert_eq!(effects.events_host.as_deref(), Some("10.0.0.1"));
        let env = life.defaults().env;
        assert_eq!(env["WRENN_EVENTS_ADDRESS"], "http://10.0.0.1");
        assert_eq!((env["WRENN_SANDBOX_ID"].as_str(), env.get("WRENN_PROXY_DOMAIN")), ("", None));
    }

    #[test]
    fn a_nul_or_a_bad_key_refuses_the_whole() {
        let life = life();
        let bad_key = |key: &str| {
            with(|init| {
                init.user = Some("user".into());
                init.env = BTreeMap::from([(key.to_owned(), String::new())]);
            })
        };
        for key in ["", "A=B", "A\0"] {
            assert!(matches!(life.init(bad_key(key)), Err(Refusal::Malformed(_))), "{key:?}");
        }
        let nul = with(|init| (init.user, init.sandbox) = (Some("user".into()), Some("a\0b".into())));
        assert_eq!(life.init(nul), Err(Refusal::Malformed("sandbox_id holds a NUL byte".into())));
        assert_eq!(life.defaults().user, "root");
    }

    proptest! {
        #[test]
        fn the_newest_timestamp_wins_whatever_the_order(times in proptest::collection::vec(0..10_000u32, 1..20)) {
            let life = life();
            for time in &times {
                life.init(at(&time.to_string(), &time.to_string())).unwrap();
            }
            prop_assert_eq!(life.defaults().user, times.iter().max().unwrap().to_string());
        }

        #[test]
        fn no_text_of_a_timestamp_panics(text in ".*") {
            let _ = Timestamp::parse(&text);
        }
    }
}
