"""What the programs of this folder share: the heartbeat packet of the first article, ways to damage it, and how happenings are told.

The programs are those of the two articles, in their manner and with their bytes; only what kept them from running is mended (the
suffix `L`, the format `>IIII`). Beside that each takes its address as arguments, tells what happens, and can be told to misbehave.

Rules: Python 3.9, standard library only. Each happening is one line of JSON on stdout; nothing else is printed there. Nothing waits
for a time except where a pause is asked for. Times that are told are seconds since 1970.
"""

import json
import struct
import time
from hashlib import sha1

PACKET_BYTES = 21
MARKER = b'heartbeat'

# Where each field begins.
FIELDS = {'timestamp': 0, 'checksum': 4, 'sequence': 8, 'marker': 12}

# Between two pieces of a packet, so that they arrive one by one.
PAUSE = 0.003

HTTP_REQUEST = b'GET / HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n'
HTTP_RESPONSE = b'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'


def tell(event, **fields):
    print(json.dumps({'event': event, **fields}) + '\n', end='', flush=True)


def present():
    return int(time.time()) & 0xFFFFFFFF


def make_packet(seq, timestamp):
    hash_str = f'{seq}{timestamp}'.encode()
    hash_value = sha1(hash_str).digest()[:4]
    return struct.pack('>I', timestamp) + hash_value + struct.pack('>I', seq) + MARKER


def read_packet(data):
    """timestamp, hash value, sequence, payload"""
    return (*struct.unpack('>I4sI', data[:12]), data[12:])


def make_answer(packet):
    """What the article's client expects: the same timestamp and hash value, the sequence plus one."""
    timestamp, hash_value, seq, payload = read_packet(packet)
    return struct.pack('>I', timestamp) + hash_value + struct.pack('>I', (seq + 1) & 0xFFFFFFFF) + payload


def flipped(data, index):
    """With the highest bit of one byte changed."""
    return data[:index] + bytes([data[index] ^ 0x80]) + data[index + 1:]


def damaged(data, step):
    """`corrupt:FIELD` or `flip:INDEX`"""
    kind, what = step.split(':')
    return flipped(data, FIELDS[what] if kind == 'corrupt' else int(what))


def send_pieces(s, data, step):
    """`split:INDEX` sends two pieces, `drip` one byte after the other. Returns how long it took, in seconds."""
    if step == 'drip':
        pieces = [data[i:i + 1] for i in range(len(data))]
    else:
        index = int(step.split(':')[1])
        pieces = [data[:index], data[index:]]
    start = time.time()
    for number, piece in enumerate(pieces):
        if number > 0:
            time.sleep(PAUSE)
        s.sendall(piece)
    return time.time() - start


def receive_exactly(s, count):
    """So many bytes, or fewer when the peer ended the stream or the connection broke."""
    data = b''
    while len(data) < count:
        try:
            piece = s.recv(count - len(data))
        except ConnectionError:
            break
        if not piece:
            break
        data += piece
    return data


def wait_for_end(s):
    """Tells what still comes and how it ends."""
    rest = b''
    try:
        while True:
            piece = s.recv(1024)
            if not piece:
                break
            rest += piece
        how = 'end'
    except ConnectionError:
        how = 'reset'
    tell('ended', how=how, rest=rest.decode('latin-1'), at=time.time())
