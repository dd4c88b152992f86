"""Normalising: what each switch changes, what stays, and that doing it twice changes nothing more."""

from __future__ import annotations

import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lunagpt.data.contractions import CONTRACTIONS, expand_contractions
from lunagpt.data.normalize import TextNormalizer, without_accents


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Vou do Rio à praia.", "Vou de o Rio a a praia."),
        ("Pelos montes, numa manhã dessas.", "Por os montes, em uma manhã de essas."),
        ("DAS ÁGUAS ÀS PEDRAS", "DE AS ÁGUAS A AS PEDRAS"),
        ("À noite; À NOITE", "A a noite; A A NOITE"),
        ("Àquela hora, daquilo, noutro, daí.", "A aquela hora, de aquilo, em outro, de aí."),
        ("copo d'água e D’olho", "copo de água e De olho"),
        ("desse modo; se ele desse mais", "de esse modo; se ele desse mais"),
        ("pelo caminho, o pelo do gato", "por o caminho, o pelo de o gato"),
        ("Disto, neste ano, aos poucos.", "De isto, em este ano, a os poucos."),
    ],
)
def test_contractions_are_written_out_in_their_case(text: str, expected: str) -> None:
    assert expand_contractions(text) == expected


@pytest.mark.parametrize(
    "text",
    ["ele nos viu", "fizeram-no e deram-na", "comigo e conosco", "pra você", "do-in", "joao@da.com",
     "www.na.org", "Joana d'Arc", "dó, dá, dás, nós", "C:\\do\\arquivo", "D'Ávila", "dona nadou"],
)  # fmt: skip
def test_what_is_no_contraction_for_sure_stays(text: str) -> None:
    assert expand_contractions(text) == text


def test_every_contraction_keeps_the_article_or_pronoun() -> None:
    assert len(CONTRACTIONS) > 60
    for word, expansion in CONTRACTIONS.items():
        preposition, rest = expansion.split()
        assert preposition in ("de", "em", "por", "a")
        assert without_accents(word).endswith(without_accents(rest).lstrip("a") or "a")


def test_white_space_goes_but_lines_lists_and_code_stay() -> None:
    text = (
        "Um\u00a0 texto\t\tcom   espaços \r\n\r\n\r\n\r\n- item\n   - sub  item\n"
        "```\n  x  =  1\n```\n\ufefffim\u200b\n"
    )
    expected = "Um texto com espaços\n\n- item\n   - sub item\n```\n  x  =  1\n```\nfim"
    assert TextNormalizer().normalize(text) == expected


def test_case_and_accents() -> None:
    normalizer = TextNormalizer(lowercase=True, remove_accents=True)
    assert normalizer.normalize("AÇÃO do 1º Vovô, n.ª 5 — É İ!") == "acao do 1º vovo, n.ª 5 — e i!"
    assert TextNormalizer().normalize("Ac\u0327a\u0303o") == "Ação"


def test_mojibake_is_mended_and_quotes_stay() -> None:
    pytest.importorskip("ftfy")
    normalizer = TextNormalizer(fix_unicode=True)
    assert normalizer.normalize("InformaÃ§Ãµes “úteis” &amp; nÂº 5") == "Informações “úteis” &amp; nº 5"


def test_without_ftfy_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['ftfy'] = None\n"
        "from lunagpt.data import TextNormalizer\n"
        "TextNormalizer()\n"
        "try: TextNormalizer(fix_unicode=True)\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=True
    )
    assert 'pip install "lunagpt[data]"' in done.stdout


@given(
    st.one_of(
        st.text(max_size=80), st.lists(st.sampled_from(sorted(CONTRACTIONS)), max_size=12).map(" ".join)
    ),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_normalising_twice_changes_nothing_more(
    text: str, lowercase: bool, accents: bool, contractions: bool, spaces: bool
) -> None:
    normalizer = TextNormalizer(lowercase, accents, contractions, False, spaces)
    once = normalizer.normalize(text)
    if not (accents and contractions):  # "nó" loses its accent, and "no" is a contraction
        assert normalizer.normalize(once) == once
    assert unicodedata.is_normalized("NFC", once)
