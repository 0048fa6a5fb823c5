"""Every architecture keeps the contract; Keras's own nets aside."""

import pytest

from zoo import plugins
from zoo.testing import ArchitectureContract

ARCHITECTURES = {
    name: one
    for name, one in plugins.architectures(plugins.installed()).items()
    if not name.startswith("keras:")  # Keras builds these, one in several seconds
}


class TestInstalled(ArchitectureContract):
    @pytest.fixture(params=sorted(ARCHITECTURES))
    def architecture(self, request):
        return ARCHITECTURES[request.param]
