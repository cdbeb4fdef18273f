//! What the guest begins with: it mounts the files of this machine and goes over to them.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use super::kernel::Kernel;
use crate::process::which;

/// The first program of the guest.
const INIT: &str = include_str!("init.sh");
/// What it takes to reach the files of this machine.
const MODULES: &[&str] = &["virtio_pci", "virtiofs", "overlay"];
/// Folders to put things into and to mount things on.
const FOLDERS: &[&str] = &["bin", "dev", "proc", "modules", "host", "layer", "new"];

/// Makes the archive in `folder`, to run `script` by bash.
pub(crate) fn make(folder: &Path, kernel: &Kernel, script: &str) -> Result<PathBuf> {
    let root = folder.join("root");
    let mut names: Vec<String> = FOLDERS.iter().map(|&name| name.to_owned()).collect();
    for name in &names {
        fs::create_dir_all(root.join(name))?;
    }
    let mut add = |name: String, content: &[u8]| {
        let file = root.join(&name);
        names.push(name);
        fs::write(&file, content)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))
    };
    let busybox = which("busybox").context("busybox is missing")?;
    add("bin/busybox".to_owned(), &fs::read(busybox)?)?;
    for (number, module) in kernel.modules_with_needs(MODULES)?.iter().enumerate() {
        // They are loaded in the order of their names.
        add(format!("modules/{number:02}.ko"), module)?;
    }
    let modules = kernel.folder.join("lib/modules");
    let init = INIT.replace("@MODULES@", &modules.to_string_lossy());
    add("init".to_owned(), init.as_bytes())?;
    add("script".to_owned(), script.as_bytes())?;
    archive(&root, &names, folder.join("initramfs.cpio"))
}

fn archive(root: &Path, names: &[String], file: PathBuf) -> Result<PathBuf> {
    let mut cpio = Command::new("cpio")
        .args(["--create", "--format=newc", "--quiet"])
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(fs::File::create(&file)?)
        .spawn()
        .context("start cpio")?;
    if let Some(mut stdin) = cpio.stdin.take() {
        stdin.write_all(names.join("\n").as_bytes())?;
    }
    let status = cpio.wait()?;
    if !status.success() {
        bail!("cpio failed ({status})");
    }
    Ok(file)
}
