//! A data directory of one server: its lock, and the socket that the operator finds in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use super::{OperatorError, socket};
use crate::files;

/// A data directory that no other server uses while this lives.
pub(crate) struct Claim {
    socket: PathBuf,
    _lock: File,
}

impl Claim {
    /// Claims the directory `data`, which exists.
    ///
    /// # Errors
    /// [`OperatorError::InUse`], or the lock cannot be made.
    pub(crate) fn take(data: &Path) -> Result<Self, OperatorError> {
        let path = data.join("operator.lock");
        let failed = |source| OperatorError::File {
            path: path.clone(),
            source,
        };
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        let lock = options.mode(files::PRIVATE).open(&path).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                socket: socket(data),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(OperatorError::InUse(data.to_owned())),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Makes the socket, in place of one that a server before left behind.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn listen(&self) -> Result<UnixListener, OperatorError> {
        let failed = |source| OperatorError::File {
            path: self.socket.clone(),
            source,
        };
        match fs::remove_file(&self.socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&self.socket).map_err(failed)?;
        let owner_only = fs::Permissions::from_mode(files::PRIVATE);
        fs::set_permissions(&self.socket, owner_only).map_err(failed)?;
        Ok(listener)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // What stays behind is replaced by the next server.
        let _ = fs::remove_file(&self.socket);
    }
}
