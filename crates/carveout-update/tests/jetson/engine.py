#!/usr/bin/env python3
"""Stands in for NVIDIA's nv_update_engine and nvbootctrl, on a device in the folder two above this one.

Written by what NVIDIA's own programs do on a stand-in device. A file `mode` beside it says how it misbehaves: `lies` (says that all is
well, and does nothing), `arms` (switches, and writes nothing), `fails`, or `dies N`: at its Nth write the power goes, for whoever called
it, too."""
import os
import signal
import struct
import sys
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AREAS = [ROOT + "/dev/mmcblk0boot0", ROOT + "/dev/mmcblk0boot1"]
PIECE = 2048


def fits(part, own):
    """As NVIDIA's program compares them."""
    part, own = part.split("-"), own.split("-")
    return len(part) == len(own) and all(a == b or "" in (a, b) for a, b in zip(part, own))


def read(path):
    with open(path, "rb") as file:
        return file.read()


def words(name):
    try:
        return read(f"{ROOT}/usr/sbin/{name}").decode().split()
    except FileNotFoundError:
        return []


def write(path, offset, data):
    """Piece by piece, as power may go between any two."""
    for at in range(0, len(data), PIECE):
        mode = words("mode")
        if mode[:1] == ["dies"]:
            left = int(mode[1]) - 1
            with open(f"{ROOT}/usr/sbin/mode", "w") as file:
                file.write(f"dies {left}")
            if left < 0:
                os.kill(os.getppid(), signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)
        with open(path, "r+b") as file:
            file.seek(offset + at)
            file.write(data[at:at + PIECE])


def partitions():
    image = b"".join(read(path) for path in AREAS)
    table, found = image[-512 - 128 * 128:-512], {}
    for at in range(0, len(table), 128):
        name = table[at + 56:at + 128].decode("utf-16").rstrip("\0")
        if name:
            found[name] = struct.unpack_from("<QQ", table, at + 32)
    return found


def place(name, slot):
    areas, own = partitions(), name + ("_b" if slot else "")
    if name == "BCT":
        offset = areas[name][0] * 512 + slot * 16384
    elif own in areas:
        offset = areas[own][0] * 512
    else:
        return f"{ROOT}/dev/disk/by-partlabel/{own}", 0
    size = os.path.getsize(AREAS[0])
    return AREAS[offset // size], offset % size


def put(name, slot, data):
    write(*place(name, slot), data)


def get(name, slot, length):
    path, offset = place(name, slot)
    return read(path)[offset:offset + length]


def slots():
    data = bytearray(get("SMD", 0, 22))
    return [list(data[8 + 5 * slot:13 + 5 * slot]) for slot in range(2)], data


def change(found, data, count=2):
    data[5:8] = bytes([3, count, 0])
    for slot in range(2):
        data[8 + 5 * slot:13 + 5 * slot] = bytes(found[slot])
    data[18:22] = struct.pack("<I", zlib.crc32(bytes(data[:18])))
    put("SMD", 0, bytes(data))
    put("SMD_b", 0, bytes(data))


def activate(slot, good=0):
    found, data = slots()
    found[slot][0], found[1 - slot][0] = 15, min(found[1 - slot][0], 14)
    found[slot][3], found[slot][4] = 7, good
    change(found, data)


def payload(path):
    data = read(path)
    at, count = struct.unpack_from("<II", data, 24)
    specs = [line.split(None, 1)[1].strip() for line in read(ROOT + "/etc/nv_boot_control.conf").decode().splitlines() if "SPEC" in line]
    for index in range(count):
        name, offset, length, _, operation = struct.unpack_from("<40sIIII", data, at + 120 * index)
        spec = data[at + 120 * index + 56:at + 120 * index + 120].rstrip(b"\0").decode()
        if not spec or any(fits(spec, own) for own in specs):
            yield name.rstrip(b"\0").decode(), data[offset:offset + length]


def main():
    line = read(ROOT + "/proc/cmdline").decode()
    current = 1 if "boot.slot_suffix=_b" in line else 0
    mode, arguments = words("mode")[:1], sys.argv[1:]
    if mode == ["lies"]:
        return print("Update successful")
    if mode == ["fails"]:
        sys.exit("Error: installing bootloader updates failed: 768")
    other = 1 - current
    if arguments[:1] == ["-e"]:
        change([[15, 95, 97, 7, 1], [14, 95, 98, 7, 1]], slots()[1])
    elif arguments[:1] == ["-i"]:
        found, data = slots()
        found[other][0] = found[other][3] = found[other][4] = 0
        change(found, data)
        for name, content in payload(arguments[3]) if mode != ["arms"] else []:
            put(name, other, content)
        activate(other)
    elif arguments == ["--verify"]:
        found, data = slots()
        found[current][4], found[current][3] = 1, 7
        found[other][0] = found[other][3] = found[other][4] = 0
        change(found, data)
        for name in words("names"):
            put(name, other, get(name, current, int(read(f"{ROOT}/usr/sbin/length"))))
        found[other] = [14, *found[other][1:3], 7, 1]
        change(found, data)
    elif arguments[:1] == ["set-active-boot-slot"]:
        activate(int(arguments[1]))
    else:
        sys.exit(f"unknown: {arguments}")


main()
