//! The network stack of this board.

use embassy_net::{Config, DhcpConfig, Runner, Stack, StackResources};
use embassy_time::{Duration, Timer};
use static_cell::StaticCell;

use crate::fault;
use crate::lan9118::Lan9118;

/// TCP, DNS and DHCP.
const SOCKETS: usize = 3;

/// Starts the controller and creates the stack. DHCP assigns its address; its port numbers depend on `seed`.
pub fn start(seed: u64) -> (Stack<'static>, Runner<'static, Lan9118>) {
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    let Some(controller) = Lan9118::start() else {
        defmt::error!("the Ethernet controller does not answer");
        fault::exit(fault::FAILED)
    };
    embassy_net::new(
        controller,
        Config::dhcpv4(DhcpConfig::default()),
        RESOURCES.init(StackResources::new()),
        seed,
    )
}

/// Runs the stack.
#[embassy_executor::task]
pub async fn run(mut runner: Runner<'static, Lan9118>) -> ! {
    runner.run().await
}

/// Wakes the processor every 10 ms. Only QEMU needs this: while the processor sleeps, QEMU's user network may hold packets
/// back for up to a second. A separate task does it, so no other task wakes. A real board has no such task.
#[embassy_executor::task]
pub async fn keep_qemu_awake() -> ! {
    loop {
        Timer::after(Duration::from_millis(10)).await;
    }
}
