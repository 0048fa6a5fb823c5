"""All that was measured as one JSON document; docs/benchmarks.md says what is in it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.bench import Bench
    from benchmarks.rows import Row

SCHEMA = 1


def document(
    bench: Bench, about: dict[str, Any], rows: Sequence[Row], parts: dict[str, float]
) -> dict[str, Any]:
    """Return the document: what was measured, on what, and how long each part took in seconds."""
    return {
        "schema": SCHEMA,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": bench.quick,
        "runs": bench.runs,
        **about,
        "missing": bench.missing,
        "rows": [row.document() for row in rows],
        "parts": parts,
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Write the document to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")
