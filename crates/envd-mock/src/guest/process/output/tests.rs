//! What readers of a process get, over a hub without a process.

use super::*;
use crate::guest::habits::{Chunking, Overflow};
use crate::guest::mishap::MishapKind;
use crate::guest::mishap::tests::Told;
use crate::guest::process::Twist;
use tokio::io::AsyncWriteExt as _;

use crate::guest::config::UnreadOutput;
use crate::guest::process::Unread;

fn hub() -> Arc<Hub> {
    Arc::new(Hub::new(&Time::default(), Duration::from_secs(30), Habits::MEANT, None))
}

impl Hub {
    async fn read_all(&self, mut input: impl AsyncRead + Unpin, wrap: fn(Bytes) -> Chunk) {
        self.carry(&mut input, wrap, std::future::pending()).await;
    }
}

async fn all(mut subscription: Subscription) -> (usize, bool) {
    let mut bytes = 0;
    while let Some(event) = subscription.next().await {
        match event {
            Event::Data(Chunk::Stdout(data)) => bytes += data.len(),
            Event::Data(_) => {}
            Event::End(_) => return (bytes, true),
        }
    }
    (bytes, false)
}

fn end() -> End {
    End { exit_code: 0, exited: true, status: "exit status: 0".into() }
}

#[tokio::test]
async fn every_reader_gets_every_byte_and_the_end() {
    let hub = hub();
    let readers = [hub.subscribe().unwrap(), hub.subscribe().unwrap()].map(|one| tokio::spawn(all(one)));
    hub.read_all(tokio::io::repeat(7).take(10_000_000), Chunk::Stdout).await;
    hub.close(Some(end())).await;
    for reader in readers {
        assert_eq!(reader.await.unwrap(), (10_000_000, true));
    }
}

#[tokio::test]
async fn with_nobody_there_output_is_drained() {
    hub().read_all(tokio::io::repeat(7).take(10_000_000), Chunk::Stdout).await;
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_takes_nothing_loses_its_stream_and_the_rest_goes_on() {
    let hub = hub();
    let mut idle = hub.subscribe().unwrap();
    let live = tokio::spawn(all(hub.subscribe().unwrap()));
    hub.read_all(tokio::io::repeat(7).take(10_000_000), Chunk::Stdout).await;
    hub.close(Some(end())).await;
    assert_eq!(live.await.unwrap(), (10_000_000, true));
    while idle.next().await.is_some() {}
    assert!(idle.stalled());
}

fn twisted(twist: Twist) -> (Arc<Hub>, Told) {
    let told = Told::default();
    let mishap = told.mishap(MishapKind::Process(twist));
    (Arc::new(Hub::new(&Time::default(), Duration::from_secs(30), Habits::MEANT, Some(&mishap))), told)
}

#[tokio::test]
async fn a_lost_end_leaves_the_stream_open_and_silent() {
    let (hub, told) = twisted(Twist::EndLost);
    let mut reader = hub.subscribe().unwrap();
    hub.read_all(&b"last words"[..], Chunk::Stdout).await;
    hub.close(Some(end())).await;
    assert_eq!(reader.next().await, Some(Event::Data(Chunk::Stdout("last words".into()))));
    assert_eq!(futures::FutureExt::now_or_never(reader.next()), None);
    assert!(hub.subscribe().is_none());
    assert_eq!(told.words(), ["the end (exit status: 0) was not told"]);
}

#[tokio::test]
async fn a_lost_end_is_not_silent_once_the_guest_is_gone() {
    let (hub, _) = twisted(Twist::EndLost);
    let mut reader = hub.subscribe().unwrap();
    hub.close(None).await;
    assert_eq!(reader.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_not_told_of_the_start_yet_is_not_given_up() {
    let (hub, told) = twisted(Twist::StartLate(Duration::from_secs(35)));
    let (mut reader, before) = (hub.subscribe().unwrap(), tokio::time::Instant::now());
    let pumping = tokio::spawn(async move {
        hub.read_all(tokio::io::repeat(7).take(10_000_000), Chunk::Stdout).await;
        hub.close(Some(end())).await;
    });
    reader.begun().await;
    assert!(before.elapsed() >= Duration::from_secs(35));
    assert_eq!(all(reader).await, (10_000_000, true));
    pumping.await.unwrap();
    assert_eq!(told.words(), ["the start was told 35s late"]);
}

#[tokio::test]
async fn every_reader_sees_the_same_mishap() {
    let (hub, _) = twisted(Twist::Lost { from: 10, size: 1_000_000 });
    let readers = [hub.subscribe().unwrap(), hub.subscribe().unwrap()].map(|one| tokio::spawn(all(one)));
    hub.read_all(tokio::io::repeat(7).take(3_000_000), Chunk::Stdout).await;
    hub.close(Some(end())).await;
    for reader in readers {
        assert_eq!(reader.await.unwrap(), (2_000_000, true));
    }
}

fn with(habits: Habits) -> Arc<Hub> {
    Arc::new(Hub::new(&Time::default(), Duration::from_secs(30), habits, None))
}

#[tokio::test]
async fn a_later_reader_gets_what_is_kept_and_then_what_comes() {
    let hub = with(Habits { replay: 8, ..Habits::MEANT });
    for chunk in ["first", "second", "3"] {
        hub.publish(Chunk::Stdout(chunk.into())).await;
    }
    let mut reader = hub.subscribe().unwrap();
    hub.publish(Chunk::Stderr("live".into())).await;
    hub.close(Some(end())).await;
    for expected in [Chunk::Stdout("second".into()), Chunk::Stdout("3".into()), Chunk::Stderr("live".into())]
    {
        assert_eq!(reader.next().await, Some(Event::Data(expected)));
    }
    assert_eq!(reader.next().await, Some(Event::End(end())));
}

#[tokio::test]
async fn a_forgetful_queue_loses_the_oldest_and_nobody_waits() {
    let hub = with(Habits { overflow: Overflow::Forgets(4), ..Habits::MEANT });
    let mut reader = hub.subscribe().unwrap();
    for n in 0..10u8 {
        hub.publish(Chunk::Stdout(vec![n].into())).await;
    }
    hub.close(Some(end())).await;
    for n in 7..10u8 {
        assert_eq!(reader.next().await, Some(Event::Data(Chunk::Stdout(vec![n].into()))));
    }
    assert_eq!(reader.next().await, Some(Event::End(end())));
    assert_eq!((reader.next().await, reader.stalled()), (None, false));
}

#[tokio::test]
async fn a_reader_that_comes_late_misses_the_first_chunk() {
    let hub = hub();
    let mut reader = hub.subscribe().unwrap();
    reader.miss_first();
    hub.read_all(&b"first"[..], Chunk::Stdout).await;
    hub.read_all(&b"second"[..], Chunk::Stdout).await;
    assert_eq!(reader.next().await, Some(Event::Data(Chunk::Stdout("second".into()))));
}

#[tokio::test(start_paused = true)]
async fn what_comes_within_a_moment_goes_out_as_one() {
    let gather = Duration::from_millis(4);
    let hub = with(Habits { chunking: Chunking { gather, ..Habits::MEANT.chunking }, ..Habits::MEANT });
    let mut reader = hub.subscribe().unwrap();
    let (mut writer, input) = tokio::io::duplex(1 << 20);
    let pumping = tokio::spawn(async move { hub.read_all(input, Chunk::Stdout).await });
    for (text, pause) in [(&b"a"[..], 3), (b"b", 10), (b"c", 0)] {
        writer.write_all(text).await.unwrap();
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    drop(writer);
    for expected in ["ab", "c"] {
        assert_eq!(reader.next().await, Some(Event::Data(Chunk::Stdout(expected.into()))));
    }
    pumping.await.unwrap();
}

#[tokio::test]
async fn nobody_joins_after_the_end() {
    let hub = hub();
    hub.close(Some(end())).await;
    assert!(hub.subscribe().is_none());
}

#[tokio::test]
async fn a_process_that_is_to_wait_for_readers_loses_nothing_that_nobody_read() {
    let unread = Arc::new(Unread::new(UnreadOutput::Pause));
    let hub = Arc::new(
        Hub::new(&Time::default(), Duration::from_secs(30), Habits::MEANT, None).leaving_unread(&unread),
    );
    let (mut process, pipe) = tokio::io::duplex(1024);
    let pump = tokio::spawn({
        let hub = Arc::clone(&hub);
        async move { hub.read_all(pipe, Chunk::Stdout).await }
    });
    let writer = tokio::spawn(async move { process.write_all(&[b'x'; 100_000]).await });
    // As far as it comes without a reader: it does not end.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert!(!writer.is_finished() && !pump.is_finished());
    let reader = tokio::spawn(all(hub.subscribe().unwrap()));
    writer.await.unwrap().unwrap();
    pump.await.unwrap();
    hub.close(None).await;
    assert_eq!(reader.await.unwrap().0, 100_000);
}

#[tokio::test]
async fn output_that_nobody_reads_is_discarded_to_its_end() {
    let hub = hub();
    let (mut process, pipe) = tokio::io::duplex(1024);
    let writer = tokio::spawn(async move { process.write_all(&[b'x'; 1_000_000]).await });
    hub.read_all(pipe, Chunk::Stdout).await;
    writer.await.unwrap().unwrap();
}

/// A kill ends the wait for a reader: nothing that waits for the process may wait for somebody to read it.
#[tokio::test]
async fn a_killed_process_does_not_wait_for_readers() {
    let unread = Arc::new(Unread::new(UnreadOutput::Pause));
    let hub =
        Hub::new(&Time::default(), Duration::from_secs(30), Habits::MEANT, None).leaving_unread(&unread);
    let (killed, cut) = tokio::sync::oneshot::channel::<()>();
    let cut = async move { drop(cut.await) };
    let mut input = tokio::io::repeat(7);
    let carry = hub.carry(&mut input, Chunk::Stdout, cut);
    tokio::pin!(carry);
    assert!(futures::poll!(carry.as_mut()).is_pending());
    killed.send(()).unwrap();
    carry.await;
}
