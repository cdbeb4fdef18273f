//! Kept inputs as the directories that libFuzzer works on, and back; for `cargo xtask fuzz`.
//!
//! ```text
//! corpus unpack TARGET DIRECTORY        the kept inputs and those made from recordings, a file each
//! corpus pack TARGET DIRECTORY...       keep what lies in the directories, and nothing else
//! ```

use std::{env, error::Error, fs, io, path::Path, process::ExitCode};

use ferrovs_tests::fuzzed::{Target, corpus};

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["unpack", target, directory] => unpack(target, Path::new(directory)),
        ["pack", target, directories @ ..] => pack(target, directories),
        _ => Err("corpus unpack TARGET DIRECTORY, or corpus pack TARGET DIRECTORY...".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn unpack(target: &str, directory: &Path) -> Result<(), Box<dyn Error>> {
    let target = named(target)?;
    let kept = match corpus::read(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        kept => kept?,
    };
    fs::create_dir_all(directory)?;
    for (number, input) in kept.iter().chain(&target.seeds()).enumerate() {
        fs::write(directory.join(number.to_string()), input)?;
    }
    Ok(())
}

fn pack(target: &str, directories: &[&str]) -> Result<(), Box<dyn Error>> {
    let target = named(target)?;
    let mut inputs = Vec::new();
    for directory in directories {
        for entry in fs::read_dir(directory)? {
            inputs.push(fs::read(entry?.path())?);
        }
    }
    Ok(corpus::write(target, &inputs)?)
}

fn named(name: &str) -> Result<Target, String> {
    let target = Target::ALL.into_iter().find(|target| target.name() == name);
    target.ok_or_else(|| format!("there is no target {name}"))
}
