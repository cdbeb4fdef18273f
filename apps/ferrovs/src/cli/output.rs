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

/// Prints.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// What became of printing: a reader that has gone has seen enough.
pub(crate) fn written(done: io::Result<()>) -> anyhow::Result<()> {
    match done {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes beside the file, then puts that in its place: who reads it, or finds it after a crash, has the
/// old one or the new one. It keeps its permissions, and a link goes on leading to it. What is no file (a
/// device, a pipe) has no place to put another one into, and is written to.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let (file, permissions) = match fs::metadata(file) {
        Ok(there) if !there.is_file() => return fs::write(file, text),
        Ok(there) => (fs::canonicalize(file)?, Some(there.permissions())),
        Err(error) if error.kind() == ErrorKind::NotFound => (file.to_owned(), None),
        Err(error) => return Err(error),
    };
    let mut beside = file.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let mut new = fs::File::create_new(&beside)?;
    let written = match permissions {
        Some(permissions) => new.set_permissions(permissions),
        None => Ok(()),
    };
    let done = written
        .and_then(|()| new.write_all(text.as_bytes()))
        .and_then(|()| new.sync_all())
        .and_then(|()| fs::rename(&beside, &file));
    if done.is_err() {
        // Why it failed matters more than what is left.
        let _ = fs::remove_file(&beside);
    }
    done
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let directory = std::env::temp_dir().join(format!("ferrovs-saved-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let file = directory.join("state.toml");
        replace(&file, "one").unwrap();
        replace(&file, "two").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        // A link leads on, and permissions stay.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let link = directory.join("link");
        symlink(&file, &link).unwrap();
        replace(&link, "three").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "three");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        // A device stays one.
        let device = directory.join("device");
        symlink("/dev/null", &device).unwrap();
        replace(&device, "four").unwrap();
        assert!(
            fs::metadata("/dev/null")
                .unwrap()
                .file_type()
                .is_char_device()
        );
        // A directory cannot be replaced by a file, and nothing is left beside it.
        let taken = directory.join("taken");
        fs::create_dir_all(taken.join("inside")).unwrap();
        replace(&taken, "five").unwrap_err();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 4);
        fs::remove_dir_all(&directory).unwrap();
    }
}
