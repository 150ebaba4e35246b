"""The heartbeat client of the first article.

    heartbeat_client.py HOST PORT [--beats N] [--interval S] [--count-up] [--seq N] [STEP...]

Without steps it is the article's loop: it sends one packet for ever and compares each answer with what it sent; with --count-up each
packet has the next sequence and the present time. With steps it does those and ends; --count-up is taken for granted:

    good           the next packet, and wait for its answer       corrupt:FIELD  the next with a bit of a field changed
    again          the last packet once more                      flip:INDEX     the next with a bit of that byte changed
    replay         every packet so far once more                  old:N          a good packet, N sequences back
    swap           the next two in the wrong order                jump:N         a good packet, N sequences ahead
    glue:N         the next N in one send, and wait for N answers back:S         the next, S seconds before the last
    split:INDEX    the next in two pieces                         aged:S         the next, S seconds old (or ahead: negative)
    drip           the next byte by byte                          http, noise:N  what is no packet
    unheard        the next, without waiting for an answer
    silent         the next and its answer, then not a word       part:N         N bytes of the next, then not a word
    wait           for the end of the connection

Each answer is told: `answer` with `seq` and `valid`. What must not be answered is told by what the next good one gets.
"""

import argparse
import socket
import time

from packets import (HTTP_REQUEST, PACKET_BYTES, damaged, make_answer, make_packet, present, read_packet,
                     receive_exactly, send_pieces, tell, wait_for_end)


def beat(s, args):
    """The article's loop."""
    seq = args.seq
    timestamp = present()
    data = make_packet(seq, timestamp)
    beats = 0
    while args.beats == 0 or beats < args.beats:
        try:
            s.sendall(data)
            response = s.recv(1024)
            if len(response) < len(data):
                tell('closed by server')
                break
            received_timestamp, received_hash_value, received_seq, response_data = read_packet(response)
            expected_timestamp, hash_value, _, _ = read_packet(data)
            if received_timestamp != expected_timestamp or received_hash_value != hash_value \
                    or received_seq != ((seq + 1) & 0xFFFFFFFF):
                raise ValueError('Invalid heartbeat packet')
            tell('answer', seq=received_seq, valid=True, data=response_data.decode())
        except socket.error as e:
            tell('network error', text=str(e))
            break
        beats += 1
        if args.count_up:
            seq = (seq + 1) & 0xFFFFFFFF
            data = make_packet(seq, present())
        time.sleep(args.interval)


class Steps:
    """Does what steps say."""

    def __init__(self, s, seq):
        self.s = s
        self.seq = seq
        self.sent = []

    def next(self, timestamp=None):
        packet = make_packet(self.seq, (present() if timestamp is None else timestamp) & 0xFFFFFFFF)
        self.seq = (self.seq + 1) & 0xFFFFFFFF
        return packet

    def answers(self, packets):
        """Waits for the answer to each of these."""
        for packet in packets:
            self.sent.append(packet)
            answer = receive_exactly(self.s, PACKET_BYTES)
            if len(answer) < PACKET_BYTES:
                tell('unanswered', seq=read_packet(packet)[2])
                continue
            tell('answer', seq=read_packet(answer)[2], valid=answer == make_answer(packet))

    def do(self, step):
        name, _, what = step.partition(':')
        s = self.s
        if name == 'good':
            packet = self.next()
            s.sendall(packet)
            self.answers([packet])
        elif name == 'unheard':
            s.sendall(self.next())
        elif name == 'again':
            s.sendall(self.sent[-1])
        elif name == 'replay':
            s.sendall(b''.join(self.sent))
        elif name == 'swap':
            first, second = self.next(), self.next()
            s.sendall(second)
            self.answers([second])
            s.sendall(first)
        elif name == 'glue':
            packets = [self.next() for _ in range(int(what))]
            s.sendall(b''.join(packets))
            self.answers(packets)
        elif name in ('split', 'drip'):
            packet = self.next()
            send_pieces(s, packet, step)
            self.answers([packet])
        elif name in ('corrupt', 'flip'):
            s.sendall(damaged(self.next(), step))
        elif name == 'old':
            s.sendall(make_packet((self.seq - 1 - int(what)) & 0xFFFFFFFF, present()))
        elif name == 'jump':
            s.sendall(make_packet((self.seq - 1 + int(what)) & 0xFFFFFFFF, present()))
        elif name == 'back':
            s.sendall(self.next(read_packet(self.sent[-1])[0] - int(what)))
        elif name == 'aged':
            s.sendall(self.next(present() - int(what)))
        elif name == 'part':
            at = time.time()
            s.sendall(self.next()[:int(what)])
            tell('silent', at=at)
            wait_for_end(s)
        elif name == 'http':
            s.sendall(HTTP_REQUEST)
        elif name == 'noise':
            s.sendall(b'x' * int(what))
        elif name == 'silent':
            at = time.time()
            self.do('good')
            tell('silent', at=at)
            wait_for_end(s)
        elif name == 'wait':
            wait_for_end(s)
        else:
            raise SystemExit(f'unknown step {step}')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('host')
    parser.add_argument('port', type=int)
    parser.add_argument('--beats', type=int, default=0)
    parser.add_argument('--interval', type=float, default=0)
    parser.add_argument('--count-up', action='store_true')
    parser.add_argument('--seq', type=int, default=0)
    parser.add_argument('--timeout', type=float, default=60)
    parser.add_argument('steps', nargs='*')
    args = parser.parse_intermixed_args()
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.connect((args.host, args.port))
    s.settimeout(args.timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    tell('connected')
    if args.steps:
        steps = Steps(s, args.seq)
        try:
            for step in args.steps:
                steps.do(step)
        except ConnectionError as e:
            tell('network error', text=str(e))
    else:
        beat(s, args)
    s.close()
    tell('done')


main()
