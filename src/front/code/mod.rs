//! Stand-in.
/// P
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Package {
    /// s
    pub sha256: String,
    /// z
    pub size: u64,
}
