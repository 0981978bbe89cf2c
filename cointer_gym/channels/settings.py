"""The ``[channel]`` table of a scenario: a law by name, the fields of that law, and where its mean SNR comes from."""

from math import isfinite
from typing import Any, Self

from pydantic import ConfigDict, ModelWrapValidatorHandler, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from cointer_gym.channels.law import LAWS, ChannelLaw, find_law, warn_if_lifted
from cointer_gym.link import Link, LinkBudget
from cointer_gym.records import Model
from cointer_gym.units import linear_to_db

LOWEST_MEAN_DB, HIGHEST_MEAN_DB = -30.0, 60.0  # guards the arithmetic of the laws, not physics


class ChannelSettings(Model):
    """Which channel law, and with what mean SNR.

    The other keys are the fields of the law (see ``fields``); those of ``in_db`` may be given in dB. A law object
    stands for its table, so a scenario takes either.

    Args:
        law: name of a registered law, or ``package.module:Class``.
        budget: the link budget that gives the mean SNR; instead of ``mean_snr_db``.

    Warns:
        ClippedSamplesWarning: the default ``min_efficiency`` changes what the samples of a trace say.
    """

    model_config = ConfigDict(extra="allow")  # the fields of the law, which checks them

    law: str = "rayleigh"
    budget: LinkBudget | None = None
    _rate_assumed: bool = False  # whether min_efficiency was left out: it must not change a measured trace in silence

    @model_validator(mode="before")
    @classmethod
    def _from_law(cls, data: Any) -> Any:
        return {"law": data.reference(), **data.model_dump()} if isinstance(data, ChannelLaw) else data

    @model_validator(mode="before")
    @classmethod
    def _with_defaults(cls, data: Any) -> Any:
        """What the law takes for granted is written down, so that a record of the table holds all its numbers."""
        law = LAWS.get(str(data.get("law", "rayleigh"))) if isinstance(data, dict) else None
        fields = {} if law is None else law.model_fields
        taken = {name: field.default for name, field in fields.items() if not field.is_required()}
        return taken | data if taken else data

    @model_validator(mode="wrap")
    @classmethod
    def _note_assumption(cls, data: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        settings = read(data)
        if isinstance(data, dict | ChannelLaw):
            given = data.model_fields_set if isinstance(data, ChannelLaw) else data
            settings._rate_assumed = "min_efficiency" not in given
        return settings

    @field_validator("law")
    @classmethod
    def _known(cls, law: str) -> str:
        find_law(law)
        return law

    @model_validator(mode="after")
    def _fits_the_law(self) -> Self:
        law = find_law(self.law)
        unknown = self._law_fields().keys() - {*law.model_fields, *law.in_db}
        if unknown:
            texts = [f"law = {self.law!r} does not take {name}; {_fields_text(law)}" for name in sorted(unknown)]
            raise ValueError("; ".join(texts))
        self._check_mean(law)
        try:
            built = law.model_validate(self._law_fields(mean_snr=1.0))
        except ValidationError as error:
            faults = [self._fault(law, dict(fault)) for fault in error.errors()]
            raise ValidationError.from_exception_data("channel", faults) from None
        if self._rate_assumed:
            warn_if_lifted(built)
        if self.budget is None and "mean_snr" in law.model_fields:
            _check_range("mean_snr_db =", float(linear_to_db(built.average_snr)))
        return self

    def build(self, link: Link) -> ChannelLaw:
        """The channel law over ``link``.

        Raises:
            ValueError: the link budget gives a mean SNR outside [-30, 60] dB.
        """
        mean_snr_db = None if self.budget is None else self.budget.mean_snr_db(link)
        if mean_snr_db is not None:
            _check_range("budget gives a mean SNR of", mean_snr_db)
        return find_law(self.law).model_validate(self._law_fields(mean_snr_db=mean_snr_db))

    def _law_fields(self, **mean: float | None) -> dict[str, Any]:
        """What the law is built from; ``mean`` is the mean SNR if a budget gives it."""
        given = {name: value for name, value in (self.__pydantic_extra__ or {}).items() if value is not None}
        return given if self.budget is None else given | mean

    def _check_mean(self, law: type[ChannelLaw]) -> None:
        given = self._law_fields().keys() & {"mean_snr_db", "mean_snr"}
        sources = len(given) + (self.budget is not None)
        if "mean_snr" not in law.model_fields and sources:
            raise ValueError(f"law = {self.law!r} takes neither mean_snr_db nor budget; {_fields_text(law)}")
        if "mean_snr" in law.model_fields and sources != 1:
            raise ValueError(f"law = {self.law!r} takes exactly one of mean_snr_db and budget")

    def _fault(self, law: type[ChannelLaw], fault: dict[str, Any]) -> InitErrorDetails:
        """A fault of the law in the words of the table: the name that was written, and what the law takes."""
        field, *rest = fault["loc"] or ("",)
        in_db = {linear: name for name, linear in law.in_db.items()}
        extras = self.__pydantic_extra__ or {}
        name = field if field in extras else in_db.get(str(field), field)
        if fault["type"] == "missing":
            text, given = f"law = {self.law!r} needs {name}; {_fields_text(law)}", None
        else:
            given = extras.get(str(name), fault["input"])
            given = given[rest[0]] if rest and isinstance(given, list | tuple) else given
            text = fault["msg"].removeprefix("Value error, ")
            if name != field and isinstance(fault["input"], float) and isfinite(fault["input"]):
                text = f"as a linear ratio it is {fault['input']:g}; {text}"
        kind = PydanticCustomError("channel_law", "{text}", {"text": text})
        return InitErrorDetails(type=kind, loc=(name, *rest) if name else (), input=given)

    def _parameters(self) -> dict[str, Any]:
        return super()._parameters() | (self.__pydantic_extra__ or {})


def fields(law: type[ChannelLaw]) -> list[str]:
    """Names that the table of a law takes, as they are usually written: those in dB where there is a choice."""
    in_db = {linear: name for name, linear in law.in_db.items()}
    own_first = sorted(law.model_fields, key=lambda name: name in ChannelLaw.model_fields)
    return [in_db.get(name, name) for name in own_first]


def _fields_text(law: type[ChannelLaw]) -> str:
    return "its fields are " + ", ".join(
        "mean_snr_db or budget" if name == "mean_snr_db" else name for name in fields(law)
    )


def _check_range(subject: str, mean_snr_db: float) -> None:
    if not LOWEST_MEAN_DB <= mean_snr_db <= HIGHEST_MEAN_DB:
        raise ValueError(f"{subject} {mean_snr_db:.1f} dB, allowed is -30 to 60 dB")
