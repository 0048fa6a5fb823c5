"""Nets are built without TensorFlow, and their weights without memory."""

import pytest

from zoo.errors import UsageError
from zoo.mapped import CHUNK
from zoo_architectures import vgg16, vgg_digits
from zoo_architectures.initial import HeNormal


def test_initial_weights_are_the_same_whole_and_in_pieces():
    """A writer that streams them gets what a reader of the array sees."""
    tensor = HeNormal((3, 3, 512, 512), 7)

    whole = tensor.read()

    assert b"".join(bytes(piece) for piece in tensor.chunks()) == whole.tobytes()
    assert max(len(bytes(piece)) for piece in tensor.chunks()) <= CHUNK
    assert abs(whole.std() / tensor.deviation - 1) < 0.01
    assert (HeNormal((3, 3), 1).read() != HeNormal((3, 3), 2).read()).all()


def test_names_are_those_of_the_tutorials():
    """The tensors that people ask for."""
    names = {node.name for node in vgg16().graph.node}

    assert {"images", "conv1_1", "conv5_3", "pool5", "fc6", "fc7", "fc8", "prob"} <= names
    signature = vgg16(outputs=2).signature()
    assert signature.inputs["images"].shape == (None, 224, 224, 3)
    assert signature.outputs["prob"].shape == (None, 2)
    assert vgg_digits().signature().inputs["images"].shape == (None, 8, 8, 1)


@pytest.mark.parametrize("options", [{"size": 31}, {"outputs": 0}, {"width": 0.0}, {"channels": 0}])
def test_nets_that_cannot_be(options):
    """Too small for five poolings, or layers of nothing."""
    with pytest.raises(UsageError):
        vgg16(**options)
