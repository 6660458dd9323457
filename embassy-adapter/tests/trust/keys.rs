//! Keys and certificates, made as the documentation says.

use std::path::PathBuf;
use std::process::Command;

use eio_embassy::tls::PublicKey;

/// A folder with a key, its certificate and its public half, named as in the documentation.
pub(crate) struct Keys {
    pub(crate) folder: PathBuf,
}

impl Keys {
    /// Runs the commands of the documentation in a folder of this name.
    pub(crate) fn make(name: &str) -> Self {
        let keys = Self::folder(name);
        for command in documented("genpkey").chain(documented("req")).chain(documented("pkey -in")) {
            keys.openssl(command);
        }
        keys
    }

    /// An empty folder of this name.
    pub(crate) fn folder(name: &str) -> Self {
        let folder =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("trust-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self { folder }
    }

    /// Runs this command, whose first word is "openssl".
    pub(crate) fn openssl(&self, command: &str) {
        let mut words = command.split_whitespace();
        let program = words.next().expect("a program");
        let output = Command::new(program).args(words).current_dir(&self.folder).output().expect("openssl");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.folder.join(file)).expect("a file")
    }

    /// The public key, as firmware reads it.
    pub(crate) fn public(&self) -> PublicKey {
        PublicKey::from_der(&self.read("server-public.der")).expect("a key on P-256")
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The commands of the module's documentation that begin with these words after "openssl".
pub(crate) fn documented(words: &str) -> impl Iterator<Item = &'static str> {
    let start = format!("openssl {words} ");
    let mut commands = include_str!("../../src/tls.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//! "))
        .filter(move |line| line.starts_with(&start))
        .peekable();
    assert!(commands.peek().is_some(), "the documentation no longer says: openssl {words}");
    commands
}
