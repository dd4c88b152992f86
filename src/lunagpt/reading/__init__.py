"""Reading comprehension: which words of a passage answer a question, and whether any do.

    reader = load_reader()
    reading = reader.read("Quando fecha a piscina?", "A piscina fecha às segundas.")
    reading.best()      # Span(start=…, end=…, margin=…)

Needs neither torch nor the network; the model ships with the package (`assets/reader`).
"""

from lunagpt.reading.reader import PassageReading, Span, SpanReader, load_reader

__all__ = ["PassageReading", "Span", "SpanReader", "load_reader"]
