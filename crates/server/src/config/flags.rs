//! Settings as flags, and as variables of the environment, which clap reads too.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};

use super::setting::{About, Form, RawConfig, Value, lists};
use super::settings;

impl Args for RawConfig {
    fn augment_args(command: Command) -> Command {
        command.args(settings().map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for RawConfig {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut raw = Self::default();
        raw.update_from_arg_matches(matches)?;
        Ok(raw)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for about in settings() {
            if let Some(value) = given(about, matches) {
                self.set(about, value);
            }
        }
        Ok(())
    }
}

fn flag(about: &About) -> Arg {
    let help = match about.default_text() {
        Some(default) => format!("{} [default: {default}]", about.doc),
        None => about.doc.to_owned(),
    };
    let flag = Arg::new(about.key)
        .long(about.flag())
        .env(about.variable())
        .hide_env_values(about.secret)
        .value_name(about.value)
        .help(help)
        .help_heading("Settings");
    match about.form {
        Form::Text => flag.value_parser(value_parser!(String)),
        Form::Path => flag.value_parser(value_parser!(PathBuf)),
        Form::Number => flag.value_parser(value_parser!(u64)),
        Form::Switch => flag.value_parser(value_parser!(bool)),
        Form::List => flag.value_delimiter(',').action(ArgAction::Append),
        Form::Lists => flag.value_parser(|text: &str| {
            lists(text).ok_or("expected is 'name=a,b;other=c', each name once")
        }),
    }
}

fn given(about: &About, matches: &ArgMatches) -> Option<Value> {
    let key = about.key;
    match about.form {
        Form::Text => matches.get_one(key).cloned().map(Value::Text),
        Form::Path => matches.get_one(key).cloned().map(Value::Path),
        Form::Number => matches.get_one(key).copied().map(Value::Number),
        Form::Switch => matches.get_one(key).copied().map(Value::Switch),
        Form::Lists => matches.get_one(key).cloned().map(Value::Lists),
        Form::List => {
            let texts = matches.get_many::<String>(key)?;
            Some(Value::List(texts.cloned().collect()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::network::{HOSTS, TRUSTED_PROXIES};
    use crate::config::process::{DATA, LISTEN};

    #[test]
    fn a_flag_is_read_as_its_form_says() {
        let command = RawConfig::augment_args(Command::new("test"));
        let given = [
            "test",
            "--listen=127.0.0.1:1",
            "--data=d",
            "--hosts=a.example,b.example",
            "--s3-path-style=true",
        ];
        let matches = command.clone().try_get_matches_from(given).unwrap();
        let raw = RawConfig::from_arg_matches(&matches).unwrap();
        assert_eq!(raw.read(&LISTEN).unwrap().port(), 1);
        assert!(raw.read(&DATA).unwrap().ends_with("d"));
        assert_eq!(raw.read(&HOSTS).unwrap(), ["a.example", "b.example"]);
        assert!(raw.read(&TRUSTED_PROXIES).unwrap().is_empty());
        assert!(raw.read(&crate::config::bucket::PATH_STYLE).unwrap() == Some(true));
        command.debug_assert();
    }
}
