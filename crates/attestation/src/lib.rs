//! What a bundle is made of, and how it came to be, in the formats that others read: a CycloneDX 1.6 SBOM, and an in-toto
//! statement with SLSA provenance v1. No I/O. The same input gives the same bytes: no time of day, no random number.
//!
//! Sources: cyclonedx.org/docs/1.6/json, slsa.dev/spec/v1.0/provenance, in-toto attestation v1, package-url's purl-spec.

mod provenance;
mod remote;
mod sbom;

pub use provenance::{BUILD_TYPE, Provenance, provenance};
pub use remote::{Remote, RemoteError};
pub use sbom::{Crate, CrateSource, Member, Vendor, sbom};
