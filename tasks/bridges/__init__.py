"""Benchmarks of other harnesses as tasks of this one; a module is named as its harness and offers ``tasks_of(name, task_dirs)``.

They are made when they are named (``task=lm_eval/arc_easy``), never listed. The other package is imported only then.
"""
