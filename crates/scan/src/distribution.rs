//! Where the advisories for the packages of a system are: the names that OSV has for distributions,
//! and which of the names of a package they use.

use std::borrow::Cow;

use crate::{Ecosystem, OsRelease, Package, PackageKind};

/// Advisories that may be about the packages of a system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stream {
    /// Their ecosystem, with its release, as [`looked_up`] makes it.
    pub(crate) ecosystem: String,
    /// What the updates are had with that they name; `None` if everybody gets them.
    pub(crate) subscription: Option<&'static str>,
}

impl Stream {
    fn free(ecosystem: impl Into<String>) -> Self {
        Self {
            ecosystem: ecosystem.into(),
            subscription: None,
        }
    }

    fn with(subscription: &'static str, ecosystem: impl Into<String>) -> Self {
        Self {
            subscription: Some(subscription),
            ..Self::free(ecosystem)
        }
    }
}

const UBUNTU_PRO: &str = "Ubuntu Pro";
const RED_HAT_ELS: &str = "Red Hat ELS";
const SUSE_LTSS: &str = "SUSE LTSS";

/// The extras of Amazon Linux 2, all topics together.
pub(crate) const AMAZON_EXTRAS: &str = "Amazon Linux:2 extras";

/// The topic of the extras of Amazon Linux 2 that an advisory is about: `PHP8.0` of
/// `ALAS2PHP8.0-2023-001`. `None` of an advisory about the core, `ALAS2-2023-2001`, and of others.
pub(crate) fn amazon_topic(id: &str) -> Option<&str> {
    let rest = id.strip_prefix("ALAS")?;
    let head = rest.rsplitn(3, '-').nth(2)?;
    let topic = head.trim_start_matches(|c: char| c.is_ascii_digit());
    (!topic.is_empty()).then_some(topic)
}

impl OsRelease {
    /// What manages the packages of this system; `None` if it is not one that is known.
    pub(crate) fn package_kind(&self) -> Option<PackageKind> {
        match self.id.as_str() {
            "debian" | "ubuntu" | "raspbian" | "linuxmint" | "pop" | "kali" | "devuan"
            | "pureos" | "parrot" | "neon" | "elementary" | "deepin" | "echo" | "distroless" => {
                Some(PackageKind::Deb)
            }
            "alpine" | "wolfi" | "chainguard" | "minimos" | "alpaquita" | "postmarketos"
            | "adelie" => Some(PackageKind::Apk),
            "rhel"
            | "centos"
            | "almalinux"
            | "rocky"
            | "fedora"
            | "ol"
            | "amzn"
            | "sles"
            | "sles_sap"
            | "sle_hpc"
            | "sled"
            | "sle-micro"
            | "sl-micro"
            | "suse"
            | "opensuse"
            | "opensuse-leap"
            | "opensuse-tumbleweed"
            | "photon"
            | "azurelinux"
            | "mariner"
            | "openEuler"
            | "mageia"
            | "scientific"
            | "virtuozzo"
            | "anolis"
            | "cloudlinux"
            | "eurolinux" => Some(PackageKind::Rpm),
            _ => None,
        }
    }

    /// The OSV ecosystem, with its release, of packages of a kind on this system; `None` if there
    /// are no advisories that we know of: another distribution, a development release without a
    /// version, or another distribution's package manager. Products whose packages a system mixes
    /// (the repositories of Red Hat, the modules of SUSE) are one ecosystem.
    #[must_use]
    pub fn ecosystem(&self, kind: PackageKind) -> Option<String> {
        let of = |name: &str, numbers: usize| Some(format!("{name}:{}", self.numbers(numbers)?));
        match (kind, self.id.as_str()) {
            (PackageKind::Deb, "debian") => of("Debian", 1),
            (PackageKind::Deb, "ubuntu") => {
                let long = if self.version.contains("LTS") {
                    ":LTS"
                } else {
                    ""
                };
                Some(format!("Ubuntu:{}{long}", self.numbers(2)?))
            }
            (PackageKind::Deb, "echo") => Some("Echo".to_owned()),
            (PackageKind::Apk, "alpine") => Some(format!("Alpine:v{}", self.numbers(2)?)),
            (PackageKind::Apk, "wolfi") => Some("Wolfi".to_owned()),
            (PackageKind::Apk, "chainguard") => Some("Chainguard".to_owned()),
            (PackageKind::Apk, "minimos") => Some("MinimOS".to_owned()),
            (PackageKind::Apk, "alpaquita") if self.version_id == "stream" => {
                Some("Alpaquita:stream".to_owned())
            }
            (PackageKind::Apk, "alpaquita") => of("Alpaquita", 1),
            (PackageKind::Rpm, "almalinux") => of("AlmaLinux", 1),
            (PackageKind::Rpm, "rocky") => of("Rocky Linux", 1),
            (PackageKind::Rpm, "ol") => of("Oracle Linux", 1),
            (PackageKind::Rpm, "amzn") => of("Amazon Linux", 1),
            (PackageKind::Rpm, "mageia") => of("Mageia", 1),
            (PackageKind::Rpm, "azurelinux" | "mariner") => of("Azure Linux", 1),
            (PackageKind::Rpm, "photon") => of("Photon OS", 2),
            (PackageKind::Rpm, "rhel") => of("Red Hat:enterprise_linux", 1),
            // What is rebuilt from Red Hat's packages has their advisories; Stream, which runs
            // ahead of them, has none.
            (PackageKind::Rpm, "centos") if !self.is_centos_stream() => {
                of("Red Hat:enterprise_linux", 1)
            }
            (PackageKind::Rpm, "sles" | "sles_sap" | "sle_hpc" | "sled") => {
                Some(format!("{SLE} {}", self.service_pack()?))
            }
            (PackageKind::Rpm, "sle-micro") => {
                Some(format!("SUSE:Linux Enterprise Micro {}", self.numbers(2)?))
            }
            (PackageKind::Rpm, "sl-micro") => {
                Some(format!("SUSE:Linux Micro {}", self.numbers(2)?))
            }
            (PackageKind::Rpm, "opensuse-leap") => {
                Some(format!("openSUSE:Leap {}", self.numbers(2)?))
            }
            (PackageKind::Rpm, "opensuse-tumbleweed") => Some("openSUSE:Tumbleweed".to_owned()),
            (PackageKind::Rpm, "openEuler") => self.open_euler(),
            _ => None,
        }
    }

    /// Every source of advisories for packages of a kind, [`ecosystem`](Self::ecosystem) first and
    /// what is paid for last.
    pub(crate) fn streams(&self, kind: PackageKind) -> Vec<Stream> {
        let Some(ecosystem) = self.ecosystem(kind) else {
            return Vec::new();
        };
        let beside = match (self.id.as_str(), ecosystem.split_once(':')) {
            ("ubuntu", Some((_, release))) if release.ends_with(":LTS") => {
                vec![Stream::with(UBUNTU_PRO, format!("Ubuntu:Pro:{release}"))]
            }
            ("amzn", Some((_, "2"))) => vec![Stream::free(AMAZON_EXTRAS)],
            ("rhel" | "centos", _) => self.numbers(1).map_or_else(Vec::new, |major| {
                vec![Stream::with(
                    RED_HAT_ELS,
                    format!("Red Hat:rhel_els:{major}"),
                )]
            }),
            ("sles" | "sles_sap" | "sle_hpc" | "sled", _) => {
                let modules = ecosystem.starts_with("SUSE:Linux Enterprise 12 ");
                // The modules of SLE 12 have no service packs.
                let modules = modules.then(|| Stream::free(format!("{SLE} 12")));
                let paid = Stream::with(SUSE_LTSS, format!("{ecosystem}-LTSS"));
                modules.into_iter().chain([paid]).collect()
            }
            _ => Vec::new(),
        };
        let mut streams = vec![Stream::free(ecosystem)];
        streams.extend(beside);
        streams
    }

    /// The first parts of `VERSION_ID`, if it has as many and they are numbers.
    fn numbers(&self, count: usize) -> Option<String> {
        let numbers: Vec<&str> = self.version_id.split('.').take(count).collect();
        let complete = numbers.len() == count && numbers.iter().all(|number| is_number(number));
        complete.then(|| numbers.join("."))
    }

    pub(crate) fn is_centos_stream(&self) -> bool {
        self.id == "centos" && self.pretty_name.contains("Stream")
    }

    /// The release of SUSE Linux Enterprise as its products write it: `15 SP6`, `15`, `16.0`.
    fn service_pack(&self) -> Option<String> {
        let major = self.numbers(1)?;
        match (major.parse::<u32>().ok()?, self.numbers(2)) {
            (16.., release) => release,
            (_, Some(release)) => Some(release.replacen('.', " SP", 1)),
            (_, None) => Some(major),
        }
    }

    /// `24.03-LTS` of `openEuler 24.03 (LTS)`, `22.03-LTS-SP4` of `openEuler 22.03 (LTS-SP4)`. Only
    /// releases with long support have advisories.
    pub(crate) fn open_euler(&self) -> Option<String> {
        let release = self.numbers(2)?;
        let words = self.pretty_name.split(['(', ')', ' ']);
        let long = words.filter(|word| !word.is_empty()).find(|word| {
            let pack = word.strip_prefix("LTS");
            let pack = pack.map(|pack| pack.strip_prefix("-SP").unwrap_or(pack));
            pack.is_some_and(|pack| pack.is_empty() || is_number(pack))
        })?;
        Some(format!("openEuler:{release}-{long}"))
    }
}

/// SUSE Linux Enterprise with its modules, as one ecosystem.
const SLE: &str = "SUSE:Linux Enterprise";

/// The ecosystem under which an entry of an advisory is kept and looked up. That of distributions
/// whose systems mix the packages of several products is the release of these: of Red Hat's
/// repositories (`Red Hat:enterprise_linux:9::appstream`, `Red Hat:enterprise_linux:10.1`) the
/// major one, of SUSE's modules (`SUSE:Linux Enterprise Module for Basesystem 15 SP6`) the service
/// pack, with `-LTSS` if its updates are paid for. Any other is itself.
#[must_use]
pub fn looked_up(ecosystem: &str) -> Cow<'_, str> {
    let found = match ecosystem.split_once(':') {
        Some(("Red Hat", cpe)) => red_hat(cpe),
        Some(("SUSE", product)) => suse(product),
        _ => None,
    };
    found.map_or(Cow::Borrowed(ecosystem), Cow::Owned)
}

fn red_hat(cpe: &str) -> Option<String> {
    let mut parts = cpe.split(':');
    let (product, release) = (parts.next()?, parts.next()?);
    let major = release.split('.').next().filter(|major| is_number(major))?;
    match product {
        // RHEL 7 had container tools in a repository beside the others.
        "enterprise_linux" | "rhel_extras" | "rhel_extras_other" => {
            Some(format!("Red Hat:enterprise_linux:{major}"))
        }
        "rhel_els" => Some(format!("Red Hat:rhel_els:{major}")),
        // Longer or otherwise maintained minor releases, and products of their own.
        _ => None,
    }
}

fn suse(product: &str) -> Option<String> {
    const PRODUCTS: [&str; 7] = [
        "Linux Enterprise Module for ",
        "Linux Enterprise Server ",
        "Linux Enterprise Desktop ",
        "Linux Enterprise High Performance Computing ",
        "Linux Enterprise Software Development Kit ",
        "Linux Enterprise Workstation Extension ",
        "Package Hub ",
    ];
    let mut products = PRODUCTS.iter();
    let rest = products.find_map(|name| product.strip_prefix(name))?;
    let mut words = rest.rsplit(' ');
    let last = words.next()?;
    let (last, support) = match last.split_once('-') {
        Some((last, support)) => (last, support),
        None => (last, ""),
    };
    let release = match last.strip_prefix("SP") {
        Some(pack) if is_number(pack) => {
            let major = words.next().filter(|major| is_number(major))?;
            format!("{major} {last}")
        }
        _ if last.split('.').all(is_number) => last.to_owned(),
        _ => return None,
    };
    let is_module = product.starts_with(PRODUCTS[0]);
    let named = words.collect::<Vec<_>>();
    let is_paid = support.contains("LTSS") || support.contains("ESPOS") || named.contains(&"LTSS");
    match (is_module, is_paid, support, named.is_empty()) {
        (true, false, "", _) | (false, false, "", true) => Some(format!("{SLE} {release}")),
        (_, true, ..) => Some(format!("{SLE} {release}-LTSS")),
        // Servers for SAP, for the Raspberry Pi, with an agreement of one's own.
        _ => None,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Package {
    /// Where advisories about this package may be, what everybody gets first; see
    /// [`ecosystem`](Self::ecosystem).
    pub(crate) fn streams(&self, os: Option<&OsRelease>) -> Vec<Stream> {
        match (PackageKind::SYSTEM.contains(&self.kind), os) {
            (true, Some(os)) if !self.is_third_party(os) => os.streams(self.kind),
            _ => self.ecosystem(os).into_iter().map(Stream::free).collect(),
        }
    }

    /// Whether the version itself is one that only a subscription has: Ubuntu's `1.2-3ubuntu4+esm1`.
    pub(crate) fn is_of_subscription(&self) -> bool {
        let is_esm = |after: &str| {
            let mut parts = self.source_version.split(after).skip(1);
            parts.any(|part| part.starts_with("esm"))
        };
        self.kind == PackageKind::Deb && (is_esm("+") || is_esm("~"))
    }

    /// The name and version under which advisories of an ecosystem are looked up: of the source
    /// package, but of rpm packages their own where the advisories of the distribution list them.
    pub(crate) fn advisory_key(&self, family: Ecosystem) -> (&str, Cow<'_, str>) {
        if self.kind == PackageKind::Rpm && !family.names_source_rpms() {
            return (&self.name, (&self.version).into());
        }
        let version = match (self.kind, self.version.split_once(':')) {
            // The name of a source rpm's file has no epoch.
            (PackageKind::Rpm, Some((epoch, _))) if !self.source_version.contains(':') => {
                format!("{epoch}:{}", self.source_version).into()
            }
            _ => (&self.source_version).into(),
        };
        (&self.source_name, version)
    }
}

#[cfg(test)]
mod tests;
