"""Laws, and tasks with one."""

import pytest
import torch

import compact_proofs as cp
from compact_proofs.errors import BadInput
from compact_proofs.inputs.check_task import check_task
from compact_proofs.laws import Independent, LawTask, Normal, Uniform, UniformDirection, standard_normal
from compact_proofs.tasks.max_of_k import MaxOfK
from compact_proofs.tasks.order_statistic import OrderStatistic


def generator():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    ("law", "mean", "variance"),
    [
        (standard_normal(3), 0, 1),
        (Independent((Normal(1.0, 2.0),) * 3), 1, 4),
        (Independent((Uniform(-1.0, 2.0),) * 3), 0.5, 0.75),
        (UniformDirection(3), 0, 1 / 3),
    ],
)
def test_samples_have_the_law_s_moments(law, mean, variance):
    x = law.sample(40_000, generator())
    assert x.dtype == torch.float64
    assert torch.allclose(x.mean(0), torch.full((3,), mean, dtype=torch.float64), atol=0.06)
    assert torch.allclose(x.var(0), torch.full((3,), variance, dtype=torch.float64), rtol=0.05)
    assert float(torch.corrcoef(x.T).fill_diagonal_(0).abs().max()) < 0.03


def test_directions_have_length_one():
    assert torch.allclose(UniformDirection(4).sample(10, generator()).norm(dim=1), torch.ones(10, dtype=torch.float64))


def test_only_some_laws_are_kept_by_rotations():
    assert standard_normal(3).rotation_invariant
    assert Independent((Normal(0.0, 2.0),) * 2).rotation_invariant
    assert UniformDirection(5).rotation_invariant
    assert not Independent((Normal(), Normal(0.0, 2.0))).rotation_invariant
    assert not Independent((Normal(1.0),) * 2).rotation_invariant
    assert not Independent((Uniform(),) * 2).rotation_invariant


def test_words_tell_laws_apart():
    laws = [
        standard_normal(2),
        standard_normal(3),
        Independent((Normal(), Uniform())),
        Independent((Uniform(), Normal())),
        Independent((Normal(0.0, 1.5),) * 2),
        UniformDirection(2),
    ]
    assert len({law.words for law in laws}) == len(laws)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Normal(0.0, 0.0),
        lambda: Normal(float("nan")),
        lambda: Uniform(1.0, 1.0),
        lambda: Independent(()),
        lambda: UniformDirection(0),
        lambda: OrderStatistic(3, 3),
        lambda: OrderStatistic(0, 0),
    ],
)
def test_laws_and_tasks_without_meaning_are_refused(make):
    with pytest.raises(BadInput):
        make()


def test_examples_are_fixed_and_can_be_asked_for_in_parts():
    task = OrderStatistic(3)
    whole = task.inputs(0, 10_000)
    assert whole.shape == (10_000, 3)
    assert torch.equal(task.inputs(4000, 4200), whole[4000:4200])
    assert len(task.inputs(5, 5)) == 0
    assert check_task(task, 3) is False


def test_a_task_with_a_law_has_no_size():
    with pytest.raises(BadInput, match="has a law"):
        _ = OrderStatistic(3).size
    assert OrderStatistic(3).total == 1


def test_labels_are_order_statistics():
    x = torch.tensor([[0.1, 2.0, -1.0, 0.5], [4.0, 3.0, 2.0, 1.0]], dtype=torch.float64)
    assert OrderStatistic(4, 0).labels(x).tolist() == [1, 0]
    assert OrderStatistic(4, 1).labels(x).tolist() == [3, 1]
    assert OrderStatistic(4, 3).labels(x).tolist() == [2, 3]


class Sign(LawTask):
    """Is a uniform number positive?"""

    name = "sign"
    wrong = False

    @property
    def law(self):
        return Independent((Uniform(-1.0, 1.0),))

    def settings(self):
        return {}

    def labels(self, inputs):
        labels = (inputs[:, 0] > 0).long()
        return labels + 1 if self.wrong else labels


class Finite(MaxOfK):
    def parameters(self):
        return {**super().parameters(), "law": "something else"}


def test_a_task_of_one_s_own_is_looked_at():
    model = torch.nn.Linear(1, 2, dtype=torch.float64)
    with pytest.raises(BadInput, match="has a law"):
        cp.brute_force(model, Sign())
    wrong = Sign()
    wrong.wrong = True
    with pytest.raises(BadInput, match="labels must be"):
        cp.brute_force(model, wrong)


def test_a_finite_task_says_nothing_of_a_law():
    with pytest.raises(BadInput, match="only a task with a law"):
        cp.brute_force(torch.nn.Embedding(2, 2), Finite(2, 2))
