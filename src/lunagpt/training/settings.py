"""The settings of a training run: the configuration's section `training`, and what only the loop needs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from lunagpt.config.sections import TrainingConfig

# Other names that the documentation uses for the same thing.
ALIASES = {
    "lr": "learning_rate",
    "epochs": "num_epochs",
    "max_epochs": "num_epochs",
    "gradient_clip_value": "gradient_clipping",
}


class TrainingSettings(TrainingConfig):
    """Everything the loop needs to know besides model and data.

    Learning rates: Muon at 0.02 and Adam at a few thousandths for tied embeddings are the values of Keller
    Jordan's Muon post and of nanochat. Muon's update has unit spectral norm, so its rate does not depend on
    the model's width. Weight decay is decoupled: `lr * weight_decay` per step. A small corpus read several
    times wants 10–30 times the customary 0.01 (Kim et al., 2025).
    """

    embedding_weight_decay: float = Field(0.0, ge=0, description="Decaimento dos pesos do embedding.")
    train_only: list[str] = Field(
        default_factory=list,
        description="Começos dos nomes dos pesos que são treinados, como hypernet.; vazio treina todos.",
    )
    momentum: float = Field(0.95, ge=0, lt=1, description="Momento do Muon.")
    betas: tuple[float, float] = Field((0.9, 0.95), description="Médias móveis do AdamW.")
    decay_steps: int | None = Field(
        None, ge=0, description="Passos de descida da taxa; vale mais que decay_fraction."
    )
    decay_shape: Literal["linear", "sqrt"] = Field("linear", description="Forma da descida (wsd).")
    average_fraction: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Parte final do treino da qual fica a média dos pesos; 0 fica com os do último passo.",
    )
    average_interval: int = Field(10, ge=1, description="Passos entre dois pesos que entram na média.")
    max_minutes: float | None = Field(None, gt=0, description="Minutos desta chamada, não do treino inteiro.")
    gradient_workers: int | None = Field(
        None,
        ge=1,
        description="Micro-lotes calculados ao mesmo tempo na CPU; null usa um por núcleo, ou um só "
        "se o modelo descarta por sorteio.",
    )
    max_bad_steps: int = Field(5, ge=1, description="Passos seguidos com perda inválida antes de desistir.")
    run_dir: str | None = Field(None, description="Pasta da execução: registro, curvas, amostras.")
    checkpoint_dir: str | None = Field(None, description="Pasta dos pontos de retomada.")  # type: ignore[assignment]
    log_interval: int = Field(10, ge=1, description="Passos entre duas linhas do registro.")
    validation_batches: int = Field(8, ge=1, description="Lotes lidos de cada conjunto de validação.")
    sample_prompts: list[str] = Field(
        default_factory=list, description="Perguntas respondidas a cada avaliação."
    )

    @property
    def epochs(self) -> int | None:
        """Passes over the data after which to stop: `num_epochs`, unless steps or minutes were set."""
        if self.max_steps is not None:
            return None
        return self.num_epochs if self.max_minutes is None or "num_epochs" in self.model_fields_set else None

    @property
    def compile_mode(self) -> str:
        """on, off or auto."""
        return "auto" if self.compile == "auto" else "on" if self.compile else "off"

    @classmethod
    def of(cls, config: Any = None, **options: Any) -> TrainingSettings:
        """The section `training` of a LunaConfig (or the defaults), with `options` over it, where not None.

        Raises:
            ConfigError: an option that does not exist, with the nearest name; or a value that does not fit.
        """
        values = {} if config is None else config.training.model_dump(exclude_unset=True)
        return cls(**{**values, **_given(options)})

    def replace(self, **options: Any) -> TrainingSettings:
        """A copy with `options` over it, where not None."""
        return type(self)(**{**self.model_dump(exclude_unset=True), **_given(options)})


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {ALIASES.get(name, name): value for name, value in options.items() if value is not None}
