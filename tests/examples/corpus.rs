//! Kept inputs as the directories that libFuzzer works on, and back; for `cargo xtask fuzz`.
//!
//! ```text
//! corpus unpack TARGET DIRECTORY    the kept inputs and those made from recordings, a file each
//! corpus pack TARGET DIRECTORY      keep what lies in the directory, and nothing else
//! corpus add TARGET DIRECTORY       keep what lies in the directory too
//! ```

use std::{env, error::Error, fs, io, path::Path, process::ExitCode};

use ferrovs_tests::fuzzed::{Target, corpus};

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        [command, target, directory] => run(command, target, Path::new(directory)),
        _ => Err("corpus unpack|pack|add TARGET DIRECTORY".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, target: &str, directory: &Path) -> Result<(), Box<dyn Error>> {
    let target = named(target)?;
    match command {
        "unpack" => unpack(target, directory)?,
        "pack" => corpus::write(target, &inputs(directory)?)?,
        "add" => {
            let all = [kept(target)?, inputs(directory)?];
            corpus::write(target, &all.concat())?;
        }
        _ => return Err(format!("there is no command {command}").into()),
    }
    Ok(())
}

fn unpack(target: Target, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let kept = kept(target)?;
    for (number, input) in kept.iter().chain(&target.seeds()).enumerate() {
        fs::write(directory.join(number.to_string()), input)?;
    }
    Ok(())
}

/// Of a new target none are kept yet.
fn kept(target: Target) -> io::Result<Vec<Vec<u8>>> {
    match corpus::read(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        kept => kept,
    }
}

fn inputs(directory: &Path) -> io::Result<Vec<Vec<u8>>> {
    let files = fs::read_dir(directory)?;
    files.map(|file| fs::read(file?.path())).collect()
}

fn named(name: &str) -> Result<Target, String> {
    let target = Target::ALL.into_iter().find(|target| target.name() == name);
    target.ok_or_else(|| format!("there is no target {name}"))
}
