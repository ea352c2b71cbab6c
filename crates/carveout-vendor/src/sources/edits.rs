//! What NVIDIA's sources (L4T R32.5 to R32.7) need for make 4.3 and gcc 12. Each edit is ours, as small as it can be, and is
//! made only where it is missing: a tree that has been mended otherwise is left alone.

use crate::errors::SourcesError;
use carveout_host::error::{At, Result};
use std::fs;
use std::path::Path;

/// One edit of one file.
pub struct Edit {
    /// The file, in the tree.
    file: &'static str,
    /// What stands there once.
    old: &'static str,
    /// What shall stand there.
    new: &'static str,
    /// Found in files that need no such edit any more.
    mended: &'static str,
    /// Why.
    why: &'static str,
}

/// Of Trusty.
pub const TRUSTY: [Edit; 4] = [
    Edit {
        file: "lk/common/make/macros.mk",
        old: "SPACE +=\n",
        new: "SPACE := $(SPACE) $(SPACE)\n",
        mended: "SPACE := $(SPACE) $(SPACE)",
        why: "make 4.3 adds no space to an empty variable, so that lists are joined without separators",
    },
    Edit {
        file: "lk/common/include/kernel/thread.h",
        old: "enum handler_return thread_timer_tick(void);",
        new: "struct timer;\nenum handler_return thread_timer_tick(struct timer *t, lk_time_t now, void *arg);",
        mended: "thread_timer_tick(struct timer *",
        why: "the declaration must be that of a timer's callback",
    },
    Edit {
        file: "lk/common/kernel/thread.c",
        old: "enum handler_return thread_timer_tick(void)",
        new: "enum handler_return thread_timer_tick(struct timer *t, lk_time_t now, void *arg)",
        mended: "thread_timer_tick(struct timer *",
        why: "the definition, likewise",
    },
    Edit {
        file: "lk/common/arch/arm64/toolchain.mk",
        old: "-mgeneral-regs-only -DWITH_NO_FP=1",
        new: "-mgeneral-regs-only -DWITH_NO_FP=1 -mno-outline-atomics",
        mended: "-mno-outline-atomics",
        why: "gcc 10 and later call libgcc for atomics, which asks for __getauxval",
    },
];

/// Of the monitor (ATF).
pub const ATF: [Edit; 2] = [
    Edit {
        file: "include/common/runtime_svc.h",
        old: "extern uintptr_t __RT_SVC_DESCS_START__;",
        new: "extern uintptr_t __RT_SVC_DESCS_START__[];",
        mended: "__RT_SVC_DESCS_START__[]",
        why: "gcc 12 knows the size of what a linker script delimits only if it is an array",
    },
    Edit {
        file: "Makefile",
        old: "--fatal-warnings -O1",
        new: "--fatal-warnings --no-warn-rwx-segments -O1",
        mended: "--no-warn-rwx-segments",
        why: "binutils 2.39 and later warn of segments that may be written and run, as the monitor's are",
    },
];

/// A digest of all edits: a change of one makes the sources anew.
pub fn digest() -> String {
    let lines = TRUSTY.iter().chain(&ATF).map(|edit| [edit.file, edit.old, edit.new, edit.mended].concat());
    bundle::sha256(lines.collect::<String>().as_bytes())
}

/// Makes the edits in a copy; `original` is named in errors.
pub fn apply(edits: &[Edit], tree: &Path, original: &Path) -> Result<()> {
    for edit in edits {
        let path = tree.join(edit.file);
        let text = fs::read_to_string(&path).at(&path)?;
        if text.contains(edit.mended) {
            continue;
        }
        if text.matches(edit.old).count() != 1 {
            let (path, line) = (original.join(edit.file), edit.old.trim_end());
            return Err(SourcesError::NoLine { path, why: edit.why, line }.into());
        }
        fs::write(&path, text.replace(edit.old, edit.new)).at(&path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDIT: [Edit; 1] = [Edit { file: "f", old: "old", new: "new", mended: "new", why: "of gcc" }];

    #[test]
    fn edits_are_made_once_and_only_where_they_fit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let run = |text: &str| {
            fs::write(&path, text).unwrap();
            apply(&EDIT, dir.path(), Path::new("/given")).map(|()| fs::read_to_string(&path).unwrap())
        };
        assert_eq!(run("an old line"), Ok("an new line".into()));
        assert_eq!(run("an new line"), Ok("an new line".into()));
        assert_eq!(run("mended otherwise: new and old"), Ok("mended otherwise: new and old".into()));
        let error = run("nothing").unwrap_err();
        assert_eq!(error.message, "/given/f: has not the line that must be mended (of gcc): old");
        assert!(run("old old").is_err());
    }
}
