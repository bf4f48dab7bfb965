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
    /// Returns the passes that a newer one of the same call replaced; they are seen by no tick, but the models can
    /// learn from them.
    pub fn update(
        &mut self,
        passes: impl IntoIterator<Item = (WorkerId, Pass)>,
        prune: Prune<'_>,
    ) -> Vec<Pass> {
        let passes: Vec<(WorkerId, Pass)> = passes.into_iter().collect();
        let mut is_last = vec![false; passes.len()];
        let mut found: Vec<WorkerId> = Vec::new();
        for (index, (worker, _)) in passes.iter().enumerate().rev() {
            if !found.contains(worker) {
                found.push(*worker);
                is_last[index] = true;
            }
        }
        let mut replaced = Vec::with_capacity(passes.len());
        for ((worker, pass), is_last) in passes.into_iter().zip(is_last) {
            if !is_last {
                replaced.push(pass);
            }
            self.put(worker, pass);
        }
        self.prune(prune);
        replaced
    }

    fn put(&mut self, worker: WorkerId, pass: Pass) {
        match self.seen.iter_mut().find(|seen| seen.worker == worker) {
            Some(seen) => seen.pass = pass,
            None => self.seen.push(WorkerPass {
                worker,
                rank: 0,
                pass,
            }),
        }
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
