//! Which master of a Redis Cluster has which channels.

use redis::Value;

/// The slots of a cluster, each range with the number of its master.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slots {
    /// The last slot of each range and its master, in order and without gaps.
    ranges: Vec<(u16, usize)>,
}

/// The address of a master. Without a host, it is where the question was answered.
pub(super) type Address = (Option<String>, u16);

/// Why the slots of a cluster cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadSlots {
    #[error("the answer to CLUSTER SLOTS is not a list of ranges with their masters")]
    Malformed,
    #[error("slot {0} of the cluster has no master")]
    Missing(u16),
}

const COUNT: u16 = 16_384;

impl Slots {
    /// Reads the answer to `CLUSTER SLOTS`. Returns the masters, too, by their numbers.
    pub(super) fn parse(answer: &Value) -> Result<(Self, Vec<Address>), BadSlots> {
        let Value::Array(list) = answer else { return Err(BadSlots::Malformed) };
        let mut found = list.iter().map(range).collect::<Option<Vec<_>>>().ok_or(BadSlots::Malformed)?;
        found.sort_unstable();
        let (mut ranges, mut masters, mut next) = (Vec::new(), Vec::new(), 0);
        for (start, end, master) in found {
            if start > next {
                return Err(BadSlots::Missing(next));
            }
            let known = masters.iter().position(|known| *known == master);
            ranges.push((end, known.unwrap_or(masters.len())));
            if known.is_none() {
                masters.push(master);
            }
            next = next.max(end.saturating_add(1));
        }
        if next < COUNT { Err(BadSlots::Missing(next)) } else { Ok((Self { ranges }, masters)) }
    }

    /// Returns the number of the master that has a channel.
    pub(super) fn master(&self, channel: &str) -> usize {
        let slot = crc16(channel.as_bytes()) % COUNT;
        let at = self.ranges.partition_point(|(end, _)| *end < slot);
        self.ranges.get(at).map_or(0, |(_, master)| *master)
    }
}

fn range(range: &Value) -> Option<(u16, u16, Address)> {
    let Value::Array(parts) = range else { return None };
    let [start, end, Value::Array(master), ..] = &parts[..] else { return None };
    let [host, port, ..] = &master[..] else { return None };
    let host = match host {
        Value::BulkString(host) if !host.is_empty() && host != b"?" => {
            Some(String::from_utf8(host.clone()).ok()?)
        }
        Value::BulkString(_) | Value::Nil => None,
        _ => return None,
    };
    let (start, end) = (small(start)?, small(end)?);
    (start <= end && end < COUNT).then_some((start, end, (host, small(port)?)))
}

fn small(number: &Value) -> Option<u16> {
    let Value::Int(number) = number else { return None };
    u16::try_from(*number).ok()
}

/// CRC-16/XMODEM. Redis hashes only what is between braces, which subjects do not have.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(start: i64, end: i64, host: Value, port: i64) -> Value {
        let node = Value::Array(vec![host, Value::Int(port), Value::BulkString(b"id".to_vec())]);
        Value::Array(vec![Value::Int(start), Value::Int(end), node.clone(), node])
    }

    fn host(name: &str) -> Value {
        Value::BulkString(name.as_bytes().to_vec())
    }

    #[test]
    fn each_channel_has_the_slot_that_redis_gives_it() {
        // As `CLUSTER KEYSLOT` of Redis answers.
        for (channel, slot) in [("foo", 12_182), ("123456789", 0x31c3), ("", 0)] {
            assert_eq!(crc16(channel.as_bytes()) % COUNT, slot, "{channel}");
        }
    }

    #[test]
    fn channels_lead_to_masters() {
        let answer = Value::Array(vec![
            entry(5_461, 10_922, host("b"), 2),
            entry(0, 5_460, host("a"), 1),
            entry(10_923, 12_000, Value::Nil, 3),
            entry(12_001, 16_383, host("a"), 1),
        ]);
        let (slots, masters) = Slots::parse(&answer).unwrap();
        assert_eq!(masters, [(Some("a".to_owned()), 1), (Some("b".to_owned()), 2), (None, 3)]);
        assert_eq!(slots.master("foo"), 0);
        assert_eq!(slots.ranges, [(5_460, 0), (10_922, 1), (12_000, 2), (16_383, 0)]);
    }

    #[test]
    fn a_cluster_with_a_hole_and_other_answers_are_refused() {
        let hole = Value::Array(vec![entry(0, 1, host("a"), 1), entry(3, 16_383, host("b"), 2)]);
        assert_eq!(Slots::parse(&hole).unwrap_err(), BadSlots::Missing(2));
        let short = Value::Array(vec![entry(0, 16_000, host("a"), 1)]);
        assert_eq!(Slots::parse(&short).unwrap_err(), BadSlots::Missing(16_001));
        assert_eq!(Slots::parse(&Value::Array(vec![])).unwrap_err(), BadSlots::Missing(0));
        for odd in [
            Value::Nil,
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![entry(0, 16_384, host("a"), 1)]),
            Value::Array(vec![entry(2, 1, host("a"), 1)]),
            Value::Array(vec![entry(0, 16_383, host("a"), 70_000)]),
            Value::Array(vec![entry(0, 16_383, Value::Int(1), 1)]),
        ] {
            assert_eq!(Slots::parse(&odd).unwrap_err(), BadSlots::Malformed, "{odd:?}");
        }
    }
}
