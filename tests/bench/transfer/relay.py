"""Makes two TUN devices and starts, for each direction between them, a program that carries packets.

Takes the names of the devices and the program with its arguments. The program gets the device to
read from as its standard input, the one to write to as its standard output, and what ends when it
should end, too, in place of its standard error. Says `ready` when the devices are there.
"""

import fcntl
import os
import struct
import sys

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000


def device(name):
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    request = struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI)
    fcntl.ioctl(descriptor, TUNSETIFF, request)
    os.set_blocking(descriptor, False)
    return descriptor


def main():
    near, far = device(sys.argv[1]), device(sys.argv[2])
    program = sys.argv[3:]
    print("ready", flush=True)
    os.dup2(0, 2)
    source, sink = (near, far) if os.fork() else (far, near)
    os.dup2(source, 0)
    os.dup2(sink, 1)
    os.execv(program[0], program)


main()
