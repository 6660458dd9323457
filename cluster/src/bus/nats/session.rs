//! What is said on a connection to a NATS server.

use std::collections::HashMap;

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::{task, time};

use crate::bus::nats::codec::{self, Decoder, Hello, Info, Said};
use crate::bus::nats::connection::Connection;
use crate::bus::server::{Beat, Broken, Ended, Pulse, ServerUrl, Settings, Stream, connect, encrypt};
use crate::bus::{Command, Port, Subject};
use crate::targets;

/// A connection on which the server has accepted us.
pub(crate) struct Session {
    connection: Connection,
    max_payload: usize,
    pulse: Pulse,
    patience: core::time::Duration,
    /// The numbers of the subscriptions, which are asked for by their subject and ended by their number.
    ids: HashMap<Subject, u64>,
    last_id: u64,
    /// What was sent behind the last ping.
    sent: Sent,
    /// What was sent before a ping that is not answered yet. There is one such ping at most: under load, there is one in
    /// each round trip, which confirms all that was sent in the one before.
    pinged: Option<Sent>,
    has_refused: bool,
}

/// What the server confirms by its answer to a ping.
#[derive(Debug, Default)]
struct Sent {
    subscriptions: Vec<Subject>,
    messages: u64,
    /// A subscription was ended behind one of these.
    has_ends: bool,
    /// How many of the subscriptions are more than the server allows. It does not say which.
    above_limit: usize,
}

impl Sent {
    fn is_empty(&self) -> bool {
        self.subscriptions.is_empty() && self.messages == 0
    }
}

/// What the server says about each subscription above its `max_subscriptions`.
const TOO_MANY: &str = "maximum subscriptions exceeded";

/// What the server says is handled up to this number before commands are looked at.
const AT_ONCE: usize = 64;

impl Session {
    /// Connects, and waits until the server accepts us.
    pub(super) async fn open(url: &ServerUrl, settings: &Settings) -> Result<Self, Broken> {
        let mut stream = connect(url).await?;
        let info = greeting(&mut stream).await?;
        if url.is_tls && !info.tls_required && !info.tls_available {
            return Err(Broken::refused("the server has no TLS, which the URL asks for"));
        }
        let is_tls = url.is_tls || info.tls_required;
        let stream = if is_tls { encrypt(stream, url, settings).await? } else { Box::new(stream) };
        Self::greet(stream, url, is_tls, info, settings).await
    }

    async fn greet(
        stream: Box<dyn Stream>,
        url: &ServerUrl,
        is_tls: bool,
        info: Info,
        settings: &Settings,
    ) -> Result<Self, Broken> {
        let mut connection = Connection::new(stream);
        let hello = Hello {
            verbose: false,
            pedantic: false,
            tls_required: is_tls,
            name: env!("CARGO_PKG_NAME"),
            lang: "rust",
            version: env!("CARGO_PKG_VERSION"),
            protocol: 1,
            echo: true,
            user: url.user.as_deref().filter(|_| url.password.is_some()),
            pass: url.password.as_deref(),
            auth_token: url.user.as_deref().filter(|_| url.password.is_none()),
        };
        codec::hello(&mut connection.out, &hello);
        codec::ping(&mut connection.out);
        let mut session = Self {
            connection,
            max_payload: info.max_payload,
            pulse: Pulse::new(settings.heartbeat),
            patience: settings.patience(),
            ids: HashMap::new(),
            last_id: 0,
            sent: Sent::default(),
            pinged: None,
            has_refused: false,
        };
        loop {
            match session.connection.next().await? {
                Some(Said::Pong) => return Ok(session),
                Some(Said::Error(text)) => return Err(broken(&text)),
                Some(Said::Info(info)) => session.max_payload = info.max_payload,
                Some(Said::Ping) => codec::pong(&mut session.connection.out),
                Some(Said::Message(_) | Said::Okay) | None => {}
            }
        }
    }

    /// Moves messages until the node closes the port, or the connection breaks.
    pub(super) async fn serve(mut self, port: &mut Port) -> Ended {
        let ended = match self.move_messages(port).await {
            Ok(()) => match time::timeout(self.patience, self.finish(port)).await {
                Ok(Err(broken)) => Err(broken),
                Ok(Ok(())) | Err(_) => Ok(()),
            },
            Err(broken) => Err(broken),
        };
        port.lost(self.sent.messages + self.pinged.map_or(0, |sent| sent.messages));
        ended.map_or_else(Ended::Broken, |()| Ended::Closed)
    }

    async fn move_messages(&mut self, port: &mut Port) -> Result<(), Broken> {
        port.up();
        loop {
            while self.connection.has_room()
                && let Some(command) = port.try_next()
            {
                self.act(command, port);
            }
            self.ask();
            let has_room = self.connection.has_room();
            tokio::select! {
                said = self.connection.next() => {
                    let (mut said, mut handled) = (said?, 0);
                    while let Some(one) = said {
                        self.handle(one, port)?;
                        handled += 1;
                        said = if handled < AT_ONCE { self.connection.decode()? } else { None };
                    }
                }
                command = port.next(), if has_room => match command {
                    Some(command) => self.act(command, port),
                    None => return Ok(()),
                },
                () = time::sleep_until(self.pulse.due()) => self.check(port).await?,
            }
        }
    }

    /// Waits until the server has all that the node has published.
    async fn finish(&mut self, port: &mut Port) -> Result<(), Broken> {
        loop {
            self.ask();
            if self.pinged.is_none() {
                return Ok(());
            }
            if let Some(said) = self.connection.next().await? {
                self.handle(said, port)?;
            }
        }
    }

    fn act(&mut self, command: Command, port: &mut Port) {
        match command {
            Command::Publish { subject, payload } => self.publish(&subject, &payload, port),
            Command::Subscribe(subject) => self.subscribe(subject),
            Command::Unsubscribe(subject) => {
                self.unsubscribe(&subject);
            }
        }
    }

    fn publish(&mut self, subject: &Subject, payload: &Bytes, port: &mut Port) {
        let (length, max) = (payload.len(), self.max_payload);
        if length > max {
            self.refuse(port, format_args!("a message of {length} B is above its max_payload of {max} B"));
            return;
        }
        codec::publish(&mut self.connection.out, subject.as_str(), payload);
        self.sent.messages += 1;
    }

    /// Counts a message that the server does not take. The first one is logged.
    fn refuse(&mut self, port: &mut Port, why: impl core::fmt::Display) {
        port.lost(1);
        if !core::mem::replace(&mut self.has_refused, true) {
            tracing::warn!(target: targets::BUS, cause = %why, "the server does not take messages of this node");
        }
    }

    fn subscribe(&mut self, subject: Subject) {
        self.last_id += 1;
        codec::subscribe(&mut self.connection.out, subject.as_str(), self.last_id);
        self.ids.insert(subject.clone(), self.last_id);
        self.sent.subscriptions.push(subject);
    }

    /// Returns whether the subscription was asked for.
    fn unsubscribe(&mut self, subject: &Subject) -> bool {
        let Some(id) = self.ids.remove(subject) else { return false };
        codec::unsubscribe(&mut self.connection.out, id);
        self.sent.has_ends |= !self.sent.subscriptions.is_empty();
        true
    }

    /// Asks the server to confirm what was sent.
    fn ask(&mut self) {
        if self.pinged.is_none() && !self.sent.is_empty() {
            self.ping();
        }
    }

    fn ping(&mut self) {
        codec::ping(&mut self.connection.out);
        self.pinged = Some(core::mem::take(&mut self.sent));
    }

    fn handle(&mut self, said: Said, port: &mut Port) -> Result<(), Broken> {
        self.pulse.hear();
        match said {
            Said::Message(payload) => port.deliver(payload),
            Said::Pong => {
                self.pulse.hear_answer();
                let confirmed = self.pinged.take().unwrap_or_default();
                self.confirm(confirmed, port);
            }
            Said::Ping if self.connection.has_room() => codec::pong(&mut self.connection.out),
            Said::Ping => return Err(Broken::new("the server pings, and reads nothing")),
            Said::Info(info) => self.max_payload = info.max_payload,
            Said::Okay => {}
            Said::Error(text) => self.handle_error(&text, port)?,
        }
        Ok(())
    }

    /// The server has had all of this. It refuses the last ones of too many subscriptions, if none has ended in between. If
    /// one has, those that may be among the refused ones are asked for once more, by themselves.
    fn confirm(&mut self, mut sent: Sent, port: &mut Port) {
        if sent.above_limit > 0 && sent.has_ends {
            sent.subscriptions.retain(|subject| self.unsubscribe(subject));
            sent.subscriptions.into_iter().for_each(|subject| self.subscribe(subject));
            return;
        }
        let taken = sent.subscriptions.len().saturating_sub(sent.above_limit);
        for subject in sent.subscriptions.split_off(taken) {
            self.ids.remove(&subject);
            port.refused(&subject, format_args!("the server says `{TOO_MANY}`"));
        }
        sent.subscriptions.iter().for_each(|subject| port.subscribed(subject));
    }

    /// Of all errors, the server keeps the connection only after one about a permission, a subject or the number of
    /// subscriptions.
    fn handle_error(&mut self, text: &str, port: &mut Port) -> Result<(), Broken> {
        let subject = text.split('"').nth(1).unwrap_or_default();
        if starts_with(text, "permissions violation for subscription") {
            let mut pending =
                self.pinged.iter_mut().chain([&mut self.sent]).map(|sent| &mut sent.subscriptions);
            let asked = pending.find_map(|subscriptions| {
                let at = subscriptions.iter().position(|one| one.as_str() == subject)?;
                Some(subscriptions.remove(at))
            });
            // A confirmed one ends when the server's configuration changes.
            let ended = || self.ids.keys().find(|one| one.as_str() == subject).cloned();
            if let Some(subject) = asked.or_else(ended) {
                self.ids.remove(&subject);
                port.refused(&subject, text);
            }
        } else if starts_with(text, "permissions violation for publish")
            || starts_with(text, "invalid subject")
        {
            self.refuse(port, text);
        } else if starts_with(text, TOO_MANY) {
            // It comes before the answer to the next ping.
            self.pinged.as_mut().unwrap_or(&mut self.sent).above_limit += 1;
        } else {
            return Err(broken(text));
        }
        Ok(())
    }

    async fn check(&mut self, port: &mut Port) -> Result<(), Broken> {
        // What the server has said counts before its silence: also when this process was asleep, and the runtime has not
        // looked at the socket yet.
        for _ in 0..2 {
            task::yield_now().await;
            while let Some(said) = self.read_now().await? {
                self.handle(said, port)?;
            }
        }
        // Bytes that are no whole message yet are a sign of life as well.
        if let Some(at) = self.connection.heard_at.take() {
            self.pulse.hear_at(at);
        }
        match self.pulse.check() {
            Some(Beat::Ping) if self.pinged.is_none() => self.ping(),
            Some(Beat::Silent) => {
                let patience = self.patience;
                return Err(Broken::new(format_args!("the server has been silent for {patience:?}")));
            }
            Some(Beat::Ping) | None => {}
        }
        Ok(())
    }

    /// Returns what the server says, if it is there already.
    async fn read_now(&mut self) -> Result<Option<Said>, Broken> {
        use core::task::Poll;
        core::future::poll_fn(|cx| match self.connection.poll_next(cx) {
            Poll::Ready(said) => Poll::Ready(said),
            Poll::Pending => Poll::Ready(Ok(None)),
        })
        .await
    }
}

/// Reads what a server says first, which is never encrypted.
async fn greeting(stream: &mut TcpStream) -> Result<Info, Broken> {
    let not_nats = |error| Broken::new(format_args!("the server does not speak NATS: {error}"));
    let mut decoder = Decoder::default();
    loop {
        match decoder.decode().map_err(not_nats)? {
            Some(Said::Info(info)) if decoder.is_empty() => return Ok(info),
            Some(Said::Error(text)) => return Err(broken(&text)),
            Some(_) => return Err(Broken::new("the server does not begin with INFO alone, as NATS does")),
            None if stream.read_buf(decoder.space()).await? == 0 => {
                return Err(Broken::new("the server has closed the connection"));
            }
            None => {}
        }
    }
}

fn broken(text: &str) -> Broken {
    let cause = format_args!("the server says `{text}`");
    let refusals = ["authorization", "authentication", "user authentication", "account authentication"];
    if refusals.iter().any(|refusal| starts_with(text, refusal)) {
        Broken::refused(cause)
    } else {
        Broken::new(cause)
    }
}

fn starts_with(text: &str, beginning: &str) -> bool {
    text.get(..beginning.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(beginning))
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::pin::Pin;
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, duplex};
    use tokio::time::{Instant, sleep, timeout};

    use super::*;
    use crate::bus::nats::SCHEME;
    use crate::bus::{Bus, BusState, Direct};

    /// A bus whose one connection leads to the test.
    struct Once(DuplexStream);

    impl Bus for Once {
        fn run(self: Box<Self>, mut port: Port) -> Pin<Box<dyn Future<Output = ()> + Send>> {
            Box::pin(async move {
                let settings = Settings::new(["nats://ann:secret@h"], &SCHEME).unwrap();
                let url = &settings.urls[0];
                let info = Info { max_payload: 1_000, ..Info::default() };
                match Session::greet(Box::new(self.0), url, false, info, &settings).await {
                    Err(broken) => port.down(format!("{broken:?}")),
                    Ok(session) => match session.serve(&mut port).await {
                        Ended::Broken(broken) => port.down(format!("{broken:?}")),
                        Ended::Closed => return,
                    },
                }
                core::future::pending::<()>().await;
            })
        }
    }

    /// The test's end of the connection.
    struct Server(BufReader<DuplexStream>);

    impl Server {
        async fn hears(&mut self) -> String {
            let mut line = String::new();
            timeout(Duration::from_mins(1), self.0.read_line(&mut line)).await.expect("a line").unwrap();
            line.trim_end().to_owned()
        }

        async fn expects(&mut self, lines: &[&str]) {
            for line in lines {
                assert_eq!(self.hears().await, *line);
            }
        }

        async fn says(&mut self, text: &str) {
            self.0.write_all(text.as_bytes()).await.unwrap();
        }
    }

    type Heard = Arc<Mutex<Vec<Bytes>>>;

    async fn connected() -> (Direct, Server, Heard) {
        let (ours, theirs) = duplex(64 * 1024);
        let heard = Heard::default();
        let keeps = Arc::clone(&heard);
        let node =
            Direct::start("eio", Once(ours), move |payload| keeps.lock().unwrap().push(payload)).unwrap();
        let mut server = Server(BufReader::new(theirs));
        let hello = server.hears().await;
        assert!(
            hello.starts_with("CONNECT {") && hello.contains("\"user\":\"ann\",\"pass\":\"secret\""),
            "{hello}"
        );
        server.expects(&["PING"]).await;
        (node, server, heard)
    }

    #[tokio::test(start_paused = true)]
    async fn a_ping_behind_what_was_sent_confirms_it() {
        let (node, mut server, heard) = connected().await;
        server.says("PONG\r\n").await;
        node.up().await;
        node.subscribe("a");
        node.publish("b", "hi".into()).unwrap();
        let (a, b) = (node.subject("a"), node.subject("b"));
        server.expects(&[&format!("SUB {a} 1"), &format!("PUB {b} 2"), "hi", "PING"]).await;
        assert!(timeout(Duration::from_secs(1), node.subscribed("a")).await.is_err(), "it is not confirmed");
        // While a ping is under way, there is no second one.
        node.publish("b", "ho".into()).unwrap();
        server.expects(&[&format!("PUB {b} 2"), "ho"]).await;
        server.says(&format!("PONG\r\nMSG {a} 1 3\r\nyes\r\n")).await;
        node.subscribed("a").await;
        server.expects(&["PING"]).await;
        sleep(Duration::from_millis(1)).await;
        assert_eq!(heard.lock().unwrap()[..], ["yes"]);
        // What is not confirmed when the connection breaks is lost.
        drop(server);
        sleep(Duration::from_millis(1)).await;
        let status = node.status();
        assert_eq!((status.state, status.lost, status.published), (BusState::Down, 1, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_a_connection_after_an_interval_and_a_timeout_and_a_word_prolongs_it() {
        let (node, mut server, _) = connected().await;
        server.says("PONG\r\n").await;
        node.up().await;
        let start = Instant::now();
        server.expects(&["PING"]).await;
        assert_eq!(start.elapsed().as_secs(), 2);
        sleep(Duration::from_millis(2_900)).await;
        server.says("+OK\r\n").await;
        sleep(Duration::from_millis(4_900)).await;
        assert_eq!(node.status().state, BusState::Up);
        sleep(Duration::from_millis(200)).await;
        assert!(node.status().cause.unwrap().contains("the server has been silent for 5s"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_whose_message_takes_long_is_not_silent_before_its_bytes_stop() {
        let (node, mut server, heard) = connected().await;
        server.says("PONG\r\n").await;
        node.up().await;
        node.subscribe("a");
        let a = node.subject("a");
        server.expects(&[&format!("SUB {a} 1"), "PING"]).await;
        server.says(&format!("PONG\r\nMSG {a} 1 20\r\n")).await;
        for _ in 0..20 {
            sleep(Duration::from_millis(900)).await;
            server.says("x").await;
        }
        server.says("\r\n").await;
        sleep(Duration::from_millis(1)).await;
        assert_eq!((node.status().state, heard.lock().unwrap().len()), (BusState::Up, 1));
        server.says(&format!("MSG {a} 1 20\r\n")).await;
        sleep(Duration::from_millis(1_900)).await;
        server.says("x").await;
        sleep(Duration::from_millis(4_900)).await;
        assert_eq!(node.status().state, BusState::Up);
        sleep(Duration::from_millis(200)).await;
        assert!(node.status().cause.unwrap().contains("the server has been silent for 5s"));
    }

    #[tokio::test(start_paused = true)]
    async fn refusals_are_told_apart_from_ends() {
        let (node, mut server, _) = connected().await;
        server.says("PONG\r\nPING\r\n").await;
        node.up().await;
        server.expects(&["PONG"]).await;
        node.subscribe("a");
        node.subscribe("b");
        let (a, b) = (node.subject("a"), node.subject("b"));
        let mut lines = [server.hears().await, server.hears().await];
        lines.sort();
        server.expects(&["PING"]).await;
        server.says(&format!("-ERR 'Permissions Violation for Subscription to \"{a}\"'\r\nPONG\r\n")).await;
        node.subscribed("a").await;
        node.subscribed("b").await;
        assert_eq!((node.status().refused, node.status().subscriptions), (1, 2));
        // It is asked for again, if it is wanted again.
        node.unsubscribe("a");
        node.subscribe("a");
        server.expects(&[&format!("SUB {a} 3"), "PING"]).await;
        server.says(&format!("PONG\r\n-ERR 'Permissions Violation for Publish to \"{b}\"'\r\n")).await;
        node.publish("b", vec![0; 1_001].into()).unwrap();
        sleep(Duration::from_millis(1)).await;
        let status = node.status();
        assert_eq!((status.state, status.refused, status.lost), (BusState::Up, 0, 2));
        // The server's configuration has changed.
        let ended = format!("-ERR 'Permissions Violation for Subscription to \"{b}\" (sid \"2\")'\r\n");
        server.says(&ended).await;
        sleep(Duration::from_millis(1)).await;
        assert_eq!((node.status().state, node.status().refused), (BusState::Up, 1));
        server.says("-ERR 'Authorization Timeout'\r\n").await;
        sleep(Duration::from_millis(1)).await;
        let cause = node.status().cause.unwrap();
        assert!(cause.contains("Authorization Timeout") && cause.contains("is_refusal: true"), "{cause}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_of_too_many_subscriptions_are_refused_and_the_others_stay() {
        let (node, mut server, _) = connected().await;
        server.says("PONG\r\n").await;
        node.up().await;
        node.subscribe("a");
        let (a, b, c) = (node.subject("a"), node.subject("b"), node.subject("c"));
        server.expects(&[&format!("SUB {a} 1"), "PING"]).await;
        node.subscribe("b");
        server.expects(&[&format!("SUB {b} 2")]).await;
        // The error is about what comes behind the ping.
        server.says("PONG\r\n-ERR 'maximum subscriptions exceeded'\r\n").await;
        server.expects(&["PING"]).await;
        server.says("PONG\r\n").await;
        node.subscribed("a").await;
        node.subscribed("b").await;
        assert_eq!(
            (node.status().state, node.status().refused, node.status().subscriptions),
            (BusState::Up, 1, 2)
        );
        // Which one is refused cannot be told where one ends in between, so they are asked for once more.
        node.publish("x", "1".into()).unwrap();
        server.expects(&[&format!("PUB {} 1", node.subject("x")), "1", "PING"]).await;
        node.unsubscribe("b");
        node.subscribe("b");
        server.expects(&[&format!("SUB {b} 3")]).await;
        node.unsubscribe("a");
        server.expects(&["UNSUB 1"]).await;
        node.subscribe("c");
        server.expects(&[&format!("SUB {c} 4")]).await;
        server.says("PONG\r\n-ERR 'Maximum Subscriptions Exceeded'\r\n").await;
        server.expects(&["PING"]).await;
        server.says("PONG\r\n").await;
        server.expects(&["UNSUB 3", "UNSUB 4", &format!("SUB {b} 5"), &format!("SUB {c} 6"), "PING"]).await;
        server.says("-ERR 'maximum subscriptions exceeded'\r\nPONG\r\n").await;
        node.subscribed("c").await;
        assert_eq!(
            (node.status().state, node.status().refused, node.status().subscriptions),
            (BusState::Up, 1, 2)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_pings_and_reads_nothing_takes_no_memory() {
        let (node, mut server, _) = connected().await;
        server.says("PONG\r\n").await;
        node.up().await;
        let pings = "PING\r\n".repeat(1_000);
        for _ in 0..1_000 {
            if server.0.write_all(pings.as_bytes()).await.is_err() {
                break;
            }
        }
        sleep(Duration::from_millis(1)).await;
        assert!(node.status().cause.unwrap().contains("pings, and reads nothing"));
    }
}
