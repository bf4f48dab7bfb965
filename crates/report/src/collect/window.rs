//! A sliding window of per-request state.

use std::collections::VecDeque;

use sim_api::RequestId;

/// State by request. Requests are numbered as they arrive and leave in nearly
/// the same order, so only a window of the numbers is held.
#[derive(Clone, Debug)]
pub(crate) struct Window<T> {
    slots: VecDeque<Option<T>>,
    first: u32,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self {
            slots: VecDeque::new(),
            first: 0,
        }
    }
}

impl<T> Window<T> {
    /// Adds the state of a request. A number below those already left behind
    /// is ignored: the request has ended.
    pub(crate) fn insert(&mut self, id: RequestId, value: T) {
        if self.slots.is_empty() {
            self.first = self.first.max(id.0);
        }
        let Some(index) = id.0.checked_sub(self.first) else {
            return;
        };
        while self.slots.len() <= index as usize {
            self.slots.push_back(None);
        }
        self.slots[index as usize] = Some(value);
    }

    pub(crate) fn get_mut(&mut self, id: RequestId) -> Option<&mut T> {
        let index = id.0.checked_sub(self.first)?;
        self.slots.get_mut(index as usize)?.as_mut()
    }

    /// What is held, by ascending request.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }

    pub(crate) fn remove(&mut self, id: RequestId) -> Option<T> {
        let index = id.0.checked_sub(self.first)?;
        let value = self.slots.get_mut(index as usize)?.take()?;
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            self.first += 1;
        }
        Some(value)
    }

    /// The state of the request with the lowest number.
    pub(crate) fn front(&self) -> Option<&T> {
        self.slots.front()?.as_ref()
    }

    /// Takes the state of the request with the lowest number.
    pub(crate) fn pop_front(&mut self) -> Option<T> {
        self.front()?;
        let id = RequestId(self.first);
        self.remove(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_slides_over_requests_that_ended() {
        let mut window = Window::default();
        for id in [3, 4, 7] {
            window.insert(RequestId(id), id);
        }
        assert_eq!(window.remove(RequestId(5)), None);
        assert_eq!(window.remove(RequestId(4)), Some(4));
        assert_eq!(window.slots.len(), 5);
        assert_eq!(window.pop_front(), Some(3));
        assert_eq!(window.slots.len(), 1);
        assert_eq!(window.get_mut(RequestId(7)), Some(&mut 7));
        assert_eq!(window.get_mut(RequestId(3)), None);
        assert_eq!(window.pop_front(), Some(7));
        assert_eq!(window.pop_front(), None);
        window.insert(RequestId(2), 2);
        assert!(
            window.slots.is_empty(),
            "a request that ended does not come back"
        );
    }
}
