"""HTML → documents: what a reader sees of the page, without menus, banners and hidden text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser

from lunagpt.data.documents import Document
from lunagpt.data.loaders import problems
from lunagpt.data.loaders.builder import TextBuilder
from lunagpt.data.loaders.cleaning import clean_line
from lunagpt.data.loaders.hidden import has_background, has_white_text, hiding_rules, is_hidden, plain_style
from lunagpt.data.loaders.page_blocks import Block, PageBlocks
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.data.loaders.reading import Reading


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Never seen as text.
_SILENT = _names(
    "script style noscript template svg math iframe object embed canvas audio video map select datalist "
    "button input textarea head title frameset noframes noembed"
)
_VOID = _names("area base br col embed hr img input link meta param source track wbr")
_BLOCKS = _names(
    "address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption "
    "figure footer form h1 h2 h3 h4 h5 h6 header hgroup html legend li main menu nav ol p pre search section "
    "summary table tbody td tfoot th thead tr ul"
)
_FURNITURE = _names("nav aside footer dialog menu search")
_FURNITURE_ROLES = _names(
    "navigation banner contentinfo search complementary dialog alertdialog menu menubar toolbar"
)
_FURNITURE_CLASS = re.compile(
    r"(?:cookies?|consent|lgpd|newsletter|breadcrumbs?|sidebar|navbar|nav|menu|social|share|sharing|compartilhar|"
    r"related|relacionad[ao]s|advert\w*|ads?|publicidade|popup|modal|footer|rodape|skip)(?:[-_].*)?",
    re.IGNORECASE,
)
# An element of the key is closed by the opening of any of the value's, up to an element of the last set.
_CLOSED_BY: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "li": (frozenset({"li"}), frozenset({"ul", "ol", "menu"})),
    "dt": (frozenset({"dt", "dd"}), frozenset({"dl"})),
    "dd": (frozenset({"dt", "dd"}), frozenset({"dl"})),
    "tr": (frozenset({"tr", "td", "th"}), frozenset({"table"})),
    "td": (frozenset({"td", "th"}), frozenset({"tr", "table"})),
    "th": (frozenset({"td", "th"}), frozenset({"tr", "table"})),
    "a": (frozenset({"a"}), _BLOCKS),
}
_COMMENT = re.compile(r"<!--(?:-?>|.*?(?:--!?>|\Z))", re.DOTALL)
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]{1,40})", re.IGNORECASE)
_DEPTH = 512
_META = {
    "author": "author",
    "article:author": "author",
    "date": "date",
    "article:published_time": "date",
    "dcterms.date": "date",
}


def read_html(reading: Reading) -> list[Document]:
    """One document: the main part of the page; author and date in the metadata."""
    declared = _CHARSET.search(reading.data[:4096])
    page = _parse(reading.text(declared[1].decode("ascii") if declared else None))
    builder = reading.builder()
    page.blocks.write_main(builder)
    for name, value in page.meta.items():
        reading.tell(name, value)
    title = clean_line(page.title)
    first = next((heading.text for heading in builder.headings if heading.level == 1), "")
    if first and (not title or first.lower() in title.lower()):  # "Artigo | Nome do site" → "Artigo"
        title = first
    return [builder.document(reading.id, title or reading.name_title, reading.about)]


def write_fragment(html: str, builder: TextBuilder) -> None:
    """Write everything that a reader of this HTML sees, menus included.

    Raises:
        FileProblem: the HTML is nested too deeply.
    """
    _parse(html).blocks.write_all(builder)


def _parse(html: str) -> _Page:
    page = _Page()
    # The parser and browsers disagree on where a broken comment ends; browsers are right.
    page.feed(_COMMENT.sub("", html).replace("\0", ""))
    page.close()
    page.blocks.flush()
    return page


@dataclass(slots=True)
class _State:
    """What holds inside of an element."""

    tag: str = ""
    silent: bool = False
    furniture: bool = False
    main: bool = False
    link: bool = False
    pre: bool = False
    background: bool = False


class _Page(HTMLParser):
    """Feeds the blocks of a page; tolerates what browsers tolerate."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks = PageBlocks()
        self.title = ""
        self.meta: dict[str, str] = {}
        self._rules: set[str] = set()
        self._stack = [_State()]
        self._reading_title = False
        self._sheet: list[str] | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        if tag == "br":
            self.blocks.text("\n", False)
        elif tag == "hr":
            self.blocks.flush()
        elif tag == "meta":
            name = _META.get((values.get("name") or values.get("property") or "").lower())
            if name and name not in self.meta:
                self.meta[name] = values.get("content", "")
        if tag in _VOID:
            return
        if tag == "title" and not self.title and not self._in("svg"):
            self._reading_title = True
        if tag == "style":
            self._sheet = []
        self._close_implied(tag)
        outer = self._stack[-1]
        if len(self._stack) > _DEPTH:
            raise FileProblem(problems.TOO_DEEP.format(limit=_DEPTH))
        style = plain_style(values["style"]) if "style" in values else ""
        background = (
            outer.background or "bgcolor" in values or "background" in values or has_background(style)
        )
        main = outer.main or tag in ("main", "article") or values.get("role") == "main"
        state = _State(
            tag,
            silent=outer.silent
            or tag in _SILENT
            or is_hidden(values, self._rules)
            or (bool(style) and not background and has_white_text(style)),
            furniture=outer.furniture or _is_furniture(tag, values),
            main=main,
            link=outer.link or tag == "a",
            pre=outer.pre or tag == "pre",
            background=background,
        )
        if tag in _BLOCKS and not state.silent:
            self.blocks.open(tag, Block(furniture=state.furniture, main=state.main), values.get("start", ""))
        self._stack.append(state)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        # "<div/>" opens a div in HTML; only void elements and those of SVG end at once.
        self.handle_starttag(tag, attributes)
        if self._stack[-1].tag == tag and self._in("svg"):
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._reading_title = False
        if tag == "style" and self._sheet is not None:
            self._rules |= hiding_rules("".join(self._sheet))
            self._sheet = None
        for index in range(len(self._stack) - 1, 0, -1):
            if self._stack[index].tag == tag:
                self._pop_to(index)
                return
            if tag not in _BLOCKS and self._stack[index].tag in _BLOCKS:
                return  # an inline element does not reach out of its block

    def handle_data(self, data: str) -> None:
        if self._reading_title:
            self.title += data
        if self._sheet is not None:
            self._sheet.append(data)
        state = self._stack[-1]
        if not state.silent:
            self.blocks.text(data, state.link, verbatim=state.pre)

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """``<![`` starts a comment in HTML; the library expects sections of SGML and stumbles."""
        end = self.rawdata.find(">", i)
        return end + 1 if end >= 0 else -1

    def _close_implied(self, tag: str) -> None:
        if tag in _CLOSED_BY:
            closed, limits = _CLOSED_BY[tag]
        elif tag in _BLOCKS:
            closed, limits = frozenset({"p"}), _BLOCKS - {"p"}
            if tag == "body":
                closed = closed | {"head"}
        else:
            return
        for index in range(len(self._stack) - 1, 0, -1):
            if self._stack[index].tag in closed:
                self._pop_to(index)
            elif self._stack[index].tag in limits:
                return

    def _pop_to(self, index: int) -> None:
        """Close the elements from the top of the stack down to `index`."""
        while len(self._stack) > index:
            state = self._stack.pop()
            if state.tag in _BLOCKS and not state.silent:
                self.blocks.close(state.tag)

    def _in(self, tag: str) -> bool:
        return any(state.tag == tag for state in self._stack)


def _is_furniture(tag: str, attributes: dict[str, str]) -> bool:
    if tag in _FURNITURE or attributes.get("role", "").strip().lower() in _FURNITURE_ROLES:
        return True
    if tag in ("html", "body", "main", "article"):
        return False
    names = [*attributes.get("class", "").split()[:20], attributes.get("id", "")]
    return any(_FURNITURE_CLASS.fullmatch(name) for name in names)
