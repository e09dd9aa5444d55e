"""We call Webim: what a program says, as messages and actions, step by step."""
