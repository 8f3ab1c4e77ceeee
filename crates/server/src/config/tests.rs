use std::fs;

use super::*;

/// An environment with this home.
fn home(path: &Path) -> impl Fn(&str) -> Option<OsString> {
    let path = path.as_os_str().to_owned();
    move |name| (name == "HOME").then(|| path.clone())
}

fn resolve(raw: RawConfig) -> Result<Config, ConfigError> {
    let directory = tempfile::tempdir().unwrap();
    let base = RawConfig::default().with(&DATA, &directory.path().join("data"));
    Config::resolve(raw.over(base), home(directory.path()))
}

fn raw(text: &str) -> RawConfig {
    RawConfig::from_toml(text)
        .map_err(|(_, problem)| problem)
        .unwrap()
}

fn problem(raw: RawConfig) -> String {
    match resolve(raw) {
        Ok(_) => "no problem".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn nothing_configured_is_a_server_on_loopback() {
    let config = resolve(RawConfig::default()).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:5000");
    assert_eq!(config.account.as_str(), "111122223333");
    assert_eq!(config.regions[0].as_str(), "us-east-1");
    assert!(
        config
            .plain_http_from
            .iter()
            .all(|net| net.addr().is_loopback())
    );
    assert!(config.trusted_proxies.is_empty() && config.hosts.is_empty() && config.tls.is_none());
    assert!(matches!(config.database, Database::Sqlite));
}

#[test]
fn every_data_directory_has_its_own_key_ring_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let keyring = |data: PathBuf| {
        let raw = RawConfig::default().with(&DATA, &data);
        Config::resolve(raw, home(directory.path()))
            .unwrap()
            .keyring
    };
    let (one, two) = (keyring(at("one")), keyring(at("two")));
    assert_ne!(one, two);
    assert!(
        one.parent().unwrap().ends_with(".config/bonded"),
        "{}",
        one.display()
    );
    fs::create_dir_all(at("one")).unwrap();
    std::os::unix::fs::symlink(at("one"), at("link")).unwrap();
    assert_eq!(keyring(at("one")), one, "the directory exists now");
    assert_eq!(keyring(at("link")), one, "a link to the same");
    assert_eq!(keyring(at("link/../two")), two);
    let elsewhere = |name: &str| (name == "XDG_CONFIG_HOME").then(|| at("xdg").into_os_string());
    let raw = RawConfig::default().with(&DATA, &at("one"));
    let config = Config::resolve(raw, elsewhere).unwrap();
    assert!(
        config.keyring.starts_with(
            at("xdg")
                .parent()
                .unwrap()
                .canonicalize()
                .unwrap()
                .join("xdg")
        )
    );
}

#[test]
fn a_key_ring_in_the_data_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fs::create_dir_all(data.join("deep")).unwrap();
    std::os::unix::fs::symlink(data.join("deep"), directory.path().join("link")).unwrap();
    for keyring in [
        "data/keyring",
        "data/a/b",
        "x/../data/keyring",
        "link/keyring",
    ] {
        let raw = RawConfig::default()
            .with(&DATA, &data)
            .with(&KEYRING, &Some(directory.path().join(keyring)));
        let problem = problem(raw);
        assert!(
            problem.starts_with("setting 'keyring': "),
            "{keyring}: {problem}"
        );
    }
    let raw = RawConfig::default().with(&DATA, &data);
    assert!(
        Config::resolve(raw.clone(), home(&data)).is_err(),
        "the home is the data directory"
    );
    assert!(Config::resolve(raw, |_| None).is_err(), "there is no home");
}

#[test]
fn a_value_that_cannot_be_is_named() {
    for (text, key, value) in [
        ("listen = 'localhost'", "listen", "'localhost'"),
        ("listen = ':5000'", "listen", "':5000'"),
        ("account = '12'", "account", "'12'"),
        ("regions = ['US']", "regions", "'US'"),
        ("regions = []", "regions", "at least one"),
        ("regions = ['a', 'b', 'a']", "regions", "'a' stands twice"),
        ("domain = 'a b'", "domain", "'a b'"),
        ("domain = 'a..b'", "domain", "'a..b'"),
        ("hosts = ['https://a']", "hosts", "'https://a'"),
        (r#"hosts = ["a\u001b"]"#, "hosts", r"'a\u{1b}'"),
        (
            "plain_http_from = ['10.0.0.0/33']",
            "plain_http_from",
            "'10.0.0.0/33'",
        ),
        ("trusted_proxies = ['proxy']", "trusted_proxies", "'proxy'"),
        ("create_on_push = ['CI/*']", "create_on_push", "'CI/*'"),
        ("uploads.stall = '90'", "uploads.stall", "'90'"),
        (
            "uploads.unfinished_bytes = '20 GB'",
            "uploads.unfinished_bytes",
            "'20 GB'",
        ),
        (
            "oci.sparse_manifests = ['a b']",
            "oci.sparse_manifests",
            "'a b'",
        ),
        ("scan.unrated = 'BAD'", "scan.unrated", "'BAD'"),
        (
            "scan.attach_sboms = ['syft']",
            "scan.attach_sboms",
            "'syft'",
        ),
        (
            "scan.attach_sboms_to = ['A/*']",
            "scan.attach_sboms_to",
            "'A/*'",
        ),
        ("scan.pull_wait = '5'", "scan.pull_wait", "'5'"),
        (
            "egress.allow = ['10.0.0.0/33']",
            "egress.allow",
            "'10.0.0.0/33'",
        ),
        (
            "egress.allow = ['https://keys.example.org']",
            "egress.allow",
            "'https://keys.example.org'",
        ),
        (
            "egress.allow = ['http://keys.example.org/path']",
            "egress.allow",
            "'http://keys.example.org/path'",
        ),
        ("scan.pull_wait = '61s'", "scan.pull_wait", "'61s'"),
        ("scan.workers = 65", "scan.workers", "'65'"),
        (
            "tls.key = 'k'",
            "tls.key",
            "'tls.certificate' must be set too",
        ),
        (
            "tls.certificate = 'c'",
            "tls.certificate",
            "'tls.key' must be set too",
        ),
        ("log.format = 'xml'", "log.format", "'xml'"),
        ("log.level = 'loud'", "log.level", "'loud'"),
        ("log.level = 'info,loud'", "log.level", "'info,loud'"),
        ("log.level = 'bonded=loud'", "log.level", "'bonded=loud'"),
        ("log.level = ''", "log.level", "''"),
    ] {
        let problem = problem(raw(text));
        assert!(
            problem.starts_with(&format!("setting '{key}': ")),
            "{problem}"
        );
        assert!(problem.contains(value), "{problem}");
    }
    for level in ["off", "WARN", "info,bonded=debug"] {
        assert_eq!(
            problem(raw(&format!("log.level = '{level}'"))),
            "no problem"
        );
    }
}

#[test]
fn scans_in_conditions_are_set() {
    let default = resolve(RawConfig::default()).unwrap();
    assert_eq!(default.unrated, Unrated::Unknown);
    assert_eq!(default.pull_wait, Duration::from_secs(5));
    assert_eq!(default.scan_workers, 2);
    let set = "scan = { unrated = 'high', pull_wait = '250ms', workers = 0 }";
    let set = resolve(raw(set)).unwrap();
    assert_eq!(set.unrated, Unrated::As(bonded_model::Severity::High));
    assert_eq!(set.pull_wait, Duration::from_millis(250));
    assert_eq!(set.scan_workers, 0);
    let shown = set.shown.to_toml();
    assert!(
        shown.contains("pull_wait = \"250ms\"\nworkers = 0\n"),
        "{shown}"
    );
}

#[test]
fn a_network_may_be_one_address() {
    let nets = "plain_http_from = ['10.1.2.3', '10.0.0.0/8', '::1', '::ffff:10.0.0.1']";
    let config = resolve(raw(nets)).unwrap();
    let found: Vec<String> = config
        .plain_http_from
        .iter()
        .map(IpNet::to_string)
        .collect();
    assert_eq!(
        found,
        ["10.1.2.3/32", "10.0.0.0/8", "::1/128", "10.0.0.1/32"]
    );
}

#[test]
fn a_password_is_never_shown() {
    for (url, shown) in [
        (
            "postgres://bonded:pw@db:5432/b",
            "postgres://bonded:***@db:5432/b",
        ),
        ("postgres://bonded:p@w:x@db/b", "postgres://bonded:***@db/b"),
        ("postgresql://db/b?password=pw", "postgresql://db/b"),
        ("postgres://bonded@db/b", "postgres://bonded@db/b"),
    ] {
        let config = resolve(raw(&format!("database = '{url}'"))).unwrap();
        let text = config.shown.to_toml();
        assert!(text.contains(&format!("database = \"{shown}\"")), "{text}");
    }
    assert!(!problem(raw("database = 'mysql://u:pw@db'")).contains("pw"));
}

/// The bucket of `text`, with AWS's variables as they are here.
fn bucket(text: &str, variables: &[(&str, &str)]) -> Result<bonded_store::BucketSettings, String> {
    let directory = tempfile::tempdir().unwrap();
    let raw = raw(text)
        .with(&DATA, &directory.path().join("data"))
        .with(&KEYRING, &Some(directory.path().join("keyring")));
    let variable = |name: &str| {
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map(|(_, value)| OsString::from(value))
    };
    match Config::resolve(raw, variable) {
        Err(error) => Err(error.to_string()),
        Ok(config) => match config.objects {
            Objects::Bucket(bucket) => Ok(bucket),
            Objects::Disk => Err("disk".to_owned()),
        },
    }
}

#[test]
fn a_bucket_has_what_is_set_and_the_rest_from_awss_variables() {
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIAENV"),
        ("AWS_SECRET_ACCESS_KEY", "env"),
        ("AWS_SESSION_TOKEN", "token"),
        ("AWS_REGION", "eu-west-1"),
    ];
    assert_eq!(bucket("", &keys).err().as_deref(), Some("disk"));
    let aws = bucket("s3.bucket = 'images'", &keys).unwrap();
    assert_eq!(
        (aws.access_key_id.as_str(), aws.region.as_str()),
        ("AKIAENV", "eu-west-1")
    );
    assert_eq!(aws.session_token.unwrap().expose(), "token");
    assert!(!aws.path_style && !aws.allow_http && aws.prefix.is_empty());
    let own = "s3 = { bucket = 'images', prefix = 'a/b', endpoint = 'https://minio:9000', \
               access_key_id = 'AK', secret_access_key = 'SK', region = 'here' }";
    let own = bucket(own, &keys).unwrap();
    assert_eq!(
        (own.access_key_id.as_str(), own.secret_access_key.expose()),
        ("AK", "SK")
    );
    assert!(own.session_token.is_none(), "it belongs to another key");
    assert_eq!((own.region.as_str(), own.prefix.as_str()), ("here", "a/b/"));
    assert!(own.path_style);
    let http = "s3 = { bucket = 'images', endpoint = 'http://minio', allow_http = true }";
    assert!(bucket(http, &keys).unwrap().allow_http);
}

#[test]
fn a_bucket_that_cannot_be_is_refused() {
    let keys = [("AWS_ACCESS_KEY_ID", "AK"), ("AWS_SECRET_ACCESS_KEY", "SK")];
    for (text, key, value) in [
        (
            "s3.endpoint = 'https://a'",
            "s3.endpoint",
            "'s3.bucket' must be set too",
        ),
        ("s3.bucket = 'Images'", "s3.bucket", "'Images'"),
        ("s3.bucket = 'a/b'", "s3.bucket", "'a/b'"),
        (
            "s3 = { bucket = 'images', endpoint = 'minio' }",
            "s3.endpoint",
            "'minio'",
        ),
        (
            "s3 = { bucket = 'images', endpoint = 'ftp://minio' }",
            "s3.endpoint",
            "'ftp://minio'",
        ),
        (
            "s3 = { bucket = 'images', endpoint = 'https://a/b' }",
            "s3.endpoint",
            "'https://a/b'",
        ),
        (
            "s3 = { bucket = 'images', endpoint = 'https://u:p@a' }",
            "s3.endpoint",
            "not the URL",
        ),
        (
            "s3 = { bucket = 'images', endpoint = 'http://a' }",
            "s3.endpoint",
            "s3.allow_http",
        ),
        (
            "s3 = { bucket = 'images', prefix = '/a' }",
            "s3.prefix",
            "'/a'",
        ),
        (
            "s3 = { bucket = 'images', prefix = 'a//b' }",
            "s3.prefix",
            "'a//b'",
        ),
        (
            "s3 = { bucket = 'images', prefix = '../b' }",
            "s3.prefix",
            "'../b'",
        ),
        (
            "s3 = { bucket = 'images', access_key_id = 'x' }",
            "s3.access_key_id",
            "s3.secret_access_key",
        ),
        (
            "s3 = { bucket = 'images', secret_access_key = 'x' }",
            "s3.secret_access_key",
            "s3.access_key_id",
        ),
    ] {
        let problem = bucket(text, &keys).err().unwrap();
        assert!(
            problem.starts_with(&format!("setting '{key}': ")),
            "{text}: {problem}"
        );
        assert!(problem.contains(value), "{text}: {problem}");
    }
    let problem = bucket("s3.bucket = 'images'", &[]).err().unwrap();
    assert!(problem.contains("AWS_ACCESS_KEY_ID"), "{problem}");
}

#[test]
fn what_is_shown_means_the_same() {
    let config = resolve(raw(
        "hosts = ['Registry.Example']\ndomain = 'example.org'\n\
         s3 = { bucket = 'images', access_key_id = 'AK', secret_access_key = 'hunter2' }",
    ))
    .unwrap();
    let text = config.shown.to_toml();
    let again = Config::resolve(raw(&text), |_| None).unwrap();
    assert_eq!(again.shown.to_toml(), text);
    assert!(text.contains("registry.example"), "{text}");
    assert!(
        text.contains("bucket = \"images\"") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn what_may_be_fetched_is_read_and_shown() {
    let text = "egress.allow = ['10.1.2.3/8', 'FD00::1', 'Keys.Example.org', 'http://[::1]', 'http://Mirror:8080/']";
    let config = resolve(raw(text)).unwrap();
    let want = [
        "10.0.0.0/8",
        "fd00::1/128",
        "keys.example.org",
        "http://[::1]:80",
        "http://mirror:8080",
    ];
    let shown: Vec<String> = config
        .egress_allow
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(shown, want);
    let again = raw(&format!("egress.allow = {shown:?}"));
    assert_eq!(resolve(again).unwrap().egress_allow, config.egress_allow);
    let default = resolve(RawConfig::default()).unwrap();
    assert!(default.egress_allow.is_empty() && default.egress_authorities.is_none());
}
