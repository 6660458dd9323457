//! How sessions over real sockets end: close frames of either side, orderly ends, resets.

use core::time::Duration;

use eio_core::DisconnectReason;
use eio_core::ws::{Close, CloseCode, ControlFrame};
use eio_tokio::{
    ClientEvent, CloseFrame, ConnectError, Disconnect, Observer, Server, SessionId, Socket, Transport,
};
use tokio::sync::mpsc;

use crate::support::{Events, Raw, Way, open_packet, scripted, serve};
use crate::traced::traced;

/// Passes on how sessions end.
struct Ends(mpsc::UnboundedSender<Disconnect>);

impl Observer for Ends {
    fn closed(&self, _: SessionId, end: &Disconnect) {
        let _ = self.0.send(end.clone());
    }
}

fn words(end: &Disconnect) -> Option<(u16, &str)> {
    end.close_frame.as_ref().map(|frame| (frame.code().as_u16(), frame.reason()))
}

fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    let close = Close::new(CloseCode::new(code), reason).unwrap();
    let mut frame = [0; ControlFrame::MAX_LEN];
    let len = ControlFrame::Close(Some(close)).encode(None, &mut frame).unwrap();
    frame[..len].to_vec()
}

fn reset(raw: Raw) {
    socket2::SockRef::from(&raw.0).set_linger(Some(Duration::ZERO)).unwrap();
    drop(raw);
}

/// A server on WebSocket that opens a session, and then does this.
async fn after_opening<R>(deed: impl Fn(Raw) -> R + Send + Sync + Copy + 'static) -> std::net::SocketAddr
where
    R: Future<Output = ()> + Send + 'static,
{
    scripted(move |mut raw| async move {
        let request = raw.request().await;
        raw.switch_protocols(&request).await;
        raw.text(&open_packet(25_000, 20_000, "")).await;
        deed(raw).await;
    })
    .await
}

#[tokio::test]
async fn a_servers_close_frame_is_kept_and_answered_with_its_code() {
    let address = after_opening(|mut raw| async move {
        raw.write(close_frame(4001, "bye")).await;
        assert_eq!(raw.any_frame().await, Some((8, 4001_u16.to_be_bytes().to_vec())));
    })
    .await;
    let events = Events::default();
    let client = events.watch(Way::WebSocket.client(address)).build().unwrap();
    let mut socket = client.connect().await.unwrap();
    let end = socket.recv().await.unwrap_err();
    assert_eq!((end.reason, words(&end)), (DisconnectReason::TransportClosed, Some((4001, "bye"))));
    let told = events.wait_for(|event| match event {
        ClientEvent::Closed(end) => Some(end.clone()),
        _ => None,
    });
    assert_eq!(told.await, end);
}

#[tokio::test]
async fn a_server_that_closes_before_its_handshake_says_why_there_is_no_session() {
    let address = scripted(|mut raw| async move {
        let request = raw.request().await;
        raw.switch_protocols(&request).await;
        raw.write(close_frame(1013, "full")).await;
        while raw.frame().await.is_some() {}
    })
    .await;
    let error = Way::WebSocket.client(address).build().unwrap().connect().await.unwrap_err();
    let ConnectError::Session(end) = &error else { panic!("{error}") };
    assert_eq!(words(end), Some((1013, "full")));
    assert!(error.to_string().contains("close frame 1013 (try again later) \"full\""), "{error}");
}

#[tokio::test]
async fn either_side_closes_with_words_that_the_other_side_hears() {
    let frame = |code, reason| CloseFrame::new(CloseCode::new(code), reason).unwrap();
    for way in [Way::WebSocket, Way::Polling] {
        let on_websocket = way == Way::WebSocket;
        let reason =
            if on_websocket { DisconnectReason::TransportClosed } else { DisconnectReason::PeerClose };

        let (ends, mut ended) = mpsc::unbounded_channel();
        let listen = |mut socket: Socket| async move { while socket.recv().await.is_ok() {} };
        let (_server, address) = serve(Server::builder(listen).observer(Ends(ends))).await;
        let socket = way.client(address).build().unwrap().connect().await.unwrap();
        socket.sender().close_with(frame(4001, "bye"));
        let end = ended.recv().await.unwrap();
        assert_eq!((end.reason, words(&end)), (reason, on_websocket.then_some((4001, "bye"))), "{way:?}");
        assert_eq!(socket.closed().await.reason, DisconnectReason::LocalClose);

        let leave = move |socket: Socket| async move { socket.close_with(frame(4002, "")) };
        let (_server, address) = serve(Server::builder(leave)).await;
        let socket = way.client(address).build().unwrap().connect().await.unwrap();
        let end = socket.closed().await;
        assert_eq!((end.reason, words(&end)), (reason, on_websocket.then_some((4002, ""))), "{way:?}");
    }
}

#[tokio::test]
async fn a_reset_and_an_orderly_end_are_two_things_to_a_client_and_one_word() {
    let reset = after_opening(|raw| async move { reset(raw) }).await;
    let closed = after_opening(|raw| async move { drop(raw) }).await;
    for (address, reason) in
        [(reset, DisconnectReason::TransportReset), (closed, DisconnectReason::TransportClosed)]
    {
        let opened = Way::WebSocket.client(address).build().unwrap().connect().await;
        let end = match opened {
            Ok(socket) => socket.closed().await,
            // The reset may come before the client has read the handshake.
            Err(ConnectError::Session(end)) => end,
            Err(error) => panic!("{error}"),
        };
        assert_eq!((end.reason, words(&end)), (reason, None));
        assert_eq!(end.reason.as_str(), "transport close");
    }
}

#[tokio::test]
async fn a_reset_and_an_orderly_end_are_two_things_to_a_server_and_one_word() {
    for (resets, reason) in
        [(true, DisconnectReason::TransportReset), (false, DisconnectReason::TransportClosed)]
    {
        let (ends, mut ended) = mpsc::unbounded_channel();
        let (opened, mut opens) = mpsc::unbounded_channel();
        let application = move |mut socket: Socket| {
            let _ = opened.send(());
            async move { while socket.recv().await.is_ok() {} }
        };
        let (_server, address) = serve(Server::builder(application).observer(Ends(ends))).await;
        let mut raw = Raw(tokio::net::TcpStream::connect(address).await.unwrap());
        raw.write(
            "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .await;
        opens.recv().await.unwrap();
        if resets {
            reset(raw);
        } else {
            // In order, though nothing was read: only the sending half ends.
            tokio::io::AsyncWriteExt::shutdown(&mut raw.0).await.unwrap();
        }
        let end = ended.recv().await.unwrap();
        assert_eq!((end.reason, end.transport), (reason, Transport::WebSocket));
        assert_eq!(end.reason.as_str(), "transport close");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sender_that_outlives_session_and_socket_keeps_no_messages() {
    for drops_first in [true, false] {
        // No request with data is answered, and no ping comes.
        let address = scripted(|mut raw| async move {
            if !raw.request().await.contains("sid=") {
                raw.answer("200 OK", &open_packet(300, 200, "")).await;
                raw.request().await;
            }
            core::future::pending::<()>().await;
        })
        .await;
        let client = Way::Polling.client(address).max_packets_per_payload(1).build().unwrap();
        let socket = client.connect().await.unwrap();
        let sender = socket.sender();
        let ((first, first_trace), (second, second_trace)) = (traced(), traced());
        socket.try_send(first).unwrap();
        socket.try_send(second).unwrap();
        let end = if drops_first {
            drop(socket);
            sender.closed().await
        } else {
            let end = sender.closed().await;
            assert!(second_trace.upgrade().is_some(), "it can be asked for");
            drop(socket);
            end
        };
        assert_eq!((end.reason, end.unsent), (DisconnectReason::PingTimeout, 1), "{drops_first}");
        assert!(first_trace.upgrade().is_none() && second_trace.upgrade().is_none(), "{drops_first}");
        assert!(sender.try_send("nobody").is_err());
    }
}
