//! `triggerfish feed` from outside: python's sqlite3 writes, and the binary tells what changed.

mod common;

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

const SCHEMA: &str = "CREATE TABLE orders(id TEXT PRIMARY KEY, qty INTEGER, paid BOOLEAN, info JSON);
    CREATE TABLE log(line TEXT); CREATE INDEX by_qty ON orders(qty);
    CREATE TRIGGER logged AFTER INSERT ON orders BEGIN INSERT INTO log(line) VALUES(new.id); END;";

/// Runs a Python program with the database as `db`, in another process.
fn python(here: &Path, program: &str) -> String {
    let program = format!(
        "import sqlite3\ndb = sqlite3.connect('app.db', isolation_level=None)\n{program}\ndb.close()\n"
    );
    let output = Command::new("python3")
        .args(["-c", &program])
        .current_dir(here)
        .output();
    let output = output.expect("python3 runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program}\n{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn database() -> tempfile::TempDir {
    let here = tempfile::tempdir().expect("a directory");
    python(
        here.path(),
        &format!("db.executescript('''PRAGMA journal_mode=wal; {SCHEMA}''')"),
    );
    here
}

/// The exit code, stdout and stderr.
fn feed(here: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = common::triggerfish(here, &[&["feed"], arguments].concat())
        .output()
        .expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn good(here: &Path, arguments: &[&str]) -> String {
    let (code, out, said) = feed(here, arguments);
    assert_eq!(code, Some(0), "{out}{said}");
    out
}

fn records(out: &str) -> Vec<Value> {
    out.lines()
        .map(|line| serde_json::from_str(line).expect("one object a line"))
        .collect()
}

/// Name, key, images: what a change says about an order.
fn essence(record: &Value) -> Value {
    let d = &record["dynamodb"];
    json!([record["eventName"], d["Keys"], d["OldImage"], d["NewImage"]])
}

fn order(id: &str, qty: u32) -> Value {
    json!({"id": {"S": id}, "qty": {"N": qty.to_string()}, "paid": {"BOOL": false}, "info": {"M": {"a": {"L": [{"N": "1"}]}}}})
}

/// Everything in the schema but `sqlite_sequence`, which SQLite keeps for good once a table has had AUTOINCREMENT.
fn schema(here: &Path) -> String {
    python(
        here,
        "print(list(db.execute('SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name <> ? ORDER BY name', ['sqlite_sequence'])))",
    )
}

const INSERT: &str = "db.execute('INSERT INTO orders VALUES(?, 1, 0, ?)', ('a', '{\"a\":[1]}'))";

/// Insert, update, nothing, something that is rolled back, delete.
fn write(here: &Path) {
    let changes = "
db.execute('UPDATE orders SET qty = 2')
db.execute('UPDATE orders SET qty = qty')
db.execute('BEGIN')
db.execute('UPDATE orders SET qty = 9')
db.execute('ROLLBACK')
db.execute('DELETE FROM orders')";
    python(here, &format!("{INSERT}{changes}"));
}

#[test]
fn each_committed_change_is_one_record() {
    let here = database();
    let here = here.path();
    let out = good(here, &["install", "app.db", "Orders"]);
    assert!(out.starts_with("orders · key id · since 20"), "{out}");
    write(here);
    let out = good(
        here,
        &["tail", "app.db", "orders", "--once", "--from", "trim-horizon"],
    );
    let all = records(&out);
    let key = json!({"id": {"S": "a"}});
    let expected = [
        json!(["INSERT", key, null, order("a", 1)]),
        json!(["MODIFY", key, order("a", 1), order("a", 2)]),
        json!(["REMOVE", key, order("a", 2), null]),
    ];
    assert_eq!(all.iter().map(essence).collect::<Vec<_>>(), expected, "{out}");
    let status = records(&good(here, &["status", "app.db", "--format", "json"]));
    let since = status[0]["since"].as_str().expect("a time").trim_end_matches('Z');
    for record in &all {
        let arn = format!("arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/{since}");
        assert_eq!(record["eventSourceARN"], arn.as_str());
        assert_eq!(record["dynamodb"]["StreamViewType"], "NEW_AND_OLD_IMAGES");
    }
    assert_eq!(
        good(here, &["tail", "app.db", "orders", "--once"]),
        out,
        "reading takes nothing away"
    );
    assert_eq!(
        good(here, &["tail", "app.db", "orders", "--once", "--from", "latest"]),
        ""
    );
}

#[test]
fn the_view_chooses_the_images() {
    let here = database();
    let here = here.path();
    good(here, &["install", "app.db", "orders"]);
    write(here);
    for (view, old, new) in [
        ("KEYS_ONLY", false, false),
        ("NEW_IMAGE", false, true),
        ("OLD_IMAGE", true, false),
    ] {
        let all = records(&good(
            here,
            &["tail", "app.db", "orders", "--once", "--view", view],
        ));
        let modify = &all[1]["dynamodb"];
        assert_eq!(modify["StreamViewType"], view);
        assert_eq!(
            (modify["OldImage"].is_object(), modify["NewImage"].is_object()),
            (old, new),
            "{modify}"
        );
    }
}

/// Follows `orders`, and waits until it does.
fn follow(here: &Path) -> (Child, BufReader<ChildStdout>) {
    let mut command = common::triggerfish(here, &["feed", "tail", "app.db", "orders"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let mut line = String::new();
    let mut said = BufReader::new(child.stderr.take().expect("stderr"));
    said.read_line(&mut line).expect("a line");
    assert!(line.starts_with("following `orders` in "), "{line}");
    child.stderr = Some(said.into_inner());
    let out = BufReader::new(child.stdout.take().expect("stdout"));
    (child, out)
}

#[test]
fn a_change_is_printed_while_it_follows() {
    let here = database();
    let here = here.path();
    good(here, &["install", "app.db", "orders"]);
    write(here);
    let (mut child, mut out) = follow(here);
    for qty in 1..=2 {
        let change = match qty {
            1 => INSERT.to_owned(),
            _ => "db.execute('UPDATE orders SET qty = 2')".to_owned(),
        };
        python(here, &change);
        let mut line = String::new();
        out.read_line(&mut line).expect("a record");
        assert_eq!(
            records(&line)[0]["dynamodb"]["NewImage"],
            order("a", qty),
            "only what is new"
        );
    }
    common::interrupt(&child);
    assert!(child.wait().expect("it ends").success());
}

#[test]
fn a_closed_pipe_ends_it_quietly() {
    let here = database();
    let here = here.path();
    good(here, &["install", "app.db", "orders"]);
    let (mut child, out) = follow(here);
    drop(out);
    python(here, INSERT);
    let mut said = String::new();
    child
        .stderr
        .take()
        .expect("stderr")
        .read_to_string(&mut said)
        .expect("its end");
    assert_eq!(
        (child.wait().expect("it ends").code(), said.as_str()),
        (Some(0), "")
    );
}

#[test]
fn a_feed_that_is_removed_ends_it_with_a_reason() {
    let here = database();
    let here = here.path();
    good(here, &["install", "app.db", "orders"]);
    let (mut child, _out) = follow(here);
    good(here, &["uninstall", "app.db"]);
    let mut said = String::new();
    child
        .stderr
        .take()
        .expect("stderr")
        .read_to_string(&mut said)
        .expect("its end");
    assert_eq!(child.wait().expect("it ends").code(), Some(2), "{said}");
    assert!(
        said.contains("is no longer in") && said.contains("help: install it again"),
        "{said}"
    );
}

#[test]
fn uninstall_leaves_the_database_as_it_was() {
    let here = database();
    let here = here.path();
    let before = schema(here);
    let out = good(here, &["install", "app.db", "orders", "log"]);
    assert!(out.contains("\nlog · key rowid · since 20"), "{out}");
    assert_ne!(schema(here), before);
    write(here);
    good(here, &["uninstall", "app.db"]);
    assert_eq!(schema(here), before);
    let (code, out, said) = feed(here, &["uninstall", "app.db"]);
    assert_eq!(
        (code, out.as_str(), said.as_str()),
        (Some(0), "", "app.db has no change feed\n")
    );
}

#[test]
fn status_tells_how_each_feed_is() {
    let here = database();
    let here = here.path();
    python(here, "db.execute('CREATE UNIQUE INDEX lines ON log(line)')");
    good(here, &["install", "app.db", "orders"]);
    good(here, &["install", "app.db", "log", "--key", "line"]);
    let states = || -> Vec<Value> {
        let rows = records(&good(here, &["status", "app.db", "--format", "json"]));
        rows.iter()
            .map(|row| json!([row["table"], row["key"], row["state"]]))
            .collect()
    };
    assert_eq!(
        states(),
        [
            json!(["orders", ["id"], "current"]),
            json!(["log", ["line"], "current"])
        ]
    );
    good(here, &["install", "app.db", "log"]);
    assert_eq!(states()[1], json!(["log", ["line"], "current"]), "the key stays");
    good(here, &["suspend", "app.db", "orders"]);
    python(here, "db.execute('ALTER TABLE log ADD COLUMN level')");
    assert_eq!(
        states(),
        [
            json!(["orders", ["id"], "suspended"]),
            json!(["log", ["line"], "stale"])
        ]
    );
    let text = good(here, &["status", "app.db"]);
    assert!(
        text.contains("orders  key id    since 20") && text.contains("suspended: changes are not"),
        "{text}"
    );
    good(here, &["install", "app.db", "orders", "log"]);
    python(here, "db.execute('DROP TABLE log')");
    assert_eq!(
        states(),
        [
            json!(["orders", ["id"], "current"]),
            json!(["log", ["line"], "broken"])
        ]
    );
}

#[test]
fn mistakes_are_told_with_their_fix() {
    let here = database();
    let here = here.path();
    let wrong = |arguments: &[&str], what: &str, help: &str| {
        let (code, out, said) = feed(here, arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}: {said}");
        assert!(
            said.contains(what) && said.contains(help),
            "{arguments:?}: {said}"
        );
    };
    for command in ["install", "tail", "suspend"] {
        wrong(
            &[command, "none.db", "orders"],
            "there is no database at none.db",
            "check the path",
        );
        wrong(
            &[command, "app.db", "ordres"],
            "there is no table `ordres` in ",
            "did you mean `orders`?",
        );
    }
    wrong(
        &["status", "none.db"],
        "there is no database at none.db",
        "check the path",
    );
    wrong(
        &["uninstall", "none.db"],
        "there is no database at none.db",
        "check the path",
    );
    assert!(!here.join("none.db").exists(), "none is made");
    wrong(
        &["install", "app.db", "zzz"],
        "there is no table `zzz`",
        "name one of: log, orders",
    );
    wrong(
        &["tail", "app.db", "orders", "--once"],
        "has no change feed",
        "triggerfish feed install",
    );
    wrong(
        &["suspend", "app.db", "orders"],
        "has no change feed",
        "triggerfish feed install",
    );
    wrong(
        &["install", "app.db", "orders", "log", "--key", "id"],
        "2 tables",
        "key of its own",
    );
    wrong(
        &["install", "app.db", "orders", "--key", "ident"],
        "no column `ident`",
        "its columns are id, qty",
    );
    wrong(
        &["install", "app.db", "orders", "--key", "qty"],
        "may have the same qty",
        "CREATE UNIQUE INDEX",
    );
    std::fs::write(here.join("text.db"), "x".repeat(5000)).expect("written");
    wrong(&["status", "text.db"], "text.db", "check the path");
}
