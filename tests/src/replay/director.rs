//! Playing one scenario.

use std::{
    fmt, io,
    path::Path,
    process::{Command, Stdio},
    str::FromStr,
    time::Duration,
};

/// Who directs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Director {
    /// IPVS of the running kernel.
    Kernel,
    /// ferrovs at the traffic control layer, with `compat=ipvs`.
    Tc,
    /// ferrovs behind the driver, with `compat=ipvs`.
    Xdp,
}

impl fmt::Display for Director {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Kernel => "kernel",
            Self::Tc => "tc",
            Self::Xdp => "xdp",
        })
    }
}

impl FromStr for Director {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Kernel, Self::Tc, Self::Xdp]
            .into_iter()
            .find(|director| director.to_string() == text)
            .ok_or_else(|| format!("there is no director {text}; use kernel, tc or xdp"))
    }
}

/// A scenario and what it takes to play it.
#[derive(Clone, Debug)]
pub struct Play<'a> {
    /// The program `ipvs-diff`, which is the scenarios' network tool too.
    pub tool: &'a Path,
    /// The program `ferrovs`.
    pub ferrovs: &'a Path,
    /// The script, for bash.
    pub script: &'a str,
    /// Variables that the script knows, and their values.
    pub variables: &'a [(&'a str, &'a str)],
    /// After this it is ended.
    pub patience: Duration,
}

/// Becomes the first process of the namespaces.
const STAGE: &str = include_str!("stage.sh");
/// What every scenario sources.
const NETWORK: &str = include_str!("../../fixtures/behaviour/topo.sh");

impl Play<'_> {
    /// What it prints, errors included.
    ///
    /// It runs in namespaces of its own (of processes too) whose first process ends with the calling thread, however that
    /// ends; the kernel then takes all the rest of them.
    ///
    /// # Errors
    /// When setpriv or unshare (util-linux) are missing or not allowed to make namespaces.
    pub fn run(&self, director: Director) -> io::Result<String> {
        let output = self.command(director).output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let text = format!("no stage for a scenario ({}): {said}", output.status);
            return Err(io::Error::other(text));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn command(&self, director: Director) -> Command {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", "unshare"])
            .args(["--mount", "--pid", "--net", "--ipc", "--mount-proc"])
            .args(["--fork", "--kill-child=KILL"])
            .args(["bash", "-c", STAGE, "stage"])
            .args([self.tool, self.ferrovs])
            .args([NETWORK, self.script])
            .arg(self.patience.as_secs().to_string())
            .env("DIRECTOR", director.to_string())
            .envs(self.variables.iter().copied())
            .stdin(Stdio::null());
        command
    }
}
