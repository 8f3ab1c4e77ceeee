//! The pure scanner on data.

#[cfg(test)]
mod vercmp;
