//! TAs one behind the other: `user_tasks.bin`, as the kernel build concatenates it.
//!
//! The build puts prebuilt TAs first and appends each to the last byte of the one before; the loader finds the next
//! at the end of a TA's section headers.

use crate::elf::{Elf, ElfError};
use crate::limits::MAX_APPS;

/// Why concatenated TAs cannot be taken apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TasksError {
    /// No ELF where one must start.
    #[error("trusted app {index} at offset 0x{offset:x}: {error}")]
    Elf {
        /// Which one, from 0.
        index: usize,
        /// Where it starts.
        offset: usize,
        /// What is wrong with it.
        error: ElfError,
    },
    /// A TA whose section headers are announced to end at or before its own header, or behind the image.
    #[error(
        "trusted app {index} at offset 0x{offset:x}: its section headers end at 0x{end:x}, the image at 0x{image:x}"
    )]
    End {
        /// Which one, from 0.
        index: usize,
        /// Where it starts.
        offset: usize,
        /// Where it would end, from its start.
        end: u64,
        /// Bytes left in the image.
        image: usize,
    },
    /// More TAs than the loader keeps records of.
    #[error("{0} trusted apps: the kernel has room for {MAX_APPS}")]
    TooMany(usize),
}

/// ELF files at pages of a kernel that are no TAs, at most: a kernel has none. Each is read with all its sections.
const MAX_OTHERS: usize = 64;

/// Concatenates TAs. Each must have passed [`crate::check`].
pub fn concatenate<'a>(apps: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, TasksError> {
    let apps: Vec<&[u8]> = apps.into_iter().collect();
    if apps.len() > MAX_APPS {
        return Err(TasksError::TooMany(apps.len()));
    }
    Ok(apps.concat())
}

/// Takes concatenated TAs apart, walking as the loader does.
pub fn split(image: &[u8]) -> Result<Vec<&[u8]>, TasksError> {
    let mut apps = Vec::new();
    let mut rest = image;
    while !rest.is_empty() {
        let index = apps.len();
        let offset = image.len() - rest.len();
        let elf = Elf::parse(rest).map_err(|error| TasksError::Elf { index, offset, error })?;
        let end = elf.headers_end();
        let cut = usize::try_from(end).ok().filter(|end| *end >= crate::elf::EHDR_SIZE);
        let Some((app, behind)) = cut.and_then(|end| rest.split_at_checked(end)) else {
            return Err(TasksError::End { index, offset, end, image: rest.len() });
        };
        apps.push(app);
        rest = behind;
        if apps.len() > MAX_APPS {
            return Err(TasksError::TooMany(apps.len()));
        }
    }
    Ok(apps)
}

/// The TAs in the OS part of a secure-os image: concatenated TAs, or a kernel whose page-aligned task region holds them. They are not
/// looked for behind 64 other ELF files.
pub fn find(os: &[u8]) -> Vec<&[u8]> {
    let starts = (0..os.len()).step_by(crate::limits::PAGE as usize);
    let elves = starts.filter_map(|start| os.get(start..)).filter(|rest| rest.starts_with(crate::elf::MAGIC));
    let chains = elves.take(MAX_OTHERS).map(chain);
    chains.into_iter().find(|apps| !apps.is_empty()).unwrap_or_default()
}

/// TAs one behind the other, up to what is none.
fn chain(mut rest: &[u8]) -> Vec<&[u8]> {
    let is_app = |elf: &Elf| elf.named(crate::manifest::SECTION).next().is_some();
    let mut apps = Vec::new();
    while let Ok(elf) = Elf::parse(rest) {
        let end = usize::try_from(elf.headers_end()).ok().filter(|end| *end >= crate::elf::EHDR_SIZE);
        let Some((app, behind)) = end.filter(|_| is_app(&elf)).and_then(|end| rest.split_at_checked(end))
        else {
            break;
        };
        apps.push(app);
        rest = behind;
        if apps.len() > MAX_APPS {
            break;
        }
    }
    apps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_elf::TestElf;
    use proptest::prelude::*;

    #[test]
    fn apps_are_found_again() {
        let one = TestElf::good().build();
        let mut second = TestElf::good();
        second.manifest[0] = 1;
        let two = second.build();
        let image = concatenate([&one[..], &two, &one]).unwrap();
        assert_eq!(split(&image).unwrap(), [&one[..], &two, &one]);
        assert_eq!(split(&[]).unwrap(), Vec::<&[u8]>::new());
    }

    #[test]
    fn stray_bytes_are_named() {
        let mut image = TestElf::good().build();
        let offset = image.len();
        image.extend_from_slice(&[0; 4]);
        let error = ElfError::TooShort(4);
        assert_eq!(split(&image), Err(TasksError::Elf { index: 1, offset, error }));
    }

    #[test]
    fn the_kernels_page_of_records_is_a_limit() {
        let app = TestElf::good().build();
        assert_eq!(MAX_APPS, 38);
        assert!(concatenate(vec![&app[..]; 38]).is_ok());
        assert_eq!(concatenate(vec![&app[..]; 39]), Err(TasksError::TooMany(39)));
        assert_eq!(split(&app.repeat(39)), Err(TasksError::TooMany(39)));
    }

    proptest! {
        #[test]
        fn any_input_is_survived(at in 0usize..0x3100, bytes: Vec<u8>) {
            let mut image = TestElf::good().build();
            for (to, from) in image.iter_mut().skip(at).zip(&bytes) { *to = *from; }
            let _ = split(&image);
            let _ = split(&bytes);
            let _ = find(&image);
            let _ = find(&bytes);
        }

        /// As in an lk.bin: anything in front, page aligned, and anything behind.
        #[test]
        fn apps_are_found_behind_a_kernel(pages in 0usize..4, apps in 1usize..4, behind: Vec<u8>) {
            let app = TestElf::good().build();
            let behind = if behind.starts_with(b"\x7fELF") { &[] } else { &behind[..] };
            let kernel = [&vec![0x55; pages * 4096], &app.repeat(apps), behind].concat();
            prop_assert_eq!(find(&kernel), vec![&app[..]; apps]);
        }
    }
}
