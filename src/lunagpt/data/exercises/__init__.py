"""Exercises of recall: dialogues made by rule out of any text, that only looking back can answer.

A small model that has read a few million tokens does not copy: the second time it meets a text it is as
surprised as the first. These exercises make it look back, from what is easiest to learn it from to what is
useful: repeat what was just said, even when it makes no sense; find the passage in which a word stands; give
back a fact of a made-up list; remember what the person told about themselves.
"""

from lunagpt.data.exercises.maker import KINDS, VERSION, ExerciseMaker

__all__ = ["KINDS", "VERSION", "ExerciseMaker"]
