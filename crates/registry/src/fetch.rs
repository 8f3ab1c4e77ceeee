//! What the registry reads from other machines.

use futures_util::future::BoxFuture;

/// Fetches documents from other machines: the server's one outgoing client, which guards where it
/// connects to. Given at the start, because no HTTP type is known here.
pub trait Fetch: Send + Sync {
    /// The document at `url`, of at most `limit` bytes, within a time of its own; an error says
    /// for the log why there is none.
    fn fetch<'a>(
        &'a self,
        url: &'a str,
        limit: usize,
    ) -> BoxFuture<'a, std::result::Result<Vec<u8>, String>>;
}
