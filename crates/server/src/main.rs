//! bonded
fn main() {}
