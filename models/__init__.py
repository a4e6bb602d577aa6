"""What can answer: SPHINX-X with its training and engine, adapters for other models, and baselines.

A model file holds one class that satisfies `harness.model.Model`; ``conf/model/NAME.yaml`` names it by ``_target_`` and
gives its constructor plain values. Importing this package imports nothing heavy: torch and PIL come when a class is built
or asked. Models import only the harness, and never see a task's name.
"""
