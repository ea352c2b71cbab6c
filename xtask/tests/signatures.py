#!/usr/bin/env python3
"""Checks every signature of a bundle for fused boards with openssl: signatures.py BUNDLE PUBLIC_KEY.pem

Run by hand, as it needs a bundle that NVIDIA's tools have made (L4T R32.7.2, t194). Places: a signed file begins with NVDA, its
signature is of 0xb90 to 0x1000, which has the content's SHA-256; an RCM message's is of 0x6b0 to 0x7b0, and the boot
loader behind it is a signed file; a BR BCT's is of 0x7f8 to its end.
"""
import hashlib
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

PSS = ["-sha256", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"]


def parts(path, file):
    """What is signed in a file: where its signature is, and the signed bytes."""
    start = 0
    if any(path.with_name(name).exists() for name in (path.name + ".signed", path.stem + "_signed" + path.suffix)):
        # What NVIDIA's tools have made the signed one of.
        return
    if path.suffix == ".rcm":
        yield 0x4E4, file[0x6B0:0x7B0]
        start = 0x7B0
    elif path.name.startswith("br_bct"):
        yield 0x4EC, file[0x7F8:]
        return
    if file[start:start + 4] == b"NVDA":
        header, content = file[start:start + 0x1000], file[start + 0x1000:]
        length, = struct.unpack_from("<I", header, 0xBB4)
        if hashlib.sha256(content[:length]).digest() != header[0xBE0:0xC00]:
            raise SystemExit("%s: the signed SHA-256 is not its content's" % path)
        yield start + 0x30, header[0xB90:]


def main(bundle, public):
    text = subprocess.check_output(["openssl", "pkey", "-pubin", "-in", public, "-noout", "-text"], text=True)
    size = int(re.search(r"\((\d+) bit\)", text)[1]) // 8
    checked = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        data, signature = pathlib.Path(folder, "data"), pathlib.Path(folder, "signature")
        for path in sorted(pathlib.Path(bundle, "flash").rglob("*")):
            file = path.read_bytes() if path.is_file() else b""
            for at, signed in parts(path, file):
                data.write_bytes(signed)
                signature.write_bytes(file[at:at + size][::-1])
                command = ["openssl", "dgst", *PSS, "-verify", public, "-signature", signature, data]
                good = subprocess.run(command, capture_output=True, check=False).returncode == 0
                checked, failed = checked + 1, failed + (not good)
                print("%-8s 0x%03x %s" % ("verified" if good else "WRONG", at, path.relative_to(bundle)))
    print("%d signatures, %d wrong" % (checked, failed))
    sys.exit(failed > 0 or checked == 0)


main(*sys.argv[1:])
