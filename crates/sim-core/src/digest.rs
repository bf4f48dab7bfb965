//! A digest of what happened in a run.
//!
//! Events are hashed one by one and added up, so the digest does not depend on
//! the order in which independent workers report, and `n` equal events cost
//! one multiplication.

/// Sums the hashes of events; equal runs have equal digests.
///
/// ```
/// use sim_core::EventDigest;
/// let mut one = EventDigest::default();
/// one.add(&[1, 2]);
/// one.add(&[3]);
/// let mut two = EventDigest::default();
/// two.add(&[3]);
/// two.add(&[1, 2]);
/// assert_eq!(one, two);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventDigest(u64);

impl EventDigest {
    /// Adds one event, described by its words.
    pub fn add(&mut self, words: &[u64]) {
        self.add_many(words, 1);
    }

    /// Adds `count` equal events.
    pub fn add_many(&mut self, words: &[u64], count: u64) {
        let hash = words
            .iter()
            .fold(words.len() as u64, |hash, &word| mix(hash ^ mix(word)));
        self.0 = self.0.wrapping_add(hash.wrapping_mul(count));
    }

    /// The digest as a number.
    pub fn value(self) -> u64 {
        self.0
    }
}

/// A bijective scrambler of 64-bit words (the SplitMix64 finaliser).
pub(crate) fn mix(word: u64) -> u64 {
    let mut x = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_events_may_be_added_at_once() {
        let mut singly = EventDigest::default();
        for _ in 0..5 {
            singly.add(&[7, 9]);
        }
        let mut at_once = EventDigest::default();
        at_once.add_many(&[7, 9], 5);
        assert_eq!(singly, at_once);
    }

    #[test]
    fn the_order_of_words_matters() {
        let (mut one, mut two) = (EventDigest::default(), EventDigest::default());
        one.add(&[1, 2]);
        two.add(&[2, 1]);
        assert_ne!(one, two);
    }
}
