//! What a client that comes back joins with, and what its middlewares see.

use eio_socketio::{Auth, Namespace, Recovery, Refusal, Socket, State};

use super::{Known, come_back, connect, world};
use crate::support::{Journal, World, ms, settle};

#[derive(serde::Deserialize)]
struct Login {
    token: String,
}

async fn log_in(Auth(login): Auth<Option<Login>>, State(journal): State<Journal>) {
    journal.note(login.map_or("nobody".to_owned(), |login| login.token));
}

#[derive(serde::Deserialize)]
struct Wishes {
    #[serde(default)]
    colour: Option<String>,
}

async fn wishes(Auth(wishes): Auth<Wishes>, State(journal): State<Journal>) {
    journal.note(wishes.colour.unwrap_or_default());
}

async fn let_pass(Auth(_): Auth<Option<Login>>) -> Result<(), Refusal> {
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_session_is_gone_joins_with_what_its_application_has_passed() {
    let namespace = Namespace::new().on_connect(log_in).middleware(let_pass);
    let world = world(Recovery::new(), namespace);
    let (client, known) = connect(&world, "").await;
    let (another, known_other) = connect(&world, r#"{"token":"Ada"}"#).await;
    drop((client, another));
    world.at(200_000).await;
    let (_client, _) = connect(&world, &format!(r#"{{"pid":"{}","offset":"a"}}"#, known.pid)).await;
    let auth = format!(r#"{{"pid":"{}","offset":"a","token":"Eve"}}"#, known_other.pid);
    let (_another, _) = connect(&world, &auth).await;
    // One that says that nothing was passed.
    let (_python, _) = connect(&world, "{}").await;
    assert_eq!(world.journal.read().await, ["nobody", "Ada", "nobody", "Eve", "nobody"]);
    for socket in world.server.of("/").sockets() {
        assert!(!socket.auth().to_string().contains("pid"), "{}", socket.auth());
    }
}

#[tokio::test(start_paused = true)]
async fn data_whose_members_may_all_be_missing_may_be_missing() {
    let world = World::of(Namespace::new().on_connect(wishes));
    for auth in ["", "{}", r#"{"colour":"red"}"#] {
        world.connect().await.join("/", auth).await;
    }
    assert_eq!(world.journal.read().await, ["", "", "red"]);
}

/// Credentials that no middleware has seen are not those of the socket.
#[tokio::test(start_paused = true)]
async fn a_recovered_socket_has_the_auth_data_that_its_middlewares_have_seen_last() {
    for skip in [true, false] {
        let namespace = Namespace::new().on_connect(log_in).middleware(let_pass);
        let world = world(Recovery::new().skip_middlewares(skip), namespace);
        let (client, known) = connect(&world, r#"{"token":"old"}"#).await;
        drop(client);
        settle().await;
        let (_client, now) = connect(&world, &format!(r#"{{"pid":"{}","token":"new"}}"#, known.pid)).await;
        assert_eq!(now.sid, known.sid);
        assert_eq!(world.journal.read().await, ["old", if skip { "old" } else { "new" }]);
    }
}

/// A middleware that lets a client in for 200 ms.
async fn keep_for_a_time(socket: Socket, State(journal): State<Journal>) -> Result<(), Refusal> {
    let name = socket.get::<String>();
    journal.note(format!("recovered: {}, named: {name:?}", socket.is_recovered()));
    tokio::spawn(async move {
        tokio::time::sleep(ms(200)).await;
        socket.disconnect();
    });
    Ok(())
}

async fn name(socket: Socket) {
    socket.insert("Ada".to_owned());
}

async fn slow() -> Result<(), Refusal> {
    tokio::time::sleep(ms(100)).await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_middleware_sees_the_socket_that_is_recovered() {
    let namespace = Namespace::new().middleware(keep_for_a_time).on_connect(name);
    let world = world(Recovery::new().skip_middlewares(false), namespace);
    let (client, mut known) = connect(&world, "").await;
    drop(client);
    world.at(500).await;
    let (mut client, is_recovered) = come_back(&world, &mut known).await;
    assert!(is_recovered);
    client.expect("1").await;
    assert_eq!(world.elapsed(), ms(700));
    let expected = ["recovered: false, named: None", r#"recovered: true, named: Some("Ada")"#];
    assert_eq!(world.journal.read().await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_session_goes_on_elsewhere_while_a_middleware_decides_has_to_come_again() {
    let namespace = Namespace::new().middleware(slow);
    let world = world(Recovery::new().skip_middlewares(false), namespace);
    let (client, mut known) = connect(&world, "").await;
    drop(client);
    settle().await;
    let mut late = world.connect().await;
    let mut other = Known { sid: known.sid.clone(), pid: known.pid.clone(), offset: None };
    let both = async {
        tokio::time::sleep(ms(10)).await;
        late.send(&format!(r#"0{{"pid":"{}"}}"#, known.pid)).await;
        late.expect_end().await;
    };
    let ((_client, is_recovered), ()) = tokio::join!(come_back(&world, &mut other), both);
    assert!(is_recovered);
    let (_client, is_recovered) = come_back(&world, &mut known).await;
    assert!(!is_recovered);
}
