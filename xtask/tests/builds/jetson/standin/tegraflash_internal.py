"""Stands in for what NVIDIA's host-side flash tools (L4T R32) do: the same names and forms of files, the same lax manners.

Like the real ones it is not the same each time: what it makes bears the date, an address of its own memory, and partition
GUIDs that it makes up where the layout has none. A file `misbehave` beside it tells it to go wrong."""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import sys
import uuid
import xml.etree.ElementTree as xml

import tegra186

# What an MB1 BCT of L4T R32.7 is: its length, and where the carve-out lies in it.
BCT_LENGTH, TZDRAM_SIZE, TZDRAM_ALIGNMENT = 0x6930, 0x918, 0x920
STOCK_SIZE = 0x01000000
# The header of a signed file: magic, name of the content, its length and digest; the signature here is of no form at all.
SIGN_HEADER, KIND, DIGEST, SIGNATURE = 0x1000, 0xBB0, 0xBE0, 0x10
KINDS = {"mb1_bct": b"MBCT", "mb1_cold": b"MBCT", "mb1_t194": b"MB1B", "mem_": b"MEMB", "tos": b"TOSB", "cboot": b"CPBL",
         "nvtboot_recovery_cpu": b"CPBL", "nvtboot": b"MB2B"}
PLACEHOLDERS = {
    "MB1FILE": "mb1_t194_prod.bin",
    "MB2FILE": "nvtboot_t194.bin",
    "CBOOTFILE": "cboot_t194.bin",
    "EKSFILE": "eks.img",
    "BPMPFILE": "bpmp_t194.bin",
    "SC7FILE": "warmboot_t194_prod.bin",
    "LNXFILE": "boot.img",
    "APPFILE": "system.img",
    "EMMCSIZE": "31276924928",
}
PLAIN = ("system.img", "system.img_b", "emmc_bootblob_ver.txt", "qspi_bootblob_ver.txt")
# Numbers of devices in flash.idx.
DEVICES = {"sdmmc_boot": 0, "sdmmc_user": 1, "spi": 3, "sdcard": 6}


class Keys:
    """Keys of a fused board, or none: a key that cannot be read is taken for none."""

    def __init__(self, pkc=None, sbk=None):
        self.pkc = pkc if pkc and load(pkc).startswith(b"-----BEGIN") else None
        self.sbk = sbk if sbk and len(load(sbk).split()) == 4 else None

    def name(self, file, early=False):
        """What a signed file is called; what runs before the keys are known has another name when encrypted."""
        base, end = os.path.splitext(file)
        if not self.pkc:
            return f"{base}_sigheader{end}.encrypt"
        if not self.sbk:
            return f"{base}_sigheader{end}.signed"
        return f"{file}_sigheader.encrypt.signed" if early else f"{base}_sigheader{end}.encrypt.signed"


def load(path):
    with open(path, "rb") as file:
        return file.read()


def save(path, data):
    with open(path, "wb") as file:
        file.write(data)


def digest(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def misbehaves(how):
    """Whether the tree says that something goes wrong."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "misbehave")
    return os.path.exists(path) and load(path).decode().strip() == how


def address():
    """The top of this process's stack: another each time, unless addresses are not random."""
    with open("/proc/self/maps") as maps:
        return next(line.split("-")[1].split()[0] for line in maps if line.endswith("[stack]\n"))


def parse_cfg(text):
    """As tegrabct_v2 reads: a line without `;` goes on, digits end at the first other character, the last of two counts."""
    values = {}
    for assignment in re.sub("#.*", "", text).split(";"):
        key, _, value = assignment.partition("=")
        number = re.match(r"\s*(0[xX][0-9a-fA-F]+|[0-9]+)", value)
        values[key.strip()] = int(number.group(1), 0) if number else 0
    return values


def bct(cfg):
    """An MB1 BCT: the carve-out in its places, a digest of all else in others."""
    values = parse_cfg(load(cfg).decode())
    keys = tegra186.KEYS if is_186() else ("carveout.tzdram.size", "carveout.tzdram.alignment")
    size, alignment = [values.pop(key, 0) for key in keys]
    if is_186():
        return tegra186.bct(size, alignment, digest(repr(sorted(values.items())).encode()))
    if misbehaves("other size"):
        size = STOCK_SIZE
    body = bytearray(BCT_LENGTH)
    body[0x40:0x60] = digest(repr(sorted(values.items())).encode())
    if misbehaves("differs elsewhere") and size != STOCK_SIZE:
        body[0x928] = 1
    for at, value in ((TZDRAM_SIZE, size), (TZDRAM_ALIGNMENT, alignment)):
        body[at : at + 8] = value.to_bytes(8, "little")
    return bytes(body)


def sign(path, keys, early=False):
    """Signs, and encrypts for keys with an SBK: the file's new name, in the current folder."""
    body = load(path)
    if misbehaves("signs another") and os.path.basename(path).startswith("cboot"):
        body = b"another boot loader"
    if is_186():
        name, signed = tegra186.sign(os.path.basename(path), body)
        save(name, signed)
        return name
    if body.startswith(b"NVDA"):
        body = body[SIGN_HEADER:]
    if len(body) % 16:
        body += b"\x80".ljust(-len(body) % 16, b"\0")
    if keys.sbk:
        stream = digest(load(keys.sbk)) * (len(body) // 32 + 1)
        body = bytes(a ^ b for a, b in zip(body, stream))
    header = bytearray(b"NVDA".ljust(SIGN_HEADER, b"\0"))
    name = os.path.basename(path)
    kind = next((kind for start, kind in KINDS.items() if name.startswith(start)), b"BLOB") + len(body).to_bytes(4, "little")
    signature = digest(body, load(keys.pkc) if keys.pkc else b"")
    for at, field in ((SIGNATURE, signature), (KIND, kind), (DIGEST, digest(body))):
        header[at : at + len(field)] = field
    name = keys.name(os.path.basename(path), early)
    save(name, header + body)
    return name


def rcm_messages(tool, mb1, keys):
    """The messages that start MB1, and their list."""
    chip, fuses = ("0x18", []) if is_186() else ("0x19", ["--sfuses", "sfuse.bin"])
    tool("--listrcm", "rcm_list.xml", "--chip", chip, "0", *fuses, "--download", "rcm", mb1, "0", "0")
    end = "_signed" if keys.pkc else "_encrypt"
    files = [node.get("name") for node in xml.parse("rcm_list.xml").getroot()]
    signed = [name.replace(".rcm", f"{end}.rcm") for name in files]
    for old, new in zip(files, signed):
        save(new, load(old) + digest(load(old), load(keys.pkc) if keys.pkc else b""))
    rows = [f'<file name="{old}"><sbk encrypt_file="{new}" /></file>' for old, new in zip(files, signed)]
    save("rcm_list_signed.xml", f'<file_list mode="{end}">{"".join(rows)}</file_list>\n'.encode())
    tool("--chip", chip, "0", "--updatesig", "rcm_list_signed.xml")


def conf(script):
    """What the board's file says."""
    script = f"LDK_DIR=..; source ../{os.environ['BOARD']}.conf; cd ..; {script}"
    return subprocess.check_output(["bash", "-c", script]).decode().strip()


@functools.lru_cache(maxsize=None)
def value(name):
    return conf(f'echo "${name}"')


def is_186():
    """Whether the board has a t186. What reads an EEPROM knows no board, and is of t194."""
    return "BOARD" in os.environ and value("CHIPID") == "0x18"


def bpmp_dtb():
    """What the module's identity decides on."""
    return "tegra194-a02-bpmp-p2888-0005-a04.dtb" if os.environ["BOARDSKU"] == "0005" else value("BPFDTB_FILE")


def tos_file():
    """The image that flash.sh signs: what TOSFILE of the board's file leads to, under that name."""
    path = conf("readlink -f \"$TOSFILE\"")
    name = os.path.basename(path)
    if os.path.abspath(name) != path:
        shutil.copy(path, name)
    return name


def boot_image(kernel, ramdisk):
    """As mkbootimg writes it: each part on a page of its own."""
    pages = [b"ANDROID!" + b"".join(n.to_bytes(4, "little") for n in (len(kernel), 0, len(ramdisk), 0, 0, 0, 0, 2048)), kernel, ramdisk]
    return b"".join(page.ljust(-(-len(page) // 2048) * 2048, b"\0") for page in pages)


def blob(parts):
    """What the recovery loader gets: a table of types, offsets and lengths, then the parts."""
    table, at = [], 8 + 16 * len(parts)
    for kind, part in parts:
        table += [kind, at, 0, len(part)]
        at += len(part)
    return b"blob" + b"".join(n.to_bytes(4, "little") for n in (len(parts), *table)) + b"".join(part for _, part in parts)


def fill(size):
    """The layout with its placeholders replaced: flash.xml."""
    with open(value("EMMC_CFG")) as file:
        text = file.read()
    dtb = bpmp_dtb()
    save(dtb, load(os.path.join("t186ref", dtb)))
    own = {"TOSFILE": tos_file(), "APPSIZE": size, "BPMPDTBFILE": dtb, "DTBFILE": "kernel_" + value("DTB_FILE"), "VERFILE": value("VERFILENAME")}
    for name, text_of_it in {**PLACEHOLDERS, **(tegra186.PLACEHOLDERS if is_186() else {}), **own}.items():
        text = re.sub(rf"\b{name}\b", text_of_it, text)
    save("flash.xml", text.encode())
    return xml.fromstring(text)


def make(size, keys):
    """Signs all, in the current folder: the layout with the names of signed files, what is never the same, the index, and boot
    configs by partition."""
    date = subprocess.check_output(["date", "+%Y%m%d%H%M%S"]).decode()
    board = "-".join(os.environ.get(name, "") for name in ("BOARDID", "FAB", "BOARDSKU", "BOARDREV"))
    save(value("VERFILENAME"), f"NV3\n{board}\n{date}".encode())
    parts = (load("t186ref/u-boot.bin"), b"") if is_186() else (load("../kernel/Image"), load("l4t_initrd.img"))
    save("boot.img", boot_image(*parts))
    save("kernel_" + value("DTB_FILE"), load("../kernel/dtb/" + value("DTB_FILE")))
    if not os.path.exists("system.img"):
        sys.exit("Error: -r, but no system.img")
    save("mb1_cold_boot_bct_MB1.bct", bct(value("MISC_COLD_BOOT_CONFIG") or value("MISC_CONFIG")))
    save("mb1_bct_MB1.bct", bct(value("MISC_CONFIG")))
    save("br_bct_BR.bct", digest(b"boot ROM") * 90)
    boot = {
        "BCT": "br_bct_BR.bct",
        "MB1_BCT": sign("mb1_cold_boot_bct_MB1.bct", keys, early=True),
        "recovery MB1_BCT": sign("mb1_bct_MB1.bct", keys, early=True),
    }
    if not is_186():
        for name in ("mem_coldboot.bct", "mem_rcm.bct"):
            save(name, digest(name.encode()) * 64)
        boot["MEM_BCT"] = sign("mem_coldboot.bct", keys)
        boot["recovery MEM_BCT"] = sign("mem_rcm.bct", keys, early=True)
    if keys.sbk and b'name=\\"${part}' not in load("odmsign.func"):
        sys.exit("Error: the kernel's partition is found twice")
    root, made_up, index = fill(size), f"<!-- {address()} -->\n", []
    for device in root:
        for partition in device:
            name, file = partition.get("name"), partition.findtext("filename", "").strip()
            config = boot.get(name[:-2] if name.endswith("_b") else name, "")
            if file and file not in PLAIN:
                file = sign(file, keys)
                partition.find("filename").text = f" {file} "
            elif config and keys.pkc:
                # The layout for fused boards names what nvaflash.sh writes, too.
                xml.SubElement(partition, "filename").text = f" {config} "
            file = file or config
            length = os.path.getsize(file) if file else ""
            place = f'{DEVICES[device.get("type")]}:3:{name}'
            index.append(f"{len(index)}, {place}, 0, {partition.findtext('size', '0').strip()}, {file}, {length}, fixed, \n")
            if partition.find("unique_guid") is None:
                made_up += f"<!-- {name} {uuid.uuid4()} -->\n"
    end = "" if is_186() else "_t194"
    parts = [(kind, load(sign(name + end + ".bin", keys))) for kind, name in ((2, "nvtboot_recovery_cpu"), (13, "nvtboot_recovery"))]
    parts += [(9, load(keys.name(name))) for name in (tos_file(), bpmp_dtb())]
    if misbehaves("sends another"):
        parts[2] = (9, parts[2][1][:SIGN_HEADER] + bytes(16))
    save("blob.bin", blob(parts))
    return xml.tostring(root), made_up.encode(), "".join(index).encode(), boot


def massflash(size, folder, keys):
    signed, made_up, index, boot = make(size, keys)
    layout = "secureflash.xml" if keys.pkc else "flash.xml"
    save(layout + ".bin", signed + made_up)
    save(layout if keys.pkc else "flash.idx", signed if keys.pkc else index)
    tools = os.path.abspath(".")
    save("sfuse.bin", b"soft fuses")
    loader = tegra186.RECOVERY if is_186() else "mb1_t194_prod.bin"
    rcm_messages(lambda *words: subprocess.check_call([tools + "/tegrarcm_v2", *words]), loader, keys)
    recovery, memory = boot["recovery MB1_BCT"], boot.get("recovery MEM_BCT", "")
    variables = {
        "rcmarg": "--rcm rcm_2_signed.rcm" if keys.pkc else "--rcm rcm_list_signed.xml",
        "rcmsfarg": "rcm_1_signed.rcm" if keys.pkc else "",
        "pttarg": f"--pt {layout}.bin",
        "dlbrbctarg": "--download bct_bootrom br_bct_BR.bct",
        "wrbrbctarg": "--write BCT br_bct_BR.bct",
        "mb1bctarg": recovery,
        "dlmb1bctarg": f"--download bct_mb1 {recovery}",
        "wrmb1bctarg": f"--write MB1_BCT {boot['MB1_BCT']}",
        "wrmb1bctbarg": f"--write MB1_BCT_b {boot['MB1_BCT']}",
        "membctarg": memory,
        "dlmembctarg": f"--download bct_mem {memory}",
        "wrmembctarg": f"--write MEM_BCT {boot.get('MEM_BCT', '')}",
        "wrmembctbarg": f"--write MEM_BCT_b {boot.get('MEM_BCT', '')}",
    }
    lines = "\n".join(f'{name}="{value}";' for name, value in variables.items())
    script = load("standin-nvaflash.sh").replace(b"@VARIABLES@", lines.encode()).replace(b"@CHIP@", value("CHIPID").encode())
    save("nvaflash.sh", script)
    save("nvmflash.sh", b'#!/bin/bash\n# Stands in for nvmflash.sh.\nexec "$(dirname "$0")/nvaflash.sh" "$1"\n')
    # What the real package has besides: logs, temporary files of random names, partition tables of this run.
    save("mfi.log", f"{os.getpid()}\n".encode())
    save(f"tmp{uuid.uuid4().hex[:8]}_1.bct", b"")
    for name in ("mbr_1_3.bin", "gpt_primary_1_3.bin"):
        save(name, uuid.uuid4().bytes)
    os.mkdir(folder)
    for name in filter(os.path.isfile, os.listdir(".")):
        skipped = name.startswith("standin-") or name == "misbehave" or misbehaves("no boot config") and "cold_boot" in name
        if not skipped and (not keys.pkc or is_for_fused(name)):
            shutil.copy(name, folder)


def is_for_fused(name):
    """A package for fused boards has no more than what is sent and written: neither chkbdinfo nor licences."""
    listed = ("nvaflash.sh", "nvmflash.sh", "blob.bin", "br_bct_BR.bct", "emmc_bootblob_ver.txt", "qspi_bootblob_ver.txt", "system.img")
    return name in listed or name.startswith("secureflash.xml") or name.endswith((".signed", "_signed.rcm", "_v2"))


def main():
    verb, size, *rest = sys.argv[1:]
    if misbehaves("no output"):
        sys.exit("Error: Return value 4")
    if verb == "massflash":
        keys = dict(zip(rest[1::2], rest[2::2]))
        massflash(size, rest[0], Keys(keys.get("--key"), keys.get("--encrypt_key")))
        return
    _, _, index, _ = make(size, Keys())
    os.makedirs("signed", exist_ok=True)
    save("signed/flash.idx", index)
    for name in os.listdir("."):
        if name.endswith(".encrypt") and not (misbehaves("no boot config") and "cold_boot" in name):
            save(os.path.join("signed", name), load(name))


if __name__ == "__main__":
    main()
