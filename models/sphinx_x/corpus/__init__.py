"""Conversations to train on: pictures with turns of question and answer.

``mini`` draws them from the training split of the mini world; converters of other data sets join it later.
"""
