//! Cables that are cut for a while under real TCP: data that was sent meanwhile arrives when the simulated world says.

use std::time::Duration;

use eio_core::Heartbeat;
use eio_sim::{Event, Happening, Link, Plan, Side, Spells, Tcp, World};
use eio_tests::interop::{Case, Network};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

use crate::process::Process;

/// How late a machine that has other things to do may be.
const LATE: Duration = Duration::from_secs(2);

/// A cut, and when data is sent during it: far enough from the end of the cut that no timer of the kernel fires just then.
struct Cut {
    lasting: Duration,
    /// The shortest timeout of a sender, without the round trip, which is nothing here. 240 ms stand for a round trip of
    /// 40 ms.
    shortest_timeout: Duration,
    sent: &'static [u64],
}

const CUTS: [Cut; 4] = [
    Cut {
        lasting: Duration::from_secs(5),
        shortest_timeout: Duration::from_millis(200),
        sent: &[300, 1_000],
    },
    Cut {
        lasting: Duration::from_secs(12),
        shortest_timeout: Duration::from_millis(200),
        sent: &[300, 3_000],
    },
    // A heartbeat that falls into a tunnel: with 40 ms, it is back after 32 s; with less, after 54 s.
    Cut {
        lasting: Duration::from_secs(30),
        shortest_timeout: Duration::from_millis(200),
        sent: &[300, 10_000, 20_000],
    },
    Cut {
        lasting: Duration::from_secs(30),
        shortest_timeout: Duration::from_millis(240),
        sent: &[300, 10_000],
    },
];

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("after a cut, data arrives when the simulated world says", |_| async {
        let cuts: Vec<_> = CUTS.into_iter().map(|cut| tokio::spawn(measure(cut))).collect();
        for cut in cuts {
            cut.await.unwrap();
        }
    })]
}

async fn measure(cut: Cut) {
    let network = Network::new();
    network.fix_neighbour();
    network.set_shortest_timeout(cut.shortest_timeout);
    let listener = TcpListener::bind((network.host.as_str(), 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = cut.sent.len();
    let mut inside = Process::start(&format!("hears {address} {count}"), &network.inside());
    let mut streams = Vec::new();
    for _ in 0..count {
        let (stream, _) = listener.accept().await.unwrap();
        streams.push(warm_up(stream).await);
    }

    network.pull_cable();
    let began = Instant::now();
    for (number, sent) in cut.sent.iter().enumerate() {
        sleep_until(began + Duration::from_millis(*sent)).await;
        streams[number].write_all(&[u8::try_from(number).unwrap()]).await.unwrap();
    }
    sleep_until(began + cut.lasting).await;
    network.plug_in();

    let mut arrived = vec![Duration::ZERO; count];
    for _ in 0..count {
        let number: usize = inside.says().await.parse().unwrap();
        arrived[number] = began.elapsed();
    }
    for (sent, arrived) in cut.sent.iter().zip(arrived) {
        let late = arrived.saturating_sub(Duration::from_millis(*sent));
        let (earliest, latest) = simulated(&cut, *sent);
        assert!(
            earliest <= late + Duration::from_millis(100) && late <= latest + LATE,
            "sent {sent} ms after a cut of {:?}: {late:?} late; the world says {earliest:?} to {latest:?}",
            cut.lasting
        );
    }
}

/// Some bytes there and back, so that the sender knows the round trip.
async fn warm_up(mut stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).unwrap();
    for _ in 0..10 {
        stream.write_all(&[u8::MAX]).await.unwrap();
        stream.read_u8().await.unwrap();
    }
    stream
}

/// How late the simulated world has data that is sent then: at the earliest and at the latest, by where the kernel's ticks
/// fall.
fn simulated(cut: &Cut, sent: u64) -> (Duration, Duration) {
    let lates: Vec<_> =
        (0..500).map(|phase| late_in_world(cut, sent, Duration::from_millis(phase * 37))).collect();
    (*lates.iter().min().unwrap(), *lates.iter().max().unwrap())
}

fn late_in_world(cut: &Cut, sent: u64, phase: Duration) -> Duration {
    let mut world = World::new(1);
    let tcp = Tcp::LINUX.with_shortest_timeout(cut.shortest_timeout);
    let link = Link::new(Duration::ZERO).tcp(tcp).cut(Spells::once(phase, cut.lasting));
    let link = world.add_link(link);
    // Nothing of the session's own is sent meanwhile.
    let heartbeat = Heartbeat::new(Duration::from_hours(1), Duration::from_hours(1)).unwrap();
    let plan = world.add_plan(Plan::new(heartbeat).link(link));
    let session = world.open(plan);
    let sent = phase + Duration::from_millis(sent);
    world.run_until(sent);
    world.send(session, Side::Server, "x").unwrap();
    while let Some(Event { at, what, .. }) = world.next_event(sent + Duration::from_mins(5)) {
        if let Happening::Message(_) = what {
            return at.saturating_sub(sent);
        }
    }
    panic!("nothing arrived");
}

/// The role inside: says which byte arrives, and sends those of the warm-up back.
pub(crate) async fn hear(address: &str, count: &str) {
    let mut streams = Vec::new();
    for _ in 0..count.parse().unwrap() {
        let mut stream = TcpStream::connect(address).await.unwrap();
        streams.push(tokio::spawn(async move {
            while let Ok(byte) = stream.read_u8().await {
                if byte == u8::MAX {
                    stream.write_all(&[byte]).await.unwrap();
                } else {
                    println!("{byte}");
                }
            }
        }));
    }
    for stream in streams {
        stream.await.unwrap();
    }
}
