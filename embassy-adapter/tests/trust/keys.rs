//! Keys and certificates, made as the documentation says.

use std::path::PathBuf;
use std::process::Command;

use eio_embassy::tls::PublicKey;

/// A folder with a key, its certificate and its public half, named as in the documentation.
pub(crate) struct Keys {
    pub(crate) folder: PathBuf,
}

impl Keys {
    /// A self-signed certificate in a folder of this name.
    pub(crate) fn make(name: &str) -> Self {
        let keys = Self::folder(name);
        keys.run("Making the key");
        keys
    }

    /// An authority and a server's certificate in a folder of this name.
    pub(crate) fn make_authority(name: &str) -> Self {
        let keys = Self::folder(name);
        keys.run("Making an authority");
        keys
    }

    /// Runs the commands of this section of the module's documentation.
    pub(crate) fn run(&self, section: &str) {
        let page = include_str!("../../src/tls.rs").replace("\\\n//! ", "");
        let lines = page.lines().filter_map(|line| line.strip_prefix("//! "));
        let section = lines.skip_while(|line| line.strip_prefix("# ") != Some(section)).skip(1);
        let mut commands =
            section.take_while(|line| !line.starts_with("# ")).filter(|line| line.starts_with("openssl "));
        self.openssl(commands.next().expect("the documentation has commands in this section"));
        commands.for_each(|command| self.openssl(command));
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
        if let Err(errors) = self.attempt(command) {
            panic!("{command}: {errors}");
        }
    }

    /// Runs this command, which fails, and returns what it says.
    pub(crate) fn fails(&self, command: &str) -> String {
        self.attempt(command).expect_err("a failure")
    }

    fn attempt(&self, command: &str) -> Result<(), String> {
        let mut words = command.split_whitespace();
        let program = words.next().expect("a program");
        let output = Command::new(program).args(words).current_dir(&self.folder).output().expect("openssl");
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    pub(crate) fn read(&self, file: &str) -> Vec<u8> {
        std::fs::read(self.folder.join(file)).expect("a file")
    }

    /// The server's public key, as firmware reads it.
    pub(crate) fn public(&self) -> PublicKey {
        PublicKey::from_der(&self.read("server-public.der")).expect("a key on P-256")
    }

    /// The authority's.
    pub(crate) fn authority(&self) -> PublicKey {
        PublicKey::from_der(&self.read("ca-public.der")).expect("a key on P-256")
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
