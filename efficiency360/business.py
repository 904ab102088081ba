"""What a year of answers costs: the assumptions that an audit file states, and what follows for a model."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, field_validator, model_validator

from efficiency360.strict import Number, Record

_CODES: Final = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD "
    "HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD "
    "MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN "
    "PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY "
    "TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG "
)
CURRENCIES: Final = frozenset(_CODES.split())
"""The codes of ISO 4217 that stand for money in use."""
Price = Annotated[Number, Field(ge=0, le=1e12)]
What = Literal["machines", "energy"]


class Assumptions(Record):
    """The table `[business]` of an audit file; money is in `currency`.

    `images_per_day` counts those of all devices together. Machine hours are paid by use, unless `devices` says how many
    machines stand there and are paid whether they are busy or not.
    """

    currency: str = Field(description="code of ISO 4217, such as EUR")
    images_per_day: Number = Field(gt=0, le=1e12, description="images to answer a day, on all devices together")
    days_per_year: Number = Field(default=365, gt=0, le=366, description="days of a year on which images come")
    hours_per_day: Number = Field(default=24, gt=0, le=24, description="hours a day for which a device is on and paid")
    utilisation: Number = Field(gt=0, description="share of its paid time in which a machine answers, above 0 up to 1")
    batch: int = Field(
        default=1, strict=True, ge=1, le=1 << 20, description="images answered at a time, as the audit timed them"
    )
    devices: int | None = Field(
        default=None, strict=True, ge=1, le=10**9, description="machines that are there; none: paid by use"
    )
    price_per_machine_hour: Price | None = Field(default=None, description="money for an hour of a machine as audited")
    price_per_kwh: Price | None = Field(default=None, description="money for a kilowatt-hour")
    migration_cost: Price | None = Field(default=None, description="money that it takes once to replace the baseline")

    @field_validator("currency")
    @classmethod
    def _a_currency(cls, code: str) -> str:
        if code not in CURRENCIES:
            hint = f"; did you mean '{code.upper()}'?" if code.upper() in CURRENCIES else ""
            raise ValueError(f"must be a code of ISO 4217 such as EUR, JPY or USD{hint}")
        return code

    @field_validator("utilisation")
    @classmethod
    def _a_share(cls, share: float) -> float:
        if share > 1:
            raise ValueError(f"is a share above 0 and up to 1, such as 0.6 for 60 %, not {share:g}")
        return share

    @model_validator(mode="after")
    def _something_has_a_price(self) -> Self:
        if self.price_per_machine_hour is None and self.price_per_kwh is None:
            raise ValueError("nothing has a price: give price_per_machine_hour, price_per_kwh, or both")
        return self


class Amount(Record):
    """A number with the range that the intervals behind it imply; `level` is None where nothing was sampled.

    Where several intervals enter, their unfavourable ends are taken together, and `level` is what Bonferroni's
    inequality leaves of their confidence: the range covers the truth at least that often.
    """

    value: Number
    low: Number
    high: Number
    level: Number | None = Field(default=None, ge=0, lt=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.value} is not between {self.low} and {self.high}")
        return self


class Yearly(Record):
    """What one model takes in a year; None is not measured, or has no price. Money is in the assumptions' currency.

    `machine_hours` are those in which images are answered, at the assumed utilisation; `devices_needed` is how many
    machines that takes, in whole ones, None where the machines are paid by use.
    """

    machine_hours: Amount | None = None
    devices_needed: Amount | None = None
    machines: Amount | None = None
    energy_kwh: Amount | None = None
    energy: Amount | None = None
    total: Amount | None = None


class Payback(Record):
    """Years until a saving has paid for the migration; None is never. `low` is the soonest, `high` the latest."""

    value: Number | None
    low: Number | None
    high: Number | None


class Gap(Record):
    """What is left out of a sum, and why, in the words of the audit."""

    what: What
    why: str


class Business(Record):
    """Yearly cost under stated assumptions, and the saving against the baseline.

    `timed` and `metered` name the measurements behind machine hours and energy (empty: there are none). `saving` is
    positive where this model is cheaper, None where nothing can be compared; it holds the parts that `saved` names.
    `missing` says what is not in the cost, `uncompared` what is not in the saving, `doubts` are the critical caveats of
    the timings. `compared` says whether there was a baseline.
    """

    assumptions: Assumptions
    timed: str = ""
    metered: str = ""
    yearly: Yearly
    compared: bool = False
    baseline: Yearly | None = None
    saving: Amount | None = None
    saved: tuple[What, ...] = ()
    payback: Payback | None = None
    missing: tuple[Gap, ...] = ()
    uncompared: tuple[Gap, ...] = ()
    doubts: tuple[str, ...] = ()
