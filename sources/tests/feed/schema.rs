//! The schema changes while a table is watched.

use router::time::Timestamp;
use sources::dynamodb::feed::install;
use sources::dynamodb::feed::state::{self, State, Table};
use sources::dynamodb::feed::{Trouble, trim};

use crate::database::{Database, Watched};

fn state_of(database: &Database) -> State {
    state::check(&database.writer, &Table::named("t")).unwrap()
}

fn is_current(database: &Database) -> bool {
    matches!(state_of(database), State::Current(_))
}

#[test]
fn a_current_feed_is_left_alone() {
    let (mut database, _watched) = Database::watched("CREATE TABLE t(k INTEGER PRIMARY KEY)");
    let before = state::schema_version(&database.writer).unwrap();
    let again = database.install();
    assert!(is_current(&database));
    assert_eq!(state::schema_version(&database.writer).unwrap(), before);
    assert_eq!(again.feeds, state::feeds(&database.writer).unwrap());
    assert_eq!(again.feeds[0].created, Timestamp::VIRTUAL_START);
}

#[test]
fn columns_are_followed_and_old_rows_keep_their_meaning() {
    let (mut database, mut watched) = Database::watched("CREATE TABLE t(k INTEGER PRIMARY KEY, a, b)");
    database.run("INSERT INTO t VALUES(1,'a','b'); ALTER TABLE t ADD COLUMN c DEFAULT 'c'");
    let State::Stale { why, .. } = state_of(&database) else {
        panic!()
    };
    assert!(why.contains("columns changed"), "{why}");
    database.run("UPDATE t SET a='A'");
    database.install();
    database.run("UPDATE t SET c='C'; ALTER TABLE t RENAME COLUMN a TO z");
    assert!(matches!(state_of(&database), State::Stale { .. }));
    database.run("REPLACE INTO t VALUES(1,'1','2','3')");
    database.install();
    assert!(is_current(&database));
    database.run("REPLACE INTO t VALUES(1,'4','5','6')");

    assert!(
        database
            .writer
            .execute_batch("ALTER TABLE t DROP COLUMN b")
            .is_err()
    );
    install::suspend(&mut database.writer, "T").unwrap();
    assert!(matches!(state_of(&database), State::Suspended(_)));
    database.run("ALTER TABLE t DROP COLUMN b");
    let feed = database.install().feeds.remove(0);
    assert_eq!(&feed, watched.tail.feed(), "the same feed goes on");
    database.run("DELETE FROM t");
    let told = [
        "+ 1 a b",
        "~ 1 a b > 1 A b",
        "~ 1 A b c > 1 A b C",
        "~ 1 A b C > 1 1 2 3",
        "~ 1 1 2 3 > 1 4 5 6",
        "- 1 4 6",
    ];
    assert_eq!(watched.told(), told);
    let changes = Watched::new(&database, &feed).read();
    let names = |at: usize| {
        changes[at]
            .layout
            .columns
            .iter()
            .map(|c| c.name.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        (names(0), names(2), names(4), names(5)),
        ("k a b".into(), "k a b c".into(), "k z b c".into(), "k z c".into())
    );
}

#[test]
fn a_new_unique_index_or_trigger_makes_it_stale() {
    let (mut database, mut watched) = Database::watched("CREATE TABLE t(k INTEGER PRIMARY KEY, u)");
    database.run("CREATE UNIQUE INDEX i ON t(u)");
    assert!(matches!(state_of(&database), State::Stale { .. }));
    database.install();
    database.run("INSERT INTO t VALUES(1,1); REPLACE INTO t VALUES(2,1)");
    assert_eq!(watched.told(), ["+ 1 1", "- 1 1", "+ 2 1"]);
    database.run("CREATE TRIGGER later AFTER INSERT ON t BEGIN UPDATE t SET u=5; END");
    let State::Stale { why, .. } = state_of(&database) else {
        panic!()
    };
    assert!(why.contains("`later`"), "{why}");
    database.run("DELETE FROM t");
    database.install();
    assert!(is_current(&database));
    database
        .run("INSERT INTO t VALUES(1,1); DROP TRIGGER later; VACUUM; ANALYZE; CREATE INDEX plain ON t(u)");
    assert_eq!(watched.told(), ["- 2 1", "+ 1 1", "~ 1 1 > 1 5"]);
    assert!(is_current(&database));
}

#[test]
fn a_table_made_again_gets_a_new_feed() {
    let (mut database, mut watched) = Database::watched("CREATE TABLE t(k INTEGER PRIMARY KEY)");
    database.run("INSERT INTO t VALUES(1); DROP TABLE t");
    let State::Broken { why, .. } = state_of(&database) else {
        panic!()
    };
    assert_eq!(why, "the table was dropped");
    let error = install::install(&mut database.writer, &[Table::named("t")], Timestamp::default())
        .err()
        .unwrap();
    assert_eq!(error.trouble, Trouble::Missing);
    database.run("CREATE TABLE t(k TEXT PRIMARY KEY, v); INSERT INTO t VALUES('unseen',1)");
    let State::Broken { feed: old, why } = state_of(&database) else {
        panic!()
    };
    assert!(why.contains("made again"), "{why}");
    let new = database.install().feeds.remove(0);
    assert_ne!(new.id, old.id);
    database.run("INSERT INTO t VALUES('seen',2)");
    assert_eq!(
        watched.told(),
        ["+ 1"],
        "what the old feed holds can still be read"
    );
    assert_eq!(Watched::new(&database, &new).told(), ["+ seen 2"]);
    let feeds = state::feeds(&database.writer).unwrap();
    assert_eq!(
        feeds.iter().map(|feed| feed.closed).collect::<Vec<_>>(),
        [true, false]
    );
    trim::forget(&mut database.writer, &feeds[1]).unwrap();
    trim::forget(&mut database.writer, &feeds[0]).unwrap();
    assert_eq!(
        state::feeds(&database.writer).unwrap(),
        [new],
        "an open feed is not forgotten"
    );
    let error = watched
        .reader
        .read(&mut watched.tail, crate::database::WIDE)
        .err()
        .unwrap();
    assert_eq!(error.trouble, Trouble::Stale);
}

#[test]
fn a_renamed_table_is_told_and_goes_on() {
    let (mut database, mut watched) = Database::watched("CREATE TABLE t(k INTEGER PRIMARY KEY, u UNIQUE)");
    database.run("ALTER TABLE t RENAME TO s; INSERT INTO s VALUES(1,1); REPLACE INTO s VALUES(2,1)");
    let State::Renamed { to, .. } = state_of(&database) else {
        panic!()
    };
    assert_eq!(to, "s");
    assert_eq!(watched.told(), ["+ 1 1", "- 1 1", "+ 2 1"]);
    let new = install::install(&mut database.writer, &[Table::named("s")], Timestamp::default());
    assert!(new.is_ok(), "{new:?}");
    let feeds = state::feeds(&database.writer).unwrap();
    assert_eq!(
        feeds.iter().map(|feed| feed.closed).collect::<Vec<_>>(),
        [true, false]
    );
    database.run("DELETE FROM s");
    assert_eq!(watched.told(), [""; 0]);
    assert_eq!(Watched::new(&database, &feeds[1]).told(), ["- 2 1"]);
}

#[test]
fn uninstall_leaves_nothing_and_the_table_works() {
    let (mut database, watched) = Database::watched("CREATE TABLE t(k INTEGER PRIMARY KEY)");
    database.run("INSERT INTO t VALUES(1); DROP TRIGGER _triggerfish_feed_1_u");
    assert!(matches!(state_of(&database), State::Broken { .. }));
    install::uninstall(&mut database.writer).unwrap();
    install::uninstall(&mut database.writer).unwrap();
    database.run("INSERT INTO t VALUES(2)");
    let names: i64 = database
        .writer
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%triggerfish%'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(names, 0);
    assert_eq!(state_of(&database), State::Absent);
    let Watched { reader, mut tail } = watched;
    assert_eq!(
        reader
            .read(&mut tail, crate::database::WIDE)
            .err()
            .unwrap()
            .trouble,
        Trouble::Stale
    );
}

#[test]
fn trimming_keeps_what_was_not_read_and_the_sequence() {
    let (mut database, mut watched) = Database::watched("CREATE TABLE t(k INTEGER PRIMARY KEY, v)");
    database.run(
        "WITH n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<12000) INSERT INTO t SELECT i, 0 FROM n",
    );
    assert_eq!(watched.read().len(), 12_000);
    let read = watched.tail.cursor().row;
    database.run("DELETE FROM t WHERE k=1");
    let feed = watched.tail.feed().clone();
    let mut chunks = 1;
    while trim::trim(&mut database.writer, &feed, read).unwrap() {
        chunks += 1;
    }
    assert_eq!(chunks, 3);
    assert_eq!(Watched::new(&database, &feed).told(), ["- 1 0"]);
    assert_eq!(watched.told(), ["- 1 0"]);
    while trim::trim(&mut database.writer, &feed, i64::MAX).unwrap() {}
    let before = watched.tail.cursor();
    database.run("INSERT INTO t VALUES(1,5)");
    let changes = watched.read();
    assert!(changes[0].seq > before.told);
    // Eras that no row needs go, too.
    database.run("ALTER TABLE t ADD COLUMN w");
    database.install();
    database.run("UPDATE t SET w=1 WHERE k=1; UPDATE t SET w=2 WHERE k=1");
    while trim::trim(&mut database.writer, &feed, i64::MAX).unwrap() {}
    let eras: i64 = database
        .writer
        .query_row("SELECT count(*) FROM _triggerfish_feed_era", [], |row| row.get(0))
        .unwrap();
    assert_eq!(eras, 1);
    assert_eq!(watched.told(), ["~ 1 5 1 > 1 5 2"]);
}

#[test]
fn a_writer_that_attached_the_database_is_caught() {
    let (database, mut watched) = Database::watched("CREATE TABLE t(k INTEGER PRIMARY KEY, v)");
    let other = rusqlite::Connection::open_in_memory().unwrap();
    other.execute_batch("CREATE TABLE t(k)").unwrap();
    other
        .execute("ATTACH ? AS theirs", [database.path.to_str().unwrap()])
        .unwrap();
    other.execute_batch("INSERT INTO theirs.t VALUES(1,1); REPLACE INTO theirs.t VALUES(1,2); INSERT INTO main.t VALUES(5)").unwrap();
    assert_eq!(watched.told(), ["+ 1 1", "~ 1 1 > 1 2"]);
}

#[test]
fn rows_deleted_by_hand_are_noticed() {
    let (database, mut watched) = Database::watched("CREATE TABLE t(k INTEGER PRIMARY KEY)");
    database.run("INSERT INTO t VALUES(1),(2)");
    watched.read();
    let (feed, cursor) = (watched.tail.feed().clone(), watched.tail.cursor());
    assert!(watched.reader.tail(&feed, cursor).is_ok());
    database.run("DELETE FROM _triggerfish_feed_1");
    let error = watched.reader.tail(&feed, cursor).err().unwrap();
    assert_eq!(error.trouble, Trouble::Replaced);
}
