//! Boots Linux from what was built, before it is a bundle: the system must run, no unit fail, and the product's self-test pass.

use crate::apps::Apps;
use crate::emulated;
use crate::errors::LinuxBootError;
use crate::stages::secure_os;
use crate::workshop::{GUEST, Sources};
use bundle::LinuxBooted;
use carveout_desk::emulate::EmulateRequest;
use carveout_desk::emulate::device::{self, DeviceSource};
use carveout_desk::linux::kernel::Kernel;
use carveout_desk::linux::{LinuxRequest, RUNNING};
use carveout_desk::{PACKAGE as FIRMWARE, qemu::Qemu};
use carveout_host::error::Result;
use carveout_host::packages;
use carveout_product::Build;
use carveout_rootfs::IMAGE;
use stage_cache::{Key, Output};
use trusty_image::Plan;

/// What runs where a product has no self-test.
const NOTHING: &str = "true";

/// Boots it.
pub fn run(
    build: &Build,
    apps: &Apps,
    secure_os: &Output,
    rootfs: &Output,
    plan: &Plan,
) -> Result<LinuxBooted> {
    let (dirs, self_test) = (build.dirs(), &build.product.self_test);
    let request = LinuxRequest { wait_for: Some(RUNNING.into()), ..LinuxRequest::default() };
    let log = dirs.logs()?.join("host.log");
    packages::ensure(&device::needs(&request), build.offline, &log, build.ui)?;
    let kernel = Kernel::get(build.offline, &dirs, build.ui)?.package;
    let qemu = Qemu::get(build.offline, &log, build.ui)?;
    let key = Key::of(crate::code(file!()))
        .with("kernel", &kernel.sha256)
        .with("qemu", &qemu.version)
        .with("rootfs", &rootfs.content)
        .with("secure-os", &secure_os.content)
        .with("self-test", format!("{self_test:?}"));
    let key = build.workspace.source_key(FIRMWARE, build.workspace.source_key(GUEST, key)?)?;
    build.cache.stage("linux boot", key, |work| {
        let command = if self_test.is_empty() { vec![NOTHING.to_owned()] } else { self_test.clone() };
        let args = EmulateRequest {
            keep_output: true,
            ..EmulateRequest::of(secure_os::IMAGE.into(), command.clone())
        };
        let target = emulated::target(build, apps, secure_os, plan)?;
        let image = rootfs.dir.join(IMAGE);
        let source =
            DeviceSource::Built { target: &target, image: &image, sparse: build.product.board.l4t.is_some() };
        let workshop = Sources::new(&dirs, build.offline, build.ui);
        let end = device::run(&args, &source, &request, &workshop, &dirs, build.ui)?;
        if let Some(exit_code @ 1..) = end.boot.exit_code {
            let said = end.output.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
            let said = said.lines().map(|line| format!("\n  | {line}")).collect();
            return Err(LinuxBootError::SelfTestFailed { command: command.join(" "), exit_code, said }.into());
        }
        carveout_host::files::put(&work.out.join("boot"), end.boot.table())
    })?;
    Ok(LinuxBooted { kernel: format!("{} {}", kernel.package, kernel.version), self_test: self_test.clone() })
}
