//! Commands that cannot do what they were told, each with one sentence and an exit code.

use core::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use eio_tokio::redact_url;

use crate::output::OutputError;

/// The exit code of a command whose output could not be written.
pub(crate) const NO_OUTPUT: u8 = 1;

/// The exit code of a command line, or a setting, that cannot be obeyed.
pub(crate) const BAD_USAGE: u8 = 2;

/// What to print instead of doing something.
#[derive(Debug)]
pub(crate) enum Answer {
    /// Help, or the version.
    Text(clap::Error),
    /// What is wrong, and the command whose help tells more.
    Wrong { sentence: String, command: String },
    /// Output that could not be written.
    NoOutput(OutputError),
}

impl From<OutputError> for Answer {
    fn from(error: OutputError) -> Self {
        Self::NoOutput(error)
    }
}

impl Answer {
    pub(crate) fn wrong(command: &str, sentence: impl Into<String>) -> Self {
        Self::Wrong { sentence: sentence.into(), command: command.to_owned() }
    }

    /// What clap has to say, in our words.
    pub(crate) fn from_clap(error: clap::Error, command: &str) -> Self {
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Self::Text(error),
            _ => Self::wrong(command, sentence(&error)),
        }
    }

    /// Prints it: help on standard output, what is wrong on standard error.
    pub(crate) fn print(self) -> ExitCode {
        match self {
            Self::Text(text) => match written(text.print()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => Self::from(error).print(),
            },
            Self::Wrong { sentence, command } => {
                complain(format_args!("{sentence}.\nTry '{command} --help'"));
                ExitCode::from(BAD_USAGE)
            }
            Self::NoOutput(error) => {
                complain(format_args!("{error}"));
                ExitCode::from(NO_OUTPUT)
            }
        }
    }
}

/// What came of writing to standard output, which is flushed first. A reader that has seen enough has gone: no error.
pub(crate) fn written(result: io::Result<()>) -> Result<(), OutputError> {
    match result.and_then(|()| io::stdout().flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Says what is wrong on standard error. Where that cannot be written either, only the exit code tells.
pub(crate) fn complain(sentence: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "eio: {sentence}.");
}

/// What was typed, without secrets if it could be a URL.
fn shown(typed: String) -> String {
    if typed.contains("://") || typed.contains('@') { redact_url(&typed) } else { typed }
}

/// Options whose values are not repeated.
const SECRET: [&str; 2] = ["--auth", "--header"];

/// `--listen <HOST:PORT>` without what stands for its value.
fn without_placeholder(argument: &str) -> &str {
    argument.split(" <").next().unwrap_or_default()
}

fn sentence(error: &clap::Error) -> String {
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
        likely => format!(": did you mean {likely}?").trim_end_matches('?').to_owned(),
    };
    match error.kind() {
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if value.is_empty() => {
            format!("{option} has no value")
        }
        ErrorKind::InvalidValue => {
            format!("{option}: {value:?} is not one of {}", text(ContextKind::ValidValue))
        }
        ErrorKind::ValueValidation if SECRET.contains(&option) => match core::error::Error::source(error) {
            Some(source) => format!("{option}: {source}"),
            None => format!("{option}: its value cannot be used"),
        },
        ErrorKind::ValueValidation => match core::error::Error::source(error) {
            Some(source) => format!("{option}: {value:?}: {source}"),
            None => format!("{option}: {value:?} cannot be used"),
        },
        ErrorKind::UnknownArgument if !option.starts_with('-') => {
            format!("the argument {:?} was not expected", shown(option.to_owned()))
        }
        ErrorKind::UnknownArgument => {
            format!("the option {option} is unknown{}", likely(ContextKind::SuggestedArg))
        }
        ErrorKind::InvalidSubcommand => format!(
            "the command {:?} is unknown{}",
            shown(text(ContextKind::InvalidSubcommand)),
            likely(ContextKind::SuggestedSubcommand)
        ),
        ErrorKind::MissingRequiredArgument => format!("{argument} is missing"),
        ErrorKind::ArgumentConflict => match text(ContextKind::PriorArg) {
            prior if prior == argument || prior.is_empty() => format!("{option} is given twice"),
            prior => format!("{option} and {} exclude each other", without_placeholder(&prior)),
        },
        ErrorKind::InvalidUtf8 => "an argument is not UTF-8".to_owned(),
        _ => {
            let rendered = error.render().to_string();
            let line = rendered.lines().next().unwrap_or_default();
            line.trim_start_matches("error: ").to_owned()
        }
    }
}
