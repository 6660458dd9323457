//! A crate's public functions, as rustdoc lists them.
//!
//! rustdoc's JSON is not a stable format, which is why the toolchain is asked for it with `RUSTC_BOOTSTRAP`; the
//! toolchain is pinned, and a field that moved is an error here, never a shorter list.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::job::{Job, Stop, command, failed};

/// A public function.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EntryPoint {
    /// Its path from outside: `eio_core::Instant::from_micros`.
    pub(super) name: String,
    /// The expression that is the function; none if types must be chosen first.
    pub(super) address: Option<String>,
}

/// Every public function of a package: free ones, those of types, and those of traits implemented for types.
///
/// Left out: formatting (`core::fmt`, `defmt`), which may panic by its nature; and derived code that is generic over
/// the caller's type, which is `Hash`.
pub(super) fn of(job: &mut Job<'_>, package: &str) -> Result<Vec<EntryPoint>, Stop> {
    // Some build scripts look at RUSTC_BOOTSTRAP: with a folder of its own, nothing else is built anew.
    let folder = job.workspace.target.join("xtask").join("api");
    let mut list = command(&format!("cargo rustdoc --package {package} --lib --target-dir"));
    list.arg(&folder).args(["--", "-Zunstable-options", "--output-format=json"]);
    job.run(list.env("RUSTC_BOOTSTRAP", "1"))?;
    let path = folder.join("doc").join(format!("{}.json", package.replace('-', "_")));
    let text = std::fs::read(&path).map_err(|error| Stop::Failed(format!("{}: {error}", path.display())))?;
    let listing =
        serde_json::from_slice(&text).map_err(|error| Stop::Failed(format!("rustdoc's JSON: {error}")))?;
    let entry_points = Crate::read(&listing).and_then(|list| list.entry_points());
    match entry_points {
        Some(entry_points) if !entry_points.is_empty() => Ok(entry_points),
        _ => failed("rustdoc's JSON has another form than expected: the toolchain has changed"),
    }
}

/// A crate as rustdoc describes it.
struct Crate<'a> {
    index: &'a Value,
    /// Paths of everything that is mentioned, foreign items too.
    mentioned: &'a Value,
    /// From an item's id to the path by which a user of the crate reaches it.
    public: BTreeMap<String, String>,
}

impl<'a> Crate<'a> {
    fn read(listing: &'a Value) -> Option<Self> {
        let root = id_of(&listing["root"])?;
        let mut this =
            Self { index: &listing["index"], mentioned: &listing["paths"], public: BTreeMap::new() };
        let name = this.item(&root)?["name"].as_str()?.to_owned();
        this.walk(&root, &name)?;
        Some(this)
    }

    fn item(&self, id: &str) -> Option<&'a Value> {
        self.index.get(id)
    }

    /// Notes the path of everything public below an item. The first path found counts.
    fn walk(&mut self, module: &str, path: &str) -> Option<()> {
        let index = self.index;
        let mut modules = vec![(module.to_owned(), path.to_owned())];
        while let Some((id, path)) = modules.pop() {
            if self.public.insert(id.clone(), path.clone()).is_some() {
                continue;
            }
            let items = self.item(&id)?["inner"]["module"]["items"].as_array()?;
            // Items that rustdoc strips are not in the index.
            for item in items.iter().filter_map(|id| index.get(id_of(id)?)) {
                let (target, name) = match item["inner"].get("use") {
                    None => (id_of(&item["id"])?, item["name"].as_str()?),
                    Some(import) => {
                        let Some(target) = id_of(&import["id"]).filter(|id| index.get(id).is_some()) else {
                            continue;
                        };
                        (target, import["name"].as_str()?)
                    }
                };
                let glob = item["inner"]["use"]["is_glob"].as_bool().unwrap_or(false);
                let inner = if glob { path.clone() } else { format!("{path}::{name}") };
                if self.item(&target)?["inner"].get("module").is_some() {
                    modules.push((target, inner));
                } else {
                    self.public.entry(target).or_insert(inner);
                }
            }
        }
        Some(())
    }

    fn entry_points(&self) -> Option<Vec<EntryPoint>> {
        let mut entry_points = Vec::new();
        for (id, path) in &self.public {
            let item = self.item(id)?;
            if let Some(function) = item["inner"].get("function") {
                entry_points.push(EntryPoint::new(path.clone(), is_concrete(function)));
            }
            if let Some(definition) = item["inner"].get("trait") {
                for method in self.functions(definition)? {
                    if method["inner"]["function"]["has_body"].as_bool()? {
                        entry_points
                            .push(EntryPoint::new(format!("{path}::{}", method["name"].as_str()?), false));
                    }
                }
            }
        }
        for item in self.index.as_object()?.values() {
            if let Some(implementation) = item["inner"].get("impl") {
                self.implementation(item, implementation, &mut entry_points)?;
            }
        }
        entry_points.sort_by(|a, b| a.name.cmp(&b.name));
        Some(entry_points)
    }

    /// The functions of one `impl` block.
    fn implementation(
        &self,
        item: &Value,
        implementation: &Value,
        entry_points: &mut Vec<EntryPoint>,
    ) -> Option<()> {
        let of_the_compiler =
            implementation["is_synthetic"].as_bool()? || !implementation["blanket_impl"].is_null();
        if of_the_compiler || item["crate_id"].as_u64()? != 0 {
            return Some(());
        }
        let generic = has_type_parameters(&implementation["generics"])?;
        let subject = self.spelled(&implementation["for"]);
        let derived = item["attrs"].as_array()?.iter().any(|attribute| attribute == "automatically_derived");
        let interface = &implementation["trait"];
        let prefix = if interface.is_null() {
            // A type that no path leads to is private, and so is what it can do.
            let Some(subject) = subject else { return Some(()) };
            subject
        } else {
            let path = &self.mentioned[&id_of(&interface["id"])?]["path"];
            let words: Vec<_> = path.as_array()?.iter().filter_map(Value::as_str).collect();
            if words.starts_with(&["core", "fmt"])
                || matches!(words.first(), Some(&("defmt" | "serde" | "serde_core")))
            {
                return Some(());
            }
            let Some(subject) = subject else { return Some(()) };
            let arguments = self.type_arguments(&interface["args"]).unwrap_or_else(|| "<?>".to_owned());
            format!("<{subject} as {}{arguments}>", words.last()?)
        };
        for method in self.functions(implementation)? {
            let public = !interface.is_null() || method["visibility"] == "public";
            let concrete = is_concrete(&method["inner"]["function"]);
            if public && (concrete || !derived) {
                let name = format!("{prefix}::{}", method["name"].as_str()?);
                let nameable = !name.contains('?');
                entry_points.push(EntryPoint::new(name, concrete && !generic && nameable));
            }
        }
        Some(())
    }

    fn functions(&self, container: &Value) -> Option<Vec<&'a Value>> {
        let items = container["items"].as_array()?.iter();
        Some(
            items
                .filter_map(|id| self.item(&id_of(id)?))
                .filter(|item| item["inner"].get("function").is_some())
                .collect(),
        )
    }

    /// A type as source text, lifetimes left to the compiler; none if it cannot be named from outside.
    fn spelled(&self, kind: &Value) -> Option<String> {
        let (form, inner) = kind.as_object()?.iter().next()?;
        match form.as_str() {
            "primitive" => inner.as_str().map(str::to_owned),
            "resolved_path" => {
                let id = id_of(&inner["id"])?;
                let path = match self.public.get(&id) {
                    Some(path) => path.clone(),
                    None if self.mentioned[&id]["crate_id"] == 0 => return None,
                    None => self.mentioned[&id]["path"]
                        .as_array()?
                        .iter()
                        .filter_map(Value::as_str)
                        .collect::<Vec<_>>()
                        .join("::"),
                };
                Some(path + &self.type_arguments(&inner["args"])?)
            }
            "borrowed_ref" => {
                let mutable = if inner["is_mutable"].as_bool()? { "mut " } else { "" };
                Some(format!("&{mutable}{}", self.spelled(&inner["type"])?))
            }
            "slice" => Some(format!("[{}]", self.spelled(inner)?)),
            "array" => Some(format!("[{}; {}]", self.spelled(&inner["type"])?, inner["len"].as_str()?)),
            "tuple" => {
                let fields: Option<Vec<_>> =
                    inner.as_array()?.iter().map(|field| self.spelled(field)).collect();
                let fields = fields?;
                let comma = if fields.len() == 1 { "," } else { "" };
                Some(format!("({}{comma})", fields.join(", ")))
            }
            // A type parameter, and whatever is rarer: the name then says that it takes a hand.
            _ => Some("?".to_owned()),
        }
    }

    /// The types among generic arguments, in angle brackets; nothing if there are none.
    fn type_arguments(&self, arguments: &Value) -> Option<String> {
        let Some(arguments) = arguments["angle_bracketed"]["args"].as_array() else {
            return Some(String::new());
        };
        let types: Option<Vec<_>> = arguments
            .iter()
            .filter(|argument| argument.get("lifetime").is_none())
            .map(|argument| argument.get("type").map_or(Some("?".to_owned()), |kind| self.spelled(kind)))
            .collect();
        let types = types?;
        Some(if types.is_empty() { String::new() } else { format!("<{}>", types.join(", ")) })
    }
}

impl EntryPoint {
    fn new(name: String, concrete: bool) -> Self {
        let address = concrete.then(|| name.clone());
        Self { name, address }
    }
}

/// Whether a function is one function: no type parameter, no `impl Trait` on either side.
fn is_concrete(function: &Value) -> bool {
    has_type_parameters(&function["generics"]) == Some(false) && !mentions(&function["sig"], "impl_trait")
}

fn has_type_parameters(generics: &Value) -> Option<bool> {
    let parameters = generics["params"].as_array()?;
    Some(parameters.iter().any(|parameter| parameter["kind"].get("lifetime").is_none()))
}

/// Whether a key stands anywhere in a value.
fn mentions(value: &Value, key: &str) -> bool {
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(values) => left.extend(values),
            Value::Object(fields) if fields.contains_key(key) => return true,
            Value::Object(fields) => left.extend(fields.values()),
            _ => {}
        }
    }
    false
}

/// Ids are numbers where they are mentioned, and strings where they are keys.
fn id_of(id: &Value) -> Option<String> {
    id.as_u64().map(|id| id.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A crate `eio_core` with the private module `time`, of which the type `Instant` is re-exported.
    fn listing(of_instant: &Value) -> Value {
        json!({
            "root": 0,
            "index": {
                "0": { "id": 0, "name": "eio_core", "inner": { "module": { "items": [1, 9] } } },
                "1": { "id": 1, "name": null, "inner": { "use": { "name": "Instant", "id": 2, "is_glob": false } } },
                "2": { "id": 2, "name": "Instant", "inner": { "struct": {} } },
                "3": {
                    "id": 3, "name": null, "crate_id": 0, "attrs": [],
                    "inner": { "impl": {
                        "is_synthetic": false, "blanket_impl": null, "generics": { "params": [] },
                        "for": { "resolved_path": { "id": 2, "args": null } },
                        "trait": of_instant, "items": [4, 5, 6],
                    } },
                },
                "4": function(4, "concrete", "public", &json!([])),
                "5": function(5, "generic", "public", &json!([{ "name": "T", "kind": { "type": {} } }])),
                "6": function(6, "hidden", "default", &json!([{ "name": "'a", "kind": { "lifetime": {} } }])),
            },
            "paths": {
                "7": { "crate_id": 1, "path": ["core", "iter", "traits", "Iterator"] },
                "8": { "crate_id": 1, "path": ["core", "fmt", "Display"] },
            },
        })
    }

    fn function(id: u64, name: &str, visibility: &str, parameters: &Value) -> Value {
        json!({
            "id": id, "name": name, "visibility": visibility,
            "inner": { "function": { "generics": { "params": parameters }, "sig": {}, "has_body": true } },
        })
    }

    fn entry_points(of_instant: &Value) -> Vec<(String, bool)> {
        let listing = listing(of_instant);
        let entry_points = Crate::read(&listing).and_then(|list| list.entry_points()).unwrap();
        entry_points
            .into_iter()
            .map(|entry_point| (entry_point.name, entry_point.address.is_some()))
            .collect()
    }

    #[test]
    fn public_functions_are_named_as_users_reach_them_and_generic_ones_take_a_hand() {
        assert_eq!(
            entry_points(&Value::Null),
            [
                ("eio_core::Instant::concrete".to_owned(), true),
                ("eio_core::Instant::generic".to_owned(), false)
            ]
        );
    }

    #[test]
    fn a_trait_makes_its_functions_public() {
        let names = entry_points(&json!({ "id": 7, "args": null }));
        assert!(names.contains(&("<eio_core::Instant as Iterator>::hidden".to_owned(), true)), "{names:?}");
    }

    #[test]
    fn formatting_is_left_out() {
        assert_eq!(entry_points(&json!({ "id": 8, "args": null })), []);
    }

    #[test]
    fn a_listing_of_another_form_is_no_shorter_list() {
        let mut listing = listing(&Value::Null);
        listing["index"]["3"]["inner"]["impl"]["items"] = Value::Null;
        assert!(Crate::read(&listing).and_then(|list| list.entry_points()).is_none());
    }
}
