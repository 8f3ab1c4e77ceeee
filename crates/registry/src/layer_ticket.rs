//! Layer tickets: the URL that `GetDownloadUrlForLayer` answers.
//!
//! A [signed text](crate::signed_text) of `CREDENTIAL.EXPIRY.WHAT`, the last in base64url the ARN
//! of the repository and the digest. Like an authorization token it carries no rights: whoever
//! brings it is the credential it names, and the policies of that moment decide again.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bonded_model::{RepositoryArn, Secret};
use bonded_store::Layer;

use crate::Registry;
use crate::access::Allowed;
use crate::caller::{Caller, Facts};
use crate::error::{Error, Result, Unauthenticated};
use crate::signed_text::Kind;
use crate::target::LayerIn;

/// How long a ticket lives.
const LIFETIME: Duration = Duration::from_mins(1);

/// The path under which tickets are taken.
pub const LAYERS_PATH: &str = "/layers/";

/// What a ticket asks for, and who asks.
pub struct LayerRequest {
    /// The caller whose credential the ticket names.
    pub caller: Caller,
    /// The layer.
    pub layer: LayerIn,
}

impl Registry {
    /// A URL on the host the caller used, where the layer can be read for a minute.
    ///
    /// # Errors
    /// As [`Registry::referenced_layer`].
    pub async fn layer_url(&self, allowed: &Allowed<LayerIn>) -> Result<Secret> {
        self.referenced_layer(allowed).await?;
        let LayerIn {
            repository: arn,
            digest,
        } = allowed.target();
        let caller = allowed.caller();
        let expiry = self.clock().now().after(LIFETIME).as_seconds();
        let what = URL_SAFE_NO_PAD.encode(format!("{arn} {digest}"));
        let fields = format!("{}.{expiry}.{what}", caller.key_id());
        let ticket = self.sign_text(Kind::LayerTicket, &fields).await?;
        let facts = caller.facts();
        let scheme = if facts.secure_transport {
            "https"
        } else {
            "http"
        };
        Ok(Secret::new(format!(
            "{scheme}://{}{LAYERS_PATH}{ticket}",
            facts.authority
        )))
    }

    /// What `ticket` asks for. Its region takes the place of the one in `facts`.
    ///
    /// # Errors
    /// [`Unauthenticated`]: the ticket is not ours or has ended, or its credential has.
    pub async fn authenticate_ticket(&self, ticket: &Secret, facts: Facts) -> Result<LayerRequest> {
        let unknown = || Error::from(Unauthenticated::UnknownCredential);
        let fields = self
            .verify_text(Kind::LayerTicket, ticket.expose())
            .await?
            .ok_or_else(unknown)?;
        let mut fields = fields.splitn(3, '.');
        let mut field = || fields.next().ok_or_else(unknown);
        let (key_id, expiry, what) = (field()?, field()?, field()?);
        let expiry: i64 = expiry.parse().map_err(|_| unknown())?;
        if self.clock().now().as_seconds() >= expiry {
            return Err(Unauthenticated::TicketExpired.into());
        }
        let what = URL_SAFE_NO_PAD.decode(what).map_err(|_| unknown())?;
        let what = String::from_utf8(what).map_err(|_| unknown())?;
        let (arn, digest) = what.split_once(' ').ok_or_else(unknown)?;
        let repository: RepositoryArn = arn.parse().map_err(|_| unknown())?;
        let facts = Facts {
            region: repository.region.clone(),
            ..facts
        };
        Ok(LayerRequest {
            caller: self.admit_credential(key_id, facts).await?,
            layer: LayerIn {
                digest: digest.parse().map_err(|_| unknown())?,
                repository,
            },
        })
    }

    /// The layer that was judged, if an image of its repository refers to it.
    ///
    /// # Errors
    /// [`Error::RepositoryNotFound`], [`Error::BlobNotFound`], [`Error::LayerInaccessible`].
    pub async fn referenced_layer(&self, allowed: &Allowed<LayerIn>) -> Result<Layer> {
        let repository = allowed.layers_repository()?;
        let digest = &allowed.target().digest;
        let layer = self.store().find_layer(&repository.id, digest).await?;
        let layer = layer.ok_or_else(|| Error::BlobNotFound(digest.clone()))?;
        if self.store().is_referenced(&repository.id, digest).await? {
            Ok(layer)
        } else {
            Err(Error::LayerInaccessible {
                digest: digest.clone(),
                repository: repository.arn.clone(),
            })
        }
    }
}
