"""How requests reach a model: work done a bounded number ahead (`ahead`), asking and storing (`stream`), back-off (`retry`)."""
