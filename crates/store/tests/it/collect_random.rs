//! Pushes, mounts, deletes and collectors in an order that a seed decides, under a clock that jumps:
//! no acknowledged image ever misses a byte, what was promised to be kept is, and at the end nothing
//! is left that nothing refers to.
//!
//! Every actor asks for a turn before each call of the store. Most turns are given to one actor
//! alone, so that a seed is one schedule; some to several at once, so that transactions really meet.
//! `BONDED_SEED` repeats a schedule, `BONDED_SCHEDULES` says how many are tried.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bonded_model::{Digest, Reference, TagMutability, Timestamp};
use bonded_store::{
    DeleteRepository, ImageToDelete, Mode, PutImage, PutImageRefused, Repository, Store, StoreError,
};
use tokio::sync::mpsc;

use crate::layer::read;
use crate::site::{NOW, Site, change, manifest_text, new_repository, on_each_engine, parse};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A positive HEAD does not write if the layer is kept for half a day already.
const PROMISED_BY_HEAD: Duration = Duration::from_secs(12 * 60 * 60);
const REPOSITORIES: usize = 3;
const CONTENTS: u64 = 5;
const TURNS: u32 = 700;

/// Pseudo-random numbers: splitmix64.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }
}

/// Says the seed if the test fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let text = format!("to repeat: BONDED_SEED={}\n", self.0);
            std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).unwrap();
        }
    }
}

/// The turns are over.
struct Over;

/// An image by its repository's id and its digest, with the contents it refers to.
type Acknowledged = BTreeMap<(String, String), (Repository, Digest, BTreeSet<u64>)>;

/// What all actors share.
struct World {
    nodes: [Store; 2],
    repositories: Mutex<Vec<Repository>>,
    now: Mutex<Timestamp>,
    acknowledged: Mutex<Acknowledged>,
    names: Mutex<u64>,
}

impl World {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    fn repository(&self, index: usize) -> Repository {
        self.repositories.lock().unwrap()[index].clone()
    }

    /// A name that nothing else has.
    fn unique(&self) -> String {
        let mut names = self.names.lock().unwrap();
        *names += 1;
        format!("n{names}")
    }

    fn is_there(&self, repository: &Repository) -> bool {
        let repositories = self.repositories.lock().unwrap();
        repositories.iter().any(|there| there.id == repository.id)
    }

    /// Pulls every acknowledged image whole. Nobody acts meanwhile.
    async fn verify(&self) {
        let acknowledged = self.acknowledged.lock().unwrap().clone();
        for (repository, digest, contents) in acknowledged.into_values() {
            if !self.is_there(&repository) {
                continue;
            }
            let reference = Reference::Digest(digest.clone());
            let found = self.nodes[0]
                .find_manifest(&repository.id, &reference)
                .await;
            assert!(found.unwrap().is_some(), "{digest} is gone");
            for content in contents {
                let bytes = bytes(content);
                let layer = self.nodes[0]
                    .find_layer(&repository.id, &Digest::sha256(&bytes))
                    .await
                    .unwrap()
                    .unwrap_or_else(|| panic!("{digest} misses layer {content}"));
                let read = read(&self.nodes[1], &layer, 0..layer.size).await;
                assert!(
                    read.unwrap() == bytes,
                    "{digest} has a wrong layer {content}"
                );
            }
        }
    }
}

/// The bytes of a content; some are several frames long.
fn bytes(content: u64) -> Vec<u8> {
    let length = [3, 70_000, 0, 1000, 140_000][content as usize % 5];
    let mut bytes = vec![content as u8; length];
    bytes.extend(content.to_le_bytes());
    bytes
}

/// One who acts, when it is its turn.
struct Actor {
    number: usize,
    world: Arc<World>,
    numbers: Numbers,
    node: Store,
    go: mpsc::Receiver<()>,
    ready: mpsc::Sender<usize>,
}

impl Actor {
    async fn turn(&mut self) -> Result<(), Over> {
        self.ready.send(self.number).await.map_err(|_| Over)?;
        self.go.recv().await.ok_or(Over)
    }

    async fn act(mut self) {
        let result = match self.number {
            0 => self.pass_time().await,
            1 | 2 => self.collect().await,
            3 => self.delete().await,
            _ => self.push().await,
        };
        let Err(Over) = result;
    }

    async fn pass_time(&mut self) -> Result<std::convert::Infallible, Over> {
        loop {
            self.turn().await?;
            let minutes = match self.numbers.below(6) {
                0 => 11 * 60,
                1 => 61,
                _ => 1 + self.numbers.below(20),
            };
            let mut now = self.world.now.lock().unwrap();
            *now = now.after(Duration::from_secs(minutes * 60));
        }
    }

    /// A collector: its walks go on where they stopped.
    async fn collect(&mut self) -> Result<std::convert::Infallible, Over> {
        loop {
            self.turn().await?;
            let (node, now) = (self.node.clone(), self.world.now());
            let done = match self.numbers.below(6) {
                0 | 1 => node.collect_layers("", now, Mode::Collect).await.map(drop),
                2 => node
                    .mark_objects("", now, now, Mode::Collect)
                    .await
                    .map(drop),
                3 => {
                    let before = now.before(HOUR);
                    node.collect_objects(before, Mode::Collect).await.map(drop)
                }
                4 => {
                    let before = now.before(DAY);
                    node.collect_uploads(before, Mode::Collect).await.map(drop)
                }
                // Files have the system's time: every one without a row is old enough.
                _ => {
                    let end = Timestamp::from_millis(i64::MAX);
                    node.collect_strays("", end, Mode::Collect).await.map(drop)
                }
            };
            done.unwrap();
        }
    }

    /// Deletes images, and now and then a repository.
    async fn delete(&mut self) -> Result<std::convert::Infallible, Over> {
        loop {
            self.turn().await?;
            let id = self.world.unique();
            if self.numbers.below(12) == 0 {
                let index = self.numbers.index(REPOSITORIES);
                let old = self.world.repository(index);
                let name = format!("repository-{id}");
                let new = new_repository(&name, TagMutability::Mutable);
                let new = self.node.create_repository(&new, &change(&name)).await;
                self.world.repositories.lock().unwrap()[index] = new.unwrap();
                let deleted = self
                    .node
                    .delete_repository(&old.id, true, &change(&id))
                    .await;
                assert_eq!(deleted.unwrap(), DeleteRepository::Deleted);
                continue;
            }
            let chosen = {
                let mut acknowledged = self.world.acknowledged.lock().unwrap();
                let index = self.numbers.index(acknowledged.len().max(1));
                let key = acknowledged.keys().nth(index).cloned();
                key.and_then(|key| acknowledged.remove(&key))
            };
            let Some((repository, digest, _)) = chosen else {
                continue;
            };
            let images = vec![ImageToDelete::Image(digest)];
            let deleted = self
                .node
                .delete_images(&repository.id, images, &change(&id))
                .await;
            match deleted {
                Ok(outcomes) => assert!(outcomes.iter().all(Result::is_ok)),
                Err(StoreError::Conflict) => assert!(!self.world.is_there(&repository)),
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Pushes images whose layers are asked for, mounted or uploaded.
    async fn push(&mut self) -> Result<std::convert::Infallible, Over> {
        loop {
            let repository = self.world.repository(self.numbers.index(REPOSITORIES));
            let count = 1 + self.numbers.index(3);
            let contents: BTreeSet<u64> =
                (0..count).map(|_| self.numbers.below(CONTENTS)).collect();
            let mut promised = Timestamp::from_millis(i64::MAX);
            let mut whole = true;
            for content in &contents {
                match self.bring(&repository, *content).await? {
                    Some(until) => promised = promised.min(until),
                    None => whole = false,
                }
            }
            if whole {
                self.put(&repository, contents, promised).await?;
            }
        }
    }

    /// Brings a content into the repository, and says until when it is kept there; `None` if that
    /// failed because somebody gave up the upload or the repository.
    async fn bring(
        &mut self,
        repository: &Repository,
        content: u64,
    ) -> Result<Option<Timestamp>, Over> {
        let bytes = bytes(content);
        let digest = Digest::sha256(&bytes);
        match self.numbers.below(4) {
            0 | 1 => {
                self.turn().await?;
                let found = self.node.find_layer(&repository.id, &digest).await.unwrap();
                if let Some(layer) = found {
                    self.turn().await?;
                    let now = self.world.now();
                    let kept = self
                        .node
                        .keep_layer(&repository.id, &layer, now.after(DAY))
                        .await;
                    if kept.unwrap() {
                        return Ok(Some(now.after(PROMISED_BY_HEAD)));
                    }
                }
            }
            2 => {
                let source = self.world.repository(self.numbers.index(REPOSITORIES));
                self.turn().await?;
                let until = self.world.now().after(DAY);
                let change = change(&self.world.unique());
                let mounted = self
                    .node
                    .mount_layer(&source.id, &repository.id, &digest, until, &change)
                    .await;
                if mounted.unwrap().is_some() {
                    return Ok(Some(until));
                }
            }
            _ => {}
        }
        self.upload(repository, &bytes, &digest).await
    }

    async fn upload(
        &mut self,
        repository: &Repository,
        bytes: &[u8],
        digest: &Digest,
    ) -> Result<Option<Timestamp>, Over> {
        self.turn().await?;
        let begun = self
            .node
            .start_upload(&repository.id, "AIDAX", 1000, self.world.now())
            .await;
        let id = match begun {
            Ok(begun) => begun.unwrap(),
            Err(StoreError::Conflict) => return Ok(None),
            Err(error) => panic!("{error}"),
        };
        let middle = self.numbers.index(bytes.len());
        for (piece, last) in [(&bytes[..middle], false), (&bytes[middle..], true)] {
            self.turn().await?;
            let now = self.world.now();
            let Some(mut writer) = self
                .node
                .open_upload(&repository.id, &id, now)
                .await
                .unwrap()
            else {
                return Ok(None);
            };
            if !last && self.numbers.below(3) == 0 {
                // The client goes away and never comes back.
                return Ok(None);
            }
            writer.write(piece).unwrap();
            self.turn().await?;
            let now = self.world.now();
            let until = now.after(DAY);
            let ended = if last {
                let change = change(&id.to_string());
                let finished = self
                    .node
                    .finish_upload(writer, digest, until, now, &change)
                    .await;
                finished.map(|finished| drop(finished.unwrap()))
            } else {
                self.node.suspend_upload(writer, now).await.map(drop)
            };
            match ended {
                Ok(()) if last => return Ok(Some(until)),
                Ok(()) => {}
                Err(StoreError::Conflict) => return Ok(None),
                Err(error) => panic!("{error}"),
            }
        }
        Ok(None)
    }

    async fn put(
        &mut self,
        repository: &Repository,
        contents: BTreeSet<u64>,
        promised: Timestamp,
    ) -> Result<(), Over> {
        let name = self.world.unique();
        let digests: Vec<Digest> = contents
            .iter()
            .map(|content| Digest::sha256(&bytes(*content)))
            .collect();
        let text = manifest_text(&digests, &name);
        let digest = Digest::sha256(text.as_bytes());
        self.turn().await?;
        let image = PutImage {
            repository,
            manifest: &parse(&text),
            bytes: text.as_bytes(),
            digest: &digest,
            tags: &[],
            sparse: false,
            document: None,
            now: self.world.now(),
        };
        match self.node.put_image(image, &change(&name)).await.unwrap() {
            Ok(_) => {
                let key = (format!("{:?}", repository.id), digest.to_string());
                let value = (repository.clone(), digest, contents);
                self.world.acknowledged.lock().unwrap().insert(key, value);
            }
            Err(PutImageRefused::RepositoryNotFound) => {
                assert!(!self.world.is_there(repository));
            }
            Err(PutImageRefused::LayersNotFound(missing)) => {
                let now = self.world.now();
                assert!(
                    promised <= now || !self.world.is_there(repository),
                    "{missing:?} was promised until {promised}, it is {now}"
                );
            }
            Err(refused) => panic!("{refused:?}"),
        }
        Ok(())
    }
}

async fn schedule(site: &Site, seed: u64) {
    let _said = Seed(seed);
    let mut numbers = Numbers(seed);
    let nodes = [site.open().await, site.reopen().await];
    let mut repositories = Vec::new();
    for n in 0..REPOSITORIES {
        repositories.push(crate::site::repository(&nodes[0], &format!("r{n}")).await);
    }
    let world = Arc::new(World {
        nodes,
        repositories: Mutex::new(repositories),
        now: Mutex::new(NOW),
        acknowledged: Mutex::default(),
        names: Mutex::default(),
    });
    let (ready, mut waiting) = mpsc::channel(64);
    let (mut goes, mut tasks) = (Vec::new(), Vec::new());
    for number in 0..9 {
        let (go, turn) = mpsc::channel(1);
        let actor = Actor {
            number,
            world: Arc::clone(&world),
            numbers: Numbers(numbers.next()),
            node: world.nodes[number % 2].clone(),
            go: turn,
            ready: ready.clone(),
        };
        goes.push(go);
        tasks.push(tokio::spawn(actor.act()));
    }
    // Who waits for a turn. In the order of their numbers, so that a seed decides alone.
    let mut idle = BTreeSet::new();
    let mut acting = goes.len();
    for turn in 0..TURNS {
        while acting > 0 {
            match tokio::time::timeout(Duration::from_secs(120), waiting.recv()).await {
                Ok(Some(number)) => idle.insert(number),
                _ => break,
            };
            acting -= 1;
        }
        if let Some(failed) = tasks.iter().position(tokio::task::JoinHandle::is_finished) {
            tasks.remove(failed).await.unwrap();
        }
        if turn % 100 == 99 {
            world.verify().await;
        }
        let together = if numbers.below(4) == 0 { 4 } else { 1 };
        for _ in 0..together {
            let chosen = idle.iter().nth(numbers.index(idle.len())).copied().unwrap();
            idle.remove(&chosen);
            goes[chosen].send(()).await.unwrap();
            acting += 1;
        }
    }
    drop((goes, waiting));
    for task in tasks {
        task.await.unwrap();
    }
    settle(site, &world).await;
}

/// Lets every time pass, collects, and looks for what nothing refers to.
async fn settle(site: &Site, world: &World) {
    let node = &world.nodes[0];
    let end = world.now().after(3 * DAY);
    let forever = Timestamp::from_millis(i64::MAX);
    node.collect_uploads(end, Mode::Collect).await.unwrap();
    node.collect_deleted_repositories(Mode::Collect)
        .await
        .unwrap();
    for mode in [Mode::DryRun, Mode::Collect] {
        node.collect_layers("", end, mode).await.unwrap();
        node.mark_objects("", end, end, mode).await.unwrap();
    }
    while node
        .collect_objects(end, Mode::Collect)
        .await
        .unwrap()
        .count
        > 0
    {}
    node.collect_strays("", forever, Mode::Collect)
        .await
        .unwrap();
    world.verify().await;
    let acknowledged = world.acknowledged.lock().unwrap().clone();
    let live = acknowledged
        .values()
        .filter(|(repository, ..)| world.is_there(repository));
    let (mut layers, mut objects) = (BTreeSet::new(), BTreeSet::new());
    for (repository, _, contents) in live {
        for content in contents {
            layers.insert((format!("{:?}", repository.id), *content));
            objects.insert(*content);
        }
    }
    assert_eq!(
        site.count("SELECT COUNT(*) FROM layers").await,
        layers.len()
    );
    assert_eq!(
        site.count("SELECT COUNT(*) FROM objects").await,
        objects.len()
    );
    let marked = "SELECT COUNT(*) FROM objects WHERE unlinked_at IS NOT NULL";
    assert_eq!(site.count(marked).await, 0);
    assert_eq!(site.count("SELECT COUNT(*) FROM uploads").await, 0);
    assert_eq!(site.objects().await.len(), objects.len());
}

#[test]
fn in_any_order_no_image_misses_a_byte_and_nothing_is_left() {
    let number = |name: &str| crate::site::variable(name).map(|text| text.parse().unwrap());
    let nanos = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let schedules = number("BONDED_SCHEDULES").unwrap_or(2);
    let seed = number("BONDED_SEED");
    for n in 0..seed.map_or(schedules, |_| 1) {
        let seed = seed.unwrap_or(nanos.wrapping_add(n));
        on_each_engine(|site| async move { schedule(&site, seed).await });
    }
}
