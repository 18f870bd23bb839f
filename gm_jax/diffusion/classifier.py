"""A classifier of noised images, p(y | x_t): it guides a diffusion model towards a class.

Dhariwal & Nichol 2021 (arXiv 2105.05233), section 4 and appendix H.

    L = -log p(y | x_t),  x_t = alpha_t x + sigma_t eps,  t as a diffusion model draws it

Of images as they are (`noised` False) it is an ordinary classifier, whose maps give a distance of
images (autoencoders/first_stage.py).
"""

from typing import Annotated

import jax
import jax.numpy as jnp

from gm_jax import games, networks
from gm_jax.diffusion.shared.schedules import SCHEDULES, time_field
from gm_jax.losses.likelihoods import categorical
from gm_jax.losses.perceptual import feature_distance
from gm_jax.model import Aux, Phase, classes_of, example_keys, field_of
from gm_jax.networks import Network
from gm_jax.nn.classifier import Classifier
from gm_jax.nn.layers import normal
from gm_jax.optimizers import Optimizer, adam
from gm_jax.settings import Recipe, arguments, at_least, one_of, part_of, schema

PAIR = ("image", "image_b")
ClassifierSettings = part_of(Classifier, "classes", "dtype")


@schema
class Settings(Recipe):
    """A classifier.

    noised     whether it sees images noised as a diffusion model's, or as they are
    schedule   how the noise grows with time, as that of the model it guides
    times      T, the number of noise levels
    network    residual blocks
    optimizer  one of optax's
    """

    noised: bool = True
    schedule: Annotated[str, one_of(SCHEDULES)] = "cosine"
    times: Annotated[int, at_least(2)] = 1000
    network: ClassifierSettings = ClassifierSettings()
    optimizer: Optimizer = adam(1e-3)


def build(settings: Settings, spec, stages) -> tuple[Phase, ...]:
    """One player learns p(y | x_t) in one phase; configs/classifier_digits.py."""
    shape, classes = field_of(spec, "image").shape, classes_of(spec)
    own, dtype = arguments(settings.network), jnp.dtype(settings.dtype)
    network = Network("classifier", Classifier(classes, **own, dtype=dtype))
    schedule = SCHEDULES[settings.schedule](settings.times)

    def init(key, batch, previous):
        x = batch["image"]
        return networks.init(key[None], (network, x, jnp.zeros(len(x))))

    def noised(x, keys):
        """x_t [B, H, W, C] and t [B]; at t = 0 if the classifier sees images as they are."""
        if not settings.noised:
            return x, jnp.zeros(len(x))
        time_keys, noise_keys = jax.vmap(jax.random.split, out_axes=1)(keys)
        level = schedule.draw(time_keys)
        alpha, sigma = (v.reshape(-1, 1, 1, 1) for v in (level.alpha, level.sigma))
        return alpha * x + sigma * normal(noise_keys, shape), level.time

    def negative_log_likelihood(variables, batch, key, step):
        draw_keys, dropout_keys = (example_keys(k, batch) for k in jax.random.split(key))
        x, t = noised(batch["image"], draw_keys)
        logits, _ = network(variables, x, t, dropout_keys)
        right = jnp.argmax(logits, axis=-1) == batch["label"]
        metrics = {"accuracy": jnp.mean(right, dtype=logits.dtype)}
        return -jnp.mean(categorical(batch["label"], logits)), Aux(metrics)

    def accuracy(variables, batch, key):
        """Whether the class of images as they are is the most probable one, and its log p, [B]."""
        x = batch["image"]
        logits, _ = network(variables, x, jnp.zeros(len(x)))
        right = jnp.argmax(logits, axis=-1) == batch["label"]
        log_p = categorical(batch["label"], logits)
        return {"accuracy": right.astype(logits.dtype), "log_likelihood": log_p}

    def log_prob(variables, batch, key):
        """log p(label | x_t) of batch["image"] at batch["time"], [B]."""
        logits, _ = network(variables, batch["image"], batch["time"])
        return {"log_prob": categorical(batch["label"], logits)}

    def features(variables, batch, key):
        """The maps of images as they are, level by level."""
        x = batch["image"]
        _, maps = network(variables, x, jnp.zeros(len(x)))
        return {f"map_{number}": x for number, x in enumerate(maps)}

    def distance(variables, batch, key):
        """Of the maps of image and image_b, [B], named after the data that it learned."""
        maps = (network(variables, batch[x], jnp.zeros(len(batch[x])))[1] for x in PAIR)
        return {f"distance_classifier_{settings.data.name}": feature_distance(*maps)}

    moves = {"negative_log_likelihood": negative_log_likelihood}
    players = (games.player("classifier", ("classifier",), moves, settings, settings.average),)
    functions = {f.__name__: f for f in (accuracy, log_prob, features, distance)}
    seen = {"image": spec["image"], "label": spec["label"]}
    times = {"time": time_field(settings.schedule, settings.times)} if settings.noised else {}
    return (games.phase(settings, init, players, functions, seen | times),)
