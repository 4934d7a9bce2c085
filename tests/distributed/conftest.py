"""What the tests of distributed runs start from."""

import pytest
from distributed.fixtures import Tables


@pytest.fixture
def tables(database_url: str, schema: str) -> Tables:
    return Tables(database_url, schema)
