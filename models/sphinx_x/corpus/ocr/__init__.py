"""PDF files to conversations about their pages: the paper's OCR-intensive corpus (table 9, PaperText).

``extract`` reads one page (picture, words, lines and blocks with boxes), ``reading`` puts lines into reading order, ``filters``
says why a page is no good, ``converse`` asks about it. ``work`` makes all of one PDF, ``pool`` runs that in processes which may
crash or hang, ``make`` is the verb ``riddle data ocr``. PyMuPDF is needed (``pip install 'riddle-eval[corpus]'``); it is
imported by ``extract`` alone.
"""
