//! A probe.
#![no_std]
#![no_main]

mod clock;
mod executor;
mod fault;
mod interrupts;
mod lan9118;
mod mmio;

use defmt_semihosting as _;
use embassy_net::{Config, Ipv4Address, Runner, Stack, StackResources, tcp::TcpSocket};
use embassy_time::{Duration, Instant, Timer};
use lan9118::Lan9118;
use static_cell::StaticCell;

defmt::timestamp!("{=u64:us}", Instant::now().as_micros());

#[cortex_m_rt::entry]
fn main() -> ! {
    clock::start();
    let Some(driver) = Lan9118::start() else { fault::exit(fault::FAILED) };
    static RESOURCES: StaticCell<StackResources<4>> = StaticCell::new();
    let (stack, runner) = embassy_net::new(
        driver,
        Config::dhcpv4(Default::default()),
        RESOURCES.init(StackResources::new()),
        123,
    );
    executor::run(|spawner| {
        spawner.spawn(net(runner).unwrap());
        spawner.spawn(tick().unwrap());
        spawner.spawn(probe(stack).unwrap());
    })
}

#[embassy_executor::task]
async fn net(mut runner: Runner<'static, Lan9118>) -> ! {
    runner.run().await
}

#[embassy_executor::task]
async fn tick() -> ! {
    loop {
        Timer::after(Duration::from_millis(10)).await;
    }
}

#[embassy_executor::task]
async fn probe(stack: Stack<'static>) -> ! {
    let args = semihosting::experimental::env::args::<256>();
    if let Ok(args) = &args {
        for a in args {
            defmt::info!("arg {=str}", a.unwrap_or("?"));
        }
    }
    stack.wait_config_up().await;
    defmt::info!("up");
    let mut rx = [0; 512];
    let mut tx = [0; 512];
    let mut socket = TcpSocket::new(stack, &mut rx, &mut tx);
    let r = socket.connect((Ipv4Address::new(10, 0, 2, 2), 3210)).await;
    defmt::info!("connect {}", r.is_ok());
    let mut b = [0; 64];
    for _ in 0..5 {
        let _ = socket.write(b"hello\n").await;
        let n = socket.read(&mut b).await.unwrap_or(0);
        defmt::info!("read {=[u8]:a}", b[..n]);
        Timer::after_secs(1).await;
    }
    fault::exit(0)
}
