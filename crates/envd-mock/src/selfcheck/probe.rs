//! One look at a mock over bare sockets: does what a probe says and writes down what comes. Judges nothing.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::ask::{Ask, Content};
use super::row::{Before, Early, End, First, Probe, Protocol, Rest, Send, Then, Writes};
use super::seen::Seen;
use super::wire::{Answer, Buffers, Peer, Which, WireEnd};

/// For anything that is due.
pub(crate) const PATIENCE: Duration = Duration::from_secs(8);
/// For what is not to come.
pub(crate) const QUIET: Duration = Duration::from_millis(150);
/// Between two attempts.
const BEAT: Duration = Duration::from_millis(2);
const NOISE: usize = 2 << 20;
/// The call beside or behind the one that is looked at.
const OTHER: Ask = Ask::new("POST /filesystem.Filesystem/ListDir", Content::Json("{\"path\":\"/\"}"));

/// Where to look, and for how long.
pub(crate) struct Look<'l, D> {
    pub(crate) address: SocketAddr,
    pub(crate) protocol: Protocol,
    /// The answer is to stay open.
    pub(crate) open: bool,
    /// For a write that does not get on, before it is said to wait.
    pub(crate) stuck: Duration,
    /// For what becomes of the connection.
    pub(crate) rest: Duration,
    /// Which request of its kind this is.
    pub(crate) n: u64,
    /// Resolves once the fault was done.
    pub(crate) done: &'l D,
}

impl<D: AsyncFn()> Look<'_, D> {
    /// Does what the probe says.
    pub(crate) async fn see(&self, probe: &Probe) -> io::Result<Seen> {
        let began = std::time::Instant::now();
        for before in probe.before {
            self.before(before).await?;
        }
        let small = matches!(probe.send, Send::Flood | Send::Noise | Send::Deaf);
        let buffers = if small { Buffers::Small } else { Buffers::Usual };
        let mut peer = match Peer::open(self.address, self.protocol, buffers, self.stuck).await {
            Ok(peer) => peer,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                return Ok(nothing(First::Refused));
            }
            // Accepted, and reset before it could be used.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(nothing(First::Rst)),
            Err(error) => return Err(error),
        };
        let first = if probe.look_first { self.first(&mut peer).await } else { First::Nothing };
        if self.protocol == Protocol::Http2 && probe.then == Then::Call {
            peer.begin(Which::Other, &OTHER.call(self.n)).await;
        }
        let (early, writes) = self.ask(&mut peer, probe).await;
        if probe.send == Send::Deaf || self.open {
            (self.done)().await;
        }
        let over = |peer: &Peer| peer.answer(Which::Main).is_over() || peer.end().is_some();
        peer.until(Instant::now() + if self.open { QUIET } else { PATIENCE }, over).await;
        let answer = peer.answer(Which::Main).clone();
        let end = end(&answer, peer.end());
        let left = Instant::now();
        let (rest, anew) = self.rest(&mut peer, probe, end).await?;
        let since = |from: std::time::Instant, to: Option<std::time::Instant>| {
            to.map_or(Duration::ZERO, |to| to.saturating_duration_since(from))
        };
        let head_after = since(began, answer.head_at);
        let end_after = since(began, answer.last_at);
        Ok(Seen {
            first,
            early,
            writes,
            end,
            rest,
            anew,
            max_streams: peer.max_streams(),
            received: peer.received(),
            segments: peer.segments(),
            head_after,
            end_after,
            close_after: left.elapsed(),
            answer,
        })
    }

    async fn before(&self, before: &Before) -> io::Result<()> {
        match before {
            Before::Call(ask) => drop(self.whole(ask).await?),
            Before::While(ask, text, most) => {
                let until = Instant::now() + Duration::from_millis(*most);
                while self.whole(ask).await?.contains(text) && Instant::now() < until {
                    tokio::time::sleep(BEAT).await;
                }
            }
            Before::Left(ask) => {
                let mut peer = self.begun(ask).await?;
                let some = |peer: &Peer| !peer.answer(Which::Main).body.is_empty();
                peer.until(Instant::now() + PATIENCE, some).await;
            }
        }
        Ok(())
    }

    async fn begun(&self, ask: &Ask) -> io::Result<Peer> {
        let mut peer = Peer::open(self.address, self.protocol, Buffers::Usual, self.stuck).await?;
        let call = ask.call(self.n);
        peer.begin(Which::Main, &call).await;
        peer.body(Which::Main, &call.body, true).await;
        Ok(peer)
    }

    /// The body of the answer to a call on a connection of its own.
    async fn whole(&self, ask: &Ask) -> io::Result<String> {
        let mut peer = self.begun(ask).await?;
        let over = |peer: &Peer| peer.answer(Which::Main).is_over() || peer.end().is_some();
        peer.until(Instant::now() + PATIENCE, over).await;
        let answer = peer.answer(Which::Main);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        if answer.whole { Ok(text) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    async fn first(&self, peer: &mut Peer) -> First {
        peer.until(Instant::now() + QUIET, |peer| peer.end().is_some()).await;
        match peer.end() {
            None => First::Nothing,
            Some(WireEnd::Fin) => First::Fin,
            Some(WireEnd::Rst) => First::Rst,
        }
    }

    /// Sends the request; what comes meanwhile, and whether it is taken.
    async fn ask(&self, peer: &mut Peer, probe: &Probe) -> (Early, Writes) {
        let call = probe.ask.call(self.n);
        peer.begin(Which::Main, &call).await;
        let noisy = probe.send == Send::Noise && self.protocol == Protocol::Http2;
        let quiet = if noisy { peer.noise(NOISE).await } else { true };
        if noisy {
            // The noise has told whether bytes are taken; that no window opens for the rest is soon known.
            peer.stuck_after(QUIET);
        }
        let (mut early, mut left) = (Early::Nothing, call.body.as_slice());
        if let Send::Held(size) = probe.send {
            let (part, rest) = left.split_at(size.min(left.len()));
            left = rest;
            peer.body(Which::Main, part, false).await;
            early = self.early(peer).await;
        }
        let taken = peer.body(Which::Main, left, true).await;
        let taken = if noisy { quiet } else { taken };
        (early, if taken { Writes::Taken } else { Writes::Wait })
    }

    async fn early(&self, peer: &mut Peer) -> Early {
        let what = |peer: &Peer| {
            let answer = peer.answer(Which::Main);
            match () {
                () if answer.status.is_some() => Early::Answer,
                () if answer.continued => Early::Continue,
                () if peer.end().is_some() || answer.reset.is_some() => Early::End,
                () if peer.went_away() => Early::Goaway,
                () => Early::Nothing,
            }
        };
        peer.until(Instant::now() + QUIET, |peer| what(peer) != Early::Nothing).await;
        what(peer)
    }

    async fn rest(&self, peer: &mut Peer, probe: &Probe, end: End) -> io::Result<(Rest, Option<String>)> {
        Ok(match probe.then {
            Then::Call => (self.other(peer, end).await, None),
            Then::Leave => {
                peer.leave().await;
                peer.until(Instant::now() + PATIENCE, |peer| peer.end().is_some()).await;
                (of_end(peer), None)
            }
            Then::Wait => {
                peer.until(Instant::now() + self.rest, |peer| peer.end().is_some()).await;
                (of_end(peer), None)
            }
            Then::Anew(ask) => {
                let (refused, text) = self.anew(&ask).await?;
                (if refused { Rest::Back("") } else { Rest::Answers }, Some(text))
            }
        })
    }

    /// The other call of the connection.
    async fn other(&self, peer: &mut Peer, end: End) -> Rest {
        let call = OTHER.call(self.n);
        if self.protocol == Protocol::Http1 {
            let closes = peer.answer(Which::Main).header("connection") == Some("close");
            if !matches!(end, End::Whole | End::Open) || closes {
                peer.until(Instant::now() + self.rest, |peer| peer.end().is_some()).await;
                return of_end(peer);
            }
            peer.begin(Which::Other, &call).await;
        }
        peer.body(Which::Other, &call.body, true).await;
        let over = |peer: &Peer| peer.answer(Which::Other).whole || peer.end().is_some();
        peer.until(Instant::now() + self.rest, over).await;
        if peer.answer(Which::Other).status != Some(200) || !peer.answer(Which::Other).whole {
            return of_end(peer);
        }
        if peer.went_away() {
            peer.until(Instant::now() + self.rest, |peer| peer.end().is_some()).await;
        }
        let gone = peer.went_away() && peer.end() == Some(WireEnd::Fin);
        if gone { Rest::GoesAway } else { Rest::Answers }
    }

    /// A call on a new connection, and whether one was refused before.
    async fn anew(&self, ask: &Ask) -> io::Result<(bool, String)> {
        let (until, mut refused) = (Instant::now() + PATIENCE, false);
        loop {
            match self.whole(ask).await {
                Ok(text) => return Ok((refused, text)),
                Err(error) if Instant::now() >= until => return Err(error),
                Err(error) => refused |= error.kind() == io::ErrorKind::ConnectionRefused,
            }
            tokio::time::sleep(BEAT).await;
        }
    }
}

fn end(answer: &Answer, wire: Option<WireEnd>) -> End {
    match (answer.whole, answer.reset, wire) {
        (true, ..) => End::Whole,
        (_, Some(code), _) => End::RstStream(code),
        (_, _, Some(WireEnd::Fin)) => End::Fin,
        (_, _, Some(WireEnd::Rst)) => End::Rst,
        _ => End::Open,
    }
}

fn of_end(peer: &Peer) -> Rest {
    match peer.end() {
        Some(WireEnd::Fin) => Rest::Fin,
        Some(WireEnd::Rst) => Rest::Rst,
        None => Rest::Silent,
    }
}

fn nothing(first: First) -> Seen {
    Seen {
        first,
        early: Early::Nothing,
        writes: Writes::Taken,
        answer: Answer::default(),
        end: End::Open,
        rest: Rest::Silent,
        anew: None,
        max_streams: None,
        received: 0,
        segments: None,
        head_after: Duration::ZERO,
        end_after: Duration::ZERO,
        close_after: Duration::ZERO,
    }
}
