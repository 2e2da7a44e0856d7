//! What becomes of open events when a function is made, changed or deleted (spec/lambda §3.1, §8.2).
//!
//! ```text
//!   deleted:  Due, Waiting ──► ended          Running ──► Deserted ──outcome──► ended, a caller is told it
//! ```
//!
//! A change holds from the next attempt on and is looked up there; nothing is copied into an event. Deliberately absent:
//! whether a change is allowed, and the code; who asks for it has answered for that.

use super::{Router, State};
use crate::event::{Failure, Lane, Outcome};
use crate::name::FunctionName;
use crate::settings::Function;

use super::delivery::Delivery;
use super::words::Action;

/// How an event ends whose function, version or alias is not there any more.
pub(super) const DELETED: &str = "deleted";

impl Router {
    pub(super) fn configured(
        &mut self,
        function: FunctionName,
        settings: Option<Box<Function>>,
        what: String,
    ) {
        self.capacity.configure(&function, settings.as_deref());
        self.actions.push_back(Action::Configured {
            function: function.clone(),
            what,
        });
        match settings {
            Some(settings) => {
                self.settings.functions.insert(function, *settings);
            }
            None => {
                self.settings.functions.remove(&function);
                self.deleted(&function);
            }
        }
    }

    /// Ends what waits for a function, in the order in which it came; what runs ends by itself.
    fn deleted(&mut self, function: &FunctionName) {
        let of_it = self
            .deliveries
            .iter()
            .filter(|(_, delivery)| delivery.event.to == *function);
        let ids: Vec<u64> = of_it.map(|(id, _)| *id).collect();
        for id in ids {
            let Some(mut delivery) = self.deliveries.remove(&id) else {
                continue;
            };
            match delivery.state {
                State::Running(place) | State::Deserted(place) => {
                    delivery.state = State::Deserted(place);
                    self.deliveries.insert(id, delivery);
                    continue;
                }
                State::Waiting { until } => {
                    self.timers.remove(&(until, id));
                }
                State::Due => {}
            }
            let why = Failure::Missing(self.asked_arn(&delivery.event));
            delivery.state = State::Due;
            self.refuse(delivery, why, DELETED);
        }
    }

    /// An attempt ends whose function was deleted while it ran: nobody retries it, and nothing says where its record
    /// would go.
    pub(super) fn desert(&mut self, mut delivery: Delivery, outcome: Outcome) {
        self.note(&mut delivery, &outcome);
        if let Lane::Reply(to) = delivery.event.lane {
            return self.answer(&delivery, to, outcome);
        }
        let how = match outcome.result {
            Ok(_) => "success",
            Err(_) => DELETED,
        };
        self.done(&delivery, how, "nowhere".to_owned());
    }
}
