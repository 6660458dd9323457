//! The built program, as people and scripts run it: its lines, signals, exit codes and page.

mod access;
mod config;
mod connect;
mod connection;
mod output;
mod page;
mod pages;
mod peer;
mod program;
mod proxies;
mod serve;
mod serve_tls;
mod sids;
mod simulate;
mod socketio;
mod terminal;
mod tls;
mod unix;
