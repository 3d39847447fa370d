"""The Postgres that Tidemark brings along: under the data directory, as an unprivileged user, looking like Supabase.

Starting it is the same after a first clone, a clean stop and any kill: find the binaries, end what an earlier run
left, finish what it had half made, start, bring the project's roles and schemas up to date.
Only one process may do so at a time for a data directory; the server's lock sees to that.
"""

import atexit
import os
import secrets
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import asyncpg

from backend.domain.errors import DataDirectoryUnusable

from .postgres.address import PostgresAddress, free_port, load_or_create, save, scram_verifier
from .postgres.binaries import copy_binaries, find_package
from .postgres.leftovers import cluster_name, end_leftovers
from .postgres.postmaster import PostgresWillNotStart, Postmaster
from .postgres.project import build_project, run_in_own_loop
from .postgres.unprivileged import RunAs, choose_user

MAJOR_VERSION = "17"
PREFERRED_PORT = 54322
SUPERUSER = "supabase_admin"
_PORT_ATTEMPTS = 5

_CONFIGURATION = """\
# Written by Tidemark at every start. Settings of your own go into operator.conf beside this file.
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
cluster_name = '{cluster_name}'
max_connections = 100
password_encryption = 'scram-sha-256'
timezone = 'UTC'

# Sized for a small machine that computes as well.
shared_buffers = '128MB'
work_mem = '8MB'
maintenance_work_mem = '64MB'
effective_cache_size = '1GB'
max_parallel_workers_per_gather = 1
jit = off

# An acknowledged row is on disk. Little is left to replay after a crash.
fsync = on
synchronous_commit = on
full_page_writes = on
wal_level = replica
min_wal_size = '80MB'
max_wal_size = '256MB'
checkpoint_timeout = '5min'

# Never a statement, a parameter or a row's content in the log.
logging_collector = off
log_destination = 'stderr'
log_line_prefix = '%m [%p] %u@%d '
log_timezone = 'UTC'
log_statement = 'none'
log_min_duration_statement = -1
log_min_error_statement = 'panic'
log_error_verbosity = 'terse'
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
log_checkpoints = off

include_if_exists = 'operator.conf'
"""

_ACCESS = """\
# Written by Tidemark at every start.
host all all 127.0.0.1/32 scram-sha-256
"""


class EmbeddedPostgres:
    """One cluster under one data directory. `start` and `stop` may be called from any thread, one at a time."""

    def __init__(
        self,
        data_dir: Path,
        *,
        binaries: Path | None = None,
        preferred_port: int = PREFERRED_PORT,
        say: Callable[[str], None] = lambda message: None,
    ) -> None:
        self._data_dir = data_dir.absolute()
        self._package = binaries
        self._preferred_port = preferred_port
        self._say = say
        self._folder = self._data_dir / "postgres"
        self._cluster = self._folder / MAJOR_VERSION
        self._secrets = self._data_dir / "secrets" / "postgres.json"
        self._log = self._data_dir / "logs" / "postgres.log"
        self._postmaster: Postmaster | None = None
        self._address: PostgresAddress | None = None

    @property
    def address(self) -> PostgresAddress:
        if self._address is None:
            raise RuntimeError("the embedded Postgres was not started")
        return self._address

    def is_running(self) -> bool:
        """Whether Postgres takes connections. One that died is started again by itself, on the same port."""
        return self._postmaster is not None and self._postmaster.is_running

    def start(self) -> PostgresAddress:
        if self._postmaster is not None:
            return self.address
        try:
            native, user = self._prepare()
            self._launch(native, user)
        except OSError as error:
            raise DataDirectoryUnusable(f"The data directory {self._data_dir} cannot be used: {error}") from error
        try:
            self._build(native, user)
        except BaseException:
            self.stop()
            raise
        atexit.register(self.stop)
        return self.address

    def stop(self) -> None:
        """Fast shutdown; does nothing when it is not running."""
        atexit.unregister(self.stop)
        if self._postmaster is not None:
            self._postmaster.stop()
            self._postmaster = None

    def _prepare(self) -> tuple[Path, RunAs]:
        """Binaries that the right user can run, and a cluster that nobody else uses."""
        user = self._prepare_folders()
        if self._cluster.is_dir():
            end_leftovers(self._cluster)
        native = copy_binaries(self._package or find_package(), self._folder)
        user.check_reaches(native / "bin" / "postgres")
        self._address = load_or_create(self._secrets, preferred_port=self._preferred_port)
        if not (self._cluster / "PG_VERSION").is_file():
            self._make_cluster(native, user)
        return native, user

    def _prepare_folders(self) -> RunAs:
        self._folder.mkdir(parents=True, exist_ok=True)
        user = choose_user(self._cluster)
        if user.steps_down:
            for folder in (self._data_dir, self._folder):  # ours, so we may open them for passing through
                folder.chmod(folder.stat().st_mode | 0o011)
        user.check_reaches(self._folder)
        return user

    def _make_cluster(self, native: Path, user: RunAs) -> None:
        """Made aside and renamed when whole; what a killed start left aside is removed first."""
        self._say("Making the database cluster")
        for leftover in self._folder.glob(f"{MAJOR_VERSION}.making-*"):
            _remove(leftover)
        aside = self._folder / f"{MAJOR_VERSION}.making-{secrets.token_hex(4)}"
        cluster, password_file = aside / "cluster", aside / "password"
        for folder in (aside, cluster):
            folder.mkdir(mode=0o700)
            user.own(folder)
        password_file.touch(mode=0o600)
        user.own(password_file)
        password_file.write_text(self.address.passwords[SUPERUSER])
        command = [
            *(str(native / "bin" / "initdb"), "-D", str(cluster), "-U", SUPERUSER, f"--pwfile={password_file}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin"),
            *("--builtin-locale=C.UTF-8", "--data-checksums", "--no-instructions"),
        ]
        made = user.run(command)
        if made.returncode != 0:
            raise PostgresWillNotStart(f"The database cluster could not be made: {made.stderr.strip()}")
        cluster.rename(self._cluster)
        _sync(self._folder)
        shutil.rmtree(aside)

    def _launch(self, native: Path, user: RunAs) -> None:
        """On the port of last time, so that old addresses stay true; on another when that one is taken."""
        self._say("Starting Postgres")
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            port = free_port(self.address.port)
            self._configure(port, user)
            command = user.command([str(native / "bin" / "postgres"), "-D", str(self._cluster)], tied_to_parent=True)
            postmaster = Postmaster(command, cluster=self._cluster, log=self._log, say=self._say)
            try:
                postmaster.start()
            except PostgresWillNotStart as error:
                if not error.port_was_taken or attempt == _PORT_ATTEMPTS:
                    raise
                continue
            self._postmaster = postmaster
            if port != self.address.port:
                self._address = replace(self.address, port=port)
            save(self._secrets, self.address)
            return

    def _configure(self, port: int, user: RunAs) -> None:
        for name, content in (
            ("postgresql.conf", _CONFIGURATION.format(port=port, cluster_name=cluster_name(self._cluster))),
            ("pg_hba.conf", _ACCESS),
        ):
            aside = self._cluster / f"{name}.new"
            aside.write_text(content)
            aside.chmod(0o600)
            user.own(aside)
            aside.replace(self._cluster / name)

    def _build(self, native: Path, user: RunAs) -> None:
        try:
            run_in_own_loop(build_project(self.address.dsn(SUPERUSER), self.address.passwords, self._say))
        except asyncpg.InvalidPasswordError:
            self._say("The password file is not that of this database: setting new passwords")
            self.stop()
            self._reset_superuser(native, user)
            self._launch(native, user)
            run_in_own_loop(build_project(self.address.dsn(SUPERUSER), self.address.passwords, self._say))

    def _reset_superuser(self, native: Path, user: RunAs) -> None:
        """Whoever owns the files owns the database: single-user mode asks for no password."""
        statement = f"alter role {SUPERUSER} password '{scram_verifier(self.address.passwords[SUPERUSER])}'\n"
        command = [str(native / "bin" / "postgres"), "--single", "-D", str(self._cluster), "postgres"]
        user.run(command, stdin=statement)


def _remove(folder: Path) -> None:
    """Also while the initdb of a start that was killed a moment ago still writes into it."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def _sync(folder: Path) -> None:
    """So that a power cut can't take back a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
