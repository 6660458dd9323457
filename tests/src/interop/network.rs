//! A network namespace with one cable, which can be pulled.

use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// Numbers the namespaces of this process: the kernel takes its time to forget a name.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A namespace, and the pair of interfaces that connects it with ours.
#[derive(Debug)]
pub struct Network {
    name: String,
    /// Our address.
    pub host: String,
}

impl Network {
    /// Makes one. Linux lets only root do that.
    ///
    /// # Panics
    /// Panics if it cannot be made.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it changes the system")]
    pub fn new() -> Self {
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0);
        assert!(is_root, "network namespaces need root: run the test with `sudo -E env PATH=$PATH`");
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let id = std::process::id();
        let name = format!("eio{id}-{number}");
        let (a, b) = (id % 250, number % 64 * 4);
        let network = Self { host: format!("10.231.{a}.{}", b + 1), name };
        let (name, host) = (&network.name, &network.host);
        ip(&format!("netns add {name}"));
        ip(&format!("link add {name} type veth peer name cable netns {name}"));
        ip(&format!("addr add {host}/30 dev {name}"));
        ip(&format!("link set {name} up"));
        ip(&format!("-n {name} addr add 10.231.{a}.{}/30 dev cable", b + 2));
        ip(&format!("-n {name} link set cable up"));
        network
    }

    /// The command that runs another one inside.
    #[must_use]
    pub fn inside(&self) -> [&str; 4] {
        ["ip", "netns", "exec", &self.name]
    }

    /// Nothing crosses any more, in either direction.
    ///
    /// # Panics
    /// Panics if the system refuses.
    pub fn pull_cable(&self) {
        ip(&format!("-n {} link set cable down", self.name));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The interfaces go with it.
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

fn ip(arguments: &str) {
    let done = Command::new("ip").args(arguments.split(' ')).status().expect("iproute2 is not installed");
    assert!(done.success(), "`ip {arguments}` failed");
}
