"""What the supervisor starts: `python -m convscope.serving.process SOCKET PIPE`."""

import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from convscope.errors import ConvscopeError
from convscope.serving.settings import TOKEN_VARIABLE, ServeSettings
from convscope.serving.worker import Worker
from convscope.signals import print_error
from convscope.strict import parse_json


def main() -> int:
    """Serve as standard input says; end when it does, for then the supervisor has died."""
    listening = socket.socket(fileno=int(sys.argv[1]))
    ready = int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; the supervisor sends SIGTERM
    told: dict[str, Any] = parse_json(sys.stdin.readline(), where="Standard input")
    told["settings"]["allowed_hosts"] = tuple(told["settings"]["allowed_hosts"])
    try:
        worker = Worker(
            Path(told["folder"]),
            ServeSettings(**told["settings"]),
            hosts=None if told["hosts"] is None else frozenset(told["hosts"]),
            token=os.environ.pop(TOKEN_VARIABLE, None),
        )
    except ConvscopeError as error:
        print_error(str(error))
        return error.status
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    return worker.run(listening, lambda: os.close(ready) if os.write(ready, b"r") else None)


def _end_with_supervisor() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
