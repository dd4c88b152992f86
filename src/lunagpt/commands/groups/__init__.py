"""The commands as the user types them: names, arguments and options, one file for each group.

Each hands what it was given to the module of `lunagpt.commands` that does the work, and imports it only then:
help has to come at once.
"""
