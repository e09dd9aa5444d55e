"""Session linking: reads the log, decides who owns each conversation, delivers."""
