//! Documents attached to images: whose count, and what their coming and going does to a scan.

use std::time::Duration;

use bonded_model::{Digest, Manifest, MediaType, Reference, ScanStatus, Timestamp};
use bonded_store::{
    AttachedDocument, ClaimedJob, DOCUMENTS_LIMIT, ImageToDelete, Job, JobEnd, JudgedBy,
    JudgedScan, NewDocument, PutImage, Repository, ScanResult, ScanState, SeverityCounts, Store,
    UnknownScan,
};

use crate::image::put;
use crate::site::{NOW, change, manifest_text, on_each_engine, push, repository};

const SECOND: Duration = Duration::from_secs(1);

/// What is tried on: a store with an image.
struct Bench {
    store: Store,
    app: Repository,
    config: Digest,
    image: Digest,
}

impl Bench {
    async fn new(store: Store) -> Self {
        let app = repository(&store, "app").await;
        let config = push(&store, &app.id, b"{}").await.digest;
        let layer = push(&store, &app.id, b"layer").await.digest;
        let text = manifest_text(&[config.clone(), layer], "");
        put(&store, &app, &text, &["v1"], "put").await.unwrap();
        let image = Digest::sha256(text.as_bytes());
        let bench = Self {
            store,
            app,
            config,
            image,
        };
        while let Some(claimed) = bench.claim().await {
            bench.store.close_job(&claimed).await.unwrap();
        }
        bench
    }

    async fn claim(&self) -> Option<ClaimedJob> {
        let lease = Duration::from_secs(60);
        self.store.claim_job(NOW, lease).await.unwrap()
    }

    /// Attaches a document and gives the digest of its manifest.
    async fn attach(&self, note: &str, lists_packages: bool, trusted: bool, id: &str) -> Digest {
        self.put(NOW, note, (lists_packages, trusted), id).await
    }

    /// As [`Bench::attach`], for statements alone, at another time.
    async fn attach_at(&self, now: Timestamp, note: &str, trusted: bool, id: &str) -> Digest {
        self.put(now, note, (false, trusted), id).await
    }

    async fn put(
        &self,
        now: Timestamp,
        note: &str,
        (lists_packages, trusted): (bool, bool),
        id: &str,
    ) -> Digest {
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{0}","artifactType":"application/x","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{1}","size":2}},"layers":[],"subject":{{"mediaType":"{0}","digest":"{2}","size":2}},"annotations":{{"note":"{note}"}}}}"#,
            MediaType::OCI_MANIFEST,
            self.config,
            self.image
        );
        let manifest = Manifest::parse(text.as_bytes(), None).unwrap();
        let digest = Digest::sha256(text.as_bytes());
        let image = PutImage {
            repository: &self.app,
            manifest: &manifest,
            bytes: text.as_bytes(),
            digest: &digest,
            tags: &[],
            sparse: false,
            document: Some(NewDocument {
                lists_packages,
                pushed_by: format!("by-{id}"),
                trusted: trusted.then(|| change(&format!("trusts-{id}"))),
            }),
            now,
        };
        self.store
            .put_image(image, &change(id))
            .await
            .unwrap()
            .unwrap();
        digest
    }

    async fn documents(&self) -> Vec<AttachedDocument> {
        let documents = self.store.attached_documents(&self.app.id, &self.image);
        documents.await.unwrap()
    }

    /// Ends the scan of the image, which has to be enqueued, by these documents.
    async fn finish(&self, documents: Vec<AttachedDocument>) {
        let claimed = self.claim().await.unwrap();
        self.finish_claimed(&claimed, documents).await;
    }

    async fn finish_claimed(&self, claimed: &ClaimedJob, documents: Vec<AttachedDocument>) {
        assert_eq!(
            claimed.job,
            Job::ScanImage(self.app.id.clone(), self.image.clone())
        );
        let result = ScanResult {
            status: ScanStatus::UnsupportedImage,
            description: None,
            facts: ScanState::NotApplicable,
            judged_by: JudgedBy::default(),
            severity_counts: SeverityCounts::new(),
            findings: 0,
            parts: Vec::new(),
            packages: None,
            events: Vec::new(),
            documents: Some(documents),
        };
        let (app, image) = (&self.app.id, &self.image);
        let finished = self
            .store
            .finish_scan(claimed, app, image, result, JobEnd::Done, NOW);
        finished.await.unwrap();
    }

    async fn judged(&self) -> JudgedScan {
        let named = [Reference::Digest(self.image.clone())];
        let facts = self.store.image_facts(&self.app.id, &named).await.unwrap();
        facts.into_iter().next().unwrap().unwrap().scan
    }

    async fn scan(&self) {
        let (app, image, by) = (&self.app.id, &self.image, JudgedBy::default());
        let change = change("scan");
        let started = self.store.start_scan(app, image, &by, NOW, &change);
        started.await.unwrap();
        self.finish(self.documents().await).await;
        assert!(self.claim().await.is_none());
    }

    fn pending(&self) -> JudgedScan {
        JudgedScan::Unknown(UnknownScan::Pending(vec![self.image.clone()]))
    }
}

#[test]
fn what_is_known_of_an_image_is_void_only_where_trusted_documents_come_or_go() {
    on_each_engine(|site| async move {
        let bench = Bench::new(site.open().await).await;
        // An image that was not scanned is not scanned for a document.
        bench.attach("early", true, false, "1").await;
        assert!(bench.claim().await.is_none());
        bench.scan().await;
        bench.attach("list", true, false, "2").await;
        assert_eq!(bench.judged().await, JudgedScan::NotApplicable);
        bench.finish(bench.documents().await).await;

        let stated = bench.attach("stated", false, false, "3").await;
        assert_eq!(bench.judged().await, JudgedScan::NotApplicable);
        bench.finish(bench.documents().await).await;
        // The same by whoever is trusted; then by others again, which changes nothing.
        assert_eq!(bench.attach("stated", false, true, "4").await, stated);
        assert_eq!(bench.judged().await, bench.pending());
        bench.finish(bench.documents().await).await;
        assert!(bench.store.find_change("trusts-4").await.unwrap().is_some());
        bench.attach("stated", false, false, "5").await;
        bench.attach("stated", false, true, "6").await;
        assert!(bench.claim().await.is_none());
        assert!(bench.store.find_change("trusts-6").await.unwrap().is_none());
        let first = &bench.documents().await[0];
        let by = (first.pushed_by.as_deref(), first.trusted_by.as_deref());
        assert_eq!(
            (&first.referrer, by),
            (&stated, (Some("by-3"), Some("by-4")))
        );

        let gone = vec![ImageToDelete::Image(stated)];
        let change = change("gone");
        let deleted = bench.store.delete_images(&bench.app.id, gone, &change);
        assert!(deleted.await.unwrap()[0].is_ok());
        assert_eq!(bench.judged().await, bench.pending());
        bench.finish(bench.documents().await).await;
        bench.attach("stated", false, false, "7").await;
        assert!(
            bench
                .documents()
                .await
                .iter()
                .all(|d| d.trusted_by.is_none())
        );
    });
}

#[test]
fn what_a_trusted_document_took_back_does_not_return_when_it_is_deleted() {
    on_each_engine(|site| async move {
        let bench = Bench::new(site.open().await).await;
        let stated = bench.attach("stated", false, false, "1").await;
        // Somebody else has pushed it before; what counts is when it came to be trusted.
        let retracted = bench.attach("retracted", false, false, "2").await;
        bench.attach("stated", false, true, "3").await;
        bench
            .attach_at(NOW.after(SECOND), "retracted", true, "4")
            .await;
        let later = bench.attach_at(NOW.after(2 * SECOND), "later", true, "5");
        let later = later.await;
        let trusted = async || -> Vec<Digest> {
            let all = bench.documents().await.into_iter();
            let trusted = all.filter(|of| of.trusted_by.is_some());
            trusted.map(|of| of.referrer).collect()
        };
        assert_eq!(
            trusted().await,
            [stated.clone(), retracted.clone(), later.clone()]
        );
        let (store, app) = (&bench.store, &bench.app.id);
        assert!(store.any_is_trusted(app, &[&stated]).await.unwrap());
        let gone = || vec![ImageToDelete::Image(retracted.clone())];
        let first = change("d");
        let deleted = store.delete_images(app, gone(), &first).await;
        assert!(deleted.unwrap()[0].is_ok());
        assert_eq!(trusted().await, std::slice::from_ref(&later));
        assert!(!store.any_is_trusted(app, &[&stated]).await.unwrap());
        // By who may have statements count, all others stay.
        bench.attach("stated", false, true, "6").await;
        bench
            .attach_at(NOW.after(SECOND), "retracted", true, "7")
            .await;
        let second = change("r");
        let deleted = store.retract_images(app, gone(), &second).await;
        assert!(deleted.unwrap()[0].is_ok());
        assert_eq!(trusted().await, [stated, later]);
    });
}

#[test]
fn what_is_attached_while_a_scan_runs_is_judged_after_it() {
    on_each_engine(|site| async move {
        let bench = Bench::new(site.open().await).await;
        bench.scan().await;
        bench.attach("one", true, false, "1").await;
        let claimed = bench.claim().await.unwrap();
        let seen = bench.documents().await;
        bench.attach("two", true, false, "2").await;
        bench.finish_claimed(&claimed, seen.clone()).await;
        assert_eq!(bench.judged().await, JudgedScan::NotApplicable);
        let claimed = bench.claim().await.unwrap();
        let seen = bench.documents().await;
        bench.attach("three", false, true, "3").await;
        bench.finish_claimed(&claimed, seen).await;
        assert_eq!(bench.judged().await, bench.pending());
        bench.finish(bench.documents().await).await;
        assert!(bench.claim().await.is_none());
    });
}

#[test]
fn a_flood_does_not_displace_what_counts() {
    on_each_engine(|site| async move {
        let bench = Bench::new(site.open().await).await;
        let first = bench.attach("first", true, false, "first").await;
        for number in 0..DOCUMENTS_LIMIT + 20 {
            let (note, lists) = (number.to_string(), number % 2 == 0);
            bench.attach(&note, lists, false, &note).await;
        }
        let trusted = bench.attach("trusted", false, true, "trusted").await;
        let documents = bench.documents().await;
        assert_eq!(documents[0].referrer, trusted);
        assert!(documents[1..44].iter().all(|d| d.lists_packages));
        assert!(documents.iter().any(|d| d.referrer == first));
        assert_eq!(
            documents.iter().filter(|d| !d.lists_packages).count(),
            1 + 16
        );
        for number in 200..300 {
            let note = number.to_string();
            bench.attach(&note, true, false, &note).await;
        }
        let documents = bench.documents().await;
        assert_eq!(documents[0].referrer, trusted);
        assert_eq!(documents.len(), DOCUMENTS_LIMIT + 1);
        assert!(
            bench
                .store
                .delete_repository(&bench.app.id, true, &change("all"))
                .await
                .is_ok()
        );
        assert_eq!(bench.documents().await, []);
    });
}
