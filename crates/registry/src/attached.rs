//! Documents attached to images: what is looked at by scans, and whose statements count.
//!
//! Whoever may push to a repository may attach anything to the images in it, so a statement that a
//! vulnerability does not matter counts only if its pusher may also do
//! `bonded:PutVulnerabilityStatement` there (docs/decisions/0021). That is judged when it is pushed,
//! and recorded with the push. Attached by anybody else it is shown, and changes nothing.

use bonded_model::{Descriptor, Manifest, RepositoryArn};
use bonded_store::{Change, NewDocument};

use crate::Registry;
use crate::access::{Action, Allowed, Checks};
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::target::ImageToPut;

/// Lets the statements about vulnerabilities that one pushes to a repository count in its scans.
const PUT_STATEMENT: Action = Action::new("bonded:PutVulnerabilityStatement");

/// Whose lists of packages add to what is found in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AttachedLists {
    /// Those of everybody who may push.
    #[default]
    All,
    /// Those of whoever may have statements count.
    Trusted,
    /// Nobody's.
    None,
}

impl AttachedLists {
    /// Why those of a document do not count; `None` if they do.
    pub(crate) const fn ignored(self, is_trusted: bool) -> Option<&'static str> {
        match (self, is_trusted) {
            (Self::All, _) | (Self::Trusted, true) => None,
            (Self::Trusted, false) => {
                Some("the setting 'scan.attached_lists' has only those of trusted pushers count")
            }
            (Self::None, _) => Some("the setting 'scan.attached_lists' has none count"),
        }
    }
}

/// The most documents of one manifest.
const DOCUMENTS_LIMIT: usize = 16;

/// What a document may say, by its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Says {
    packages: bool,
    statements: bool,
}

/// The media types of documents, up to the ending that names their form.
const MEDIA_TYPES: [(&str, Says); 7] = [
    ("application/vnd.cyclonedx", PACKAGES),
    ("application/spdx", PACKAGES),
    ("text/spdx", PACKAGES),
    ("application/vnd.openvex", STATEMENTS),
    ("application/vnd.in-toto", EITHER),
    ("application/vnd.dsse.envelope", EITHER),
    ("application/vnd.dev.sigstore.bundle", EITHER),
];

const PACKAGES: Says = Says {
    packages: true,
    statements: false,
};
const STATEMENTS: Says = Says {
    packages: false,
    statements: true,
};
const EITHER: Says = Says {
    packages: true,
    statements: true,
};

impl Says {
    fn of(media_type: &str) -> Option<Self> {
        let media_type = media_type.to_ascii_lowercase();
        let mut known = MEDIA_TYPES.iter();
        let found = known.find(|(known, _)| {
            let rest = media_type.strip_prefix(known);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', '.']))
        });
        found.map(|(_, says)| *says)
    }
}

/// The documents in a manifest that is about another: its layers of these types, or all of them if
/// only its artifact type is one.
pub(crate) struct Documents<'m> {
    pub(crate) layers: Vec<&'m Descriptor>,
    says: Says,
}

impl<'m> Documents<'m> {
    /// `None` if there are none.
    pub(crate) fn of(manifest: &'m Manifest) -> Option<Self> {
        manifest.subject.as_ref()?;
        let layers = manifest.blobs.get(1..).unwrap_or_default();
        let of_layer = |layer: &'m Descriptor| Some((layer, Says::of(layer.media_type.essence())?));
        let mut found: Vec<(&Descriptor, Says)> = layers.iter().filter_map(of_layer).collect();
        let artifact_type = manifest.artifact_type.as_ref();
        if found.is_empty()
            && let Some(says) = artifact_type.and_then(|of| Says::of(of.essence()))
        {
            found = layers.iter().map(|layer| (layer, says)).collect();
        }
        let says = found.iter().map(|(_, says)| *says).reduce(|a, b| Says {
            packages: a.packages || b.packages,
            statements: a.statements || b.statements,
        });
        found.truncate(DOCUMENTS_LIMIT);
        Some(Self {
            layers: found.into_iter().map(|(layer, _)| layer).collect(),
            says: says?,
        })
    }
}

impl Registry {
    /// What the image that was judged is to the scan of its subject, if that looks at it. Whether
    /// its statements count is a decision of its own.
    ///
    /// # Errors
    /// As [`Registry::authorize`], but for a denial: the push goes on then, and they do not.
    pub(crate) async fn document_to_put(
        &self,
        allowed: &Allowed<ImageToPut>,
        manifest: &Manifest,
    ) -> Result<Option<NewDocument>> {
        let Some(documents) = Documents::of(manifest) else {
            return Ok(None);
        };
        let caller = allowed.caller();
        let mut trusted = None;
        if documents.says.statements || self.attached_lists() == AttachedLists::Trusted {
            trusted = self.state(caller, allowed.target().repository()).await?;
        }
        Ok(Some(NewDocument {
            lists_packages: documents.says.packages,
            pushed_by: caller.arn(),
            trusted,
        }))
    }

    /// Whether statements of the caller would count in a repository. Recorded as for a push: it
    /// decides what becomes of other statements when the caller deletes one.
    ///
    /// # Errors
    /// As [`Registry::authorize`], but for a denial.
    pub(crate) async fn may_state(&self, caller: &Caller, of: &RepositoryArn) -> Result<bool> {
        Ok(self.state(caller, of).await?.is_some())
    }

    /// The decision that statements of the caller count in a repository, if it is so.
    async fn state(&self, caller: &Caller, of: &RepositoryArn) -> Result<Option<Change>> {
        let checks = Checks::new(PUT_STATEMENT, of.clone());
        match self.authorize(caller, checks).await {
            Ok(allowed) => Ok(Some(allowed.change())),
            Err(Error::Denied(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use bonded_model::{Digest, MediaType};
    use serde_json::json;

    use super::*;

    /// How many documents there are with these types of the artifact and of its layers, and what
    /// they may say.
    fn found(artifact: Option<&str>, layers: &[&str], about: bool) -> Option<(usize, bool, bool)> {
        let digest = Digest::sha256(b"x");
        let descriptor =
            |of: &str| json!({ "mediaType": of, "digest": digest.as_str(), "size": 1 });
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": MediaType::OCI_MANIFEST,
            "config": descriptor("application/vnd.oci.empty.v1+json"),
            "layers": layers.iter().map(|of| descriptor(of)).collect::<Vec<_>>(),
        });
        if let Some(artifact) = artifact {
            manifest["artifactType"] = json!(artifact);
        }
        if about {
            manifest["subject"] = descriptor(MediaType::OCI_MANIFEST);
        }
        let manifest = Manifest::parse(manifest.to_string().as_bytes(), None).unwrap();
        let documents = Documents::of(&manifest)?;
        let Says {
            packages,
            statements,
        } = documents.says;
        Some((documents.layers.len(), packages, statements))
    }

    #[test]
    fn documents_are_known_by_their_types() {
        let (vex, bom) = (
            "application/vnd.openvex+json",
            "application/vnd.cyclonedx+json",
        );
        let (tar, text) = ("application/vnd.oci.image.layer.v1.tar", "text/plain");
        for (artifact, layers, about, want) in [
            (Some(vex), vec![vex], true, Some((1, false, true))),
            (Some(vex), vec![tar], true, Some((1, false, true))),
            (None, vec![text, vex, bom], true, Some((2, true, true))),
            (
                Some(bom),
                vec!["application/SPDX+json"],
                true,
                Some((1, true, false)),
            ),
            (Some("application/vnd.openvexed"), vec![text], true, None),
            (Some(vex), vec![vex], false, None),
            (Some(text), vec![], true, None),
            (
                None,
                vec!["application/vnd.in-toto+json"],
                true,
                Some((1, true, true)),
            ),
            (None, vec![bom; 20], true, Some((16, true, false))),
        ] {
            let artifact = artifact.filter(|of| *of != text);
            assert_eq!(
                found(artifact, &layers, about),
                want,
                "{artifact:?} {layers:?}"
            );
        }
    }
}
