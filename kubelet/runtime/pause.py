"""The pause program: a static ELF file of some 400 bytes, written here instruction by instruction.

A sandbox container runs only this. It must do three things that a shell does badly: start at once, reap every orphan
of the pod (it is process 1 where a pod shares its process namespace), and obey SIGTERM without a delay. With an
argument it first makes the pod's network namespace, which costs nothing here and 140 ms in dockerd; whatever it was
allowed for that it gives up. No compiler, no download: the file is the ELF header, one loadable segment, and the code
below.

    if there is an argument: unshare(CLONE_NEWNET), and leave with 1 where that fails
    capset(nothing)
    rt_sigaction(SIGCHLD, {SIG_IGN})      the kernel itself reaps children whose parent ignores SIGCHLD
    rt_sigaction(SIGTERM, {leave})        process 1 ignores signals without a handler: so there is one
    rt_sigaction(SIGINT,  {leave})
    again: pause(); goto again            (ppoll(0, 0, 0, 0) on aarch64, which has no pause)
    leave: exit_group(0)

Sources: elf(5), rt_sigaction(2), the kernel's arch/*/include/uapi/asm/{unistd,signal}.h. x86_64 runs in every
test of the runtime; aarch64 was run by hand under qemu-user 7.2 (whose capset wants to write to what is only read).
"""

import hashlib
import io
import platform
import struct
import tarfile
from collections.abc import Sequence

_BASE = 0x400000  # where the segment is loaded; the file's first byte
_HEADERS = 64 + 56  # ELF header and one program header
_SA_RESTORER = 0x04000000  # x86_64 refuses to call a handler without one; ours never returns, so any address does
_SIG_IGN = 1
_SIGINT, _SIGTERM, _SIGCHLD = 2, 15, 17
_CLONE_NEWNET = 0x40000000
_NO_CAPABILITIES = struct.pack("<II", 0x20080522, 0) + bytes(24)  # version 3, this process; empty sets


def _sigaction(handler: int) -> bytes:
    """The kernel's struct sigaction: handler, flags, restorer, mask."""
    return struct.pack("<QQQQ", handler, _SA_RESTORER, _BASE, 0)


def _x86_64(data: int) -> tuple[bytes, int]:
    """The code, and the address of `leave`. `data` is where the two sigactions (ignore, leave) and capset's lie."""
    unshare = b"\xb8" + struct.pack("<I", 272)  # mov  eax, 272 (unshare)
    unshare += b"\xbf" + struct.pack("<I", _CLONE_NEWNET)  # mov  edi, CLONE_NEWNET
    unshare += b"\x0f\x05"  # syscall
    unshare += b"\x85\xc0"  # test eax, eax
    unshare += b"\x0f\x85"  # jnz  fail (its distance follows)
    code = b"\x83\x3c\x24\x01"  # cmp  dword [rsp], 1 (argc)
    code += b"\x7e" + bytes([len(unshare) + 4])  # jle  behind it
    code += unshare
    jump = len(code)
    code += bytes(4)
    code += b"\xb8" + struct.pack("<I", 126)  # mov  eax, 126 (capset)
    code += b"\xbf" + struct.pack("<I", data + 64)  # mov  edi, header
    code += b"\xbe" + struct.pack("<I", data + 72)  # mov  esi, sets
    code += b"\x0f\x05"  # syscall
    for signal, action in ((_SIGCHLD, data), (_SIGTERM, data + 32), (_SIGINT, data + 32)):
        code += b"\xb8" + struct.pack("<I", 13)  # mov  eax, 13 (rt_sigaction)
        code += b"\xbf" + struct.pack("<I", signal)  # mov  edi, signal
        code += b"\xbe" + struct.pack("<I", action)  # mov  esi, action
        code += b"\x31\xd2"  # xor  edx, edx (no old action)
        code += b"\x41\xba" + struct.pack("<I", 8)  # mov  r10d, 8 (size of the mask)
        code += b"\x0f\x05"  # syscall
    code += b"\xb8" + struct.pack("<I", 34)  # again: mov eax, 34 (pause)
    code += b"\x0f\x05"  # syscall
    code += b"\xeb\xf7"  # jmp  again (9 bytes back)
    leave = _BASE + _HEADERS + len(code)
    code += b"\xb8" + struct.pack("<I", 231)  # leave: mov eax, 231 (exit_group)
    code += b"\x31\xff"  # xor  edi, edi
    code += b"\x0f\x05"  # syscall
    fail = len(code)
    code += b"\xb8" + struct.pack("<I", 231)  # fail: mov eax, 231 (exit_group)
    code += b"\xbf" + struct.pack("<I", 1)  # mov  edi, 1
    code += b"\x0f\x05"  # syscall
    return code[:jump] + struct.pack("<i", fail - jump - 4) + code[jump + 4 :], leave


def _aarch64(data: int) -> tuple[bytes, int]:
    """The same for aarch64: every instruction is one 32-bit word."""

    def movz(register: int, value: int, shift: int = 0) -> int:  # movz xN, value, lsl shift
        return 0xD2800000 | (shift // 16) << 21 | value << 5 | register

    def movk(register: int, value: int, shift: int) -> int:  # movk xN, value, lsl shift
        return 0xF2800000 | (shift // 16) << 21 | value << 5 | register

    def address(register: int, value: int) -> list[int]:
        return [movz(register, value & 0xFFFF), movk(register, value >> 16, 16)]

    call = 0xD4000001  # svc #0
    words = [0xF94003E0, 0xF100041F]  # ldr x0, [sp] (argc); cmp x0, #1
    words.append(0x5400000D | 5 << 5)  # b.le behind it, five words on
    words += [movz(8, 97), movz(0, _CLONE_NEWNET >> 16, 16), call]  # x8 = unshare
    jump = len(words)
    words.append(0)  # cbnz x0, fail
    words += [movz(8, 91), *address(0, data + 64), *address(1, data + 72), call]  # x8 = capset
    for signal, action in ((_SIGCHLD, data), (_SIGTERM, data + 32), (_SIGINT, data + 32)):
        words += [movz(8, 134), movz(0, signal), *address(1, action)]
        words += [movz(2, 0), movz(3, 8), call]  # x8 = rt_sigaction, x1 = action, x2 = 0, x3 = 8
    again = [movz(8, 73), movz(0, 0), movz(1, 0), movz(2, 0), movz(3, 0), call]  # ppoll(NULL, 0, NULL, NULL)
    words += again
    words.append(0x14000000 | (-len(again) & 0x03FFFFFF))  # b again
    leave = _BASE + _HEADERS + 4 * len(words)
    words += [movz(8, 94), movz(0, 0), call]  # exit_group(0)
    words[jump] = 0xB5000000 | (len(words) - jump) << 5
    words += [movz(8, 94), movz(0, 1), call]  # fail: exit_group(1)
    return struct.pack(f"<{len(words)}I", *words), leave


_MACHINES = {"x86_64": (62, _x86_64), "aarch64": (183, _aarch64)}  # ELF e_machine, encoder


def program(machine: str = "") -> bytes:
    """The executable for a machine (default: this one)."""
    number, encode = _MACHINES[machine or platform.machine()]
    length = len(encode(0x400000)[0])  # addresses do not change the code's length
    data = _BASE + _HEADERS + length
    code, leave = encode(data)
    body = code + _sigaction(_SIG_IGN) + _sigaction(leave) + _NO_CAPABILITIES
    size = _HEADERS + len(body)
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)  # 64 bit, little-endian, version 1
    header = struct.pack("<HHIQQQIHHHHHH", 2, number, 1, _BASE + _HEADERS, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x10000)  # PT_LOAD, R+X
    return ident + header + segment + body


def archive(machine: str = "") -> bytes:
    """A root file system with nothing but `/pause`, as a tar for `docker import`."""
    data = program(machine)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("pause")
        entry.size, entry.mode = len(data), 0o755
        tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def reference(machine: str = "") -> str:
    """The image's name: its tag is its content, so a new version never meets an old image."""
    return f"pykube/pause:{hashlib.sha256(program(machine)).hexdigest()[:12]}"


#: The argument with which the program makes a network namespace.
NETWORK = "network"
#: What `docker import` is told besides the files.
CHANGES: Sequence[str] = ('ENTRYPOINT ["/pause"]', "LABEL io.pykube.image=pause")
