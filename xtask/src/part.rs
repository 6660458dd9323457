//! The list of everything that is checked. A new part is one entry here and one function in [`parts`](crate::parts).

use crate::bench;
use crate::job::{Job, Stop};
use crate::need::Need;
use crate::parts::firmware::boards;
use crate::parts::host::workspace_test;
use crate::parts::{
    advisories, autobahn, bare_metal, coverage, deny, firmware, fuzz, host, instructions, interop, layers,
    lengths, linear, lints, long, miri, mutants, packages, page, panic_free, peers, planted, proof,
    reproducible, schedules, specifications,
};

/// One thing that must hold.
pub(crate) struct Part {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What holds when it passes.
    pub(crate) about: &'static str,
    /// The first verb that runs it.
    pub(crate) verb: Verb,
    /// What may run beside it.
    pub(crate) load: Load,
    /// What the machine must have.
    pub(crate) needs: &'static [Need],
    /// A part that takes longer hangs, and fails. Well above what two cold cores need.
    pub(crate) limit_minutes: u64,
    /// Does it: runs commands, leaves notes, returns why it does not hold.
    pub(crate) run: fn(&mut Job<'_>) -> Result<(), Stop>,
}

/// What a part does with the machine, and so which parts may run beside it ([`lanes`](crate::lanes)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// Compiles, and needs nothing but processor time: any that the others leave.
    Compiles,
    /// Runs programs that mostly wait for each other.
    Waits,
    /// Measures times, processor time or memory, has tests in virtual time that read real sockets, which must be as fast as
    /// usual, or fills the machine for hours: alone.
    Measures,
}

/// What `cargo xtask` can be told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// The quick loop.
    Check,
    /// Everything that a change must pass: what `check` runs, and more.
    Test,
    /// Proofs that take longer than a change should wait.
    Prove,
}

impl Verb {
    pub(crate) const ALL: [Self; 3] = [Self::Check, Self::Test, Self::Prove];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Test => "test",
            Self::Prove => "prove",
        }
    }

    /// The parts it runs.
    pub(crate) fn parts(self) -> Vec<&'static Part> {
        let runs = |part: &&Part| part.verb == self || (self == Self::Test && part.verb == Verb::Check);
        PARTS.iter().filter(runs).collect()
    }
}

/// The platforms that the core is built for in every change: the smallest Cortex-M, one with a floating-point unit,
/// and RISC-V without atomic instructions.
pub(crate) const BARE_METAL: [&str; 3] =
    ["thumbv6m-none-eabi", "thumbv7em-none-eabihf", "riscv32imc-unknown-none-elf"];

/// A module in a browser or in any other host of WebAssembly: no operating system either.
pub(crate) const WEB_ASSEMBLY: &str = "wasm32-unknown-unknown";

const BARE_METAL_TARGETS: [Need; 3] =
    [Need::Target(BARE_METAL[0]), Need::Target(BARE_METAL[1]), Need::Target(BARE_METAL[2])];

/// Every part, in the order in which they run: what fails fastest comes first.
pub(crate) const PARTS: &[Part] = &[
    Part {
        name: "fmt",
        about: "the code has the one format",
        verb: Verb::Check,
        load: Load::Compiles,
        needs: &[Need::Component("rustfmt")],
        limit_minutes: 2,
        run: |job| job.cargo("fmt --all --check"),
    },
    Part {
        name: "lengths",
        about: "no file of cli/, cluster/, socketio/ and std-adapter/ has more than 400 lines, without its unit tests",
        verb: Verb::Check,
        load: Load::Compiles,
        needs: &[],
        limit_minutes: 1,
        run: lengths::check,
    },
    Part {
        name: "layers",
        about: "the tokio adapter's modules import downwards only, and not in circles",
        verb: Verb::Check,
        load: Load::Compiles,
        needs: &[],
        limit_minutes: 1,
        run: layers::check,
    },
    Part {
        name: "clippy",
        about: "no warning in any crate, with any choice of its features",
        verb: Verb::Check,
        load: Load::Compiles,
        needs: &[Need::Component("clippy")],
        limit_minutes: 30,
        run: lints::clippy,
    },
    Part {
        name: "host-tests",
        about: "all unit tests, integration tests and examples in the documentation pass",
        verb: Verb::Check,
        load: Load::Measures,
        needs: &HOST_TEST_NEEDS,
        limit_minutes: 30,
        run: |job| job.run(&mut workspace_test("--no-fail-fast")).map(drop),
    },
    Part {
        name: "fuzz",
        about: "what the fuzzer starts with, what it has found, and changed copies of both make no target fail",
        verb: Verb::Test,
        load: Load::Compiles,
        needs: &[],
        limit_minutes: 10,
        run: fuzz::replay,
    },
    Part {
        name: "schedules",
        about: "no wake-up or message is lost, and nothing ends twice, in 40 orders of the steps of each scenario, and in all orders of three small pieces",
        verb: Verb::Test,
        load: Load::Compiles,
        needs: &[],
        limit_minutes: 10,
        run: schedules::few,
    },
    Part {
        name: "deny",
        about: "the licences, sources and versions of what the crates and the boards' images depend on are allowed",
        verb: Verb::Test,
        load: Load::Compiles,
        needs: &[CARGO_DENY],
        limit_minutes: 2,
        run: deny::check,
    },
    Part {
        name: "advisories",
        about: "no dependency of a crate or of a board's image has a known vulnerability",
        verb: Verb::Test,
        load: Load::Compiles,
        needs: &[CARGO_DENY, GIT],
        limit_minutes: 5,
        run: advisories::check,
    },
    Part {
        name: "docs",
        about: "the documentation, private items included, has no warning and no dead link",
        verb: Verb::Test,
        load: Load::Compiles,
        needs: &[],
        limit_minutes: 5,
        run: lints::docs,
    },
    Part {
        name: "firmware-lints",
        about: "the firmware has the one format and no warning",
        verb: Verb::Test,
        load: Load::Compiles,
        needs: &[Need::Target(firmware::TARGET), Need::Component("rustfmt"), Need::Component("clippy")],
        limit_minutes: 10,
        run: firmware::lint,
    },
    Part {
        name: "ticks",
        about: "the client's deadlines are kept at a tick of 100 ms, of 1 ms, of 1/32,768 s and of 1 µs",
        verb: Verb::Test,
        load: Load::Compiles,
        needs: &[Need::Component("clippy")],
        limit_minutes: 5,
        run: firmware::at_each_tick_rate,
    },
    Part {
        name: "bare-metal",
        about: "core, legacy and client build for microcontrollers, core and legacy for WebAssembly, with any features",
        verb: Verb::Test,
        load: Load::Compiles,
        needs: &[
            BARE_METAL_TARGETS[0],
            BARE_METAL_TARGETS[1],
            BARE_METAL_TARGETS[2],
            Need::Target(WEB_ASSEMBLY),
        ],
        limit_minutes: 10,
        run: bare_metal::build,
    },
    Part {
        name: "sizes",
        about: "the client costs no more flash and RAM than its budget",
        verb: Verb::Test,
        load: Load::Compiles,
        needs: &[Need::Target(firmware::TARGET), Need::Component("llvm-tools")],
        limit_minutes: 10,
        run: firmware::sizes,
    },
    Part {
        name: "instructions",
        about: "the core's hot paths take at most 2 % more instructions than their budget",
        verb: Verb::Test,
        load: Load::Compiles,
        needs: &[VALGRIND],
        limit_minutes: 5,
        run: instructions::count,
    },
    Part {
        name: "linear",
        about: "four times as many hostile bytes cost no decoder more than 4.4 times as many instructions",
        verb: Verb::Test,
        load: Load::Compiles,
        needs: &[VALGRIND],
        limit_minutes: 10,
        run: linear::compare,
    },
    Part {
        name: "panic-free",
        about: "no public function of core and legacy can panic or allocate, formatting, `Hash` and serde aside; as WebAssembly they import nothing",
        verb: Verb::Test,
        load: Load::Compiles,
        needs: &[
            BARE_METAL_TARGETS[0],
            BARE_METAL_TARGETS[1],
            BARE_METAL_TARGETS[2],
            Need::Target(WEB_ASSEMBLY),
            Need::Component("clippy"),
            Need::Component("llvm-tools"),
        ],
        limit_minutes: 15,
        run: panic_free::prove,
    },
    Part {
        name: "rules-proof",
        about: "a solver proves the rules of time for models of heartbeat and upgrade, at all times, and the code's first steps are theirs",
        verb: Verb::Test,
        load: Load::Compiles,
        needs: &[Need::PythonEnvironments],
        limit_minutes: 30,
        run: proof::quick,
    },
    Part {
        name: "page",
        about: "the page of `eio serve` does in Chromium what it promises",
        verb: Verb::Test,
        load: Load::Waits,
        needs: &[NODE, NPM, KILL, CHROMIUM],
        limit_minutes: 10,
        run: page::look,
    },
    Part {
        name: "package",
        about: "what will be published packs, to the same bytes in another folder, and builds from its packages",
        verb: Verb::Test,
        load: Load::Compiles,
        needs: &[GIT],
        limit_minutes: 10,
        run: packages::pack,
    },
    Part {
        name: "msrv",
        about: "everything compiles with the oldest compiler that Cargo.toml promises, with all features",
        verb: Verb::Test,
        load: Load::Compiles,
        needs: &[],
        limit_minutes: 15,
        run: host::oldest_compiler,
    },
    Part {
        name: "attacks",
        about: "what killed or starved other servers leaves ours as it was",
        verb: Verb::Test,
        load: Load::Measures,
        needs: &[],
        limit_minutes: 10,
        run: interop::attacks,
    },
    Part {
        name: "autobahn",
        about: "Autobahn's 247 cases about correctness against the core, the tokio adapter and the client for boards, in both roles",
        verb: Verb::Test,
        load: Load::Measures,
        needs: &[Need::PythonEnvironments],
        limit_minutes: 20,
        run: autobahn::correctness,
    },
    Part {
        name: "real-peers",
        about: "other people's clients and a browser with our servers, and our clients with their servers",
        verb: Verb::Test,
        load: Load::Measures,
        needs: &[NODE, NPM, Need::PythonEnvironments, KILL, CHROMIUM, Need::Target(WEB_ASSEMBLY)],
        limit_minutes: 10,
        run: interop::real_peers,
    },
    Part {
        name: "socketio-peers",
        about: "other people's Socket.IO clients and servers with ours and with the client for boards, and browsers that vanish",
        verb: Verb::Test,
        load: Load::Waits,
        needs: &[NODE, NPM, Need::PythonEnvironments, KILL, CHROMIUM, IP],
        limit_minutes: 20,
        run: interop::socketio_peers,
    },
    Part {
        name: "diagnoses",
        about: "`eio connect` names what is wrong behind nginx and HAProxy, with engine.io and socket.io, and without a network",
        verb: Verb::Test,
        load: Load::Waits,
        needs: &[NODE, NPM, Need::PythonEnvironments, KILL, IP, NGINX, HAPROXY, TINYPROXY],
        limit_minutes: 10,
        run: interop::diagnoses,
    },
    Part {
        name: "cluster",
        about: "three nodes over Redis and NATS behind HAProxy act as one, and come back after every fault of a node, the bus or a cable",
        verb: Verb::Test,
        load: Load::Waits,
        needs: &[NODE, NPM, KILL, IP, REDIS, NATS, HAPROXY],
        limit_minutes: 10,
        run: interop::cluster,
    },
    Part {
        name: "idle-limits",
        about: "no session is lost where heartbeats of seconds meet idle limits of seconds, also over poor links",
        verb: Verb::Test,
        load: Load::Measures,
        needs: &[],
        limit_minutes: 10,
        run: interop::idle_limits,
    },
    Part {
        name: "networks",
        about: "the client for boards lives with our server over PPP, by slirp, and over sockets by edge-nal",
        verb: Verb::Test,
        load: Load::Waits,
        needs: &[KILL, SLIRP, UNSHARE, HOSTNAME],
        limit_minutes: 5,
        run: interop::networks,
    },
    Part {
        name: "faults",
        about: "whoever is stopped, killed, unplugged or stalled is noticed on time, and nobody else",
        verb: Verb::Test,
        load: Load::Measures,
        needs: &[IP, KILL],
        limit_minutes: 10,
        run: interop::faults,
    },
    Part {
        name: "bench",
        about: "every row of `cargo xtask bench` about our programs runs and yields its numbers, and the peers in Rust compile",
        verb: Verb::Test,
        load: Load::Measures,
        needs: &[TASKSET, REDIS, NATS],
        limit_minutes: 10,
        run: bench::smoke,
    },
    Part {
        name: "boards",
        about: "a copy of the folder of a Pico, a Nucleo-H743ZI and an ESP32-C3 builds alone, from packages as they will be published, with TLS and without",
        verb: Verb::Test,
        load: Load::Compiles,
        needs: &[
            BARE_METAL_TARGETS[0],
            BARE_METAL_TARGETS[1],
            BARE_METAL_TARGETS[2],
            Need::Component("clippy"),
            Need::Component("llvm-tools"),
        ],
        limit_minutes: 30,
        run: boards::usual,
    },
    Part {
        name: "firmware",
        about: "the firmware on an emulated board lives with engine.io, Socket.IO, NestJS and our server",
        verb: Verb::Test,
        load: Load::Waits,
        needs: &[EMULATED_BOARD[0], EMULATED_BOARD[1], EMULATED_BOARD[2], NODE, NPM, KILL],
        limit_minutes: 30,
        run: firmware::on_qemu,
    },
    Part {
        name: "more-boards",
        about: "as `boards`, for a Pico 2, a Pico 2 W, an ESP32-C6 and an nRF9160",
        verb: Verb::Prove,
        load: Load::Measures,
        needs: &[
            Need::Target(boards::ARMV8_M),
            Need::Target(boards::ESP32_C6),
            Need::Component("clippy"),
            Need::Component("llvm-tools"),
        ],
        limit_minutes: 60,
        run: boards::others,
    },
    Part {
        name: "libfuzzer",
        about: "libFuzzer finds no input that makes a target fail, in ten minutes for each",
        verb: Verb::Prove,
        load: Load::Measures,
        needs: &[Need::Nightly(&["rust-src"]), CARGO_FUZZ],
        limit_minutes: 60 * 24 * 7,
        run: fuzz::search,
    },
    Part {
        name: "million",
        about: "a million places, each with one simulated session after the other, keep the bounds of `detect` for an hour in which everything goes wrong",
        verb: Verb::Prove,
        load: Load::Measures,
        needs: &[],
        limit_minutes: 60,
        run: long::million,
    },
    Part {
        name: "months",
        about: "as `million`, with a thousand places for 90 days",
        verb: Verb::Prove,
        load: Load::Measures,
        needs: &[],
        limit_minutes: 60,
        run: long::months,
    },
    Part {
        name: "autobahn-limits",
        about: "as `autobahn`, with the 54 cases about size and speed",
        verb: Verb::Prove,
        load: Load::Measures,
        needs: &[Need::PythonEnvironments],
        limit_minutes: 60,
        run: autobahn::limits,
    },
    Part {
        name: "peers-table",
        about: "what the newest versions of others do with each failure of docs/peers.md; eio shows none, and its tests pass: writes docs/peers-today.md",
        verb: Verb::Prove,
        load: Load::Measures,
        needs: &[
            NODE,
            NPM,
            Need::PythonEnvironments,
            KILL,
            CC,
            Need::Component("rustfmt"),
            Need::Component("clippy"),
        ],
        limit_minutes: 60,
        run: peers::table,
    },
    Part {
        name: "soak",
        about: "two hundred clients with intervals around the default idle limit lose no session in half an hour",
        verb: Verb::Prove,
        load: Load::Measures,
        needs: &[],
        limit_minutes: 120,
        run: interop::soak,
    },
    Part {
        name: "specifications",
        about: "the texts of the specifications have as many words that demand something as the lists in tests/conformance/data state",
        verb: Verb::Prove,
        load: Load::Measures,
        needs: &[CURL],
        limit_minutes: 20,
        run: specifications::compare,
    },
    Part {
        name: "planted-faults",
        about: "tests find each of the faults that are planted in core, tokio, embassy and Socket.IO adapters, and in what tasks share",
        verb: Verb::Prove,
        load: Load::Measures,
        needs: &PLANTED_NEEDS,
        limit_minutes: 120,
        run: planted::find,
    },
    Part {
        name: "coverage",
        about: "the tests of the host say which part of the published crates they reach",
        verb: Verb::Prove,
        load: Load::Measures,
        needs: &COVERAGE_NEEDS,
        limit_minutes: 120,
        run: coverage::measure,
    },
    Part {
        name: "same-tool",
        about: "the tool that is handed out has the same bytes when it is built in another folder",
        verb: Verb::Prove,
        load: Load::Measures,
        needs: &[CC, GIT],
        limit_minutes: 120,
        run: reproducible::same_tool,
    },
    Part {
        name: "every-step",
        about: "as `rules-proof`, and the code takes every step of the models, with four heartbeats, at each time around a deadline; about four minutes",
        verb: Verb::Prove,
        load: Load::Measures,
        needs: &[Need::PythonEnvironments],
        limit_minutes: 120,
        run: proof::whole,
    },
    Part {
        name: "properties",
        about: "the property tests, with forty times as many cases",
        verb: Verb::Prove,
        load: Load::Measures,
        needs: &HOST_TEST_NEEDS,
        limit_minutes: 120,
        run: long::properties,
    },
    Part {
        name: "shuttle",
        about: "as `schedules`, in 4,000 orders of the steps of each scenario",
        verb: Verb::Prove,
        load: Load::Measures,
        needs: &[],
        limit_minutes: 120,
        run: schedules::many,
    },
    Part {
        name: "miri",
        about: "core, legacy, the simulated world, and what needs no socket of the adapters meet no undefined behaviour",
        verb: Verb::Prove,
        load: Load::Measures,
        needs: &[Need::Nightly(&["miri", "rust-src"])],
        limit_minutes: 240,
        run: miri::search,
    },
    Part {
        name: "mutants",
        about: "the tests notice what cargo-mutants changes in the core and in the tokio adapter's sessions, carriers, polling and wire, except what a list explains",
        verb: Verb::Prove,
        load: Load::Measures,
        needs: &MUTANTS_NEEDS,
        limit_minutes: 60 * 24 * 7,
        run: mutants::prove,
    },
];

/// The parts that can do a share of their work.
pub(crate) const SHARDED: [&str; 1] = ["mutants"];

/// What the tests of the workspace start: the TLS example's server, signals, and terminals.
const HOST_TEST_NEEDS: [Need; 5] = [
    CC,
    NODE,
    Need::Program { name: "openssl", package: "openssl" },
    KILL,
    Need::Program { name: "script", package: "bsdutils" },
];

const PLANTED_NEEDS: [Need; HOST_TEST_NEEDS.len() + 1] = host_tests_and(&[GIT]);

const COVERAGE_NEEDS: [Need; HOST_TEST_NEEDS.len() + 2] =
    host_tests_and(&[Need::Component("llvm-tools"), Need::CargoTool { name: "llvm-cov", version: "0.9.1" }]);

const MUTANTS_NEEDS: [Need; HOST_TEST_NEEDS.len() + 2] = host_tests_and(&[CARGO_MUTANTS, GIT]);

/// What the tests of the workspace start, and these.
const fn host_tests_and<const ALL: usize>(more: &[Need]) -> [Need; ALL] {
    let mut all = [CC; ALL];
    let (host_tests, others) = all.split_at_mut(HOST_TEST_NEEDS.len());
    host_tests.copy_from_slice(&HOST_TEST_NEEDS);
    others.copy_from_slice(more);
    all
}

const CARGO_DENY: Need = Need::CargoTool { name: "deny", version: "0.20.2" };
const CARGO_FUZZ: Need = Need::CargoTool { name: "fuzz", version: "0.13.2" };
const CARGO_MUTANTS: Need = Need::CargoTool { name: "mutants", version: "27.1.0" };
/// What building the firmware and our server, and running both, takes.
pub(crate) const EMULATED_BOARD: [Need; 3] = [
    Need::Target(firmware::TARGET),
    Need::Program { name: "qemu-system-arm", package: "qemu-system-arm" },
    CC,
];

const CC: Need = Need::Program { name: "cc", package: "gcc libc6-dev" };
const CURL: Need = Need::Program { name: "curl", package: "curl ca-certificates" };
/// Says what belongs to the tree.
const GIT: Need = Need::Program { name: "git", package: "git" };
const VALGRIND: Need = Need::Program { name: "valgrind", package: "valgrind" };
/// Sends signals. The one of a shell is built in.
const KILL: Need = Need::Program { name: "kill", package: "procps" };
/// Makes network namespaces.
const IP: Need = Need::Program { name: "ip", package: "iproute2" };
const NGINX: Need = Need::Program { name: "nginx", package: "nginx" };
const HAPROXY: Need = Need::Program { name: "haproxy", package: "haproxy" };
/// A proxy that clients ask for tunnels.
const TINYPROXY: Need = Need::Program { name: "tinyproxy", package: "tinyproxy-bin" };
pub(crate) const REDIS: Need = Need::Program { name: "redis-server", package: "redis-server" };
pub(crate) const NATS: Need = Need::Program { name: "nats-server", package: "nats-server" };
/// Speaks PPP on its standard input and output, and takes the place of a modem and its network.
const SLIRP: Need = Need::Program { name: "slirp-fullbolt", package: "slirp" };
/// Gives it a host's name of its own.
const UNSHARE: Need = Need::Program { name: "unshare", package: "util-linux" };
const HOSTNAME: Need = Need::Program { name: "hostname", package: "hostname" };
/// `CHROMIUM` can name another program, such as `/usr/bin/google-chrome`: Ubuntu has no such package.
const CHROMIUM: Need =
    Need::NamedProgram { variable: "CHROMIUM", name: "chromium", package: "chromium fonts-dejavu-core" };
pub(crate) const NODE: Need = Need::Program { name: "node", package: "nodejs" };
pub(crate) const NPM: Need = Need::Program { name: "npm", package: "npm" };
/// Keeps a program on some cores.
pub(crate) const TASKSET: Need = Need::Program { name: "taskset", package: "util-linux" };
