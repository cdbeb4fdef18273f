//! Network namespaces need root. An ordinary user is helped through sudo.

use std::{env, os::unix::process::CommandExt, process::Command};

use anyhow::{Context, Result, bail};

/// Goes on when this is root; otherwise becomes root through sudo, running the same command line
/// again, or says in one line what is missing. Nothing has been touched by then.
pub(super) fn acquire() -> Result<()> {
    if ferrovs_lab::is_root() {
        return Ok(());
    }
    if !is_installed("sudo") {
        bail!(
            "the lab makes network namespaces, which takes root: run it as root, or install sudo"
        );
    }
    eprintln!("The lab makes network namespaces, which takes root: running it through sudo.");
    let program = env::current_exe().context("cannot find this program again")?;
    let mut sudo = Command::new("sudo");
    sudo.arg("--");
    // sudo takes the environment away; this is all of it that the lab would heed.
    if let Some(wish) = env::var_os("NO_COLOR").filter(|wish| !wish.is_empty()) {
        let mut setting = std::ffi::OsString::from("NO_COLOR=");
        setting.push(wish);
        sudo.arg("env").arg(setting);
    }
    let error = sudo.arg(program).args(env::args_os().skip(1)).exec();
    Err(error).context("cannot run sudo")
}

fn is_installed(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(program).is_file())
}
