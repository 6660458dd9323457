//! A driver for the LAN9118 Ethernet controller, behind embassy-net.
//!
//! The controller has a queue of received frames and a queue of frames to send. Each is read or written through one
//! address, a word at a time, and each has a queue of status words beside it. The register names are those of the data
//! sheet (SMSC LAN9118, revision 1.5).

use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::waitqueue::AtomicWaker;
use static_cell::ConstStaticCell;

use crate::interrupts::{Interrupt, unmask};
use crate::mmio::Register;

/// The largest Ethernet frame, without its check sequence.
const MTU: usize = 1514;
/// The check sequence that follows every received frame.
const FCS: usize = 4;
const BUFFER: usize = (MTU + FCS).next_multiple_of(4);

/// Wakes the task that waits for the interrupt.
static WAKER: AtomicWaker = AtomicWaker::new();

/// The buffers for one received frame and one frame to send. They are not in the driver itself, because the driver is
/// moved, and each move would need that much of the stack.
static FRAMES: ConstStaticCell<[[u8; BUFFER]; 2]> = ConstStaticCell::new([[0; BUFFER]; 2]);

/// The controller. The board has one, so call [`start`](Self::start) once.
pub struct Lan9118 {
    address: [u8; 6],
    link: LinkState,
    incoming: &'static mut [u8; BUFFER],
    outgoing: &'static mut [u8; BUFFER],
}

impl Lan9118 {
    /// Resets the controller and starts it. Returns `None` if it does not answer.
    #[must_use]
    pub fn start() -> Option<Self> {
        HW_CFG.write(HW_CFG_RESET);
        wait_until(|| HW_CFG.read() & HW_CFG_RESET == 0)?;
        if BYTE_TEST.read() != 0x8765_4321 {
            return None;
        }
        // The address comes from the controller's EEPROM.
        let mut address = [0; 6];
        let words = [read_mac(MAC_ADDRL)?.to_le_bytes(), read_mac(MAC_ADDRH)?.to_le_bytes()];
        for (to, from) in address.iter_mut().zip(words.as_flattened()) {
            *to = *from;
        }

        HW_CFG.write(HW_CFG_MUST_BE_ONE | HW_CFG_TX_FIFO_5_KIB);
        // The status of sent frames is not read, so it may be overwritten.
        TX_CFG.write(TX_CFG_ON | TX_CFG_ALLOW_STATUS_OVERRUN);
        RX_CFG.write(0);
        // Interrupt for each received frame, and when the transmit queue has room for one (in units of 64 bytes).
        FIFO_INT.write(TX_ROOM.div_ceil(64) << 24);
        write_phy(PHY_INTERRUPT_MASK, PHY_LINK_DOWN | PHY_NEGOTIATED)?;
        write_mac(MAC_CR, MAC_CR_FULL_DUPLEX | MAC_CR_TRANSMIT | MAC_CR_RECEIVE)?;

        let [incoming, outgoing] = FRAMES.take();
        let mut controller = Self { address, link: LinkState::Down, incoming, outgoing };
        controller.read_link();
        INT_STS.write(u32::MAX);
        INT_EN.write(RECEIVED | PHY);
        // After reset the line is active low and open drain, so it reads as raised. It is enabled only now.
        IRQ_CFG.write(IRQ_CFG_ENABLE | IRQ_CFG_ACTIVE_HIGH | IRQ_CFG_PUSH_PULL);
        // SAFETY: the controller is set up, and the handler shares only an atomic waker.
        unsafe { unmask(Interrupt::Ethernet) };
        Some(controller)
    }

    /// Reads the link's state from the PHY, and enables the PHY's next interrupt.
    fn read_link(&mut self) {
        // Reading the source clears it.
        let _ = read_phy(PHY_INTERRUPT_SOURCE);
        INT_STS.write(PHY);
        let up = read_phy(PHY_STATUS).is_some_and(|status| status & PHY_STATUS_LINK != 0);
        self.link = if up { LinkState::Up } else { LinkState::Down };
    }
}

impl Driver for Lan9118 {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received<'_>, Room<'_>)> {
        WAKER.register(context.waker());
        // The stack may answer a received frame before it releases it, so there must be room for an answer.
        if !has_room() {
            return None;
        }
        let len = loop {
            if !has_received() {
                return None;
            }
            let status = RX_STATUS_FIFO.read();
            let len = (status >> 16 & 0x3FFF) as usize;
            if status & RX_STATUS_ERROR == 0 && (FCS..=BUFFER).contains(&len) {
                break len;
            }
            for _ in 0..len.div_ceil(4) {
                RX_DATA_FIFO.read();
            }
        };
        for word in self.incoming[..len.next_multiple_of(4)].chunks_exact_mut(4) {
            word.copy_from_slice(&RX_DATA_FIFO.read().to_le_bytes());
        }
        Some((Received(&mut self.incoming[..len - FCS]), Room(self.outgoing)))
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Room<'_>> {
        WAKER.register(context.waker());
        has_room().then_some(Room(self.outgoing))
    }

    fn link_state(&mut self, context: &mut Context<'_>) -> LinkState {
        WAKER.register(context.waker());
        if INT_STS.read() & PHY != 0 {
            self.read_link();
        }
        self.link
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = MTU;
        capabilities.max_burst_size = Some(1);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }
}

/// A received frame.
pub struct Received<'a>(&'a mut [u8]);

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

/// Room for one frame to send.
pub struct Room<'a>(&'a mut [u8; BUFFER]);

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        let result = write(&mut self.0[..len]);
        let padded = len.next_multiple_of(4);
        let len = u32::try_from(len).unwrap_or(0);
        TX_DATA_FIFO.write(TX_FIRST_SEGMENT | TX_LAST_SEGMENT | len);
        TX_DATA_FIFO.write(len);
        for word in self.0[..padded].as_chunks().0 {
            TX_DATA_FIFO.write(u32::from_le_bytes(*word));
        }
        result
    }
}

/// Returns whether a received frame waits. If not, the interrupt fires at the next one.
fn has_received() -> bool {
    let waits = || RX_FIFO_INF.read() & RX_STATUS_USED != 0;
    if waits() {
        return true;
    }
    INT_STS.write(RECEIVED);
    INT_EN.write(RECEIVED | PHY);
    // A frame may have arrived before the bit was cleared.
    waits()
}

/// Returns whether there is room for a frame to send. If not, the interrupt fires once there is.
fn has_room() -> bool {
    let fits = || (TX_FIFO_INF.read() & TX_DATA_FREE) >= TX_ROOM;
    if fits() {
        return true;
    }
    INT_STS.write(TRANSMIT_ROOM);
    INT_EN.write(RECEIVED | PHY | TRANSMIT_ROOM);
    fits()
}

#[unsafe(no_mangle)]
extern "C" fn ETHERNET() {
    // The driver enables the interrupts again when it has checked the queues.
    INT_EN.write(0);
    WAKER.wake();
}

/// Waits until `done` returns true, which takes the controller microseconds. Returns `None` if it takes too long.
fn wait_until(done: impl Fn() -> bool) -> Option<()> {
    (0..100_000).any(|_| done()).then_some(())
}

fn read_mac(register: u32) -> Option<u32> {
    MAC_CSR_CMD.write(MAC_CSR_BUSY | MAC_CSR_READ | register);
    wait_until(|| MAC_CSR_CMD.read() & MAC_CSR_BUSY == 0)?;
    Some(MAC_CSR_DATA.read())
}

fn write_mac(register: u32, value: u32) -> Option<()> {
    MAC_CSR_DATA.write(value);
    MAC_CSR_CMD.write(MAC_CSR_BUSY | register);
    wait_until(|| MAC_CSR_CMD.read() & MAC_CSR_BUSY == 0)
}

fn read_phy(register: u32) -> Option<u32> {
    write_mac(MAC_MII_ACC, PHY_ADDRESS | register << 6 | MII_BUSY)?;
    wait_until(|| read_mac(MAC_MII_ACC).is_some_and(|state| state & MII_BUSY == 0))?;
    read_mac(MAC_MII_DATA)
}

fn write_phy(register: u32, value: u32) -> Option<()> {
    write_mac(MAC_MII_DATA, value)?;
    write_mac(MAC_MII_ACC, PHY_ADDRESS | register << 6 | MII_WRITE | MII_BUSY)?;
    wait_until(|| read_mac(MAC_MII_ACC).is_some_and(|state| state & MII_BUSY == 0))
}

/// Returns the register at this offset.
const fn register(offset: usize) -> Register {
    // SAFETY: AN386 maps the controller here; the offsets are from the data sheet, section 5.
    unsafe { Register::at(0x4020_0000 + offset) }
}

const RX_DATA_FIFO: Register = register(0x00);
const TX_DATA_FIFO: Register = register(0x20);
const RX_STATUS_FIFO: Register = register(0x40);
const IRQ_CFG: Register = register(0x54);
const INT_STS: Register = register(0x58);
const INT_EN: Register = register(0x5C);
const BYTE_TEST: Register = register(0x64);
const FIFO_INT: Register = register(0x68);
const RX_CFG: Register = register(0x6C);
const TX_CFG: Register = register(0x70);
const HW_CFG: Register = register(0x74);
const RX_FIFO_INF: Register = register(0x7C);
const TX_FIFO_INF: Register = register(0x80);
const MAC_CSR_CMD: Register = register(0xA4);
const MAC_CSR_DATA: Register = register(0xA8);

const IRQ_CFG_ENABLE: u32 = 1 << 8;
const IRQ_CFG_ACTIVE_HIGH: u32 = 1 << 4;
const IRQ_CFG_PUSH_PULL: u32 = 1 << 0;

// Bits of INT_STS and INT_EN.
const PHY: u32 = 1 << 18;
const TRANSMIT_ROOM: u32 = 1 << 9;
const RECEIVED: u32 = 1 << 3;

const HW_CFG_MUST_BE_ONE: u32 = 1 << 20;
const HW_CFG_TX_FIFO_5_KIB: u32 = 5 << 16;
const HW_CFG_RESET: u32 = 1 << 0;

const TX_CFG_ALLOW_STATUS_OVERRUN: u32 = 1 << 2;
const TX_CFG_ON: u32 = 1 << 1;

const RX_STATUS_USED: u32 = 0xFF << 16;
const RX_STATUS_ERROR: u32 = 1 << 15;

const TX_DATA_FREE: u32 = 0xFFFF;
/// The largest frame and its two command words.
#[expect(clippy::cast_possible_truncation, reason = "1,520")]
const TX_ROOM: u32 = BUFFER as u32 + 8;
const TX_FIRST_SEGMENT: u32 = 1 << 13;
const TX_LAST_SEGMENT: u32 = 1 << 12;

const MAC_CSR_BUSY: u32 = 1 << 31;
const MAC_CSR_READ: u32 = 1 << 30;
// Registers of the MAC, accessed through MAC_CSR.
const MAC_CR: u32 = 1;
const MAC_ADDRH: u32 = 2;
const MAC_ADDRL: u32 = 3;
const MAC_MII_ACC: u32 = 6;
const MAC_MII_DATA: u32 = 7;

const MAC_CR_FULL_DUPLEX: u32 = 1 << 20;
const MAC_CR_TRANSMIT: u32 = 1 << 3;
const MAC_CR_RECEIVE: u32 = 1 << 2;

const MII_WRITE: u32 = 1 << 1;
const MII_BUSY: u32 = 1 << 0;
// Registers of the PHY, accessed through MAC_MII.
const PHY_ADDRESS: u32 = 1 << 11;
const PHY_STATUS: u32 = 1;
const PHY_INTERRUPT_SOURCE: u32 = 29;
const PHY_INTERRUPT_MASK: u32 = 30;

const PHY_STATUS_LINK: u32 = 1 << 2;
const PHY_NEGOTIATED: u32 = 1 << 6;
const PHY_LINK_DOWN: u32 = 1 << 4;
