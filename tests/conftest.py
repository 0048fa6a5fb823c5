"""What all tests share: a home of their own, and where the models of others lie."""

import os
import signal
from pathlib import Path

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # children are to be interrupted
collect_ignore_glob = ["*_hammer.py", "killed_*.py"]
"""Scripts that tests run, with arguments and beside each other; pytest would import them."""

_BESIDE = Path(__file__).parents[2] / "shared" / "fixtures"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what the contract measures as long; the plugins of others know no such mark."""
    for item in items:
        if item.name.startswith("test_many_weights_"):
            item.add_marker("long")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give each test a cache and a user's registry of its own."""
    path = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("ZOO_HOME", str(path))
    for name in ("ZOO_REGISTRY", "ZOO_OFFLINE", "ZOO_PLUGINS", "ZOO_PLUGIN_TIMEOUT", "ZOO_BUDGET"):
        monkeypatch.delenv(name, raising=False)
    return path


@pytest.fixture(scope="session")
def fixtures() -> Path:
    """Return the folder of models that other people wrote; without it the test is skipped."""
    path = Path(os.environ.get("ZOO_FIXTURES", _BESIDE))
    if not path.is_dir():
        pytest.skip(f"the models of others are not at {path}; ZOO_FIXTURES names another place")
    return path
