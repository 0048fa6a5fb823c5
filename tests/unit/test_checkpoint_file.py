"""The file ``checkpoint``: what is the latest, what stays, and that nothing else is touched."""

import subprocess
import sys

import pytest

from zoo import bundle, checkpoint_file
from zoo.checkpoint_file import Keeping
from zoo.errors import FormatError
from zoo.samples import odd_weights


@pytest.fixture
def folder(tmp_path):
    """Return a folder with two checkpoints, and one more in a folder beside it."""
    for name in ("here/m-1", "here/m-2", "elsewhere/m-0"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        bundle.write(tmp_path / name, {"w": odd_weights()["words"]})
    return tmp_path / "here"


def state(folder, latest, *paths):
    lines = [f'model_checkpoint_path: "{latest}"']
    lines += [f'all_model_checkpoint_paths: "{path}"' for path in paths]
    (folder / "checkpoint").write_text("\n".join(lines))


def test_what_lies_elsewhere_is_not_deleted(folder):
    """A file that names other folders does not lead there, nor to a namesake here."""
    bundle.write(folder / "m-0", {"w": odd_weights()["words"]})
    state(folder, "m-2", "../elsewhere/m-0", "m-1", "m-2")

    text, gone = checkpoint_file.naming(folder / "m-3", Keeping(1), 0.0)

    assert [path.name for path in gone] == ["m-1", "m-2"]
    assert text.count("m-3") == 2


def test_the_files_of_a_checkpoint(folder):
    """All of them, and none of another whose name begins alike."""
    (folder / "m-1.meta").touch()
    (folder / "m-1.notes").touch()
    (folder / "m-10.index").touch()

    names = {path.name for path in checkpoint_file.parts(folder / "m-1")}

    assert names == {"m-1.meta", "m-1.index", "m-1.data-00000-of-00001"}


def test_a_path_below_the_folder_is_taken_at_its_word(folder):
    """A relative path with folders in it leads there before a namesake here counts."""
    bundle.write(folder.parent / "m-1", {"w": odd_weights()["words"]})
    state(folder.parent, "here/m-1")

    assert checkpoint_file.latest(folder.parent) == folder / "m-1"


@pytest.mark.parametrize("text", ["model_checkpoint_path: 7", "\xff", 'model_checkpoint_path: ""'])
def test_what_cannot_be_read_or_names_nothing(folder, text):
    """Damage is told, never guessed around."""
    (folder / "checkpoint").write_bytes(text.encode("latin-1"))

    with pytest.raises(FormatError):
        checkpoint_file.latest(folder)


def test_processes_that_save_at_once_all_count(tmp_path):
    """Each finds in the file what the one before wrote: none is forgotten, none too many stay."""
    program = (
        "import sys, zoo; from zoo.samples import sample_model\n"
        "for step in map(int, sys.argv[2:]):\n"
        "    zoo.save(sample_model(), sys.argv[1], 'checkpoint', global_step=step, max_to_keep=50)"
    )
    steps = [list(range(start, start + 5)) for start in (0, 10, 20)]
    running = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path / "m", *map(str, some)])
        for some in steps
    ]

    assert [process.wait() for process in running] == [0, 0, 0]
    listed = checkpoint_file.read(tmp_path).all_model_checkpoint_paths
    assert sorted(listed) == sorted(f"m-{step}" for some in steps for step in some)
