//! Referrers that the server itself has made of images.

use std::time::Duration;

use bonded_model::Digest;
use bonded_store::{
    ClaimedJob, GeneratedReferrer, ImageToDelete, Job, Repository, ScannedImage, Store, StoreError,
};

use crate::image::{index, put};
use crate::image_referrers::artifact;
use crate::site::{NOW, change, manifest_text, on_each_engine, parse, push, repository};

const KIND: &str = "application/kind";

struct Fixture {
    store: Store,
    app: Repository,
    config: Digest,
    image: Digest,
}

impl Fixture {
    async fn new(store: Store) -> Self {
        let app = repository(&store, "app").await;
        let config = push(&store, &app.id, b"{}").await.digest;
        let mut fixture = Self {
            store,
            app,
            image: config.clone(),
            config,
        };
        fixture.push("push").await;
        while let Some(claimed) = fixture.claim().await {
            fixture.store.close_job(&claimed).await.unwrap();
        }
        fixture
    }

    async fn push(&mut self, id: &str) {
        let text = manifest_text(std::slice::from_ref(&self.config), "");
        put(&self.store, &self.app, &text, &[], id).await.unwrap();
        self.image = Digest::sha256(text.as_bytes());
    }

    async fn claim(&self) -> Option<ClaimedJob> {
        let lease = Duration::from_secs(60);
        self.store.claim_job(NOW, lease).await.unwrap()
    }

    async fn claimed(&self) -> ClaimedJob {
        let image = ScannedImage {
            repository: self.app.id.clone(),
            name: self.app.arn.name.clone(),
            image: self.image.clone(),
            generated: 0,
        };
        self.store.enqueue_sboms(vec![image], NOW).await.unwrap();
        let claimed = self.claim().await.unwrap();
        let job = Job::AttachSboms(self.app.id.clone(), self.image.clone());
        assert_eq!(claimed.job, job);
        claimed
    }

    fn text(&self, kind: &str, note: &str) -> String {
        artifact(&self.config, &self.image, kind, note)
    }

    async fn attach_by(&self, claimed: &ClaimedJob, texts: &[String]) -> Result<(), StoreError> {
        let referrers: Vec<GeneratedReferrer> = texts
            .iter()
            .map(|text| GeneratedReferrer {
                manifest: parse(text),
                bytes: text.as_bytes().to_vec(),
                change: change(text),
            })
            .collect();
        let store = &self.store;
        store
            .attach_generated(claimed, &self.app, &self.image, &referrers)
            .await
    }

    async fn attach(&self, texts: &[String]) {
        let claimed = self.claimed().await;
        self.attach_by(&claimed, texts).await.unwrap();
        assert!(self.claim().await.is_none());
    }

    /// The referrers of the image, and whether the server has made them.
    async fn referrers(&self) -> Vec<(Digest, bool)> {
        let page = self
            .store
            .referrers(&self.app.id, &self.image, &[], None, 100);
        let referrers = page.await.unwrap().referrers.into_iter();
        referrers.map(|of| (of.digest, of.generated)).collect()
    }

    async fn delete(&self, image: &Digest, id: &str) {
        let images = vec![ImageToDelete::Image(image.clone())];
        let deleted = self
            .store
            .delete_images(&self.app.id, images, &change(id))
            .await;
        assert!(deleted.unwrap()[0].is_ok());
    }
}

fn sorted(texts: &[(&String, bool)]) -> Vec<(Digest, bool)> {
    let mut all: Vec<(Digest, bool)> = texts
        .iter()
        .map(|(text, generated)| (Digest::sha256(text.as_bytes()), *generated))
        .collect();
    all.sort();
    all
}

#[test]
fn one_takes_the_place_of_the_last_of_its_type_and_of_nothing_else() {
    on_each_engine(|site| async move {
        let fixture = Fixture::new(site.open().await).await;
        let (old, new, other) = (
            fixture.text(KIND, "old"),
            fixture.text(KIND, "new"),
            fixture.text("application/other", ""),
        );
        let theirs = fixture.text(KIND, "pushed by somebody");
        put(&fixture.store, &fixture.app, &theirs, &[], "theirs")
            .await
            .unwrap();
        fixture.attach(&[old.clone(), other.clone()]).await;
        let want = sorted(&[(&old, true), (&other, true), (&theirs, false)]);
        assert_eq!(fixture.referrers().await, want);
        // Done twice it changes nothing: its change would be refused if it were recorded again.
        fixture.attach(&[old.clone(), other.clone()]).await;
        assert_eq!(fixture.referrers().await, want);
        fixture.attach(std::slice::from_ref(&new)).await;
        let want = sorted(&[(&new, true), (&other, true), (&theirs, false)]);
        assert_eq!(fixture.referrers().await, want);
        // What was pushed before it would be made stays the pusher's.
        fixture.attach(std::slice::from_ref(&theirs)).await;
        let want = sorted(&[(&other, true), (&theirs, false)]);
        assert_eq!(fixture.referrers().await, want);
        // Pushing ours makes it nobody else's.
        put(&fixture.store, &fixture.app, &other, &[], "again")
            .await
            .unwrap();
        assert_eq!(fixture.referrers().await, want);
    });
}

#[test]
fn they_go_with_their_image_unless_something_refers_to_them() {
    on_each_engine(|site| async move {
        let mut fixture = Fixture::new(site.open().await).await;
        let (plain, tagged, listed) = (
            fixture.text(KIND, ""),
            fixture.text("application/tagged", ""),
            fixture.text("application/listed", ""),
        );
        let all = [plain.clone(), tagged.clone(), listed.clone()];
        fixture.attach(&all).await;
        put(&fixture.store, &fixture.app, &tagged, &["kept"], "tag")
            .await
            .unwrap();
        let list = index(&Digest::sha256(listed.as_bytes()));
        put(&fixture.store, &fixture.app, &list, &[], "list")
            .await
            .unwrap();
        fixture.delete(&fixture.image, "delete").await;
        let left = sorted(&[(&tagged, true), (&listed, true)]);
        assert_eq!(fixture.referrers().await, left);
        // Of an image that is gone nothing is made, and the job is over.
        fixture.attach(std::slice::from_ref(&plain)).await;
        assert_eq!(fixture.referrers().await, left);
        fixture.push("again").await;
        fixture
            .delete(&Digest::sha256(list.as_bytes()), "delete list")
            .await;
        let newer = fixture.text("application/listed", "newer");
        fixture.attach(std::slice::from_ref(&newer)).await;
        let want = sorted(&[(&tagged, true), (&newer, true)]);
        assert_eq!(fixture.referrers().await, want);
    });
}

#[test]
fn a_job_that_another_worker_has_attaches_nothing() {
    on_each_engine(|site| async move {
        let fixture = Fixture::new(site.open().await).await;
        let claimed = fixture.claimed().await;
        fixture.store.close_job(&claimed).await.unwrap();
        let text = fixture.text(KIND, "");
        let lost = fixture.attach_by(&claimed, std::slice::from_ref(&text));
        assert!(matches!(lost.await, Err(StoreError::Conflict)));
        assert_eq!(fixture.referrers().await, []);
        // A blob that is gone leaves the job to be done again.
        let claimed = fixture.claimed().await;
        let text = artifact(&Digest::sha256(b"absent"), &fixture.image, KIND, "");
        let refused = fixture.attach_by(&claimed, std::slice::from_ref(&text));
        assert!(matches!(refused.await, Err(StoreError::Conflict)));
        assert_eq!(fixture.referrers().await, []);
        fixture.store.close_job(&claimed).await.unwrap();
    });
}
