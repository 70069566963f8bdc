//! Connections as a bare socket sees them: reused, closed when told, left alone while in use.

use envd_client::{Blame, Event, Retry};

use crate::peer::{Conn, END, END_STREAM, HI, Peer, START, STREAM, chunk, soon, whole};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

async fn health(client: &envd_client::Client, conn: &mut Conn) {
    let (outcome, ()) = soon(async {
        tokio::join!(client.health(), async {
            conn.request().await;
            conn.send(OK).await;
        })
    })
    .await;
    outcome.unwrap();
}

async fn connected(peer: &Peer, client: &envd_client::Client) -> Conn {
    let (outcome, conn) = soon(async {
        tokio::join!(client.health(), async {
            let mut conn = peer.accept().await;
            conn.request().await;
            conn.send(OK).await;
            conn
        })
    })
    .await;
    outcome.unwrap();
    conn
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let mut conn = connected(&peer, &client).await;
    health(&client.clone(), &mut conn).await;
    health(&client, &mut conn).await;
}

#[tokio::test]
async fn closing_idle_connections_is_seen_as_fin() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let mut conn = connected(&peer, &client).await;
    assert!(conn.is_open());
    client.close_idle_connections();
    conn.closed().await;
    connected(&peer, &client).await;
}

#[tokio::test]
async fn closing_idle_connections_leaves_calls_in_flight_alone() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let mut idle = connected(&peer, &client).await;
    let (events, mut busy) = soon(async {
        tokio::join!(client.command("x").stream(), async {
            let mut conn = peer.accept().await;
            conn.request().await;
            conn.send([STREAM.as_bytes(), &chunk(START)].concat()).await;
            conn
        })
    })
    .await;
    let mut events = events.unwrap();
    assert_eq!(soon(events.next()).await.unwrap().unwrap(), Event::Start { pid: 7 });
    client.close_idle_connections();
    idle.closed().await;
    assert!(busy.is_open());
    busy.send(chunk(HI)).await;
    assert_eq!(soon(events.next()).await.unwrap().unwrap(), Event::Stdout("hi".into()));
    busy.send([&chunk([END, END_STREAM].concat())[..], b"0\r\n\r\n"].concat()).await;
    assert!(matches!(soon(events.next()).await.unwrap().unwrap(), Event::End(_)));
    assert!(soon(events.next()).await.is_none());
    busy.closed().await;
}

#[tokio::test]
async fn a_call_that_waits_for_its_answer_survives_the_closing() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let call = tokio::spawn({
        let client = client.clone();
        async move { client.health().await }
    });
    let mut conn = peer.accept().await;
    conn.request().await;
    client.close_idle_connections();
    conn.send(OK).await;
    soon(call).await.unwrap().unwrap();
    conn.closed().await;
}

#[tokio::test]
async fn dropping_the_client_closes_its_connections() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let mut conn = connected(&peer, &client).await;
    drop(client);
    conn.closed().await;
}

#[tokio::test]
async fn streams_and_short_calls_do_not_share_connections() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let first = connected(&peer, &client).await;
    let (outcome, _second) = soon(async {
        tokio::join!(client.list(), async {
            let mut conn = peer.accept().await;
            conn.request().await;
            conn.send(whole("200 OK", "application/proto", "")).await;
            conn
        })
    })
    .await;
    assert_eq!(outcome.unwrap(), []);
    assert!(first.is_open());
}

/// The client has a connection that it believes in, and the guest resets it once a call is on it.
async fn lost(conn: &mut Option<Conn>) {
    let mut stale = conn.take().unwrap();
    stale.request().await;
    stale.reset();
}

#[tokio::test]
async fn a_call_that_a_kept_connection_loses_is_made_once_more_on_a_new_one() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let mut conn = Some(connected(&peer, &client).await);
    let (outcome, ()) = soon(async {
        tokio::join!(client.health(), async {
            lost(&mut conn).await;
            let mut fresh = peer.accept().await;
            fresh.request().await;
            fresh.send(OK).await;
        })
    })
    .await;
    outcome.unwrap();
}

#[tokio::test]
async fn a_call_is_made_no_third_time() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let mut conn = Some(connected(&peer, &client).await);
    let (outcome, ()) = soon(async {
        tokio::join!(client.health(), async {
            lost(&mut conn).await;
            lost(&mut Some(peer.accept().await)).await;
        })
    })
    .await;
    let error = outcome.unwrap_err();
    assert_eq!((error.blame(), error.retry()), (Blame::Network, Retry::Safe), "{error}");
}

#[tokio::test]
async fn what_may_not_be_done_twice_is_not_made_again() {
    let peer = Peer::bind().await;
    let client = peer.client();
    let mut conn = Some(connected(&peer, &client).await);
    let (outcome, ()) =
        soon(async { tokio::join!(client.make_dir("/x"), async { lost(&mut conn).await }) }).await;
    let error = outcome.unwrap_err();
    assert_eq!((error.blame(), error.retry()), (Blame::Network, Retry::Unsafe), "{error}");
}
