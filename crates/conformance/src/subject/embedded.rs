//! The mock as a subject, in this process.

use envd_mock::MockEnvd;
use futures::future::BoxFuture;

use super::{Subject, Subjects};
use crate::probe::Trouble;

/// Starts a fresh embedded mock each time.
#[derive(Debug, Clone, Copy)]
pub struct Embedded;

impl Subjects for Embedded {
    fn start(&self) -> BoxFuture<'_, Result<Subject, Trouble>> {
        Box::pin(async {
            let mock =
                MockEnvd::builder().start().await.map_err(|error| Trouble::Start(error.to_string()))?;
            let address = mock.addr();
            Ok(Subject { address, host: address.to_string(), guard: Some(Box::new(mock)) })
        })
    }

    fn name(&self) -> String {
        "embedded mock".to_owned()
    }
}
