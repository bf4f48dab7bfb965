//! The last pass of each worker.

use sim_api::WorkerId;

use crate::pass::{Pass, WorkerPass};

/// Which workers leave the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prune<'a> {
    /// Those that are not among these (ascending).
    ToReady(&'a [WorkerId]),
    /// The highest ids, down to this many. A draining worker can so keep a newer one out for good.
    ToCount(usize),
}

/// The last pass of each worker, in the order the workers were first seen.
#[derive(Clone, Debug, Default)]
pub struct PassCache {
    seen: Vec<WorkerPass>,
}

impl PassCache {
    /// Keeps the last of the `passes` of each worker, then prunes.
    ///
    /// `replaced` is told, in order, the passes that a newer one of the same call replaces; no tick sees them, but
    /// the models can learn from them.
    pub fn update(
        &mut self,
        passes: impl DoubleEndedIterator<Item = (WorkerId, Pass)> + ExactSizeIterator + Clone,
        prune: Prune<'_>,
        mut replaced: impl FnMut(&Pass),
    ) {
        let lasts = last_of_each(passes.clone());
        let mut next_last = 0;
        for (index, (worker, pass)) in passes.enumerate() {
            let at = self.place(worker);
            if lasts.get(next_last) == Some(&index) {
                next_last += 1;
                self.seen[at].pass = pass;
            } else {
                replaced(&pass);
            }
        }
        self.prune(prune);
    }

    /// Where a worker stands; a new one stands last.
    fn place(&mut self, worker: WorkerId) -> usize {
        let known = self.seen.iter().position(|seen| seen.worker == worker);
        known.unwrap_or_else(|| {
            self.seen.push(WorkerPass {
                worker,
                rank: 0,
                pass: Pass::default(),
            });
            self.seen.len() - 1
        })
    }

    fn prune(&mut self, prune: Prune<'_>) {
        match prune {
            Prune::ToReady(ready) => self.seen.retain(|seen| ready.contains(&seen.worker)),
            Prune::ToCount(count) => {
                while self.seen.len() > count {
                    let highest = self.seen.iter().map(|seen| seen.worker).max();
                    self.seen.retain(|seen| Some(seen.worker) != highest);
                }
            }
        }
    }

    /// The last passes.
    #[must_use]
    pub fn passes(&self) -> &[WorkerPass] {
        &self.seen
    }
}

/// The indices, ascending, of the last pass of each worker.
fn last_of_each(
    passes: impl DoubleEndedIterator<Item = (WorkerId, Pass)> + ExactSizeIterator,
) -> Vec<usize> {
    let mut found: Vec<WorkerId> = Vec::new();
    let mut lasts = Vec::new();
    for (index, (worker, _)) in passes.enumerate().rev() {
        if !found.contains(&worker) {
            found.push(worker);
            lasts.push(index);
        }
    }
    lasts.reverse();
    lasts
}
