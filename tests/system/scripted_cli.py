"""The command line with a scripted engine in place of the model, as a program of its own.

    python scripted_cli.py SECONDS_PER_WORD ARGUMENTS...

Each answer counts the messages that the engine was given and then says fifty numbered words. A message that
asks for an error gets one.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.scripted_engine import ScriptedEngine

from lunagpt import cli
from lunagpt.chat import LunaChat
from lunagpt.commands import chat as chat_command


def reply(messages: list[dict[str, str]]) -> str | Exception:
    if "erro" in messages[-1]["content"]:
        return RuntimeError("quebrou")
    heard = " | ".join(message["content"] for message in messages)
    return f"({len(messages)}) {heard[-60:]} " + " ".join(f"p{n}" for n in range(50))


if __name__ == "__main__":
    engine = ScriptedEngine(reply, float(sys.argv.pop(1)))
    chat_command.open_chat = lambda settings: LunaChat(engine, params=settings.sampling())
    sys.argv[0] = "luna"
    sys.exit(cli.main())
