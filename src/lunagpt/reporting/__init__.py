"""What every report shares: numbers as Portuguese readers write them, Markdown, one-file HTML, inline charts.

Nothing here knows what is reported; nothing here needs more than the standard library.
"""
