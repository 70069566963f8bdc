//! `POST /init` (contract, sections 3.4 and 10): reads the body, lets the guest's life decide, and carries out the
//! effects.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::reply::{self, NO_STORE};
use crate::guest::Guest;
use crate::guest::life::{Effects, Init, Refusal};
use crate::guest::tree::Owner;

const LARGEST_HOSTS: usize = 1 << 20;

/// What a body of `/init` says, however it is spelled; unknown fields are ignored and null is absent.
pub(crate) trait Body: DeserializeOwned + Default + Send + 'static {
    /// What it asks for, but for the network volumes, which come second.
    fn read(self) -> (Init, Vec<Volume>);
}

/// The spelling of old guests.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Camel {
    access_token: Option<String>,
    default_user: Option<String>,
    default_workdir: Option<String>,
    env_vars: Option<BTreeMap<String, String>>,
    hyperloop_ip: Option<String>,
    timestamp: Option<String>,
    volume_mounts: Option<Vec<Volume>>,
}

/// The spelling of all others.
#[derive(Default, Deserialize)]
pub(crate) struct Snake {
    access_token: Option<String>,
    #[serde(rename = "defaultUser")]
    default_user: Option<String>,
    #[serde(rename = "defaultWorkdir")]
    default_workdir: Option<String>,
    #[serde(rename = "envVars")]
    env_vars: Option<BTreeMap<String, String>>,
    hyperloop_ip: Option<String>,
    timestamp: Option<String>,
    volume_mounts: Option<Vec<Volume>>,
    sandbox_id: Option<String>,
    template_id: Option<String>,
    proxy_domain: Option<String>,
    lifecycle_id: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Volume {
    nfs_target: String,
    path: String,
}

pub(crate) async fn post<B: Body>(State(guest): State<Arc<Guest>>, body: Option<Json<B>>) -> Response {
    let Json(body) = body.unwrap_or_default();
    let (mut init, volumes) = body.read();
    init.volumes = volumes.iter().flat_map(|volume| [&volume.nfs_target, &volume.path]).cloned().collect();
    match guest.life.init(init) {
        Ok(effects) => {
            volumes.iter().for_each(report_unmounted);
            carry_out(guest, effects).await;
            (StatusCode::NO_CONTENT, NO_STORE).into_response()
        }
        Err(Refusal::Breakdown) => reply::breakdown(),
        Err(refusal @ Refusal::Malformed(_)) => reply::error(StatusCode::BAD_REQUEST, refusal.to_string()),
        Err(refusal) => (StatusCode::UNAUTHORIZED, refusal.to_string()).into_response(),
    }
}

async fn carry_out(guest: Arc<Guest>, effects: Effects) {
    if effects.reborn {
        guest.preload.reset();
    }
    if let Some(time) = effects.clock {
        guest.clock.step_to(time);
    }
    if effects.files.is_empty() && effects.events_host.is_none() {
        return;
    }
    if let Err(panic) = tokio::task::spawn_blocking(move || write_files(&guest, effects)).await {
        tracing::error!(%panic, "the files of /init were not all written");
    }
}

fn write_files(guest: &Guest, effects: Effects) {
    for (name, content) in effects.files {
        write(guest, &format!("/run/wrenn/{name}"), content.as_bytes());
    }
    if let Some(host) = effects.events_host {
        let hosts = guest.stand().tree.read_file("/etc/hosts", LARGEST_HOSTS).unwrap_or_default();
        write(guest, "/etc/hosts", with_events_host(&String::from_utf8_lossy(&hosts), &host).as_bytes());
    }
}

/// As on a real guest, a file that cannot be written is no reason to refuse the init.
fn write(guest: &Guest, path: &str, content: &[u8]) {
    if let Err(error) = guest.stand().tree.write_file(path, content, Owner::ROOT) {
        tracing::warn!(path, %error, "a file of /init could not be written");
    }
}

fn report_unmounted(volume: &Volume) {
    tracing::warn!(target = volume.nfs_target, path = volume.path, "network volumes cannot be mounted here");
}

fn with_events_host(hosts: &str, address: &str) -> String {
    const NAME: &str = "events.wrenn.local";
    let others = hosts.lines().filter(|line| !line.split_whitespace().skip(1).any(|name| name == NAME));
    let mut text: String = others.flat_map(|line| [line, "\n"]).collect();
    text.push_str(&format!("{address} {NAME}\n"));
    text
}

impl Body for Camel {
    fn read(self) -> (Init, Vec<Volume>) {
        let init = Init {
            token: self.access_token,
            timestamp: self.timestamp,
            env: self.env_vars.unwrap_or_default(),
            user: self.default_user,
            workdir: self.default_workdir,
            events_host: self.hyperloop_ip,
            ..Init::default()
        };
        (init, self.volume_mounts.unwrap_or_default())
    }
}

impl Body for Snake {
    fn read(self) -> (Init, Vec<Volume>) {
        let init = Init {
            token: self.access_token,
            lifecycle: self.lifecycle_id,
            timestamp: self.timestamp,
            env: self.env_vars.unwrap_or_default(),
            user: self.default_user,
            workdir: self.default_workdir,
            events_host: self.hyperloop_ip,
            sandbox: self.sandbox_id,
            template: self.template_id,
            domain: self.proxy_domain,
            volumes: Vec::new(),
        };
        (init, self.volume_mounts.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_host_has_one_line_and_the_others_stay() {
        let once = with_events_host("127.0.0.1 localhost\n", "10.0.0.1");
        assert_eq!(once, "127.0.0.1 localhost\n10.0.0.1 events.wrenn.local\n");
        assert_eq!(with_events_host(&once, "10.0.0.2"), once.replace("10.0.0.1", "10.0.0.2"));
        assert_eq!(with_events_host("", "::1"), "::1 events.wrenn.local\n");
    }
}
