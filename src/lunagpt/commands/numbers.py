"""Numbers as Portuguese readers write them."""

from __future__ import annotations


def decimal(value: float) -> str:
    """A number with a decimal comma and no needless zeros, e.g. 0,7."""
    return f"{value:g}".replace(".", ",")


def in_words(count: int) -> str:
    """A large number with its unit, e.g. 14,5 milhões."""
    for size, name in ((10**9, "bilhões"), (10**6, "milhões"), (10**3, "mil")):
        if count >= size:
            return f"{decimal(float(f'{count / size:.3g}'))} {name}"
    return str(count)


def in_bytes(count: int) -> str:
    """A size in bytes, e.g. 29,1 MB (1 MB = 10⁶ bytes)."""
    for size, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= size:
            return f"{decimal(float(f'{count / size:.3g}'))} {name}"
    return f"{count} bytes"
