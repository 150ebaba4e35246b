"""The servers of the second article: everything comes back in upper case, one client at a time.

    upper_server.py HOST PORT                    its first sample, a long connection and no more
    upper_server.py HOST PORT --heartbeat S      its second: sends b'heartbeat' every S seconds and swallows `heartbeat`

Port 0 takes a free one, which is told. Each thing received is told: `data` with `text`, or `swallowed`. It can be told to misbehave:

    --glue           each answer goes out with a heartbeat before and behind it, in one send
    --split          each heartbeat goes out in two pieces: the first behind its first byte, the next behind its second, and so on;
                     `split` tells at which `index`, and how many seconds it `took`
    --silent-after N after N heartbeats no more of them
    --reset-after N  after N answers the next thing received breaks the connection, unanswered
"""

import argparse
import socket
import struct
import threading
import time

from packets import MARKER, send_pieces, tell


def send_heartbeat(client_socket, args, whole):
    sent = 0
    while args.silent_after == 0 or sent < args.silent_after:
        try:
            at = time.time()
            if args.split:
                index = sent % (len(MARKER) - 1) + 1
                with whole:
                    took = send_pieces(client_socket, b'heartbeat', f'split:{index}')
                tell('split', index=index, took=took)
            else:
                client_socket.send(b'heartbeat')
            sent += 1
            time.sleep(args.heartbeat)
        except Exception:
            return
    tell('silent', at=at)


def handle_client(client_socket, args):
    client_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    whole = threading.Lock()  # held while half a heartbeat is out
    heartbeat_thread = threading.Thread(target=send_heartbeat, args=(client_socket, args, whole), daemon=True)
    if args.heartbeat > 0:
        heartbeat_thread.start()
    answers = 0
    while True:
        try:
            data = client_socket.recv(1024)
            if args.heartbeat > 0 and data == b'heartbeat':
                tell('swallowed')
                continue
            if not data:
                break
            tell('data', text=data.decode('latin-1'))
            if args.reset_after > 0 and answers == args.reset_after:
                client_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
                break
            answer = data.upper()
            client_socket.sendall(MARKER + answer + MARKER if args.glue else answer)
            answers += 1
        except Exception as e:
            tell('network error', text=str(e))
            break
    with whole:
        client_socket.close()
    tell('ended')


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('host')
    parser.add_argument('port', type=int)
    parser.add_argument('--heartbeat', type=float, default=0)
    parser.add_argument('--glue', action='store_true')
    parser.add_argument('--split', action='store_true')
    parser.add_argument('--silent-after', type=int, default=0)
    parser.add_argument('--reset-after', type=int, default=0)
    args = parser.parse_args()
    server_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server_socket.bind((args.host, args.port))
    server_socket.listen(5)
    tell('listening', port=server_socket.getsockname()[1])
    while True:
        client_socket, _ = server_socket.accept()
        tell('connection')
        handle_client(client_socket, args)


main()
