//! Work that blocks.

use crate::error::{Result, StoreError};

/// Runs `work` on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.unwrap_or_else(|e| {
        Err(StoreError::Io {
            what: "a thread that writes objects ended".to_owned(),
            source: std::io::Error::other(e),
        })
    })
}
