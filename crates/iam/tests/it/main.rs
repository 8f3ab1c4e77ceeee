//! The engine on data: cases of decisions, its reference, and AWS's signing vectors.

#[cfg(test)]
mod agree;
#[cfg(test)]
mod allocations;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod signing_suite;
