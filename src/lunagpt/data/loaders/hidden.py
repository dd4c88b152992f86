"""Which parts of a web page a reader does not see: they may carry instructions for the machine alone."""

from __future__ import annotations

import re
from collections.abc import Mapping

_GONE = re.compile(
    r"display:none|(?<!content-)visibility:(?:hidden|collapse)|content-visibility:hidden"
    r"|font-size:(?:0*\.\d|0+(?![.\d])|1px)|(?:left|top|right|bottom|text-indent):-(?:\d{4,}|999)"
    r"|clip:rect\(|clip-path:inset\((?:50|100)%|transform:scale\(0\)"
)
_FADED = re.compile(r"(?<![\w-])opacity:0*\.?0*(?![.\d])|color:transparent")
_NO_ROOM = re.compile(r"(?<![\w-])(?:max-)?(?:width|height):0(?:px)?(?![.\d])")
_WHITE_TEXT = re.compile(
    r"(?<![\w-])color:(?:white|#fff(?:fff)?|rgba?\(255,255,255(?:,[\d.]+)?\)|rgba\([\d.,]+,0\))(?![0-9a-f])"
)
_BACKGROUND = re.compile(
    r"background(?:-color|-image)?:(?!(?:white|#fff(?:fff)?|transparent|none|inherit)\b)"
)
_HIDING_CLASSES = frozenset(
    {"sr-only", "visually-hidden", "screen-reader-text", "screen-reader-only", "u-hidden"}
)
_SOMETIMES_HIDING = frozenset({"hidden", "d-none"})
_RULE = re.compile(r"([^{}]{1,2000})\{([^{}]{0,5000})\}")
_SIMPLE_SELECTOR = re.compile(r"\s*[a-z0-9]*([.#][\w-]+)\s*\Z", re.IGNORECASE)
_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def plain_style(style: str) -> str:
    """CSS declarations without white space, comments and capitals."""
    return re.sub(r"\s+", "", _CSS_COMMENT.sub("", style)).lower()


def hides(style: str) -> bool:
    """Whether declarations (see `plain_style`) take text off the page."""
    return bool(_GONE.search(style)) or ("overflow:hidden" in style and bool(_NO_ROOM.search(style)))


def has_white_text(style: str) -> bool:
    """Whether declarations make text white (or see-through), which is invisible on paper."""
    return bool(_WHITE_TEXT.search(style))


def has_background(style: str) -> bool:
    """Whether declarations give a background that is not white."""
    return bool(_BACKGROUND.search(style))


def is_hidden(attributes: Mapping[str, str], rules: set[str]) -> bool:
    """Whether an element is invisible, by itself or by the `rules` (see `hiding_rules`) of its page."""
    if "hidden" in attributes and attributes["hidden"].lower() != "until-found":
        return True
    if attributes.get("aria-hidden", "").strip().lower() == "true":
        return True
    style = plain_style(attributes["style"]) if "style" in attributes else ""
    if style and (hides(style) or _FADED.search(style)):
        return True
    classes = attributes.get("class", "").split()
    if not _HIDING_CLASSES.isdisjoint(classes):
        return True
    # "hidden md:block" and "d-none d-md-block" are hidden on small screens only.
    if not _SOMETIMES_HIDING.isdisjoint(classes) and not any(
        ":" in name or (name.startswith("d-") and name != "d-none") for name in classes
    ):
        return True
    return bool(rules) and (
        f"#{attributes.get('id', '')}" in rules or any(f".{name}" in rules for name in classes)
    )


def hiding_rules(sheet: str) -> set[str]:
    """``.class`` and ``#id`` selectors that a style sheet hides, but for rules inside of @media and the like.

    Opacity does not count here: pages fade their text in when it is scrolled to.
    """
    sheet = _CSS_COMMENT.sub("", sheet)
    found: set[str] = set()
    for selectors, declarations in _RULE.findall(_without_at_rules(sheet)):
        if hides(plain_style(declarations)):
            for selector in selectors.split(","):
                simple = _SIMPLE_SELECTOR.match(selector)
                if simple:
                    found.add(simple[1])
    return found


def _without_at_rules(sheet: str) -> str:
    """The sheet without blocks like ``@media print {…}``, whose rules hold only sometimes."""
    parts, depth, at_depth, start = [], 0, -1, 0
    for match in re.finditer(
        r"@(?:media|supports|keyframes|-webkit-keyframes|font-face|page)\b[^{};]*\{|[{}]", sheet
    ):
        token = match[0]
        if token.startswith("@") and at_depth < 0:
            parts.append(sheet[start : match.start()])
            at_depth = depth
        depth += -1 if token == "}" else 1
        if token == "}" and at_depth >= 0 and depth <= at_depth:
            at_depth, start = -1, match.end()
    if at_depth < 0:
        parts.append(sheet[start:])
    return "".join(parts)
