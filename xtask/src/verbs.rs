//! One module for each verb, or for those that belong together.

pub mod assemble;
pub mod bench;
pub mod build;
pub mod diff;
pub mod doctor;
pub mod emulate;
pub mod flash;
pub mod image;
pub mod inspect;
pub mod key;
pub mod manual;
pub mod plan;
pub mod recipes;
pub mod release;
pub mod report;
pub mod test;
pub mod verify;
pub mod yocto;
