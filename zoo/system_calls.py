"""System calls that a process forbids itself, for good: those that a model never needs.

Landlock knows of files; what it does not know of is here: every kind of socket, what looks into
other processes, what starts programs, what changes a file's owner and rights.

Source: ``Documentation/userspace-api/seccomp_filter.rst`` and ``include/uapi/linux/seccomp.h`` in
the Linux tree; the numbers are in ``unistd.h`` of each machine.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from typing import TYPE_CHECKING, NamedTuple

from zoo.landlock import refuse_new_privileges

if TYPE_CHECKING:
    from collections.abc import Mapping

_X86_64 = {
    "socket": 41, "connect": 42, "bind": 49, "listen": 50, "execve": 59, "execveat": 322,
    "kill": 62, "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311,
    "pidfd_getfd": 438, "io_uring_setup": 425, "bpf": 321, "userfaultfd": 323,
    "perf_event_open": 298, "add_key": 248, "request_key": 249, "keyctl": 250,
    "open_by_handle_at": 304, "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161,
    "move_mount": 429, "open_tree": 428, "fsopen": 430, "mount_setattr": 442,
    "unshare": 272, "setns": 308, "chmod": 90, "fchmod": 91, "fchmodat": 268, "fchmodat2": 452,
    "chown": 92, "fchown": 93, "lchown": 94, "fchownat": 260, "utimensat": 280,
    "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190,
    "removexattr": 197, "lremovexattr": 198, "fremovexattr": 199,
}  # fmt: skip
_AARCH64 = {
    "socket": 198, "connect": 203, "bind": 200, "listen": 201, "execve": 221, "execveat": 281,
    "kill": 129, "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271,
    "pidfd_getfd": 438, "io_uring_setup": 425, "bpf": 280, "userfaultfd": 282,
    "perf_event_open": 241, "add_key": 217, "request_key": 218, "keyctl": 219,
    "open_by_handle_at": 265, "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51,
    "move_mount": 429, "open_tree": 428, "fsopen": 430, "mount_setattr": 442,
    "unshare": 97, "setns": 268, "fchmod": 52, "fchmodat": 53, "fchmodat2": 452,
    "fchown": 55, "fchownat": 54, "utimensat": 88,
    "setxattr": 5, "lsetxattr": 6, "fsetxattr": 7,
    "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16,
}  # fmt: skip


class _Machine(NamedTuple):
    """What the system calls a machine, and how that numbers what is forbidden."""

    name: int
    numbers: Mapping[str, int]


_MACHINES = {
    "x86_64": _Machine(0xC000003E, _X86_64),
    "aarch64": _Machine(0xC00000B7, _AARCH64),
}
_OTHER_NUMBERS = 0x40000000
"""From here on x86_64 has its calls a second time, for programs with short pointers."""
_LOAD, _SAME, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_CALL_AT, _MACHINE_AT = 0, 4
"""Where the data of a call has its number, and the machine whose number it is."""
_KILL, _ALLOW, _REFUSE = 0x80000000, 0x7FFF0000, 0x00050000 | errno.EPERM
_SECCOMP, _FILTER = 22, 2


class _Program(ctypes.Structure):
    """``struct sock_fprog``: how many instructions, and where they are."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def forbid() -> bool:
    """Have every call of the table refused to this process and its threads, with ``EPERM``.

    Returns whether it is so; False where the machine is none whose numbers are known, or the
    system does not filter.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None or sys.platform != "linux" or sys.maxsize < 1 << 32:
        return False
    instructions = _instructions(machine)
    program = _Program(len(instructions) // 8, instructions)
    try:
        refuse_new_privileges()
    except OSError:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return not libc.prctl(_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.byref(program), 0, 0)


def _instructions(machine: _Machine) -> bytes:
    """Return a program of the packet filter: each instruction a code, two jumps and a number."""
    numbers = sorted(machine.numbers.values())
    lines = [(_LOAD, 0, 0, _MACHINE_AT), (_SAME, 1, 0, machine.name), (_RETURN, 0, 0, _KILL)]
    lines += [(_LOAD, 0, 0, _CALL_AT)]
    last = len(numbers) + 1
    lines += [(_AT_LEAST, last, 0, _OTHER_NUMBERS)]
    lines += [(_SAME, last - at, 0, number) for at, number in enumerate(numbers, 1)]
    lines += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)
