"""The system calls that a sandboxed program may not make, as a filter for the kernel.

Namespaces already take away files, network and other processes. The filter takes away what they
leave: memory that belongs to no process (memfd, System V, large socket buffers), namespaces of
one's own, sockets other than local ones, tracing, and rarely used parts of the kernel.
"""

from __future__ import annotations

import errno
import platform
import struct
from typing import Final

# From linux/filter.h and linux/seccomp.h.
_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_OF: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K
_KILL: Final = 0x80000000
_ERRNO: Final = 0x00050000
_ALLOW: Final = 0x7FFF0000
# Offsets in struct seccomp_data; of arguments the low word, on a little-endian machine.
_NUMBER, _MACHINE, _FIRST, _THIRD = 0, 4, 16, 32

_NEW_NAMESPACES: Final = 0x7E020000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
_LOCAL: Final = 1  # AF_UNIX
_BUFFER_SIZES: Final = (7, 8, 32, 33)  # SO_{SND,RCV}BUF and their FORCE forms
_X32: Final = 0x40000000

_MACHINES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CALLS: Final[dict[str, tuple[int, int]]] = {
    # name: number on x86_64, on aarch64
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
}
_CLONE: Final = (56, 220)
_CLONE3: Final = (435, 435)
_SOCKET: Final = (41, 198)
_SETSOCKOPT: Final = (54, 208)


def program(machine: str | None = None) -> bytes | None:
    """Return the filter as an array of `struct sock_filter`, or None for an unknown machine."""
    machine = machine or platform.machine()
    if machine not in _MACHINES:
        return None
    column = list(_MACHINES).index(machine)
    code = [
        _op(_LOAD, _MACHINE),
        _op(_EQUAL, _MACHINES[machine], 1, 0),
        _op(_RETURN, _KILL),
        _op(_LOAD, _NUMBER),
        _op(_AT_LEAST, _X32, 0, 1),
        _op(_RETURN, _ERRNO | errno.ENOSYS),
        # The flags of clone3 lie in memory, out of reach; the C library falls back to clone.
        *_deny(_CLONE3[column], errno.ENOSYS),
    ]
    for numbers in _CALLS.values():
        code += _deny(numbers[column], errno.EPERM)
    code += [
        _op(_EQUAL, _CLONE[column], 0, 4),
        _op(_LOAD, _FIRST),
        _op(_ANY_OF, _NEW_NAMESPACES, 0, 1),
        _op(_RETURN, _ERRNO | errno.EPERM),
        _op(_RETURN, _ALLOW),
        _op(_EQUAL, _SOCKET[column], 0, 4),
        _op(_LOAD, _FIRST),
        _op(_EQUAL, _LOCAL, 1, 0),
        _op(_RETURN, _ERRNO | errno.EAFNOSUPPORT),
        _op(_RETURN, _ALLOW),
        _op(_EQUAL, _SETSOCKOPT[column], 0, len(_BUFFER_SIZES) + 1),
        _op(_LOAD, _THIRD),
    ]
    for i, option in enumerate(_BUFFER_SIZES):
        code.append(_op(_EQUAL, option, len(_BUFFER_SIZES) - i, 0))
    code += [_op(_RETURN, _ALLOW), _op(_RETURN, _ERRNO | errno.EPERM)]
    return b"".join(code)


def _deny(number: int, error: int) -> list[bytes]:
    return [_op(_EQUAL, number, 0, 1), _op(_RETURN, _ERRNO | error)]


def _op(code: int, k: int, then: int = 0, otherwise: int = 0) -> bytes:
    return struct.pack("=HBBI", code, then, otherwise, k)
