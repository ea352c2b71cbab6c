//! What a command line asks for, in the words of the crates that do it.

use super::{
    AssembleAppArgs, AssembleBootConfigArgs, BackupArgs, BuildArgs, DeviceKeysArgs, EmulateArgs, FlashArgs,
    FuzzArgs, ImageArgs, ReleaseArgs, RestoreArgs, RunArgs, StatusArgs, YoctoArgs,
};
use bundle::PublicKey;
use carveout_build::{assemble, fuzz, make, release, run};
use carveout_desk::device_keys::KeysRequest;
use carveout_desk::emulate;
use carveout_field::flash;
use carveout_field::flash::EkbChoice;
use carveout_field::status::StatusRequest;
use carveout_host::error::Result;
use carveout_keys::public_key;
use carveout_product::Overrides;
use carveout_yocto::engine;
use trusty_image::TzdramText;

/// Who must have signed a bundle.
pub fn key(given: Option<&str>) -> Result<Option<PublicKey>> {
    given.map(public_key).transpose()
}

impl BuildArgs {
    /// What is to be built, with all parts.
    pub fn request(&self) -> make::BuildRequest {
        make::BuildRequest {
            config: self.config.clone(),
            overrides: Overrides {
                tzdram: self.tzdram.map(|size| size.0),
                board: self.board.clone(),
                without_rootfs: false,
                bsp: self.bsp.clone(),
                sources: self.sources.clone(),
                accept_license: self.accept_license,
            },
            offline: self.offline,
        }
    }

    fn without(&self, without: &[String]) -> make::BuildRequest {
        let request = self.request();
        if without.iter().any(|part| part == "rootfs") { request.without_rootfs() } else { request }
    }
}

impl ImageArgs {
    /// What is to be built.
    pub fn request(&self) -> make::BuildRequest {
        self.build.without(&self.without)
    }

    /// What is booted.
    pub fn boots(&self) -> make::Boots {
        make::Boots { kernel: !self.no_boot, linux: self.boot_linux }
    }

    /// Which layers of BitBake's.
    pub fn layers(&self) -> engine::Layers {
        engine::Layers {
            folder: self.layers.clone(),
            kas: self.kas.clone(),
            host_toolchain: self.host_toolchain,
        }
    }
}

impl YoctoArgs {
    /// What is asked for.
    pub fn request(&self) -> engine::Request {
        engine::Request {
            build: self.build.without(&self.without),
            layers: engine::Layers {
                folder: self.layers.clone(),
                kas: self.kas.clone(),
                host_toolchain: self.host_toolchain,
            },
            dry_run: self.dry_run,
            shell: self.shell,
            serve: self.serve.clone(),
            task: self.task.clone(),
            target: self.target.clone(),
        }
    }
}

impl ReleaseArgs {
    /// What is asked for.
    pub fn request(&self) -> release::ReleaseRequest {
        release::ReleaseRequest {
            build: self.build.without(&self.without),
            bundle: self.bundle.clone(),
            sign: self.sign.clone(),
            channel: self.channel.clone(),
            previous: self.previous.clone(),
            keep: self.keep,
            no_boot: self.no_boot,
            boot_linux: self.boot_linux,
            program: self.program.clone(),
            output_dir: self.output_dir.clone(),
        }
    }
}

impl RunArgs {
    /// What is asked for. With `json`, what the client app prints is kept.
    pub fn request(&self, json: bool) -> run::RunRequest {
        run::RunRequest {
            build: self.build.request(),
            client: self.client.clone(),
            client_args: self.client_args.clone(),
            wait: self.wait,
            watch: self.watch,
            profile: self.profile,
            gdb: self.gdb.as_deref().map(emulate::Debugged::of),
            keep_output: json,
        }
    }
}

impl FuzzArgs {
    /// What is asked for.
    pub fn request(&self) -> fuzz::FuzzRequest {
        fuzz::FuzzRequest {
            app: self.app.clone(),
            dir: self.dir.clone(),
            seconds: self.seconds,
            most: self.most,
            seed: self.seed,
            replay: self.replay.clone(),
        }
    }
}

impl EmulateArgs {
    /// What is asked for. With `json`, what the client app prints is kept.
    pub fn request(&self, json: bool) -> Result<emulate::EmulateRequest> {
        Ok(emulate::EmulateRequest {
            target: self.target.clone(),
            engine: self.backend.as_deref().map(|word| match word {
                "qemu" => emulate::Engine::Qemu,
                _ => emulate::Engine::Unicorn,
            }),
            tzdram: self.tzdram.map(|size| emulate::tzdram("--tzdram", size.0)).transpose()?,
            listen: self.listen.clone(),
            profile: self.profile,
            ipc_unittest: self.ipc_unittest,
            gdb: self.gdb.as_deref().map(emulate::Debugged::of),
            client: self.client.clone(),
            key: key(self.key.as_deref())?,
            writes: self.writes.clone(),
            keys: self.keys.request(),
            linux: self.linux.request(),
            client_args: self.client_args.clone(),
            wait: self.client_args.is_empty(),
            keep_output: json,
        })
    }
}

impl DeviceKeysArgs {
    fn request(&self) -> Option<KeysRequest> {
        let Self { ekb, kek2, ecid } = self.clone();
        (ekb.is_some() || kek2.is_some() || ecid.is_some()).then_some(KeysRequest { ekb, kek2, ecid })
    }
}

impl FlashArgs {
    /// What is asked for.
    pub fn request(&self) -> Result<flash::FlashRequest> {
        Ok(flash::FlashRequest {
            bundle: self.bundle.clone(),
            channel: self.channel.clone(),
            product: self.product.clone(),
            to: self.to.clone(),
            extent: self.scope,
            from: self.from.clone(),
            key: key(self.key.as_deref())?,
            allow_downgrade: self.allow_downgrade,
            carve_out_unseen: self.carve_out_unseen,
            keep_app: self.keep_app,
            ekb: EkbChoice::of(&self.ekb),
            app: self.app.clone(),
            raw_anyway: self.raw_anyway,
            backup_dir: self.backup_dir.clone(),
            without_card: self.without_card,
            instance: self.instance.clone(),
            dry_run: self.dry_run,
        })
    }
}

impl StatusArgs {
    /// What is asked for.
    pub fn request(&self) -> StatusRequest {
        let Self { to, bundle, instance } = self.clone();
        StatusRequest { to, bundle, instance }
    }
}

impl BackupArgs {
    /// What is asked for.
    pub fn request(&self) -> flash::Backup {
        flash::Backup {
            target: self.target.clone(),
            output: self.output.clone(),
            raw: self.raw,
            raw_anyway: self.raw_anyway,
            instance: self.instance.clone(),
        }
    }
}

impl RestoreArgs {
    /// What is asked for.
    pub fn request(&self) -> flash::Restore {
        flash::Restore {
            target: self.target.clone(),
            image: self.image.clone(),
            raw_anyway: self.raw_anyway,
            instance: self.instance.clone(),
        }
    }
}

impl AssembleBootConfigArgs {
    /// Which carve-out.
    pub fn tzdram(&self) -> TzdramText {
        TzdramText { size: self.size.clone(), alignment: self.alignment.clone() }
    }
}

impl AssembleAppArgs {
    /// Which app, and how.
    pub fn request(&self) -> assemble::BuiltApp {
        assemble::BuiltApp {
            elf: self.elf.clone(),
            declared: self.declared.clone(),
            min_heap: self.min_heap.map(|size| size.0),
            min_stack: self.min_stack.map(|size| size.0),
            output: self.output.clone(),
        }
    }
}
