"""Networks that name order statistics: PyTorch's layers, files, training, estimates of their trees."""

import json

import pytest
import torch
from torch import nn

import compact_proofs as cp
from compact_proofs.errors import BadInput
from compact_proofs.estimates import estimate
from compact_proofs.laws import Normal, Uniform
from compact_proofs.models.files import save_model
from compact_proofs.models.scalar_recurrent import ScalarRecurrent, ScalarRecurrentConfig
from compact_proofs.tasks import KITS, load_model
from compact_proofs.tasks.order_statistic import KIT, ConeTree, OrderStatistic
from compact_proofs.tasks.order_statistic.by_hand import by_hand
from compact_proofs.tasks.order_statistic.descents import FinishedTree, descend, tree_table
from compact_proofs.tasks.order_statistic.training import OrderStatisticRecipe, train
from compact_proofs.tasks.order_statistic.zoo import BY_HAND, CONVERTED, RECIPES
from compact_proofs.zoo import names


def layers(**options):
    torch.manual_seed(0)
    return nn.RNN(1, 5, nonlinearity="relu", bias=False, batch_first=True, **options), nn.Linear(5, 3, bias=False)


def test_pytorch_s_layers_are_read():
    rnn, linear = layers()
    x = torch.randn(20, 3)
    expected = linear(rnn(x[..., None])[0][:, -1])
    assert torch.allclose(ScalarRecurrent.of(rnn, linear, 3)(x), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("rnn", "linear", "said"),
    [
        (nn.RNN(1, 5, nonlinearity="tanh", bias=False), nn.Linear(5, 3, bias=False), "ReLU"),
        (nn.RNN(1, 5, nonlinearity="relu"), nn.Linear(5, 3, bias=False), "biases in both or in none"),
        (nn.RNN(1, 5, nonlinearity="relu", bias=False), nn.Linear(5, 3), "biases in both or in none"),
        (nn.RNN(1, 5, 2, nonlinearity="relu", bias=False), nn.Linear(5, 3, bias=False), "one layer"),
        (nn.RNN(2, 5, nonlinearity="relu", bias=False), nn.Linear(5, 3, bias=False), "inputs of one number"),
        (nn.RNN(1, 5, nonlinearity="relu", bias=False), nn.Linear(4, 3, bias=False), "an unembedding"),
    ],
)
def test_layers_of_another_function_are_refused(rnn, linear, said):
    with pytest.raises(BadInput, match=f"do not have.*{said}"):
        ScalarRecurrent.of(rnn, linear, 3)


def test_outputs_are_homogeneous():
    rnn, linear = layers()
    model = ScalarRecurrent.of(rnn, linear, 3).double()
    x = torch.randn(20, 3, dtype=torch.float64)
    assert torch.allclose(model(7 * x), 7 * model(x))
    with pytest.raises(BadInput, match="reads 3 numbers"):
        model(x[:, :2])


def test_a_trained_network_is_written_read_and_proven(tmp_path):
    result = train(OrderStatisticRecipe(n=2, above=0, d_model=2, steps=300, evaluation_samples=2**10))
    result.save(tmp_path / "m.safetensors")
    loaded = load_model(tmp_path / "m.safetensors", "order-statistic")
    assert loaded.task == OrderStatistic(2, 0)
    found = cp.prove(loaded, strategy=ConeTree(smallest=1e-3, gain=1e-3))
    assert abs(float(found.bound) - result.final.accuracy) < 0.08


def test_files_with_the_names_of_layers_are_read(tmp_path):
    rnn, linear = layers()
    whole = nn.ModuleDict({"rnn": rnn, "linear": linear})
    torch.save(whole.state_dict(), tmp_path / "m.pt")
    said = {"architecture": "scalar-recurrent", "configuration": {"n_ctx": 3, "d_model": 5, "d_out": 3}}
    (tmp_path / "m.json").write_text(json.dumps({**said, "task": "order-statistic", "above": 1}))
    loaded = load_model(tmp_path / "m.pt")
    x = torch.randn(20, 3)
    assert torch.allclose(loaded.model(x), ScalarRecurrent.of(rnn, linear, 3)(x))
    assert loaded.task == OrderStatistic(3, 1)


def test_files_say_biases_and_laws(tmp_path):
    rnn, linear = nn.RNN(1, 5, nonlinearity="relu", batch_first=True), nn.Linear(5, 3)
    torch.save(nn.ModuleDict({"rnn": rnn, "linear": linear}).state_dict(), tmp_path / "m.pt")
    said = {"architecture": "scalar-recurrent", "task": "order-statistic", "above": 1}
    sizes = {"n_ctx": 3, "d_model": 5, "d_out": 3}

    def loaded(**other):
        (tmp_path / "m.json").write_text(json.dumps({**said, "configuration": {**sizes, "bias": True}, **other}))
        return load_model(tmp_path / "m.pt")

    x = torch.randn(20, 3)
    assert torch.allclose(loaded().model(x), linear(rnn(x[..., None])[0][:, -1]), atol=1e-6)
    assert loaded(of_each={"uniform": [-1, 2.5]}).task == OrderStatistic(3, 1, Uniform(-1, 2.5))
    assert loaded(of_each={"normal": [0, 2]}).task == OrderStatistic(3, 1, Normal(0, 2))
    for wrong in ({"uniform": [1]}, {"uniform": [1, 0]}, {"cauchy": [0, 1]}, {"normal": [0, 1], "uniform": [0, 1]}, "uniform", []):
        with pytest.raises(BadInput, match=r"m\.pt"):
            loaded(of_each=wrong)
    with pytest.raises(BadInput, match="unexpected b_in"):
        loaded(configuration=sizes)


@pytest.mark.parametrize("above", [3, "1", True, -1])
def test_a_file_that_names_no_order_statistic_is_refused(above, tmp_path):
    model = ScalarRecurrent(ScalarRecurrentConfig(n_ctx=3, d_model=2, d_out=3))
    save_model(model, tmp_path / "m.safetensors", {"task": "order-statistic", "above": above})
    with pytest.raises(BadInput, match=r"m\.safetensors"):
        load_model(tmp_path / "m.safetensors")


def test_a_file_that_says_nothing_is_refused(tmp_path):
    model = ScalarRecurrent(ScalarRecurrentConfig(n_ctx=3, d_model=2, d_out=3))
    save_model(model, tmp_path / "m.safetensors", {"task": "order-statistic"})
    with pytest.raises(BadInput, match="nothing says which order statistic"):
        load_model(tmp_path / "m.safetensors")


def test_the_zoo_s_networks_have_recipes_or_were_converted():
    assert set(names("order-statistic")) == RECIPES.keys() | set(CONVERTED) | BY_HAND.keys()
    assert KITS["order-statistic"] is KIT


def test_the_zoo_s_networks_made_by_hand_are_what_they_are_called():
    for name, make in BY_HAND.items():
        stored, made = cp.load(name).model.state_dict(), make().state_dict()
        assert stored.keys() == made.keys()
        assert all(torch.equal(stored[key], made[key]) for key in made)


@pytest.mark.parametrize("n", [2, 3, 6, 10])
def test_the_network_made_by_hand_is_right_where_two_numbers_are_positive(n):
    model, task = by_hand(n).double(), OrderStatistic(n)
    x = task.inputs(0, 20_000)
    x = x[(x > 0).sum(1) >= 2]
    logits, labels = model(x), task.labels(x)
    own = logits.gather(1, labels[:, None])
    right = (own > logits.scatter(1, labels[:, None], -torch.inf)).all(1)
    assert float(right.double().mean()) > 0.99


def test_nothing_is_made_for_one_number():
    with pytest.raises(BadInput, match="does not exist"):
        by_hand(1)


def test_descents_guess_what_the_tree_proves():
    loaded = cp.load("second-of-3")
    strategy = ConeTree(smallest=1e-3, gain=1e-6)
    found = float(cp.trial(loaded, strategy=strategy).bound)
    guess = estimate(loaded.model, loaded.task, FinishedTree(smallest=1e-3, samples=2000))
    inputs = loaded.task.inputs(0, 2000)
    model = loaded.model.double()
    descents = descend(model, loaded.task, inputs, 1e-3, "first")
    assert abs(float(descents.proven(1e-3)) - found) < 0.03
    codes = strategy.explain(loaded.model, loaded.task)["cuts"]
    ends = int((codes % 4 < 2).sum())
    assert abs(guess.value - found) < 0.03
    assert 0.3 < float(descents.leaves(1e-3)) / ends < 3


def test_the_tree_table_is_monotone():
    table = tree_table(cp.load("second-of-3").model, samples=100)
    bounds = [row[1][0] for row in table.rows]
    cones = [row[1][1] for row in table.rows]
    assert bounds == sorted(bounds)
    assert cones == sorted(cones)
    assert bounds[-1] > 0.8
