import pytest

from napari_slagseg.data import Phase, PhaseTable, SlagsegError
from napari_slagseg.data.chemistry import element_mass_fractions, element_table

# by hand, from IUPAC's abridged standard atomic weights
LI, O, H, AL, SI, S, CA, MG, FE, K, P = (
    6.94, 15.999, 1.008, 26.982, 28.085, 32.06, 40.078, 24.305, 55.845, 39.098, 30.974,
)  # fmt: skip


def shares(**masses):
    whole = sum(masses.values())
    return {element: mass / whole for element, mass in masses.items()}


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("LiAlO2", shares(Li=LI, Al=AL, O=2 * O)),
        ("KAlSi3O8", shares(K=K, Al=AL, Si=3 * SI, O=8 * O)),
        ("CaSO4·2H2O", shares(Ca=CA, S=S, O=6 * O, H=4 * H)),
        ("CaSO4.2H2O", shares(Ca=CA, S=S, O=6 * O, H=4 * H)),
        ("CaSO4 * 2H2O", shares(Ca=CA, S=S, O=6 * O, H=4 * H)),
        ("CaSO4·0.5H2O", shares(Ca=CA, S=S, O=4.5 * O, H=H)),
        ("CaSO4.0.5H2O", shares(Ca=CA, S=S, O=4.5 * O, H=H)),
        ("Ca5(PO4)3(OH)", shares(Ca=5 * CA, P=3 * P, O=13 * O, H=H)),
        ("Ca5[PO4]3(OH)", shares(Ca=5 * CA, P=3 * P, O=13 * O, H=H)),
        ("Al2[(OH)4|Si2O5]".replace("|", ""), shares(Al=2 * AL, O=9 * O, H=4 * H, Si=2 * SI)),
        ("Mg2((SiO4))", shares(Mg=2 * MG, Si=SI, O=4 * O)),
        ("Mg1.8Fe0.2SiO4", shares(Mg=1.8 * MG, Fe=0.2 * FE, Si=SI, O=4 * O)),
        ("(Mg0.9Fe0.1)2SiO4", shares(Mg=1.8 * MG, Fe=0.2 * FE, Si=SI, O=4 * O)),
        ("Fe0.95O", shares(Fe=0.95 * FE, O=O)),
        ("Fe₂O₃", shares(Fe=2 * FE, O=3 * O)),
        ("Fe²⁺Fe³⁺₂O₄", shares(Fe=3 * FE, O=4 * O)),
        ("Fe^2+Fe^3+2O4", shares(Fe=3 * FE, O=4 * O)),
        ("3CaO·Al2O3", shares(Ca=3 * CA, O=6 * O, Al=2 * AL)),
        ("CaO.Al2O3", shares(Ca=CA, O=4 * O, Al=2 * AL)),
        ("Al2O3·2SiO2·2H2O", shares(Al=2 * AL, O=9 * O, Si=2 * SI, H=4 * H)),
        ("Ca2Al4(O9.5)(OH)", shares(Ca=2 * CA, Al=4 * AL, O=10.5 * O, H=H)),
        ("□Mg2SiO4", shares(Mg=2 * MG, Si=SI, O=4 * O)),
    ],
)
def test_mass_shares_are_those_worked_out_by_hand(formula, expected):
    found = element_mass_fractions(formula)
    assert found == pytest.approx(expected, rel=1e-4)
    assert sum(found.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("(Mg,Fe)2SiO4", "Mg1.8Fe0.2SiO4 instead of"),
        ("Fe2+O", "leave charges out"),
        ("Fe1-xS", "numbers instead of 1-x"),
        ("Al2O3.2SiO2", "'·' between parts"),
        ("Xx2O", "not understood"),
        ("fe2o3", "not understood"),
        ("Ca(OH", "not understood"),
        ("SiO2·nH2O", "not understood"),
        ("D2O", "'D' is no element"),
        ("Ca0", "holds no element"),
        ("", "holds no element"),
        ("quartz!", "'!' means nothing"),
        ("=SiO2", "'=' means nothing"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_way_out(formula, words):
    with pytest.raises(SlagsegError, match=words) as refused:
        element_mass_fractions(formula)
    assert formula in str(refused.value)


def phases(*formulas):
    listed = [Phase(i + 1, f"p{i + 1}", "#d55e00", formula=f) for i, f in enumerate(formulas)]
    return PhaseTable((Phase(0, "background", "#000000", formula="C2H4O"), *listed))


def test_phases_without_formula_are_named_and_the_background_left_out():
    table = element_table(phases("SiO2", "", "FeS2"))
    assert set(table.fractions) == {"p1", "p3"}
    assert table.without_formula == ("p2",)
    assert table.elements == ("O", "Si", "S", "Fe")


def test_a_bad_formula_names_its_phase():
    with pytest.raises(SlagsegError, match="Phase 'p2': The formula"):
        element_table(phases("SiO2", "(Na,K)Cl"))
