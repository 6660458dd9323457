//! A network namespace with one cable, which can be pulled.

use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Numbers the namespaces of this process: the kernel takes its time to forget a name.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A namespace, and the pair of interfaces that connects it with ours.
#[derive(Debug)]
pub struct Network {
    name: String,
    /// Our address.
    pub host: String,
    /// The address inside.
    pub guest: String,
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
        let [host, guest] = [b + 1, b + 2].map(|last| format!("10.231.{a}.{last}"));
        let network = Self { name, host, guest };
        let Self { name, host, guest } = &network;
        ip(&format!("netns add {name}"));
        ip(&format!("link add {name} type veth peer name cable netns {name}"));
        ip(&format!("addr add {host}/30 dev {name}"));
        ip(&format!("link set {name} up"));
        ip(&format!("-n {name} addr add {guest}/30 dev cable"));
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

    /// Everything crosses again.
    ///
    /// # Panics
    /// Panics if the system refuses.
    pub fn plug_in(&self) {
        ip(&format!("-n {} link set cable up", self.name));
    }

    /// Our machine knows the address of the other end of the cable for good, as it knows that of a router on a longer way.
    ///
    /// Otherwise it forgets the address with the cable, and what is sent meanwhile waits for it: it is not lost.
    ///
    /// # Panics
    /// Panics if the system refuses.
    pub fn fix_neighbour(&self) {
        const ADDRESS: &str = "02:00:00:00:00:02";
        ip(&format!("-n {} link set cable address {ADDRESS}", self.name));
        ip(&format!("neigh replace {} lladdr {ADDRESS} dev {} nud permanent", self.guest, self.name));
    }

    /// Our senders wait for an answer from inside for at least this time, and a round trip, before they repeat anything.
    ///
    /// # Panics
    /// Panics if the system refuses.
    pub fn set_shortest_timeout(&self, time: Duration) {
        ip(&format!("route replace {} dev {} rto_min {}ms", self.guest, self.name, time.as_millis()));
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
