"""Every format that is written keeps the contract, the ones of other distributions too."""

import pytest

from zoo import plugins
from zoo.testing import FormatContract

FORMATS = {
    name: form for name, form in plugins.formats(plugins.installed()).items() if form.written
}


class TestInstalled(FormatContract):
    @pytest.fixture(params=sorted(FORMATS))
    def form(self, request):
        return FORMATS[request.param]
