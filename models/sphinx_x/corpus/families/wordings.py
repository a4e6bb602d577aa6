"""The forms in which each family of data asks, several a family, and the forms of answers that list places.

Those of the paper's Figures 2 and 7 come first in their tuple. Values only.
"""

from __future__ import annotations

from collections.abc import Mapping

from models.sphinx_x.corpus.turns import BOX

ASK: Mapping[str, tuple[str, ...]] = {
    "detection": (
        "Detect all objects in the image.",
        "Detect all the objects in this image and give their bounding boxes.",
        "List every object that you see with its bounding box.",
        "Which objects are in the image, and where are they?",
    ),
    "category": (
        "Detect all {} in the image.",
        "Where is {} in this image? Give the bounding box of each.",
        "Please provide the bounding boxes of all {} in the image.",
        "Find every {} in this picture.",
    ),
    "layout": (
        "Detect the layout of the document in the image.",
        "Analyze the layout of this document.",
        "Which parts does this page have, and where are they?",
        "Give the bounding boxes of all layout elements of this page.",
    ),
    "layout_category": (
        "Detect all regions of type {} in the document.",
        "Where does this page have {}?",
        "Give the bounding boxes of every {} on this page.",
    ),
    "spotting": (
        "Detect all regions in the image that contain text and identify their content.",
        "Spot all text in the image with its bounding box.",
        "Read every word in this image and say where it stands.",
        "Which text is in the image, and where?",
    ),
    "read": (
        "What does the text in the region {} say?",
        "Read the text in {}.",
        "Which text is in the box {}?",
    ),
    "find_text": (
        'Where in the image is the text "{}"?',
        'Give the bounding box of the text "{}".',
        'Find "{}" in the image.',
    ),
    "pose": (
        "Detect the key points of the person in {}.",
        "Give the body key points of the person in the region {}.",
        "Where are the joints of the person in {}?",
    ),
    "people": (
        "Detect all people in the image.",
        "Give the bounding box of every person.",
        "Where are the people in this image?",
    ),
    "grounding": (
        BOX,
        "Where is {} in this image? Give the bounding box.",
        "Detect {} in the image.",
        "Locate this: {}.",
    ),
    "region": (
        "Please provide a short description for this region: {}.",
        "What is in the region {}?",
        "Describe the region {} in a few words.",
    ),
    "classification": (
        "What is the main object in this image?",
        "Classify the image.",
        "Which category does this image belong to?",
        "Name what this picture shows in a word or phrase.",
    ),
    "caption": (
        "Provide a one-sentence caption for the provided image.",
        "Describe the image concisely.",
        "Write a short caption for this image.",
        "What is shown in this picture, in one sentence?",
    ),
    "detailed_caption": (
        "Describe this image in detail.",
        "Generate a detailed description of the image.",
        "What do you see in this picture? Tell all that matters.",
    ),
    "field": (
        "What is the value for the {}?",
        "What does the document give as {}?",
        "Read the {} from this document.",
    ),
    "statement": (
        'Is this statement true according to the table: "{}"? Answer yes or no.',
        'Does the table support that "{}"? Answer yes or no.',
        "{} Is that right according to the table? Answer yes or no.",
    ),
}
"""Family -> wordings; ``{}`` stands for what is asked about."""

COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
"""Number words before a name that has several boxes; digits beyond."""
