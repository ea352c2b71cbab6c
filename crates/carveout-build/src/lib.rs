//! Builds bundles: the stages, and what releases them.

pub mod apps;
pub mod assemble;
pub mod boot_check;
mod emulated;
pub mod errors;
pub mod fuzz;
mod linux_check;
pub mod make;
pub mod new;
pub mod program;
pub mod release;
mod request;
pub mod results;
pub mod run;
pub mod stages;
mod threads;
pub mod workshop;

include!(concat!(env!("OUT_DIR"), "/code.rs"));

#[cfg(test)]
mod tests {
    use super::code;

    #[test]
    fn each_stage_has_a_digest_of_its_own_code() {
        let of = |stage: &str| code(&format!("crates/carveout-build/src/{stage}"));
        assert_eq!(of("stages/kernel.rs").len(), 64);
        assert_ne!(of("stages/kernel.rs"), of("stages/trusted_apps.rs"));
        assert_ne!(of("stages/client_apps.rs"), of("stages/secure_os.rs"));
        assert_eq!(of("stages/flash_package/pkc.rs"), of("stages/flash_package.rs"));
        assert_eq!(of("stages/no_such.rs"), "unknown");
    }
}
