//! What a setting is: its names, its meaning and its documentation, declared together.
//!
//! The TOML key, the variable, the flag with its help, `config show`, the reference and what SIGHUP
//! takes up all follow from one [`Setting`].

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use super::{ConfigError, settings};

/// One setting, of which the server works with a `T`.
pub(crate) struct Setting<T: 'static> {
    /// What is said about it.
    pub(crate) about: About,
    /// What a value means, or what is wrong with it. The value is the default's if none is set,
    /// and absent if the default is not a value.
    pub(super) read: fn(Option<&Value>) -> Result<T, String>,
    /// The value that means it, with `***` for a secret.
    pub(super) show: fn(&T) -> Option<Value>,
}

/// What is said about a setting.
pub(crate) struct About {
    /// Its name in the TOML file: `listen`, or `tls.key` for the key `key` of the table `tls`.
    pub(crate) key: &'static str,
    /// How a value looks in the help.
    pub(crate) value: &'static str,
    /// What it is for; the help adds the default.
    pub(crate) doc: &'static str,
    /// What is in force if it is not set.
    pub(crate) default: Unset,
    /// How it is written.
    pub(crate) form: Form,
    /// Whether a value may hold a secret: `show` and the help hide it.
    pub(crate) secret: bool,
    /// Whether a running server takes it up on SIGHUP.
    pub(crate) live: bool,
}

/// What is in force if a setting is not set.
#[derive(Clone, Copy)]
pub(crate) enum Unset {
    /// This value, as a flag would give it.
    Value(&'static str),
    /// Something that is not a value, in words.
    Means(&'static str),
    /// Nothing that needs to be said.
    Nothing,
}

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A string.
    Text,
    /// A string that is a path.
    Path,
    /// A whole number, not negative.
    Number,
    /// `true` or `false`.
    Switch,
    /// A list of strings; with commas between them in the environment and in a flag.
    List,
    /// A table of lists of strings under names; there `name=a,b;other=c`.
    Lists,
}

/// A value as it is written.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Of [`Form::Text`].
    Text(String),
    /// Of [`Form::Path`].
    Path(PathBuf),
    /// Of [`Form::Number`].
    Number(u64),
    /// Of [`Form::Switch`].
    Switch(bool),
    /// Of [`Form::List`].
    List(Vec<String>),
    /// Of [`Form::Lists`].
    Lists(BTreeMap<String, Vec<String>>),
}

impl About {
    /// A setting whose value is a string.
    pub(super) const fn text(key: &'static str, value: &'static str) -> Self {
        Self::new(Form::Text, key, value)
    }

    /// A setting whose value is a path.
    pub(super) const fn path(key: &'static str, value: &'static str) -> Self {
        Self::new(Form::Path, key, value)
    }

    /// A setting whose value is a whole number.
    pub(super) const fn number(key: &'static str, value: &'static str) -> Self {
        Self::new(Form::Number, key, value)
    }

    /// A setting that is true or false.
    pub(super) const fn switch(key: &'static str) -> Self {
        Self::new(Form::Switch, key, "true|false")
    }

    /// A setting of several strings.
    pub(super) const fn list(key: &'static str, value: &'static str) -> Self {
        Self::new(Form::List, key, value)
    }

    /// A setting of several strings under names.
    pub(super) const fn lists(key: &'static str, value: &'static str) -> Self {
        Self::new(Form::Lists, key, value)
    }

    const fn new(form: Form, key: &'static str, value: &'static str) -> Self {
        Self {
            key,
            value,
            doc: "",
            default: Unset::Nothing,
            form,
            secret: false,
            live: false,
        }
    }

    /// With this documentation: sentences without a full stop at the end.
    pub(super) const fn doc(self, doc: &'static str) -> Self {
        Self { doc, ..self }
    }

    /// With this value if none is set.
    pub(super) const fn default(self, value: &'static str) -> Self {
        let default = Unset::Value(value);
        Self { default, ..self }
    }

    /// With this meaning if no value is set.
    pub(super) const fn unset(self, meaning: &'static str) -> Self {
        let default = Unset::Means(meaning);
        Self { default, ..self }
    }

    /// With a value that may hold a secret.
    pub(super) const fn secret(self) -> Self {
        let secret = true;
        Self { secret, ..self }
    }

    /// Taken up by a running server; `cli/serve/live.rs` does it.
    pub(super) const fn live(self) -> Self {
        let live = true;
        Self { live, ..self }
    }

    /// The variable of the environment: `BONDED_TLS_KEY` for `tls.key`.
    pub(crate) fn variable(&self) -> String {
        format!("BONDED_{}", self.key.replace('.', "_").to_uppercase())
    }

    /// The flag without its dashes: `tls-key` for `tls.key`.
    pub(crate) fn flag(&self) -> String {
        self.key.replace(['.', '_'], "-")
    }

    /// The default in words; `None` if there is nothing to say.
    pub(crate) const fn default_text(&self) -> Option<&'static str> {
        match self.default {
            Unset::Value(text) | Unset::Means(text) => Some(text),
            Unset::Nothing => None,
        }
    }

    fn default_value(&self) -> Option<Value> {
        let Unset::Value(text) = self.default else {
            return None;
        };
        Some(match self.form {
            Form::Text => Value::Text(text.to_owned()),
            Form::Path => Value::Path(text.into()),
            Form::Number => Value::Number(text.parse().ok()?),
            Form::Switch => Value::Switch(text == "true"),
            Form::List => Value::List(text.split(',').map(str::to_owned).collect()),
            Form::Lists => Value::Lists(lists(text)?),
        })
    }
}

/// Settings as they are written, none of them checked.
#[derive(Clone, Default)]
pub(crate) struct RawConfig(BTreeMap<&'static str, Value>);

impl RawConfig {
    /// The value that is written for it.
    pub(super) fn value(&self, about: &About) -> Option<&Value> {
        self.0.get(about.key)
    }

    /// Writes a value.
    pub(super) fn set(&mut self, about: &About, value: Value) {
        self.0.insert(about.key, value);
    }

    /// These settings and this one.
    pub(crate) fn with<T>(mut self, setting: &Setting<T>, value: &T) -> Self {
        if let Some(value) = (setting.show)(value) {
            self.set(&setting.about, value);
        }
        self
    }

    /// These settings, and for what is not set here those of `base`.
    pub(crate) fn over(self, mut base: Self) -> Self {
        base.0.extend(self.0);
        base
    }

    /// The settings whose values differ from those of `other`.
    pub(crate) fn differing(&self, other: &Self) -> Vec<&'static About> {
        let differs = |about: &&'static About| self.value(about) != other.value(about);
        settings().filter(differs).collect()
    }

    /// The meaning of one setting.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`].
    pub(crate) fn read<T>(&self, setting: &Setting<T>) -> Result<T, ConfigError> {
        let about = &setting.about;
        debug_assert!(
            settings().any(|known| known.key == about.key),
            "not in the TABLE of its file: {}",
            about.key
        );
        let value = self.value(about).cloned().or_else(|| about.default_value());
        (setting.read)(value.as_ref()).map_err(|problem| ConfigError::Invalid {
            key: about.key,
            problem,
        })
    }
}

/// Reads settings, and keeps how what they mean is written.
pub(super) struct Reading {
    raw: RawConfig,
    shown: RawConfig,
}

impl Reading {
    pub(super) fn of(raw: RawConfig) -> Self {
        let shown = RawConfig::default();
        Self { raw, shown }
    }

    /// What is written.
    pub(super) const fn raw(&self) -> &RawConfig {
        &self.raw
    }

    /// The meaning of a setting.
    pub(super) fn get<T>(&mut self, setting: &Setting<T>) -> Result<T, ConfigError> {
        let meant = self.raw.read(setting)?;
        self.show(setting, &meant);
        Ok(meant)
    }

    /// Shows `meant` for a setting whose default depends on others.
    pub(super) fn show<T>(&mut self, setting: &Setting<T>, meant: &T) {
        if let Some(value) = (setting.show)(meant) {
            self.shown.set(&setting.about, value);
        }
    }

    /// All that was read as it is written, with secrets hidden.
    pub(super) fn shown(self) -> RawConfig {
        self.shown
    }
}

/// What the string means; `None` if there is none.
pub(super) fn optional<T>(
    value: Option<&Value>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    match value {
        Some(Value::Text(text)) => parse(text).map(Some),
        _ => Ok(None),
    }
}

/// What the string means, of a setting that has a default.
pub(super) fn required<T>(
    value: Option<&Value>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, String> {
    optional(value, parse)?.ok_or_else(|| "it must be set".to_owned())
}

/// What each of the strings means.
pub(super) fn each<T>(
    value: Option<&Value>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    match value {
        Some(Value::List(texts)) => texts.iter().map(|text| parse(text.trim())).collect(),
        _ => Ok(Vec::new()),
    }
}

/// Reads `name=a,b;other=c`; `None` if it is not of that form, or has a name twice.
pub(super) fn lists(text: &str) -> Option<BTreeMap<String, Vec<String>>> {
    let mut lists = BTreeMap::new();
    for part in text.split(';').filter(|part| !part.trim().is_empty()) {
        let (name, texts) = part.split_once('=')?;
        let texts = texts.split(',').map(|text| text.trim().to_owned());
        let before = lists.insert(name.trim().to_owned(), texts.collect());
        before.is_none().then_some(())?;
    }
    Some(lists)
}

/// What each name and each of its strings mean, by name.
pub(super) fn each_of<K, T>(
    value: Option<&Value>,
    name: impl Fn(&str) -> Result<K, String>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<(K, Vec<T>)>, String> {
    let Some(Value::Lists(lists)) = value else {
        return Ok(Vec::new());
    };
    let read = |(key, texts): (&String, &Vec<String>)| {
        let parsed: Result<Vec<T>, String> = texts.iter().map(|text| parse(text)).collect();
        Ok((name(key)?, parsed?))
    };
    lists.iter().map(read).collect()
}

/// Strings under names that show `meant`.
pub(super) fn shown_lists(meant: &[(impl Display, Vec<impl Display>)]) -> Option<Value> {
    let lists = meant.iter().map(|(name, texts)| {
        let texts = texts.iter().map(ToString::to_string);
        (name.to_string(), texts.collect())
    });
    Some(Value::Lists(lists.collect()))
}

/// The path; `None` if there is none.
pub(super) fn path(value: Option<&Value>) -> Option<&Path> {
    match value {
        Some(Value::Path(path)) => Some(path),
        _ => None,
    }
}

/// The switch; `None` if it is not set.
pub(super) fn switch(value: Option<&Value>) -> Option<bool> {
    match value {
        Some(Value::Switch(on)) => Some(*on),
        _ => None,
    }
}

/// A string that shows `meant`.
pub(super) fn text(meant: &impl Display) -> Option<Value> {
    Some(Value::Text(meant.to_string()))
}

/// Strings that show `meant`, one each.
pub(super) fn texts(meant: &[impl Display]) -> Option<Value> {
    Some(Value::List(meant.iter().map(ToString::to_string).collect()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::network::TRUSTED_PROXIES;
    use crate::config::process::{DATA, LISTEN};

    #[test]
    fn every_setting_has_names_of_its_own_and_says_what_it_is_for() {
        let names = |name: fn(&About) -> String| {
            let names: BTreeSet<String> = settings().map(name).collect();
            names.len()
        };
        assert_eq!(names(|about| about.key.to_owned()), settings().count());
        assert_eq!(names(About::flag), settings().count());
        assert_eq!(names(About::variable), settings().count());
        for about in settings() {
            let doc = about.doc;
            assert!(!doc.is_empty() && !doc.ends_with('.'), "{}", about.key);
            assert!(!about.value.is_empty(), "{}", about.key);
            let part = |part: &str| {
                part.bytes()
                    .all(|b| b.is_ascii_lowercase() || b"_39".contains(&b))
            };
            assert!(about.key.split('.').count() <= 2, "{}", about.key);
            assert!(about.key.split('.').all(part), "{}", about.key);
        }
    }

    #[test]
    fn what_is_set_wins_over_the_base() {
        let address = |port: u16| ([127, 0, 0, 1], port).into();
        let base = RawConfig::default()
            .with(&LISTEN, &address(1))
            .with(&DATA, &"base".into());
        let over = RawConfig::default().with(&LISTEN, &address(2));
        let merged = over.clone().over(base.clone());
        assert!(merged.value(&LISTEN.about) == over.value(&LISTEN.about));
        assert!(merged.value(&DATA.about) == base.value(&DATA.about));
        let keys = |found: Vec<&About>| found.iter().map(|about| about.key).collect::<Vec<_>>();
        assert_eq!(keys(merged.differing(&base)), ["listen"]);
        assert_eq!(keys(merged.differing(&over)), ["data"]);
        assert!(merged.read(&TRUSTED_PROXIES).unwrap().is_empty());
    }
}
