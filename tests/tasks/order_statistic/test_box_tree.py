"""`BoxTree`: what it proves is true, whatever the tree, also with biases and under other laws; faults are found."""

from unittest import mock

import pytest
import torch

import compact_proofs as cp
from compact_proofs.core.soundness import Specimen, evaluate, violations
from compact_proofs.enclosure import lower, sound, upper
from compact_proofs.errors import BadInput
from compact_proofs.estimates import estimate
from compact_proofs.laws import Independent, Normal, Uniform
from compact_proofs.models.scalar_recurrent import ScalarRecurrent
from compact_proofs.scaled_boxes import forest
from compact_proofs.scaled_boxes.box import FINEST, Linear
from compact_proofs.scaled_boxes.tree import CHECK, FIRSTS, STRIDES, encode_check, encode_split
from compact_proofs.tasks.order_statistic import BoxTree, ConeTree, OrderStatistic, box_search, box_tree
from compact_proofs.tasks.order_statistic.box_descents import FinishedBoxes, box_table, descend
from compact_proofs.tasks.order_statistic.boxes import Backwards, label_boxes, number_of_label_boxes, run
from compact_proofs.tasks.order_statistic.specimens import specimen

COARSE = BoxTree(gain=1e-2, groups=2, cells=6, steps=8)


@pytest.fixture(scope="module")
def trained():
    return cp.load("second-of-3")


@pytest.fixture(scope="module")
def certificate(trained):
    return cp.prove(trained, strategy=BoxTree(gain=3e-4))


@pytest.mark.parametrize(("n", "above"), [(2, 0), (2, 1), (3, 1), (4, 1), (5, 2)])
def test_label_boxes_partition_the_space_and_have_one_label(n, above):
    boxes = label_boxes(n, above)
    x = torch.randn((2000, n), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    r = x[:, boxes.place].abs().T[..., None]
    y = torch.cat([x / r, r.expand(-1, -1, 1)], -1)  # [R, N, n + 1]
    low, high = boxes.low[:, None], boxes.high[:, None]
    inside = (((y > low) & (y < high)) | ((y == low) & (low == high))).all(2)
    assert len(boxes) == number_of_label_boxes(n, above)
    assert float((inside.sum(0) == 1).double().mean()) > 0.99
    assert int(inside.sum(0).max()) == 1
    held = inside.any(0)
    assert torch.equal(boxes.place[inside.double().argmax(0)][held], OrderStatistic(n, above).labels(x)[held])
    assert bool((boxes.low[:, :-1] * boxes.high[:, :-1] >= 0).all())


@pytest.mark.parametrize("seed", [*range(10), 16, 17, 18])
def test_linear_bounds_hold_inside_boxes(seed):
    model = specimen(seed).model
    task = OrderStatistic.of(model)
    boxes = label_boxes(task.n, task.above)
    boxes = type(boxes)(boxes.low.clamp(min=-3), boxes.high.clamp(max=3), boxes.place)
    boxes.low[:, -1] = 0.5
    with sound():
        found = run(Backwards.of(model), boxes).margins
    u = torch.rand((len(boxes), 50, task.n + 1), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    at = boxes.low[:, None] + u * (boxes.high - boxes.low)[:, None]
    with sound():
        y, r = at[..., :-1], at[..., -1:]
        logits = model((y * r).flatten(0, 1))
        place = boxes.place.repeat_interleave(50)[:, None]
        margins = logits.gather(1, place) - logits.gather(1, (place + torch.arange(1, task.n)) % task.n)
        claimed = r * (found.constant[:, None] + y @ found.slopes.mT) + found.scale[:, None]
    assert bool((lower(claimed) <= upper(margins).reshape(claimed.shape)).all())


def test_the_trained_network_is_proven_to_a_twentieth(trained, certificate):
    assert 0.83 < certificate.bound < 0.8814052
    assert "each standard normal" in certificate.statement()


def test_a_tree_that_grows_where_it_is_easy_proves_more_with_each_node(trained, certificate):
    easy = cp.prove(trained, strategy=BoxTree(gain=3e-4, middle=1e-2))
    nodes, all_nodes = len(easy.explanation["splits"]), len(certificate.explanation["splits"])
    assert nodes < all_nodes / 2
    assert certificate.bound / all_nodes < easy.bound / nodes
    assert 0.2 < easy.bound < certificate.bound


def test_boxes_of_which_little_is_proven_are_left_out(trained, certificate):
    some = cp.prove(trained, strategy=BoxTree(gain=3e-4, least=1e-3))
    fewer = sum(int((c.explanation["splits"] % 3 == CHECK).sum()) * sign for c, sign in ((certificate, 1), (some, -1)))
    assert fewer > 0
    assert some.length.total < certificate.length.total
    assert 0 < certificate.bound - some.bound <= 1e-3 * fewer


def test_a_certificate_is_checked(trained, certificate, tmp_path):
    again = cp.check(certificate.save(tmp_path / "c.cert"), trained)
    assert (again.bound, again.length) == (certificate.bound, certificate.length)


def test_the_float_and_the_counted_readings_agree_with_the_proof(trained, certificate):
    trial = cp.trial(trained, strategy=BoxTree(gain=3e-4), explanation=certificate.explanation)
    assert abs(float(trial.bound) - float(certificate.bound)) < 1e-6
    assert trial.length == certificate.length
    assert cp.measure(trained.model, trained.task, BoxTree(), explanation=certificate.explanation) == certificate.length


def together(codes):
    """An explanation: all trees are read together."""
    return {"splits": codes, "sizes": torch.tensor([len(codes)])}


def hostile(codes, n):
    """Codes made from good ones: margins are said to be positive, or none; other scales, orders and sizes; splits at the place."""
    kinds, rest = codes % 3, codes // 3
    checked = kinds == CHECK
    yield together(torch.where(checked, CHECK + 3 * (rest % (FIRSTS * STRIDES)), codes))
    yield together(torch.where(checked, CHECK + 3 * (rest // FIRSTS * FIRSTS), codes))
    yield together(torch.where(checked, CHECK + 3 * (rest % FIRSTS + FIRSTS * (STRIDES - 1)), codes))
    yield together(rest * 3 + CHECK)
    yield together(codes.flip(0))
    yield together(codes[:0])
    yield together(encode_split(torch.arange(300) % (n + 1), torch.tensor([0, 1, FINEST] * 100), n))
    yield together(torch.cat([encode_split(torch.arange(200) % (n + 1), torch.full((200,), FINEST), n), codes]))
    for sizes in ([], [len(codes), len(codes)], [3, 1, 2]):
        yield {"splits": codes, "sizes": torch.tensor(sizes, dtype=torch.int64)}


@pytest.mark.parametrize("seed", [2, 18])
def test_no_tree_proves_what_is_false(seed):
    s = specimen(seed)
    task = OrderStatistic.of(s.model)
    truth = evaluate(s, task)
    codes = COARSE.explain(s.model, task)["splits"]
    assert len(codes) < 500
    for explanation in hostile(codes, task.n):
        assert violations(COARSE, s, task, explanation, truth) == []


class AllRight(BoxTree):
    """A fault: margins are taken to be positive."""

    def verify(self, *args):
        def margins(network, boxes):
            zero = boxes.low.new_zeros((len(boxes), boxes.n - 1, boxes.n))
            return mock.Mock(margins=Linear(zero[..., 0] + 1, zero, zero[..., 0]))

        with mock.patch.object(box_tree, "run", margins):
            return super().verify(*args)


class NothingFails(BoxTree):
    """A fault: what is not positive is taken to have no probability."""

    def verify(self, *args):
        def none(law, boxes, functions, ends, steps):
            return torch.zeros((len(boxes), ends.shape[1] - 1), dtype=torch.float64)

        with mock.patch.object(forest, "shortfall", none):
            return super().verify(*args)


class BiasForgotten(BoxTree):
    """A fault: a network with biases is taken for one without."""

    def verify(self, *args):
        def without(model, of=Backwards.of):
            found = of(model)
            return Backwards(*(torch.cat([w[..., :-1], 0 * w[..., -1:]], -1) for w in (found.step, found.neurons, found.margins)))

        with mock.patch.object(Backwards, "of", without):
            return super().verify(*args)


@pytest.mark.parametrize("fault", [AllRight, NothingFails, BiasForgotten])
def test_the_harness_catches_planted_faults(fault):
    s = specimen(18 if fault is BiasForgotten else 13)
    task = OrderStatistic.of(s.model)
    strategy = fault(gain=3e-3, groups=4, cells=6, steps=8)
    roots = torch.ones(number_of_label_boxes(task.n, task.above), dtype=torch.int64)
    unsplit = encode_check(800 * roots, 40 * roots, torch.ones((len(roots), task.n - 1), dtype=torch.bool))
    codes = [unsplit, BoxTree(gain=1e-2).explain(s.model, task)["splits"]] if fault is BiasForgotten else [unsplit]
    assert any(violations(strategy, s, task, together(some)) for some in codes), "an unsound strategy passed the harness"
    assert not any(violations(COARSE, s, task, together(some)) for some in codes)


def test_pytorchs_layers_with_biases():
    torch.manual_seed(0)
    rnn, linear = torch.nn.RNN(1, 2, nonlinearity="relu", batch_first=True), torch.nn.Linear(2, 2)
    with torch.no_grad():
        for p, value in zip(
            (rnn.weight_ih_l0, rnn.weight_hh_l0, linear.weight),
            ([[1.0], [-1.0]], [[-1.0, 1.0], [1.0, -1.0]], [[1.0, -1.0], [-1.0, 1.0]]),
            strict=True,
        ):
            p.copy_(torch.tensor(value))
        for p in (rnn.bias_ih_l0, rnn.bias_hh_l0, linear.bias):
            p.mul_(0.1)
    model = ScalarRecurrent.of(rnn, linear, 2)
    x = torch.randn((50, 2))
    with torch.no_grad():
        assert torch.allclose(model(x), linear(rnn(x[..., None])[0][:, -1]), atol=1e-6)
    assert model.configuration() == {"n_ctx": 2, "d_model": 2, "d_out": 2, "bias": True}
    model.above = 0
    task = OrderStatistic(2, 0)
    logits = model.double()(task.examples(2**14).double())
    share = float((logits.argmax(1) == task.labels(task.examples(2**14))).double().mean())
    found = cp.prove(model, task, BoxTree(gain=1e-3))
    assert share - 0.1 < found.bound < share + 0.01
    assert violations(BoxTree(gain=1e-3), Specimen(model), task, found.explanation) == []
    with pytest.raises(BadInput, match="biases"):
        cp.prove(model, task, ConeTree())


def test_numbers_of_another_law(trained):
    task = OrderStatistic(3, 1, Uniform(-1, 1))
    found = cp.prove(trained.model, task, BoxTree(gain=1e-3))
    x = task.law.sample(2**16, torch.Generator().manual_seed(0))
    share = float((trained.model.double()(x).argmax(1) == task.labels(x)).double().mean())
    assert share - 0.12 < found.bound < share
    assert "uniform between -1" in found.statement()
    with pytest.raises(BadInput, match="rotations change the law"):
        cp.prove(trained.model, task, ConeTree())
    with pytest.raises(BadInput, match="normal with mean 0, or uniform"):
        cp.prove(trained.model, OrderStatistic(3, 1, Normal(1.0)), BoxTree())


def test_a_law_that_is_noted_on_a_network_decides_the_default_strategy(trained):
    model = cp.load("second-of-3").model
    model.of_each = Uniform(0, 1)
    task = OrderStatistic.of(model)
    assert task.law == Independent((Uniform(0, 1),) * 3)
    assert isinstance(cp.load(model, task).kit.default(model), BoxTree)


def test_large_trees_are_read_apart(trained, certificate):
    with mock.patch.object(box_search, "TOGETHER", 50), mock.patch.object(box_tree, "GROUPS", 4):
        apart = cp.prove(trained, strategy=BoxTree(gain=3e-3))
    assert len(apart.explanation["sizes"]) == 4
    assert 0.6 < apart.bound < certificate.bound
    assert violations(BoxTree(), Specimen(trained.model), trained.task, apart.explanation) == []


def test_finished_trees_are_estimated(trained, certificate):
    """A tree whose boxes are as small as those of a proof proves about as much; in proportion to a hundred inputs."""
    inputs = trained.task.examples(100)
    sizes = [1e-1, 1e-2, 1e-3, 1e-4]
    found = descend(trained.model, trained.task, inputs, sizes)
    leaves = [float(one.leaves) for one in found]
    assert leaves == sorted(leaves)
    assert 300 < leaves[2] < 1500
    assert abs(float(found[2].bound) - float(certificate.bound)) < 0.1
    assert float(found[0].bound) < 0.3 < float(found[1].bound) < float(found[3].bound) < 0.96
    table = box_table(trained.model, 20)
    assert len(table.rows) == 10
    assert "nothing here is proven" in table.caption
    guess = estimate(trained.model, trained.task, FinishedBoxes(1e-3, 50))
    assert 0.6 < guess.value < 0.95
    assert guess.cost.total > 10**6
