//! The file systems that a machine sees.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_remount, unmount};

use crate::sandbox::machine::MachineError;
use crate::sandbox::machine::failure::Tried;
use crate::sandbox::machine::protocol::Boot;

const SAFE: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// Kernel settings that the guest's root, who has the host root's user id, must not write.
const READ_ONLY_IN_PROC: [&str; 6] = ["sys", "sysrq-trigger", "irq", "bus", "fs", "acpi"];

/// Builds the machine's root; returns where it is.
pub(super) fn build(boot: &Boot) -> Result<PathBuf, MachineError> {
    std::env::set_current_dir(&boot.directory).tried_on("change to", &boot.directory)?;
    overlay(boot)?;
    let root = boot.directory.join("root");
    proc(&root)?;
    let sys = root.join("sys");
    rustix::mount::mount_bind_recursive(boot.directory.join("sys"), &sys).tried_on("bind", &sys)?;
    dev(&root)?;
    run(&root, boot)?;
    boot_id(&root)?;
    Ok(root)
}

/// Mounts the stack: upper, captured layers, mask, base, shims.
///
/// Layers in the tree of the base (both on one file system) are refused by
/// overlayfs as overlapping (ELOOP), while an upper directory may lie there.
/// Then the mask becomes the upper of a first overlay on the base, and that
/// one a layer of the second. That is the case for the host's own root, unless
/// the store is on another file system.
fn overlay(boot: &Boot) -> Result<(), MachineError> {
    let layers: Vec<String> = (0..boot.layers).map(|n| format!("layer/{n}")).collect();
    let captured = layers.iter().map(|layer| format!("{layer}:")).collect::<String>();
    // Volatile: nothing is synced to disk, neither at the end nor when a program
    // asks. A machine does not outlive its bake, so a crash has nothing to lose.
    let upper = "upperdir=upper,workdir=work,volatile";
    let flat = format!("lowerdir={captured}mask:base:shims,{upper}");
    if !boot.store_in_base {
        match mount_overlay("root", &flat) {
            // The paths told less than the kernel knows (subvolumes).
            Err(Errno::LOOP) => clear("work")?,
            result => return result.tried_on("mount the overlay on", &boot.directory.join("root")),
        }
    }
    mount_overlay("masked", "lowerdir=base,upperdir=mask,workdir=mask-work,volatile")
        .tried_on("mount the masking overlay on", &boot.directory.join("masked"))?;
    let stacked = format!("lowerdir={captured}masked:shims,{upper}");
    mount_overlay("root", &stacked)
        .tried_on("mount the stacked overlay on", &boot.directory.join("root"))
}

/// Removes overlayfs's sign in a work directory that it was in use.
fn clear(work: &str) -> Result<(), MachineError> {
    fs::remove_dir_all(work).and_then(|()| fs::create_dir(work)).tried_on("clear", Path::new(work))
}

fn mount_overlay(target: &str, options: &str) -> Result<(), Errno> {
    let options = format!("{options},userxattr");
    let options = std::ffi::CString::new(options).map_err(|_| Errno::INVAL)?;
    mount("overlay", target, "overlay", MountFlags::empty(), options.as_c_str())
}

fn proc(root: &Path) -> Result<(), MachineError> {
    let proc = root.join("proc");
    mount("proc", &proc, "proc", SAFE | MountFlags::NOEXEC, None)
        .tried_on("mount proc on", &proc)?;
    for name in READ_ONLY_IN_PROC {
        let path = proc.join(name);
        if !path.exists() {
            continue;
        }
        mount_bind(&path, &path).tried_on("bind", &path)?;
        mount_remount(&path, MountFlags::BIND | MountFlags::RDONLY | SAFE | MountFlags::NOEXEC, "")
            .tried_on("make read-only", &path)?;
    }
    Ok(())
}

fn dev(root: &Path) -> Result<(), MachineError> {
    let dev = root.join("dev");
    mount_tmpfs(&dev, MountFlags::NOSUID, c"mode=755,size=64k")?;
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        let (source, target) = (Path::new("/dev").join(name), dev.join(name));
        fs::write(&target, "").tried_on("make", &target)?;
        mount_bind(&source, &target).tried_on("bind", &target)?;
    }
    for name in ["pts", "shm", "mqueue"] {
        let path = dev.join(name);
        fs::create_dir(&path).tried_on("make", &path)?;
    }
    let pts = dev.join("pts");
    // Group 5 is tty in every distribution we know of.
    mount(
        "devpts",
        &pts,
        "devpts",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        c"newinstance,ptmxmode=0666,mode=620,gid=5",
    )
    .tried_on("mount devpts on", &pts)?;
    mount_tmpfs(&dev.join("shm"), SAFE, c"mode=1777")?;
    let mqueue = dev.join("mqueue");
    mount("mqueue", &mqueue, "mqueue", SAFE | MountFlags::NOEXEC, None)
        .tried_on("mount mqueue on", &mqueue)?;
    for (name, target) in [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        let path = dev.join(name);
        symlink(target, &path).tried_on("link", &path)?;
    }
    Ok(())
}

fn run(root: &Path, boot: &Boot) -> Result<(), MachineError> {
    let run = root.join("run");
    mount_tmpfs(&run, SAFE, c"mode=755")?;
    let lock = run.join("lock");
    fs::create_dir(&lock).tried_on("make", &lock)?;
    fs::set_permissions(&lock, Permissions::from_mode(0o1777)).tried_on("set mode of", &lock)?;
    for (path, content) in &boot.run_files {
        let path = run.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).tried_on("make", parent)?;
        }
        fs::write(&path, content).tried_on("write", &path)?;
    }
    Ok(())
}

/// Gives the boot an id of its own; the kernel knows the host's only.
fn boot_id(root: &Path) -> Result<(), MachineError> {
    let source = root.join("run/boot-id");
    let id = format!("{}\n", uuid::Uuid::new_v4());
    fs::write(&source, id).tried_on("write", &source)?;
    fs::set_permissions(&source, Permissions::from_mode(0o444)).tried_on("set mode of", &source)?;
    let target = root.join("proc/sys/kernel/random/boot_id");
    mount_bind(&source, &target).tried_on("bind", &target)?;
    mount_remount(&target, MountFlags::BIND | MountFlags::RDONLY | SAFE | MountFlags::NOEXEC, "")
        .tried_on("make read-only", &target)?;
    // The mount keeps the file.
    fs::remove_file(&source).tried_on("remove", &source)
}

fn mount_tmpfs(
    target: &Path,
    flags: MountFlags,
    options: &std::ffi::CStr,
) -> Result<(), MachineError> {
    mount("tmpfs", target, "tmpfs", flags, options).tried_on("mount a tmpfs on", target)
}

/// Makes `root` the root of all processes here and drops the old tree.
pub(super) fn enter(root: &Path) -> Result<(), MachineError> {
    std::env::set_current_dir(root).tried_on("change to", root)?;
    // The old root is stacked under the new one at the same place, see pivot_root(2).
    rustix::process::pivot_root(".", ".").tried_on("pivot to", root)?;
    unmount(".", UnmountFlags::DETACH).tried(|| "detach the old root".to_owned())?;
    std::env::set_current_dir("/").tried(|| "change to /".to_owned())
}
