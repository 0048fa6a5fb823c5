"""Tests that what a plugin offers must pass.

The author of a format writes five lines::

    class TestMine(FormatContract):
        @pytest.fixture
        def form(self):
            return zoo_mine.zoo_formats()[0]
"""

import pytest

pytest.register_assert_rewrite(
    "zoo.testing.architectures",
    "zoo.testing.comparing",
    "zoo.testing.keeping",
    "zoo.testing.many",
    "zoo.testing.reading",
    "zoo.testing.saving",
    "zoo.testing.sources",
)

# What fails is to be shown with its values; that has to be said before the tests are imported.
from zoo.testing.architectures import ArchitectureContract  # noqa: E402
from zoo.testing.formats import FormatContract  # noqa: E402
from zoo.testing.reading import ReaderContract  # noqa: E402
from zoo.testing.sources import SourceContract  # noqa: E402

__all__ = ["ArchitectureContract", "FormatContract", "ReaderContract", "SourceContract"]
