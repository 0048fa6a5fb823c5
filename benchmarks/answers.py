"""A process that measures what happens inside it, and hands over rows."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.printing import block

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from benchmarks.rows import Row


def one_of(names: Collection[str]) -> Callable[[str], str]:
    """Return what takes a word of the command line that is one of `names`, and refuses others."""

    def known(word: str) -> str:
        if word not in names:
            raise argparse.ArgumentTypeError(f"{word!r} is none of {', '.join(names)}")
        return word

    return known


def answer(questions: Mapping[str, Callable[..., Iterator[Row]]]) -> None:
    """Answer the question on the command line: print its rows, or write them for another process.

    Each of `questions` is a function that takes the further arguments, as text.
    """
    parser = argparse.ArgumentParser(description="Measure one thing in this process.")
    parser.add_argument("question", choices=questions)
    parser.add_argument("arguments", nargs="*")
    parser.add_argument("--rows", type=Path, help="where the rows go as JSON")
    asked = parser.parse_args()
    rows = []
    for row in questions[asked.question](*asked.arguments):
        rows.append(row.document())
        if not asked.rows:
            print(block(row), end="\n\n", flush=True)
    if asked.rows:
        asked.rows.write_text(json.dumps(rows))
