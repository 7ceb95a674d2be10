"""A long link: carries whole packets between two TUN devices, each after a delay; loses none.

Takes the names of the devices and the round trip in milliseconds. Says `ready` when the devices
are there, and ends when its standard input does.
"""

import errno
import fcntl
import os
import select
import struct
import sys
import time
from collections import deque

TUNSETIFF = 0x400454CA
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
PACKET = 65536
AT_ONCE = 64


def device(name):
    descriptor = os.open("/dev/net/tun", os.O_RDWR)
    request = struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI)
    fcntl.ioctl(descriptor, TUNSETIFF, request)
    os.set_blocking(descriptor, False)
    return descriptor


def not_up_yet(error):
    """A device that is down, as both are at first, answers so."""
    if error.errno != errno.EIO:
        raise error
    time.sleep(0.001)


def carry(source, sink, delay):
    waiting = deque()
    while True:
        left = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select([source, 0], [], [], left)
        if 0 in ready:
            return
        now = time.monotonic()
        if source in ready:
            for _ in range(AT_ONCE):
                try:
                    waiting.append((now + delay, os.read(source, PACKET)))
                except BlockingIOError:
                    break
                except OSError as error:
                    not_up_yet(error)
                    break
        while waiting and waiting[0][0] <= now:
            packet = waiting.popleft()[1]
            try:
                os.write(sink, packet)
            except OSError as error:
                not_up_yet(error)


def main():
    near, far = device(sys.argv[1]), device(sys.argv[2])
    delay = float(sys.argv[3]) / 2000
    print("ready", flush=True)
    if os.fork():
        carry(near, far, delay)
    else:
        carry(far, near, delay)


main()
