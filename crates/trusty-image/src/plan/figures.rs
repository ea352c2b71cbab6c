//! The figures of a plan.

use super::finding::Finding;
use crate::budget::Budget;

/// What the kernel's buffers of one connection take: 16 of 4080 bytes for each end, as trusty-ta's ports have them, and the heads
/// of two blocks, in whole pages.
pub const CONNECTION: u64 = 2 * (16 * 4080 + 32_u64).next_multiple_of(4096);

/// A part of a TA's user address space.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Range {
    /// `image`, `heap`, `free` or `stack`.
    pub what: &'static str,
    /// First address.
    pub start: u32,
    /// Address behind the last.
    pub end: u32,
}

/// Device memory that a TA may map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "DeviceMemory"))]
pub struct Device {
    /// Its number in the TA's manifest.
    pub id: u32,
    /// First physical address.
    pub start: u64,
    /// Address behind the last.
    pub end: u64,
}

/// A TA's user address space, from the image up to the stack's top.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AddressSpace {
    /// The TA.
    pub name: String,
    /// Its parts, without gaps.
    pub ranges: Vec<Range>,
    /// Physical device memory that it may map (`mem_map`): it takes nothing of the carve-out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    /// What it will allocate at most, if it declares it.
    pub heap_demand: Option<u32>,
}

/// How full the secure-os partition is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fill {
    /// Its size.
    pub size: u64,
    /// The image with its signature header.
    pub used: u64,
}

/// The plan.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// What is taken of the carve-out.
    pub memory: Budget,
    /// The carve-out's alignment, in bytes.
    pub alignment: u64,
    /// The least carve-out that holds all, in bytes, if any does.
    pub least: Option<u64>,
    /// Connections for which the kernel has buffers in what is free.
    pub connections: u64,
    /// The secure-os partition, if its size is known.
    pub partition: Option<Fill>,
    /// Each TA's address space.
    pub address_spaces: Vec<AddressSpace>,
    /// What must or may be changed, the gravest first.
    pub findings: Vec<Finding>,
}
