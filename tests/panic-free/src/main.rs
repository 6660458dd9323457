//! A bare-metal image that holds every public function of `eio-core` and `eio-legacy`. `cargo xtask test panic-free`
//! builds it in release for each microcontroller target and for WebAssembly, and looks at what the linker kept:
//!
//! - No panic: no symbol of `core::panicking` may be left, nor this image's panic handler. The optimiser removes a
//!   check only if it can never fail, and the linker removes a function only if nothing can reach it.
//! - No allocation: there is no global allocator, and without one nothing that uses `alloc` links.
//! - No import: as a WebAssembly module, the image asks its host for nothing.
//!
//! The image never runs. It takes the *address* of every function, which obliges the compiler to keep the function
//! whole, ready for any argument whatever. The list of functions is written by `cargo xtask` from the compiler's own
//! list of the crates' public items, so that none can be forgotten; those that are generic stand in `by_hand.rs`.
#![cfg_attr(any(target_os = "none", target_os = "unknown"), no_std, no_main)]

#[cfg(any(target_os = "none", target_os = "unknown"))]
mod by_hand;

#[cfg(any(target_os = "none", target_os = "unknown"))]
mod image {
    use core::hint::black_box;
    use core::panic::PanicInfo;

    include!(env!("EIO_ENTRY_POINTS", "is set by `cargo xtask test panic-free`, which builds this image"));

    /// Where the linker starts to look at what is needed.
    #[unsafe(no_mangle)]
    extern "C" fn _start() -> ! {
        keep_entry_points();
        for (_, entry_point) in crate::by_hand::ENTRY_POINTS {
            keep(*entry_point);
        }
        loop {
            core::hint::spin_loop();
        }
    }

    /// The compiler cannot know what becomes of the address, so the function stays.
    fn keep(entry_point: *const ()) {
        black_box(entry_point);
    }

    /// Nothing may reach it.
    #[panic_handler]
    fn on_panic(_: &PanicInfo<'_>) -> ! {
        loop {
            core::hint::spin_loop();
        }
    }
}

#[cfg(not(any(target_os = "none", target_os = "unknown")))]
fn main() {
    println!("This image is for microcontrollers: `cargo xtask test panic-free` builds and examines it.");
}
