"""Leaves of a document -> compiled expressions and templates; what does not compile becomes a problem."""

from collections.abc import Mapping
from typing import Any, TypeVar

from emulator.catalog.source import DocumentPath, Problem, Tree, show_path
from emulator.mechanisms.deferred import LateExpression, LateTemplate
from emulator.mechanisms.expressions import Expression, ExpressionError
from emulator.mechanisms.templates import Template

L = TypeVar("L", LateExpression, LateTemplate)


class Leaves:
    """Compiles leaves of one tree and collects the problems."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.problems: list[Problem] = []

    def expression(self, source: Any, path: DocumentPath) -> Expression:
        return self._made(path, LateExpression(source)) or LateExpression("null")

    def optional(self, source: Any, path: DocumentPath) -> Expression | None:
        return None if source is None else self.expression(source, path)

    def expressions(self, sources: Mapping[str, Any], path: DocumentPath) -> dict[str, Expression]:
        return {name: self.expression(source, (*path, name)) for name, source in sources.items()}

    def template(self, tree: Any, path: DocumentPath) -> Template:
        return self._made(path, LateTemplate(tree)) or LateTemplate(None)

    def templates(self, trees: Mapping[Any, Any], path: DocumentPath) -> dict[Any, Template]:
        return {name: self.template(tree, (*path, name)) for name, tree in trees.items()}

    def _made(self, path: DocumentPath, leaf: L) -> L | None:
        """The leaf, compiled; None when that is a problem."""
        try:
            return leaf.made()
        except ExpressionError as error:
            self.problems.append(Problem(self.tree.place(path), show_path(path), str(error)))
            return None
