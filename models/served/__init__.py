"""A model of ours behind OpenAI's chat-completions protocol: what it is asked, batching, and the HTTP application."""
