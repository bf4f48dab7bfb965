//! Session affinity: the turns of a session stay on one worker.

use hashbrown::HashMap;
use rustc_hash::FxBuildHasher;
use sim_api::{
    Dispatch, Router, RouterError, RouterEvent, RouterNeeds, RoutingRequest, SessionId, WorkerId,
};
use sim_core::SimTime;

use super::roster::Roster;

/// Sessions that are remembered at least.
const SESSIONS: usize = 1 << 18;

/// Sends the requests of a session to the worker that had its last request,
/// while that is ready. A new session, and one whose worker takes no more
/// requests, goes to the worker with the fewest requests in flight, the lowest
/// id of several.
///
/// A router cannot know whether a session goes on, and most traces are of
/// single requests. So the table is bounded: the 262,144 sessions that were
/// seen last are remembered for certain, twice as many at most (some 10 MB); a
/// session that comes back after so many others is a new one. Sessions of a
/// worker that is gone are forgotten at once.
#[derive(Clone, Debug)]
pub struct SessionAffinity {
    roster: Roster,
    homes: Homes,
}

impl Default for SessionAffinity {
    fn default() -> Self {
        Self::new()
    }
}

impl SessionAffinity {
    /// A router without workers; events bring them.
    pub fn new() -> Self {
        Self {
            roster: Roster::default(),
            homes: Homes::of(SESSIONS),
        }
    }
}

impl Router for SessionAffinity {
    fn arrive(
        &mut self,
        _now: SimTime,
        request: &RoutingRequest,
        out: &mut Vec<Dispatch>,
    ) -> Result<(), RouterError> {
        let home = self.homes.take(request.session);
        let worker = match home.filter(|&worker| self.roster.is_ready(worker)) {
            Some(worker) => worker,
            None => self.roster.least_loaded(request.id)?,
        };
        self.homes.put(request.session, worker);
        out.push(self.roster.send(request.id, worker, None));
        Ok(())
    }

    fn on(
        &mut self,
        _now: SimTime,
        event: RouterEvent,
        _out: &mut Vec<Dispatch>,
    ) -> Result<(), RouterError> {
        if let RouterEvent::WorkerGone(id) = event {
            self.homes.forget(id);
        }
        self.roster.on(&event)
    }

    fn queued(&self) -> usize {
        0
    }

    fn needs(&self) -> RouterNeeds {
        RouterNeeds {
            kv: false,
            progress: true,
        }
    }
}

type Table = HashMap<SessionId, WorkerId, FxBuildHasher>;

/// Where sessions were last, for the `least` sessions seen last and at most
/// twice as many.
///
/// Two generations instead of a list by age: when the young one is full it
/// becomes the old one, and what was old is forgotten.
#[derive(Clone, Debug)]
struct Homes {
    least: usize,
    young: Table,
    old: Table,
}

impl Homes {
    fn of(least: usize) -> Self {
        Self {
            least,
            young: Table::default(),
            old: Table::default(),
        }
    }

    /// Where a session was, which is then forgotten.
    fn take(&mut self, session: SessionId) -> Option<WorkerId> {
        let young = self.young.remove(&session);
        young.or_else(|| self.old.remove(&session))
    }

    fn put(&mut self, session: SessionId, worker: WorkerId) {
        if self.young.len() >= self.least {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(session, worker);
    }

    fn forget(&mut self, worker: WorkerId) {
        for table in [&mut self.young, &mut self.old] {
            table.retain(|_, home| *home != worker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{choice, ready, request, tell};
    use sim_api::RequestId;

    fn router(workers: u32) -> SessionAffinity {
        let mut router = SessionAffinity::new();
        for id in 0..workers {
            tell(&mut router, ready(id));
        }
        router
    }

    #[test]
    fn a_session_stays_whatever_the_load_and_new_ones_go_where_there_is_least() {
        let mut router = router(3);
        for turn in 0..4 {
            assert_eq!(choice(&mut router, &request(turn, 9)), 0);
        }
        assert_eq!(choice(&mut router, &request(4, 1)), 1);
        assert_eq!(choice(&mut router, &request(5, 2)), 2);
        tell(&mut router, RouterEvent::Completed(RequestId(5)));
        assert_eq!(choice(&mut router, &request(6, 3)), 2);
        assert_eq!(choice(&mut router, &request(7, 9)), 0);
    }

    #[test]
    fn orphans_find_a_new_home_and_stay_there() {
        let mut router = router(2);
        assert_eq!(choice(&mut router, &request(0, 9)), 0);
        tell(&mut router, RouterEvent::WorkerDraining(WorkerId(0)));
        assert_eq!(choice(&mut router, &request(1, 9)), 1);
        tell(&mut router, ready(0));
        assert_eq!(choice(&mut router, &request(2, 9)), 1);
        // A worker that is gone takes its sessions with it, even if one of its id comes back.
        assert_eq!(choice(&mut router, &request(3, 5)), 0);
        tell(&mut router, RouterEvent::WorkerGone(WorkerId(0)));
        tell(&mut router, ready(0));
        assert!(!router.homes.young.contains_key(&SessionId(5)));
        assert!(router.homes.young.contains_key(&SessionId(9)));
    }

    #[test]
    fn the_last_sessions_are_remembered_and_the_table_is_bounded() {
        let mut homes = Homes::of(100);
        for session in 0..10_000 {
            homes.put(SessionId(session), WorkerId(session % 7));
            assert!(homes.young.len() + homes.old.len() <= 200);
        }
        for session in 9900..10_000 {
            let home = homes.take(SessionId(session));
            assert_eq!(home, Some(WorkerId(session % 7)), "{session}");
            homes.put(SessionId(session), WorkerId(session % 7));
        }
        assert_eq!(homes.take(SessionId(9000)), None);
    }
}
