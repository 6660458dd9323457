//! What the libraries and the script said about the sessions of a recording, mostly without naming them.

use super::plan::End;
use super::transcript::{Kind, Micros, Transcript, Who};
use super::versions;
use super::wire::Wire;

/// Everything that was said, sorted by what it means.
#[derive(Clone, Debug, Default)]
pub(crate) struct Says {
    /// When the server's library reported a new session.
    pub(crate) connections: Vec<Micros>,
    pub(crate) server_ends: Vec<End>,
    pub(crate) client_ends: Vec<End>,
    pub(crate) client_opens: Vec<Micros>,
    /// When the server's application called `close`.
    pub(crate) server_closes: Vec<Micros>,
    /// When the client's clock jumped, and how far.
    pub(crate) clock_steps: Vec<(Micros, Micros)>,
    /// When an event loop was blocked, from and to.
    pub(crate) blocked: Vec<(Micros, Micros)>,
    /// From when on what somebody sends is lost.
    cut: Vec<(Micros, Who)>,
    /// When a request's connection was destroyed, and by whom.
    pub(crate) destroyed: Vec<(Micros, Who, u64)>,
}

impl Says {
    /// Listens to a recording.
    pub(crate) fn of(transcript: &Transcript) -> Self {
        let mut says = Self::default();
        let socket_io = versions::is_socket_io(&transcript.server);
        for event in &transcript.events {
            match (&event.kind, event.who) {
                (Kind::Api { event: name, args }, who) => {
                    let end = End { at: event.at, reason: args["reason"].as_str().map(str::to_owned) };
                    match (name.as_str(), who) {
                        ("connection", Who::Server) if !socket_io => says.connections.push(event.at),
                        ("engine connection", Who::Server) => says.connections.push(event.at),
                        ("close", Who::Server) if !socket_io => says.server_ends.push(end),
                        ("engine close", Who::Server) => says.server_ends.push(end),
                        ("close" | "disconnect", Who::Client) => says.client_ends.push(end),
                        ("open" | "connect", Who::Client) => says.client_opens.push(event.at),
                        _ => {}
                    }
                }
                (Kind::Said(text), who) => says.hear(event.at, who, text),
                _ => {}
            }
        }
        says
    }

    fn hear(&mut self, at: Micros, who: Who, text: &str) {
        if who == Who::Server && text.contains("close()") {
            self.server_closes.push(at);
        } else if text.contains("advanced by") {
            self.clock_steps.extend(duration_in(text).map(|by| (at, by)));
        } else if text.contains("unblocked") {
            if let Some(last) = self.blocked.last_mut() {
                last.1 = at;
            }
        } else if text.contains("block") {
            self.blocked.extend(duration_in(text).map(|by| (at, at + by)));
        } else if text.contains("dropped from here") {
            let one_way = [("client to server", Who::Client), ("server to client", Who::Server)];
            let one_way = one_way.into_iter().find(|(words, _)| text.contains(words)).map(|(_, who)| who);
            let lost =
                [Who::Client, Who::Server].into_iter().filter(|who| one_way.is_none_or(|only| only == *who));
            self.cut.extend(lost.map(|who| (at, who)));
        } else if let Some((_, id)) = text.split_once("destroys TCP connection of request ") {
            self.destroyed.extend(id.trim().parse().ok().map(|id| (at, who, id)));
        }
    }

    /// Whether what `who` sends at `at` is lost.
    pub(crate) fn is_cut(&self, who: Who, at: Micros) -> bool {
        self.cut.iter().any(|(from, sender)| *sender == who && *from <= at)
    }

    /// Whose end each recorded end is: that of the session with traffic nearest to it. Of those that ended already,
    /// none.
    pub(crate) fn server_ends(&self, wires: &[Wire]) -> Vec<Option<End>> {
        let mut ends = vec![None; wires.len()];
        for said in &self.server_ends {
            let open = wires.iter().enumerate().filter(|(index, wire)| {
                ends.get(*index).is_some_and(Option::is_none) && wire.started <= said.at
            });
            if let Some((index, _)) = open.min_by_key(|(_, wire)| wire.distance(said.at))
                && let Some(end) = ends.get_mut(index)
            {
                *end = Some(said.clone());
            }
        }
        ends
    }
}

impl Wire {
    /// From `at` to this session's nearest event.
    fn distance(&self, at: Micros) -> Micros {
        let exchanges = self.polls.iter().chain(&self.posts);
        let requests =
            exchanges.flat_map(|exchange| [Some(exchange.at), exchange.outcome.as_ref().map(|(at, _)| *at)]);
        let sockets = self.sockets.iter().flat_map(|socket| {
            let frames = socket.frames.iter().map(|frame| Some(frame.at));
            frames.chain([Some(socket.at), socket.closed.map(|(at, _)| at)])
        });
        requests.chain(sockets).flatten().map(|event| event.abs_diff(at)).min().unwrap_or(Micros::MAX)
    }
}

/// A number and its unit in what a script said: `1000 ms`, `10 s`, `1 h`.
fn duration_in(text: &str) -> Option<Micros> {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.windows(2).find_map(|pair| {
        let [number, unit] = pair else { return None };
        let number: u64 = number.parse().ok()?;
        let unit = match unit.trim_end_matches(['s', '.', ',', ';']) {
            "m" | "ms" if unit.starts_with("ms") => 1_000,
            "" | "sec" | "second" => 1_000_000,
            "min" | "minute" => 60_000_000,
            "h" | "hour" => 3_600_000_000,
            _ => return None,
        };
        number.checked_mul(unit)
    })
}
