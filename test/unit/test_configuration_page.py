"""The page of all settings is that of today's models."""

from __future__ import annotations

from pathlib import Path

from saferl_ros.cli.configuration_page import page

PAGE = Path(__file__).parents[2] / 'docs' / 'configuration.md'


def test_the_page_is_that_of_the_models():
    assert PAGE.read_text(encoding='utf-8') == page(), (
        "write it anew: 'python -m saferl_ros.cli.configuration_page > docs/configuration.md'"
    )


def test_every_setting_says_what_it_means():
    rows = [line.split(' | ') for line in page().splitlines() if line.startswith('| `')]
    assert len(rows) > 80
    assert [row[0] for row in rows if not row[3].strip(' |')] == []
