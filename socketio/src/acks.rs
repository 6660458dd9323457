//! The acknowledgements that one socket waits for.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

/// The acknowledgements that one socket waits for, each with its identifier. `A` is what answers. An empty one owns no
/// memory: most sockets wait for nothing most of the time.
pub(crate) struct Acks<A>(BTreeMap<u64, oneshot::Sender<A>>);

impl<A> Default for Acks<A> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<A> Acks<A> {
    /// Begins to wait for the answer with this identifier. The receiver fails once the answer is given up: the socket has
    /// disconnected, or the identifier is waited for anew. Call [`forget`](Self::forget) if the receiver is dropped early.
    pub(crate) fn insert(&mut self, id: u64) -> oneshot::Receiver<A> {
        let (sender, receiver) = oneshot::channel();
        self.0.insert(id, sender);
        receiver
    }

    /// Hands an answer to the one who waits for it. Returns `false` if nobody does: the peer has made the identifier up,
    /// answers twice, or answers too late.
    #[cfg(any(feature = "server", test))]
    pub(crate) fn answer(&mut self, id: u64, answer: A) -> bool {
        self.take(id).is_some_and(|waiting| waiting.send(answer).is_ok())
    }

    /// Stops waiting for an answer, as after a timeout.
    pub(crate) fn forget(&mut self, id: u64) {
        self.take(id);
    }

    /// Takes those whose identifiers `keep` does not want. Dropping them gives up the answers, and wakes who waits for them.
    #[cfg(feature = "client")]
    #[must_use]
    pub(crate) fn take_unless(&mut self, mut keep: impl FnMut(u64) -> bool) -> Self {
        let (kept, gone) = std::mem::take(&mut self.0).into_iter().partition(|(id, _)| keep(*id));
        self.0 = kept;
        Self(gone)
    }

    /// Gives up all answers, as when the socket has disconnected.
    pub(crate) fn clear(&mut self) {
        self.0 = BTreeMap::new();
    }

    /// Returns how many answers are waited for.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes what hands an answer to the one who waits for it, which wakes that one. Dropping it gives the answer up.
    pub(crate) fn take(&mut self, id: u64) -> Option<oneshot::Sender<A>> {
        let taken = self.0.remove(&id);
        if self.0.is_empty() {
            // The map would keep its last node.
            self.clear();
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;

    #[test]
    fn an_answer_reaches_the_one_who_waits_for_it_and_only_once() {
        let mut acks = Acks::default();
        let (mut first, mut second) = (acks.insert(0), acks.insert(1));
        assert_eq!(acks.len(), 2);
        assert!(acks.answer(1, "for the second"));
        assert!(!acks.answer(1, "again"));
        assert_eq!(second.try_recv(), Ok("for the second"));
        assert_eq!(first.try_recv(), Err(TryRecvError::Empty));
        assert!(acks.answer(0, "for the first"));
        assert_eq!(first.try_recv(), Ok("for the first"));
        assert_eq!(acks.len(), 0);
    }

    #[test]
    fn an_identifier_that_nobody_has_asked_with_is_answered_in_vain() {
        let mut acks = Acks::default();
        let mut waiting = acks.insert(7);
        assert!(!acks.answer(8, ()));
        assert!(!acks.answer(u64::MAX, ()));
        assert_eq!(waiting.try_recv(), Err(TryRecvError::Empty));
    }

    #[test]
    fn an_answer_after_the_timeout_changes_nothing() {
        let mut acks = Acks::default();
        let mut late = acks.insert(3);
        acks.forget(3);
        acks.forget(3);
        assert_eq!(late.try_recv(), Err(TryRecvError::Closed));
        assert!(!acks.answer(3, ()));
        // One whose receiver was dropped without a word counts as unheard.
        drop(acks.insert(4));
        assert!(!acks.answer(4, ()));
        assert_eq!(acks.len(), 0);
    }

    #[test]
    fn a_disconnected_socket_gives_up_all_its_answers_at_once() {
        let mut acks = Acks::<()>::default();
        let mut waiting: Vec<_> = (0..100).map(|id| acks.insert(id)).collect();
        acks.clear();
        assert_eq!(acks.len(), 0);
        assert!(waiting.iter_mut().all(|answer| answer.try_recv() == Err(TryRecvError::Closed)));
    }

    #[cfg(feature = "client")]
    #[test]
    fn answers_to_what_was_not_sent_yet_outlive_the_connection() {
        let mut acks = Acks::default();
        let mut waiting: Vec<_> = (0..3).map(|id| acks.insert(id)).collect();
        drop(acks.take_unless(|id| id == 1));
        assert!(acks.answer(1, ()));
        let told: Vec<_> = waiting.iter_mut().map(oneshot::Receiver::try_recv).collect();
        assert_eq!(told, [Err(TryRecvError::Closed), Ok(()), Err(TryRecvError::Closed)]);
    }

    #[test]
    fn what_waits_for_nothing_is_three_words_long() {
        assert_eq!(size_of::<Acks<()>>(), 3 * size_of::<usize>());
    }
}
