//! The binary: flags, logging, start, stop.

mod admin;
mod cli;
mod import;
mod logging;
mod pinned;
mod printing;
mod serve;

use std::process::ExitCode;

use clap::Parser;
use server::config::{Checked, ConfigError, RTCDS_FILE};

use cli::{Arguments, Command, ConfigCommand, ImportCommand};
use printing::{NobodyReads, complain, reason, say, say_line};

/// Exit status of a configuration that cannot be used; other failures have 1.
const BAD_CONFIGURATION: u8 = 2;

fn main() -> ExitCode {
    server::keep_new_files_private();
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<NobodyReads>() => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("countersign: {}", reason(&error)));
            let bad_configuration = error.downcast_ref::<ConfigError>().is_some();
            ExitCode::from(if bad_configuration { BAD_CONFIGURATION } else { 1 })
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match arguments.command() {
        Command::Config { command: ConfigCommand::Print { rtcd: true, .. } } => {
            say(server::config::rtcd_markdown())?;
        }
        Command::Config { command: ConfigCommand::Print { markdown: true, .. } } => {
            say(server::config::markdown())?;
        }
        Command::Config { command: ConfigCommand::Print { markdown: false, .. } } => {
            say(server::config::example())?;
        }
        Command::Config { command: ConfigCommand::Check } => {
            for warning in load_for_start(arguments)?.warnings {
                complain(format_args!("warning: {warning}"));
            }
            say_line!("ok")?;
        }
        Command::Serve => serve::serve(load_for_start(arguments)?)?,
        Command::Room { command } => admin::room(&load(arguments)?, &command)?,
        Command::Invite { command } => admin::invite(&load(arguments)?, &command)?,
        Command::Participant { command } => admin::participant(&load(arguments)?, &command)?,
        Command::Realms { command } => admin::realms(&load(arguments)?, &command)?,
        Command::Channels { command } => admin::channels(&load(arguments)?, &command)?,
        Command::Import { command: ImportCommand::Rtcd { data_source } } => {
            import::rtcd(&load(arguments)?, &data_source)?;
        }
        Command::SignIn => admin::sign_in(&load(arguments)?)?,
        Command::Audit { limit } => admin::audit(&load(arguments)?, limit)?,
    }
    Ok(())
}

/// With what only a start needs.
fn load_for_start(arguments: &Arguments) -> Result<Checked, ConfigError> {
    let config = load(arguments)?;
    config.check_certificates()?;
    Ok(config)
}

fn load(arguments: &Arguments) -> Result<Checked, ConfigError> {
    // A variable that is not Unicode cannot be one of ours with a usable value.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())));
    let (ours, rtcds) = (arguments.config.as_deref(), arguments.rtcd_config.as_deref());
    let mut config = server::config::load_with_rtcd(ours, rtcds, environment, &arguments.overrides())?;
    if rtcds.is_none() {
        config.warnings.extend(server::config::unread_file(RTCDS_FILE.as_ref()));
    }
    Ok(config)
}
