"""Which requests are answered: by their Host, Origin, token, and the form of their header."""

import hmac
import re
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.types import Scope

from convscope.http_server.limits import Limits

_HOST = re.compile(r"([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_FOREIGN = "Pages of other sites have no access to this server."


class Refusal(Exception):
    """A request that is not passed on: the status and the message of the answer."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = dict(headers or {})


def field_values(scope: Scope, name: bytes) -> list[str]:
    """The values of a header field, in order of arrival."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def check_access(scope: Scope, *, hosts: frozenset[str] | None) -> None:
    """Raise Refusal unless a request is for one of `hosts`, and from its own page.

    `hosts` are lower-case names with ports; None allows every name.
    """
    host = _checked_host(field_values(scope, b"host"), hosts)
    origins = field_values(scope, b"origin")
    if origins and origins not in ([f"http://{host}"], [f"https://{host}"]):
        raise Refusal(403, _FOREIGN)
    sites = field_values(scope, b"sec-fetch-site")
    if not {*sites} <= {"same-origin", "none"} and not _is_link(scope):
        raise Refusal(403, _FOREIGN)


def check_page_token(scope: Scope, token: str) -> None:
    """Raise Refusal for a request to `/api` without the token of the page's address."""
    if scope["path"].startswith("/api"):
        sent = [*field_values(scope, b"x-token"), *_query_values(scope, "token"), ""][0]
        if not hmac.compare_digest(sent.encode(), token.encode()):
            raise Refusal(
                401,
                "Open the lab at the address that it printed, which contains the token.",
                {"WWW-Authenticate": "X-Token"},
            )


def check_bearer(scope: Scope, token: str) -> None:
    """Raise Refusal for a request without `Authorization: Bearer TOKEN`."""
    sent = field_values(scope, b"authorization")
    scheme, _, value = (sent[0] if len(sent) == 1 else "").partition(" ")
    is_known = hmac.compare_digest(value.strip().encode(), token.encode())
    if scheme.lower() != "bearer" or not is_known:
        raise Refusal(
            401,
            "Send the token of this server, as the header Authorization: Bearer TOKEN.",
            {"WWW-Authenticate": "Bearer"},
        )


def _checked_host(sent: list[str], hosts: frozenset[str] | None) -> str:
    if len(sent) != 1:
        raise Refusal(400, "A request names one Host.")
    host = sent[0].lower()
    if hosts is not None and host not in hosts:
        raise Refusal(421, f"This server does not answer to the name {host[:100]!r}.")
    if not _HOST.fullmatch(host):
        raise Refusal(400, f"{host[:100]!r} is not the name of a host.")
    return host


def _is_link(scope: Scope) -> bool:
    """Whether a request opens the page by a link on another site, such as a notebook's."""
    return (
        scope["method"] in ("GET", "HEAD")
        and not scope["path"].startswith("/api")
        and field_values(scope, b"sec-fetch-mode") == ["navigate"]
        and field_values(scope, b"sec-fetch-dest") == ["document"]
    )


def _query_values(scope: Scope, name: str) -> list[str]:
    return parse_qs(scope["query_string"].decode("latin-1")).get(name, [])


def check_header(
    scope: Scope, limits: Limits, *, encodings: frozenset[str] = frozenset({"identity"})
) -> None:
    """Raise Refusal for a header that is too large, or describes a body that is not accepted.

    A body may have one of `encodings`.
    """
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > limits.address_bytes:
        raise Refusal(414, f"An address has up to {limits.address_bytes >> 10} kB.")
    if sum(len(key) + len(value) for key, value in scope["headers"]) > limits.header_bytes:
        raise Refusal(431, f"A header has up to {limits.header_bytes >> 10} kB.")
    sent = field_values(scope, b"content-encoding")
    if len(sent) > 1 or not {one.strip().lower() for one in sent} <= encodings:
        others = " or ".join(sorted(encodings - {"identity"}))
        raise Refusal(
            415,
            f"Send the body as it is, without Content-Encoding{others and f', or as {others}'}.",
        )
    lengths = field_values(scope, b"content-length")
    if len({*lengths}) > 1 or (lengths and field_values(scope, b"transfer-encoding")):
        raise Refusal(400, "A body has one length.")
    if not all(length.isascii() and length.isdecimal() for length in lengths):
        raise Refusal(400, "The Content-Length is not an integer.")


def declared_length(scope: Scope) -> int:
    """The bytes that a request's body has by its header; -1 if that does not say."""
    if field_values(scope, b"transfer-encoding"):
        return -1
    digits = [*field_values(scope, b"content-length"), "0"][0]
    if not (digits.isascii() and digits.isdecimal()):
        return -1
    return int(digits.lstrip("0")[:20] or "0")  # as many digits say that it is too long
