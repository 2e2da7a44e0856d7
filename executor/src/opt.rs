//! The layers of a function: a directory that its processes find as `/opt` (spec/lambda §8.7).
//!
//! Owns where it is seen: as `/opt`, read-only, in a mount namespace; or, where the machine has no such namespace or no
//! `/opt` to put it over, or where something that the function needs lies in the machine's `/opt`, under its own name,
//! which then stands in the variables for `/opt`. Deliberately absent: unpacking layers, and laying one over another.

use std::path::{Path, PathBuf};

use crate::sandbox::{OPT, opt_refusal};

/// A directory with a function's layers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Opt {
    directory: PathBuf,
    is_mounted: bool,
}

impl Opt {
    /// The directory, for a function that needs what lies at these places too.
    pub fn new(directory: PathBuf, needed: &[&Path]) -> Self {
        let is_hidden = |path: &&Path| {
            let real = path.canonicalize();
            !path.starts_with(&directory)
                && (path.starts_with(OPT) || real.is_ok_and(|real| real.starts_with(OPT)))
        };
        Opt {
            is_mounted: opt_refusal().is_none() && !needed.iter().any(is_hidden),
            directory,
        }
    }

    /// What is put over `/opt`, if that is done.
    pub fn mounted(&self) -> Option<&Path> {
        self.is_mounted.then_some(self.directory.as_path())
    }

    /// Where processes find it.
    pub fn place(&self) -> &Path {
        self.mounted().map_or(&self.directory, |_| Path::new(OPT))
    }

    /// Where processes find what lies at `path`, in it or elsewhere.
    pub fn seen(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.directory) {
            Ok(inside) => self.place().join(inside),
            Err(_) => path.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_it_is_seen_where_it_is_put() {
        let opt = |is_mounted| Opt {
            directory: "/data/opt-1".into(),
            is_mounted,
        };
        let bootstrap = Path::new("/data/opt-1/bootstrap");
        assert_eq!(opt(true).seen(bootstrap), Path::new("/opt/bootstrap"));
        assert_eq!(opt(false).seen(bootstrap), bootstrap);
        assert_eq!(
            opt(true).seen(Path::new("/usr/bin/node")),
            Path::new("/usr/bin/node")
        );
        assert_eq!(
            (opt(true).place(), opt(true).mounted()),
            (Path::new(OPT), Some(Path::new("/data/opt-1")))
        );
        assert_eq!(
            (opt(false).place(), opt(false).mounted()),
            (Path::new("/data/opt-1"), None)
        );
    }

    #[test]
    fn what_the_function_needs_is_not_hidden() {
        let directory = PathBuf::from("/data/opt-1");
        let interpreter = Path::new("/opt/hostedtoolcache/python/bin/python3");
        assert_eq!(Opt::new(directory.clone(), &[interpreter]).mounted(), None);
        let of_a_layer = Path::new("/data/opt-1/bootstrap");
        let mounted = Opt::new(directory.clone(), &[of_a_layer]).mounted().is_some();
        assert_eq!(mounted, opt_refusal().is_none());
    }
}
