# Functions for scripts that work on a root filesystem in $root, with our folder in $work. Sourced by the hooks that
# mmdebstrap runs, as root or as root of a user namespace.
# shellcheck disable=SC2154 # both are set by who sources this
umask 022

# In a user namespace nobody can make device nodes: the host's are bound (in a mount namespace of mmdebstrap's own).
bound=()
bind_nodes() {
  local node
  for node in null zero full random urandom tty; do
    if [ ! -c "$root/dev/$node" ]; then
      : > "$root/dev/$node"
      mount --bind "/dev/$node" "$root/dev/$node"
      bound+=("$root/dev/$node")
    fi
  done
}

unbind_nodes() {
  local node
  for node in "${bound[@]}"; do
    umount "$node"
    rm "$node"
  done
  bound=()
}

# Runs a shell command in the root filesystem, so that its links lead where they lead on the board. More words are its
# arguments.
inside() {
  local command=$1
  shift
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C TZ=UTC DEBIAN_FRONTEND=noninteractive \
    chroot "$root" /bin/sh -euc "$command" sh "$@"
}

# No service is started while packages are installed; a policy of the user's own is put back afterwards.
forbid_services() {
  inside 'cd /usr/sbin
    if [ -e policy-rc.d ]; then mv policy-rc.d policy-rc.d.carveout; fi
    printf "#!/bin/sh\nexit 101\n" > policy-rc.d
    chmod 755 policy-rc.d'
}

allow_services() {
  inside 'cd /usr/sbin
    rm policy-rc.d
    if [ -e policy-rc.d.carveout ]; then mv policy-rc.d.carveout policy-rc.d; fi'
}

# Logs, caches and backups that an installation leaves, with times of now in them. Those of before are kept and put back.
# debconf's answers are no cache, whatever their folder says.
traces='etc/passwd- etc/shadow- etc/group- etc/gshadow- etc/subuid- etc/subgid- etc/.pwd.lock
  var/lib/dpkg/status-old var/lib/dpkg/diversions-old var/lib/dpkg/statoverride-old'
keep_traces() {
  # shellcheck disable=SC2016 # for the shell inside
  inside 'cd /
    for path in var/log var/cache $1; do
      if [ -e "$path" ] || [ -L "$path" ]; then echo "$path"; fi
    done | tar --numeric-owner --xattrs --exclude="var/cache/debconf/*.dat" -cf - -T -' "$traces" > "$work/traces.tar"
  : > "$root/.carveout-time"
}

drop_traces() {
  # Python's compiled files are made again when they are needed.
  # shellcheck disable=SC2016
  inside 'cd /
    find usr opt -xdev -type f -path "*/__pycache__/*" -newer .carveout-time -delete 2> /dev/null || true
    find usr opt -xdev -type d -name __pycache__ -empty -newer .carveout-time -delete 2> /dev/null || true
    rm -f .carveout-time
    rm -rf var/log $1
    if [ -d var/cache ]; then
      find var/cache -mindepth 1 ! -path var/cache/debconf ! -path "var/cache/debconf/*.dat" -delete
    fi
    tar --numeric-owner --xattrs --xattrs-include="*" -xpf -' "$traces" < "$work/traces.tar"
  rm "$work/traces.tar"
}

# Notes what is installed: status, name, version, architecture.
list_installed() {
  # shellcheck disable=SC2016 # dpkg replaces the variables, not the shell
  inside 'dpkg-query -W -f "\${db:Status-Status}\t\${Package}\t\${Version}\t\${Architecture}\n"' > "$work/installed"
}

# Puts files of ours in their places. NVIDIA's signature of another file than ours would make cboot refuse ours.
put_files() {
  local path
  (cd "$work/root" && find . -type f | sort) | while read -r path; do
    if [ -e "$root/$path.sig" ] && ! cmp -s "$work/root/$path" "$root/$path"; then
      rm "$root/$path.sig"
    fi
    install -D -o 0 -g 0 -m 644 "$work/root/$path" "$root/$path"
  done
}
