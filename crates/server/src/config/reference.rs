//! The documentation of the keys, as a commented example and as `docs/configuration.md`.

use std::fmt::Write;

use super::{
    file::{Key, SECTIONS, Section, Standing},
    written::ENVIRONMENT_PREFIX,
};

/// Returns a configuration file in which every key is commented out, with its documentation.
#[must_use]
pub fn example() -> String {
    let mut text = String::from(
        "# Configuration of countersign. Every key may be left out; the commented values are the defaults,\n\
         # or examples where the text says what holds otherwise. Environment variables and flags come before this file.\n",
    );
    for Section { name, about, keys } in SECTIONS {
        if !name.is_empty() {
            text.push('\n');
            for line in about {
                _ = writeln!(text, "#{line}");
            }
            _ = writeln!(text, "[{name}]");
        }
        for key in keys {
            text.push('\n');
            for line in key.lines {
                _ = writeln!(text, "#{line}");
            }
            _ = writeln!(text, "#{} = {}", key.name, key.sample);
        }
    }
    text
}

/// Returns the text of `docs/configuration.md`.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(HEAD);
    for Section { name, about, keys } in SECTIONS {
        if name.is_empty() {
            text.push_str("\n## Top level\n");
        } else {
            _ = writeln!(text, "\n## `[{name}]`\n");
            for line in about {
                _ = writeln!(text, "{}", line.trim());
            }
        }
        for key in keys {
            let kind = match key.standing {
                Standing::Default => "default",
                Standing::Example => "example",
            };
            _ = write!(text, "\n### `{}`\n\n", key.path());
            for line in key.lines {
                _ = writeln!(text, "{}", line.trim());
            }
            _ = writeln!(text, "\n- {kind}: `{}`\n- environment: `{}`", key.sample, variable(key));
        }
    }
    _ = write!(text, "\n## The example\n\n```toml\n{}```\n", example());
    text
}

fn variable(key: &Key) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", key.path().replace('.', "__").to_ascii_uppercase())
}

const HEAD: &str = "# Configuration

Made by `countersign config print --markdown` from the code; a test compares them.

`countersign serve` needs no configuration. What it is told otherwise comes from, the later winning over the earlier:

1. the file of `--config FILE` (TOML),
2. environment variables `COUNTERSIGN__SECTION__KEY`, such as `COUNTERSIGN__HTTP__LISTEN`; lists are separated by commas,
3. flags: `--data-dir DIR`, and `--set section.key=value` as often as needed.

rtcd's own settings count too: its variables (`RTCD_…`) between 1 and 2, its file (`--rtcd-config FILE`) before 1, and before that, when
there is any of them, its defaults. [faces/rtcd.md](faces/rtcd.md#rtcds-own-settings) has the table of them.

An unknown key, or a value that cannot be used, stops the start with exit status 2 and one line: the place (file and line, variable or
flag), and what was expected. `countersign config check` does only that check, and loads the certificates of tls = \"files\" for it;
`countersign config print` prints the example below.
Relative paths are relative to the folder that the server is started in.
";
