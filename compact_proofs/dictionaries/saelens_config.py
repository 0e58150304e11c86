"""The configuration in ``cfg.json``: each of its fields is used, or known not to change the codes, or refused by its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compact_proofs.enclosure.table import words
from compact_proofs.errors import BadInput
from compact_proofs.files.untrusted import visible

OWN_TENSORS = {
    "standard": ("b_enc",),
    "topk": ("b_enc",),
    "jumprelu": ("b_enc", "threshold"),
    "gated": ("b_gate", "b_mag", "r_mag"),
}
"""The architectures that can be read, and the tensors of each, beside W_enc, W_dec and b_dec."""

_USED = words(
    """
    architecture activation_fn activation_fn_str activation_fn_kwargs k rescale_acts_by_decoder_norm apply_b_dec_to_input
    normalize_activations reshape_activations d_in d_sae d_out finetuning_scaling_factor
    """
)

_WHERE_ACTIVATIONS_COME_FROM = words(
    """
    model_name model_class_name model_kwargs model_from_pretrained_kwargs hook_name hook_eval hook_layer hook_head_index hook_point
    hook_point_layer hook_point_head_index hook_name_out hook_layer_out prepend_bos exclude_special_tokens context_size seqpos_slice
    dataset dataset_path dataset_trust_remote_code is_dataset_tokenized streaming metadata neuronpedia_id tokens_per_buffer
    use_cached_activations cached_activations_path
    """
)
_HOW_IT_WAS_TRAINED = words(
    """
    adam_beta1 adam_beta2 autocast autocast_lm b_dec_init_method b_enc_init_method checkpoint_path compile_llm compile_sae
    dead_feature_estimation_method dead_feature_threshold dead_feature_window decoder_heuristic_init decoder_heuristic_init_norm
    decoder_init_norm decoder_orthogonal_init eval_batch_size_prompts eval_every_n_wandb_logs expansion_factor
    feature_sampling_window finetuning_method finetuning_tokens from_pretrained_path ghost_grads
    init_encoder_as_decoder_transpose jumprelu_bandwidth jumprelu_init_threshold jumprelu_sparsity_loss_mode jumprelu_tanh_scale
    l0_coefficient l0_warm_up_steps l1_coefficient l1_warm_up_steps llm_compilation_mode log_activations_store_to_wandb
    log_optimizer_state_to_wandb log_to_wandb logger lp_norm lr lr_decay_steps lr_end lr_scheduler_name lr_warm_up_steps
    mse_loss_normalization n_batches_in_buffer n_checkpoints n_eval_batches n_restart_cycles noise_scale normalize_sae_decoder
    pre_act_loss_coefficient resume run_name sae_compilation_mode sae_lens_training_version scale_sparsity_penalty_by_decoder_norm
    seed store_batch_size_prompts total_training_steps total_training_tokens train_batch_size_tokens training_tokens
    use_ghost_grads verbose wandb_entity wandb_id wandb_log_frequency wandb_project aux_loss_coefficient
    """
)
_HOW_IT_IS_STORED = words("device act_store_device dtype sae_lens_version")

HARMLESS = _WHERE_ACTIVATIONS_COME_FROM | _HOW_IT_WAS_TRAINED | _HOW_IT_IS_STORED
"""Fields that say nothing about how codes are computed from activations."""


@dataclass(frozen=True)
class SaeConfig:
    """What decides how codes are computed.

    Attributes
    ----------
    architecture
        One of `OWN_TENSORS`.
    d_in, d_sae
        Width of the activations, and number of features.
    k
        Features in a code, for topk; else 0.
    apply_b_dec_to_input, rescale_acts_by_decoder_norm, finetuning_scaling_factor
        As in SAELens.
    """

    architecture: str
    d_in: int
    d_sae: int
    k: int
    apply_b_dec_to_input: bool
    rescale_acts_by_decoder_norm: bool
    finetuning_scaling_factor: bool

    @classmethod
    def read(cls, path: Path, config: Mapping[str, Any]) -> SaeConfig:
        """Read the fields of versions up to 6 of SAELens; there, top-k was once written as ``activation_fn_str``.

        Raises
        ------
        BadInput
            Naming the file, the field and the cure.
        """
        unknown = sorted(name for name, value in config.items() if name not in _USED | HARMLESS and not _off(value))
        if unknown:
            raise BadInput(
                f"{path}: {visible(unknown[0])[:80]} = {visible(str(config[unknown[0]]))[:80]} is not understood, and could change "
                "what the dictionary computes; only plain autoencoders can be read"
            )
        architecture = _architecture(path, config)
        _check_activations(path, config)
        d_in, d_sae = (_whole(path, name, config.get(name)) for name in ("d_in", "d_sae"))
        if config.get("d_out", d_in) not in (d_in, None):
            raise BadInput(f"{path}: d_out = {config['d_out']!r} is not d_in: a transcoder is no dictionary of what enters the MLP")
        return cls(
            architecture,
            d_in,
            d_sae,
            _active(path, config) if architecture == "topk" else 0,
            _truth(path, config, "apply_b_dec_to_input", True),
            _truth(path, config, "rescale_acts_by_decoder_norm", False),
            _truth(path, config, "finetuning_scaling_factor", False),
        )


def _off(value: Any) -> bool:
    """Is a field that nobody knows switched off?"""
    return value is None or value is False or value in ("", "none") or value == [] or value == {}


def _truth(path: Path, config: Mapping[str, Any], name: str, default: bool) -> bool:
    value = config.get(name, default)
    if not isinstance(value, bool):
        raise BadInput(f"{path}: {name} = {value!r} must be true or false, without quotes")
    return value


def _whole(path: Path, name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise BadInput(f"{path}: {name} = {value!r} must be a whole number of at least 1")
    return value


def _architecture(path: Path, config: Mapping[str, Any]) -> str:
    """Which of the known architectures a configuration describes."""
    activation = config.get("activation_fn_str", config.get("activation_fn", "relu"))
    name = config.get("architecture", "standard")
    if not isinstance(name, str) or name not in OWN_TENSORS:
        raise BadInput(f"{path}: the architecture {name!r} cannot be read; those that can are {', '.join(OWN_TENSORS)}")
    if activation not in ("relu", "topk") or (activation == "topk" and name not in ("standard", "topk")):
        raise BadInput(f"{path}: the activation function {activation!r} of {name} cannot be read; relu and topk can")
    arguments = config.get("activation_fn_kwargs") or {}
    if not isinstance(arguments, dict) or set(arguments) - ({"k"} if activation == "topk" else set()):
        raise BadInput(f"{path}: activation_fn_kwargs = {arguments!r} is not understood; top-k takes k, and relu nothing")
    return "topk" if activation == "topk" else name


def _check_activations(path: Path, config: Mapping[str, Any]) -> None:
    """Activations must go into the encoder as they are."""
    normalised = config.get("normalize_activations", "none")
    if normalised == "expected_average_only_in":
        raise BadInput(
            f"{path}: normalize_activations = {normalised!r} scales activations by a number that the file does not hold; fold it "
            "into the weights (in SAELens: fold_activation_norm_scaling_factor) and save it again"
        )
    if normalised not in ("none", None, False):
        raise BadInput(
            f"{path}: normalize_activations = {normalised!r} makes codes depend on each input's norm, which no weights can hold; "
            "train one with normalize_activations = none"
        )
    if config.get("reshape_activations", "none") not in ("none", None):
        raise BadInput(f"{path}: reshape_activations must be none: the dictionary must be over what enters the MLP")


def _active(path: Path, config: Mapping[str, Any]) -> int:
    """k of an autoencoder of the architecture topk."""
    return _whole(path, "k", config.get("k", (config.get("activation_fn_kwargs") or {}).get("k")))
