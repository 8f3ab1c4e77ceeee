//! Data beside the checkout, which CI always has.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use bonded_model::{Digest, Manifest};
use bonded_scan::{
    Advisories, AdvisoryImport, ImageInventory, LayerInventory, LayerLimits, inspect_layer, merge,
};
use serde_json::Value;

/// The directory with the data; `None`, said in one line, on a machine that does not have it.
pub(crate) fn data() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../../shared/data");
    let other = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let found = [root, other].into_iter().find(|path| path.is_dir());
    if found.is_none() {
        assert!(option_env!("BONDED_CI").is_none(), "the data is missing");
        println!("skipped: the data is not beside the checkout");
    }
    found
}

/// The advisories of some ecosystems, of a time after all of them.
pub(crate) fn advisories(data: &Path, ecosystems: &[&str]) -> Advisories {
    let mut import = AdvisoryImport::new();
    for ecosystem in ecosystems {
        let zip = data.join("osv").join(ecosystem).join("all.zip");
        import
            .add_zip(BufReader::new(File::open(zip).unwrap()))
            .unwrap();
    }
    let now = bonded_model::Timestamp::parse_rfc3339("2026-11-27T00:00:00Z").unwrap();
    let (bytes, report) = import.finish(now).unwrap();
    assert_eq!(report.refused, 0, "{report:?}");
    Advisories::from_bytes(bytes).unwrap()
}

/// What is in the first image of an OCI layout that is kept as `images/oci-NAME.tar.zst`.
pub(crate) fn image(data: &Path, name: &str) -> ImageInventory {
    let archive = data.join("images").join(format!("oci-{name}.tar.zst"));
    let archive = zstd::Decoder::new(File::open(archive).unwrap()).unwrap();
    let mut files = HashMap::new();
    for entry in tar::Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        files.insert(path, bytes);
    }
    let blob = |digest: &Digest| {
        let path = format!("{name}/blobs/{}", digest.as_str().replace(':', "/"));
        files.get(&path).unwrap()
    };
    let index = files.get(&format!("{name}/index.json")).unwrap();
    let oci_index = "application/vnd.oci.image.index.v1+json";
    let index = Manifest::parse(index, Some(oci_index)).unwrap();
    let manifest = &index.manifests[0];
    let media_type = manifest.media_type.to_string();
    let manifest = Manifest::parse(blob(&manifest.digest), Some(&media_type)).unwrap();
    let inspected: Vec<(Digest, LayerInventory)> = manifest.blobs[1..]
        .iter()
        .map(|layer| {
            let bytes = blob(&layer.digest).as_slice();
            let inventory = inspect_layer(bytes, &LayerLimits::default()).unwrap();
            // What is stored is what is merged.
            let stored = inventory.encode().unwrap();
            assert_eq!(LayerInventory::decode(&stored).unwrap(), inventory);
            (layer.digest.clone(), inventory)
        })
        .collect();
    let layers: Vec<_> = inspected
        .iter()
        .map(|(digest, inventory)| (digest.clone(), inventory))
        .collect();
    merge(&layers)
}

/// What an independent implementation found: `expected/NAME.expected.json.zst`.
pub(crate) fn expected(data: &Path, name: &str) -> serde_json::Value {
    let path = data
        .join("expected")
        .join(format!("{name}.expected.json.zst"));
    let json = zstd::Decoder::new(File::open(path).unwrap()).unwrap();
    serde_json::from_reader(json).unwrap()
}

/// The members of rows of expected data, as text.
pub(crate) fn rows(
    of: &Value,
    members: &[&str],
    keep: impl Fn(&Value) -> bool,
) -> BTreeSet<Vec<String>> {
    let rows = of.as_array().unwrap().iter().filter(|row| keep(row));
    rows.map(|row| {
        let members = members.iter().map(|member| match &row[*member] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        members.collect()
    })
    .collect()
}

/// Compares two sets and shows only where they differ.
pub(crate) fn assert_same(found: &BTreeSet<Vec<String>>, want: &BTreeSet<Vec<String>>) {
    let missing: Vec<_> = want.difference(found).collect();
    let wrong: Vec<_> = found.difference(want).collect();
    assert!(
        missing.is_empty() && wrong.is_empty(),
        "missing: {missing:?}\nwrong: {wrong:?}"
    );
    assert!(!want.is_empty());
}
