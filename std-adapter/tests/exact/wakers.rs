//! Wakers may be of other people's making: none is called while a session is locked.

use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Wake, Waker};

use eio_tokio::{Sender, Server, Socket};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::Bytes;
use tower_service::Service as _;

use crate::support::{handing_out, settle};

/// Does nothing. Its owners are counted.
pub(crate) struct Counted;

impl Wake for Counted {
    fn wake(self: Arc<Self>) {}
}

/// Looks at the session whenever it is called, and notes whether that could be done.
struct Looking {
    session: Sender,
    looks: Mutex<Vec<bool>>,
}

impl Wake for Looking {
    fn wake(self: Arc<Self>) {
        let (looked, look) = mpsc::channel();
        let session = self.session.clone();
        // On a thread of its own: on this one a lock that is held would be waited for without end.
        std::thread::spawn(move || {
            let _ = session.transport();
            let _ = looked.send(());
        });
        let free = look.recv_timeout(Duration::from_secs(5)).is_ok();
        self.looks.lock().unwrap().push(free);
    }
}

impl Looking {
    fn at(session: Sender) -> Arc<Self> {
        Arc::new(Self { session, looks: Mutex::default() })
    }

    /// Polls `future` with this waker.
    fn poll<F: Future>(self: &Arc<Self>, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }

    #[track_caller]
    fn assert_woken(&self) {
        let looks = core::mem::take(&mut *self.looks.lock().unwrap());
        assert!(!looks.is_empty(), "it was not woken");
        assert!(looks.iter().all(|free| *free), "it was woken while the session was locked");
    }
}

/// A session on polling whose server is called without a connection, and whose inbox holds one message.
async fn open() -> (Server, Socket) {
    let (harness, mut sockets) = handing_out(|builder| builder.inbox(1, 1_000_000));
    call(&harness.server, "GET", "", "").await;
    (harness.server, sockets.recv().await.unwrap())
}

/// What a request is answered.
fn call(
    server: &Server,
    method: &str,
    sid: &str,
    body: &'static str,
) -> impl Future<Output = String> + use<> {
    let sid = if sid.is_empty() { String::new() } else { format!("&sid={sid}") };
    let uri = format!("/engine.io/?EIO=4&transport=polling{sid}");
    let request = Request::builder().header("host", "x").method(method).uri(uri);
    let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap();
    let answer = server.service().call(request);
    async move {
        let body = answer.await.unwrap().into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn a_poll_is_woken_by_a_message_and_by_the_end_with_the_session_unlocked() {
    let (server, socket) = open().await;
    let waker = Looking::at(socket.sender());
    let mut poll = pin!(call(&server, "GET", socket.id().as_str(), ""));
    assert!(waker.poll(poll.as_mut()).is_pending());
    socket.try_send("hello").unwrap();
    settle().await;
    waker.assert_woken();
    assert_eq!(poll.await, "4hello");

    let mut poll = pin!(call(&server, "GET", socket.id().as_str(), ""));
    assert!(waker.poll(poll.as_mut()).is_pending());
    settle().await;
    socket.close();
    settle().await;
    waker.assert_woken();
    assert_eq!(poll.await, "1");
}

#[tokio::test(start_paused = true)]
async fn a_request_with_data_is_woken_with_the_session_unlocked() {
    let (server, mut socket) = open().await;
    let waker = Looking::at(socket.sender());
    let mut post = pin!(call(&server, "POST", socket.id().as_str(), "4hello"));
    assert!(waker.poll(post.as_mut()).is_pending(), "the inbox is full");
    settle().await;
    assert!(waker.poll(post.as_mut()).is_pending(), "and all is told");
    waker.looks.lock().unwrap().clear();
    assert_eq!(socket.recv().await.unwrap().as_text(), Some("hello"));
    waker.assert_woken();
    assert_eq!(post.await, "ok");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_shutdown_is_woken_with_the_session_unlocked() {
    let (server, socket) = open().await;
    let waker = Looking::at(socket.sender());
    let mut shutdown = pin!(server.shutdown(Duration::from_mins(1)));
    assert!(waker.poll(shutdown.as_mut()).is_pending());
    settle().await;
    waker.looks.lock().unwrap().clear();
    assert_eq!(call(&server, "GET", socket.id().as_str(), "").await, "6\u{1e}1");
    settle().await;
    waker.assert_woken();
    drop(socket);
    assert!(shutdown.await.is_empty());
}
