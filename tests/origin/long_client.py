"""The long connection of the first article: on a broken pipe it connects again and sends again.

    long_client.py HOST PORT [--data TEXT]

The article sends once. This one sends for each line of stdin, and ends with it; ` N` is added to what it sends, N counting from 1.
As in the article, a message is taken for sent when the socket took it.
"""

import argparse
import errno
import socket
import sys

from packets import tell


def connect(server_address):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.connect(server_address)
    s.settimeout(60)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('host')
    parser.add_argument('port', type=int)
    parser.add_argument('--data', default='Hello, World!')
    args = parser.parse_args()
    server_address = (args.host, args.port)
    s = connect(server_address)
    tell('connected')
    for number, _ in enumerate(sys.stdin, 1):
        data = f'{args.data} {number}'
        while True:
            try:
                s.sendall(data.encode())
                tell('sent', text=data)
                break
            except socket.error as e:
                if e.errno == errno.EPIPE:
                    tell('reconnecting')
                    s.close()
                    s = connect(server_address)
                else:
                    raise e
    s.close()
    tell('done')


main()
