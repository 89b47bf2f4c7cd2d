"""Says each value of a folder as an SSH user, password and command: ssh.py FOLDER HOST PORT. One JSON object a line tells from where."""
import json
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

try:
    import paramiko
except ImportError:
    sys.exit(77)

paramiko.util.logging.disable(paramiko.util.logging.CRITICAL)
folder, host, port = sys.argv[1:]
TRIES = 3


def met():
    """A connection whose keys are exchanged. Whoever is turned away at the door, which happens on a busy machine, comes again."""
    for left in reversed(range(TRIES)):
        sock = socket.create_connection((host, int(port)), timeout=30)
        source = sock.getsockname()[1]
        transport = paramiko.Transport(sock)
        try:
            transport.start_client(timeout=30)
            return source, transport
        except (paramiko.SSHException, EOFError, OSError) as error:
            transport.close()
            print(f"port {source}: {error!r}", file=sys.stderr)
            if left == 0:
                raise


def login(name):
    with open(os.path.join(folder, name), "rb") as file:
        value = file.read()
    source, transport = met()
    try:
        transport.auth_password(value, value)
        channel = transport.open_session(timeout=10)
        channel.settimeout(5)
        channel.exec_command(value)
        while channel.recv(4096):
            pass
    except (paramiko.SSHException, EOFError, OSError, UnicodeDecodeError) as error:
        # A trap may refuse what it does not like; it was said all the same.
        print(f"{name}, port {source}: {error!r}", file=sys.stderr)
    finally:
        transport.close()
    return {"value": name, "from": source}


names = sorted(name for name in os.listdir(folder) if "." not in name)
with ThreadPoolExecutor(12) as pool:
    for told in pool.map(login, names):
        print(json.dumps(told))
