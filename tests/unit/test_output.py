"""What is printed: strict JSON, and text that steers no terminal."""

import json

import numpy as np
import pytest

from zoo import output


def test_documents_are_strict_json():
    """Numbers that JSON lacks are text, bytes are base64, arrays are lists."""
    facts = {
        "floats": np.array([1.5, np.nan, np.inf, -np.inf], np.float32),
        "scalar": np.int64(3),
        "bytes": b"\xff",
        "words": np.array([b"a", b""], object),
        "none": None,
        "flags": (True, False),
        "complex": 1 + 2j,
    }

    parsed = json.loads(output.document(facts), parse_constant=pytest.fail)

    assert parsed == {
        "schema": 1,
        "floats": [1.5, "NaN", "Infinity", "-Infinity"],
        "scalar": 3,
        "bytes": {"base64": "/w=="},
        "words": [{"base64": "YQ=="}, {"base64": ""}],
        "none": None,
        "flags": [True, False],
        "complex": [1.0, 2.0],
    }


@pytest.mark.parametrize("text", ["\x1b[2Jgone", "a\u202eb", "\x9bm", "\x00", "\ud800"])
def test_nothing_steers_the_terminal(text, capsys):
    """Escape sequences and direction marks of a model's author are shown, not obeyed."""
    output.say(text)

    shown = capsys.readouterr().out.rstrip("\n")
    assert shown.isprintable()
    assert "\\" in shown


def test_what_people_write_is_left_alone(capsys):
    """Letters of any language, line breaks and tabs."""
    output.say("größe 重み\n\tx")

    assert capsys.readouterr().out == "größe 重み\n\tx\n"


def test_what_fails_is_not_hushed(capfd):
    """Greetings are kept back, but shown if what follows them fails."""
    import os

    with output.hushed():
        os.write(2, b"hello\n")
    assert capfd.readouterr().err == ""

    with pytest.raises(KeyError), output.hushed():
        os.write(2, b"hello\n")
        raise KeyError
    assert capfd.readouterr().err == "hello\n"
