"""``riddle gate``: whether a checkpoint got worse, by tests that know noise from loss. A function of finished runs.

``policy`` says what is asked, ``entries`` finds runs, ``baseline`` keeps them in a file, ``evidence`` computes, ``verdicts``
decides, ``check`` does all of it for a policy, ``formats`` writes it down. ``spending`` and ``sequential`` look early,
``simulate`` measures how often a policy errs.
"""
