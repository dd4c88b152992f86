"""Conversation quality without a judge: scripted dialogues whose answers are checked by rule."""

from lunagpt.evaluation.behaviours.report import BehaviourReport, SkillRate, Transcript
from lunagpt.evaluation.behaviours.runner import SUITE, run_behaviours
from lunagpt.evaluation.behaviours.scenario import Scenario, Skill, builtin_skills, load_skills

__all__ = [
    "SUITE",
    "BehaviourReport",
    "Scenario",
    "Skill",
    "SkillRate",
    "Transcript",
    "builtin_skills",
    "load_skills",
    "run_behaviours",
]
