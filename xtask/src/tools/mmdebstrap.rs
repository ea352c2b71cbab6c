//! mmdebstrap
