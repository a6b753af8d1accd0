"""What a machine checks. Not shipped; imports nothing of `pierhead` but to ask what it offers."""
