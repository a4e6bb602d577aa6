"""Pictures with numbered marks and conversations about them: the paper's Set-of-Marks data (table 9).

``regions`` says what a picture and its regions are, ``coco``, ``boxes`` and ``world`` read or draw them, ``panels`` puts several
pictures into one. ``place`` finds a point in each region, ``paint`` draws the marks for models that see them, ``converse`` asks
about them; ``make`` is the verb ``riddle data marks``. The method is that of Yang et al., "Set-of-Mark Prompting Unleashes
Extraordinary Visual Grounding in GPT-4V" (arXiv 2310.11441); SPHINX-X writes marks as text instead of drawing them.
"""
