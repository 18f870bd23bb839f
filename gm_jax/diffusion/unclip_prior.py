"""unCLIP's prior: from a caption to the CLIP embedding of an image.

Ramesh et al. 2022, Hierarchical Text-Conditional Image Generation with CLIP Latents (DALL-E 2,
arXiv 2204.06125), section 2.2:

    P(z_i | y),  z_i the embedding of an image, y its caption with its own embedding z_t
    L_prior = E || f(z_i^(t), t, y) - z_i ||^2                                  eq. 2
    of two draws the one with the larger z_i . z_t is kept

`stages.clip` is a CLIP. Its vectors have length 1; they are multiplied by the root of their width,
so that their numbers are as large as the noise's.
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import clip_stage, conditions, games, networks
from gm_jax.conditions import TowerSettings
from gm_jax.diffusion.shared import core
from gm_jax.diffusion.shared.choices import Choices, Share
from gm_jax.diffusion.shared.prediction import PREDICTIONS
from gm_jax.diffusion.shared.sampling import Sampler
from gm_jax.model import Phase, field_of
from gm_jax.networks import Network
from gm_jax.nn.embedding_transformer import EmbeddingTransformer, EmbeddingTransformerSettings
from gm_jax.nn.layers import normalised
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Restartable, arguments, at_least, one_of, schema


@schema
class PriorSampler(Sampler):
    """From noise to embedding.

    best_of  embeddings drawn for each caption; the one nearest to the caption's is kept
    prompt   the caption of all samples; "" for the captions of the data
    """

    clip: bool = False
    best_of: Annotated[int, at_least(1)] = 2
    prompt: str = ""


@schema
class Settings(Choices):
    """unCLIP's diffusion prior.

    text       the transformer of captions
    network    the transformer of embeddings
    optimizer  one of optax's
    """

    label_dropout: Share = 0.1
    prediction: Annotated[str, one_of(PREDICTIONS)] = "x0"
    text: TowerSettings = TowerSettings()
    network: EmbeddingTransformerSettings = EmbeddingTransformerSettings()
    optimizer: Optimizer = adam(1e-4)
    sampler: Annotated[PriorSampler, Restartable()] = PriorSampler()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.weights:
            yield "weights are of networks of images: leave them out of a prior"
        if self.objective != "simple":
            yield f"objective {self.objective} is of images: a prior has objective=simple"
        if self.sampler.clip or self.sampler.classifier:
            yield "an embedding has no bounds and no classifier: leave out clip and classifier"
        if self.sampler.guidance and not self.label_dropout:
            yield "sampler.guidance needs a prior trained with label_dropout > 0"


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player learns embeddings, in one phase; configs/unclip_prior_shapes.py."""
    caption, dtype = field_of(spec, "caption"), jnp.dtype(settings.dtype)
    clip = clip_stage.clip_of(stages, caption, field_of(spec, "image"))
    known = conditions.Settings(name="caption", text=settings.text)
    condition = conditions.make(known, spec, dtype)
    asked = conditions.prompted(settings.sampler.prompt, spec)
    module = EmbeddingTransformer(**arguments(settings.network), dtype=dtype)
    network = Network("network", module)

    def init(key, batch, previous):
        network_key, condition_key = jax.random.split(key)
        own, count = condition.init(condition_key, batch), len(batch["index"])
        _, context = condition.inputs(own, batch, False)
        embedding = jnp.zeros((count, clip.width))
        inputs = embedding, jnp.zeros(count), embedding, None, context
        variables = networks.init(network_key[None], (network, *inputs))
        return variables._replace(params=variables.params | own.params)

    def given(variables, batch, key, training):
        batch = batch if training else asked(batch)
        return dict(batch, text_embedding=clip.text(variables, batch, key))

    def predict(variables, batch, drop, keys):
        """What is hidden is the caption and its embedding, never z_i^(t)."""
        _, context = condition.inputs(variables, batch, drop)
        hidden = jnp.broadcast_to(drop, (len(context),))
        text = jnp.where(hidden[:, None], 0.0, batch["text_embedding"])
        return lambda z, level: network(variables, z, level, text, keys, context)

    model = core.Core(settings, settings.process(), (clip.width,), clip.image, predict, given=given)

    def sample(variables, batch, key):
        """For each caption an embedding of length 1: of `best_of` draws the one nearest to it."""
        batch = asked(batch)
        text = clip.text(variables, batch, key)

        def draw(key):
            return normalised(core.chain(model, variables, batch, key)[0])

        def score(embedding):
            return jnp.sum(embedding * text, axis=-1)

        return {"embedding": clip_stage.best_of(settings.sampler.best_of, key, draw, score)}

    functions = {"sample": sample, "embed": sample}
    functions |= {"closeness": clip_stage.closeness(clip, sample)} | clip_stage.passed_on(stages)
    owns, average = ("network", *condition.owns), settings.average
    players = (games.player("prior", owns, core.objective(model), settings, average),)
    theirs = stages["clip"].model.spec
    made = {name: theirs[name] for name in ("image", "caption", "embedding")}
    return (games.phase(settings, init, players, functions, made, stages),)
