//! Two small images of genuine package metadata: what a scanner reads of a Debian 12 with a Python
//! application, and nothing else.

use std::io;

use bonded_model::Digest;
use serde_json::json;

/// What an image has installed.
pub(super) struct Installed {
    /// Debian packages: name, version, source.
    pub(super) debian: &'static [(&'static str, &'static str, &'static str)],
    /// Python packages: name, version.
    pub(super) python: &'static [(&'static str, &'static str)],
}

/// As it was in the summer of 2023, and nobody has rebuilt it since.
pub(super) const OLD: Installed = Installed {
    debian: &[
        ("libc6", "2.36-9", "glibc"),
        ("libcurl4", "7.88.1-10+deb12u1", "curl"),
        ("libssl3", "3.0.9-1", "openssl"),
    ],
    python: &[
        ("jinja2", "3.1.3"),
        ("numpy", "1.26.4"),
        ("requests", "2.31.0"),
        ("torch", "2.5.1"),
    ],
};

/// The same application with what is repaired today.
pub(super) const REBUILT: Installed = Installed {
    debian: &[
        ("libc6", "2.36-9+deb12u13", "glibc"),
        ("libcurl4", "7.88.1-10+deb12u14", "curl"),
        ("libssl3", "3.0.17-1~deb12u3", "openssl"),
    ],
    python: &[
        ("jinja2", "3.1.6"),
        ("numpy", "1.26.4"),
        ("requests", "2.32.5"),
        ("torch", "2.8.0"),
    ],
};

/// An image as it is pushed.
pub(super) struct DemoImage {
    /// The system, and the application above it: tar archives.
    pub(super) layers: [Vec<u8>; 2],
    pub(super) config: Vec<u8>,
    pub(super) manifest: Vec<u8>,
}

impl DemoImage {
    /// The image of what is installed.
    ///
    /// # Errors
    /// None that memory does not give.
    pub(super) fn new(installed: &Installed) -> io::Result<Self> {
        let system = vec![
            ("etc/os-release".to_owned(), OS_RELEASE.to_owned()),
            ("var/lib/dpkg/status".to_owned(), dpkg(installed.debian)),
        ];
        let application = installed.python.iter().map(|(name, version)| {
            let directory = format!("usr/lib/python3/site-packages/{name}-{version}.dist-info");
            let text = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
            (format!("{directory}/METADATA"), text)
        });
        let layers = [
            archive(&system)?,
            archive(&application.collect::<Vec<_>>())?,
        ];
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": { "Cmd": ["python3", "-m", "digits"] },
            // The layers are not compressed, so they are their own contents.
            "rootfs": { "type": "layers", "diff_ids": layers.each_ref().map(|l| digest(l)) },
        });
        let config = config.to_string().into_bytes();
        let descriptor = |kind: &str, bytes: &[u8]| {
            let media_type = format!("application/vnd.oci.image.{kind}");
            json!({ "mediaType": media_type, "digest": digest(bytes), "size": bytes.len() })
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor("config.v1+json", &config),
            "layers": layers.each_ref().map(|layer| descriptor("layer.v1.tar", layer)),
        });
        Ok(Self {
            layers,
            config,
            manifest: manifest.to_string().into_bytes(),
        })
    }

    /// The digest by which it is pulled.
    pub(super) fn digest(&self) -> String {
        digest(&self.manifest)
    }
}

/// The media type of the manifest.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

const OS_RELEASE: &str = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\n\
     VERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n";

/// The digest of some bytes.
pub(super) fn digest(bytes: &[u8]) -> String {
    Digest::sha256(bytes).to_string()
}

fn dpkg(packages: &[(&str, &str, &str)]) -> String {
    let stanza = |(name, version, source): &(&str, &str, &str)| {
        format!(
            "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\n\
             Source: {source}\nVersion: {version}\n\n"
        )
    };
    packages.iter().map(stanza).collect()
}

/// An archive of files, the same for the same files.
fn archive(files: &[(String, String)]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, text.as_bytes())?;
    }
    archive.into_inner()
}
