//! Sets of workers, each distinct one kept once and named by a number.
//!
//! Neighbouring blocks nearly always have the same holders, so a block needs
//! four bytes for its set, equal sets compare as numbers, and the step from a
//! set to the same with one worker more or less is remembered.

use hashbrown::HashTable;

/// Bits a word.
const WORD: usize = u64::BITS as usize;

/// A set of worker slots, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SetId(pub(super) u32);

impl SetId {
    /// The set without members.
    pub(super) const EMPTY: Self = Self(0);
}

#[derive(Debug, Default)]
struct Entry {
    /// Members as bits by slot, without zero words at the end.
    words: Vec<u64>,
    members: u32,
    users: u32,
}

/// The last step from one set to another by one worker.
#[derive(Clone, Copy, Debug)]
struct Step {
    from: SetId,
    slot: usize,
    to: SetId,
}

/// All sets in use.
#[derive(Debug)]
pub(super) struct WorkerSets {
    entries: Vec<Entry>,
    free: Vec<SetId>,
    by_content: HashTable<SetId>,
    joined: Option<Step>,
    left: Option<Step>,
}

impl Default for WorkerSets {
    fn default() -> Self {
        Self {
            entries: vec![Entry::default()],
            free: Vec::new(),
            by_content: HashTable::new(),
            joined: None,
            left: None,
        }
    }
}

impl WorkerSets {
    /// Whether a worker is a member.
    pub(super) fn contains(&self, set: SetId, slot: usize) -> bool {
        let words = self.words(set);
        words
            .get(slot / WORD)
            .is_some_and(|word| word >> (slot % WORD) & 1 == 1)
    }

    /// Members as bits by slot; words at the end that would be zero are absent.
    pub(super) fn words(&self, set: SetId) -> &[u64] {
        &self.entries[set.0 as usize].words
    }

    /// Number of members.
    pub(super) fn members(&self, set: SetId) -> u32 {
        self.entries[set.0 as usize].members
    }

    /// Heap bytes reserved.
    pub(super) fn heap_bytes(&self) -> usize {
        let words: usize = self
            .entries
            .iter()
            .map(|entry| entry.words.capacity())
            .sum();
        words * size_of::<u64>()
            + self.entries.capacity() * size_of::<Entry>()
            + self.free.capacity() * size_of::<SetId>()
            + self.by_content.allocation_size()
    }

    /// Panics unless these are all users of sets with a member.
    #[cfg(test)]
    pub(super) fn audit(&self, users: &[SetId]) {
        let mut counts = vec![0; self.entries.len()];
        for set in users.iter().filter(|&&set| set != SetId::EMPTY) {
            counts[set.0 as usize] += 1;
        }
        let known: Vec<u32> = self.entries.iter().map(|entry| entry.users).collect();
        assert_eq!(known, counts);
        assert_eq!(self.len(), known.iter().filter(|&&users| users > 0).count());
    }

    /// Distinct sets with a member.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_content.len()
    }

    /// Moves one user from a set to that set with a worker more, which is no
    /// member yet.
    pub(super) fn join(&mut self, from: SetId, slot: usize) -> SetId {
        let to = match self.joined {
            Some(step) if step.from == from && step.slot == slot => step.to,
            _ => {
                let mut words = self.words(from).to_vec();
                if words.len() <= slot / WORD {
                    words.resize(slot / WORD + 1, 0);
                }
                words[slot / WORD] |= 1 << (slot % WORD);
                self.intern(words)
            }
        };
        self.joined = Some(Step { from, slot, to });
        self.move_user(from, to);
        to
    }

    /// Moves one user from a set to that set without one of its members.
    pub(super) fn leave(&mut self, from: SetId, slot: usize) -> SetId {
        let to = match self.left {
            Some(step) if step.from == from && step.slot == slot => step.to,
            _ => {
                let mut words = self.words(from).to_vec();
                words[slot / WORD] &= !(1 << (slot % WORD));
                while words.last() == Some(&0) {
                    words.pop();
                }
                self.intern(words)
            }
        };
        self.left = Some(Step { from, slot, to });
        self.move_user(from, to);
        to
    }

    fn intern(&mut self, words: Vec<u64>) -> SetId {
        if words.is_empty() {
            return SetId::EMPTY;
        }
        let hash = hash(&words);
        let entries = &self.entries;
        let found = self
            .by_content
            .find(hash, |set| entries[set.0 as usize].words == words);
        if let Some(&set) = found {
            return set;
        }
        let set = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Entry::default());
            // There are no more sets than blocks, whose numbers fit.
            SetId((self.entries.len() - 1) as u32)
        });
        self.entries[set.0 as usize] = Entry {
            members: words.iter().map(|word| word.count_ones()).sum(),
            words,
            users: 0,
        };
        let entries = &self.entries;
        self.by_content
            .insert_unique(hash, set, |set| self::hash(&entries[set.0 as usize].words));
        set
    }

    fn move_user(&mut self, from: SetId, to: SetId) {
        // Users of the empty set are not counted: it stays.
        if to != SetId::EMPTY {
            self.entries[to.0 as usize].users += 1;
        }
        if from == SetId::EMPTY {
            return;
        }
        let entry = &mut self.entries[from.0 as usize];
        entry.users -= 1;
        if entry.users == 0 {
            self.discard(from);
        }
    }

    fn discard(&mut self, set: SetId) {
        let words = std::mem::take(&mut self.entries[set.0 as usize].words);
        if let Ok(entry) = self
            .by_content
            .find_entry(hash(&words), |&other| other == set)
        {
            entry.remove();
        }
        self.entries[set.0 as usize].members = 0;
        self.free.push(set);
        for memory in [&mut self.joined, &mut self.left] {
            if memory.is_some_and(|step| step.from == set || step.to == set) {
                *memory = None;
            }
        }
    }
}

/// Mixes words so that all bits of the hash depend on all of them.
fn hash(words: &[u64]) -> u64 {
    words
        .iter()
        .fold(0, |hash, word| super::handles::mix(hash ^ word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sets_have_one_number_and_unused_ones_go() {
        let mut sets = WorkerSets::default();
        let a = sets.join(SetId::EMPTY, 3);
        let ab = sets.join(a, 200);
        let b = sets.join(SetId::EMPTY, 200);
        let ba = sets.join(b, 3);
        assert_eq!(ab, ba);
        assert_eq!((sets.len(), sets.members(ab)), (1, 2));
        assert!(sets.contains(ab, 3) && sets.contains(ab, 200) && !sets.contains(ab, 64));
        let b = sets.leave(ab, 3);
        assert!(!sets.contains(b, 3) && sets.contains(b, 200) && sets.contains(ab, 3));
        let alone = sets.leave(ab, 200);
        assert_eq!(sets.words(alone), [8]);
        sets.leave(alone, 3);
        sets.leave(b, 200);
        assert_eq!(sets.len(), 0);
    }

    #[test]
    fn a_step_is_not_remembered_beyond_the_life_of_its_sets() {
        let mut sets = WorkerSets::default();
        let a = sets.join(SetId::EMPTY, 0);
        let ab = sets.join(a, 1);
        sets.leave(ab, 1);
        let again = sets.join(SetId::EMPTY, 2);
        let with_one = sets.join(again, 1);
        assert!(sets.contains(with_one, 2) && !sets.contains(with_one, 0));
    }
}
