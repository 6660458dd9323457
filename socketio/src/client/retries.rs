//! Sending events until the server answers them.
//!
//! As in the reference: one event of a namespace at a time, in order, and each attempt with a number of its own. An event
//! may arrive more than once.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use bytestring::ByteString;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::args::RawArgs;
use crate::client::namespace::{Answer, Key, Namespace, Phase};
use crate::client::outbox::Limit;
use crate::client::sending::NotPosted;
use crate::client::settings::Retries;
use crate::client::shared::{Shared, State};
use crate::errors::{AckError, EmitError};
use crate::sync::Notify;
use crate::targets;

/// How many events wait for their turn if none are kept while the client is away.
const MOST_PARCELS: Limit = Limit { count: 1024, bytes: 1024 * 1024 };

/// An event that is sent until it is answered.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) name: String,
    pub(super) args: RawArgs,
    /// What the answer goes to, if the application wants it.
    pub(super) answer: Option<oneshot::Sender<Answer>>,
}

impl Parcel {
    fn bytes(&self) -> usize {
        self.name.len() + self.args.byte_len()
    }
}

/// The events of some namespaces that were sent and neither answered nor given up at a moment: for each namespace, how many
/// it had taken by then.
#[derive(Default)]
pub(super) struct Unanswered(Vec<(Key, u64)>);

impl Unanswered {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether all of them have been answered or given up, or their namespaces were left or are out: nobody knows whether
    /// the application joins those again.
    pub(super) fn is_over(&self, state: &mut State) -> bool {
        self.0.iter().all(|(key, taken)| {
            state.get(key).is_none_or(|namespace| namespace.is_out() || namespace.parcels.over >= *taken)
        })
    }
}

impl State {
    /// Returns the events of a namespace, or of all that are not out, that are neither answered nor given up.
    pub(super) fn unanswered(&self, of: Option<&Key>) -> Unanswered {
        let unanswered = self.namespaces.iter().filter_map(|(name, namespace)| {
            let Namespace { number, parcels, .. } = namespace;
            let is_meant = of.is_none_or(|key| key.number == *number) && !namespace.is_out();
            let waits = is_meant && parcels.over < parcels.taken;
            waits.then(|| (Key { name: name.clone(), number: *number }, parcels.taken))
        });
        Unanswered(unanswered.collect())
    }
}

/// The events of one namespace that wait for their turn.
#[derive(Debug, Default)]
pub(super) struct Parcels {
    queue: VecDeque<Parcel>,
    bytes: usize,
    /// How many events were taken, and how many of them have been answered or given up.
    taken: u64,
    over: u64,
    /// Wakes the task that sends them.
    pub(super) added: Arc<Notify>,
    /// The task has it, until it ends or its runtime does.
    task: Weak<()>,
}

impl Parcels {
    fn push(&mut self, parcel: Parcel, limit: Limit) -> Result<(), Parcel> {
        if limit.is_reached(self.queue.len(), self.bytes) {
            return Err(parcel);
        }
        self.bytes += parcel.bytes();
        self.taken += 1;
        self.queue.push_back(parcel);
        self.added.notify_one();
        Ok(())
    }

    /// Returns how many events wait of whose loss nobody else is told.
    pub(super) fn unheard(&self) -> usize {
        self.queue.iter().filter(|parcel| parcel.answer.is_none()).count()
    }

    /// Returns all events that wait, which nobody will send.
    fn give_up(&mut self) -> VecDeque<Parcel> {
        // The one that was under way is gone with its task.
        self.over = self.taken;
        self.bytes = 0;
        std::mem::take(&mut self.queue)
    }

    /// Returns the event whose turn it is, after the one before it has been answered or given up.
    fn next(&mut self) -> Option<Parcel> {
        self.over = self.taken - self.queue.len() as u64;
        let parcel = self.queue.pop_front()?;
        self.bytes -= parcel.bytes();
        Some(parcel)
    }
}

/// The task that sends the events of a namespace. If its runtime ends, perhaps before the task has begun, the events are given
/// up.
struct Sending {
    shared: Arc<Shared>,
    key: Key,
    _task: Arc<()>,
}

impl Drop for Sending {
    fn drop(&mut self) {
        let unsent = {
            let mut state = self.shared.lock();
            // Somebody may wait until all are over.
            state.note_change();
            state.get(&self.key).map(|namespace| namespace.parcels.give_up())
        };
        // Without the lock: whoever waits for an answer is woken.
        drop(unsent);
    }
}

impl Shared {
    /// Takes an event to be sent until it is answered. Leaves it in `parcel` if there is no room.
    pub(super) fn post_parcel(&self, key: &Key, parcel: &mut Option<Parcel>) -> Result<(), NotPosted> {
        self.post_parcel_in(&mut self.lock(), key, parcel)
    }

    fn post_parcel_in(
        &self,
        state: &mut State,
        key: &Key,
        parcel: &mut Option<Parcel>,
    ) -> Result<(), NotPosted> {
        let limit = self.settings.away.unwrap_or(MOST_PARCELS);
        let namespace = state.get(key).filter(|namespace| !namespace.is_out());
        let Some(namespace) = namespace else { return Err(NotPosted::Ever(EmitError::Disconnected)) };
        if let Some(taken) = parcel.take() {
            namespace.parcels.push(taken, limit).map_err(|refused| {
                *parcel = Some(refused);
                NotPosted::Yet(EmitError::Full)
            })?;
        }
        Ok(())
    }

    /// Takes an event to be sent until it is answered, as soon as there is room for it.
    pub(super) async fn post_parcel_when_room(&self, key: &Key, parcel: Parcel) -> Result<(), EmitError> {
        let mut parcel = Some(parcel);
        self.until(|state| match self.post_parcel_in(state, key, &mut parcel) {
            Ok(()) => Some(Ok(())),
            Err(NotPosted::Yet(_)) => None,
            Err(NotPosted::Ever(error)) => Some(Err(error)),
        })
        .await
    }

    /// Starts the task that sends the events of a namespace until they are answered, unless there is one.
    pub(super) fn start_retries(self: &Arc<Self>, state: &mut State, name: &ByteString) {
        let (Some(retries), Some(runtime), Some(namespace)) =
            (self.settings.retries, &state.runtime, state.namespaces.get_mut(name))
        else {
            return;
        };
        let Namespace { number, parcels, .. } = namespace;
        if parcels.task.strong_count() == 0 {
            let task = Arc::new(());
            parcels.task = Arc::downgrade(&task);
            let (shared, added) = (Arc::clone(self), Arc::clone(&parcels.added));
            let key = Key { name: name.clone(), number: *number };
            let sending = Sending { shared, key, _task: task };
            let runtime = runtime.clone();
            state.spawn(runtime, async move {
                sending.shared.send_parcels(&sending.key, &added, retries).await;
            });
        }
    }

    /// Asks once, as soon as the namespace is connected.
    async fn try_once(&self, key: &Key, parcel: &Parcel, retries: Retries) -> Result<Answer, EmitError> {
        let (id, answer) = loop {
            // Also one that is out may be joined again.
            let is_connected = self.until(|state| match state.get(key) {
                Some(namespace) if matches!(namespace.phase, Phase::Connected) => Some(true),
                Some(namespace) if !namespace.has_given_up => None,
                _ => Some(false),
            });
            if !is_connected.await {
                return Err(EmitError::Disconnected);
            }
            match self.ask_when_room(key, &parcel.name, parcel.args.clone()).await {
                // It went out before there was room.
                Err(EmitError::Disconnected) => {}
                asked => break asked?,
            }
        };
        Ok(match timeout(retries.timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(AckError::Disconnected),
            Err(_) => {
                let given_up = self.lock().give_up_answer(key, id);
                drop(given_up);
                Err(AckError::Timeout)
            }
        })
    }

    /// Sends an event until it is answered, or has been sent often enough.
    async fn send_until_answered(&self, key: &Key, parcel: &Parcel, retries: Retries) -> Answer {
        let mut outcome = self.try_once(key, parcel, retries).await?;
        for _ in 0..retries.count {
            if !matches!(outcome, Err(AckError::Timeout | AckError::Disconnected)) {
                break;
            }
            // It was sent before and may have arrived, so its answer is not that it was not sent.
            let Ok(next) = self.try_once(key, parcel, retries).await else { break };
            outcome = next;
        }
        outcome
    }

    /// Sends the events of a namespace one after another, until it is left.
    async fn send_parcels(&self, key: &Key, added: &Notify, retries: Retries) {
        loop {
            let next = {
                let mut state = self.lock();
                let Some(namespace) = state.get(key) else { return };
                let next = namespace.parcels.next();
                // There is room for another, and somebody may wait for the one before.
                state.note_change();
                next
            };
            let Some(parcel) = next else {
                added.notified().await;
                continue;
            };
            let outcome = self.send_until_answered(key, &parcel, retries).await;
            match (parcel.answer, outcome) {
                (Some(answer), outcome) => drop(answer.send(outcome)),
                (None, Err(error)) => tracing::warn!(
                    target: targets::CLIENT,
                    namespace = %key.name,
                    event = %parcel.name,
                    %error,
                    "an event was given up"
                ),
                (None, Ok(_)) => {}
            }
        }
    }
}
