//! The keys of an identity provider (JWK Set, RFC 7517) and what they verify.

use aws_lc_rs::signature::{
    self, EcdsaVerificationAlgorithm, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bonded_model::json;
use serde_json::{Map, Value};

/// The longest key set that is read, in bytes.
pub const KEY_SET_LIMIT: usize = 256 * 1024;

/// How many keys of a set are kept; AWS takes as many of each kind.
const KEYS_LIMIT: usize = 100;

/// How many keys a signature is compared with, where the token's id leaves several.
const TRIED: usize = 8;

/// Why there are no keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a set of keys (JWK Set): {0}")]
pub struct InvalidKeySet(String);

/// The public keys of an identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet(Vec<Key>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    kid: Option<String>,
    /// The one algorithm that it is meant for, if it says so.
    algorithm: Option<Algorithm>,
    public: PublicKey,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PublicKey {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// A point, uncompressed.
    Ec {
        curve: Curve,
        point: Vec<u8>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    P521,
}

/// What tokens may be signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
}

/// What an algorithm needs of a key.
enum Suits {
    Rsa(&'static RsaParameters),
    Ec(Curve, &'static EcdsaVerificationAlgorithm),
}

impl Algorithm {
    /// Names are case-sensitive (RFC 7515).
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            _ => return None,
        })
    }

    /// RSA keys have 2048 to 8192 bits.
    fn suits(self) -> Suits {
        match self {
            Self::Rs256 => Suits::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => Suits::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => Suits::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => Suits::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => Suits::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => Suits::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Self::Es256 => Suits::Ec(Curve::P256, &signature::ECDSA_P256_SHA256_FIXED),
            Self::Es384 => Suits::Ec(Curve::P384, &signature::ECDSA_P384_SHA384_FIXED),
            Self::Es512 => Suits::Ec(Curve::P521, &signature::ECDSA_P521_SHA512_FIXED),
        }
    }
}

impl Curve {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "P-256" => Self::P256,
            "P-384" => Self::P384,
            "P-521" => Self::P521,
            _ => return None,
        })
    }

    /// The length of a coordinate, in bytes.
    const fn length(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

impl KeySet {
    /// Reads `{"keys": […]}`. Keys of other kinds, or for other uses than signatures, are left
    /// out, as the standard asks for; a set with none of ours is refused.
    ///
    /// # Errors
    /// [`InvalidKeySet`].
    pub fn parse(text: &[u8]) -> Result<Self, InvalidKeySet> {
        let invalid = |problem: &str| InvalidKeySet(problem.to_owned());
        if text.len() > KEY_SET_LIMIT {
            let problem = format!("it has more than {KEY_SET_LIMIT} bytes");
            return Err(InvalidKeySet(problem));
        }
        let value = json::parse(text).map_err(|error| InvalidKeySet(error.to_string()))?;
        let Some(Value::Array(items)) = value.get("keys") else {
            return Err(invalid("the list 'keys' is expected"));
        };
        if items.len() > KEYS_LIMIT {
            let problem = format!("it has more than {KEYS_LIMIT} keys");
            return Err(InvalidKeySet(problem));
        }
        let keys: Vec<Key> = items.iter().filter_map(Key::parse).collect();
        if keys.is_empty() {
            return Err(invalid("it has no RSA or EC key for signatures"));
        }
        Ok(Self(keys))
    }

    /// How many keys there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether a key for `algorithm` with the id `kid` made `signature` over `signed`; `None` if
    /// there is no such key.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        signed: &[u8],
        signature: &[u8],
    ) -> Option<bool> {
        let suits = algorithm.suits();
        let named = self.0.iter().filter(|key| {
            kid.is_none_or(|kid| key.kid.as_deref() == Some(kid))
                && key.algorithm.is_none_or(|own| own == algorithm)
                && key.public.is_for(&suits)
        });
        let mut tried = named.take(TRIED).peekable();
        tried.peek()?;
        Some(tried.any(|key| key.public.verifies(&suits, signed, signature)))
    }
}

impl Key {
    fn parse(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        let text = |name: &str| map.get(name).and_then(Value::as_str);
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        if let Some(operations) = map.get("key_ops") {
            let operations = operations.as_array()?;
            if !operations.iter().any(|operation| operation == "verify") {
                return None;
            }
        }
        let algorithm = match map.get("alg") {
            None => None,
            Some(name) => Some(Algorithm::parse(name.as_str()?)?),
        };
        let kid = match map.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str()?.to_owned()),
        };
        Some(Self {
            kid,
            algorithm,
            public: PublicKey::parse(text("kty")?, map)?,
        })
    }
}

impl PublicKey {
    fn parse(kind: &str, map: &Map<String, Value>) -> Option<Self> {
        let bytes = |name: &str| {
            let text = map.get(name)?.as_str()?;
            URL_SAFE_NO_PAD.decode(text).ok()
        };
        match kind {
            "RSA" => {
                let without_zeros = |bytes: Vec<u8>| {
                    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                    bytes[zeros..].to_vec()
                };
                let modulus = without_zeros(bytes("n")?);
                let exponent = without_zeros(bytes("e")?);
                // 2048 to 8192 bits; an exponent of more than 32 is none that anybody uses.
                let usable = (256..=1024).contains(&modulus.len()) && exponent.len() <= 4;
                usable.then_some(Self::Rsa { modulus, exponent })
            }
            "EC" => {
                let curve = Curve::parse(map.get("crv")?.as_str()?)?;
                let (x, y) = (bytes("x")?, bytes("y")?);
                let usable = x.len() == curve.length() && y.len() == curve.length();
                usable.then(|| Self::Ec {
                    curve,
                    point: [&[4], x.as_slice(), y.as_slice()].concat(),
                })
            }
            _ => None,
        }
    }

    fn is_for(&self, suits: &Suits) -> bool {
        match (self, suits) {
            (Self::Rsa { .. }, Suits::Rsa(_)) => true,
            (Self::Ec { curve, .. }, Suits::Ec(wanted, _)) => curve == wanted,
            _ => false,
        }
    }

    fn verifies(&self, suits: &Suits, signed: &[u8], signature: &[u8]) -> bool {
        match (self, suits) {
            (Self::Rsa { modulus, exponent }, Suits::Rsa(parameters)) => {
                let key = RsaPublicKeyComponents {
                    n: modulus,
                    e: exponent,
                };
                key.verify(parameters, signed, signature).is_ok()
            }
            (Self::Ec { curve, point }, Suits::Ec(wanted, algorithm)) if curve == wanted => {
                let key = UnparsedPublicKey::new(*algorithm, point);
                key.verify(signed, signature).is_ok()
            }
            _ => false,
        }
    }
}
