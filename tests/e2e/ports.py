"""Ports for servers that must be told theirs.

None comes from the range that the kernel gives to whoever asks for any port:
between the look and the server's own bind() somebody would get it."""
import random
import socket

FIRST = 10240


def first_of_the_kernel():
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range",
                  encoding="ascii") as file:
            return int(file.read().split()[0])
    except (OSError, ValueError):
        return 32768


def is_free(port):
    """On every address, for TCP and UDP."""
    with socket.socket() as stream, \
            socket.socket(type=socket.SOCK_DGRAM) as datagram:
        try:
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            stream.bind(("", port))
            stream.listen()
            datagram.bind(("", port))
            return True
        except OSError:
            return False


def free_port():
    last = first_of_the_kernel() - 1
    if last - FIRST < 1000:
        raise RuntimeError("the kernel gives away nearly all ports: "
                           "see net.ipv4.ip_local_port_range")
    for _ in range(100):
        port = random.SystemRandom().randint(FIRST, last)
        if is_free(port):
            return port
    raise RuntimeError("no port is free")
