"""What judged benchmarks say to their judges, in their authors' words, and how they read the answers.

Not a task: nothing here can be run. The wordings stand apart from the task files because they are long, and are named with a
version (`harness.judging.Judging.prompt`): changing a letter makes another one.
"""
