//! What a connection does, and how long it is kept.

use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eio_core::Instant;

use crate::wire::clock::Clock;
use crate::wire::clock::LATE;
use crate::wire::session_id::SessionId;

/// How much longer a connection is kept than was announced: a request that leaves in the last moment of the promise
/// is still on its way when that moment passes here.
const MARGIN: Duration = Duration::from_secs(2);

/// How long a connection that is to end may do nothing.
const LEAVING: Duration = Duration::from_secs(5);

/// How long a connection is kept at least when it was worth keeping at the last look.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The time that a connection has for each thing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For the head of a request.
    pub(crate) head: Duration,
    /// Twice this is the time for each piece of an answer to be taken.
    pub(crate) request: Duration,
    /// Between requests, where a session may need the connection.
    pub(crate) idle: Duration,
    /// Between requests elsewhere.
    pub(crate) spare: Duration,
}

/// What to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Keep it, and look again then.
    Keep(Instant),
    /// Let it finish what it is writing, and close it.
    Close,
    /// Drop it.
    Hopeless,
}

/// Which connection a request came on: in its extensions, for the service that knows whose request it is.
#[derive(Clone, Debug)]
pub(crate) struct CameOn(pub(crate) Arc<Activity>);

/// What the requests of a connection are doing, as its parts report it.
#[derive(Debug)]
pub(crate) struct Activity {
    clock: Clock,
    doing: Mutex<Doing>,
}

#[derive(Debug)]
struct Doing {
    opened: Instant,
    /// There was a request at all.
    spoke: bool,
    /// HTTP/2 says things between requests, too.
    http2: bool,
    /// How many requests wait for their answer.
    under_way: usize,
    /// How many answers have more to come.
    answering: usize,
    /// The peer takes nothing at present.
    stuck: bool,
    /// When a request was last answered, or a piece of an answer was last asked for.
    stirred: Instant,
    /// When the first byte since the last answer came in.
    head_began: Option<Instant>,
    /// Until when the latest answer has promised to keep the connection.
    promised: Instant,
    /// Whose request came last.
    carried: Option<SessionId>,
    /// For how long the client of the present request may be silent.
    max_silence: Duration,
    /// The end of its time that was noticed late, and so put off.
    put_off: Option<Instant>,
}

impl Activity {
    pub(crate) fn begin(clock: Clock) -> Arc<Self> {
        let now = clock.now();
        let doing = Doing {
            opened: now,
            spoke: false,
            http2: false,
            under_way: 0,
            answering: 0,
            stuck: false,
            stirred: now,
            head_began: None,
            promised: now,
            carried: None,
            max_silence: Duration::ZERO,
            put_off: None,
        };
        Arc::new(Self { clock, doing: Mutex::new(doing) })
    }

    fn lock(&self) -> MutexGuard<'_, Doing> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The present request is that of a session, whose client may be silent for so long.
    pub(crate) fn carries(&self, id: SessionId, max_silence: Duration) {
        let mut doing = self.lock();
        doing.carried = Some(id);
        doing.max_silence = max_silence;
    }

    /// Whether a request has yet to begin, or is not there as a whole.
    pub(crate) fn awaits_head(&self) -> bool {
        let doing = self.lock();
        !doing.spoke || (doing.head_began.is_some() && !doing.http2)
    }

    /// Bytes came in.
    pub(crate) fn received(&self) {
        let mut doing = self.lock();
        if doing.head_began.is_none() && doing.under_way == 0 {
            doing.head_began = Some(self.clock.now());
        }
    }

    /// Something was written, or could not be.
    pub(crate) fn wrote(&self, stuck: bool) {
        self.lock().stuck = stuck;
    }

    /// How long the connection is kept after the answer that is about to leave: as long as any idle one, or as long as
    /// the client of a session may be silent.
    ///
    /// What an earlier answer has promised holds all the same.
    pub(crate) fn promise(&self, patience: Patience) -> Duration {
        let mut doing = self.lock();
        let hold = doing.idle(patience).max(doing.max_silence);
        doing.promised = doing.promised.max(self.clock.now().saturating_add(hold));
        hold
    }

    /// A piece of an answer was asked for: the one before was taken.
    pub(crate) fn answers(&self) {
        self.lock().stirred = self.clock.now();
    }

    /// What to do now. `leaving` says since when the connection is to end; `needed` until when a session that it
    /// carried may want it back.
    pub(crate) fn judge(
        &self,
        patience: Patience,
        leaving: Option<Instant>,
        needed: impl FnOnce(SessionId) -> Option<Instant>,
    ) -> Verdict {
        let now = self.clock.now();
        let mut doing = self.lock();
        let within = |since: Instant, limit| match since.saturating_add(limit) {
            until if now < until => Verdict::Keep(until),
            _ => Verdict::Hopeless,
        };
        if doing.under_way > 0 {
            return Verdict::Keep(now.saturating_add(patience.request.min(patience.idle)));
        }
        if let Some(since) = leaving {
            return within(since.max(doing.stirred), patience.request.min(LEAVING));
        }
        if doing.answering > 0 || doing.stuck {
            return within(doing.stirred, patience.request.saturating_mul(2));
        }
        if !doing.spoke {
            return within(doing.opened, patience.head);
        }
        if let Some(since) = doing.head_began
            && !doing.http2
        {
            return within(since, patience.head);
        }
        let until =
            doing.stirred.saturating_add(doing.idle(patience)).max(doing.promised).saturating_add(MARGIN);
        if now < until {
            return Verdict::Keep(until);
        }
        // After a stall of the process the next request may be here, unread.
        let is_late = now.saturating_duration_since(until) > LATE;
        if is_late && doing.put_off.replace(until) != Some(until) {
            return Verdict::Keep(now.saturating_add(LOOK_AGAIN));
        }
        match doing.carried.and_then(needed) {
            Some(until) => Verdict::Keep(until.max(now.saturating_add(LOOK_AGAIN))),
            None => Verdict::Close,
        }
    }
}

impl Doing {
    /// How long the connection may be idle after the present request.
    fn idle(&self, patience: Patience) -> Duration {
        if self.max_silence.is_zero() { patience.spare } else { patience.idle }
    }
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<Activity>);

impl UnderWay {
    pub(crate) fn begin(activity: &Arc<Activity>, http2: bool) -> Self {
        let mut doing = activity.lock();
        doing.under_way += 1;
        doing.spoke = true;
        doing.http2 = http2;
        doing.head_began = None;
        doing.max_silence = Duration::ZERO;
        drop(doing);
        Self(Arc::clone(activity))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut doing = self.0.lock();
        doing.under_way -= 1;
        doing.stirred = self.0.clock.now();
    }
}

/// An answer that has more to come.
#[derive(Debug)]
pub(crate) struct Answering(pub(crate) Arc<Activity>);

impl Answering {
    pub(crate) fn begin(activity: &Arc<Activity>) -> Self {
        activity.lock().answering += 1;
        Self(Arc::clone(activity))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let mut doing = self.0.lock();
        doing.answering -= 1;
        doing.stirred = self.0.clock.now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        head: Duration::from_secs(10),
        request: Duration::from_secs(10),
        idle: Duration::from_mins(1),
        spare: Duration::from_mins(1),
    };

    async fn after(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    /// The verdict on a connection that carried no session; for how many whole seconds a kept one is kept.
    fn verdict(activity: &Activity) -> Result<u64, Verdict> {
        match activity.judge(PATIENCE, None, |_| None) {
            Verdict::Keep(until) => Ok(until.saturating_duration_since(activity.clock.now()).as_secs()),
            end => Err(end),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_has_the_time_of_a_head_for_its_first_request() {
        let activity = Activity::begin(Clock::start());
        assert_eq!(verdict(&activity), Ok(10));
        activity.received();
        after(9).await;
        activity.received();
        assert_eq!(verdict(&activity), Ok(1));
        after(1).await;
        assert_eq!(verdict(&activity), Err(Verdict::Hopeless));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_has_all_the_time_and_its_answer_twice_that_of_a_request() {
        let activity = Activity::begin(Clock::start());
        let request = UnderWay::begin(&activity, false);
        after(1_000).await;
        assert!(verdict(&activity).is_ok());
        let answering = Answering::begin(&activity);
        drop(request);
        assert_eq!(verdict(&activity), Ok(20));
        after(19).await;
        activity.answers();
        assert_eq!(verdict(&activity), Ok(20));
        after(20).await;
        assert_eq!(verdict(&activity), Err(Verdict::Hopeless));
        drop(answering);
        assert_eq!(verdict(&activity), Ok(62));
        // The kernel has not got all of it.
        activity.wrote(true);
        assert_eq!(verdict(&activity), Ok(20));
        activity.wrote(false);
        assert_eq!(verdict(&activity), Ok(62));
    }

    #[tokio::test(start_paused = true)]
    async fn between_requests_a_connection_is_kept_for_the_idle_time_or_what_was_promised_and_a_margin() {
        let activity = Activity::begin(Clock::start());
        drop(UnderWay::begin(&activity, false));
        assert_eq!(verdict(&activity), Ok(62));
        activity.carries(SessionId::random().unwrap(), Duration::from_secs(100));
        assert_eq!(activity.promise(PATIENCE), Duration::from_secs(100));
        assert_eq!(verdict(&activity), Ok(102));
        after(102).await;
        assert_eq!(verdict(&activity), Err(Verdict::Close));
        // Half a head is no idle time.
        activity.received();
        assert_eq!(verdict(&activity), Ok(10));
        drop(UnderWay::begin(&activity, false));
        assert_eq!(activity.promise(PATIENCE), PATIENCE.idle);
        assert_eq!(verdict(&activity), Ok(62));
    }

    #[tokio::test(start_paused = true)]
    async fn while_room_is_short_a_request_that_no_session_needs_extends_no_promise() {
        let pressed = Patience { spare: Duration::from_secs(1), ..PATIENCE };
        let kept = |activity: &Activity| match activity.judge(pressed, None, |_| None) {
            Verdict::Keep(until) => until.saturating_duration_since(activity.clock.now()).as_secs(),
            end => panic!("{end:?}"),
        };
        let activity = Activity::begin(Clock::start());
        drop(UnderWay::begin(&activity, false));
        assert_eq!(activity.promise(PATIENCE), PATIENCE.idle);
        after(30).await;
        drop(UnderWay::begin(&activity, false));
        assert_eq!(activity.promise(pressed), pressed.spare);
        assert_eq!(kept(&activity), 32, "the promise holds");
        activity.carries(SessionId::random().unwrap(), Duration::from_secs(45));
        assert_eq!(activity.promise(pressed), PATIENCE.idle);
        assert_eq!(kept(&activity), 62);
        let newcomer = Activity::begin(Clock::start());
        drop(UnderWay::begin(&newcomer, false));
        assert_eq!((newcomer.promise(pressed), kept(&newcomer)), (pressed.spare, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn http_2_may_say_things_between_requests() {
        let activity = Activity::begin(Clock::start());
        drop(UnderWay::begin(&activity, true));
        activity.received();
        assert_eq!(verdict(&activity), Ok(62));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_carried_a_living_session_is_kept_until_that_sessions_deadline() {
        let activity = Activity::begin(Clock::start());
        let id = SessionId::random().unwrap();
        drop(UnderWay::begin(&activity, false));
        activity.carries(id, Duration::from_secs(45));
        after(62).await;
        let now = activity.clock.now();
        let deadline = now.saturating_add(Duration::from_secs(7));
        let judge = |needed: Option<Instant>| {
            activity.judge(PATIENCE, None, |asked| {
                assert_eq!(asked, id);
                needed
            })
        };
        assert_eq!(judge(Some(deadline)), Verdict::Keep(deadline));
        assert_eq!(judge(Some(now)), Verdict::Keep(now.saturating_add(LOOK_AGAIN)));
        assert_eq!(judge(None), Verdict::Close);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_comes_late_closes_nothing_that_may_have_spoken_meanwhile() {
        let activity = Activity::begin(Clock::start());
        drop(UnderWay::begin(&activity, false));
        after(100).await;
        assert_eq!(verdict(&activity), Ok(1));
        after(1).await;
        assert_eq!(verdict(&activity), Err(Verdict::Close));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_to_end_has_five_seconds_for_its_last_words() {
        let activity = Activity::begin(Clock::start());
        drop(UnderWay::begin(&activity, false));
        after(62).await;
        let since = activity.clock.now();
        let judge = || activity.judge(PATIENCE, Some(since), |_| None);
        assert_eq!(judge(), Verdict::Keep(since.saturating_add(LEAVING)));
        after(5).await;
        assert_eq!(judge(), Verdict::Hopeless);
    }
}
