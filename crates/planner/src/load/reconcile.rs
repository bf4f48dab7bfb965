//! Whether the workers that report are the workers that are ready.

use std::collections::BTreeMap;

use sim_api::WorkerId;

use crate::pass::WorkerPass;

/// True if exactly `ready` workers report, each with the same number of ranks.
pub(super) fn reconciles(passes: &[WorkerPass], ready: u32) -> bool {
    let mut ranks: BTreeMap<WorkerId, usize> = BTreeMap::new();
    for seen in passes {
        *ranks.entry(seen.worker).or_default() += 1;
    }
    let mut counts = ranks.values();
    let first = counts.next();
    ranks.len() == ready as usize && counts.all(|count| Some(count) == first)
}
