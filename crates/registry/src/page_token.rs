//! Page tokens: opaque to clients, refused if we did not write them for this very list.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::Registry;
use crate::error::{Error, Result};
use crate::signed_text::Kind;

impl Registry {
    /// A token that says that the next page of `list` begins behind `position`. `list` names what
    /// is listed and of which registry or repository, on one line.
    ///
    /// # Errors
    /// The token keys cannot be read.
    pub async fn page_token(&self, list: &str, position: &str) -> Result<String> {
        let fields = URL_SAFE_NO_PAD.encode(format!("{list}\n{position}"));
        let text = self.sign_text(Kind::PageToken, &fields).await?;
        Ok(URL_SAFE_NO_PAD.encode(text))
    }

    /// The position in a token for `list`.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] if we did not make it, or for another list.
    pub async fn read_page_token(&self, list: &str, token: &str) -> Result<String> {
        let text = decode(token).unwrap_or_default();
        let fields = self.verify_text(Kind::PageToken, &text).await?;
        let position = fields.and_then(|fields| {
            let text = decode(&fields)?;
            let (of, position) = text.split_once('\n')?;
            (of == list).then(|| position.to_owned())
        });
        position.ok_or_else(|| Error::parameter("nextToken", "Invalid token"))
    }
}

fn decode(text: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()
}
