//! Advisories as an artifact of a registry: a manifest of OCI whose one layer is the file that
//! `bonded advisories import` makes, byte by byte. The same file is the same manifest, so that its
//! digest names the advisories wherever it is copied.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use bonded_model::{Algorithm, Descriptor, Digest, Manifest, MediaType};
use bonded_scan::Advisories;
use bonded_store::{Unit, Watcher};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::cli::Failure;
use crate::cli::gate::is_host;
use crate::cli::remote::{Login, Remote};
use crate::cli::verified::verified;
use crate::config::ARTIFACT_SCHEME;

/// What the artifact is. Another form of it gets another version.
const ARTIFACT: &str = "application/vnd.bonded.advisories.v1";

/// What its layer is.
const FILE: &str = "application/vnd.bonded.advisories.file.v1";

/// The configuration of what has none.
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const EMPTY_BYTES: &[u8] = b"{}";

/// How long the file may be, in bytes.
const LIMIT: u64 = 4 * 1024 * 1024 * 1024;

/// An artifact as people name it.
pub(in crate::cli) struct Reference<'a> {
    host: &'a str,
    name: &'a str,
    /// A tag or digest.
    reference: &'a str,
}

/// What was pushed or pulled.
pub(in crate::cli) struct Artifact {
    /// `HOST/NAME@DIGEST`, which names it for good.
    pub(in crate::cli) pinned: String,
    pub(in crate::cli) advisories: Advisories,
}

impl<'a> Reference<'a> {
    /// Reads `[oci://]HOST/NAME[:TAG][@DIGEST]`.
    pub(in crate::cli) fn parse(text: &'a str) -> Result<Self, Failure> {
        let wrong = || {
            let text = text.escape_debug();
            Failure::usage(format!(
                "'{text}' names no artifact: 'HOST/REPOSITORY:TAG' or 'HOST/REPOSITORY@sha256:…' is expected"
            ))
        };
        let bare = text.strip_prefix(ARTIFACT_SCHEME).unwrap_or(text);
        let (host, rest) = bare.split_once('/').ok_or_else(wrong)?;
        let (name, reference) = match rest.split_once('@') {
            // A tag beside the digest is for people.
            Some((name, digest)) => {
                digest.parse::<Digest>().map_err(|_| wrong())?;
                (name.split(':').next().unwrap_or_default(), digest)
            }
            None => rest.split_once(':').ok_or_else(wrong)?,
        };
        let is_plain = |text: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:".contains(c);
            !text.is_empty() && text.chars().all(plain) && !text.contains("..")
        };
        match is_host(host) && is_plain(name) && is_plain(reference) {
            true => Ok(Self {
                host,
                name,
                reference,
            }),
            false => Err(wrong()),
        }
    }

    /// The registry, as host name and port.
    pub(in crate::cli) fn host(&self) -> &'a str {
        self.host
    }

    /// Its repository, asked with the credentials of this user.
    pub(in crate::cli) fn open(&self, plain_http: bool) -> Result<Remote, Failure> {
        Remote::open(self.host, self.name, plain_http)
    }

    /// Its repository, asked as a login says.
    pub(in crate::cli) fn open_by(&self, login: Login) -> Result<Remote, Failure> {
        Remote::open_by(login, self.host, self.name)
    }

    fn pinned(&self, digest: &Digest) -> String {
        format!("{}/{}@{digest}", self.host, self.name)
    }
}

/// Pushes the file at `path`.
pub(super) fn push(
    path: &Path,
    to: &Reference<'_>,
    plain_http: bool,
    watcher: &Watcher,
) -> Result<Artifact, Failure> {
    if to.reference.contains(':') {
        return Err(Failure::usage(
            "push to a tag: the digest is what comes of it",
        ));
    }
    let unreadable =
        |error: io::Error| Failure::failed(format!("cannot read '{}': {error}", path.display()));
    let mut file = File::open(path).map_err(unreadable)?;
    let advisories = Advisories::map(&file).map_err(Failure::failed)?;
    let (digest, size) = measured(&mut file).map_err(unreadable)?;
    let empty = Digest::sha256(EMPTY_BYTES);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "artifactType": ARTIFACT,
        "config": {"mediaType": EMPTY, "digest": empty, "size": EMPTY_BYTES.len()},
        "layers": [{
            "mediaType": FILE, "digest": digest, "size": size,
            "annotations": {"org.opencontainers.image.title": "advisories"},
        }],
        "annotations": {"org.opencontainers.image.created": advisories.as_of().to_string()},
    });
    let manifest = manifest.to_string().into_bytes();
    let remote = to.open(plain_http)?;
    let mut step = watcher.begin("push", Some(size), Unit::Bytes);
    remote.put_blob(&empty, &mut &EMPTY_BYTES[..], |_| {})?;
    let mut file = File::open(path).map_err(unreadable)?;
    remote.put_blob(&digest, &mut file, |bytes| step.add(bytes))?;
    remote.put_manifest(to.reference, &manifest)?;
    step.end();
    Ok(Artifact {
        pinned: to.pinned(&Digest::sha256(&manifest)),
        advisories,
    })
}

/// The digest of a file and its length.
fn measured(file: &mut File) -> io::Result<(Digest, u64)> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            let digest = Digest::from_hash(Algorithm::Sha256, &hash.finalize());
            return Ok((digest, size));
        }
        hash.update(&buffer[..read]);
        size += read as u64;
    }
}

/// Pulls an artifact of `remote` into `file`, which is empty. What fails leaves bytes there that
/// are of no use.
pub(in crate::cli) fn pull(
    remote: &Remote,
    from: &Reference<'_>,
    file: &mut File,
    watcher: &Watcher,
) -> Result<Artifact, Failure> {
    let (bytes, stated) = remote.manifest(from.reference)?;
    let digest = match from.reference.parse::<Digest>() {
        Ok(digest) => digest,
        Err(_) => Digest::sha256(&bytes),
    };
    let bytes = verified(bytes, &digest)?;
    let pinned = from.pinned(&digest);
    let layer = layer(&pinned, &bytes, &stated)?;
    let failed =
        |error: io::Error| Failure::failed(format!("cannot pull '{}': {error}", layer.digest));
    let mut step = watcher.begin("pull", Some(layer.size), Unit::Bytes);
    let mut blob = remote.blob(&layer.digest)?;
    let mut buffer = vec![0; 64 * 1024];
    let mut pulled: u64 = 0;
    loop {
        let read = blob.read(&mut buffer).map_err(failed)?;
        if read == 0 {
            break;
        }
        pulled += read as u64;
        if pulled > layer.size {
            return Err(Failure::failed(format!(
                "'{}' is longer than the {} bytes its manifest says",
                layer.digest, layer.size
            )));
        }
        file.write_all(&buffer[..read]).map_err(failed)?;
        step.add(read as u64);
    }
    blob.verify()?;
    file.sync_all().map_err(failed)?;
    step.end();
    let advisories = Advisories::map(file).map_err(Failure::failed)?;
    Ok(Artifact { pinned, advisories })
}

/// The file in an artifact, whose manifest must be one of ours.
fn layer(pinned: &str, manifest: &[u8], stated: &str) -> Result<Descriptor, Failure> {
    let wrong = |problem: &str| Failure::failed(format!("'{pinned}' {problem}"));
    let parsed = Manifest::parse(manifest, Some(stated))
        .map_err(|error| wrong(&format!("has a manifest that cannot be used: {error}")))?;
    let kind = parsed.artifact_type.as_ref().map(MediaType::essence);
    if kind != Some(ARTIFACT) {
        let kind = kind.unwrap_or("an index");
        return Err(wrong(&format!(
            "does not hold advisories that this version reads: it is '{kind}', and '{ARTIFACT}' is \
             expected, which 'bonded advisories push' makes"
        )));
    }
    let mut files = parsed.blobs.iter();
    let Some(layer) = files.find(|blob| blob.media_type.essence() == FILE) else {
        return Err(wrong(&format!("has no layer of the type '{FILE}'")));
    };
    match layer.size > LIMIT {
        true => Err(wrong("is longer than 4 GiB")),
        false => Ok(layer.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_artifact_is_named_with_a_host_and_a_tag_or_digest() {
        let hex = "0".repeat(64);
        for (text, want) in [
            (
                "localhost:5000/a/b:v1",
                Some(("localhost:5000", "a/b", "v1")),
            ),
            ("oci://r.example/a:1", Some(("r.example", "a", "1"))),
            ("r.example/a", None),
            ("a/b:v1", None),
            ("r.example/a@sha256:1", None),
            ("r.example/a?x:1", None),
            ("r.example/../a:1", None),
            ("r.example:1", None),
        ] {
            let found = Reference::parse(text).ok();
            let found = found.map(|found| (found.host, found.name, found.reference));
            assert_eq!(found, want, "{text}");
        }
        let pinned = format!("r.example/a:v1@sha256:{hex}");
        let found = Reference::parse(&pinned).ok().unwrap();
        assert_eq!((found.name, found.reference), ("a", &pinned[15..]));
    }

    #[test]
    fn other_artifacts_are_no_advisories() {
        let digest = Digest::sha256(b"x");
        let manifest = |kind: &str, file: &str, size: u64| {
            json!({
                "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST, "artifactType": kind,
                "config": {"mediaType": EMPTY, "digest": digest, "size": 2},
                "layers": [{"mediaType": file, "digest": digest, "size": size}],
            })
            .to_string()
        };
        for (kind, file, size, said) in [
            (ARTIFACT, FILE, LIMIT, None),
            (ARTIFACT, FILE, LIMIT + 1, Some("4 GiB")),
            (ARTIFACT, "application/x", 1, Some("no layer of the type")),
            (
                "application/vnd.bonded.advisories.v2",
                FILE,
                1,
                Some("advisories.v2"),
            ),
        ] {
            let found = layer(
                "r/a",
                manifest(kind, file, size).as_bytes(),
                MediaType::OCI_MANIFEST,
            );
            let message = found
                .err()
                .and_then(|failure| failure.message)
                .unwrap_or_default();
            assert_eq!(said.is_none(), message.is_empty(), "{message}");
            assert!(message.contains(said.unwrap_or_default()), "{message}");
        }
        assert!(layer("r/a", b"<html>", "text/html").is_err());
    }
}
