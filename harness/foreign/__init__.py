"""Python of other environments, asked by lines of JSON: `client` is this side, `loop` the program that runs over there.

Not here: any toolkit. What is asked of one stands in a file of commands beside the bridge that needs it.
"""
