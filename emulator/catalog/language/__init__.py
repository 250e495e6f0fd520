"""The fixture language: what may stand in `fixtures/<id>/*.yaml`, one module a section."""

from emulator.catalog.language.document import Document
from emulator.catalog.language.scenarios import Step

__all__ = ["Document", "Step"]
