//! What the program prints when it exits without running a command: help, or what is wrong; and the exit code.

mod meant;

use core::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use eio_tokio::redact_url;

use crate::output::OutputError;

/// The exit code if output cannot be written.
pub(crate) const NO_OUTPUT: u8 = 1;

/// The exit code if a command does not begin: the command line or a setting is wrong, or what it names cannot be used.
pub(crate) const BAD_USAGE: u8 = 2;

/// Why the program exits without running a command, or before the command has done its work.
#[derive(Debug)]
pub(crate) enum Exit {
    /// Somebody asked for help, or for the version.
    Text(clap::Error),
    /// The command does not begin. The help of `command`, if there is one, says more.
    BadUsage { sentence: String, command: Option<String> },
    /// Output could not be written.
    NoOutput(OutputError),
}

/// Why a command does not begin its work, in one sentence.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) sentence: String,
    /// Whether an option or a setting is wrong, so that the help of the command says what is expected.
    is_in_help: bool,
}

impl Failure {
    /// What an option names cannot be used: a port is taken, a file cannot be read.
    pub(crate) fn unusable(sentence: String) -> Self {
        Self { sentence, is_in_help: false }
    }
}

/// An option or a setting is wrong.
impl From<String> for Failure {
    fn from(sentence: String) -> Self {
        Self { sentence, is_in_help: true }
    }
}

impl From<OutputError> for Exit {
    fn from(error: OutputError) -> Self {
        Self::NoOutput(error)
    }
}

impl Exit {
    pub(crate) fn bad_usage(command: &str, failure: impl Into<Failure>) -> Self {
        let Failure { sentence, is_in_help } = failure.into();
        Self::BadUsage { sentence, command: is_in_help.then(|| command.to_owned()) }
    }

    /// Returns the exit for an error of clap, in our words. `named` is the command as it is typed.
    pub(crate) fn from_clap(error: clap::Error, named: &str, command: &clap::Command) -> Self {
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Self::Text(error),
            _ => Self::bad_usage(named, sentence(&error, command)),
        }
    }

    /// Prints help on standard output, or what is wrong on standard error. Returns the exit code.
    pub(crate) fn print(self) -> ExitCode {
        match self {
            Self::Text(text) => match written(text.print()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => Self::from(error).print(),
            },
            Self::BadUsage { sentence, command } => {
                match command {
                    Some(command) => {
                        complain(format_args!("{sentence}\nRun '{command} --help' to see the options"));
                    }
                    None => complain(format_args!("{sentence}")),
                }
                ExitCode::from(BAD_USAGE)
            }
            Self::NoOutput(error) => {
                complain(format_args!("{error}"));
                ExitCode::from(NO_OUTPUT)
            }
        }
    }
}

/// Flushes standard output after `result`. A reader that has gone is not an error.
pub(crate) fn written(result: io::Result<()>) -> Result<(), OutputError> {
    match result.and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints a sentence on standard error. If that cannot be written either, only the exit code remains.
pub(crate) fn complain(sentence: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "eio: {sentence}");
}

/// Returns what was typed, [redacted](redact_url) if it could be a URL.
fn shown(typed: String) -> String {
    if typed.contains("://") || typed.contains('@') { redact_url(&typed) } else { typed }
}

/// Options whose values are not repeated, because they can be secret.
const SECRET: [&str; 3] = ["--auth", "--header", "--sid-key"];

/// Returns `--listen` for `--listen <HOST:PORT>`, and `--socketio` for `--socketio[=<NAMESPACE>]`.
fn without_placeholder(argument: &str) -> &str {
    argument.split([' ', '[']).next().unwrap_or_default()
}

fn unknown_option(option: &str, command: &clap::Command) -> String {
    let likely = match meant::option(option, command) {
        _ if option.chars().nth(1).is_some_and(|digit| digit.is_ascii_digit()) => {
            ": no value may be negative".to_owned()
        }
        Some(meant) => format!("; did you mean {meant}?"),
        None => String::new(),
    };
    format!("unknown option {option}{likely}")
}

/// Returns what is wrong, in one sentence.
fn sentence(error: &clap::Error, command: &clap::Command) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        Some(ContextValue::StyledStrs(texts)) => {
            texts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        _ => String::new(),
    };
    let argument = text(ContextKind::InvalidArg);
    let option = without_placeholder(&argument);
    let value = shown(text(ContextKind::InvalidValue));
    let likely = |kind| match text(kind) {
        likely if likely.is_empty() => String::new(),
        likely => format!("; did you mean {likely}?"),
    };
    match error.kind() {
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if value.is_empty() => {
            format!("{option} needs a value")
        }
        ErrorKind::InvalidValue => {
            format!("{option}: unknown value {value:?}: expected one of {}", text(ContextKind::ValidValue))
        }
        ErrorKind::ValueValidation if SECRET.contains(&option) => match core::error::Error::source(error) {
            Some(source) => format!("{option}: {source}"),
            None => format!("{option}: its value is invalid"),
        },
        ErrorKind::ValueValidation => match core::error::Error::source(error).map(ToString::to_string) {
            Some(source) if source.contains(&format!("{value:?}")) => format!("{option}: {source}"),
            Some(source) => format!("{option}: {value:?}: {source}"),
            None => format!("{option}: {value:?} is invalid"),
        },
        ErrorKind::UnknownArgument if !option.starts_with('-') => {
            format!("unexpected argument {:?}", shown(option.to_owned()))
        }
        ErrorKind::UnknownArgument => unknown_option(option, command),
        ErrorKind::InvalidSubcommand => format!(
            "unknown command {:?}{}",
            shown(text(ContextKind::InvalidSubcommand)),
            likely(ContextKind::SuggestedSubcommand)
        ),
        ErrorKind::MissingRequiredArgument => format!("{option} is missing"),
        ErrorKind::ArgumentConflict => match text(ContextKind::PriorArg) {
            prior if prior == argument || prior.is_empty() => format!("{option} may be given only once"),
            prior => format!("{option} cannot be combined with {}", without_placeholder(&prior)),
        },
        ErrorKind::InvalidUtf8 => "an argument is not valid UTF-8".to_owned(),
        _ => {
            let rendered = error.render().to_string();
            let line = rendered.lines().next().unwrap_or_default();
            line.trim_start_matches("error: ").to_owned()
        }
    }
}
