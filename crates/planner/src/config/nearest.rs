//! The nearest known field to one that is unknown.

/// `; did you mean "x"?`, or nothing if no known name is near.
pub(super) fn hint<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let given = given.rsplit('.').next().unwrap_or(given).to_lowercase();
    let limit = (given.chars().count() / 2).max(2);
    known
        .into_iter()
        .map(|name| (distance(&given, name), name))
        .min_by_key(|&(distance, _)| distance)
        .filter(|&(distance, _)| distance <= limit)
        .map_or_else(String::new, |(_, name)| format!("; did you mean {name:?}?"))
}

/// Insertions, deletions and substitutions that turn one text into the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_what_is_near() {
        assert_eq!(
            hint("ttft_m", ["itl_ms", "ttft_ms"]),
            "; did you mean \"ttft_ms\"?"
        );
        assert_eq!(hint("zzz", ["ttft_ms"]), "");
    }
}
