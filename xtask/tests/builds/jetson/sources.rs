//! A stand-in for NVIDIA's public sources: Trusty, whose makefile puts the trusted apps behind our test kernel, and ATF. The
//! files that carveout mends have the lines that it looks for, and the makefiles want them mended.

use super::standin::put;
use crate::builds::util::test_kernel;
use std::path::{Path, PathBuf};
use trusty_image::stock::STOCK;
use trusty_image::test_elf::TestElf;

const TRUSTY_MAKEFILE: &str = "\
include lk/common/make/macros.mk
TRUSTY_ALL_USER_TASKS ?= sample/ipc-unittest/main sample/ipc-unittest/srv nvidia-sample/hwkey-agent nvidia-sample/luks-srv
STOCK := $(patsubst %,app/%/app.elf,$(TRUSTY_ALL_USER_TASKS))
PREBUILT := $(TRUSTY_PREBUILT_USER_TASKS)
# What a test changes.
-include variant.mk
OUT := $(BUILDROOT)/build-$(TARGET)

t186:
\tcase '$(TARGET_SOC)$(SPACE)$(TRUSTY_VARIANT)' in 't194 l4t-public' | 't186 l4t-public') ;; *) exit 1 ;; esac
\tgrep -q 'struct timer \\*t' lk/common/include/kernel/thread.h
\tgrep -q 'struct timer \\*t' lk/common/kernel/thread.c
\tgrep -q mno-outline-atomics lk/common/arch/arm64/toolchain.mk
\t$(ARCH_arm64_TOOLCHAIN_PREFIX)gcc --version
\t$(ARCH_arm_TOOLCHAIN_PREFIX)gcc --version
\tmkdir -p $(OUT)
\t(cat test-kernel.bin && printf 'kernel of $(BUILDTIMESTAMP)') > $(OUT)/kernel.bin
\ttruncate -s %4096 $(OUT)/kernel.bin
\t$(ARCH_arm64_TOOLCHAIN_PREFIX)objcopy -I binary -O elf64-littleaarch64 $(OUT)/kernel.bin $(OUT)/lk.elf
\tcat /dev/null $(PREBUILT) $(STOCK) > $(OUT)/user_tasks.bin
\tcat $(OUT)/kernel.bin $(OUT)/user_tasks.bin > $(OUT)/lk.bin
";
const ATF_MAKEFILE: &str = "\
# LDFLAGS += --fatal-warnings -O1
bl31:
\tgrep -q -e --no-warn-rwx-segments Makefile
\tgrep -q -F '__RT_SVC_DESCS_START__[]' include/common/runtime_svc.h
\tmkdir -p $(BUILD_BASE)/tegra/$(TARGET_SOC)/release
\tprintf 'monitor of $(BUILD_STRING)' > $(BUILD_BASE)/tegra/$(TARGET_SOC)/release/bl31.bin
";
/// Name and text of files in the tree.
const FILES: [(&str, &str); 8] = [
    ("trusty/makefile", TRUSTY_MAKEFILE),
    ("trusty/lk/trusty/lib/trusty/trusty_app.c", "/* the loader */\n"),
    ("trusty/lk/common/make/macros.mk", "SPACE :=\nSPACE +=\n"),
    ("trusty/lk/common/include/kernel/thread.h", "enum handler_return thread_timer_tick(void);\n"),
    ("trusty/lk/common/kernel/thread.c", "enum handler_return thread_timer_tick(void)\n{\n}\n"),
    ("trusty/lk/common/arch/arm64/toolchain.mk", "FLAGS := -mgeneral-regs-only -DWITH_NO_FP=1\n"),
    ("arm-trusted-firmware/Makefile", ATF_MAKEFILE),
    ("arm-trusted-firmware/include/common/runtime_svc.h", "extern uintptr_t __RT_SVC_DESCS_START__;\n"),
];

/// The stand-in.
pub struct Sources {
    pub dir: PathBuf,
}

impl Sources {
    /// Both trees.
    pub fn write(dir: &Path) -> Self {
        let sources = Self { dir: dir.into() };
        FILES.iter().for_each(|(name, text)| sources.put(name, text));
        sources.put("trusty/test-kernel.bin", test_kernel());
        sources.put("arm-trusted-firmware/plat/nvidia/tegra/soc/t194/platform_t194.mk", "# t194\n");
        for (uuid, name) in STOCK {
            let mut elf = TestElf::good();
            elf.manifest[..16].copy_from_slice(&uuid.to_bytes_le());
            sources.put(&format!("trusty/app/{name}/rules.mk"), "# a trusted app\n");
            sources.put(&format!("trusty/app/{name}/app.elf"), elf.build());
        }
        // What a build has left in the tree.
        sources.put("trusty/build-t186/lk.bin", "old");
        sources
    }

    /// Writes a file.
    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        put(&self.dir.join(name), bytes);
    }

    /// Changes what the kernel is linked of: lines of make.
    pub fn variant(&self, lines: &str) {
        self.put("trusty/variant.mk", lines);
    }
}
