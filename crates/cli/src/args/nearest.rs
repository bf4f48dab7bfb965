//! The known name that is most like a mistyped one.

/// The nearest of `known`, if it is near at all.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = given.chars().count() / 3 + 1;
    known
        .map(|name| (distance(given, name), name))
        .filter(|&(distance, _)| distance <= limit)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// Letters to insert, remove or change.
fn distance(one: &str, two: &str) -> usize {
    let two: Vec<char> = two.chars().collect();
    let mut row: Vec<usize> = (0..=two.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &b) in two.iter().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[two.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_nonsense_is_not() {
        let known = ["num-workers", "router-mode", "seed"];
        assert_eq!(
            nearest("num_worker", known.into_iter()),
            Some("num-workers")
        );
        assert_eq!(nearest("sed", known.into_iter()), Some("seed"));
        assert_eq!(nearest("quantum", known.into_iter()), None);
    }
}
