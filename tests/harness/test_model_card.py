"""What ls says of a model is read from its files: settings with those it takes over, and the description of its class."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.catalog import Catalog
from harness.commands.model_card import model_card, settings_of, settings_text


def test_settings_that_are_taken_over_stand_behind_those_that_change_them(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "shared.yaml").write_text(
        "# no model\n_target_: models.constant.Constant\nname: ???\nreply: 'no' # so\n"
    )
    file = tmp_path / "one.yaml"
    file.write_text("# about one\ndefaults:\n  - base/shared@_here_\n  - _self_\n\nname: one\n")
    text = settings_text(file)
    assert text == "# about one\nname: one\n_target_: models.constant.Constant\nreply: 'no' # so"
    assert settings_of(text) == {"name": "one", "_target_": "models.constant.Constant", "reply": "no"}
    assert model_card(file)["detail"]["description"].startswith("Answers every request")


def test_a_file_that_takes_over_nothing_is_shown_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "one.yaml"
    file.write_text("# about one\n_target_: nowhere.Model\n")
    assert model_card(file) == {"detail": {"settings": "# about one\n_target_: nowhere.Model"}}


@pytest.mark.parametrize(("name", "total"), [("sphinx_moe", 48_701_568_896), ("nano", 2_570_368)])
def test_a_model_that_can_tell_says_what_it_is_made_of(name: str, total: int) -> None:
    found = model_card(Catalog().choices("model")[name])
    assert found["anatomy"]["parameters"]["total"] == total
    assert ("card" in found["detail"]) == (name == "nano")
    assert "parameters" in found["detail"]


def test_a_model_without_parts_has_no_anatomy() -> None:
    assert "anatomy" not in model_card(Catalog().choices("model")["constant"])
