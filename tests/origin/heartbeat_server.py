"""A server as the first article's client expects it: it answers a heartbeat with its timestamp, its hash value and its sequence plus one.

    heartbeat_server.py HOST PORT [STEP...]

Port 0 takes a free one, which is told. A step says how the next request is answered; the last is for all that follow:

    good           as it should                                   corrupt:FIELD  with a bit of a field changed
    again          twice                                          flip:INDEX     with a bit of that byte changed
    glue:N         with those of N requests in one send           split:INDEX    in two pieces
    reverse:N      those of N requests in the wrong order         drip           byte by byte
    none           not at all                                     http           with what is no packet
    silent         as it should, and none that follows

Each request is told: `packet` with `seq`, `timestamp`, `valid`.
"""

import argparse
import socket
import threading
import time
from hashlib import sha1

from packets import (HTTP_RESPONSE, MARKER, PACKET_BYTES, damaged, make_answer, read_packet, receive_exactly, send_pieces,
                     tell)


class Steps:
    """Answers as steps say."""

    def __init__(self, client_socket, steps):
        self.s = client_socket
        self.steps = list(steps)
        self.held = []
        self.silent = False

    def answer(self, packet):
        if self.silent:
            return
        self.held.append(make_answer(packet))
        step = self.steps[0]
        name, _, what = step.partition(':')
        if name in ('glue', 'reverse') and len(self.held) < int(what):
            return
        answers, self.held = self.held, []
        if len(self.steps) > 1:
            self.steps.pop(0)
        data = answers[0]
        if name in ('good', 'glue'):
            self.s.sendall(b''.join(answers))
        elif name == 'reverse':
            self.s.sendall(b''.join(reversed(answers)))
        elif name == 'again':
            self.s.sendall(data + data)
        elif name in ('corrupt', 'flip'):
            self.s.sendall(damaged(data, step))
        elif name in ('split', 'drip'):
            send_pieces(self.s, data, step)
        elif name == 'http':
            self.s.sendall(HTTP_RESPONSE)
        elif name == 'silent':
            at = time.time()
            self.s.sendall(data)
            self.silent = True
            tell('silent', at=at)
        elif name != 'none':
            raise SystemExit(f'unknown step {step}')


def handle_client(client_socket, steps):
    client_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answers = Steps(client_socket, steps)
    try:
        while True:
            packet = receive_exactly(client_socket, PACKET_BYTES)
            if len(packet) < PACKET_BYTES:
                break
            timestamp, hash_value, seq, payload = read_packet(packet)
            expected = sha1(f'{seq}{timestamp}'.encode()).digest()[:4]
            valid = hash_value == expected and payload == MARKER
            tell('packet', seq=seq, timestamp=timestamp, valid=valid, at=time.time())
            answers.answer(packet)
    except ConnectionError as e:
        tell('network error', text=str(e))
    client_socket.close()
    tell('ended')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('host')
    parser.add_argument('port', type=int)
    parser.add_argument('steps', nargs='*', default=['good'])
    args = parser.parse_args()
    server_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server_socket.bind((args.host, args.port))
    server_socket.listen(5)
    tell('listening', port=server_socket.getsockname()[1])
    while True:
        client_socket, _ = server_socket.accept()
        tell('connection')
        threading.Thread(target=handle_client, args=(client_socket, args.steps), daemon=True).start()


main()
