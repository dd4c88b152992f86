"""`Section`: the base of every group of settings.

A section is a pydantic model that also answers like a dictionary, refuses unknown keys, checks every
assignment, and speaks Portuguese when something is wrong.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Union, cast, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic._internal._model_construction import ModelMetaclass
from pydantic_core import PydanticCustomError

from lunagpt.errors import ConfigError

_PORTUGUESE_BOOLS = {"sim": True, "não": False, "nao": False}


class _SectionMeta(ModelMetaclass):
    """Turns pydantic's errors into `ConfigError` when a section is built from Python code.

    It sits on the call and not in `__init__`, because a custom `__init__` would also run for nested
    sections, where pydantic must first collect all errors with their full path.
    """

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().__call__(*args, **kwargs)
        except ValidationError as error:
            from lunagpt.config.problems import explain

            raise ConfigError(explain(error, cast("type[BaseModel]", cls))) from None


class Section(BaseModel, metaclass=_SectionMeta):
    """A group of settings: `section.key`, `section["key"]`, `section.get("key", default)`.

    Assignments are validated; a refused one leaves the old value.

    Raises:
        ConfigError: on construction or assignment, for an unknown key or an unfit value.
    """

    model_config = ConfigDict(
        extra="forbid", validate_assignment=True, allow_inf_nan=False, protected_namespaces=()
    )

    @field_validator("*", mode="before")
    @classmethod
    def _settle_kinds(cls, value: Any, info: ValidationInfo) -> Any:
        """Read "sim"/"não" as booleans, keep true/false out of fields that want a number, and numbers with a
        point out of those that want a whole one."""
        if info.field_name is None:
            return value
        takes_bool = accepts_bool(cls.model_fields[info.field_name].annotation)
        if takes_bool and isinstance(value, str):
            return _PORTUGUESE_BOOLS.get(value.strip().lower(), value)
        if isinstance(value, bool) and not takes_bool:
            raise PydanticCustomError("boolean_not_wanted", "a boolean is not accepted here")
        if takes_whole_numbers_only(cls.model_fields[info.field_name].annotation) and (
            isinstance(value, float) or (isinstance(value, str) and "." in value)
        ):
            # `1.000`, a thousand in Portuguese, would become 1
            raise PydanticCustomError("fraction_not_wanted", "a fraction is not accepted here")
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        before = self.__dict__.get(name)
        try:
            super().__setattr__(name, value)
        except ValidationError as error:
            from lunagpt.config.problems import explain

            if name in self.__dict__:
                # A check over several fields runs after pydantic has stored the value.
                self.__dict__[name] = before
            raise ConfigError(explain(error, type(self), {name: value})) from None

    def __getitem__(self, key: str) -> Any:
        if key not in type(self).model_fields:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, key, value)

    def __contains__(self, key: object) -> bool:
        return key in type(self).model_fields

    def keys(self) -> Iterator[str]:
        """Names of the settings, in the order of the documentation."""
        return iter(type(self).model_fields)

    def get(self, key: str, default: Any = None) -> Any:
        """The value of `key`; `default` if there is no such key or it is not set (None)."""
        value = getattr(self, key) if key in type(self).model_fields else None
        return default if value is None else value

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain JSON values (dict, list, str, int, float, bool, None)."""
        return self.model_dump(mode="json")


def accepts_bool(annotation: Any) -> bool:
    """Whether a type annotation admits true/false."""
    if annotation is bool or annotation is Any:
        return True
    if get_origin(annotation) in (Union, types.UnionType):
        return any(accepts_bool(option) for option in get_args(annotation))
    return False


def takes_whole_numbers_only(annotation: Any) -> bool:
    """Whether a type annotation is a whole number, perhaps None, and nothing else."""
    options = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    return int in options and set(options) <= {int, type(None)}
