"""Turns an exception that came instead of an answer into a `ContactError` without secrets."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from typing import Final

import aiohttp
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.http_exceptions import ContentEncodingError, HttpProcessingError, LineTooLong
from multidict import CIMultiDict, CIMultiDictProxy

from contactsdk.errors import ContactError, SetupError, UnavailableError, UncertainError
from contactsdk.transport.body import Body, UnusableConnectionError

# aiohttp raises these before it has a connection, so nothing was sent, by whatever session.
_WHILE_CONNECTING: Final = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ServerFingerprintMismatch,
)

_AIOHTTP_REQUEST: Final = aiohttp.ClientSession._request


def is_mocked(session: aiohttp.ClientSession) -> bool:
    """Whether something other than aiohttp makes the requests, such as a mock in a test.

    If aiohttp did not ask for the body, the body was never sent. For other senders, this proves
    nothing.
    """
    return getattr(type(session), "_request", None) is not _AIOHTTP_REQUEST


def transport_error(
    exc: BaseException, body: Body | None, *, ended: str | None = None, mocked: bool = False
) -> ContactError:
    """The `ContactError` for an exception that came instead of an answer.

    `ended` says why this SDK ended the attempt; `None` if it did not. `body` is `None` if no
    request was made yet. Secrets are removed from `exc` and from all exceptions that led to it.
    """
    sent = body is not None and body.seal()
    if body is not None and body.sent is None and mocked:
        sent = not (ended or isinstance(exc, _WHILE_CONNECTING))
    chain = list(_chain(exc))
    why = ended or _reason(chain)
    for each in chain:
        _scrub(each)
    if _is_certificate_alert(chain) and (not sent or _is_unanswered(body)):
        return SetupError(
            "the platform, or a proxy before it, does not accept the client's TLS certificate, or "
            f"asks for one: hand in a session whose connector has it ({why})"
        )
    match exc:
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ServerFingerprintMismatch():
            return SetupError(
                f"the platform's certificate is not accepted: {why}; hand in a session whose "
                "connector trusts it"
            )
        case aiohttp.ClientHttpProxyError() if exc.status < 500:
            return SetupError(
                f"the proxy refused to connect: HTTP {exc.status}; check its user and password"
            )
        case ValueError() | TypeError() if not sent and not ended:
            return SetupError(f"never sent, since this session cannot send it: {why}")
    if not sent:
        return UnavailableError(f"never sent: {why}")
    if isinstance(exc, aiohttp.ClientResponseError | aiohttp.ClientPayloadError):
        return UncertainError(f"sent, but the answer cannot be read: {why}")
    return UncertainError(f"sent, but no answer came: {why}")


# A limit, for a server that sends something or closes the connection each time it is opened.
_NEW_CONNECTIONS: Final = 3
_USED_CONNECTIONS: Final = 100


def may_try_another(exc: Exception, bodies: Sequence[Body]) -> bool:
    """Whether to try again on another connection, since the last one could not be used.

    `bodies` has one body for each connection that was tried, in order.
    """
    body = bodies[-1]
    why = exc if isinstance(exc, UnusableConnectionError) else body.connection_error
    if why is None or body.seal() or _is_certificate_alert(list(_chain(why))):
        return False
    new = sum(each.watch is None or each.watch.is_new for each in bodies)
    return new < _NEW_CONNECTIONS and len(bodies) < _USED_CONNECTIONS


def _reason(chain: list[BaseException]) -> str:
    exc = chain[0]
    if any(isinstance(each, LineTooLong) for each in chain):
        return (
            "a line of its headers is longer than aiohttp accepts; hand in a session with a larger "
            "max_line_size and max_field_size"
        )
    if any(isinstance(each, ContentEncodingError) for each in chain):
        return (
            "it is compressed wrongly, or in a way that was not asked for; check what a proxy or "
            "gateway on the way does to answers"
        )
    match exc:
        case aiohttp.ClientHttpProxyError():
            return f"the proxy answered HTTP {exc.status}"
        case aiohttp.ClientResponseError():
            return "it is not valid HTTP; check whether the address is the platform's"
        case aiohttp.ClientPayloadError():
            return "it was cut short"
        case aiohttp.ClientConnectorError():
            what = "the proxy " if isinstance(exc, aiohttp.ClientProxyConnectionError) else ""
            host = getattr(exc.args[0], "host", "the host")  # a mock may have put anything there
            return f"{what}{host}: {_words(exc.os_error)}"
        case aiohttp.ConnectionTimeoutError():
            return "no connection was made in time"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed"
        case aiohttp.InvalidURL():
            return "the address of the session's proxy is not valid"
        case asyncio.CancelledError():
            return "the session was closed"
        case _:
            return _words(exc)


def _words(exc: BaseException) -> str:
    """The operating system's text for an error; other texts of an exception may hold secrets."""
    return getattr(exc, "strerror", None) or f"{type(exc).__name__} was raised, see the cause"


def _is_unanswered(body: Body | None) -> bool:
    watch = None if body is None else body.watch
    return watch is not None and watch.is_new and not watch.something_came


def _is_certificate_alert(chain: list[BaseException]) -> bool:
    """Whether the server ended the TLS handshake because of a wrong or missing client certificate.

    With TLS 1.3, the client learns this only after it has sent the request. The server has not read
    that request.
    """
    # aiohttp keeps the text of such an error, but not its attributes.
    texts = (str(getattr(each, "strerror", None)) for each in chain)
    return any(re.search(r"_ALERT_(\w*CERTIFICATE|UNKNOWN_CA)", text) for text in texts)


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """The exception and all exceptions that led to it, each once."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [exc]
    while todo:
        each = todo.pop(0)
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        todo += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
        if isinstance(each, aiohttp.ClientConnectorError):
            todo.append(each.os_error)


_NO_HEADERS: Final = CIMultiDictProxy[str](CIMultiDict())

_USER_OF_URL: Final = re.compile(r"//[^/\s@]*@")

# Attributes that may hold secrets: bytes of an answer, which may repeat a contact, and the key of a
# connection in the pool, which holds the user and password of a proxy.
_REST_WITH_VALUES: Final = re.compile(r"""(?s):?\s*(bytearray\()?(\bb)?['"].*|ConnectionKey\(.*""")


def _scrub(exc: BaseException) -> None:
    """Remove secrets: headers, bytes of an answer, the user and password of a proxy."""
    match exc:
        case aiohttp.ClientResponseError():
            if isinstance(exc.request_info, aiohttp.RequestInfo):
                exc.request_info = _scrubbed(exc.request_info)
            exc.headers = None
            exc.message = _without_values(exc.message)
            exc.args = (exc.request_info, exc.history)
        case HttpProcessingError():
            exc.headers = None
            exc.message = _without_values(exc.message)
            exc.args = ()
        case aiohttp.ServerDisconnectedError():
            exc.message = "Server disconnected"  # aiohttp keeps an incomplete answer here
            exc.args = (exc.message,)
        case aiohttp.ClientConnectorError():
            key, *rest = exc.args
            if isinstance(key, ConnectionKey):
                key = key._replace(proxy=None, proxy_auth=None, proxy_headers_hash=None)
                exc._conn_key = key
            exc.args = (key, *rest)
        case aiohttp.InvalidURL():
            exc._url = "not shown, since it may hold a password"
            exc.args = (exc._url,)
            exc.__cause__ = exc.__context__ = None  # these repeat parts of the address
        case aiohttp.ClientError() if not isinstance(exc, OSError):
            exc.args = tuple(_without_values(a) if isinstance(a, str) else a for a in exc.args)


def _scrubbed(info: aiohttp.RequestInfo) -> aiohttp.RequestInfo:
    url, real_url = (url.with_user(None) for url in (info.url, info.real_url))
    return info._replace(headers=_NO_HEADERS, url=url, real_url=real_url)


def _without_values(text: str) -> str:
    return _USER_OF_URL.sub("//", _REST_WITH_VALUES.sub("", text))
