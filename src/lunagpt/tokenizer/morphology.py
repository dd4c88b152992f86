"""Where Portuguese words divide into morphemes: the knowledge that steers the first half of the vocabulary.

Only training asks these questions; encoding applies the merges that came out of them. A border needs two
witnesses: an ending (or prefix) from the closed lists below, and a stem that the training text itself shows
with other endings of the lists (*cant-ar, cant-ava, cant-ou* justify *cant|ando*; nothing of the kind
justifies *qu|ando*). The idea of accepting a stem only with its paradigm goes back to the signatures of
Goldsmith, "Unsupervised Learning of the Morphology of a Natural Language" (2001).

Convention of the borders: the thematic vowel belongs to the ending (*cant|aram*, *educ|ação*), because then
    one stem
piece serves every tense and every derivation; plural ``-s`` is cut only from words without a longer ending.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

_VERBAL = """
ar arei arás ará aremos areis arão aria arias ariam aríamos ava avas avam ávamos ando ado ada ados adas ou ei
aram aste amos asse asses assem ássemos armos arem ara aras áramos er erei erás erá eremos erão eria erias
eriam eríamos endo eu eram este emos esse esses essem êssemos ermos erem era eras ir irei irás irá iremos irão
iria irias iriam iríamos ia ias iam íamos indo ido ida idos idas iu iram iste imos isse isses issem íssemos
irmos irem am em
"""

_NOMINAL = """
mente ação ações ição ições ção ções amento amentos imento imentos ador adora adores adoras edor edora edores
edoras idor idora idores idoras ante antes ente entes ância âncias ência ências ável áveis ível íveis idade
idades dade dades ismo ismos ista istas oso osa osos osas inho inha inhos inhas zinho zinha zinhos zinhas zão
zões eiro eira eiros eiras eza ezas íssimo íssima íssimos íssimas aria arias agem agens ivo iva ivos ivas ório
ória órios órias ense enses izar izado izada izados izadas ização izações ico ica icos icas ístico ística
ísticos ísticas
"""

#: Productive endings, verbal and nominal, thematic vowel included.
ENDINGS = frozenset((_VERBAL + _NOMINAL).split())

#: Endings that witness a stem without being cut themselves: the bare word and the class vowels.
_WITNESSES = ENDINGS | {"", "o", "a", "e", "os", "as", "es"}

#: Productive prefixes, longest first.
PREFIXES = (
    "contra", "sobre", "super", "inter", "trans", "multi", "micro", "macro", "extra", "infra", "hiper",
    "vice", "anti", "auto", "semi", "des", "sub", "pre", "pré", "pró", "bem", "mal", "dis", "re", "in", "im",
    "ir",
)  # fmt: skip

_DETERMINERS = """
o a os as ele ela eles elas este esta estes estas esse essa esses essas aquele aquela aqueles aquelas isto
isso aquilo um uma uns umas outro outra outros outras algum alguma alguns algumas alguém
"""
_DE_ONLY = "aqui ali aí onde ontem antes entre além"

_FUSED = {
    **{"d" + word: 1 for word in (_DETERMINERS + _DE_ONLY).split()},
    **{"n" + word: 1 for word in _DETERMINERS.split()},
    **{"pel" + vowel: 3 for vowel in ("o", "a", "os", "as")},
    **{"àquel" + ending: 1 for ending in ("e", "a", "es", "as")},
}

#: Contractions of preposition and determiner → where they divide; *do, das, num* and their like stay whole.
CONTRACTIONS: Mapping[str, int] = {form: border for form, border in _FUSED.items() if len(form) > 3}

#: Endings that need no paradigm behind them: unmistakable once the stem has this many letters.
_SAFE_ENDINGS = ("mente", "íssimo", "íssima", "íssimos", "íssimas", "zinho", "zinha", "zinhos", "zinhas")
_SAFE_STEM = 4

_MIN_STEM = 3
_MIN_PARADIGM = 3
_LONGEST_ENDING = max(map(len, ENDINGS))


class MorphemeSegmenter:
    """Finds morpheme borders with the help of a lexicon.

    Args:
        lexicon: occurrences of each word in the training text; spelled in lower case, letters only.
        min_count: occurrences from which a word counts as attested.
    """

    def __init__(self, lexicon: Mapping[str, float], min_count: float = 5) -> None:
        self._lexicon = {word: count for word, count in lexicon.items() if count >= min_count}
        self._paradigms: dict[str, int] = {}
        for word in self._lexicon:
            for length in range(min(_LONGEST_ENDING, len(word) - _MIN_STEM) + 1):
                stem, ending = word[: len(word) - length], word[len(word) - length :]
                if ending in _WITNESSES:
                    self._paradigms[stem] = self._paradigms.get(stem, 0) + 1

    def boundaries(self, word: str) -> list[int]:
        """Positions inside ``word`` (letters only, any case) where a morpheme ends, in ascending order."""
        word = word.lower()
        if word in CONTRACTIONS:
            return [CONTRACTIONS[word]]
        found = {self._prefix_end(word), self._ending_start(word)}
        return sorted(position for position in found if 0 < position < len(word))

    def split(self, word: str) -> list[str]:
        """``word`` cut at :meth:`boundaries`."""
        edges = [0, *self.boundaries(word), len(word)]
        return [word[start:end] for start, end in pairwise(edges)]

    def _ending_start(self, word: str) -> int:
        for length in range(min(_LONGEST_ENDING, len(word) - _MIN_STEM), 1, -1):
            stem = word[:-length]
            ending = word[len(stem) :]
            if ending in ENDINGS and self._paradigms.get(stem, 0) >= _MIN_PARADIGM:
                return len(stem)
            if ending in _SAFE_ENDINGS and len(stem) >= _SAFE_STEM:
                return len(stem)
        if len(word) > _MIN_STEM and word.endswith("s") and self._attested(word[:-1], word, ratio=0.2):
            return len(word) - 1
        if (
            len(word) > _MIN_STEM + 1
            and word.endswith(("res", "zes"))
            and self._attested(word[:-2], word, ratio=0.2)
        ):
            return len(word) - 2
        return 0

    def _prefix_end(self, word: str) -> int:
        for prefix in PREFIXES:
            rest = word[len(prefix) :]
            if word.startswith(prefix) and len(rest) > _MIN_STEM and self._attested(rest, word, ratio=0.5):
                return len(prefix)
        return 0

    def _attested(self, part: str, whole: str, ratio: float) -> bool:
        return self._lexicon.get(part, 0) >= max(1.0, ratio * self._lexicon.get(whole, 0))
