"""VGG16, 553 MB of weights, is equal to itself in every format; a bit of it is found."""

import itertools
import json
import shutil
import subprocess
import sys

import pytest

import zoo

FORMS = ("checkpoint", "frozen", "saved_model")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
MOST_MEMORY = 200
"""Megabytes that comparing two files may take, which hold 553 each."""
PROGRAM = """
# Not ru_maxrss: it begins with what the process had that started this one.
import json, pathlib, sys
from zoo.cli import run
code = run(["diff", *sys.argv[1:], "--json"])
status = pathlib.Path("/proc/self/status").read_text()
peak = int(status.partition("VmHWM:")[2].split()[0])
print("\\n" + json.dumps([code, peak / 1024, "tensorflow" in sys.modules]))
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return VGG16 in each of the three formats."""
    folder = tmp_path_factory.mktemp("vgg16")
    yield {
        form: zoo.convert("vgg16", folder / form / "model", to=form).target.path for form in FORMS
    }
    shutil.rmtree(folder)


def compared(a, b):
    """Return the exit code, the document, the peak of memory in MB, and whether TensorFlow came."""
    command = [sys.executable, "-c", PROGRAM, str(a), str(b)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    document, _, last = done.stdout.strip().rpartition("\n")
    code, peak, imported = json.loads(last)
    return code, json.loads(document), peak, imported


@pytest.mark.parametrize(("a", "b"), list(itertools.combinations(["vgg16", *FORMS], 2)))
def test_vgg16_is_equal_to_itself(files, a, b):
    """By name, and each of its files with each, in little memory."""
    code, document, peak, imported = compared(files.get(a, a), files.get(b, b))

    assert (code, document["equal"], document["weights"]["equal"]) == (0, True, 32)
    assert not imported
    assert peak < MOST_MEMORY


def test_one_bit_of_vgg16(files):
    """The last number of its largest weight is found and told, in little memory too."""
    weight = zoo.load(files["frozen"]).weights.tensor("fc6/kernel")
    with files["frozen"].open("r+b") as file:
        place = weight.offset + weight.nbytes - 4
        file.seek(place)
        (byte,) = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ 1]))

    code, document, peak, _ = compared(files["saved_model"], files["frozen"])

    (one,) = document["weights"]["different"]
    assert (code, one["a"], one["different"], one["at"]) == (1, "fc6/kernel", 1, [25087, 4095])
    assert document["graph"]["equal"]
    assert peak < MOST_MEMORY
