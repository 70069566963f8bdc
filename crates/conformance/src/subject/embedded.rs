//! The mock as a subject, in this process.

use envd_mock::{Builder, Defect, MockEnvd};
use futures::future::BoxFuture;

use super::{Subject, Subjects};
use crate::probe::Trouble;

/// Starts a fresh embedded mock each time.
#[derive(Debug, Clone, Copy)]
pub struct Embedded;

impl Embedded {
    /// A mock with a rule of its fault script, as an expression.
    ///
    /// # Errors
    /// [`Trouble::Start`], also for a rule that is none.
    pub async fn with_rule(&self, rule: &str) -> Result<Subject, Trouble> {
        let rule = rule.parse().map_err(|error| Trouble::Start(format!("{error}")))?;
        started(MockEnvd::builder().fault(rule)).await
    }

    /// A mock with a defect that real builds were seen to have.
    ///
    /// # Errors
    /// [`Trouble::Start`].
    pub async fn with_defect(&self, defect: Defect) -> Result<Subject, Trouble> {
        started(MockEnvd::builder().defect(defect)).await
    }
}

impl Subjects for Embedded {
    fn start(&self) -> BoxFuture<'_, Result<Subject, Trouble>> {
        Box::pin(started(MockEnvd::builder()))
    }

    fn name(&self) -> String {
        "embedded mock".to_owned()
    }
}

async fn started(builder: Builder) -> Result<Subject, Trouble> {
    let mock = builder.start().await.map_err(|error| Trouble::Start(error.to_string()))?;
    let address = mock.addr();
    Ok(Subject { address, host: address.to_string(), guard: Some(Box::new(mock)) })
}

/// Whether `text` is a rule of a fault script.
#[cfg(test)]
pub(crate) fn is_rule(text: &str) -> bool {
    text.parse::<envd_mock::fault::CallRule>().is_ok()
}
