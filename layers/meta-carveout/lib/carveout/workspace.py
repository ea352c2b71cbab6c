# SPDX-License-Identifier: MIT OR Apache-2.0
"""A part of the Cargo workspace that builds one package with no more crates than it needs.

cargo resolves all members of a workspace, tests included, before it builds one of them. So the members that a package needs are
copied, without what only their tests need, to a workspace of their own.
"""

import os
import re
import shutil
import sys
from collections import namedtuple

# How Cargo.lock calls crates.io, and its sparse protocol.
CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"

# carveout's own repository, and folders of it that a workspace depends on by path.
Carveout = namedtuple("Carveout", "repository crates", defaults=("", ()))


def without_tests(manifest):
    """The text of a Cargo.toml without its dev-dependencies, and without schemars, which only the reference pages need."""
    kept, skip = [], False
    for line in manifest.splitlines(keepends=True):
        header = re.match(r"\s*\[+\s*([^\]]+?)\s*\]+", line)
        if header:
            skip = re.fullmatch(r"(target\..+\.)?dev-dependencies(\..+)?", header[1]) is not None
        if not skip and not re.match(r"schemars\s*=.*optional", line):
            kept.append(re.sub(r"^schema\s*=.*", "schema = []", line))
    return "".join(kept)


def with_members(manifest, members):
    """The text of the workspace's Cargo.toml with other members."""
    listed = "members = [%s]" % ", ".join('"%s"' % member for member in members)
    text, count = re.subn(r"^members\s*=\s*\[[^\]]*\]", listed, manifest, flags=re.M)
    if count != 1:
        raise ValueError("Cargo.toml of the workspace has %d lists of members, not one" % count)
    text = re.sub(r"^(default-members|exclude)\s*=\s*\[[^\]]*\]\n", "", text, flags=re.M)
    return text


def with_paths(manifest, folder, workspace, carveout):
    """The text of a Cargo.toml of a folder, whose paths to crates of carveout lead to its repository: a copy lies elsewhere."""

    def moved(match):
        path = os.path.normpath(os.path.join(folder, match[3]))
        if not path.startswith(workspace + os.sep):
            for crate in carveout.crates:
                if path.endswith(os.sep + crate):
                    return '%s"%s"' % (match[1], os.path.join(carveout.repository, crate))
        return match[0]

    return re.sub(r"""(\bpath\s*=\s*)(["'])([^"'\n]*)\2""", moved, manifest)


def is_licence(name):
    """Whether a file is called as licences are: `cargo xtask recipes` names the same ones."""
    return re.fullmatch(r"(LICENSE|LICENCE|COPYING|UNLICENSE)([-._].*)?", name, re.I) is not None


def extract(workspace, members, to, carveout=Carveout()):
    """Copies a part of a workspace: these members, by their folders."""
    workspace = os.path.abspath(workspace)
    if os.path.isdir(to):
        shutil.rmtree(to)
    os.makedirs(to)
    for name in ["Cargo.lock"] + sorted(filter(is_licence, os.listdir(workspace))):
        if os.path.isfile(os.path.join(workspace, name)):
            shutil.copy2(os.path.join(workspace, name), to)
    with open(os.path.join(workspace, "Cargo.toml")) as file:
        text = with_paths(with_members(file.read(), members), workspace, workspace, carveout)
    with open(os.path.join(to, "Cargo.toml"), "w") as file:
        file.write(text)
    for member in members:
        source, target = os.path.join(workspace, member), os.path.join(to, member)
        # cargo's own folder lies at the top; a module called `target` is source.
        shutil.copytree(source, target, ignore=lambda folder, _, top=source: ["target"] if folder == top else [])
        path = os.path.join(target, "Cargo.toml")
        with open(path) as file:
            text = with_paths(without_tests(file.read()), source, workspace, carveout)
        with open(path, "w") as file:
            file.write(text)


def locked(lock):
    """Packages of a Cargo.lock's text: name, version and source to the checksum. A folder's source is "", so may be a checksum."""
    found = {}
    for block in re.split(r"^\[\[(?:package|patch\.unused)\]\]$", lock, flags=re.M)[1:]:
        values = dict(re.findall(r'^(name|version|source|checksum) = "([^"]*)"$', block, flags=re.M))
        found[values["name"], values["version"], values.get("source", "")] = values.get("checksum", "")
    return found


def strangers(before, after):
    """Packages of one Cargo.lock's text that another has not from there, or with another checksum."""
    known = locked(before)
    return sorted("%s %s" % key[:2] for key, checksum in locked(after).items() if known.get(key) != checksum)


def stale(workspace, members, uris, commits=()):
    """What a recipe names and the workspace has no more: folders of members, crates of Cargo.lock, and (URL, commit) of git.

    A URL that Cargo.lock does not have is that of a submodule.
    """
    with open(os.path.join(workspace, "Cargo.lock")) as file:
        known = locked(file.read())
    crates_io = {key[:2] for key in known if key[2] == CRATES_IO}
    gits = {}
    for _, _, source in known:
        if source.startswith("git+"):
            url, _, rev = source[4:].rpartition("#")
            gits.setdefault(re.sub(r"[?&](branch|tag|rev)=[^&]*", "", url), set()).add(rev)
    crates = [tuple(uri.split("/")[-2:]) for uri in uris if uri.startswith("crate://")]
    gone = [member for member in members if not os.path.isfile(os.path.join(workspace, member, "Cargo.toml"))]
    gone += ["%s %s" % crate for crate in crates if crate not in crates_io]
    return gone + ["%s at %s" % commit for commit in commits if commit[1] not in gits.get(commit[0], {commit[1]})]


if __name__ == "__main__":
    # workspace.py WORKSPACE TO REPOSITORY MEMBER… -- CRATE…: cargo xtask recipes asks cargo what such a part needs.
    split = sys.argv.index("--")
    extract(sys.argv[1], sys.argv[4:split], sys.argv[2], Carveout(sys.argv[3], sys.argv[split + 1 :]))
