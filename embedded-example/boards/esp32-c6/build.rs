//! Passes the chip's script and the log's script to the linker.

fn main() {
    for argument in ["-Tdefmt.x", "-Tlinkall.x"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
