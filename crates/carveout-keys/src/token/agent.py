#!/usr/bin/env python3
"""Signs with a key that stays in its PKCS#11 token. Started by tools/token.rs.

stdin: a line of JSON that names module, token and key and which kind it must be, and has the PIN; when stdin ends, this
program ends.
stdout: a line of JSON: the public key, or what failed. After it, the socket in the current folder answers with a signature:
of an RSA key to each SHA-256 digest, of an Ed25519 key to each message, up to its end. Structures and numbers are those of
PKCS#11 2.40 (pkcs11t.h, pkcs11f.h), those of Ed25519 of 3.0.
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
CLASS, LABEL, KEY_TYPE, ID, MODULUS, PUBLIC_EXPONENT, EC_POINT, ALWAYS_AUTHENTICATE = 0, 3, 0x100, 0x102, 0x120, 0x122, 0x181, 0x202
PUBLIC_KEY, PRIVATE_KEY, RSA, EC_EDWARDS = 2, 3, 0, 0x40
RSA_PKCS_PSS, RSA_X_509, EDDSA = 0xD, 3, 0x1057
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

    def __init__(self, module, wanted, kind):
        self.module = module
        keys = module.objects(PRIVATE_KEY, **{name: wanted[name] for name in ("object", "id") if name in wanted})
        if len(keys) != 1:
            seen = [module.attribute(key, LABEL).decode(errors="replace") for key in module.objects(PRIVATE_KEY)]
            raise Failed("many-keys" if keys else "no-key", seen=seen)
        self.key = keys[0]
        if int.from_bytes(module.attribute(self.key, KEY_TYPE), sys.byteorder) != kind:
            raise Failed("other-kind", "it is no %s key" % ("RSA" if kind == RSA else "Ed25519"))
        self.always = module.attribute(self.key, ALWAYS_AUTHENTICATE) == b"\1"

    def public(self, *kinds):
        """Attributes of the public part. The private key may lack them; then they are in the public key with its identifier."""
        keys = [self.key] + self.module.objects(PUBLIC_KEY, id=self.module.attribute(self.key, ID))
        parts = [[self.module.attribute(key, kind) for kind in kinds] for key in keys]
        whole = [part for part in parts if all(part)]
        if not whole:
            raise Failed("other-kind", "the token does not tell its public part")
        return whole[0]

    def made(self, mechanism, data):
        """What the token makes of data."""
        self.module.call("C_SignInit", self.module.session, ctypes.byref(mechanism), self.key, what="sign")
        if self.always:
            self.module.login(CONTEXT_SPECIFIC)
        signature = ctypes.create_string_buffer(1024)
        length = Ulong(1024)
        self.module.call("C_Sign", self.module.session, data, len(data), signature, ctypes.byref(length), what="sign")
        return signature.raw[:length.value]


class Ed25519(Key):
    """Signs messages; PureEdDSA of RFC 8032."""

    def __init__(self, module, wanted):
        super().__init__(module, wanted, EC_EDWARDS)
        # A DER OCTET STRING, or the bytes themselves, as PKCS#11 3.1 has it.
        (point,) = self.public(EC_POINT)
        self.point = point[2:] if point[:2] == b"\x04\x20" and len(point) == 34 else point
        if len(self.point) != 32:
            raise Failed("other-kind", "its public part has %d bytes" % len(self.point))
        self.sign(b"carveout sees whether this token signs")

    def reply(self):
        return {"public": self.point.hex()}

    def request(self, peer):
        message = b""
        while True:
            part = peer.recv(65536)
            if not part:
                return message
            message += part

    def sign(self, message):
        made = self.made(Mechanism(EDDSA, None, 0), message)
        if len(made) != 64:
            raise Failed("sign", "its signature has %d bytes" % len(made))
        return made


class Rsa(Key):
    """Signs digests as boards want it."""

    def __init__(self, module, wanted):
        super().__init__(module, wanted, RSA)
        self.modulus, self.exponent = (int.from_bytes(part, "big") for part in self.public(MODULUS, PUBLIC_EXPONENT))
        bits = self.modulus.bit_length()
        self.size = bits // 8
        if bits not in (2048, 3072) or self.exponent != 65537:
            raise Failed("other-kind", "it has %d bits and the public exponent %d" % (bits, self.exponent))
        self.choose()

    def reply(self):
        return {"public": "%x" % self.modulus, "pads": self.pads}

    def request(self, peer):
        digest = b""
        while len(digest) < 32:
            part = peer.recv(32 - len(digest))
            if not part:
                raise OSError("half a digest")
            digest += part
        return digest

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
            mechanism = Mechanism(RSA_PKCS_PSS, ctypes.cast(ctypes.pointer(pss), ctypes.c_void_p), ctypes.sizeof(pss))
            data = digest
        else:
            mechanism, data = Mechanism(RSA_X_509, None, 0), self.padded(digest, b"\xff" * 32)
        made = self.made(mechanism, data)
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
                message = key.request(peer)
                try:
                    reply = b"+" + key.sign(message)
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
        kind = {"rsa": Rsa, "ed25519": Ed25519}[order["kind"]]
        key = kind(Module(order["module"], wanted, order["pin"]), wanted)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind("socket")
        listener.listen(64)
        reply = key.reply()
    except Failed as failed:
        reply = failed.reply
    except Exception as error:  # Rather a strange word than none.
        reply = {"failed": "token", "detail": "%s: %s" % (type(error).__name__, error), "seen": []}
    print(json.dumps(reply), file=out, flush=True)
    if listener:
        serve(key, listener)
        key.module.call("C_Finalize", None)


main()
