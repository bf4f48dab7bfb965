//! Slices of one table, found by the discrete part of their key.

use std::cmp::Ordering;

/// What names a slice: number formats and other names first, then whole numbers (heads, head size, ...).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SliceKey {
    names: Box<[Box<str>]>,
    numbers: Box<[u32]>,
}

impl SliceKey {
    /// A key from its parts.
    #[must_use]
    pub fn new(names: &[&str], numbers: &[u32]) -> Self {
        Self {
            names: names.iter().map(|name| Box::from(*name)).collect(),
            numbers: numbers.into(),
        }
    }

    /// The names, in the order the table's accessor lists them.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    /// The whole numbers, in the order the table's accessor lists them.
    #[must_use]
    pub fn numbers(&self) -> &[u32] {
        &self.numbers
    }

    fn compare(&self, names: &[&str], numbers: &[u32]) -> Ordering {
        self.names()
            .cmp(names.iter().copied())
            .then_with(|| self.numbers().cmp(numbers))
    }
}

/// The slices of one table in ascending order of their keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Slices<T> {
    entries: Vec<(SliceKey, T)>,
}

impl<T> Default for Slices<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
        }
    }
}

impl<T> Slices<T> {
    /// Adds a slice. The first one with a key stays; gives back whether this was it.
    pub fn insert(&mut self, key: SliceKey, slice: T) -> bool {
        match self.entries.binary_search_by(|(have, _)| have.cmp(&key)) {
            Ok(_) => false,
            Err(at) => {
                self.entries.insert(at, (key, slice));
                true
            }
        }
    }

    /// The slice with exactly this key.
    #[must_use]
    pub fn get(&self, names: &[&str], numbers: &[u32]) -> Option<&T> {
        let at = self
            .entries
            .binary_search_by(|(key, _)| key.compare(names, numbers))
            .ok()?;
        Some(&self.entries[at].1)
    }

    /// Keys and slices in ascending order of the keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&SliceKey, &T)> {
        self.entries.iter().map(|(key, slice)| (key, slice))
    }

    /// Whether there is a slice with this first name, whatever the rest of its key.
    #[must_use]
    pub fn has_name(&self, name: &str) -> bool {
        self.entries
            .iter()
            .any(|(key, _)| key.names().next() == Some(name))
    }

    /// How many slices.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether the table has no slice at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
