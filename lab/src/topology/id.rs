//! What a lab's namespaces are called, and finding those that nobody takes care of any more.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use crate::{
    error::{Doing, Error, Result},
    namespace::{Namespace, names},
};

const PREFIX: &str = "ferrovs-lab";

/// Distinguishes labs that stand side by side.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Id {
    /// The process and a number, or nothing for the lab that is kept.
    unique: Option<(u32, u32)>,
}

impl Id {
    /// Names that no other lab uses: `ferrovs-lab-PROCESS-NUMBER-MACHINE`.
    pub fn unique() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self {
            unique: Some((std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))),
        }
    }

    /// Short names for a lab that is left standing, of which there is one: `ferrovs-lab-MACHINE`.
    pub fn kept() -> Self {
        Self { unique: None }
    }

    /// Whether this is the lab that is left standing.
    pub fn is_kept(&self) -> bool {
        self.unique.is_none()
    }

    /// The name of a machine's namespace.
    pub fn namespace(&self, machine: &str) -> String {
        format!("{}-{machine}", self.base())
    }

    /// Whether something of this lab stands: a namespace or its directory.
    ///
    /// # Errors
    /// When `/run/netns` cannot be read.
    pub fn stands(&self) -> Result<bool> {
        let named = names()?
            .iter()
            .any(|name| Self::parse(name).as_ref() == Some(self));
        Ok(named || self.directory().exists())
    }

    /// The lab's directory.
    pub(super) fn directory(&self) -> PathBuf {
        Path::new("/run").join(self.base())
    }

    fn base(&self) -> String {
        match self.unique {
            Some((process, number)) => format!("{PREFIX}-{process}-{number}"),
            None => PREFIX.to_owned(),
        }
    }

    /// Reads the name of a namespace or a directory of a lab.
    fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(PREFIX)?;
        if rest.is_empty() {
            return Some(Self::kept());
        }
        let mut parts = rest.strip_prefix('-')?.split('-');
        let first = parts.next()?;
        let Ok(process) = first.parse() else {
            return Some(Self::kept());
        };
        let number = parts.next()?.parse().ok()?;
        Some(Self {
            unique: Some((process, number)),
        })
    }

    /// Whether nobody takes care of this lab: it was left standing, or its process has gone.
    fn is_left(&self) -> bool {
        self.unique
            .is_none_or(|(process, _)| !Path::new(&format!("/proc/{process}")).exists())
    }
}

/// The namespaces of labs that nobody takes care of: of the one left standing, and of those whose
/// process was killed.
///
/// # Errors
/// When `/run/netns` cannot be read.
pub fn leftovers() -> Result<Vec<String>> {
    let mut names = names()?;
    names.retain(|name| Id::parse(name).is_some_and(|id| id.is_left()));
    Ok(names)
}

/// Something that [`remove_leftovers`] has removed.
#[derive(Clone, Debug)]
pub struct Removed {
    /// The name of the namespace, or the path of the directory.
    pub what: String,
    /// The processes that were in the namespace, by number and name. They have been ended.
    pub ended: Vec<(u32, String)>,
}

/// Removes the [`leftovers`], the processes in them and their directories.
///
/// # Errors
/// All that could not be removed; the rest was.
pub fn remove_leftovers() -> Result<Vec<Removed>> {
    let mut removed = Vec::new();
    let mut errors = Vec::new();
    for name in leftovers()?.into_iter().rev() {
        match remove(&name) {
            Ok(ended) => removed.push(Removed { what: name, ended }),
            Err(error) => errors.push(error),
        }
    }
    for directory in left_directories()? {
        match fs::remove_dir_all(&directory) {
            Ok(()) => removed.push(Removed {
                what: directory.display().to_string(),
                ended: Vec::new(),
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => errors.push(Error::Refused {
                action: format!("remove {}", directory.display()),
                source: error,
            }),
        }
    }
    Error::collect(errors).map(|()| removed)
}

fn remove(name: &str) -> Result<Vec<(u32, String)>> {
    let ended = match Namespace::open(name) {
        Ok(namespace) => namespace.end_processes()?,
        // The name alone, left by somebody who was killed half-way.
        Err(_) => Vec::new(),
    };
    Namespace::remove_name(name)?;
    Ok(ended)
}

fn left_directories() -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir("/run").doing(|| "read /run")?;
    let is_left = |name: &OsStr| {
        name.to_str()
            .and_then(Id::parse)
            .is_some_and(|id| id.is_left())
    };
    Ok(entries
        .flatten()
        .filter(|entry| is_left(&entry.file_name()))
        .map(|entry| entry.path())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let unique = Id::unique();
        assert_eq!(Id::parse(&unique.namespace("rs141")), Some(unique.clone()));
        assert_eq!(Id::parse(&unique.base()), Some(unique.clone()));
        assert!(!unique.is_left(), "this process lives");
        assert_eq!(Id::parse("ferrovs-lab-client"), Some(Id::kept()));
        assert_eq!(Id::parse("ferrovs-lab"), Some(Id::kept()));
        assert_eq!(Id::parse("ferrovs-laboratory"), None);
        assert_eq!(Id::parse("somebody-else"), None);
    }

    #[test]
    fn a_lab_whose_process_has_gone_is_left() {
        // Larger than any process number Linux gives.
        assert!(
            Id {
                unique: Some((1 << 30, 0))
            }
            .is_left()
        );
        assert!(Id::kept().is_left());
        assert_ne!(Id::unique(), Id::unique());
    }
}
