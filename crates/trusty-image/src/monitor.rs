//! What a monitor (ATF's bl31.bin) tells of the SoC that it was built for.

use crate::soc::Soc;

/// MIDR_EL1 of the Cortex-A57, as in ATF's table of the CPUs that it knows (`cpu_ops`). Tegra186 and Tegra210 have these cores;
/// Tegra194 has NVIDIA's own alone, and its monitor does not know the A57 (seen in R32.7.2's `tos-trusty.img` and
/// `tos-trusty_t194.img`, whose kernels are alike).
const CORTEX_A57: u32 = 0x410f_d070;

/// The SoC that a monitor was built for, as far as its cores tell.
pub fn soc(monitor: &[u8]) -> Soc {
    // Entries of the table begin with a u64.
    let has_a57 = monitor.chunks_exact(8).any(|word| *word == u64::from(CORTEX_A57).to_le_bytes());
    if has_a57 { Soc::T186 } else { Soc::T194 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_cpus_tells_the_soc() {
        let mut monitor = [0; 64];
        monitor[8..12].copy_from_slice(&0x4e0f_0000u32.to_le_bytes());
        assert_eq!(soc(&monitor), Soc::T194);
        monitor[48..52].copy_from_slice(&CORTEX_A57.to_le_bytes());
        assert_eq!(soc(&monitor), Soc::T186);
        assert_eq!(soc(&monitor[4..]), Soc::T194, "not aligned: no entry of the table");
    }
}
