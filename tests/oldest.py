"""The oldest versions that pyproject.toml allows, as constraints for pip."""

import re
import sys
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]

for requirement in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]:
    if found := re.match(r"([A-Za-z0-9._-]+)(?:\[.*\])?>=([0-9.]+)", requirement):
        sys.stdout.write(f"{found[1]}=={found[2]}\n")
