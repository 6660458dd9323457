//! The libraries whose servers our client meets, and what each of them does differently.

use eio_tests::built::{nest, socketioxide};
use eio_tests::interop::{Mode, python};
use tokio::process::Command;

/// What starts the servers of a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    JavaScript4,
    JavaScript2,
    Nest,
    Python,
    Socketioxide,
}

impl Program {
    pub(super) const COUNT: usize = 5;

    pub(super) fn command(self) -> Command {
        let script = |interpreter: &str, arguments: &[&str]| {
            let mut command = Command::new(interpreter);
            command.args(arguments);
            command
        };
        match self {
            Self::JavaScript4 => script("node", &["socketio-server.cjs", "socket.io"]),
            Self::JavaScript2 => script("node", &["socketio-server.cjs", "socket.io-2"]),
            Self::Nest => nest("gateways").into(),
            Self::Python => script(&python(), &["socketio_server.py"]),
            Self::Socketioxide => Command::new(socketioxide()),
        }
    }
}

/// What a case asks of a server, beside events and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Text that is half of a surrogate pair.
    HalfPairs,
    /// Names of events that JSON has to escape.
    EscapedNames,
    /// Objects whose first key is one that JSON has to escape.
    EscapedKeys,
    /// Names of namespaces that are not ASCII.
    UnicodeNamespaces,
    /// A refusal with a message.
    RefusalMessage,
    /// A refusal with data.
    RefusalData,
    /// Credentials when a client joins `/`.
    Credentials,
    /// To disconnect a client from all of its namespaces.
    DisconnectWhole,
    /// To let a client into `/` again that was disconnected from it.
    RejoinRoot,
    /// To send a packet that is none.
    Raw,
    /// To recover sockets.
    Recovery,
    /// Handlers whose result is an event, and whose exception is one.
    Handlers,
}

/// Why a server says that a socket has left.
#[derive(Debug)]
pub(super) struct Words {
    /// The client has left the namespace.
    pub(super) client_left: &'static str,
    /// The server has disconnected the client from the namespace.
    pub(super) disconnected: &'static str,
    /// The connection has ended without a word: one of these. On polling, the server notices it by itself, or hears of it
    /// from the client, on another connection.
    pub(super) cut: fn(Mode) -> &'static [&'static str],
    /// The client has been silent for too long: one of these. None if the server does not notice it.
    pub(super) silent: fn(Mode) -> &'static [&'static str],
}

/// The words of socket.io.
const REFERENCE: Words = Words {
    client_left: "client namespace disconnect",
    disconnected: "server namespace disconnect",
    cut: |mode| match mode {
        Mode::Polling => &["transport error", "transport close"],
        Mode::WebSocket | Mode::Upgrade => &["transport close"],
    },
    silent: |_| &["ping timeout"],
};

/// A library, and how it is used.
#[derive(Debug)]
pub(super) struct Library {
    pub(super) name: &'static str,
    pub(super) program: Program,
    /// Whether our client speaks the revision of Socket.IO 2.
    pub(super) is_old: bool,
    /// Whether a flood of events takes it much longer than the others.
    pub(super) is_slow: bool,
    pub(super) words: Words,
    /// Its refusal of a namespace that does not exist.
    pub(super) unknown_namespace: &'static str,
    /// What it cannot do, each with the reason.
    pub(super) lacks: &'static [(Need, &'static str)],
}

const ONLY_NEST: (Need, &str) = (Need::Handlers, "these are handlers of NestJS");
const NO_RECOVERY: (Need, &str) = (Need::Recovery, "it recovers no sockets");
const REVISION_4: (Need, &str) = (Need::Recovery, "revision 4 has no recovery");
const ROOT_UNASKED: (Need, &str) = (Need::Credentials, "revision 4 joins a client to `/` unasked");
const ESCAPES_NAMES: (Need, &str) =
    (Need::UnicodeNamespaces, "it escapes such a name and does not find it then");
const NO_RAW_OLD: (Need, &str) = (Need::Raw, "it is not tried with revision 4");

pub(super) static LIBRARIES: [Library; 6] = [
    Library {
        name: "socket.io 4",
        program: Program::JavaScript4,
        is_old: false,
        is_slow: false,
        words: REFERENCE,
        unknown_namespace: "Invalid namespace",
        lacks: &[ONLY_NEST],
    },
    Library {
        name: "socket.io 4 with allowEIO3",
        program: Program::JavaScript4,
        is_old: true,
        is_slow: false,
        words: Words {
            // After an upgrade, its engine no longer asks whether such a client lives (B2).
            silent: |mode| match mode {
                Mode::Upgrade => &[],
                Mode::Polling | Mode::WebSocket => &["ping timeout"],
            },
            ..REFERENCE
        },
        unknown_namespace: "Invalid namespace",
        lacks: &[
            ONLY_NEST,
            REVISION_4,
            ROOT_UNASKED,
            ESCAPES_NAMES,
            NO_RAW_OLD,
            (Need::RefusalMessage, "it sends such a client the data alone"),
        ],
    },
    Library {
        name: "socket.io 2",
        program: Program::JavaScript2,
        is_old: true,
        is_slow: false,
        words: REFERENCE,
        unknown_namespace: "Invalid namespace",
        lacks: &[
            ONLY_NEST,
            REVISION_4,
            ROOT_UNASKED,
            ESCAPES_NAMES,
            NO_RAW_OLD,
            (Need::RefusalData, "without data it sends the message, with data nothing else"),
            (Need::RejoinRoot, "it joins a client to `/` once"),
        ],
    },
    Library {
        name: "NestJS",
        program: Program::Nest,
        is_old: false,
        is_slow: false,
        words: REFERENCE,
        unknown_namespace: "Invalid namespace",
        lacks: &[],
    },
    Library {
        name: "python-socketio",
        program: Program::Python,
        is_old: false,
        is_slow: true,
        words: Words {
            client_left: "client disconnect",
            disconnected: "server disconnect",
            cut: |mode| match mode {
                Mode::Polling => &["client disconnect"],
                Mode::WebSocket | Mode::Upgrade => &["transport close"],
            },
            // On a WebSocket, its wait for any message mostly ends before its wait for a pong (B39).
            silent: |mode| match mode {
                Mode::Polling => &["ping timeout"],
                Mode::WebSocket | Mode::Upgrade => &["transport close", "ping timeout"],
            },
        },
        unknown_namespace: "Unable to connect",
        lacks: &[
            ONLY_NEST,
            NO_RECOVERY,
            (Need::DisconnectWhole, "it disconnects clients from one namespace at a time"),
        ],
    },
    Library {
        name: "socketioxide",
        program: Program::Socketioxide,
        is_old: false,
        is_slow: false,
        words: Words {
            client_left: "client has manually disconnected the socket from the namespace",
            disconnected: "socket was forcefully disconnected from the namespace",
            cut: |mode| match mode {
                Mode::Polling => &["client gracefully closed the connection"],
                Mode::WebSocket | Mode::Upgrade => &["The connection was abruptly closed"],
            },
            silent: |_| &["client did not send a PONG packet in time"],
        },
        unknown_namespace: "Invalid namespace",
        lacks: &[
            ONLY_NEST,
            NO_RECOVERY,
            (Need::HalfPairs, "Rust has no such text"),
            (Need::EscapedNames, "no handler gets such an event (B36)"),
            (Need::EscapedKeys, "no handler that takes arguments of any shape gets such an event (B36)"),
            (Need::RefusalData, "its middleware refuses with a message alone"),
            (Need::DisconnectWhole, "it disconnects clients from one namespace at a time"),
            (Need::Raw, "nothing but events can be sent through it"),
        ],
    },
];
