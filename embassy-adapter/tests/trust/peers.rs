//! Other people's servers. Each answers a line with a line.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use crate::keys::Keys;

/// A server that listens, and is ended when this is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) address: String,
}

impl Server {
    /// OpenSSL's, with the key and the certificate of this folder. It answers a line with its letters in reverse.
    pub(crate) fn openssl(keys: &Keys) -> Self {
        Self::openssl_with(keys, "-cert server.crt -key server.key -tls1_3")
    }

    /// OpenSSL's, with these arguments.
    pub(crate) fn openssl_with(keys: &Keys, arguments: &str) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-rev"]).args(arguments.split_whitespace());
        Self::start(command.current_dir(&keys.folder), "ACCEPT ")
    }

    /// A `tls` server of Node.js. It answers with the same line.
    pub(crate) fn node(keys: &Keys) -> Self {
        let script = "const { readFileSync } = require('fs');
            const [key, cert] = ['server.key', 'server.crt'].map((name) => readFileSync(name));
            const server = require('tls').createServer({ key, cert }, (socket) => {
                socket.on('error', () => {});
                socket.pipe(socket);
            });
            server.on('tlsClientError', () => {});
            server.listen(0, '127.0.0.1', () => console.log('ACCEPT 127.0.0.1:' + server.address().port));";
        Self::start(Command::new("node").args(["-e", script]).current_dir(&keys.folder), "ACCEPT ")
    }

    /// Starts a server that prints where it listens, after these words.
    fn start(command: &mut Command, words: &str) -> Self {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a server");
        let mut output = BufReader::new(process.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let address = output.find_map(|line| Some(line.strip_prefix(words)?.to_owned())).expect("it listens");
        // What it prints later is read, so that it never waits.
        std::thread::spawn(move || output.for_each(drop));
        Self { process, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
