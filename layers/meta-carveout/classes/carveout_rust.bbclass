# SPDX-License-Identifier: MIT OR Apache-2.0
# A package of the Cargo workspace that this layer is a part of. Its recipe is generated: cargo xtask recipes.
#
# CARVEOUT_MEMBERS    folders of the workspace that it is built of; a change elsewhere does not rebuild it
# CARVEOUT_GIT        names of SRC_URI's git repositories that its crates are in, at SRCREV_name
# CARVEOUT_GIT[name]  URL and references by which cargo asks for the commit

inherit cargo_bin carveout_config

S = "${WORKDIR}/workspace"
CARVEOUT_MEMBERS ?= ""
CARVEOUT_GIT ?= ""
# cargo takes no shallow clones.
BB_GIT_SHALLOW = "0"

# No network, and only the crates that the recipe lists: cargo itself refuses one with another checksum than Cargo.lock's.
EXTRA_CARGO_FLAGS += "--offline -p ${BPN}"
# Without these the bytes would differ from build folder to build folder.
EXTRA_RUSTFLAGS += "\
    -Cstrip=debuginfo \
    --remap-path-prefix=${WORKDIR}=/usr/src/debug/${BPN} \
    --remap-path-prefix=${CARGO_HOME}/bitbake=/cargo \
    --remap-path-prefix=${CARGO_HOME}/git/checkouts=/cargo/git \
"
RUSTFLAGS[vardepsexclude] += "WORKDIR"
# What comes of a machine's overrides, instead of these (see carveout_config).
RUST_TARGET[vardepvalue] = "${RUST_TARGET}"

# Nothing else runs while a recipe is parsed, and a stale one is to be told then.
# nooelint: oelint.task.noanonpython
python () {
    workspace = d.getVar('CARVEOUT_WORKSPACE')
    bb.parse.mark_dependency(d, workspace + '/Cargo.lock')
    members = d.getVar('CARVEOUT_MEMBERS').split()
    commits = [(commit.url, commit.rev) for commit in carveout_commits(d)]
    if commits:
        bb.build.addtask('do_carveout_git', 'do_configure', 'do_unpack', d)
    gone = carveout_module(d, 'workspace').stale(workspace, members, (d.getVar('SRC_URI') or '').split(), commits)
    if gone:
        bb.fatal('%s is stale, the workspace has no more: %s. Run: cargo xtask recipes'
                 % (os.path.basename(d.getVar('FILE')), ', '.join(gone)))
}

python do_carveout_workspace() {
    module = carveout_module(d, 'workspace')
    module.extract(d.getVar('CARVEOUT_WORKSPACE'), d.getVar('CARVEOUT_MEMBERS').split(), d.getVar('S'))
}
do_carveout_workspace[doc] = "Takes the part of the Cargo workspace that the package is built of"
do_carveout_workspace[file-checksums] = "${@carveout_checksums(d)}"
do_carveout_workspace[cleandirs] = "${S}"
addtask carveout_workspace after do_unpack before do_patch

def carveout_checksums(d):
    workspace = d.getVar('CARVEOUT_WORKSPACE')
    paths = ['Cargo.toml', 'Cargo.lock'] + d.getVar('CARVEOUT_MEMBERS').split()
    return ' '.join('%s/%s:True' % (workspace, path) for path in paths)

# cargo asks for crates of git by URL: it is led to the clones that BitBake has made.
def carveout_commits(d):
    flag, rev = lambda name: d.getVarFlag('CARVEOUT_GIT', name), lambda name: d.getVar('SRCREV_' + name)
    return carveout_module(d, 'git').commits(d.getVar('CARVEOUT_GIT').split(), flag, rev, d.getVar('WORKDIR') + '/carveout-git')

python do_carveout_git() {
    carveout_module(d, 'git').serve(carveout_commits(d), d.getVar('WORKDIR') + '/carveout-git-served')
}
do_carveout_git[doc] = "Shows cargo the crates of git that BitBake has fetched"

# cargo sees neither that the linker, the C library or the core library is another one, nor a source whose time is older than
# what was built of it: it builds anew.
do_configure[cleandirs] += "${B}"
do_configure:append() {
    printf '%s\n' '[source.crates-io]' 'replace-with = "bitbake"' \
        '[source.bitbake]' 'directory = "${CARGO_HOME}/bitbake"' > "${CARGO_HOME}/config.toml"
    if [ -n "${CARVEOUT_GIT}" ]; then
        # Nothing but those clones: git may read files alone, and cargo itself gets no further than a port that nobody has.
        rm -rf "${CARGO_HOME}/git"
        mkdir -p "${CARGO_HOME}/bitbake"
        XDG_CONFIG_HOME="${WORKDIR}/carveout-git-served" GIT_ALLOW_PROTOCOL="file" CARGO_NET_GIT_FETCH_WITH_CLI="true" \
            CARGO_NET_RETRY="0" CARGO_HTTP_PROXY="http://127.0.0.1:9" cargo fetch --manifest-path "${CARGO_MANIFEST_PATH}"
    fi
}

# cargo forgets what only other members need; it must add nothing.
python do_carveout_lock() {
    def text(folder):
        with open(os.path.join(d.getVar(folder), 'Cargo.lock')) as file:
            return file.read()
    strangers = carveout_module(d, 'workspace').strangers(text('CARVEOUT_WORKSPACE'), text('S'))
    if strangers:
        bb.fatal('cargo has used packages that Cargo.lock does not have: ' + ', '.join(strangers))
}
do_carveout_lock[doc] = "Checks that cargo used no package that Cargo.lock of the workspace does not have"
addtask carveout_lock after do_compile before do_install
