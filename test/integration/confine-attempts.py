"""What a held task tries: each attempt by its name, with 'done' or the name of the error. Python 3 alone, no modules but
its own. Argument: JSON with the places to try."""

import ctypes
import errno
import json
import os
import platform
import signal
import socket
import sys

scene = json.loads(sys.argv[1])
home = scene["home"]
secret = home + "/secret"
victim = scene["victim"]
arm = platform.machine() == "aarch64"
libc = ctypes.CDLL(None, use_errno=True)
found = {}


def attempt(name, action):
    try:
        action()
        found[name] = "done"
    except OSError as error:
        found[name] = errno.errorcode.get(error.errno, str(error.errno))


def call(name, x64, arm64, *args):
    def act():
        if libc.syscall(ctypes.c_long(arm64 if arm else x64), *(ctypes.c_long(arg) for arg in args)) < 0:
            raise OSError(ctypes.get_errno(), name)

    attempt(name, act)


def write(path):
    with open(path, "w") as file:
        file.write("x")


def connect(family, kind, address):
    socket.socket(family, kind).connect(address)


def send(pair, path):
    pair[0].sendto(b"x", path)


attempt("write below its own directory", lambda: write("own"))
attempt("write beside the home", lambda: write(scene["folder"] + "/x"))
attempt("write into a home", lambda: write(home + "/x"))
attempt("overwrite in a home", lambda: write(secret))
attempt("truncate in a home", lambda: os.truncate(secret, 0))
attempt("write to the system", lambda: write("/usr/x"))
attempt("write to the root", lambda: write("/x"))
attempt("read in a home", lambda: open(secret).read())
attempt("list a home", lambda: os.listdir(home))
attempt("link out of a home", lambda: os.link(secret, "stolen"))
attempt("rename out of a home", lambda: os.rename(secret, "stolen"))
attempt("remove in a home", lambda: os.unlink(secret))
attempt("chmod in a home", lambda: os.chmod(secret, 0o600))
attempt("read the shadow", lambda: open("/etc/shadow").read())

attempt("tcp", lambda: connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", scene["port"])))
attempt("udp", lambda: connect(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", scene["port"])))
attempt("udp of IPv6", lambda: connect(socket.AF_INET6, socket.SOCK_DGRAM, ("::1", scene["port"])))
attempt("netlink", lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
attempt("packet", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
attempt("vsock", lambda: socket.socket(40, socket.SOCK_STREAM))
attempt("socket with a path", lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, scene["socket"]))
attempt("abstract socket", lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + scene["abstract"]))
attempt("pair of streams", lambda: socket.socketpair())
attempt("pair of datagrams", lambda: send(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM), scene["socket"]))

attempt("kill", lambda: os.kill(victim, signal.SIGTERM))
attempt("environment of another", lambda: open("/proc/%d/environ" % victim, "rb").read())
attempt("memory of another", lambda: open("/proc/%d/mem" % victim, "rb").read(1))
call("ptrace", 101, 117, 16, victim, 0, 0)
call("process_vm_readv", 310, 270, victim, 0, 0, 0, 0, 0)
call("unshare", 272, 97, 0x10000000)
call("clone of a namespace", 56, 220, 0x10000000 | 17, 0, 0, 0, 0)
call("clone3", 435, 435, 0, 0)
call("setns", 308, 268, 0, 0)
call("mount", 165, 40, 0, 0, 0, 0, 0)
call("chroot", 161, 51, 0)
call("pivot_root", 155, 41, 0, 0)
call("bpf", 321, 280, 0, 0, 0)
call("keyctl", 250, 219, 0, -3, 0)
call("add_key", 248, 217, 0, 0, 0, 0, 0)
call("io_uring_setup", 425, 425, 1, 0)
call("perf_event_open", 298, 241, 0, 0, -1, -1, 0)
call("userfaultfd", 323, 282, 0)
call("reboot", 169, 142, 0, 0, 0)
call("setuid", 105, 146, 0)
call("setgroups", 116, 159, 0, 0)

print(json.dumps(found))
