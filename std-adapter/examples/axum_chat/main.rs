//! A chat in axum. People sign in with a name, and talk in the room that their page names.
//!
//! Run `cargo run --example axum_chat`, open <http://127.0.0.1:3000/?room=rust> in two browsers, and press Ctrl-C.

mod people;

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Form, Query, State};
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use axum::{Router, serve};
use eio_tokio::axum::RouterExt as _;
use eio_tokio::{Audience, Heartbeat, Message, Server, Socket};
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::people::{NotSignedIn, People, User};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let people = People::default();
    let server = eio_tokio::axum::builder(people.clone(), chat)
        // Short periods, so that the room hears within 8 s that a cable was pulled. It hears of a killed browser at once.
        .heartbeat(Heartbeat::new(Duration::from_secs(5), Duration::from_secs(3))?)
        .build()?;
    let router = Router::new()
        .route("/", get(page))
        .route("/sign-in", post(sign_in))
        .engine_io(&server)
        .with_state(people);

    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(end_on_ctrl_c(server))
        .await?;
    Ok(())
}

/// The room that a page, and then its session, has in its query.
#[derive(Deserialize)]
struct Room {
    #[serde(default)]
    room: String,
}

/// One session, from its opening to its end. Nobody gets here without having signed in.
async fn chat(mut socket: Socket, User { name }: User, Query(Room { room }): Query<Room>) {
    let server = socket.server();
    let everybody = Audience::group(&room);
    socket.join(&room);
    server.send_to(&everybody, format!("{name} has come: {} here", server.members(&room).len()));
    let end = loop {
        match socket.recv().await {
            Ok(Message::Text(text)) => {
                // Remove control characters. One of them, U+001E, cannot be sent to clients on polling.
                let line: String = text.chars().filter(|character| !character.is_control()).collect();
                server.send_to(&everybody, format!("{name}: {line}"));
            }
            Ok(Message::Binary(_)) => {}
            Err(end) => break end,
        }
    };
    server.send_to(&everybody, format!("{name} has gone: {}", end.reason));
}

/// The chat, for people who have signed in, and a form for all others.
async fn page(user: Result<User, NotSignedIn>) -> Html<&'static str> {
    Html(if user.is_ok() { include_str!("chat.html") } else { include_str!("sign_in.html") })
}

#[derive(Deserialize)]
struct SignIn {
    name: String,
}

async fn sign_in(
    State(people): State<People>,
    Form(SignIn { name }): Form<SignIn>,
) -> Result<impl IntoResponse, NotSignedIn> {
    Ok([(header::SET_COOKIE, people.sign_in(&name)?)])
}

/// Waits for Ctrl-C, and then ends every session with the messages that were sent to it.
async fn end_on_ctrl_c(server: Server) {
    // Without a handler for Ctrl-C, the process ends at once, as usual.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    server.broadcast("the server goes down");
    let cut_off = server.shutdown(Duration::from_secs(5)).await;
    println!("ended; cut off: {cut_off:?}");
}
