"""The commands behind the command line.

`groups` says what each takes; what it does is in the module of its name (`chat`, `index`, …). The other
modules serve them:

- `program`: the tree of commands, and what ends it.
- `options`, `parsing`, `usage`: reading the command line. `help_texts`, `texts`: what it says.
- `console`, `repl`, `slash`, `wrapping`, `sources`, `progress`: the conversation and the screen.
- `opening`, `places`: models, settings and the user's folders. `failures`: what goes wrong.
"""
