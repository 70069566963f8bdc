//! Plays a program: step by step, on the mock's clock, until it ends or a signal ends it. Knows its outlet and its
//! input by what they do, and no process.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

use super::asked::{Asked, Known};
use super::content::{Content, Template};
use super::model::{Finish, Read, Step, Stream};
use super::stdin::Stdin;
use crate::guest::tree::{Owner, Tree};
use crate::time::Time;

/// Where output goes.
pub(crate) trait Outlet: Sync {
    /// Returns when the chunk has been taken, or when it is clear that nobody takes it.
    fn say(&self, stream: Stream, chunk: Bytes) -> impl Future<Output = ()> + Send;
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Code(i32),
    Signal(i32),
}

/// What a program is played on.
#[derive(Debug)]
pub(crate) struct Stage<O> {
    pub(crate) name: String,
    pub(crate) asked: Asked,
    pub(crate) owner: Owner,
    pub(crate) outlet: O,
    pub(crate) stdin: Stdin,
    pub(crate) time: Time,
    pub(crate) tree: Arc<Tree>,
    /// The signal that ends it, once there is one.
    pub(crate) signals: watch::Receiver<Option<i32>>,
}

impl<O: Outlet> Stage<O> {
    /// Does all of the steps.
    ///
    /// # Errors
    /// How it ended, if it did not come through.
    pub(crate) async fn play(&mut self, steps: &[Step]) -> Result<(), Ending> {
        let mut read = Vec::new();
        for step in steps {
            match step {
                Step::Say { stream, content, repeat } => {
                    let chunk = self.fill(content, &read);
                    self.say(*stream, &chunk, *repeat).await?;
                }
                Step::Wait(time) => {
                    let clock = self.time.clone();
                    unless(&mut self.signals, clock.sleep(*time)).await?;
                }
                Step::Read(how) => {
                    read = unless(&mut self.signals, self.stdin.take(how)).await?;
                    self.check(how, &read).await?;
                }
                Step::Write { path, content, mode } => self.write(path, content, *mode, &read).await?,
            }
        }
        Ok(())
    }

    /// How it ends after its last step.
    pub(crate) async fn finish(&mut self, finish: Finish) -> Ending {
        match finish {
            Finish::Exit(code) => Ending::Code(code),
            Finish::Signal(signal) => Ending::Signal(signal),
            Finish::Hang => match unless(&mut self.signals, std::future::pending()).await {
                Ok(never) => never,
                Err(ending) => ending,
            },
        }
    }

    fn fill(&self, content: &Content, stdin: &[u8]) -> Bytes {
        content.fill(&Known { asked: &self.asked, stdin })
    }

    /// A chunk that is under way comes through whatever signal there is, as from a pipe.
    async fn say(&mut self, stream: Stream, chunk: &Bytes, repeat: u64) -> Result<(), Ending> {
        for _ in 0..repeat {
            let signal = *self.signals.borrow();
            if let Some(signal) = signal {
                return Err(Ending::Signal(signal));
            }
            if !chunk.is_empty() {
                self.outlet.say(stream, chunk.clone()).await;
            }
            tokio::task::consume_budget().await;
        }
        Ok(())
    }

    async fn check(&mut self, how: &Read, read: &[u8]) -> Result<(), Ending> {
        match how {
            Read::Expect(expected) if expected != read => {
                let (expected, got) = (String::from_utf8_lossy(expected), String::from_utf8_lossy(read));
                self.fail(format!("expected {expected:?} on standard input, got {got:?}")).await
            }
            _ => Ok(()),
        }
    }

    async fn write(
        &mut self,
        path: &Template,
        content: &Content,
        mode: Option<u32>,
        read: &[u8],
    ) -> Result<(), Ending> {
        let path = path.fill(&Known { asked: &self.asked, stdin: read });
        let path = absolute(&self.asked.cwd, &String::from_utf8_lossy(&path));
        let (tree, owner, content) = (Arc::clone(&self.tree), self.owner, self.fill(content, read));
        let file = path.clone();
        let written = tokio::task::spawn_blocking(move || {
            tree.write_file(&file, &content, owner)?;
            mode.map_or(Ok(()), |mode| tree.set_mode(&file, mode))
        });
        let written = written.await.unwrap_or_else(|panic| Err(std::io::Error::other(panic)));
        match written {
            Ok(()) => Ok(()),
            Err(error) => self.fail(format!("{path}: {error}")).await,
        }
    }

    /// Tells what went wrong, and leaves with 1.
    async fn fail(&mut self, text: String) -> Result<(), Ending> {
        let line = format!("{}: {text}\n", self.name);
        self.say(Stream::Err, &line.into(), 1).await?;
        Err(Ending::Code(1))
    }
}

/// Waits for `future`, unless a signal comes first.
async fn unless<T>(
    signals: &mut watch::Receiver<Option<i32>>,
    future: impl Future<Output = T>,
) -> Result<T, Ending> {
    let signal = async {
        let came = signals.wait_for(Option::is_some).await.ok().and_then(|signal| *signal);
        match came {
            Some(signal) => signal,
            // Nobody is left who could send one.
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        signal = signal => Err(Ending::Signal(signal)),
        done = future => Ok(done),
    }
}

fn absolute(cwd: &str, path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("{}/{path}", cwd.trim_end_matches('/')) }
}

#[cfg(test)]
mod tests;
