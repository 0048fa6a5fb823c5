"""Pages are run by commands that share an import of TensorFlow: they must not notice."""

import sys

import pytest

from tests.shown_pages import environment, in_shell


@pytest.mark.parametrize(
    "line",
    [
        "run toy-adder -i w1=13 -i w2=17; echo $?",
        "run toy-adder -i w1=13; echo $?",
        "inspect . < /dev/null; echo $?",
        "list 'vgg*' | head -n 1",
        "lock toy-adder -q && ls",
    ],
)
def test_a_warm_command_answers_as_a_cold_one(line, warm_path, tmp_path):
    """Streams, folder, environment and exit code are those of the shell."""
    cold, warm = tmp_path / "cold", tmp_path / "warm"
    cold.mkdir()
    warm.mkdir()
    env = environment(warm_path)

    expected = in_shell(f"{sys.executable} -m zoo {line}", cold, env)
    assert in_shell(f"zoo {line}", warm, env) == expected
