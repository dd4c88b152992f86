"""Answers that stand on passages: rewriting the question, quoting, checking, refusing.

The way of a question, in this order (`chat.stages` walks it):

1. **To be looked up?** `router`: talk goes to the model, what is about the person only to their documents.
2. **In full.** `follow_up` says a follow-up so that it can be searched: `topic` tells whom or what the last
   turn was about, `pronouns` puts its name in, `ellipsis` changes the part that "E em 2020?" is new about.
3. The search finds passages (`chat.search`), if need be once more with the related words of `synonyms`.
4. **Quoted.** `extractive` chooses the sentence that answers, or none:
   `questions` tells the kind of answer wanted; `units` cuts the passages into sentences, and those that give
   orders (`hostile`) are out; `ranking` scores the rest by the words in common, `readings` by what the reader
   (`lunagpt.reading`) makes of the best passages; `contradictions` and `relations` leave out what tells of
   something else; what is then best is quoted if it is certain enough, or if it plainly says what is asked:
   a life's dates in brackets (`life_spans`), a rule, an agent or an entry (`plain_answers`), a relation
   that it states (`relations`, with `measures`). `spans` finds the few words in it that answer.
5. **Or written by the model**, if it can: `gate` lets its answer through sentence by sentence, each after
   `check` has found its figures, dates and names (`facts`, `figures`) in the passages it cites.
6. **Or refused**: `refusal` says what was searched.

Underneath: `words` (folded, stemmed), `word_weights` (what a word tells), `synonyms` (words for the same),
`contrasts` (words that exclude one another). What each rule is worth is measured by
`benchmarks/grounding_rules.py`.
"""

from lunagpt.chat.grounding.answers import Citation, GroundedAnswer, Problem
from lunagpt.chat.grounding.check import check_answer
from lunagpt.chat.grounding.extractive import extractive_answer
from lunagpt.chat.grounding.follow_up import rewrite_follow_up
from lunagpt.chat.grounding.refusal import refusal_text
from lunagpt.chat.grounding.router import Intent, intent_of

__all__ = [
    "Citation",
    "GroundedAnswer",
    "Intent",
    "Problem",
    "check_answer",
    "extractive_answer",
    "intent_of",
    "refusal_text",
    "rewrite_follow_up",
]
