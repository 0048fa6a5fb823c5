"""What sizes a proof tries, where a signature leaves them open."""

import pytest

from zoo import dtypes, plausible
from zoo.signatures import Signature
from zoo.specs import TensorSpec

FLOAT = dtypes.named("float32")


@pytest.mark.parametrize(
    ("shape", "first"),
    [
        ((None, None, None, 3), (1, 224)),
        ((None, 28, None, 1), (1, 224)),
        ((None, 28, 28, 1), (2, 8)),
        ((None, None, None, 64), (2, 8)),
        ((None, None, 3), (2, 8)),
        ((2, 3), (2, 8)),
    ],
)
def test_pictures_are_not_made_too_small(shape, first):
    """A net for pictures of any size may end the process on one of 8 pixels."""
    stated = Signature({"x": TensorSpec("x:0", FLOAT, shape)}, {})

    plan = next(plausible.plans(stated))

    assert (plan.batch, plan.size) == first
