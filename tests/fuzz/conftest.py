"""TensorFlow, beside whose readers ours are held."""

import os

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def tf():
    """Return TensorFlow."""
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    return tf
