//! What `bonded-scan` reads: layers, advisories and their records.

use bonded_model::Digest;
use bonded_scan::{
    Advisories, AdvisoryImport, ArchiveFiles, Attached, Attachment, ImageInventory, LayerInventory,
    LayerLimits, MatchOptions, inspect_layer, match_image, merge, modified_list, record_time,
    record_times,
};

use super::{can_be_shown, first_line};

/// A layer, as it is stored.
pub(super) fn layer(data: &[u8]) {
    let limits = LayerLimits {
        expanded: 16 << 20,
        ..LayerLimits::default()
    };
    let inventory = inspect_layer(data, &limits).expect("a slice that can be read");
    for problem in inventory.problems() {
        can_be_shown(problem);
    }
    let bytes = inventory.encode().expect("memory");
    let decoded = LayerInventory::decode(&bytes).expect("what was encoded");
    assert_eq!(decoded, inventory);
    // The same bytes say the same, and so do two of them.
    let digest = Digest::sha256(data);
    let image = merge(&[(digest.clone(), &inventory)]);
    assert_eq!(merge(&[(digest.clone(), &decoded)]), image);
    for problem in &image.problems {
        assert!(!problem.message.is_empty());
    }
}

/// An archive that holds an image.
pub(super) fn image_archive(data: &[u8]) {
    match ArchiveFiles::read(data) {
        Ok(files) => {
            for path in ["manifest.json", "index.json", "a/layer.tar", ""] {
                if let Some(range) = files.find(path) {
                    assert!(range.start <= range.end && range.end <= data.len() as u64);
                }
            }
        }
        Err(error) => can_be_shown(&error),
    }
}

/// A file of an image that is read for packages: its path, a line, and what is in it.
pub(super) fn package_file(data: &[u8]) {
    let (path, content) = first_line(data);
    let mut tar = vec![0; 512];
    let length = path.len().min(100);
    tar[..length].copy_from_slice(&path.as_bytes()[..length]);
    tar[100..107].copy_from_slice(b"0000644");
    tar[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    tar[148..156].copy_from_slice(b"        ");
    tar[156] = b'0';
    tar[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = tar.iter().map(|byte| u32::from(*byte)).sum();
    tar[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar.extend(content);
    tar.resize(tar.len().next_multiple_of(512) + 1024, 0);
    layer(&tar);
}

/// An inventory, as it is stored.
pub(super) fn inventory(data: &[u8]) {
    match LayerInventory::decode(data) {
        Ok(inventory) => {
            let image = merge(&[(Digest::sha256(data), &inventory)]);
            assert_eq!(image.layers.len(), 1);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A document that is attached to an image: nothing of it is lost in silence, and it takes nothing
/// away.
pub(super) fn attached_document(data: &[u8]) {
    let image = Digest::sha256(b"image");
    for trusted in [false, true] {
        let attachment = Attachment {
            referrer: Digest::sha256(data),
            by: "somebody".to_owned(),
            trusted,
            lists_packages: true,
            lists_ignored: None,
            index: None,
            content: Ok(data.to_vec()),
        };
        let mut attached = Attached::read(&image, &[attachment]);
        let mut inventory = ImageInventory::default();
        attached.lay_on(&mut inventory);
        for problem in &inventory.problems {
            can_be_shown(&problem.message);
        }
        for note in attached.notes() {
            can_be_shown(note);
        }
        assert!(
            inventory
                .packages
                .iter()
                .all(|found| found.attached.is_some())
        );
        assert!(inventory.packages.len() <= data.len());
    }
}

/// A record of the OSV schema.
pub(super) fn osv_record(data: &[u8]) {
    let mut import = AdvisoryImport::new();
    if let Err(error) = import.add_record(data) {
        return can_be_shown(&error);
    }
    let now = bonded_model::Timestamp::from_millis(i64::MAX);
    let Ok((bytes, report)) = import.finish(now) else {
        return;
    };
    assert_eq!(report.advisories, 1);
    let advisories = Advisories::from_bytes(bytes).expect("what was written");
    let image = merge(&[]);
    let result = match_image(&image, &advisories, MatchOptions::default());
    assert!(!result.is_complete());
}

/// What a mirror of OSV's bucket lists, and what its records and archives say they are: whatever it
/// is, an id is the name of a file in the directory of the mirror.
pub(super) fn osv_mirror(data: &[u8]) {
    let is_name = |id: &str| {
        let path = std::path::Path::new(id);
        assert_eq!(path.file_name(), Some(path.as_os_str()), "{id}");
    };
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(times) = modified_list(text)
    {
        times.keys().for_each(|id| is_name(id));
    }
    if let Some((id, _)) = record_time(data) {
        is_name(&id);
    }
    if let Ok(times) = record_times(std::io::Cursor::new(data)) {
        times.keys().for_each(|id| is_name(id));
    }
}

/// A table about vulnerabilities, or an OpenVEX document.
pub(super) fn advisory_table(data: &[u8]) {
    let mut import = AdvisoryImport::new();
    import.add_file("file", data);
    let record = br#"{"id":"X-1","aliases":["CVE-2026-1"],"affected":[{"package":
        {"ecosystem":"PyPI","name":"flask"},"versions":["1"]}]}"#;
    import.add_record(record).expect("a record");
    let now = bonded_model::Timestamp::from_millis(i64::MAX);
    let (bytes, report) = import.finish(now).expect("one advisory");
    for refused in &report.refused_first {
        assert!(!refused.chars().any(char::is_control));
    }
    Advisories::from_bytes(bytes).expect("what was written");
}

/// A file of advisories.
pub(super) fn advisories(data: &[u8]) {
    match Advisories::from_bytes(data.to_vec()) {
        Ok(advisories) => assert!(advisories.ecosystems().count() > 0),
        Err(error) => can_be_shown(&error),
    }
}
