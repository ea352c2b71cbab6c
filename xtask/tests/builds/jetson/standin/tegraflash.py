"""Stands in for tegraflash.py of L4T R32: the one call that reads a module's EEPROM, `--cmd "dump eeprom …" --keep`.

It makes signed RCM messages and a signed boot loader in a folder named by its process, and drives tegrarcm_v2 with them."""

import os
import subprocess
import sys

import tegraflash_internal as internal


def main():
    options, flags = {}, set()
    words = iter(sys.argv[1:])
    for word in words:
        if word in ("--skipuid", "--keep"):
            flags.add(word)
        else:
            options[word] = next(words)
    assert options["--cmd"] == "dump eeprom boardinfo cvm.bin; reboot recovery", options["--cmd"]
    assert options["--chip"] == "0x19" and flags == {"--skipuid", "--keep"}, (options, flags)
    keys = internal.Keys(options.get("--key"), options.get("--encrypt_key"))
    here = os.getcwd()
    os.mkdir(str(os.getpid()))
    os.chdir(str(os.getpid()))

    def tool(*arguments, expected=0):
        code = subprocess.call([os.path.join(here, "tegrarcm_v2"), *arguments])
        if code != expected:
            print(f"Error: Return value {code}\nCommand tegrarcm_v2 {' '.join(arguments)}")
            sys.exit(1)

    with open(os.path.join(here, options["--soft_fuses"])) as file:
        internal.save("sfuse.bin", internal.digest(file.read().encode()))
    internal.rcm_messages(tool, os.path.join(here, options["--applet"]), keys)
    applet = internal.sign(os.path.join(here, options["--bins"].split()[1]), keys, early=True)
    tool("--chip", "0x19", "0", "--rcm", "rcm_list_signed.xml", "--skipuid")
    tool("--isapplet")
    tool("--ismb2", expected=8)
    tool("--download", "mb2", applet)
    tool("--boot", "recovery")
    tool("--isapplet", expected=8)
    tool("--ismb2")
    tool("--oem", "platformdetails", "eeprom", "cvm", os.path.join(here, "cvm.bin"))
    tool("--reboot", "recovery")


main()
