//! The accept length of speculative decoding: visible tokens per decode step and request.

use crate::capabilities::EngineCapabilities;

/// The last accept length seen, within what the draft depth allows.
///
/// With `n` draft tokens a step makes at least 1 and at most `n + 1` tokens visible; without speculation exactly 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AcceptLength {
    draft_tokens: u32,
    last: f64,
}

impl AcceptLength {
    /// Draft depth from the decode engines, or from the configuration where they do not say.
    #[must_use]
    pub fn new(decode: &EngineCapabilities, configured: u32) -> Self {
        let known = decode.draft_tokens.filter(|&depth| depth > 0);
        Self {
            draft_tokens: known.unwrap_or(configured),
            last: 1.0,
        }
    }

    /// The engines changed; the last value is kept as far as the new depth allows.
    pub fn set_engines(&mut self, decode: &EngineCapabilities, configured: u32) {
        self.draft_tokens = Self::new(decode, configured).draft_tokens;
    }

    /// The draft depth in force.
    #[must_use]
    pub fn draft_tokens(&self) -> u32 {
        self.draft_tokens
    }

    /// A value within `[1, draft tokens + 1]`; what is no number counts as 1.
    #[must_use]
    pub fn clamp(&self, value: Option<f64>) -> f64 {
        match value {
            Some(value) if self.draft_tokens > 0 && value.is_finite() => {
                value.clamp(1.0, f64::from(self.draft_tokens) + 1.0)
            }
            _ => 1.0,
        }
    }

    /// A window's mean; a window without one leaves the last.
    pub fn observe(&mut self, value: Option<f64>) {
        if value.is_some_and(f64::is_finite) {
            self.last = self.clamp(value);
        }
    }

    /// The value that decisions use.
    #[must_use]
    pub fn effective(&self) -> f64 {
        self.clamp(Some(self.last))
    }
}
