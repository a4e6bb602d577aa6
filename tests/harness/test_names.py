from harness.names import nearest, suggestion, unknown

TASKS = ("mme", "mmbench_en", "mathvista", "docvqa", "refcoco_val", "refcoco_testA", "refcoco+_val", "pope")


def test_a_shortened_name_means_the_longer_one():
    assert nearest("mmbench", TASKS)[0] == "mmbench_en"


def test_a_misspelt_name_means_the_one_that_looks_alike():
    assert nearest("docvaq", TASKS) == ("docvqa",)


def test_capitals_do_not_matter():
    assert nearest("POPE", TASKS) == ("pope",)


def test_nothing_is_suggested_for_a_name_that_is_near_none():
    assert suggestion("zzzz", TASKS) == ""
    assert suggestion("", TASKS) == ""


def test_the_message_names_what_was_asked_for_and_what_there_is():
    message = unknown("task", "pop", ("pope", "mme"))
    assert message == "unknown task 'pop' (did you mean 'pope'?); known: mme, pope"
    assert unknown("task", "x", ()) == "unknown task 'x'; known: none"
