"""Bridges without the packages behind them: what is asked for, and what is said."""

from __future__ import annotations

import sys

import pytest

from harness.catalog import Catalog
from harness.continuations import generation_of
from harness.errors import ConfigError


def test_a_missing_package_is_said_with_its_cure(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "lm_eval"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(ConfigError, match=r"pip install 'riddle-eval\[bridges\]'"):
        Catalog().find_task("lm_eval/arc_easy")
    with pytest.raises(ConfigError, match="unknown bridge 'lm_evl'.*did you mean 'lm_eval'"):
        Catalog().find_task("lm_evl/arc_easy")


def test_listing_names_imports_no_bridge():
    assert not [name for name in Catalog().task_names() if "/" in name]


def test_generation_settings_are_translated_or_refused():
    greedy = generation_of({"until": ["\n"], "max_gen_toks": 8, "do_sample": False, "temperature": 0.7})
    assert (greedy.max_new_tokens, greedy.temperature, greedy.stop) == (8, 0.0, ("\n",))
    drawn = generation_of({"until": "\n", "do_sample": True, "temperature": 0.7, "top_p": 0.9})
    assert (drawn.max_new_tokens, drawn.temperature, drawn.top_p, drawn.stop) == (256, 0.7, 0.9, ("\n",))
    with pytest.raises(ConfigError, match="top_k"):
        generation_of({"top_k": 5})
