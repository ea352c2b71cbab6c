# SPDX-License-Identifier: MIT OR Apache-2.0
# A package of the Cargo workspace CARVEOUT_WORKSPACE. Its recipe is generated: cargo xtask recipes.
#
# CARVEOUT_MEMBERS    folders of the workspace that it is built of; a change elsewhere does not rebuild it
# CARVEOUT_CRATES     folders of carveout's repository that it is built of, where the workspace depends on them by path
# CARVEOUT_GIT        names of SRC_URI's git repositories that its crates are in, at SRCREV_name
# CARVEOUT_GIT[name]  URL and references by which cargo asks for the commit

inherit cargo_bin carveout_config

SRC_URI:append = " ${@carveout_source_uri(d)}"

S = "${WORKDIR}/workspace"
CARVEOUT_MEMBERS ?= ""
CARVEOUT_CRATES ?= ""
CARVEOUT_GIT ?= ""
# Where the workspace's sources are: in place, or fetched.
CARVEOUT_SOURCE = "${@d.getVar('WORKDIR') + '/carveout-workspace' if d.getVar('CARVEOUT_WORKSPACE_URI') else d.getVar('CARVEOUT_WORKSPACE')}"
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
    --remap-path-prefix=${CARVEOUT_REPOSITORY}/crates=crates \
    $carveout_remap \
"
RUSTFLAGS[vardepsexclude] += "WORKDIR"
# Names of symbols do not tell where a crate lies: the one script that carveout's other engine has, too.
CARVEOUT_RUSTC = "${CARVEOUT_REPOSITORY}/crates/carveout-host/src/tools/rustc-stable.sh"
export RUSTC_WRAPPER = "${WORKDIR}/rustc-stable.sh"
# What comes of a machine's overrides, instead of these (see carveout_config).
RUST_TARGET[vardepvalue] = "${RUST_TARGET}"

# Nothing else runs while a recipe is parsed, and a stale one is to be told then.
# nooelint: oelint.task.noanonpython
python () {
    if carveout_commits(d):
        bb.build.addtask('do_carveout_git', 'do_configure', 'do_unpack', d)
    # What is fetched is compared when it is there.
    if not d.getVar('CARVEOUT_WORKSPACE_URI'):
        bb.parse.mark_dependency(d, d.getVar('CARVEOUT_WORKSPACE') + '/Cargo.lock')
        carveout_ensure_fresh(d)
}

def carveout_ensure_fresh(d):
    """Stops if the recipe names what the workspace has not."""
    commits = [(commit.url, commit.rev) for commit in carveout_commits(d)]
    uris = (d.getVar('SRC_URI') or '').split()
    members = d.getVar('CARVEOUT_MEMBERS').split()
    gone = carveout_module(d, 'workspace').stale(d.getVar('CARVEOUT_SOURCE'), members, uris, commits)
    if gone:
        bb.fatal('%s is stale, the workspace has no more: %s. Run: cargo xtask recipes'
                 % (os.path.basename(d.getVar('FILE')), ', '.join(gone)))

def carveout_source_uri(d):
    """The entry of SRC_URI that fetches the workspace, if it is fetched."""
    uri, rev = d.getVar('CARVEOUT_WORKSPACE_URI'), d.getVar('CARVEOUT_WORKSPACE_REV')
    return '%s;rev=%s;name=workspace;destsuffix=carveout-workspace' % (uri, rev) if uri else ''

python do_carveout_workspace() {
    import shutil
    if d.getVar('CARVEOUT_WORKSPACE_URI'):
        carveout_ensure_fresh(d)
    carveout = carveout_module(d, 'workspace').Carveout(d.getVar('CARVEOUT_REPOSITORY'), d.getVar('CARVEOUT_CRATES').split())
    carveout_module(d, 'workspace').extract(d.getVar('CARVEOUT_SOURCE'), d.getVar('CARVEOUT_MEMBERS').split(), d.getVar('S'), carveout)
    script = d.getVar('WORKDIR') + '/rustc-stable.sh'
    shutil.copyfile(d.getVar('CARVEOUT_RUSTC'), script)
    os.chmod(script, 0o755)
}
do_carveout_workspace[doc] = "Takes the part of the Cargo workspace that the package is built of"
do_carveout_workspace[file-checksums] = "${@carveout_checksums(d)}"
do_carveout_workspace[cleandirs] = "${S}"
addtask carveout_workspace after do_unpack before do_patch

def carveout_checksums(d):
    below = lambda folder, paths: ['%s/%s' % (d.getVar(folder), path) for path in paths]
    crates = d.getVar('CARVEOUT_CRATES').split()
    paths = [d.getVar('CARVEOUT_RUSTC')] + below('CARVEOUT_REPOSITORY', crates and ['Cargo.toml'] + crates)
    if not d.getVar('CARVEOUT_WORKSPACE_URI'):
        paths += below('CARVEOUT_WORKSPACE', ['Cargo.toml', 'Cargo.lock'] + d.getVar('CARVEOUT_MEMBERS').split())
    return ' '.join(path + ':True' for path in paths)

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

# Crates of carveout that cargo has checked out are called as in its own clone.
do_compile:prepend() {
    carveout_remap=""
    for folder in "${CARGO_HOME}"/git/checkouts/*/*/crates/carveout-host; do
        if [ -d "$folder" ]; then
            carveout_remap="--remap-path-prefix=$(dirname "$folder")=crates"
        fi
    done
}

# cargo forgets what only other members need; it must add nothing.
python do_carveout_lock() {
    def text(folder):
        with open(os.path.join(d.getVar(folder), 'Cargo.lock')) as file:
            return file.read()
    strangers = carveout_module(d, 'workspace').strangers(text('CARVEOUT_SOURCE'), text('S'))
    if strangers:
        bb.fatal('cargo has used packages that Cargo.lock does not have: ' + ', '.join(strangers))
}
do_carveout_lock[doc] = "Checks that cargo used no package that Cargo.lock of the workspace does not have"
addtask carveout_lock after do_compile before do_install
