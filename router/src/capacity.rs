//! Who may run now: reserved and provisioned concurrency and the account limit (spec/lambda §3.4, §8.5).
//!
//! ```text
//!   account ─┬─ reserved functions: each has its reserve, which caps it too
//!            │     └─ provisioned units of its versions; what is left is for its other executions
//!            ├─ provisioned units of the other functions
//!            └─ the rest, which all other executions share
//! ```
//!
//! Owns counts of executions by function and version. Limits are not kept beside them but read from the settings at
//! each start, so a change while executions run is a change of the next decision only. An execution of a version takes
//! a provisioned place as long as fewer of it run than it has; further ones spill into what the function shares.
//! Deliberately absent: which environment runs it; and the account's limits of the rate.

use std::collections::BTreeMap;

use crate::event::ThrottleReason;
use crate::name::{FunctionName, Version};
use crate::settings::{Function, Settings};

/// Counts of running executions against their limits.
#[derive(Debug)]
pub struct Capacity {
    account: u32,
    functions: BTreeMap<FunctionName, Member>,
    /// Executions of functions that have been deleted: they use the account's rest until they end.
    orphans: u32,
    /// Functions so far: one that is made anew under an old name is another.
    made: u64,
}

/// One function.
#[derive(Debug)]
struct Member {
    serial: u64,
    reserved: Option<u32>,
    provisioned: BTreeMap<Version, u32>,
    running: BTreeMap<Version, u32>,
}

/// The place of one execution, to be given back when it ends.
#[derive(Debug, PartialEq, Eq)]
pub struct Place {
    function: FunctionName,
    serial: u64,
    version: Version,
}

impl Capacity {
    /// All limits, nothing running.
    pub fn new(settings: &Settings) -> Self {
        let mut capacity = Capacity {
            account: settings.concurrency,
            functions: BTreeMap::new(),
            orphans: 0,
            made: 0,
        };
        for (name, function) in &settings.functions {
            capacity.configure(name, Some(function));
        }
        capacity
    }

    /// Takes the settings of a function, of a new one too; `None` if it was deleted. What runs goes on.
    pub fn configure(&mut self, name: &FunctionName, function: Option<&Function>) {
        let Some(function) = function else {
            let gone = self.functions.remove(name);
            self.orphans += gone.map_or(0, |member| member.running());
            return;
        };
        let (reserved, provisioned) = (function.reserved, function.provisioned());
        match self.functions.get_mut(name) {
            Some(member) => (member.reserved, member.provisioned) = (reserved, provisioned),
            None => {
                self.made += 1;
                let member = Member {
                    serial: self.made,
                    reserved,
                    provisioned,
                    running: BTreeMap::new(),
                };
                self.functions.insert(name.clone(), member);
            }
        }
    }

    /// Takes a place for one execution, or says why there is none; a function that was never configured has none.
    ///
    /// # Errors
    /// The reason of the throttle.
    pub fn take(&mut self, function: &FunctionName, version: Version) -> Result<Place, ThrottleReason> {
        use ThrottleReason::{
            ConcurrentInvocationLimitExceeded, ReservedFunctionConcurrentInvocationLimitExceeded,
        };
        let Some(member) = self.functions.get(function) else {
            return Err(ConcurrentInvocationLimitExceeded);
        };
        // Those that began under other limits count too, whatever was set aside since.
        if self.running() >= self.account {
            return Err(ConcurrentInvocationLimitExceeded);
        }
        match member.reserved {
            Some(reserve) if !member.has_room_of(reserve, version) => {
                return Err(ReservedFunctionConcurrentInvocationLimitExceeded);
            }
            None if !member.has_provisioned(version) && self.shared() >= self.rest() => {
                return Err(ConcurrentInvocationLimitExceeded);
            }
            _ => {}
        }
        let place = Place {
            function: function.clone(),
            serial: member.serial,
            version,
        };
        if let Some(member) = self.functions.get_mut(function) {
            *member.running.entry(version).or_default() += 1;
        }
        Ok(place)
    }

    /// Gives a place back, whatever has become of the function.
    pub fn give_back(&mut self, place: Place) {
        let member = self.functions.get_mut(&place.function);
        let count = match member.filter(|member| member.serial == place.serial) {
            Some(member) => member.running.entry(place.version).or_default(),
            None => &mut self.orphans,
        };
        debug_assert!(*count > 0, "a place is given back once");
        *count = count.saturating_sub(1);
    }

    fn running(&self) -> u32 {
        self.orphans + self.functions.values().map(Member::running).sum::<u32>()
    }

    /// What the account has for executions that are neither reserved nor provisioned.
    fn rest(&self) -> u32 {
        let set_aside = |member: &Member| member.reserved.unwrap_or_else(|| member.provisioned());
        let taken = self.functions.values().map(set_aside);
        taken.fold(self.account, u32::saturating_sub)
    }

    /// How many use it.
    fn shared(&self) -> u32 {
        let members = self.functions.values().filter(|member| member.reserved.is_none());
        self.orphans + members.map(Member::spilled).sum::<u32>()
    }
}

impl Member {
    fn running(&self) -> u32 {
        self.running.values().sum()
    }

    fn provisioned(&self) -> u32 {
        self.provisioned
            .values()
            .fold(0, |sum, units| sum.saturating_add(*units))
    }

    fn has_provisioned(&self, version: Version) -> bool {
        let units = self.provisioned.get(&version).copied().unwrap_or_default();
        self.running.get(&version).copied().unwrap_or_default() < units
    }

    /// Executions beyond what their versions have provisioned.
    fn spilled(&self) -> u32 {
        let units = |version| self.provisioned.get(version).copied().unwrap_or_default();
        let running = self.running.iter();
        running
            .map(|(version, running)| running.saturating_sub(units(version)))
            .sum()
    }

    /// Whether a reserve has room for one more of this version.
    fn has_room_of(&self, reserve: u32, version: Version) -> bool {
        let unprovisioned = reserve.saturating_sub(self.provisioned());
        self.running() < reserve && (self.has_provisioned(version) || self.spilled() < unprovisioned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::VersionSettings;

    const ONE: Version = Version::Published(1);
    const TWO: Version = Version::Published(2);

    fn function(reserved: Option<u32>, provisioned: u32) -> Function {
        let one = VersionSettings {
            provisioned,
            ..VersionSettings::default()
        };
        let versions = [(Version::Latest, VersionSettings::default()), (ONE, one)];
        Function {
            reserved,
            versions: versions.into(),
            ..Function::default()
        }
    }

    fn account(concurrency: u32, functions: &[(&str, Function)]) -> Capacity {
        let functions = functions.iter().cloned();
        Capacity::new(&Settings {
            functions: functions.map(|(name, f)| (FunctionName::new(name), f)).collect(),
            concurrency,
            slots: None,
            region: String::new(),
            account: String::new(),
        })
    }

    fn takes(capacity: &mut Capacity, name: &str, version: Version) -> Vec<Place> {
        let name = FunctionName::new(name);
        std::iter::from_fn(|| capacity.take(&name, version).ok())
            .take(100)
            .collect()
    }

    #[test]
    fn reserved_units_that_are_provisioned_are_for_their_version() {
        let mut capacity = account(100, &[("f", function(Some(5), 3))]);
        assert_eq!(takes(&mut capacity, "f", TWO).len(), 2);
        assert_eq!(takes(&mut capacity, "f", ONE).len(), 3);
        let reason = capacity.take(&FunctionName::new("f"), ONE).err();
        assert_eq!(
            reason,
            Some(ThrottleReason::ReservedFunctionConcurrentInvocationLimitExceeded)
        );
    }

    #[test]
    fn a_provisioned_version_spills_into_the_reserve_and_no_further() {
        let mut capacity = account(100, &[("f", function(Some(5), 3))]);
        assert_eq!(takes(&mut capacity, "f", ONE).len(), 5);
        assert!(takes(&mut capacity, "f", TWO).is_empty());
    }

    #[test]
    fn provisioned_units_without_a_reserve_come_out_of_the_accounts_rest() {
        let functions = [
            ("f", function(None, 3)),
            ("g", function(None, 0)),
            ("r", function(Some(2), 0)),
        ];
        let mut capacity = account(10, &functions);
        assert_eq!(takes(&mut capacity, "g", ONE).len(), 5);
        assert_eq!(takes(&mut capacity, "f", ONE).len(), 3);
        assert_eq!(takes(&mut capacity, "r", ONE).len(), 2);
    }

    #[test]
    fn a_reserve_of_nothing_lets_nothing_run_whatever_is_provisioned() {
        let mut capacity = account(10, &[("f", function(Some(0), 3))]);
        assert!(takes(&mut capacity, "f", ONE).is_empty());
    }

    #[test]
    fn a_change_is_a_change_of_the_next_decision() {
        let f = FunctionName::new("f");
        let mut capacity = account(10, &[("f", function(None, 0)), ("g", function(None, 0))]);
        let mut places = takes(&mut capacity, "f", ONE);
        assert_eq!(places.len(), 10);
        capacity.configure(&f, Some(&function(Some(4), 0)));
        assert!(takes(&mut capacity, "g", ONE).is_empty(), "the account is full");
        places.drain(..6).for_each(|place| capacity.give_back(place));
        assert_eq!(
            takes(&mut capacity, "g", ONE).len(),
            6,
            "what f runs is its own now"
        );
        assert!(capacity.take(&f, ONE).is_err(), "four run");
        places.drain(..1).for_each(|place| capacity.give_back(place));
        assert!(capacity.take(&f, ONE).is_ok(), "one has ended");
    }

    #[test]
    fn a_function_made_anew_does_not_pay_for_the_old_one() {
        let f = FunctionName::new("f");
        let mut capacity = account(10, &[("f", function(Some(2), 0))]);
        let old = takes(&mut capacity, "f", ONE);
        capacity.configure(&f, None);
        assert!(capacity.take(&f, ONE).is_err(), "it is gone");
        capacity.configure(&f, Some(&function(Some(2), 0)));
        let new = takes(&mut capacity, "f", ONE);
        assert_eq!((old.len(), new.len()), (2, 2));
        old.into_iter().for_each(|place| capacity.give_back(place));
        assert!(capacity.take(&f, ONE).is_err(), "the new ones still run");
        new.into_iter().for_each(|place| capacity.give_back(place));
        assert_eq!((capacity.orphans, takes(&mut capacity, "f", ONE).len()), (0, 2));
    }
}
