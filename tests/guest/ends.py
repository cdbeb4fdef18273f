"""The ends of the associations of sctp.sh, and of the connections of vlan.sh (PROTOCOL=TCP).

serve NAME ADDRESS PORT      for ever: sends NAME, then back what it gets
talk FROM ADDRESS PORT BYTES one association: sends so many bytes, compares what comes back, ends; prints the server's NAME
hold FROM ADDRESS PORT COUNT as many associations at once, prints their servers; then a line from standard input each time:
                             "end" ends one of them, "abort" aborts one
watch INTERFACE COUNT        looks at so many packets of SCTP that come in, and computes their checksums from scratch
"""

import contextlib
import hashlib
import os
import socket
import struct
import sys
import threading

SCTP = socket.IPPROTO_SCTP
PROTOCOL = getattr(socket, "IPPROTO_" + os.environ.get("PROTOCOL", "SCTP"))
# A message must fit into the send buffer.
MESSAGE = 16384


def endpoint(address, port):
    """A socket of the address's family, and the address as it takes it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.socket(family, socket.SOCK_STREAM, PROTOCOL), (address, int(port))


def send(association, data):
    for at in range(0, len(data), MESSAGE):
        association.sendall(data[at : at + MESSAGE])


def answer(association, name):
    # The client may abort.
    with association, contextlib.suppress(ConnectionError):
        association.sendall(name.encode())
        while data := association.recv(65536):
            send(association, data)


def serve(name, address, port):
    # Bound to one address: an INIT ACK then names no other ones, which nobody would translate.
    listener, own = endpoint(address, port)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(own)
    listener.listen(64)
    while True:
        association, _ = listener.accept()
        threading.Thread(target=answer, args=(association, name), daemon=True).start()


def connect(source, address, port):
    association, service = endpoint(address, port)
    association.settimeout(60)
    association.bind((source, 0))
    association.connect(service)
    return association, association.recv(1).decode()


def talk(source, address, port, count):
    association, name = connect(source, address, port)
    data = os.urandom(int(count))
    sender = threading.Thread(target=send, args=(association, data))
    sender.start()
    digest = hashlib.sha256()
    left = len(data)
    while left > 0 and (part := association.recv(65536)):
        digest.update(part)
        left -= len(part)
    sender.join()
    association.close()
    if digest.digest() != hashlib.sha256(data).digest():
        sys.exit("what came back is not what was sent")
    print(name)


def hold(source, address, port, count):
    associations = []
    names = []
    for _ in range(int(count)):
        association, name = connect(source, address, port)
        associations.append(association)
        names.append(name)
    print("".join(names), flush=True)
    for line in sys.stdin:
        association = associations.pop()
        if line.strip() == "abort":
            # RFC 6458, section 8.1.4: a linger time of zero aborts.
            association.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        association.close()
        print("done", flush=True)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def remainder(byte):
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


TABLE = [remainder(byte) for byte in range(256)]


def packet_of(frame):
    """The packet of SCTP in an Ethernet frame; none of another protocol."""
    kind, = struct.unpack_from("!H", frame, 12)
    if kind == 0x0800 and frame[23] == SCTP:
        length, = struct.unpack_from("!H", frame, 16)
        return frame[14 + (frame[14] & 15) * 4 : 14 + length]
    if kind == 0x86DD and frame[20] == SCTP:
        length, = struct.unpack_from("!H", frame, 18)
        return frame[54 : 54 + length]
    return None


def watch(interface, count):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    wire.bind((interface, 0))
    wire.settimeout(120)
    print("watching", flush=True)
    seen = 0
    while seen < int(count):
        frame, (_, _, kind, _, _) = wire.recvfrom(65536)
        packet = packet_of(frame)
        if packet is None or kind == socket.PACKET_OUTGOING:
            continue
        found, = struct.unpack_from("<I", packet, 8)
        right = crc32c(packet[:8] + bytes(4) + packet[12:])
        if found != right:
            sys.exit(f"a checksum is {found:#010x}, should be {right:#010x}: {packet[:32].hex()}")
        seen += 1
    print("right", flush=True)


COMMANDS = {command.__name__: command for command in (serve, talk, hold, watch)}
COMMANDS[sys.argv[1]](*sys.argv[2:])
