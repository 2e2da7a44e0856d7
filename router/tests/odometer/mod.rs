//! Every sequence of choices, one after the other.

/// Enumerates every sequence of choices: the smallest exhaustive generator there is.
/// (After an idea in TigerBeetle's exhaustigen: replay a prefix, then count up like an odometer.)
#[derive(Default)]
pub struct Odometer {
    digits: Vec<(usize, usize)>,
    at: usize,
    started: bool,
}

impl Odometer {
    /// Whether there is one more sequence; its choices begin anew.
    pub fn next_run(&mut self) -> bool {
        if !self.started {
            self.started = true;
            return true;
        }
        self.at = 0;
        while let Some((digit, options)) = self.digits.pop() {
            if digit + 1 < options {
                self.digits.push((digit + 1, options));
                return true;
            }
        }
        false
    }

    /// The next choice, below `options`.
    pub fn choose(&mut self, options: usize) -> usize {
        if self.at == self.digits.len() {
            self.digits.push((0, options));
        }
        self.at += 1;
        self.digits[self.at - 1].0
    }
}
