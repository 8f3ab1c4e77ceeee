//! A reader that knows where it is.

use std::io::{self, BufRead, Read};

/// Counts the bytes that have been taken.
pub(crate) struct Counted<R> {
    input: R,
    at: u64,
}

impl<R> Counted<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input, at: 0 }
    }

    /// How many bytes have been taken.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }
}

impl<R: BufRead> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl<R: BufRead> BufRead for Counted<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.input.consume(amount);
        self.at += amount as u64;
    }
}
