//! The last stage before the connection: faults at a byte of the body, and its pace. Pure: bytes in, steps out.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::act::{Act, Acts, Break};
use crate::fault::{CallFault, ChosenCall};

/// Where the body is and what is planned for it.
#[derive(Debug, Default)]
pub(super) struct ByteStage {
    /// By byte, the first one last.
    points: Vec<(u64, ChosenCall)>,
    pub(super) passed: u64,
    slow: Option<u64>,
    slice: Option<(usize, Duration)>,
    /// A slice has gone out.
    begun: bool,
    coalesce: Option<(usize, BytesMut)>,
    /// Nothing more will come.
    pub(super) over: bool,
}

impl ByteStage {
    pub(super) fn new(mut points: Vec<(u64, ChosenCall)>) -> Self {
        // Stable, so that rules keep their order at one byte.
        points.reverse();
        points.sort_by_key(|(byte, _)| std::cmp::Reverse(*byte));
        Self { points, ..Self::default() }
    }

    /// Passes bytes on, up to the point where something else is planned.
    pub(super) fn bytes(&mut self, mut bytes: Bytes, out: &mut Acts) {
        self.reached(out);
        while !self.over && !bytes.is_empty() {
            let room = self.points.last().map_or(u64::MAX, |(byte, _)| byte - self.passed);
            let room = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
            let mut piece = bytes.split_to(room);
            if piece.is_empty() {
                piece = self.changed(bytes.split_to(1), out);
            }
            self.passed += piece.len() as u64;
            self.emit(piece, out);
            self.reached(out);
        }
    }

    /// The byte that is here, with what is planned for itself done to it.
    fn changed(&mut self, piece: Bytes, out: &mut Acts) -> Bytes {
        let Some((_, chosen)) = self.points.pop() else { return piece };
        let CallFault::Flip { bit } = chosen.rule().fault else { return piece };
        let bit = bit.unwrap_or(0);
        out.push_back(Act::Done(chosen, format!("bit {bit} of byte {} flipped", self.passed), None));
        Bytes::copy_from_slice(&[piece[0] ^ (1 << bit)])
    }

    /// Does what is planned for the place that has been reached; a flip waits for its byte.
    fn reached(&mut self, out: &mut Acts) {
        while let Some((byte, chosen)) = self.points.last() {
            if self.over || *byte > self.passed || matches!(chosen.rule().fault, CallFault::Flip { .. }) {
                return;
            }
            if let Some((_, chosen)) = self.points.pop() {
                self.act(chosen, None, out);
            }
        }
    }

    /// Does what a fault says, here.
    pub(super) fn act(&mut self, chosen: ChosenCall, envelope: Option<u64>, out: &mut Acts) {
        let at = self.passed;
        let by = match &chosen.rule().fault {
            CallFault::Cut {} => Some(Break::Cut),
            CallFault::Abort {} => Some(Break::Abort),
            CallFault::Reset {} => Some(Break::Reset),
            CallFault::Stall {} => Some(Break::Stall),
            CallFault::Crash { .. } => Some(Break::Crash),
            _ => None,
        };
        if let Some(by) = by {
            self.flush(out);
            self.over = true;
            out.push_back(Act::Break(by, chosen, envelope));
            return;
        }
        let what = match &chosen.rule().fault {
            CallFault::Delay { time } => {
                self.flush(out);
                let time = chosen.key.wait(time);
                out.push_back(Act::Sleep(time));
                format!("delayed by {time:?} at byte {at}")
            }
            CallFault::Slow { rate } => {
                self.slow = Some(rate.0);
                format!("{} bytes a second from byte {at}", rate.0)
            }
            CallFault::Slice { size, gap } => {
                let size = usize::try_from(size.0).unwrap_or(usize::MAX).max(1);
                self.slice = Some((size, gap.unwrap_or_default()));
                format!("pieces of {size} bytes from byte {at}")
            }
            CallFault::Coalesce { size } => {
                let most = size.map_or(usize::MAX, |size| usize::try_from(size.0).unwrap_or(usize::MAX));
                self.coalesce = Some((most, BytesMut::new()));
                format!("held back from byte {at}")
            }
            _ => return,
        };
        out.push_back(Act::Done(chosen, what, envelope));
    }

    /// The end of what there is.
    pub(super) fn end(&mut self, out: &mut Acts) {
        self.reached(out);
        self.flush(out);
    }

    fn flush(&mut self, out: &mut Acts) {
        if let Some((_, held)) = &mut self.coalesce {
            let held = held.split().freeze();
            self.paced(held, out);
        }
    }

    fn emit(&mut self, piece: Bytes, out: &mut Acts) {
        let Some((most, held)) = &mut self.coalesce else { return self.paced(piece, out) };
        held.extend_from_slice(&piece);
        if held.len() >= *most {
            self.flush(out);
        }
    }

    fn paced(&mut self, mut piece: Bytes, out: &mut Acts) {
        // A tenth of a second's worth at a time is slow enough to be seen and costs little.
        let by_rate =
            self.slow.map(|rate| usize::try_from((rate / 10).clamp(1, 64 << 10)).unwrap_or(usize::MAX));
        let most = match (self.slice, by_rate) {
            (Some((size, _)), Some(rate)) => size.min(rate),
            (Some((size, _)), None) => size,
            (None, Some(rate)) => rate,
            (None, None) => usize::MAX,
        };
        while !piece.is_empty() {
            let part = piece.split_to(most.min(piece.len()));
            let pause = self
                .slow
                .map_or(Duration::ZERO, |rate| Duration::from_secs_f64(part.len() as f64 / rate as f64));
            let gap = self.slice.filter(|_| self.begun).map_or(Duration::ZERO, |(_, gap)| gap);
            // Before the part, so that no more than the rate has come at any time.
            if !(pause + gap).is_zero() {
                out.push_back(Act::Sleep(pause + gap));
            }
            self.begun |= self.slice.is_some();
            out.push_back(Act::Bytes(part));
        }
    }
}
