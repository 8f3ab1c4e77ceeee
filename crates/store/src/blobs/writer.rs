//! Writing an object: hash, cut into frames, encrypt, write in pieces of 256 KiB.

use std::fs::File;
use std::os::unix::fs::FileExt;

use aws_lc_rs::aead::LessSafeKey;
use bonded_model::{Algorithm, Digest};
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::ObjectId;
use super::frame::{FRAME, FRAMES_AT_ONCE, Header, SEALED_FRAME, offset, seal, unseal};
use crate::error::{Result, StoreError};
use crate::keys::OVERHEAD;

/// An object that is being written. Whether a frame is the last one is known only when the object
/// ends, so up to one frame is held back.
pub(crate) struct ObjectWriter {
    file: File,
    object: ObjectId,
    key: LessSafeKey,
    sha256: Sha256,
    /// Plain bytes taken.
    size: u64,
    /// Frames sealed, written or not.
    frames: u64,
    /// The last plain bytes, not sealed yet.
    tail: Zeroizing<Vec<u8>>,
    /// Sealed frames, not written yet.
    out: Vec<u8>,
    /// Where `out` goes.
    position: u64,
    /// A write failed: what is on disk is unknown.
    broken: bool,
}

/// What must be kept to go on with an object later.
pub(crate) struct WriterState {
    /// Plain bytes taken.
    pub(crate) size: u64,
    sha256: Zeroizing<Vec<u8>>,
    tail: Zeroizing<Vec<u8>>,
}

impl WriterState {
    /// The state as bytes, to be sealed.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let length = 8 + self.sha256.len() + self.tail.len();
        let mut out = Zeroizing::new(Vec::with_capacity(length));
        out.extend(self.size.to_le_bytes());
        out.extend(&*self.sha256);
        out.extend(&*self.tail);
        out
    }

    /// Reads what [`WriterState::encode`] gave; `None` if it cannot be that.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<8>()?;
        let (sha256, tail) = rest.split_at_checked(SerializedState::<Sha256>::default().len())?;
        let size = u64::from_le_bytes(*size);
        let sealed = size.checked_sub(tail.len() as u64)?;
        (tail.len() <= FRAME && sealed.is_multiple_of(FRAME as u64)).then(|| Self {
            size,
            sha256: Zeroizing::new(sha256.to_owned()),
            tail: Zeroizing::new(tail.to_owned()),
        })
    }
}

impl ObjectWriter {
    /// Begins an object in `file`, whatever that holds.
    pub(crate) fn begin(
        file: File,
        object: ObjectId,
        header: &Header,
        key: LessSafeKey,
    ) -> Result<Self> {
        let mut writer = Self {
            file,
            object,
            key,
            sha256: Sha256::new(),
            size: 0,
            frames: 0,
            tail: Zeroizing::new(Vec::new()),
            out: Vec::new(),
            position: 0,
            broken: false,
        };
        writer
            .file
            .write_all_at(header.as_bytes(), 0)
            .map_err(writer.failed())?;
        writer.cut(0)?;
        Ok(writer)
    }

    /// Goes on with an object in `file` from a state that this run of the process recorded.
    pub(crate) fn restore(
        file: File,
        object: ObjectId,
        key: LessSafeKey,
        state: &WriterState,
    ) -> Result<Self> {
        let damaged = || StoreError::Corrupt(format!("the state of the object '{object}'"));
        let serialized = state.sha256.as_slice().try_into().map_err(|_| damaged())?;
        let mut writer = Self {
            file,
            object,
            key,
            sha256: Sha256::deserialize(serialized).map_err(|_| damaged())?,
            size: state.size,
            frames: 0,
            tail: state.tail.clone(),
            out: Vec::new(),
            position: 0,
            broken: false,
        };
        let frames = (state.size - state.tail.len() as u64) / FRAME as u64;
        let metadata = writer.file.metadata().map_err(writer.failed())?;
        if metadata.len() < offset(frames) {
            return Err(damaged());
        }
        writer.cut(frames)?;
        Ok(writer)
    }

    /// Goes on with an object in `file` after its process ended without a word: reads it back to
    /// the last frame that authenticates and hashes it anew. Takes time in proportion to its size.
    pub(crate) fn recover(
        file: File,
        object: ObjectId,
        header: &Header,
        key: LessSafeKey,
    ) -> Result<Self> {
        let mut good = 0;
        let mut sealed = vec![0; SEALED_FRAME];
        let mut plain = Zeroizing::new(vec![0; FRAME]);
        let mut last = Zeroizing::new(vec![0; FRAME]);
        let mut before_last = Sha256::new();
        let mut sha256 = Sha256::new();
        while file.read_exact_at(&mut sealed, offset(good)).is_ok()
            && unseal(&mut plain, &key, object, good, false, &sealed).is_some()
        {
            before_last.clone_from(&sha256);
            sha256.update(&*plain);
            std::mem::swap(&mut plain, &mut last);
            good += 1;
        }
        if good == 0 {
            return Self::begin(file, object, header, key);
        }
        let mut writer = Self {
            file,
            object,
            key,
            sha256,
            size: good * FRAME as u64,
            frames: 0,
            tail: last,
            out: Vec::new(),
            position: 0,
            broken: false,
        };
        // The last good frame may turn out to be the object's last: it is held back again.
        writer.cut(good - 1)?;
        Ok(writer)
    }

    /// Plain bytes taken so far.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The object that is written.
    pub(crate) fn object(&self) -> ObjectId {
        self.object
    }

    /// Takes the next bytes of the object; blocks while it writes. After an error only an earlier
    /// state can go on.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.sha256.update(bytes);
        self.size = self.size.saturating_add(bytes.len() as u64);
        while !bytes.is_empty() {
            if self.tail.len() == FRAME {
                let tail = std::mem::take(&mut self.tail);
                self.seal(&tail, false)?;
                self.tail = tail;
                self.tail.clear();
            }
            if self.tail.is_empty() && bytes.len() > FRAME {
                let (frame, rest) = bytes.split_at(FRAME);
                self.seal(frame, false)?;
                bytes = rest;
            } else {
                let (taken, rest) = bytes.split_at(bytes.len().min(FRAME - self.tail.len()));
                self.tail.extend_from_slice(taken);
                bytes = rest;
            }
        }
        Ok(())
    }

    /// Writes out what is sealed; gives what it takes to go on.
    pub(crate) fn suspend(&mut self) -> Result<WriterState> {
        self.flush()?;
        Ok(WriterState {
            size: self.size,
            sha256: Zeroizing::new(self.sha256.serialize().to_vec()),
            tail: self.tail.clone(),
        })
    }

    /// The digest of what was taken so far.
    pub(crate) fn digest(&self) -> Digest {
        Digest::from_hash(Algorithm::Sha256, &self.sha256.clone().finalize())
    }

    /// Writes the last frame and waits until the bytes are on the disk.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let tail = std::mem::take(&mut self.tail);
        self.seal(&tail, true)?;
        self.flush()?;
        self.file.sync_all().map_err(self.failed())
    }

    fn seal(&mut self, plain: &[u8], last: bool) -> Result<()> {
        let full = FRAMES_AT_ONCE * SEALED_FRAME;
        if self.out.capacity() == 0 {
            // A small object is one frame; any other will need it all.
            self.out
                .reserve_exact(if last { plain.len() + OVERHEAD } else { full });
        }
        let (key, object, index) = (&self.key, self.object, self.frames);
        seal(&mut self.out, key, object, index, last, plain)?;
        self.frames += 1;
        if self.out.len() >= full {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.broken {
            return Err(StoreError::Corrupt(format!(
                "an earlier write of the object '{}' failed",
                self.object
            )));
        }
        self.broken = true;
        self.file
            .write_all_at(&self.out, self.position)
            .map_err(self.failed())?;
        self.broken = false;
        self.position += self.out.len() as u64;
        self.out.clear();
        Ok(())
    }

    /// Drops everything behind the first `frames` frames.
    fn cut(&mut self, frames: u64) -> Result<()> {
        self.frames = frames;
        self.position = offset(frames);
        self.file.set_len(self.position).map_err(self.failed())
    }

    fn failed(&self) -> impl FnOnce(std::io::Error) -> StoreError + use<> {
        StoreError::io(format!("cannot write the object '{}'", self.object))
    }
}
