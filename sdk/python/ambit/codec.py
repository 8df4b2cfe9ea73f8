"""Messages as values of Python, and as the JSON that protobuf makes of them.

The tables by which that is done stand in v1.py.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import datetime
import enum
import re
from typing import Any, Callable, ClassVar, Dict, Mapping, Optional, Tuple, Type, TypeVar, Union


class Malformed(Exception):
    """What was sent is not what the contract says."""


@dataclasses.dataclass(frozen=True)
class Field:
    """One field of a message: its number, its names in Python and in JSON, and what it is."""

    number: int
    name: str
    json: str
    kind: str
    rule: str
    of: Optional[Callable[[], Type[Any]]] = None


Fields = Tuple[Field, ...]


class Message:
    """What all messages have in common."""

    FIELDS: ClassVar[Fields] = ()


M = TypeVar("M", bound=Message)
Json = Dict[str, object]

_numbers: Dict[Type[enum.Enum], Mapping[int, enum.Enum]] = {}


def enumeration(of: Type[enum.Enum], numbers: Mapping[int, enum.Enum]) -> None:
    """Notes the numbers of an enum."""
    _numbers[of] = numbers


def to_json(message: Message) -> Json:
    """Makes JSON of a message, without what is zero."""
    made: Json = {}
    for f in message.FIELDS:
        value = getattr(message, f.name)
        if value is None or (f.rule != "optional" and _is_zero(f, value)):
            continue
        if f.rule == "many":
            made[f.json] = [_put(f, v) for v in value]
        elif f.rule == "map":
            made[f.json] = {k: _put(f, v) for k, v in value.items()}
        else:
            made[f.json] = _put(f, value)
    return made


def _is_zero(f: Field, value: Any) -> bool:
    if f.kind == "enum" and f.rule == "one":
        return value is _zero(f)
    return not value


def _put(f: Field, value: Any) -> object:
    if f.kind == "message":
        return to_json(value)
    if f.kind == "enum":
        return value.value
    if f.kind == "long":
        return str(value)
    if f.kind == "bytes":
        return base64.b64encode(value).decode("ascii")
    if f.kind == "time":
        if value.tzinfo is None:
            raise ValueError(f"the time {value} says no zone")
        return value.astimezone(datetime.timezone.utc).isoformat().replace("+00:00", "Z")
    if f.kind == "duration":
        micros = value // datetime.timedelta(microseconds=1)
        whole, part = divmod(abs(micros), 1_000_000)
        return f"{'-' if micros < 0 else ''}{whole}.{part:06}s"
    plain: object = value
    return plain


def from_json(cls: Type[M], sent: object) -> M:
    """Reads a message. Fields that this version does not know are left alone."""
    if not isinstance(sent, dict):
        raise Malformed(f"{cls.__name__} is no object")
    made: Dict[str, Any] = {}
    for f in cls.FIELDS:
        value = sent.get(f.json)
        where = f"{cls.__name__}.{f.name}"
        if value is None:
            continue
        if f.rule == "many":
            if not isinstance(value, list):
                raise Malformed(f"{where} is no list")
            made[f.name] = [_take(f, v, where) for v in value]
        elif f.rule == "map":
            if not isinstance(value, dict):
                raise Malformed(f"{where} is no object")
            made[f.name] = {k: _take(f, v, where) for k, v in value.items()}
        else:
            made[f.name] = _take(f, value, where)
    return cls(**made)


def _zero(f: Field) -> object:
    assert f.of is not None
    return _numbers[f.of()][0]


def _take(f: Field, value: object, where: str) -> object:
    if f.kind == "message":
        assert f.of is not None
        return from_json(f.of(), value)
    if f.kind == "enum":
        assert f.of is not None
        try:
            return f.of()(value)
        except ValueError:
            return _zero(f)  # one that this version does not know reads as none
    made = _SCALARS[f.kind](value)
    if made is None:
        raise Malformed(f"{where} is no {f.kind}")
    return made


def _string(value: object) -> Optional[str]:
    return value if isinstance(value, str) else None


def _bool(value: object) -> Optional[bool]:
    return value if isinstance(value, bool) else None


def _int(value: object) -> Optional[int]:
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,20}", str(value)):
        return None
    return int(str(value))


def _float(value: object) -> Optional[float]:
    try:
        return float(value) if isinstance(value, (int, float, str)) else None
    except ValueError:
        return None


def read_base64(value: object) -> Optional[bytes]:
    """Reads base64, with or without what fills it up."""
    if not isinstance(value, str):
        return None
    text = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def _time(value: object) -> Optional[datetime.datetime]:
    match = _TIME.fullmatch(str(value))
    if not match:
        return None
    seconds, part, zone = match.groups()
    micros = (part or "").ljust(6, "0")[:6]
    try:
        return datetime.datetime.fromisoformat(f"{seconds}.{micros}{'+00:00' if zone == 'Z' else zone}")
    except ValueError:
        return None


def _duration(value: object) -> Optional[datetime.timedelta]:
    match = re.fullmatch(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s", str(value))
    if not match:
        return None
    sign, seconds, part = match.groups()
    made = datetime.timedelta(seconds=int(seconds), microseconds=int((part or "").ljust(6, "0")[:6]))
    return -made if sign else made


_SCALARS: Dict[str, Callable[[object], Union[str, bool, int, float, bytes, datetime.datetime, datetime.timedelta, None]]] = {
    "string": _string,
    "bool": _bool,
    "int": _int,
    "long": _int,
    "float": _float,
    "bytes": read_base64,
    "time": _time,
    "duration": _duration,
}


def from_binary(cls: Type[M], data: bytes) -> M:
    """Reads a message in binary form, as the details of errors come.

    It may have texts, whole numbers, enums and messages; the rest is left alone.
    """
    fields = {f.number: f for f in cls.FIELDS}
    made: Dict[str, Any] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value, at = _raw(data, at, tag & 7)
        f = fields.get(tag >> 3)
        read = None if f is None or f.rule == "map" else _one(f, value)
        if f is None or read is None:
            continue
        if f.rule == "many":
            made.setdefault(f.name, []).append(read)
        else:
            made[f.name] = read
    return cls(**made)


def _one(f: Field, value: Union[int, bytes]) -> object:
    if isinstance(value, bytes):
        if f.kind == "string":
            return value.decode("utf-8", "replace")
        return from_binary(f.of(), value) if f.kind == "message" and f.of is not None else None
    if f.kind == "enum" and f.of is not None:
        return _numbers[f.of()].get(value)
    if f.kind == "bool":
        return value != 0
    return value - (1 << 64) if f.kind in ("int", "long") and value >= 1 << 63 else value


def _varint(data: bytes, at: int) -> Tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise Malformed("a message ends in a number")


def _raw(data: bytes, at: int, wire: int) -> Tuple[Union[int, bytes], int]:
    if wire == 0:
        return _varint(data, at)
    if wire == 2:
        length, at = _varint(data, at)
    else:
        length = {1: 8, 5: 4}.get(wire, len(data) + 1)
    if at + length > len(data):
        raise Malformed("a message ends in a field")
    return data[at : at + length], at + length
