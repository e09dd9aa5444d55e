"""From the visitor to giosg: opening chats, sending, closing."""
