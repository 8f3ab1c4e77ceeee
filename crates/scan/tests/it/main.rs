//! The pure scanner on data.

#[cfg(test)]
mod expected;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod rpm;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod vercmp;
