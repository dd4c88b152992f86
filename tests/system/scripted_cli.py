"""The command line with a scripted engine in place of the model, as a program of its own.

    python scripted_cli.py SECONDS_PER_WORD ARGUMENTS...

Each answer counts the messages that the engine was given and then says fifty numbered words; where thinking
is on, fifty numbered ideas come before it. A message that asks for an error gets one.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.scripted_engine import ScriptedEngine

from lunagpt import cli
from lunagpt.chat import LunaChat
from lunagpt.commands import chat as chat_command
from lunagpt.config import LunaConfig


def reply(messages: list[dict[str, str]]) -> str | Exception:
    if "erro" in messages[-1]["content"]:
        return RuntimeError("quebrou")
    heard = " | ".join(message["content"] for message in messages)
    return f"({len(messages)}) {heard[-60:]} " + " ".join(f"p{n}" for n in range(50))


if __name__ == "__main__":
    engine = ScriptedEngine(reply, float(sys.argv.pop(1)))
    engine.thoughts = " ".join(f"i{n}" for n in range(50))
    chat_command.open_chat = lambda settings: LunaChat(
        engine, params=settings.sampling(LunaConfig.from_environment()), show_thinking=settings.show_thinking
    )
    sys.argv[0] = "luna"
    sys.exit(cli.main())
