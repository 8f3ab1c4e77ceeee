//! The engine on data: cases of decisions, and AWS's signing vectors.

#[cfg(test)]
mod cases;
#[cfg(test)]
mod signing_suite;
