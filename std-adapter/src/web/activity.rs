//! The activity of a connection, which decides how long the connection is kept.

use core::sync::atomic::Ordering;
use core::time::Duration;
use std::sync::{Arc, PoisonError};

use eio_core::Instant;

use crate::wire::clock::Clock;
use crate::wire::clock::LATE;
use crate::wire::session_id::SessionId;
use crate::wire::sync::{AtomicBool, Mutex, MutexGuard};

/// How much longer a connection is kept than announced: a request that the client sends at the last moment is still on
/// its way when that moment passes here.
const MARGIN: Duration = Duration::from_secs(2);

/// How long a connection may make no progress while the server shuts it down. Bytes that the peer takes are progress.
const LEAVING: Duration = Duration::from_secs(5);

/// The shortest time until a connection that is kept is checked again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The time limits of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// The time for the head of a request.
    pub(crate) head: Duration,
    /// Half of the time in which the client must take the whole of each piece of an answer.
    pub(crate) request: Duration,
    /// The time between requests, if a session may need the connection.
    pub(crate) idle: Duration,
    /// The time between requests otherwise.
    pub(crate) spare: Duration,
}

/// The decision about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Keep the connection, and check it again at this time.
    Keep(Instant),
    /// Let the connection finish its write, and close it.
    Close,
    /// Drop the connection at once.
    Drop,
}

/// The connection of a request. It is in the request's extensions, so that the service can report the request's session.
#[derive(Clone, Debug)]
pub(crate) struct CameOn(pub(crate) Arc<Activity>);

/// The state of a connection's requests, as the parts of the connection report it.
#[derive(Debug)]
pub(crate) struct Activity {
    clock: Clock,
    /// Whether the answer to the current request opens a session on a WebSocket.
    opens: AtomicBool,
    /// Whether that answer is held back, for the session to write it.
    holds_back: AtomicBool,
    doing: Mutex<Doing>,
}

#[derive(Debug)]
struct Doing {
    opened: Instant,
    /// Whether the connection has carried a request.
    had_request: bool,
    /// Whether the connection speaks HTTP/2, in which bytes may arrive between requests.
    http2: bool,
    /// The number of requests that wait for their answer.
    under_way: usize,
    /// The answers that have not been written completely.
    answers: Vec<Answer>,
    /// The number of the next answer.
    next_answer: u64,
    /// Since when the peer has taken no bytes, if there are some for it.
    stuck: Option<Instant>,
    /// When the peer last took bytes.
    last_taken: Instant,
    /// When a request was last answered, or any answer last made progress.
    last_progress: Instant,
    /// When the first byte after the last answer arrived.
    head_began: Option<Instant>,
    /// Until when the latest answer has promised to keep the connection.
    promised: Instant,
    /// The session of the last request.
    carried: Option<SessionId>,
    /// How long the client of the current request may be silent.
    max_silence: Duration,
    /// A deadline that was noticed late, and was therefore postponed once.
    postponed: Option<Instant>,
    /// The time, while the connection is polled: everything that happens then has happened now.
    polled_at: Option<Instant>,
}

/// An answer that has not been written completely.
#[derive(Debug)]
struct Answer {
    number: u64,
    /// How many [`Answering`] there are of it.
    holders: usize,
    /// When its next piece was last requested, or a piece of it was written.
    last_progress: Instant,
}

impl Activity {
    pub(crate) fn begin(clock: Clock) -> Arc<Self> {
        let now = clock.now();
        let doing = Doing {
            opened: now,
            had_request: false,
            http2: false,
            under_way: 0,
            answers: Vec::new(),
            next_answer: 0,
            stuck: None,
            last_taken: now,
            last_progress: now,
            head_began: None,
            promised: now,
            carried: None,
            max_silence: Duration::ZERO,
            postponed: None,
            polled_at: None,
        };
        Arc::new(Self {
            clock,
            opens: AtomicBool::new(false),
            holds_back: AtomicBool::new(false),
            doing: Mutex::new(doing),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Doing> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the connection is polled until the next [`judge`](Self::judge).
    pub(crate) fn begin_poll(&self) {
        self.lock().polled_at = Some(self.clock.now());
    }

    /// Reports that the current request belongs to a session, whose client may be silent for `max_silence`.
    pub(crate) fn carries(&self, id: SessionId, max_silence: Duration) {
        let mut doing = self.lock();
        doing.carried = Some(id);
        doing.max_silence = max_silence;
    }

    /// Reports that the answer to the current request opens a session on a WebSocket, which has more to write at once.
    pub(crate) fn opens_websocket(&self) {
        self.opens.store(true, Ordering::Relaxed);
    }

    /// Holds the next answer back if it opens a session on a WebSocket. The session takes the connection over, and writes
    /// the answer together with its first packet.
    pub(crate) fn hold_back_opening(&self) {
        self.holds_back.store(self.opens.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Returns whether what is written now is held back.
    pub(crate) fn holds_back(&self) -> bool {
        self.holds_back.load(Ordering::Relaxed)
    }

    /// Returns whether the first request has not begun, or the head of a request is incomplete.
    pub(crate) fn awaits_head(&self) -> bool {
        let doing = self.lock();
        !doing.had_request || (doing.head_began.is_some() && !doing.http2)
    }

    /// Reports that bytes arrived.
    pub(crate) fn received(&self) {
        let mut doing = self.lock();
        if doing.head_began.is_none() && doing.under_way == 0 {
            doing.head_began = Some(doing.now(self.clock));
        }
    }

    /// Reports a write. `stuck` says that the peer took no bytes.
    pub(crate) fn wrote(&self, stuck: bool) {
        let mut doing = self.lock();
        let now = doing.now(self.clock);
        if stuck {
            doing.stuck.get_or_insert(now);
        } else {
            doing.stuck = None;
            doing.last_taken = now;
        }
    }

    /// Returns whether the peer has not taken the whole of an answer.
    pub(crate) fn is_answering(&self) -> bool {
        self.lock().is_answering()
    }

    /// Returns how long the connection is kept after the answer that is about to be written: as long as other idle
    /// connections, or longer if the client of a session may be silent longer.
    ///
    /// A promise of an earlier answer still holds.
    pub(crate) fn promise(&self, patience: Patience) -> Duration {
        let mut doing = self.lock();
        let hold = doing.idle(patience).max(doing.max_silence);
        // The client counts from here, and the application's code may have taken its time.
        doing.promised = doing.promised.max(self.clock.now().saturating_add(hold));
        hold
    }

    /// Decides what to do with the connection now. `leaving` is the time at which its shutdown began, if it has. `needed`
    /// returns until when a session that the connection carried may need it again.
    pub(crate) fn judge(
        &self,
        patience: Patience,
        leaving: Option<Instant>,
        needed: impl FnOnce(SessionId) -> Option<Instant>,
    ) -> Verdict {
        let mut doing = self.lock();
        let now = doing.polled_at.take().unwrap_or_else(|| self.clock.now());
        let keep = |until| if now < until { Verdict::Keep(until) } else { Verdict::Drop };
        let within = |since: Instant, limit| keep(since.saturating_add(limit));
        let to_take = patience.request.saturating_mul(2);
        let untaken = match doing.untaken_since().map(|since| since.saturating_add(to_take)) {
            None => None,
            Some(deadline) => match doing.remains_until(deadline, now) {
                None => return Verdict::Drop,
                until => until,
            },
        };
        if doing.under_way > 0 {
            let until = now.saturating_add(patience.request.min(patience.idle));
            return Verdict::Keep(untaken.map_or(until, |untaken| untaken.min(until)));
        }
        if let Some(since) = leaving {
            let since = since.max(doing.last_progress);
            let next = since.max(doing.last_taken).saturating_add(patience.request.min(LEAVING));
            return keep(next.min(since.saturating_add(to_take)));
        }
        if let Some(until) = untaken
            && !doing.answers.is_empty()
        {
            return Verdict::Keep(until);
        }
        if doing.stuck.is_some() {
            return within(doing.last_progress, to_take);
        }
        if !doing.had_request {
            return within(doing.opened, patience.head);
        }
        if let Some(since) = doing.head_began
            && !doing.http2
        {
            return within(since, patience.head);
        }
        let until = doing
            .last_progress
            .saturating_add(doing.idle(patience))
            .max(doing.promised)
            .saturating_add(MARGIN);
        if let Some(until) = doing.remains_until(until, now) {
            return Verdict::Keep(until);
        }
        match doing.carried.and_then(needed) {
            Some(until) => Verdict::Keep(until.max(now.saturating_add(LOOK_AGAIN))),
            None => Verdict::Close,
        }
    }
}

impl Doing {
    fn now(&self, clock: Clock) -> Instant {
        self.polled_at.unwrap_or_else(|| clock.now())
    }

    fn is_answering(&self) -> bool {
        !self.answers.is_empty() || self.stuck.is_some()
    }

    /// Returns since when the peer has not taken what it should take. On HTTP/2, the progress of one answer is none of another,
    /// and the peer takes bytes of the one while it leaves the other.
    fn untaken_since(&self) -> Option<Instant> {
        self.answers.iter().map(|answer| answer.last_progress).chain(self.stuck).min()
    }

    /// Returns how long a connection is kept that has time until `deadline`, or `None` if that has passed. After a stall of
    /// the process, what the peer did in time may have arrived without being read, so a deadline that is noticed late is
    /// postponed once.
    fn remains_until(&mut self, deadline: Instant, now: Instant) -> Option<Instant> {
        if now < deadline {
            return Some(deadline);
        }
        let is_late = now.saturating_duration_since(deadline) > LATE;
        let is_new = is_late && self.postponed.replace(deadline) != Some(deadline);
        is_new.then(|| now.saturating_add(LOOK_AGAIN))
    }

    /// Notes the progress of an answer, which afterwards has as many holders as `count` makes of their number.
    fn progresses(&mut self, number: u64, clock: Clock, count: impl FnOnce(usize) -> usize) {
        let now = self.now(clock);
        self.last_progress = now;
        let mut answers = self.answers.iter_mut().enumerate();
        if let Some((at, answer)) = answers.find(|(_, answer)| answer.number == number) {
            answer.last_progress = now;
            answer.holders = count(answer.holders);
            if answer.holders == 0 {
                self.answers.swap_remove(at);
            }
        }
    }

    /// Returns how long the connection may be idle after the current request.
    fn idle(&self, patience: Patience) -> Duration {
        if self.max_silence.is_zero() { patience.spare } else { patience.idle }
    }
}

/// A request that waits for its answer. Dropping it reports the answer.
#[derive(Debug)]
pub(crate) struct UnderWay(Arc<Activity>);

impl UnderWay {
    pub(crate) fn begin(activity: &Arc<Activity>, http2: bool) -> Self {
        let mut doing = activity.lock();
        doing.under_way += 1;
        doing.had_request = true;
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
        doing.last_progress = doing.now(self.0.clock);
    }
}

/// A holder of an answer that has not been written completely: its body, or a piece of it that the connection has yet to
/// write. Once all of them are dropped, the answer has been written.
#[derive(Debug)]
pub(crate) struct Answering {
    activity: Arc<Activity>,
    number: u64,
}

impl Answering {
    pub(crate) fn begin(activity: &Arc<Activity>) -> Self {
        let mut doing = activity.lock();
        let number = doing.next_answer;
        doing.next_answer = number.wrapping_add(1);
        let last_progress = doing.now(activity.clock);
        if doing.answers.is_empty() {
            // HTTP/1 has no second answer, or hardly ever.
            doing.answers.reserve_exact(1);
        }
        doing.answers.push(Answer { number, holders: 1, last_progress });
        drop(doing);
        Self { activity: Arc::clone(activity), number }
    }

    /// Returns the holder of the next piece, which was requested.
    pub(crate) fn next_piece(&self) -> Self {
        self.activity.lock().progresses(self.number, self.activity.clock, |holders| holders + 1);
        Self { activity: Arc::clone(&self.activity), number: self.number }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.activity
            .lock()
            .progresses(self.number, self.activity.clock, |holders| holders.saturating_sub(1));
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

    /// Returns the decision about a connection that carried no session: for a kept one, the whole seconds until the next
    /// check.
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
        assert_eq!(verdict(&activity), Err(Verdict::Drop));
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
        let piece = answering.next_piece();
        assert_eq!(verdict(&activity), Ok(20));
        after(20).await;
        assert_eq!(verdict(&activity), Err(Verdict::Drop));
        drop(answering);
        assert_eq!(verdict(&activity), Ok(20), "the last piece has not been written");
        drop(piece);
        assert_eq!(verdict(&activity), Ok(62));
        // The kernel has not taken all of the answer.
        activity.wrote(true);
        assert_eq!(verdict(&activity), Ok(20));
        activity.wrote(false);
        assert_eq!(verdict(&activity), Ok(62));
    }

    #[tokio::test(start_paused = true)]
    async fn each_answer_is_judged_by_its_own_progress_whatever_else_is_under_way() {
        let activity = Activity::begin(Clock::start());
        let _poll = UnderWay::begin(&activity, true);
        let left = Answering::begin(&activity);
        let piece = left.next_piece();
        after(8).await;
        let taken = Answering::begin(&activity);
        for until in [10, 8] {
            drop(taken.next_piece());
            activity.wrote(false);
            assert_eq!(verdict(&activity), Ok(until));
            after(4).await;
        }
        drop(UnderWay::begin(&activity, true));
        after(4).await;
        assert_eq!(verdict(&activity), Err(Verdict::Drop));
        drop((left, piece));
        assert_eq!(verdict(&activity), Ok(10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_no_bytes_is_dropped_whatever_is_under_way() {
        let activity = Activity::begin(Clock::start());
        let _poll = UnderWay::begin(&activity, true);
        after(100).await;
        activity.wrote(true);
        assert_eq!(verdict(&activity), Ok(10));
        after(15).await;
        activity.wrote(true);
        assert_eq!(verdict(&activity), Ok(5));
        activity.wrote(false);
        activity.wrote(true);
        after(20).await;
        assert_eq!(verdict(&activity), Err(Verdict::Drop));
    }

    #[tokio::test(start_paused = true)]
    async fn between_requests_a_connection_is_kept_for_the_idle_time_or_what_was_promised_and_a_margin() {
        let activity = Activity::begin(Clock::start());
        drop(UnderWay::begin(&activity, false));
        assert_eq!(verdict(&activity), Ok(62));
        activity.carries(SessionId::random(None).unwrap(), Duration::from_secs(100));
        assert_eq!(activity.promise(PATIENCE), Duration::from_secs(100));
        assert_eq!(verdict(&activity), Ok(102));
        after(102).await;
        assert_eq!(verdict(&activity), Err(Verdict::Close));
        // The limit for heads applies to a connection that waits for the rest of a head.
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
        activity.carries(SessionId::random(None).unwrap(), Duration::from_secs(45));
        assert_eq!(activity.promise(pressed), PATIENCE.idle);
        assert_eq!(kept(&activity), 62);
        let newcomer = Activity::begin(Clock::start());
        drop(UnderWay::begin(&newcomer, false));
        assert_eq!((newcomer.promise(pressed), kept(&newcomer)), (pressed.spare, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn everything_in_one_poll_of_a_connection_happens_when_it_began_and_the_poll_ends_with_its_judgement()
     {
        let activity = Activity::begin(Clock::start());
        activity.begin_poll();
        after(4).await;
        drop(UnderWay::begin(&activity, false));
        assert_eq!(verdict(&activity), Ok(58));
        activity.received();
        assert_eq!(verdict(&activity), Ok(10));
        drop(UnderWay::begin(&activity, false));
        assert_eq!(verdict(&activity), Ok(62));
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
        let id = SessionId::random(None).unwrap();
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
        let _answering = Answering::begin(&activity);
        after(100).await;
        assert_eq!(verdict(&activity), Ok(1));
        after(1).await;
        assert_eq!(verdict(&activity), Err(Verdict::Drop));
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
        assert_eq!(judge(), Verdict::Drop);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_to_end_and_takes_its_last_words_bit_by_bit_has_the_time_of_an_answer() {
        let activity = Activity::begin(Clock::start());
        drop(UnderWay::begin(&activity, false));
        after(3).await;
        let since = activity.clock.now();
        let judge = || activity.judge(PATIENCE, Some(since), |_| None);
        for taken in [4, 8, 12, 16] {
            after(4).await;
            activity.wrote(false);
            activity.wrote(true);
            assert!(activity.is_answering());
            let until = since.saturating_add(Duration::from_secs(20.min(taken + 5)));
            assert_eq!(judge(), Verdict::Keep(until));
        }
        after(4).await;
        activity.wrote(false);
        assert_eq!(judge(), Verdict::Drop);
    }
}
