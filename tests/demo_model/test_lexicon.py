"""The list of words that the demo model is said to know, against the samples that travel with it."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from tests.demo_model.synth import LEXICON
from tests.speech import SAMPLES

HERE = Path(__file__).parent


def test_every_word_of_the_samples_is_in_the_lexicon():
    for name, sample in json.loads((SAMPLES / "words.json").read_text("utf-8")).items():
        assert set(sample["words"]) <= set(LEXICON[sample["language"]]), name


def test_the_lexicon_is_as_large_as_the_readme_says():
    text = (HERE / "README.md").read_text("utf-8")
    assert f"{len(set(LEXICON['th']))} Thai words" in text
    assert f"{len(set(LEXICON['en']))} English" in text


@pytest.mark.parametrize("path", sorted(HERE.glob("*.py")), ids=lambda path: path.name)
def test_a_training_script_is_python_and_says_how_it_is_run(path):
    """Nothing more of it is run here: training needs libraries that the project does not."""
    tree = ast.parse(path.read_text("utf-8"))
    says = ast.get_docstring(tree) or ""
    assert says
    if '__name__ == "__main__"' in path.read_text("utf-8") and path.name != Path(__file__).name:
        assert f"python -m tests.demo_model.{path.stem}" in says
