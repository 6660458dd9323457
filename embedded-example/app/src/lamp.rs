//! The lamp: blinks while a session is open, unless a command has set it on or off.

use eio_embassy::State;
use embassy_futures::select::{Either3, select3};
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::signal::Signal;
use embassy_sync::watch::DynReceiver;
use embassy_time::{Duration, Timer};
use embedded_hal::digital::OutputPin;

/// Half a second on, half a second off.
const HALF: Duration = Duration::from_millis(500);

/// The mode of the lamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Mode {
    /// Blink while connected.
    #[default]
    Auto,
    /// Be on.
    On,
    /// Be off.
    Off,
}

impl Mode {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "on" => Some(Self::On),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// Runs the lamp and never returns. Run it in a separate task, so that its timer wakes no other code.
pub async fn run<M: RawMutex>(
    lamp: &mut impl OutputPin,
    mut state: DynReceiver<'_, State>,
    modes: &Signal<M, Mode>,
) -> ! {
    let (mut mode, mut connected, mut lit) = (Mode::Auto, false, false);
    loop {
        lit = match mode {
            Mode::On => true,
            Mode::Off => false,
            Mode::Auto => connected && !lit,
        };
        // Go on even if the lamp cannot be switched.
        let _ = lamp.set_state(lit.into());
        let blinking = connected && mode == Mode::Auto;
        let pause = async {
            if blinking {
                Timer::after(HALF).await;
            } else {
                core::future::pending::<()>().await;
            }
        };
        match select3(state.changed(), modes.wait(), pause).await {
            Either3::First(state) => connected = matches!(state, State::Open { .. }),
            Either3::Second(wanted) => mode = wanted,
            Either3::Third(()) => {}
        }
    }
}
