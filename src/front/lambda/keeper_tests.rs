//! The keeper against a database, an executor without functions, and a fabric of which there is only the inbox.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use executor::{Executor, Options, Pace, Reactor};
use router::arrivals::Arrivals;
use router::name::{FunctionName, Seed};
use router::router::Input as Fabric;
use scenarios::api::error::ApiError;
use scenarios::hands::Entrance;
use serde_json::{Value, json};

use super::plane::Plane;
use super::registry::{Record, Told, served};
use super::start::{self, Start};
use super::store::{Kind, Store};
use super::world::World;
use crate::reload::Reload;

struct Rig {
    home: tempfile::TempDir,
    reactor: Arc<Reactor>,
    arrivals: Arrivals,
    plane: Option<Plane>,
    executor: Option<Executor>,
}

impl Rig {
    fn new(room: usize) -> Self {
        let mut rig = Rig {
            home: tempfile::tempdir().unwrap(),
            reactor: Reactor::new().unwrap(),
            arrivals: Arrivals::new(room, 1 << 20),
            plane: None,
            executor: None,
        };
        rig.start();
        rig
    }

    /// A run on the same data directory.
    fn start(&mut self) {
        (self.plane, self.executor) = (None, None);
        let (news, _) = crossbeam_channel::unbounded();
        let options = Options::new(Pace::Live, self.home.path().join("scratch"), Seed(1));
        let executor = Executor::start(Vec::new(), options, news, &self.reactor).unwrap();
        let ready = start::plane(Start {
            data: self.home.path(),
            endpoint: String::new(),
            seed: Seed(1),
            secret: [0; 32],
            world: World {
                sinks: Default::default(),
                buckets: BTreeMap::new(),
                retired: false,
                functions: executor.functions().clone(),
            },
            functions: executor.functions().clone(),
            settings: BTreeMap::new(),
            entrance: Entrance::new(self.arrivals.clone(), self.reactor.doorbell()),
            reload: Reload::default(),
        });
        let ready = ready.unwrap();
        self.plane = Some(ready.plane.clone());
        ready.begin().unwrap();
        self.executor = Some(executor);
    }

    fn run(&self, operation: &str, input: Value) -> Option<Result<Told, ApiError>> {
        self.run_for(Duration::from_secs(30), operation, input)
    }

    /// Whoever asks does so for so long.
    fn run_for(&self, patience: Duration, operation: &str, input: Value) -> Option<Result<Told, ApiError>> {
        let served = served::find(operation).unwrap();
        let Value::Object(input) = input else {
            panic!("{input}")
        };
        let run = self.plane.as_ref().unwrap().run(served, input);
        self.reactor
            .run(async { tokio::time::timeout(patience, run).await.ok() })
    }

    fn state(&self, name: &str) -> String {
        match self
            .run("GetFunctionConfiguration", json!({ "FunctionName": name }))
            .unwrap()
        {
            Ok(Told::Answer { body, .. }) => body.unwrap()["State"].as_str().unwrap().to_owned(),
            Ok(told) => panic!("{told:?}"),
            Err(error) => error.code.to_owned(),
        }
    }

    fn kept(&self) -> Vec<Record> {
        let store = Store::open(&self.home.path().join("lambda")).unwrap();
        store.load(Kind::Function).unwrap()
    }

    /// The function `f`, whose code is a folder.
    fn create(&self) -> Result<Told, ApiError> {
        std::fs::create_dir_all(self.folder()).unwrap();
        let input = json!({
            "FunctionName": "f", "Role": "arn:aws:iam::123456789012:role/r", "Runtime": "provided.al2023",
            "Handler": "app.handler", "Code": { "S3Bucket": "hot-reload", "S3Key": self.folder() },
        });
        self.run("CreateFunction", input).unwrap()
    }

    fn folder(&self) -> std::path::PathBuf {
        self.home.path().join("code")
    }
}

fn database(home: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(home.join("lambda/lambda.sqlite")).unwrap()
}

#[test]
fn a_change_whose_caller_goes_away_is_done_all_the_same() {
    let rig = Rig::new(1);
    assert!(rig.create().is_ok());
    assert!(rig.arrivals.take().is_some());
    // The fabric is busy: its inbox has no room; and the caller does not wait.
    assert!(rig.arrivals.try_send(Fabric::Close).is_ok());
    let delete = json!({ "FunctionName": "f" });
    let gone = rig.run_for(Duration::from_millis(1), "DeleteFunction", delete);
    assert!(gone.is_none(), "the caller went away");
    assert!(matches!(rig.arrivals.take(), Some(Fabric::Close)));
    // The next operation comes after it.
    assert_eq!(rig.state("f"), "ResourceNotFoundException");
    assert_eq!(rig.kept(), []);
    let told = rig.arrivals.take();
    assert!(
        matches!(told, Some(Fabric::Configured { settings: None, .. })),
        "{told:?}"
    );
}

#[test]
fn what_cannot_be_kept_has_never_been() {
    let rig = Rig::new(100);
    // A trigger fails at once, a lock would be waited for.
    let refuse =
        "CREATE TRIGGER full BEFORE INSERT ON records BEGIN SELECT RAISE(FAIL, 'the disk is full'); END";
    database(rig.home.path()).execute_batch(refuse).unwrap();
    let refused = rig.create().map_err(|error| (error.status, error.code));
    assert_eq!(refused, Err((500, "ServiceException")));
    assert_eq!(rig.state("f"), "ResourceNotFoundException");
    assert!(rig.arrivals.take().is_none(), "nobody was told");
    database(rig.home.path())
        .execute_batch("DROP TRIGGER full")
        .unwrap();
    assert!(rig.create().is_ok());
    assert_eq!((rig.state("f").as_str(), rig.kept().len()), ("Active", 1));
}

#[test]
fn a_folder_that_was_away_is_found_again() {
    let mut rig = Rig::new(100);
    assert!(rig.create().is_ok());
    std::fs::remove_dir(rig.folder()).unwrap();
    rig.start();
    assert_eq!(rig.state("f"), "Failed");
    // A change of it is kept without the failure.
    let tags =
        json!({ "Resource": "arn:aws:lambda:us-east-1:123456789012:function:f", "Tags": { "a": "b" } });
    assert!(rig.run("TagResource", tags).unwrap().is_ok());
    std::fs::create_dir(rig.folder()).unwrap();
    let plane = rig.plane.clone().unwrap();
    rig.reactor.run(plane.mend(&FunctionName::new("f")));
    assert_eq!(rig.state("f"), "Active");
    rig.start();
    assert_eq!(rig.state("f"), "Active");
}

#[test]
fn packages_that_nothing_names_are_removed() {
    let rig = Rig::new(100);
    let zip = |text: &str| {
        use base64::Engine;
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        writer
            .start_file("app.py", zip::write::SimpleFileOptions::default())
            .unwrap();
        std::io::Write::write_all(&mut writer, text.as_bytes()).unwrap();
        base64::engine::general_purpose::STANDARD.encode(writer.finish().unwrap().into_inner())
    };
    assert!(rig.create().is_ok());
    rig.state("f");
    for (n, dry) in [(1, true), (2, true), (3, false), (4, false)] {
        let input = json!({ "FunctionName": "f", "ZipFile": zip(&n.to_string()), "DryRun": dry });
        assert!(rig.run("UpdateFunctionCode", input).unwrap().is_ok(), "{n}");
        rig.state("f");
    }
    let packages = || {
        std::fs::read_dir(rig.home.path().join("lambda/code"))
            .unwrap()
            .count()
    };
    // It is done when nothing else is to be done, which is soon.
    for _ in 0..10_000 {
        if packages() == 1 {
            return;
        }
        rig.state("f");
    }
    panic!("{} packages are left", packages());
}
