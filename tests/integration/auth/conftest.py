"""Two installations in one database: `auth` confirms sign-ups by itself, `confirming` asks by mail."""

from collections.abc import Iterator

import pytest

from tests.cluster import FreshDatabase
from tests.integration.auth.running import RunningAuth, running_auth


@pytest.fixture(scope="module")
def auth(database: FreshDatabase) -> Iterator[RunningAuth]:
    with running_auth(database) as running:
        yield running


@pytest.fixture(scope="module")
def confirming(database: FreshDatabase) -> Iterator[RunningAuth]:
    with running_auth(database, autoconfirm=False) as running:
        yield running
