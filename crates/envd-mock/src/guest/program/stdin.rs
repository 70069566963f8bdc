//! The standard input of a program: what its reading steps take. Nothing is taken that no step asks for, so that what is
//! left stays in the pipe.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::model::Read;

/// How much of what was read is kept, in bytes.
const KEPT: usize = 64 << 10;
/// What a terminal's user types to end the input.
const END_OF_INPUT: u8 = 4;

/// Where a program reads from.
pub(crate) struct Stdin {
    source: Box<dyn AsyncRead + Send + Sync + Unpin>,
    /// On a terminal a carriage return ends a line too, and Ctrl+D the input.
    terminal: bool,
}

impl std::fmt::Debug for Stdin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stdin").field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

impl Stdin {
    /// Nothing to read, as from /dev/null.
    pub(crate) fn empty() -> Self {
        Self { source: Box::new(tokio::io::empty()), terminal: false }
    }

    pub(crate) fn new(source: impl AsyncRead + Send + Sync + Unpin + 'static, terminal: bool) -> Self {
        Self { source: Box::new(source), terminal }
    }

    /// Takes what `read` asks for, and gives the first of it.
    pub(super) async fn take(&mut self, read: &Read) -> Vec<u8> {
        match read {
            Read::Line => self.line().await,
            Read::Bytes(count) => self.bytes(*count, KEPT).await,
            Read::ToEnd => self.bytes(u64::MAX, KEPT).await,
            Read::Expect(bytes) => self.bytes(bytes.len() as u64, bytes.len()).await,
        }
    }

    /// Byte by byte, as a shell's `read` does.
    async fn line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        while let Ok(byte) = self.source.read_u8().await {
            let ends = byte == b'\n' || (self.terminal && matches!(byte, b'\r' | END_OF_INPUT));
            if ends {
                break;
            }
            if line.len() < KEPT {
                line.push(byte);
            }
        }
        line
    }

    async fn bytes(&mut self, mut left: u64, kept: usize) -> Vec<u8> {
        let (mut all, mut buffer) = (Vec::new(), vec![0; 8192]);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let Ok(read @ 1..) = self.read(&mut buffer[..most]).await else { break };
            let end = buffer[..read].iter().position(|&byte| self.terminal && byte == END_OF_INPUT);
            let taken = &buffer[..end.unwrap_or(read)];
            all.extend_from_slice(&taken[..taken.len().min(kept - all.len())]);
            if end.is_some() {
                break;
            }
            left -= read as u64;
        }
        all
    }

    /// On a terminal byte by byte, so that what is typed behind the end stays.
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = if self.terminal { 1 } else { buffer.len() };
        self.source.read(&mut buffer[..most]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn reading_steps_take_what_they_ask_for() {
        let mut stdin = Stdin::new(&b"one\n\ntwo!rest"[..], false);
        for (read, expected) in [
            (Read::Line, "one"),
            (Read::Line, ""),
            (Read::Bytes(3), "two"),
            (Read::Expect(b"?".to_vec()), "!"),
            (Read::ToEnd, "rest"),
            (Read::Line, ""),
            (Read::Bytes(5), ""),
        ] {
            assert_eq!(stdin.take(&read).await, expected.as_bytes(), "{read:?}");
        }
    }

    #[tokio::test]
    async fn only_the_first_of_much_input_is_kept() {
        let mut stdin = Stdin::new(tokio::io::repeat(b'x').take(1_000_000), false);
        assert_eq!(stdin.take(&Read::Bytes(900_000)).await.len(), KEPT);
        assert_eq!(stdin.take(&Read::Line).await.len(), KEPT);
        assert_eq!(stdin.take(&Read::ToEnd).await.len(), 0);
    }

    #[tokio::test]
    async fn on_a_terminal_ctrl_d_ends_the_input_for_one_step() {
        let mut stdin = Stdin::new(&b"typed\rab\x04more\n"[..], true);
        assert_eq!(stdin.take(&Read::Line).await, b"typed");
        assert_eq!(stdin.take(&Read::ToEnd).await, b"ab");
        assert_eq!(stdin.take(&Read::Line).await, b"more");
    }
}
