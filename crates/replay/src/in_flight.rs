//! Requests between arrival and completion.

use std::collections::VecDeque;

use sim_api::{Prompt, RequestId};
use sim_core::SimTime;

/// What the loop remembers of a request while it is in flight.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) arrived: SimTime,
    pub(crate) first_token: Option<SimTime>,
    pub(crate) prompt: Prompt,
    pub(crate) output_tokens: u32,
    pub(crate) session: sim_api::SessionId,
    pub(crate) priority: i32,
}

/// Records by request. Requests are numbered as they arrive and leave in
/// nearly the same order, so a sliding window holds them.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    window: VecDeque<Option<Record>>,
    first: u32,
    count: usize,
}

impl InFlight {
    pub(crate) fn insert(&mut self, id: RequestId, record: Record) {
        if self.window.is_empty() {
            self.first = id.0;
        }
        let index = (id.0 - self.first) as usize;
        while self.window.len() <= index {
            self.window.push_back(None);
        }
        self.window[index] = Some(record);
        self.count += 1;
    }

    pub(crate) fn get_mut(&mut self, id: RequestId) -> Option<&mut Record> {
        let index = id.0.checked_sub(self.first)? as usize;
        self.window.get_mut(index)?.as_mut()
    }

    pub(crate) fn remove(&mut self, id: RequestId) -> Option<Record> {
        let index = id.0.checked_sub(self.first)? as usize;
        let record = self.window.get_mut(index)?.take()?;
        self.count -= 1;
        while let Some(None) = self.window.front() {
            self.window.pop_front();
            self.first += 1;
        }
        Some(record)
    }

    pub(crate) fn prompts(&self) -> impl Iterator<Item = &Prompt> {
        self.window.iter().flatten().map(|record| &record.prompt)
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            arrived: SimTime::ZERO,
            first_token: None,
            prompt: Prompt::new(1, [].into()),
            output_tokens: 1,
            session: sim_api::SessionId(0),
            priority: 0,
        }
    }

    #[test]
    fn the_window_slides_over_finished_and_skipped_requests() {
        let mut table = InFlight::default();
        for id in [3, 4, 7] {
            table.insert(RequestId(id), record());
        }
        assert!(table.remove(RequestId(5)).is_none());
        assert!(table.remove(RequestId(3)).is_some());
        assert!(table.remove(RequestId(3)).is_none());
        assert!(table.remove(RequestId(4)).is_some());
        assert_eq!(table.window.len(), 1);
        assert!(table.get_mut(RequestId(7)).is_some());
        assert_eq!(table.len(), 1);
        assert!(table.remove(RequestId(7)).is_some());
        table.insert(RequestId(9), record());
        assert_eq!((table.len(), table.first), (1, 9));
    }
}
