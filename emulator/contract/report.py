"""What a run found: a summary to read, JUnit XML for CI."""

import re
import textwrap
from collections import Counter
from dataclasses import dataclass, field, replace
from xml.etree import ElementTree

EXCLUDED = {
    "max_response_time": "how fast a provider answers is no part of its contract",
    "object_level_authorization": "needs two users who create resources; on, and without effect until a spec has them",
}
"""Checks of schemathesis that say nothing here, and why."""

ALLOWED = {
    "missing_required_header": "a missing `Authorization` may be answered with whatever status the provider "
    "has for missing credentials; schemathesis knows only 401",
    "positive_data_acceptance": "a generated body that its schema allows may still name an unknown model or resource, "
    "not fit the model's context, meet a guard between fields and resources, or come when a name is taken or a state "
    "does not allow it, if the emulator says so too; examples of the spec are not excused. "
    "And 402, like 429, is about the account and not the data",
    "ignored_auth": "not held against an emulator that takes any key: serve it with --strict-auth to have it checked",
}
"""Failures that are none: what is excused, and why."""

_ILLEGAL_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MOST_LINES = 12
_HOW_TO_SEE = "the curl lines are for `emulator serve --strict-auth`, with the same --data"


@dataclass(frozen=True, slots=True)
class Finding:
    """One deviation: which check of which operation, and a curl line that shows it."""

    provider: str
    operation: str
    check: str
    message: str
    curl: str


@dataclass
class Report:
    """Counts and findings of a run, kept while it goes on."""

    seed: int = 0
    served: bool = False
    """The run started an emulator of its own, which is gone when the report is read."""
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What could not be tested, and why."""
    cases: Counter[str] = field(default_factory=Counter)
    """Requests sent, by provider."""
    statuses: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    """How the generated cases were answered, by provider, operation and status."""
    checks: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Outcomes looked at, by provider, operation and check."""
    excused: Counter[str] = field(default_factory=Counter)
    """Failures that `ALLOWED` gives a reason for, by check."""
    _operations: dict[str, list[str]] = field(default_factory=dict)
    _found: dict[tuple[str, ...], int] = field(default_factory=dict)

    def operation(self, provider: str, operation: str) -> None:
        """Tell that an operation is part of the run."""
        self._operations.setdefault(provider, []).append(operation)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def so_far(self, provider: str, phase: str) -> str:
        """A line of progress."""
        return f"{provider}: {phase} done, {self.cases[provider]} cases so far"

    def add(self, finding: Finding, kind: str = "") -> None:
        """Keep a finding; of several of one kind, the one with the shortest curl line."""
        key = (finding.provider, finding.operation, finding.check, kind or finding.message)
        self.checks[key[0], key[1], key[2]] += 0
        if key not in self._found:
            self._found[key] = len(self.findings)
            self.findings.append(finding)
        elif len(finding.curl) < len(self.findings[self._found[key]].curl):
            self.findings[self._found[key]] = finding

    def add_end(self, finding: Finding) -> None:
        """Keep what ended a run; with a finding of the same request, which then is a part of it, as one."""
        for place, found in enumerate(self.findings):
            if found == replace(finding, message=found.message):
                self.findings[place] = replace(finding, message=f"{finding.message}\n{found.message}")
                return
        self.add(finding)

    def summary(self) -> str:
        """The report for a terminal."""
        return "\n".join([*self._reasons(), "", *self._table(), *self._listed(), "", self._verdict()])

    def _table(self) -> list[str]:
        width = max([8, *map(len, self._operations)])
        rows = [f"{'provider':<{width}}  operations   cases  findings"]
        for provider, operations in self._operations.items():
            found = sum(finding.provider == provider for finding in self.findings)
            rows.append(f"{provider:<{width}}  {len(operations):>10}  {self.cases[provider]:>6}  {found:>8}")
        return rows

    def _listed(self) -> list[str]:
        lines = ["", _HOW_TO_SEE] if self.served and self.findings else []
        for number, finding in enumerate(self.findings, start=1):
            lines += ["", f"{number}. {finding.provider}  {finding.operation}  {finding.check}"]
            lines += [textwrap.indent(_shortened(finding.message), "   "), f"   {finding.curl}"]
        return lines

    def _reasons(self) -> list[str]:
        lines = [f"not tested: {note}" for note in self.notes]
        lines += [f"not checked: {name}: {why}" for name, why in EXCLUDED.items()]
        for name, times in self.excused.items():
            lines.append(f"excused {'once' if times == 1 else f'{times} times'}: {name}: {ALLOWED[name]}")
        return [textwrap.fill(line, 100, subsequent_indent="  ", break_on_hyphens=False) for line in lines]

    def _verdict(self) -> str:
        count, found = sum(self.cases.values()), len(self.findings)
        told = f"{found} finding{'' if found == 1 else 's'}" if found else "no findings"
        return f"{told} in {count} cases, seed {self.seed}"

    def junit(self) -> str:
        """JUnit XML: a suite a provider, a test case an operation and check."""
        root = ElementTree.Element("testsuites", name="emulator contract")
        for provider in self._operations:
            suite = ElementTree.SubElement(root, "testsuite", name=provider)
            checks = [key for key in self.checks if key[0] == provider]
            failed = sum(self._append_case(suite, *key) for key in checks)
            suite.attrib.update(tests=str(len(checks)), failures=str(failed), errors="0", skipped="0")
        for total in ("tests", "failures", "errors", "skipped"):
            root.set(total, str(sum(int(suite.get(total, "0")) for suite in root)))
        ElementTree.indent(root)
        return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"

    def _append_case(self, suite: ElementTree.Element, provider: str, operation: str, check: str) -> bool:
        case = ElementTree.SubElement(suite, "testcase", classname=f"{provider}.{check}", name=operation)
        found = [f for f in self.findings if (f.provider, f.operation, f.check) == (provider, operation, check)]
        for finding in found:
            failure = ElementTree.SubElement(case, "failure", message=_legal(finding.message.partition("\n")[0]))
            failure.text = _legal(f"{finding.message}\n\n{finding.curl}")
        return bool(found)


def _shortened(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(lines if len(lines) <= _MOST_LINES else [*lines[:_MOST_LINES], "…"])


def _legal(text: str) -> str:
    return _ILLEGAL_IN_XML.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
