//! Signed file URLs: what lets someone without the token read or write one file (contract 2).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::Method;
use sha2::{Digest, Sha256};

use crate::client::Client;
use crate::transport::{Rest, Secret};

/// What a signature allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileOperation {
    /// Downloading.
    Read,
    /// Uploading.
    Write,
}

/// A URL of `/files` that carries a signature instead of a token.
#[derive(Debug, Clone)]
pub struct FileUrl {
    base: String,
    path: String,
    username: String,
    operation: FileOperation,
    expiration: Option<i64>,
}

impl Client {
    /// A URL for one file, to be signed. The user is the client's; a client of the guest's default user must name it
    /// with [`FileUrl::username`].
    pub fn file_url(&self, path: impl Into<String>, operation: FileOperation) -> FileUrl {
        let settings = &self.transport.settings;
        FileUrl {
            base: settings.base.clone(),
            path: path.into(),
            username: settings.username.clone().unwrap_or_default(),
            operation,
            expiration: None,
        }
    }
}

impl FileUrl {
    /// The user that the file is read or written as.
    #[must_use]
    pub fn username(mut self, name: impl Into<String>) -> Self {
        self.username = name.into();
        self
    }

    /// When the URL stops working, in seconds since 1970, by the guest's clock.
    #[must_use]
    pub fn expires_at(mut self, seconds: i64) -> Self {
        self.expiration = Some(seconds);
        self
    }

    /// The URL. Whoever has it can do what it allows: treat it as a secret.
    pub fn sign(&self, token: &str) -> String {
        let signature = self.signature(token);
        let mut request = Rest::new(Method::GET, "/files")
            .query("path", &self.path)
            .query("username", &self.username)
            .query("signature", signature.reveal());
        if let Some(seconds) = self.expiration {
            request = request.query("signature_expiration", &seconds.to_string());
        }
        format!("{}{}", self.base, request.target())
    }

    fn signature(&self, token: &str) -> Secret {
        let mut text = format!("{}:{}:{}:{token}", self.path, self.operation, self.username);
        if let Some(seconds) = self.expiration {
            text.push_str(&format!(":{seconds}"));
        }
        Secret::new(format!("v1_{}", STANDARD_NO_PAD.encode(Sha256::digest(text))))
    }
}

impl fmt::Display for FileOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_vector_holds() {
        let client = Client::builder().base_url("http://127.0.0.1:1").build().unwrap();
        let url = client.file_url("/home/user/a.txt", FileOperation::Read);
        let vector = "v1_W0H70l5eP6cXb6svHqsDGEavs8WBopekZlY/hy8DMKY";
        assert_eq!(url.signature("s3cret").reveal(), vector);
        assert_eq!(
            url.sign("s3cret"),
            "http://127.0.0.1:1/files?path=%2Fhome%2Fuser%2Fa.txt&username=root\
             &signature=v1_W0H70l5eP6cXb6svHqsDGEavs8WBopekZlY%2Fhy8DMKY"
        );
        let expiring = url.expires_at(7);
        assert_ne!(expiring.signature("s3cret").reveal(), vector);
        assert!(expiring.sign("s3cret").ends_with("&signature_expiration=7"));
    }
}
