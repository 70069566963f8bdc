//! What the guest tells of itself: `/metrics`, `/activity`, `/envs` (contract 3.2, 3.3, 3.6).

use std::collections::BTreeMap;

use http::Method;
use serde::Deserialize;

use crate::client::Client;
use crate::error::Result;
use crate::generation::Feature;
use crate::transport::Rest;

/// The answer of `/metrics`. A field that the guest leaves out is 0.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// The guest's clock, in seconds since 1970.
    pub ts: i64,
    /// How many processors there are.
    pub cpu_count: u32,
    /// How busy they are, in percent of all.
    pub cpu_used_pct: f64,
    /// Memory in all, in MiB.
    pub mem_total_mib: u64,
    /// Memory in use, in MiB.
    pub mem_used_mib: u64,
    /// Memory in all, in bytes.
    pub mem_total: u64,
    /// Memory in use, in bytes.
    pub mem_used: u64,
    /// Disk in use, in bytes.
    pub disk_used: u64,
    /// Disk in all, in bytes.
    pub disk_total: u64,
}

/// The answer of `/activity`: the last second. A field that the guest leaves out is 0.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Activity {
    /// How many processors there are.
    pub cpu_count: u32,
    /// How busy they are, in percent of all.
    pub cpu_used_pct: f64,
    /// Bytes a second over all network devices but the loopback.
    pub net_bps: f64,
    /// Bytes a second over all disks.
    pub disk_bps: f64,
}

impl Client {
    /// The guest's load and sizes.
    ///
    /// # Errors
    /// When it does not answer with status 200 and the contract's JSON.
    pub async fn metrics(&self) -> Result<Metrics> {
        let call = self.repeatable("GET /metrics");
        self.transport.rest(&call, Rest::new(Method::GET, "/metrics")).await?.json(&call)
    }

    /// How busy the guest was in the last second.
    ///
    /// # Errors
    /// When it does not answer with status 200 and the contract's JSON.
    pub async fn activity(&self) -> Result<Activity> {
        let call = self.repeatable("GET /activity");
        self.insist_on(&call, Feature::Activity)?;
        let reply = self.transport.rest(&call, Rest::new(Method::GET, "/activity")).await?;
        reply.unless_absent(&call, Feature::Activity.as_str())?.json(&call)
    }

    /// The environment that every command starts with.
    ///
    /// # Errors
    /// When the guest does not answer with status 200 and the contract's JSON.
    pub async fn envs(&self) -> Result<BTreeMap<String, String>> {
        let call = self.repeatable("GET /envs");
        self.transport.rest(&call, Rest::new(Method::GET, "/envs")).await?.json(&call)
    }
}
