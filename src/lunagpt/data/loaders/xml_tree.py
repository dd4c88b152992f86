"""XML → documents, and the one safe way in which LunaGPT parses XML (docx is XML too)."""

from __future__ import annotations

import re
from collections import Counter
from xml.etree.ElementTree import Element, ParseError, XMLParser

from lunagpt.data.documents import Document
from lunagpt.data.loaders import problems
from lunagpt.data.loaders.builder import TextBuilder
from lunagpt.data.loaders.cleaning import clean_line
from lunagpt.data.loaders.limits import Limits
from lunagpt.data.loaders.outline import Node, NodeReader, label_text, scalar_text, write_node
from lunagpt.data.loaders.problems import FileProblem
from lunagpt.data.loaders.reading import Reading
from lunagpt.data.loaders.web_page import read_html, write_fragment

_DECLARATION = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.-]{1,40})")
_DECLARATION_TEXT = re.compile(r"\A\s*<\?xml[^>]*\?>")
# XML 1.0 has no place for these characters, not even escaped.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_MARKUP = re.compile(r"<(?:p|br|a|div|span|b|i|em|strong|ul|ol|li|h[1-6]|table|img)\b[^<>]*>", re.IGNORECASE)
# Short texts of repeated elements are joined on one line.
_JOINED_CHARACTERS = 100
_PARAGRAPHS = frozenset({"p", "para", "paragraph", "paragrafo", "parágrafo", "simpara"})


def parse_xml(text: str) -> Element:
    """The tree of an XML text; it may be deep.

    Raises:
        FileProblem: it declares entities.
        ParseError: it is not well formed.
    """
    # Without declared entities nothing grows and nothing is fetched. The text is decoded, so that no encoding
    # hides a declaration; one in a comment or in CDATA is refused as well, which harms nobody.
    if "<!ENTITY" in text:
        raise FileProblem(problems.ENTITIES)
    parser = XMLParser()
    parser.feed(text)
    return parser.close()


def read_xml(reading: Reading) -> list[Document]:
    """One document: an outline of the elements. XML with defects is read as tolerantly as a web page."""
    declared = _DECLARATION.match(reading.data)
    text = reading.text(declared[1].decode("ascii") if declared else None)
    text = _FORBIDDEN.sub("", _DECLARATION_TEXT.sub("", text.lstrip("\ufeff")))
    builder = reading.builder()
    try:
        root = parse_xml(text)
    except ParseError:
        write_fragment(text.replace("<![CDATA[", "").replace("]]>", ""), builder)
        reading.notes.append(problems.REPAIRED)
    else:
        if local_name(root) == "html":
            return read_html(reading)
        node = _node(root, NodeReader(reading.limits), reading.limits)
        if node:
            write_node([(label_text(local_name(root)), node)], builder)
    return [builder.document(reading.id, reading.name_title, reading.about)]


def local_name(element: Element) -> str:
    """Name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def _node(element: Element, reader: NodeReader, limits: Limits, depth: int = 0) -> Node:
    reader.count(depth)
    pairs: list[tuple[str, Node]] = [
        (label_text(name.rpartition("}")[2]), scalar_text(value))
        for name, value in element.attrib.items()
        if value.strip() and not name.startswith("{")
    ]
    if not len(element):
        text = _leaf_text(element.text or "", limits)
        if pairs and text:
            pairs.append(("", text))
        return pairs or text
    if (element.text or "").strip() or any((child.tail or "").strip() for child in element):
        prose = clean_line("".join(element.itertext()))
        return [*pairs, ("", prose)] if pairs else prose
    counts = Counter(local_name(child) for child in element)
    joined: dict[str, int] = {}  # name → place in `pairs`
    for child in element:
        name = local_name(child)
        node = _node(child, reader, limits, depth + 1)
        if not node:
            continue
        label = "" if name.lower() in _PARAGRAPHS else label_text(name)
        if not label or counts[name] == 1 or not isinstance(node, str) or len(node) > _JOINED_CHARACTERS:
            pairs.append((label, node))
        elif name in joined:  # <autor>A</autor><autor>B</autor> → "autor: A, B"
            pairs[joined[name]] = (label, f"{pairs[joined[name]][1]}, {node}")
        else:
            joined[name] = len(pairs)
            pairs.append((label, node))
    return pairs


def _leaf_text(text: str, limits: Limits) -> str:
    """The text of an element; feeds keep whole web pages in one, with their marks."""
    if not _MARKUP.search(text):
        return scalar_text(text)
    builder = TextBuilder(limits)
    write_fragment(text, builder)
    return builder.text
