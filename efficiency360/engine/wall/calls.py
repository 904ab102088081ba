"""Numbers of the system calls that the wall refuses, from the kernel's unistd.h.

Source: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h (aarch64) of Linux 6.17.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NETWORK = "socket bind connect listen accept accept4 io_uring_setup io_uring_enter io_uring_register socketpair"
_PROCESSES = "fork vfork execve execveat setsid setpgid"
_ATTRIBUTES = (
    "chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes futimesat utimensat setxattr "
    "lsetxattr fsetxattr setxattrat removexattr lremovexattr fremovexattr removexattrat file_setattr"
)
_OF_OTHERS = (
    "ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_open pidfd_getfd "
    "pidfd_send_signal tkill setpriority sched_setscheduler sched_setattr ioprio_set inotify_init inotify_init1 "
    "inotify_add_watch io_setup"
)
_SHARED = "shmget shmat shmctl semget msgget mq_open mq_unlink memfd_create memfd_secret"
_ADMINISTRATION = (
    "bpf perf_event_open userfaultfd add_key request_key keyctl mount umount2 pivot_root chroot unshare setns "
    "mount_setattr move_mount open_tree fsopen fsconfig fsmount fspick swapon swapoff reboot kexec_load "
    "kexec_file_load init_module finit_module delete_module acct quotactl quotactl_fd settimeofday clock_settime "
    "clock_adjtime adjtimex sethostname setdomainname iopl ioperm open_by_handle_at fanotify_init vhangup syslog"
)
_TO_ITSELF = "kill tgkill rt_sigqueueinfo rt_tgsigqueueinfo"
_ON_ITSELF = "prlimit64 sched_setaffinity"


@dataclass(frozen=True)
class Architecture:
    """A processor architecture: its AUDIT_ARCH constant, and numbers by name; a call that it lacks has none."""

    audit: int
    calls: Mapping[str, int]

    def refused(self, *, compilers: bool) -> Iterator[int]:
        """Calls that fail whatever their arguments; `compilers` lets processes be started and files made programs."""
        groups = (_NETWORK, _OF_OTHERS, _SHARED, _ADMINISTRATION, *(() if compilers else (_PROCESSES, _ATTRIBUTES)))
        return self._numbers(" ".join(groups))

    @property
    def only_to_itself(self) -> Iterator[int]:
        """Signals, whose first argument has to be the process itself."""
        return self._numbers(_TO_ITSELF)

    @property
    def only_on_itself(self) -> Iterator[int]:
        """Calls whose first argument has to be the process itself or 0, which means the same."""
        return self._numbers(_ON_ITSELF)

    def _numbers(self, names: str) -> Iterator[int]:
        return (self.calls[name] for name in names.split() if name in self.calls)


def _table(text: str) -> dict[str, int]:
    return {name: int(number) for name, _, number in (word.partition("=") for word in text.split())}


_X86_64 = """
socket=41 bind=49 connect=42 listen=50 accept=43 accept4=288 io_uring_setup=425 io_uring_enter=426
io_uring_register=427 fork=57 vfork=58 execve=59 execveat=322 setsid=112 setpgid=109 chmod=90 fchmod=91
fchmodat=268 fchmodat2=452 chown=92 fchown=93 lchown=94 fchownat=260 utime=132 utimes=235 futimesat=261
utimensat=280 setxattr=188 lsetxattr=189 fsetxattr=190 setxattrat=463 removexattr=197 lremovexattr=198
fremovexattr=199 removexattrat=466 file_setattr=469 ptrace=101 process_vm_readv=310 process_vm_writev=311
process_madvise=440 process_mrelease=448 kcmp=312 pidfd_open=434 pidfd_getfd=438 pidfd_send_signal=424
tkill=200 setpriority=141 sched_setscheduler=144 sched_setattr=314 ioprio_set=251 shmget=29 shmat=30
shmctl=31 semget=64 msgget=68 mq_open=240 mq_unlink=241 bpf=321 perf_event_open=298 userfaultfd=323
add_key=248 request_key=249 keyctl=250 mount=165 umount2=166 pivot_root=155 chroot=161 unshare=272 setns=308
mount_setattr=442 move_mount=429 open_tree=428 fsopen=430 fsconfig=431 fsmount=432 fspick=433 swapon=167
swapoff=168 reboot=169 kexec_load=246 kexec_file_load=320 init_module=175 finit_module=313 delete_module=176
acct=163 quotactl=179 quotactl_fd=443 settimeofday=164 clock_settime=227 clock_adjtime=305 adjtimex=159
sethostname=170 setdomainname=171 iopl=172 ioperm=173 open_by_handle_at=304 fanotify_init=300 vhangup=153
syslog=103 kill=62 tgkill=234 rt_sigqueueinfo=129 rt_tgsigqueueinfo=297 prlimit64=302 sched_setaffinity=203
clone=56 clone3=435 seccomp=317 socketpair=53 inotify_init=253 inotify_init1=294 inotify_add_watch=254
io_setup=206 memfd_create=319 memfd_secret=447 fcntl=72 prctl=157
"""
_AARCH64 = """
socket=198 bind=200 connect=203 listen=201 accept=202 accept4=242 io_uring_setup=425 io_uring_enter=426
io_uring_register=427 execve=221 execveat=281 setsid=157 setpgid=154 fchmod=52 fchmodat=53 fchmodat2=452
fchown=55 fchownat=54 utimensat=88 setxattr=5 lsetxattr=6 fsetxattr=7 setxattrat=463 removexattr=14
lremovexattr=15 fremovexattr=16 removexattrat=466 file_setattr=469 ptrace=117 process_vm_readv=270
process_vm_writev=271 process_madvise=440 process_mrelease=448 kcmp=272 pidfd_open=434 pidfd_getfd=438
pidfd_send_signal=424 tkill=130 setpriority=140 sched_setscheduler=119 sched_setattr=274 ioprio_set=30
shmget=194 shmat=196 shmctl=195 semget=190 msgget=186 mq_open=180 mq_unlink=181 bpf=280 perf_event_open=241
userfaultfd=282 add_key=217 request_key=218 keyctl=219 mount=40 umount2=39 pivot_root=41 chroot=51
unshare=97 setns=268 mount_setattr=442 move_mount=429 open_tree=428 fsopen=430 fsconfig=431 fsmount=432
fspick=433 swapon=224 swapoff=225 reboot=142 kexec_load=104 kexec_file_load=294 init_module=105
finit_module=273 delete_module=106 acct=89 quotactl=60 quotactl_fd=443 settimeofday=170 clock_settime=112
clock_adjtime=266 adjtimex=171 sethostname=161 setdomainname=162 open_by_handle_at=265 fanotify_init=262
vhangup=58 syslog=116 kill=129 tgkill=131 rt_sigqueueinfo=138 rt_tgsigqueueinfo=240 prlimit64=261
sched_setaffinity=122 clone=220 clone3=435 seccomp=277 socketpair=199 inotify_init1=26 inotify_add_watch=27
io_setup=0 memfd_create=279 memfd_secret=447 fcntl=25 prctl=167
"""

ARCHITECTURES = {
    "x86_64": Architecture(0xC000003E, _table(_X86_64)),
    "aarch64": Architecture(0xC00000B7, _table(_AARCH64)),
}
