"""The folders of all data roots, read: merged, extended, checked and compiled, with every problem that is found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulator.catalog.compile import Compiler
from emulator.catalog.initial import Initial, identity_problem, initial_resources, opening_problem
from emulator.catalog.language.document import Document
from emulator.catalog.own_key import own_key_problem
from emulator.catalog.places import DataRoot, files_below
from emulator.catalog.problems import validated
from emulator.catalog.reading import read_yaml
from emulator.catalog.source import LoadError, Problem, Tree, merge
from emulator.catalog.specs import Spec, load_spec
from emulator.provider import Provider, ProviderFamily


def load(roots: Sequence[DataRoot], only: Sequence[str] = ()) -> tuple[dict[str, ProviderFamily], "Library"]:
    """The wanted providers (all, when none is named), and the library that they are from.

    Raises LoadError with every problem found, KeyError for a wanted provider that does not exist.
    """
    library = Library(roots)
    served = library.concrete()
    problems = [*library.problems, *library.unread()]
    unknown = [name for name in only if name not in served]
    if unknown and not problems:
        raise KeyError(unknown[0])
    return _families(library, [name for name in only or served if name not in unknown], problems), library


def checked(roots: Sequence[DataRoot]) -> dict[str, ProviderFamily]:
    """The user's providers, or without folders of a user all, with each variant. Raises LoadError."""
    library = Library(roots)
    wanted = library.own() if any(root.own for root in roots) else library.concrete()
    return _families(library, wanted, [*library.problems, *library.unread()], every_variant=True)


def _families(
    library: "Library", wanted: Sequence[str], problems: list[Problem], *, every_variant: bool = False
) -> dict[str, ProviderFamily]:
    """Providers of a library; `problems` are those that are known. Raises LoadError with them and every other."""
    families = {}
    for name in wanted:
        try:
            families[name] = library.family(name)
            for variant in families[name].base.variants if every_variant else ():
                families[name].with_variants((variant,))
        except LoadError as error:
            problems += error.problems
    if problems:
        raise LoadError(list(dict.fromkeys(problems)))
    return families


_LIKE_DATA = (".yaml", ".yml", ".json")


def _like_data(folder: Path) -> Iterator[Path]:
    """The files below a folder that look like data."""
    for file in map(Path, files_below(folder)):
        if file.suffix.lower() in _LIKE_DATA and not file.name.startswith("."):
            yield file


@dataclass(frozen=True, slots=True)
class _Folder:
    root: DataRoot
    path: Path


class Library:
    """The fixture folders of all data roots, read when asked for. `files` are those that were read."""

    def __init__(self, roots: Sequence[DataRoot]) -> None:
        self.roots = roots
        self.problems: list[Problem] = []
        self.files: set[str] = set()
        self._folders: dict[str, _Folder] = {}
        self._trees: dict[str, Tree] = {}
        for root in roots:
            fixtures = root.path / "fixtures"
            if not fixtures.is_dir():
                continue
            for path in sorted(p for p in fixtures.iterdir() if p.is_dir() and any(p.glob("*.yaml"))):
                if path.name in self._folders:
                    self.problems.append(
                        Problem(root.show(path), "", "this provider exists already; choose another id")
                    )
                self._folders.setdefault(path.name, _Folder(root, path))

    def concrete(self) -> list[str]:
        """Ids of the providers that are served; a folder that cannot be read counts, so that its problem shows."""
        ids = []
        for name in self._folders:
            try:
                if self.tree(name).data.get("abstract") is not True:
                    ids.append(name)
            except LoadError:
                ids.append(name)
        return ids

    def own(self) -> list[str]:
        """Ids of the served providers that the user's folders have something of: a folder, or resources."""
        named = {file.stem for root in self.roots if root.own for file in (root.path / "resources").glob("*.yaml")}
        return [name for name in self.concrete() if name in named or self._folders[name].root.own]

    def unread(self) -> Iterator[Problem]:
        """Files in the user's folders that look like data and are never read, and folders without any such file."""
        for root in self.roots:
            if not root.own:
                continue
            folders = [folder for folder in ("fixtures", "resources") if (root.path / folder).is_dir()]
            files = [(folder, file) for folder in folders for file in _like_data(root.path / folder)]
            for folder, file in files:
                message = self._unread(folder, file.relative_to(root.path / folder))
                if message:
                    yield Problem(root.show(file), "", f"is not read: {message}")
            if not files:
                found = f"nothing in {' and '.join(f'{f}/' for f in folders)}" if folders else "no fixtures/ folder"
                yield Problem(root.shown, "", f"has {found}; put fixtures/<id>/*.yaml there, or resources/<id>.yaml")

    def _unread(self, folder: str, file: Path) -> str:
        """Why a file of a folder is not read, and what would be; empty for one that is."""
        known = self.concrete()
        if folder == "fixtures" and len(file.parts) != 2:
            return "" if str(file) == "schema.json" else "a provider is fixtures/<id>/*.yaml"
        if folder == "resources" and (len(file.parts) != 1 or file.stem not in known):
            return f"resources of accounts are resources/<id>.yaml, of {', '.join(known)}"
        return "" if file.suffix == ".yaml" else f"call it {file.stem}.yaml"

    def _read(self, path: Path, shown: str) -> Tree:
        self.files.add(str(path))
        return read_yaml(path, shown)

    def tree(self, name: str) -> Tree:
        """All files of one folder as one tree. Raises LoadError."""
        if name not in self._trees:
            folder, whole, problems = self._folders[name], Tree({}), list[Problem]()
            for file in sorted(folder.path.glob("*.yaml")):
                shown = folder.root.show(file)
                try:
                    part = self._read(file, shown)
                except LoadError as error:
                    problems += error.problems
                    continue
                if not isinstance(part.data, dict):
                    problems.append(Problem(f"{shown}:1", "", "is not a mapping of sections"))
                    continue
                for key in part.data.keys() & whole.data.keys():
                    problems.append(Problem(part.place((key,)), key, f"stands at {whole.place((key,))} too; keep one"))
                whole = merge(whole, part)
            whole.marks[()] = f"{folder.root.show(folder.path)}/provider.yaml:1"
            if problems:
                raise LoadError(problems)
            self._trees[name] = whole
        return self._trees[name]

    def family(self, name: str) -> ProviderFamily:
        """The provider, and how to build it with variants. Raises LoadError."""
        tree = self._extended(name)
        document = _document(tree)
        if document.id != name:
            problem = Problem(tree.place(("id",)), "id", f'"{document.id}" must be the folder\'s name, "{name}"')
            raise LoadError([problem])
        if not document.spec:
            raise LoadError([Problem(tree.place(()), "spec", "is missing; name a file in specs/")])
        spec = load_spec(document.spec, tree.place(("spec",)), self._find_spec)
        self._check_own_operations(name, spec)
        initial, own = self._initial(name, document, tree)
        base = Compiler(document, spec, tree, initial).provider()
        begins_badly = identity_problem(base, tree) or own_key_problem(base, tree) or opening_problem(base, own)
        if begins_badly is not None:
            raise LoadError([begins_badly])

        def build(variants: tuple[str, ...]) -> Provider:
            overlaid = tree
            for variant in variants:
                overlaid = _overlaid(overlaid, variant)
            return Compiler(_document(overlaid), spec, overlaid, initial).provider()

        return ProviderFamily(base, build)

    def _initial(self, name: str, document: Document, tree: Tree) -> tuple[Initial, Tree]:
        """What the user's own `resources/<id>.yaml` adds to new accounts, and where these begin. Raises LoadError."""
        for root in reversed(self.roots):
            path = root.path / "resources" / f"{name}.yaml"
            if path.is_file():
                own = self._read(path, root.show(path))
                initial, problems = initial_resources(own, document.resources)
                if problems:
                    raise LoadError(problems)
                return initial, own
        return {}, Tree({}, {(): tree.place(("resources",))})

    def _check_own_operations(self, name: str, spec: Spec) -> None:
        """A dialect may tell of operations that a provider lacks; the provider's own files may not."""
        tree, known = self.tree(name), ", ".join(spec.operations)
        problems = [
            Problem(tree.place(("operations", o)), f"operations.{o}", f'"{o}" does not exist; there are {known}')
            for o in tree.data.get("operations") or {}
            if o not in spec.operations
        ]
        if problems:
            raise LoadError(problems)

    def _extended(self, name: str) -> Tree:
        tree = self.tree(name)
        base = tree.data.get("extends")
        if base is None:
            return tree
        if not isinstance(base, str) or base not in self._folders:
            known = ", ".join(n for n in self._folders if n not in self.concrete())
            raise LoadError(
                [Problem(tree.place(("extends",)), "extends", f'"{base}" does not exist; there are {known}')]
            )
        dialect = self.tree(base)
        if dialect.data.get("abstract") is not True or dialect.data.get("extends") is not None:
            message = f'"{base}" is not a dialect: extending is one level deep, from a folder with `abstract: true`'
            raise LoadError([Problem(tree.place(("extends",)), "extends", message)])
        own = ("abstract", "id", "title")
        inherited = Tree(
            {k: v for k, v in dialect.data.items() if k not in own},
            {p: mark for p, mark in dialect.marks.items() if not p or p[0] not in own},
        )
        return merge(inherited, tree)

    def _find_spec(self, file: str) -> Tree | None:
        """A file of `specs/`, of the last folder that has it. Raises LoadError."""
        for root in reversed(self.roots):
            path = root.path / "specs" / file
            if path.is_file():
                return self._read(path, root.show(path))
        return None


def _document(tree: Tree) -> Document:
    document, problems = validated(Document, tree)
    if problems:
        raise LoadError(problems)
    assert isinstance(document, Document)
    return document


_OF_ALL = ("id", "spec", "extends", "abstract", "variants")
"""What is read before a variant is laid on."""


def _overlaid(tree: Tree, variant: str) -> Tree:
    """A provider's tree with one variant's overlay laid on, its quirks dropped and added, its models added."""
    chosen = tree.data["variants"][variant]
    path = ("variants", variant, "overlay")
    over = Tree(
        chosen.get("overlay", {}),
        {p[3:]: place for p, place in tree.marks.items() if p[:3] == path},
    )
    for key in _OF_ALL:
        if key in over.data:
            message = "is the same in every variant; remove it"
            raise LoadError([Problem(over.place((key,)), f"variants.{variant}.overlay.{key}", message)])
    overlaid = merge(tree, over)
    known = [_id(quirk) for quirk in tree.data.get("quirks") or []]
    for quirk in chosen.get("drop_quirks", []):
        if quirk not in known:
            place = tree.place(("variants", variant, "drop_quirks"))
            message = f'"{quirk}" does not exist; there are {", ".join(known) or "none"}'
            raise LoadError([Problem(place, f"variants.{variant}.drop_quirks", message)])
    dropped, lists = chosen.get("drop_quirks", []), {}
    for section in ("quirks", "models"):
        found, added = overlaid.data.get(section, []), chosen.get(f"add_{section}", [])
        if isinstance(found, list):  # else the overlay is wrong, which is told when it is looked at as a whole
            kept = [one for one in found if section != "quirks" or _id(one) not in dropped]
            lists[section] = _in_place(kept, added) if section == "models" else [*kept, *added]
    return Tree({**overlaid.data, **lists}, overlaid.marks)


def _in_place(models: list[Any], added: list[Any]) -> list[Any]:
    """Models with those that a variant adds, of which one with the id of another stands in its place."""
    instead = {_id(model): model for model in added if _id(model) in map(_id, models)}
    return [*(instead.get(_id(model), model) for model in models), *(m for m in added if _id(m) not in instead)]


def _id(entry: Any) -> Any:
    return entry.get("id") if isinstance(entry, dict) else None
