"""What clients are told to begin with: an operation of the provider's has to lie below it."""

from collections.abc import Iterator

from emulator.catalog.language.document import Document
from emulator.catalog.source import Problem, Tree, show_path
from emulator.catalog.specs import Spec


def base_path(document: Document, spec: Spec, tree: Tree) -> str:
    """That of the document; a dialect's gives way to the spec's servers where it leads nowhere."""
    inherited = document.extends is not None and f"/{document.extends}/" in tree.place(("base_path",))
    return spec.base_path if inherited and not _leads(document.base_path, document, spec) else document.base_path


def base_path_problems(base: str, document: Document, spec: Spec, tree: Tree) -> Iterator[Problem]:
    """What is wrong with it."""
    stands = tree.place(("base_path",))
    if base and not base.startswith("/"):
        yield Problem(stands, "base_path", f'"{base}" begins with no slash; it is a path such as /v1')
    elif not _leads(base, document, spec):
        path, first = ("servers",), next(operation.path for operation in spec.operations.values())
        message = f"lead to {first} and the like, and clients begin with {base} (base_path, {stands}); change either"
        yield Problem(spec.place(path), show_path(path), message)


def _leads(base: str, document: Document, spec: Spec) -> bool:
    paths = [operation.path for operation in spec.operations.values()]
    return any(f"{known}/".startswith(f"{base.rstrip('/')}/") for known in (*paths, *document.aliases))
