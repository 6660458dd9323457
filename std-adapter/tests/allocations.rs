//! How often a message allocates, and how much: counted in the server's thread.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use allocation_counter::AllocationInfo;
use eio_tokio::{Server, Socket};
use tokio::net::TcpListener;
use tokio::sync::Notify;

const UPGRADE: &str = "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\n\
     upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// A client's frame with a message of `len` bytes of text. Its mask changes nothing.
fn frame(len: usize) -> Vec<u8> {
    let header = match (u8::try_from(1 + len), u16::try_from(1 + len)) {
        (Ok(short @ 0..126), _) => vec![0x81, 0x80 | short],
        (_, Ok(medium)) => [&[0x81, 0xfe][..], &medium.to_be_bytes()].concat(),
        _ => [&[0x81, 0xff][..], &u64::try_from(1 + len).unwrap().to_be_bytes()].concat(),
    };
    [&header[..], &[0; 4], b"4", &vec![b'x'; len]].concat()
}

/// Sends `bursts` times so many messages of `len` bytes at once, and reads each burst's echoes before the next.
fn talk(server: SocketAddr, bursts: usize, at_once: usize, len: usize) {
    let mut client = TcpStream::connect(server).unwrap();
    client.write_all(UPGRADE.as_bytes()).unwrap();
    let mut received = vec![0; 1024 * 1024];
    let mut head = 0;
    while !received[..head].ends_with(b"}") {
        head += client.read(&mut received[head..]).unwrap();
    }
    let burst = frame(len).repeat(at_once);
    // An echo is as long, but for its mask.
    let echoes = burst.len() - 4 * at_once;
    for _ in 0..bursts {
        client.write_all(&burst).unwrap();
        client.read_exact(&mut received[..echoes]).unwrap();
    }
}

/// What a server allocates that echoes to one such client.
fn allocated(bursts: usize, at_once: usize, len: usize) -> AllocationInfo {
    allocation_counter::measure(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let ended = Arc::new(Notify::new());
            let told = Arc::clone(&ended);
            let server = Server::builder(move |mut socket: Socket| {
                let ended = Arc::clone(&told);
                async move {
                    while let Ok(message) = socket.recv().await {
                        let _ = socket.send(message).await;
                    }
                    ended.notify_one();
                }
            })
            .build()
            .unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let client = std::thread::spawn(move || talk(address, bursts, at_once, len));
            tokio::select! {
                _ = server.serve(listener) => {}
                () = ended.notified() => {}
            }
            client.join().unwrap();
        });
    })
}

/// How often one more message allocates, in percent, and how many bytes.
fn per_message(at_once: usize, len: usize) -> (u64, u64) {
    const BURSTS: usize = 100;
    // What a thread keeps belongs to no message.
    let _ = allocated(BURSTS, at_once, len);
    let (few, many) = (allocated(BURSTS, at_once, len), allocated(3 * BURSTS, at_once, len));
    let messages = u64::try_from(2 * BURSTS * at_once).unwrap();
    let count = many.count_total.saturating_sub(few.count_total);
    (100 * count / messages, many.bytes_total.saturating_sub(few.bytes_total) / messages)
}

#[test]
fn a_small_message_allocates_nothing() {
    for at_once in [1, 16] {
        let (count, bytes) = per_message(at_once, 20);
        assert!(count <= 10 && bytes <= 10, "{count} % and {bytes} bytes");
    }
}

#[test]
fn a_longer_message_allocates_its_payload_and_nothing_else() {
    let (count, bytes) = per_message(4, 1_024);
    assert!((95..=115).contains(&count) && (1_000..=1_100).contains(&bytes), "{count} % and {bytes} bytes");
}

#[test]
fn a_large_message_allocates_its_length_once() {
    let (count, bytes) = per_message(1, 64 * 1024);
    // A second copy would be 128 KiB. Now and then a message arrives in parts, for which its memory grows.
    assert!(count <= 600 && (64 * 1024..96 * 1024).contains(&bytes), "{count} % and {bytes} bytes");
}
