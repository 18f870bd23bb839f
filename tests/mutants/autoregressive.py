"""Mistakes in models of sequences and of pixels."""

from mutants import Mutant

LANGUAGE, PIXELS = "shared/language.py", "shared/pixels.py"
CAUSAL, PRIOR = "gm_jax/causal.py", "autoregressive/latent_prior.py"
WAVENET, NGRAM = "autoregressive/wavenet.py", "autoregressive/ngram.py"


def _twins(names: str) -> str:
    return " ".join(f"twins/test_autoregressive.py::test_{name}" for name in names.split())


def _whole(name: str) -> str:
    return f"test_sequence_networks.py::test_{name}"


AUTOREGRESSIVE = {
    "language: a bound without its weights": Mutant(
        LANGUAGE, 'categorical(batch["text"], logits, batch["weight"])',
        'categorical(batch["text"], logits)', _twins("language"),
    ),
    "language: samples without the prompt": Mutant(
        LANGUAGE, "broadcast_to(prompt, (len(keys)", "broadcast_to(0 * prompt, (len(keys)",
        _twins("language"),
    ),
    "language: symbols shifted by one": Mutant(
        LANGUAGE, "jnp.asarray(points)[drawn]", "jnp.asarray(points)[drawn - 1]",
        _twins("language"),
    ),
    "sampling at the temperature's inverse": Mutant(
        CAUSAL, "logits = logits / temperature", "logits = logits * temperature",
        "test_causal.py",
    ),
    "sampling without a temperature": Mutant(
        CAUSAL, "if temperature == 0:\n        top_k = 1\n    else:", "if temperature < 0:",
        _twins("language"),
    ),
    "sampling with the keys of one position": Mutant(
        CAUSAL, "in_axes=(0, None))(keys, position)", "in_axes=(0, None))(keys, 0 * position)",
        "test_causal.py",
    ),
    "top_p of what is left": Mutant(
        CAUSAL, "jnp.sum(before < top_p, axis=-1, keepdims=True)",
        "jnp.sum(before < 1.0 - top_p, axis=-1, keepdims=True)", _twins("ngram pixels"),
    ),
    "ngram: counts of the highest order below": Mutant(
        NGRAM, 'tables[-1]["counts"] = _tally(suffix, tables[-1]["keys"])', "pass",
        _twins("ngram"),
    ),
    "ngram: Y of n1 + n2": Mutant(
        NGRAM, "n1 / (n1 + 2.0 * n2)", "n1 / (n1 + n2)", _twins("ngram")
    ),
    "ngram: nothing interpolated": Mutant(
        NGRAM, "c - taken + jnp.sum(taken, axis=-1, keepdims=True) * p", "c - 0.0 * taken",
        _twins("ngram"),
    ),
    "bengio: the context in the other order": Mutant(
        "bengio.py", "for k in range(1, self.order)]", "for k in range(self.order - 1, 0, -1)]",
        "test_sequences.py::test_bengios_equation_by_hand",
    ),
    "gpt: a head of its own scale": Mutant(
        "transformer.py", "nn.initializers.normal(0.02 / (2 * self.layers) ** 0.5)",
        "nn.initializers.normal(0.02)",
        "test_sequences.py::test_gpts_first_weights_tied_head_and_decay",
    ),
    "wavenet: targets that see beyond their window": Mutant(
        WAVENET, 'counts = batch["weight"] > 0', 'counts = batch["weight"] >= 0',
        _twins("wavenet"),
    ),
    "wavenet: the mean of all samples": Mutant(
        WAVENET, "jnp.mean(log_likelihood(variables, batch, counts)) / number",
        "jnp.mean(log_likelihood(variables, batch, counts)) / counts.shape[1]", _twins("wavenet"),
    ),
    "wavenet: a bound without its weights": Mutant(
        WAVENET, 'log_likelihood(variables, batch, batch["weight"])',
        'log_likelihood(variables, batch, batch["weight"] > 0)', _twins("wavenet"),
    ),
    "wavenet: begins with a loud sample": Mutant(
        WAVENET, "mulaw.SILENCE, jnp.int32", "0, jnp.int32", _twins("wavenet")
    ),
    "wavenet: keeps its silence": Mutant(
        WAVENET, "mulaw.decode(drawn[:, field:])", "mulaw.decode(drawn[:, :length])",
        _twins("wavenet"),
    ),
    "wavenet: another mu": Mutant(
        "mulaw.py", "jnp.sign(x) * jnp.log1p(MU * jnp.abs(x))",
        "jnp.sign(x) * jnp.log1p(MU / 2 * jnp.abs(x))", _twins("wavenet"),
    ),
    "pixels: bits without ln 2": Mutant(
        PIXELS, "-value / (length * math.log(2.0))", "-value / length", _twins("pixels")
    ),
    "pixels: bits without ln 2, in training": Mutant(
        PIXELS, "loss / (length * math.log(2.0))", "loss / length", _twins("pixels")
    ),
    "pixels: bits of an image": Mutant(
        PIXELS, "-value / (length * math.log(2.0))", "-value / math.log(2.0)", _twins("pixels")
    ),
    "pixels: samples of no class": Mutant(
        PIXELS, "length, label_of(batch), prompt,",
        "length, None if label_of(batch) is None else 0 * label_of(batch), prompt,",
        _twins("pixels"),
    ),
    "pixels: levels a half too low": Mutant(
        PIXELS, "jnp.round((image + 1.0)", "jnp.floor((image + 0.99)", _twins("pixels pixelcnnpp")
    ),
    "pixels: all of the image is given": Mutant(
        PIXELS, "sequence(variables, batch)[:, : length // 2]", "sequence(variables, batch)",
        _twins("pixels"),
    ),
    "pixelcnn trap: mask A in every layer": Mutant(
        "nn/masked.py", '"B": np.less_equal', '"B": np.less', "test_pixels.py"
    ),
    "pixelcnn++: scales without their bound": Mutant(
        "logistic_mixture.py", "jnp.maximum(log_scales, MIN_LOG_SCALE)", "log_scales",
        "test_logistic_mixture.py",
    ),
    "pixelcnn++: a bin twice as wide": Mutant(
        "logistic_mixture.py", "half = 1.0 / (levels - 1)", "half = 2.0 / (levels - 1)",
        _twins("pixelcnnpp"),
    ),
    "pixelcnn++: components that all weigh alike": Mutant(
        "logistic_mixture.py", "jax.nn.logsumexp(jax.nn.log_softmax(logits) + masses",
        "jax.nn.logsumexp(0.0 * logits + masses", _twins("pixelcnnpp"),
    ),
    "pixelcnn++: no class": Mutant(
        "autoregressive/pixelcnnpp.py", 'net.apply({"params": params}, x, label, keys)',
        'net.apply({"params": params}, x, 0 * label, keys)', _twins("pixelcnnpp"),
    ),
    "nade: raster order": Mutant(
        PIXELS, 'x[:, variables.state["order"]] if "order"', 'x if "order"', _twins("nade")
    ),
    "nade: samples as they are ordered": Mutant(
        PIXELS, 'jnp.argsort(variables.state["order"])', 'variables.state["order"]', _twins("nade")
    ),
    "nade: each position sees itself": Mutant(
        "nade.py", "return a + x_t[:, None] * w, logits(a, v, b)",
        "a = a + x_t[:, None] * w\n            return a, logits(a, v, b)", _twins("nade"),
    ),
    "prior: the bound's sign": Mutant(
        PRIOR, '"bound": reconstruction + log_p', '"bound": reconstruction - log_p',
        _twins("latent_prior"),
    ),
    "prior: no class": Mutant(
        PRIOR, 'return batch["label"] if classes', 'return 0 * batch["label"] if classes',
        _twins("latent_prior"),
    ),
    "prior: codes decoded in another order": Mutant(
        "gm_jax/code_tokens.py", "codes.reshape(-1, *code.shape)",
        "codes[:, ::-1].reshape(-1, *code.shape)",
        _twins("latent_prior"),
    ),
    "prior: the mean for the sum over codes": Mutant(
        PRIOR, "loss = -jnp.mean(categorical(x, logits))",
        "loss = -jnp.mean(categorical(x, logits)) / length", _twins("latent_prior"),
    ),
    "likelihood: the softmax's norm left out": Mutant(
        "losses/likelihoods.py", "of_x - jax.nn.logsumexp(logits, axis=-1)", "of_x",
        _twins("language pixels"),
    ),
    "gpt: the mlp of what is not normed": Mutant(
        "nn/transformer.py", "self.up(self.mlp_norm(x))", "self.up(x)", _whole("gpt")
    ),
    "gpt: no norm before the logits": Mutant(
        "nn/transformer.py", "tied_logits(self.tokens, self.norm(h))",
        "tied_logits(self.tokens, h)",
        _whole("gpt"),
    ),
    "gpt: attention without its short cut": Mutant(
        "nn/transformer.py", "x = x + self.attention_dropout(", "x = self.attention_dropout(",
        _whole("gpt"),
    ),
    "gpt: rectified in place of GELU": Mutant(
        "nn/transformer.py", "hidden = nn.gelu(self.up(self.mlp_norm(x)), approximate=False)",
        "hidden = nn.relu(self.up(self.mlp_norm(x)))", _whole("gpt"),
    ),
    "pixelcnn: blocks without their short cut": Mutant(
        "autoregressive/pixelcnn.py", "x = x + masked(2 * self.width)(nn.relu(y), pixel)",
        "x = masked(2 * self.width)(nn.relu(y), pixel)", _whole("pixelcnn"),
    ),
    "pixelrnn: what a recurrent layer adds is rectified": Mutant(
        "autoregressive/pixelrnn.py", "x = x + masked(2 * self.width)(y, pixel)",
        "x = x + nn.relu(masked(2 * self.width)(y, pixel))", _whole("pixelrnn"),
    ),
}  # fmt: skip
