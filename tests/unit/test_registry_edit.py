"""Entries come and go; every other line of a registry stays as a person wrote it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo import registry_edit
from zoo.errors import RegistryError, UnknownNameError, UsageError
from zoo.yaml_events import parse

TEXT = """\
# my models
version: 1   # the only one there is
x-note: mine

models:
    # the first I made
    net:
        summary: 'a net'   # with a remark
        weights:
            a: {format: frozen, urls: ["file:a.pb"], sha256: 00, size: 1}

            # the better one
            b:
                format: frozen
                link: /b.pb
    # a second
    other:
        summary: "other"
        architecture: vgg16
# the end
x-last: "yes"
"""
ENTRY = {"summary": "new: one", "weights": {"t": {"format": "frozen", "link": "/n.pb"}}}


def test_a_new_entry_comes_last_and_is_indented_like_the_others():
    """Comments, quotes, blank lines and what comes after the models stay where they are."""
    added = registry_edit.with_entry(TEXT, "r.yaml", ["new"], ENTRY)

    before, after = TEXT.split("# the end")
    spelled = (
        '    new:\n      summary: "new: one"\n      weights:\n        t:\n'
        "          format: frozen\n          link: /n.pb\n"
    )
    assert added == f"{before}{spelled}# the end{after}"
    assert registry_edit.without_entry(added, "r.yaml", ["new"]) == TEXT


def test_a_new_tag_comes_after_the_last():
    """Below the weights of its model, before the comment of the next one."""
    added = registry_edit.with_entry(TEXT, "r.yaml", ["net", "weights", "c"], {"link": "/c.pb"})

    assert added.index("# the better one") < added.index("c:\n") < added.index("# a second")
    assert list(parse(added, "")["models"]["net"]["weights"]) == ["a", "b", "c"]
    assert registry_edit.without_entry(added, "", ["net", "weights", "c"]) == TEXT


@pytest.mark.parametrize(
    ("path", "kept", "gone"),
    [
        (["net"], ["# the first I made", "# a second", "# the end"], ["a net", "/b.pb"]),
        (["other"], ["# a second", "# the end", "a net"], ["vgg16"]),
        (["net", "weights", "a"], ["# the better one", "/b.pb"], ["a.pb"]),
        (["net", "weights", "b"], ["a.pb", "# a second"], ["/b.pb"]),
    ],
)
def test_what_goes_takes_only_its_own_lines(path, kept, gone):
    """Comments that stand above it or above the next one stay."""
    shorter = registry_edit.without_entry(TEXT, "r.yaml", path)

    assert all(words in shorter for words in kept)
    assert not any(words in shorter for words in gone)


def test_an_empty_registry_gets_its_first_entry():
    """Also where nobody wrote ``models`` yet, or an empty one."""
    for text in (registry_edit.EMPTY, "version: 1\nmodels: # none yet\n", "version: 1"):
        assert registry_edit.with_entry(text, "", ["new"], ENTRY).startswith(text)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("version: 1\nmodels: {net: {summary: x}}\n", ["new"]),
        ("{version: 1, models: {}}\n", ["new"]),
        ("version: 1\nmodels:\n  net: # a\u2028\n    summary: x\n", ["new"]),
        ("version: 1\rmodels:\r  net:\r    summary: x\r", ["new"]),
        ("version: 1\nmodels: {}\n", ["new"]),
    ],
)
def test_a_style_with_braces_is_refused_not_broken(text, path):
    """An edit that would not say what was meant is not made."""
    with pytest.raises(RegistryError):
        registry_edit.with_entry(text, "r.yaml", path, ENTRY)


def test_what_is_there_and_what_is_not():
    """A name that is taken, with its line; a name that nobody has, with its neighbours."""
    with pytest.raises(UsageError, match=r"r\.yaml:7"):
        registry_edit.with_entry(TEXT, "r.yaml", ["net"], ENTRY)
    with pytest.raises(UnknownNameError) as caught:
        registry_edit.without_entry(TEXT, "r.yaml", ["othr"])
    assert "'other'" in caught.value.hint


@given(st.text(max_size=30), st.text(max_size=30))
def test_any_text_survives(summary, link):
    """Colons, quotes, hashes, line ends: what is read is what was meant, or it is refused."""
    entry = {"summary": summary, "weights": {"t": {"link": link}}}
    try:
        added = registry_edit.with_entry(TEXT, "r.yaml", ["new"], entry)
    except RegistryError:
        return

    found = parse(added, "")["models"]["new"]
    assert (found["summary"] or "", found["weights"]["t"]["link"] or "") == (summary, link)


def test_mixed_line_ends_stay_mixed():
    """Two people edited it, on two systems."""
    mixed = TEXT.replace("# a second\n", "# a second\r\n")

    added = registry_edit.with_entry(mixed, "r.yaml", ["new"], ENTRY)

    assert "# a second\r\n" in added
    assert registry_edit.without_entry(added, "r.yaml", ["new"]) == mixed


@pytest.mark.parametrize(
    "text", ["🐈", "größe", "\x85", "\x07", "a\u2028b", 'say "no"', "\\", "\x7f"]
)
def test_any_letter_is_spelled(text):
    """As text of a list, and as text of a key: what YAML does not take as it is gets an escape."""
    added = registry_edit.with_entry(TEXT, "r.yaml", ["new"], {"summary": text, "labels": [text]})

    assert parse(added, "")["models"]["new"] == {"summary": text, "labels": [text]}
    assert registry_edit.without_entry(added, "", ["new"]) == TEXT
