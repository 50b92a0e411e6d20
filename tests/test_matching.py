"""Which profiles a machine looks like: the order, what is equal, what is part of a name."""

from __future__ import annotations

import pytest

from profiler.catalogue.matching import Identity, matching
from tests.machines import X86, X86_AVX2, profile

ORIN = Identity(compatible=("nvidia,p3768-0000+p3767-0005", "nvidia,p3767-0005", "nvidia,tegra234"))


def test_the_earlier_word_of_the_device_tree_goes_first() -> None:
    chip = profile("a-chip", compatible=("nvidia,tegra234",))
    module = profile("b-module", compatible=("nvidia,p3767-0005",))
    other = profile("c-other", compatible=("nvidia,p3701-0005",))
    assert matching(ORIN, [chip, module, other]) == ["b-module", "a-chip"]


def test_a_word_of_the_device_tree_has_to_be_equal() -> None:
    parts = [profile("part", compatible=("p3767-0005",)), profile("large", compatible=("NVIDIA,P3767-0005",))]
    assert matching(ORIN, parts) == []


def test_device_tree_then_mac_then_cpu_then_board_name() -> None:
    machine = Identity(compatible=("apple,t8112",), mac="Mac14,2", cpu=("Apple M2",), dmi=("Laptop 14",))
    profiles = [
        profile("a-board", dmi=("laptop",)),
        profile("b-cpu", cpu=("apple m2",)),
        profile("c-mac", mac=("Mac14,2",)),
        profile("d-tree", compatible=("apple,t8112",)),
    ]
    assert matching(machine, profiles) == ["d-tree", "c-mac", "b-cpu", "a-board"]


def test_a_mac_has_to_be_equal() -> None:
    assert matching(Identity(mac="Mac14,2"), [profile("a", mac=("Mac14,21", "Mac14", "mac14,2"))]) == []


@pytest.mark.parametrize(
    "word", ["Core Ultra 7 155H", "core(tm) ultra 7", "INTEL(R) CORE(TM) ULTRA 7 155H", "155H"]
)
def test_a_cpu_by_part_of_its_name_without_the_makers_signs(word: str) -> None:
    machine = Identity(cpu=("Intel(R) Core(TM) Ultra 7 155H",))
    assert matching(machine, [profile("laptop", cpu=(word,))]) == ["laptop"]


def test_the_longer_part_of_a_name_goes_first() -> None:
    machine = Identity(cpu=("Apple M2 Pro",))
    profiles = [profile("apple-m2", cpu=("Apple M2",)), profile("apple-m2-pro", cpu=("Apple M2 Pro",))]
    assert matching(machine, profiles) == ["apple-m2-pro", "apple-m2"]


@pytest.mark.parametrize("word", ["", " ", "(R)", "Ultra 9"])
def test_an_empty_word_or_another_name_fits_nothing(word: str) -> None:
    machine = Identity(cpu=("Intel(R) Core(TM) Ultra 7 155H",), dmi=("Laptop",))
    assert matching(machine, [profile("a", cpu=(word,), dmi=(word,))]) == []


def test_a_generic_profile_stands_in_only_if_no_other_fits() -> None:
    machine = Identity(cpu=("Some CPU",), flags=frozenset(X86_AVX2.split()))
    generic = [profile("plain", isa=X86), profile("fast", isa=X86_AVX2), profile("arm", isa="fp asimd")]
    assert matching(machine, generic) == ["fast", "plain"]
    assert matching(machine, [*generic, profile("own", cpu=("Some CPU",))]) == ["own"]


def test_nothing_known_fits_nothing() -> None:
    assert matching(Identity(), [profile("plain", isa=X86), profile("none"), profile("a", cpu=("a",))]) == []
