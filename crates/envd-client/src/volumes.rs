//! Volumes: block devices of the guest, mounted by their serial number (contract 3.9, generation 3).

use http::Method;
use http::header::{CONTENT_TYPE, HeaderValue};
use serde::Serialize;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::generation::Feature;
use crate::transport::{OutBody, Rest};

#[derive(Serialize)]
struct Mount<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    serial: Option<&'a str>,
    mount_path: &'a str,
}

impl Client {
    /// Mounts the device with this serial number, formatting it if it is empty.
    ///
    /// # Errors
    /// Status 404 when no such device appears within 5 s, 400 for a serial number that is none;
    /// [`crate::ErrorKind::Unsupported`] by an older guest.
    pub async fn mount_volume(&self, serial: &str, path: &str) -> Result<()> {
        let mount = Mount { serial: Some(serial), mount_path: path };
        self.volume("POST /volumes/mount", "/volumes/mount", &mount).await
    }

    /// Takes off whatever is mounted there; nothing is as good.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Unsupported`] by an older guest.
    pub async fn unmount_volume(&self, path: &str) -> Result<()> {
        let mount = Mount { serial: None, mount_path: path };
        self.volume("POST /volumes/unmount", "/volumes/unmount", &mount).await
    }

    async fn volume(&self, name: &'static str, path: &str, mount: &Mount<'_>) -> Result<()> {
        let call = self.repeatable(name);
        self.insist_on(&call, Feature::Volumes)?;
        let body =
            serde_json::to_vec(mount).map_err(|error| Error::usage(name, "volume", error.to_string()))?;
        let request = Rest::new(Method::POST, path)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(OutBody::Whole(body.into()));
        let reply =
            self.transport.rest(&call, request).await?.unless_absent(&call, Feature::Volumes.as_str())?;
        reply.expect(&call, &[204])?;
        Ok(())
    }
}
