//! The pipe of an export: whoever reads the events from the store writes here, and the asker gets them as they come.

use axum::body::Bytes;
use futures_util::{Stream, stream};
use std::io;
use tokio::sync::mpsc;

/// Bytes that are handed over at once.
const CHUNK_BYTES: usize = 64 << 10;
/// Chunks that may wait for a slow asker; then the writer waits too.
const CHUNKS_MAX: usize = 4;

#[derive(Debug)]
enum Piece {
    Bytes(Bytes),
    End,
}

/// The writing end. Must be used from a thread that may block, and ended with [`ExportSink::finish`]: one that is
/// merely dropped breaks the asker's download off, so that a cut export is never taken for a whole one.
#[derive(Debug)]
pub struct ExportSink {
    pieces: mpsc::Sender<Piece>,
    buffer: Vec<u8>,
}

/// The reading end.
#[derive(Debug)]
pub(crate) struct ExportSource(mpsc::Receiver<Piece>);

/// Both ends of an export.
pub(crate) fn export_pipe() -> (ExportSink, ExportSource) {
    let (pieces, source) = mpsc::channel(CHUNKS_MAX);
    (ExportSink { pieces, buffer: Vec::new() }, ExportSource(source))
}

impl ExportSink {
    /// Hands over what is left and ends the export well.
    ///
    /// # Errors
    /// The asker has gone.
    pub fn finish(mut self) -> io::Result<()> {
        self.hand_over()?;
        self.send(Piece::End)
    }

    fn hand_over(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = Bytes::from(std::mem::take(&mut self.buffer));
        self.send(Piece::Bytes(bytes))
    }

    fn send(&self, piece: Piece) -> io::Result<()> {
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "whoever asked for the export has gone");
        self.pieces.blocking_send(piece).map_err(gone)
    }
}

impl io::Write for ExportSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(CHUNK_BYTES);
        self.buffer.extend_from_slice(&bytes[..taken]);
        if self.buffer.len() >= CHUNK_BYTES {
            self.hand_over()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.hand_over()
    }
}

impl ExportSource {
    /// The chunks; an error at the end if the writer went away before its end.
    pub(crate) fn into_stream(self) -> impl Stream<Item = io::Result<Bytes>> {
        stream::unfold(Some(self.0), |source| async {
            let mut source = source?;
            match source.recv().await {
                Some(Piece::Bytes(bytes)) => Some((Ok(bytes), Some(source))),
                Some(Piece::End) => None,
                None => Some((Err(io::Error::other("the export was cut short")), None)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::TryStreamExt;
    use std::io::Write;

    async fn collect(source: ExportSource) -> io::Result<Vec<u8>> {
        source
            .into_stream()
            .try_fold(Vec::new(), |mut all, bytes| async move {
                Ok({
                    all.extend_from_slice(&bytes);
                    all
                })
            })
            .await
    }

    #[tokio::test]
    async fn an_export_larger_than_the_pipe_arrives_whole() {
        let (mut sink, source) = export_pipe();
        let data: Vec<u8> = (0..3_000_000u32).map(|number| number.to_le_bytes()[0]).collect();
        let sent = data.clone();
        let writer = std::thread::spawn(move || {
            sink.write_all(&sent).unwrap();
            sink.finish().unwrap();
        });
        assert_eq!(collect(source).await.unwrap(), data);
        writer.join().unwrap();
    }

    #[tokio::test]
    async fn an_export_that_was_cut_is_an_error_and_one_without_a_reader_ends() {
        let (mut sink, source) = export_pipe();
        std::thread::spawn(move || sink.write_all(b"half").unwrap());
        assert!(collect(source).await.is_err());
        let (mut sink, source) = export_pipe();
        drop(source);
        let result = std::thread::spawn(move || sink.write_all(&[0; 100_000])).join().unwrap();
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
