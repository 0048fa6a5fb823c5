"""Every installed format keeps the contract, the ones of other distributions too."""

import pytest

from zoo import plugins
from zoo.testing import FormatContract

FORMATS = plugins.formats(plugins.installed())


class TestInstalled(FormatContract):
    @pytest.fixture(params=sorted(FORMATS))
    def form(self, request):
        return FORMATS[request.param]
