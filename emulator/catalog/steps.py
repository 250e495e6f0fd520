"""Steps of scenarios, from the files or from a test, as the pipeline plays them."""

from emulator.catalog.language.scenarios import Scenario as DeclaredScenario
from emulator.catalog.language.scenarios import Step
from emulator.catalog.problems import validated
from emulator.catalog.source import Tree
from emulator.mechanisms.completions import Script
from emulator.mechanisms.deferred import LateExpression
from emulator.mechanisms.encoding import MalformedJSON, loads
from emulator.mechanisms.expressions import Expression, ExpressionError
from emulator.mechanisms.scenarios import Scenario
from emulator.mechanisms.scenarios import Step as PlayedStep


def played_step(step: Step, when: Expression | None, where: str, *, paced: bool = False) -> PlayedStep:
    """The step compiled; `paced` for those of the data, whose silences follow the pace of the server."""
    script = None
    if step.reply is not None:
        calls = step.reply.tool_calls
        script = Script(
            text=step.reply.text,
            tool_calls=None if calls is None else tuple(call.model_dump() for call in calls),
            finish_reason=step.reply.finish_reason,
            usage=None if step.reply.usage is None else {str(k): v for k, v in step.reply.usage.items()},
        )
    plain = step.refuse is None and step.reply is None and step.fault is None and step.latency is None
    times = step.times if step.times is not None or plain or step.lasts is not None else 1
    fault = None if step.fault is None else step.fault.chosen(paced=paced)
    return PlayedStep(
        times=times,
        lasts=step.lasts,
        after=step.after,
        operation=step.operation,
        when=when,
        refuse=step.refuse,
        status=step.status,
        facts=dict(step.facts),
        script=script,
        fault=fault,
        latency=step.latency,
        probability=step.probability,
        where=where,
    )


def scenario_from_text(name: str, text: str) -> Scenario:
    """A scenario from the JSON text of steps that a test or the control API gives.

    Raises ValueError with what would be right.
    """
    try:
        steps = loads(text.encode())
    except MalformedJSON as error:
        raise ValueError(f"not JSON: {error}") from None
    declared, problems = validated(DeclaredScenario, Tree({"steps": steps}))
    if problems:
        raise ValueError(f"{problems[0].path}: {problems[0].message}")
    made = []
    for i, step in enumerate(declared.steps):
        try:
            when = None if step.when is None else LateExpression(step.when).made()
        except ExpressionError as error:
            raise ValueError(f"steps[{i}].when: {error}") from None
        made.append(played_step(step, when, f"{name} step {i + 1}"))
    return Scenario(name, tuple(made))
