//! Plays scenarios with the kernel's IPVS and with ferrovs, and prints where they differ. As `nt` it is the network tool
//! of the scenarios.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use ferrovs_tests::replay::{Director, Play, compare, player, script};

/// Plays scenarios with the kernel's IPVS and with ferrovs at its two hooks, and prints where they differ. On a kernel
/// that has IPVS: cargo xtask vm 6.12 -- ipvs-diff --seed 1
#[derive(Parser)]
struct Options {
    /// Scenarios: shell scripts that source ./topo.sh, the network they play in
    scenarios: Vec<PathBuf>,
    /// A scenario made from this number
    #[arg(long)]
    seed: Option<u64>,
    /// Services that one from a number is about
    #[arg(long, default_value_t = 12)]
    services: u16,
    /// Only print them
    #[arg(long)]
    print: bool,
    /// Only play them with this director (kernel, tc or xdp), and print what they print
    #[arg(long)]
    only: Option<Director>,
    /// Seconds after which a scenario is ended
    #[arg(long, default_value_t = 480)]
    patience: u64,
}

fn main() -> ExitCode {
    let mut arguments = env::args();
    let program = arguments.next().unwrap_or_default();
    let is_tool = Path::new(&program)
        .file_name()
        .is_some_and(|name| name == "nt");
    if is_tool {
        return player::run(&arguments.collect::<Vec<_>>());
    }
    match diff(&Options::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("ipvs-diff: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing differs.
fn diff(options: &Options) -> Result<bool, Box<dyn Error>> {
    let mut scripts = Vec::new();
    for scenario in &options.scenarios {
        let name = scenario.display().to_string();
        let text = fs::read_to_string(scenario).map_err(|error| format!("{name}: {error}"))?;
        scripts.push((name, text));
    }
    if let Some(seed) = options.seed {
        scripts.push((format!("seed {seed}"), script(seed, options.services)));
    }
    if scripts.is_empty() {
        return Err("what to play? Name a script, or --seed".into());
    }
    if options.print {
        for (_, script) in &scripts {
            print!("{script}");
        }
        return Ok(true);
    }
    let tool = env::current_exe()?;
    let ferrovs = tool.with_file_name("ferrovs");
    let mut alike = true;
    for (name, script) in &scripts {
        let play = Play {
            tool: &tool,
            ferrovs: &ferrovs,
            script,
            variables: &[],
            patience: Duration::from_secs(options.patience),
        };
        match options.only {
            Some(director) => print!("{}", play.run(director)?),
            None => alike &= is_alike(name, &play)?,
        }
    }
    Ok(alike)
}

/// Plays it with one director after the other: at once they would get in each other's way, and what is left of timeouts would
/// not compare.
fn is_alike(name: &str, play: &Play<'_>) -> Result<bool, Box<dyn Error>> {
    // ferrovs does not tell these states apart, see docs/differences.md.
    let kernel = play.run(Director::Kernel)?;
    let kernel = kernel.replace(" ASSURED     ", " NONE        ");
    let mut alike = true;
    for director in [Director::Tc, Director::Xdp] {
        for difference in compare(&kernel, &play.run(director)?) {
            alike = false;
            println!("{name}, kernel (-) and {director} (+): {difference}");
        }
    }
    if alike {
        let lines = kernel.lines().count();
        println!("{name}: {lines} lines are alike");
    }
    Ok(alike)
}
