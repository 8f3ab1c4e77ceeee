//! Settings as a TOML file.

use std::fmt::Write as _;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::setting::{About, Form, RawConfig, Value};
use super::{ConfigError, settings};
use crate::files;

/// How large a configuration file may be, in bytes.
const FILE_LIMIT: u64 = 1024 * 1024;

/// A place in the text, in bytes, and what is wrong there.
type Problem = (usize, String);

impl RawConfig {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// It cannot be read, is not TOML, or has a key or a type of value that is not ours.
    pub(crate) fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = files::read(path, FILE_LIMIT).map_err(|source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let text = text.ok_or_else(|| ConfigError::Absent(path.to_owned()))?;
        Self::from_toml(&text).map_err(|(line, problem)| ConfigError::Malformed {
            path: path.to_owned(),
            line,
            problem,
        })
    }

    /// Reads TOML; an error is a line, counted from 1, and what is wrong there.
    pub(super) fn from_toml(text: &str) -> Result<Self, (usize, String)> {
        let line_of = |offset: usize| 1 + text.bytes().take(offset).filter(|b| *b == b'\n').count();
        let table = DeTable::parse(text).map_err(|error| {
            let line = line_of(error.span().map_or(0, |span| span.start));
            (line, error.message().replace('\n', ", "))
        })?;
        let mut raw = Self::default();
        raw.read_table(table.get_ref(), "")
            .map_err(|(offset, problem)| (line_of(offset), problem))?;
        Ok(raw)
    }

    fn read_table(&mut self, table: &DeTable<'_>, prefix: &str) -> Result<(), Problem> {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            let place = value.span().start;
            if let Some(about) = settings().find(|about| about.key == name) {
                let value = value_of(about, value.get_ref()).ok_or_else(|| {
                    let expected = expected(about.form);
                    let is = value.get_ref().type_str();
                    (
                        place,
                        format!("'{name}' is of type {is}; {expected} is expected"),
                    )
                })?;
                self.set(about, value);
                continue;
            }
            let inner = format!("{name}.");
            match value.get_ref() {
                _ if !settings().any(|about| about.key.starts_with(&inner)) => {
                    return Err((key.span().start, unknown(&name)));
                }
                DeValue::Table(table) => self.read_table(table, &inner)?,
                other => {
                    let is = other.type_str();
                    return Err((
                        place,
                        format!("'{name}' is of type {is}; a table is expected"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// The TOML that says the same, in the order of the settings.
    pub(crate) fn to_toml(&self) -> String {
        let mut text = String::new();
        let mut inside = "";
        let in_table = |about: &&About| about.key.contains('.') || about.form == Form::Lists;
        let (tables, own): (Vec<&About>, Vec<&About>) = settings().partition(in_table);
        for about in own.into_iter().chain(tables) {
            let Some(value) = self.value(about) else {
                continue;
            };
            if let Value::Lists(lists) = value {
                inside = about.key;
                let _ = write!(text, "\n[{inside}]\n");
                for (name, texts) in lists {
                    let name = toml::Value::String(name.clone());
                    let texts = toml_of(&Value::List(texts.clone()));
                    let _ = writeln!(text, "{name} = {texts}");
                }
                continue;
            }
            let (table, key) = about.key.split_once('.').unwrap_or(("", about.key));
            if table != inside {
                let _ = write!(text, "\n[{table}]\n");
                inside = table;
            }
            let _ = writeln!(text, "{key} = {}", toml_of(value));
        }
        text
    }
}

fn value_of(about: &About, value: &DeValue<'_>) -> Option<Value> {
    let string = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Some(text.to_string()),
        _ => None,
    };
    Some(match (about.form, value) {
        (Form::Text, value) => Value::Text(string(value)?),
        (Form::Path, value) => Value::Path(string(value)?.into()),
        (Form::Number, DeValue::Integer(number)) => {
            Value::Number(u64::from_str_radix(number.as_str(), number.radix()).ok()?)
        }
        (Form::Switch, DeValue::Boolean(on)) => Value::Switch(*on),
        (Form::List, DeValue::Array(values)) => {
            let texts = values.iter().map(|value| string(value.get_ref()));
            Value::List(texts.collect::<Option<_>>()?)
        }
        (Form::Lists, DeValue::Table(table)) => {
            let lists = table.iter().map(|(name, value)| {
                let DeValue::Array(values) = value.get_ref() else {
                    return None;
                };
                let texts: Option<Vec<String>> =
                    values.iter().map(|value| string(value.get_ref())).collect();
                Some((name.get_ref().to_string(), texts?))
            });
            Value::Lists(lists.collect::<Option<_>>()?)
        }
        (Form::Number | Form::Switch | Form::List | Form::Lists, _) => return None,
    })
}

const fn expected(form: Form) -> &'static str {
    match form {
        Form::Text | Form::Path => "a string",
        Form::Number => "a whole number from 0 up",
        Form::Switch => "true or false",
        Form::List => "a list of strings",
        Form::Lists => "a table of lists of strings",
    }
}

fn toml_of(value: &Value) -> toml::Value {
    let string = |text: &str| toml::Value::String(text.to_owned());
    match value {
        Value::Text(text) => string(text),
        Value::Path(path) => string(&path.to_string_lossy()),
        // More than TOML holds is no value of ours.
        Value::Number(number) => i64::try_from(*number).unwrap_or(i64::MAX).into(),
        Value::Switch(on) => toml::Value::Boolean(*on),
        Value::Lists(lists) => {
            let lists = lists.iter().map(|(name, texts)| {
                let texts = texts.iter().map(|text| string(text)).collect();
                (name.clone(), toml::Value::Array(texts))
            });
            toml::Value::Table(lists.collect())
        }
        Value::List(texts) => texts
            .iter()
            .map(|text| string(text))
            .collect::<Vec<_>>()
            .into(),
    }
}

/// What is said about a key that is not ours.
fn unknown(key: &str) -> String {
    let problem = format!("unknown key '{}'", key.escape_debug());
    match nearest(key) {
        Some(near) => format!("{problem}; did you mean '{near}'?"),
        None => problem,
    }
}

/// The key most like `name`; `None` if none is like it.
fn nearest(name: &str) -> Option<&'static str> {
    let name: Vec<char> = name.to_lowercase().chars().take(64).collect();
    let last = |key: &'static str| key.rsplit('.').next().unwrap_or_default();
    settings()
        .map(|about| {
            let of = |text: &str| distance(&name, &text.chars().collect::<Vec<_>>());
            (of(about.key).min(of(last(about.key))), about.key)
        })
        .min()
        .filter(|(distance, key)| *distance <= key.chars().count().div_ceil(3))
        .map(|(_, key)| key)
}

/// How many characters to insert, delete or replace to make `b` of `a`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> RawConfig {
        RawConfig::from_toml(text)
            .map_err(|(_, problem)| problem)
            .unwrap()
    }

    #[test]
    fn every_setting_can_be_written_in_a_file_and_is_written_so() {
        let lines = settings().map(|about| {
            let value = match about.form {
                Form::Text | Form::Path => "'x'",
                Form::Number => "7",
                Form::Switch => "true",
                Form::List => "['x', 'y']",
                Form::Lists => "{ a = ['x'], 'b/c' = ['y'] }",
            };
            format!("{} = {value}\n", about.key)
        });
        let raw = read(&lines.collect::<String>());
        assert!(settings().all(|about| raw.value(about).is_some()));
        let again = read(&raw.to_toml());
        assert!(again.differing(&raw).is_empty(), "{}", raw.to_toml());
    }

    #[test]
    fn a_mistake_is_named_with_its_line_and_what_was_meant() {
        for (text, line, problem) in [
            (
                "listen = 'x'\nlistne = 'y'",
                2,
                "unknown key 'listne'; did you mean 'listen'?",
            ),
            (
                "\n\n[tls]\ncertificat = 'x'",
                4,
                "unknown key 'tls.certificat'; did you mean 'tls.certificate'?",
            ),
            (
                "log.levle = 'x'",
                1,
                "unknown key 'log.levle'; did you mean 'log.level'?",
            ),
            (
                "certificate = 'x'",
                1,
                "unknown key 'certificate'; did you mean 'tls.certificate'?",
            ),
            ("[proxy]\nx = 1", 1, "unknown key 'proxy'"),
            ("qqqqqqqq = 1", 1, "unknown key 'qqqqqqqq'"),
            ("\"a\\u001b\" = 1", 1, "unknown key 'a\\u{1b}'"),
            (
                "account = 'x'\nlisten = 5000",
                2,
                "'listen' is of type integer; a string is expected",
            ),
            (
                "scan.workers = '2'",
                1,
                "'scan.workers' is of type string; a whole number from 0 up is expected",
            ),
            (
                "scan.workers = -1",
                1,
                "'scan.workers' is of type integer; a whole number from 0 up is expected",
            ),
            (
                "tls = 'x'",
                1,
                "'tls' is of type string; a table is expected",
            ),
            ("a = 1\na = 2", 2, "duplicate key"),
            (
                "listen = ",
                1,
                "string values must be quoted, expected literal string",
            ),
        ] {
            let Err(error) = RawConfig::from_toml(text) else {
                panic!("{text}")
            };
            assert_eq!(error, (line, problem.to_owned()), "{text}");
        }
    }
}
