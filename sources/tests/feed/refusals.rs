//! What cannot be watched, and what becomes of it: errors that say where, what and how to fix.

use std::os::unix::fs::PermissionsExt as _;

use router::time::Timestamp;
use rusqlite::Connection;
use sources::dynamodb::feed::install;
use sources::dynamodb::feed::read::{Cursor, Reader};
use sources::dynamodb::feed::state::{self, Table};
use sources::dynamodb::feed::{FeedError, Trouble, open};

use crate::database::{Database, Watched};

fn refused(sql: &str, table: &str, key: &[&str]) -> FeedError {
    let mut database = Database::new(sql);
    let before = state::schema_version(&database.writer).unwrap();
    let table = Table {
        name: table.into(),
        key: key.iter().map(|name| (*name).to_owned()).collect(),
    };
    let error = install::install(&mut database.writer, &[table], Timestamp::default())
        .err()
        .unwrap();
    assert_eq!(
        state::schema_version(&database.writer).unwrap(),
        before,
        "nothing was changed"
    );
    assert!(
        error.what.contains("a.db") || error.what.contains("do not work"),
        "where: {error}"
    );
    error
}

#[test]
fn tables_that_cannot_be_watched_are_refused_with_advice() {
    for (sql, table, key, what, help) in [
        (
            "CREATE TABLE s(k)",
            "t",
            &[][..],
            "no table `t`",
            "name one of: s",
        ),
        ("", "t", &[], "no table `t`", "no tables yet"),
        ("CREATE VIEW t AS SELECT 1", "t", &[], "is a view", "table below"),
        (
            "CREATE VIRTUAL TABLE t USING fts5(a)",
            "t",
            &[],
            "virtual table",
            "ordinary table",
        ),
        (
            "CREATE TABLE _Triggerfish_feedback(k)",
            "_triggerfish_feedback",
            &[],
            "own",
            "rename",
        ),
        ("CREATE TABLE s(k)", "sqlite_schema", &[], "SQLite", "your own"),
        (
            "CREATE TABLE t(k PRIMARY KEY, a); CREATE UNIQUE INDEX low ON t(lower(a))",
            "t",
            &[],
            "`low`",
            "generated column",
        ),
        (
            "CREATE TABLE t(rowid, a)",
            "t",
            &[],
            "hides the rowid",
            "primary key",
        ),
        (
            "CREATE TABLE t(rowid, _rowid_, oid)",
            "t",
            &[],
            "all three names",
            "rename one",
        ),
        (
            "CREATE TABLE t(k PRIMARY KEY, a)",
            "t",
            &["b"],
            "no column `b`",
            "columns are k, a",
        ),
        (
            "CREATE TABLE t(k PRIMARY KEY, a)",
            "t",
            &["a"],
            "same a",
            "CREATE UNIQUE INDEX",
        ),
        (
            "CREATE TABLE t(k PRIMARY KEY, a)",
            "t",
            &["k", "K"],
            "twice",
            "once",
        ),
        (
            "CREATE TABLE t(k, a); CREATE UNIQUE INDEX i ON t(a) WHERE a > 0",
            "t",
            &["a"],
            "same a",
            "CREATE UNIQUE INDEX",
        ),
        (
            "CREATE TABLE t(k PRIMARY KEY, a); CREATE TRIGGER broken AFTER INSERT ON t BEGIN SELECT k FROM nowhere; END",
            "t",
            &[],
            "do not work",
            "other triggers",
        ),
    ] {
        let error = refused(sql, table, key);
        assert!(
            error.what.contains(what) && error.help.contains(help),
            "{sql}: {error:?}"
        );
    }
    let columns: Vec<_> = (0..991).map(|at| format!("c{at}")).collect();
    let error = refused(&format!("CREATE TABLE t({})", columns.join(",")), "t", &[]);
    assert!(error.what.contains("991 columns"), "{error}");
}

#[test]
fn a_key_may_be_any_columns_that_are_unique() {
    let mut database = Database::new("CREATE TABLE t(k INTEGER PRIMARY KEY, a, b, c, UNIQUE(b, a))");
    let table = Table {
        name: "t".into(),
        key: ["A", "b", "c"].map(str::to_owned).to_vec(),
    };
    let installed = install::install(&mut database.writer, &[table], Timestamp::default()).unwrap();
    assert!(
        installed.warnings[0].contains("3 columns"),
        "{:?}",
        installed.warnings
    );
    let mut watched = Watched::new(&database, &installed.feeds[0]);
    database.run(
        "INSERT INTO t VALUES(1,2,3,4); UPDATE t SET k=2; UPDATE t SET c=5; REPLACE INTO t VALUES(9,2,3,5)",
    );
    assert_eq!(
        watched.told(),
        [
            "+ 1 2 3 4",
            "~ 1 2 3 4 > 2 2 3 4",
            "- 2 2 3 4",
            "+ 2 2 3 5",
            "~ 2 2 3 5 > 9 2 3 5"
        ]
    );
    let warnings = Database::new("CREATE TABLE t(v)").install().warnings;
    assert!(warnings[0].contains("VACUUM"), "{warnings:?}");
}

#[test]
fn a_database_that_may_only_be_read_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE t(k)")
        .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    // Root may write whatever it likes, and then there is nothing to refuse.
    if std::fs::OpenOptions::new().append(true).open(&path).is_err() {
        let error = open::to_write(&path).err().unwrap();
        assert_eq!(error.trouble, Trouble::Denied, "{error:?}");
    }
    let mut reading = open::to_read(&path).unwrap();
    let error = install::install(&mut reading, &[Table::named("t")], Timestamp::default())
        .err()
        .unwrap();
    assert_eq!(error.trouble, Trouble::Denied, "{error:?}");
    assert!(error.help.contains("right to write"), "{error:?}");
}

#[test]
fn a_locked_database_is_told_and_works_afterwards() {
    let mut database = Database::new("CREATE TABLE t(k INTEGER PRIMARY KEY)");
    let other = Connection::open(&database.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    database.writer.busy_timeout(std::time::Duration::ZERO).unwrap();
    let error = install::install(&mut database.writer, &[Table::named("t")], Timestamp::default())
        .err()
        .unwrap();
    assert_eq!(error.trouble, Trouble::Locked, "{error:?}");
    other.execute_batch("ROLLBACK").unwrap();
    database.install();
}

#[test]
fn a_reader_that_is_locked_out_loses_nothing() {
    let (database, mut watched) = Database::watched("CREATE TABLE t(k INTEGER PRIMARY KEY)");
    let Watched { reader, mut tail } = watched;
    drop(reader);
    database
        .writer
        .pragma_update(None, "journal_mode", "delete")
        .unwrap();
    watched = Watched {
        reader: Reader::open(&database.path).unwrap(),
        tail: Reader::open(&database.path)
            .unwrap()
            .tail(tail.feed(), Cursor::default())
            .unwrap(),
    };
    database.run("INSERT INTO t VALUES(1)");
    assert_eq!(watched.told(), ["+ 1"]);
    database.run("BEGIN EXCLUSIVE; INSERT INTO t VALUES(2)");
    watched
        .reader
        .database()
        .busy_timeout(std::time::Duration::ZERO)
        .unwrap();
    tail = watched.tail;
    let error = watched
        .reader
        .read(&mut tail, crate::database::WIDE)
        .err()
        .unwrap();
    assert_eq!(error.trouble, Trouble::Locked, "{error:?}");
    assert!(error.help.contains("journal_mode=wal"), "{error:?}");
    database.run("COMMIT");
    let batch = watched.reader.read(&mut tail, crate::database::WIDE).unwrap();
    assert_eq!(batch.changes.len(), 1);
}

#[test]
fn a_feed_of_a_later_triggerfish_is_left_alone() {
    let (mut database, mut watched) = Database::watched("CREATE TABLE t(k INTEGER PRIMARY KEY)");
    database
        .run("UPDATE _triggerfish_feed_era SET layout = replace(layout, '\"version\":1', '\"version\":99')");
    let error = install::install(&mut database.writer, &[Table::named("t")], Timestamp::default())
        .err()
        .unwrap();
    assert!(error.what.contains("version 99"), "{error:?}");
    let error = watched
        .reader
        .read(&mut watched.tail, crate::database::WIDE)
        .err()
        .unwrap();
    assert!(error.what.contains("later triggerfish"), "{error:?}");
}

#[test]
fn a_damaged_database_is_an_error_and_no_panic() {
    let (database, watched) = Database::watched("CREATE TABLE t(k INTEGER PRIMARY KEY, v)");
    let feed = watched.tail.feed().clone();
    drop(watched);
    database.run("WITH n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000) INSERT INTO t SELECT i, 'text' FROM n");
    database.run("PRAGMA wal_checkpoint(TRUNCATE)");
    let whole = std::fs::read(&database.path).unwrap();
    let path = database.dir.path().join("b.db");
    let mut troubles = 0;
    for start in (4096..whole.len()).step_by(4096) {
        let mut damaged = whole.clone();
        damaged[start..start + 200].fill(0xa5);
        std::fs::write(&path, &damaged).unwrap();
        let read = || -> Result<(), FeedError> {
            let reader = Reader::open(&path)?;
            let mut tail = reader.tail(&feed, Cursor::default())?;
            reader.read(&mut tail, crate::database::WIDE)?;
            Ok(())
        };
        if let Err(error) = read() {
            troubles += usize::from(error.trouble == Trouble::Corrupt);
            assert!(error.what.contains("b.db"), "{error}");
        }
    }
    assert!(troubles > 3, "{troubles}");
}

#[test]
fn another_copy_in_the_databases_place_is_noticed() {
    let (database, mut watched) = Database::watched("CREATE TABLE t(k INTEGER PRIMARY KEY)");
    let feed = watched.tail.feed().clone();
    let copy = database.dir.path().join("copy.db");
    database.run(&format!("VACUUM INTO '{}'", copy.display()));
    database.run("INSERT INTO t VALUES(1)");
    assert!(watched.reader.more().unwrap());
    assert!(!watched.reader.more().unwrap());
    watched.read();
    let cursor = watched.tail.cursor();
    std::fs::rename(&copy, &database.path).unwrap();
    assert_eq!(watched.reader.more().err().unwrap().trouble, Trouble::Replaced);
    for beside in ["a.db-wal", "a.db-shm"] {
        let _ = std::fs::remove_file(database.dir.path().join(beside));
    }
    let reader = Reader::open(&database.path).unwrap();
    assert_eq!(
        reader.tail(&feed, cursor).err().unwrap().trouble,
        Trouble::Replaced
    );
    assert!(reader.tail(&feed, Cursor::default()).is_ok());
    std::fs::remove_file(&database.path).unwrap();
    assert_eq!(watched.reader.more().err().unwrap().trouble, Trouble::Missing);
}
