#!/usr/bin/env python3
"""Signs with an RSA key that stays in its PKCS#11 token. Started by tools/token.rs.

stdin: a line of JSON that names module, token and key, and has the PIN; when stdin ends, this program ends.
stdout: a line of JSON: the public key, or what failed. After it, the socket in the current folder answers each SHA-256
digest with a signature. Structures and numbers are those of PKCS#11 2.40 (pkcs11t.h, pkcs11f.h).
"""
import ctypes
import hashlib
import json
import os
import select
import socket
import sys

# Places in CK_FUNCTION_LIST.
FUNCTIONS = {
    "C_Initialize": 0, "C_Finalize": 1, "C_GetSlotList": 4, "C_GetTokenInfo": 6, "C_OpenSession": 12, "C_Login": 18,
    "C_GetAttributeValue": 24, "C_FindObjectsInit": 26, "C_FindObjects": 27, "C_FindObjectsFinal": 28,
    "C_SignInit": 42, "C_Sign": 43,
}
CLASS, LABEL, KEY_TYPE, ID, MODULUS, PUBLIC_EXPONENT, ALWAYS_AUTHENTICATE = 0, 3, 0x100, 0x102, 0x120, 0x122, 0x202
PUBLIC_KEY, PRIVATE_KEY, RSA = 2, 3, 0
LOGIN_REQUIRED, PIN_PAD, INITIALIZED = 4, 0x100, 0x400
SERIAL_SESSION, USER, CONTEXT_SPECIFIC = 4, 1, 2
ALREADY_LOGGED_IN = 0x100
RETURNED = {
    0x30: "CKR_DEVICE_ERROR", 0x32: "CKR_DEVICE_REMOVED", 0x68: "CKR_KEY_FUNCTION_NOT_PERMITTED",
    0x70: "CKR_MECHANISM_INVALID", 0x71: "CKR_MECHANISM_PARAM_INVALID", 0xA0: "CKR_PIN_INCORRECT",
    0xA1: "CKR_PIN_INVALID", 0xA2: "CKR_PIN_LEN_RANGE", 0xA3: "CKR_PIN_EXPIRED", 0xA4: "CKR_PIN_LOCKED",
    0xE0: "CKR_TOKEN_NOT_PRESENT", 0x101: "CKR_USER_NOT_LOGGED_IN", 0x102: "CKR_USER_PIN_NOT_INITIALIZED",
}
WRONG_PIN, LOCKED_PIN = (0xA0, 0xA1, 0xA2), (0xA3, 0xA4, 0x102)
Ulong = ctypes.c_ulong


class List(ctypes.Structure):
    _fields_ = [("version", ctypes.c_ubyte * 2), ("functions", ctypes.c_void_p * 44)]


class TokenInfo(ctypes.Structure):
    _fields_ = [("token", ctypes.c_ubyte * 32), ("manufacturer", ctypes.c_ubyte * 32), ("model", ctypes.c_ubyte * 16),
                ("serial", ctypes.c_ubyte * 16), ("flags", Ulong), ("numbers", Ulong * 10), ("rest", ctypes.c_ubyte * 20)]


class Attribute(ctypes.Structure):
    _fields_ = [("type", Ulong), ("value", ctypes.c_void_p), ("length", Ulong)]


class Pss(ctypes.Structure):
    _fields_ = [("hash", Ulong), ("mgf", Ulong), ("salt", Ulong)]


class Mechanism(ctypes.Structure):
    _fields_ = [("mechanism", Ulong), ("parameter", ctypes.c_void_p), ("length", Ulong)]


class Failed(Exception):
    """What failed, for tools/token.rs, which says it to people."""

    def __init__(self, what, detail="", seen=()):
        super().__init__(what)
        self.reply = {"failed": what, "detail": detail, "seen": sorted(seen)}


class Module:
    """A PKCS#11 module, with a session on the wanted token."""

    def __init__(self, path, wanted, pin):
        self.pin = pin
        try:
            library = ctypes.CDLL(path)
            table = ctypes.POINTER(List)()
            library.C_GetFunctionList(ctypes.byref(table))
            self.table = table.contents.functions
        except (OSError, AttributeError, ValueError) as error:
            raise Failed("module", str(error)) from None
        self.call("C_Initialize", None)
        slot, info = self.slot(wanted)
        self.session = Ulong()
        self.call("C_OpenSession", slot, SERIAL_SESSION, None, None, ctypes.byref(self.session))
        if info.flags & LOGIN_REQUIRED:
            if pin is None and not info.flags & PIN_PAD:
                raise Failed("no-pin")
            self.login(USER)

    def call(self, name, *arguments, expected=(0,), what="token"):
        # ctypes passes a plain int as a C int, which is too short.
        arguments = [Ulong(a) if isinstance(a, int) else a for a in arguments]
        returned = ctypes.CFUNCTYPE(Ulong)(self.table[FUNCTIONS[name]])(*arguments)
        if returned not in expected:
            raise Failed(what, "%s: %s" % (name, RETURNED.get(returned, "CKR 0x%x" % returned)))
        return returned

    def slot(self, wanted):
        """The slot of the one token that meets what is wanted, and what the token says of itself."""
        count = Ulong()
        self.call("C_GetSlotList", ctypes.c_ubyte(1), None, ctypes.byref(count))
        slots = (Ulong * count.value)()
        self.call("C_GetSlotList", ctypes.c_ubyte(1), slots, ctypes.byref(count))
        found, seen = [], []
        for slot in slots[:count.value]:
            info = TokenInfo()
            # A token may have been pulled out in between: CKR_TOKEN_NOT_PRESENT, CKR_TOKEN_NOT_RECOGNIZED.
            absent = self.call("C_GetTokenInfo", slot, ctypes.byref(info), expected=(0, 0xE0, 0xE1))
            if absent or not info.flags & INITIALIZED:
                continue
            has = {name: bytes(getattr(info, name)).rstrip(b" \0") for name in ("token", "manufacturer", "model", "serial")}
            seen.append(has["token"].decode(errors="replace"))
            has["slot-id"] = b"%d" % slot
            if all(wanted.get(name, value) == value for name, value in has.items()):
                found.append((slot, info))
        if len(found) != 1:
            raise Failed("many-tokens" if found else "no-token", seen=seen)
        return found[0]

    def login(self, user):
        pin = None if self.pin is None else self.pin.encode()
        anything = range(0, 1 << 32)
        returned = self.call("C_Login", self.session, user, pin, len(pin or b""), expected=anything)
        if returned in WRONG_PIN + LOCKED_PIN:
            raise Failed("wrong-pin" if returned in WRONG_PIN else "locked-pin", RETURNED[returned])
        if returned not in (0, ALREADY_LOGGED_IN):
            raise Failed("token", "C_Login: " + RETURNED.get(returned, "CKR 0x%x" % returned))

    def objects(self, of_class, **wanted):
        """Objects of a class with a label or an identifier."""
        values = [(CLASS, bytes(Ulong(of_class)))]
        values += [(kind, wanted[name]) for name, kind in (("object", LABEL), ("id", ID)) if name in wanted]
        template = (Attribute * len(values))()
        for place, (kind, value) in zip(template, values):
            place.type, place.length = kind, len(value)
            place.value = ctypes.cast(ctypes.create_string_buffer(value, len(value)), ctypes.c_void_p)
        self.call("C_FindObjectsInit", self.session, template, len(values))
        found, count = (Ulong * 64)(), Ulong()
        self.call("C_FindObjects", self.session, found, 64, ctypes.byref(count))
        self.call("C_FindObjectsFinal", self.session)
        return found[:count.value]

    def attribute(self, thing, kind):
        """The bytes of an attribute; empty if there is none."""
        wanted = Attribute(kind, None, 0)
        # CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID
        absent = self.call("C_GetAttributeValue", self.session, thing, ctypes.byref(wanted), 1, expected=(0, 0x11, 0x12))
        if absent or wanted.length in (0, Ulong(-1).value):
            return b""
        value = ctypes.create_string_buffer(wanted.length)
        wanted.value = ctypes.cast(value, ctypes.c_void_p)
        self.call("C_GetAttributeValue", self.session, thing, ctypes.byref(wanted), 1)
        return value.raw[:wanted.length]


class Key:
    """A private key in a token."""

    def __init__(self, module, wanted):
        self.module = module
        keys = module.objects(PRIVATE_KEY, **{name: wanted[name] for name in ("object", "id") if name in wanted})
        if len(keys) != 1:
            seen = [module.attribute(key, LABEL).decode(errors="replace") for key in module.objects(PRIVATE_KEY)]
            raise Failed("many-keys" if keys else "no-key", seen=seen)
        self.key = keys[0]
        if int.from_bytes(module.attribute(self.key, KEY_TYPE), sys.byteorder) != RSA:
            raise Failed("not-rsa", "it is no RSA key")
        self.always = module.attribute(self.key, ALWAYS_AUTHENTICATE) == b"\1"
        # Of a private key the public exponent may be missing; then it is in the public key with the same identifier.
        public = [self.key] + module.objects(PUBLIC_KEY, id=module.attribute(self.key, ID))
        parts = [[module.attribute(key, kind) for kind in (MODULUS, PUBLIC_EXPONENT)] for key in public]
        whole = [pair for pair in parts if all(pair)]
        if not whole:
            raise Failed("not-rsa", "the token does not tell its public part")
        self.modulus, self.exponent = (int.from_bytes(part, "big") for part in whole[0])
        bits = self.modulus.bit_length()
        self.size = bits // 8
        if bits not in (2048, 3072) or self.exponent != 65537:
            raise Failed("not-rsa", "it has %d bits and the public exponent %d" % (bits, self.exponent))

    def choose(self):
        """Finds out how the token signs. NVIDIA's tegraopenssl pads with a salt of 32 bytes 0xff, so that a bundle comes out the
        same each time. Where a token does RSA alone we pad, likewise; else it pads itself, with a random salt."""
        digest = hashlib.sha256(b"carveout sees whether this token signs").digest()
        self.pads = False
        try:
            self.sign(digest)
        except Failed as failed:
            if failed.reply["failed"] != "sign":
                raise
            self.pads = True
            self.sign(digest)

    def sign(self, digest):
        """RSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes, big-endian."""
        if self.pads:
            pss = Pss(0x250, 2, 32)
            mechanism = Mechanism(0xD, ctypes.cast(ctypes.pointer(pss), ctypes.c_void_p), ctypes.sizeof(pss))
            data = digest
        else:
            mechanism, data = Mechanism(3, None, 0), self.padded(digest, b"\xff" * 32)
        self.module.call("C_SignInit", self.module.session, ctypes.byref(mechanism), self.key, what="sign")
        if self.always:
            self.module.login(CONTEXT_SPECIFIC)
        signature = ctypes.create_string_buffer(1024)
        length = Ulong(1024)
        self.module.call("C_Sign", self.module.session, data, len(data), signature, ctypes.byref(length), what="sign")
        made = signature.raw[:length.value]
        message = pow(int.from_bytes(made, "big"), self.exponent, self.modulus).to_bytes(self.size, "big")
        salt = xor(message[:-33], mask(message[-33:-1], self.size - 33))[-32:]
        if len(made) != self.size or message != self.padded(digest, salt):
            raise Failed("sign", "its signature does not fit the public key")
        return made

    def padded(self, digest, salt):
        """EMSA-PSS-ENCODE of RFC 8017, 9.1.1, for keys whose bits are a multiple of 8."""
        seed = hashlib.sha256(bytes(8) + digest + salt).digest()
        block = (b"\1" + salt).rjust(self.size - 33, b"\0")
        masked = xor(block, mask(seed, len(block)))
        return bytes([masked[0] & 0x7F]) + masked[1:] + seed + b"\xbc"


def mask(seed, length):
    """MGF1 of RFC 8017, B.2.1."""
    return b"".join(hashlib.sha256(seed + i.to_bytes(4, "big")).digest() for i in range(length // 32 + 1))[:length]


def xor(one, other):
    return bytes(a ^ b for a, b in zip(one, other))


def serve(key, listener):
    """Answers `+` and the signature, or `-` and what failed, until stdin ends."""
    while sys.stdin not in select.select([sys.stdin, listener], [], [])[0]:
        peer, _ = listener.accept()
        with peer:
            peer.settimeout(10)
            try:
                digest = b""
                while len(digest) < 32:
                    part = peer.recv(32 - len(digest))
                    if not part:
                        raise OSError("half a digest")
                    digest += part
                try:
                    reply = b"+" + key.sign(digest)
                except Failed as failed:
                    reply = b"-" + failed.reply["detail"].encode()
                peer.sendall(reply)
            except OSError:
                # Whoever asked has gone away.
                pass


def main():
    # Modules have been seen to print: only we write to what is read.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    order = json.loads(sys.stdin.readline())
    wanted = {name: bytes.fromhex(value) for name, value in order["wanted"].items()}
    key = listener = None
    try:
        key = Key(Module(order["module"], wanted, order["pin"]), wanted)
        key.choose()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("socket")
        listener.listen(64)
        reply = {"modulus": "%x" % key.modulus, "pads": key.pads}
    except Failed as failed:
        reply = failed.reply
    except Exception as error:  # Rather a strange word than none.
        reply = {"failed": "token", "detail": "%s: %s" % (type(error).__name__, error), "seen": []}
    print(json.dumps(reply), file=out, flush=True)
    if listener:
        serve(key, listener)
        key.module.call("C_Finalize", None)


main()
