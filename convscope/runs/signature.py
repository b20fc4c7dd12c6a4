"""Which runs this user made on this machine: a signature under what a run would execute or fetch.

`train` signs the facts of a run with HMAC-SHA256 and a key of 32 random bytes, which lies in the
user's state folder and which nobody else may read. The facts are the model, the weights to start
from, and the folder, the path and the digest of every source file. So a signed config.toml that is
copied into a foreign run can only ever have the same code, at the same place outside of the run,
imported: what another run's files are. It does not cover the weights and the card, which are data.
"""

import hmac
import json
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

_BYTES = 32
_VERSION = 1


def key_path() -> Path:
    """The file of this user's key."""
    return user_state_path("convscope") / "runs.key"


def sign(facts: Mapping[str, Any]) -> str:
    """The signature of facts; empty where there is no key and none can be made."""
    key = _key() or _new_key()
    return "" if key is None else _signature(key, facts)


def is_signed(facts: Mapping[str, Any], signature: object) -> bool:
    """Whether facts were signed with this user's key."""
    key = _key()
    if key is None or not isinstance(signature, str) or not signature.isascii():
        return False
    return hmac.compare_digest(_signature(key, facts), signature)


def problem() -> str:
    """Why runs cannot be told by this user's key; empty if they can."""
    if _key() is not None:
        return ""
    return f"There is no key to tell your own runs by: {key_path()} is missing, or open to others."


def _signature(key: bytes, facts: Mapping[str, Any]) -> str:
    content = json.dumps({"version": _VERSION, **facts}, sort_keys=True, default=str)  # noqa: TID251
    return hmac.new(key, content.encode(), sha256).hexdigest()


def _key() -> bytes | None:
    """The key; None if there is none, or if others could have read or written it."""
    try:
        with key_path().open("rb") as file:
            status = os.fstat(file.fileno())
            key = file.read(_BYTES + 1)
    except (OSError, RuntimeError):
        return None
    if not stat.S_ISREG(status.st_mode) or len(key) != _BYTES:
        return None
    if os.name == "posix" and (status.st_mode & 0o077 or status.st_uid != os.getuid()):
        return None
    return key


def _new_key() -> bytes | None:
    """Make a key where there is none. Another process may make one at the same time."""
    with suppress(OSError, RuntimeError):
        path = key_path()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        own = path.with_name(f".{path.name}-{secrets.token_hex(8)}.tmp")
        try:
            with os.fdopen(os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(_BYTES))
                file.flush()
                os.fsync(file.fileno())
            os.link(own, path)  # fails where there is a key already, which then holds
        finally:
            own.unlink(missing_ok=True)
    return _key()
