"""The dialect of filters: what SQL makes of it is what its description says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lunagpt.errors import StoreError
from lunagpt.rag import DocumentStore

NAMES = ["ano", "fonte", "tags", "autor.nome", "pronto"]
SCALARS = st.one_of(
    st.integers(-3, 3),
    st.floats(-3, 3).map(lambda value: round(value, 1)),
    st.sampled_from(["", "a", "ab", "abc", "Á"]),
    st.booleans(),
)
VALUES = SCALARS | st.none() | st.lists(SCALARS, max_size=3)
METADATA = st.fixed_dictionaries(
    {},
    optional={
        "ano": VALUES,
        "fonte": VALUES,
        "tags": VALUES,
        "pronto": VALUES,
        "autor": st.fixed_dictionaries({}, optional={"nome": VALUES}) | SCALARS,
    },
)
OPERATORS = st.one_of(
    st.tuples(st.sampled_from(["$eq", "$ne", "$gt", "$gte", "$lt", "$lte", "$contains"]), SCALARS),
    st.tuples(st.sampled_from(["$in", "$nin"]), st.lists(SCALARS, max_size=3)),
    st.tuples(st.just("$exists"), st.booleans()),
)
WANTED = st.one_of(
    SCALARS, st.none(), st.lists(SCALARS, max_size=3), OPERATORS.map(lambda pair: dict([pair]))
)
FILTERS = st.recursive(
    st.dictionaries(st.sampled_from(NAMES), WANTED, max_size=2),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: {"$and": parts}),
        st.lists(inner, max_size=3).map(lambda parts: {"$or": parts}),
        inner.map(lambda part: {"$not": part}),
    ),
    max_leaves=4,
)


def fits(metadata: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """The description of the dialect, word by word."""
    for name, condition in wanted.items():
        if name == "$and":
            passed = all(fits(metadata, part) for part in condition)
        elif name == "$or":
            passed = any(fits(metadata, part) for part in condition)
        elif name == "$not":
            passed = not fits(metadata, condition)
        else:
            operators = condition if isinstance(condition, dict) else None
            if operators is None:
                operators = {"$in" if isinstance(condition, list) else "$eq": condition}
            value = look_up(metadata, name.split("."))
            passed = all(holds(value, operator, operand) for operator, operand in operators.items())
        if not passed:
            return False
    return True


def look_up(metadata: Any, path: list[str]) -> Any:
    for part in path:
        metadata = metadata.get(part) if isinstance(metadata, dict) else None
    return metadata


def kind(value: Any) -> str:
    if isinstance(value, bool):
        return "truth"
    return "number" if isinstance(value, int | float) else type(value).__name__


def holds(value: Any, operator: str, operand: Any) -> bool:
    alike = kind(value) == kind(operand)
    match operator:
        case "$eq":
            return alike and value == operand
        case "$ne":
            return not (alike and value == operand)
        case "$gt":
            return alike and value > operand
        case "$gte":
            return alike and value >= operand
        case "$lt":
            return alike and value < operand
        case "$lte":
            return alike and value <= operand
        case "$in":
            return any(holds(value, "$eq", item) for item in operand)
        case "$nin":
            return not holds(value, "$in", operand)
        case "$exists":
            return (value is not None) == operand
        case "$contains":
            if isinstance(value, list):
                return any(holds(item, "$eq", operand) for item in value)
            return isinstance(value, str) and isinstance(operand, str) and operand in value
    raise AssertionError(operator)


@pytest.fixture(scope="module")
def store() -> DocumentStore:
    return DocumentStore(embedder=False)


@settings(max_examples=150)
@given(rows=st.lists(METADATA, min_size=1, max_size=6), wanted=FILTERS)
def test_the_filter_is_what_it_says(
    store: DocumentStore, rows: list[dict[str, Any]], wanted: dict[str, Any]
) -> None:
    store.remove_documents_by_filter(filter={})
    store.add_documents(
        {"id": str(number), "content": "texto", "metadata": row} for number, row in enumerate(rows)
    )
    expected = [str(number) for number, row in enumerate(rows) if fits(row, wanted)]
    assert [document.id for document in store.documents(wanted)] == expected


def test_own_columns_and_keys_of_the_same_name() -> None:
    with DocumentStore(embedder=False) as store:
        store.add_documents(
            [
                {"id": "a", "title": "Um", "content": "x", "metadata": {"title": "Dois", "e spaço": 1}},
                {"id": "b", "title": "Dois", "content": "x", "metadata": {"título com 'aspas'": "sim"}},
            ]
        )

        def ids(wanted: dict[str, Any]) -> list[str]:
            return [document.id for document in store.documents(wanted)]

        assert ids({"title": "Dois"}) == ["b"]
        assert ids({"metadata.title": "Dois"}) == ["a"]
        assert ids({"title": {"$contains": "oi"}}) == ["b"]
        assert ids({"id": ["a", "z"]}) == ["a"]
        assert ids({"e spaço": 1}) == ["a"]
        assert ids({"título com 'aspas'": "sim"}) == ["b"]
        assert ids({"id": {"$gt": "a"}}) == ["b"]
        assert ids({}) == ["a", "b"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"ano": {"$gtt": 3}}, "gtt"),
        ({"$nor": []}, "nor"),
        ({"$and": {"ano": 3}}, "lista"),
        ({"$not": [1]}, "dicionário"),
        ({"ano": {"$in": 3}}, "lista"),
        ({"ano": {"$gt": None}}, "exists"),
        ({"ano": {"$eq": object()}}, "object"),
        ({"a..b": 1}, "nome de campo"),
        ({'a"b': 1}, "nome de campo"),
        (["ano"], "dicionário"),
    ],
)
def test_what_is_no_filter_is_refused(store: DocumentStore, wanted: Any, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        list(store.documents(wanted))


def test_depth_and_size_are_bounded(store: DocumentStore) -> None:
    deep: dict[str, Any] = {"ano": 1}
    for _ in range(50):
        deep = {"$not": deep}
    with pytest.raises(StoreError, match="níveis"):
        list(store.documents(deep))
    assert list(store.documents({"ano": 10**30})) == []
    assert list(store.documents({"id": [str(number) for number in range(5000)]})) is not None
