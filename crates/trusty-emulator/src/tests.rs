//! Small programs on the emulator.
