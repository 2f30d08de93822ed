//! What the command line may say.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use server::config::Override;

/// Calls between browsers, over connections whose identity the server has verified.
#[derive(Debug, Parser)]
#[command(name = "countersign", version)]
pub(crate) struct Arguments {
    /// Configuration file (TOML); `countersign config print` shows every key
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// rtcd's own configuration file: what it says holds where neither our file nor rtcd's variables say otherwise
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) rtcd_config: Option<PathBuf>,
    /// Folder for everything that must survive a restart
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Sets one key of the configuration; may be repeated
    #[arg(long = "set", global = true, value_name = "SECTION.KEY=VALUE", value_parser = key_and_value)]
    sets: Vec<(String, String)>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum Command {
    /// Starts the server; the same as no command
    Serve,
    /// Shows or checks the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Makes, shows and ends rooms of the running server
    Room {
        #[command(subcommand)]
        command: RoomCommand,
    },
    /// Makes, shows and revokes invites
    Invite {
        #[command(subcommand)]
        command: InviteCommand,
    },
    /// Removes somebody from a room
    Participant {
        #[command(subcommand)]
        command: ParticipantCommand,
    },
    /// Lists, registers and unregisters the clients of the rtcd face
    #[command(alias = "realm")]
    Realms {
        #[command(subcommand)]
        command: RealmsCommand,
    },
    /// Makes, shows, changes and deletes channels of the verto face, and revokes their clients
    #[command(alias = "channel")]
    Channels {
        #[command(subcommand)]
        command: ChannelsCommand,
    },
    /// Takes over what another server has kept; the server must not run
    Import {
        #[command(subcommand)]
        command: ImportCommand,
    },
    /// Prints a link that signs one browser in to the console
    SignIn,
    /// Prints who did what, newest first
    Audit {
        /// Number of records, 1 to 200
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Prints the commented example
    Print {
        /// As docs/configuration.md
        #[arg(long)]
        markdown: bool,
        /// The table of rtcd's settings in docs/faces/rtcd.md
        #[arg(long, conflicts_with = "markdown")]
        rtcd: bool,
    },
    /// Says ok, or what is wrong (exit status 2), of files, variables and flags; warnings go to standard error
    Check,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum RoomCommand {
    /// Makes a room and prints its id
    Create {
        /// What participants see
        name: String,
    },
    /// Lists the rooms
    List,
    /// Shows who is in a room, and its invites
    Show {
        /// Id of the room
        room: String,
    },
    /// Ends a room for everybody
    End {
        /// Id of the room
        room: String,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum InviteCommand {
    /// Makes an invite and prints its link
    Create {
        /// Id of the room
        room: String,
        /// How many people may come by it
        #[arg(long, value_name = "N")]
        uses: Option<u32>,
        /// How long it is good
        #[arg(long, value_name = "SECONDS")]
        expires_in: Option<u64>,
        /// What they may do, of: speak, camera, share, moderate
        #[arg(long, value_delimiter = ',', value_name = "LIST")]
        permissions: Option<Vec<String>>,
    },
    /// Lists the invites of a room
    List {
        /// Id of the room
        room: String,
    },
    /// Revokes an invite, and the sessions that came by it
    Revoke {
        /// Id of the room
        room: String,
        /// Id of the invite
        invite: String,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ParticipantCommand {
    /// Removes a participant; its media stops
    Remove {
        /// Id of the room
        room: String,
        /// Id of the participant
        participant: String,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum RealmsCommand {
    /// Lists the clients
    List,
    /// Registers a client and prints its key, once
    Add {
        /// Its id, as its Mattermost server will name it
        id: String,
    },
    /// Unregisters a client; its connections end
    Remove {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ChannelsCommand {
    /// Lists the channels
    List,
    /// Makes a channel and prints its id
    Add {
        /// A UUIDv4 that is published already
        #[arg(long, value_name = "UUID")]
        id: Option<String>,
        #[command(flatten)]
        settings: ChannelSettings,
    },
    /// Shows a channel and its clients
    Show {
        /// Id of the channel
        channel: String,
    },
    /// Changes what is said of a channel
    Change {
        /// Id of the channel
        channel: String,
        #[command(flatten)]
        settings: ChannelSettings,
    },
    /// Deletes a channel; its clients are revoked
    Remove {
        /// Id of the channel
        channel: String,
    },
    /// Makes an invitation and prints its link
    Invite {
        /// Id of the channel
        channel: String,
        /// How many visitors may come by it
        #[arg(long, value_name = "N")]
        uses: Option<u32>,
        /// How long it is good
        #[arg(long, value_name = "SECONDS")]
        ttl: Option<u32>,
    },
    /// Revokes a client; its connection ends, and its browser gets no other password in this channel
    Revoke {
        /// Id of the channel
        channel: String,
        /// Id of the client
        client: String,
    },
}

/// What holds for a channel; what is not said stays as it is.
#[derive(Debug, Clone, Args)]
pub(crate) struct ChannelSettings {
    /// What it is about
    #[arg(long)]
    pub(crate) topic: Option<String>,
    /// open or invitation
    #[arg(long)]
    pub(crate) admission: Option<String>,
    /// Clients that may be logged in at once
    #[arg(long, value_name = "N")]
    pub(crate) capacity: Option<u32>,
    /// required or optional
    #[arg(long)]
    pub(crate) cookie_binding: Option<String>,
    /// strict-login-id, strict-registered or optional
    #[arg(long)]
    pub(crate) sessid_policy: Option<String>,
    /// strict or opaque
    #[arg(long)]
    pub(crate) content: Option<String>,
    /// off or page
    #[arg(long)]
    pub(crate) delivery: Option<String>,
    /// Origins of pages beside our own, separated by commas; empty for none
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    pub(crate) origins: Option<Vec<String>>,
}

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ImportCommand {
    /// Registers the clients of rtcd's store, with the keys they have
    Rtcd {
        /// The folder that rtcd's store.data_source names
        #[arg(long, value_name = "DIR")]
        data_source: PathBuf,
    },
}

impl Arguments {
    pub(crate) fn command(&self) -> Command {
        self.command.clone().unwrap_or(Command::Serve)
    }

    pub(crate) fn overrides(&self) -> Vec<Override> {
        let folder = self.data_dir.iter().map(|folder| Override {
            key: "data_dir".to_owned(),
            value: folder.clone(),
            flag: format!("--data-dir {folder}"),
        });
        let sets = self.sets.iter().map(|(key, value)| Override {
            key: key.clone(),
            value: value.clone(),
            flag: format!("--set {key}={value}"),
        });
        sets.chain(folder).collect()
    }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected section.key=value")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        <Arguments as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn nothing_means_serve_and_flags_stand_anywhere() {
        let read = |line: &str| Arguments::try_parse_from(line.split(' ')).unwrap();
        assert!(matches!(read("countersign").command(), Command::Serve));
        let arguments = read("countersign --set a.b=1 serve --data-dir /d --set c=x=y");
        let flags: Vec<_> = arguments.overrides().into_iter().map(|set| (set.key, set.value)).collect();
        assert!(flags.contains(&("data_dir".to_owned(), "/d".to_owned())), "{flags:?}");
        assert!(flags.contains(&("c".to_owned(), "x=y".to_owned())), "{flags:?}");
        assert!(Arguments::try_parse_from(["countersign", "--set", "x"]).is_err());
    }
}
