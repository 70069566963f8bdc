//! What browsers are told (contract, sections 1 and 10): the same on REST routes and RPCs. Which origins get this
//! far is decided in `origin`.

use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CONTENT_LENGTH, VARY,
};
use http::{HeaderMap, HeaderValue};

const EXPOSED: &str = "location,cache-control,x-content-type-options,connect-content-encoding,\
                       connect-protocol-version,grpc-encoding,grpc-message,grpc-status,grpc-status-details-bin";
const VARIES: &str = "origin, access-control-request-method, access-control-request-headers";

/// The answer to OPTIONS on a path that has `methods`.
pub(crate) fn preflight(methods: &'static str) -> Response {
    let headers = [
        (ALLOW, methods),
        (CONTENT_LENGTH, "0"),
        (ACCESS_CONTROL_ALLOW_METHODS, "HEAD,GET,POST,PUT,PATCH,DELETE"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "*"),
        (ACCESS_CONTROL_MAX_AGE, "7200"),
    ];
    headers.into_response()
}

/// Adds what every answer on a known path carries.
pub(crate) fn expose(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.append(VARY, HeaderValue::from_static(VARIES));
}
