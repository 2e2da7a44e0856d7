//! The store itself: what is kept, where, and that it is whole.
//!
//! Owns the directory's layout ([`super`] draws it) and that things appear and go at once. A killed process loses nothing
//! that was kept; a machine without power may, as it may lose the records: nobody who uploads code waits for the disk.
//! Deliberately absent: what a package may contain.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::{PackageError, UNZIPPED_LIMIT, at};
use super::tree::Tree;
use super::{Package, disk, hex, pack, unzip};

const HALF: &str = ".half-";
const OPT: &str = "opt-";
const ZIP: &str = "package.zip";
const CODE: &str = "code";

/// Where packages of code lie, by the SHA-256 of their zip. One process has it at a time; its threads may share it.
#[derive(Debug)]
pub struct CodeStore {
    root: PathBuf,
}

impl CodeStore {
    /// Opens the store, makes its directory (for its owner only), and sweeps what a crash left half made.
    ///
    /// # Errors
    /// The directory cannot be made or read.
    pub fn open(root: PathBuf) -> io::Result<CodeStore> {
        fs::create_dir_all(&root)?;
        fs::set_permissions(&root, Permissions::from_mode(0o700))?;
        let store = CodeStore {
            root: root.canonicalize()?,
        };
        for (name, path) in store.list()? {
            if name.starts_with(HALF) {
                fs::remove_dir_all(path)?;
            }
        }
        Ok(store)
    }

    /// Checks a zip, unpacks it and keeps it. The same bytes again are the same package, at the price of a hash.
    /// Blocks for the time of the disk. The limit of a direct upload is for the caller to check, who knows whether it is one.
    ///
    /// # Errors
    /// The archive is refused (spec/errors §6, §7), or the disk fails; nothing stays then.
    pub fn add(&self, zip: &[u8]) -> Result<Package, PackageError> {
        self.keep(zip)
    }

    /// Packs a folder, as the code of a version, and keeps it: nothing is left out but `.triggerfish` folders and this
    /// store. The limit of uploads does not apply, that of unpacked code does.
    ///
    /// # Errors
    /// As [`add`](Self::add); also for names that are not UTF-8, and for what cannot be read or is no file, folder or link.
    pub fn pack(&self, folder: &Path) -> Result<Package, PackageError> {
        let folder = folder.canonicalize().map_err(at(folder))?;
        self.keep(&pack::pack(&folder, &self.root)?)
    }

    /// Says where a package's unpacked code is.
    pub fn folder(&self, package: &Package) -> PathBuf {
        self.place(package).join(CODE)
    }

    /// Says where a package's zip is.
    pub fn zip(&self, package: &Package) -> PathBuf {
        self.place(package).join(ZIP)
    }

    /// Counts the bytes of a package's unpacked files: those of a function and its layers together have
    /// [`UNZIPPED_LIMIT`] too (spec/lambda §8.7), which is for the caller to check.
    ///
    /// # Errors
    /// The package is not there.
    pub fn unzipped(&self, package: &Package) -> Result<u64, PackageError> {
        disk::bytes(&disk::read(&self.folder(package), Path::new(""))?)
    }

    /// Merges layers, in order, into one directory for `/opt` (spec/lambda §8.7); none for no layers. The same list is
    /// the same directory. Files are hard links where the disk allows.
    ///
    /// # Errors
    /// A layer is not there, links of one lead out through another's, there are too many files, or the disk fails.
    pub fn opt(&self, layers: &[Package]) -> Result<Option<PathBuf>, PackageError> {
        if layers.is_empty() {
            return Ok(None);
        }
        let list: Vec<String> = layers.iter().map(Package::name).collect();
        let place = self
            .root
            .join(format!("{OPT}{}", hex(&Sha256::digest(list.join("/")))));
        if !place.is_dir() {
            self.make(&place, |whole| {
                let mut tree = Tree::default();
                for layer in layers {
                    tree.cover(disk::read(&self.folder(layer), Path::new(""))?);
                }
                tree.check_count()?;
                disk::lay_out(&tree, whole, |from: &PathBuf, path, _| {
                    // A file has as many names as its file system allows; copying keeps the mode as well.
                    fs::hard_link(from, path)
                        .or_else(|_| fs::copy(from, path).map(|_| ()))
                        .map_err(at(path))
                })
            })?;
        }
        Ok(Some(place))
    }

    /// Removes every package and every directory for `/opt` that is not named. Call it when what
    /// [`add`](Self::add), [`pack`](Self::pack) and [`opt`](Self::opt) last gave is in the lists.
    ///
    /// # Errors
    /// Something cannot be removed; what comes after it stays until the next time.
    pub fn keep_only(&self, used: &BTreeSet<Package>, opts: &BTreeSet<PathBuf>) -> io::Result<()> {
        let used: BTreeSet<String> = used.iter().map(Package::name).collect();
        for (name, path) in self.list()? {
            let package = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            let gone = match name.starts_with(OPT) {
                true => !opts.contains(&path),
                false => package && !used.contains(&name),
            };
            if gone {
                // Renamed first: half a package must not look like one.
                let half = self.half()?;
                fs::rename(&path, half.path().join(name))?;
                half.close()?;
            }
        }
        Ok(())
    }

    fn place(&self, package: &Package) -> PathBuf {
        self.root.join(package.name())
    }

    fn keep(&self, zip: &[u8]) -> Result<Package, PackageError> {
        let package = Package::of(zip);
        let place = self.place(&package);
        if !place.is_dir() {
            self.make(&place, |whole| {
                let (bytes, code) = (whole.join(ZIP), whole.join(CODE));
                fs::create_dir(&code).map_err(at(&code))?;
                unzip::unpack(zip, &code, UNZIPPED_LIMIT)?;
                fs::write(&bytes, zip).map_err(at(&bytes))
            })?;
        }
        Ok(package)
    }

    /// Lets a directory be filled, and moves it to its place when it is whole.
    fn make(
        &self,
        place: &Path,
        fill: impl FnOnce(&Path) -> Result<(), PackageError>,
    ) -> Result<(), PackageError> {
        let half = self.half().map_err(at(&self.root))?;
        let whole = half.path().join("whole");
        fs::create_dir(&whole).map_err(at(&whole))?;
        fill(&whole)?;
        match fs::rename(&whole, place) {
            // Another thread was faster with the same content.
            Err(_) if place.is_dir() => Ok(()),
            renamed => renamed.map_err(at(place)),
        }
    }

    fn half(&self) -> io::Result<tempfile::TempDir> {
        tempfile::Builder::new().prefix(HALF).tempdir_in(&self.root)
    }

    /// Lists what lies in the store; names that are not UTF-8 are not ours.
    fn list(&self) -> io::Result<Vec<(String, PathBuf)>> {
        let mut list = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                list.push((name, entry.path()));
            }
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::super::error::ZIPPED_LIMIT;
    use super::super::evil::{self, Entry, deflated, file, link};
    use super::*;

    /// A store in a directory of its own.
    struct Bench {
        home: tempfile::TempDir,
        store: CodeStore,
    }

    fn bench() -> Bench {
        let home = tempfile::tempdir().expect("a directory");
        let store = CodeStore::open(home.path().join("a/store")).expect("a store");
        Bench { home, store }
    }

    impl Bench {
        fn add(&self, entries: &[Entry]) -> Package {
            self.store.add(&evil::zip(entries)).expect("a package")
        }

        fn lies(&self) -> BTreeSet<String> {
            self.store
                .list()
                .expect("a store")
                .into_iter()
                .map(|(name, _)| name)
                .collect()
        }

        fn read(&self, package: &Package, name: &str) -> String {
            fs::read_to_string(self.store.folder(package).join(name)).expect("a file")
        }
    }

    #[test]
    fn a_package_lies_by_the_hash_of_its_zip() {
        let bench = bench();
        let zip = evil::zip(&[Entry {
            mode: 0o100_755,
            ..file("bootstrap", b"#!")
        }]);
        let package = bench.store.add(&zip).expect("a package");
        assert_eq!((package.size, package.sha256.len()), (zip.len() as u64, 44));
        assert_eq!(fs::read(bench.store.zip(&package)).expect("the zip"), zip);
        assert_eq!(bench.read(&package, "bootstrap"), "#!");
        assert_eq!(bench.store.unzipped(&package).expect("a package"), 2);
        assert_eq!(bench.lies(), [package.name()].into());
        assert_eq!(
            fs::metadata(&bench.store.root).expect("a store").mode() & 0o777,
            0o700
        );
        let inode = || fs::metadata(bench.store.zip(&package)).expect("the zip").ino();
        let before = inode();
        assert_eq!(bench.store.add(&zip).expect("the same"), package);
        assert_eq!(inode(), before, "it was not made again");
    }

    #[test]
    fn threads_may_add_the_same_at_once() {
        let bench = bench();
        let zip = evil::zip(&[file("a", b"1")]);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| bench.store.add(&zip).expect("a package"));
            }
        });
        assert_eq!(bench.lies(), [Package::of(&zip).name()].into());
    }

    #[test]
    fn a_refusal_leaves_nothing() {
        let bench = bench();
        let refused = bench
            .store
            .add(&evil::zip(&[file("a", b"1"), file("../b", b"2")]));
        assert!(matches!(refused, Err(PackageError::Escapes { .. })));
        // The first file is written before the second turns out to be damaged.
        let damaged = evil::zip(&[
            file("a", b"1"),
            Entry {
                crc: 1,
                ..file("b", b"2")
            },
        ]);
        assert!(matches!(bench.store.add(&damaged), Err(PackageError::NotAZip(_))));
        assert!(matches!(bench.store.add(b""), Err(PackageError::Empty)));
        assert_eq!(bench.lies(), BTreeSet::new());
    }

    #[test]
    fn the_limit_of_uploads_is_none_of_packages() {
        let bytes = vec![0; ZIPPED_LIMIT as usize];
        assert!(matches!(bench().store.add(&bytes), Err(PackageError::NotAZip(_))));
    }

    #[test]
    fn a_disk_that_fails_is_said_so() {
        let bench = bench();
        fs::remove_dir(&bench.store.root).expect("an empty store");
        let refused = bench
            .store
            .add(&evil::zip(&[file("a", b"1")]))
            .expect_err("no store");
        assert!(
            matches!(refused, PackageError::Io(_)) && refused.message().contains("store"),
            "{refused}"
        );
    }

    #[test]
    fn what_a_crash_left_is_swept_and_the_rest_is_kept() {
        let bench = bench();
        let package = bench.add(&[file("a", b"1")]);
        fs::create_dir_all(bench.store.root.join(".half-1/whole/code")).expect("a rest");
        let again = CodeStore::open(bench.store.root.clone()).expect("a store");
        assert_eq!(bench.lies(), [package.name()].into());
        assert_eq!(again.folder(&package), bench.store.folder(&package));
    }

    #[test]
    fn a_hash_that_is_none_leads_nowhere() {
        let bench = bench();
        let package = Package {
            sha256: "../../etc".to_owned(),
            size: 1,
        };
        assert!(bench.store.folder(&package).starts_with(&bench.store.root));
        assert!(!package.name().contains('/') && bench.store.unzipped(&package).is_err());
        assert!(bench.store.opt(&[package]).is_err());
    }

    #[test]
    fn layers_are_merged_and_the_later_wins() {
        let bench = bench();
        let lower = bench.add(&[
            file("lib/x", b"1"),
            file("lib/y", b"1"),
            link("l", "lib/x"),
            file("z", b"1"),
        ]);
        let upper = bench.add(&[
            Entry {
                mode: 0o100_755,
                ..file("lib/x", b"2")
            },
            file("z/deep", b"2"),
        ]);
        assert_eq!(bench.store.opt(&[]).expect("nothing to do"), None);
        let opt = bench
            .store
            .opt(&[lower.clone(), upper.clone()])
            .expect("a merge")
            .expect("a directory");
        let read = |name: &str| fs::read_to_string(opt.join(name)).expect("a file");
        assert_eq!(
            [read("lib/x"), read("l"), read("lib/y"), read("z/deep")],
            ["2", "2", "1", "2"]
        );
        let inode = |path: PathBuf| fs::metadata(path).expect("a file").ino();
        assert_eq!(
            inode(opt.join("lib/x")),
            inode(bench.store.folder(&upper).join("lib/x"))
        );
        assert_eq!(
            fs::metadata(opt.join("lib/x")).expect("a file").mode() & 0o777,
            0o755
        );
        let again = bench
            .store
            .opt(&[lower.clone(), upper.clone()])
            .expect("the same");
        assert_eq!(again, Some(opt.clone()));
        let reverse = bench
            .store
            .opt(&[upper, lower])
            .expect("a merge")
            .expect("a directory");
        assert_ne!(reverse, opt);
        assert_eq!(fs::read_to_string(reverse.join("lib/x")).expect("a file"), "1");
    }

    #[test]
    fn layers_that_lead_out_only_together_are_refused() {
        let bench = bench();
        // `a/b/..` is `a` in the first; with the second it is the package, and one more step is out.
        let first = bench.add(&[file("a/b/c", b""), link("l", "a/b/../..")]);
        let second = bench.add(&[link("a", "d"), file("d/e", b""), link("d/b", "..")]);
        assert!(matches!(
            bench.store.opt(&[first, second]),
            Err(PackageError::Escapes { .. })
        ));
        assert!(
            !bench
                .lies()
                .iter()
                .any(|name| name.starts_with(OPT) || name.starts_with(HALF))
        );
    }

    #[test]
    fn what_nothing_refers_to_goes() {
        let bench = bench();
        let (kept, gone) = (bench.add(&[file("a", b"1")]), bench.add(&[file("a", b"2")]));
        let opt = |package: &Package| {
            bench
                .store
                .opt(std::slice::from_ref(package))
                .expect("a merge")
                .expect("one")
        };
        let (opt_kept, opt_gone) = (opt(&gone), opt(&kept));
        fs::write(bench.store.root.join("note"), "not ours").expect("a file");
        bench
            .store
            .keep_only(&[kept.clone()].into(), &[opt_kept.clone()].into())
            .expect("room");
        assert!(!opt_gone.exists() && !bench.store.folder(&gone).exists());
        assert_eq!(bench.lies().len(), 3);
        assert_eq!(bench.read(&kept, "a"), "1");
        assert_eq!(
            fs::read_to_string(opt_kept.join("a")).expect("its own name of the file"),
            "2"
        );
    }

    #[test]
    fn a_folder_is_packed_the_same_each_time_and_comes_out_as_it_was() {
        let bench = bench();
        let project = bench.home.path();
        let run = |name: &str| {
            fs::create_dir_all(project.join(".triggerfish/runs")).expect("a folder");
            fs::write(project.join(".triggerfish/runs").join(name), name).expect("a file");
            bench.store.pack(project).expect("a package")
        };
        fs::create_dir_all(project.join("lib/empty")).expect("a folder");
        fs::write(project.join("lib/app.py"), "x = 1\n".repeat(1000)).expect("a file");
        fs::set_permissions(project.join("lib/app.py"), Permissions::from_mode(0o755)).expect("its mode");
        fs::write(project.join(".env"), "hidden files are code too").expect("a file");
        symlink("lib/app.py", project.join("main.py")).expect("a link");
        // The store lies in the project, and grows with the first.
        let (first, second) = (run("1"), run("2"));
        assert_eq!(first, second);
        let code = bench.store.folder(&first);
        assert!(!code.join("a/store").exists() && !code.join(".triggerfish").exists());
        assert!(code.join("lib/empty").is_dir() && code.join(".env").is_file());
        assert_eq!(
            fs::metadata(code.join("lib/app.py")).expect("a file").mode() & 0o777,
            0o755
        );
        assert_eq!(
            fs::read_link(code.join("main.py")).expect("a link"),
            Path::new("lib/app.py")
        );
        assert_eq!(bench.read(&first, "main.py"), "x = 1\n".repeat(1000));
        assert!(first.size < 6000, "it is compressed");
        fs::write(project.join("lib/app.py"), "x = 2\n").expect("a file");
        assert_ne!(bench.store.pack(project).expect("a package"), first);
    }

    #[test]
    fn folders_that_cannot_be_packed_are_refused() {
        let bench = bench();
        let refused = |name: &str| {
            bench
                .store
                .pack(&bench.home.path().join(name))
                .expect_err("a refusal")
        };
        assert!(refused("none").message().contains("none"));
        fs::create_dir(bench.home.path().join("empty")).expect("a folder");
        assert!(matches!(refused("empty"), PackageError::Empty));
        fs::create_dir(bench.home.path().join("links")).expect("a folder");
        symlink("/etc", bench.home.path().join("links/etc")).expect("a link");
        assert!(matches!(refused("links"), PackageError::Escapes { .. }));
    }

    #[test]
    fn damage_of_any_kind_neither_panics_nor_leads_out() {
        let bench = bench();
        fs::write(bench.home.path().join("outside"), "as it was").expect("a file");
        let good = evil::zip(&[
            file("a/b", b"one"),
            link("l", "a/b"),
            deflated("c"),
            link("a/m", "../c"),
        ]);
        // Enough for chance here, and the same each time (Knuth's generator).
        let mut state = 1u64;
        let mut random = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let mut taken = 0;
        for _ in 0..400 {
            let mut zip = good.clone();
            for _ in 0..=random(3) {
                let at = random(zip.len());
                zip[at] = [0, b'/', b'.', 0xff, random(256) as u8][random(5)];
            }
            if random(8) == 0 {
                zip.truncate(random(zip.len()));
            }
            if let Ok(package) = bench.store.add(&zip) {
                taken += 1;
                assert_inside(&bench.store.folder(&package));
            }
        }
        assert!((10..390).contains(&taken), "{taken}");
        assert!(
            bench.lies().iter().all(|name| name.len() == 64),
            "nothing half made"
        );
        let outside: Vec<_> = fs::read_dir(bench.home.path())
            .expect("a directory")
            .flatten()
            .collect();
        let beside: Vec<_> = fs::read_dir(bench.home.path().join("a"))
            .expect("a directory")
            .flatten()
            .collect();
        assert_eq!((outside.len(), beside.len()), (2, 1));
        assert_eq!(
            fs::read(bench.home.path().join("outside")).expect("a file"),
            b"as it was"
        );
    }

    /// Whatever is reachable below a folder lies below it.
    fn assert_inside(folder: &Path) {
        let mut open = vec![folder.to_owned()];
        while let Some(inside) = open.pop() {
            for entry in fs::read_dir(inside).expect("a folder").flatten() {
                if let Ok(real) = entry.path().canonicalize() {
                    assert!(real.starts_with(folder), "{}", real.display());
                }
                if entry.file_type().expect("a kind").is_dir() {
                    open.push(entry.path());
                }
            }
        }
    }
}
