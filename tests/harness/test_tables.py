from harness.commands.tables import entries, table


def test_columns_are_aligned_and_nothing_is_cut_off():
    shown = table(["name", "n"], [["a" * 100, "1"], ["b", "12345"]], right=("n",))
    _, rule, first, second = shown.splitlines()
    assert first == "a" * 100 + "      1"
    assert second == "b" + " " * 99 + "  12345"
    assert len(rule) == len(first)


def test_control_characters_of_a_name_do_not_reach_the_terminal():
    assert "\x1b" not in table(["model"], [["evil\x1b[2Jname\r\n"]])


def test_long_texts_are_wrapped_behind_their_names():
    assert entries([("asks", "one two three"), ("n", "4")], width=12) == "asks  one\n      two\n      three\nn     4"
