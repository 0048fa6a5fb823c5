"""Registries that are broken, or made to do harm: the rows Y of the fault matrix.

What a row wants is an error of ours that names file and line, in little time and memory, whichever
command meets it; so most of them go through `zoo check`.
"""

import json
import os
import subprocess
import sys
import tracemalloc

import pytest

from zoo import entries, registry, yaml_events
from zoo.cli import run
from zoo.errors import RegistryError, UnknownNameError
from zoo.library import Library
from zoo.registry import Registry

SHA = "0" * 64
SOUND = f"""version: 1
models:
  net:
    summary: A net
    weights:
      one:
        format: frozen
        urls: ["file:net.pb"]
        sha256: {SHA}
        size: 12
    license: Apache-2.0
"""


@pytest.fixture
def check(tmp_path, capsys):
    """Return what ``zoo check`` says of a registry with this text: its code, and the words."""

    def checked(text):
        path = tmp_path / "r.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        code = run(["check", str(path)])
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        return code, printed.out + printed.err

    return checked


def refused(found, *words):
    """Check that a registry was refused, in these words."""
    code, said = found
    assert code == 65
    for word in words:
        assert word in said
    assert "r.yaml:" in said


def test_the_registry_that_all_of_these_start_from_is_sound(check):
    """What is refused below is refused for what was done to it."""
    assert check(SOUND) == (0, check(SOUND)[1])
    assert "1 model, no faults" in check(SOUND)[1]


@pytest.mark.parametrize("deep", ["[" * 100_000, "a: " + "{a: " * 1000, "- " * 1000])
def test_y01_depth_is_counted(check, deep):
    """A hundred thousand brackets end PyYAML's own loaders, and the process with them."""
    refused(check(deep), "nested more than 20 deep")


LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
)


@pytest.mark.parametrize(
    ("bomb", "words"),
    [
        (LAUGHS, "anchors are not allowed"),
        ("version: 1\nmodels:\n  <<: {a: 1}\n", "merge keys are not allowed"),
        ("version: 1\nmodels: *x\n", "r.yaml:2: "),
    ],
)
def test_y02_nothing_is_read_twice(check, bomb, words):
    """Aliases and merges, which make gigabytes of a few letters, are refused."""
    refused(check(bomb), words)


@pytest.mark.parametrize("again", ["  net: {}\n", "x-a: 1\nx-a: 2\n"])
def test_y03_equal_keys_are_told_with_both_lines(check, again):
    """PyYAML keeps the last of them without a word."""
    code, said = check(SOUND + again)

    refused((code, said), "stands twice", "first on line")


@pytest.mark.parametrize(
    "tagged",
    [
        "!!python/object/apply:os.system [touch made]",
        "!!python/name:os.system x",
        "!!binary aGk=",
        "!mine x",
        "!!str x",
    ],
)
def test_y04_tags_are_refused(check, tagged, tmp_path, monkeypatch):
    """No object is made, no function called: every tag that is written out is refused."""
    monkeypatch.chdir(tmp_path)

    refused(check(SOUND.replace("A net", tagged)), ":4: tags are not allowed")

    assert not (tmp_path / "made").exists()


def test_y05_digests_of_digits_stay_text(tmp_path):
    """YAML would make a number of sixty-four digits, and lose the zeros in front."""
    digits = "0" * 10 + "12345678" * 6 + "123456"
    (tmp_path / "r.yaml").write_text(SOUND.replace(SHA, digits))

    assert Registry(tmp_path / "r.yaml", tmp_path).entry("net").weights["one"].sha256 == digits


@pytest.mark.parametrize(
    "word", ["no", "on", "1.10", "12:30:45", "017", "2020-01-01", "0x1f", "~x"]
)
def test_y06_words_of_yaml_1_1_stay_text(tmp_path, word):
    """A summary of ``no`` is not False, a tag of ``1.10`` is not 1.1."""
    text = SOUND.replace("A net", word).replace("one:", "1.10:")
    (tmp_path / "r.yaml").write_text(text)

    entry = Registry(tmp_path / "r.yaml", tmp_path).entry("net")

    assert entry.summary == word
    assert list(entry.weights) == ["1.10"]


def test_y07_a_list_in_itself_is_refused(check):
    """``&a [*a]`` has no end."""
    refused(check("version: 1\nmodels: &a [*a]\n"), ":2: anchors are not allowed")


@pytest.mark.parametrize("digits", ["9" * 1_000_000, "9" * 5000, "1" + "0" * 16])
def test_y08_long_numbers_are_refused_by_their_length(check, digits):
    """A million digits are never made a number of."""
    code, said = check(SOUND.replace("size: 12", f"size: {digits}"))

    refused((code, said), "weights.one.size must be a whole number")
    assert len(said) < 500


STRANGE = {
    "nul": "\\0",
    "bell": "\\a",
    "right-to-left override": "\\u202e",
    "isolate": "\\u2066",
    "zero width": "\\u200b",
    "byte order mark": "\\ufeff",
    "line separator": "\\u2028",
}


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("key", ["summary", "license"])
def test_y09_letters_that_deceive_are_refused(check, name, key):
    """Control characters and those that turn text around are in no text that is displayed."""
    line = f'    {key}: "see {STRANGE[name]} here"\n'
    old = "    summary: A net\n" if key == "summary" else "    license: Apache-2.0\n"

    refused(check(SOUND.replace(old, line)), f"{key} must have no control characters")


@pytest.mark.parametrize("name", ["n\u0435t", "\uff4eet", "n\\u202eet", "n\\0et"])
def test_y09_names_are_ascii(check, name):
    """A Cyrillic letter that looks like ours makes no second model of one name."""
    refused(check(SOUND.replace("  net:", f'  "{name}":')), ":3: ", "is no name for a model")


def test_y10_terminals_are_not_steered(tmp_path, capsys):
    """A list, which validates nothing, shows an escape sequence and does not send it."""
    (tmp_path / "r.yaml").write_text(SOUND.replace("A net", '"\\e]0;owned\\a\\e[31mred"'))

    run(["list", "net", "--registry", str(tmp_path / "r.yaml")])

    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "\x07" not in printed
    assert "red" in printed


def test_y11_a_file_may_only_be_so_large(tmp_path, monkeypatch):
    """What is larger than the limit is not parsed, and said."""
    monkeypatch.setattr(yaml_events, "LARGEST", 100)

    with pytest.raises(RegistryError, match="the file is too large"):
        yaml_events.read(SOUND.encode(), "r.yaml")


def test_y11_many_models_take_little_memory_to_ask(tmp_path):
    """Asking a compiled registry for some names does not bring in the others."""
    lines = "".join(f"  net-{n}: {{summary: s, architecture: a}}\n" for n in range(3000))
    (tmp_path / "r.yaml").write_text("version: 1\nmodels:\n" + lines)
    Registry(tmp_path / "r.yaml", tmp_path)

    tracemalloc.start()
    names = Registry(tmp_path / "r.yaml", tmp_path).names("net-29")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(names) == 111
    assert peak < 4 * len(lines)


def test_y12_unknown_keys_get_their_neighbour(check):
    """A slip is an error with a hint; keys of one's own begin with ``x-``."""
    refused(check(SOUND.replace("summary:", "sumary:")), "nobody reads 'sumary'", "'summary'?")
    refused(check(SOUND + "modles: {}\n"), "nobody reads 'modles'")
    assert check(SOUND + "    x-mine: 1\nx-also: 2\n")[0] == 0


def test_y13_a_newer_version_says_so(check):
    """A registry of a newer form asks for a newer zoo, not for a guess."""
    refused(check(SOUND.replace("version: 1", "version: 2")), "a newer registry needs a newer zoo")


NAMES = ["../../etc/x", "a/../b", "/etc/passwd", "~", "%2e%2e", "a\\\\b", "", "a" * 300, ".a", "a."]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", ["  net:", "      one:"])
def test_y14_names_are_of_the_grammar(check, name, place):
    """A name or a tag is never a path, nor anything a server or a shell reads as one."""
    indent = place[: -len(place.lstrip())]

    refused(check(SOUND.replace(place, f'{indent}"{name}":')), "is no name")


@pytest.mark.parametrize(
    "digest", ["../../x", "sha256:" + SHA, SHA[:-1], SHA + "0", SHA.replace("0", "G"), "~", "''"]
)
def test_y15_digests_are_digits(check, digest):
    """No digest leads out of the store: 64 lower-case hexadecimal digits or an error."""
    refused(check(SOUND.replace(f"sha256: {SHA}", f"sha256: {digest}")))


@pytest.mark.parametrize(
    "size", ["-1", "1e999", ".nan", "NaN", "true", "12.0", "1_000", '" 12"', "0x10", "", "[12]"]
)
def test_y16_sizes_are_counts(check, size):
    """Bytes are a whole number in digits."""
    refused(check(SOUND.replace("size: 12", f"size: {size}")))


@pytest.mark.parametrize("scale", ["1e999", ".nan", "nan", "inf"])
def test_y16_numbers_of_pictures_are_finite(check, scale):
    """What a photo is multiplied by is a number."""
    text = SOUND + f"    preprocessing: {{size: [8, 8], scale: {scale}}}\n"

    refused(check(text), "preprocessing.scale")


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "ftp://example.org/net.pb",
        "net.pb",
        "https://me:secret@example.org/net.pb",
        "https://example.org/net.pb#part",
        "https://example.org/net.pb\\r\\nHost: other",
        "https://example.org/a b",
        "https://ex\\u0430mple.org/net.pb",
        "https://[::1/net.pb",
        "https://example.org:99999/net.pb",
        "https://example.org/\\u202egnp.bp",
    ],
)
def test_y17_addresses_are_plain(check, url):
    """Known schemes, no password, no fragment, no line end, no letter that looks like another."""
    refused(check(SOUND.replace('"file:net.pb"', f'"{url}"')), "weights.one.urls.0 must")


def test_y17_a_registry_from_the_network_names_no_files_of_this_machine(tmp_path):
    """What a server says may not read what lies here: neither by address nor by link."""
    absolute = SOUND.replace("file:net.pb", "file:///etc/passwd")
    link = SOUND.split("        urls", maxsplit=1)[0] + "        link: /etc\n"
    outside = SOUND.replace("file:net.pb", "file:../net.pb")

    for text in (absolute, link, outside):
        given = Registry(tmp_path, tmp_path, url="https://example.org/r.yaml", data=text.encode())
        with pytest.raises(RegistryError, match="files of this machine"):
            given.entry("net")


def test_y18_relative_paths_stay_in_the_folder_of_the_registry(tmp_path):
    """``file:../secret`` is refused, through a link too; an absolute address says what it means."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret.pb").write_bytes(b"x")
    (folder / "out").symlink_to(tmp_path)

    for path in ("../secret.pb", "out/secret.pb", "a/../../secret.pb"):
        text = SOUND.replace("file:net.pb", f"file:{path}").replace("size: 12", "size: 1")
        (folder / "r.yaml").write_text(text)
        with pytest.raises(Exception, match="outside the folder") as caught:
            Library(folder / "r.yaml").fetch("net")
        assert caught.value.code == 69


def with_file(*paths):
    """Return a registry whose model has files at these `paths`."""
    files = "".join(
        f'          - {{path: "{path}", urls: ["file:x"], sha256: {SHA}, size: 1}}\n'
        for path in paths
    )
    text = SOUND.replace('        urls: ["file:net.pb"]\n', f"        files:\n{files}")
    return text.replace(f"        sha256: {SHA}\n        size: 12\n", "")


@pytest.mark.parametrize("other", ["a/b", "A/B", "a/./b", "a//b", "a", "a/b/c"])
def test_y19_two_files_have_two_places(check, other):
    """Files of one model never meet: not by case, not by spelling, not as file and folder."""
    assert check(with_file("a/b", "a/c"))[0] == 0
    refused(check(with_file("a/b", other)))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (SOUND.replace("A net", "größe").encode("latin-1"), ":4: the file is not UTF-8"),
        (SOUND.encode("utf-16"), ":1: the file is not UTF-8"),
        (SOUND.replace("    summary", "\tsummary").encode(), "r.yaml:4: "),
        (b"version: 1\nmodels:\n  \xc0\xae: {}\n", ":3: the file is not UTF-8"),
    ],
)
def test_y20_files_are_utf_8_without_tabs(check, data, words):
    """Another encoding is told as such, with its line."""
    refused(check(data), words)


@pytest.mark.parametrize(
    "data", [SOUND.replace("\n", "\r\n").encode(), b"\xef\xbb\xbf" + SOUND.encode()]
)
def test_y20_ends_of_lines_and_a_mark_in_front_are_fine(check, data):
    """Windows writes both."""
    assert check(data)[0] == 0


@pytest.mark.parametrize("key", ["format", "architecture"])
def test_y21_names_in_a_registry_import_nothing(tmp_path, key, monkeypatch):
    """``evil:load`` is no format and no architecture: only what a plugin offers is."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    text = SOUND.replace("frozen", "evil:load")
    if key == "architecture":
        text = "version: 1\nmodels:\n  net: {summary: s, architecture: 'evil:load'}\n"
    (tmp_path / "r.yaml").write_text(text)

    with pytest.raises(UnknownNameError, match="evil:load"):
        Library(tmp_path / "r.yaml").open("net")

    assert "evil" not in sys.modules


def test_y22_nothing_is_included(check):
    """There is no ``include:``, so none has a circle in it."""
    refused(check("include: r.yaml\n" + SOUND), "nobody reads 'include'")


def test_y24_licences_are_remarked_on(check):
    """A licence that SPDX does not know, or none, is worth a word, and no error."""
    assert "no SPDX" in check(SOUND.replace("Apache-2.0", "do what you like"))[1]
    assert "'Apache-2.0' in SPDX" in check(SOUND.replace("Apache-2.0", "apache-2.0"))[1]
    code, said = check(SOUND.replace("    license: Apache-2.0\n", ""))
    assert code == 0
    assert "net: no licence is stated" in said


@pytest.mark.parametrize("name", ["ResNet", "RESNET"])
def test_d07_names_do_not_differ_by_case(check, name):
    """On a disk that does not tell cases apart ``ResNet`` and ``resnet`` would be one."""
    refused(check(SOUND + f"  {name}: {{summary: x, architecture: a}}\n"), "is no name")


DECOMPOSED = "cafe\u0301.pb"


def test_d08_paths_of_files_are_composed(check):
    """The two spellings of an accent are one name on one system and two on another."""
    refused(check(with_file(DECOMPOSED)), "composed form")
    assert check(with_file("caf\u00e9.pb"))[0] == 0


@pytest.mark.parametrize("name", ["con", "aux.txt", "nul", "com1", "lpt9.tar.gz", "net."])
def test_d09_names_are_no_devices_of_windows(check, name):
    """A model is called what a folder can be called everywhere."""
    refused(check(SOUND.replace("  net:", f"  {name}:")), "is no name for a model")
    assert entries.NAME.fullmatch("console")


@pytest.mark.parametrize(
    "path", ["con", "a/AUX.txt", "a.", "a /b", "a:b", "x" * 256, "a/" * 600 + "b"]
)
def test_d09_d10_paths_of_files_are_possible_everywhere(check, path):
    """Devices, trailing dots and spaces, streams, and what is too long are refused."""
    refused(check(with_file(path)), "weights.one.files.0.path must")


def test_checking_says_all_at_once_in_json_too(tmp_path, capsys):
    """Two entries with a fault each: two faults, each with its line."""
    text = SOUND.replace("size: 12", "size: x") + "  b: {summary: s}\n"
    (tmp_path / "r.yaml").write_text(text)

    assert run(["check", str(tmp_path / "r.yaml"), "--json"]) == 65

    faults = json.loads(capsys.readouterr().out)["faults"]
    assert [fault["problem"].partition("r.yaml")[2][:4] for fault in faults] == [":10:", ":12:"]


def test_an_unknown_name_among_thousands_is_quick(tmp_path):
    """Suggesting a neighbour looks at the likely ones."""
    assert registry.VERSION == 1
    with pytest.raises(UnknownNameError):
        Library().fetch("toy-addre")


def test_hostile_files_end_no_process(tmp_path):
    """What crashes PyYAML's C loader is met in a process of its own, which lives."""
    (tmp_path / "r.yaml").write_text("[" * 1_000_000)
    command = [sys.executable, "-m", "zoo", "list", "--registry", str(tmp_path / "r.yaml")]

    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ})

    assert done.returncode == 65
    assert "nested" in done.stderr
