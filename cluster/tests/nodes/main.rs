//! Several nodes on a bus in memory, in paused time: who is there, what reaches whom, and what happens when the bus or a
//! node fails.

mod channels;
mod chaos;
mod locks;
mod logs;
mod members;
mod outages;
mod requests;
mod sessions;
mod support;
mod threads;
