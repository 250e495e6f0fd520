"""Generated files: `python tests/freshness.py` checks that they are fresh, `--write` makes them so."""

import json
import re
import sys
from pathlib import Path

from sdk.clients import table

from emulator import catalog, overview

ROOT = Path(__file__).resolve().parent.parent
_TABLE = re.compile(r"(?<=<!-- providers -->\n).*(?=\n<!-- /providers -->)", re.DOTALL)


def generated() -> dict[Path, str]:
    """File -> what it should hold."""
    readme = ROOT / "README.md"
    families = catalog.load()
    text, tables = _TABLE.subn(lambda _: overview.markdown(families), readme.read_text(encoding="utf-8"))
    assert tables == 1, "README.md has lost the comments around its table of providers"
    return {
        ROOT / "fixtures" / "schema.json": json.dumps(catalog.schema(), indent=2) + "\n",
        ROOT / "docs" / "CLIENTS.md": table.markdown(families),
        readme: text,
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
