"""The language backbones, transformers' Llama and Mixtral, built from a `Backbone` with random weights.

Not here: loading weights (``checkpoint``). The number of active experts acts through each router's ``top_k``; transformers
reads no config value for it after construction.
"""

from __future__ import annotations

from typing import Any

from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM, PreTrainedModel

from harness.errors import ConfigError
from models.sphinx_x.variants import Backbone


def build_language_model(backbone: Backbone) -> PreTrainedModel:
    """A causal language model of this shape, untied head, no biases, no sliding window."""
    shared: dict[str, Any] = {
        "vocab_size": backbone.vocab,
        "hidden_size": backbone.width,
        "intermediate_size": backbone.ffn,
        "num_hidden_layers": backbone.layers,
        "num_attention_heads": backbone.heads,
        "num_key_value_heads": backbone.kv_heads,
        "head_dim": backbone.width // backbone.heads,
        "max_position_embeddings": backbone.max_positions,
        "rms_norm_eps": backbone.norm_eps,
        "rope_parameters": _rope(backbone),
        "initializer_range": backbone.init_std,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
    }
    if backbone.kind == "llama":
        return LlamaForCausalLM(LlamaConfig(**shared))
    config = MixtralConfig(
        **shared,
        num_local_experts=backbone.experts,
        num_experts_per_tok=backbone.active_experts,
        sliding_window=None,
        router_aux_loss_coef=backbone.load_balance,
    )
    return MixtralForCausalLM(config)


def _rope(backbone: Backbone) -> dict[str, Any]:
    if backbone.rope_scaling is None:
        return {"rope_type": "default", "rope_theta": backbone.rope_theta}
    return {"rope_type": "linear", "factor": 1 / backbone.rope_scaling, "rope_theta": backbone.rope_theta}


def set_active_experts(model: PreTrainedModel, count: int) -> None:
    """Route every token to ``count`` experts from now on. Raises `ConfigError` for a dense model or an impossible count."""
    experts = getattr(model.config, "num_local_experts", 0)
    if not 1 <= count <= experts:
        raise ConfigError(f"active_experts={count} needs a sparse model with at least that many experts; this one has {experts}")
    for layer in model.model.layers:
        layer.mlp.gate.top_k = count
