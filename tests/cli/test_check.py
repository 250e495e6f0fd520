"""`emulator check`: what is wrong with data, where, and what would be right."""

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from . import acme
from .conftest import Run

RULE = """\
limits:
  rules:
    - name: requests
      per: 60s
      capacity: 60
      algorithm: sliding_window
      refuse: rate_limited
      source: convention
"""
QUIRK = """\
quirks:
  - id: odd
    target: headers
    source: convention
    do: [{op: set, name: x-odd, value: "${id}"}]
"""


class Broken(NamedTuple):
    """One file with a mistake, and how the finding begins, without the folder."""

    file: str
    text: str
    told: str


def _limits(right: str, wrong: str, told: str) -> Broken:
    return Broken("fixtures/acme/limits.yaml", RULE.replace(right, wrong), f"fixtures/acme/limits.yaml:{told}")


def _quirk(right: str, wrong: str, told: str) -> Broken:
    return Broken("fixtures/acme/quirks.yaml", QUIRK.replace(right, wrong), f"fixtures/acme/quirks.yaml:{told}")


def _provider(right: str, wrong: str, told: str) -> Broken:
    text = acme.PROVIDER.replace(right, wrong)
    return Broken("fixtures/acme/provider.yaml", text, f"fixtures/acme/provider.yaml:{told}")


def _spec(right: str, wrong: str, told: str) -> Broken:
    return Broken("specs/acme.yaml", acme.SPEC.replace(right, wrong), f"specs/acme.yaml:{told}")


def _file(section: str, text: str, told: str) -> Broken:
    return Broken(f"fixtures/acme/{section}.yaml", text, f"fixtures/acme/{section}.yaml:{told}")


def _operation(raw: str, told: str) -> Broken:
    """With one more path in the spec, `/jobs`, in its lines 8 and 9."""
    return Broken("specs/acme.yaml", f"{acme.SPEC}  /jobs:\n    {raw}\n", f"specs/acme.yaml:{told}")


def _variant(overlay: str, told: str) -> Broken:
    text = f"variants:\n  odd:\n    summary: odd\n    source: convention\n    overlay: {overlay}\n"
    return _file("variants", text, told)


def _address(value: str) -> Broken:
    told = f'5 env.base_url.value: "{value}" may have {{base_url}}, {{origin}} and '
    written = f'env: {{base_url: {{name: ACME_BASE_URL, value: "{value}"}}}}'
    return _provider("env: {base_url: ACME_BASE_URL, api_key: ACME_API_KEY}", written, told)


BROKEN = {
    "bad duration": _limits(
        "60s", "1 fortnight", '4 limits.rules[0].per: "1 fortnight" is not a duration (e.g. 350ms, 60s, 2h)'
    ),
    "negative duration": _limits("60s", "-3", '4 limits.rules[0].per: "-3" is not a duration (e.g. 350ms, 60s, 2h)'),
    "unknown key": _limits(
        "refuse:", "refuses:", "7 limits.rules[0].refuses: is not a key here; did you mean `refuse`?"
    ),
    "unknown section": _limits("limits:", "limit:", "1 limit: is not a key here; did you mean `limits`?"),
    "missing key": _limits("      capacity: 60\n", "", "3 limits.rules[0].capacity: is missing"),
    "duplicate key": _limits("capacity: 60", "per: 2h", "5 limits.rules[0].per: duplicate key; keep one of the two"),
    "not YAML": _limits("60s", "[60s", "5 not YAML: "),
    "tabs": _limits("      per", "\tper", "4 not YAML: found a tab character that violates indentation"),
    "not a mapping": _file("limits", "- 1\n", "1 is not a mapping of sections"),
    "not in the closed set": _limits(
        "sliding_window", "leaky", "6 limits.rules[0].algorithm: \"leaky\" is not known; use 'sliding_window', "
    ),
    "unknown source": _limits(
        "convention", "hearsay", '8 limits.rules[0].source: "hearsay" does not exist; there are convention'
    ),
    "unknown operation in a rule": _limits(
        "name: requests",
        "operations: [createSong]\n      name: songs",
        '3 limits.rules[0].operations: "createSong" does not exist; there are createChatCompletion, listModels',
    ),
    "unknown op": _quirk("op: set", "op: rename", "5 quirks[0].do[0]: \"rename\" is not known; use 'set', "),
    "op of another target": _quirk("op: set", "op: omit_null", '5 quirks[0].do[0]: "omit_null" is not known; use '),
    "unknown target": _quirk("headers", "trailers", "2 quirks[0]: \"trailers\" is not known; use 'body', 'headers', "),
    "unknown variable in a template": _quirk(
        "${id}", "${idd}", "5 quirks[0].do[0].value: `idd` uses `idd`, which does not exist; there are "
    ),
    "unknown variable": _limits(
        "capacity: 60",
        "capacity: principle.size",
        "5 limits.rules[0].capacity: `principle.size` uses `principle`, which does not exist; there are ",
    ),
    "CEL syntax error": _limits(
        "capacity: 60", "capacity: 1 +", "5 limits.rules[0].capacity: `1 +` is not an expression: "
    ),
    "condition within a condition": _limits(
        "capacity: 60",
        "capacity: 'true ? true ? 1 : 2 : 3'",
        "5 limits.rules[0].capacity: `true ? true ? 1 : 2 : 3` is not an expression: ",
    ),
    "number over 64 bits": _limits(
        "capacity: 60",
        "capacity: '2 * 9223372036854775808'",
        "5 limits.rules[0].capacity: `2 * 9223372036854775808` is not an expression: ",
    ),
    "reserved name": _limits(
        "capacity: 60",
        "capacity: 'body.in == 1 ? 1 : 2'",
        "5 limits.rules[0].capacity: `body.in == 1 ? 1 : 2` is not an expression: ",
    ),
    "unknown function": _limits(
        "capacity: 60",
        "capacity: treble(20)",
        "5 limits.rules[0].capacity: `treble(20)` calls `treble`, which does not exist; there are ",
    ),
    "too many arguments": _limits(
        "capacity: 60",
        "capacity: ceil(20, 1)",
        "5 limits.rules[0].capacity: `ceil(20, 1)` gives `ceil` 2 arguments, which takes 1",
    ),
    "too few arguments in a condition, which would never hold": _limits(
        "capacity: 60",
        "capacity: 60\n      when: left(body.model) == 'acme'",
        "6 limits.rules[0].when: `left(body.model) == 'acme'` gives `left` 1 argument, which takes 2",
    ),
    "extends nothing": _provider(
        "openai_compatible", "openai", '2 extends: "openai" does not exist; there are openai_compatible'
    ),
    "extends a provider": _provider("openai_compatible", "nugen", '2 extends: "nugen" is not a dialect: '),
    "a key that is refused": _provider(
        "id: acme\n",
        "id: acme\napi_key: invalid-1\n",
        '2 api_key: "invalid-1" meets invalid_credentials; name a key here that a pattern of auth.credentials accepts',
    ),
    "no key, and none that fits": Broken(
        "fixtures/acme/auth.yaml",
        'auth: {credentials: [{match: "acme-*", principal: {}}]}\n',
        'fixtures/acme/provider.yaml:1 api_key: "emu-ok" meets invalid_credentials; name a key here that a pattern of '
        "auth.credentials accepts",
    ),
    "another base path": Broken(
        "fixtures/acme/provider.yaml",
        f"{acme.PROVIDER}base_path: /v\n",
        "specs/acme.yaml:3 servers: lead to /v1/chat/completions and the like, and clients begin with /v (base_path, ",
    ),
    "a base path without a slash": Broken(
        "fixtures/acme/provider.yaml",
        f"{acme.PROVIDER}base_path: v1\n",
        'fixtures/acme/provider.yaml:7 base_path: "v1" begins with no slash; it is a path such as /v1',
    ),
    "another suffix": Broken(
        "fixtures/acme/limits.yml", RULE, "fixtures/acme/limits.yml is not read: call it limits.yaml"
    ),
    "JSON": Broken("fixtures/acme/limits.json", "{}", "fixtures/acme/limits.json is not read: call it limits.yaml"),
    "a folder too deep": Broken(
        "fixtures/acme/more/limits.yaml",
        RULE,
        "fixtures/acme/more/limits.yaml is not read: a provider is fixtures/<id>/*.yaml",
    ),
    "no folder": Broken(
        "fixtures/zeta.yaml", RULE, "fixtures/zeta.yaml is not read: a provider is fixtures/<id>/*.yaml"
    ),
    "a folder of another suffix": Broken(
        "fixtures/zeta/provider.yml", "id: zeta", "fixtures/zeta/provider.yml is not read: call it provider.yaml"
    ),
    "resources of nobody": Broken(
        "resources/barack.yaml",
        "{}",
        "resources/barack.yaml is not read: resources of accounts are resources/<id>.yaml, of barrack, ",
    ),
    "resources of another suffix": Broken(
        "resources/acme.yml", "{}", "resources/acme.yml is not read: call it acme.yaml"
    ),
    "an origin that is no address": _provider(
        "https://api.acme.test", "api.acme.test", '4 origin: "api.acme.test" is no scheme and '
    ),
    "an origin with a path": _provider("acme.test\n", "acme.test/v1\n", '4 origin: "https://api.acme.test/v1" is no '),
    "no room for a prompt": _provider("131072", "0", "6 models[0].context: 0: must be at least 1"),
    "a room that is none": _provider("131072", "true", "6 models[0].context: true: must be a whole number"),
    "an id that is none": _provider("id: acme", "id: Acme Inc", '1 id: "Acme Inc": must be like ^[a-z][a-z0-9_-]*$'),
    "a number that is text": _provider("131072", "large", '6 models[0].context: "large": must be a whole number'),
    "text that is a list": _provider("https://api.acme.test", "[]", "4 origin: []: must be text"),
    "a list that is text": _limits("limits:\n", "checks: all\nlimits:\n", '1 checks: "all": must be a list'),
    "a mapping that is a list": _file("shapes", "shapes: []\n", "1 shapes: []: must be a mapping"),
    "a switch that is none": _provider(
        "id: acme\n", "id: acme\ntrailing_slash: 5\n", "2 trailing_slash: 5: must be true or false"
    ),
    "an expression that is a list": _limits(
        "capacity: 60", "capacity: []", "5 limits.rules[0].capacity: []: must be text or a number or true or false"
    ),
    "a quirk without a target": _quirk("    target: headers\n", "", "2 quirks[0]: needs `target`"),
    "an op without a name": _quirk("op: set, ", "", "5 quirks[0].do[0]: needs `op`"),
    "an op that is a number": _quirk("[{op: set", "[5, {op: set", "5 quirks[0].do[0]: 5: must be a mapping"),
    "two moments that are one number": _file(
        "latency",
        "latency:\n  profiles:\n    odd: {source: convention, first_token: {uniform: 5}}\n",
        "3 latency.profiles.odd.first_token.uniform: 5: must be a list",
    ),
    "an alias of two keys, of which one is wrong": _provider(
        "id: acme\n",
        "id: acme\naliases: {/models: {to: 5, source: convention}}\n",
        "2 aliases./models.to: 5: must be text",
    ),
    "an alias without its key": _provider(
        "id: acme\n", "id: acme\naliases: {/models: {source: convention}}\n", "2 aliases./models.to: is missing"
    ),
    "a bound": _provider(
        "id: acme\n", "id: acme\ntokens: {characters: -1}\n", "2 tokens.characters: -1: must be above 0"
    ),
    "a key behind any key": _file(
        "auth",
        'auth:\n  credentials:\n    - {match: "*", principal: {}}\n    - {match: "old-*", principal: {}}\n',
        '4 auth.credentials[1]: never comes: "*" above it matches every key',
    ),
    "a header's name with a space": _quirk("name: x-odd", "name: x odd", '5 quirks[0].do[0].name: "x odd" is no name '),
    "a header's value that is none": _limits(
        "limits:\n",
        "limits:\n  headers: {x-left: {a: b}}\n",
        "2 limits.headers.x-left: the value of a header is one line of text",
    ),
    "a header's value of two lines": _provider(
        "id: acme\n",
        'id: acme\nclient_headers: {X-A: "a\\nb"}\n',
        "2 client_headers.X-A: the value of a header is one line of text",
    ),
    "a place for keys that is none": _file(
        "auth",
        'auth: {accept: [{in: header, name: X Key}], credentials: [{match: "*", principal: {}}]}\n',
        '1 auth.accept[0]: "X Key" is no name of a header: letters, digits and hyphens',
    ),
    "an unknown limit in a header": _limits(
        "limits:\n",
        'limits:\n  headers: {x-left: "${limits.reqests.remaining}"}\n',
        '2 limits.headers.x-left: "reqests" does not exist; there are requests',
    ),
    "an unknown operation in an error": _file(
        "errors",
        "errors:\n  catalog:\n    rate_limited:\n"
        "      - {status: 429, source: convention, operations: [createSong]}\n"
        "      - {status: 429, source: convention}\n",
        '4 errors.catalog.rate_limited[0].operations: "createSong" does not exist; there are createChatCompletion, ',
    ),
    "an unknown refusal in a quirk": _file(
        "quirks",
        "quirks:\n  - id: odd\n    target: request\n    source: convention\n"
        "    do: [{op: require_header, name: x-odd, refuse: conflict}]\n",
        '5 quirks[0].do[0].refuse: "conflict" does not exist; there are ',
    ),
    "a status that is none": _file(
        "quirks",
        "quirks:\n  - {id: odd, target: status, source: convention, do: [{op: replace, status: 1000}]}\n",
        "2 quirks[0].do[0].status: 1000: must be at most 599",
    ),
    "an alias of a path that is there": _provider(
        "id: acme\n",
        "id: acme\naliases: {/v1/models: /v1/chat/completions}\n",
        "2 aliases./v1/models: is a path of the spec itself, which the alias would hide",
    ),
    "a stream of nothing": _file(
        "operations",
        "operations:\n  listModels: {source: convention, stream: chat.completion.chunk}\n",
        "2 operations.listModels.stream: is made of completions, so the operation needs a `read:`",
    ),
    "the end of a stream as an event": _file(
        "streams",
        "streams:\n  chat.completion.chunk:\n    events:\n      done: {t: over}\n",
        "4 streams.chat.completion.chunk.events.done: has no template; say as `terminator:` what ends the stream",
    ),
    "missing spec file": _provider("acme.yaml", "acne.yaml", "3 spec: there is no specs/acne.yaml"),
    "no spec": _provider("spec: acme.yaml\n", "", "1 spec: is missing; name a file in specs/"),
    "wrong id": _provider("id: acme\n", "id: acne\n", '1 id: "acne" must be the folder\'s name, "acme"'),
    "status the spec lacks": _file(
        "errors",
        "errors:\n  catalog:\n    rate_limited:\n      status: 418\n      source: convention\n"
        "limits: {rules: [{name: r, capacity: 1, per: 1s, algorithm: fixed_window, source: convention}]}\n",
        "4 errors.catalog.rate_limited.status: answers 418, which `createChatCompletion` "
        "(specs/openai_compatible.yaml:7) does not declare",
    ),
    "status nothing answers": _file(
        "errors",
        "errors:\n  catalog:\n    bad_gateway: {status: 500, source: convention}\n",
        "2 errors.catalog: nothing answers 502, which `createChatCompletion` (specs/openai_compatible.yaml:7) declares",
    ),
    "operation the spec lacks": _file(
        "operations",
        "operations:\n  createSong: {source: convention}\n",
        '2 operations.createSong: "createSong" does not exist; there are createChatCompletion, listModels',
    ),
    "a largest body where there is none": _file(
        "operations",
        "operations:\n  listModels: {source: convention, max_body: 10}\n",
        "2 operations.listModels.max_body: needs a request body, and the spec has none",
    ),
    "vectors of nothing": _file(
        "operations",
        "operations:\n  createChatCompletion: {source: convention, embed: {dimensions: 3}}\n",
        "2 operations.createChatCompletion.embed: makes vectors of prompts, so the operation needs a `read:` "
        "with a `prompt`",
    ),
    "a cost below zero": _limits(
        "capacity: 60", "cost: -5\n      capacity: 60", "5 limits.rules[0].cost: -5 is below zero"
    ),
    "a capacity below zero": _limits("capacity: 60", "capacity: -5", "5 limits.rules[0].capacity: -5 is below zero"),
    "a vector of nothing": _file(
        "operations",
        "operations:\n  createChatCompletion: {source: convention, read: x, embed: {dimensions: 0}}\n"
        "read: {x: {prompt: body.x}}\n",
        "2 operations.createChatCompletion.embed.dimensions: 0 is no size of a vector, which has 1 to 16384 numbers",
    ),
    "checks without scenarios": _provider(
        "id: acme\n",
        "id: acme\nchecks: [authenticate, validate, limit]\n",
        "2 checks: needs `disrupt`: without it, failures and scenarios that are asked for never come",
    ),
    "a check twice": _provider(
        "id: acme\n",
        "id: acme\nchecks: [authenticate, validate, limit, limit, disrupt]\n",
        '2 checks[3]: "limit" is used twice',
    ),
    "an alias without a slash": _provider(
        "id: acme\n", "id: acme\naliases: {models: /v1/models}\n", "2 aliases.models: begins with a slash: /models"
    ),
    "an alias with a parameter of its own": _provider(
        "id: acme\n",
        'id: acme\naliases: {"/{org}/models": /v1/models}\n',
        "2 aliases./{org}/models: needs the parameters of /v1/models, by their names: none",
    ),
    "an event that is none": _file(
        "quirks",
        "quirks:\n  - id: odd\n    target: stream\n    source: convention\n    do: [{op: merge, at: usgae}]\n",
        '5 quirks[0].do[0].at: "usgae" does not exist; there are ',
    ),
    "words for no constraint": _file(
        "errors",
        "validation:\n  source: convention\n  messages:\n    minimun: {message: a}\n",
        '4 validation.messages.minimun: "minimun" does not exist; there are ',
    ),
    "words for no type": _file(
        "errors",
        "validation:\n  source: convention\n  messages:\n    type.integr.string: {message: a}\n",
        '4 validation.messages.type.integr.string: "integr" does not exist; there are ',
    ),
    "a status that the spec does not have": _file(
        "operations",
        "operations:\n  listModels: {source: convention, documented: [200, 418]}\n",
        '2 operations.listModels.documented: "418" does not exist; there are ',
    ),
    "an overlay with another spec": _variant(
        "{spec: other.yaml}", "5 variants.odd.overlay.spec: is the same in every variant; remove it"
    ),
    "an overlay with another id": _variant(
        "{id: other}", "5 variants.odd.overlay.id: is the same in every variant; remove it"
    ),
    "a parameter that the path does not have": _operation(
        "get: {operationId: jobs, parameters: [{in: path, name: id}]}",
        '9 paths./jobs.get.parameters[0]: "id" is no parameter of the path; there are none',
    ),
    "refusal that is none": _file(
        "scenarios",
        "scenarios:\n  tired:\n    - {refuse: too_tired}\n",
        "3 scenarios.tired[0].refuse: \"too_tired\" is not known; use 'unknown_route', ",
    ),
    "refusal without a reply, in a scenario": _file(
        "scenarios",
        "scenarios:\n  tired:\n    - {}\n    - {refuse: conflict}\n",
        '4 scenarios.tired[1].refuse: "conflict" does not exist; there are ',
    ),
    "error event of a refusal without a reply, in a scenario": _file(
        "scenarios",
        "scenarios:\n  tired:\n    - {}\n    - fault:\n        error_event:\n          refuse: conflict\n",
        '6 scenarios.tired[1].fault.error_event.refuse: "conflict" does not exist; there are ',
    ),
    "error event of a refusal without a reply, in a quirk": _file(
        "quirks",
        "quirks:\n  - {id: odd, target: fault, source: convention, do: [{error_event: {refuse: conflict}}]}\n",
        '2 quirks[0].do[0].error_event.refuse: "conflict" does not exist; there are ',
    ),
    "variant that drops an unknown quirk": _file(
        "variants",
        "variants:\n  calm:\n    summary: calm\n    source: convention\n    drop_quirks: [shouting]\n",
        '5 variants.calm.drop_quirks: "shouting" does not exist; there are none',
    ),
    "variant without an operation that is none": _file(
        "variants",
        "variants:\n  calm:\n    summary: calm\n    source: convention\n    overlay: {absent: [createSong]}\n",
        '5 absent: "createSong" does not exist; there are createChatCompletion, listModels',
    ),
    "an overlay without quirks": _variant("{quirks: null}", "5 quirks: null: must be a list"),
    "an overlay whose quirks are text": _variant("{quirks: odd}", '5 quirks: "odd": must be a list'),
    "an overlay whose models are text": _variant("{models: odd}", '5 models: "odd": must be a list'),
    "an overlay with a quirk without an id": _variant(
        "{quirks: [{target: body, source: convention, do: []}]}", "5 quirks[0].id: is missing"
    ),
    "an overlay without any operation": _variant(
        "{absent: [createChatCompletion, listModels]}", "5 absent: names every operation of the spec; leave one"
    ),
    "a hole with an attribute": _address("{origin.host}"),
    "a hole with a format": _address("{base_url:>9999999999}"),
    "a hole with a conversion": _address("{base_url!z}"),
    "a number that is too large": _provider(
        "131072", "9" * 5000, "6 models[0].context: is too large a number; put it in quotes if it is text"
    ),
    "parameters that are none": _operation(
        "get: {operationId: jobs, parameters: {limit: {}}}", "9 paths./jobs.get.parameters: must be a list"
    ),
    "a parameter that is none": _operation(
        "get: {operationId: jobs, parameters: [5]}", "9 paths./jobs.get.parameters[0]: must be a mapping"
    ),
    "a parameter without a name": _operation(
        "get: {operationId: jobs, parameters: [{in: query, nme: limit}]}",
        "9 paths./jobs.get.parameters[0]: needs `name`",
    ),
    "a parameter of all methods": _operation(
        "parameters: [{name: limit}]\n    get: {operationId: jobs}", "9 paths./jobs.parameters[0]: needs `in`"
    ),
    "a body that is none": _operation(
        "post: {operationId: jobs, requestBody: {content: [application/json]}}",
        "9 paths./jobs.post.requestBody.content: must be a mapping",
    ),
    "an example that is none": _operation(
        "post: {operationId: jobs, requestBody: {content: {application/json: {examples: {hello: hi}}}}}",
        "9 paths./jobs.post.requestBody.content.application/json.examples.hello: must be a mapping",
    ),
    "a reply that is none": _operation(
        'get: {operationId: jobs, responses: {"200": fine}}', "9 paths./jobs.get.responses.200: must be a mapping"
    ),
    "security that is none": _spec("security: [{bearer: []}]", "security: bearer", "4 security: must be a list"),
    "security by no scheme": _operation(
        "get: {operationId: jobs, security: [{bearer: []}, {kee: []}]}\n"
        "components: {securitySchemes: {bearer: {type: http, scheme: bearer}}}",
        '9 paths./jobs.get.security[1]: "kee" does not exist; there are bearer',
    ),
    "security of all by no scheme": _spec(
        "security: [{bearer: []}]",
        "security: [{bearer: []}]\ncomponents: {securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}}",
        '4 security[0]: "bearer" does not exist; there are key',
    ),
    "a reference that is no text": _operation(
        "get: {operationId: jobs, requestBody: {$ref: 5}}", "9 paths./jobs.get.requestBody.$ref: must be text"
    ),
    "a reference to itself": _operation(
        "get: {operationId: jobs, parameters: [{$ref: '#/components/parameters/A'}]}\n"
        "components: {parameters: {A: {$ref: '#/components/parameters/A'}}}",
        "9 paths./jobs.get.parameters[0]: $ref #/components/parameters/A leads back to itself",
    ),
    "a reference to a file that is none": _operation(
        "get: {operationId: jobs, parameters: [{$ref: 'other.yaml#/components/parameters/A'}]}",
        "9 paths./jobs.get.parameters[0].$ref: there is no specs/other.yaml",
    ),
    "a path to a file that is none": _spec(
        'models: {$ref: "openai_compatible.yaml',
        'models: {$ref: "other.yaml',
        "7 paths./models.$ref: there is no specs/other.yaml",
    ),
    "a path that is none": _spec("  /models:", "  models:", "7 paths.models: begins with a slash: /models"),
    "an unknown operation in a step": _file(
        "scenarios",
        "scenarios:\n  tired:\n    summary: tired\n    steps:\n      - {}\n      - {operation: createSong}\n",
        '6 scenarios.tired.steps[1].operation: "createSong" does not exist; there are createChatCompletion, listModels',
    ),
    "an unknown refusal in a step": _file(
        "scenarios",
        "scenarios:\n  tired:\n    steps:\n      - {}\n      - {refuse: conflict}\n",
        '5 scenarios.tired.steps[1].refuse: "conflict" does not exist; there are ',
    ),
    "an unknown latency profile in a step": _file(
        "scenarios",
        "scenarios:\n  tired:\n    steps:\n      - {}\n      - {latency: endless}\n",
        '5 scenarios.tired.steps[1].latency: "endless" does not exist; there are ',
    ),
    "a reference that leads nowhere": _spec(
        "~1models", "~1modles", "7 $ref: openai_compatible.yaml has nothing at #/paths/~1modles"
    ),
    "no paths": _spec("paths:", "roads:", "1 paths: is missing; an OpenAPI document maps paths to operations"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_finding(run: Run, tmp_path: Path, case: str) -> None:
    broken = BROKEN[case]
    result = run("check", acme.write(tmp_path, {broken.file: broken.text}))
    assert result.exit_code == 1
    *found, count, hint = result.stderr.splitlines()
    assert any(line.startswith(f"{tmp_path}/{broken.told}") for line in found), "\n".join(found)
    assert count == f"error: {len(found)} problem{'s' if len(found) > 1 else ''} in the data"
    assert hint.startswith("hint: ")


EXACT = [name for name, broken in BROKEN.items() if not broken.told.endswith((" ", "declare", "declares"))]


@pytest.mark.parametrize("case", EXACT)
def test_one_mistake_is_one_finding_and_no_more_words(run: Run, tmp_path: Path, case: str) -> None:
    broken = BROKEN[case]
    result = run("check", acme.write(tmp_path, {broken.file: broken.text}))
    assert result.stderr.splitlines()[:-2] == [f"{tmp_path}/{broken.told}"]


def test_refusal_without_a_reply(run: Run, tmp_path: Path) -> None:
    auth = 'auth:\n  credentials: [{match: "old-*", refuse: conflict}, {match: "*", principal: {}}]\n'
    result = run("check", acme.write(tmp_path, {"fixtures/acme/auth.yaml": auth}))
    assert result.exit_code == 1
    assert (
        "fixtures/openai_compatible/errors.yaml:4 errors.catalog: needs `conflict`, which `listModels` can meet: "
        "the credential rule for old-*\n"
    ) in result.stderr


def test_every_finding_is_told(run: Run, tmp_path: Path) -> None:
    text = RULE.replace("60s", "soon").replace("refuse:", "refuses:")
    result = run("check", acme.write(tmp_path, {"fixtures/acme/limits.yaml": text}))
    places = [line.split(":")[1].split()[0] for line in result.stderr.splitlines()[:-2]]
    assert places == ["4", "7"]


def test_bytes_that_are_no_text(run: Run, tmp_path: Path) -> None:
    acme.write(tmp_path)
    (tmp_path / "fixtures/acme/limits.yaml").write_bytes(b"limits: \xff\n")
    result = run("check", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{tmp_path}/fixtures/acme/limits.yaml cannot be read: ")


def test_packaged_data_is_clean(run: Run) -> None:
    result = run("check")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "4 providers, 154 operations: no findings\n"


def test_a_reply_of_a_variant_may_have_a_source_of_its_own(run: Run, tmp_path: Path) -> None:
    variant = "{summary: models with a source, source: convention, overlay: {shapes: {model.list: {source: s3}}}}"
    result = run("check", acme.write(tmp_path, {"fixtures/acme/variants.yaml": f"variants:\n  sourced: {variant}\n"}))
    assert (result.exit_code, result.stderr) == (0, "")


def test_own_data_is_clean(run: Run, tmp_path: Path) -> None:
    files = {"fixtures/acme/limits.yaml": RULE, "fixtures/acme/quirks.yaml": QUIRK}
    result = run("check", acme.write(tmp_path, files))
    assert (result.exit_code, result.stdout) == (0, "1 provider, 2 operations: no findings\n")


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_folder_without_fixtures(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    result = run("check", tmp_path / name)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{tmp_path / name} has no fixtures/ folder; put fixtures/<id>/*.yaml there,")


@pytest.mark.parametrize(
    ("folders", "told"),
    [
        (["fixtures"], "has nothing in fixtures/"),
        (["fixtures/acme"], "has nothing in fixtures/"),
        (["resources"], "has nothing in resources/"),
        (["fixtures", "resources"], "has nothing in fixtures/ and resources/"),
    ],
)
def test_a_folder_with_nothing_in_it(run: Run, tmp_path: Path, folders: list[str], told: str) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    expected = f"{tmp_path} {told}; put fixtures/<id>/*.yaml there, or resources/<id>.yaml"
    for command in (("check", tmp_path), ("list", "--data", tmp_path)):
        result = run(*command)
        assert (result.exit_code, result.stderr.splitlines()[:-2]) == (1, [expected])


@pytest.mark.parametrize("command", [("list",), ("serve",), ("contract",)])
def test_a_wrong_folder_is_told_before_a_provider_that_it_does_not_have(
    run: Run, tmp_path: Path, command: tuple[str]
) -> None:
    result = run(*command, "acme", "--data", tmp_path / "nowhere")
    assert result.exit_code == (2 if command == ("contract",) else 1)
    assert result.stderr.startswith(f"{tmp_path / 'nowhere'} has no fixtures/ folder; put fixtures/<id>/*.yaml there,")


def test_what_is_no_data_is_left_alone(run: Run, tmp_path: Path) -> None:
    files = {
        "fixtures/schema.json": "{}",
        "fixtures/README.md": "",
        "fixtures/acme/.old.yml": "",
        "fixtures/a/b.py": "",
    }
    assert run("check", acme.write(tmp_path, files)).stderr == ""


def test_id_that_is_taken(run: Run, tmp_path: Path) -> None:
    result = run("check", acme.write(tmp_path, {"fixtures/nugen/provider.yaml": "id: nugen\n"}))
    assert result.exit_code == 1
    assert f"{tmp_path}/fixtures/nugen this provider exists already; choose another id\n" in result.stderr


def test_a_section_in_two_files(run: Run, tmp_path: Path) -> None:
    result = run("check", acme.write(tmp_path, {"fixtures/acme/models.yaml": "models: []\n"}))
    files = f"{tmp_path}/fixtures/acme"
    told = f"{files}/provider.yaml:6 models: stands at {files}/models.yaml:1 too; keep one"
    assert (result.exit_code, result.stderr.splitlines()[:-2]) == (1, [told])


@pytest.mark.parametrize("target", [".", "round"])
def test_a_link_that_goes_round_is_left(run: Run, tmp_path: Path, target: str) -> None:
    data = acme.write(tmp_path / "data")
    (data / "fixtures" / "round").symlink_to(target)
    for command in (["check", data], ["list", "acme", "--data", data]):
        done = run(*command)
        assert (done.exit_code, done.stderr) == (0, ""), done.output


def test_names_need_not_be_text(run: Run, tmp_path: Path) -> None:
    data = acme.write(tmp_path / os.fsdecode(b"caf\xe9"))
    (data / "fixtures" / "acme" / os.fsdecode(b"\xe9.txt")).touch()
    for command in (
        ["check", data],
        ["list", "acme", "--data", data],
        ["explain", "GET", "/acme/v1/models", "--data", data],
    ):
        done = run(*command)
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize("kind", ["role", "content", "usage", "done", "comment", "inserted", "error"])
def test_a_stream_quirk_may_aim_at_every_event_there_is(run: Run, tmp_path: Path, kind: str) -> None:
    """The terminator, which has no template, and those of quirks and faults included."""
    quirk = f"quirks:\n  - {{id: odd, target: stream, source: convention, do: [{{op: drop, at: {kind}}}]}}\n"
    folder = acme.write(tmp_path, {"fixtures/acme/quirks.yaml": quirk})
    assert run("check", folder).exit_code == 0
