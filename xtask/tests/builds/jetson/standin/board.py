#!/usr/bin/python3 -SE
"""Stands in for NVIDIA's device-side flash tools, and for the boards that they talk to (L4T R32, t194 and t186).

The name by which it is called says which tool it is: tegrarcm_v2, tegradevflash_v2, tegraparser_v2 or chkbdinfo. Of each board
it keeps, in the folder $STANDIN_STATE:
  <instance>.state    rom, mb1, mb2, cpubl, linux, or hung
  <instance>.calls    every call, without --instance; those that name no board are in host.calls
  <instance>.eeprom   what chkbdinfo prints of it: board, fab, SKU, revision
  <instance>.cid      what the boot ROM says
  <instance>.script   lines `MATCH ACTION`: what goes wrong in calls that contain MATCH
  <instance>/<NAME>   what a partition holds
Exit codes and words are those that the real tools were seen to give."""

import os
import shutil
import sys
import time

GOOD_CID = "0x88021911000000000000000000000001"
BCTS = {"bct_bootrom", "bct_mb1", "bct_mem"}
# A t186 has no memory BCT, and its MB1 of recovery mode reads the EEPROM itself.
BCTS_186 = {"bct_bootrom", "bct_mb1"}


class Failure(Exception):
    """Ends the call with this exit code and these words."""

    def __init__(self, code, words):
        super().__init__(words)
        self.code = code


class Board:
    def __init__(self, instance):
        self.instance = instance
        self.home = os.path.join(os.environ["STANDIN_STATE"], instance)
        self.usb = os.path.join(os.environ["CARVEOUT_USB_DEVICES"], instance)
        self.corrupts = False

    def read(self, suffix, default=""):
        try:
            with open(f"{self.home}.{suffix}") as file:
                return file.read().strip()
        except FileNotFoundError:
            return default

    def is_186(self):
        return self.read("cid", GOOD_CID)[3:5] == "18"

    def be(self, state):
        with open(f"{self.home}.state", "w") as file:
            file.write(state)

    def called(self, call):
        """Notes a call, and does what the script has for it. True if nothing else is to be done."""
        with open(f"{self.home}.calls", "a") as file:
            file.write(call + "\n")
        for line in self.read("script").splitlines():
            match, _, action = line.rpartition(" ")
            if match not in call:
                continue
            if action == "fail":
                raise Failure(8, "Error: it was told to fail")
            if action == "vanish":
                shutil.rmtree(self.usb)
                raise Failure(8, "Error: the board is gone")
            if action == "hang":
                time.sleep(3600)
            if action == "grow":
                with open("system.img", "ab") as file:
                    file.write(b"x")
                return False
            if action == "lie":
                print("Error: FAILED")
            self.corrupts = action == "corrupt"
            return not self.corrupts
        return False

    def partition(self, name):
        return os.path.join(self.home, name)

    def put(self, name, file, size):
        """Writes a file to a partition, which is as long as the layout says."""
        if not os.path.exists(file) or os.path.getsize(file) == 0:
            raise Failure(10, "File to be written cannot be of zero size")
        copy(file, self.partition(name))
        self.damage(self.partition(name))
        if size and size > os.path.getsize(file):
            os.truncate(self.partition(name), size)

    def damage(self, path):
        if self.corrupts:
            with open(path, "r+b") as file:
                at = min(16, os.path.getsize(path) - 1)
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ 0x40]))


def copy(source, target):
    """Copies without the holes of a sparse file."""
    os.makedirs(os.path.dirname(os.path.abspath(target)), exist_ok=True)
    with open(source, "rb") as old, open(target, "wb") as new:
        length, at = os.fstat(old.fileno()).st_size, 0
        while at < length:
            try:
                start = os.lseek(old.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            at = os.lseek(old.fileno(), start, os.SEEK_HOLE)
            old.seek(start)
            new.seek(start)
            while start < at:
                block = old.read(min(1 << 20, at - start))
                new.write(block)
                start += len(block)
        new.truncate(length)


def layout(path):
    """Name, size in bytes or None, and file of each partition."""
    import xml.etree.ElementTree as xml  # slow to load, and seldom needed

    for partition in xml.parse(path).getroot().iter("partition"):
        text = lambda tag: partition.findtext(tag, "").strip()
        size = int(text("size") or "0", 0)
        fixed = 0 < size < 1 << 63 and int(text("allocation_attribute") or "0", 16) & 0x800 == 0
        yield partition.get("name"), size if fixed else None, text("filename")


def sizes():
    """Sizes by the layout at hand."""
    paths = [path for path in ("flash.xml.bin", "secureflash.xml.bin") if os.path.exists(path)]
    return {name: size for path in paths[:1] for name, size, _ in layout(path)}


def exists(file):
    if not os.path.exists(file):
        raise Failure(19, f"File {file} open failed")


def after(words, option):
    """The words behind an option, each time it stands there, up to the next option."""
    for at, word in enumerate(words):
        if word == option:
            end = next((i for i in range(at + 1, len(words)) if words[i].startswith("--")), len(words))
            yield words[at + 1 : end]


def rcm_offline(words):
    """The messages of a boot loader, to be signed."""
    if "--listrcm" in words:
        names = [f"rcm_{number}.rcm" for number in range(3)]
        with open(words[words.index("rcm") + 1], "rb") as file:
            loader = file.read()
        for name in names:
            with open(name, "wb") as file:
                file.write(b"RCM " + name.encode() + loader)
        with open(next(after(words, "--listrcm"))[0], "w") as file:
            file.write("<file_list>" + "".join(f'<file name="{name}" />' for name in names) + "</file_list>\n")
    else:
        exists(next(after(words, "--updatesig"))[0])


def tegrarcm(board, words):
    state, *loaded = board.read("state", "rom").split()
    if "--isapplet" in words or "--ismb2" in words:
        wanted = "mb1" if "--isapplet" in words else "mb2"
        raise Failure(0 if state == wanted else 8, f"{wanted} {'runs' if state == wanted else 'does not run'}")
    if "--rcm" in words:
        for [file] in after(words, "--rcm"):
            exists(file)
        if next(after(words, "--chip"))[0] != ("0x18" if board.is_186() else "0x19"):
            print(f"BR_CID: {board.read('cid', GOOD_CID)}")
            raise Failure(8, "Error: the boot ROM takes no message for another chip")
        if state != "rom":
            raise Failure(0, "BootRom is not running")
        if "--skipuid" not in words:
            print(f"BR_CID: {board.read('cid', GOOD_CID)}")
        board.be("mb1")
    elif "--uid" in words:
        print(f"BR_CID: {board.read('cid', GOOD_CID)}")
    elif "--download" in words:
        files = list(after(words, "--download"))
        for _, file in files:
            exists(file)
        if state != "mb1":
            raise Failure(0, "Applet is not running on device. Continue with Bootloader")
        board.be(" ".join([state, *loaded, *(kind for kind, _ in files)]))
    elif "--boot" in words:
        if state != "mb1":
            raise Failure(0, "Applet is not running on device. Continue with Bootloader")
        whole = (BCTS_186 if board.is_186() else BCTS) | {"blob"} <= set(loaded)
        board.be("mb2" if "mb2" in loaded else "cpubl" if whole else "hung")
    elif state not in ("mb1", "mb2"):
        raise Failure(8, "neither MB1 nor MB2 runs")
    elif "--oem" in words:
        if "eeprom" in words and state == "mb1" and not board.is_186():
            raise Failure(8, "MB1 of t194 reads no EEPROM")
        with open(words[-1], "w") as file:
            file.write(board.read("eeprom") if "eeprom" in words else "details\n")
    elif "--reboot" in words:
        board.be("rom")
    else:
        raise Failure(4, "usage")


def tegradevflash(board, words):
    if board.read("state", "rom") != "cpubl":
        raise Failure(4, "CPU Bootloader is not running on device.")
    if "--oem" in words:
        with open(words[-1], "w") as file:
            file.write("storage of 31276924928 bytes\n")
    elif "--create" in words and "--pt" in words:
        [table] = next(after(words, "--pt"))
        exists(table)
        rows = list(layout(table))
        for _, _, file in rows:
            if file:
                exists(file)
        # Every partition is made anew, also those without a file.
        shutil.rmtree(board.home, ignore_errors=True)
        for name, size, file in rows:
            if file:
                board.put(name, file, size)
    elif "--write" in words:
        name, file = next(after(words, "--write"))
        board.put(name, file, sizes().get(name))
    elif "--read" in words:
        name, file = next(after(words, "--read"))
        if os.path.exists(board.partition(name)):
            copy(board.partition(name), file)
        elif sizes().get(name):
            with open(file, "wb") as empty:
                empty.truncate(sizes()[name])
        else:
            raise Failure(8, f"Error: no partition {name}")
        board.damage(file)
    elif "--reboot" in words:
        coldboot = next(after(words, "--reboot")) == ["coldboot"]
        board.be("linux" if coldboot else "rom")
        if coldboot:
            shutil.rmtree(board.usb)
    elif "--iscpubl" not in words and "--create" not in words:
        raise Failure(4, "usage")


def tegraparser(words):
    [table] = next(after(words, "--pt"))
    exists(table)
    if "--generategpt" not in words:
        # Compiles a layout; the name that it gives is its own.
        copy(table, os.path.splitext(table)[0] + ".bin")
    for [file] in after(words, "--storageinfo"):
        exists(file)
    if "--generategpt" in words:
        for name in ("mbr_1_3.bin", "gpt_primary_1_3.bin", "gpt_secondary_0_3.bin", "gpt_secondary_1_3.bin"):
            with open(name, "w") as file:
                file.write("partition table\n")


def chkbdinfo(words):
    if len(words) != 2 or not os.path.exists(words[1]):
        raise Failure(255, "ERROR: usage")
    with open(words[1]) as file:
        fields = dict(zip(("-i", "-f", "-k", "-r"), file.read().split()))
    print(fields.get(words[0], "") + " ")


def main():
    tool, words = os.path.basename(sys.argv[0]).split(".")[0], sys.argv[1:]
    if "--listrcm" in words or "--updatesig" in words:
        return rcm_offline(words)
    if tool in ("tegraparser_v2", "chkbdinfo"):
        board = Board("host")
        if not board.called(" ".join([tool, *words])):
            (chkbdinfo if tool == "chkbdinfo" else tegraparser)(words)
        return None
    if words[:1] != ["--instance"]:
        raise Failure(4, "no --instance: which board is meant is not guessed")
    board, words = Board(words[1]), words[2:]
    silent = board.called(" ".join([tool, *words]))
    if not os.path.isdir(board.usb):
        raise Failure(8, "USB communication failed" if tool == "tegrarcm_v2" else "Cannot Open USB")
    if not silent:
        (tegrarcm if tool == "tegrarcm_v2" else tegradevflash)(board, words)
    return None


try:
    main()
except Failure as failure:
    print(failure)
    sys.exit(failure.code)
