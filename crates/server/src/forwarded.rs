//! What proxies say of the client behind them.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

/// The client's address: the right-most entry of `X-Forwarded-For` that is not one of `proxies`,
/// over all headers of that name, or the peer's. Each proxy adds the address it was asked from at
/// the right, so whatever stands left of that entry is the client's own word, and is not read.
///
/// # Errors
/// A trusted proxy states what is no address: the decision would rest on a guess.
pub fn client(
    headers: &HeaderMap,
    peer: IpAddr,
    proxies: &[IpNet],
) -> Result<IpAddr, &'static str> {
    let mut client = peer;
    let mut stated = headers
        .get_all("x-forwarded-for")
        .iter()
        .rev()
        .flat_map(|value| text(value).rsplit(','));
    while is_proxy(client, proxies) {
        let Some(entry) = stated.next() else {
            break;
        };
        let address = address(entry.trim());
        client = address.ok_or("the proxy's X-Forwarded-For is not an address")?;
    }
    Ok(client)
}

/// Whether the client used TLS: what the nearest proxy states, or `secure` if it states nothing.
///
/// # Errors
/// It states neither.
pub(crate) fn is_secure(headers: &HeaderMap, secure: bool) -> Result<bool, &'static str> {
    let Some(value) = headers.get_all("x-forwarded-proto").iter().next_back() else {
        return Ok(secure);
    };
    let scheme = text(value).rsplit(',').next().unwrap_or_default().trim();
    if scheme.eq_ignore_ascii_case("https") {
        return Ok(true);
    }
    if scheme.eq_ignore_ascii_case("http") {
        return Ok(false);
    }
    Err("the proxy's X-Forwarded-Proto is neither http nor https")
}

/// Whether what comes from `address` is believed.
pub(crate) fn is_proxy(address: IpAddr, proxies: &[IpNet]) -> bool {
    proxies.iter().any(|net| net.contains(&address))
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

/// An address, with or without a port; one of IPv4 in the form of IPv6 is one of IPv4.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = text.parse::<SocketAddr>().map(|address| address.ip());
    let bare = |text: &str| match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').and_then(|text| text.parse().ok()),
        None => text.parse().ok(),
    };
    let address: Option<IpAddr> = with_port.ok().or_else(|| bare(text));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn the_client_is_the_right_most_address_that_is_no_proxys() {
        let proxies: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8"]
            .map(|net| net.parse().unwrap())
            .into();
        for (peer, stated, want) in [
            ("10.0.0.1", &[][..], Ok("10.0.0.1")),
            ("10.0.0.1", &["192.0.2.1"], Ok("192.0.2.1")),
            ("fd00::1", &["2001:db8::1"], Ok("2001:db8::1")),
            ("192.0.2.9", &["192.0.2.1"], Ok("192.0.2.9")),
            ("192.0.2.9", &["garbage"], Ok("192.0.2.9")),
            // What the client says of itself stands at the left.
            ("10.0.0.1", &["127.0.0.1, 192.0.2.1"], Ok("192.0.2.1")),
            ("10.0.0.1", &["127.0.0.1", "192.0.2.1"], Ok("192.0.2.1")),
            ("10.0.0.1", &["10.0.0.7, 192.0.2.1"], Ok("192.0.2.1")),
            ("10.0.0.1", &["garbage, 192.0.2.1"], Ok("192.0.2.1")),
            ("10.0.0.1", &["\u{fc}", "192.0.2.1"], Ok("192.0.2.1")),
            // A chain of proxies of ours.
            ("10.0.0.1", &["192.0.2.1, 10.0.0.2"], Ok("192.0.2.1")),
            (
                "10.0.0.1",
                &["192.0.2.1,10.0.0.3", " 10.0.0.2 "],
                Ok("192.0.2.1"),
            ),
            (
                "10.0.0.1",
                &["6.6.6.6, 192.0.2.1, 10.0.0.2"],
                Ok("192.0.2.1"),
            ),
            ("10.0.0.1", &["192.0.2.1, ::ffff:10.0.0.2"], Ok("192.0.2.1")),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], Ok("10.0.0.3")),
            // Forms.
            ("10.0.0.1", &["192.0.2.1:4711"], Ok("192.0.2.1")),
            ("10.0.0.1", &["[2001:db8::1]:443"], Ok("2001:db8::1")),
            ("10.0.0.1", &["[2001:db8::1]"], Ok("2001:db8::1")),
            ("10.0.0.1", &["::ffff:192.0.2.1"], Ok("192.0.2.1")),
            // No guess.
            ("10.0.0.1", &["192.0.2.1, garbage"], Err(())),
            ("10.0.0.1", &["192.0.2.1, "], Err(())),
            ("10.0.0.1", &[""], Err(())),
            ("10.0.0.1", &["unknown"], Err(())),
            ("10.0.0.1", &["_hidden"], Err(())),
            ("10.0.0.1", &["192.0.2.1]"], Err(())),
            ("10.0.0.1", &["[192.0.2.1"], Err(())),
            ("10.0.0.1", &["192.0.2"], Err(())),
            ("10.0.0.1", &["0x7f.1"], Err(())),
            ("10.0.0.1", &["192.0.2.1/32"], Err(())),
            ("10.0.0.1", &["fe80::1%eth0"], Err(())),
            ("10.0.0.1", &["192.0.2.1", "\u{fc}"], Err(())),
            ("10.0.0.1", &["garbage, 10.0.0.2"], Err(())),
        ] {
            let headers = headers("x-forwarded-for", stated);
            let found = client(&headers, peer.parse().unwrap(), &proxies);
            let want = want.map(|text| text.parse::<IpAddr>().unwrap());
            assert_eq!(found.map_err(drop), want, "{peer} {stated:?}");
        }
    }

    #[test]
    fn the_scheme_is_the_nearest_proxys_word() {
        for (stated, want) in [
            (&[][..], Ok(true)),
            (&["http"], Ok(false)),
            (&["HTTPS"], Ok(true)),
            (&["https, http"], Ok(false)),
            (&["https", "http"], Ok(false)),
            (&["ftp"], Err(())),
            (&[""], Err(())),
        ] {
            let headers = headers("x-forwarded-proto", stated);
            assert_eq!(is_secure(&headers, true).map_err(drop), want, "{stated:?}");
        }
    }
}
