import subprocess
import sys

import pytest

from efficiency360.errors import InputError
from efficiency360.numerics.attacks import PRESETS, Spec, needs_gradients, specs_of


def test_autoattack_has_the_sizes_of_the_paper():
    assert [spec.label for spec in PRESETS["autoattack"]] == [
        "apgd-ce (100 steps)",
        "apgd-t (100 steps, 9 targets)",
        "fab-t (100 steps, 9 targets)",
        "square (5000 queries, rescale=True)",
    ]


def test_a_label_says_what_differs_from_the_default():
    assert Spec("apgd-ce", {"steps": 1, "restarts": 3, "rho": 0.5}).label == "apgd-ce (1 step, 3 restarts, rho=0.5)"
    assert Spec("CW", {"steps": 5}).label == "CW (steps=5)"
    assert Spec("DeepFool").label == "DeepFool"


@pytest.mark.parametrize("name", ["autoatack", "DeepFol", "apgd-c"])
def test_a_misspelt_name_gets_a_suggestion(name):
    with pytest.raises(InputError, match=r"did you mean '(autoattack|DeepFool|apgd-ce)'"):
        specs_of([name])


def test_parameters_are_given_with_the_name():
    assert specs_of(["CW(steps=5, c=0.5)"]) == (Spec("CW", {"steps": 5, "c": 0.5}),)
    assert specs_of([" square ( queries = 50 )"]) == (Spec("square", {"queries": 50}),)


@pytest.mark.parametrize(
    "text", ["CW(", "CW(5)", "CW(steps=)", "CW(**{})", "CW(steps=open('x'))", "CW(steps=5))", "CW()()"]
)
def test_parameters_that_cannot_be_read_are_refused_in_a_line(text):
    with pytest.raises(InputError, match=r"cannot be read; parameters are written as in 'CW\(steps=20\)'"):
        specs_of([text])


@pytest.mark.parametrize("name", ["MultiAttack", "LGV", "Attack", "os.system"])
def test_what_is_no_attack_on_one_model_is_unknown(name):
    with pytest.raises(InputError, match="there is no attack"):
        Spec(name)


@pytest.mark.parametrize(
    "params", [{"step": 5}, {"steps": 0}, {"steps": 2.5}, {"steps": "many"}, {"rho": float("nan")}, {"rho": -1}]
)
def test_parameters_that_make_no_sense_are_refused(params):
    with pytest.raises(InputError, match="apgd-ce"):
        Spec("apgd-ce", params)


def test_presets_and_names_are_joined_without_doubles():
    names = [spec.name for spec in specs_of(["blackbox", "autoattack", "DeepFool"])]
    assert names == ["square", "apgd-ce", "apgd-t", "fab-t", "DeepFool"]


def test_only_attacks_that_ask_for_logits_alone_need_no_gradients():
    assert not needs_gradients(PRESETS["blackbox"])
    assert not needs_gradients([Spec("Square"), Spec("OnePixel")])
    assert needs_gradients(PRESETS["autoattack"])
    assert needs_gradients([Spec("square"), Spec("DeepFool")])


def test_names_and_presets_are_known_without_torch():
    code = (
        "import sys; from efficiency360.numerics.attacks import specs_of;"
        "print(len(specs_of(['autoattack', 'CW'])), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["5", "False"]
