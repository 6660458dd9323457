//! The figures of the page of proof and of other tables were recorded, and the commands of all pages exist.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{ROOT, code, files, read, rows, section};

/// The pages that programs write which are not parts. A row links to its page.
const RECORDED: [&str; 2] = ["docs/conformance.md", "docs/dependencies.md"];

/// The parts that write a page of their own, and so have no section in `docs/proofs.md`.
const PAGE_OF: [(&str, &str); 2] = [("mutants", "docs/mutants.md"), ("peers-table", "docs/peers-today.md")];

/// Figures of the page that are no results: the words with which they stand there, and where they stand in the code instead.
const ELSEWHERE: [(&str, &str, &str); 5] = [
    ("a board 0.1 s", "tests/tests/firmware/main.rs", "WINDOW: Duration = Duration::from_millis(100)"),
    ("or up to 4,000 with `shuttle`", "xtask/src/parts/schedules.rs", "SCHEDULES: &str = \"2000\""),
    ("at most 512 KiB more", "tests/tests/attacks/attack.rs", "HEAP: u64 = 512 * 1024"),
    ("9,000 sessions live", "tests/tests/faults/stalled_runtime.rs", "9_000"),
    ("About 10,000 go to servers", "fuzz/targets/src/lib.rs", "4_500"),
];

/// Words with figures that need no source: a specification's number, and arithmetic.
const KNOWN: [&str; 2] = ["RFC 6455", "which is 580,000 years"];

/// The numbers of a text that have three digits or more, or a fraction. Commas between digits are left out.
fn figures(text: &str) -> BTreeSet<String> {
    let chars: Vec<char> = text.chars().collect();
    let is_digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let mut numbers = BTreeSet::new();
    let mut number = String::new();
    for (at, &next) in chars.iter().enumerate() {
        let joins = matches!(next, ',' | '.') && !number.is_empty() && is_digit(at + 1);
        if next.is_ascii_digit() || joins {
            number.extend(Some(next).filter(|next| *next != ','));
        } else {
            numbers.insert(core::mem::take(&mut number));
        }
    }
    numbers.insert(number);
    numbers.into_iter().filter(|number| number.len() > 2).collect()
}

#[test]
fn figures_are_numbers_of_three_digits_or_more_and_fractions() {
    let expected = ["1360", "245", "4.5", "64.1"].map(str::to_owned);
    assert_eq!(figures("1,360 of 34, 245. 4.5 % (64.1), 7."), BTreeSet::from(expected));
}

#[test]
fn every_figure_of_a_row_of_the_page_of_proof_was_recorded_by_what_the_row_names() {
    let page = read("docs/assurance.md");
    let proofs = read("docs/proofs.md");
    let mut found = BTreeSet::new();
    for row in page.lines().filter(|line| line.starts_with('|')) {
        let mut recorded = BTreeSet::new();
        for (_, part) in named_parts(row) {
            match page_of(&part) {
                Some(page) => recorded.extend(figures(&of_all(page))),
                None => recorded.extend(figures(recorded_section(&proofs, &part).unwrap_or_default())),
            }
        }
        for page in RECORDED {
            if row.contains(&format!("]({})", page.trim_start_matches("docs/"))) {
                recorded.extend(figures(&of_all(page)));
            }
        }
        let elsewhere = ELSEWHERE.iter().map(|(words, ..)| *words).chain(KNOWN);
        let judged = elsewhere.fold(row.to_owned(), |row, words| row.replace(words, ""));
        let shown = figures(&without_code(&judged));
        let unknown: Vec<_> = shown.difference(&recorded).collect();
        assert!(unknown.is_empty(), "what this row names has not recorded {unknown:?}: {row}");
        found.extend(shown);
    }
    assert!(found.len() > 15, "the tables are not found: {found:?}");
    for (words, source, text) in ELSEWHERE {
        assert!(page.contains(words) && read(source).contains(text), "{words}: {source}");
    }
    for words in KNOWN {
        assert!(page.contains(words), "{words:?} is not on the page");
    }
}

#[test]
fn the_page_of_proof_says_which_parts_were_not_recorded() {
    let (page, proofs) = (read("docs/assurance.md"), read("docs/proofs.md"));
    let is_recorded = |part: &String| page_of(part).is_some() || recorded_section(&proofs, part).is_some();
    let missing: BTreeSet<_> = parts().into_keys().filter(|part| !is_recorded(part)).collect();
    let sentence = page.split_once("Not recorded yet:").map_or("", |(_, rest)| rest);
    let said = code(sentence.split_once('.').unwrap_or_default().0).map(str::to_owned).collect();
    assert_eq!(missing, said, "left has no section in docs/proofs.md, right is said in docs/assurance.md");
}

/// What a page says of everything together: its sentences, and the sums of its tables.
fn of_all(page: &str) -> String {
    let is_sum = |line: &str| ["| together |", "| all of them |"].iter().any(|sum| line.starts_with(sum));
    let page = read(page);
    page.lines().filter(|line| !line.starts_with('|') || is_sum(line)).collect::<Vec<_>>().join("\n")
}

/// The page of a part that has one of its own.
fn page_of(part: &str) -> Option<&'static str> {
    PAGE_OF.iter().find(|(of, _)| *of == part).map(|(_, page)| *page)
}

/// What a part has recorded, if it has.
fn recorded_section<'p>(proofs: &'p str, part: &str) -> Option<&'p str> {
    let heading = format!("\n## {part}\n");
    proofs.contains(&heading).then(|| section(proofs, &heading))
}

/// The numbers that stand alone, without commas between their digits.
fn numbers<'t>(words: impl Iterator<Item = &'t str>) -> Vec<u64> {
    words.filter_map(|word| word.trim().replace(',', "").parse().ok()).collect()
}

/// The numbers of each row of the table that begins so.
fn numbers_of_rows(page: &str, begins: &str) -> Vec<Vec<u64>> {
    rows(&read(page), begins).map(|row| numbers(row.split('|'))).collect()
}

/// What a part has recorded, each line with its numbers. Limits stand in parentheses, and so not alone.
fn recorded(part: &str) -> Vec<(String, Vec<u64>)> {
    let page = read("docs/proofs.md");
    let section = recorded_section(&page, part).unwrap_or_else(|| panic!("{part:?} was not recorded"));
    let lines = section.lines().filter_map(|line| line.strip_prefix("- "));
    lines.map(|line| (line.to_owned(), numbers(line.split(' ')))).collect()
}

#[test]
fn tables_of_costs_have_the_figures_that_were_recorded() {
    let instructions = recorded("instructions").into_iter().map(|(_, numbers)| vec![numbers[0]]);
    assert_eq!(
        numbers_of_rows("CONTRIBUTING.md", "| what | instructions |"),
        instructions.collect::<Vec<_>>()
    );

    let boards: Vec<_> = recorded("boards").into_iter().map(|(_, numbers)| numbers).collect();
    assert_eq!(
        numbers_of_rows("docs/firmware.md", "| folder | board |")[..3],
        boards,
        "with every change, three are built"
    );

    let sizes = recorded("sizes");
    let of = |image: &str| {
        let line = sizes.iter().find(|(line, _)| line.starts_with(&format!("{image}: ")));
        line.unwrap_or_else(|| panic!("no {image:?}")).1.clone()
    };
    let images = ["client", "small client", "connector", "socketio"];
    let shown = numbers_of_rows("docs/firmware.md", "| | flash | RAM besides");
    assert_eq!(shown.len(), images.len());
    for (row, image) in shown.iter().zip(images) {
        let mut measured = of(image);
        if row.len() > measured.len() {
            measured.push(of(&format!("{image} with defmt"))[0]);
        }
        assert_eq!(*row, measured, "{image}");
    }
    let guide = read("docs/firmware.md");
    let [client, small, socketio, tls] =
        ["client", "small client", "socketio", "tls"].map(|image| of(image)[0]);
    for sentence in [
        format!("A session costs {} bytes with everything", grouped(client)),
        format!("and {} without the two", grouped(small)),
        format!("| flash, with a pinned key | {} bytes", grouped(tls - socketio)),
    ] {
        assert!(guide.contains(&sentence), "docs/firmware.md does not say {sentence:?}");
    }
}

/// A number of four digits or more, with its comma.
fn grouped(number: u64) -> String {
    format!("{},{:03}", number / 1000, number % 1000)
}

/// A line and a blank, without what stands between backticks and in the targets of links.
fn without_code(line: &str) -> String {
    let text: String = line.split('`').step_by(2).collect();
    let mut parts = text.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once(')').map_or("", |(_, rest)| rest)) + " "
}

/// A part in the list of the developer's command.
#[derive(Debug)]
struct Part {
    about: String,
    verb: String,
}

/// The list of the developer's command.
fn parts() -> BTreeMap<String, Part> {
    let list = read("xtask/src/part.rs");
    let named = list.split("    Part {\n        name: \"").skip(1);
    let between = |text: &str, from: &str, to: &str| {
        let (_, rest) = text.split_once(from)?;
        rest.split_once(to).map(|(found, _)| found.to_owned())
    };
    let part = |text: &str| {
        let (about, verb) = (between(text, "about: \"", "\",\n")?, between(text, "verb: Verb::", ",")?);
        Some((text.split_once('"')?.0.to_owned(), Part { about, verb: verb.to_lowercase() }))
    };
    named.filter_map(part).collect()
}

#[test]
fn what_was_recorded_says_of_each_part_what_its_list_says() {
    let (page, parts) = (read("docs/proofs.md"), parts());
    let mut compared = 0;
    for recorded in page.split("\n## ").skip(1) {
        let (name, rest) = recorded.split_once("\n\nChecks: ").expect("what the part checks");
        let part = parts.get(name).unwrap_or_else(|| panic!("no part {name:?}"));
        assert!(rest.starts_with(&format!("{}.\n", part.about)), "docs/proofs.md: {name}");
        compared += 1;
    }
    assert!(compared > 30, "{compared} sections are found");
}

#[test]
fn every_part_that_a_page_names_exists_and_belongs_to_the_command_with_which_it_is_named() {
    let parts = parts();
    assert!(parts.len() > 40, "the list is not found: {parts:?}");
    let mut named = 0;
    let pages =
        ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md", "tests/README.md", "tests/proof/README.md"];
    let pages = pages.map(|page| Path::new(ROOT).join(page)).into_iter();
    for path in pages.chain(files(&Path::new(ROOT).join("docs"), ".md")) {
        for (verb, part) in named_parts(&std::fs::read_to_string(&path).unwrap()) {
            let of = parts.get(&part).map(|part| part.verb.as_str());
            let fits = of.is_some_and(|of| of == verb || (of == "check" && verb == "test"));
            assert!(fits, "{}: `cargo xtask {verb} {part}`, which is of {of:?}", path.display());
            named += 1;
        }
    }
    assert!(named > 20, "only {named} parts are named");
}

/// The parts that the commands of a text name, each with the verb.
fn named_parts(text: &str) -> Vec<(String, String)> {
    // A command may be broken into two lines of a paragraph.
    let text = text.replace("cargo xtask\n", "cargo xtask ");
    let mut named = Vec::new();
    for (verb, rest) in code(&text).flat_map(commands) {
        let words = rest.split_whitespace().take_while(|word| !word.starts_with('-'));
        let parts = words.take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
        named.extend(parts.map(|part| (verb.to_owned(), part.to_owned())));
    }
    named
}

/// The verbs of the developer's command in a piece of code, each with the rest of its line.
fn commands(code: &str) -> impl Iterator<Item = (&str, &str)> {
    code.split("cargo xtask ").skip(1).filter_map(|command| {
        let line = command.lines().next().unwrap_or_default();
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        ["check", "test", "prove"].contains(&verb).then_some((verb, rest))
    })
}
