//! The events that wait for one reader: a short queue that holds the process up when it is full, or a long one that
//! forgets the oldest. Which it is, is the guest's habit.

use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::mpsc::{self, error::TrySendError};

use super::output::Event;
use crate::guest::habits::Overflow;

/// How many events wait for one reader that holds the process up; with the largest chunks this is one mebibyte.
const WAITING: usize = 16;

/// The process's end.
#[derive(Debug, Clone)]
pub(super) enum Sender {
    Waits(mpsc::Sender<Event>),
    Forgets(broadcast::Sender<Event>),
}

/// The reader's end.
#[derive(Debug)]
pub(super) enum Receiver {
    Waits(mpsc::Receiver<Event>),
    Forgets(broadcast::Receiver<Event>),
}

pub(super) fn channel(overflow: Overflow) -> (Sender, Receiver) {
    match overflow {
        Overflow::Waits => {
            let (sender, receiver) = mpsc::channel(WAITING);
            (Sender::Waits(sender), Receiver::Waits(receiver))
        }
        Overflow::Forgets(most) => {
            let (sender, receiver) = broadcast::channel(most);
            (Sender::Forgets(sender), Receiver::Forgets(receiver))
        }
    }
}

impl Sender {
    pub(super) fn try_send(&self, event: Event) -> Result<(), TrySendError<Event>> {
        match self {
            Self::Waits(sender) => sender.try_send(event),
            Self::Forgets(sender) => {
                sender.send(event).map(drop).map_err(|error| TrySendError::Closed(error.0))
            }
        }
    }

    /// Whether the reader is still there to take it.
    pub(super) async fn send(&self, event: Event) -> bool {
        match self {
            Self::Waits(sender) => sender.send(event).await.is_ok(),
            Self::Forgets(sender) => sender.send(event).is_ok(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        match self {
            Self::Waits(sender) => sender.is_closed(),
            Self::Forgets(sender) => sender.receiver_count() == 0,
        }
    }
}

impl Receiver {
    /// `None` when nothing will come any more.
    pub(super) async fn recv(&mut self) -> Option<Event> {
        match self {
            Self::Waits(receiver) => receiver.recv().await,
            Self::Forgets(receiver) => loop {
                match receiver.recv().await {
                    Ok(event) => return Some(event),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            },
        }
    }
}
