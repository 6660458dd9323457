//! The faults, each of a kind that other implementations have, or have had.

/// Tests that must find faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suite {
    Core,
    Tokio,
    Embassy,
    SocketIo,
    /// Many orders of what tasks do: what is wrong in some orders only may pass everything else.
    Schedules,
}

impl Suite {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Core => "eio-core",
            Self::Tokio => "eio-tokio",
            Self::Embassy => "eio-embassy",
            Self::SocketIo => "eio-socketio",
            Self::Schedules => "schedules",
        }
    }

    /// The arguments of cargo that run its tests, in virtual time.
    pub(super) fn arguments(self) -> &'static str {
        match self {
            Self::Core => "test --package eio-core --lib --test stories --test model --test ws",
            Self::Tokio => {
                "test --package eio-tokio --all-features --lib --test exact --test client --test loopback"
            }
            Self::Embassy => {
                "test --package eio-embassy --features proto-ipv4,proto-ipv6,subprotocol,tls --lib --test client"
            }
            Self::SocketIo => {
                "test --package eio-socketio --all-features --lib --test protocol --test server"
            }
            Self::Schedules => "--config tests/schedules/shuttle.toml test --package eio-schedules",
        }
    }

    /// The arguments of cargo that run the tests which do not find its faults, if there are such: they show that a fault is
    /// one of order.
    pub(super) fn passing(self) -> Option<&'static str> {
        (self == Self::Schedules).then_some("test --package eio-tokio --all-features --lib")
    }

    /// Where cargo puts what it builds of it, below the folder of all that has faults: the flags of `schedules` are its own.
    pub(super) fn folder(self) -> &'static str {
        match self {
            Self::Schedules => "shuttle",
            _ => "",
        }
    }
}

/// A fault.
pub(super) struct Fault {
    /// The file, named from the root.
    pub(super) place: &'static str,
    /// What goes wrong with it.
    pub(super) effect: &'static str,
    /// The piece of source that it takes the place of, which occurs once in the file.
    pub(super) sound: &'static str,
    pub(super) faulty: &'static str,
}

/// The faults that each suite must find.
pub(super) const FAULTS: &[(Suite, &[Fault])] = &[
    (
        Suite::Core,
        &[
            Fault {
                place: "core/src/heartbeat.rs",
                effect: "a ping that is due is written a microsecond late",
                sound: "        if self.timer > now {\n            return None;",
                faulty: "        if self.timer >= now {\n            return None;",
            },
            Fault {
                place: "core/src/heartbeat/eio4.rs",
                effect: "every packet extends the timeout, so that a peer without a heartbeat stays",
                sound: "Liveness::ExtendOnce if awaiting && !machine.extended => {",
                faulty: "Liveness::ExtendOnce if awaiting => {",
            },
            Fault {
                place: "core/src/upgrade.rs",
                effect: "probes in quick succession postpone the noops that an upgrade waits for",
                sound: "self.next_noop.get_or_insert(now.add_millis(NOOP_INTERVAL_MILLIS));",
                faulty: "self.next_noop = Some(now.add_millis(NOOP_INTERVAL_MILLIS));",
            },
        ],
    ),
    (
        Suite::Tokio,
        &[
            Fault {
                place: "std-adapter/src/session/driver.rs",
                effect: "a session's timer moves only to later deadlines",
                sound: "if timer.deadline() != wake_at {",
                faulty: "if timer.deadline() < wake_at {",
            },
            Fault {
                place: "std-adapter/src/session/driver.rs",
                effect: "a session that has much to do lets others run, and is not woken again",
                sound: "            is_on_time = true;\n        }\n        cx.waker().wake_by_ref();\n",
                faulty: "            is_on_time = true;\n        }\n",
            },
            Fault {
                place: "std-adapter/src/session/driver.rs",
                effect: "a session is judged by what the runtime has seen, and not by what waits in the socket",
                sound: "        let ask = || {\n",
                faulty: "        let ask = || {\n            if is_expired {\n                return Some(true);\n            }\n",
            },
        ],
    ),
    (
        Suite::Embassy,
        &[
            Fault {
                place: "embassy-adapter/src/drive.rs",
                effect: "a client that closes does not look at its deadlines",
                sound: "return Some(self.state.wake_at().min(limit));",
                faulty: "return Some(limit);",
            },
            Fault {
                place: "embassy-adapter/src/outbox.rs",
                effect: "what a stream takes in part counts as written whole",
                sound: "self.start = self.start.saturating_add(len).min(self.end);",
                faulty: "self.start = if len > 0 { self.end } else { self.start };",
            },
            Fault {
                place: "embassy-adapter/src/reconnect.rs",
                effect: "the delays go on growing after a session that has lasted",
                sound: "        self.backoff.0.handle_connected(clock::now());\n",
                faulty: "",
            },
        ],
    ),
    (
        Suite::SocketIo,
        &[
            Fault {
                place: "socketio/src/server/rooms.rs",
                effect: "a socket in two of the rooms gets an event twice",
                sound: "candidates.filter(|member| seen.insert(member.key())).cloned().collect()",
                faulty: "candidates.filter(|member| seen.insert(member.key()) || true).cloned().collect()",
            },
            Fault {
                place: "socketio/src/server/acknowledgement.rs",
                effect: "an acknowledgement that never comes is awaited until the socket ends",
                sound: "        self.socket.with_acks(|acks| acks.forget(self.id));\n",
                faulty: "",
            },
            Fault {
                place: "socketio/src/server/connection.rs",
                effect: "a client that joins no namespace stays",
                sound: "        connection.await_join();\n",
                faulty: "",
            },
        ],
    ),
    (
        Suite::Schedules,
        &[
            Fault {
                place: "std-adapter/src/session/waiting.rs",
                effect: "a wake-up between the look and the wait is lost",
                sound: "                *change = Some(awaited);\n",
                faulty: "                *change = Some(awaited);\n                return Poll::Pending;\n",
            },
            Fault {
                place: "std-adapter/src/session/mailbox.rs",
                effect: "a session's task goes to sleep over a message that was sent while it was busy",
                sound: "if self.has_changed || self.has_requests {",
                faulty: "if self.has_changed {",
            },
            Fault {
                place: "std-adapter/src/session/mailbox.rs",
                effect: "who sends takes the wake-up of those that wait until messages have been passed on",
                sound: "self.progress_awaited |= !has_room;",
                faulty: "self.progress_awaited = !has_room;",
            },
        ],
    ),
];
