//! Kernels from Debian's packages, unpacked and not installed.

use std::{
    cmp::Reverse,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{
    paths,
    process::{capture, run},
};

/// A kernel and its modules.
pub(crate) struct Kernel {
    /// Its version, as `uname -r` says it.
    pub(crate) version: String,
    /// The folder with `boot` and `lib/modules`.
    pub(crate) folder: PathBuf,
}

impl Kernel {
    /// The image that qemu boots.
    pub(crate) fn image(&self) -> PathBuf {
        self.folder
            .join("boot/vmlinuz-")
            .with_file_name(format!("vmlinuz-{}", self.version))
    }

    /// Its modules.
    pub(crate) fn modules(&self) -> PathBuf {
        self.folder.join("lib/modules").join(&self.version)
    }

    /// The modules with these names and those that they need, uncompressed, in the order in which they can be
    /// loaded. What is built into the kernel is left out.
    pub(crate) fn modules_with_needs(&self, names: &[&str]) -> Result<Vec<Vec<u8>>> {
        let file = self.modules().join("modules.dep");
        let needs =
            fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        let mut paths = Vec::new();
        for name in names {
            for path in with_needs(&needs, name) {
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
        }
        let read = |path: &&str| uncompressed(&self.modules().join(path));
        paths.iter().map(read).collect()
    }
}

/// The path of a module and those that it needs, what is needed first (modules.dep(5)); none if it is built in.
fn with_needs<'a>(needs: &'a str, name: &str) -> Vec<&'a str> {
    let is_it = |path: &str| {
        let file = path.rsplit('/').next().unwrap_or(path);
        file.split('.').next() == Some(name)
    };
    let mut lines = needs.lines().filter_map(|line| line.split_once(':'));
    match lines.find(|(path, _)| is_it(path)) {
        Some((path, needed)) => needed.split_whitespace().rev().chain([path]).collect(),
        None => Vec::new(),
    }
}

fn uncompressed(file: &Path) -> Result<Vec<u8>> {
    if file.extension().is_none_or(|extension| extension != "xz") {
        return fs::read(file).with_context(|| format!("read {}", file.display()));
    }
    let output = Command::new("xz").arg("-dc").arg(file).output()?;
    if !output.status.success() {
        bail!(
            "cannot unpack {}: {}",
            file.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(output.stdout)
}

/// The newest kernel whose version begins with `prefix`: one that was fetched before, or else Debian's.
pub(crate) fn fetch(prefix: &str) -> Result<Kernel> {
    if let Some(kernel) = fetched(prefix)? {
        return Ok(kernel);
    }
    let package = package(prefix)?;
    let folder = paths::vm().join(&package);
    // Unpacked beside, so that a folder that is there is whole.
    let beside = paths::vm().join(format!("{package}.part"));
    if beside.exists() {
        fs::remove_dir_all(&beside)?;
    }
    fs::create_dir_all(&beside)?;
    run(Command::new("apt-get")
        .args(["-q", "-o", "APT::Sandbox::User=root", "download", &package])
        .current_dir(&beside))
    .context("fetch the kernel (apt-get update first?)")?;
    let archive = only_file(&beside)?;
    run(Command::new("dpkg").arg("-x").arg(&archive).arg(&beside))?;
    fs::remove_file(archive)?;
    let kernel = unpacked(beside.clone())?;
    run(Command::new("depmod")
        .arg("-b")
        .arg(&beside)
        .arg(&kernel.version))?;
    fs::rename(&beside, &folder)?;
    unpacked(folder)
}

fn fetched(prefix: &str) -> Result<Option<Kernel>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(paths::vm())? {
        let folder = entry?.path();
        if folder
            .extension()
            .is_some_and(|extension| extension == "part")
        {
            continue;
        }
        let Ok(kernel) = unpacked(folder) else {
            continue;
        };
        if fits(&kernel.version, prefix) {
            found.push(kernel);
        }
    }
    found.sort_by_key(|kernel| Reverse(numbers(&kernel.version)));
    Ok(found.into_iter().next())
}

/// The name of Debian's package. The kernels for clouds are the small ones.
fn package(prefix: &str) -> Result<String> {
    let names = capture(Command::new("apt-cache").args(["pkgnames", "linux-image-"]))?;
    let version = |name: &&str| {
        let rest = name.strip_prefix("linux-image-").unwrap_or_default();
        numbers(rest)
    };
    let newest = names
        .lines()
        .filter(|name| name.ends_with("-cloud-amd64"))
        .filter(|name| {
            let rest = name.strip_prefix("linux-image-").unwrap_or_default();
            // Packages that only name others have no third number.
            fits(rest, prefix) && numbers(rest).len() > 2
        })
        .max_by_key(version);
    match newest {
        Some(name) => Ok(name.to_owned()),
        None => bail!(
            "Debian has no cloud kernel {prefix} in its package lists: apt-get update, or see \
             `apt-cache pkgnames linux-image-`"
        ),
    }
}

/// Whether a version is `prefix` or goes on after it.
fn fits(version: &str, prefix: &str) -> bool {
    version
        .strip_prefix(prefix)
        .is_some_and(|rest| !rest.starts_with(|next: char| next.is_ascii_digit()))
}

/// The numbers in a version, to compare it by.
fn numbers(version: &str) -> Vec<u64> {
    let parts = version.split(|c: char| !c.is_ascii_digit());
    parts.filter_map(|part| part.parse().ok()).collect()
}

fn unpacked(folder: PathBuf) -> Result<Kernel> {
    let version = only_file(&folder.join("lib/modules"))?;
    let version = version.file_name().unwrap_or_default();
    Ok(Kernel {
        version: version.to_string_lossy().into_owned(),
        folder,
    })
}

/// What a folder with one thing in it holds.
fn only_file(folder: &Path) -> Result<PathBuf> {
    let entry = fs::read_dir(folder)
        .and_then(|mut entries| entries.next().transpose())
        .with_context(|| format!("read {}", folder.display()))?;
    entry
        .map(|entry| entry.path())
        .with_context(|| format!("{} is empty", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_fit_their_beginnings() {
        for (version, prefix, expected) in [
            ("6.1.0-56-cloud-amd64", "6.1", true),
            ("6.12.117+deb12-cloud-amd64", "6.1", false),
            ("6.12.117+deb12-cloud-amd64", "6.12", true),
            ("6.12.117+deb12-cloud-amd64", "6.12.117", true),
            ("6.12.117+deb12-cloud-amd64", "6.12.11", false),
        ] {
            assert_eq!(fits(version, prefix), expected, "{version} {prefix}");
        }
    }

    #[test]
    fn what_a_module_needs_is_loaded_before_it() {
        let needs = "kernel/a/virtio.ko:\n\
            kernel/f/virtiofs.ko.xz: kernel/f/fuse.ko.xz kernel/a/virtio.ko\n";
        let order = [
            "kernel/a/virtio.ko",
            "kernel/f/fuse.ko.xz",
            "kernel/f/virtiofs.ko.xz",
        ];
        assert_eq!(with_needs(needs, "virtiofs"), order);
        assert!(with_needs(needs, "overlay").is_empty());
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert!(numbers("6.12.117+deb12-cloud") > numbers("6.12.99+deb12-cloud"));
        assert!(numbers("6.1.0-56-cloud") > numbers("6.1.0-9-cloud"));
    }
}
