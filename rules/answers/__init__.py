"""The answers of sections 3 to 8: one module a section, each a table from a question's id to the function that answers it.

A function is given what the analysed code shows and returns what can be said for sure or probably; None where the code does
not show it. Unsure is None: the report then says that it is not visible in this code.
"""
