//! Running qemu.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use super::{Options, initramfs, kernel::Kernel};
use crate::{
    paths,
    process::{existing, quoted, which},
};

/// Makes the root file system read-only, but for what virtiofsd writes itself (its socket and a file in /run), and
/// becomes virtiofsd. In a mount namespace of its own.
const READ_ONLY: &str = r#"mount --bind "$0" "$0" && mount -t tmpfs run /run && mount -o remount,bind,ro / && exec "$@""#;

/// No guest has begun with its command by then.
const BOOTED: Duration = Duration::from_secs(5);
/// How often a guest may panic at its beginning.
const PANICS: usize = 3;

/// What became of a guest.
enum Booted {
    /// Its command ended with this status.
    Ended(u8),
    /// Its kernel panicked before the command began. It patches its own code then, which an emulated processor that is
    /// just running it now and then takes amiss.
    Panicked,
}

/// Runs the command in a guest; gives its exit status.
pub(crate) fn boot(options: &Options, kernel: &Kernel) -> Result<u8> {
    for _ in 0..PANICS {
        if let Booted::Ended(status) = boot_once(options, kernel)? {
            return Ok(status);
        }
        eprintln!("the guest's kernel panicked at its beginning: once more");
    }
    bail!("the guest's kernel panics at its beginning, {PANICS} times in a row")
}

/// Whether the kernel whose console this is has panicked.
fn panicked(console: &Path) -> bool {
    fs::read_to_string(console).is_ok_and(|lines| lines.contains("Kernel panic"))
}

fn boot_once(options: &Options, kernel: &Kernel) -> Result<Booted> {
    let folder = Folder::create()?;
    let archive = initramfs::make(&folder.0, kernel, &script(&options.command))?;
    let socket = folder.0.join("files");
    let _files = Running::start(
        Command::new("setpriv")
            .args([
                "--pdeathsig",
                "KILL",
                "--",
                "unshare",
                "--mount",
                "sh",
                "-c",
            ])
            .arg(READ_ONLY)
            .arg(&folder.0)
            .arg(virtiofsd()?)
            .args(["-o", "source=/,cache=always,sandbox=chroot,log_level=err"])
            .arg(format!("--socket-path={}", socket.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.0.join("virtiofsd.log"))?),
    )?;
    let begin = Instant::now();
    while !socket.exists() {
        if begin.elapsed() > Duration::from_secs(10) {
            let log = fs::read_to_string(folder.0.join("virtiofsd.log")).unwrap_or_default();
            bail!("virtiofsd does not start: {}", log.trim());
        }
        thread::sleep(Duration::from_millis(20));
    }
    let (console, status) = (folder.0.join("console"), folder.0.join("status"));
    let begin = Instant::now();
    let mut guest = Running::start(&mut qemu(options, kernel, &archive, &folder.0))?;
    let ended = guest.wait(Duration::from_secs(options.timeout))?;
    if ended && begin.elapsed() < BOOTED && panicked(&console) {
        return Ok(Booted::Panicked);
    }
    let said = fs::read_to_string(&status).unwrap_or_default();
    match said.trim().parse() {
        Ok(status) => Ok(Booted::Ended(status)),
        Err(_) => {
            let console = fs::read_to_string(&console).unwrap_or_default();
            let lines: Vec<&str> = console.lines().collect();
            let last = lines[lines.len().saturating_sub(40)..].join("\n");
            let how = if ended {
                "the guest ended before the command did".to_owned()
            } else {
                format!("the guest was switched off after {} s", options.timeout)
            };
            bail!("{how}; the last lines of its console:\n{last}")
        }
    }
}

fn qemu(options: &Options, kernel: &Kernel, archive: &Path, folder: &Path) -> Command {
    let memory = options.memory;
    let file = |name: &str| format!("file:{}", folder.join(name).display());
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "--", "qemu-system-x86_64"])
        .args(["-accel", if options.kvm { "kvm" } else { "tcg" }])
        .args(["-cpu", "max"])
        .args(["-smp", &options.cpus.to_string()])
        .args(["-m", &format!("{memory}M"), "-nodefaults", "-no-reboot"])
        .args(["-display", "none", "-serial", "stdio"])
        .args(["-serial", &file("console"), "-serial", &file("status")])
        // The machine's files: virtiofsd works in the guest's memory.
        .arg("-object")
        .arg(format!(
            "memory-backend-memfd,id=memory,size={memory}M,share=on"
        ))
        .args(["-numa", "node,memdev=memory", "-chardev"])
        .arg(format!(
            "socket,id=files,path={}",
            folder.join("files").display()
        ))
        .args(["-device", "vhost-user-fs-pci,chardev=files,tag=host"])
        .args(["-device", "virtio-rng-pci"])
        .arg("-kernel")
        .arg(kernel.image())
        .arg("-initrd")
        .arg(archive)
        .args([
            "-append",
            "console=ttyS1 quiet panic=-1 mitigations=off net.ifnames=0",
        ])
        .stdin(Stdio::null());
    command
}

/// What bash runs in the guest.
fn script(command: &[impl AsRef<OsStr>]) -> String {
    let root = paths::root();
    let words: Vec<String> = command.iter().map(|word| quoted(word.as_ref())).collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    format!(
        "export PATH={}:{} HOME=/root TERM=dumb LANG=C.UTF-8\n\
         ip link set lo up\n\
         cd {} && {}\n",
        quoted(root.join("target/debug").as_os_str()),
        quoted(&path),
        quoted(root.as_os_str()),
        words.join(" ")
    )
}

/// The program that shows files to a guest. Debian has it outside the PATH, with qemu.
pub(super) fn virtiofsd() -> Result<PathBuf> {
    which("virtiofsd")
        .or_else(|| existing("/usr/libexec/virtiofsd".into()))
        .or_else(|| existing("/usr/lib/qemu/virtiofsd".into()))
        .context("virtiofsd is missing: apt-get install qemu-system-common, or virtiofsd on newer Debian")
}

/// A folder that goes with it.
struct Folder(PathBuf);

impl Folder {
    fn create() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("ferrovs-vm-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is litter in a temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process that ends with it.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(command.spawn().context("start setpriv (util-linux)")?))
    }

    /// Whether it ended in time.
    fn wait(&mut self, patience: Duration) -> Result<bool> {
        let begin = Instant::now();
        while self.0.try_wait()?.is_none() {
            if begin.elapsed() > patience {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(true)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill().and_then(|()| self.0.wait());
    }
}
