//! Append-only storage of hash ids: four bytes each as long as all ids fit.

/// Ids of all segments, end to end.
#[derive(Debug)]
pub(super) enum IdArena {
    Narrow(Vec<u32>),
    Wide(Vec<u64>),
}

impl Default for IdArena {
    fn default() -> Self {
        Self::Narrow(Vec::new())
    }
}

impl IdArena {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Narrow(ids) => ids.len(),
            Self::Wide(ids) => ids.len(),
        }
    }

    /// Appends `ids`, each cut to `mask`.
    pub(super) fn extend(&mut self, ids: &[u64], mask: u64) {
        if let Self::Narrow(narrow) = self {
            let before = narrow.len();
            for &id in ids {
                let Ok(id) = u32::try_from(id & mask) else {
                    narrow.truncate(before);
                    *self = Self::Wide(narrow.iter().map(|&id| u64::from(id)).collect());
                    break;
                };
                narrow.push(id);
            }
        }
        if let Self::Wide(wide) = self {
            wide.extend(ids.iter().map(|&id| id & mask));
        }
    }

    pub(super) fn get(&self, index: usize) -> u64 {
        match self {
            Self::Narrow(ids) => u64::from(ids[index]),
            Self::Wide(ids) => ids[index],
        }
    }

    /// How many leading ids the `len` ones stored from `at` share with `ids`
    /// cut to `mask`.
    pub(super) fn common(&self, at: usize, len: usize, ids: &[u64], mask: u64) -> usize {
        match self {
            Self::Narrow(stored) => leading_equal(
                stored[at..at + len].iter().map(|&id| u64::from(id)),
                ids,
                mask,
            ),
            Self::Wide(stored) => leading_equal(stored[at..at + len].iter().copied(), ids, mask),
        }
    }
}

fn leading_equal(stored: impl Iterator<Item = u64>, ids: &[u64], mask: u64) -> usize {
    stored
        .zip(ids)
        .take_while(|&(stored, &id)| stored == id & mask)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_id_widens_what_is_there() {
        let mut arena = IdArena::default();
        arena.extend(&[1, 2], u64::MAX);
        arena.extend(&[3, 1 << 40, 5], u64::MAX);
        assert!(matches!(arena, IdArena::Wide(_)));
        let stored: Vec<u64> = (0..arena.len()).map(|index| arena.get(index)).collect();
        assert_eq!(stored, [1, 2, 3, 1 << 40, 5]);
    }

    #[test]
    fn a_mask_cuts_ids_before_they_are_stored_or_compared() {
        let mask = u64::from(u32::MAX);
        let mut arena = IdArena::default();
        arena.extend(&[(7 << 32) | 1, 2, 3], mask);
        assert!(matches!(arena, IdArena::Narrow(_)));
        assert_eq!(arena.common(0, 3, &[1, (9 << 32) | 2, 4], mask), 2);
    }
}
