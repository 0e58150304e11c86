"""Autoencoders: their codes, their training, their files."""

import json
from dataclasses import replace

import pytest
import safetensors.torch
import torch
from networks import Numbers, OwnMLP, margins, teach

from compact_proofs import prove
from compact_proofs.dictionaries import Autoencoder, Dictionary
from compact_proofs.dictionaries.autoencoder import linear_autoencoder
from compact_proofs.dictionaries.finding import find, metric_of, pca, refitted
from compact_proofs.dictionaries.hints import plain_component
from compact_proofs.dictionaries.saelens import load_saelens, save_saelens
from compact_proofs.dictionaries.saelens_config import HARMLESS
from compact_proofs.dictionaries.score import relative_mse, score
from compact_proofs.errors import BadInput


def autoencoder(architecture, d=3, L=5, seed=0, **more):
    generator = torch.Generator().manual_seed(seed)

    def gaussian(*shape):
        return torch.randn(shape, generator=generator)

    own = {
        "topk": {"k": 2},
        "jumprelu": {"threshold": gaussian(L).abs()},
        "gated": {"r_mag": gaussian(L), "b_mag": gaussian(L)},
    }
    weights = (gaussian(d, L), gaussian(L), gaussian(L, d), gaussian(d))
    return Autoencoder(architecture, *weights, **own.get(architecture, {}), **more)


def test_codes_are_those_of_the_formulas():
    X = torch.randn(40, 3, generator=torch.Generator().manual_seed(1))
    for architecture in ("standard", "topk", "jumprelu", "gated"):
        for centred in (True, False):
            a = autoencoder(architecture, apply_b_dec_to_input=centred)
            for x, codes in zip(X, a.encode(X), strict=True):
                u = x - a.b_dec if centred else x
                for j in range(5):
                    hidden = float(u @ a.W_enc[:, j] + a.b_enc[j])
                    if architecture == "standard":
                        expected = max(hidden, 0)
                    elif architecture == "jumprelu":
                        expected = hidden if hidden > a.threshold[j] else 0
                    elif architecture == "gated":
                        expected = max(float(u @ a.W_enc[:, j] * a.r_mag[j].exp() + a.b_mag[j]), 0) if hidden > 0 else 0
                    else:
                        larger = sum(float(u @ a.W_enc[:, i] + a.b_enc[i]) > hidden for i in range(5))
                        expected = max(hidden, 0) if larger < 2 else 0
                    assert float(codes[j]) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("architecture", ["standard", "topk", "jumprelu", "gated"])
def test_files_come_back_as_they_were(architecture, tmp_path):
    more = {"apply_b_dec_to_input": False} | ({"rescale_acts_by_decoder_norm": True} if architecture == "topk" else {})
    a = autoencoder(architecture, **more)
    b = load_saelens(save_saelens(a, tmp_path / "deep" / "sae"))
    X = torch.randn(30, 3)
    assert torch.equal(a.encode(X), b.encode(X))
    assert torch.equal(a.codebook(X).decoder, b.codebook(X).decoder)
    names = set(safetensors.torch.load_file(tmp_path / "deep" / "sae" / "sae_weights.safetensors"))
    own = {"topk": {"b_enc"}, "standard": {"b_enc"}, "jumprelu": {"b_enc", "threshold"}, "gated": {"b_gate", "b_mag", "r_mag"}}
    assert names == {"W_enc", "W_dec", "b_dec"} | own[architecture]


def test_older_files_are_understood(tmp_path):
    a = autoencoder("topk")
    save_saelens(a, tmp_path)
    config = json.loads((tmp_path / "cfg.json").read_text())
    for key in ("architecture", "k", "metadata", "normalize_activations"):
        del config[key]
    config |= {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 2}, "normalize_activations": False}
    (tmp_path / "cfg.json").write_text(json.dumps(config))
    X = torch.randn(30, 3)
    assert torch.equal(load_saelens(tmp_path).encode(X), a.encode(X))


def changed(folder, **config):
    """A folder whose configuration is changed."""
    path = folder / "cfg.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | config))


def rewritten(folder, edit):
    """A folder whose weights are changed."""
    path = folder / "sae_weights.safetensors"
    weights = safetensors.torch.load_file(path)
    edit(weights)
    safetensors.torch.save_file(weights, path)


def without(name):
    return lambda weights: weights.pop(name)


def with_(name, value):
    return lambda weights: weights.update({name: value})


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "cfg.json").unlink(), "cfg.json: there is no such file"),
        (lambda f: (f / "cfg.json").write_text("[1]"), "one JSON object"),
        (lambda f: (f / "cfg.json").write_text("{" * 50_000), "one JSON object"),
        (lambda f: (f / "sae_weights.safetensors").unlink(), "sae_weights.safetensors: there is no such file"),
        (lambda f: (f / "sae_weights.safetensors").write_bytes(b"x" * 100), "damaged or not a .safetensors"),
        (lambda f: changed(f, architecture="matching_pursuit"), "architecture 'matching_pursuit' cannot be read"),
        (lambda f: changed(f, architecture=["topk"]), "cannot be read"),
        (lambda f: changed(f, activation_fn="tanh-relu"), "activation function 'tanh-relu'"),
        (lambda f: changed(f, normalize_activations="expected_average_only_in"), "fold it into the weights"),
        (lambda f: changed(f, normalize_activations="layer_norm"), "train one with normalize_activations = none"),
        (lambda f: changed(f, normalize_activations="constant_norm_rescale"), "train one with normalize_activations = none"),
        (lambda f: changed(f, apply_b_dec_to_input="False"), "apply_b_dec_to_input = 'False' must be true or false"),
        (lambda f: changed(f, apply_b_dec_to_input=None), "apply_b_dec_to_input = None must be true or false"),
        (lambda f: changed(f, rescale_acts_by_decoder_norm=1), "rescale_acts_by_decoder_norm = 1 must be true or false"),
        (lambda f: changed(f, postact_fn="relu"), "postact_fn = relu is not understood"),
        (lambda f: changed(f, anything_new=0.5), "anything_new = 0.5 is not understood"),
        (lambda f: changed(f, d_out=7), "d_out = 7 is not d_in: a transcoder"),
        (lambda f: changed(f, architecture="gated", activation_fn="topk"), "activation function 'topk' of gated"),
        (lambda f: changed(f, activation_fn_kwargs={"tan": 2}), "activation_fn_kwargs"),
        (lambda f: changed(f, finetuning_scaling_factor=True), "scaling_factor is not 1, or missing"),
        (lambda f: changed(f, architecture="jumprelu"), "missing threshold"),
        (lambda f: rewritten(f, with_("W_skip", torch.ones(3, 3))), "W_skip is no tensor of the architecture topk"),
        (lambda f: rewritten(f, with_("threshold", torch.ones(5))), "threshold is no tensor of the architecture topk"),
        (lambda f: changed(f, reshape_activations="hook_z"), "reshape_activations must be none"),
        (lambda f: changed(f, k=0), "k = 0 must be a whole number"),
        (lambda f: changed(f, k="two"), "k = 'two'"),
        (lambda f: changed(f, d_sae=6), "W_enc has shape"),
        (lambda f: changed(f, d_in=None), "d_in = None must be a whole number"),
        (lambda f: rewritten(f, without("W_dec")), "missing W_dec"),
        (lambda f: rewritten(f, with_("b_dec", torch.tensor([1.0, torch.nan, 0.0]))), "not finite"),
        (lambda f: rewritten(f, with_("b_dec", torch.tensor([1, 2, 3]))), "not finite numbers"),
        (lambda f: rewritten(f, with_("scaling_factor", torch.full((5,), 2.0))), "scaling_factor is not 1"),
    ],
)
def test_bad_files_are_refused_with_the_cure(damage, message, tmp_path):
    save_saelens(autoencoder("topk"), tmp_path)
    damage(tmp_path)
    with pytest.raises(BadInput, match=message) as caught:
        load_saelens(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_fields_that_say_nothing_about_codes_are_read_over(tmp_path):
    a = autoencoder("standard")
    save_saelens(a, tmp_path)
    changed(tmp_path, **dict.fromkeys(HARMLESS, "whatever"), postact_fn=None, anything_new=False)
    X = torch.randn(30, 3)
    assert torch.equal(load_saelens(tmp_path).encode(X), a.encode(X))


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(BadInput, match="give that folder"):
        load_saelens(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="no such folder can be made"):
        save_saelens(autoencoder("topk"), tmp_path / "file" / "sae")
    with pytest.raises(BadInput, match="activations of width 3, but 4 numbers"):
        autoencoder("topk").codebook(torch.zeros(2, 4))


def network(tables=1):
    model = OwnMLP(200, 8, 16, 5, seed=3, tables=tables)
    task = teach(model, Numbers(200, 5))
    return model, task, plain_component(model, task), task.labels(task.inputs(0, 200))


def test_principal_components_are_saved_with_both_signs(tmp_path):
    _, _, component, labels = network()
    X = component.activations()
    found = find(component, labels, "pca", features=5, active=5).codebook
    a = load_saelens(save_saelens(linear_autoencoder(found, X), tmp_path))
    torch.testing.assert_close(a.codebook(X).codes @ a.W_dec.double(), found.codes @ found.decoder, rtol=0, atol=1e-4)
    assert int((a.codebook(X).codes != 0).sum(1).max()) <= 5
    with pytest.raises(BadInput, match="no linear function"):
        linear_autoencoder(find(component, labels, "pca", features=5, active=2).codebook, X)


def test_metric_components_lose_least_in_the_metric():
    _, _, component, _ = network()
    X, M = component.activations(), metric_of(component)

    def lost(found, metric):
        r = X - found.offset - found.codes @ found.decoder
        return float(((r @ metric) * r).sum())

    eye = torch.eye(8, dtype=torch.float64)
    for L in (2, 4, 6):
        assert lost(pca(X, L, M), M) < lost(pca(X, L), M)
        assert lost(pca(X, L), eye) < lost(pca(X, L, M), eye)
        cut = pca(X, 8).sparse(L)
        assert lost(refitted(cut, X, M), M) <= lost(cut, M)


def test_what_is_trained_for_the_bound_ignores_what_no_neuron_reads():
    model, task, _, _ = network()
    model.W[4:] = 0.0  # half of the directions
    model.U[4:] = 0.0
    teach(model, task)
    found = {}
    for objective in ("mse", "bound"):
        strategy = Dictionary("topk", 12, 4, objective=objective, steps=800, rank=5, metric=8)
        explanation = strategy.explain(model, task)
        found[objective] = score(objective, model, task, strategy, explanation)
    assert found["bound"].relative_mse > found["mse"].relative_mse + 0.1
    assert found["bound"].certificate.bound > 2 * found["mse"].certificate.bound


@pytest.mark.parametrize("kind", ["topk", "l1"])
@pytest.mark.parametrize("objective", ["mse", "bound"])
def test_training_is_reproducible_and_keeps_to_its_sizes(kind, objective):
    model, task, _, _ = network()
    strategy = Dictionary(kind, 12, 5, objective=objective, steps=40)
    first, again = strategy.explain(model, task), strategy.explain(model, task)
    other = replace(strategy, seed=1).explain(model, task)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["decoder"], other["decoder"])
    assert first["decoder"].shape == (12, 8)
    assert int((first["value"] != 0).sum(1).max()) <= 5


def test_training_steers_the_number_of_active_features():
    _, _, component, labels = network()
    for active in (2, 5):
        found = find(component, labels, "l1", features=12, active=active, objective="mse", steps=600)
        alive = (found.autoencoder.codebook(component.activations()).codes != 0).sum(1).double().mean()
        assert abs(float(alive) - active) < 1


def test_a_score_says_what_it_measured():
    model, task, component, _ = network(tables=2)
    for codes in ("inputs", "tokens"):
        strategy = Dictionary("pca", 4, 4, codes=codes, rank=5, metric=8)
        explanation = strategy.explain(model, task)
        s = score("pca", model, task, strategy, explanation)
        assert s.certificate.claim.numerator == prove(model, task, strategy, explanation=explanation).claim.numerator
        assert s.l0 == 4
        assert s.size == sum(t.numel() for t in explanation.values())
        assert s.terms["smallest margin"] <= float(margins(model, task).min())
        X = component.activations()
        values = torch.linalg.svdvals(X - X.mean(0)).square()
        if codes == "inputs":
            assert s.relative_mse == pytest.approx(float(values[4:].sum() / values.sum()))
    whole = find(component, None, "tokens", features=30, active=1, codes="tokens").codebook
    assert relative_mse(component, whole, tokens=True) < 1e-20
