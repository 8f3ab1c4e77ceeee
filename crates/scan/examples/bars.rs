//! What the scanner costs, beside what cannot be had for less: expanding the same bytes.
//!
//!     cargo run --release -p bonded-scan --example bars -- LAYER ... [advisories FILE] [import ZIP ...]
//!
//! For each layer (a file, as it is stored): CPU of inspection and of plain decompression of the same
//! bytes by the same library, in turns: the ratio of the rounds' sums, and the least and most of one. With a file of advisories: CPU of matching
//! what the layers hold, laid over each other (the best hundred of eleven), of judging 200,000 versions of its packages by two files
//! of advisories (the best of eleven), as when they say something else of every package, and of finding the packages of which they do. With archives of
//! OSV, CPU of importing them. Then a layer of 5 GiB that is made while it is read, and the
//! most memory that the process has ever had. `docs/scanner.md` has figures.

use std::fs::File;
use std::io::{self, BufReader, Read, Write as _};

use bonded_model::{Digest, Timestamp};
use bonded_scan::{
    Advisories, AdvisoryImport, ChangedPackages, ImageInventory, LayerInventory, LayerLimits,
    MatchOptions, PackageVersion, PackageVersions, inspect_layer, match_image, merge,
};
use flate2::bufread::MultiGzDecoder;

const ROUNDS: u64 = 11;

const MATCHES: u64 = 100;

const PACKAGE_VERSIONS: usize = 200_000;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |word: &str, from: &[String]| from.iter().position(|is| is == word);
    let (arguments, archives) = match after("import", &arguments) {
        Some(at) => (&arguments[..at], &arguments[at + 1..]),
        None => (&arguments[..], &[][..]),
    };
    let (layers, advisories) = match after("advisories", arguments) {
        Some(at) => (&arguments[..at], arguments.get(at + 1)),
        None => (arguments, None),
    };
    let mut out = io::stdout().lock();
    if !archives.is_empty() {
        import(archives, &mut out)?;
        if layers.is_empty() {
            return Ok(());
        }
    }
    let mut inventories = Vec::new();
    for path in layers {
        let bytes = std::fs::read(path)?;
        let (mut plain, mut ours) = (0, 0);
        let mut ratios = Vec::new();
        let mut inventory = LayerInventory::default();
        for _ in 0..ROUNDS {
            let least = cpu(|| expand(&bytes))?.0;
            let (took, found) = cpu(|| inspect_layer(bytes.as_slice(), &LayerLimits::default()))?;
            ratios.push(took as f64 / least as f64);
            (plain, ours, inventory) = (plain + least, ours + took, found);
        }
        let (files, packages) = (inventory.entries(), inventory.package_count());
        ratios.sort_by(f64::total_cmp);
        writeln!(
            out,
            "{path}: {:.1} MiB expanded, {files} entries, {packages} packages, kept {} bytes: \
             {:.1} ms, plain decompression {:.1} ms, ratio {:.3} ({:.3} to {:.3})",
            inventory.expanded() as f64 / f64::from(1 << 20),
            inventory.encode()?.len(),
            milliseconds(ours / ROUNDS),
            milliseconds(plain / ROUNDS),
            ours as f64 / plain as f64,
            ratios.first().unwrap_or(&0.0),
            ratios.last().unwrap_or(&0.0)
        )?;
        inventories.push((Digest::sha256(&bytes), inventory));
    }
    if let Some(path) = advisories {
        matching(&inventories, path, &mut out)?;
    }
    drop(inventories);
    let large = Large::new(5 << 30);
    let (took, inventory) = cpu(|| inspect_layer(large, &LayerLimits::default()))?;
    writeln!(
        out,
        "a layer of {:.1} GiB, {} entries: {:.0} ms, {:?}",
        inventory.expanded() as f64 / f64::from(1 << 30),
        inventory.entries(),
        milliseconds(took),
        inventory.problems()
    )?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let most = status.lines().find(|line| line.starts_with("VmHWM"));
    writeln!(out, "most memory: {}", most.unwrap_or_default())
}

/// Making a file of advisories of all records in zip archives, and reading it.
fn import(archives: &[String], out: &mut impl io::Write) -> io::Result<()> {
    let (took, (file, advisories)) = cpu(|| {
        let mut import = AdvisoryImport::new();
        for path in archives {
            let archive = BufReader::new(File::open(path)?);
            import.add_zip(archive).map_err(io::Error::other)?;
        }
        let now = Timestamp::from_millis(i64::MAX);
        let (file, _) = import.finish(now).map_err(io::Error::other)?;
        let length = file.len();
        let advisories = Advisories::from_bytes(file).map_err(io::Error::other)?;
        Ok((length, advisories))
    })?;
    writeln!(
        out,
        "importing {} advisories, {:.1} MiB: {:.0} ms",
        advisories.count_advisories(),
        file as f64 / f64::from(1 << 20),
        milliseconds(took)
    )
}

/// Matching an image of layers, and judging versions of its packages by two files of advisories.
fn matching(
    inventories: &[(Digest, LayerInventory)],
    path: &str,
    out: &mut impl io::Write,
) -> io::Result<()> {
    let layers: Vec<_> = inventories
        .iter()
        .map(|(of, found)| (of.clone(), found))
        .collect();
    let image = merge(&layers);
    let advisories = Advisories::map(&File::open(path)?).map_err(io::Error::other)?;
    let mut findings = 0;
    // The kernel counts CPU in ticks, which are longer than one match.
    let mut best = u64::MAX;
    for _ in 0..ROUNDS {
        let (took, ()) = cpu(|| {
            for _ in 0..MATCHES {
                let result = match_image(&image, &advisories, MatchOptions::default());
                findings = result.findings.len();
            }
            Ok(())
        })?;
        best = best.min(took / MATCHES);
    }
    let packages = image.packages.len();
    writeln!(
        out,
        "matching {packages} packages, {findings} findings: {:.3} ms",
        milliseconds(best)
    )?;
    let other = Advisories::map(&File::open(path)?).map_err(io::Error::other)?;
    let versions = package_versions(&image);
    let (mut best, mut changed) = (u64::MAX, 0);
    for _ in 0..ROUNDS {
        let (took, ()) = cpu(|| {
            let of = versions.iter().filter(|of| of.changed(&advisories, &other));
            changed = of.count();
            Ok(())
        })?;
        best = best.min(took);
    }
    writeln!(
        out,
        "judging {} package versions by two files: {:.0} ms, {changed} are judged differently",
        versions.len(),
        milliseconds(best)
    )?;
    let (took, packages) = cpu(|| Ok(ChangedPackages::between(&advisories, &other).len()))?;
    writeln!(
        out,
        "finding the packages of which two files say something else: {:.0} ms, {packages} of them",
        milliseconds(took)
    )
}

/// As many versions as a large registry has, of the packages of an image: each differs from the
/// others at its end, so that all of it is compared.
fn package_versions(image: &ImageInventory) -> Vec<PackageVersion> {
    let own = PackageVersions::of(image, MatchOptions::default());
    let own: Vec<PackageVersion> = own.iter().collect();
    let all = (0..).flat_map(|count| {
        own.iter().map(move |of| PackageVersion {
            version: format!("{}.{count}", of.version),
            ..of.clone()
        })
    });
    match own.is_empty() {
        true => Vec::new(),
        false => all.take(PACKAGE_VERSIONS).collect(),
    }
}

fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}

/// What a call gives, and the CPU that this thread took for it, in nanoseconds.
fn cpu<T>(call: impl FnOnce() -> io::Result<T>) -> io::Result<(u64, T)> {
    let now = || -> io::Result<u64> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
        let first = text.split_ascii_whitespace().next().unwrap_or_default();
        first.parse().map_err(io::Error::other)
    };
    let before = now()?;
    let value = call()?;
    Ok((now()? - before, value))
}

fn expand(bytes: &[u8]) -> io::Result<u64> {
    let mut buffer = vec![0; 128 << 10];
    let mut input: Box<dyn Read> = match bytes.starts_with(&[0x1f, 0x8b]) {
        true => Box::new(MultiGzDecoder::new(bytes)),
        false => Box::new(zstd::Decoder::with_buffer(BufReader::new(bytes))?),
    };
    let mut expanded = 0;
    loop {
        match input.read(&mut buffer)? {
            0 => return Ok(expanded),
            read => expanded += read as u64,
        }
    }
}

/// A tar archive of small programs, and now and then one of 200 MiB.
struct Large {
    left: u64,
    file: u64,
    pending: Vec<u8>,
    /// How much of the content of the last file is still to come.
    content: u64,
}

impl Large {
    fn new(bytes: u64) -> Self {
        Self {
            left: bytes,
            file: 0,
            pending: Vec::new(),
            content: 0,
        }
    }

    fn next_file(&mut self) {
        self.file += 1;
        let (name, length) = match self.file % 20_000 {
            0 => (format!("usr/bin/program-{}", self.file), 200 << 20),
            _ => (
                format!("usr/lib/{}/{}.so.1", self.file / 100, self.file),
                12 << 10,
            ),
        };
        let mut header = vec![0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000755");
        header[124..135].copy_from_slice(format!("{length:011o}").as_bytes());
        header[148..156].fill(b' ');
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        // A program, of which nothing is known before its end.
        header.extend(b"\x7fELF\x02\x01\x01\0");
        self.content = length - 8;
        self.pending = header;
    }
}

impl Read for Large {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.pending.is_empty() && self.content == 0 {
            if self.left == 0 {
                return Ok(0);
            }
            self.next_file();
        }
        let length = match self.pending.is_empty() {
            false => {
                let length = self.pending.len().min(buffer.len());
                buffer[..length].copy_from_slice(&self.pending[..length]);
                self.pending.drain(..length);
                length
            }
            true => {
                let most = usize::try_from(self.content).unwrap_or(usize::MAX);
                let length = buffer.len().min(most);
                buffer[..length].fill(0x5a);
                self.content -= length as u64;
                length
            }
        };
        self.left = self.left.saturating_sub(length as u64);
        Ok(length)
    }
}
