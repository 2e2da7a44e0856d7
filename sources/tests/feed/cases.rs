//! Every kind of statement, for every kind of table, with and without recursive triggers in the writer.

use router::time::Timestamp;
use sources::dynamodb::feed::install::install;
use sources::dynamodb::feed::state::Table;

use crate::database::{Database, Watched};

/// The kinds of tables; all have the columns k (the key), u (unique) and v.
const TABLES: &[&str] = &[
    "CREATE TABLE t(k INTEGER PRIMARY KEY, u UNIQUE, v)",
    "CREATE TABLE t(k INTEGER PRIMARY KEY DESC, u UNIQUE, v)",
    "CREATE TABLE t(k INT PRIMARY KEY, u UNIQUE, v)",
    "CREATE TABLE t(k INT PRIMARY KEY, u UNIQUE, v) WITHOUT ROWID",
    "CREATE TABLE t(k INTEGER PRIMARY KEY, u TEXT UNIQUE, v ANY) STRICT",
    "CREATE TABLE t(k INT NOT NULL UNIQUE, u UNIQUE, v, PRIMARY KEY(k)) WITHOUT ROWID",
    "CREATE TABLE t(k INTEGER PRIMARY KEY, u, v); CREATE UNIQUE INDEX i ON t(u) WHERE u IS NOT NULL",
    "CREATE TABLE t(k INTEGER PRIMARY KEY, u, v, UNIQUE(u, k), UNIQUE(u))",
];

/// Statements and what they tell, on a table with (1,a,x) (2,b,y) (3,null,z).
const CASES: &[(&str, &str)] = &[
    ("INSERT INTO t VALUES(4,'d','w')", "+ 4 d w"),
    (
        "INSERT INTO t(u,v,k) VALUES('d','w',4),('e','w',5)",
        "+ 4 d w|+ 5 e w",
    ),
    ("REPLACE INTO t VALUES(1,'a','n')", "~ 1 a x > 1 a n"),
    ("REPLACE INTO t VALUES(1,'a','x')", ""),
    ("REPLACE INTO t VALUES(4,'d','w')", "+ 4 d w"),
    ("INSERT OR REPLACE INTO t VALUES(4,'a','n')", "- 1 a x|+ 4 a n"),
    (
        "INSERT OR REPLACE INTO t VALUES(2,'a','n')",
        "- 1 a x|~ 2 b y > 2 a n",
    ),
    ("INSERT OR REPLACE INTO t VALUES(4,NULL,'n')", "+ 4 null n"),
    ("UPDATE OR REPLACE t SET k=2 WHERE k=1", "- 1 a x|~ 2 b y > 2 a x"),
    (
        "UPDATE OR REPLACE t SET u='b' WHERE k=1",
        "- 2 b y|~ 1 a x > 1 b x",
    ),
    (
        "UPDATE OR REPLACE t SET k=3, u='b' WHERE k=1",
        "- 2 b y|- 1 a x|~ 3 null z > 3 b x",
    ),
    (
        "INSERT INTO t VALUES(1,'q','n') ON CONFLICT(k) DO UPDATE SET v=excluded.v",
        "~ 1 a x > 1 a n",
    ),
    (
        "INSERT INTO t VALUES(1,'q','n') ON CONFLICT(k) DO UPDATE SET k=9",
        "- 1 a x|+ 9 a x",
    ),
    ("INSERT INTO t VALUES(1,'q','n') ON CONFLICT DO NOTHING", ""),
    (
        "INSERT OR IGNORE INTO t VALUES(1,'q','n'),(4,'b','n'),(5,'e','n')",
        "+ 5 e n",
    ),
    ("UPDATE t SET v=v", ""),
    ("UPDATE t SET v='n' WHERE k<3", "~ 1 a x > 1 a n|~ 2 b y > 2 b n"),
    ("UPDATE t SET k=4 WHERE k=1", "- 1 a x|+ 4 a x"),
    ("UPDATE OR IGNORE t SET k=2 WHERE k=1", ""),
    ("DELETE FROM t", "- 1 a x|- 2 b y|- 3 null z"),
    ("DELETE FROM t WHERE k=1", "- 1 a x"),
    ("DELETE FROM t WHERE k=7", ""),
    (
        "BEGIN; DELETE FROM t WHERE k=1; INSERT INTO t VALUES(1,'a','x'); COMMIT",
        "- 1 a x|+ 1 a x",
    ),
    ("BEGIN; INSERT INTO t VALUES(4,'d','w'); ROLLBACK", ""),
    (
        "BEGIN; INSERT INTO t VALUES(4,'d','w'); SAVEPOINT s; REPLACE INTO t VALUES(1,'a','n'); ROLLBACK TO s; COMMIT",
        "+ 4 d w",
    ),
    // An ignored INSERT announced exactly the row that comes after a DELETE: two records, as two writes are.
    (
        "INSERT OR IGNORE INTO t VALUES(1,'a','x'); DELETE FROM t WHERE k=1; INSERT INTO t VALUES(1,'a','x')",
        "- 1 a x|+ 1 a x",
    ),
    (
        "INSERT OR IGNORE INTO t VALUES(1,'a','n'); DELETE FROM t WHERE k=1; REPLACE INTO t VALUES(1,'a','n')",
        "- 1 a x|+ 1 a n",
    ),
    (
        "INSERT OR IGNORE INTO t VALUES(4,'a','n'); UPDATE t SET u='c' WHERE k=1; INSERT INTO t VALUES(4,'a','n')",
        "~ 1 a x > 1 c x|+ 4 a n",
    ),
    (
        "UPDATE OR IGNORE t SET k=2 WHERE k=1; DELETE FROM t WHERE k=2; UPDATE t SET k=2 WHERE k=1",
        "- 2 b y|- 1 a x|+ 2 a x",
    ),
    // The first row's update is ignored because of the second, which then becomes just that.
    (
        "UPDATE t SET v='y'; UPDATE OR IGNORE t SET k=5, u='b' WHERE k<3",
        "~ 1 a x > 1 a y|~ 3 null z > 3 null y|- 2 b y|+ 5 b y",
    ),
    (
        "INSERT OR IGNORE INTO t VALUES(1,'a','n'); DELETE FROM t WHERE k<3",
        "- 1 a x|- 2 b y",
    ),
    (
        "INSERT OR IGNORE INTO t VALUES(1,'a','n'); REPLACE INTO t VALUES(1,'a','n')",
        "~ 1 a x > 1 a n",
    ),
];

/// A failed statement leaves nothing, or what it did before it failed.
const FAILURES: &[(&str, &str)] = &[
    ("INSERT INTO t VALUES(4,'d','w'),(1,'q','w')", ""),
    ("UPDATE t SET u='b' WHERE k=1", ""),
    ("INSERT OR FAIL INTO t VALUES(4,'d','w'),(1,'q','w')", "+ 4 d w"),
    ("UPDATE OR FAIL t SET k=2 WHERE k=1", ""),
    (
        "BEGIN; INSERT INTO t VALUES(4,'d','w'); INSERT OR ROLLBACK INTO t VALUES(1,'q','w')",
        "",
    ),
];

const ROWS: &str = "INSERT INTO t VALUES(1,'a','x'),(2,'b','y'),(3,NULL,'z')";

/// Runs each case on each kind of table, which has just the rows of [`ROWS`] every time.
fn each(cases: &[(&str, &str)], run: fn(&Database, &str)) {
    for table in TABLES {
        for recursive in [false, true] {
            let (database, mut watched) = Database::watched(table);
            database.run(&format!("PRAGMA recursive_triggers={}", u8::from(recursive)));
            for (sql, expected) in cases {
                database.run(ROWS);
                assert_eq!(watched.told().join("|"), "+ 1 a x|+ 2 b y|+ 3 null z");
                run(&database, sql);
                assert_eq!(
                    watched.told().join("|"),
                    *expected,
                    "{sql}\n  on {table}, recursive {recursive}"
                );
                assert_eq!(watched.told(), [""; 0], "told twice: {sql}");
                database.run("DELETE FROM t");
                watched.read();
            }
        }
    }
}

#[test]
fn every_statement_tells_what_it_did() {
    each(CASES, Database::run);
}

#[test]
fn a_failed_statement_leaves_no_more_than_its_rows() {
    each(FAILURES, |database, sql| {
        assert!(database.writer.execute_batch(sql).is_err(), "{sql}");
    });
}

/// Tables with something special, a statement for each, and what it tells.
const SPECIAL: &[(&str, &str, &str)] = &[
    // An automatic rowid is -1 before the row is written, and a row with that id is no conflict.
    (
        "CREATE TABLE t(k INTEGER PRIMARY KEY, u UNIQUE)",
        "INSERT INTO t VALUES(-1,'a'); INSERT INTO t(u) VALUES('b'); REPLACE INTO t(u) VALUES('a')",
        "+ -1 a|+ 0 b|- -1 a|+ 1 a",
    ),
    (
        "CREATE TABLE t(k INTEGER PRIMARY KEY)",
        "INSERT INTO t VALUES(-1); REPLACE INTO t VALUES(-1)",
        "+ -1",
    ),
    // The rowid is a key like any other, even where the key is another.
    (
        "CREATE TABLE t(k TEXT PRIMARY KEY, v)",
        "INSERT INTO t VALUES('a',1); REPLACE INTO t(rowid,k,v) VALUES(1,'b',2)",
        "+ a 1|- a 1|+ b 2",
    ),
    (
        "CREATE TABLE t(v)",
        "INSERT INTO t VALUES('a'); REPLACE INTO t(rowid,v) VALUES(1,'b'); UPDATE t SET rowid=5; DELETE FROM t",
        "+ a 1|~ a 1 > b 1|- b 1|+ b 5|- b 5",
    ),
    (
        "CREATE TABLE t(rowid, k PRIMARY KEY)",
        "INSERT INTO t VALUES(7,'a'); DELETE FROM t",
        "+ 7 a|- 7 a",
    ),
    // Collations: equal to SQLite, other items to DynamoDB.
    (
        "CREATE TABLE t(k TEXT PRIMARY KEY COLLATE NOCASE)",
        "INSERT INTO t VALUES('a'); UPDATE t SET k='A'; REPLACE INTO t VALUES('a')",
        "+ a|- a|+ A|- A|+ a",
    ),
    (
        "CREATE TABLE t(k INTEGER PRIMARY KEY, u TEXT); CREATE UNIQUE INDEX i ON t(u COLLATE RTRIM)",
        "INSERT INTO t VALUES(1,'a'); REPLACE INTO t VALUES(2,'a  ')",
        "+ 1 a|- 1 a|+ 2 a  ",
    ),
    (
        "CREATE TABLE t(k INTEGER PRIMARY KEY, u TEXT COLLATE NOCASE); CREATE UNIQUE INDEX i ON t(u COLLATE BINARY)",
        "INSERT INTO t VALUES(1,'a'); REPLACE INTO t VALUES(2,'A')",
        "+ 1 a|+ 2 A",
    ),
    // Partial indexes: a conflict only if both rows take part.
    (
        "CREATE TABLE t(k INTEGER PRIMARY KEY, u, gone INTEGER); CREATE UNIQUE INDEX i ON t(u) WHERE gone IS NULL -- live",
        "INSERT INTO t VALUES(1,'a',NULL),(2,'a',5); REPLACE INTO t VALUES(3,'a',6); REPLACE INTO t VALUES(4,'a',NULL); \
         UPDATE OR REPLACE t SET gone=NULL WHERE k=2",
        "+ 1 a null|+ 2 a 5|+ 3 a 6|- 1 a null|+ 4 a null|- 4 a null|~ 2 a 5 > 2 a null",
    ),
    // Affinity decides in a condition, too.
    (
        "CREATE TABLE t(k INTEGER PRIMARY KEY, u TEXT, n INTEGER); CREATE UNIQUE INDEX i ON t(u) WHERE n > '5'",
        "INSERT INTO t VALUES(1,'a',10); REPLACE INTO t VALUES(2,'a',7); REPLACE INTO t VALUES(3,'a',3)",
        "+ 1 a 10|- 1 a 10|+ 2 a 7|+ 3 a 3",
    ),
    // Generated columns are told, and may be unique.
    (
        "CREATE TABLE t(k INTEGER PRIMARY KEY, v, g AS (v*2), s AS (v+1) STORED, UNIQUE(g))",
        "INSERT INTO t VALUES(1,5); REPLACE INTO t VALUES(2,5); UPDATE t SET v=6",
        "+ 1 5 10 6|- 1 5 10 6|+ 2 5 10 6|~ 2 5 10 6 > 2 6 12 7",
    ),
    // REPLACE writes the default for a NULL.
    (
        "CREATE TABLE t(k INTEGER PRIMARY KEY, u TEXT NOT NULL DEFAULT 'd' UNIQUE, v NOT NULL DEFAULT abc)",
        "INSERT INTO t VALUES(1,'d',1); REPLACE INTO t VALUES(2,NULL,NULL)",
        "+ 1 d 1|- 1 d 1|+ 2 d abc",
    ),
    (
        "CREATE TABLE t(k INTEGER PRIMARY KEY, w NOT NULL DEFAULT 2 UNIQUE)",
        "INSERT INTO t VALUES(3,2); INSERT OR IGNORE INTO t VALUES(1,NULL); REPLACE INTO t VALUES(1,5)",
        "+ 3 2|+ 1 5",
    ),
    // The table decides about conflicts by itself.
    (
        "CREATE TABLE t(k INTEGER PRIMARY KEY ON CONFLICT REPLACE, u UNIQUE ON CONFLICT IGNORE)",
        "INSERT INTO t VALUES(1,'a'); INSERT INTO t VALUES(1,'b'); INSERT INTO t VALUES(2,'b')",
        "+ 1 a|~ 1 a > 1 b",
    ),
    // Several NULL keys are several rows, and nobody's item.
    (
        "CREATE TABLE t(k TEXT PRIMARY KEY, v)",
        "REPLACE INTO t VALUES(NULL,1); REPLACE INTO t VALUES(NULL,2); UPDATE t SET v=3 WHERE v=2",
        "+ null 1|+ null 2|- null 2|+ null 3",
    ),
    // Types arrive as they were stored.
    (
        "CREATE TABLE t(k PRIMARY KEY, r REAL, n NUMERIC, b BLOB)",
        "INSERT INTO t VALUES('a'||char(0)||'b', 1, '3.0', x'00ff'); INSERT INTO t VALUES(9223372036854775807, 0.1, 'q', 1)",
        "+ a\\0b 1.0 3 x[00, ff]|+ 9223372036854775807 0.1 q 1",
    ),
    // The same number is the same key and the same value.
    (
        "CREATE TABLE t(k PRIMARY KEY, v)",
        "INSERT INTO t VALUES(1,1); UPDATE t SET k=1.0, v=1.0; UPDATE t SET v=2.5",
        "+ 1 1|~ 1.0 1.0 > 1.0 2.5",
    ),
    // Two columns of a key.
    (
        "CREATE TABLE t(a, b, v, PRIMARY KEY(b, a))",
        "INSERT INTO t VALUES(1,2,3); REPLACE INTO t VALUES(1,2,4); REPLACE INTO t VALUES(2,1,4)",
        "+ 1 2 3|~ 1 2 3 > 1 2 4|+ 2 1 4",
    ),
    // Names that need quoting.
    (
        "CREATE TABLE t(\"a \"\"b\" INTEGER PRIMARY KEY, \"select\" UNIQUE, 'x''y', [new], `é;--`)",
        "INSERT INTO t VALUES(1,2,3,4,5); REPLACE INTO t VALUES(6,2,3,4,5)",
        "+ 1 2 3 4 5|- 1 2 3 4 5|+ 6 2 3 4 5",
    ),
    // Cascades, and what the user's own triggers write.
    (
        "CREATE TABLE t(k INTEGER PRIMARY KEY, p REFERENCES t(k) ON DELETE CASCADE)",
        "PRAGMA foreign_keys=1; INSERT INTO t VALUES(1,NULL),(2,1),(3,2); DELETE FROM t WHERE k=1",
        "+ 1 null|+ 2 1|+ 3 2|- 3 2|- 2 1|- 1 null",
    ),
    (
        "CREATE TABLE t(k INTEGER PRIMARY KEY, v); CREATE TRIGGER mine AFTER INSERT ON t BEGIN UPDATE t SET v=v||'!' WHERE k=new.k; END",
        "INSERT INTO t VALUES(1,'a'); REPLACE INTO t VALUES(1,'b')",
        "+ 1 a|~ 1 a > 1 a!|~ 1 a! > 1 b|~ 1 b > 1 b!",
    ),
    (
        "CREATE TABLE t(k INTEGER PRIMARY KEY, v); CREATE TRIGGER mine BEFORE INSERT ON t WHEN new.v='skip' BEGIN SELECT RAISE(IGNORE); END",
        "INSERT INTO t VALUES(1,'a'); REPLACE INTO t VALUES(1,'skip'); REPLACE INTO t VALUES(1,'b')",
        "+ 1 a|~ 1 a > 1 b",
    ),
    (
        "CREATE TABLE t(k INTEGER PRIMARY KEY, v); CREATE TRIGGER mine BEFORE INSERT ON t BEGIN REPLACE INTO t VALUES(9,new.v); END",
        "INSERT INTO t VALUES(1,'a'); REPLACE INTO t VALUES(1,'b')",
        "+ 9 a|+ 1 a|~ 9 a > 9 b|~ 1 a > 1 b",
    ),
];

#[test]
fn special_tables_are_understood() {
    for (table, sql, expected) in SPECIAL {
        for recursive in [false, true] {
            if recursive && table.contains("mine") && !table.contains("RAISE") {
                continue; // The user's own trigger would call itself for ever.
            }
            let (database, mut watched) = Database::watched(table);
            database.run(&format!("PRAGMA recursive_triggers={}", u8::from(recursive)));
            database.run(sql);
            assert_eq!(
                watched.told().join("|"),
                *expected,
                "{table}\n{sql}\nrecursive {recursive}"
            );
        }
    }
}

#[test]
fn tables_with_odd_names_are_watched() {
    for name in ["new", "OLD", "a \"b", "select", "x'y", "t;--", "é", "excluded"] {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        let mut database = Database::new(&format!("CREATE TABLE {quoted}(k INTEGER PRIMARY KEY, u UNIQUE)"));
        let feeds = install(
            &mut database.writer,
            &[Table::named(&name.to_uppercase().replace('É', "é"))],
            Timestamp::default(),
        );
        let feed = feeds.unwrap().feeds.remove(0);
        assert_eq!(feed.table, name);
        let mut watched = Watched::new(&database, &feed);
        database.run(&format!(
            "INSERT INTO {quoted} VALUES(1,2); REPLACE INTO {quoted} VALUES(2,2); UPDATE {quoted} SET k=3"
        ));
        assert_eq!(watched.told().join("|"), "+ 1 2|- 1 2|+ 2 2|- 2 2|+ 3 2");
    }
}
