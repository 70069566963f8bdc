//! The bare axum server that the mock is compared with. This program serves it itself when it gets [`FLAG`], so that
//! its CPU time can be told from that of the load.

use std::io::Write as _;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use tokio::net::TcpListener;

/// Makes this program the bare server.
pub(crate) const FLAG: &str = "--serve-bare-axum";

/// Serves until it is killed.
pub(crate) fn serve() {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let router = Router::new()
            .route("/health", get(|| async { axum::Json(serde_json::json!({ "version": "0.1.0" })) }))
            .route("/process.Process/List", post(list));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        println!("ready url=http://{address}");
        std::io::stdout().flush().expect("a reader");
        axum::serve(listener, router).await.expect("it serves");
    });
}

/// Reads the message and answers an empty list, both as JSON.
async fn list(body: Bytes) -> axum::Json<serde_json::Value> {
    let request: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert!(request.is_object());
    axum::Json(serde_json::json!({}))
}
