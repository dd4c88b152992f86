"""A GGUF file under evaluation, through llama.cpp (the package llama-cpp-python).

One text after the other, in one sequence of llama.cpp's memory: what the next text shares with the last one
from the beginning is not read again (where the architecture can go back; a recurrent one starts anew).

Letters: T time, V vocabulary, D width.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lunagpt.errors import EvaluationError, missing_extra
from lunagpt.evaluation.language_models import (
    LogLikelihood,
    PartialModel,
    ScoringJob,
    ScoringPlan,
    Sums,
    common_length,
    cut_at,
    plain_dialogue,
    split_pair,
    windows,
)
from lunagpt.files import sha256_file

if TYPE_CHECKING:
    from lunagpt.engines import Message

_WINDOW = 2048
_BATCH = 512


class GGUFLanguageModel(PartialModel):
    """See `LanguageModel`. Texts begin with the start token if the file asks for one."""

    kind = "gguf"
    capabilities = frozenset({"loglikelihood", "generate", "embed"})

    def __init__(self, path: str | Path, threads: int | None = None) -> None:
        """
        Args:
            path: the .gguf file. threads: default is one for each core this process may use.

        Raises:
            EvaluationError: llama.cpp cannot read it.
            MissingDependencyError: llama-cpp-python is not installed.
        """
        try:
            import llama_cpp
        except ModuleNotFoundError as error:
            raise missing_extra("llama-cpp-python", "gguf", "avaliar arquivos GGUF") from error
        self._api = llama_cpp
        self.path = Path(path)
        self.name = self.path.stem
        self._threads = threads or int(os.environ.get("OMP_NUM_THREADS", 0)) or os.cpu_count() or 1
        self._llama = self._open()
        self._context = self._llama.ctx
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = llama_cpp.llama_batch_init(_BATCH, 0, 1)
        self._vocabulary = self._llama.n_vocab()
        # the tokens that the memory holds, in order
        self._read: list[int] = []
        self._embedder: Any = None
        start = self._tokens("a", start=True)
        self._start = start[:1] if start and start[0] == self._llama.token_bos() else []

    def __del__(self) -> None:
        batch = getattr(self, "_batch", None)
        if batch is not None:
            self._api.llama_batch_free(batch)

    def describe(self) -> dict[str, Any]:
        """Name, size and SHA-256 of the file."""
        return {"path": self.path.name, "bytes": self.path.stat().st_size, "sha256": sha256_file(self.path)}

    def loglikelihood(self, pairs: Sequence[tuple[str, str]]) -> list[LogLikelihood]:
        """See `LanguageModel.loglikelihood`."""
        plan = self._plan(pairs)
        sums = [Sums() for _ in pairs]
        for job in sorted(plan.jobs, key=lambda job: job.prefix):  # like beginnings after one another
            self._score(job, sums)
        return plan.results(sums)

    def generate(
        self,
        prompts: Sequence[str | Sequence[Message]],
        *,
        max_new_tokens: int = 128,
        temperature: float = 0.0,
        seed: int = 0,
        stop: Sequence[str] = (),
    ) -> list[str]:
        """See `LanguageModel.generate`."""
        template = "tokenizer.chat_template" in (self._llama.metadata or {})
        answers = []
        settings: dict[str, Any] = {"max_tokens": max_new_tokens, "temperature": temperature, "seed": seed}
        settings |= {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1.0}
        for prompt in prompts:
            self._llama.reset()
            if template and not isinstance(prompt, str):
                messages: Any = [dict(message) for message in prompt]
                reply = self._llama.create_chat_completion(messages, **settings)
                answers.append(str(reply["choices"][0]["message"]["content"] or "").strip())
            else:
                text = prompt if isinstance(prompt, str) else plain_dialogue(prompt)
                kept = (self._start + self._tokens(text))[-(_WINDOW - max_new_tokens - 1) :]
                reply = self._llama.create_completion(kept, **settings)
                answers.append(cut_at(str(reply["choices"][0]["text"]).strip(), stop))
        self._forget()
        return answers

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """See `LanguageModel.embed`."""
        if self._embedder is None:
            self._embedder = self._open(embedding=True, pooling_type=self._api.LLAMA_POOLING_TYPE_MEAN)
        vectors = [self._embedder.embed(text, normalize=False, truncate=True) for text in texts]
        return np.array(vectors, dtype=np.float32)

    # -- inside --------------------------------------------------------------------------------------------

    def _open(self, **more: Any) -> Any:
        try:
            return self._api.Llama(
                str(self.path),
                n_ctx=_WINDOW,
                n_batch=_BATCH,
                n_ubatch=_BATCH,
                n_threads=self._threads,
                n_threads_batch=self._threads,
                verbose=False,
                **more,
            )
        except (ValueError, RuntimeError, OSError) as error:
            raise EvaluationError(
                f'O llama.cpp não conseguiu abrir "{self.path}" ({error}). O arquivo pode estar estragado ou '
                "ser de uma arquitetura que esta versão não conhece."
            ) from None

    def _tokens(self, text: str, start: bool = False) -> list[int]:
        return list(self._llama.tokenize(text.encode(), add_bos=start, special=False))

    def _plan(self, pairs: Sequence[tuple[str, str]]) -> ScoringPlan:
        plan = ScoringPlan()
        for number, (given, continuation) in enumerate(pairs):
            context, text = split_pair(given, continuation)
            whole = self._start + self._tokens(context + text)
            start = common_length(self._start + self._tokens(context), whole)
            count = len(text.encode())
            if start == 0:  # nothing to predict the first token from
                start = 1
                count -= len(self._llama.detokenize(whole[:1]))
            plan.num_bytes.append(count)
            if start < len(whole):
                for prefix, target in windows(whole[:start], whole[start:], _WINDOW):
                    plan.jobs.append(ScoringJob(number, prefix, target))
        return plan

    def _score(self, job: ScoringJob, sums: list[Sums]) -> None:
        tokens = job.prefix + job.target[:-1]
        first = len(job.prefix) - 1  # from here on predictions are wanted
        kept = min(common_length(self._read, tokens), first)
        if not self._api.llama_memory_seq_rm(self._memory, 0, kept, -1):
            self._forget()
            kept = 0
        self._read = self._read[:kept]
        for start in range(kept, len(tokens), _BATCH):
            piece = tokens[start : start + _BATCH]
            self._decode(piece, start, first)
            for offset in range(max(0, first - start), len(piece)):
                step = start + offset - first
                logits = np.ctypeslib.as_array(
                    self._api.llama_get_logits_ith(self._context, offset), shape=(self._vocabulary,)
                )
                highest = float(logits.max())
                log_sum = highest + float(np.log(np.exp(logits - highest).sum(dtype=np.float64)))
                picked = float(logits[job.target[step]])
                sums[job.pair].add(picked - log_sum, 1, picked >= highest)

    def _decode(self, piece: Sequence[int], start: int, first: int) -> None:
        """Reads tokens into the memory after `start` others; predictions are kept from place `first` on."""
        batch = self._batch
        batch.n_tokens = len(piece)
        for i, token in enumerate(piece):
            batch.token[i] = token
            batch.pos[i] = start + i
            batch.n_seq_id[i] = 1
            batch.seq_id[i][0] = 0
            batch.logits[i] = int(start + i >= first)
        code = self._api.llama_decode(self._context, batch)
        if code != 0:
            raise EvaluationError(f'O llama.cpp parou com o código {code} ao ler um texto em "{self.path}".')
        self._read += piece

    def _forget(self) -> None:
        self._api.llama_memory_clear(self._memory, True)
        self._read = []
