//! What a client may do, and how long it may do nothing.

use std::time::Duration;

use eio_socketio::{Data, JoinError, Namespace, Reply, Server, Socket};
use tokio::time::Instant;

use crate::support::{Raw, build, serve, settle};

#[tokio::test(start_paused = true)]
async fn a_client_that_joins_nothing_is_closed_after_the_connect_timeout() {
    let server =
        build(Server::builder().namespace("/", Namespace::new()).connect_timeout(Duration::from_secs(2)));
    let mut client = Raw::open(&server).await;
    let start = Instant::now();
    client.send("0/nowhere,").await;
    client.expect("4/nowhere,{\"message\":\"Invalid namespace\"}").await;
    client.closed().await;
    assert_eq!(start.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_left_its_last_namespace_has_to_join_one_again_in_time() {
    let server =
        build(Server::builder().namespace("/", Namespace::new()).connect_timeout(Duration::from_secs(2)));
    let mut client = Raw::join(&server).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    client.send("1").await;
    client.send("0").await;
    assert!(client.next().await.starts_with("0{\"sid\":"));
    tokio::time::sleep(Duration::from_secs(20)).await;
    client.send("1").await;
    let start = Instant::now();
    client.closed().await;
    assert_eq!(start.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_middleware_that_does_not_decide_keeps_no_client_that_has_left_its_last_namespace() {
    let waits = || async {
        core::future::pending::<()>().await;
        Ok(())
    };
    let builder = Server::builder().namespace("/", Namespace::new());
    let builder = builder.namespace("/waits", Namespace::new().middleware(waits));
    let server = build(builder.connect_timeout(Duration::from_secs(2)));
    let mut client = Raw::join(&server).await;
    client.send("0/waits,").await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    client.send("1").await;
    let start = Instant::now();
    client.closed().await;
    assert_eq!(start.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_client_may_join_as_many_namespaces_as_the_server_allows() {
    let server = build(
        Server::builder()
            .namespace_matching(|name| name.starts_with("/n"), Namespace::new())
            .max_namespaces(3),
    );
    let mut client = Raw::open(&server).await;
    for number in 0..3 {
        client.send(&format!("0/n{number},")).await;
        assert!(client.next().await.starts_with(&format!("0/n{number},{{\"sid\":")));
    }
    client.send("0/n3,").await;
    client.expect("4/n3,{\"message\":\"Too many namespaces\"}").await;
    client.send("1/n0,").await;
    client.send("0/n3,").await;
    assert!(client.next().await.starts_with("0/n3,{\"sid\":"));
}

#[tokio::test(start_paused = true)]
async fn a_client_may_not_fill_the_memory_with_names_and_auth_data() {
    let server = build(Server::builder().namespace_matching(|_| true, Namespace::new()));
    let mut client = Raw::open(&server).await;
    let (long, longer) = ("n".repeat(255), "n".repeat(256));
    client.send(&format!("0/{longer},")).await;
    client.expect(&format!("4/{longer},{{\"message\":\"Invalid namespace\"}}")).await;
    client.send(&format!("0/auth,{{\"a\":\"{}\"}}", "x".repeat(64 * 1024))).await;
    client.expect("4/auth,{\"message\":\"Auth data too large\"}").await;
    client.send(&format!("0/{long},{{\"a\":\"{}\"}}", "x".repeat(60 * 1024))).await;
    assert!(client.next().await.starts_with(&format!("0/{long},{{\"sid\":")));
}

#[tokio::test(start_paused = true)]
async fn a_namespace_of_a_pattern_exists_while_it_has_sockets() {
    let server = build(Server::builder().namespace_matching(|_| true, Namespace::new()));
    let mut client = Raw::open(&server).await;
    for number in 0..100 {
        client.send(&format!("0/n{number},")).await;
        assert!(client.next().await.starts_with(&format!("0/n{number},{{\"sid\":")));
        assert_eq!(server.of(format!("/n{number}")).sockets().len(), 1);
        client.send(&format!("1/n{number},")).await;
        settle().await;
        assert!(server.of(format!("/n{number}")).sockets().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_in_no_more_rooms_than_the_server_allows() {
    let join = |socket: Socket| async move {
        for number in 0..10 {
            assert_eq!(socket.join(format!("room {number}")), Ok(true));
        }
        let refused = socket.join("one more");
        assert!(matches!(refused, Err(JoinError::TooManyRooms { max: 10, .. })), "{refused:?}");
        eio_socketio::Reply("checked")
    };
    let server = build(Server::builder().namespace("/", Namespace::new().on("join", join)).max_rooms(10));
    let mut client = Raw::join(&server).await;
    client.send("21[\"join\"]").await;
    client.expect("31[\"checked\"]").await;
}

#[tokio::test(start_paused = true)]
async fn a_room_has_a_name_of_at_most_1024_bytes() {
    let join = |socket: Socket, Data(room): Data<String>| async move {
        Reply(socket.join(room).map_err(|error| error.to_string()))
    };
    let server = serve(Namespace::new().on("join", join));
    let mut client = Raw::join(&server).await;
    client.send(&format!("21[\"join\",\"{}\"]", "r".repeat(1024))).await;
    client.expect("31[{\"Ok\":true}]").await;
    client.send(&format!("22[\"join\",\"{}\"]", "r".repeat(1025))).await;
    client.expect("32[{\"Err\":\"the name of the room is too long: expected at most 1024 bytes\"}]").await;
}

#[tokio::test(start_paused = true)]
async fn a_namespace_has_a_slash_also_where_the_application_leaves_it_out() {
    let server = build(Server::builder().namespace("chat", Namespace::new()));
    let mut client = Raw::open(&server).await;
    client.send("0/chat,").await;
    assert!(client.next().await.starts_with("0/chat,{\"sid\":"));
    assert_eq!([server.of("chat"), server.of("/chat")].map(|audience| audience.sockets().len()), [1, 1]);
    for name in ["a,b", "a?b", "a\nb"] {
        assert!(Server::builder().namespace(name, Namespace::new()).build().is_err());
    }
}
