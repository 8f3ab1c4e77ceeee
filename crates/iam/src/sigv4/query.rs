//! Signatures in the query of a URL: presigned requests.

use bonded_model::{Secret, Timestamp};
use percent_encoding::percent_decode_str;

use super::{ALGORITHM, Authorization, Place, SigV4Error, credential_scope, signed_header_names};

/// How long a presigned request may hold: seven days, in seconds.
const LIFETIME_LIMIT: i64 = 604_800;

const NAMES: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
];

/// Whether a parameter of this name belongs to the signature and not to what is asked. Names are
/// compared without their case here: who sends another case is not asking for anything either.
#[must_use]
pub fn is_signing_parameter(name: &str) -> bool {
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Whether a query is signed, or is meant to be.
#[must_use]
pub fn is_signed_query(query: &str) -> bool {
    names(query).any(|name| {
        is_signing_parameter(&name) && !name.eq_ignore_ascii_case("X-Amz-Security-Token")
    })
}

fn names(query: &str) -> impl Iterator<Item = String> {
    query.split('&').map(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        percent_decode_str(name).decode_utf8_lossy().into_owned()
    })
}

/// Reads the signature in a query.
///
/// # Errors
/// [`SigV4Error::Incomplete`] if a parameter is missing, stands twice or cannot be read;
/// [`SigV4Error::WrongScope`] if the scope does not end as it must.
pub fn parse_query(query: &str) -> Result<Authorization, SigV4Error> {
    let parameter = |name: &str| {
        let value = find(query, name)?;
        let text = || {
            format!(
                "AWS query-string parameters must include '{name}'. Re-examine the query-string parameters."
            )
        };
        value.ok_or_else(|| SigV4Error::Incomplete(text()))
    };
    let algorithm = parameter("X-Amz-Algorithm")?;
    if algorithm != ALGORITHM {
        return Err(super::unsupported(&algorithm));
    }
    let [access_key_id, date, region, service] = credential_scope(&parameter("X-Amz-Credential")?)?;
    let signature = parameter("X-Amz-Signature")?;
    let signed_headers = signed_header_names(&parameter("X-Amz-SignedHeaders")?)?;
    let stamp = parameter("X-Amz-Date")?;
    let signed_at = Timestamp::parse_amz_date(&stamp).ok_or_else(|| super::bad_date(&stamp))?;
    let expires = parameter("X-Amz-Expires")?;
    let lifetime = expires
        .parse()
        .ok()
        .filter(|seconds| (1..=LIFETIME_LIMIT).contains(seconds));
    let lifetime: i64 = lifetime.ok_or_else(|| {
        SigV4Error::Incomplete(format!(
            "X-Amz-Expires must be a number of seconds from 1 to {LIFETIME_LIMIT}, not '{}'.",
            bonded_model::shown(&expires)
        ))
    })?;
    Ok(Authorization {
        access_key_id,
        date,
        region,
        service,
        signed_headers,
        signature: hex::decode(signature).map_err(|_| SigV4Error::SignatureMismatch)?,
        place: Place::Query {
            signed_at,
            lifetime_ms: lifetime * 1000,
            session_token: find(query, "X-Amz-Security-Token")?.map(Secret::new),
        },
    })
}

/// The value of a parameter; `None` if it is not there or is empty.
fn find(query: &str, name: &str) -> Result<Option<String>, SigV4Error> {
    let mut found = None;
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if percent_decode_str(key).decode_utf8_lossy() != name {
            continue;
        }
        let value = percent_decode_str(value).decode_utf8();
        let value = value.map_err(|_| SigV4Error::Incomplete(format!("{name} is not UTF-8.")))?;
        if found.replace(value.into_owned()).is_some() {
            return Err(SigV4Error::Incomplete(format!("{name} stands twice.")));
        }
    }
    Ok(found.filter(|value: &String| !value.is_empty()))
}
