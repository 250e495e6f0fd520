"""Leaves of a document -> compiled expressions and templates; what does not compile becomes a problem."""

from collections.abc import Mapping
from typing import Any

from emulator.catalog.source import Path_, Problem, Tree, show_path
from emulator.catalog.steps import NAMES
from emulator.mechanisms.expressions import Expression, ExpressionError
from emulator.mechanisms.templates import Template


class Leaves:
    """Compiles leaves of one tree and collects the problems."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.problems: list[Problem] = []

    def expression(self, source: Any, path: Path_) -> Expression:
        compiled: Expression = self._compile(path, Expression, source)
        return compiled

    def optional(self, source: Any, path: Path_) -> Expression | None:
        return None if source is None else self.expression(source, path)

    def expressions(self, sources: Mapping[str, Any], path: Path_) -> dict[str, Expression]:
        return {name: self.expression(source, (*path, name)) for name, source in sources.items()}

    def template(self, tree: Any, path: Path_) -> Template:
        compiled: Template = self._compile(path, Template, tree)
        return compiled

    def templates(self, trees: Mapping[Any, Any], path: Path_) -> dict[Any, Template]:
        return {name: self.template(tree, (*path, name)) for name, tree in trees.items()}

    def _compile(self, path: Path_, make: Any, *arguments: Any) -> Any:
        try:
            return make(*arguments, NAMES)
        except ExpressionError as error:
            self.problems.append(Problem(self.tree.place(path), show_path(path), str(error)))
            return make("null", NAMES)
