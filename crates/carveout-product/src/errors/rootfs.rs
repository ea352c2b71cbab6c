//! Errors of the root filesystem and of its mirrors.

carveout_host::errors! {
    /// What can be wrong with the root filesystem of a product.
    pub enum RootfsError("product::rootfs") {
        /// A root filesystem of kind debian has no suite.
        NoSuite => usage "no-suite": ("kind debian needs a suite, such as bookworm");
        /// A root filesystem of kind debian has a tarball.
        TarballNotAllowed => usage "tarball-not-allowed": ("kind debian takes no tarball");
        /// A root filesystem that is made of a tarball has none.
        NoTarball => usage "no-tarball":
            ("this kind needs a tarball: the path of NVIDIA's sample root filesystem, or of your own");
        /// A root filesystem of another kind than debian has a suite.
        SuiteNotAllowed => usage "suite-not-allowed": ("only kind debian has a suite");
        /// A root filesystem of another kind than debian has packages.
        PackagesNotAllowed => usage "packages-not-allowed": ("only kind debian has packages");
        /// A root filesystem of another kind than debian has a mirror.
        MirrorNotAllowed => usage "mirror-not-allowed": ("only kind debian has a mirror");
        /// A root filesystem of kind l4t-sample is for a board without NVIDIA's L4T.
        SampleNeedsL4t => usage "sample-needs-l4t":
            ("l4t-sample needs NVIDIA's BSP: choose board jetson-agx-xavier, or another kind");
        /// The name of a Debian suite has a character that is not allowed.
        NotASuite { suite: String, example: String } => usage "not-a-suite":
            ("`{suite}` is no Debian suite, such as {example}");
        /// The name of a Debian package has a character that is not allowed.
        NotAPackage { package: String } => usage "not-a-package":
            ("`{package}` is no package name: a-z, 0-9, + - . are allowed");
        /// There is a mirror, and no lock whose versions it would have.
        MirrorWithoutLock => usage "mirror-without-lock":
            ("a mirror has the versions that rootfs.lock pins, and there is no rootfs.lock: add `lock: FILE`, the \
              rootfs/packages.lock of an earlier bundle, or take the mirror out");
    }
}

carveout_host::errors! {
    /// What can be wrong with a mirror of Debian packages.
    pub enum MirrorError("product::mirror") {
        /// The list of a mirror's suites is empty.
        NoSuites { suite: String } => usage "no-suites":
            ("`suites` is empty: name those to take from it, such as [{suite}]");
        /// The URL of a mirror has a user or a password in it.
        Credentials => usage "credentials":
            ("the URL has a user or a password, which a config must not have: leave them out, and put them into \
              /etc/apt/auth.conf.d on the build host (apt_auth.conf(5)), where root's builds find them");
        /// The address of a mirror is not a URL that apt can use.
        NotAUrl { url: String, example: &'static str } => usage "not-a-url":
            ("`{url}` is no archive's URL: expected http://HOST/DIR, https://HOST/DIR or file:///DIR, such as \
              {example}");
    }
}
