//! How the board and its server talk: over TCP alone, or over TLS with a key that the board knows.

use core::fmt::Write as _;

use eio_tests::firmware::{Board, Peer, Power};
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use serde_json::json;

use crate::SOON;

/// How the board and its server talk.
pub(crate) enum Security {
    Tcp,
    Tls(Identity),
}

/// A server's key and certificate.
pub(crate) struct Identity {
    key: String,
    certificate: String,
    /// The public key as the firmware takes it: the two coordinates, which are the last 64 bytes of its DER.
    public: String,
}

impl Identity {
    /// A new one.
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key on P-256");
        let names = vec!["server.example".to_owned()];
        let certificate = CertificateParams::new(names).and_then(|params| params.self_signed(&key));
        let mut public = String::new();
        let der = key.subject_public_key_info();
        for byte in &der[der.len() - 64..] {
            let _ = write!(public, "{byte:02x}");
        }
        Self { key: key.serialize_pem(), certificate: certificate.expect("a certificate").pem(), public }
    }
}

impl Security {
    /// TLS, with a new key.
    pub(crate) fn tls() -> Self {
        Self::Tls(Identity::new())
    }

    /// A server of `tests/nest`.
    pub(crate) fn server(&self, script: &str, port: u16, ping_interval: u64, ping_timeout: u64) -> Peer {
        let mut settings = json!({"port": port, "pingInterval": ping_interval, "pingTimeout": ping_timeout});
        if let Self::Tls(identity) = self {
            settings["tls"] = json!({"key": identity.key, "cert": identity.certificate});
        }
        Peer::node_with(script, &settings)
    }

    /// A board that talks to the server on this port.
    pub(crate) fn board(&self, power: Power, port: u16, arguments: &str) -> Board {
        let key = match self {
            Self::Tcp => String::new(),
            Self::Tls(identity) => format!("key={} ", identity.public),
        };
        Board::start(power, "firmware", &format!("port={port} limit=240 {key}{arguments}"))
    }

    /// A board and the plain Engine.IO server that it has a session with.
    pub(crate) fn engine_io(&self, ping_interval: u64, ping_timeout: u64, arguments: &str) -> (Board, Peer) {
        let power = Power::on();
        let mut server = self.server("engineio", 0, ping_interval, ping_timeout);
        let mut board = self.board(power, server.port(), arguments);
        let open = board.expect("open ", SOON);
        let periods = (open.number("interval"), open.number("timeout"));
        assert_eq!(periods, (Some(ping_interval), Some(ping_timeout)));
        server.expect("open", SOON);
        (board, server)
    }
}
