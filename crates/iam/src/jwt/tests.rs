use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, KeyPair as _,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use serde_json::json;

use super::*;

const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_millis(NOW * 1000)
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair, &'static str),
}

impl Signer {
    fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    fn ec(algorithm: &'static EcdsaSigningAlgorithm, curve: &'static str) -> Self {
        Self::Ec(EcdsaKeyPair::generate(algorithm).unwrap(), curve)
    }

    fn p256() -> Self {
        Self::ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
    }

    fn sign(&self, alg: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let encoding: &'static dyn RsaEncoding = match alg {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Self::Ec(pair, _) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
        }
    }

    fn jwk(&self, more: &Value) -> Value {
        let mut jwk = match self {
            Self::Rsa(pair) => {
                // PKCS#1: a sequence of the modulus, with a zero before it, and 65537.
                let der = pair.public_key().as_ref();
                assert_eq!((der.len(), &der[265..]), (270, &[2, 3, 1, 0, 1][..]));
                json!({"kty": "RSA", "n": base64(&der[9..265]), "e": "AQAB"})
            }
            Self::Ec(pair, curve) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve, "x": base64(x), "y": base64(y)})
            }
        };
        jwk.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        jwk
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        self.token_of_texts(&header.to_string(), &claims.to_string())
    }

    fn token_of_texts(&self, header: &str, claims: &str) -> String {
        let alg: Value = serde_json::from_str(header).unwrap_or_default();
        let signed = format!("{}.{}", base64(header), base64(claims));
        let signature = self.sign(alg["alg"].as_str().unwrap_or(""), signed.as_bytes());
        format!("{signed}.{}", base64(signature))
    }
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn claims(more: &Value) -> Value {
    let mut claims = json!({"iss": "https://issuer.example.org", "sub": "s", "aud": "a",
        "exp": NOW + 300, "iat": NOW});
    claims
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    claims
}

fn check(token: &str, keys: &KeySet) -> Result<Claims, JwtError> {
    Token::parse(token)?.verify(keys, now())
}

#[test]
fn every_algorithm_that_is_taken_verifies_and_no_changed_byte_does() {
    let rsa = Signer::rsa();
    for (signer, algs) in [
        (
            &rsa,
            &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"][..],
        ),
        (&Signer::p256(), &["ES256"]),
        (
            &Signer::ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            &["ES384"],
        ),
        (
            &Signer::ec(&ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
            &["ES512"],
        ),
    ] {
        let keys = set(&[signer.jwk(&json!({"kid": "1", "use": "sig"}))]);
        for alg in algs {
            let token = signer.token(&json!({"alg": alg, "kid": "1"}), &claims(&json!({})));
            let found = check(&token, &keys).unwrap();
            assert_eq!(
                (found.subject.as_str(), &found.audiences[..]),
                ("s", &["a".to_owned()][..])
            );
            for at in (0..token.len()).step_by(7) {
                let mut changed = token.clone().into_bytes();
                changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
                let changed = String::from_utf8(changed).unwrap();
                assert!(check(&changed, &keys).is_err(), "{alg} at {at}");
            }
        }
    }
}

#[test]
fn an_algorithm_that_needs_no_key_or_a_shared_one_does_not_exist() {
    let signer = Signer::rsa();
    let keys = set(&[signer.jwk(&json!({"kid": "1"}))]);
    for alg in [
        "none", "None", "NONE", "", "HS256", "HS384", "HS512", "rs256", "ES256K", "EdDSA",
    ] {
        let token = signer.token(&json!({"alg": alg, "kid": "1"}), &claims(&json!({})));
        assert_eq!(
            check(&token, &keys).err(),
            Some(JwtError::Algorithm(alg.to_owned())),
            "{alg}"
        );
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        assert!(check(&unsigned, &keys).is_err());
    }
    // The public key as the secret of HS256: a mistake that many have made.
    let Signer::Rsa(pair) = &signer else { panic!() };
    let der = pair.public_key().as_der().unwrap();
    let header = base64(r#"{"alg":"HS256","kid":"1"}"#);
    let signed = format!("{header}.{}", base64(claims(&json!({})).to_string()));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, der.as_ref());
    let forged = format!(
        "{signed}.{}",
        base64(aws_lc_rs::hmac::sign(&key, signed.as_bytes()))
    );
    assert!(matches!(check(&forged, &keys), Err(JwtError::Algorithm(_))));
}

#[test]
fn a_key_verifies_what_it_is_for_alone() {
    let (rsa, ec, other) = (Signer::rsa(), Signer::p256(), Signer::rsa());
    let header = |alg: &str, kid: &str| json!({"alg": alg, "kid": kid});
    let good = rsa.token(&header("RS256", "1"), &claims(&json!({})));
    for (name, keys, want) in [
        (
            "another key of the id",
            vec![other.jwk(&json!({"kid": "1"}))],
            JwtError::Signature,
        ),
        (
            "another id",
            vec![rsa.jwk(&json!({"kid": "2"}))],
            JwtError::UnknownKey,
        ),
        ("no id", vec![rsa.jwk(&json!({}))], JwtError::UnknownKey),
        (
            "another kind",
            vec![ec.jwk(&json!({"kid": "1"}))],
            JwtError::UnknownKey,
        ),
        (
            "another algorithm",
            vec![rsa.jwk(&json!({"kid": "1", "alg": "RS512"}))],
            JwtError::UnknownKey,
        ),
        (
            "for encryption",
            vec![
                rsa.jwk(&json!({"kid": "1", "use": "enc"})),
                ec.jwk(&json!({})),
            ],
            JwtError::UnknownKey,
        ),
        (
            "for encryption by its operations",
            vec![
                rsa.jwk(&json!({"kid": "1", "key_ops": ["encrypt"]})),
                ec.jwk(&json!({})),
            ],
            JwtError::UnknownKey,
        ),
    ] {
        assert_eq!(check(&good, &set(&keys)).err(), Some(want), "{name}");
    }
    // Two keys under one id, and a token that names none, are decided by the signature.
    let both = set(&[
        ec.jwk(&json!({"kid": "1"})),
        other.jwk(&json!({"kid": "1"})),
        rsa.jwk(&json!({"kid": "1"})),
    ]);
    assert!(check(&good, &both).is_ok());
    let nameless = rsa.token(&json!({"alg": "RS256"}), &claims(&json!({})));
    assert!(check(&nameless, &both).is_ok());
    assert_eq!(
        check(&nameless, &set(&[other.jwk(&json!({}))])).err(),
        Some(JwtError::Signature)
    );
    // A key in the token's own header is nobody's.
    let header = json!({"alg": "RS256", "kid": "1", "jwk": other.jwk(&json!({"kid": "1"})), "jku": "https://evil"});
    let own = other.token(&header, &claims(&json!({})));
    assert_eq!(
        check(&own, &set(&[rsa.jwk(&json!({"kid": "1"}))])).err(),
        Some(JwtError::Signature)
    );
}

#[test]
fn a_token_holds_for_its_time() {
    let signer = Signer::p256();
    let keys = set(&[signer.jwk(&json!({}))]);
    for (more, want) in [
        (json!({"exp": NOW + 1}), Ok(())),
        (json!({"exp": (NOW as f64) + 1.5}), Ok(())),
        (json!({"nbf": NOW + 60, "iat": NOW + 60}), Ok(())),
        (
            json!({"exp": NOW}),
            Err(JwtError::Expired {
                now: NOW,
                expires: NOW,
            }),
        ),
        (
            json!({"exp": NOW - 1}),
            Err(JwtError::Expired {
                now: NOW,
                expires: NOW - 1,
            }),
        ),
        (json!({"nbf": NOW + 61}), Err(JwtError::NotYetValid)),
        (json!({"iat": NOW + 61}), Err(JwtError::NotYetValid)),
        (json!({"exp": null}), Err(JwtError::Claim("exp"))),
        (json!({"exp": "tomorrow"}), Err(JwtError::Claim("exp"))),
        (json!({"exp": -1}), Err(JwtError::Claim("exp"))),
        (json!({"exp": 1e300}), Err(JwtError::Claim("exp"))),
        (json!({"exp": u64::MAX}), Err(JwtError::Claim("exp"))),
        (json!({"nbf": []}), Err(JwtError::Claim("nbf"))),
        (json!({"sub": ""}), Err(JwtError::Claim("sub"))),
        (json!({"sub": 7}), Err(JwtError::Claim("sub"))),
        (json!({"aud": []}), Err(JwtError::Claim("aud"))),
        (json!({"aud": ["a", 1]}), Err(JwtError::Claim("aud"))),
        (json!({"aud": null}), Err(JwtError::Claim("aud"))),
        (json!({"iss": null}), Err(JwtError::Claim("iss"))),
    ] {
        let token = signer.token(&json!({"alg": "ES256"}), &claims(&more));
        assert_eq!(check(&token, &keys).map(drop), want, "{more}");
    }
    let mut without = claims(&json!({}));
    without.as_object_mut().unwrap().remove("exp");
    let token = signer.token(&json!({"alg": "ES256"}), &without);
    assert_eq!(check(&token, &keys).err(), Some(JwtError::Claim("exp")));
}

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let signer = Signer::p256();
    let keys = set(&[signer.jwk(&json!({}))]);
    let body = claims(&json!({})).to_string();
    let twice = body.replacen("\"sub\":\"s\"", "\"sub\":\"s\",\"sub\":\"admin\"", 1);
    for (header, claims) in [
        (r#"{"alg":"ES256"}"#, twice.as_str()),
        (r#"{"alg":"ES256","alg":"none"}"#, &body),
        (r#"{"alg":"ES256","crit":["b64"]}"#, &body),
        (r#"{"alg":"ES256","crit":[]}"#, &body),
        (r#"{"alg":"ES256","typ":"at+jwt"}"#, &body),
        (r#"{"alg":"ES256","typ":1}"#, &body),
        (r#"{"alg":"ES256","kid":1}"#, &body),
        (r#"{"alg":["ES256"]}"#, &body),
        (r"{}", &body),
        (r"[]", &body),
        (r#"{"alg":"ES256"}"#, "[]"),
        (r#"{"alg":"ES256"}"#, "{} {}"),
        (r#"{"alg":"ES256"}"#, ""),
    ] {
        let token = signer.token_of_texts(header, claims);
        assert!(
            matches!(check(&token, &keys), Err(JwtError::Malformed(_))),
            "{header} {claims}"
        );
    }
    let good = signer.token(&json!({"alg": "ES256", "typ": "jwt"}), &claims(&json!({})));
    assert!(check(&good, &keys).is_ok());
    for wrong in [
        String::new(),
        "a.b".to_owned(),
        "..".to_owned(),
        format!("{good}."),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}\n"),
        good.replace('.', ".."),
        "x".repeat(TOKEN_LIMIT + 1),
    ] {
        assert!(
            matches!(check(&wrong, &keys), Err(JwtError::Malformed(_))),
            "{wrong}"
        );
    }
}

#[test]
fn claims_become_values_of_condition_keys() {
    let signer = Signer::p256();
    let more = json!({"aud": ["x", "y"], "amr": ["mfa"], "protected": true, "id": 42,
        "nested": {"a": 1}, "mixed": ["a", {}], "nothing": null});
    let token = signer.token(&json!({"alg": "ES256"}), &claims(&more));
    let claims = check(&token, &set(&[signer.jwk(&json!({}))])).unwrap();
    let values = claims.values();
    assert_eq!(values["protected"], ClaimValue::One("true".to_owned()));
    assert_eq!(values["id"], ClaimValue::One("42".to_owned()));
    assert_eq!(values["amr"], ClaimValue::Many(vec!["mfa".to_owned()]));
    assert_eq!(claims.audiences, ["x", "y"]);
    for absent in ["nested", "mixed", "nothing"] {
        assert!(!values.contains_key(absent), "{absent}");
    }
}

#[test]
fn a_key_set_is_bounded_and_has_a_key_of_ours() {
    let key = Signer::p256().jwk(&json!({"kid": "1"}));
    let text = |keys: &[Value]| json!({ "keys": keys }).to_string().into_bytes();
    let octets = json!({"kty": "oct", "k": "c2VjcmV0", "kid": "1"});
    let small = json!({"kty": "RSA", "n": base64([0xff; 128]), "e": "AQAB"});
    let off_curve =
        json!({"kty": "EC", "crv": "P-256", "x": base64([1; 31]), "y": base64([1; 32])});
    assert_eq!(set(&[octets.clone(), key.clone(), json!(7)]).count(), 1);
    for wrong in [
        text(&[]),
        text(&[octets, small, off_curve]),
        text(&vec![key.clone(); 101]),
        b"{}".to_vec(),
        b"[]".to_vec(),
        b"".to_vec(),
        br#"{"keys":[],"keys":[]}"#.to_vec(),
        vec![b' '; KEY_SET_LIMIT + 1],
    ] {
        assert!(
            KeySet::parse(&wrong).is_err(),
            "{}",
            String::from_utf8_lossy(&wrong)
        );
    }
}
