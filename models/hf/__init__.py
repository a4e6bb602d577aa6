"""Models of the transformers library: loading, prompts, and batched generation; settings name `models.hf_chat`."""
