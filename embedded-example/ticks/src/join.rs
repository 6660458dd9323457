//! How long a board waits for a Socket.IO server to answer.

use core::time::Duration;

use eio_embassy::ClientSettings;
use eio_embassy::socketio::{Socket, SocketError};

use crate::clock;
use crate::fakes::{OPEN, Task, open_with};
use crate::session::{assert_on_time, epochs, phases};

#[test]
fn a_server_that_does_not_let_in_is_waited_for_as_long_as_asked() {
    let _clock = clock::clock();
    for epoch in epochs() {
        for phase in phases() {
            clock::start_at(epoch);
            let (mut client, _server) = open_with(&ClientSettings::DEFAULT, 512, 512, OPEN);
            clock::forget_alarms();
            clock::advance_units(phase);
            let timeout = Duration::from_millis(7);
            let asked_at = clock::moment();
            let task = Task::new();
            let mut join = Box::pin(Socket::join(&mut client, "/devices", "", timeout));
            assert!(task.poll(join.as_mut()).is_pending());
            clock::advance_to(clock::next_alarm().expect("an alarm"));
            let joined = task.poll(join.as_mut());
            assert!(matches!(joined, core::task::Poll::Ready(Err(SocketError::Timeout))));
            assert_on_time(timeout, clock::moment().since(asked_at));
        }
    }
}
