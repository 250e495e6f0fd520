"""Generated files: `python tests/freshness.py` checks that they are fresh, `--write` makes them so."""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from sdk.clients import table

from emulator import catalog, overview
from emulator.mechanisms.fault_catalogue import FAULTS, OF_REQUESTS
from emulator.mechanisms.faults import Argument, RetryForm
from emulator.provider import ProviderFamily

ROOT = Path(__file__).resolve().parent.parent
_SCHEMA = re.compile(r'(?<=^      "Fault": \{\n).*?(?=^      \},$)', re.DOTALL | re.MULTILINE)


def _tables(text: str, families: Mapping[str, ProviderFamily]) -> str:
    """README with its tables anew."""
    for name, rows in (("providers", overview.markdown(families)), ("faults", overview.fault_table())):
        place = re.compile(rf"(?<=<!-- {name} -->\n).*(?=\n<!-- /{name} -->)", re.DOTALL)
        text, tables = place.subn(rows.replace("\\", r"\\"), text)
        assert tables == 1, f"README.md has lost the comments around its table of {name}"
    return text


def _argument(argument: Argument) -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {
        "count": {"type": "integer", "minimum": 0},
        "duration": {"$ref": "#/components/schemas/Duration"},
        "wait": {"$ref": "#/components/schemas/Duration"},
        "moment": {"$ref": "#/components/schemas/Duration"},
        "text": {"type": "string"},
        "flag": {"type": "boolean"},
        "refusal": {"$ref": "#/components/schemas/Refusal"},
        "event": {"type": ["integer", "string"]},
        "form": {"enum": list(get_args(RetryForm))},
    }
    limit = {} if argument.most is None else {"maximum": argument.most}
    return {"description": argument.says, **kinds[argument.kind], **limit}


def _fault_schema() -> str:
    """The catalogue of faults in the control API's document, a fault a line."""
    lines = []
    for kind in (FAULTS[name] for name in OF_REQUESTS):
        arguments = {name: _argument(argument) for name, argument in kind.arguments.items()}
        schema = {"type": "object", "description": kind.seen, "properties": arguments, "additionalProperties": False}
        lines.append(f"          {json.dumps(kind.name)}: {json.dumps(schema, ensure_ascii=False)}")
    return (
        '        "description": "One thing wrong with a reply, or its name alone",\n        "anyOf": [\n'
        f'          {{"type": "string", "enum": {json.dumps(OF_REQUESTS)}}},\n'
        '          {\n          "type": "object",\n'
        '          "minProperties": 1,\n          "maxProperties": 1,\n          "additionalProperties": false,\n'
        '          "properties": {\n' + ",\n".join(lines) + "\n          }\n          }\n        ]\n"
    )


def generated() -> dict[Path, str]:
    """File -> what it should hold."""
    readme = ROOT / "README.md"
    control = ROOT / "emulator" / "control.openapi.json"
    document, schemas = _SCHEMA.subn(lambda _: _fault_schema(), control.read_text(encoding="utf-8"))
    assert schemas == 1, "control.openapi.json has lost its schema of faults"
    families = catalog.load()
    return {
        ROOT / "fixtures" / "schema.json": json.dumps(catalog.schema(), indent=2) + "\n",
        ROOT / "docs" / "CLIENTS.md": table.markdown(families),
        control: document,
        readme: _tables(readme.read_text(encoding="utf-8"), families),
    }


def stale() -> list[Path]:
    """The files that differ from what they should hold."""
    return [file for file, text in generated().items() if not file.exists() or file.read_text(encoding="utf-8") != text]


def main() -> int:
    files = stale()
    if "--write" in sys.argv:
        for file in files:
            file.write_text(generated()[file], encoding="utf-8")
        return 0
    for file in files:
        sys.stderr.write(f"error: {file.relative_to(ROOT)} is not fresh\nhint: make fresh\n")
    return 1 if files else 0


if __name__ == "__main__":
    sys.exit(main())
