//! The challenge by which a registry asks for a token of its token server, as the distribution
//! project specifies it.

use serde::Deserialize;

/// `WWW-Authenticate: Bearer realm="…",service="…",scope="…"`.
#[derive(Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The URL of the token server.
    pub realm: String,
    service: Option<String>,
    scope: Option<String>,
}

impl Challenge {
    /// Reads the header; `None` if it asks for something else than a token.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, mut rest) = text.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        while let Some((name, value)) = rest.split_once("=\"") {
            let (value, after) = value.split_once('"')?;
            let name = name.trim_matches([',', ' ']);
            let place = match name.to_ascii_lowercase().as_str() {
                "realm" => Some(&mut realm),
                "service" => Some(&mut service),
                "scope" => Some(&mut scope),
                _ => None,
            };
            if let Some(place) = place {
                *place = Some(value.to_owned());
            }
            rest = after;
        }
        Some(Self {
            realm: realm?,
            service,
            scope,
        })
    }

    /// `path`, with the question for a token of the repository `name`.
    #[must_use]
    pub fn path(&self, path: &str, name: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(service) = &self.service {
            query.append_pair("service", service);
        }
        let pull = format!("repository:{name}:pull");
        query.append_pair("scope", self.scope.as_deref().unwrap_or(&pull));
        let separator = if path.contains('?') { '&' } else { '?' };
        format!("{path}{separator}{}", query.finish())
    }
}

/// The token in the answer of a token server.
#[must_use]
pub fn token(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
    }
    let answer: Answer = serde_json::from_slice(body).ok()?;
    answer.token.or(answer.access_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_says_where_tokens_are() {
        let text = r#"Bearer realm="https://auth.example/token",service="r.example",scope="repository:a/b:pull,push""#;
        let challenge = Challenge::parse(text).unwrap();
        assert_eq!(
            challenge.path("/token", "a/b"),
            "/token?service=r.example&scope=repository%3Aa%2Fb%3Apull%2Cpush"
        );
        for end in 0..text.len() {
            // What is cut short is read as far as it goes, or is none.
            let cut = Challenge::parse(&text[..end]);
            assert!(cut.is_none_or(|cut| cut.realm == challenge.realm));
        }
        let bare = Challenge::parse(r#"bearer realm="/token?x=1""#).unwrap();
        assert_eq!(
            bare.path(&bare.realm, "a"),
            "/token?x=1&scope=repository%3Aa%3Apull"
        );
        for other in [
            r#"Basic realm="x""#,
            "Bearer",
            "Bearer realm=\"x",
            "Bearer service=\"x\"",
        ] {
            assert_eq!(Challenge::parse(other), None, "{other}");
        }
        assert_eq!(token(br#"{"access_token": "t"}"#).as_deref(), Some("t"));
        assert_eq!(token(b"{}"), None);
    }
}
