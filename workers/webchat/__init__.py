"""The webchat worker: browsers on one side, the conversation log on the other."""
