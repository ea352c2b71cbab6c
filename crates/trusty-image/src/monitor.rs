//! What a monitor (ATF's bl31.bin) tells of the SoC that it was built for.

/// MIDR_EL1 of the Cortex-A57, as in ATF's table of the CPUs that it knows (`cpu_ops`). Tegra186 and Tegra210 have these cores;
/// Tegra194 has NVIDIA's own alone, and its monitor does not know the A57 (seen in R32.7.2's `tos-trusty.img` and
/// `tos-trusty_t194.img`, whose kernels are alike).
const CORTEX_A57: u32 = 0x410f_d070;

/// Whether a monitor is of another SoC than Tegra194: it has code for the Cortex-A57.
pub fn is_of_another_soc(monitor: &[u8]) -> bool {
    // Entries of the table begin with a u64.
    monitor.chunks_exact(8).any(|word| *word == u64::from(CORTEX_A57).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_cpus_tells_the_soc() {
        let mut monitor = [0; 64];
        monitor[8..12].copy_from_slice(&0x4e0f_0000u32.to_le_bytes());
        assert!(!is_of_another_soc(&monitor));
        monitor[48..52].copy_from_slice(&CORTEX_A57.to_le_bytes());
        assert!(is_of_another_soc(&monitor));
        assert!(!is_of_another_soc(&monitor[4..]), "not aligned: no entry of the table");
    }
}
