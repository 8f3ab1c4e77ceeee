//! Identifiers and secrets, drawn from the system's random source.

use bonded_model::{Secret, Timestamp};

use crate::error::Error;

/// AWS's alphabet for unique ids and access key ids: base 32 by RFC 4648.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Digits and letters.
pub(crate) const BASE62: &[u8; 62] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `N` random bytes.
///
/// # Errors
/// The system's random source failed: nothing may be made then.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the source that the ban points to"
)]
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(bytes)
}

fn base32<const N: usize>() -> Result<String, Error> {
    Ok(bytes::<N>()?
        .iter()
        .map(|byte| char::from(BASE32[usize::from(byte & 31)]))
        .collect())
}

/// `N` characters of base 62, all equally likely.
pub(crate) fn base62<const N: usize>() -> Result<String, Error> {
    let mut text = String::with_capacity(N);
    while text.len() < N {
        // 248 is the largest multiple of 62 in a byte: what is above would favour some letters.
        let drawn = bytes::<N>()?.into_iter().filter(|byte| *byte < 248);
        let letters = drawn.map(|byte| char::from(BASE62[usize::from(byte % 62)]));
        text.extend(letters.take(N - text.len()));
    }
    Ok(text)
}

/// A unique id such as `AIDAJQABLZS4A3QDU576Q`: the 4-letter `prefix` of IAM's reference
/// "Understanding unique ID prefixes" and 17 characters (85 random bits).
pub(crate) fn unique_id(prefix: &str) -> Result<String, Error> {
    Ok(format!("{prefix}{}", base32::<17>()?))
}

/// An access key id such as `AKIAIOSFODNN7EXAMPLE`: `prefix` (`AKIA` or `ASIA`) and 16 characters.
pub(crate) fn access_key_id(prefix: &str) -> Result<String, Error> {
    Ok(format!("{prefix}{}", base32::<16>()?))
}

/// A secret access key: 40 characters of base 64, 240 random bits.
pub(crate) fn secret_access_key() -> Result<Secret, Error> {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes::<30>()?);
    Ok(Secret::new(text))
}

/// The token of a session: 64 random bytes in base64url.
pub(crate) fn session_token() -> Result<Secret, Error> {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes::<64>()?);
    Ok(Secret::new(text))
}

/// The id of a decision: 24 hex digits, the first 12 of them `now` in milliseconds, so that its
/// record can be found by time.
pub(crate) fn decision_id(now: Timestamp) -> Result<String, Error> {
    let millis = now.as_millis() & 0xffff_ffff_ffff;
    Ok(format!("{millis:012x}{}", hex::encode(bytes::<6>()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_the_lengths_of_aws() {
        assert_eq!(unique_id("AIDA").unwrap().len(), 21);
        assert_eq!(access_key_id("AKIA").unwrap().len(), 20);
        assert_eq!(secret_access_key().unwrap().expose().len(), 40);
        let id = decision_id(Timestamp::from_millis(0x1234)).unwrap();
        assert!(id.starts_with("000000001234") && id.len() == 24);
        assert_ne!(unique_id("AIDA").unwrap(), unique_id("AIDA").unwrap());
    }
}
