//! An Ethernet cable between two network stacks: it can be cut and slow, and it remembers every TCP segment.

use core::cell::RefCell;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Waker};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Wake;

use embassy_net::driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_time::{Duration, Instant, Timer};

use crate::fakes;

/// Which end of the cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The board under test.
    Near,
    /// The machine with the servers.
    Far,
}

/// A TCP segment that somebody has sent, whether it arrived or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) from: Side,
    /// When, in milliseconds.
    pub(crate) at: u64,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
}

#[derive(Clone)]
pub(crate) struct Cable(Rc<RefCell<Wire>>);

struct Wire {
    near: End,
    far: End,
    cut: bool,
    link_up: bool,
    delay: Duration,
    segments: Vec<Segment>,
}

#[derive(Default)]
struct End {
    incoming: VecDeque<(Instant, Vec<u8>)>,
    waker: Option<Waker>,
    interrupt: Arc<Interrupt>,
}

impl End {
    /// Lets the controller interrupt when the frame arrives that comes first.
    fn interrupt_at(&mut self, at: Instant, task: Waker) {
        *self.interrupt.0.lock().expect("not poisoned") = Some(task);
        let interrupt = self.interrupt.clone().into();
        let _ = pin!(Timer::at(at)).poll(&mut Context::from_waker(&interrupt));
    }
}

/// Wakes the stack's task when a frame arrives. It is no alarm of that task, which would replace the task's own.
#[derive(Default)]
struct Interrupt(Mutex<Option<Waker>>);

impl Wake for Interrupt {
    fn wake(self: Arc<Self>) {
        if let Some(waker) = self.0.lock().expect("not poisoned").take() {
            waker.wake();
        }
    }
}

impl Wire {
    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Near => &mut self.near,
            Side::Far => &mut self.far,
        }
    }

    fn lose_all(&mut self) {
        self.near.incoming.clear();
        self.far.incoming.clear();
    }
}

impl Cable {
    /// Whole, without a delay, with the board's link up.
    pub(crate) fn new() -> Self {
        Self(Rc::new(RefCell::new(Wire {
            near: End::default(),
            far: End::default(),
            cut: false,
            link_up: true,
            delay: Duration::from_ticks(0),
            segments: Vec::new(),
        })))
    }

    pub(crate) fn port(&self, side: Side) -> Port {
        Port { cable: self.clone(), side }
    }

    /// Loses every frame, and neither end is told.
    pub(crate) fn cut(&self) {
        let mut wire = self.0.borrow_mut();
        wire.cut = true;
        wire.lose_all();
    }

    pub(crate) fn mend(&self) {
        self.0.borrow_mut().cut = false;
    }

    /// How long each frame is on its way.
    pub(crate) fn set_delay(&self, millis: u64) {
        self.0.borrow_mut().delay = Duration::from_millis(millis);
    }

    /// What the board's controller says about its link; while it is down, no frame passes.
    pub(crate) fn set_link(&self, up: bool) {
        let waker = {
            let mut wire = self.0.borrow_mut();
            wire.link_up = up;
            wire.lose_all();
            wire.near.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The segments of one side since the last call.
    pub(crate) fn take_segments(&self, from: Side) -> Vec<Segment> {
        let mut taken = core::mem::take(&mut self.0.borrow_mut().segments);
        taken.retain(|segment| segment.from == from);
        taken
    }

    fn send(&self, from: Side, frame: Vec<u8>) {
        let waker = {
            let mut wire = self.0.borrow_mut();
            wire.segments.extend(segment(from, &frame));
            if wire.cut || !wire.link_up {
                return;
            }
            let at = Instant::now() + wire.delay;
            let is_there = wire.delay == Duration::from_ticks(0);
            let end = wire.end(match from {
                Side::Near => Side::Far,
                Side::Far => Side::Near,
            });
            end.incoming.push_back((at, frame));
            match end.waker.take() {
                Some(task) if !is_there => {
                    end.interrupt_at(at, task);
                    None
                }
                task => task,
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What a frame of Ethernet is, if it is TCP (RFC 791 section 3.1, RFC 8200 section 3, RFC 9293 section 3.1).
fn segment(from: Side, frame: &[u8]) -> Option<Segment> {
    let (protocol, tcp) = match frame.get(12..15)? {
        [0x08, 0x00, first] => (frame.get(23)?, 14 + usize::from(first & 15) * 4),
        [0x86, 0xdd, _] => (frame.get(20)?, 14 + 40),
        _ => return None,
    };
    let flags = *frame.get(tcp + 13).filter(|_| *protocol == 6)?;
    let at = fakes::now() / 1_000;
    Some(Segment { from, at, syn: flags & 2 != 0, fin: flags & 1 != 0, rst: flags & 4 != 0 })
}

/// The controller at one end.
pub(crate) struct Port {
    cable: Cable,
    side: Side,
}

impl Driver for Port {
    type RxToken<'a> = Incoming;
    type TxToken<'a> = Outgoing;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(Incoming, Outgoing)> {
        let mut wire = self.cable.0.borrow_mut();
        let end = wire.end(self.side);
        end.waker = Some(cx.waker().clone());
        let at = end.incoming.front()?.0;
        if at > Instant::now() {
            end.interrupt_at(at, cx.waker().clone());
            return None;
        }
        let (_, frame) = end.incoming.pop_front()?;
        Some((Incoming(frame), Outgoing { cable: self.cable.clone(), side: self.side }))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Outgoing> {
        Some(Outgoing { cable: self.cable.clone(), side: self.side })
    }

    fn link_state(&mut self, cx: &mut Context<'_>) -> LinkState {
        let mut wire = self.cable.0.borrow_mut();
        wire.end(self.side).waker = Some(cx.waker().clone());
        if wire.link_up || self.side == Side::Far { LinkState::Up } else { LinkState::Down }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = 1514;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        let last = match self.side {
            Side::Near => 1,
            Side::Far => 2,
        };
        HardwareAddress::Ethernet([2, 0, 0, 0, 0, last])
    }
}

pub(crate) struct Incoming(Vec<u8>);

impl RxToken for Incoming {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, f: F) -> R {
        f(&mut self.0)
    }
}

pub(crate) struct Outgoing {
    cable: Cable,
    side: Side,
}

impl TxToken for Outgoing {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut frame = vec![0; len];
        let result = f(&mut frame);
        self.cable.send(self.side, frame);
        result
    }
}
