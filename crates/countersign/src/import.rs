//! Takes over what another server has kept.

use std::path::Path;

use server::config::Checked;
use server::import::Imported;

use crate::printing::say_line;

pub(crate) fn rtcd(config: &Checked, data_source: &Path) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Imported { found, registered, torn } = runtime.block_on(server::import::rtcd(config, data_source))?;
    say_line!("{registered} of {found} clients registered; the others were there already")?;
    if torn {
        say_line!("the last record of the store was not written whole, and was left out")?;
    }
    Ok(())
}
