"""One-file HTML pages: no script, no network, safe to open; whatever comes from outside is escaped.

The page carries a Content-Security-Policy that allows its own style sheet (by hash) and nothing else: no
`style` attribute may be used, looks come from the classes of `lunagpt.reporting.style`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape

from lunagpt.reporting.style import STYLE_SHEET

_VOID = frozenset({"meta", "br", "hr", "img"})


class Html(str):
    """A piece of HTML; every other string is taken for plain text and escaped."""

    __slots__ = ()


def html(value: object) -> Html:
    """The value as HTML: `Html` stays as it is, anything else is escaped."""
    return value if isinstance(value, Html) else Html(escape(str(value)))


def join(pieces: Iterable[object], between: str = "") -> Html:
    """Pieces side by side."""
    return Html(escape(between).join(html(piece) for piece in pieces))


def element(tag: str, *children: object, **attributes: object) -> Html:
    """An element. Attribute names are written in Python's way: `class_`, `aria_label`; None and False leave
    an attribute out."""
    written = ""
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        name = name.rstrip("_").replace("_", "-")
        written += f" {name}" if value is True else f' {name}="{escape(str(value))}"'
    if tag in _VOID:
        return Html(f"<{tag}{written}>")
    return Html(f"<{tag}{written}>{join(children)}</{tag}>")


def paragraph(*children: object, class_: str | None = None) -> Html:
    return element("p", *children, class_=class_)


def items(pieces: Iterable[object], class_: str | None = None, ordered: bool = False) -> Html:
    """A list."""
    return element("ol" if ordered else "ul", *(element("li", piece) for piece in pieces), class_=class_)


def section(title: str, *children: object) -> Html:
    return element("section", element("h2", title), *children)


def table(
    headers: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    right: Sequence[int] = (),
    caption: str | None = None,
) -> Html:
    """A table whose first column heads its rows; it scrolls by itself where the screen is too narrow.

    Args:
        right: numbers of the columns that are aligned to the right.
    """

    def side(column: int) -> str | None:
        return "right" if column in right else None

    head = element("tr", *(element("th", h, scope="col", class_=side(i)) for i, h in enumerate(headers)))
    body = [
        element(
            "tr",
            *(
                element("td", cell, class_=side(i)) if i else element("th", cell, scope="row")
                for i, cell in enumerate(row)
            ),
        )
        for row in rows
    ]
    content = element("table", element("thead", head), element("tbody", *body))
    label = caption or "Tabela"
    scroll = element("div", content, class_="scroll", tabindex="0", role="region", aria_label=label)
    # the caption stands outside: inside it would be as wide as the table and scroll with it
    return element("figure", element("figcaption", caption), scroll) if caption else scroll


def facts(pairs: Iterable[tuple[object, object]]) -> Html:
    """A few large figures, each with what it counts."""
    return items((join((element("b", figure), label)) for figure, label in pairs), class_="facts")


def pairs(rows: Iterable[tuple[object, object]]) -> Html:
    """Names and values, e.g. the settings of a measurement."""
    cells = [element("dt", name) + element("dd", value) for name, value in rows]
    return element("dl", *(Html(cell) for cell in cells), class_="pairs")


def page(title: str, body: Sequence[Html], *, description: str = "") -> str:
    """A complete document in Portuguese."""
    digest = base64.b64encode(hashlib.sha256(STYLE_SHEET.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="description", content=description) if description else "",
        element("title", title),
        Html(f"<style>{STYLE_SHEET}</style>"),
    ]
    content = element("body", element("main", element("h1", title), *body))
    return f'<!doctype html>\n<html lang="pt-BR">\n{element("head", *head)}\n{content}\n</html>\n'
