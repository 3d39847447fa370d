"""`tidemark` for a shell of a test: a process as ever, but forked from the one that has loaded everything.

python tests/warm_tidemark.py ARGUMENTS, with the socket of tests/warm_commands.py in WARM_COMMANDS. It imports little.
"""

import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
    environment = dict(os.environ)
    line.connect(environment.pop("WARM_COMMANDS"))
    request = json.dumps({"arguments": sys.argv[1:], "env": environment}).encode()
    socket.send_fds(line, [request], [0, 1, 2])
    line.recv(64)  # its process id
    sys.exit(int(line.recv(64)))
