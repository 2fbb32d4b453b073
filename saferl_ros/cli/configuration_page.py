"""
The page of every key that a run's YAML file may have: ``docs/configuration.md``.

``python -m saferl_ros.cli.configuration_page > docs/configuration.md`` writes it from the models.
"""

from __future__ import annotations

from collections.abc import Iterator
import json
from typing import Any

from saferl_ros.cli.run_config import RunConfig

_HEAD = """# Configuration

Every key of a run's YAML file, `saferl run CONFIG.yaml`; only `name` and `scenario` have to be
stated. The parts are also files of their own: `saferl train --config` takes what stands under
`train`, `saferl evaluate --config` what stands under `evaluate`, `saferl gate --config` under
`gate`, `saferl record --family` under `record.family`, and `--signals` under `signals`. What is
not stated has its default; an unknown key or a value out of range is refused by name.

Written by `python -m saferl_ros.cli.configuration_page`.
"""
_LIMITS = {
    'minimum': '≥ {}',
    'exclusiveMinimum': '> {}',
    'maximum': '≤ {}',
    'exclusiveMaximum': '< {}',
}
_TYPES = {'integer': 'whole number', 'number': 'number', 'boolean': 'true or false'}


def page() -> str:
    """Return the page as Markdown."""
    schema = RunConfig.model_json_schema()
    lines = [_HEAD]
    told: dict[str, str] = {}  # keys to the place where they are told
    for place, model in _parts(schema, schema, ''):
        known = told.setdefault(json.dumps(model['properties']), place)
        if known != place:
            lines += [f'## {place}', '', f'The keys of {known}.', '']
            continue
        lines += [f'## {place or "A run"}', '']
        if place and (about := model.get('description')):
            lines += [about.split('\n\n')[0].replace('\n', ' '), '']
        lines += ['| key | default | allowed | meaning |', '|---|---|---|---|']
        for key, field in model['properties'].items():
            whole = _resolved(field, schema)
            if 'properties' in whole:
                inner = f'{place}.{key}' if place else key
                lines.append(f'| `{key}` | – | – | see {inner} below |')
                continue
            default = json.dumps(whole['default']) if 'default' in whole else '– (to be stated)'
            about = ' '.join(whole.get('description', '').split())
            lines.append(f'| `{key}` | {default} | {_allowed(whole, schema)} | {about} |')
        lines.append('')
    return '\n'.join(lines)


def _parts(
    model: dict[str, Any], schema: dict[str, Any], place: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (dotted place, model) of a model and of all that it holds."""
    yield place, model
    for key, field in model['properties'].items():
        inner = _resolved(field, schema)
        where = f'{place}.{key}' if place else key
        if 'properties' in inner:
            yield from _parts(inner, schema, where)
        elif '$ref' in (values := inner.get('additionalProperties', {})):
            yield f'{where}: of each', _resolved(values, schema)


def _resolved(field: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    if '$ref' not in field:
        return field
    return {**schema['$defs'][field['$ref'].rsplit('/', 1)[1]], **field}


def _allowed(field: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return what values are possible, in words."""
    if 'anyOf' in field:
        return ' or '.join(_allowed(one, schema) for one in field['anyOf'])
    if 'enum' in field:
        return ', '.join(field['enum'])
    if field.get('type') == 'null':
        return 'null'
    if field.get('type') == 'array':
        what, items = 'list', field.get('items')
        if items is None:  # of a fixed length
            what, items = 'pair', field['prefixItems'][0]
        return f'{what} of {_allowed(_resolved(items, schema), schema)}'
    if field.get('type') == 'object':
        values = _resolved(field.get('additionalProperties', {}), schema)
        return 'by ID, see below' if 'properties' in values else f'key: {_allowed(values, schema)}'
    limits = [words.format(field[key]) for key, words in _LIMITS.items() if key in field]
    return ', '.join([_TYPES.get(field.get('type', ''), 'text'), *limits])


if __name__ == '__main__':
    print(page(), end='')
