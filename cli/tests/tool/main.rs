//! The built program, as people and scripts run it: lines, signals, exit codes, and its page in a browser.

mod connect;
mod output;
mod page;
mod peer;
mod program;
mod proxies;
mod serve;
mod terminal;
mod way;
