# SPDX-License-Identifier: MIT OR Apache-2.0
"""Crates of git for cargo without a network: the clones that BitBake has made, under the URLs and names that cargo asks for.

cargo asks for a URL and a branch, a tag or a commit. Each URL is given a repository that has the names that cargo asks for, at the
commits of Cargo.lock, and git is told to go there instead. So cargo builds the same package as outside of BitBake: same
identity, same workspace around the crate, same submodules.
"""

import os
import shutil
import subprocess
from collections import namedtuple

# One commit of a repository: its URL for cargo, the clone that has it, and the names (HEAD, refs/heads/main) that lead to it.
Commit = namedtuple("Commit", "url clone rev names")


def commits(names, flag, rev, folder):
    """The commits that a recipe names, in clones in a folder. flag and rev: name to CARVEOUT_GIT[name] and to SRCREV_name."""
    found = []
    for name in names:
        words = (flag(name) or "").split()
        if len(words) < 2:
            raise ValueError('CARVEOUT_GIT[%s] has no URL and names. Run: cargo xtask recipes' % name)
        found.append(Commit(words[0], os.path.join(folder, name), rev(name), words[1:]))
    return found


def git(folder, *words):
    """Runs git in a folder. Returns what it says."""
    return subprocess.run(["git", "-C", folder, *words], check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout.strip()


def serve(found, to):
    """Writes to a folder the repositories of these commits, and git's settings that lead to them.

    XDG_CONFIG_HOME is to be that folder: git/config in it are the settings.
    """
    if os.path.isdir(to):
        shutil.rmtree(to)
    os.makedirs(os.path.join(to, "git"))
    settings = os.path.join(to, "git/config")
    for number, url in enumerate(sorted({commit.url for commit in found})):
        repository = os.path.join(to, "%d.git" % number)
        git(to, "init", "--quiet", "--bare", repository)
        here = [commit for commit in found if commit.url == url]
        with open(os.path.join(repository, "objects/info/alternates"), "w") as file:
            for commit in here:
                file.write(os.path.join(commit.clone, ".git/objects") + "\n")
        # What cargo asks for besides: it is refused a repository without a HEAD.
        git(repository, "update-ref", "refs/heads/carveout", here[0].rev)
        git(repository, "symbolic-ref", "HEAD", "refs/heads/carveout")
        for commit in here:
            for name in commit.names:
                git(repository, "update-ref", "refs/heads/carveout" if name == "HEAD" else name, commit.rev)
        # Whoever writes .git, or leaves it out, means the same.
        plain = url[:-4] if url.endswith(".git") else url
        for other in (plain, plain + ".git"):
            git(to, "config", "--file", settings, "--add", "url.file://%s.insteadOf" % repository, other)
