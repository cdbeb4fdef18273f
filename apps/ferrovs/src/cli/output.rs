//! Where commands put what they print.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;

/// Writes `text` to the file, which is replaced whole or not at all, or without one to standard output.
pub(super) fn put(file: Option<&Path>, text: &str) -> anyhow::Result<()> {
    match file {
        Some(file) => {
            replace(file, text).with_context(|| format!("cannot write {}", file.display()))
        }
        None => say(text),
    }
}

/// Prints; a reader that has gone has seen enough.
pub(super) fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes beside the file, then puts that in its place: who reads it, or finds it after a crash, has the
/// old one or the new one.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = fs::File::create_new(&beside).and_then(|mut new| {
        new.write_all(text.as_bytes())?;
        new.sync_all()
    });
    let done = written.and_then(|()| fs::rename(&beside, file));
    if done.is_err() {
        // It may not even exist, and why it failed matters more.
        let _ = fs::remove_file(&beside);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let directory = std::env::temp_dir().join(format!("ferrovs-saved-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let file = directory.join("state.toml");
        replace(&file, "one").unwrap();
        replace(&file, "two").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        // A directory cannot be replaced by a file, and nothing is left beside it.
        let taken = directory.join("taken");
        fs::create_dir_all(taken.join("inside")).unwrap();
        replace(&taken, "three").unwrap_err();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
        fs::remove_dir_all(&directory).unwrap();
    }
}
