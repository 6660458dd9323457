//! An Engine.IO client for browsers: `ClientSession` in a WebAssembly module, whose page owns the WebSocket.
//!
//! There are no bindings. The page (`index.html`) calls the exported functions with what has happened and its time, and
//! the module calls the page to send, to show, and to set its one timer. Bytes go to the module through
//! `buffer`, and come back as a place in its memory.
//!
//! At the root, run `cargo run -p eio-core --example on_mio`, and in other terminals
//! `cargo build -p eio-browser-example --target wasm32-unknown-unknown --release` and `python3 -m http.server 8000`.
//! Then open `http://127.0.0.1:8000/browser-example/?server=ws://127.0.0.1:3000`.

pub mod grace;
#[cfg(target_family = "wasm")]
pub mod wasm;
