//! Texts that we hand out and must know again: authorization tokens, layer tickets, page tokens.
//!
//! `KIND.KEY.FIELDS.MAC`: what the text is for, the token key's id, dots allowed in what it says,
//! and HMAC-SHA256 over all before it in base64url. The kind is under the MAC, so that no text can
//! be used as one of another kind. Nothing in it is secret but its being unforgeable.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bonded_store::{StoreError, TokenKey};

use crate::Registry;
use crate::error::Result;

/// Longer texts are none of ours.
const LENGTH_LIMIT: usize = 2048;

/// What a signed text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The password of `docker login`.
    AuthorizationToken,
    /// The URL of one layer.
    LayerTicket,
    /// Where the next page of a list begins.
    PageToken,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationToken => "1",
            Self::LayerTicket => "layer",
            Self::PageToken => "page",
        }
    }
}

impl Registry {
    /// `fields` as a text of ours.
    ///
    /// # Errors
    /// The token keys cannot be read.
    pub(crate) async fn sign_text(&self, kind: Kind, fields: &str) -> Result<String> {
        let keys = self.store().token_keys().await?;
        let missing = || StoreError::Corrupt("there is no token key".to_owned());
        let key = keys.first().ok_or_else(missing)?;
        let signed = format!("{}.{}.{fields}", kind.as_str(), key.id);
        let mac = URL_SAFE_NO_PAD.encode(mac(key, &signed));
        Ok(format!("{signed}.{mac}"))
    }

    /// The fields of `text`; `None` if we did not make it, or for something else.
    ///
    /// # Errors
    /// The token keys cannot be read.
    pub(crate) async fn verify_text(&self, kind: Kind, text: &str) -> Result<Option<String>> {
        let Some((signed, given)) = text.rsplit_once('.').filter(|_| text.len() <= LENGTH_LIMIT)
        else {
            return Ok(None);
        };
        let mut parts = signed.splitn(3, '.');
        let (Some(word), Some(key_id), Some(fields)) = (parts.next(), parts.next(), parts.next())
        else {
            return Ok(None);
        };
        let Ok(given) = URL_SAFE_NO_PAD.decode(given) else {
            return Ok(None);
        };
        let keys = self.store().token_keys().await?;
        let key = keys.iter().find(|key| key.id == key_id);
        let ours = key.is_some_and(|key| {
            subtle::ConstantTimeEq::ct_eq(mac(key, signed).as_ref(), &given[..]).into()
        });
        Ok((ours && word == kind.as_str()).then(|| fields.to_owned()))
    }
}

fn mac(key: &TokenKey, signed: &str) -> impl AsRef<[u8]> + use<> {
    hmac::sign(
        &hmac::Key::new(hmac::HMAC_SHA256, key.expose()),
        signed.as_bytes(),
    )
}
