//! Our client on other people's servers.

mod acknowledgements;
mod ends;
mod library;
mod namespaces;
mod order;
mod ours;
mod payloads;
mod reconnects;
mod stock;

use eio_tests::interop::Case;

use stock::Peer;

/// Every case.
pub(crate) fn cases(cases: &mut Vec<Case>) {
    for peer in Peer::all() {
        payloads::cases(peer, cases);
        acknowledgements::cases(peer, cases);
        namespaces::cases(peer, cases);
        order::cases(peer, cases);
        ends::cases(peer, cases);
        reconnects::cases(peer, cases);
    }
}
