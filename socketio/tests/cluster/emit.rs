//! Events for the sockets of all nodes.

use bytes::Bytes;
use eio_socketio::engine::Message;
use eio_socketio::{
    Args, Binary, Body, Data, Decoder, DefaultParser, EmitError, Emitter, EmitterError, EncodeError, Encoded,
    JoinError, MsgPackParser, Namespace, Packet, Parser, RawArgs, Refusal, Socket,
};

use crate::support::{Client, Nodes, settle};

async fn join(socket: Socket, Data(room): Data<String>) -> Result<(), JoinError> {
    socket.join(room).map(drop)
}

async fn leave(socket: Socket, Data(room): Data<String>) {
    socket.leave(room);
}

async fn say(socket: Socket, Args((room, text)): Args<(String, String)>) -> Result<(), EmitError> {
    socket.to(room).emit("said", text).map(drop)
}

async fn say_to_all(socket: Socket, text: RawArgs) -> Result<(), EmitError> {
    socket.broadcast().emit("said", text).map(drop)
}

fn chat() -> Namespace {
    Namespace::new().on("join", join).on("leave", leave).on("say", say).on("say to all", say_to_all)
}

/// Joins `/` on the node of this number, and rooms.
async fn member(nodes: &Nodes, number: usize, rooms: &[&str]) -> Client {
    let client = nodes.join(number).await;
    for room in rooms {
        client.send(&format!(r#"2["join","{room}"]"#)).await;
    }
    settle().await;
    client
}

/// The first clients get the packet once, and the others do not.
async fn expect<const N: usize>(clients: &mut [Client; N], who: &[usize], packet: &str) {
    for (number, client) in clients.iter_mut().enumerate() {
        if who.contains(&number) {
            client.expect(packet).await;
        }
        client.expect_nothing().await;
    }
}

async fn one_each(nodes: &Nodes, rooms: [&[&str]; 3]) -> [Client; 3] {
    let [a, b, c] = rooms;
    [member(nodes, 0, a).await, member(nodes, 1, b).await, member(nodes, 2, c).await]
}

#[tokio::test(start_paused = true)]
async fn many_sockets_of_one_node_cost_it_one_message() {
    let nodes = Nodes::of(chat).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(nodes.join(1).await);
    }
    settle().await;
    let to = clients.iter().fold(nodes.node(0).of("/"), |to, client| to.to(&client.id));
    let (received, _) = nodes.received(async { to.emit("e", 1).unwrap() }).await;
    assert_eq!(received, [0, 1, 0]);
    for client in &mut clients {
        client.expect(r#"2["e",1]"#).await;
        client.expect_nothing().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_spans_the_nodes_and_a_node_without_members_gets_nothing() {
    let nodes = Nodes::of(chat).await;
    let mut clients = one_each(&nodes, [&["x"], &["x"], &[]]).await;
    let (received, broadcast) = nodes.received(async { nodes.node(0).to("x").emit("e", 1).unwrap() }).await;
    // The count is that of this node. The bus hands a node its own messages, too, if it listens; it drops them.
    assert_eq!((received, broadcast.sent), ([1, 1, 0], 1));
    expect(&mut clients, &[0, 1], r#"2["e",1]"#).await;
    let (received, broadcast) = nodes.received(async { nodes.node(2).to("x").emit("e", 2).unwrap() }).await;
    assert_eq!((received, broadcast.sent), ([1, 1, 0], 0));
    expect(&mut clients, &[0, 1], r#"2["e",2]"#).await;
    let (received, ()) = nodes.received(clients[0].send(r#"2["say","x","hi"]"#)).await;
    assert_eq!(received, [1, 1, 0]);
    expect(&mut clients, &[1], r#"2["said","hi"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_namespace_spans_the_nodes_that_have_sockets_there() {
    let nodes = Nodes::with(|builder| builder.namespace("/", chat()).namespace("/b", chat())).await;
    let mut clients = one_each(&nodes, [&[], &[], &[]]).await;
    nodes.node(0).emit("e", ()).unwrap();
    expect(&mut clients, &[0, 1, 2], r#"2["e"]"#).await;
    clients[2].send(r#"2["say to all","hi",7]"#).await;
    expect(&mut clients, &[0, 1], r#"2["said","hi",7]"#).await;
    let mut other = Client::join(nodes.node(1), "/b", "").await;
    let (received, _) = nodes.received(async { nodes.node(0).of("/b").emit("e", ()) }).await;
    assert_eq!(received, [0, 1, 0]);
    other.expect(r#"2/b,["e"]"#).await;
    drop(other);
    let (received, _) = nodes.received(async { nodes.node(0).of("/b").emit("e", ()) }).await;
    assert_eq!(received, [0, 0, 0]);
    expect(&mut clients, &[], "").await;
}

#[tokio::test(start_paused = true)]
async fn exceptions_hold_on_all_nodes_and_a_socket_in_two_rooms_gets_an_event_once() {
    let nodes = Nodes::of(chat).await;
    let mut clients = one_each(&nodes, [&["x", "y"], &["x", "y"], &["y", "muted"]]).await;
    let (received, _) = nodes.received(async { nodes.node(0).to("x").to("y").emit("e", ()) }).await;
    // A message comes once for each room, and is taken once.
    assert_eq!(received, [2, 2, 1]);
    expect(&mut clients, &[0, 1, 2], r#"2["e"]"#).await;
    nodes.node(0).to("y").except("muted").emit("e", ()).unwrap();
    expect(&mut clients, &[0, 1], r#"2["e"]"#).await;
    let id = clients[1].id.clone();
    nodes.node(0).of("/").except(&id).emit("e", ()).unwrap();
    expect(&mut clients, &[0, 2], r#"2["e"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_local_and_what_is_volatile_is_so_everywhere() {
    let nodes = Nodes::of(chat).await;
    let mut clients = one_each(&nodes, [&["x"], &["x"], &[]]).await;
    let (received, _) = nodes.received(async { nodes.node(0).to("x").local().emit("e", ()) }).await;
    assert_eq!(received, [0; 3]);
    expect(&mut clients, &[0], r#"2["e"]"#).await;
    nodes.node(2).to("x").local().emit("e", ()).unwrap();
    nodes.node(2).to("x").local().disconnect();
    expect(&mut clients, &[], "").await;
    nodes.node(2).to("x").volatile().emit("e", ()).unwrap();
    expect(&mut clients, &[0, 1], r#"2["e"]"#).await;
}

#[tokio::test(start_paused = true)]
async fn an_identifier_of_a_socket_leads_to_its_node_alone() {
    let nodes = Nodes::of(chat).await;
    let mut clients = one_each(&nodes, [&[], &[], &[]]).await;
    for (number, name) in ["a", "b", "c"].iter().enumerate() {
        assert!(clients[number].id.starts_with(name));
    }
    let id = clients[1].id.clone();
    let (received, _) = nodes.received(async { nodes.node(0).to(&id).emit("e", 1) }).await;
    assert_eq!(received, [0, 1, 0]);
    expect(&mut clients, &[1], r#"2["e",1]"#).await;
    let (received, _) = nodes.received(async { nodes.node(1).to(&id).emit("e", 2) }).await;
    assert_eq!(received, [0; 3]);
    expect(&mut clients, &[1], r#"2["e",2]"#).await;
    // Another socket joins the room of that name.
    clients[2].send(&format!(r#"2["join","{id}"]"#)).await;
    settle().await;
    nodes.node(0).to(&id).emit("e", 3).unwrap();
    expect(&mut clients, &[1, 2], r#"2["e",3]"#).await;
    nodes.node(1).to(&id).emit("e", 4).unwrap();
    expect(&mut clients, &[1, 2], r#"2["e",4]"#).await;
    // One on the same node, too: that node hears of it twice.
    let mut watcher = member(&nodes, 1, &[&id]).await;
    let (received, _) = nodes.received(async { nodes.node(0).to(&id).emit("e", "twice") }).await;
    assert_eq!(received, [0, 2, 1]);
    watcher.expect(r#"2["e","twice"]"#).await;
    watcher.expect_nothing().await;
    expect(&mut clients, &[1, 2], r#"2["e","twice"]"#).await;
    // A room of such a name whose node never was.
    for client in &clients[..2] {
        client.send(r#"2["join","zAAAAAAAAAAAAAAAAAAA"]"#).await;
    }
    settle().await;
    nodes.node(2).to("zAAAAAAAAAAAAAAAAAAA").emit("e", 5).unwrap();
    expect(&mut clients, &[0, 1], r#"2["e",5]"#).await;
}

#[tokio::test(start_paused = true)]
async fn a_room_that_empties_and_fills_is_heard_while_it_has_members() {
    let nodes = Nodes::of(chat).await;
    let mut clients = one_each(&nodes, [&[], &["x"], &[]]).await;
    let second = member(&nodes, 1, &["x"]).await;
    let emit = || nodes.received(async { nodes.node(0).to("x").emit("e", ()) });
    assert_eq!(emit().await.0, [0, 1, 0]);
    expect(&mut clients, &[1], r#"2["e"]"#).await;
    clients[1].send(r#"2["leave","x"]"#).await;
    assert_eq!(emit().await.0, [0, 1, 0]);
    drop(second);
    assert_eq!(emit().await.0, [0, 0, 0]);
    clients[1].send(r#"2["join","x"]"#).await;
    assert_eq!(emit().await.0, [0, 1, 0]);
    expect(&mut clients, &[1], r#"2["e"]"#).await;
    clients[1].send("1").await;
    assert_eq!(emit().await.0, [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn joining_and_leaving_while_others_send_loses_no_message_of_a_member() {
    let nodes = Nodes::of(chat).await;
    let mut steady = member(&nodes, 1, &["x"]).await;
    let restless = nodes.node(1).of("/").sockets();
    let other = nodes.join(1).await;
    let socket = nodes.node(1).of("/").to(&other.id).sockets().pop().unwrap();
    for number in 0..200 {
        if number % 3 == 0 {
            socket.join("x").unwrap();
        } else {
            let _ = socket.leave("x");
        }
        nodes.node(number % 3).to("x").emit("e", number).unwrap();
        if number % 7 == 0 {
            tokio::task::yield_now().await;
        }
    }
    // Those of each node come in order.
    let mut last = [None; 3];
    for _ in 0..200 {
        let packet = steady.next().await;
        let number: usize = packet[6..packet.len() - 1].parse().unwrap();
        assert!(last[number % 3] < Some(number));
        last[number % 3] = Some(number);
    }
    drop(restless);
}

#[tokio::test(start_paused = true)]
async fn sockets_of_other_nodes_join_and_leave_rooms_and_are_disconnected() {
    let nodes = Nodes::of(chat).await;
    let mut clients = one_each(&nodes, [&["x"], &["x"], &[]]).await;
    let server = nodes.node(2);
    server.to("x").join("y");
    // Without a pause: nobody has listened to the new room before.
    server.to("y").emit("e", 1).unwrap();
    expect(&mut clients, &[0, 1], r#"2["e",1]"#).await;
    nodes.node(0).to("y").emit("e", 2).unwrap();
    expect(&mut clients, &[0, 1], r#"2["e",2]"#).await;
    server.to(&clients[1].id).leave("y");
    server.to("y").emit("e", 3).unwrap();
    expect(&mut clients, &[0], r#"2["e",3]"#).await;
    server.to("x").except("y").disconnect();
    clients[1].expect("1").await;
    server.to("x").close();
    settle().await;
    assert!(nodes.servers.iter().map(|server| server.of("/").sockets().len()).eq([0, 0, 1]));
    assert!(nodes.node(0).engine().is_empty());
}

#[tokio::test(start_paused = true)]
async fn binary_data_travels_with_its_event() {
    let nodes = Nodes::of(chat).await;
    let mut clients = one_each(&nodes, [&[], &[], &[]]).await;
    nodes.node(0).emit("e", Binary(Bytes::from_static(b"\0\x01\xff"))).unwrap();
    for client in &mut clients {
        client.expect(r#"51-["e",{"_placeholder":true,"num":0}]"#).await;
        assert_eq!(client.next_message().await, Message::binary(&b"\0\x01\xff"[..]));
        client.expect_nothing().await;
    }
}

#[tokio::test(start_paused = true)]
async fn any_parser_does_if_all_nodes_have_it() {
    let nodes = Nodes::with(|builder| builder.namespace("/", chat()).parser(MsgPackParser)).await;
    let mut clients = Vec::new();
    for server in &nodes.servers {
        let mut client = Client::open(server).await;
        let join = Packet { namespace: "/".into(), body: Body::Connect(RawArgs::none()) };
        for message in MsgPackParser.encode(&join).unwrap().into_messages() {
            client.engine.send(message).await.unwrap();
        }
        client.next_message().await;
        clients.push(client);
    }
    nodes.node(0).emit("hi", 7).unwrap();
    for client in &mut clients {
        let packet = b"\x83\xa4type\x02\xa4data\x92\xa2hi\x07\xa3nsp\xa1/";
        assert_eq!(client.next_message().await, Message::binary(&packet[..]));
    }
    assert!(nodes.servers.iter().all(|server| server.refused_from_nodes() == 0));
}

/// The default parser under another name.
struct Own;

impl Parser for Own {
    fn encode(&self, packet: &Packet) -> Result<Encoded, EncodeError> {
        DefaultParser.encode(packet)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        DefaultParser.decoder()
    }
}

#[tokio::test(start_paused = true)]
async fn a_packet_of_another_parser_is_refused_and_counted() {
    let mut nodes = Nodes::with(|builder| builder.namespace("/", chat())).await;
    nodes.add("d", |builder| builder.namespace("/", chat()).parser(Own)).await;
    let mut client = nodes.join(3).await;
    nodes.node(0).emit("e", ()).unwrap();
    client.expect_nothing().await;
    assert_eq!(nodes.node(3).refused_from_nodes(), 1);
    // What is no packet is understood.
    nodes.node(0).of("/").disconnect();
    client.expect("1").await;
}

async fn refuse() -> Result<(), Refusal> {
    Err("nobody".into())
}

#[tokio::test(start_paused = true)]
async fn a_namespace_of_a_pattern_is_where_its_sockets_are() {
    let nodes = Nodes::with(|builder| {
        builder
            .namespace("/", chat())
            .namespace_matching(|name| name.starts_with("/closed-"), Namespace::new().middleware(refuse))
            .namespace_matching(|name| name.starts_with("/t-"), chat())
    })
    .await;
    let mut client = Client::join(nodes.node(1), "/t-1", "").await;
    client.send(r#"2/t-1,["join","x"]"#).await;
    let (received, _) = nodes.received(async { nodes.node(0).of("/t-1").to("x").emit("e", 1) }).await;
    assert_eq!(received, [0, 1, 0]);
    client.expect(r#"2/t-1,["e",1]"#).await;
    nodes.node(0).of("/t-1").emit("e", 2).unwrap();
    client.expect(r#"2/t-1,["e",2]"#).await;
    // It ends and begins again.
    client.send("1/t-1,").await;
    let (received, _) = nodes.received(async { nodes.node(0).of("/t-1").emit("e", 3) }).await;
    assert_eq!(received, [0; 3]);
    client.enter("/t-1", "").await;
    let (received, _) = nodes.received(async { nodes.node(0).of("/t-1").emit("e", 4) }).await;
    assert_eq!(received, [0, 1, 0]);
    client.expect(r#"2/t-1,["e",4]"#).await;
    // One that nobody may join costs nothing.
    client.send("0/closed-1,").await;
    client.expect(r#"4/closed-1,{"message":"nobody"}"#).await;
    let (received, _) = nodes.received(async { nodes.node(0).of("/closed-1").emit("e", 5) }).await;
    assert_eq!(received, [0; 3]);
    // The error is the same, wherever the namespace is.
    let error = nodes.node(0).of("/t-1").emit("connect", ());
    assert!(matches!(error, Err(EmitError::Encode(EncodeError::ReservedName { .. }))));
}

#[tokio::test(start_paused = true)]
async fn a_program_without_sessions_reaches_the_sockets_of_all_nodes() {
    let nodes = Nodes::of(chat).await;
    let mut clients = one_each(&nodes, [&["x"], &["x"], &[]]).await;
    let bus = eio_socketio::cluster::Emitter::connect(nodes.bus.end("job"), "eio").unwrap();
    bus.connected().await;
    let emitter = Emitter::new(bus.clone());
    emitter.emit("e", 1).unwrap();
    expect(&mut clients, &[0, 1, 2], r#"2["e",1]"#).await;
    let (received, _) = nodes.received(async { emitter.to("x").except(&clients[0].id).emit("e", 2) }).await;
    assert_eq!(received, [1, 1, 0]);
    expect(&mut clients, &[1], r#"2["e",2]"#).await;
    let (received, _) = nodes.received(async { emitter.to(&clients[2].id).volatile().emit("e", 3) }).await;
    assert_eq!(received, [0, 0, 1]);
    expect(&mut clients, &[2], r#"2["e",3]"#).await;
    emitter.to("x").join("y").unwrap();
    emitter.to("y").emit("e", 4).unwrap();
    expect(&mut clients, &[0, 1], r#"2["e",4]"#).await;
    emitter.to("y").disconnect().unwrap();
    expect(&mut clients, &[0, 1], "1").await;
    let error = emitter.emit("connect", ()).unwrap_err();
    assert!(matches!(error, EmitterError::Encode(EncodeError::ReservedName { .. })));
    bus.close().await;
    assert!(matches!(emitter.emit("e", 5), Err(EmitterError::NotPublished(_))));
}
