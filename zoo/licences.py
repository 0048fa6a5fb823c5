"""What a registry says of licences: SPDX expressions, so that a program can tell them apart."""

from __future__ import annotations


def remark(stated: str | None) -> str:
    """Return what there is to say of a stated licence, empty where it is an SPDX expression.

    >>> remark("Apache-2.0 OR MIT"), remark("Apache License, Version 2.0")
    ('', "'Apache License, Version 2.0' is no SPDX expression: https://spdx.org/licenses")
    """
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    if stated is None:
        return "no licence is stated"
    try:
        canonical = canonicalize_license_expression(stated)
    except InvalidLicenseExpression:
        return f"{stated!r} is no SPDX expression: https://spdx.org/licenses"
    return "" if canonical == stated else f"{stated!r} is spelled {canonical!r} in SPDX"
