//! What images are judged by.

use bonded_model::{Digest, MediaType, Reference, Severity, Tag};
use bonded_store::{
    ImageFacts, ImageToDelete, JudgedScan, PutImage, Repository, ScanCounts, ScanState, Store,
    UnknownScan,
};

use crate::image::tag;
use crate::site::{NOW, change, on_each_engine, parse, push, repository};

const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// A repository that takes everything, in a store.
struct Bench {
    store: Store,
    app: Repository,
    blob: Digest,
}

impl Bench {
    async fn new(store: Store) -> Self {
        let app = repository(&store, "app").await;
        let blob = push(&store, &app.id, b"blob").await.digest;
        Self { store, app, blob }
    }

    async fn put(&self, text: &str, tags: &[&str]) -> Digest {
        let digest = Digest::sha256(text.as_bytes());
        let tags: Vec<Tag> = tags.iter().map(|name| tag(name)).collect();
        let image = PutImage {
            repository: &self.app,
            manifest: &parse(text),
            bytes: text.as_bytes(),
            digest: &digest,
            tags: &tags,
            sparse: true,
            document: None,
            now: NOW,
        };
        let change = change(&format!("{digest} {tags:?}"));
        let put = self.store.put_image(image, &change).await.unwrap();
        put.unwrap();
        digest
    }

    /// An image, or with another type of its config an artifact; told apart by `mark`.
    async fn image(
        &self,
        config: &str,
        subject: Option<&Digest>,
        mark: &str,
        tags: &[&str],
    ) -> Digest {
        let (oci, blob) = (MediaType::OCI_MANIFEST, &self.blob);
        let subject = subject.map_or_else(String::new, |digest| {
            format!(r#","subject":{{"mediaType":"{oci}","digest":"{digest}","size":2}}"#)
        });
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{oci}","config":{{"mediaType":"{config}","digest":"{blob}","size":4}},"layers":[]{subject},"annotations":{{"mark":"{mark}"}}}}"#
        );
        self.put(&text, tags).await
    }

    async fn index(&self, children: &[&Digest], tags: &[&str]) -> Digest {
        let child = |digest: &&Digest| {
            format!(
                r#"{{"mediaType":"{}","digest":"{digest}","size":2}}"#,
                MediaType::OCI_MANIFEST
            )
        };
        let children: Vec<String> = children.iter().map(child).collect();
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[{}]}}"#,
            MediaType::OCI_INDEX,
            children.join(",")
        );
        self.put(&text, tags).await
    }

    async fn scanned(&self, digest: &Digest, state: ScanState) {
        let set = self.store.set_image_scan(&self.app.id, digest, state);
        assert!(set.await.unwrap());
    }

    async fn facts(&self, reference: impl Into<String>) -> Option<ImageFacts> {
        let reference: Reference = reference.into().parse().unwrap();
        let found = self.store.image_facts(&self.app.id, &[reference]).await;
        found.unwrap().pop().unwrap()
    }

    async fn scan(&self, digest: &Digest) -> JudgedScan {
        self.facts(digest.as_str()).await.unwrap().scan
    }

    async fn tags(&self, digest: &Digest) -> Vec<String> {
        let tags = self.facts(digest.as_str()).await.unwrap().current_tags;
        tags.unwrap().into_iter().map(String::from).collect()
    }
}

fn counts(critical: u32) -> ScanCounts {
    ScanCounts {
        max_severity: (critical > 0).then_some(Severity::Critical),
        critical,
        high: 1,
        fixable_critical: 2,
        unrated: 3,
        fixable_unrated: 4,
        matched_at: NOW,
        advisories_at: NOW,
    }
}

#[test]
fn an_image_is_unscanned_until_its_scan_says_more_and_its_facts_go_with_it() {
    on_each_engine(|site| async move {
        let bench = Bench::new(site.open().await).await;
        let image = bench.image(IMAGE_CONFIG, None, "", &["v1"]).await;
        let facts = bench.facts("v1").await.unwrap();
        assert_eq!(facts.digest, image);
        assert_eq!(facts.media_type, MediaType::OCI_MANIFEST);
        assert_eq!(facts.current_tags, Some(vec![tag("v1")]));
        for (state, scan) in [
            (
                ScanState::Pending,
                JudgedScan::Unknown(UnknownScan::Pending(vec![image.clone()])),
            ),
            (
                ScanState::Complete(counts(2)),
                JudgedScan::Complete(vec![counts(2)]),
            ),
            (
                ScanState::Complete(counts(0)),
                JudgedScan::Complete(vec![counts(0)]),
            ),
            (ScanState::NotApplicable, JudgedScan::NotApplicable),
            (
                ScanState::Unsupported,
                JudgedScan::Unknown(UnknownScan::Unsupported),
            ),
            (ScanState::Failed, JudgedScan::Unknown(UnknownScan::Failed)),
            (
                ScanState::NotScanned,
                JudgedScan::Unknown(UnknownScan::NotScanned),
            ),
        ] {
            bench.scanned(&image, state).await;
            assert_eq!(bench.scan(&image).await, scan);
        }
        // The same image again keeps what is known of it.
        bench.scanned(&image, ScanState::Complete(counts(1))).await;
        bench.image(IMAGE_CONFIG, None, "", &["v2"]).await;
        assert_eq!(
            bench.scan(&image).await,
            JudgedScan::Complete(vec![counts(1)])
        );
        let gone = vec![ImageToDelete::Image(image.clone())];
        let change = change("delete");
        let deleted = bench.store.delete_images(&bench.app.id, gone, &change);
        assert!(deleted.await.unwrap()[0].is_ok());
        assert_eq!(bench.facts(image.as_str()).await, None);
        let set = bench
            .store
            .set_image_scan(&bench.app.id, &image, ScanState::Pending);
        assert!(!set.await.unwrap());
        // Pushed anew it is unscanned, whatever was known of it once.
        bench.image(IMAGE_CONFIG, None, "", &[]).await;
        assert_eq!(
            bench.scan(&image).await,
            JudgedScan::Unknown(UnknownScan::NotScanned)
        );
    });
}

#[test]
fn an_index_is_judged_by_all_its_images() {
    on_each_engine(|site| async move {
        let bench = Bench::new(site.open().await).await;
        let one = bench.image(IMAGE_CONFIG, None, "one", &[]).await;
        let two = bench.image(IMAGE_CONFIG, None, "two", &[]).await;
        let sbom = bench
            .image("application/vnd.x", Some(&one), "sbom", &[])
            .await;
        let provenance = bench.image(IMAGE_CONFIG, None, "provenance", &[]).await;
        let inner = bench.index(&[&two, &sbom], &[]).await;
        let outer = bench.index(&[&one, &inner, &provenance], &["v1"]).await;
        let unknown = JudgedScan::Unknown;
        assert_eq!(bench.scan(&outer).await, unknown(UnknownScan::NotScanned));
        bench.scanned(&one, ScanState::Complete(counts(0))).await;
        bench.scanned(&provenance, ScanState::NotApplicable).await;
        assert_eq!(bench.scan(&outer).await, unknown(UnknownScan::NotScanned));
        bench.scanned(&two, ScanState::Pending).await;
        let awaited = UnknownScan::Pending(vec![two.clone()]);
        assert_eq!(bench.scan(&outer).await, unknown(awaited.clone()));
        assert_eq!(bench.scan(&inner).await, unknown(awaited));
        // To wait for one helps nobody while another is not even queued.
        bench.scanned(&one, ScanState::NotScanned).await;
        assert_eq!(bench.scan(&outer).await, unknown(UnknownScan::NotScanned));
        bench.scanned(&one, ScanState::Complete(counts(0))).await;
        bench.scanned(&two, ScanState::Complete(counts(7))).await;
        let JudgedScan::Complete(mut all) = bench.scan(&outer).await else {
            panic!("complete");
        };
        all.sort_by_key(|counts| counts.critical);
        assert_eq!(all, [counts(0), counts(7)]);
        // Without anything to scan it is as any artifact.
        let charts = bench.index(&[&sbom, &provenance], &[]).await;
        assert_eq!(bench.scan(&charts).await, JudgedScan::NotApplicable);
        let sparse = bench.index(&[&one, &Digest::sha256(b"absent")], &[]).await;
        assert_eq!(bench.scan(&sparse).await, unknown(UnknownScan::Missing));
        assert_eq!(bench.tags(&two).await, ["v1"]);
    });
}

#[test]
fn what_is_nested_deeper_than_four_is_unknown() {
    on_each_engine(|site| async move {
        let bench = Bench::new(site.open().await).await;
        let image = bench.image(IMAGE_CONFIG, None, "", &["own"]).await;
        bench.scanned(&image, ScanState::Complete(counts(0))).await;
        let mut top = image.clone();
        for depth in 1..=5 {
            top = bench.index(&[&top], &[&format!("depth-{depth}")]).await;
            let expected = if depth > 4 {
                JudgedScan::Unknown(UnknownScan::TooMany)
            } else {
                JudgedScan::Complete(vec![counts(0)])
            };
            assert_eq!(bench.scan(&top).await, expected, "{depth}");
            let known = bench.facts(image.as_str()).await.unwrap().current_tags;
            assert_eq!(
                known.map(|tags| tags.len()),
                (depth <= 4).then_some(1 + depth)
            );
        }
    });
}

#[test]
fn something_about_an_image_is_judged_by_that_image() {
    on_each_engine(|site| async move {
        let bench = Bench::new(site.open().await).await;
        let image = bench.image(IMAGE_CONFIG, None, "", &["v1"]).await;
        bench.index(&[&image], &["v1-all"]).await;
        bench.scanned(&image, ScanState::Complete(counts(3))).await;
        let sbom = bench
            .image("application/vnd.sbom", Some(&image), "", &["sbom"])
            .await;
        let signature = bench
            .image("application/vnd.sig", Some(&sbom), "", &[])
            .await;
        for digest in [&sbom, &signature] {
            assert_eq!(
                bench.scan(digest).await,
                JudgedScan::Complete(vec![counts(3)])
            );
            assert_eq!(bench.tags(digest).await, ["sbom", "v1", "v1-all"]);
        }
        // Something that may run is judged by itself.
        let image = bench.image(IMAGE_CONFIG, Some(&image), "", &[]).await;
        assert_eq!(
            bench.scan(&image).await,
            JudgedScan::Unknown(UnknownScan::NotScanned)
        );
        assert_eq!(bench.tags(&image).await, Vec::<String>::new());
        let absent = Digest::sha256(b"absent");
        let lost = bench
            .image("application/vnd.sig", Some(&absent), "", &["lost"])
            .await;
        assert_eq!(
            bench.scan(&lost).await,
            JudgedScan::Unknown(UnknownScan::Missing)
        );
        assert_eq!(bench.tags(&lost).await, ["lost"]);
        let chart = bench.image("application/vnd.chart", None, "", &[]).await;
        assert_eq!(bench.scan(&chart).await, JudgedScan::NotApplicable);
        let mut last = signature;
        for _ in 0..3 {
            last = bench
                .image("application/vnd.sig", Some(&last), "", &[])
                .await;
        }
        let facts = bench.facts(last.as_str()).await.unwrap();
        assert_eq!(facts.scan, JudgedScan::Unknown(UnknownScan::TooMany));
        assert_eq!(facts.current_tags, None);
    });
}

#[test]
fn the_images_with_a_blob_come_in_pages_with_their_facts() {
    on_each_engine(|site| async move {
        let bench = Bench::new(site.open().await).await;
        let mut all = Vec::new();
        for mark in ["a", "b", "c", "d", "e"] {
            let image = bench.image(IMAGE_CONFIG, None, mark, &[mark]).await;
            bench.index(&[&image], &[&format!("{mark}-all")]).await;
            all.push((image, mark));
        }
        let sbom = bench
            .image("application/vnd.sbom", Some(&all[0].0), "", &[])
            .await;
        bench
            .scanned(&all[0].0, ScanState::Complete(counts(1)))
            .await;
        let (store, app) = (&bench.store, &bench.app.id);
        let mut found: Vec<ImageFacts> = Vec::new();
        loop {
            let after = found.last().map(|facts| facts.digest.clone());
            let page = store.facts_of_images_with_layer(app, &bench.blob, after.as_ref(), 4);
            let page = page.await.unwrap();
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert_eq!(found.len(), 6);
        for facts in &found {
            // One at a time they are the same.
            assert_eq!(
                Some(facts),
                bench.facts(facts.digest.as_str()).await.as_ref()
            );
        }
        let about = found.iter().find(|facts| facts.digest == sbom).unwrap();
        assert_eq!(about.scan, JudgedScan::Complete(vec![counts(1)]));
        assert_eq!(about.current_tags, Some(vec![tag("a"), tag("a-all")]));
        let has = |image: Digest, blob: Digest| async move {
            store.image_has_layer(app, &image, &blob).await.unwrap()
        };
        assert!(has(sbom.clone(), bench.blob.clone()).await);
        assert!(!has(sbom.clone(), sbom).await);
    });
}

#[test]
fn images_that_were_there_before_get_their_facts_in_steps() {
    on_each_engine(|site| async move {
        let bench = Bench::new(site.open().await).await;
        let mut images = Vec::new();
        for n in 0..60 {
            let mark = n.to_string();
            images.push(bench.image(IMAGE_CONFIG, None, &mark, &[]).await);
        }
        let chart = bench.image("application/vnd.chart", None, "", &[]).await;
        let index = bench.index(&[&chart], &[]).await;
        site.sql("DELETE FROM image_facts").await;
        let unknown = JudgedScan::Unknown(UnknownScan::NotScanned);
        assert_eq!(bench.scan(&chart).await, unknown);
        assert_eq!(bench.scan(&index).await, unknown);
        // A scan that comes first makes the row.
        bench
            .scanned(&images[0], ScanState::Complete(counts(1)))
            .await;
        assert!(bench.store.fill_image_facts().await.unwrap());
        assert!(bench.store.fill_image_facts().await.unwrap());
        assert!(!bench.store.fill_image_facts().await.unwrap());
        assert_eq!(bench.scan(&chart).await, JudgedScan::NotApplicable);
        assert_eq!(bench.scan(&index).await, JudgedScan::NotApplicable);
        assert_eq!(
            bench.scan(&images[0]).await,
            JudgedScan::Complete(vec![counts(1)])
        );
        assert_eq!(bench.scan(&images[1]).await, unknown);
    });
}
