"""The short connection of the first article: connect, send, close.

    short_client.py HOST PORT [--data TEXT] [--times N]
"""

import argparse
import socket

from packets import tell


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('host')
    parser.add_argument('port', type=int)
    parser.add_argument('--data', default='Hello, World!')
    parser.add_argument('--times', type=int, default=1)
    args = parser.parse_args()
    for _ in range(args.times):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        s.connect((args.host, args.port))
        s.sendall(args.data.encode())
        s.close()
        tell('sent', text=args.data)


main()
