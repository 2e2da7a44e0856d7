# A writer of the user's: inserts, replaces, updates and deletes rows of its own, and rolls a third of it back.
import random, sqlite3, sys

path, name, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(name)
database = sqlite3.connect(path, isolation_level=None, timeout=60)
for turn in range(count):
    database.execute("BEGIN IMMEDIATE")
    for _ in range(5):
        key = name * 1000 + random.randrange(40)
        kind = random.randrange(4)
        if kind == 0:
            database.execute("REPLACE INTO t VALUES(?, ?, ?)", (key, name * 1000 + random.randrange(40), turn))
        elif kind == 1:
            database.execute("INSERT OR IGNORE INTO t VALUES(?, ?, ?)", (key, name * 1000 + random.randrange(40), turn))
        elif kind == 2:
            database.execute("UPDATE t SET v = ? WHERE k = ?", (turn, key))
        else:
            database.execute("DELETE FROM t WHERE k = ?", (key,))
    database.execute("ROLLBACK" if random.randrange(3) == 0 else "COMMIT")
