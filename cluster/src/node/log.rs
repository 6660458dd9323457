//! What the log says of other nodes.

use crate::members::{Change, Why};
use crate::targets;

/// Writes it to the log.
pub(super) fn write(change: &Change) {
    let (Change::Joined { name }
    | Change::Gone { name, .. }
    | Change::Twice { name }
    | Change::OtherLength { name }) = change;
    let node = &**name;
    match change {
        Change::Joined { .. } => tracing::info!(target: targets::CLUSTER, node, "a node has joined"),
        Change::Gone { why: Why::Left, .. } => {
            tracing::info!(target: targets::CLUSTER, node, "a node has left");
        }
        Change::Gone { why: Why::Replaced, .. } => {
            tracing::info!(target: targets::CLUSTER, node, "a node has started again");
        }
        Change::Gone { why: Why::Silent { millis }, .. } => {
            tracing::warn!(target: targets::CLUSTER, node, silent_ms = millis, "a node is gone without a word");
        }
        Change::Twice { .. } => {
            tracing::error!(target: targets::CLUSTER, node, "two nodes have the same name: give each its own");
        }
        Change::OtherLength { .. } => {
            tracing::error!(
                target: targets::CLUSTER, node,
                "the name of a node is of another length than that of this one: give all names the same number of characters"
            );
        }
    }
}
