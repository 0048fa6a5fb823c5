"""Stored weights and the variables of a graph find each other by name, or say why not."""

import numpy as np
import pytest

from zoo import dtypes
from zoo.matching import Wanted, match, plain
from zoo.tensors import ArrayTensor

FLOAT = dtypes.named("float32")


def wanted(**shapes):
    """Return variables of float32; ``__`` in a name stands for a slash."""
    return {name.replace("__", "/"): Wanted(FLOAT, shape) for name, shape in shapes.items()}


def stored(**shapes):
    """Return tensors that count their elements."""
    return {
        name.replace("__", "/"): ArrayTensor.of(
            np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
        )
        for name, shape in shapes.items()
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("w1", "w1"),
        ("conv1_1_W", "conv1_1/kernel"),
        ("fc6_b", "fc6/bias"),
        ("vgg_16/fc8/biases", "vgg_16/fc8/bias"),
        ("block1_conv1/block1_conv1/kernel:0", "block1_conv1/kernel"),
        ("block1_conv1/block1_conv1_W_1:0", "block1_conv1/kernel"),
        ("bn/bn_running_std_2:0", "bn/moving_variance"),
        ("dense/kernel/.ATTRIBUTES/VARIABLE_VALUE", "dense/kernel"),
        ("embedding/embeddings", "embedding/embeddings"),
        ("lstm/recurrent_kernel_1", "lstm/recurrent_kernel_1"),
        ("weights", "kernel"),
        ("block_depthwise/depthwise_kernel", "block_depthwise/kernel"),
    ],
)
def test_names_in_plain_words(name, words):
    """One word for what releases and libraries call differently."""
    assert plain(name) == words


def test_the_surest_way_counts():
    """A name as it stands goes before one in other words, and this before one in a scope."""
    there = stored(fc__kernel=[2], fc__weights=[2], net__fc__kernel=[2])

    _, report = match(wanted(fc__kernel=(2,)), there)

    assert report.matched == {"fc/kernel": "fc/kernel"}
    assert report.unused == ["fc/weights", "net/fc/kernel"]


def test_names_below_a_scope_and_by_alias():
    """As of TF-Slim, whose names stand in scopes, and of Keras, whose layers have other names."""
    for key in ("vgg_16/conv1/conv1_1/weights", "block1_conv1/kernel"):
        tensors, report = match(
            wanted(conv1_1__kernel=(2,)),
            {key: ArrayTensor.of(np.ones(2, np.float32))},
            aliases=lambda name: [name.replace("conv1_1", "block1_conv1")],
        )
        assert report.matched == {"conv1_1/kernel": key}
        assert list(tensors) == ["conv1_1/kernel"]


def test_two_that_could_be_meant_are_neither():
    """Nobody guesses; the report offers both."""
    there = stored(a__fc__kernel=[2], b__fc__kernel=[2])

    tensors, report = match(wanted(fc__kernel=(2,)), there)

    assert tensors == {}
    assert report.missing == ["fc/kernel"]
    assert report.near["fc/kernel"] == ["a/fc/kernel"]


def test_one_that_two_variables_mean_is_nobodys():
    """Else one weight would stand in two places."""
    _, report = match(
        wanted(fc6__kernel=(2,), fc7__kernel=(2,)),
        stored(fc__kernel=[2]),
        aliases=lambda _: ["fc/kernel"],
    )

    assert (report.missing, report.unused) == (["fc6/kernel", "fc7/kernel"], ["fc/kernel"])


@pytest.mark.parametrize(
    ("there", "wants"),
    [
        ((7, 7, 5, 4), (245, 4)),
        ((245, 4), (7, 7, 5, 4)),
        ((1, 1, 5, 4), (5, 4)),
        ((1, 1, 1, 4), (4,)),
    ],
)
def test_a_flattened_kernel_is_the_same(there, wants):
    """The head of a convolutional net as convolutions, and as dense layers."""
    tensors, report = match(wanted(fc__kernel=wants), stored(fc__kernel=there))

    assert report.matched == {"fc/kernel": "fc/kernel"}
    values = tensors["fc/kernel"].read()
    assert values.shape == wants
    assert np.array_equal(values.ravel(), np.arange(values.size))
    assert b"".join(map(bytes, tensors["fc/kernel"].chunks())) == values.tobytes()


@pytest.mark.parametrize(
    ("there", "wants"),
    [((5, 4), (4, 5)), ((3, 3, 2, 4), (2, 3, 3, 4)), ((20,), (5, 4)), ((2, 10, 4), (10, 8))],
)
def test_another_shape_is_told_with_both(there, wants):
    """Nothing is transposed, as nobody said that it should be."""
    tensors, report = match(wanted(fc__kernel=wants), stored(fc__kernel=there))

    assert tensors == {}
    assert report.differing == {
        "fc/kernel": (f"float32 {list(wants)}", f"fc/kernel float32 {list(there)}")
    }
    assert (report.missing, report.unused) == ([], [])


def test_another_dtype_is_another_tensor():
    """Half as many bits are not the same weight."""
    there = {"w": ArrayTensor.of(np.ones(2, np.float16))}

    _, report = match(wanted(w=(2,)), there)

    assert "float16" in report.differing["w"][1]


def test_open_shapes_take_what_comes():
    """An axis, or all of them, that the graph does not state."""
    _, report = match({"w": Wanted(FLOAT, (None, 3)), "v": Wanted(FLOAT, None)},
                      stored(w=[5, 3], v=[1, 2]))  # fmt: skip

    assert set(report.matched) == {"w", "v"}


def test_a_report_in_words():
    """One line that says what fits, and what to do about the rest."""
    _, report = match(
        wanted(fc8__kernel=(4, 2), fc9__bias=(3,), conv__kernel=(1,)),
        stored(fc8__kernel=[4, 3], fc_9__bias=[3], conv__kernel=[1], step=[1]),
    )

    assert str(report) == (
        "1 of 3 variables matched; "
        "shape differs: fc8/kernel float32 [4, 2] (stored: fc8/kernel float32 [4, 3]); "
        "missing: fc9/bias (near: fc_9/bias); unused: fc_9/bias, step"
    )
    assert report.facts()["near"] == {"fc9/bias": ["fc_9/bias"]}
