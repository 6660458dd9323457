//! Joins a namespace, shows what arrives, answers what is asked, and emits each line that is typed as a `message`.
//!
//! `cargo run --example socketio_client -- http://127.0.0.1:3000 / '{"token":"t0k3n"}'`, with the namespace and the
//! credentials as you like. The example `socketio_echo` is a server for it.

use std::error::Error;

use eio_socketio::client::{Client, Credentials, Incoming};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let url = args.next().unwrap_or_else(|| "http://127.0.0.1:3000".to_owned());
    let namespace = args.next().unwrap_or_else(|| "/".to_owned());
    let auth: serde_json::Value = args.next().map_or(Ok(serde_json::Value::Null), |text| text.parse())?;

    let client = Client::builder(url).auth(Credentials::new(auth)).build()?;
    let mut socket = client.join(&namespace).await?;
    println!("joined {namespace} as {}", socket.id().unwrap_or_default());
    let mut lines = BufReader::new(stdin()).lines();
    loop {
        tokio::select! {
            incoming = socket.recv() => match incoming? {
                Incoming::Event { name, args, ack } => {
                    println!("{name}: {args}");
                    if let Some(ack) = ack {
                        ack.send(args)?;
                    }
                }
                Incoming::Disconnected(end) => println!("disconnected: {end}"),
                Incoming::Connected { recovered } => println!("connected again; recovered: {recovered}"),
                other => println!("{other:?}"),
            },
            line = lines.next_line() => match line? {
                Some(line) => socket.send("message", line).await?,
                None => break,
            },
        }
    }
    client.close().await;
    Ok(())
}
