//! The manifest of a Java archive, as far as it says which package the archive is.

use crate::database::node::is_token;

/// What the main section of a `MANIFEST.MF` says.
#[derive(Default)]
pub(super) struct Manifest {
    title: Option<String>,
    version: Option<String>,
    vendor_id: Option<String>,
    symbolic_name: Option<String>,
    bundle_version: Option<String>,
    module_name: Option<String>,
}

impl Manifest {
    /// Reads the main section, which ends at the first empty line.
    pub(super) fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        // A line of more than 72 bytes goes on in the next one, after a space.
        let text = text.replace("\r\n ", "").replace("\n ", "");
        let mut manifest = Self::default();
        for line in text.lines().take_while(|line| !line.trim().is_empty()) {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let field = match name.trim().to_ascii_lowercase().as_str() {
                "implementation-title" => &mut manifest.title,
                "implementation-version" => &mut manifest.version,
                "implementation-vendor-id" => &mut manifest.vendor_id,
                "bundle-symbolicname" => &mut manifest.symbolic_name,
                "bundle-version" => &mut manifest.bundle_version,
                "automatic-module-name" => &mut manifest.module_name,
                _ => continue,
            };
            // Directives follow a name: `;singleton:=true`.
            let value = value.split(';').next().unwrap_or_default().trim();
            if is_token(value) {
                field.get_or_insert(value.to_owned());
            }
        }
        manifest
    }

    /// Artifact and version, if both are stated as they can be in Maven.
    pub(super) fn names(&self) -> Option<(&str, &str)> {
        let last = |name: &'_ str| name.rsplit('.').next().map(str::len);
        let symbolic = self.symbolic_name.as_deref();
        let symbolic = symbolic.and_then(|name| Some(&name[name.len() - last(name)?..]));
        let title = self
            .title
            .as_deref()
            .filter(|title| !title.contains(['/', '.', ':']));
        let version = self.version.as_deref().or(self.bundle_version.as_deref())?;
        Some((title.or(symbolic)?, version))
    }

    /// The groups that it hints at.
    pub(super) fn groups(&self) -> Vec<String> {
        let mut groups: Vec<String> = self.vendor_id.iter().cloned().collect();
        for name in [&self.symbolic_name, &self.module_name]
            .into_iter()
            .flatten()
        {
            let mut name = name.as_str();
            while name.contains('.') {
                groups.push(name.to_owned());
                name = name.rsplit_once('.').map_or("", |(above, _)| above);
            }
        }
        groups
    }
}
