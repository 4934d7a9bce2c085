"""What does one call cost, against what people would write instead?

    python -m benchmarks.calls [--quick]

The same contact goes to a bare server in a process of its own that answers at once from fixed
bytes: through the SDK (encoded, signed, with its deadline, the proof of never sent and its retries
at hand) and through its rivals, 1, 8 and 64 at a time. CPU is process time, Python's and the
kernel's part; the ratio is to aiohttp as it comes.

The SDK's contact was made before. Over TLS is what production does; the table about uvloop is over
plain http again.
"""

import contextlib
from collections.abc import Iterator, Mapping
from importlib.util import find_spec

from benchmarks import rivals
from benchmarks.generated import generated_client
from benchmarks.measuring import Rival, Table, in_turn, show
from benchmarks.stub import authority, stub

SHOWN = "One call, 64 at a time"
SHOWN_OVER_TLS = "Over TLS, 64 at a time"

_COLUMNS = ("CPU us", "ratio", "calls/s")


def tables(quick: bool) -> Iterator[Table]:
    """One call, with 1, 8 and 64 at a time; with uvloop; and over TLS."""
    for package in ("httpx", "openapi_python_client", "uvloop", "trustme"):
        if not find_spec(package):
            print(f"{package} is not installed: left out")
    with contextlib.ExitStack() as open_:
        url = open_.enter_context(stub())
        folder = None
        if find_spec("openapi_python_client"):
            folder = open_.enter_context(generated_client())
        for concurrency in (1, 8, 64):
            args = (url, concurrency)
            all_ = {
                "aiohttp as it comes": Rival(rivals.plain, args),
                "aiohttp, json= and .json()": Rival(rivals.with_json, args),
                "the same under tenacity": Rival(rivals.with_tenacity, args),
                "contactsdk": Rival(rivals.sdk, args),
                "contactsdk, session handed in": Rival(rivals.sdk_on_a_session, args),
            }
            if find_spec("httpx"):
                all_["httpx"] = Rival(rivals.httpx, args)
            if folder is not None:
                all_["openapi-python-client"] = Rival(rivals.generated, (*args, folder))
            yield _table(f"One call, {concurrency} at a time", all_, quick)
        if find_spec("uvloop"):
            all_ = {
                f"{name}{loop}": Rival(make, (url, 64), with_uvloop=bool(loop))
                for loop in ("", ", uvloop")
                for name, make in (("aiohttp", rivals.plain), ("contactsdk", rivals.sdk))
            }
            yield _table("With uvloop, 64 at a time", all_, quick)
    with stub(sleeps=True) as url:
        for concurrency in (8, 64):
            args = (url, concurrency)
            all_ = {
                "aiohttp": Rival(rivals.plain, args),
                "contactsdk": Rival(rivals.sdk, args),
            }
            title = f"A server that sleeps between requests, {concurrency} at a time"
            yield _table(title, all_, quick)
    if find_spec("trustme"):
        with authority() as certificate, stub(certificate=certificate) as url:
            for concurrency in (8, 64):
                args = (url, concurrency)
                all_ = {
                    "aiohttp": Rival(rivals.plain, args),
                    "contactsdk": Rival(rivals.sdk, args),
                }
                yield _table(f"Over TLS, {concurrency} at a time", all_, quick)


def _table(title: str, all_: Mapping[str, Rival], quick: bool) -> Table:
    if quick:
        costs = in_turn(all_, count=100, rounds=1)
    else:
        costs = in_turn(all_, count=2000, rounds=5, starts=3)
    base = next(iter(costs.values())).cpu_us
    rows = tuple((name, c.cpu_us, c.cpu_us / base, c.per_s) for name, c in costs.items())
    return Table(title, _COLUMNS, rows)


if __name__ == "__main__":
    show(__doc__, tables)
