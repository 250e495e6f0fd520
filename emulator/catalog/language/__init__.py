"""The fixture language: what may stand in `fixtures/<id>/*.yaml`, one module a section."""
