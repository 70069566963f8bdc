//! Who answers the calls that nothing went wrong with: the guest, an envd behind the proxy, or a recording.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::Request;

use crate::guest::Guest;
use crate::routes::Front;
use crate::traffic::Player;
use crate::upstream::Upstream;

/// The one who answers.
pub(crate) enum Answerer {
    Guest(Front),
    Upstream(Upstream),
    Recording(Player),
}

impl Answerer {
    pub(crate) async fn answer(&self, request: Request<Body>) -> Response {
        match self {
            Self::Guest(front) => front.answer(request).await,
            Self::Upstream(upstream) => upstream.answer(request).await,
            Self::Recording(player) => player.answer(request).await,
        }
    }

    /// The guest, where it is one of ours.
    pub(crate) fn guest(&self) -> Option<&Arc<Guest>> {
        match self {
            Self::Guest(front) => Some(front.guest()),
            Self::Upstream(_) | Self::Recording(_) => None,
        }
    }

    /// Dates an answer, unless it has its date from elsewhere.
    pub(crate) fn date(&self, response: &mut Response) {
        if let Self::Guest(front) = self {
            front.date(response);
        }
    }
}
