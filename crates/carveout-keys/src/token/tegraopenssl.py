#!/usr/bin/env python3
"""In the place of NVIDIA's tegraopenssl: has a token sign, and calls NVIDIA's for all else.

The calls and what they leave are those of L4T R32.7.2 (bootloader/tegrasign_v3_internal.py, and NVIDIA's program run
beside this one: xtask/tests/token.rs compares them). A key file that begins with MARK stands for a key in a token; it has the
public key, and the socket beside it signs (token/helper.rs).
"""
import hashlib
import os
import socket
import struct
import sys

MARK = "carveout: a key in a PKCS#11 token"
REAL = os.path.abspath(__file__) + ".real"


class Key:
    """A key in a token, by the file that stands for it."""

    def __init__(self, path, lines):
        self.folder = os.path.dirname(os.path.abspath(path))
        self.modulus = int(lines[1], 16)
        self.size = self.modulus.bit_length() // 8

    @classmethod
    def read(cls, path):
        """None if the file is a common key's."""
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
        except OSError:
            return None
        return cls(path, lines) if lines[:1] == [MARK] else None

    def little(self, number):
        return number.to_bytes(self.size, "little")

    def save(self, pkh, mont):
        """The public key, and for RSA 3072 -1/n and r*r modulo r and n, r being 2^bits: all little-endian."""
        if pkh:
            write(pkh, self.little(self.modulus))
        if mont and self.size > 256:
            r = 1 << 8 * self.size
            write(mont, self.little(-pow(self.modulus, -1, r) % r) + self.little(r * r % self.modulus))

    def sign(self, data):
        """The signature, little-endian."""
        folder = os.open(self.folder, os.O_PATH)
        with socket.socket(socket.AF_UNIX) as peer:
            try:
                # A socket's path must be short; this one always is.
                peer.connect("/proc/self/fd/%d/socket" % folder)
                peer.sendall(hashlib.sha256(data).digest())
                reply = peer.makefile("rb").read()
            except OSError as error:
                raise ValueError("the program that talks to the token has ended (%s)" % error) from None
        if reply[:1] != b"+":
            raise ValueError(reply[1:].decode(errors="replace") or "no answer")
        return reply[:0:-1]


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def fields(raw):
    """What do_rsa_pss packs: seven sizes, then key file, length, data, room for a signature, and three names of files."""
    sizes = struct.unpack_from("<7I", raw)
    if len(raw) != 28 + sum(sizes):
        raise ValueError("the BSP's tegrasign_v3 packs its request in another way than that of L4T R32.7.2")
    parts, at = [], 28
    for size in sizes:
        parts.append(raw[at:at + size])
        at += size
    key, length, data, _, pkh, mont, out = parts
    names = [os.fsdecode(name.rstrip(b"\0")) for name in (key, pkh, mont, out)]
    return names, data[:int.from_bytes(length, "little")]


def main(arguments):
    call = arguments[:1]
    key = None
    try:
        if call == ["--isPkcKey"] and len(arguments) in (2, 3, 4):
            key = Key.read(arguments[1])
            if key:
                key.save(*(arguments[2:] + [None, None])[:2])
                print("Key size is %d bytes" % key.size)
                return
        elif call == ["--rsa"] and len(arguments) == 2:
            with open(arguments[1], "rb") as file:
                (name, pkh, mont, out), data = fields(file.read())
            key = Key.read(name)
            if key:
                write(out, key.sign(data))
                key.save(pkh, mont)
                return
    except (OSError, ValueError) as error:
        if key:
            # NVIDIA's scripts have gone on after a failure: this is for who started them.
            write(os.path.join(key.folder, "failed"), str(error).encode())
        sys.exit("Error: %s: %s" % (" ".join(arguments), error))
    os.execv(REAL, [REAL] + arguments)


main(sys.argv[1:])
