"""What one command can be told: the dataclasses that are the schema of ``conf/``.

YAML holds the values; `harness.schema` fills these classes from them as soon as Hydra has composed them, so no other module
ever sees a ``DictConfig``. The ``Attributes:`` sections are what ``riddle VERB --help`` prints, which is why they address the
person at the command line.
"""

from __future__ import annotations

from harness.config.asking import ControlsConfig, EvalConfig, ReproduceConfig, ScoreConfig, ServeModelConfig
from harness.config.common import CommonConfig, DecodingConfig, EngineConfig, FramesConfig, MiniConfig, PathsConfig, SuiteConfig
from harness.config.making import BenchConfig, DataConfig, TrainConfig
from harness.config.reading import CompareConfig, GateConfig, ReportConfig, ServeConfig, StudyConfig

__all__ = [
    "BenchConfig",
    "CommonConfig",
    "CompareConfig",
    "ControlsConfig",
    "DataConfig",
    "DecodingConfig",
    "EngineConfig",
    "EvalConfig",
    "FramesConfig",
    "GateConfig",
    "MiniConfig",
    "PathsConfig",
    "ReportConfig",
    "ReproduceConfig",
    "ScoreConfig",
    "ServeConfig",
    "ServeModelConfig",
    "StudyConfig",
    "SuiteConfig",
    "TrainConfig",
]
