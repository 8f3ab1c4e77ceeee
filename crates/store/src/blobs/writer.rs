//! Writing an object: hash, cut into frames, encrypt, write in pieces of 256 KiB.

use aws_lc_rs::aead::LessSafeKey;
use bonded_model::{Algorithm, Digest};
use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::ObjectId;
use super::disk::StagedFile;
use super::frame::{FRAME, FRAMES_AT_ONCE, Header, SEALED_FRAME, offset, seal, unseal};
use super::parts::{PartsState, StagedParts};
use crate::error::{Result, StoreError};
use crate::keys::OVERHEAD;

/// Where the bytes of an object go while it is written.
enum Staged {
    File(StagedFile),
    Parts(StagedParts),
}

/// An object that is being written. Whether a frame is the last one is known only when the object
/// ends, so up to one frame is held back.
pub(crate) struct ObjectWriter {
    staged: Staged,
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
    /// A write failed: what was written is unknown.
    broken: bool,
}

/// What must be kept to go on with an object later.
pub(crate) struct WriterState {
    /// Plain bytes taken.
    pub(crate) size: u64,
    sha256: Zeroizing<Vec<u8>>,
    tail: Zeroizing<Vec<u8>>,
    /// Of an object that goes to a bucket.
    parts: Option<PartsState>,
}

impl WriterState {
    /// The state as bytes, to be sealed.
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::new());
        out.extend(self.size.to_le_bytes());
        out.extend(&*self.sha256);
        out.extend((self.tail.len() as u32).to_le_bytes());
        out.extend(&*self.tail);
        if let Some(parts) = &self.parts {
            parts.encode(&mut out);
        }
        out
    }

    /// Reads what [`WriterState::encode`] gave; `None` if it cannot be that.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<8>()?;
        let (sha256, rest) = rest.split_at_checked(SerializedState::<Sha256>::default().len())?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (tail, rest) = rest.split_at_checked(length)?;
        let size = u64::from_le_bytes(*size);
        let sealed = size.checked_sub(tail.len() as u64)?;
        let whole = tail.len() <= FRAME && sealed.is_multiple_of(FRAME as u64);
        let parts = match rest {
            [] => None,
            rest => Some(PartsState::decode(rest)?),
        };
        let written = offset(sealed / FRAME as u64);
        let fits = parts.as_ref().is_none_or(|parts| parts.end() == written);
        (whole && fits).then(|| Self {
            size,
            sha256: Zeroizing::new(sha256.to_owned()),
            tail: Zeroizing::new(tail.to_owned()),
            parts,
        })
    }

    /// Takes out what goes to [`StagedParts::new`].
    pub(crate) fn take_parts(&mut self) -> Option<PartsState> {
        self.parts.take()
    }
}

impl ObjectWriter {
    fn new(staged: Staged, object: ObjectId, key: LessSafeKey) -> Self {
        Self {
            staged,
            object,
            key,
            sha256: Sha256::new(),
            size: 0,
            frames: 0,
            tail: Zeroizing::new(Vec::new()),
            out: Vec::new(),
            broken: false,
        }
    }

    /// Begins an object in `file`, whatever that holds.
    pub(crate) fn begin(
        mut file: StagedFile,
        object: ObjectId,
        header: &Header,
        key: LessSafeKey,
    ) -> Result<Self> {
        file.cut(0)?;
        file.append(header.as_bytes())?;
        Ok(Self::new(Staged::File(file), object, key))
    }

    /// Goes on with an object in `file` from a state that this run of the process recorded.
    pub(crate) fn restore(
        file: StagedFile,
        object: ObjectId,
        key: LessSafeKey,
        state: &WriterState,
    ) -> Result<Self> {
        let mut writer = Self::new(Staged::File(file), object, key);
        writer.set(state)?;
        writer.cut(writer.frames)?;
        Ok(writer)
    }

    /// Begins an object in a bucket.
    pub(crate) fn begin_parts(
        mut parts: StagedParts,
        object: ObjectId,
        header: &Header,
        key: LessSafeKey,
    ) -> Result<Self> {
        parts.append(header.as_bytes())?;
        Ok(Self::new(Staged::Parts(parts), object, key))
    }

    /// Goes on with an object in a bucket, of which `parts` holds what was written.
    pub(crate) fn restore_parts(
        parts: StagedParts,
        object: ObjectId,
        key: LessSafeKey,
        state: &WriterState,
    ) -> Result<Self> {
        let mut writer = Self::new(Staged::Parts(parts), object, key);
        writer.set(state)?;
        Ok(writer)
    }

    fn set(&mut self, state: &WriterState) -> Result<()> {
        let object = self.object;
        let damaged = || StoreError::Corrupt(format!("the state of the object '{object}'"));
        let serialized = state.sha256.as_slice().try_into().map_err(|_| damaged())?;
        self.sha256 = Sha256::deserialize(serialized).map_err(|_| damaged())?;
        self.size = state.size;
        self.tail.clone_from(&state.tail);
        self.frames = (state.size - state.tail.len() as u64) / FRAME as u64;
        Ok(())
    }

    /// Goes on with an object in `file` after its process ended without a word: reads it back to
    /// the last frame that authenticates and hashes it anew. Takes time in proportion to its size.
    pub(crate) fn recover(
        file: StagedFile,
        object: ObjectId,
        header: &Header,
        key: LessSafeKey,
    ) -> Result<Self> {
        let mut good = 0;
        let mut sealed = vec![0; SEALED_FRAME];
        let mut plain = Zeroizing::new(vec![0; FRAME]);
        let mut last = Zeroizing::new(vec![0; FRAME]);
        let mut sha256 = Sha256::new();
        while file.read(&mut sealed, offset(good))
            && unseal(&mut plain, &key, object, good, false, &sealed).is_some()
        {
            sha256.update(&*plain);
            std::mem::swap(&mut plain, &mut last);
            good += 1;
        }
        if good == 0 {
            return Self::begin(file, object, header, key);
        }
        let mut writer = Self::new(Staged::File(file), object, key);
        writer.sha256 = sha256;
        writer.size = good * FRAME as u64;
        // The last good frame may turn out to be the object's last: it is held back again.
        writer.tail = last;
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

    /// The name of its multipart upload, if it has one.
    pub(crate) fn multipart(&self) -> Option<&str> {
        match &self.staged {
            Staged::File(_) => None,
            Staged::Parts(parts) => parts.multipart(),
        }
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
        let parts = match &mut self.staged {
            Staged::File(_) => None,
            Staged::Parts(parts) => Some(parts.suspend()?),
        };
        Ok(WriterState {
            size: self.size,
            sha256: Zeroizing::new(self.sha256.serialize().to_vec()),
            tail: self.tail.clone(),
            parts,
        })
    }

    /// The digest of what was taken so far.
    pub(crate) fn digest(&self) -> Digest {
        Digest::from_hash(Algorithm::Sha256, &self.sha256.clone().finalize())
    }

    /// Writes the last frame and waits until the object is durable. `false` if what is kept may be
    /// what an earlier attempt wrote: the bytes are to be verified then.
    pub(crate) fn finish(&mut self) -> Result<bool> {
        let tail = std::mem::take(&mut self.tail);
        self.seal(&tail, true)?;
        self.flush()?;
        match &mut self.staged {
            Staged::File(file) => file.sync().map(|()| true),
            Staged::Parts(parts) => parts.finish(),
        }
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
        match &mut self.staged {
            Staged::File(file) => file.append(&self.out)?,
            Staged::Parts(parts) => parts.append(&self.out)?,
        }
        self.broken = false;
        self.out.clear();
        Ok(())
    }

    /// Drops everything behind the first `frames` frames of a file.
    fn cut(&mut self, frames: u64) -> Result<()> {
        self.frames = frames;
        match &mut self.staged {
            Staged::File(file) => file.cut(offset(frames)),
            Staged::Parts(_) => Ok(()),
        }
    }
}
