//! What is asked for on the command line.

use core::fmt;
use core::time::Duration;
use std::thread::available_parallelism;

#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) name: &'static str,
    pub(crate) sessions: u32,
    pub(crate) time: Duration,
    pub(crate) seed: u64,
    pub(crate) place: Option<u32>,
    pub(crate) worlds: u32,
    pub(crate) shorten: Duration,
    /// No option makes the world smaller.
    pub(crate) is_whole: bool,
}

const HOUR: u64 = 3_600;

impl Options {
    pub(crate) fn read(words: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut words = words.into_iter();
        let (name, sessions, hours) = match words.next().as_deref() {
            Some("million") => ("million", 1_000_000, 1),
            Some("months") => ("months", 1_000, 90 * 24),
            Some("small") => ("small", 400, 1),
            _ => return Err("name a world: million, months or small".to_owned()),
        };
        let processors = available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1));
        let mut options = Self {
            name,
            sessions,
            time: Duration::from_secs(hours * HOUR),
            seed: 1,
            place: None,
            worlds: processors,
            shorten: Duration::ZERO,
            is_whole: true,
        };
        while let Some(option) = words.next() {
            let number = words.next().and_then(|number| number.parse().ok());
            let number: u64 = number.ok_or_else(|| format!("{option} takes a number"))?;
            let small = u32::try_from(number).map_err(|_| format!("{option} takes a number below 2^32"));
            match option.as_str() {
                "--seed" => options.seed = number,
                "--place" => options.place = Some(small?),
                "--sessions" => options.sessions = small?,
                "--hours" => options.time = Duration::from_secs(number.saturating_mul(HOUR)),
                "--worlds" => options.worlds = small?.max(1),
                "--shorten" => options.shorten = Duration::from_millis(number),
                _ => return Err(format!("there is no option {option}")),
            }
        }
        options.is_whole = options.place.is_none()
            && options.sessions >= sessions
            && options.time >= Duration::from_secs(hours * HOUR);
        Ok(options)
    }

    /// The places of one of the worlds.
    pub(crate) fn places(&self, world: u32) -> impl Iterator<Item = u32> + use<> {
        let (one, all) = (self.place.into_iter(), (world..self.sessions).step_by(self.worlds as usize));
        let all = if self.place.is_some() { None } else { Some(all) };
        one.chain(all.into_iter().flatten())
    }

    /// The options of one place alone.
    pub(crate) fn alone(&self, place: u32) -> Self {
        Self { place: Some(place), ..self.clone() }
    }
}

/// The words that [`Options::read`] reads.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, sessions, seed, .. } = self;
        write!(f, "{name} --seed {seed} --hours {}", self.time.as_secs() / HOUR)?;
        match self.place {
            Some(place) => write!(f, " --place {place}")?,
            None => write!(f, " --sessions {sessions}")?,
        }
        if self.shorten > Duration::ZERO {
            write!(f, " --shorten {}", self.shorten.as_millis())?;
        }
        Ok(())
    }
}
