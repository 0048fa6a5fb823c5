"""What fuzzing once found wrong stays right."""

import pytest

from tests.fuzz.__main__ import targets
from tests.fuzz.targets import INPUTS, kept

FOUND = [
    (path.name, number)
    for path in sorted(INPUTS.iterdir())
    for number in range(len(kept(path.name)))
]


@pytest.mark.parametrize(("name", "number"), sorted(FOUND))
def test_inputs_that_were_found_are_read_or_refused(name, number):
    """Each input that ``make fuzz`` kept."""
    targets()[name].check(kept(name)[number])
