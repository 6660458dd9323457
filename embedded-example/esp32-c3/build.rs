//! Hands the linker the chip's script, and that of the log.

fn main() {
    for argument in ["-Tdefmt.x", "-Tlinkall.x"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
