//! What one pass brings about, kept until the outside may see it.

use std::collections::BTreeMap;

use sim_api::{
    Admitted, EngineSink, Feeds, KvChange, PassDurations, PassRecord, PassRun, Preempted,
    RequestId, Stamp, TokenGaps,
};
use sim_core::SimTime;

/// Something at the start of a pass.
#[derive(Clone, Copy, Debug)]
enum Started {
    Admitted(Admitted),
    Preempted(Preempted),
}

/// A token at the end of a pass.
#[derive(Clone, Copy, Debug)]
struct Token {
    request: RequestId,
    /// 1 for the first token of the request.
    ordinal: u32,
    last: bool,
}

/// One pass.
#[derive(Clone, Debug)]
pub(crate) struct PassReport {
    pub(crate) start: SimTime,
    pub(crate) end: SimTime,
    /// Stays empty if nobody asked for it.
    pub(crate) record: PassRecord,
    pub(crate) wants_record: bool,
    pub(crate) kv: Vec<KvChange>,
    started: Vec<Started>,
    start_told: bool,
    tokens: Vec<Token>,
    /// How many gaps begin at an instant.
    gaps: BTreeMap<SimTime, u32>,
}

impl PassReport {
    pub(crate) fn new(start: SimTime, feeds: Feeds) -> Self {
        Self {
            start,
            end: start,
            record: PassRecord::default(),
            wants_record: feeds.passes,
            kv: Vec::new(),
            started: Vec::new(),
            start_told: false,
            tokens: Vec::new(),
            gaps: BTreeMap::new(),
        }
    }

    pub(crate) fn admitted(&mut self, request: RequestId, cached_tokens: u32, again: bool) {
        self.started.push(Started::Admitted(Admitted {
            request,
            at: self.start,
            cached_tokens,
            again,
        }));
    }

    pub(crate) fn preempted(&mut self, request: RequestId) {
        self.started.push(Started::Preempted(Preempted {
            request,
            at: self.start,
        }));
    }

    /// A token at the end of the pass. `before` is the instant of the
    /// request's token before it, if it had one.
    pub(crate) fn token(
        &mut self,
        request: RequestId,
        ordinal: u32,
        last: bool,
        before: Option<SimTime>,
    ) {
        self.tokens.push(Token {
            request,
            ordinal,
            last,
        });
        if let Some(before) = before {
            *self.gaps.entry(before).or_default() += 1;
        }
    }

    pub(crate) fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    fn stamp(&self, at: SimTime) -> Stamp {
        Stamp {
            at,
            pass_start: self.start,
        }
    }

    /// Tells what belongs to the start of the pass, once.
    pub(crate) fn tell_start(
        &mut self,
        feeds: Feeds,
        kv_at_start: bool,
        sink: &mut dyn EngineSink,
    ) {
        if std::mem::replace(&mut self.start_told, true) {
            return;
        }
        for &started in &self.started {
            match started {
                Started::Admitted(admitted) => sink.admitted(admitted),
                Started::Preempted(preempted) => sink.preempted(preempted),
            }
        }
        if kv_at_start {
            self.tell_kv(feeds, self.start, sink);
        }
        if feeds.passes {
            sink.passes(PassRun {
                start: self.start,
                first: self.record,
                durations: PassDurations::Constant {
                    each: self.end - self.start,
                    passes: 1,
                },
            });
        }
    }

    /// Tells what becomes visible at the end of the pass.
    pub(crate) fn tell_end(&self, feeds: Feeds, kv_at_start: bool, sink: &mut dyn EngineSink) {
        let stamp = self.stamp(self.end);
        if !kv_at_start {
            self.tell_kv(feeds, self.end, sink);
        }
        for (&before, &requests) in &self.gaps {
            sink.gaps(TokenGaps {
                start: before,
                requests,
                durations: PassDurations::Constant {
                    each: self.end - before,
                    passes: 1,
                },
            });
        }
        for token in &self.tokens {
            match token.ordinal {
                1 => sink.first_token(stamp, token.request),
                2 => sink.second_token(stamp, token.request),
                _ => {}
            }
            if token.last {
                sink.completed(stamp, token.request);
            }
        }
    }

    fn tell_kv(&self, feeds: Feeds, at: SimTime, sink: &mut dyn EngineSink) {
        if feeds.kv {
            for &change in &self.kv {
                sink.kv(self.stamp(at), change);
            }
        }
    }
}
