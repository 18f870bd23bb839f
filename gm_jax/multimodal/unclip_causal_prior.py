"""unCLIP's autoregressive prior: a CLIP embedding of an image as codes, one after the other.

Ramesh et al. 2022, Hierarchical Text-Conditional Image Generation with CLIP Latents (DALL-E 2,
arXiv 2204.06125), section 2.2:

    z_i -> (c_1 .. c_K)   its principal components in order of falling variance, in buckets
    L = -mean_k log p(c_k | c_<k, y, z_t, bucket of z_i . z_t)
    in training z_i . z_t is known; in sampling it is drawn from the upper half of its values
    logits (1 + w) given the text - w without it; the text is hidden in a share of training

The first phase minimises nothing. It counts: the embeddings' mean and covariance, and the mean and
the deviation of z_i . z_t. `stages.clip` is a CLIP. unCLIP's decoder can be built on this or on the
diffusion prior (`gm_jax/diffusion/unclip_prior.py`).
"""

from typing import Annotated, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gm_jax import causal, clip_stage, conditions, games, networks, replicas
from gm_jax.conditions import TowerSettings
from gm_jax.errors import UserError
from gm_jax.losses.likelihoods import categorical
from gm_jax.model import Array, Aux, Move, Phase, Player, Variables, example_keys, field_of
from gm_jax.multimodal.shared import components, guided_causal, masked
from gm_jax.multimodal.shared.code_model import Share
from gm_jax.multimodal.shared.guided_causal import chosen, guided, reading
from gm_jax.networks import Network
from gm_jax.nn.embedding_transformer import PrefixReader
from gm_jax.nn.layers import Size, normalised
from gm_jax.nn.transformer import Transformer, TransformerSettings
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, Restartable, arguments, at_least, schema


@schema
class Sampler(guided_causal.Sampler):
    """How an embedding's codes are drawn.

    best_of  embeddings drawn for each caption; the one nearest to the caption's is kept
    """


@schema
class Settings(Recipe):
    """unCLIP's autoregressive prior.

    counting           rounds of the first phase, which counts moments of embeddings
    components         K, the number of principal components that are kept
    buckets            the number of values of a component, and of z_i . z_t
    condition_dropout  share of examples whose text is hidden in training
    text               the transformer of captions
    network            the transformer of codes
    optimizer          one of optax's
    sampler            how codes are drawn
    """

    counting: Annotated[int, at_least(1)] = 100
    components: Size = 319
    buckets: Annotated[int, at_least(2)] = 1024
    condition_dropout: Share = 0.1
    text: TowerSettings = TowerSettings()
    network: TransformerSettings = TransformerSettings()
    optimizer: Optimizer = adam(1e-4)
    sampler: Annotated[Sampler, Restartable()] = Sampler()

    def wrong(self):
        """Choices that do not go together, a line for each."""
        yield from super().wrong()
        if self.sampler.guidance and not self.condition_dropout:
            yield "sampler.guidance needs a prior trained with condition_dropout > 0"
        yield from masked.unguided(self.sampler)


class Nearness(NamedTuple):
    """The mean and the deviation of z_i . z_t over images and their texts."""

    mean: Array
    deviation: Array


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """Moments are counted, then codes are learned; configs/unclip_causal_prior_shapes.py.

    Raises UserError if there are more components than CLIP's embeddings have numbers.
    """
    caption, dtype = field_of(spec, "caption"), jnp.dtype(settings.dtype)
    clip = clip_stage.clip_of(stages, caption, field_of(spec, "image"))
    kept, buckets, sampler = settings.components, settings.buckets, settings.sampler
    _check(kept, clip.width)
    known = conditions.Settings(name="caption", text=settings.text)
    condition = conditions.make(known, spec, dtype)
    asked = conditions.prompted(sampler.prompt, spec)
    module = Transformer(buckets, kept, **arguments(settings.network), reads=True, dtype=dtype)
    network = Network("network", module)
    reader = Network("reader", PrefixReader(buckets, dtype))
    drawing = reading(module)
    if sampler.guidance:
        both = chosen(drawing, 0), chosen(drawing, 1)
        drawing = guided(*both, sampler.guidance, sampler.plausible)

    init_counting, count = counting(clip)

    def init(key, batch, previous):
        network_key, condition_key, reader_key = jax.random.split(key, 3)
        own, number = condition.init(condition_key, batch), len(batch["index"])
        _, words = condition.inputs(own, batch, False)
        near = jnp.zeros(number, jnp.int32)
        told = words, jnp.zeros((number, clip.width)), near, jnp.zeros(number, bool)
        read = networks.init(reader_key[None], (reader, *told))
        codes = jnp.zeros((number, kept), jnp.int32)
        inputs = codes, None, None, reader(read, *told)
        variables = networks.init(network_key[None], (network, *inputs))
        moments = (previous or init_counting(key, batch, None)).state
        image, near = components.principal(moments["image"], kept), nearness(moments["near"])
        params = variables.params | own.params | read.params
        return Variables(params, {"components": image, "near": near})

    def context(variables, batch, text, near, hidden):
        """What the network reads: the words, the text's embedding [B, D], the bucket of `near`."""
        of = variables.state["near"]
        _, words = condition.inputs(variables, batch, hidden)
        code = components.bucket(near - of.mean, of.deviation, buckets)
        return reader(variables, words, text, code, hidden)

    def negative_log_prob(variables, batch, key, step):
        hide_keys, dropout_keys = (example_keys(k, batch) for k in jax.random.split(key))
        share = settings.condition_dropout
        hidden = jax.vmap(lambda key: jax.random.bernoulli(key, share))(hide_keys)
        return jnp.mean(nats(variables, batch, key, hidden, dropout_keys)), Aux()

    def nats(variables, batch, key, hidden, keys=None):
        """Nats per code of the image's embedding, [B]."""
        image, text = (f(variables, batch, key) for f in (clip.image, clip.text))
        codes = components.encode(variables.state["components"], image, buckets)
        read = context(variables, batch, text, dot(image, text), hidden)
        return -categorical(codes, network(variables, codes, None, keys, read)) / kept

    def sample(variables, batch, key):
        """For each caption an embedding of length 1: of `best_of` draws the one nearest to it."""
        batch = asked(batch)
        text, of = clip.text(variables, batch, key), variables.state["near"]
        params = variables.params["network"]
        cold = arguments(sampler, "guidance", "plausible", "best_of", "prompt")

        def draw(key):
            near_keys, code_keys = (example_keys(k, batch) for k in jax.random.split(key))
            near = of.mean + of.deviation * jnp.abs(jax.vmap(jax.random.normal)(near_keys))
            texts = [
                context(variables, batch, text, near, jnp.full(len(near), hidden))
                for hidden in (False, True)
            ]
            read = texts if sampler.guidance else texts[0]
            codes = causal.sample(drawing, params, code_keys, kept, read, **cold)
            return normalised(components.decode(variables.state["components"], codes, buckets))

        def score(embedding):
            return jnp.sum(embedding * text, axis=-1)

        return {"embedding": clip_stage.best_of(sampler.best_of, key, draw, score)}

    def likelihood(variables, batch, key):
        """Nats per code given the caption, and the cosine of an image's embedding with that of its
        codes, [B] each."""
        shown = jnp.zeros(len(batch["index"]), bool)
        of, image = variables.state["components"], clip.image(variables, batch, key)
        rebuilt = components.decode(of, components.encode(of, image, buckets), buckets)
        values = nats(variables, batch, key, shown)
        cosine = jnp.sum(normalised(image) * normalised(rebuilt), axis=-1)
        return {"nats_per_code": values, "cosine_codes": cosine}

    functions = {"sample": sample, "embed": sample, "likelihood": likelihood}
    functions |= {"closeness": clip_stage.closeness(clip, sample)} | clip_stage.passed_on(stages)
    theirs = stages["clip"].model.spec
    made = {name: theirs[name] for name in ("image", "caption", "embedding")}
    owns, moves = ("network", "reader", *condition.owns), {"negative_log_prob": negative_log_prob}
    counter = Player("counter", (), optax.identity(), (Move("count", count),))
    learner = games.player("prior", owns, moves, settings, settings.average)

    def phase(name, init, player, functions, steps):
        whole = games.phase(settings, init, (player,), functions, made, stages)
        return whole._replace(name=name, steps=steps)

    return (
        phase("components", init_counting, counter, {}, settings.counting),
        phase("train", init, learner, functions, settings.steps),
    )


def counting(clip: clip_stage.Clip) -> tuple:
    """How the first phase begins, and its objective: moments of embeddings and of z_i . z_t."""

    def init(key, batch, previous):
        widths = {"image": clip.width, "near": 1}
        return Variables({}, {n: components.nothing_seen(w) for n, w in widths.items()})

    def count(variables, batch, key, step):
        image, text = replicas.gather([f(variables, batch, key) for f in (clip.image, clip.text)])
        near = dot(image, text)[:, None]
        seen = {"image": image, "near": near}
        state = {n: components.seen(variables.state[n], z) for n, z in seen.items()}
        return jnp.mean(near), Aux(state=state)

    return init, count


def dot(image: Array, text: Array) -> Array:
    """z_i . z_t of vectors of length 1, [B]; CLIP's numbers here have unit variance."""
    return jnp.mean(image * text, axis=-1)


def nearness(moments: components.Moments) -> Nearness:
    """Of moments of a single number."""
    deviation = jnp.sqrt(jnp.maximum(moments.outer[0, 0] - moments.mean[0] ** 2, 0.0))
    return Nearness(moments.mean[0], deviation)


def _check(kept: int, width: int) -> None:
    """Raises UserError for more components than there are."""
    if kept > width:
        raise UserError(
            f"components {kept}: embeddings by stages.clip have {width} numbers; set components to"
            f" at most {width}"
        )
