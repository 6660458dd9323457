//! What a part needs beyond cargo, and how a machine gets it.
//!
//! Before a part runs, [`provide`] installs what it lacks: with rustup, with cargo, and, as root on Debian and its
//! relatives, with apt-get. Elsewhere it says what is missing and, where it can, the one line that installs it. It asks
//! no questions. A part that lacks something fails and says so, and the others still run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::job::{Job, command};

/// Something that must be on the machine before a part can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// The standard library for another platform.
    Target(&'static str),
    /// A component of the toolchain in use.
    Component(&'static str),
    /// The nightly toolchain, with these components.
    Nightly(&'static [&'static str]),
    /// A cargo subcommand, `cargo-<name>`. Any version that is present is used; this one is installed.
    CargoTool { name: &'static str, version: &'static str },
    /// A program on the path, and the Debian package that brings it.
    Program { name: &'static str, package: &'static str },
    /// The same, or the program that this variable of the environment names.
    NamedProgram { variable: &'static str, name: &'static str, package: &'static str },
    /// Python 3 that can make virtual environments: on Debian that is a package of its own.
    PythonEnvironments,
}

impl Need {
    /// Its name, for people.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Target(triple) => format!("target {triple}"),
            Self::Component(component) => format!("component {component}"),
            Self::Nightly(components) => format!("nightly with {}", components.join(" and ")),
            Self::CargoTool { name, version } => format!("cargo-{name} {version}"),
            Self::Program { name, .. } => name.to_owned(),
            Self::NamedProgram { variable, name, .. } => named(variable).unwrap_or_else(|| name.to_owned()),
            Self::PythonEnvironments => "python3 with venv".to_owned(),
        }
    }

    /// Whether the machine has it already.
    pub(crate) fn is_met(self) -> bool {
        match self {
            Self::Target(triple) => lists("target list --installed", &[triple]),
            Self::Component(component) => lists("component list --installed", &[component]),
            Self::Nightly(components) => lists("component list --installed --toolchain nightly", components),
            Self::CargoTool { name, .. } => on_path(&format!("cargo-{name}")),
            Self::Program { name, .. } => on_path(name),
            Self::NamedProgram { variable, name, .. } => on_path(named(variable).as_deref().unwrap_or(name)),
            Self::PythonEnvironments => {
                printed(command("python3 -c").arg("import ensurepip, venv")).is_some()
            }
        }
    }

    /// The command that installs it.
    fn installer(self, machine: Machine) -> Result<Command, String> {
        let words = match self {
            Self::Target(triple) => format!("rustup target add {triple}"),
            Self::Component(component) => format!("rustup component add {component}"),
            Self::Nightly(components) if lists("toolchain list", &["nightly"]) => {
                format!("rustup component add --toolchain nightly {}", components.join(" "))
            }
            Self::Nightly(components) => {
                format!(
                    "rustup toolchain install nightly --profile minimal --component {}",
                    components.join(",")
                )
            }
            // Not optimised: it is built in less than half the time, and runs for a second longer.
            Self::CargoTool { name, version } => {
                format!("cargo install --locked --debug cargo-{name}@{version}")
            }
            Self::NamedProgram { variable, .. } if named(variable).is_some() => {
                return Err(format!("{variable} names {}, and there is no such program", self.name()));
            }
            Self::Program { package, .. } | Self::NamedProgram { package, .. } => {
                return self.by_apt(package, machine);
            }
            Self::PythonEnvironments => return self.by_apt("python3-venv", machine),
        };
        if words.starts_with("rustup") && !on_path("rustup") {
            return Err(format!("{} is missing, and so is rustup, which would install it", self.name()));
        }
        Ok(command(&words))
    }

    /// The command that installs a package, or what to do where we may not.
    fn by_apt(self, package: &str, machine: Machine) -> Result<Command, String> {
        let name = self.name();
        match machine {
            Machine::Root => Ok(apt_get(package)),
            Machine::User => Err(format!("{name} is missing: run `sudo apt-get install --yes {package}`")),
            Machine::Other => {
                Err(format!("{name} is missing: install it (on Debian the package is {package})"))
            }
        }
    }
}

/// Installs what is missing. Returns what could not be installed, each with the reason.
pub(crate) fn provide(needs: &[Need], job: &mut Job<'_>) -> Vec<(Need, String)> {
    /// Parts run beside one another, and apt-get and rustup give up when they find that another of them is at work.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let machine = Machine::detect();
    let mut unmet = Vec::new();
    for &need in needs {
        // Cargo waits by itself, and compiles for so long that nobody else should.
        let by_cargo = matches!(need, Need::CargoTool { .. });
        let _turn = (!by_cargo).then(|| INSTALLING.lock().unwrap_or_else(PoisonError::into_inner));
        if need.is_met() {
            continue;
        }
        let patience = if by_cargo { ", which compiles for some minutes" } else { "" };
        println!("[set-up] installing {}{patience}", need.name());
        let installed = need
            .installer(machine)
            .and_then(|mut command| job.run(&mut command).map_err(|stop| stop.sentence().to_owned()))
            .and_then(|_| if need.is_met() { Ok(()) } else { Err("it is still missing".to_owned()) });
        if let Err(reason) = installed {
            unmet.push((need, format!("{} could not be installed: {reason}", need.name())));
        }
    }
    unmet
}

/// Whether programs may be installed here without asking anybody.
#[derive(Clone, Copy)]
enum Machine {
    /// Debian or a relative, and we are root.
    Root,
    /// Debian or a relative, and we are not root.
    User,
    /// Another system.
    Other,
}

impl Machine {
    fn detect() -> Self {
        if !on_path("apt-get") {
            return Self::Other;
        }
        let root = printed(&mut command("id -u")).is_some_and(|id| id.trim() == "0");
        if root { Self::Root } else { Self::User }
    }
}

/// The package lists of a fresh machine are empty or old, so they are fetched first. A fresh machine also updates itself, and
/// locks the packages meanwhile.
fn apt_get(package: &str) -> Command {
    const GET: &str = "apt-get -o DPkg::Lock::Timeout=300";
    let script = format!("{GET} update && {GET} install --yes --no-install-recommends {package}");
    let mut install = command("sh -c");
    install.arg(script).env("DEBIAN_FRONTEND", "noninteractive");
    install
}

/// Whether rustup's list has a line for each name. A line has the platform after the name.
fn lists(arguments: &str, names: &[&str]) -> bool {
    printed(&mut command(&format!("rustup {arguments}"))).is_some_and(|list| {
        names
            .iter()
            .all(|name| list.lines().any(|line| line == *name || line.starts_with(&format!("{name}-"))))
    })
}

/// What a command prints, if it succeeds.
fn printed(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The program that a variable of the environment names.
fn named(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|name| !name.is_empty())
}

/// Whether there is such a program. One that is named with its folder is looked for only there.
fn on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| is_file(&folder.join(program))))
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    const QEMU: Need = Need::Program { name: "qemu-system-arm", package: "qemu-system-arm" };

    #[test]
    fn root_installs_packages_without_being_asked() {
        let command = QEMU.installer(Machine::Root).unwrap();
        let script = command.get_args().last().unwrap().to_str().unwrap();
        assert!(script.contains("install --yes") && script.ends_with(" qemu-system-arm"), "{script}");
        assert_eq!(script.matches("apt-get -o DPkg::Lock::Timeout=").count(), 2, "{script}");
        assert!(command.get_envs().any(|(name, _)| name == "DEBIAN_FRONTEND"));
    }

    #[test]
    fn who_is_not_root_gets_the_one_line_to_run() {
        let sentence = QEMU.installer(Machine::User).unwrap_err();
        assert!(sentence.contains("`sudo apt-get install --yes qemu-system-arm`"), "{sentence}");
    }

    #[test]
    fn other_systems_are_told_what_is_missing() {
        let sentence = QEMU.installer(Machine::Other).unwrap_err();
        assert!(sentence.starts_with("qemu-system-arm is missing"), "{sentence}");
    }

    #[test]
    fn a_variable_can_name_the_program() {
        let need = |variable, name| Need::NamedProgram { variable, name, package: "some-package" };
        // Cargo sets both: the first is a program's path, the second is no program's name.
        assert!(need("CARGO", "no-such-program").is_met());
        let missing = need("CARGO_PKG_NAME", "cargo");
        assert!(!missing.is_met());
        let sentence = missing.installer(Machine::Root).unwrap_err();
        assert!(sentence.contains("CARGO_PKG_NAME names xtask"), "{sentence}");
        let unset = need("EIO_NO_SUCH_VARIABLE", "cargo");
        assert!(unset.is_met() && unset.installer(Machine::Root).is_ok());
    }

    #[test]
    fn programs_are_found_on_the_path_only() {
        assert!(on_path("cargo"));
        assert!(on_path("/bin/sh") && !on_path("/no/such/folder/sh"));
        assert!(!on_path("no-such-program-anywhere"));
    }
}
