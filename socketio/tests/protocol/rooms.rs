//! Rooms, and what is sent to them.

use eio_socketio::{Args, Data, EmitError, Namespace, Reply, Socket, State};

use crate::support::{Client, Journal, World};

async fn join(socket: Socket, Data(room): Data<String>) -> Result<Reply<bool>, eio_socketio::JoinError> {
    Ok(Reply(socket.join(room)?))
}

async fn leave(socket: Socket, Data(room): Data<String>) -> Reply<bool> {
    Reply(socket.leave(room))
}

/// Sends the name of a room to the others in it.
async fn call(socket: Socket, Data(room): Data<String>) -> Result<(), EmitError> {
    socket.to(&room).emit("called", room)?;
    Ok(())
}

async fn call_others(socket: Socket) -> Result<(), EmitError> {
    socket.broadcast().emit("called", "all")?;
    Ok(())
}

async fn note_rooms(socket: Socket, State(journal): State<Journal>) {
    journal.note(socket.rooms().join(" "));
}

fn rooms() -> Namespace<Journal> {
    Namespace::new()
        .on("join", join)
        .on("leave", leave)
        .on("call", call)
        .on("call others", call_others)
        .on("rooms", note_rooms)
}

/// Clients that are in these rooms.
async fn clients<const N: usize>(world: &World, rooms: [&[&str]; N]) -> [Client; N] {
    let mut clients = Vec::new();
    for rooms in rooms {
        let mut client = world.join().await;
        for room in rooms {
            client.send(&format!(r#"21["join","{room}"]"#)).await;
            client.expect("31[true]").await;
        }
        clients.push(client);
    }
    clients.try_into().unwrap_or_else(|_| unreachable!())
}

/// The first clients get the packet once, and the others do not.
async fn expect(clients: &mut [Client], who: &[usize], packet: &str) {
    for (number, client) in clients.iter_mut().enumerate() {
        if who.contains(&number) {
            client.expect(packet).await;
        }
        client.expect_nothing().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_to_a_room_reaches_the_others_in_it() {
    let world = World::of(rooms());
    let mut clients = clients(&world, [&["a"], &["a", "b"], &["b"], &[]]).await;
    clients[0].send(r#"2["call","a"]"#).await;
    expect(&mut clients, &[1], r#"2["called","a"]"#).await;
    // One need not be in a room to send to it.
    clients[0].send(r#"2["call","b"]"#).await;
    expect(&mut clients, &[1, 2], r#"2["called","b"]"#).await;
    clients[0].send(r#"2["call others"]"#).await;
    expect(&mut clients, &[1, 2, 3], r#"2["called","all"]"#).await;
    clients[0].send(r#"2["call","nowhere"]"#).await;
    expect(&mut clients, &[], "").await;
}

#[tokio::test(start_paused = true)]
async fn the_server_addresses_rooms_with_exceptions_and_each_client_gets_the_event_once() {
    let world = World::of(rooms());
    let mut clients = clients(&world, [&["a"], &["a", "b"], &["b"], &["a", "muted"], &[]]).await;
    let sent = world.server.to("a").to("b").except("muted").emit("news", Args((1, 2))).unwrap();
    assert_eq!(sent.sent, 3);
    expect(&mut clients, &[0, 1, 2], r#"2["news",1,2]"#).await;
    world.server.of("/").except("b").emit("news", ()).unwrap();
    expect(&mut clients, &[0, 3, 4], r#"2["news"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn the_identifier_of_a_socket_is_a_room_of_its_own() {
    let world = World::of(rooms());
    let mut one = world.connect().await;
    let id = one.join("/", "").await;
    let mut clients = [one, world.join().await];
    world.server.to(&id).emit("private", ()).unwrap();
    expect(&mut clients, &[0], r#"2["private"]"#).await;
    world.server.of("/").except(&id).emit("public", ()).unwrap();
    expect(&mut clients, &[1], r#"2["public"]"#).await;
    // Its session's identifier, which must stay secret, addresses nobody.
    let secret = clients[0].sid.clone();
    assert_eq!(world.server.to(&secret).emit("private", ()).unwrap().sent, 0);
}

#[tokio::test(start_paused = true)]
async fn joining_and_leaving_tell_whether_something_has_changed() {
    let world = World::of(rooms());
    let mut client = world.join().await;
    for (event, answer) in
        [("join", true), ("join", false), ("leave", true), ("leave", false), ("join", true)]
    {
        client.send(&format!(r#"21["{event}","a"]"#)).await;
        client.expect(&format!("31[{answer}]")).await;
    }
    client.send(r#"2["rooms"]"#).await;
    assert_eq!(world.journal.read().await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn rooms_of_the_same_name_in_two_namespaces_are_two_rooms() {
    let world = World::new(|builder| builder.namespace("/", rooms()).namespace("/b", rooms()));
    let mut client = world.join().await;
    client.join("/b", "").await;
    client.send(r#"21["join","a"]"#).await;
    client.expect("31[true]").await;
    assert_eq!(world.server.of("/b").to("a").emit("news", ()).unwrap().sent, 0);
    client.send(r#"2/b,1["join","a"]"#).await;
    client.expect("3/b,1[true]").await;
    assert_eq!(world.server.of("/b").to("a").emit("news", ()).unwrap().sent, 1);
    client.expect(r#"2/b,["news"]"#).await;
    assert_eq!(world.server.of("/nowhere").to("a").emit("news", ()).unwrap().sent, 0);
}

#[tokio::test(start_paused = true)]
async fn the_server_moves_the_sockets_of_a_room() {
    let world = World::of(rooms());
    let mut clients = clients(&world, [&["a"], &["a"], &[]]).await;
    world.server.to("a").join("b");
    world.server.to("b").leave("a");
    assert_eq!((world.server.to("a").sockets().len(), world.server.to("b").sockets().len()), (0, 2));
    world.server.to("b").disconnect();
    expect(&mut clients, &[0, 1], "1").await;
    assert_eq!(world.server.of("/").sockets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_socket_is_in_no_more_rooms_than_allowed() {
    let world = World::new(|builder| builder.namespace("/", rooms()).max_rooms(2));
    let mut clients = clients(&world, [&["a", "b"]]).await;
    clients[0].send(r#"21["join","c"]"#).await;
    clients[0].send(r#"22["join","a"]"#).await;
    clients[0].expect("32[false]").await;
    assert_eq!(world.server.to("c").sockets().len(), 0);
    clients[0].send(r#"23["leave","a"]"#).await;
    clients[0].expect("33[true]").await;
    clients[0].send(r#"24["join","c"]"#).await;
    clients[0].expect("34[true]").await;
}
