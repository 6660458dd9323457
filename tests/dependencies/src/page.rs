//! The list and the facts as one page.

use core::fmt::Write as _;
use std::collections::{BTreeMap, BTreeSet};

use crate::cargo::{Id, Known, Way};
use crate::list::{Keeper, Kind, List};
use crate::sources::Size;

/// What the page is made of.
pub(crate) struct Page<'a> {
    pub(crate) list: &'a List,
    pub(crate) known: &'a Known,
    /// What each published crate builds.
    pub(crate) ways: &'a BTreeMap<&'a str, BTreeMap<Id, Way>>,
    pub(crate) sizes: &'a BTreeMap<&'a Id, Size>,
}

const SECTIONS: [(Kind, &str, &str); 3] = [
    (Kind::Several, "Kept by several people", "A project with more than one maintainer, or a company."),
    (
        Kind::KnownPerson,
        "Kept by one person whom the field knows",
        "Much of Rust stands on their packages, so that a change is seen by many. Each is still one account.",
    ),
    (
        Kind::Person,
        "Kept by one person of whom we know little",
        "These are where a change deserves to be read first. The sentence says why we use the package all the same.",
    ),
];

impl Page<'_> {
    pub(crate) fn text(&self) -> String {
        let mut page = String::from(include_str!("introduction.md"));
        self.crates(&mut page);
        for (kind, title, about) in SECTIONS {
            let _ = write!(page, "\n## {title}\n\n{about}\n");
            for (address, keeper) in self.list.keepers.iter().filter(|(_, keeper)| keeper.kind == kind) {
                self.keeper(&mut page, address, keeper);
            }
        }
        self.at_build(&mut page);
        page
    }

    /// What each of our crates adds to a program.
    fn crates(&self, page: &mut String) {
        page.push_str("\n## What each crate brings\n\n");
        page.push_str("| crate | packages | keepers | one person's | with code at build time | lines of Rust | `unsafe` |\n");
        page.push_str("|---|---|---|---|---|---|---|\n");
        for (name, ways) in self.ways {
            let usual: BTreeSet<_> =
                ways.iter().filter(|(_, way)| way.by_default).map(|(id, _)| id).collect();
            let _ = writeln!(page, "| `{name}` | {} |", self.sums(&usual));
            if usual.len() < ways.len() {
                let _ = writeln!(page, "| with all features | {} |", self.sums(&ways.keys().collect()));
            }
        }
        let all: BTreeSet<_> = self.sizes.keys().copied().collect();
        let _ = writeln!(page, "| all of them | {} |", self.sums(&all));
    }

    fn sums(&self, ids: &BTreeSet<&Id>) -> String {
        let packages: Vec<_> = ids.iter().filter_map(|id| self.known.packages.get(*id)).collect();
        let keepers: BTreeSet<_> = packages.iter().map(|package| package.keeper.as_str()).collect();
        let is_one = |keeper: &&&str| {
            self.list.keepers.get(**keeper).is_some_and(|listed| listed.kind == Kind::Person)
        };
        let unknown: BTreeSet<_> = keepers.iter().filter(is_one).collect();
        let of_unknown = packages.iter().filter(|package| unknown.contains(&package.keeper.as_str())).count();
        let at_build = packages.iter().filter(|package| package.has_build_script || package.is_macro).count();
        let mut size = Size::default();
        ids.iter().filter_map(|id| self.sizes.get(*id)).for_each(|more| size.add(*more));
        format!(
            "{} | {} | {of_unknown} | {at_build} | {} | {}",
            ids.len(),
            keepers.len(),
            lines(size),
            grouped(size.unsafes)
        )
    }

    fn keeper(&self, page: &mut String, address: &str, keeper: &Keeper) {
        let _ = write!(page, "\n### {} (`{address}`)\n\n{}\n\n", keeper.name, keeper.trust);
        page.push_str("| package | what it does for us | licence | lines | `unsafe` | brought by |\n");
        page.push_str("|---|---|---|---|---|---|\n");
        for (id, size) in self.sizes {
            let (name, version) = id;
            let Some(package) = self.known.packages.get(*id).filter(|package| package.keeper == address)
            else {
                continue;
            };
            let purpose = keeper.packages.get(name).map_or("", String::as_str);
            let _ = writeln!(
                page,
                "| `{name}` {version} | {purpose} | {} | {} | {} | {} |",
                package.licence,
                lines(*size),
                grouped(size.unsafes),
                self.brought_by(id)
            );
        }
    }

    fn brought_by(&self, id: &Id) -> String {
        let crates = self.ways.iter().filter_map(|(name, ways)| {
            let way = ways.get(id)?;
            let name = name.strip_prefix("eio-").unwrap_or(name);
            let features = way.features.join(" or ");
            Some(match (features.is_empty(), way.by_default) {
                (true, _) => name.to_owned(),
                (false, true) => format!("{name} (by default: {features})"),
                (false, false) => format!("{name} ({features})"),
            })
        });
        crates.collect::<Vec<_>>().join("; ")
    }

    /// What runs on the machine of whoever builds a program.
    fn at_build(&self, page: &mut String) {
        page.push_str("\n## What runs while your program is built\n\n");
        page.push_str("Build scripts and macros run with the rights of the user who starts cargo.\n\n");
        page.push_str("| package | has | what it does then |\n|---|---|---|\n");
        for (name, version) in self.sizes.keys() {
            let id = (name.clone(), version.clone());
            let Some(package) = self.known.packages.get(&id) else { continue };
            let has = match (package.has_build_script, package.is_macro) {
                (false, false) => continue,
                (true, false) => "a build script",
                (false, true) => "macros",
                (true, true) => "both",
            };
            let does = self.list.at_build.get(name).map_or("", String::as_str);
            let _ = writeln!(page, "| `{name}` {version} | {has} | {does} |");
        }
    }
}

fn lines(size: Size) -> String {
    match size.foreign {
        0 => grouped(size.lines),
        foreign => format!("{}, and {} of C or assembly", grouped(size.lines), grouped(foreign)),
    }
}

/// A number with a comma between its thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(
            ["0", "999", "1,000", "1234567"].map(|text| grouped(text.replace(',', "").parse().unwrap())),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
