"""The sources of the core keep the contract that those of plugins keep."""

from types import SimpleNamespace

import pytest

from zoo import sources
from zoo.testing import SourceContract


class TestFile(SourceContract):
    @pytest.fixture
    def content(self):
        return bytes(range(256)) * 10_000

    @pytest.fixture
    def source(self, tmp_path, content):
        (tmp_path / "some.bin").write_bytes(content)
        return SimpleNamespace(scheme="file", open=lambda url: sources.opened(url, tmp_path))

    @pytest.fixture
    def url(self):
        return "file:some.bin"

    @pytest.fixture
    def missing(self):
        return "file:none.bin"


class TestPackage(SourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        return SimpleNamespace(scheme="package", open=lambda url: sources.opened(url, tmp_path))

    @pytest.fixture
    def url(self):
        return "package:zoo/ops.txt"

    @pytest.fixture
    def content(self):
        from pathlib import Path

        return Path(sources.__file__).with_name("ops.txt").read_bytes()

    @pytest.fixture
    def missing(self):
        return "package:zoo/none.txt"
