"""The webim adapter: Webim calls us as its bot, and we answer through its Bot API."""
