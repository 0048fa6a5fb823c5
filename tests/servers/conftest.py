"""Real servers: started here on loopback, skipped with the reason where they are not installed."""

import pytest

from tests import nginx_server


def pytest_collection_modifyitems(items):
    """Mark everything in this folder as needing a server."""
    for item in items:
        if "servers" in item.path.parts:
            item.add_marker(pytest.mark.servers)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """Return the folder in which nginx has its files and its log."""
    return tmp_path_factory.mktemp("nginx")


@pytest.fixture(scope="module")
def nginx(room):
    """Return the address of an nginx that serves ``room / "files"``."""
    if reason := nginx_server.why_not():
        pytest.skip(reason)
    with nginx_server.running(room, rate="4m") as url:
        yield url
