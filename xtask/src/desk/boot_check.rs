//! Boots what was built, before it gets its name: every port that Linux may use answers.
