"""Tiny randomly initialised models of published vision-language families, with tokenizer, processor and template, all made here.

Nothing is downloaded: the vocabulary is trained on a few words, the configurations are the families' own with a few small layers.
Image processors are those that work with Pillow alone, since torchvision may be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers as tf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from models.hf.loading import pictures_only
from tests.models.specimens import WORDS

SPECIAL = ("<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>")

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

VICUNA = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}ASSISTANT: {% else %}USER: {% endif %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE\n{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}"
    "{% if message['role'] == 'assistant' %}</s>{% else %} {% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
"""LLaVA-1.5's: an answer begins with the space behind the colon."""


def tokenizer(*tokens: str, **named: str) -> tf.PreTrainedTokenizerFast:
    """A byte-level tokenizer of the tests' words with the given special tokens; ``named`` become attributes of it."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    special = [*SPECIAL, *tokens, *(token for token in named.values() if token not in tokens)]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        [" ".join(WORDS)] * 3,
        trainers.BpeTrainer(
            vocab_size=len(alphabet) + len(special) + 40, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        ),
    )
    return tf.PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        extra_special_tokens=named,
    )


def _text(vocabulary: int, **more: Any) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 4096,
        "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False, **more,
    }  # fmt: skip


def _vision(**more: Any) -> dict[str, Any]:
    return {
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 16,
        "patch_size": 8, **more,
    }  # fmt: skip


def processor_of(name: str) -> Any:
    return pictures_only(getattr(tf, name))


Made = tuple[Any, Any]
"""A configuration and a processor (or tokenizer)."""


def llava() -> Made:
    words = tokenizer("<image>")
    pictures = tf.CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16})
    processor = tf.LlavaProcessor(
        pictures, words, patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1,
        chat_template=VICUNA.replace("IMAGE", "<image>"),
    )  # fmt: skip
    config = tf.LlavaConfig(
        text_config={"model_type": "llama", **_text(len(words))}, vision_config={"model_type": "clip_vision_model", **_vision()},
        image_token_id=words.convert_tokens_to_ids("<image>"), image_seq_length=4,
    )  # fmt: skip
    return config, processor


def llava_onevision() -> Made:
    words = tokenizer("<image>", "<video>")
    points = [[16, 16], [16, 32], [32, 16], [32, 32]]
    pictures = tf.LlavaOnevisionImageProcessorPil(size={"height": 16, "width": 16}, image_grid_pinpoints=points)
    processor = processor_of("LlavaOnevisionProcessor")(
        pictures, words, num_image_tokens=4, vision_feature_select_strategy="full",
        chat_template=CHATML.replace("IMAGE", "<image>"),
    )  # fmt: skip
    config = tf.LlavaOnevisionConfig(
        text_config={"model_type": "qwen2", **_text(len(words))},
        vision_config={"model_type": "siglip_vision_model", **_vision(), "vision_use_head": False},
        image_token_id=words.convert_tokens_to_ids("<image>"), video_token_id=words.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=points,
    )  # fmt: skip
    return config, processor


def _qwen(kind: str, vision: Mapping[str, Any]) -> Made:
    words = tokenizer("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    pictures = tf.Qwen2VLImageProcessorPil(
        patch_size=4, merge_size=2, temporal_patch_size=2, size={"shortest_edge": 64, "longest_edge": 1024}
    )
    template = CHATML.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
    processor = processor_of(f"{kind}Processor")(pictures, words, chat_template=template)
    ids = {name: words.convert_tokens_to_ids(f"<|{name}|>") for name in ("vision_start", "vision_end", "image_pad", "video_pad")}
    config = getattr(tf, f"{kind}Config")(
        text_config=_text(len(words), rope_parameters={"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4}),
        vision_config={"patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 2, "depth": 2, "num_heads": 2, **vision},
        image_token_id=ids["image_pad"], video_token_id=ids["video_pad"],
        vision_start_token_id=ids["vision_start"], vision_end_token_id=ids["vision_end"],
    )  # fmt: skip
    return config, processor


def qwen2_vl() -> Made:
    return _qwen("Qwen2VL", {"embed_dim": 16, "hidden_size": 32, "mlp_ratio": 2})


def qwen2_5_vl() -> Made:
    vision = {"hidden_size": 16, "out_hidden_size": 32, "intermediate_size": 24, "window_size": 16, "fullatt_block_indexes": [1]}
    return _qwen("Qwen2_5_VL", vision)


def internvl() -> Made:
    words = tokenizer(
        start_image_token="<img>", end_image_token="</img>", context_image_token="<IMG_CONTEXT>", video_token="<video>"
    )
    pictures = tf.GotOcr2ImageProcessorPil(size={"height": 16, "width": 16}, max_patches=3, min_patches=1)
    processor = processor_of("InternVLProcessor")(
        pictures, words, image_seq_length=1, chat_template=CHATML.replace("IMAGE", "<IMG_CONTEXT>\n")
    )
    config = tf.InternVLConfig(
        text_config={"model_type": "qwen2", **_text(len(words))}, vision_config=_vision(image_size=[16, 16], patch_size=[8, 8]),
        image_token_id=words.context_image_token_id, image_seq_length=1, downsample_ratio=0.5,
    )  # fmt: skip
    return config, processor


def idefics3() -> Made:
    words = tokenizer("<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", "<row_1_col_1>")
    pictures = tf.Idefics3ImageProcessorPil(size={"longest_edge": 32}, max_image_size={"longest_edge": 16})
    processor = tf.Idefics3Processor(pictures, words, image_seq_len=1, chat_template=CHATML.replace("IMAGE", "<image>"))
    config = tf.Idefics3Config(
        text_config={"model_type": "llama", **_text(len(words))}, vision_config=_vision(), scale_factor=2,
        image_token_id=words.convert_tokens_to_ids("<image>"), pad_token_id=0,
    )  # fmt: skip
    return config, processor


def paligemma() -> Made:
    words = tokenizer("<image>")
    pictures = tf.SiglipImageProcessorPil(size={"height": 16, "width": 16})
    pictures.image_seq_length = 4
    processor = tf.PaliGemmaProcessor(pictures, words)
    config = tf.PaliGemmaConfig(
        text_config={"model_type": "gemma", **_text(len(words), head_dim=8)},
        vision_config={"model_type": "siglip_vision_model", **_vision(projection_dim=32), "vision_use_head": False},
        image_token_id=words.convert_tokens_to_ids("<image>"), projection_dim=32, hidden_size=32,
    )  # fmt: skip
    return config, processor


def llama() -> Made:
    words = tokenizer()
    words.chat_template = CHATML
    return tf.LlamaConfig(**_text(len(words))), words


FAMILIES: Mapping[str, Callable[[], Made]] = {
    made.__name__: made for made in (llava, llava_onevision, qwen2_vl, qwen2_5_vl, internvl, idefics3, paligemma, llama)
}


def save(name: str, folder: Path, seed: int = 0) -> Path:
    """Write a random model of the family as a folder that ``from_pretrained`` reads."""
    config, processor = FAMILIES[name]()
    torch.manual_seed(seed)
    kind = tf.AutoModelForCausalLM if name == "llama" else tf.AutoModelForImageTextToText
    model = kind.from_config(config)
    with torch.no_grad():  # large enough that replies differ from prompt to prompt
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.3)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
