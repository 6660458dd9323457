//! Joining namespaces, being refused, and leaving.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use eio_socketio::client::{Client, Credentials, Incoming, JoinError, RecvError};
use eio_socketio::{AckError, Auth, Data, EmitError, Namespace, Refusal, Reply, Server, Value};
use futures_util::FutureExt as _;
use serde_json::json;
use tokio::sync::mpsc;

use crate::support::{Way, args, next, runtime, serve, soon};

#[derive(serde::Deserialize)]
struct Login {
    token: String,
}

async fn authenticate(Auth(login): Auth<Login>) -> Result<(), Refusal> {
    match login.token.as_str() {
        "right" => Ok(()),
        _ => Err(Refusal::new("wrong token").with_data(json!({ "code": 7 })).unwrap()),
    }
}

async fn greet(socket: eio_socketio::Socket, Auth(auth): Auth<Option<Value>>) -> Result<(), EmitError> {
    socket.emit("auth", auth)
}

fn server() -> Server {
    let who = async |socket: eio_socketio::Socket| Reply(socket.id().to_string());
    let plain = || Namespace::new().on_connect(greet).on("who", who);
    Server::builder()
        .namespace("/", plain())
        .namespace("/é ü", plain())
        .namespace("/admin", plain().middleware(authenticate))
        .build()
        .unwrap()
}

async fn client(way: Way) -> Client {
    way.client(&serve(&server()).await).build().unwrap()
}

#[tokio::test]
async fn several_namespaces_share_one_connection() {
    for way in Way::ALL {
        let server = server();
        let client = way.client(&serve(&server).await).build().unwrap();
        let token = Credentials::new(json!({ "token": "right" }));
        let (root, other, admin) =
            tokio::join!(client.join("/"), client.join("é ü"), client.join_with_auth("/admin", token));
        let mut sockets = [root.unwrap(), other.unwrap(), admin.unwrap()];
        assert_eq!(server.engine().sessions().len(), 1, "{way:?}");
        for socket in &mut sockets {
            let id: String = soon(socket.emit_with_ack("who", ())).await.unwrap();
            assert_eq!(socket.id().as_deref(), Some(id.as_str()));
            let auth = args(socket, "auth").await;
            assert_eq!(auth[0].get("token").is_some(), socket.namespace() == "/admin", "{way:?}");
        }
    }
}

#[tokio::test]
async fn a_refusal_tells_its_message_and_data_and_leaves_other_namespaces_alone() {
    let client = client(Way::WebSocket).await;
    let root = soon(client.join("/")).await.unwrap();
    let wrong = Credentials::new(json!({ "token": "wrong" }));
    let Err(JoinError::Refused(refused)) = soon(client.join_with_auth("/admin", wrong)).await else {
        panic!("it is refused")
    };
    assert_eq!(refused.message, "wrong token");
    assert_eq!(refused.data_as::<serde_json::Value>().unwrap(), json!({ "code": 7 }));
    let Err(JoinError::Refused(refused)) = soon(client.join("/nowhere")).await else {
        panic!("it is refused")
    };
    assert_eq!((refused.message.as_str(), &refused.data), ("Invalid namespace", &None));
    let right = Credentials::new(json!({ "token": "right" }));
    assert!(soon(client.join_with_auth("/admin", right)).await.is_ok(), "it may try again");
    assert!(root.is_connected());
}

#[tokio::test]
async fn credentials_that_no_server_takes_are_refused_before_a_connection_is_tried() {
    let client = Client::builder("http://127.0.0.1:1").auth(Credentials::new("token")).build().unwrap();
    let refused = soon(client.join("/")).await;
    assert!(matches!(refused, Err(JoinError::InvalidCredentials(_))), "{refused:?}");
}

#[tokio::test]
async fn credentials_are_asked_for_anew_each_time() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let credentials = Credentials::asked(move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        async move { Ok::<_, String>(json!({ "number": number })) }
    });
    let url = serve(&server()).await;
    let client = Client::builder(url).auth(credentials).build().unwrap();
    for number in 0..3 {
        let mut socket = soon(client.join("/")).await.unwrap();
        assert_eq!(args(&mut socket, "auth").await[0].get("number"), Some(&Value::from(number)));
        soon(socket.leave()).await;
    }
    let failing = Credentials::asked(async || Err::<(), _>("no token today"));
    let failed = soon(client.join_with_auth("/", failing)).await.unwrap_err();
    assert_eq!(failed.to_string(), "no credentials: no token today");
    let wrong = soon(client.join_with_auth("/", Credentials::new([1]))).await;
    assert!(matches!(wrong, Err(JoinError::InvalidCredentials(_))));
}

#[tokio::test]
async fn a_namespace_is_joined_once_at_a_time() {
    let client = client(Way::WebSocket).await;
    let socket = soon(client.join("/")).await.unwrap();
    let twice = soon(client.clone().join("/")).await;
    assert!(matches!(twice, Err(JoinError::AlreadyJoined(name)) if name == "/"));
    let emitter = socket.emitter();
    soon(socket.leave()).await;
    assert_eq!(emitter.emit("who", ()), Err(EmitError::Disconnected));
    assert!(soon(client.join("/")).await.is_ok());
}

#[tokio::test]
async fn the_connection_closes_when_the_last_namespace_is_left() {
    for way in Way::ALL {
        let server = server();
        let client = way.client(&serve(&server).await).build().unwrap();
        let root = soon(client.join("/")).await.unwrap();
        let other = soon(client.join("/é ü")).await.unwrap();
        let emitter = other.emitter();
        drop(root);
        drop(other);
        assert!(soon(emitter.emit_with_ack::<String>("who", ())).await.is_ok(), "an emitter keeps it");
        drop(emitter);
        soon(async {
            while !server.engine().sessions().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert!(soon(client.join("/")).await.is_ok(), "at once, on a new connection");
    }
}

#[tokio::test]
async fn a_namespace_that_was_left_is_joined_again_on_the_same_connection() {
    let server = server();
    let client = Client::builder(serve(&server).await).build().unwrap();
    let _stays = soon(client.join("/é ü")).await.unwrap();
    for _ in 0..3 {
        let socket = soon(client.join("/")).await.unwrap();
        soon(socket.leave()).await;
    }
    assert_eq!(server.engine().sessions().len(), 1);
}

#[tokio::test]
async fn closing_the_client_ends_every_namespace() {
    let client = client(Way::WebSocket).await;
    let mut socket = soon(client.join("/")).await.unwrap();
    args(&mut socket, "auth").await;
    soon(client.close()).await;
    let Incoming::Disconnected(end) = next(&mut socket).await else { panic!("it is disconnected") };
    assert_eq!((end.as_str(), end.reconnects), ("io client disconnect", false));
    assert!(matches!(soon(socket.recv()).await, Err(RecvError::Disconnected(_))));
    assert_eq!(socket.emit("who", ()), Err(EmitError::Disconnected));
    soon(socket.rejoin()).await.unwrap();
    args(&mut socket, "auth").await;
}

#[tokio::test]
async fn what_was_emitted_last_arrives_before_the_client_closes_or_leaves() {
    for (way, closes) in Way::ALL.into_iter().flat_map(|way| [(way, true), (way, false)]) {
        let (tell, mut told) = mpsc::unbounded_channel();
        let tell_end = tell.clone();
        let namespace = Namespace::new()
            .on("last", move |Data(number): Data<u32>| {
                let _ = tell.send(number.to_string());
                async {}
            })
            .on_disconnect(move |end: eio_socketio::Disconnect| {
                let _ = tell_end.send(end.reason.as_str().to_owned());
                async {}
            });
        let url = serve(&Server::builder().namespace("/", namespace).build().unwrap()).await;
        let program = async move {
            let client = way.client(&url).build().unwrap();
            let socket = client.join("/").await.unwrap();
            for number in 0..200 {
                socket.emit("last", number).unwrap();
            }
            if closes { client.close().await } else { socket.leave().await }
        };
        // The runtime ends right behind the client, as a program's may.
        let running = tokio::task::spawn_blocking(|| {
            tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(program);
        });
        for number in 0..200 {
            assert_eq!(soon(told.recv()).await.unwrap(), number.to_string(), "{way:?}, {closes}");
        }
        assert_eq!(soon(told.recv()).await.unwrap(), "client namespace disconnect", "{way:?}, {closes}");
        soon(running).await.unwrap();
    }
}

#[tokio::test]
async fn to_stop_waiting_for_a_rejoin_does_not_stop_the_rejoin() {
    let takes_its_time = async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok::<_, Refusal>(())
    };
    let namespace = Namespace::new()
        .middleware(takes_its_time)
        .on("kick", async |socket: eio_socketio::Socket| socket.disconnect());
    let server = Server::builder().namespace("/", namespace).build().unwrap();
    let client = Client::builder(serve(&server).await).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    socket.emit("kick", ()).unwrap();
    assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
    let rejoin = tokio::time::timeout(Duration::from_millis(50), socket.rejoin()).await;
    assert!(rejoin.is_err(), "the server takes its time");
    assert!(matches!(next(&mut socket).await, Incoming::Connected { recovered: false }));
}

#[tokio::test]
async fn a_consent_that_comes_just_as_nobody_waits_for_the_rejoin_any_more_is_received() {
    let namespace = Namespace::new().on("kick", async |socket: eio_socketio::Socket| socket.disconnect());
    let server = Server::builder().namespace("/", namespace).build().unwrap();
    let client = Client::builder(serve(&server).await).build().unwrap();
    let mut socket = soon(client.join("/")).await.unwrap();
    for is_polled_again in [false, true] {
        socket.emit("kick", ()).unwrap();
        assert!(matches!(next(&mut socket).await, Incoming::Disconnected(_)));
        let emitter = socket.emitter();
        let mut rejoin = Box::pin(socket.rejoin());
        assert!((&mut rejoin).now_or_never().is_none());
        soon(async {
            while !emitter.is_connected() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
        if is_polled_again {
            soon(rejoin).await.unwrap();
            assert!(socket.recv().now_or_never().is_none(), "it was told");
        } else {
            drop(rejoin);
            assert!(matches!(next(&mut socket).await, Incoming::Connected { recovered: false }));
        }
    }
}

#[test]
fn joining_without_a_runtime_panics_and_harms_nothing() {
    let client = Client::builder("http://127.0.0.1:9").build().unwrap();
    for _ in 0..2 {
        let join = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut join = Box::pin(client.join("/"));
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            let _ = join.as_mut().poll(&mut cx);
        }));
        assert!(join.is_err());
    }
}

#[tokio::test]
async fn a_client_that_does_not_reconnect_joins_again_after_it_has_left() {
    for way in Way::ALL {
        let client = way.client(&serve(&server()).await).reconnection(false).build().unwrap();
        for _ in 0..3 {
            drop(soon(client.join("/")).await.unwrap());
        }
    }
}

#[test]
fn a_client_whose_runtime_has_ended_with_unanswered_events_closes_at_once() {
    let servers = tokio::runtime::Runtime::new().unwrap();
    let (first, second) = (runtime(), runtime());
    let url = servers.block_on(serve(&server()));
    let client = Client::builder(url).retries(1, Duration::from_secs(10)).build().unwrap();
    let socket = first.block_on(soon(client.join("/"))).unwrap();
    for _ in 0..2 {
        socket.emit("silent", ()).unwrap();
    }
    drop(first);
    second.block_on(async { soon(client.close()).await });
}

#[test]
fn a_client_goes_on_in_another_runtime_after_its_own_has_ended() {
    let servers = tokio::runtime::Runtime::new().unwrap();
    let (first, second) = (runtime(), runtime());
    let url = servers.block_on(serve(&server()));
    let client = Client::builder(url).retries(1, Duration::from_secs(10)).build().unwrap();
    let mut socket = first.block_on(soon(client.join("/"))).unwrap();
    let lost = [(); 2].map(|()| socket.emit_with_ack::<String>("who", ()));
    drop(first);
    second.block_on(async {
        for lost in lost {
            assert_eq!(soon(lost).await, Err(AckError::Disconnected));
        }
        soon(socket.rejoin()).await.unwrap();
        let id: String = soon(socket.emit_with_ack("who", ())).await.unwrap();
        assert_eq!(Some(id.as_str()), socket.id().as_deref());
        soon(client.close()).await;
    });
}
