//! FIRST's Exploit Prediction Scoring System.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// FIRST's estimate of the probability that a vulnerability is exploited within 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Epss {
    /// The probability.
    pub score: Probability,
    /// The part of all vulnerabilities that are no more probable.
    pub percentile: Probability,
}

/// A number from 0 to 1 with five decimals, as EPSS has them; in JSON a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probability(u32);

impl Probability {
    /// `None` if the number is not of 0 to 1.
    #[must_use]
    pub fn new(number: f64) -> Option<Self> {
        // A cast from a float saturates.
        let of = (0.0..=1.0).contains(&number);
        of.then(|| Self((number * 100_000.0).round() as u32))
    }

    pub(crate) fn from_hundred_thousandths(number: u32) -> Self {
        Self(number.min(100_000))
    }

    pub(crate) fn hundred_thousandths(self) -> u32 {
        self.0
    }

    /// The number.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 100_000.0
    }
}

impl Serialize for Probability {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_f64())
    }
}

impl<'de> Deserialize<'de> for Probability {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        let other = || serde::de::Error::custom(format!("{number} is not of 0 to 1"));
        Self::new(number).ok_or_else(other)
    }
}

/// In per cent, for people.
impl std::fmt::Display for Probability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.1} %", self.as_f64() * 100.0)
    }
}
