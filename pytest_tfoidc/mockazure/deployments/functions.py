"""The functions of templates that need nothing but their arguments.

Source: https://learn.microsoft.com/azure/azure-resource-manager/templates/template-functions.
`uniqueString` is always the same for its arguments, but not the text that Azure makes of them.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import quote, unquote, urljoin

Value = Any
GUIDS = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")  # Azure's own for guid()
UNIQUE = 13  # characters
PLACEHOLDER = re.compile(r"\{\{|\}\}|\{(\d+)(?::([^}]*))?\}")
PERIOD = re.compile(
    r"(-)?P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?",
    re.IGNORECASE,
)
MOST_OF_RANGE = 10_000
LONGEST = 1_000_000  # characters of a text that a function makes


def text_of(value: Value) -> str:
    """Return a value as a text, as `string` and `concat` do."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    return str(value) if isinstance(value, int) else json.dumps(value, separators=(",", ":"))


def _concat(*values: Value) -> Value:
    if values and all(isinstance(v, list) for v in values):
        return [item for value in values for item in value]
    return "".join(map(text_of, values))


def _format(text: str, *values: Value) -> str:
    def shown(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0][0]
        value = values[int(match[1])]
        if match[2] and isinstance(value, int) and not isinstance(value, bool):
            return _number(value, match[2])
        return text_of(value)

    return PLACEHOLDER.sub(shown, text)


def _number(value: int, how: str) -> str:
    kind, digits = how[:1].upper(), how[1:]
    if kind == "D" and (digits or "0").isdecimal():
        return f"{value:0{int(digits or 0)}d}"
    if kind == "N":
        return f"{value:,.{int(digits or 2)}f}"
    if kind == "X":
        return f"{value:0{int(digits or 0)}X}"
    if how.strip("0") == "":
        return f"{value:0{len(how)}d}"
    raise ValueError(f"the format '{how}' is not known")


def _union(*values: Value) -> Value:
    if all(isinstance(v, dict) for v in values):
        merged: dict[str, Value] = {}
        for value in values:
            merged = _merged(merged, value)
        return merged
    found: list[Value] = []
    for value in values:
        found += [item for item in value if item not in found]
    return found


def _merged(first: Mapping[str, Value], second: Mapping[str, Value]) -> dict[str, Value]:
    result = dict(first)
    for name, value in second.items():
        old = result.get(name)
        both = isinstance(old, dict) and isinstance(value, dict)
        result[name] = _merged(old, value) if both else value  # type: ignore[arg-type]  # checked
    return result


def _intersection(*values: Value) -> Value:
    first, *others = values
    if isinstance(first, dict):
        return {n: v for n, v in first.items() if all(o.get(n) == v for o in others)}
    return [item for item in first if all(item in other for other in others)]


def _contains(where: Value, what: Value) -> bool:
    if isinstance(where, dict):
        return str(what).lower() in {name.lower() for name in where}
    return text_of(what) in where if isinstance(where, str) else what in where


def _split(text: str, marks: str | Sequence[str]) -> list[str]:
    every = [marks] if isinstance(marks, str) else list(marks)
    return re.split("|".join(map(re.escape, every)), text)


def _unique(*values: str) -> str:
    digest = hashlib.sha256("\0".join(values).encode()).digest()
    return base64.b32encode(digest).decode().lower()[:UNIQUE]


def _int(value: Value) -> int:
    return int(value)


def _bool(value: Value) -> bool:
    if isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}[value.lower()]
    return bool(value)


def _array(value: Value) -> list[Value]:
    return value if isinstance(value, list) else [value]


def _range(start: int, count: int) -> list[int]:
    if not 0 <= count <= MOST_OF_RANGE:
        raise ValueError(f"a range has 0 to {MOST_OF_RANGE} numbers")
    return list(range(start, start + count))


def _divided(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _pad(value: Value, width: int, fill: str = " ") -> str:
    if not 0 <= width <= LONGEST:
        raise ValueError("the width is invalid")
    return text_of(value).rjust(width, fill)


def _substring(text: str, start: int, length: int | None = None) -> str:
    end = len(text) if length is None else start + length
    if start < 0 or end > len(text) or end < start:
        raise ValueError("The index and length parameters must refer to a location in the string")
    return text[start:end]


def _take(values: Value, count: int) -> Value:
    return values[: max(0, count)]


def _skip(values: Value, count: int) -> Value:
    return values[max(0, count) :]


def _json(text: str) -> Value:
    return json.loads(text)


def _items(block: Mapping[str, Value]) -> list[Value]:
    return [{"key": n, "value": block[n]} for n in sorted(block, key=str.lower)]


def _flatten(values: Sequence[Value]) -> list[Value]:
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def _create_object(*pairs: Value) -> dict[str, Value]:
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def _smallest(*values: Value) -> int:
    return min(values[0] if len(values) == 1 and isinstance(values[0], list) else values)  # type: ignore[no-any-return]  # numbers


def _largest(*values: Value) -> int:
    return max(values[0] if len(values) == 1 and isinstance(values[0], list) else values)  # type: ignore[no-any-return]  # numbers


def _data_uri(value: str) -> str:
    return f"data:text/plain;charset=utf8;base64,{base64.b64encode(value.encode()).decode()}"


def _from_base64(text: str) -> str:
    return base64.b64decode(text, validate=True).decode()


def _parsed_time(text: str) -> datetime:
    if "-" not in text:  # what utcNow() says, and Python 3.10 does not read
        return datetime.strptime(text, "%Y%m%dT%H%M%S%z")
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _date_add(start: str, by: str, form: str = "") -> str:
    moment = _parsed_time(start)
    match = PERIOD.fullmatch(by)
    if match is None:
        raise ValueError(f"'{by}' is no duration of ISO 8601")
    years, months, weeks, days, hours, minutes, seconds = (int(g or 0) for g in match.groups()[1:])
    step = timedelta(
        days=365 * years + 30 * months + 7 * weeks + days,
        hours=hours,
        minutes=minutes,
        seconds=seconds,
    )
    return formatted(moment - step if match[1] else moment + step, form)


DOTNET = (("yyyy", "%Y"), ("MM", "%m"), ("dd", "%d"), ("HH", "%H"), ("mm", "%M"), ("ss", "%S"))


def formatted(moment: datetime, form: str = "") -> str:
    """Return a moment in one of .NET's formats; the usual one is `yyyyMMddTHHmmssZ` or ISO's."""
    if form in {"", "u"}:
        return f"{moment:%Y-%m-%d %H:%M:%SZ}" if form else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    if form == "d":
        return f"{moment.month}/{moment.day}/{moment.year}"
    for theirs, ours in DOTNET:
        form = form.replace(theirs, moment.strftime(ours))
    return form


def _from_epoch(seconds: int) -> str:
    return formatted(datetime.fromtimestamp(seconds, tz=timezone.utc))


def _to_epoch(text: str) -> int:
    return int(_parsed_time(text).timestamp())


def _subnet(network: str, prefix: int, index: int) -> str:
    whole = ipaddress.ip_network(network)
    if not whole.prefixlen <= prefix <= whole.max_prefixlen:
        raise ValueError(f"/{prefix} does not fit in {network}")
    if not 0 <= index < 2 ** (prefix - whole.prefixlen):
        raise ValueError(f"{network} has no subnet {index} of /{prefix}")
    size = 2 ** (whole.max_prefixlen - prefix)
    return f"{whole.network_address + index * size}/{prefix}"


def _host(network: str, index: int) -> str:
    whole = ipaddress.ip_network(network)
    address = whole.network_address + index + 1
    if address not in whole:
        raise ValueError(f"{network} has no address {index}")
    return str(address)


def _parse_cidr(network: str) -> dict[str, Value]:
    whole = ipaddress.ip_network(network, strict=False)
    return {
        "network": str(whole.network_address),
        "netmask": str(whole.netmask),
        "broadcast": str(whole.broadcast_address),
        "firstUsable": str(whole.network_address + 1),
        "lastUsable": str(whole.broadcast_address - 1),
        "cidr": whole.prefixlen,
    }


PURE: dict[str, Callable[..., Value]] = {
    "add": lambda a, b: a + b,
    "array": _array,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64tojson": lambda text: json.loads(_from_base64(text)),
    "base64tostring": _from_base64,
    "bool": _bool,
    "cidrhost": _host,
    "cidrsubnet": _subnet,
    "concat": _concat,
    "contains": _contains,
    "createarray": lambda *values: list(values),
    "createobject": _create_object,
    "datauri": _data_uri,
    "datauritostring": lambda text: _from_base64(text.rpartition(",")[2]),
    "datetimeadd": _date_add,
    "datetimefromepoch": _from_epoch,
    "datetimetoepoch": _to_epoch,
    "div": _divided,
    "empty": lambda value: value is None or len(value) == 0,
    "endswith": lambda text, end: text.lower().endswith(end.lower()),
    "equals": lambda a, b: a == b,
    "false": lambda: False,
    "first": lambda values: values[0] if len(values) else ("" if isinstance(values, str) else None),
    "flatten": _flatten,
    "format": _format,
    "greater": lambda a, b: a > b,
    "greaterorequals": lambda a, b: a >= b,
    "guid": lambda *values: str(uuid.uuid5(GUIDS, "-".join(values))),
    "indexof": lambda text, what: (
        text.lower().find(what.lower())
        if isinstance(text, str)
        else (text.index(what) if what in text else -1)
    ),
    "int": _int,
    "intersection": _intersection,
    "items": _items,
    "join": lambda values, mark: mark.join(map(text_of, values)),
    "json": _json,
    "last": lambda values: values[-1] if len(values) else ("" if isinstance(values, str) else None),
    "lastindexof": lambda text, what: text.lower().rfind(what.lower()),
    "length": len,
    "less": lambda a, b: a < b,
    "lessorequals": lambda a, b: a <= b,
    "max": _largest,
    "min": _smallest,
    "mod": lambda a, b: a - b * _divided(a, b),
    "mul": lambda a, b: a * b,
    "not": lambda value: not value,
    "null": lambda: None,
    "objectkeys": lambda block: sorted(block, key=str.lower),
    "padleft": _pad,
    "parsecidr": _parse_cidr,
    "range": _range,
    "replace": lambda text, old, new: text.replace(old, new),
    "shallowmerge": lambda blocks: {n: v for block in blocks for n, v in block.items()},
    "skip": _skip,
    "split": _split,
    "startswith": lambda text, start: text.lower().startswith(start.lower()),
    "string": text_of,
    "sub": lambda a, b: a - b,
    "substring": _substring,
    "take": _take,
    "tolower": lambda text: text.lower(),
    "toupper": lambda text: text.upper(),
    "trim": lambda text: text.strip(),
    "true": lambda: True,
    "union": _union,
    "uniquestring": _unique,
    "uri": urljoin,
    "uricomponent": lambda text: quote(text, safe=""),
    "uricomponenttostring": unquote,
}
