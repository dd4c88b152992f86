"""Section `growth`: when a model gets more layers during training, which ones and where."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt

from lunagpt.config.section import Section

GrowthMethod = Literal["identity", "stack"]
GrowthPosition = Literal["end", "spread"]


class GrowthConfig(Section):
    """Section `growth`; `model.use_growing` switches growing on."""

    method: GrowthMethod = Field(
        "identity",
        description="identity: camadas novas que ainda não mudam nada; stack: cópias das que há.",
    )
    position: GrowthPosition = Field(
        "end", description="Onde entram: end (depois da última camada) ou spread (espalhadas entre elas)."
    )
    layers_per_growth: int = Field(1, ge=1, description="Camadas que entram de cada vez.")
    max_extra_layers: int = Field(
        3, ge=1, description="Camadas que o modelo pode ganhar ao todo, contando as de treinos anteriores."
    )
    threshold: float = Field(
        0.001, ge=0, description="Queda da perda de validação, em nats por token, que conta como progresso."
    )
    patience: int = Field(5, ge=1, description="Avaliações seguidas sem progresso que fazem crescer.")
    smoothing: float = Field(
        0.5, ge=0, lt=1, description="Peso do passado na média móvel da perda de validação; 0 não alisa."
    )
    steps: list[PositiveInt] | None = Field(
        None, description="Passos depois dos quais cresce, sem olhar para a perda; null olha para ela."
    )
    warmup_steps: int = Field(
        20, ge=0, description="Passos em que a taxa de aprendizado volta a subir depois de crescer."
    )
