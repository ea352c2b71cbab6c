//! `boot.img`: kernel and initrd in one file, as Android's `mkbootimg` writes it (header version 0), which L4T's cboot reads.
//!
//! Little endian: `ANDROID!`, then `u32`s: kernel size, kernel address, ramdisk size, ramdisk address, second size, second
//! address, tags address, page size. The header takes a page; kernel, ramdisk and second each begin on a page.

const MAGIC: &[u8; 8] = b"ANDROID!";

/// What a boot image holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootImage<'a> {
    /// The kernel.
    pub kernel: &'a [u8],
    /// The initrd.
    pub ramdisk: &'a [u8],
}

/// Why a file is no boot image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BootImageError {
    /// Another beginning.
    #[error("it does not begin with `ANDROID!`")]
    Magic,
    /// A page size that is none.
    #[error("its page size is {0}, expected a power of two of 512 to 65536")]
    PageSize(u32),
    /// It ends before its parts do.
    #[error("it ends within its {0}")]
    Short(&'static str),
}

impl<'a> BootImage<'a> {
    /// Reads a boot image.
    pub fn parse(file: &'a [u8]) -> Result<Self, BootImageError> {
        if !file.starts_with(MAGIC) {
            return Err(BootImageError::Magic);
        }
        let word = |index: usize| {
            let at = MAGIC.len() + 4 * index;
            let bytes = file.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u32::from_le_bytes).ok_or(BootImageError::Short("header"))
        };
        let page = word(7)?;
        if !page.is_power_of_two() || !(512..=65536).contains(&page) {
            return Err(BootImageError::PageSize(page));
        }
        let page = page as usize;
        let part = |at: usize, size: u32, what| {
            let end = at.saturating_add(size as usize);
            let bytes = file.get(at..end).ok_or(BootImageError::Short(what))?;
            Ok((bytes, end.next_multiple_of(page)))
        };
        let (kernel, next) = part(page, word(0)?, "kernel")?;
        let (ramdisk, _) = part(next, word(2)?, "ramdisk")?;
        Ok(Self { kernel, ramdisk })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn image(kernel: &[u8], ramdisk: &[u8]) -> Vec<u8> {
        let mut file = MAGIC.to_vec();
        for word in [kernel.len() as u32, 0, ramdisk.len() as u32, 0, 0, 0, 0, 512] {
            file.extend(word.to_le_bytes());
        }
        for part in [kernel, ramdisk] {
            file.resize(file.len().next_multiple_of(512), 0);
            file.extend(part);
        }
        file
    }

    #[test]
    fn kernel_and_ramdisk_are_found() {
        let (kernel, ramdisk) = ([1; 700], [2; 3]);
        let file = image(&kernel, &ramdisk);
        assert_eq!(BootImage::parse(&file), Ok(BootImage { kernel: &kernel, ramdisk: &ramdisk }));
        assert_eq!(BootImage::parse(&file[..file.len() - 1]), Err(BootImageError::Short("ramdisk")));
        assert_eq!(BootImage::parse(&file[..600]), Err(BootImageError::Short("kernel")));
        assert_eq!(BootImage::parse(&file[..30]), Err(BootImageError::Short("header")));
        assert_eq!(BootImage::parse(b"ANDROID"), Err(BootImageError::Magic));
        let mut other = file;
        other[36..40].copy_from_slice(&1000u32.to_le_bytes());
        assert_eq!(BootImage::parse(&other), Err(BootImageError::PageSize(1000)));
    }

    proptest! {
        #[test]
        fn any_input_is_survived(bytes: Vec<u8>) {
            let _ = BootImage::parse(&bytes);
            let _ = BootImage::parse(&[MAGIC, &[0xff; 28][..], &512u32.to_le_bytes(), &bytes].concat());
        }
    }
}
