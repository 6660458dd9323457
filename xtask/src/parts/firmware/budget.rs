//! What the client may cost, and whether it does.

use serde_json::Value;

use crate::job::{Stop, failed};

/// `budget.json`: for each image its limits in bytes.
pub(super) struct Budget(pub(super) Value);

/// A measurement beside its limit.
pub(super) struct Line {
    pub(super) text: String,
    /// What is wrong, if the limit is exceeded.
    pub(super) over: Option<String>,
}

impl Budget {
    /// The buffers that the caller of this image lends: they are in the image, and not the client's.
    pub(super) fn lent(&self, name: &str) -> u64 {
        self.0["images"][name]["lent"].as_u64().or_else(|| self.0["lent"].as_u64()).unwrap_or(0)
    }

    pub(super) fn compare(&self, name: &str, flash: u64, ram: u64) -> Result<Line, Stop> {
        let limits = &self.0["images"][name];
        let (Some(most_flash), Some(most_ram)) = (limits["flash"].as_u64(), limits["ram"].as_u64()) else {
            return failed(format!("budget.json has no limits for {name}"));
        };
        let text =
            format!("{name}: {flash} bytes of flash (limit {most_flash}), {ram} of RAM (limit {most_ram})");
        let over = (flash > most_flash || ram > most_ram).then(|| format!("over budget: {text}"));
        Ok(Line { text, over })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn budget() -> Budget {
        Budget(json!({"lent": 10, "images": {"client": {"flash": 100, "ram": 50}}}))
    }

    #[test]
    fn one_byte_too_many_is_too_many() {
        assert!(budget().compare("client", 100, 50).unwrap().over.is_none());
        assert!(budget().compare("client", 101, 50).unwrap().over.is_some());
        assert!(budget().compare("client", 100, 51).unwrap().over.is_some());
    }

    #[test]
    fn an_image_may_lend_more_than_the_others() {
        let budget = Budget(json!({"lent": 10, "images": {"client": {}, "tls": {"lent": 30}}}));
        assert_eq!((budget.lent("client"), budget.lent("tls")), (10, 30));
    }

    #[test]
    fn an_image_without_limits_fails() {
        assert!(budget().compare("other", 1, 1).is_err());
    }
}
