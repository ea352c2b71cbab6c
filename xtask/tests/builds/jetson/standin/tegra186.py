"""What the stand-in for NVIDIA's flash tools does otherwise for t186 (Jetson TX2): BCT, headers, names."""

import subprocess

# What an MB1 BCT of L4T R32.7 is: its length and version, and where the carve-out lies in it.
BCT_LENGTH, BCT_VERSION, TZDRAM_SIZE, TZDRAM_ALIGNMENT = 0xC220, 0xF, 0x104, 0x10C
KEYS = ("sw_carveout.tzdram_carveout_size", "sw_carveout.tzdram_carveout_alignment")
# The header of a signed file, and that of what the boot ROM gets: its bytes, where the CMAC is, and of what.
HEADER, MAC, MACED = 0x190, 0x8, 0x180
ROM_HEADER, ROM_MAC, ROM_MACED = 0x520, 0x390, 0x500
PLACEHOLDERS = {
    "MB1FILE": "mb1_prod.bin",
    "MB2FILE": "nvtboot.bin",
    "CBOOTFILE": "cboot.bin",
    "BPMPFILE": "bpmp.bin",
    "SC7FILE": "warmboot.bin",
    "TOSNAME": "secure-os",
    "TOSNAME_b": "secure-os_b",
    "LNXNAME": "kernel",
    "LNXNAME_b": "kernel_b",
}
RECOVERY = "mb1_recovery_prod.bin"


def cmac(data):
    """AES-128-CMAC with a key of zeros, as for boards without keys."""
    words = ["openssl", "mac", "-cipher", "AES-128-CBC", "-macopt", "hexkey:" + "0" * 32, "-in", "-", "CMAC"]
    return bytes.fromhex(subprocess.run(words, input=data, capture_output=True, check=True).stdout.decode().strip())


def bct(size, alignment, rest):
    """An MB1 BCT: its length and version, the carve-out, and a digest of all else."""
    body = bytearray(BCT_LENGTH)
    body[0x40:0x60] = rest
    for at, value, length in ((0, BCT_LENGTH, 4), (4, BCT_VERSION, 4), (TZDRAM_SIZE, size, 8), (TZDRAM_ALIGNMENT, alignment, 8)):
        body[at : at + length] = value.to_bytes(length, "little")
    return bytes(body)


def sign(name, body):
    """A file's new name and content. MB1 stays as NVIDIA has signed it."""
    if name.startswith("mb1_") and name.endswith("prod.bin"):
        return name + ".encrypt", body
    if len(body) % 16:
        body += b"\x80".ljust(-len(body) % 16, b"\0")
    base, _, end = name.rpartition(".")
    length = len(body).to_bytes(4, "little")
    if name.startswith("warmboot"):
        header, at, of = bytearray(ROM_HEADER), ROM_MAC, ROM_MACED
        total = (ROM_HEADER + len(body)).to_bytes(4, "little")
        header[0:4] = header[0x510:0x514] = total
        header[0x51C:0x520] = length
        name = f"{base}_wbheader.{end}.encrypt"
    else:
        header, at, of = bytearray(b"GSHV".ljust(HEADER, b"\0")), MAC, MACED
        header[0x184], header[0x188:0x18C] = 5, length
        name = f"{base}_sigheader.{end}.encrypt"
    header[at : at + 16] = cmac(bytes(header[of:]) + body)
    return name, bytes(header) + body
