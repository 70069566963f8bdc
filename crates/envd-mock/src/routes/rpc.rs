//! Which handler answers which RPC.

use std::sync::Arc;
use std::time::Duration;

use envd_proto::{filesystem::rpc as fs, process::rpc as proc};
use http::HeaderMap;

use super::connect::{Caller, Connect, Rpcs};
use super::status::{Code, Status};
use super::{filesystem, process};
use crate::generation::Traits;
use crate::guest::Guest;

const KEEPALIVE: &str = "keepalive-ping-interval";
const NO_WATCH_DIR: &str = "watch_dir streaming not yet implemented";
const DEFAULT_KEEPALIVE: Duration = Duration::from_secs(90);

/// Hands the guest and the message to a handler that wants nothing else.
macro_rules! call {
    ($guest:expr, $handler:path) => {{
        let guest = Arc::clone(&$guest);
        move |_: Caller, request| $handler(Arc::clone(&guest), request)
    }};
}

/// As `call!`, for handlers with which something may go wrong inside the guest.
macro_rules! risk {
    ($guest:expr, $handler:path) => {{
        let guest = Arc::clone(&$guest);
        move |caller: Caller, request| $handler(Arc::clone(&guest), caller.mishap, request)
    }};
}

pub(crate) fn table(guest: &Arc<Guest>, traits: &Traits) -> Connect {
    let (watch, listed, wire) = (Arc::clone(guest), Arc::clone(guest), traits.wire);
    let rpcs = Rpcs::new(wire.timestamps)
        .unary::<proc::List, _, _>(call!(guest, process::list))
        .server_stream::<proc::Connect, _, _, _>(call!(guest, process::connect))
        .server_stream::<proc::Start, _, _, _>(risk!(guest, process::start))
        .unary::<proc::Update, _, _>(call!(guest, process::update))
        .client_stream::<proc::StreamInput, _, _>(call!(guest, process::stream_input))
        .unary::<proc::SendInput, _, _>(call!(guest, process::send_input))
        .unary::<proc::SendSignal, _, _>(call!(guest, process::send_signal))
        .unary::<proc::CloseStdin, _, _>(call!(guest, process::close_stdin))
        .unary::<fs::Stat, _, _>(risk!(guest, filesystem::stat))
        .unary::<fs::MakeDir, _, _>(risk!(guest, filesystem::make_dir))
        .unary::<fs::Move, _, _>(risk!(guest, filesystem::r#move))
        .list::<fs::ListDir, _, _>(filesystem::ENTRIES, move |caller, request, list| {
            filesystem::list_dir(Arc::clone(&listed), caller.mishap, request, list)
        })
        .unary::<fs::Remove, _, _>(risk!(guest, filesystem::remove))
        .server_stream::<fs::WatchDir, _, _, _>(move |caller: Caller, request| {
            let (guest, keepalive) = (Arc::clone(&watch), keepalive(caller.headers()));
            async move {
                if !wire.watch_dir {
                    return Err(Status::new(Code::Unimplemented, NO_WATCH_DIR));
                }
                filesystem::watch_dir(guest, caller.mishap, request, keepalive).await
            }
        })
        .unary::<fs::CreateWatcher, _, _>(risk!(guest, filesystem::create_watcher))
        .unary::<fs::GetWatcherEvents, _, _>(call!(guest, filesystem::get_watcher_events))
        .unary::<fs::RemoveWatcher, _, _>(call!(guest, filesystem::remove_watcher));
    Connect::new(rpcs, wire.deadlines)
}

/// Seconds between two keepalives; the default also for zero, negative and unreadable values.
fn keepalive(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(KEEPALIVE).and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
    seconds
        .filter(|seconds| *seconds > 0)
        .map_or(DEFAULT_KEEPALIVE, |seconds| Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keepalive_interval_is_whole_seconds_or_the_default() {
        let of = |value: &str| {
            keepalive(&HeaderMap::from_iter([(
                http::HeaderName::from_static(KEEPALIVE),
                value.parse().unwrap(),
            )]))
        };
        assert_eq!(of("5"), Duration::from_secs(5));
        for value in ["0", "-1", "1.5", "soon", ""] {
            assert_eq!(of(value), DEFAULT_KEEPALIVE, "{value}");
        }
        assert_eq!(keepalive(&HeaderMap::new()), DEFAULT_KEEPALIVE);
    }
}
