"""Clients for the servers of the second article, which has none: they send pieces and take what comes back, without heartbeats.

    upper_client.py HOST PORT [--clients N] [--pause S] [--tokens N] [--silent] PIECE...

Each piece is one send. A client is done when as many bytes came back as it sent, heartbeats not counted, and at least N heartbeats came;
it tells `received` with `text`, how many `tokens`, and the longest `gap` in seconds that two of its pieces took. With several clients all
connect before one sends, all send before one reads, and all have their answers before one closes; `{}` in a piece is the client's
number. `--silent` says nothing more after the pieces and waits for the end of the connection.
"""

import argparse
import socket
import threading
import time

from packets import MARKER, tell, wait_for_end


def converse(args, number, together):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.connect((args.host, args.port))
    s.settimeout(20)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    together.wait(20)
    pieces = [piece.replace('{}', str(number)).encode() for piece in args.pieces]
    gap = 0
    before = at = time.time()
    for index, piece in enumerate(pieces):
        if index > 0:
            time.sleep(args.pause)
        before, at = at, time.time()
        s.sendall(piece)
        gap = max(gap, time.time() - before)
    if args.silent:
        tell('silent', at=at)
        return wait_for_end(s)
    together.wait(20)
    expected = len(b''.join(pieces).replace(MARKER, b''))
    received = b''
    while len(received.replace(MARKER, b'')) < expected or received.count(MARKER) < args.tokens:
        data = s.recv(1024)
        if not data:
            break
        received += data
    together.wait(20)
    s.close()
    text = received.replace(MARKER, b'').decode('latin-1')
    tell('received', client=number, text=text, tokens=received.count(MARKER), gap=gap)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('host')
    parser.add_argument('port', type=int)
    parser.add_argument('--clients', type=int, default=1)
    parser.add_argument('--pause', type=float, default=0.003)
    parser.add_argument('--tokens', type=int, default=0)
    parser.add_argument('--silent', action='store_true')
    parser.add_argument('pieces', nargs='*')
    args = parser.parse_intermixed_args()
    together = threading.Barrier(args.clients)
    threads = [threading.Thread(target=converse, args=(args, number, together)) for number in range(args.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    tell('done')


main()
